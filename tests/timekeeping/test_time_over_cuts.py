"""The gateway's time over power cuts: drift, reserve, a clock chip that fails, doubt, and what becomes of values.

wan-core 7.5, states T0 to T4; [PPC] 10: 10041, 10067 to 10073; [CONEXA] D-2.2; [CASA] 2.6, 8, 9.3.4.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from gateway_rack import Rack
from small_meter import SmallBus, SmallMeter

from devices.backoffice.time_server import TimeServer
from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import GatewayConfig, MeterProfile
from firmware.metering.status_word import GatewayBit
from firmware.own_clock import RealTimeClock, to_us
from firmware.storage.memory import NonVolatileMemory
from firmware.timekeeping import TimeState

NUMBER = "1SAG0021061001"
PRODUCTS = ("ppc", "conexa", "casa")
HOUR_S = 3600.0
TIME_INVALID, WARNING = int(GatewayBit.TIME_INVALID), int(GatewayBit.WARNING)


@pytest.fixture
async def time_server(clock: Clock) -> AsyncIterator[TimeServer]:
    async with TimeServer(clock) as server:
        yield server


class Site:
    """A gateway with a meter and a time server."""

    def __init__(self, clock: Clock, product: str, server: TimeServer, **options: Any) -> None:
        data = load(product)
        given = {"registration_period_s": 60, "invite_interval_s": 600, **options}
        config = GatewayConfig(
            device_id=data.device_id, meters=(MeterProfile(NUMBER),), options=given, time_server=server.address
        )
        self.clock = clock
        self.rack = Rack(clock, data, config)
        SmallBus(clock, self.rack.lmn[1], [SmallMeter(NUMBER)])

    async def on(self) -> None:
        """Mains on, until it is ready and has asked for the time."""
        self.rack.gateway.power_on()
        await self.rack.ready()
        await self.clock.sleep(1)

    async def cut(self, hours: float) -> None:
        """Mains away for so long."""
        self.rack.gateway.power_off()
        await self.clock.sleep(hours * HOUR_S)
        await self.on()

    @property
    def time(self) -> Any:
        session = self.rack.gateway._session
        assert session is not None
        return session.time

    @property
    def off_s(self) -> float:
        """How far the gateway's clock is ahead."""
        session = self.rack.gateway._session
        assert session is not None
        return (session.own.now_us() - to_us(self.clock.now())) / 1e6

    async def entries(self, event: str) -> list[dict[str, Any]]:
        found = (await self.rack.console.ask(read="log", book="system"))["entries"]
        return [one for one in found if one["event"] == event]

    async def marks(self) -> list[bool]:
        """Of each captured value, whether it is marked as captured with an invalid time."""
        rows = [one for one in await self.rack.console.rows() if not one["gap"] and one["obis"] == "1-0:1.8.0*255"]
        return [_bit(one["status"], TIME_INVALID) for one in rows]

    async def close(self) -> None:
        await self.rack.close()


def _bit(status: str, bit: int) -> bool:
    """Bit 0 is the leftmost (wan-core 7.3)."""
    return bool(int(status, 16) >> (63 - bit) & 1)


# --- drift


async def test_the_chip_drifts_while_there_is_no_mains_and_the_next_answer_puts_it_right(
    clock: Clock, time_server: TimeServer
) -> None:
    """100 ppm over 47 h are 16.9 s: within 27 s, no cause."""
    site = Site(clock, "casa", time_server, rtc_drift_ppm=100.0, registration_period_s=900)
    await site.on()
    time_server.answering = False
    await site.cut(47)
    assert site.off_s == pytest.approx(47 * HOUR_S * 100e-6, abs=0.05)
    assert site.time.state is TimeState.INVALID  # longer than 36 h without synchronisation
    time_server.answering = True
    await clock.sleep(70)
    assert site.time.state is TimeState.SYNCED
    assert abs(site.off_s) < 0.01
    assert await site.entries("deviation_exceeded") == []
    assert (await site.entries("time_synchronised"))[-1]["parameters"]["deviation_s"].startswith("-16.9")
    await site.close()


async def test_a_chip_that_drifts_too_far_makes_the_time_doubtful_until_the_answer_after(
    clock: Clock, time_server: TimeServer
) -> None:
    site = Site(clock, "casa", time_server, rtc_drift_ppm=300.0, registration_period_s=900)
    await site.on()
    await site.cut(30)  # 32.4 s
    assert site.time.state is TimeState.INVALID
    assert len(await site.entries("deviation_exceeded")) == 1
    assert abs(site.off_s) < 0.01
    await clock.sleep(70)
    assert site.time.state is TimeState.SYNCED
    await site.close()


