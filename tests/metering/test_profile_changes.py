"""Profiles that change or go while readings come in: nothing of the old one stays behind (wan-core 6.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from core_parts import BEGIN, BEGIN_S, profile, run_core

from devices.clock import Clock
from firmware.metering import values
from firmware.metering.evaluation import Evaluation
from firmware.metering.values import Entry, Reading
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

ClockAt = Callable[[datetime], Clock]
DAY_S = 86_400
GOOD = "A000000020000000"


def reading(at_s: int) -> Reading:
    return Reading(
        "1SMB0000000001", at_s, at_s * 1_000_000, GOOD, (Entry("1-0:1.8.0*255", at_s - BEGIN_S + DAY_S, -1, 30),)
    )


@pytest.mark.parametrize("taf", [1, 2, 7])
def test_a_profile_that_is_changed_before_its_begin_begins_anew(taf: int) -> None:
    """Its state is stored after 96 readings, long before it begins."""
    memory = NonVolatileMemory()
    evaluation = Evaluation(memory)
    old = replace(profile(1, 10), begin_s=BEGIN_S + 3 * DAY_S)
    evaluation.add(old, BEGIN_S)
    for number in range(200):
        memory.commit(evaluation.take([reading(BEGIN_S + 900 * number)]).statements)
    assert memory.query("SELECT COUNT(*) FROM evaluation") == [(1,)]
    new = replace(profile(taf, 5), name=old.name, begin_s=BEGIN_S + 4 * DAY_S)
    waiting = evaluation.remove(old.name)  # on its way to the memory, not there yet
    evaluation.add(new, BEGIN_S, anew=True)
    memory.commit(waiting)
    case = evaluation.case(old.name)
    assert case is not None
    assert case.profile.end_s == new.end_s
    assert case.decided_s < new.begin_s
    assert not evaluation.take([reading(BEGIN_S + 3 * DAY_S)]).events
    assert [event.name for event, _ in evaluation.take([reading(BEGIN_S + 4 * DAY_S)]).events] == ["tariff_started"]


async def test_room_is_counted_as_it_is_taken_with_gaps_and_deletions_of_several_days(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    profiles = (profile(6, 80), profile(1, 80))
    await run_core(clock_at, memory, 46.1, *profiles, registration_period_s=3600)
    later = BEGIN + timedelta(days=51)
    core = await run_core(clock_at, memory, 2.1, *profiles, since=later, registration_period_s=3600)
    assert any(one.gap for one in values.read(memory))
    assert core.used_octets == values.used_octets(memory)


async def test_a_commit_that_fails_is_told_to_whoever_waits(clock_at: ClockAt) -> None:
    clock = clock_at(BEGIN)
    writer = StorageWriter(clock, NonVolatileMemory(), 0.01)
    clock_failures: list[object] = []
    clock._loop.set_exception_handler(lambda loop, context: clock_failures.append(context.get("exception")))
    with pytest.raises(Exception, match="no such table"):
        await writer.commit([("INSERT INTO nowhere VALUES (1)", ())])
    assert len(clock_failures) == 1
