"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from bench.expect import LATE_S
from bench.report.case_page import case_section, evidence_table
from bench.report.figures import date, span
from bench.report.model import AssumedFact, Case, Fact, Head, MatrixCell, NotTested, Report, Status, Summary
from bench.report.page import badge, case_link, case_links, document, escape, facts, name, row, sheet, table
from bench.report.stored_json import as_time
from bench.report.waveform import shared_patterns
from devices.leds.limits import DEFAULT_LIMITS

EMULATED = "EMULATED DEVICE - NOT A TEST RESULT"
PARTLY_EMULATED = "SOME DEVICES EMULATED - THEIR CASES ARE NOT TEST RESULTS"
_ALL_OPEN = 12
"""Up to so many cases all are unfolded; of more only those that did not pass."""

_DECISION_RULE = (
    "A case has the worst verdict of its steps and of what was watched all through, in the order none, pass, "
    "inconclusive, fail, bench error. A figure is compared with its limit as measured; its uncertainty is stated "
    "beside it and is not added to or taken from the limit. Limits of time are compared with the instants of the "
    f"evidence, however long it took to decide; the bench grants {LATE_S:g} s, by which it may itself be late. An LED "
    "that must keep a level must keep it all the time: another level is no change of the device only up to "
    f"{DEFAULT_LIMITS.outage_s * 1e3:.0f} ms and rarely, and is then told as tolerated. What the evidence cannot "
    "decide is inconclusive, not pass."
)


def render_html(report: Report) -> str:
    """The page of `report`."""
    head = report.head
    chapters = [
        ("summary", "Summary", _summary(report.summary)),
        ("bench", "Bench and method", _bench(head)),
        ("cases", "Cases", _cases(report)),
        ("requirements", "Requirements", _requirements(report)),
        ("assumed", "Assumed", _assumed(report)),
        ("not-tested", "Not tested, and why", _not_tested(report.not_tested)),
        ("interruptions", "Interruptions", _interruptions(report)),
        ("details", "Cases in detail", _details(report)),
        ("evidence", "Evidence of the run", evidence_table("Files of the run", report.evidence, is_open=True)),
    ]
    links = "".join(
        f'<li><a href="#{anchor}">{number} {title}</a></li>' for number, (anchor, title, _) in enumerate(chapters, 1)
    )
    body = "".join(
        f'<section id="{anchor}"><h2>{number} {title}</h2>{content}</section>'
        for number, (anchor, title, content) in enumerate(chapters, 1)
    )
    mark = f"{_banner(head)} · " if head.emulated else ""
    return document(
        f"{head.title}, {head.number}",
        f"{mark}{head.title}, {head.number}",
        _filter_rules(report),
        f'{shared_patterns()}<header>{_head(head)}</header><nav aria-label="Chapters"><ol>{links}</ol></nav>'
        f'<main>{body}</main><footer><p class="end">End of report {escape(head.number)}</p></footer>',
    )


def _banner(head: Head) -> str:
    return PARTLY_EMULATED if head.partly else EMULATED


def _head(head: Head) -> str:
    banner = f'<p class="banner" role="note">{_banner(head)}</p>' if head.emulated else ""
    state = "" if head.complete else '<p class="banner open" role="note">RUN NOT FINISHED - RESULTS INCOMPLETE</p>'
    bench = next((fact.value for fact in head.bench if fact.name == "Bench"), "")
    entries = [
        ("Report", escape(head.number)),
        ("Begin", date(head.started)),
        ("End", escape(_end(head))),
        ("Bench", escape(bench)),
        ("Seed", escape(head.seed)),
        *facts(head.stated),
        ("Repeat with", f"<code>{escape(head.replay)}</code>" if head.replay else ""),
    ]
    return f'<p class="maker">smgw-bench</p><h1>{escape(head.title)}</h1>{banner}{state}{sheet(entries)}'


def _end(head: Head) -> str:
    if head.finished is not None or head.stopped is None:
        return date(head.finished) if head.finished else "not reached"
    return f"{head.stopped.kind}, {date(as_time(head.stopped.at))}"


