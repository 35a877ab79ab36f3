"""What a LED shows in a window of time, out of its edges. Sans-IO: edges in, a reading out, no clock.

Three questions, one method: `analyse` asks what a whole window shows, `newest` what the LED shows at the end of it,
`segments` what it showed one after the other. Each takes run lengths between edges, lets the usual ones (medians)
propose a cycle, lays that cycle along all edges, and believes it when enough cycles fit and hardly an edge does not.
Whatever cannot be told for sure is `Undecided`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from devices.leds.limits import DEFAULT_LIMITS, Limits
from devices.leds.pattern import Blink, Burst, Flash, Off, On, Undecided
from devices.leds.reading import Figure, Reading, flash_reading, pulsed_reading, repeating_reading
from devices.leds.template import Anomaly, Level, Walk, anchors, believable, debounce, propose, walk
from devices.ports.led_lines import LedEdge

__all__ = ["Figure", "Level", "Reading", "analyse", "levels_of", "newest", "segments"]

_CHUNKS = (7, 12, 20, 36, 64)
"""Edges from which a cycle is proposed, smallest number first; three bursts of eight are 48."""
_EPSILON = 1e-9


def levels_of(edges: Iterable[LedEdge], line: str) -> list[Level]:
    """The edges of one line as (seconds, lit), in order of time."""
    return sorted(((edge.t, edge.lit) for edge in edges if edge.line == line), key=lambda level: level[0])


@dataclass(frozen=True, slots=True)
class _Window:
    """Debounced edges of one line between two times."""

    edges: list[Level]
    start: float
    end: float
    initial: bool | None
    glitches: tuple[Anomaly, ...]
    limits: Limits

    def undecided(self, why: str, *, moving: bool = False, start: float | None = None) -> Reading:
        return Reading(Undecided(why, moving), self.start if start is None else start, self.end)


def _window(edges: Sequence[Level], start: float, end: float, initial: bool | None, limits: Limits) -> _Window:
    if not end >= start:
        raise ValueError(f"a window ends after it starts, not at {end} s after {start} s")
    lo = bisect_left(edges, start, key=lambda edge: edge[0])
    hi = bisect_right(edges, end, key=lambda edge: edge[0])
    if lo and initial is None:
        initial = edges[lo - 1][1]
    if hi - lo > 4 + 2 * limits.max_edges_per_s * (end - start):
        return _Window(list(edges[lo:hi]), start, end, initial, (), limits)
    kept, glitches = debounce(edges[lo:hi], initial, limits)
    return _Window(kept, start, end, initial, tuple(glitches), limits)


def _too_fast(window: _Window) -> Reading | None:
    rate = window.limits.max_edges_per_s
    if len(window.edges) <= 4 + rate * (window.end - window.start):
        return None
    return window.undecided(f"more than {rate:.0f} edges per second: no pattern of a LED", moving=True)


@dataclass(frozen=True, slots=True)
class _Quiet:
    """A span without a change of level: edges may repeat the level in it.

    Attributes:
        since, until: seconds.
        level: lit or not; None: not known.
        repeats: edges that repeat the level.
        steady: long enough, in one piece, to be called steady.
        next: index of the edge that ends it.
    """

    since: float
    until: float
    level: bool | None
    repeats: tuple[Anomaly, ...]
    steady: bool
    next: int


def _quiet_from(window: _Window, index: int, since: float, level: bool | None) -> _Quiet:
    """The quiet span that begins at `since`; ``edges[index]`` is the first edge after it began."""
    edges, i, last, longest = window.edges, index, since, 0.0
    while i < len(edges) and level is not None and edges[i][1] == level:
        longest = max(longest, edges[i][0] - last)
        last = edges[i][0]
        i += 1
    until = edges[i][0] if i < len(edges) else window.end
    longest = max(longest, until - last)
    repeats = tuple(Anomaly(t, "false") for t, _ in edges[index:i])
    glitches = sum(since <= glitch.t <= until for glitch in window.glitches)
    steady = (
        level is not None
        and longest + _EPSILON >= window.limits.steady_s
        and len(repeats) + glitches <= window.limits.allowed_anomalies(until - since)
    )
    return _Quiet(since, until, level, repeats, steady, i)


def _last_quiet(window: _Window) -> _Quiet:
    """The quiet span that reaches to the end of the window."""
    edges = window.edges
    i = len(edges)
    while i > 0 and edges[i - 1][1] == edges[-1][1]:
        i -= 1
    # edges[i] is where the present level began, unless it had been so from the start
    if i == 0 and (not edges or window.initial == edges[0][1]):
        return _quiet_from(window, 0, window.start, window.initial)
    return _quiet_from(window, i + 1, edges[i][0], edges[i][1])


def _steady_reading(quiet: _Quiet, window: _Window) -> Reading:
    glitches = tuple(glitch for glitch in window.glitches if quiet.since <= glitch.t <= quiet.until)
    span = Figure("steady", quiet.until - quiet.since, "s", window.limits.jitter_s)
    return Reading(
        On() if quiet.level else Off(), quiet.since, quiet.until, (span,), anomalies=quiet.repeats + glitches
    )


@dataclass(slots=True)
class _Found:
    """The outcome of looking for a repeating pattern: the best walk, and why it is not believed, if not."""

    walk: Walk | None = None
    why: str = "no regular pattern"


def _stretch(window: _Window, lo: int, hi: int, *, from_end: bool) -> _Found:
    """A repeating pattern in ``edges[lo:hi]`` that holds at its end (`from_end`) or is the first to begin."""
    outcome = _Found()
    edges, limits = window.edges, window.limits
    for size in _CHUNKS:
        a, b = (max(lo, hi - size), hi) if from_end else (lo, min(hi, lo + size))
        best: Walk | None = None
        for template in propose(edges[a:b], limits):
            for anchor in anchors(edges, a, b, template, limits, newest=from_end):
                found = walk(edges, lo, hi, anchor, template, limits)
                if from_end and not found.tail_fits:
                    continue
                why = believable(found, window.glitches, limits)
                if why is not None:
                    if found.span > template.period:
                        outcome.why = why
                    continue
                if best is None or len(found.matched) - len(best.matched) > 2 * len(found.anomalies):
                    best = found
                break
            if best is not None and not best.anomalies:
                break
        if best is not None:
            return _Found(best)
        if b - a < size:
            break
    return outcome


def _moving(window: _Window) -> bool:
    """Whether the LED changed more often of late than a disturbance could make it."""
    since = window.end - window.limits.steady_s
    recent = [level for t, level in window.edges if t >= since]
    return sum(a != b for a, b in pairwise(recent)) >= 3


def newest(
    edges: Sequence[Level],
    start: float,
    end: float,
    initial: bool | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Reading:
    """What the LED shows at the end of the window; the reading's span is as far back as it has shown that.

    Args:
        edges: of one line, in order of time; those outside the window are left out.
        start, end: the window, seconds; the LED was watched all that time.
        initial: whether it was lit at `start`; None: not known (an edge before `start` tells it too).
        limits: what the analyser takes for granted.
    """
    window = _window(edges, start, end, initial, limits)
    fast = _too_fast(window)
    if fast is not None:
        return fast
    quiet = _last_quiet(window)
    if quiet.steady:
        return _steady_reading(quiet, window)
    if quiet.level is None:
        return window.undecided("no edge was seen, and its level is not known")
    lo = len(window.edges)
    while lo > 0 and (lo == len(window.edges) or window.edges[lo][0] - window.edges[lo - 1][0] < limits.steady_s):
        lo -= 1
    found = _stretch(window, lo, len(window.edges), from_end=True)
    if found.walk is not None and found.walk.overdue(end, limits) <= 1:
        border = start if found.walk.first == 0 and found.walk.ahead(start, limits) == 0 else found.walk.start
        return repeating_reading(found.walk, border, end, window.glitches, limits)
    held = end - quiet.since
    why = f"{'on' if quiet.level else 'off'} for {held:.3g} s" if found.walk is not None or not lo else found.why
    if found.walk is None and len(window.edges) - lo > 2:
        why = found.why
    return window.undecided(why, moving=_moving(window), start=quiet.since)


def analyse(
    edges: Sequence[Level],
    start: float,
    end: float,
    initial: bool | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Reading:
    """What the LED shows in the whole window, taken as one thing; arguments as `newest`.

    Besides what repeats or is steady it knows what happens once in a window: a `Flash` out of the dark, a `Pulsed`
    blink with a steady LED before and after.
    """
    window = _window(edges, start, end, initial, limits)
    fast = _too_fast(window)
    if fast is not None:
        return fast
    parts = _segments(window)
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 3 and all(isinstance(part.pattern, Off | On) for part in (parts[0], parts[2])):
        before, middle, after = parts
        if isinstance(middle.pattern, Flash) and before.pattern == after.pattern == Off():
            return replace(middle, start=start, end=end)
        if isinstance(middle.pattern, Blink | Burst):
            return pulsed_reading(middle, start, end, limits)
    what = ", then ".join(str(part.pattern) for part in parts[:4]) + (" ..." if len(parts) > 4 else "")
    return window.undecided(f"not one pattern: {what}", moving=_moving(window))


def segments(
    edges: Sequence[Level],
    start: float,
    end: float,
    initial: bool | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Reading]:
    """What the LED showed one after the other; spans follow each other without gaps; arguments as `newest`."""
    return _segments(_window(edges, start, end, initial, limits))


def _segments(window: _Window) -> list[Reading]:
    edges, limits = window.edges, window.limits
    parts = _Parts(window, window.start)
    index, level = 0, window.initial
    while True:
        quiet = _quiet_from(window, index, parts.cursor if not index else edges[index - 1][0], level)
        if quiet.steady:
            parts.add(_steady_reading(quiet, window))
        if quiet.next >= len(edges):
            break
        first = quiet.next
        last = first
        while last + 1 < len(edges) and edges[last + 1][0] - edges[last][0] < limits.steady_s:
            last += 1
        index = _active(parts, first, last, after_steady=quiet.steady)
        level = edges[index - 1][1]
    parts.close()
    return parts.readings


@dataclass(slots=True)
class _Parts:
    """Segments as they are found; what lies between them becomes undecided."""

    window: _Window
    cursor: float
    readings: list[Reading] = field(default_factory=list)
    why: str = ""

    def add(self, reading: Reading) -> None:
        self._fill(reading.start)
        self.readings.append(replace(reading, start=self.cursor))
        self.cursor = reading.end

    def close(self) -> None:
        self._fill(self.window.end)

    def _fill(self, until: float) -> None:
        if until - self.cursor > _EPSILON or (not self.readings and until >= self.window.end):
            why = self.why or f"less than {self.window.limits.steady_s:g} s, and no regular pattern"
            self.readings.append(Reading(Undecided(why), self.cursor, until))
            self.cursor = until
        self.why = ""


def _active(parts: _Parts, first: int, last: int, *, after_steady: bool) -> int:
    """Segments of a run of edges without a long quiet time; returns the index of the first edge behind it."""
    window, limits = parts.window, parts.window.limits
    edges = window.edges
    if first + 1 == last and after_steady and edges[first][1] and not edges[last][1]:
        follow = edges[last + 1][0] if last + 1 < len(edges) else window.end
        if follow - edges[last][0] >= limits.steady_s:
            parts.add(flash_reading(edges[first][0], edges[last][0], limits))
            return last + 1
    lo = first
    while lo <= last:
        found = _stretch(window, lo, last + 1, from_end=False)
        if found.walk is None:
            parts.why = found.why
            lo += 3
            continue
        here = found.walk
        start, end = here.start, here.end
        if here.first <= 1 and not parts.readings and here.ahead(window.start, limits) <= 1:
            start = parts.cursor
        if last + 1 == len(edges) and here.last >= last - 1 and here.overdue(window.end, limits) <= 1:
            end = window.end
        parts.add(repeating_reading(here, start, end, window.glitches, limits))
        if end == window.end:
            return len(edges)
        lo = here.last if here.last > lo else here.last + 1
        if here.last == last:
            break
    return last + 1
