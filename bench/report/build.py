"""Makes the report's values out of a stored run: all choosing, counting and ordering happens here."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from bench.report import excerpts
from bench.report.devices import ONLY_METERS, Words, is_meter, words_of
from bench.report.frames import wired_bus
from bench.report.leds import led_record
from bench.report.model import (
    AssumedFact,
    Case,
    CaseLink,
    EvidenceFile,
    Excerpt,
    Fact,
    FirstTrouble,
    Head,
    Interruption,
    MatrixCell,
    MatrixRow,
    MeasurementRow,
    MonitorRow,
    NotTested,
    Report,
    Requirement,
    Status,
    StepMark,
    StepRow,
    Summary,
    Waveform,
    status_of,
)
from bench.report.run_folder import CaseRecord, NotTestedRecord, RunFolder, StepRecord
from bench.report.stored_timeline import StoredTimeline, read_timeline
from bench.verdict import Verdict

STEPS_SHOWN = 400
MARKS_SHOWN = 120
IDENTITIES_SHOWN = 24
NO_SUITE = "(suite not recorded)"
_SOURCES = frozenset({"lmn", "led", "power", "step"})
_WORST_FIRST = (
    Status.FAIL,
    Status.ERROR,
    Status.DAMAGED,
    Status.UNFINISHED,
    Status.INCONC,
    Status.NONE,
    Status.PASS,
    Status.NOT_BEGUN,
    Status.NOT_APPLICABLE,
)
"""For a clause with several cases: a fault that was seen is not hidden by trouble of the bench elsewhere."""


def build_report(run: RunFolder) -> Report:
    """The report of `run`; reads timelines, waveforms and evidence of every case."""
    suites = _suites(run)
    attempts: Counter[str] = Counter()
    anchors: set[str] = set()
    cases = []
    for record in run.cases:
        attempts[record.key] += 1
        anchor = _anchor(record.key, anchors)
        cases.append(_case(run, record, anchor, attempts[record.key], suites))
    return Report(
        head=_head(run, cases),
        summary=_summary(run, cases),
        cases=tuple(cases),
        requirements=_requirements(cases),
        assumed=_assumed(cases),
        not_tested=_not_tested(run.not_tested),
        interruptions=tuple(Interruption(item.at, item.kind, item.text) for item in run.interruptions),
        evidence=_evidence(run.path, (path for path in sorted(run.path.glob("*")) if _kept(path))),
    )


_ORDERLY = ("interrupted", "stopped by --fail-fast", "stopped by bench trouble")


def _stopped(run: RunFolder) -> Interruption | None:
    """What ended a run in good order: the last thing that is noted of one without an end."""
    last = run.interruptions[-1] if run.interruptions and run.finished is None else None
    return Interruption(last.at, last.kind, last.text) if last and last.at and last.kind in _ORDERLY else None


def _head(run: RunFolder, cases: list[Case]) -> Head:
    complete = run.finished is not None and not any(
        case.status in (Status.UNFINISHED, Status.DAMAGED) for case in cases
    )
    bench = (
        Fact("Bench", run.bench_name or "not recorded"),
        Fact("Bench file", run.bench_file or "built in"),
        Fact("Time", _TIME_BASES.get(run.time_base, run.time_base or "not recorded")),
        *_devices(run),
    )
    everything, something = run.emulations
    words = _words(run)
    return Head(
        title=words.title,
        number=run.id,
        emulated=something,
        partly=something and not everything,
        complete=complete,
        started=run.started,
        finished=run.finished,
        seed=run.seed,
        bench=bench,
        versions=_facts(run.versions),
        host=_facts(run.host),
        gateway=() if words is ONLY_METERS else _facts(run.gateway),
        stated=_facts(run.stated),
        replay=shlex.join(run.command),
        stopped=_stopped(run),
    )


def _words(run: RunFolder) -> Words:
    """What the devices of the run are called: of what was run, else of what was not."""
    return words_of([case.gateway for case in run.cases] or [record.gateway for record in run.not_tested])


def _devices(run: RunFolder) -> Iterator[Fact]:
    """Whether the gateway and the meters under test were real."""
    kinds: dict[bool, bool] = {}
    for case in run.cases:
        meter = is_meter(case.gateway)
        kinds[meter] = kinds.get(meter, False) or run.was_emulated(case)
    for meter, emulated in sorted(kinds.items()) or [(False, run.emulated)]:
        kind = "emulated" if emulated else "real device"
        if run.reached and not meter and not emulated:
            kind = (
                f"reached over the home interface at {run.reached}; whether it is a real device the bench cannot tell"
            )
        yield Fact("Meter under test" if meter else "Gateway", kind)
        if not meter:
            yield from _identity(run)


_IDENTITY = {"id": "Gateway number", "firmware": "Gateway firmware", "certificate": "Gateway certificate"}
"""What a gateway tells of itself at its home interface, in `told` -> as the head of the report calls it."""


def _identity(run: RunFolder) -> Iterator[Fact]:
    """What the gateways told of themselves: all that differs within the run, as a device may have been exchanged."""
    cases = [case for case in run.cases if case.told and not is_meter(case.gateway)]
    several = len({case.gateway for case in cases}) > 1
    for name, title in _IDENTITY.items():
        found: dict[str, None] = {}
        for case in cases:
            if value := dict(case.told).get(name, ""):
                marked = f"SHA-256 {value}" if name == "certificate" else value
                found[f"{case.gateway} {marked}" if several else marked] = None
        if found:
            values = list(found)
            more = f"; and {len(values) - IDENTITIES_SHOWN} more" if len(values) > IDENTITIES_SHOWN else ""
            yield Fact(title, "; ".join(values[:IDENTITIES_SHOWN]) + more)


_TIME_BASES = {
    "virtual": "virtual: jumps from event to event, repeats exactly with the same seed",
    "real": "real: the clock of the host",
}


def _facts(pairs: Iterable[tuple[str, str]]) -> tuple[Fact, ...]:
    return tuple(Fact(name, value) for name, value in pairs)


def _suites(run: RunFolder) -> dict[str, str]:
    """Suite of each scenario id, from any of its cases that knows its file."""
    return {record.scenario: suite for record in run.cases if (suite := _suite(record))}


def _suite(record: CaseRecord) -> str:
    return record.suite or (suite_of(record.file) if record.file else "")


def suite_of(file: str) -> str:
    """The folder of a scenario file, from the folder ``scenarios`` on where there is one."""
    parts = PurePosixPath(file.replace("\\", "/")).parts[:-1]
    if "scenarios" in parts:
        parts = parts[len(parts) - parts[::-1].index("scenarios") - 1 :]
    elif parts and parts[0] == "/":
        parts = parts[-1:]
    return "/".join(parts) or "."


def _anchor(key: str, taken: set[str]) -> str:
    stem = "case-" + (re.sub(r"[^A-Za-z0-9.]+", "-", key).strip("-")[:80] or "x")
    anchor, number = stem, 1
    while anchor in taken:
        number += 1
        anchor = f"{stem}--{number}"
    taken.add(anchor)
    return anchor


def _case(run: RunFolder, record: CaseRecord, anchor: str, attempt: int, suites: dict[str, str]) -> Case:
    folder = record.folder
    timeline = read_timeline(folder / "timeline.jsonl", _SOURCES) if folder else StoredTimeline()
    bus = wired_bus(folder, timeline, record.started) if folder else None
    records = record.steps or _steps_from(timeline)
    decisive = _decisive(record.verdict, records)
    steps = tuple(_step(number, item, decisive) for number, item in enumerate(records, 1))
    waveform, led_damage = _waveform(record, timeline, steps)
    status = status_of(record.verdict, damaged=record.broken)
    return Case(
        anchor=anchor,
        key=record.key,
        attempt=attempt,
        title=record.title,
        scenario=record.scenario,
        suite=_suite(record) or suites.get(record.scenario, NO_SUITE),
        file=record.file,
        purpose=record.purpose,
        verifies=record.verifies,
        gateway=record.gateway or "not recorded",
        gateway_name=record.gateway_name,
        emulated=run.was_emulated(record),
        parameters=_facts(record.parameters),
        needs=record.needs,
        seed=record.seed or run.seed,
        replay=shlex.join(record.replay),
        started=record.started,
        wall_s=record.wall_s,
        bench_s=record.bench_s if record.bench_s is not None else _bench_s(record, timeline),
        status=status,
        reason=record.reason or _reason_of_unfinished(status, steps),
        steps=_shown_steps(steps),
        steps_left_out=max(0, len(steps) - STEPS_SHOWN),
        monitors=tuple(MonitorRow(item.sentence, item.verdict, item.reason) for item in record.monitors),
        measurements=tuple(
            MeasurementRow(item.name, item.value, item.unit, item.limit, item.uncertainty, item.t)
            for item in record.measurements
        ),
        waveform=waveform,
        bus=excerpts.bus_trace(bus, _windows(steps, timeline.end)) if bus else None,
        logs=excerpts.logs(folder) if folder else Excerpt(0),
        values=excerpts.values(folder) if folder else Excerpt(0),
        assumed=tuple(AssumedFact(item.name, item.value, item.source, item.why) for item in record.assumed),
        evidence=_evidence(run.path, sorted(folder.rglob("*"))) if folder else (),
        damage=record.damage + timeline.damage + led_damage + (bus.damage if bus else ()),
        told=_facts(record.told),
    )


def _bench_s(record: CaseRecord, timeline: StoredTimeline) -> float | None:
    if record.started is not None and record.ended is not None:
        return (record.ended - record.started).total_seconds()
    return timeline.end or None


def _steps_from(timeline: StoredTimeline) -> tuple[StepRecord, ...]:
    """The steps as far as the timeline of an unfinished case knows them."""
    steps: dict[int, StepRecord] = {}
    for event in timeline.events("step"):
        index = event.data.get("index")
        if not isinstance(index, int):
            continue
        begun = steps.get(index)
        sentence = str(event.data.get("sentence") or (begun.sentence if begun else ""))
        started = event.t if event.kind == "begin" or begun is None else begun.started
        ended = event.t if event.kind == "end" else None
        word = str(event.data.get("verdict") or "none").upper()
        verdict = Verdict.__members__.get(word, Verdict.NONE)
        steps[index] = StepRecord(index, None, "", sentence, started, ended, verdict, "", "", "")
    return tuple(steps[index] for index in sorted(steps))


def _decisive(verdict: Verdict | None, steps: tuple[StepRecord, ...]) -> StepRecord | None:
    """The first step with the verdict of the case, where that is worse than pass."""
    if verdict is None or verdict <= Verdict.PASS:
        return None
    return next((step for step in steps if step.verdict is verdict), None)


def _step(number: int, item: StepRecord, decisive: StepRecord | None) -> StepRow:
    return StepRow(
        number=number,
        line=item.line,
        sentence=item.sentence,
        started=item.started,
        ended=item.ended,
        expected=item.expected,
        seen=item.seen,
        reason=item.reason,
        verdict=item.verdict,
        decisive=item is decisive,
    )


def _shown_steps(steps: tuple[StepRow, ...]) -> tuple[StepRow, ...]:
    if len(steps) <= STEPS_SHOWN:
        return steps
    ends = set(range(STEPS_SHOWN // 2)) | set(range(len(steps) - STEPS_SHOWN // 2, len(steps)))
    return tuple(step for place, step in enumerate(steps) if place in ends or step.decisive)


def _reason_of_unfinished(status: Status, steps: tuple[StepRow, ...]) -> str:
    if status is Status.DAMAGED:
        return "its record cannot be used, see what is damaged"
    if status is not Status.UNFINISHED:
        return ""
    if not steps:
        return "the run was interrupted before the first step ended"
    last = steps[-1]
    where = "in" if last.ended is None else "after"
    return f"the run was interrupted {where} step {last.number} ({last.sentence.rstrip('.')})"


def _windows(steps: tuple[StepRow, ...], end: float) -> list[excerpts.Window]:
    """Where the bus trace must be looked at: around the ends of the first few steps that did not pass."""
    bad = [step for step in steps if step.verdict > Verdict.PASS and step.started is not None]
    return [(step.started or 0.0, end if step.ended is None else step.ended) for step in bad[:5]]


def _waveform(
    record: CaseRecord, timeline: StoredTimeline, steps: tuple[StepRow, ...]
) -> tuple[Waveform | None, tuple[str, ...]]:
    """The LEDs of the case, and what could not be read of them."""
    begin = min((stamps[0] for stamps in timeline.stamps.values() if stamps), default=0.0)
    ends = [step.ended for step in steps if step.ended is not None]
    begin = min([begin, *(step.started for step in steps if step.started is not None)])
    end = max([timeline.end, *ends])
    if record.folder is None or end <= begin:
        return None, ()
    leds = led_record(record.folder, timeline, record.gateway, begin, end)
    if not leds.rows:
        return None, leds.damage
    begun = [(step.started, step) for step in steps if step.started is not None]
    marks = [StepMark(t, step.number, step.sentence, step.verdict) for t, step in begun]
    mains = [(event.t, event.kind == "on") for event in timeline.events("power") if event.kind in {"on", "off"}]
    shown = tuple(marks[:MARKS_SHOWN]), leds.groups[:MARKS_SHOWN], tuple(mains[:MARKS_SHOWN])
    return Waveform(begin, end, leds.rows, *shown), leds.damage


def _summary(run: RunFolder, cases: list[Case]) -> Summary:
    counts = Counter(case.status for case in cases)
    counts.update(not_tested_status(record) for record in run.not_tested)
    gateways = tuple(dict.fromkeys(case.gateway for case in cases))
    cells: defaultdict[tuple[str, str], Counter[Status]] = defaultdict(Counter)
    for case in cases:
        cells[case.suite, case.gateway][case.status] += 1
    rows = [
        MatrixRow(suite, tuple(MatrixCell(gateway, _ordered(cells[suite, gateway])) for gateway in gateways))
        for suite in sorted({case.suite for case in cases}, key=_natural)
    ]
    first = []
    for status in (Status.FAIL, Status.ERROR, Status.INCONC, Status.DAMAGED, Status.UNFINISHED):
        found = next((case for case in cases if case.status is status), None)
        if found is not None:
            first.append(FirstTrouble(status, found.link, found.title, found.reason))
    return Summary(
        counts=_ordered(counts),
        cases=len(cases),
        wall_s=sum(case.wall_s or 0.0 for case in cases),
        bench_s=sum(case.bench_s or 0.0 for case in cases),
        gateways=gateways,
        words=_words(run),
        matrix=tuple(rows),
        first=tuple(first),
    )


def _ordered(counts: Counter[Status]) -> tuple[tuple[Status, int], ...]:
    return tuple((status, counts[status]) for status in Status if counts[status])


def _requirements(cases: list[Case]) -> tuple[Requirement, ...]:
    links: defaultdict[str, list[CaseLink]] = defaultdict(list)
    for case in cases:
        for clause in case.verifies:
            links[clause].append(case.link)
    return tuple(
        Requirement(clause, min((link.status for link in found), key=_WORST_FIRST.index), tuple(found))
        for clause, found in sorted(links.items(), key=lambda item: _natural(item[0]))
    )


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sorting key in which ``6.10`` comes behind ``6.9``."""
    parts = re.split(r"(\d+)", text[:200])
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _assumed(cases: list[Case]) -> tuple[AssumedFact, ...]:
    links: dict[AssumedFact, list[CaseLink]] = {}
    for case in cases:
        for fact in dict.fromkeys(case.assumed):
            links.setdefault(fact, []).append(case.link)
    return tuple(
        AssumedFact(fact.name, fact.value, fact.source, fact.why, tuple(found))
        for fact, found in sorted(links.items(), key=lambda item: (item[0].name, item[0].value))
    )


