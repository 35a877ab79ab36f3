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
LATE_S = 0.25
"""A condition that becomes true this much behind its deadline is still in time: the bench itself may be so late in real
time (assumed; feasibility 13)."""


async def expect(rig: Rig, condition: Condition, *, within: float | None, hold: float | None) -> Outcome:
    """Wait until `condition` is yes (``within``) and stays so (``hold``), or time is up.

    A hold is broken by a no. Undecided does not break it, since one false edge makes a LED undecided for a moment, but
    a hold ends only with a yes, and what stays undecided longer than the condition may need is inconclusive.
    """
    expected = condition.sentence()
    begin = rig.clock.seconds()
    budget = condition.settle_s if within is None else within
    deadline = begin + budget
    since: float | None = None
    doubtful: float | None = None
    while True:
        known = len(rig.timeline.events)
        look = await condition.look(rig)
        now = rig.clock.seconds()
        wake = look.again_at or now + POLL_S
        if look.truth is Truth.YES:
            doubtful = None
            if since is None and now > deadline + LATE_S:
                return _missed(look, expected, budget, within)
            since = now if since is None else since
            if hold is None or now - since >= hold - 1e-9:
                return Outcome(Verdict.PASS, expected, _seen(look, since - begin), measurements=look.measurements)
            wake = min(since + hold, wake)
        elif look.truth is Truth.UNDECIDED and since is not None:
            doubtful = now if doubtful is None else doubtful
            limit = doubtful + max(condition.settle_s, 1.0)
            if now >= limit:
                return Outcome(Verdict.INCONC, expected, look.seen, f"could no longer be decided: {look.seen}")
            wake = min(limit, wake)
        else:
            broken, since, doubtful = since, None, None
            if now >= deadline:
                if broken is not None:
                    held = text_of(round(now - broken, 3))
                    return Outcome(Verdict.FAIL, expected, look.seen, f"held for {held} only; seen: {look.seen}")
                return _missed(look, expected, budget, within)
            wake = min(deadline, wake)
        rig.raise_if_violated()
        await rig.timeline.changed(max(wake, now + 1e-6), known)


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
        violated_at: bench seconds at which the first violation was seen, None while there is none.
        seen: what was seen at the violation.
        open: the last look was undecided; at the end of the case that makes the monitor inconclusive.
        undecided_s: for how long it was undecided in all.
    """

    condition: Condition
    wanted: bool
    line: int
    violated_at: float | None = None
    seen: str = ""
    open: bool = True
    undecided_s: float = 0.0
    _looked_at: float | None = field(default=None, repr=False)
    _due: float = field(default=0.0, repr=False)

    def sentence(self) -> str:
        """What is watched, as a sentence."""
        word = "at all times" if self.wanted else "at no time"
        return f"{word}: {self.condition.sentence()}"

    @property
    def verdict(self) -> Verdict:
        """Fail once violated, inconclusive when it was not decided at the end."""
        if self.violated_at is not None:
            return Verdict.FAIL
        return Verdict.INCONC if self.open else Verdict.PASS

    async def check(self, rig: Rig) -> float | None:
        """Look once; returns when to look again by the passing of time."""
        begin = rig.clock.seconds()
        if getattr(self.condition, "polled", False) and begin < self._due:
            return self._due
        look = await self.condition.look(rig)
        now = rig.clock.seconds()
        if self.open and self._looked_at is not None:
            self.undecided_s += now - self._looked_at
        self._looked_at = now
        self.open = look.truth is Truth.UNDECIDED
        if not self.open and (look.truth is Truth.YES) != self.wanted and self.violated_at is None:
            self.violated_at = now
            self.seen = look.seen
        self._due = look.again_at or now + POLL_S
        return look.again_at

    async def settle(self, rig: Rig) -> None:
        """At the end of the case: look until it is decided, for as long as the condition may need."""
        deadline = rig.clock.seconds() + self.condition.settle_s
        self._due = 0.0
        again = await self.check(rig)
        while self.open and self.violated_at is None and rig.clock.seconds() < deadline:
            await rig.timeline.changed(min(deadline, again or deadline))
            self._due = 0.0
            again = await self.check(rig)
