"""What the LEDs did in a stored case, with the recognised patterns: the one place that knows the waveform analyser."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from bench.report.figures import span
from bench.report.model import LedGroup, LedRow, LedSegment, Level
from bench.report.stored_timeline import StoredTimeline
from devices.errors import BenchError, UsageError
from devices.gateway_types import load, names
from devices.leds.groups import relate
from devices.leds.pattern import Blink, Burst, Flash, Off, On, Pattern, Pulsed, Undecided
from devices.leds.reading import Figure, Reading
from devices.leds.vcd import VcdRecording, read_vcd
from devices.leds.waveform import segments

COLOURS = {"PWR": "green", "TLS": "green", "LMC": "green", "wMT": "green"}
"""Colours for gateway types that this version does not know (wan-core 9.3); all other LEDs are drawn white."""
MAX_EDGES = 20_000
"""Edges of one LED that are analysed; of more the first and the last half, and what lies between is said to be."""
MAX_GROUPED = 200
"""Blinking stretches of one LED that are compared with those of others."""
GROUP_SLACK_S = 1.0
"""How far begins and ends of blinking may be apart for LEDs to be compared."""

Change = tuple[float, Level]


@dataclass(frozen=True, slots=True)
class LedRecord:
    """What was found of the LEDs of a case.

    Attributes:
        rows: every LED, in the order of the recording.
        groups: LEDs that moved at the same time, and how they stood to each other.
        damage: what could not be read, in words.
    """

    rows: tuple[LedRow, ...] = ()
    groups: tuple[LedGroup, ...] = ()
    damage: tuple[str, ...] = ()


def led_record(folder: Path, timeline: StoredTimeline, gateway: str, begin: float, end: float) -> LedRecord:
    """All LEDs of the case in `folder` between `begin` and `end` (bench seconds).

    They are read from ``leds.vcd``, or where that is missing from the edges that the timeline holds.
    """
    damage: tuple[str, ...] = ()
    lines: dict[str, list[Change]] = {}
    path = folder / "leds.vcd"
    if path.is_file():
        try:
            lines = _from_recording(read_vcd(path))
        except BenchError as error:
            damage = (str(error).replace(str(path), path.name),)
    lines = lines or _from_timeline(timeline, begin)
    moving: list[tuple[str, Reading]] = []
    rows = tuple(_row(line, changes, gateway, (begin, end), moving) for line, changes in lines.items())
    return LedRecord(rows, tuple(_groups(moving)), damage)


@cache
def _colours(gateway: str) -> Mapping[str, str]:
    """Colours of the LEDs of a built-in product, as its manual says; empty for any other."""
    if gateway not in names():
        return {}
    try:
        product = load(gateway)
    except UsageError:
        return {}
    return {line: entry.colour.split()[0].lower() for line, entry in product.leds.lines.items() if entry.colour}


def _row(
    line: str, changes: list[Change], gateway: str, window: tuple[float, float], moving: list[tuple[str, Reading]]
) -> LedRow:
    begin, end = window
    changes = [change for change in changes if change[0] <= end]
    colour = _colours(gateway).get(line) or COLOURS.get(line, "white")
    levels = [level for _, level in changes]
    edges = max(0, len(levels) - 1)
    if Level.UNKNOWN in levels:
        edges = sum(Level.UNKNOWN not in pair for pair in pairwise(levels))
    found: list[Reading] = []
    segments_of_row = tuple(_segments(changes, begin, end, found))
    moving += [(line, reading) for reading in found if isinstance(reading.pattern, Blink | Burst)][:MAX_GROUPED]
    return LedRow(line, colour, tuple(changes), edges, segments_of_row)


def _groups(moving: list[tuple[str, Reading]]) -> Iterator[LedGroup]:
    """How LEDs stand to each other that blink over the same time, give or take `GROUP_SLACK_S`."""
    left = sorted(moving, key=lambda item: item[1].start)
    while left:
        _, first = left[0]
        alike = {
            line: reading
            for line, reading in left
            if abs(reading.start - first.start) <= GROUP_SLACK_S and abs(reading.end - first.end) <= GROUP_SLACK_S
        }
        left = [item for item in left[1:] if alike.get(item[0]) is not item[1]]
        if len(alike) > 1:
            group = relate(alike)
            yield LedGroup(first.start, first.end, group.lines, group.relation.value)


def _from_recording(recording: VcdRecording) -> dict[str, list[Change]]:
    lines: dict[str, list[Change]] = {}
    for line, lit in recording.initial.items():
        lines[line] = [(recording.start, Level.UNKNOWN if lit is None else Level.ON if lit else Level.OFF)]
        lines[line] += [(since, Level.UNKNOWN) for since, _ in recording.unknown.get(line, ())]
    for edge in recording.edges:
        lines[edge.line].append((edge.t, Level.ON if edge.lit else Level.OFF))
    return {line: _changes(sorted(found, key=lambda change: change[0])) for line, found in lines.items()}


def _changes(found: list[Change]) -> list[Change]:
    """`found` without what repeats the level before it."""
    return found[:1] + [after for before, after in pairwise(found) if after[1] is not before[1]]


def _from_timeline(timeline: StoredTimeline, begin: float) -> dict[str, list[Change]]:
    """The same from ``led`` events; before its first edge an LED had the other level."""
    lines: dict[str, list[Change]] = {}
    for event in timeline.events("led"):
        line, lit = event.data.get("line"), event.data.get("lit")
        if isinstance(line, str) and isinstance(lit, bool):
            changes = lines.setdefault(line, [(begin, Level.OFF if lit else Level.ON)])
            changes.append((event.t, Level.ON if lit else Level.OFF))
    return {line: _changes(found) for line, found in lines.items()}


def _segments(changes: list[Change], begin: float, end: float, found: list[Reading]) -> Iterator[LedSegment]:
    """Patterns without gaps from `begin` to `end`; stretches of unknown level stand by themselves."""
    index = bisect_right(changes, begin, key=lambda change: change[0])
    cursor = begin
    level = changes[index - 1][1] if index else Level.UNKNOWN
    while cursor < end:
        stop = index
        while stop < len(changes) and (changes[stop][1] is Level.UNKNOWN) == (level is Level.UNKNOWN):
            stop += 1
        until = min(end, changes[stop][0]) if stop < len(changes) else end
        if level is Level.UNKNOWN:
            yield LedSegment(cursor, until, "not known", "?", steady=True)
        else:
            yield from _known(changes[index:stop], level, (cursor, until), found)
        if stop >= len(changes):
            return
        cursor, level, index = until, changes[stop][1], stop + 1


def _known(
    changes: list[Change], level: Level, window: tuple[float, float], found: list[Reading]
) -> Iterator[LedSegment]:
    begin, end = window
    edges = [(t, is_on is Level.ON) for t, is_on in changes]
    initial = level is Level.ON
    if len(edges) <= MAX_EDGES:
        yield from _analysed(edges, begin, end, initial, found)
        return
    head, tail = edges[: MAX_EDGES // 2], edges[-MAX_EDGES // 2 :]
    yield from _analysed(head, begin, head[-1][0], initial, found)
    text = f"not analysed: {len(edges) - MAX_EDGES} edges"
    yield LedSegment(head[-1][0], tail[0][0], text, "not analysed", steady=False)
    yield from _analysed(tail[1:], tail[0][0], end, tail[0][1], found)


def _analysed(
    edges: list[tuple[float, bool]], begin: float, end: float, initial: bool, found: list[Reading]
) -> Iterator[LedSegment]:
    times = [t for t, _ in edges]
    for reading in segments(edges, begin, end, initial):
        found.append(reading)
        first = bisect_right(times, reading.start)
        still = first == len(times) or times[first] >= reading.end
        yield _segment(reading, (edges[first - 1][1] if first else initial) if still else None)


def _segment(reading: Reading, level: bool | None) -> LedSegment:
    """The segment for a reading; `level`: what it is all the time, though too short to be called steady."""
    pattern = reading.pattern
    if isinstance(pattern, Undecided) and level is not None:
        word = "on" if level else "off"
        return LedSegment(
            reading.start, reading.end, f"{word} for {span(reading.end - reading.start)}", word, steady=True
        )
    steady = isinstance(pattern, On | Off) or (isinstance(pattern, Undecided) and not pattern.moving)
    text = "undecided" if isinstance(pattern, Undecided) else str(pattern)
    return LedSegment(reading.start, reading.end, text, _short(pattern), steady, _measured(reading))


def _short(pattern: Pattern) -> str:
    if isinstance(pattern, Pulsed):
        pattern = pattern.blink
    if isinstance(pattern, Blink):
        return span(pattern.period_s) if pattern.period_s is not None else "blinking"
    if isinstance(pattern, Burst):
        return f"{pattern.count} flashes"
    if isinstance(pattern, Flash):
        return "flash"
    return "?" if isinstance(pattern, Undecided) else str(pattern)


_SHOWN = ("period", "duty", "on", "duration")


def _measured(reading: Reading) -> str:
    """Figures with one standard deviation, and edges that were not as they should be."""
    if isinstance(reading.pattern, Undecided):
        return reading.pattern.why
    parts = [_figure(figure) for name in _SHOWN if (figure := reading.figure(name)) is not None]
    odd = Counter(anomaly.kind for anomaly in reading.anomalies)
    parts += [f"{count} {_ANOMALIES[kind]}" for kind, count in sorted(odd.items())]
    return ", ".join(parts)


_ANOMALIES = {"glitch": "glitch", "missed": "edge missing", "false": "false edge"}


def _figure(figure: Figure) -> str:
    scale, unit = (100.0, "%") if figure.unit == "1" else (1e3, "ms") if abs(figure.value) < 10 else (1.0, "s")
    text = f"{figure.name} {figure.value * scale:.1f}"
    if figure.uncertainty is not None:
        text += f" ± {max(figure.uncertainty * scale, 0.1):.1f}"
    return f"{text} {unit}"