async def test_drift_and_chip_add_up_only_where_they_are_apart(clock: Clock) -> None:
    memory = NonVolatileMemory()
    chip = RealTimeClock(clock, memory, 50.0, 48 * HOUR_S)
    begin = chip.read()
    assert begin is not None
    await clock.sleep(10 * HOUR_S)
    assert chip.read() == begin + round(10 * HOUR_S * 1e6 * (1 + 50e-6))
    memory.close()


# --- reserve


@pytest.mark.parametrize(("hours", "alive"), [(47.99, True), (48.01, False)])
async def test_the_reserve_of_the_casa_is_48_hours(
    clock: Clock, time_server: TimeServer, hours: float, alive: bool
) -> None:
    """[CASA] 2.6."""
    site = Site(clock, "casa", time_server)
    await site.on()
    time_server.answering = False
    await site.cut(hours)
    assert site.time.state is (TimeState.INVALID if alive else TimeState.UNKNOWN)
    assert bool(await site.entries("clock_reserve_exhausted")) is not alive
    assert site.time.checks_certificate_dates is alive
    await site.close()


async def test_a_buffer_that_charges_slowly_gives_less_to_the_next_cut(clock: Clock) -> None:
    memory = NonVolatileMemory()
    chip = RealTimeClock(clock, memory, 0.0, 48 * HOUR_S, recharge_s=24 * HOUR_S)
    for off_h, on_h, alive in ((40.0, 6.0, True), (19.0, 0.1, True), (2.0, 48.0, False), (47.0, 0.0, True)):
        chip.mains_lost()
        await clock.sleep(off_h * HOUR_S)
        assert chip.mains_back()[1] is alive, (off_h, on_h)
        if not alive:
            chip.set(to_us(clock.now()))
        await clock.sleep(on_h * HOUR_S)
    memory.close()


async def test_by_default_the_buffer_is_full_as_soon_as_mains_is_back(clock: Clock) -> None:
    memory = NonVolatileMemory()
    chip = RealTimeClock(clock, memory, 0.0, 48 * HOUR_S)
    for _ in range(5):
        chip.mains_lost()
        await clock.sleep(40 * HOUR_S)
        assert chip.mains_back()[1]
        await clock.sleep(1)
    memory.close()


# --- a chip that has lost the time, or is broken


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_dead_chip_at_boot_is_t0_and_the_first_answer_ends_it(
    clock: Clock, time_server: TimeServer, product: str
) -> None:
    """The first authentic stamp sets the clock, however far it is off."""
    site = Site(clock, product, time_server)
    await site.on()
    time_server.answering = False
    site.rack.gateway.power_off()
    await site.rack.console.do("set_rtc", dead=True)
    await clock.sleep(20 * 86_400)
    await site.on()
    assert site.time.state is TimeState.UNKNOWN
    assert not site.time.checks_certificate_dates
    assert (await site.rack.console.info())["causes"] == ["clock_reserve_exhausted"]
    before = len(await site.marks())
    await clock.sleep(150)
    marked = (await site.marks())[before:]
    assert marked == ([True] * len(marked) if product == "ppc" else [])  # PPC marks, the others stop
    assert product != "ppc" or marked
    time_server.answering = True
    await clock.sleep(70)
    assert site.time.state is TimeState.SYNCED
    assert site.time.checks_certificate_dates
    assert abs(site.off_s) < 0.01
    assert (await site.rack.console.info())["state"] == "run"
    assert len(await site.entries("time_restored")) == 1
    await site.close()


async def test_a_mute_chip_makes_every_start_one_without_time(clock: Clock, time_server: TimeServer) -> None:
    site = Site(clock, "casa", time_server)
    await site.on()
    await site.rack.console.do("rtc_fails", how="mute")
    for starts in (1, 2):
        await site.cut(0.01)
        assert len(await site.entries("clock_reserve_exhausted")) == starts
        assert site.time.state is TimeState.SYNCED
    await site.rack.console.do("mend", fault="rtc")
    await clock.sleep(2 * HOUR_S)  # the next synchronisation sets the chip
    await site.cut(0.01)
    assert len(await site.entries("clock_reserve_exhausted")) == 2
    await site.close()


async def test_a_chip_without_buffer_loses_the_time_in_the_shortest_cut(clock: Clock, time_server: TimeServer) -> None:
    site = Site(clock, "casa", time_server)
    await site.on()
    await site.rack.console.do("rtc_fails", how="no_buffer")
    await site.cut(0.001)
    assert len(await site.entries("clock_reserve_exhausted")) == 1
    await site.close()


async def test_a_chip_that_stands_still_is_found_by_the_synchronisation(clock: Clock, time_server: TimeServer) -> None:
    site = Site(clock, "casa", time_server)
    await site.on()
    await site.rack.console.do("rtc_fails", how="stopped")
    await site.cut(1)
    assert len(await site.entries("deviation_exceeded")) == 1
    await site.close()