def _summary(summary: Summary) -> str:
    if not summary.cases:
        return '<p class="none">The run has no cases.</p>'
    tiles = "".join(
        f'<li class="s-{name(status)}"><b>{count}</b> {status.words}</li>' for status, count in summary.counts
    )
    cases = "1 case" if summary.cases == 1 else f"{summary.cases} cases"
    text = f"<p>{cases}, {span(summary.bench_s)} of bench time in {span(summary.wall_s)}.</p>"
    trouble = "".join(
        f'<div class="s-{name(item.status)}"><dt>First {_FIRST[item.status]}</dt>'
        f"<dd>{case_link(item.case)} {escape(item.title)}{_because(item.reason)}</dd></div>"
        for item in summary.first
    )
    first = f'<dl class="first">{trouble}</dl>' if trouble else ""
    return f'<ul class="tiles">{tiles}</ul>{text}{first}{_matrix(summary)}'


_FIRST = {
    Status.FAIL: "fail",
    Status.ERROR: "bench error",
    Status.INCONC: "inconclusive",
    Status.DAMAGED: "damaged",
    Status.UNFINISHED: "not finished",
}


def _because(reason: str) -> str:
    return f'<span class="why">{escape(reason)}</span>' if reason else ""


def _matrix(summary: Summary) -> str:
    rows = (
        f'<tr><th scope="row">{escape(line.suite)}</th>{"".join(_cell(cell) for cell in line.cells)}</tr>'
        for line in summary.matrix
    )
    heads = ("Suite", *(escape(gateway) for gateway in summary.gateways))
    return table("matrix", f"Suites by {summary.words.types}", heads, rows)


def _cell(cell: MatrixCell) -> str:
    if not cell.counts:
        return '<td class="empty">–</td>'
    words = ", ".join(f'<span class="s-{name(status)}">{count} {status.words}</span>' for status, count in cell.counts)
    return f"<td>{words}</td>"


def _bench(head: Head) -> str:
    meanings = "".join(f"<div><dt>{badge(status)}</dt><dd>{status.meaning}</dd></div>" for status in Status)
    missing = (
        "<p>The record names no laboratory, customer, item, operator or authorising person: this is a report of the "
        "bench, to be completed where a test report is asked for.</p>"
        if not head.stated
        else ""
    )
    relates = "<p>The results relate only to the item tested. No copying in part without the laboratory's consent.</p>"
    if head.partly:
        relates += "<p>Cases marked as emulated say nothing about a real device.</p>"
    elif head.emulated:
        relates = "<p>Every device under test was an emulation. Nothing here is a statement about a real device.</p>"
    return (
        sheet(facts(head.bench))
        + _subsheet("Gateway in the bench file", head.gateway)
        + _subsheet("Software", head.versions)
        + _subsheet("Host", head.host)
        + f'<h3>What the words mean</h3><dl class="words">{meanings}</dl>'
        + f"<p>{_DECISION_RULE}</p><p>Times in tables and pictures are bench seconds of the case, written "
        + f"h:mm:ss.mmm, as in its timeline; dates are UTC.</p>{relates}{missing}"
    )


def _subsheet(title: str, entries: tuple[Fact, ...]) -> str:
    return f"<h3>{title}</h3>{sheet(facts(entries))}" if entries else ""


def _cases(report: Report) -> str:
    numbers = {gateway: number for number, gateway in enumerate(report.summary.gateways)}
    partly = report.head.partly
    rows = [_case_row(case, numbers[case.gateway], emulated=partly and case.emulated) for case in report.cases]
    heads = ("Case", "Title", report.summary.words.one, "Verdict", "Reason", "Bench time")
    return _filters(report) + table("cases", "All cases of the run", heads, rows)


def _case_row(case: Case, gateway: int, *, emulated: bool) -> str:
    attempt = f" ({case.attempt})" if case.attempt > 1 else ""
    cells = (
        f'<a href="#{case.anchor}">{escape(case.key)}</a>{attempt}',
        escape(case.title),
        escape(case.gateway) + (" (emulated)" if emulated else ""),
        badge(case.status),
        escape(case.reason),
        span(case.bench_s),
    )
    return row(cells, f"st-{name(case.status)} g{gateway}")


