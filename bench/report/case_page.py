"""One case of the report as HTML."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report.bus import bus_table
from bench.report.devices import is_meter, words_of
from bench.report.figures import date, instant, octets, span
from bench.report.model import AssumedFact, Case, EvidenceFile, LedRow, Status, StepRow, Waveform
from bench.report.page import badge, escape, file_link, folded, name, row, sheet, table
from bench.report.waveform import waveform_svg
from bench.verdict import Verdict

_SEGMENTS_IN_TABLE = 150


def case_section(case: Case, gateway: int, *, is_open: bool, emulated: bool = False) -> str:
    """The section of `case`; `gateway` is the number of its device type in the filter.

    Args:
        emulated: say that this device was an emulation, where others of the report were none.
    """
    not_pass = case.status is not Status.PASS
    attempt = f' <span class="attempt">attempt {case.attempt}</span>' if case.attempt > 1 else ""
    parts = [
        f'<details class="case st-{name(case.status)} g{gateway}" id="{case.anchor}"{" open" if is_open else ""}>',
        f'<summary><h3><span class="key">{escape(case.key)}</span>{attempt} {badge(case.status)}',
        f'<span class="title">{escape(case.title)}</span></h3></summary>',
        _verdict(case),
        f"<p>{escape(case.purpose)}</p>" if case.purpose else "",
        sheet(_entries(case, emulated=emulated)),
        _steps(case),
        _monitors(case),
        _measurements(case),
        _leds(case),
        bus_table(case.bus, is_open=not_pass, of_meter=is_meter(case.gateway)),
        _logs(case, is_open=not_pass),
        _values(case, is_open=not_pass),
        assumed_table(case.assumed, is_open=False),
        evidence_table("Evidence of this case", case.evidence, is_open=False),
        '<p class="up"><a href="#cases">Back to the list of cases</a></p></details>',
    ]
    return "".join(parts)


def _verdict(case: Case) -> str:
    damage = "".join(f"<li>{escape(text)}</li>" for text in case.damage)
    reason = f"<strong>{escape(case.reason)}</strong>" if case.reason else ""
    note = "" if case.status in {Status.PASS, Status.FAIL} else f' <span class="meaning">{case.status.meaning}</span>'
    notes = f'<div class="damage">The record of this case is damaged:<ul>{damage}</ul></div>' if damage else ""
    if not reason and not note:
        return notes
    return f'<p class="reason s-{name(case.status)}">{reason}{note}</p>{notes}'


def _entries(case: Case, *, emulated: bool) -> Iterator[tuple[str, str]]:
    yield "Verifies", "; ".join(escape(clause) for clause in case.verifies)
    product = f" ({escape(case.gateway_name)})" if case.gateway_name else ""
    mark = ", emulated: not a test result" if emulated else ""
    yield words_of([case.gateway]).one, escape(case.gateway) + product + mark
    yield "Parameters", ", ".join(f"{escape(fact.name)} = {escape(fact.value)}" for fact in case.parameters)
    yield "Scenario", escape(case.file or case.scenario)
    if case.told:
        yield (
            "The gateway tells",
            "; ".join(f"{escape(fact.name)} {escape(fact.value)}" for fact in case.told if fact.value),
        )
    yield "Needs", escape(", ".join(case.needs))
    yield "Started", date(case.started) if case.started else ""
    if case.bench_s is not None:
        wall = f", done in {span(case.wall_s)}" if case.wall_s is not None else ""
        yield "Duration", f"{span(case.bench_s)} of bench time{wall}"
    yield "Seed", escape(case.seed)
    yield "Repeat with", f"<code>{escape(case.replay)}</code>" if case.replay else ""


def _steps(case: Case) -> str:
    if not case.steps:
        return '<p class="none">No step was done.</p>'
    rows = []
    previous = 0
    for step in case.steps:
        if step.number > previous + 1:
            left_out = step.number - previous - 1
            rows.append(f'<tr class="gap"><td colspan="8">{left_out} steps left out; see verdict.json</td></tr>')
        rows.append(_step(step))
        previous = step.number
    heads = ("No.", "Line", "Step", "Begin", "End", "Expected", "Seen", "Verdict")
    return table("steps", "Steps", heads, rows)


def _step(step: StepRow) -> str:
    seen = escape(step.seen)
    if step.reason:
        seen += f'<span class="why">{escape(step.reason)}</span>'
    cells = (
        str(step.number),
        "–" if step.line is None else str(step.line),
        escape(step.sentence),
        instant(step.started),
        instant(step.ended),
        escape(step.expected),
        seen,
        verdict_word(step.verdict),
    )
    return row(cells, "decisive" if step.decisive else "")


def verdict_word(verdict: Verdict) -> str:
    """The verdict of a step or monitor; a step that only acts has a dash."""
    if verdict is Verdict.NONE:
        return '<span class="acts" title="acts, judges nothing">–</span>'
    return badge(Status(str(verdict)))


def _monitors(case: Case) -> str:
    if not case.monitors:
        return ""
    rows = (
        row(
            (escape(item.sentence), escape(item.reason), verdict_word(item.verdict)),
            "decisive" * _bad(item.verdict),
        )
        for item in case.monitors
    )
    return table("monitors", "Watched all through", ("Condition", "Seen", "Verdict"), rows)


def _bad(verdict: Verdict) -> bool:
    return verdict > Verdict.PASS


def _measurements(case: Case) -> str:
    if not case.measurements:
        return ""
    rows = []
    for item in case.measurements:
        uncertainty = f"± {escape(item.uncertainty)} {escape(item.unit)}" if item.uncertainty else "not stated"
        figure = f'<span class="figure">{escape(item.value)}</span> {escape(item.unit)}'
        rows.append(row((escape(item.name), figure, escape(item.limit) or "–", uncertainty, instant(item.t))))
    return table("measurements", "Measurements", ("Quantity", "Value", "Limit", "Uncertainty", "At"), rows)


def _leds(case: Case) -> str:
    waveform = case.waveform
    if waveform is None:
        return ""
    edges = sum(led.edges for led in waveform.rows)
    picture = waveform_svg(waveform, case.anchor, case.key)
    caption = (
        f"LEDs over bench time, {edges} edges. Numbers mark the begin of steps; shaded columns are shortened; "
        "hatching stands for blinking too fast to be drawn; dots for a state not known."
    )
    return (
        f'<h4>LEDs</h4><figure><div class="wide" tabindex="0" role="region" aria-label="LED waveforms">{picture}</div>'
        f"<figcaption>{caption}</figcaption></figure>" + _groups(waveform) + _segments(waveform)
    )


def _groups(waveform: Waveform) -> str:
    if not waveform.groups:
        return ""
    items = (
        f"{escape(', '.join(group.lines))}: <b>{group.relation}</b>, {instant(group.begin)} to {instant(group.end)}"
        for group in waveform.groups
    )
    return f'<ul class="groups"><li>{"</li><li>".join(items)}</li></ul>'


def _segments(waveform: Waveform) -> str:
    rows: list[str] = []
    total = 0
    for led in waveform.rows:
        total += len(led.segments)
        rows += _segment_rows(led, _SEGMENTS_IN_TABLE // len(waveform.rows) + 1)
    note = f"<p>The first {len(rows)} of {total} patterns are shown.</p>" if len(rows) < total else ""
    heads = ("LED", "From", "To", "Lasts", "Pattern", "Measured (± one standard deviation)")
    return folded(
        f"Recognised patterns ({total})",
        table("segments", "Recognised patterns", heads, rows) + note,
        is_open=False,
    )


def _segment_rows(led: LedRow, limit: int) -> list[str]:
    return [
        row(
            (
                escape(led.line),
                instant(item.begin),
                instant(item.end),
                span(item.end - item.begin),
                escape(item.pattern),
                escape(item.figures),
            )
        )
        for item in led.segments[:limit]
    ]


def _logs(case: Case, *, is_open: bool) -> str:
    if not case.logs.logs:
        return ""
    rows = (
        row(escape(text) for text in (item.book, item.number, item.time, item.id, item.level, item.text))
        for item in case.logs.logs
    )
    body = table("logs", "Logs of the gateway", ("Book", "No.", "Time", "Event", "Level", "Text"), rows)
    title = f"Logs of the gateway ({_of(len(case.logs.logs), case.logs.total)} entries)"
    return folded(title, body, is_open=is_open)


def _values(case: Case, *, is_open: bool) -> str:
    if not case.values.values:
        return ""
    rows = (
        row(escape(text) for text in (item.meter, item.obis, item.value, item.time, item.status))
        for item in case.values.values
    )
    body = table("values", "Values stored by the gateway", ("Meter", "OBIS", "Value", "Time", "Status"), rows)
    title = f"Values stored by the gateway ({_of(len(case.values.values), case.values.total)})"
    return folded(title, body, is_open=is_open)


def _of(shown: int, total: int) -> str:
    return str(total) if shown == total else f"{shown} of {total}"


def assumed_table(assumed: tuple[AssumedFact, ...], *, is_open: bool) -> str:
    """The facts that one case assumed; why stands in the table of the whole report, which has each fact once."""
    if not assumed:
        return ""
    rows = (row(escape(text) for text in (item.name, item.value, item.source)) for item in assumed)
    body = table("assumed", "Assumed in this case", ("Fact", "Taken as", "Source"), rows)
    body += '<p class="up"><a href="#assumed">Why they were assumed</a></p>'
    return folded(f"Assumed in this case ({len(assumed)})", body, is_open=is_open)


def evidence_table(caption: str, evidence: tuple[EvidenceFile, ...], *, is_open: bool) -> str:
    """Files with size and hash, linked relative to the report."""
    if not evidence:
        return ""
    rows = (
        row((file_link(item.path), octets(item.size), f'<code class="hash">{escape(item.sha256)}</code>'))
        for item in evidence
    )
    body = table("evidence", caption, ("File", "Size", "SHA-256"), rows)
    return folded(f"{caption} ({len(evidence)} files)", body, is_open=is_open)
