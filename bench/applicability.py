"""Whether a case can be run on a bench, and if not, why."""

from __future__ import annotations

from bench.config import BenchFile
from bench.scenario.loader import Case


def not_applicable(case: Case, bench: BenchFile) -> str | None:
    """Why `case` cannot be run on `bench`; None when it can."""
    if case.scenario.device is None and bench.gateway.absent:
        return "the bench holds no gateway"
    if case.scenario.device is None and not bench.gateway.emulated and bench.gateway.type != case.gateway:
        return f"the bench holds a {bench.gateway.type}, not a {case.gateway}"
    missing = sorted(case.scenario.all_needs() - bench.capabilities())
    if missing:
        return f"the bench lacks {', '.join(missing)}"
    if bench.time == "real" and case.scenario.given.time is not None:
        return "the scenario begins at a given instant, which only virtual time can"
    return None
