"""The expert trace: every frame of a session, as the table of the maker's tool ([BZ] 5.2.1) and octet by octet.

Columns: Index, Timestamp, Type, FLAG, FRM, DST, SRC, CTR, HCS, INF, FCS, FLG; octets as they stand on the wire. A frame
without information has one check only, which stands under HCS.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from devices.clock import Clock
from devices.protocols.hdlc import Frame

COLUMNS: Final = ("Index", "Timestamp", "Type", "FLAG", "FRM", "DST", "SRC", "CTR", "HCS", "INF", "FCS", "FLG")
LIMIT: Final = 100_000
"""Frames kept; a session of hours. Later ones are counted only."""
_SHOWN_INFORMATION: Final = 16


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One frame.

    Attributes:
        at: when it was handed over or heard, local time.
        direction: seen from this computer.
        frame: what it was.
        octets: with both flags.
    """

    at: datetime
    direction: Literal["in", "out"]
    frame: Frame
    octets: bytes

    def cells(self, index: int, information: int | None = None) -> tuple[str, ...]:
        """The row of the table; of the information at most so many octets."""
        hexed = self.octets.hex().upper()
        clock = f"{self.at:%H.%M.%S}.{self.at.microsecond // 1000:03d}"
        check, text, last = hexed[16:20], "", ""
        if self.frame.information:
            text, last = hexed[20:-6], hexed[-6:-2]
            if information is not None and len(text) > 2 * information:
                text = text[: 2 * information] + "…"
        head = (str(index), clock, self.frame.control.kind.value, hexed[:2], hexed[2:6], hexed[6:10], hexed[10:14])
        return (*head, hexed[14:16], check, text, last, hexed[-2:])


class Trace:
    """Keeps the frames of a session; set `frame` as `HdlcMaster.on_frame`.

    Attributes:
        rows: frames in order.
        dropped: frames beyond LIMIT.
    """

    def __init__(self, clock: Clock) -> None:
        self.rows: list[TraceRow] = []
        self.dropped = 0
        self._clock = clock

    def frame(self, direction: Literal["in", "out"], frame: Frame, octets: bytes) -> None:
        """A frame went out or came in."""
        if len(self.rows) >= LIMIT:
            self.dropped += 1
            return
        self.rows.append(TraceRow(self._clock.now().astimezone(), direction, frame, octets))

    def table(self, information: int | None = None) -> str:
        """The table with aligned columns, of the information at most so many octets in a row."""
        return table_of([row.cells(index, information) for index, row in enumerate(self.rows, 1)]) + self._rest()

    def shown(self) -> str:
        """The table for a screen."""
        return self.table(_SHOWN_INFORMATION)

    def hdlc_text(self) -> str:
        """The table for a file, columns parted by tabs."""
        rows = [row.cells(index) for index, row in enumerate(self.rows, 1)]
        return "".join("\t".join(cells) + "\n" for cells in (COLUMNS, *rows)) + self._rest()

    def octets_text(self) -> str:
        """Time, direction and octets of every frame, a line each."""
        arrows = {"out": "->", "in": "<-"}
        lines = [f"{row.at:%H:%M:%S.%f} {arrows[row.direction]} {row.octets.hex().upper()}\n" for row in self.rows]
        return "".join(lines) + self._rest()

    def _rest(self) -> str:
        return f"({self.dropped} frames more)\n" if self.dropped else ""


def table_of(rows: Iterable[tuple[str, ...]]) -> str:
    """`rows` under COLUMNS, aligned."""
    every = [COLUMNS, *rows]
    widths = [max(len(cells[column]) for cells in every) for column in range(len(COLUMNS))]
    return "".join("  ".join(map(str.ljust, cells, widths)).rstrip() + "\n" for cells in every)
