"""JUnit XML for CI, as the Jenkins xUnit schema (junit-10.xsd) has it.

========================= ==========================================================================================
case                      becomes
========================= ==========================================================================================
pass                      a testcase without child
fail                      ``failure`` of type ``fail``
inconclusive              ``failure`` of type ``inconclusive``: a run that could not decide must not turn a job green,
                          and the command's exit code says the same
bench error               ``error`` of type ``bench error``: never a failure of the device
not finished              ``error`` of type ``not finished``
not judged                ``skipped``
not applicable, not begun ``skipped``, with the reason, in a suite of their own called ``not tested``
========================= ==========================================================================================

The schema has no properties of a testcase; what belongs to one case stands in its ``system-out`` as lines
``[[PROPERTY|name=value]]``, which several readers of JUnit files take for properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.report.devices import is_meter
from bench.report.model import Case, Report, Status

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010fffd]")
_FAILURES = {Status.FAIL: "fail", Status.INCONC: "inconclusive"}
_ERRORS = {Status.ERROR: "bench error", Status.DAMAGED: "damaged", Status.UNFINISHED: "not finished"}
_SKIPPED = (Status.NONE, Status.NOT_BEGUN, Status.NOT_APPLICABLE)
_MAX_TEXT = 4000


def render_junit(report: Report) -> str:
    """The JUnit document of `report`: one testsuite per suite folder."""
    suites: dict[str, list[str]] = {}
    counts: dict[str, dict[Status, int]] = {}
    seconds: dict[str, float] = {}
    for case in report.cases:
        suites.setdefault(case.suite, []).append(_case(case, partly=report.head.partly))
        counts.setdefault(case.suite, dict.fromkeys(Status, 0))[case.status] += 1
        seconds[case.suite] = seconds.get(case.suite, 0.0) + (case.wall_s or 0.0)
    if report.not_tested:
        suite = _NOT_TESTED
        suites[suite] = list(_not_tested(report))
        counts[suite] = dict.fromkeys(Status, 0)
        for record in report.not_tested:
            counts[suite][record.status] += sum(len(gateways) for _, gateways in record.scenarios)
        seconds[suite] = 0.0
    properties = _properties(report)
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="smgw-bench"', "", ">\n"]
    totals = dict.fromkeys(Status, 0)
    for suite, cases in sorted(suites.items()):
        for status, count in counts[suite].items():
            totals[status] += count
        stamp = f' timestamp="{report.head.started:%Y-%m-%dT%H:%M:%S}"' if report.head.started else ""
        parts.append(f'<testsuite name="{_escape(suite)}"{_attributes(counts[suite], seconds[suite])}{stamp}>\n')
        parts += [properties, *cases, "</testsuite>\n"]
    parts[1] = _attributes(totals, sum(seconds.values())).partition(" skipped=")[0]
    parts.append("</testsuites>\n")
    return "".join(parts)


_NOT_TESTED = "not tested"


def _attributes(counts: dict[Status, int], seconds: float) -> str:
    failures = sum(counts[status] for status in _FAILURES)
    errors = sum(counts[status] for status in _ERRORS)
    skipped = sum(counts[status] for status in _SKIPPED)
    return (
        f' tests="{sum(counts.values())}" failures="{failures}" errors="{errors}" time="{seconds:.3f}"'
        f' skipped="{skipped}"'
    )


def _properties(report: Report) -> str:
    head = report.head
    entries = [
        ("run", head.number),
        ("seed", head.seed),
        ("emulated", "partly" if head.partly else str(head.emulated).lower()),
        *((fact.name.lower(), fact.value) for fact in head.bench),
        *((f"version {fact.name}", fact.value) for fact in head.versions),
        ("replay", head.replay),
    ]
    lines = "".join(f'<property name="{_escape(name)}" value="{_escape(value)}"/>\n' for name, value in entries)
    return f"<properties>\n{lines}</properties>\n"


def _case(case: Case, *, partly: bool) -> str:
    name = case.key if case.attempt == 1 else f"{case.key} (attempt {case.attempt})"
    entries = [
        ("meter" if is_meter(case.gateway) else "gateway", case.gateway),
        *([("emulated", str(case.emulated).lower())] if partly else []),
        *((f"parameter {fact.name}", fact.value) for fact in case.parameters),
        *(("verifies", clause) for clause in case.verifies),
        ("seed", case.seed),
        ("verdict", case.status.value),
        ("report", f"report.html#{case.anchor}"),
    ]
    return _testcase(name, case.suite, case.wall_s or 0.0, _outcome(case), entries)


def _outcome(case: Case) -> str:
    message = _escape(case.reason or case.status.meaning)
    step = next((step for step in case.steps if step.decisive), None)
    details = ""
    if step is not None:
        place = f"{case.file}:{step.line}" if step.line is not None else case.file
        details = _escape(
            f"{place}: step {step.number}: {step.sentence}\nexpected: {step.expected}\nseen: {step.seen}\n{step.reason}"
        )
    if case.status in _FAILURES:
        return f'<failure type="{_FAILURES[case.status]}" message="{message}">{details}</failure>\n'
    if case.status in _ERRORS:
        return f'<error type="{_ERRORS[case.status]}" message="{message}">{details}</error>\n'
    if case.status is Status.NONE:
        return f'<skipped type="not judged" message="{message}"/>\n'
    return ""


def _not_tested(report: Report) -> Iterable[str]:
    for record in report.not_tested:
        outcome = f'<skipped type="{record.status.value}" message="{_escape(record.reason)}"/>\n'
        for scenario, gateways in record.scenarios:
            for gateway in gateways:
                name = f"{scenario}[{gateway}]" if gateway else scenario
                yield _testcase(
                    name, _NOT_TESTED, 0.0, outcome, [("meter" if is_meter(gateway) else "gateway", gateway)]
                )


def _testcase(name: str, suite: str, seconds: float, outcome: str, entries: list[tuple[str, str]]) -> str:
    classname = suite.replace("/", ".")
    lines = "\n".join(f"[[PROPERTY|{key}={' '.join(value.split())}]]" for key, value in entries if value)
    return (
        f'<testcase classname="{_escape(classname)}" name="{_escape(name)}" time="{seconds:.3f}">\n{outcome}'
        f"<system-out>{_escape(lines, newlines=True)}</system-out>\n</testcase>\n"
    )


def _escape(text: str, *, newlines: bool = False) -> str:
    """`text` for an attribute or content; what XML 1.0 cannot carry becomes a question mark."""
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + " …"
    text = _FORBIDDEN.sub("?", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text if newlines else text.replace("\n", "&#10;").replace("\t", "&#9;")
