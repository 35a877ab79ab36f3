"""The bench's eye on the LEDs: keeps the edges of a source and says at any time what each LED shows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from devices.leds.groups import Group, relate
from devices.leds.limits import DEFAULT_LIMITS, Limits
from devices.leds.pattern import Off, On, Undecided
from devices.leds.reading import Reading
from devices.leds.waveform import analyse, newest, segments
from devices.ports.led_lines import EdgeListener, EdgeListeners, LedEdge, LedSource

DEFAULT_WINDOW_S = 10.0
"""How far back a reading looks: five cycles of the slowest known pattern, one expected anomaly."""
HISTORY_S = 120.0
"""How long edges are kept (assumed)."""
MAX_EDGES = 20_000
"""Edges that are kept per line, however fast they come; 120 s at eight times the fastest known pattern."""
_REFRESH_S = 2.5
"""While a repeating pattern just goes on, its figures are made anew this often (assumed)."""
_LATE = 1e-6
"""A check is due this much behind the instant at which the judgement changes."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A reading that was made.

    Attributes:
        version: of the line when it was made.
        at: time for which it was made.
        judged_at: time at which all edges of the window were last looked at for it.
        reading: what it was.
    """

    version: int
    at: float
    judged_at: float
    reading: Reading


@dataclass(frozen=True, slots=True)
class Run:
    """A time in which a LED keeps its level.

    Attributes:
        start, end: seconds.
        lit: None: not known.
        sure: False: its last edge was missed, so that it ended somewhere before `end`.
    """

    start: float
    end: float
    lit: bool | None
    sure: bool = True


@dataclass(slots=True)
class _Line:
    """History of one LED.

    Attributes:
        since: from when on it is known.
        initial: level at `since`.
        edges: (seconds, lit), in order of time.
        version: grows with each edge.
        put_in: times of edges that were missed and put in when that was found out.
        kept: kind of reading and window -> the last one of them.
    """

    since: float
    initial: bool | None
    edges: list[tuple[float, bool]] = field(default_factory=list)
    version: int = 0
    put_in: set[float] = field(default_factory=set)
    kept: dict[tuple[str, float], _Kept] = field(default_factory=dict)

    def add(self, t: float, lit: bool, keep_since: float) -> None:
        edges = self.edges
        if edges and t < edges[-1][0]:
            insort(edges, (t, lit), key=lambda edge: edge[0])
        else:
            edges.append((t, lit))
        self.version += 1
        if len(edges) > MAX_EDGES or (self.version % 256 == 0 and edges[0][0] < keep_since):
            self._forget(max(bisect_left(edges, keep_since, key=lambda edge: edge[0]), len(edges) - MAX_EDGES * 3 // 4))

    def _forget(self, count: int) -> None:
        if count > 0:
            self.since, self.initial = self.edges[count - 1]
            del self.edges[:count]
            self.put_in = {t for t in self.put_in if t >= self.since}

    def window(self, start: float, end: float) -> tuple[Sequence[tuple[float, bool]], float, bool | None]:
        """Edges in the window, where it really starts, and the level there."""
        start = max(start, self.since)
        lo = bisect_left(self.edges, start, key=lambda edge: edge[0])
        hi = bisect_right(self.edges, end, key=lambda edge: edge[0])
        return self.edges[lo:hi], start, self.edges[lo - 1][1] if lo else self.initial


class LedWatch:
    """Keeps the edges of a source, bounded in time and memory, and reads patterns from them.

    Attributes:
        lines: the LEDs that can be seen.
        since: when watching began, seconds on the clock.
        first_levels: which LEDs were lit then; None: not known.
        limits: what the analyser takes for granted.
        ends: when the source has nothing more to tell (a recording is over), seconds on the clock; None: never.
    """

    def __init__(
        self,
        clock_seconds: Callable[[], float],
        source: LedSource,
        *,
        limits: Limits = DEFAULT_LIMITS,
        history_s: float = HISTORY_S,
    ) -> None:
        """Watch `source` from now on; `clock_seconds` is the clock that stamps its edges (``Clock.seconds``)."""
        self.lines: tuple[str, ...] = source.lines
        self._clock_seconds = clock_seconds
        self.limits = limits
        self._history_s = history_s
        self.since = now = clock_seconds()
        levels = source.levels()
        self.first_levels: dict[str, bool | None] = {line: levels.get(line) for line in source.lines}
        self._lines = {line: _Line(now, level) for line, level in self.first_levels.items()}
        self._source = source
        self.ends: float | None = getattr(source, "ends", None)
        self._watching = True
        self._listeners = EdgeListeners()
        self._end = source.subscribe(self._seen)

    def _seen(self, edge: LedEdge) -> None:
        line = self._lines.get(edge.line)
        if line is None:
            return
        line.add(edge.t, edge.lit, edge.t - self._history_s)
        self._listeners.tell(edge)

    def levels(self) -> dict[str, bool | None]:
        """Which LEDs are lit after the last edge; None: not known."""
        return {name: line.edges[-1][1] if line.edges else line.initial for name, line in self._lines.items()}

    def reading(self, line: str, now: float | None = None, *, window: float = DEFAULT_WINDOW_S) -> Reading:
        """What the LED shows at `now` (default: the clock's), judged by the last `window` seconds.

        The reading's ``start`` tells since when it shows that, not farther back than the window. While a pattern just
        repeats, figures may be up to 2.5 s old. What looks steady is compared with the level that the source says is
        there: without that, a missed last edge would show a wrong level for ever. KeyError for a LED that is not
        watched.
        """
        reading = self._read("newest", newest, line, now, window)
        if isinstance(reading.pattern, On | Off) and self._contradicted(line, isinstance(reading.pattern, On)):
            reading = self._read("newest", newest, line, now, window)
        return reading

    def _contradicted(self, name: str, lit: bool) -> bool:
        """Whether the source says that a steady LED has the other level: its last edge was missed.

        An edge is then put in, now; a blinking LED needs no such check, for its missed edges show.
        """
        level = self._source.levels().get(name) if self._watching else None
        if level is None or level == lit or self.levels()[name] == level:
            return False
        now = self._clock_seconds()
        self._lines[name].add(now, level, now - self._history_s)
        self._lines[name].put_in.add(now)
        return True

    def whole(self, line: str, window: float, now: float | None = None) -> Reading:
        """What the last `window` seconds show taken as one thing: also a `Flash` or a `Pulsed` blink."""
        return self._read("whole", analyse, line, now, window)

    def segments(
        self, line: str, window: float, now: float | None = None, limits: Limits | None = None
    ) -> list[Reading]:
        """What the LED showed in the last `window` seconds, one after the other; by other `limits` if given."""
        end = self._clock_seconds() if now is None else now
        edges, start, initial = self._lines[line].window(end - window, end)
        return segments(edges, min(start, end), end, initial, limits or self.limits)

    def edges(self, line: str, window: float | None = None) -> list[tuple[float, bool]]:
        """The kept edges of the last `window` seconds, or all of them."""
        history = self._lines[line]
        end = self._clock_seconds()
        return list(history.window(history.since if window is None else end - window, end)[0])

    def unknown(self, line: str) -> Sequence[tuple[float, float]]:
        """Spans in which the source says itself that it does not know the level of a LED, seconds."""
        told: Callable[[str], Sequence[tuple[float, float]]] | None = getattr(self._source, "unknown", None)
        return () if told is None else told(line)

    def runs(self, line: str, begin: float, end: float) -> list[Run]:
        """The levels of a LED from `begin` to `end`, seconds, one after the other; what is forgotten has none."""
        history = self._lines[line]
        edges, since, level = history.window(begin, end)
        found: list[Run] = []
        for t, lit in edges:
            if lit != level:
                if t > since:
                    found.append(Run(since, t, level, t not in history.put_in))
                since, level = t, lit
        if end > since:
            found.append(Run(since, end, level))
        return found

    def steady_since(self, line: str, lit: bool) -> float:
        """Since when a LED that shows `lit` has done so, seconds; levels too short to count do not end that."""
        history = self._lines[line]
        since: float | None = None
        for t, level in reversed(history.edges):
            if level == lit:
                since = t
            elif since is not None and since - t > self.limits.outage_s:
                return since
        if since is None or history.initial == lit:
            return history.since
        return since

    def _read(self, kind: str, judge: Callable[..., Reading], name: str, now: float | None, window: float) -> Reading:
        line = self._lines[name]
        end = self._clock_seconds() if now is None else now
        key = (kind, window)
        kept = line.kept.get(key)
        if kept is not None and kept.version == line.version and kept.at == end:
            return kept.reading
        reading = None
        if kept is not None and kind == "newest" and 0 <= end - kept.judged_at < _REFRESH_S:
            reading = self._continued(line, kept, end)
        judged_at = end if reading is None or kept is None else kept.judged_at
        if reading is None:
            edges, start, initial = line.window(end - window, end)
            reading = judge(edges, min(start, end), end, initial, self.limits)
        if len(line.kept) > 8:
            line.kept.clear()
        line.kept[key] = _Kept(line.version, end, judged_at, reading)
        return reading

    def _continued(self, line: _Line, kept: _Kept, end: float) -> Reading | None:
        """A repeating pattern that just goes on costs little: only the edges since then are looked at."""
        fresh = line.version - kept.version
        if fresh >= len(line.edges) or kept.at > end:
            return None
        edges = line.edges[len(line.edges) - fresh :]
        if edges and (edges[0][0] < kept.at or edges[-1][0] > end):
            return None
        return kept.reading.continued(edges, end, self.limits)

    def group(self, lines: Sequence[str], now: float | None = None, *, window: float = DEFAULT_WINDOW_S) -> Group:
        """How two or more LEDs stand to each other at `now`: together, alternating, unrelated, undecided."""
        return relate({line: self.reading(line, now, window=window) for line in lines}, self.limits)

    def next_check(self, line: str | None = None, now: float | None = None) -> float | None:
        """When a judgement could change next although no edge comes, seconds on the clock.

        Whoever waits for a pattern sleeps until then or until the next edge (`subscribe`).

        Args:
            line: of this LED; None: of any.
            now: default: the clock's.

        Returns:
            A time after `now`; None when without an edge nothing can change any more.
        """
        end = self._clock_seconds() if now is None else now
        names = self.lines if line is None else (line,)
        times = [at for name in names for at in self._due(name, end) if at > end]
        return min(times, default=None)

    def _due(self, name: str, now: float) -> list[float]:
        line = self._lines[name]
        last = line.edges[-1][0] if line.edges else line.since
        times = [last + self.limits.steady_s + _LATE]
        if line.edges and now <= last + self.limits.steady_s:
            reading = self.reading(name, now)
            if reading.due is not None:
                times.append(reading.due + _LATE)
            elif isinstance(reading.pattern, Undecided):
                # a level that has lasted since an older edge than the last, which only repeated it
                times.append(reading.start + self.limits.steady_s + _LATE)
        return times

    def subscribe(self, listener: EdgeListener) -> Callable[[], None]:
        """Call `listener` after each edge has been taken in; returns the function that ends it."""
        return self._listeners.subscribe(listener)

    def close(self) -> None:
        """Stop watching; what was seen can still be read. May be called twice."""
        self._watching = False
        self._end()
        self._listeners.clear()
