"""Reads a stored run folder into values; never writes into it and never needs the bench that made it.

A run may have been killed at any instant: a case without ``verdict.json`` is not finished, a torn last line of
``timeline.jsonl`` is left out, a folder that ``run.json`` does not yet name is found all the same. Whatever is
damaged is said in ``damage`` and shown in the report; only a folder that is no run folder is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from bench.products import clauses_of
from bench.report.stored_json import (
    MAX_JSON,
    Json,
    as_list,
    as_mapping,
    as_mappings,
    as_number,
    as_pairs,
    as_text,
    as_texts,
    as_time,
    load_object,
)
from bench.verdict import Verdict
from devices.errors import Place, UsageError

RUN_SCHEMA = "smgw-bench/run/1"
VERDICT_SCHEMA = "smgw-bench/verdict/1"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step as it was done; times in bench seconds of its case.

    Attributes:
        index: number of the step, from 0 or 1 as the runner counts.
        line: line in the scenario file, None when not known.
        action: key in the scenario.
        sentence: the step as a sentence.
        started: bench seconds, None when it never began.
        ended: bench seconds, None when it never ended.
        verdict: none for a step that only acts.
    """

    index: int
    line: int | None
    action: str
    sentence: str
    started: float | None
    ended: float | None
    verdict: Verdict
    expected: str
    seen: str
    reason: str


@dataclass(frozen=True, slots=True)
class MonitorRecord:
    """A condition that was watched all through the case, and what became of it."""

    sentence: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class MeasurementRecord:
    """A figure that was taken; value, limit and uncertainty are texts or numbers as stored."""

    name: str
    value: str
    unit: str
    uncertainty: str
    limit: str
    t: float | None


@dataclass(frozen=True, slots=True)
class AssumedRecord:
    """A fact that the judgement used without its being certain."""

    name: str
    value: str
    source: str
    why: str


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One case of the run.

    Attributes:
        key: name of the case with its parameters, unique in the run but for repeated attempts.
        folder: where its evidence lies; None when it has none.
        verdict: None: the case was begun and never finished.
        damage: what could not be read of it, in words.
        broken: so much is damaged that its verdict is not known.
        device_emulated: the device under test was an emulation; None: not recorded.
        verifies: clauses that it verifies for this device; those of other products' handbooks are left out.
        told: what the gateway told of itself at its home interface, by name.
    """

    key: str
    folder: Path | None
    scenario: str
    title: str
    gateway: str
    verdict: Verdict | None
    reason: str = ""
    purpose: str = ""
    verifies: tuple[str, ...] = ()
    gateway_name: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()
    suite: str = ""
    file: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    wall_s: float | None = None
    bench_s: float | None = None
    steps: tuple[StepRecord, ...] = ()
    monitors: tuple[MonitorRecord, ...] = ()
    measurements: tuple[MeasurementRecord, ...] = ()
    assumed: tuple[AssumedRecord, ...] = ()
    seed: str = ""
    replay: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    broken: bool = False
    device_emulated: bool | None = None
    told: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NotTestedRecord:
    """A scenario, or one case of it, that was not run against a gateway type, with the reason.

    Attributes:
        applies: it could have been run, but the run ended before.
    """

    scenario: str
    gateway: str
    reason: str
    applies: bool = False


@dataclass(frozen=True, slots=True)
class InterruptionRecord:
    """Something that broke the run: killed, resumed, a retry."""

    at: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A whole run.

    Attributes:
        path: the folder.
        finished: None while the run was not brought to its end.
        emulated: the gateway on the bench was an emulation: no test result; see `was_emulated`.
        time_base: virtual or real.
        stated: what the laboratory stated (laboratory, item, customer ...), by field.
        gateway: what the bench file says of the gateway, by field.
        reached: host and port of the home interface, where nothing but its cable joins bench and gateway; else empty.
    """

    path: Path
    id: str
    started: datetime | None
    finished: datetime | None
    seed: str
    bench_name: str
    bench_file: str
    time_base: str
    emulated: bool
    versions: tuple[tuple[str, str], ...]
    host: tuple[tuple[str, str], ...]
    command: tuple[str, ...]
    cases: tuple[CaseRecord, ...]
    not_tested: tuple[NotTestedRecord, ...]
    interruptions: tuple[InterruptionRecord, ...] = ()
    stated: tuple[tuple[str, str], ...] = ()
    gateway: tuple[tuple[str, str], ...] = ()
    reached: str = ""

    def was_emulated(self, case: CaseRecord) -> bool:
        """Whether the device of `case` was an emulation; a meter may be one where the gateway is none."""
        return self.emulated if case.device_emulated is None else case.device_emulated

    @property
    def emulations(self) -> tuple[bool, bool]:
        """Whether all devices under test were emulations, and whether some were."""
        found = [self.was_emulated(case) for case in self.cases] or [self.emulated]
        return all(found), any(found)


