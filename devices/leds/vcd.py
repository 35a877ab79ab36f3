"""LED waveforms as value change dumps (IEEE 1364-2005 chapter 18): written while they happen, read from anybody.

One wire per LED; time is the bench's seconds. Any waveform viewer shows them (GTKWave, PulseView, Surfer).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.led_lines import EdgeListener, EdgeListeners, LedEdge

TICKS_PER_SECOND = 1_000_000
_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}


def _code(number: int) -> str:
    """Short name of a wire inside the file: printable characters but the space."""
    text = ""
    while True:
        text += chr(33 + number % 94)
        number = number // 94 - 1
        if number < 0:
            return text


class VcdWriter:
    """Writes LED edges as they come; each one is in the file at once, so a killed bench loses none.

    Times that go back are written as the time before (the format knows no way back). A file that is cut off in the
    middle of a line can still be read.
    """

    def __init__(
        self,
        path: Path,
        lines: Sequence[str],
        levels: Mapping[str, bool] | None = None,
        *,
        start: float = 0.0,
        scope: str = "leds",
        comment: str = "",
    ) -> None:
        """Begin the file at `path`.

        Args:
            path: made or replaced.
            lines: the LEDs, in the order in which viewers show them.
            levels: which are lit at `start`; the others are unknown (``x``).
            start: seconds on the bench's clock at which watching begins.
            scope: name of the group of wires.
            comment: one line for people.
        """
        self._path = path
        self._trouble: OSError | None = None
        self._wires = {line: _code(number) for number, line in enumerate(lines)}
        self._tick = max(0, round(start * TICKS_PER_SECOND))
        try:
            self._file = path.open("w", encoding="ascii", errors="replace", newline="\n", buffering=1)
        except OSError as error:
            raise BenchError(f"cannot write the LED waveform {path}: {error.strerror}") from error
        head = [f"$comment {_word(comment, spaces=True)} $end"] if comment else []
        head += ["$version smgw-bench $end", "$timescale 1 us $end", f"$scope module {_word(scope)} $end"]
        head += [f"$var wire 1 {code} {_word(line)} $end" for line, code in self._wires.items()]
        head += ["$upscope $end", "$enddefinitions $end", f"#{self._tick}", "$dumpvars"]
        known = levels or {}
        head += [f"{_level(known.get(line))}{code}" for line, code in self._wires.items()]
        self._put("\n".join([*head, "$end", ""]))

    def write(self, edge: LedEdge) -> None:
        """Add one edge; KeyError for a LED that the file does not have. Does nothing once closed.

        Whoever tells an edge is not to blame for a full disk: `close` raises what went wrong.
        """
        code = self._wires[edge.line]
        if self._file.closed or self._trouble is not None:
            return
        tick = round(edge.t * TICKS_PER_SECOND)
        mark = f"#{tick}\n" if tick > self._tick else ""
        self._tick = max(self._tick, tick)
        self._put(f"{mark}{int(edge.lit)}{code}\n")

    def _put(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            self._trouble = error

    def close(self, end: float | None = None) -> None:
        """End the file, with a last time mark at `end` so that viewers show how long was watched.

        BenchError when the file is not whole.
        """
        if self._file.closed:
            return
        if end is not None and self._trouble is None and round(end * TICKS_PER_SECOND) > self._tick:
            self._put(f"#{round(end * TICKS_PER_SECOND)}\n")
        try:
            self._file.close()
        except OSError as error:
            self._trouble = self._trouble or error
        if self._trouble is not None:
            raise BenchError(f"cannot write the LED waveform {self._path}: {self._trouble.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _word(text: str, *, spaces: bool = False) -> str:
    """`text` without what the format gives a meaning to."""
    safe = text.replace("$", "_")
    return " ".join(safe.split()) if spaces else "_".join(safe.split()) or "_"


def _level(lit: bool | None) -> str:
    return "x" if lit is None else str(int(lit))


@dataclass(frozen=True, slots=True)
class VcdRecording:
    """What a file holds.

    Attributes:
        lines: names of its one-bit wires, in the order of the file. Where wires of several scopes have one name, the
            later ones are called ``scope.name``.
        initial: level of each at `start`; None: unknown.
        edges: changes to lit or dark, in order of time. Changes to ``x`` or ``z`` are none.
        unknown: spans in which a line was ``x`` or ``z``: line -> (from, until).
        start, end: first and last time mark, seconds.
    """

    lines: tuple[str, ...]
    initial: dict[str, bool | None]
    edges: tuple[LedEdge, ...]
    unknown: dict[str, tuple[tuple[float, float], ...]]
    start: float
    end: float

    def of(self, line: str) -> list[tuple[float, bool]]:
        """The edges of one line as the analyser takes them."""
        return [(edge.t, edge.lit) for edge in self.edges if edge.line == line]

    def level_at(self, line: str, t: float) -> bool | None:
        """Level of a line just before `t`; None: not known."""
        level = self.initial[line]
        for edge in self.edges:
            if edge.t >= t:
                break
            if edge.line == line:
                level = edge.lit
        return level


@dataclass(slots=True)
class _Reader:
    """State while reading: wires by code, and what they do."""

    path: Path
    scale: float = 1e-9
    scopes: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    initial: dict[str, bool | None] = field(default_factory=dict)
    levels: dict[str, bool | None] = field(default_factory=dict)
    edges: list[LedEdge] = field(default_factory=list)
    unknown: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    lost: dict[str, float] = field(default_factory=dict)
    start: float | None = None
    now: float = 0.0

    def wrong(self, what: str) -> BenchError:
        return BenchError(f"{self.path} is no value change dump that can be read: {what}")

    def declare(self, keyword: str, words: list[str]) -> None:
        """A ``$keyword words $end``."""
        if keyword == "$timescale":
            match = re.fullmatch(r"(\d+)\s*([munpf]?s)", "".join(words))
            if not match:
                raise self.wrong(f"timescale {' '.join(words)!r}")
            self.scale = int(match[1]) * _UNITS[match[2]]
        elif keyword == "$scope" and words:
            self.scopes.append(words[-1])
        elif keyword == "$upscope" and self.scopes:
            self.scopes.pop()
        elif keyword == "$var":
            if len(words) < 4 or not words[1].isdigit():
                raise self.wrong(f"variable {' '.join(words)!r}")
            if int(words[1]) == 1:
                self._wire(words[2], words[3])

    def _wire(self, code: str, name: str) -> None:
        if name in self.initial:
            name = ".".join([*self.scopes, name])
        if name not in self.initial:
            self.names.setdefault(code, []).append(name)
            self.initial[name] = self.levels[name] = None

    def time(self, ticks: str) -> None:
        """A ``#ticks``."""
        if not ticks.isdigit():
            raise self.wrong(f"time mark #{ticks}")
        self.now = max(self.now, int(ticks) * self.scale)
        if self.start is None:
            self.start = self.now

    def change(self, value: str, code: str) -> None:
        """The wires of `code` take a value."""
        level = {"0": False, "1": True}.get(value)
        if self.start is None:
            self.start = self.now
        for name in self.names.get(code, ()):
            before, self.levels[name] = self.levels[name], level
            if level is None:
                self.lost.setdefault(name, self.now)
                continue
            if name in self.lost:
                since = self.lost.pop(name)
                if self.now > since:
                    self.unknown.setdefault(name, []).append((since, self.now))
            if self.now == self.start and before is None and self.initial[name] is None:
                self.initial[name] = level
            else:
                self.edges.append(LedEdge(self.now, name, level))

    def recording(self) -> VcdRecording:
        for name, since in self.lost.items():
            if self.now > since:
                self.unknown.setdefault(name, []).append((since, self.now))
        unknown = {name: tuple(spans) for name, spans in self.unknown.items()}
        return VcdRecording(
            tuple(self.initial), dict(self.initial), tuple(self.edges), unknown, self.start or 0.0, self.now
        )


