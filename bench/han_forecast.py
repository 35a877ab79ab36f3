"""How long a run will take at a gateway that wants to be left alone between two logins (han 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bench.config import BenchFile
from bench.han_models import GENTLE, HanOnBench
from bench.quantity import text_of
from bench.scenario.loader import Case
from bench.steps.base import ExpectingStep
from bench.steps.han import HanStep
from bench.steps.han_sequences import HanSequenceStep
from bench.steps.time import WaitStep


def forecast(cases: Sequence[Case], bench: BenchFile) -> str:
    """How many logins `cases` will make and how long that takes; empty where nothing is to be waited for."""
    han = bench.gateway.han
    every = han.pause(bench.gateway.type) if isinstance(han, HanOnBench) else timedelta(0)
    logins = sum(logins_of(case) for case in cases)
    if cases and _needs_proof(next(iter(cases[0].scenario.all_steps()), None)):
        logins += 1  # credentials that nobody has tried yet are tried before
    if not every or logins < 2:
        return ""
    count = "1 case" if len(cases) == 1 else f"{len(cases)} cases"
    return f"{count}, up to {logins} logins, {text_of(every)} apart: {_about((logins - 1) * every)}"


def logins_of(case: Case) -> int:
    """Logins that a case makes, as far as its steps tell; a step that waits may make one at each look."""
    logins, open_session = 0, False
    for step in case.scenario.all_steps():
        if isinstance(step, WaitStep):
            open_session = False
            continue
        own = _own_logins(step, open_session=open_session)
        if own is None:
            logins += not open_session
            open_session = True
        else:
            logins += own
            open_session = open_session and not own
        if isinstance(step, ExpectingStep):
            span = (step.within or timedelta(0)) + (step.hold or timedelta(0))
            logins += span // GENTLE
    return logins


def _needs_proof(step: object) -> bool:
    """Whether a step judges a refusal, so that credentials must have been taken before."""
    return isinstance(step, HanSequenceStep) or (
        isinstance(step, HanStep) and step.get is not None and not step.anonymous
    )


def _own_logins(step: object, *, open_session: bool) -> int | None:
    """Logins of its own that a step makes; None: it goes on with the session that is open."""
    if isinstance(step, HanSequenceStep):
        return 1
    if not isinstance(step, HanStep):
        return None
    if step.logout is not None or step.anonymous:
        return 0
    if step.reachable is not None or step.locked is not None or step.get is not None:
        return 1
    tried = open_session or step.password not in (None, "right") or step.times > 1 or step.accepted is False
    return step.times if step.login is not None and tried else None


def _about(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    if hours < 1:
        return f"about {max(1, round(hours * 60))} min"
    return f"about {round(hours, 1 if hours < 3 else None):g} h"
