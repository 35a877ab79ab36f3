"""LED waveforms as a picture (SVG): one row per LED in its colour, on a time axis that breaks where nothing happens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from bench.report.axis import Axis, Span, broken_axis
from bench.report.figures import axis_label, instant, span
from bench.report.model import LedRow, LedSegment, Level, StepMark, Waveform
from bench.report.page import escape
from bench.verdict import Verdict

WIDTH = 1000
_LEFT, _RIGHT = 84, 988
_TOP = 26
_PITCH = 36
_BAND_TOP, _BAND = 15, 14
_CHARACTER = 4.8
"""Width of one letter of the small type, in drawing units."""
_DENSE = 2.4
"""Units per edge below which single edges cannot be seen and a hatched band is drawn."""
_MAX_RUNS = 600
"""Bound of what one row may draw."""

COLOURS = {
    "green": "#2c9a4b",
    "blue": "#2a6fc9",
    "red": "#c8322b",
    "orange": "#d67d1e",
    "yellow": "#b99500",
    "white": "#8b96a3",
    "mains": "#4b5560",
}


def shared_patterns() -> str:
    """The hatchings that all pictures of a page use; stands once in the page."""
    hatches = "".join(
        f'<pattern id="hatch-{name}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="5" height="5" fill="{colour}" fill-opacity=".22"/><rect width="2" height="5" fill="{colour}"/>'
        "</pattern>"
        for name, colour in COLOURS.items()
    )
    return f'<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false"><defs>{hatches}</defs></svg>'


def waveform_svg(waveform: Waveform, anchor: str, key: str) -> str:
    """The picture of `waveform`; `anchor` makes its ids unique, `key` names the case for those who cannot see it."""
    rows = [row for row in (_mains(waveform), *waveform.rows) if row is not None]
    axis = _axis(waveform, rows)
    bottom = _TOP + _PITCH * len(rows)
    height = bottom + 34
    parts = [
        f'<svg class="waveform" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{anchor}-t {anchor}-d">',
        f'<title id="{anchor}-t">LEDs of {escape(key)}</title>',
        f'<desc id="{anchor}-d">{escape(_in_words(rows))}</desc>',
        *_break_columns(axis, bottom),
        *_grid(axis, bottom),
    ]
    for place, row in enumerate(rows):
        parts += _row(row, axis, _TOP + _PITCH * place)
    parts += _cuts(axis, len(rows), bottom)
    parts += _marks(waveform.marks, axis, bottom)
    parts.append("</svg>")
    return "".join(parts)


def _axis(waveform: Waveform, rows: list[LedRow]) -> Axis:
    spans = [
        Span(segment.begin, segment.end, not segment.steady) for row in rows for segment in row.segments[:_MAX_RUNS]
    ]
    marks = [mark.t for mark in waveform.marks]
    return broken_axis(waveform.begin, waveform.end, spans, _LEFT, _RIGHT, marks=marks)


def _mains(waveform: Waveform) -> LedRow | None:
    """The gateway's mains as a row of its own."""
    if not waveform.mains:
        return None
    first = Level.OFF if waveform.mains[0][1] else Level.ON
    changes = [(waveform.begin, first), *((t, Level.ON if on else Level.OFF) for t, on in waveform.mains)]
    ends = [t for t, _ in changes[1:]] + [waveform.end]
    segments = tuple(
        LedSegment(t, end, level.name.lower(), level.name.lower(), steady=True)
        for (t, level), end in zip(changes, ends, strict=True)
        if end > t
    )
    return LedRow("mains", "mains", tuple(changes), len(waveform.mains), segments)


def _in_words(rows: list[LedRow]) -> str:
    lines = []
    for row in rows:
        shown = [f"{segment.pattern} from {instant(segment.begin)}" for segment in row.segments[:12]]
        more = f" and {len(row.segments) - 12} more" if len(row.segments) > 12 else ""
        lines.append(f"{row.line}: {', '.join(shown) or 'nothing recorded'}{more}.")
    return " ".join(lines)


def _grid(axis: Axis, bottom: int) -> list[str]:
    parts = []
    last = -100.0
    lines = []
    for t, distance in axis.ticks(64):
        x = axis.x(t)
        lines.append(f"M{x:.1f} {_TOP}V{bottom + 4}")
        label = axis_label(t, distance)
        if x - last >= len(label) * _CHARACTER + 8 and x < _RIGHT - 4:
            parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 15}">{label}</text>')
            last = x
    grid = f'<path class="grid" d="{"".join(lines)}"/>' if lines else ""
    return [grid, f'<path class="axis" d="M{_LEFT} {bottom + 0.5}H{_RIGHT}"/>', *parts]


def _row(row: LedRow, axis: Axis, top: int) -> Iterator[str]:
    colour = COLOURS.get(row.colour, COLOURS["white"])
    low = top + _BAND_TOP + _BAND
    yield f'<circle cx="7" cy="{low - _BAND / 2}" r="4" fill="{colour}"/>'
    yield f'<text class="led" x="15" y="{low - 3}">{escape(row.line)}</text>'
    runs: list[str] = []
    unknown: list[str] = []
    for begin, end, count in _groups(row, axis):
        segment = row.segments[begin]
        left, right = axis.x(segment.begin), axis.x(row.segments[end - 1].end)
        title, label = _labels(row, begin, end, count)
        shape = f'<rect class="hit" x="{left:.1f}" y="{top + 2}" width="{right - left:.1f}" height="{_PITCH - 6}"/>'
        if count > 3 and (right - left) / count < _DENSE:
            shape = (
                f'<rect x="{left:.1f}" y="{top + _BAND_TOP}" width="{max(right - left, 1.5):.1f}" height="{_BAND}" '
                f'fill="url(#hatch-{row.colour if row.colour in COLOURS else "white"})"/>'
            )
        else:
            _draw(row, segment.begin, row.segments[end - 1].end, axis, top, (runs, unknown))
        text = ""
        fitting = next((word for word in label if len(word) * _CHARACTER + 4 <= right - left), "")
        if fitting:
            text = f'<text class="pattern" x="{left + 2:.1f}" y="{top + 11}">{escape(fitting)}</text>'
        yield f"<g><title>{escape(title)}</title>{shape}{text}</g>"
    yield f'<path class="off" d="M{_LEFT} {low}H{_RIGHT}"/>'
    if runs:
        yield f'<path d="{"".join(runs)}" fill="{colour}"/>'
    if unknown:
        yield f'<path class="unknown" d="{"".join(unknown)}"/>'