def read_run_folder(path: Path | str) -> RunFolder:
    """Read the run in the folder `path`; timelines and evidence are read when asked for.

    Raises:
        UsageError: `path` is no folder, or holds no run that this version can read.
    """
    folder = Path(path)
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise UsageError(f"{folder} {problem}", hint="give the folder that --out named in `smgw-bench run`")
    run = _read_run(folder / "run.json")
    bench = as_mapping(run.get("bench"))
    cases = _read_cases(folder, run)
    return RunFolder(
        path=folder,
        id=as_text(run.get("id")) or folder.resolve().name,
        started=as_time(run.get("started")),
        finished=as_time(run.get("finished")),
        seed=as_text(run.get("seed")),
        bench_name=as_text(bench.get("name")),
        bench_file=as_text(bench.get("file")),
        time_base=as_text(bench.get("time")),
        emulated=bench.get("emulated") is not False,
        versions=as_pairs(run.get("versions")),
        host=as_pairs(run.get("host")),
        command=as_texts(run.get("command")),
        cases=cases,
        not_tested=_read_not_tested(run, {case.key for case in cases}),
        interruptions=tuple(_interruption(item) for item in as_list(run.get("interruptions"))),
        stated=as_pairs(run.get("stated")),
        gateway=as_pairs(run.get("gateway")),
        reached=as_text(bench.get("reached")),
    )


def _read_run(path: Path) -> Json:
    if not path.is_file():
        raise UsageError(f"{path.parent} is no run folder: it has no run.json", hint="it is made by `smgw-bench run`")
    run = load_object(path)
    if isinstance(run, str):
        raise UsageError(run, place=Place(path), hint="restore the file or run again")
    schema = run.get("schema")
    if schema != RUN_SCHEMA:
        raise UsageError(f"{path} has the schema {schema!r}", hint=f"this version reads {RUN_SCHEMA!r}")
    return run


def _read_cases(folder: Path, run: Json) -> tuple[CaseRecord, ...]:
    listed = as_mappings(run.get("cases"))
    cases = [_read_case(folder, entry) for entry in listed]
    known = {case.folder for case in cases}
    roots = sorted(path for path in (folder / "cases").glob("*") if path.is_dir())
    found = [path for path in roots if path not in known and any(path.iterdir())]
    cases += [_read_case(folder, {"folder": str(path.relative_to(folder))}) for path in found]
    return tuple(cases)


def _read_case(folder: Path, entry: Json) -> CaseRecord:
    where, damage = _case_folder(folder, as_text(entry.get("folder")))
    stored: Json = {}
    judged: Verdict | None = None  # only the case's own record decides: without it, it has not finished
    if where is not None and (where / "verdict.json").is_file():
        stored, wrong = _read_verdict(where / "verdict.json")
        judged = None if wrong else _verdict(stored.get("verdict"))
        damage += [wrong] if wrong else _lost(where, stored)
    elif where is not None:
        stored = _from_scenario(where / "scenario.yaml")
    broken = judged is None and bool(damage)
    gateway = as_mapping(stored.get("gateway"))
    key = as_text(stored.get("key") or entry.get("key")) or (where.name if where else "?")
    device = as_text(gateway.get("type")) or as_text(entry.get("gateway"))
    merged = {**entry, **stored}
    return CaseRecord(
        key=key,
        folder=where,
        scenario=as_text(merged.get("scenario")) or key,
        title=as_text(merged.get("title")),
        gateway=device,
        gateway_name=as_text(gateway.get("name")),
        device_emulated=told if isinstance(told := gateway.get("emulated"), bool) else None,
        verdict=judged,
        reason=as_text(merged.get("reason")),
        purpose=as_text(merged.get("purpose")),
        verifies=clauses_of(device, as_texts(merged.get("verifies"))),
        parameters=as_pairs(merged.get("parameters")),
        needs=as_texts(merged.get("needs")),
        suite=as_text(merged.get("suite")),
        file=as_text(merged.get("file")),
        started=as_time(merged.get("started")),
        ended=as_time(merged.get("ended")),
        wall_s=as_number(merged.get("wall_s")),
        bench_s=as_number(merged.get("bench_s")),
        steps=tuple(_step(n, item) for n, item in enumerate(as_mappings(merged.get("steps")), 1)),
        monitors=tuple(_monitor(item) for item in as_mappings(merged.get("monitors"))),
        measurements=tuple(_measurement(item) for item in as_mappings(merged.get("measurements"))),
        assumed=tuple(_assumed(item) for item in as_mappings(merged.get("assumed"))),
        seed=as_text(merged.get("seed")),
        replay=as_texts(merged.get("replay")),
        damage=tuple(damage),
        broken=broken,
        told=as_pairs(gateway.get("told")),
    )


def _read_verdict(path: Path) -> tuple[Json, str]:
    """What verdict.json holds, and why it cannot be used; empty when it can."""
    document = load_object(path)
    if isinstance(document, str):
        return _from_scenario(path.with_name("scenario.yaml")), document
    schema, word = document.get("schema"), document.get("verdict")
    if schema != VERDICT_SCHEMA:
        return document, f"verdict.json has the schema {as_text(schema)!r}, this version reads {VERDICT_SCHEMA!r}"
    if _verdict(word) is None:
        return document, f"verdict.json holds no verdict: {as_text(word)!r}"
    return document, ""


