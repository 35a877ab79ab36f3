"""What ``within``, ``for``, ``never`` and ``always`` mean, over the timeline.

A condition looks at the evidence and says yes, no or undecided. ``within: T`` asks that it becomes yes before T has
passed since the step began; ``for: T`` that from then on it stays yes for T; neither: that it is yes as soon as
it can be decided. ``never`` and ``always`` watch a condition all through the case.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

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
        since: bench seconds since when the evidence says so without a break, which is earlier than the look where a
            decision needs time; None: since the look.
        blind_since: bench seconds since when the bench could not look, because it leaves the device alone for a while;
            None: it could.
    """

    truth: Truth
    seen: str
    again_at: float | None = None
    measurements: tuple[Measurement, ...] = ()
    since: float | None = None
    blind_since: float | None = None


@dataclass(frozen=True, slots=True)
class Lapse:
    """A stretch that is over in which a condition was not so, or may not have been so.

    Attributes:
        start, end: bench seconds.
        what: what was seen, in words.
        truth: no: it certainly was not so; undecided: it cannot be told; yes: short enough to be a disturbance of the
            bench, to be told but not to be judged.
    """

    start: float
    end: float
    what: str
    truth: Truth


@runtime_checkable
class Traced(Protocol):
    """A condition whose whole past can be judged from the evidence, not just what was so when somebody looked."""

    def lapses(self, rig: Rig, begin: float, end: float) -> list[Lapse]:
        """Where it was not so from `begin` to `end`, bench seconds, given that it is so at `end`."""

    def unexplained(self, rig: Rig, begin: float, end: float) -> list[Lapse]:
        """Where it may have been so from `begin` to `end`, though too briefly to decide it."""


@runtime_checkable
class Prepared(Protocol):
    """A condition for which the bench has to do something before it can ask; that time is the bench's own."""

    async def prepare(self, rig: Rig) -> Look | None:
        """Do it; the first look where it went wrong, None otherwise."""


class Condition(Protocol):
    """Something that can be asked of the evidence."""

    @property
    def settle_s(self) -> float:
        """Seconds that a decision may need when the step names no ``within``."""

    def sentence(self) -> str:
        """What is asked, to stand after "expect that"."""

    async def look(self, rig: Rig) -> Look:
        """Look at the evidence now."""


class _Unchanged:
    """Whether nothing that a condition depends on has been told since it was looked at.

    A condition may name the sources of the only events that can change its answer, apart from the passing of time, in
    ``depends_on``; then it is not looked at for others.
    """

    def __init__(self, condition: Condition) -> None:
        self._sources: frozenset[str] | None = getattr(condition, "depends_on", None)
        self._told = -1

    def since_last(self, rig: Rig) -> bool:
        """Asked before each look that is not due by time."""
        if self._sources is None:
            return False
        before, self._told = self._told, rig.timeline.count(self._sources)
        return before == self._told


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
_TINY = 1e-6


async def expect(rig: Rig, condition: Condition, *, within: float | None, hold: float | None) -> Outcome:
    """Wait until `condition` is yes (``within``) and stays so (``hold``), or time is up.

    The instants that are compared with the limits are those of the evidence (`Look.since`), whenever they could be
    decided: the wait goes on behind the deadline for as long as a decision may need (`Condition.settle_s`). A hold is
    broken by a no, and by a stretch that turns out to contradict it once it is over (`Traced.lapses`); it ends only
    with a yes, and what stays undecided longer than the condition may need is inconclusive.
    """
    first = await condition.prepare(rig) if isinstance(condition, Prepared) else None
    waiting = _Waiting(rig, condition, rig.clock.seconds(), within, hold)
    unchanged = _Unchanged(condition)
    due = 0.0
    while True:
        known = len(rig.timeline.events)
        if unchanged.since_last(rig) and rig.clock.seconds() < due - _TINY:
            rig.raise_if_violated()
            await rig.timeline.changed(due, known)
            continue
        look, first = first or await condition.look(rig), None
        done = waiting.take(look)
        if isinstance(done, Outcome):
            return done
        rig.raise_if_violated()
        if getattr(condition, "asks", False):  # what it sees comes by asking only, and to ask is an event itself
            await rig.sleep_until(max(done, rig.clock.seconds() + _TINY))
            continue
        due = max(done, rig.clock.seconds() + _TINY)
        await rig.timeline.changed(due, known)


