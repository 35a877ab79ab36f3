"""Entries that are made later carry the marks of their own instant, also over a power cut (wan-core 7.3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from devices.clock import Clock
from firmware.metering.mark_history import MOST, SETTING, MarkHistory
from firmware.metering.status_word import GatewayBit
from firmware.own_clock import OwnClock, to_us
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

ClockAt = Callable[[datetime], Clock]
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
FATAL, INVALID, WARNING = (frozenset({bit}) for bit in (GatewayBit.FATAL, GatewayBit.TIME_INVALID, GatewayBit.WARNING))
NONE: frozenset[GatewayBit] = frozenset()


def _us(minutes: float) -> int:
    return to_us(BEGIN + timedelta(minutes=minutes))


class _Run:
    """A run of the firmware that begins so many minutes after BEGIN."""

    def __init__(
        self, clock: Clock, memory: NonVolatileMemory, off: float | None = None, shown: float | None = None
    ) -> None:
        first = to_us(clock.now()) if shown is None else _us(shown)
        self.clock = clock
        self.own = OwnClock(clock, 0.0, first, known=shown is None)
        writer = StorageWriter(clock, memory, 0.01)
        self.history = MarkHistory(memory, writer, self.own, None if off is None else _us(off))

    async def until(self, minutes: float, marks: frozenset[GatewayBit]) -> None:
        """Wait until then by the laboratory's clock; these marks hold from then on."""
        await self.clock.sleep((_us(minutes) - to_us(self.clock.now())) / 1e6)
        self.history.note(marks)
        await self.clock.sleep(0.02)

    def at(self, *minutes: float) -> list[frozenset[GatewayBit]]:
        """The marks of these instants."""
        return [self.history.at(_us(one)) for one in minutes]


async def test_each_instant_has_the_marks_that_held_then(clock_at: ClockAt) -> None:
    run = _Run(clock_at(BEGIN), NonVolatileMemory())
    await run.until(10, FATAL)
    await run.until(20, FATAL | WARNING)
    await run.until(30, NONE)
    assert run.at(5, 10, 19, 20, 29, 30, 31) == [NONE, FATAL, FATAL, FATAL | WARNING, FATAL | WARNING, NONE, NONE]


async def test_a_time_without_power_has_no_marks(clock_at: ClockAt) -> None:
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    await _Run(clock, memory).until(10, FATAL)
    await clock.sleep(1200)
    again = _Run(clock, memory, off=15)
    await clock.sleep(0.02)
    assert again.at(12, 15, 25) == [FATAL, NONE, NONE]
    await again.until(40, INVALID)
    third = _Run(clock, memory, off=42)
    assert third.at(12, 20, 41, 43) == [FATAL, NONE, INVALID, NONE]


async def test_that_a_run_had_ended_is_stored_at_once(clock_at: ClockAt) -> None:
    """Mains comes for a moment only: the next start still knows when the run with the marks ended."""
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    await _Run(clock, memory).until(10, FATAL)
    await clock.sleep(1200)
    _Run(clock, memory, off=15)
    await clock.sleep(600)
    assert _Run(clock, memory, off=30).at(12, 20, 29) == [FATAL, NONE, NONE]


async def test_where_nobody_noted_the_cut_a_run_ended_with_what_it_stored_last(clock_at: ClockAt) -> None:
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    await _Run(clock, memory).until(10, FATAL)
    memory.commit([("INSERT INTO reading VALUES ('M', 0, ?, '', NULL, x'00')", (_us(14),))])
    assert _Run(clock, memory).at(13, 14, 20) == [FATAL, NONE, NONE]


async def test_a_clock_that_was_a_guess_was_off_by_the_step_all_the_time(clock_at: ClockAt) -> None:
    """It starts an hour late with the time unknown: what it ran is shortly before the step, not when it guessed."""
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    await _Run(clock, memory).until(1, WARNING)
    await clock.sleep(3600)
    run = _Run(clock, memory, off=5, shown=5)
    run.history.note(INVALID)
    await clock.sleep(120)
    run.own.step_to(to_us(clock.now()))
    run.own.known = True
    run.history.note(NONE)
    assert run.at(3, 6, 60, 62, 63.1) == [WARNING, NONE, NONE, INVALID, NONE]


async def test_what_a_clock_that_is_put_back_showed_before_is_forgotten(clock_at: ClockAt) -> None:
    run = _Run(clock_at(BEGIN), NonVolatileMemory())
    await run.until(10, FATAL)
    await run.until(20, FATAL | WARNING)
    run.own.step_to(_us(15))
    assert run.at(12, 16, 25) == [FATAL, FATAL | WARNING, FATAL | WARNING]
    run.own.step_to(_us(5))
    run.history.note(NONE)
    assert run.at(4, 6, 12) == [NONE, NONE, NONE]


async def test_it_stays_small_and_costs_nothing_where_there_is_nothing_to_say(clock_at: ClockAt) -> None:
    memory, clock = NonVolatileMemory(), clock_at(BEGIN)
    run = _Run(clock, memory)
    await run.until(1, NONE)
    assert memory.setting(SETTING) is None
    for minute in range(2, 2 * MOST):
        await run.until(minute, FATAL if minute % 2 else NONE)
    assert len(memory.setting(SETTING)) == MOST
    assert run.at(2 * MOST - 1, 2 * MOST - 2) == [FATAL, NONE]