_ALWAYS_THERE = ("scenario.yaml", "timeline.jsonl")


def _lost(folder: Path, stored: Json) -> list[str]:
    """Evidence that was there when the case ended, and is gone."""
    names = sorted({*_ALWAYS_THERE, *as_texts(stored.get("evidence"))})
    return [f"{name} is missing" for name in names if Path(name).name == name and not (folder / name).is_file()]


def _from_scenario(path: Path) -> Json:
    """What the scenario kept beside an unfinished case says of it: key, gateway, parameters, title."""
    import yaml

    try:
        if path.stat().st_size > MAX_JSON:
            return {}
        text = path.read_text("utf-8")
        comment = takewhile(lambda line: line.startswith("# "), text.splitlines())
        head = as_mapping(yaml.safe_load("\n".join(line[2:] for line in comment)))
        told = as_mapping(yaml.safe_load(text))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return {
        "key": head.get("case"),
        "suite": head.get("suite"),
        "gateway": {"type": head.get("gateway")},
        "parameters": head.get("parameters"),
        "scenario": told.get("id"),
        **{name: told.get(name) for name in ("title", "purpose", "verifies")},
    }


def _case_folder(folder: Path, name: str) -> tuple[Path | None, list[str]]:
    if not name:
        return None, []
    where = folder / name
    if not where.resolve().is_relative_to(folder.resolve()):
        return None, [f"the folder {name!r} lies outside the run folder and was not read"]
    if not where.is_dir():
        return None, [f"the folder {name!r} is missing"]
    return where, []


def _step(number: int, item: Json) -> StepRecord:
    index = as_number(item.get("index"))
    line = as_number(item.get("line"))
    return StepRecord(
        index=number if index is None else int(index),
        line=None if line is None else int(line),
        action=as_text(item.get("action")),
        sentence=as_text(item.get("sentence")),
        started=as_number(item.get("started")),
        ended=_ended(item),
        verdict=_verdict(item.get("verdict")) or Verdict.NONE,
        expected=as_text(item.get("expected")),
        seen=as_text(item.get("seen")),
        reason=as_text(item.get("reason")),
    )


def _ended(item: Json) -> float | None:
    """The end of a step; a runner that died in it leaves the field at zero."""
    started, ended = as_number(item.get("started")), as_number(item.get("ended"))
    return None if ended is None or (started is not None and ended < started) else ended


def _monitor(item: Json) -> MonitorRecord:
    return MonitorRecord(
        as_text(item.get("sentence")), _verdict(item.get("verdict")) or Verdict.NONE, as_text(item.get("reason"))
    )


def _measurement(item: Json) -> MeasurementRecord:
    name, value, unit, uncertainty, limit = (
        as_text(item.get(field)) for field in ("name", "value", "unit", "uncertainty", "limit")
    )
    return MeasurementRecord(name, value, unit, uncertainty, limit, as_number(item.get("t")))


def _assumed(item: Json) -> AssumedRecord:
    return AssumedRecord(*(as_text(item.get(name)) for name in ("name", "value", "source", "why")))


NOT_BEGUN = "the run ended before this case was begun"


def _read_not_tested(run: Json, begun: set[str]) -> tuple[NotTestedRecord, ...]:
    """What does not apply, and what the run did not come to."""
    records = [_not_tested(item) for item in as_mappings(run.get("not_tested"))]
    left = (key for key in as_texts(run.get("unfinished")) if key not in begun)
    return (*records, *(NotTestedRecord(key, "", NOT_BEGUN, applies=True) for key in left))


def _not_tested(item: Json) -> NotTestedRecord:
    scenario, gateway, reason = (as_text(item.get(name)) for name in ("scenario", "gateway", "reason"))
    return NotTestedRecord(scenario, gateway, reason)


_WHEN = ("at", "time", "resumed", "killed", "interrupted")
_WHAT = ("kind", "what", "event")


def _interruption(item: Any) -> InterruptionRecord:
    """``{"resumed": WHEN}``, or ``{"at": WHEN, "kind": WHAT, ...}``; whatever else it says is kept as text."""
    if not isinstance(item, dict):
        return InterruptionRecord("", "interrupted", as_text(item))
    when = next((name for name in _WHEN if item.get(name)), None)
    what = next((name for name in _WHAT if item.get(name)), None)
    kind = as_text(item[what]) if what else when if when not in {None, "at", "time"} else "interrupted"
    rest = {name: as_text(value) for name, value in item.items() if name not in {when, what}}
    text = [rest.pop(name) for name in ("reason", "text") if name in rest]
    text += [f"{name}: {value}" for name, value in rest.items()]
    return InterruptionRecord(as_text(item[when]) if when else "", kind or "", "; ".join(text))


def _verdict(value: Any) -> Verdict | None:
    if isinstance(value, str) and value.upper() in Verdict.__members__:
        return Verdict[value.upper()]
    return None