def read_vcd(path: Path) -> VcdRecording:
    """Read a value change dump of any maker: any timescale, one-bit wires and vectors of width one.

    Wider variables, reals and strings are passed over. A file that breaks off (the bench was killed) gives what it
    has. Raises BenchError for a file that is missing or is no such dump.
    """
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise BenchError(f"cannot read the LED waveform {path}: {error.strerror}") from error
    reader = _Reader(path)
    whole = text.endswith(("\n", " "))
    words = text.split()
    if words and not whole and not words[-1].startswith("$"):
        words.pop()  # broken off inside a word: 1234 of #12345 would be a wrong time
    if "$enddefinitions" not in words:
        raise reader.wrong("no $enddefinitions")
    _read(reader, iter(words))
    return reader.recording()


def _read(reader: _Reader, words: Iterator[str]) -> None:
    for word in words:
        first = word[0]
        if first == "#":
            reader.time(word[1:])
        elif first in "01xXzZ":
            reader.change(first.lower(), word[1:])
        elif first in "bB":
            reader.change(word[-1].lower(), next(words, ""))
        elif first in "rRsS":
            next(words, "")
        elif first == "$":
            if word in ("$dumpvars", "$dumpall", "$dumpon", "$dumpoff", "$end"):
                continue
            held: list[str] = []
            for inner in words:
                if inner == "$end":
                    break
                held.append(inner)
            reader.declare(word, held)
        else:
            raise reader.wrong(f"unexpected {word[:40]!r}")