class _Waiting:
    """Where an expectation stands: takes one look after the other and says when to look again, or how it ended."""

    def __init__(self, rig: Rig, condition: Condition, begin: float, within: float | None, hold: float | None) -> None:
        self.rig, self.condition, self.begin, self.within, self.hold = rig, condition, begin, within, hold
        self.expected = condition.sentence()
        self.budget = condition.settle_s if within is None else within
        self.deadline = begin + self.budget
        self.since: float | None = None
        self.not_before = self.checked = begin
        self.doubtful: float | None = None
        self.pending: float | None = None
        self.held: float | None = None
        self.broken_by = ""
        self.told: dict[str, None] = {}

    def take(self, look: Look) -> Outcome | float:
        """The outcome, or bench seconds at which to look again."""
        now = self.rig.clock.seconds()
        if look.truth is Truth.YES:
            return self._so(look, now)
        if look.truth is Truth.UNDECIDED and self.since is not None:
            return self._in_doubt(look, now)
        return self._not_so(look, now)

    def _so(self, look: Look, now: float) -> Outcome | float:
        self.doubtful = self.pending = None
        if self.since is None:
            start = now if look.since is None else max(self.not_before, look.since)
            if start > self.deadline + LATE_S:
                return self._too_late(look, start)
            self.since = self.checked = start
        if self.hold is not None and isinstance(self.condition, Traced):
            for lapse in self.condition.lapses(self.rig, self.checked, now):
                if lapse.truth is Truth.YES:
                    self.told.setdefault(lapse.what)
                    continue
                if lapse.start >= self.since + self.hold - _TINY:
                    break
                return self._broken(look, lapse, now)
            self.checked = now
        if self.hold is None or now - self.since >= self.hold - _TINY:
            return self._passed(look)
        return min(self.since + self.hold, look.again_at or now + POLL_S)

    def _broken(self, look: Look, lapse: Lapse, now: float) -> Outcome | float:
        """A stretch that is over contradicts the hold; what came behind it may still be in time."""
        assert self.since is not None
        self.held, self.broken_by, self.since = lapse.start - self.since, lapse.what, None
        if lapse.end > self.not_before and max(lapse.end, look.since or now) <= self.deadline + LATE_S:
            self.not_before = lapse.end
            return self._so(look, now)
        if lapse.truth is Truth.NO:
            return self._held_only(look)
        reason = f"it cannot be told whether it stayed so: {lapse.what}"
        return Outcome(Verdict.INCONC, self.expected, look.seen, reason)

    def _in_doubt(self, look: Look, now: float) -> Outcome | float:
        self.doubtful = now if self.doubtful is None else self.doubtful
        begun = now if look.since is None else look.since
        self.pending = begun if self.pending is None else min(self.pending, begun)
        limit = self.doubtful + max(self.condition.settle_s, 1.0)
        if now >= limit:
            return Outcome(Verdict.INCONC, self.expected, look.seen, f"could no longer be decided: {look.seen}")
        return min(limit, look.again_at or now + POLL_S)

    def _not_so(self, look: Look, now: float) -> Outcome | float:
        if self.since is not None:
            times = [t for t in (self.pending, look.since, now) if t is not None]
            until = max(self.since, min(times))
            self.held, self.broken_by = until - self.since, look.seen
            if self.hold is not None and self.held >= self.hold - _TINY:
                return self._passed(look)
            self.since = self.doubtful = self.pending = None
            if until > self.deadline + LATE_S:
                return self._held_only(look)
        latest = self.deadline if look.since is None else self.deadline + self.condition.settle_s
        if now >= latest:
            return self._missed(look) if self.held is None else self._held_only(look)
        return min(latest, look.again_at or now + POLL_S)

    def _passed(self, look: Look) -> Outcome:
        after = (self.begin if self.since is None else self.since) - self.begin
        seen = f"{look.seen}, after {text_of(round(after, 3))}" if after > _TINY else look.seen
        if self.told:
            seen += f"; tolerated: {_first_few(self.told)}"
        return Outcome(Verdict.PASS, self.expected, seen, measurements=look.measurements)

    def _held_only(self, look: Look) -> Outcome:
        reason = f"held for {text_of(round(self.held or 0.0, 3))} only; seen: {self.broken_by}"
        return Outcome(Verdict.FAIL, self.expected, look.seen, reason)

    def _too_late(self, look: Look, start: float) -> Outcome:
        if self.held is not None:
            return self._held_only(look)
        span, after = text_of(self.budget), text_of(round(start - self.begin, 3))
        if look.blind_since is not None and look.blind_since <= self.deadline + LATE_S:
            reason = (
                f"so after {after}; the bench could not look within {span}: it leaves the gateway alone for a while"
            )
            return Outcome(Verdict.INCONC, self.expected, look.seen, reason, look.measurements)
        reason = f"so after {after} only, not within {span}; seen: {look.seen}"
        return Outcome(Verdict.FAIL, self.expected, look.seen, reason, look.measurements)

    def _missed(self, look: Look) -> Outcome:
        span = text_of(self.budget)
        if look.truth is Truth.UNDECIDED:
            reason = f"not decided after {text_of(round(self.rig.clock.seconds() - self.begin, 3))}: {look.seen}"
            return Outcome(Verdict.INCONC, self.expected, look.seen, reason, look.measurements)
        reason = f"not so within {span}" if self.within is not None else f"not so (looked for {span})"
        return Outcome(Verdict.FAIL, self.expected, look.seen, f"{reason}; seen: {look.seen}", look.measurements)


