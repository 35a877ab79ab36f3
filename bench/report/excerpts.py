"""Chooses what a report shows of long records: bus frames, log entries, stored values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any, TypeVar

from bench.report.frames import BusRecord
from bench.report.model import BusTrace, Excerpt, Frame, Gap, LogRow, ValueRow
from bench.report.stored_json import as_text
from bench.report.stored_timeline import read_rows

FRAMES_AT_THE_ENDS = 4
FRAMES_BEFORE = 8
FRAMES_AFTER = 4
ROWS = 60
OCTETS_SHOWN = 40
_ROWS_AT_THE_END = 20

Window = tuple[float, float]
"""Begin and end of a stretch of time, bench seconds."""

T = TypeVar("T")


def bus_trace(record: BusRecord, windows: list[Window]) -> BusTrace | None:
    """First and last frames, and those around the ends of the steps that decided, each `windows` entry one."""
    stamps = record.stamps
    if not stamps:
        return None
    total = len(stamps)
    near: dict[int, str] = dict.fromkeys(range(min(FRAMES_AT_THE_ENDS, total)), "first")
    near |= dict.fromkeys(range(max(0, total - FRAMES_AT_THE_ENDS), total), "last")
    for begin, end in windows:
        at = bisect_right(stamps, end)
        low = max(bisect_left(stamps, begin), at - FRAMES_BEFORE)
        low = min(low, max(0, at - 2))
        near |= dict.fromkeys(range(low, min(total, at + FRAMES_AFTER)), "step")
    rows: list[Frame | Gap] = []
    previous = -1
    for index in sorted(near):
        if index > previous + 1:
            rows.append(Gap(index - previous - 1))
        rows.append(_frame(record, index, near[index]))
        previous = index
    return BusTrace("LMN, wired", total, tuple(rows))


def _frame(record: BusRecord, index: int, near: str) -> Frame:
    sent = record.transmission(index)
    return Frame(sent.t, sent.sender, sent.to_gateway, len(sent.data), sent.data[:OCTETS_SHOWN].hex(), sent.text, near)


def logs(folder: Path) -> Excerpt:
    """The first and last entries of ``logs.json`` of each book."""
    rows = [_log_row(row) for row in read_rows(folder / "logs.json", ("logs", "books"))]
    kept: list[LogRow] = []
    for book in dict.fromkeys(row.book for row in rows):
        entries = [row for row in rows if row.book == book]
        kept += _ends(entries)
    return Excerpt(len(rows), logs=tuple(kept))


def _ends(rows: list[T]) -> list[T]:
    return rows if len(rows) <= ROWS else rows[: ROWS - _ROWS_AT_THE_END] + rows[-_ROWS_AT_THE_END:]


def _log_row(row: dict[str, Any]) -> LogRow:
    number = as_text(row.get("id"))
    if row.get("sub_id") not in {None, "", 0}:
        number += f"/{as_text(row['sub_id'])}"
    event = as_text(row.get("event"))
    return LogRow(
        book=as_text(row.get("book") or row.get("group")),
        number=as_text(row.get("number")),
        time=as_text(row.get("time")),
        id=number or event,
        level=as_text(row.get("level")),
        text=as_text(row.get("text")) or event,
    )


def values(folder: Path) -> Excerpt:
    """The first and last rows of ``values.json``."""
    rows = read_rows(folder / "values.json", ("values", "rows"))
    return Excerpt(len(rows), values=tuple(_value_row(row) for row in _ends(rows)))


def _value_row(row: dict[str, Any]) -> ValueRow:
    value = " ".join(part for part in (as_text(row.get("value")), as_text(row.get("unit"))) if part)
    return ValueRow(
        meter=as_text(row.get("meter") or row.get("group")),
        obis=as_text(row.get("obis")),
        value=value,
        time=as_text(row.get("grid_time") or row.get("capture_time")),
        status=as_text(row.get("status")),
    )