def _groups(row: LedRow, axis: Axis) -> Iterator[tuple[int, int, int]]:
    """Segments to draw as (first, behind the last, number of edges); slivers in a row become one group."""
    times = [t for t, _ in row.changes]
    place = drawn = 0
    while place < len(row.segments):
        end = place + 1
        while end < len(row.segments) and (
            drawn >= _MAX_RUNS
            or (_width(row.segments[end - 1], axis) < _DENSE and _width(row.segments[end], axis) < _DENSE)
        ):
            end += 1
        begin_t, end_t = row.segments[place].begin, row.segments[end - 1].end
        yield place, end, bisect_left(times, end_t) - bisect_right(times, begin_t)
        drawn += 1
        place = end


def _width(segment: LedSegment, axis: Axis) -> float:
    return axis.x(segment.end) - axis.x(segment.begin)


def _labels(row: LedRow, begin: int, end: int, count: int) -> tuple[str, tuple[str, ...]]:
    first, last = row.segments[begin], row.segments[end - 1]
    where = f"{row.line}, {instant(first.begin)} to {instant(last.end)}"
    if end - begin > 1:
        return f"{where}: {end - begin} short patterns, {count} edges", (f"{count} edges",)
    figures = f" ({first.figures})" if first.figures else ""
    return f"{where}: {first.pattern}{figures}", (first.pattern, first.short)


def _draw(row: LedRow, begin: float, end: float, axis: Axis, top: int, into: tuple[list[str], list[str]]) -> None:
    """Add the lit and the unknown runs between `begin` and `end` as path data."""
    index = max(0, bisect_right(row.changes, begin, key=lambda change: change[0]) - 1)
    high, low = top + _BAND_TOP, top + _BAND_TOP + _BAND
    for place in range(index, len(row.changes)):
        t, level = row.changes[place]
        if t >= end:
            break
        until = row.changes[place + 1][0] if place + 1 < len(row.changes) else end
        left = axis.x(max(t, begin))
        width = max(axis.x(min(until, end)) - left, 0.9)
        if level is Level.ON:
            into[0].append(f"M{left:.1f} {high}h{width:.1f}V{low}h{-width:.1f}z")
        elif level is Level.UNKNOWN:
            into[1].append(f"M{left:.1f} {low - _BAND / 2}h{width:.1f}")


def _break_columns(axis: Axis, bottom: int) -> Iterator[str]:
    for piece in axis.pieces:
        if piece.broken:
            size = f'x="{piece.left:.1f}" y="{_TOP}" width="{piece.right - piece.left:.1f}" height="{bottom - _TOP}"'
            yield f'<rect class="break" {size}/>'


def _cuts(axis: Axis, rows: int, bottom: int) -> Iterator[str]:
    """Slanted cuts through every row of the shortened columns, and how much was left out."""
    for piece in axis.pieces:
        if not piece.broken:
            continue
        middle = (piece.left + piece.right) / 2
        lows = [_TOP + _PITCH * place + _BAND_TOP + _BAND + 3 for place in range(rows)]
        gaps = "".join(f"M{middle - 4:.1f} {low}l8 -20" for low in lows)
        edges = "".join(f"M{middle - 6.5:.1f} {low}l8 -20m5 0l-8 20" for low in lows)
        yield (
            f'<path class="gap" d="{gaps}"/>'
            f'<path class="cut" d="{edges}M{middle - 7:.1f} {bottom + 5}l5 -10m4 0l-5 10"/>'
            f'<text class="left-out" x="{middle:.1f}" y="{bottom + 28}">{span(piece.end - piece.begin)}</text>'
        )


def _marks(marks: tuple[StepMark, ...], axis: Axis, bottom: int) -> Iterator[str]:
    """Step boundaries: a line each, the numbers of those that stand too close joined."""
    groups: list[list[StepMark]] = []
    for mark in sorted(marks, key=lambda mark: mark.t):
        if groups and axis.x(mark.t) - axis.x(groups[-1][0].t) < 17:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    for group in groups:
        x = axis.x(group[0].t)
        worst = max(mark.verdict for mark in group)
        kind = f" v-{worst}" if worst > Verdict.PASS else ""
        numbers = str(group[0].number) if len(group) == 1 else f"{group[0].number}–{group[-1].number}"
        title = " / ".join(f"Step {mark.number}: {mark.sentence}" for mark in group[:6])
        width = 6 + _CHARACTER * len(numbers)
        yield (
            f'<g class="step{kind}"><title>{escape(title)}</title><path d="M{x:.1f} 16V{bottom}"/>'
            f'<rect x="{x:.1f}" y="3" width="{width:.1f}" height="13"/>'
            f'<text x="{x + 3:.1f}" y="13">{numbers}</text></g>'
        )
