"""What ``within``, ``for``, ``never`` and ``always`` mean, over the timeline.

A condition looks at the evidence and says yes, no or undecided. ``within: T`` asks that it becomes yes before T has
passed since the step began; ``for: T`` that from then on it stays yes for T; neither: that it is yes as soon as
it can be decided. ``never`` and ``always`` watch a condition all through the case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from bench.quantity import text_of
from bench.verdict import Verdict

if TYPE_CHECKING:
    from bench.rig import Rig


class Truth(Enum):
    """What a condition says of the evidence so far."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Measurement:
    """A figure that was measured while judging.

    Attributes:
        name: what was measured.
        value: the figure, in `unit`.
        unit: SI symbol.
        uncertainty: expanded or worst-case uncertainty in the same unit, None when not known.
        limit: what was asked for, in words, or None.
        t: bench seconds at which it was taken.
    """

    name: str
    value: float
    unit: str
    uncertainty: float | None
    limit: str | None
    t: float


@dataclass(frozen=True)
class Look:
    """One look at the evidence.

    Attributes:
        truth: yes, no or undecided.
        seen: what was seen, in words.
        again_at: bench seconds at which the answer could change by the mere passing of time; None: only an event
            can change it.
        measurements: figures behind the answer.
    """

    truth: Truth
    seen: str
    again_at: float | None = None
    measurements: tuple[Measurement, ...] = ()


class Condition(Protocol):
    """Something that can be asked of the evidence."""

    @property
    def settle_s(self) -> float:
        """Seconds that a decision may need when the step names no ``within``."""

    def sentence(self) -> str:
        """What is asked, to stand after "expect that"."""

    async def look(self, rig: Rig) -> Look:
        """Look at the evidence now."""


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Attributes:
        verdict: none for a step that only acts.
        expected: what was asked, in words.
        seen: what was seen, in words.
        reason: why the verdict is not pass; empty otherwise.
        measurements: figures taken.
    """

    verdict: Verdict
    expected: str = ""
    seen: str = ""
    reason: str = ""
    measurements: tuple[Measurement, ...] = ()


POLL_S = 60.0
"""Bench seconds after which a condition is looked at again even when nothing happened."""


async def expect(rig: Rig, condition: Condition, *, within: float | None, hold: float | None) -> Outcome:
    """Wait until `condition` is yes (``within``) and stays so (``hold``), or time is up."""
    expected = condition.sentence()
    begin = rig.clock.seconds()
    budget = condition.settle_s if within is None else within
    deadline = begin + budget
    since: float | None = None
    while True:
        look = await condition.look(rig)
        now = rig.clock.seconds()
        if look.truth is Truth.YES:
            since = now if since is None else since
            if hold is None or now - since >= hold - 1e-9:
                return Outcome(Verdict.PASS, expected, _seen(look, since - begin), measurements=look.measurements)
            wake = min(since + hold, look.again_at or now + POLL_S)
        else:
            broken, since = since, None
            # Undecided is no reason to give up a hold that has begun, but it does not count for it either.
            if look.truth is Truth.NO and broken is not None and now >= deadline:
                held = text_of(round(now - broken, 3))
                return Outcome(
                    Verdict.FAIL, expected, look.seen, f"held for {held} only", measurements=look.measurements
                )
            if now >= deadline:
                return _missed(look, expected, budget, within)
            wake = min(deadline, look.again_at or now + POLL_S)
        rig.raise_if_violated()
        await rig.timeline.changed(max(wake, now + 1e-6))


def _missed(look: Look, expected: str, budget: float, within: float | None) -> Outcome:
    span = text_of(budget)
    if look.truth is Truth.UNDECIDED:
        return Outcome(Verdict.INCONC, expected, look.seen, f"not decided after {span}: {look.seen}", look.measurements)
    reason = f"not so within {span}" if within is not None else f"not so (looked for {span})"
    return Outcome(Verdict.FAIL, expected, look.seen, f"{reason}; seen: {look.seen}", look.measurements)


def _seen(look: Look, after: float) -> str:
    return f"{look.seen}, after {text_of(round(after, 3))}" if after > 0 else look.seen


@dataclass
class Monitor:
    """A condition that is watched all through the case.

    Attributes:
        condition: what is watched.
        wanted: False for ``never``, True for ``always``.
        line: line in the scenario file.
        violated_at: bench seconds of the first violation, None while there is none.
        seen: what was seen at the violation, or last.
        looks: how often a decided look was had; a monitor that never decided has not judged.
    """

    condition: Condition
    wanted: bool
    line: int
    violated_at: float | None = None
    seen: str = ""
    looks: int = field(default=0)

    def sentence(self) -> str:
        """What is watched, as a sentence."""
        word = "at all times" if self.wanted else "at no time"
        return f"{word}: {self.condition.sentence()}"

    @property
    def verdict(self) -> Verdict:
        """Fail once violated; none when it could never be decided."""
        if self.violated_at is not None:
            return Verdict.FAIL
        return Verdict.PASS if self.looks else Verdict.INCONC

    async def check(self, rig: Rig) -> float | None:
        """Look once; returns when to look again by the passing of time."""
        look = await self.condition.look(rig)
        if look.truth is not Truth.UNDECIDED:
            self.looks += 1
            if (look.truth is Truth.YES) != self.wanted and self.violated_at is None:
                self.violated_at = rig.clock.seconds()
                self.seen = look.seen
        return look.again_at
