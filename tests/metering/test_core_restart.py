"""A power cut at any commit: what was stored is there, and going on gives what no cut would have given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from core_parts import BEGIN, METER, OTHER, copy_of, counter, profile, run_core, same

from devices.clock import Clock
from firmware.metering import derived, values
from firmware.metering.evaluation import REPLAY_MOST
from firmware.storage.memory import NonVolatileMemory, Statement

ClockAt = Callable[[datetime], Clock]
METERS = {METER: counter(3600), OTHER: counter(500)}
LISTS = ("reading", "entry", "derived")


class _Kept(NonVolatileMemory):
    """Keeps a copy of itself after some of its commits."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self._every = every
        self._commits = 0
        self.copies: list[NonVolatileMemory] = []

    def commit(self, statements: Iterable[Statement]) -> None:
        super().commit(statements)
        self._commits += 1
        if self._commits % self._every == 0:
            self.copies.append(copy_of(self))


def _profiles() -> list[Any]:
    return [profile(1), profile(2), profile(6), profile(7, meter=OTHER)]


async def test_going_on_after_a_cut_at_any_commit_gives_the_same_lists(clock_at: ClockAt) -> None:
    whole = _Kept(every=23)
    await run_core(clock_at, whole, 3, *_profiles(), meters=METERS)
    assert len(whole.copies) > 10
    for cut in whole.copies:
        stored = values.read(cut)
        newest = max((one.grid_s for one in stored), default=int(BEGIN.timestamp()) - 900)
        since = datetime.fromtimestamp(newest + 60, BEGIN.tzinfo) + timedelta(seconds=60)
        left = (int(BEGIN.timestamp()) + 3 * 86_400 - newest) / 86_400
        await run_core(clock_at, cut, left, *_profiles(), since=since, meters=METERS)
        assert same(whole, cut, *LISTS)


@pytest.mark.parametrize("readings", [1, 5, REPLAY_MOST - 1, REPLAY_MOST, REPLAY_MOST + 1])
async def test_what_a_use_case_saw_since_its_state_was_stored_is_given_to_it_again(
    clock_at: ClockAt, readings: int
) -> None:
    """TAF-1 gives nothing between two months, so its stored state is old; the readings since then make up for it."""
    memory = NonVolatileMemory()
    days = (readings - 1) * 900 / 86_400
    core = await run_core(clock_at, memory, days, profile(1))
    again = await run_core(
        clock_at, copy_of(memory), 0, profile(1), since=BEGIN + timedelta(seconds=readings * 900 - 450)
    )
    case, restored = (one.evaluation.case(profile(1).name) for one in (core, again))
    assert case is not None
    assert restored is not None
    assert restored.state() == case.state()


async def test_each_derived_entry_stands_there_once_and_in_order(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 3, *_profiles(), meters=METERS)
    found = derived.read(memory)
    keys = [(one.derived.at_s, one.profile, one.position) for one in found]
    assert keys == sorted(set(keys))
    switches = [one for one in found if one.profile == profile(2).name and one.derived.register == "1-0:1.8.1*255"]
    amounts = [one.derived.amount.value for one in switches if one.derived.amount is not None]
    assert amounts == sorted(amounts)


async def test_a_state_that_does_not_fit_its_digest_is_made_up_for_by_the_readings(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    core = await run_core(clock_at, memory, 1, profile(1))
    damaged = copy_of(memory)
    damaged.commit([("UPDATE evaluation SET state = ?", ('{"use_case":1',))])
    again = await run_core(clock_at, damaged, 0, profile(1), since=BEGIN + timedelta(days=1, seconds=450))
    case, restored = (one.evaluation.case(profile(1).name) for one in (core, again))
    assert case is not None
    assert restored is not None
    assert restored.state() == case.state()
    assert same(memory, damaged, "derived")


async def test_a_late_profile_signs_the_times_at_which_its_readings_were_captured(clock_at: ClockAt) -> None:
    """A profile that is put in force behind its first reading takes it from the list, with its time of capture."""
    late = NonVolatileMemory()
    await run_core(clock_at, late, 0.1)
    late.commit([("UPDATE reading SET capture_us = capture_us + 1000000", ())])  # as if reading took a second
    await run_core(clock_at, late, 0, profile(1), since=BEGIN + timedelta(seconds=8640 + 900))
    assert derived.read(late)[0].capture_us == values.read(late, METER)[0].capture_us