class RecordedLeds:
    """A LedSource that plays a value change dump again, so that a captured waveform can be judged again.

    Edges are given out when the bench's clock reaches them; the file's first time mark is the moment of making.

    Attributes:
        lines: LEDs of the file.
        recording: what the file holds.
    """

    def __init__(self, clock: Clock, path: Path, lines: Mapping[str, str] | None = None) -> None:
        """Read `path` and play it from now on.

        Args:
            clock: when to give out edges.
            path: a value change dump.
            lines: LED -> wire of the file, where names differ; None: all wires by their own names.
        """
        self.recording = read_vcd(path)
        wires = dict(lines) if lines is not None else {name: name for name in self.recording.lines}
        missing = [wire for wire in wires.values() if wire not in self.recording.lines]
        if missing:
            there = ", ".join(self.recording.lines) or "none"
            raise BenchError(f"{path} has no wire {', '.join(missing)}; it has: {there}")
        self.lines: tuple[str, ...] = tuple(wires)
        self._wires = wires
        self._leds = {wire: led for led, wire in wires.items()}
        known = {led: self.recording.initial[wire] for led, wire in wires.items()}
        self._levels = {led: lit for led, lit in known.items() if lit is not None}
        self._listeners = EdgeListeners()
        self._clock = clock
        self._shift = clock.seconds() - self.recording.start
        self._edges = [edge for edge in self.recording.edges if edge.line in self._leds]
        self._next = 0
        self._timer = None if not self._edges else clock.call_at(self._edges[0].t + self._shift, self._play)

    @property
    def ends(self) -> float:
        """When the recording is over, seconds on the bench's clock."""
        return self.recording.end + self._shift

    def unknown(self, line: str) -> tuple[tuple[float, float], ...]:
        """Spans in which the recording does not know a LED (``x``, ``z``), seconds on the bench's clock."""
        spans = self.recording.unknown.get(self._wires[line], ())
        return tuple((begin + self._shift, end + self._shift) for begin, end in spans)

    def levels(self) -> dict[str, bool]:
        """Which LEDs are lit now; those that the recording does not know yet are left out."""
        return dict(self._levels)

    def subscribe(self, listener: EdgeListener) -> Callable[[], None]:
        """Call `listener` for every edge from now on; returns the function that ends it."""
        return self._listeners.subscribe(listener)

    def _play(self) -> None:
        now = self._clock.seconds()
        while self._next < len(self._edges):
            edge = self._edges[self._next]
            t = edge.t + self._shift
            if t > now:
                self._timer = self._clock.call_at(t, self._play)
                return
            self._next += 1
            led = self._leds[edge.line]
            self._levels[led] = edge.lit
            self._listeners.tell(LedEdge(t, led, edge.lit))
        self._timer = None

    def close(self) -> None:
        """Stop playing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._listeners.clear()
