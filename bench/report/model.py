"""The report as values: what every rendering (HTML now, paged forms later) shows, and nothing of how it looks.

Numbers are ready to be printed only where their text is part of the record; times stay bench seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from bench.report.devices import Words
from bench.verdict import Verdict


class Status(Enum):
    """How a case stands in the report, in the order in which the summary counts.

    The last four are no verdicts: a record that cannot be read any more, a bench that was interrupted in the case or
    before it, and a scenario that a product or a bench cannot do.
    """

    PASS = "pass"
    FAIL = "fail"
    INCONC = "inconc"
    ERROR = "error"
    NONE = "none"
    DAMAGED = "damaged"
    UNFINISHED = "unfinished"
    NOT_BEGUN = "not begun"
    NOT_APPLICABLE = "not applicable"

    @property
    def words(self) -> str:
        """The status as a reader meets it; a bench error never reads as a fault of the device."""
        return _WORDS[self]

    @property
    def meaning(self) -> str:
        """What the status says about the device, as a sentence."""
        return _MEANINGS[self]


_WORDS = {
    Status.PASS: "pass",
    Status.FAIL: "fail",
    Status.INCONC: "inconclusive",
    Status.ERROR: "bench error",
    Status.NONE: "not judged",
    Status.DAMAGED: "damaged",
    Status.UNFINISHED: "not finished",
    Status.NOT_BEGUN: "not begun",
    Status.NOT_APPLICABLE: "not applicable",
}
_MEANINGS = {
    Status.PASS: "Everything that was expected of the device was seen.",
    Status.FAIL: "The device did something that it must not do, or did not do what it must.",
    Status.INCONC: "The evidence does not suffice to say whether the device behaves rightly.",
    Status.ERROR: "The bench was in trouble. This says nothing about the device.",
    Status.NONE: "The case has steps that act but none that judges.",
    Status.DAMAGED: "What was kept of the case cannot be read, or is gone. This says nothing about the device.",
    Status.UNFINISHED: "The bench was interrupted before the case ended. This says nothing about the device.",
    Status.NOT_BEGUN: "The run ended before it came to this case.",
    Status.NOT_APPLICABLE: "The scenario does not apply to this product or this bench, for the reason given.",
}


def status_of(verdict: Verdict | None, *, damaged: bool = False) -> Status:
    """The status of a case with `verdict`; None is a case that never finished."""
    if damaged:
        return Status.DAMAGED
    return Status.UNFINISHED if verdict is None else Status(str(verdict))


@dataclass(frozen=True, slots=True)
class Fact:
    """A named entry of a sheet: software version, host, what the laboratory stated."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before everything else.

    Attributes:
        title: of the report.
        number: the run's id; the report's identification on every page.
        emulated: a device under test was an emulation, so this is no test result of it.
        partly: only some of them were, and their cases say so.
        complete: False while the run was not brought to its end.
        gateway: what the bench file says of it; empty when no gateway was tested.
        stated: what the laboratory stated, such as item and customer.
        replay: the command that repeats the run.
        stopped: how the run was ended in good order before all was run; None: it was not.
    """

    title: str
    number: str
    emulated: bool
    partly: bool
    complete: bool
    started: datetime | None
    finished: datetime | None
    seed: str
    bench: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    host: tuple[Fact, ...]
    gateway: tuple[Fact, ...]
    stated: tuple[Fact, ...]
    replay: str
    stopped: Interruption | None = None


@dataclass(frozen=True, slots=True)
class CaseLink:
    """A reference to a case of the same report."""

    anchor: str
    key: str
    status: Status


@dataclass(frozen=True, slots=True)
class FirstTrouble:
    """The first case that ended in `status`."""

    status: Status
    case: CaseLink
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """Counts of one suite on one device type, without the statuses that did not occur."""

    gateway: str
    counts: tuple[tuple[Status, int], ...]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One suite: a folder of scenarios."""

    suite: str
    cells: tuple[MatrixCell, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The run in figures.

    Attributes:
        counts: every status that occurred, in the order of :class:`Status`.
        wall_s: wall seconds of all cases together.
        bench_s: bench seconds of all cases together.
        gateways: column heads of the matrix: gateway types and meters.
        words: what they are called.
    """

    counts: tuple[tuple[Status, int], ...]
    cases: int
    wall_s: float
    bench_s: float
    gateways: tuple[str, ...]
    words: Words
    matrix: tuple[MatrixRow, ...]
    first: tuple[FirstTrouble, ...]


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step; times in bench seconds.

    Attributes:
        decisive: this step made the case's verdict.
    """

    number: int
    line: int | None
    sentence: str
    started: float | None
    ended: float | None
    expected: str
    seen: str
    reason: str
    verdict: Verdict
    decisive: bool


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """A condition that was watched all through."""

    sentence: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class MeasurementRow:
    """A figure with its unit, limit and uncertainty; `t` in bench seconds."""

    name: str
    value: str
    unit: str
    limit: str
    uncertainty: str
    t: float | None


class Level(Enum):
    """What is known of an LED at one instant."""

    OFF = 0
    ON = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class LedSegment:
    """A stretch of one LED with one recognised pattern.

    Attributes:
        begin, end: bench seconds.
        pattern: as written on the picture, such as ``blinking 500 ms``.
        short: the same for narrow places.
        steady: nothing moves in it.
        figures: measured period, duty and uncertainty in words; empty when there are none.
    """

    begin: float
    end: float
    pattern: str
    short: str
    steady: bool
    figures: str = ""


@dataclass(frozen=True, slots=True)
class LedRow:
    """One LED over the whole case.

    Attributes:
        line: name as printed on the device.
        colour: green, blue, red, orange, white.
        changes: (bench seconds, level from then on), in order.
        edges: number of edges that were recorded.
        segments: recognised patterns without gaps between them.
    """

    line: str
    colour: str
    changes: tuple[tuple[float, Level], ...]
    edges: int
    segments: tuple[LedSegment, ...]


@dataclass(frozen=True, slots=True)
class LedGroup:
    """LEDs that moved at the same time.

    Attributes:
        begin, end: bench seconds.
        lines: their names.
        relation: together, alternating, unrelated or undecided.
    """

    begin: float
    end: float
    lines: tuple[str, ...]
    relation: str


@dataclass(frozen=True, slots=True)
class StepMark:
    """A step boundary on the time axis."""

    t: float
    number: int
    sentence: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Waveform:
    """All LEDs of a case on one time axis from `begin` to `end`, bench seconds.

    Attributes:
        groups: which LEDs blinked together or alternating.
        mains: instants at which the mains was switched, and to what.
    """

    begin: float
    end: float
    rows: tuple[LedRow, ...]
    marks: tuple[StepMark, ...]
    groups: tuple[LedGroup, ...] = ()
    mains: tuple[tuple[float, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame on a bus.

    Attributes:
        t: bench seconds.
        sender: who sent it; empty when not recorded.
        to_gateway: direction.
        octets: length of the frame.
        data: hex digits, possibly only the first octets.
        text: decoded, in one line.
        near: why this frame is in the excerpt: first, step, last.
    """

    t: float
    sender: str
    to_gateway: bool
    octets: int
    data: str
    text: str
    near: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames left out of an excerpt."""

    count: int


@dataclass(frozen=True, slots=True)
class BusTrace:
    """Excerpt of a bus; `total` frames were recorded."""

    name: str
    total: int
    rows: tuple[Frame | Gap, ...]


@dataclass(frozen=True, slots=True)
class LogRow:
    """An entry of one of the gateway's logs, as it was read."""

    book: str
    number: str
    time: str
    id: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class ValueRow:
    """A value that the gateway stored; `value` with its unit."""

    meter: str
    obis: str
    value: str
    time: str
    status: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Rows of a longer list: the first and the last; `total` of them exist."""

    total: int
    logs: tuple[LogRow, ...] = ()
    values: tuple[ValueRow, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file of the run folder. `path` is relative to the run folder with slashes, `size` in octets."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class AssumedFact:
    """A fact that was used without being certain, and the cases that used it."""

    name: str
    value: str
    source: str
    why: str
    cases: tuple[CaseLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One case with everything that the report shows of it.

    Attributes:
        anchor: its name in links within the report; unique.
        attempt: 1, or higher when the same key was run again.
        suite: folder of its scenario.
        gateway: type of the device under test, a gateway or a meter.
        emulated: that device was an emulation.
        steps_left_out: number of steps that the table leaves out in its middle.
        told: what the gateway told of itself at its home interface, and where values were read.
    """

    anchor: str
    key: str
    attempt: int
    title: str
    scenario: str
    suite: str
    file: str
    purpose: str
    verifies: tuple[str, ...]
    gateway: str
    gateway_name: str
    emulated: bool
    parameters: tuple[Fact, ...]
    needs: tuple[str, ...]
    seed: str
    replay: str
    started: datetime | None
    wall_s: float | None
    bench_s: float | None
    status: Status
    reason: str
    steps: tuple[StepRow, ...]
    steps_left_out: int
    monitors: tuple[MonitorRow, ...]
    measurements: tuple[MeasurementRow, ...]
    waveform: Waveform | None
    bus: BusTrace | None
    logs: Excerpt
    values: Excerpt
    assumed: tuple[AssumedFact, ...]
    evidence: tuple[EvidenceFile, ...]
    damage: tuple[str, ...]
    told: tuple[Fact, ...] = ()

    @property
    def link(self) -> CaseLink:
        """A reference to this case."""
        return CaseLink(self.anchor, self.key, self.status)


@dataclass(frozen=True, slots=True)
class NotTested:
    """Scenarios that were not run for one reason; `status` is not applicable or not begun."""

    reason: str
    status: Status
    scenarios: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A clause with the cases that verify it; its status is the worst of theirs."""

    clause: str
    status: Status
    cases: tuple[CaseLink, ...]


@dataclass(frozen=True, slots=True)
class Interruption:
    """Something that broke the run."""

    at: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report."""

    head: Head
    summary: Summary
    cases: tuple[Case, ...]
    requirements: tuple[Requirement, ...]
    assumed: tuple[AssumedFact, ...]
    not_tested: tuple[NotTested, ...]
    interruptions: tuple[Interruption, ...]
    evidence: tuple[EvidenceFile, ...]
