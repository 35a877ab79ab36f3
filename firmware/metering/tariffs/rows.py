"""Readings that come one by one, put together by instant of the grid, in the order of time, each instant once.

The readings of one register come in the order of time (the list of original readings is kept that way). So an instant
is decided as soon as every register has said something of it or of a later one; what is missing then counts as missing,
and what comes afterwards is late and is left out (wan-core 7.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from firmware.metering.tariffs.readings import NO_VALUE, Point, Source, point_of

MOST_PENDING: Final = 4096
"""Instants that may wait for a register that says nothing; then the oldest are decided without it."""
_NOTHING: Final[dict[int, Point]] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """What all registers said for one instant of the grid, in the order of the profile."""

    at_s: int
    points: tuple[Point, ...]


class Rows:
    """The instants of a span that are not decided yet.

    Args:
        sources: registers.
        begin_s: first instant.
        end_s: last instant, None: open.
        period_s: distance of the instants, which are multiples of it.
    """

    def __init__(self, sources: Sequence[Source], begin_s: int, end_s: int | None, period_s: int) -> None:
        self.end_s = end_s
        self._sources = tuple(sources)
        self._numbers = range(len(self._sources))
        self._index = {source: number for number, source in enumerate(self._sources)}
        self._period_s = period_s
        self._next_s = -(-begin_s // period_s) * period_s
        self._last = [begin_s - 1] * len(self._sources)
        self._pending: dict[int, dict[int, Point]] = {}

    @property
    def next_s(self) -> int:
        """The first instant that is not decided."""
        return self._next_s

    @property
    def over(self) -> bool:
        """Whether all instants are decided."""
        return self.end_s is not None and self._next_s > self.end_s

    def take(self, point: Point) -> list[Row]:
        """One more reading; gives the instants that it decides."""
        number, at_s = self._index.get(point.source), point.at_s
        if number is None or at_s <= self._last[number] or self.over:
            return []
        self._last[number] = at_s
        if at_s == self._next_s and len(self._last) == 1:  # nobody else to wait for
            self._next_s = at_s + self._period_s
            return [Row(at_s, (point,))]
        if at_s >= self._next_s and at_s % self._period_s == 0:
            self._pending.setdefault(at_s, {})[number] = point
        frontier_s = min(self._last)
        if len(self._pending) > MOST_PENDING:
            frontier_s = max(frontier_s, min(self._pending))
        return self._decide(frontier_s)

    def advance(self, until_s: int) -> list[Row]:
        """No reading for an instant up to and with `until_s` will come any more."""
        return self._decide(until_s)

    def skip(self, until_s: int) -> None:
        """Leave out the instants up to and with `until_s`, as if they were none of the grid."""
        until_s = until_s if self.end_s is None else min(until_s, self.end_s)
        if until_s >= self._next_s:
            self._next_s = until_s - until_s % self._period_s + self._period_s
            self._pending = {at_s: said for at_s, said in self._pending.items() if at_s >= self._next_s}

    def _decide(self, until_s: int) -> list[Row]:
        if self.end_s is not None:
            until_s = min(until_s, self.end_s)
        found = []
        while self._next_s <= until_s:
            at_s = self._next_s
            said = self._pending.pop(at_s, _NOTHING)
            points = [said.get(number) or self._missing(number, at_s) for number in self._numbers]
            found.append(Row(at_s, tuple(points)))
            self._next_s = at_s + self._period_s
        if self.over:
            self._pending.clear()
        return found

    def _missing(self, number: int, at_s: int) -> Point:
        return Point(self._sources[number], at_s, None, NO_VALUE)

    def state(self) -> dict[str, Any]:
        """As plain data."""
        pending = [[number, point.plain()] for said in self._pending.values() for number, point in said.items()]
        return {"next_s": self._next_s, "last": list(self._last), "pending": pending}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._next_s, self._last = state["next_s"], list(state["last"])
        self._pending = {}
        for number, plain in state["pending"]:
            point = point_of(self._sources[number], plain)
            self._pending.setdefault(point.at_s, {})[number] = point
