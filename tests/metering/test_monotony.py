"""A register that falls is warned of in the original value itself, not only where something is reckoned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from core_parts import BEGIN, BEGIN_S, ENERGY, METER, copy_of, profile, run_core

from devices.clock import Clock
from firmware.metering import values
from firmware.metering.monotony import Monotony
from firmware.metering.status_word import GatewayBit, StatusWord
from firmware.metering.tariffs.readings import with_bits, word_of
from firmware.metering.values import Entry
from firmware.storage.memory import NonVolatileMemory

ClockAt = Callable[[datetime], Clock]
HOUR_S = 3600
GOOD = StatusWord()


def _falls(at_us: int) -> Sequence[tuple[str, int, int, int]]:
    """1000 at the begin and one more each quarter of an hour; 500 less from the third hour to the fifth."""
    quarters = (at_us // 1_000_000 - BEGIN_S) // 900
    low = 500 if 12 <= quarters < 20 else 0
    return ((ENERGY, 1000 + quarters - low, -1, 30),)


def _warned(memory: NonVolatileMemory) -> list[int]:
    found = values.read(memory, METER)
    return [(one.grid_s - BEGIN_S) // 900 for one in found if word_of(one.status).has(GatewayBit.WARNING)]


async def test_the_original_value_of_a_fallen_register_has_the_warning_bit(clock_at: ClockAt) -> None:
    """The load profile, TAF-7, is the list of original values: there the mark is seen."""
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 0.25, profile(7), meters={METER: _falls})
    assert _warned(memory) == list(range(12, 20))
    stored = {one.grid_s: one for one in values.read(memory, METER)}
    fallen = stored[BEGIN_S + 3 * HOUR_S]
    assert fallen.status == "A008000020000000"
    assert fallen.entries[0].value == 512


async def test_a_restart_while_it_is_low_changes_nothing(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 4 * HOUR_S / 86_400, profile(7), meters={METER: _falls})
    again = copy_of(memory)
    since = BEGIN + timedelta(hours=4, seconds=120)
    await run_core(clock_at, again, 2 * HOUR_S / 86_400, profile(7), meters={METER: _falls}, since=since)
    assert _warned(again) == list(range(12, 20))


def test_what_may_not_be_billed_and_what_does_not_count_is_compared_with_nothing() -> None:
    monotony = Monotony(NonVolatileMemory())
    bad = with_bits(GOOD, GatewayBit.TIME_INVALID)

    def judged(value: int, word: StatusWord = GOOD, obis: str = ENERGY, scaler: int = -1, unit: int = 30) -> StatusWord:
        return monotony.judged(METER, word, (Entry(obis, value, scaler, unit),))

    warned = with_bits(GOOD, GatewayBit.WARNING)
    assert judged(1000) == GOOD
    assert judged(5000, bad) == bad
    assert judged(10, bad) == bad
    assert judged(1001) == GOOD
    assert judged(101, scaler=0) == GOOD  # 1010 tenths
    assert judged(1009) == warned
    assert judged(1010) == GOOD
    assert [judged(one, obis="1-0:16.7.0*255", unit=27) for one in (500, 100)] == [GOOD, GOOD]
    assert [judged(one, obis="7-0:3.1.0*255", unit=13) for one in (500, 100)] == [GOOD, warned]
    assert [judged(one, obis="6-0:10.0.0*255", unit=9) for one in (500, 100)] == [GOOD, GOOD]
