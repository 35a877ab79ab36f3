"""What `within`, `for`, `never` and `always` mean, on conditions made for the test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from bench.expect import Look, Monitor, Truth, expect
from bench.timeline import Timeline
from bench.verdict import EXIT_CODES, Verdict, merge
from devices.clock import Clock


class RigOfTimeline:
    """As much of a rig as a condition over the timeline needs."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.timeline = Timeline(clock)

    def raise_if_violated(self) -> None:
        return


@dataclass
class LastNoteIs:
    """Yes when the last note on the timeline is `wanted`; undecided while there is none."""

    wanted: str
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"the last note is {self.wanted}"

    async def look(self, rig: Any) -> Look:
        notes = rig.timeline.select("note")
        if not notes:
            return Look(Truth.UNDECIDED, "no note yet")
        return Look(Truth.YES if notes[-1].kind == self.wanted else Truth.NO, f"note {notes[-1].kind}")


@pytest.fixture
def rig(clock: Clock) -> Any:
    return RigOfTimeline(clock)


def notes(rig: Any, *at: tuple[float, str]) -> None:
    for seconds, kind in at:
        rig.clock.call_at(seconds, rig.timeline.add, "note", kind)


async def test_within_waits_for_the_event_and_passes_at_its_instant(rig: Any) -> None:
    notes(rig, (2, "red"), (5, "green"))
    outcome = await expect(rig, LastNoteIs("green"), within=10, hold=None)
    assert outcome.verdict is Verdict.PASS
    assert rig.clock.seconds() == 5
    assert "after 5 s" in outcome.seen


async def test_within_fails_when_time_is_up_and_says_what_was_seen(rig: Any) -> None:
    notes(rig, (2, "red"))
    outcome = await expect(rig, LastNoteIs("green"), within=10, hold=None)
    assert outcome.verdict is Verdict.FAIL
    assert rig.clock.seconds() == 10
    assert "not so within 10 s" in outcome.reason
    assert "note red" in outcome.reason


async def test_what_could_not_be_decided_is_inconclusive_and_not_failed(rig: Any) -> None:
    outcome = await expect(rig, LastNoteIs("green"), within=10, hold=None)
    assert outcome.verdict is Verdict.INCONC


async def test_for_asks_that_it_stays_so(rig: Any) -> None:
    notes(rig, (1, "green"), (3, "red"), (6, "green"))
    outcome = await expect(rig, LastNoteIs("green"), within=20, hold=4)
    assert outcome.verdict is Verdict.PASS
    assert rig.clock.seconds() == 10


async def test_a_hold_that_breaks_after_the_deadline_fails_and_says_how_long_it_held(rig: Any) -> None:
    notes(rig, (1, "green"), (3, "red"))
    outcome = await expect(rig, LastNoteIs("green"), within=2, hold=5)
    assert outcome.verdict is Verdict.FAIL
    assert "held for 2 s only" in outcome.reason


async def test_without_within_the_condition_must_be_so_now(rig: Any) -> None:
    rig.timeline.add("note", "red")
    assert (await expect(rig, LastNoteIs("green"), within=None, hold=None)).verdict is Verdict.FAIL
    assert rig.clock.seconds() == 0


async def test_never_is_violated_by_a_single_yes(rig: Any) -> None:
    monitor = Monitor(LastNoteIs("alarm"), wanted=False, line=1)
    rig.timeline.add("note", "fine")
    await monitor.check(rig)
    assert monitor.verdict is Verdict.PASS
    await asyncio.sleep(3)
    rig.timeline.add("note", "alarm")
    await monitor.check(rig)
    rig.timeline.add("note", "fine")
    await monitor.check(rig)
    assert monitor.verdict is Verdict.FAIL
    assert monitor.violated_at == 3


async def test_undecided_does_not_break_a_hold_but_does_not_end_it_either(rig: Any) -> None:
    class Doubtful(LastNoteIs):
        async def look(self, rig: Any) -> Look:
            look = await super().look(rig)
            return Look(Truth.UNDECIDED, "doubt") if "doubt" in look.seen else look

    notes(rig, (1, "green"), (3, "doubt"), (4, "green"))
    outcome = await expect(rig, Doubtful("green", settle_s=2.0), within=2, hold=5)
    assert outcome.verdict is Verdict.PASS
    assert rig.clock.seconds() == 6
    notes(rig, (8, "doubt"))
    outcome = await expect(rig, Doubtful("green", settle_s=2.0), within=2, hold=60)
    assert outcome.verdict is Verdict.INCONC


async def test_what_becomes_true_behind_the_deadline_is_missed(rig: Any) -> None:
    class Slow(LastNoteIs):
        async def look(self, rig: Any) -> Look:
            await asyncio.sleep(3)
            return await super().look(rig)

    notes(rig, (5, "green"))
    assert (await expect(rig, Slow("green"), within=1, hold=None)).verdict is not Verdict.PASS


async def test_a_monitor_that_is_undecided_at_the_end_is_inconclusive(rig: Any) -> None:
    class Doubtful(LastNoteIs):
        async def look(self, rig: Any) -> Look:
            look = await super().look(rig)
            return Look(Truth.UNDECIDED, "doubt") if "doubt" in look.seen else look

    monitor = Monitor(Doubtful("alarm", settle_s=4.0), wanted=False, line=1)
    rig.timeline.add("note", "fine")
    await monitor.check(rig)
    rig.timeline.add("note", "doubt")
    await monitor.settle(rig)
    assert monitor.verdict is Verdict.INCONC
    assert rig.clock.seconds() == 4
    notes(rig, (6, "alarm"))
    await monitor.settle(rig)
    assert monitor.verdict is Verdict.FAIL


async def test_a_monitor_that_never_could_decide_is_inconclusive(rig: Any) -> None:
    monitor = Monitor(LastNoteIs("alarm"), wanted=False, line=1)
    await monitor.check(rig)
    assert monitor.verdict is Verdict.INCONC


def test_the_worst_verdict_wins_and_a_bench_error_is_worse_than_a_fail() -> None:
    assert merge([Verdict.PASS, Verdict.INCONC, Verdict.FAIL]) is Verdict.FAIL
    assert merge([Verdict.FAIL, Verdict.ERROR]) is Verdict.ERROR
    assert merge([]) is Verdict.NONE
    assert sorted(EXIT_CODES.values()) == [0, 1, 1, 2, 3]
