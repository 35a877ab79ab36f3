"""The run in a few lines for the terminal, and its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.quantity import printable
from bench.report.build import not_tested_status
from bench.report.figures import span
from bench.report.model import Status, status_of
from bench.report.run_folder import CaseRecord, RunFolder, read_run_folder
from bench.verdict import Verdict, merge

TROUBLES_SHOWN = 12
_WIDTH = 100


def counts(run: RunFolder) -> dict[str, int]:
    """How often each status occurred in `run`, by its word in the records."""
    found = Counter(_status(case) for case in run.cases)
    found.update(not_tested_status(record) for record in run.not_tested)
    return {status.value: found[status] for status in Status if found[status]}


def run_verdict(run: RunFolder) -> Verdict:
    """The merged verdict of all cases; a case that never finished counts as a bench error."""
    return merge(Verdict.ERROR if case.verdict is None else case.verdict for case in run.cases)


def closing_summary(run: RunFolder | Path | str) -> str:
    """The plain text that closes a run: counts, and what did not pass with its reason."""
    if not isinstance(run, RunFolder):
        run = read_run_folder(run)
    found = counts(run)
    words = {status.value: status.words for status in Status}
    width = max((len(str(count)) for count in found.values()), default=1)
    lines = [f"  {count:>{width}}  {words[status]}" for status, count in found.items()]
    bench_s = sum(case.bench_s or 0.0 for case in run.cases)
    wall_s = sum(case.wall_s or 0.0 for case in run.cases)
    cases = "1 case" if len(run.cases) == 1 else f"{len(run.cases)} cases"
    lines.insert(0, f"{cases}, {span(bench_s)} of bench time in {span(wall_s)}")
    lines += _troubles(run.cases)
    everything, something = run.emulations
    if everything:
        lines.append("Emulated device: not a test result.")
    elif something:
        lines.append("Some devices were emulated: their cases are not test results.")
    return "\n".join(lines)


_ORDER = (Verdict.FAIL, Verdict.ERROR, None, Verdict.INCONC)


def _troubles(cases: Iterable[CaseRecord]) -> list[str]:
    """Cases that did not pass, faults of the device first."""
    bad = [case for case in cases if case.verdict in _ORDER or case.damage]
    bad.sort(key=lambda case: _ORDER.index(case.verdict) if case.verdict in _ORDER else len(_ORDER))
    shown = bad[:TROUBLES_SHOWN]
    word = max((len(_status(case).words) for case in shown), default=0)
    key = min(max((len(case.key) for case in shown), default=0), 44)
    lines = [
        _cut(f"{_status(case).words:<{word}}  {printable(case.key):<{key}}  {_why(case)}".rstrip()) for case in shown
    ]
    if len(bad) > len(shown):
        lines.append(f"and {len(bad) - len(shown)} more, see the report")
    return lines


def _status(case: CaseRecord) -> Status:
    return status_of(case.verdict, damaged=case.broken)


def _why(case: CaseRecord) -> str:
    return printable(" ".join("; ".join([*([case.reason] if case.reason else []), *case.damage]).split()))


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