def _filters(report: Report) -> str:
    """Boxes that hide rows by CSS alone; without it, or on paper, everything is shown."""
    if len(report.cases) < 2:
        return ""
    present = dict.fromkeys(case.status for case in report.cases)
    counts = dict(report.summary.counts)
    verdicts = "".join(
        f'<label><input type="checkbox" id="show-{name(status)}" checked> {status.words} ({counts[status]})</label>'
        for status in Status
        if status in present
    )
    gateways = "".join(
        f'<label><input type="checkbox" id="show-g{number}" checked> {escape(gateway)}</label>'
        for number, gateway in enumerate(report.summary.gateways)
    )
    return (
        '<form class="filters" aria-label="Filter">'
        f"<fieldset><legend>Verdict</legend>{verdicts}</fieldset>"
        f"<fieldset><legend>{report.summary.words.one}</legend>{gateways}</fieldset>"
        "</form>"
    )


def _filter_rules(report: Report) -> str:
    boxes = [name(status) for status in Status] + [f"g{number}" for number in range(len(report.summary.gateways))]
    rules = "".join(
        f"body:has(#show-{box}:not(:checked)) .{box if box[0] == 'g' else 'st-' + box}{{display:none}}" for box in boxes
    )
    return f"@media screen{{{rules}}}"


def _requirements(report: Report) -> str:
    if not report.requirements:
        return '<p class="none">No case names a requirement.</p>'
    rows = (row((escape(item.clause), badge(item.status), case_links(item.cases))) for item in report.requirements)
    text = "<p>Each clause with the worst of its cases, a fail before all else.</p>"
    return text + table(
        "requirements", "Requirements and the cases that verify them", ("Clause", "Verdict", "Cases"), rows
    )


def _assumed(report: Report) -> str:
    if not report.assumed:
        return '<p class="none">No case noted an assumption.</p>'
    rows = (
        row((*(escape(text) for text in (item.name, item.value, item.source, item.why)), _used_by(item, report)))
        for item in report.assumed
    )
    text = (
        "<p>These facts are inferred or set by the bench, not stated by a document. A verdict that rests on one of "
        "them holds only as far as the assumption does. What a source such as <code>han 2.1</code> or "
        "<code>[PPC]</code> is, docs/sources.md tells.</p>"
    )
    heads = ("Fact", "Taken as", "Source", "Why assumed", "Used by")
    return text + table("assumed", "Facts that were assumed", heads, rows)


def _used_by(fact: AssumedFact, report: Report) -> str:
    """Links to the cases that used a fact; the same long list behind every fact would hide what differs."""
    if len(fact.cases) == len(report.cases) > 1:
        return "all cases"
    return case_links(fact.cases, 3)


def _not_tested(records: tuple[NotTested, ...]) -> str:
    if not records:
        return '<p class="none">Every selected scenario was run on every selected device.</p>'
    rows = []
    for record in records:
        names = "; ".join(
            escape(f"{scenario} ({', '.join(filter(None, gateways))})" if any(gateways) else scenario)
            for scenario, gateways in record.scenarios
        )
        rows.append(row((escape(record.reason), str(len(record.scenarios)), names)))
    return table("not-tested", "Scenarios that were not run", ("Reason", "Count", "Scenario (device)"), rows)


def _interruptions(report: Report) -> str:
    damaged = [case.link for case in report.cases if case.damage and case.status is not Status.UNFINISHED]
    open_cases = [case.link for case in report.cases if case.status is Status.UNFINISHED]
    rows = [row((escape(item.at), escape(item.kind), escape(item.text))) for item in report.interruptions]
    parts = []
    if rows:
        parts.append(table("interruptions", "Interruptions of the run", ("When", "What", "Details"), rows))
    if damaged:
        parts.append(f"<p>Evidence is damaged or missing: {case_links(damaged)}.</p>")
    if open_cases:
        parts.append(f"<p>Begun and not finished: {case_links(open_cases)}.</p>")
    if report.head.finished is None and report.head.stopped is None:
        parts.append("<p>The run has no end in its record: it was killed, or it is still going on.</p>")
    return "".join(parts) or '<p class="none">None: the run went through from its first case to its last.</p>'


def _details(report: Report) -> str:
    numbers = {gateway: number for number, gateway in enumerate(report.summary.gateways)}
    all_open = len(report.cases) <= _ALL_OPEN
    return "".join(
        case_section(
            case,
            numbers[case.gateway],
            is_open=all_open or case.status is not Status.PASS,
            emulated=report.head.partly and case.emulated,
        )
        for case in report.cases
    )