def not_tested_status(record: NotTestedRecord) -> Status:
    """Whether a case that was not run could have been."""
    return Status.NOT_BEGUN if record.applies else Status.NOT_APPLICABLE


def _not_tested(records: tuple[NotTestedRecord, ...]) -> tuple[NotTested, ...]:
    reasons: dict[tuple[str, Status], dict[str, list[str]]] = {}
    for record in records:
        group = reasons.setdefault((record.reason, not_tested_status(record)), {})
        group.setdefault(record.scenario, []).append(record.gateway)
    return tuple(
        NotTested(reason or "no reason recorded", status, tuple((name, tuple(found)) for name, found in group.items()))
        for (reason, status), group in reasons.items()
    )


def _kept(path: Path) -> bool:
    """Whether a file at the top of the run folder is a record, and not a view of it that may be written anew."""
    return path.name not in {"report.html", "junit.xml"} and not path.name.startswith(".")


def _evidence(root: Path, paths: Iterable[Path]) -> tuple[EvidenceFile, ...]:
    files = []
    for path in paths:
        if path.is_symlink() or not path.is_file():
            continue
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            size, digest = 0, f"cannot be read: {error.strerror}"
        files.append(EvidenceFile(path.relative_to(root).as_posix(), size, digest))
    return tuple(files)
