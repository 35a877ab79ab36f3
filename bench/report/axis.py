"""A time axis that breaks where nothing happens, so that half a second stays visible in a case of 36 hours.

The axis is cut into pieces wherever an LED begins to do something else. All pieces share one scale but the longest
ones, which are compressed to a fixed width and marked as breaks; as few are broken as it takes to see the others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from bench.report.figures import TICKS_S

MAX_BREAKS = 10
BREAK_WIDTH = 54.0
_VISIBLE = 5.0
_SAME = 1e-3
"""Instants closer together than this, in bench seconds, do not make a piece of their own."""
_BUSY = 0.25
"""A stretch in which an LED moves is broken only when it is so much longer than others in which nothing does."""
_COST = 0.15
"""Of how many spans the sight must be gained to make up for one break."""
_PATIENCE = 4
"""Breaks that are tried in a row without gain."""
_ENOUGH = 0.9
"""Share of the spans that must be visible before no further piece is broken."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that shall be seen on the axis, from `begin` to `end` in bench seconds.

    Attributes:
        busy: something moves all through it.
    """

    begin: float
    end: float
    busy: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the axis with a scale of its own: bench seconds `begin` to `end` at `left` to `right`."""

    begin: float
    end: float
    left: float
    right: float
    broken: bool

    @property
    def scale(self) -> float:
        """Drawing units per second."""
        return (self.right - self.left) / (self.end - self.begin)


@dataclass(frozen=True, slots=True)
class Axis:
    """A broken time axis; neighbours with the same scale are one piece."""

    pieces: tuple[Piece, ...]

    @property
    def begin(self) -> float:
        return self.pieces[0].begin

    @property
    def end(self) -> float:
        return self.pieces[-1].end

    def x(self, t: float) -> float:
        """Where `t` is drawn; what lies outside is drawn at the end."""
        piece = self.pieces[max(0, bisect_right(self.pieces, t, key=lambda piece: piece.begin) - 1)]
        return piece.left + (min(max(t, piece.begin), piece.end) - piece.begin) * piece.scale

    def ticks(self, spacing: float) -> list[tuple[float, float]]:
        """Ticks of the unbroken pieces as (bench seconds, distance to the next), at least `spacing` units apart."""
        ticks: list[tuple[float, float]] = []
        scale = max((piece.scale for piece in self.pieces if not piece.broken), default=0.0)
        if scale <= 0:
            return ticks
        distance = next((step for step in TICKS_S if step * scale >= spacing), TICKS_S[-1])
        for piece in self.pieces:
            if piece.broken:
                continue
            number = -(-piece.begin // distance)
            while number * distance <= piece.end + 1e-9:
                ticks.append((number * distance, distance))
                number += 1
        return ticks


def broken_axis(
    begin: float,
    end: float,
    spans: Iterable[Span],
    left: float,
    right: float,
    *,
    marks: Iterable[float] = (),
) -> Axis:
    """An axis from `begin` to `end` (bench seconds) over `left` to `right` on which the `spans` can be seen.

    Args:
        spans: what shall be visible; the axis may be broken where one begins or ends.
        marks: more instants at which it may be broken.
    """
    wanted = [span for span in spans if span.begin > begin and span.end < end]
    instants = [t for span in wanted for t in (span.begin, span.end)]
    cuts = [begin]
    for t in sorted([*instants, *marks]):
        if t - cuts[-1] > _SAME and end - t > _SAME:
            cuts.append(t)
    cuts.append(end)
    pieces = list(pairwise(cuts))
    busy = _overlaps(pieces, [span for span in wanted if span.busy])
    weights = [(after - before) * (_BUSY if busy[place] else 1.0) for place, (before, after) in enumerate(pieces)]
    order = sorted(range(len(pieces)), key=lambda place: (-weights[place], place))
    best, most, at = _drawn(pieces, frozenset(), left, right), -1.0, 0
    for count in range(min(MAX_BREAKS, len(pieces) - 1) + 1):
        axis = _drawn(pieces, frozenset(order[:count]), left, right)
        visible = sum(axis.x(span.end) - axis.x(span.begin) >= _VISIBLE for span in wanted) - count * _COST
        if visible > most:
            best, most, at = axis, visible, count
        if visible + count * _COST >= _ENOUGH * len(wanted) or count - at >= _PATIENCE:
            break
    return best


def _overlaps(pieces: list[tuple[float, float]], spans: list[Span]) -> list[bool]:
    """Which pieces lie within one of `spans`, whose ends are cuts."""
    busy = [False] * len(pieces)
    begins = [before for before, _ in pieces]
    for span in spans:
        low = bisect_left(begins, span.begin - _SAME)
        for place in range(low, bisect_left(begins, span.end - _SAME)):
            busy[place] = True
    return busy


def _drawn(cuts: list[tuple[float, float]], broken: frozenset[int], left: float, right: float) -> Axis:
    linear = sum(after - before for place, (before, after) in enumerate(cuts) if place not in broken)
    scale = (right - left - BREAK_WIDTH * len(broken)) / linear
    pieces: list[Piece] = []
    since, x = cuts[0][0], left
    for place, (before, after) in enumerate(cuts):
        if place in broken:
            if before > since:
                pieces.append(Piece(since, before, x, x := x + (before - since) * scale, broken=False))
            pieces.append(Piece(before, after, x, x := x + BREAK_WIDTH, broken=True))
            since = after
    if cuts[-1][1] > since:
        pieces.append(Piece(since, cuts[-1][1], x, right, broken=False))
    return Axis(tuple(pieces))
