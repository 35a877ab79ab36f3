"""Nothing is missing on the grid without an entry that says so (wan-core 7.4: a missing value is bit 13)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from gateway_rack import PRODUCT, Rack
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import GatewayConfig, MeterProfile

NUMBER = "1SAG0021061001"
NO_VALUE = 1 << (63 - 13)


def _rack(clock: Clock, product: Any = PRODUCT, *numbers: str, **options: Any) -> tuple[Rack, list[SmallMeter]]:
    named = numbers or (NUMBER,)
    rack = Rack(clock, product, GatewayConfig(meters=tuple(MeterProfile(one) for one in named), options=options))
    meters = [SmallMeter(one, first_address=0x10 + place) for place, one in enumerate(named)]
    SmallBus(clock, rack.lmn[1], meters)
    rack.gateway.power_on()
    return rack, meters


async def _grid(rack: Rack, meter: str = NUMBER) -> dict[str, bool]:
    """Grid instants with whether they are gaps; gaps have bit 13 and no value, values have neither."""
    shown: dict[str, bool] = {}
    for row in await rack.console.rows(meter):
        assert row["gap"] is (row["value"] is None) is bool(int(row["status"], 16) & NO_VALUE)
        assert shown.setdefault(row["grid_time"][11:16], row["gap"]) is row["gap"]
    return shown


@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.004, 0.006, 0.05])
async def test_a_state_change_during_the_reading_leaves_a_gap(clock: Clock, after_s: float) -> None:
    """Metering stops while the meter answers: what it says is not stored, and after that the instant is a gap."""
    rack, meters = _rack(clock, load("ppc"))
    await clock.sleep(1800 + after_s)
    await rack.console.do("expire_certificate", which="lmn")
    await clock.sleep(1000)
    await rack.console.do("renew_certificate", which="lmn")
    await clock.sleep(900)
    grid = await _grid(rack)
    assert list(grid) == ["00:15", "00:30", "00:45", "01:00"]
    assert [grid["00:15"], grid["00:45"], grid["01:00"]] == [False, True, False]
    assert grid["00:30"] is (after_s < 0.05)
    assert meters[0].reads == 3
    await rack.close()


async def test_the_first_instant_of_a_meter_may_be_the_one_that_is_lost(clock: Clock) -> None:
    rack, _ = _rack(clock, load("ppc"))
    await clock.sleep(900.004)
    await rack.console.do("expire_certificate", which="lmn")
    await clock.sleep(10)
    await rack.console.do("renew_certificate", which="lmn")
    await clock.sleep(1000)
    assert await _grid(rack) == {"00:15": True, "00:30": False}
    await rack.close()


async def test_a_cause_that_comes_and_goes_while_the_meter_answers_costs_nothing(clock: Clock) -> None:
    rack, _ = _rack(clock, load("ppc"))
    await clock.sleep(1800)
    rack.port[1].write(b'{"id":1,"do":"expire_certificate"}\n{"id":2,"do":"renew_certificate"}\n')
    await clock.sleep(900)
    assert not any((await _grid(rack)).values())
    await rack.close()


async def test_a_lost_instant_survives_a_power_cut_as_a_gap(clock: Clock) -> None:
    rack, _ = _rack(clock)
    await clock.sleep(1800.004)
    await rack.console.do("fill_storage", to=1.0)
    await clock.sleep(60)
    rack.gateway.power_off()
    await clock.sleep(60)
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("fill_storage", to=0.1)
    await clock.sleep(900)
    assert await _grid(rack) == {"00:15": False, "00:30": True, "00:45": False}
    await rack.close()


async def _forward(rack: Rack, clock: Clock) -> None:
    await rack.console.do("set_rtc", offset_s=2700)


async def _forward_and_stopped(rack: Rack, clock: Clock) -> None:
    rack.port[1].write(b'{"id":1,"do":"set_rtc","offset_s":2700}\n{"id":2,"do":"fill_storage","to":1.0}\n')
    await clock.sleep(60)
    await rack.console.do("fill_storage", to=0.1)


@pytest.mark.parametrize("jump", [_forward, _forward_and_stopped])
async def test_a_step_of_the_clock_during_the_reading_leaves_gaps(
    clock: Clock, jump: Callable[[Rack, Clock], Awaitable[None]]
) -> None:
    """The clock is put 45 min ahead while a meter is read: every instant that it jumped over has its entry."""
    rack, _ = _rack(clock)
    await clock.sleep(1800.004)
    await jump(rack, clock)
    await clock.sleep(900)
    grid = await _grid(rack)
    assert list(grid) == ["00:15", "00:30", "00:45", "01:00", "01:15", "01:30"]
    assert [one for one, gap in grid.items() if not gap] == ["00:15", "01:30"]
    await rack.close()


async def test_an_instant_that_comes_while_the_last_one_is_still_read_is_a_gap(clock: Clock) -> None:
    """A period of 5 s with a meter that is busy for longer: the instant passed over has its entry all the same."""
    rack, meters = _rack(clock, registration_period_s=5, receive_window_share=1.8, read_patience_s=8.0)
    await clock.sleep(40)
    meters[0].busy_polls = 120
    await clock.sleep(60)
    stored = rack.memory.query("SELECT grid_s, capture_us IS NULL FROM reading ORDER BY grid_s")
    first, last = stored[0][0], stored[-1][0]
    assert [row[0] for row in stored] == list(range(first, last + 1, 5))
    assert any(row[1] for row in stored)
    assert not stored[-1][1]
    await rack.close()


async def test_a_cause_under_which_metering_goes_on_does_not_hide_the_gaps_of_another(clock: Clock) -> None:
    """PPC marks while the time is invalid: the state stays restricted when the other cause goes, yet gaps are owed."""
    rack, _ = _rack(clock, load("ppc"), sync_max_interval_s=2000, time_invalid_policy="mark")
    await clock.sleep(2100)
    await rack.console.do("expire_certificate", which="lmn")
    await clock.sleep(1000)
    await rack.console.do("renew_certificate", which="lmn")
    assert (await rack.console.info())["state"] == "restricted"
    await clock.sleep(900)
    assert await _grid(rack) == {"00:15": False, "00:30": False, "00:45": True, "01:00": False}
    await rack.close()


async def test_what_is_filled_after_a_discarded_reading_is_bounded(clock: Clock) -> None:
    rack, _ = _rack(clock, gap_fill_limit=3)
    await clock.sleep(1800.004)
    await rack.console.do("fill_storage", to=1.0)
    await clock.sleep(9 * 900)
    await rack.console.do("fill_storage", to=0.1)
    await clock.sleep(1)
    grid = await _grid(rack)
    assert [one for one, gap in grid.items() if gap] == ["02:15", "02:30", "02:45"]
    await rack.close()