SHOWN = 5
"""Tolerated disturbances that are told one by one."""


def _first_few(told: Collection[str]) -> str:
    text = ", ".join(list(told)[:SHOWN])
    return text if len(told) <= SHOWN else f"{text} and {len(told) - SHOWN} more"


@dataclass
class Monitor:
    """A condition that is watched all through the case.

    Whatever was undecided when it was looked at is judged again when it is over: by all its edges.

    Attributes:
        condition: what is watched.
        wanted: False for ``never``, True for ``always``.
        line: line in the scenario file.
        violated_at: bench seconds at which the first violation began, None while there is none.
        seen: what was seen at the violation.
        open: the last look was undecided; at the end of the case that makes the monitor inconclusive.
        undecided_s: for how long it was undecided in all.
        doubts: stretches in which it may have been violated, too short or too disturbed to tell.
        told: what was tolerated, in words.
    """

    condition: Condition
    wanted: bool
    line: int
    violated_at: float | None = None
    seen: str = ""
    open: bool = True
    undecided_s: float = 0.0
    doubts: list[Lapse] = field(default_factory=list)
    told: dict[str, None] = field(default_factory=dict)
    _looked_at: float | None = field(default=None, repr=False)
    _due: float = field(default=0.0, repr=False)
    _judged: float | None = field(default=None, repr=False)
    _unchanged: _Unchanged | None = field(default=None, repr=False)

    def sentence(self) -> str:
        """What is watched, as a sentence."""
        word = "at all times" if self.wanted else "at no time"
        return f"{word}: {self.condition.sentence()}"

    @property
    def verdict(self) -> Verdict:
        """Fail once violated, inconclusive when it was not decided at the end or cannot be told of some stretch."""
        if self.violated_at is not None:
            return Verdict.FAIL
        return Verdict.INCONC if self.open or self.doubts else Verdict.PASS

    @property
    def reason(self) -> str:
        """Why the verdict is not pass, or what a pass tolerated."""
        if self.violated_at is not None:
            return f"at {self.violated_at:.3f} s: {self.seen}"
        if self.doubts:
            return f"cannot be told: {_first_few([doubt.what for doubt in self.doubts])}"
        if self.open:
            return "could not be decided at the end"
        return f"tolerated: {_first_few(self.told)}" if self.told else ""

    async def check(self, rig: Rig) -> float | None:
        """Look once; returns when to look again by the passing of time."""
        begin = rig.clock.seconds()
        if getattr(self.condition, "polled", False) and begin < self._due:
            return self._due
        if self._unchanged is None:
            self._unchanged = _Unchanged(self.condition)
        if self._unchanged.since_last(rig) and begin < self._due - _TINY:
            return self._due
        if self._judged is None:
            self._judged = begin
        look = await self.condition.look(rig)
        now = rig.clock.seconds()
        if self.open and self._looked_at is not None:
            self.undecided_s += now - self._looked_at
        was_open, self._looked_at = self.open, now
        self.open = look.truth is Truth.UNDECIDED
        if not self.open and self.violated_at is None:
            if (look.truth is Truth.YES) != self.wanted:
                self.violated_at = now if look.since is None else min(now, max(look.since, self._judged))
                self.seen = look.seen
            else:
                self._look_back(rig, now, was_open=was_open)
        self._due = look.again_at or now + POLL_S
        return look.again_at

    def _look_back(self, rig: Rig, now: float, *, was_open: bool) -> None:
        """Judge by the evidence what was passed over since all was decided last."""
        begin, self._judged = now if self._judged is None else self._judged, now
        if not isinstance(self.condition, Traced):
            return
        if self.wanted:
            found = self.condition.lapses(rig, begin, now)
        else:
            found = self.condition.unexplained(rig, begin, now) if was_open else []
        for lapse in found:
            if lapse.truth is Truth.NO and self.violated_at is None:
                self.violated_at, self.seen = lapse.start, lapse.what
            elif lapse.truth is Truth.UNDECIDED:
                self.doubts.append(lapse)
            elif lapse.truth is Truth.YES:
                self.told.setdefault(lapse.what)

    async def settle(self, rig: Rig) -> None:
        """At the end of the case: look until it is decided, for as long as the condition may need."""
        deadline = rig.clock.seconds() + self.condition.settle_s
        self._due = 0.0
        again = await self.check(rig)
        while self.open and self.violated_at is None and rig.clock.seconds() < deadline:
            await rig.timeline.changed(min(deadline, again or deadline))
            self._due = 0.0
            again = await self.check(rig)
