"""A reading counts for its instant within 1 % of the registration period, to the microsecond (wan-core 7.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from core_parts import ENERGY, METER

from devices.clock import Clock
from firmware.config import Options
from firmware.lmn.wireless.identity import radio_identity
from firmware.metering.radio_registration import Heard, RadioRegistration
from firmware.metering.registration import ActiveProfile, Registration
from firmware.metering.status_word import GatewayBit
from firmware.metering.values import Entry, Reading
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory

ClockAt = Callable[[datetime], Clock]
INSTANT = datetime(2026, 1, 1, 12, tzinfo=UTC)
INSTANT_US = int(INSTANT.timestamp()) * 1_000_000
SAID = (Entry(ENERGY, 123_456, -1, 30),)
NO_VALUE = 1 << (63 - 13)
WINDOWS_US = {60: 600_000, 900: 9_000_000, 3600: 36_000_000}
"""Registration period in seconds -> 1 % of it."""
POWER, GAS = "1ELS0187654321", "7ELS3312345678"


class Host:
    """A gateway that captures, with nothing to mark."""

    def may_capture(self) -> bool:
        return True

    def marks(self) -> frozenset[GatewayBit]:
        return frozenset()

    def marks_at(self, at_s: int) -> frozenset[GatewayBit]:
        return frozenset()

    def event(self, event: str, /, **parameters: object) -> None:
        pass


class Kept:
    """Keeps what was handed in for storage."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []

    def put(self, readings: Sequence[Reading]) -> None:
        self.readings += readings

    async def flush(self) -> None:
        pass

    def at(self, instant_us: int) -> Reading:
        (found,) = [one for one in self.readings if one.grid_s * 1_000_000 == instant_us]
        return found


def own_clock(clock: Clock) -> OwnClock:
    return OwnClock(clock, 0.0, round(clock.now().timestamp() * 1e6))


async def wired(clock: Clock, late_us: int, **options: Any) -> tuple[Reading, list[float]]:
    """What is stored for the instant of a meter that answers so late, and the seconds that it was given."""
    own, kept, given = own_clock(clock), Kept(), list[float]()

    async def read(profile: ActiveProfile, left_s: float) -> tuple[Entry, ...]:
        given.append(left_s)
        await clock.sleep(late_us / 1e6)
        return SAID

    def spawn(work: Coroutine[Any, Any, None]) -> object:
        tasks.append(asyncio.ensure_future(work))
        return tasks[-1]

    tasks: list[asyncio.Future[None]] = []
    registration = Registration(own, NonVolatileMemory(), kept, Options(**options), Host(), read, spawn)
    registration.add(ActiveProfile(METER, METER.encode(), frozenset(), "consumer-1"))
    registration.start()
    await clock.sleep(60 + 50)
    registration.stop()
    await asyncio.gather(*tasks)
    return kept.at(INSTANT_US), given


async def radio(clock: Clock, late_us: int, period_s: int, meter: str = POWER, **options: Any) -> Reading:
    """The same of a meter on the air."""
    own, kept = own_clock(clock), Kept()
    registration = RadioRegistration(own, NonVolatileMemory(), kept, Options(**options), Host())
    identity = radio_identity(meter)
    registration.add(ActiveProfile(meter, b"", frozenset(), "consumer-1", radio=identity, period_s=period_s))
    registration.start()
    registration.heard(meter, Heard(own.now_us(), SAID))
    await clock.sleep(60 + late_us / 1e6)
    assert own.now_us() == INSTANT_US + late_us
    registration.heard(meter, Heard(own.now_us(), SAID))
    await clock.sleep(period_s - 1)
    registration.stop()
    return kept.at(INSTANT_US)


def counts(reading: Reading, late_us: int) -> bool:
    """Whether it is a value, else it must be a gap with bit 13."""
    assert reading.gap is bool(int(reading.status, 16) & NO_VALUE) is (not reading.entries)
    assert reading.gap or reading.capture_us == INSTANT_US + late_us
    return not reading.gap


@pytest.mark.parametrize(("period_s", "window_us"), WINDOWS_US.items())
async def test_a_wired_meter_has_one_percent_of_the_period(clock_at: ClockAt, period_s: int, window_us: int) -> None:
    for late_us, good in ((0, True), (window_us, True), (window_us + 1, False)):
        found, given = await wired(clock_at(INSTANT), late_us, registration_period_s=period_s)
        assert counts(found, late_us) is good, late_us
        assert given[0] == pytest.approx(window_us / 1e6)


@pytest.mark.parametrize(("period_s", "window_us"), WINDOWS_US.items())
async def test_a_radio_electricity_meter_has_it_too(clock_at: ClockAt, period_s: int, window_us: int) -> None:
    for late_us, good in ((0, True), (window_us, True), (window_us + 1, False)):
        found = await radio(clock_at(INSTANT), late_us, period_s)
        assert counts(found, late_us) is good, late_us


async def test_gas_meters_have_a_quarter_and_all_shares_are_options(clock_at: ClockAt) -> None:
    for late_us, good in ((900_000_000, True), (900_000_001, False)):
        assert counts(await radio(clock_at(INSTANT), late_us, 3600, GAS), late_us) is good
    for late_us, good in ((18_000_000, True), (18_000_001, False)):
        found, _ = await wired(clock_at(INSTANT), late_us, registration_period_s=900, receive_window_share=0.02)
        assert counts(found, late_us) is good
        found = await radio(clock_at(INSTANT), late_us, 900, radio_window_share=0.02)
        assert counts(found, late_us) is good