# --- doubt


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_power_cut_is_no_way_out_of_an_invalid_time(
    clock: Clock, time_server: TimeServer, product: str
) -> None:
    site = Site(clock, product, time_server)
    await site.on()
    time_server.offset = timedelta(seconds=40)
    await clock.sleep(HOUR_S)
    assert site.time.state is TimeState.INVALID
    time_server.answering = False
    await site.cut(0.01)
    assert site.time.state is TimeState.INVALID
    assert (await site.rack.console.info())["causes"] == ["deviation_exceeded"]
    time_server.answering = True
    await clock.sleep(70)
    assert site.time.state is TimeState.SYNCED
    await site.cut(0.01)
    assert (await site.rack.console.info())["causes"] == []
    await site.close()


async def test_a_time_server_that_jumps_to_and_fro_is_never_believed(clock: Clock, time_server: TimeServer) -> None:
    site = Site(clock, "casa", time_server)
    await site.on()
    await clock.sleep(10)
    for n in range(6):
        time_server.offset = timedelta(seconds=40 if n % 2 else -40)
        await clock.sleep(HOUR_S if n == 0 else 61)
        assert site.time.state is TimeState.INVALID
    assert len(await site.entries("deviation_exceeded")) == 1
    assert await site.entries("time_restored") == []
    await clock.sleep(61)
    assert site.time.state is TimeState.SYNCED
    await site.close()


async def test_what_was_overdue_before_a_cut_is_a_warning_after_it(clock: Clock, time_server: TimeServer) -> None:
    """T1 with a synchronisation older than the warning limit: usable, with a warning on every value."""
    site = Site(clock, "ppc", time_server)
    await site.on()
    time_server.answering = False
    await site.cut(10)
    assert site.time.state is TimeState.FROM_RTC
    assert site.time.holdover
    (told,) = await site.entries("time_sync_overdue")
    assert told["parameters"]["hours"] == pytest.approx(10, abs=0.05)
    await clock.sleep(130)
    row = (await site.rack.console.rows())[-1]
    assert _bit(row["status"], WARNING)
    assert not _bit(row["status"], TIME_INVALID)
    await site.close()


# --- policies


@pytest.mark.parametrize("policy", ["type", "mark", "stop"])
@pytest.mark.parametrize("product", PRODUCTS)
async def test_values_of_an_invalid_time_are_marked_or_not_captured(
    clock: Clock, time_server: TimeServer, product: str, policy: str
) -> None:
    """wan-core 7.5: a switch, with a default for each maker; PPC marks (Q7), CONEXA and CASA stop."""
    marks = policy == "mark" or (policy == "type" and product == "ppc")
    site = Site(clock, product, time_server, time_invalid_policy=policy, registration_period_s=900,
                sync_max_interval_s=2 * HOUR_S, sync_warn_after_s=HOUR_S,
                ntp_retry_interval_s=300.0)  # fmt: skip
    await site.on()
    await clock.sleep(130)
    time_server.answering = False
    await clock.sleep(2 * HOUR_S + 60)
    assert site.time.state is TimeState.INVALID
    before = await site.marks()
    assert len(before) == 2 * 4
    assert not any(before)
    await clock.sleep(HOUR_S)
    during = (await site.marks())[len(before) :]
    assert during == [True] * (4 if marks else 0)
    time_server.answering = True
    await clock.sleep(320)
    assert site.time.state is TimeState.SYNCED
    gaps = [one["status"] for one in await site.rack.console.rows() if one["gap"]]
    assert len(gaps) == (0 if marks else 4)
    assert all(_bit(one, TIME_INVALID) for one in gaps)  # critical, not merely missing (wan-core 7.3)
    known = len(await site.marks())
    await clock.sleep(HOUR_S)
    assert (await site.marks())[known:] == [False] * 4
    await site.close()


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(("off_s", "good"), [(26.8, True), (-26.8, True), (27.2, False), (-27.2, False)])
async def test_a_clock_may_be_off_by_27_seconds_and_no_more(
    clock: Clock, time_server: TimeServer, product: str, off_s: float, good: bool
) -> None:
    """wan-core 7.4: 3 % of the smallest registration period, 27 s of 900 s."""
    site = Site(clock, product, time_server, registration_period_s=900)
    await site.on()
    time_server.offset = timedelta(seconds=off_s)
    await clock.sleep(HOUR_S)
    assert site.time.state is (TimeState.SYNCED if good else TimeState.INVALID)
    assert len(await site.entries("deviation_exceeded")) == (0 if good else 1)
    await site.close()
