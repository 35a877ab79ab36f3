"""Readings of telegrams for people: who sent it, how it is protected, a table of its records."""

from __future__ import annotations

import io
import re
import shutil
import sys
from datetime import date, time
from typing import Any, Final

from bench.decode.record_json import number_text, time_text
from bench.decode.wmbus_json import layers_of
from bench.decode.wmbus_reading import Reading
from bench.quantity import printable
from devices.protocols.mbus.compact_profile import read_profile
from devices.protocols.mbus.errors import RecordError
from devices.protocols.mbus.records import Contents, Record

_FILE_WIDTH: Final = 160
"""Columns where nobody looks at a terminal."""
_HEADINGS: Final = ("quantity", "value", "unit", "which", "DIB", "VIB", "data")
_VALUE: Final = 1
_GAP: Final = "   "
_LEAST_DATA: Final = 16
"""Columns that octets of data need at least."""
_NARROW: Final = re.compile(r"[ -ɏ]*")
"""Latin letters and signs, each as wide as a digit."""


def reading_lines(reading: Reading) -> list[str]:
    """What a telegram says, line by line."""
    told = layers_of(reading)
    lines = [f"{name:9} {_pairs(told[name])}" for name in ("link", "ell", "afl", "header") if told.get(name)]
    security = f"{told['security']}, {told['state']}"
    if "mac_valid" in told:
        security += f", MAC {({True: 'right', False: 'wrong', None: 'not checked'})[told['mac_valid']]}"
    lines.append(f"security  {security}")
    lines += [f"note      {note}" for note in reading.notes]
    contents = reading.contents
    if contents is not None:
        lines += _table(contents)
        if contents.manufacturer_data:
            lines.append(f"maker's   {contents.manufacturer_data.hex().upper()}")
        if contents.more_follows:
            lines.append("note      more records follow in another telegram")
        if contents.rest:
            lines.append(f"not read  {contents.rest.hex().upper()}")
    if reading.trouble:
        lines.append(f"trouble   {reading.trouble}")
    return lines


def _pairs(told: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_said(value)}" for name, value in told.items())


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(map(str, value.values()))
    return "-" if value is None else str(value)


def _table(contents: Contents) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for record in contents.records:
        value, unit = _value(record)
        cells = (record.quantity or "unknown", value, unit, _which(record), record.dib.hex().upper())
        rows.append(tuple(map(printable, (*cells, record.vib.hex().upper(), record.raw.hex().upper()))))
        for moment, reading in _profile(record, contents.records):
            rows.append((f"  {moment}", reading, unit, "", "", "", ""))
    if not rows:
        return []
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _FILE_WIDTH
    return _plain(rows, width) or _folded(rows, width)


def _plain(rows: list[tuple[str, ...]], width: int) -> list[str]:
    """The table on lines of `width` columns, octets of data folded; nothing when that is not enough."""
    if not all(cell.isascii() or _NARROW.fullmatch(cell) for row in rows for cell in row):
        return []
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    room = width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
    if widths[-1] > room:
        widths[-1] = room // 2 * 2
        if room < _LEAST_DATA:
            return []
    lines = [_line(_HEADINGS, widths), "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))]
    for row in rows:
        data, size = row[-1], widths[-1]
        lines.append(_line((*row[:-1], data[:size]), widths))
        blank = [""] * (len(row) - 1)
        lines += [_line((*blank, data[start : start + size]), widths) for start in range(size, len(data), size)]
    return lines


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    padded = [cell.ljust(size) for cell, size in zip(cells, widths, strict=True)]
    padded[_VALUE] = cells[_VALUE].rjust(widths[_VALUE])
    return _GAP.join(padded).rstrip()


def _folded(rows: list[tuple[str, ...]], width: int) -> list[str]:
    """The table with long cells on several lines; takes its time."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, heading in enumerate(_HEADINGS):
        table.add_column(heading, justify="right" if place == _VALUE else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def _value(record: Record) -> tuple[str, str]:
    value = record.corrected
    if record.invalid:
        return "invalid", ""
    if isinstance(value, str):
        return value, ""
    if isinstance(value, date | time):
        return time_text(value, len(record.raw)), ""
    return ("", "") if value is None else (number_text(value), record.unit)


def _which(record: Record) -> str:
    words = [] if record.func == "instantaneous" else [record.func]
    for name, number in (("storage", record.storage), ("tariff", record.tariff), ("subunit", record.subunit)):
        if number:
            words.append(f"{name} {number}")
    return ", ".join((*words, *record.modifiers))


def _profile(record: Record, records: tuple[Record, ...]) -> list[tuple[str, str]]:
    if record.layout.value.profile is None:
        return []
    try:
        values = read_profile(record, records)
    except RecordError as error:
        return [(str(error), "")]
    return [(str(value.time or ""), _value(value.record)[0]) for value in values]
