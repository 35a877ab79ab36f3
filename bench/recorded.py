"""Compares stored registers with what an independent program printed for the same recording.

The expected file has one line per list entry: ``OBIS#value#unit``. The program, libsml's ``sml_server``, prints of an
octet string the characters up to the first that is not printable and the rest as hexadecimal octets, and names no unit
for it; everything else is an exact decimal with its unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from devices.errors import BenchError


@dataclass(frozen=True)
class Expected:
    """One list entry as the independent program read it.

    Attributes:
        obis: full OBIS code.
        value: number, or text, or spaced hex.
        unit: unit symbol; empty for octet strings.
    """

    obis: str
    value: str
    unit: str


@dataclass(frozen=True)
class Agreement:
    """Result of a comparison.

    Attributes:
        agrees: all entries agree and none is missing or too many.
        text: what was found, in words.
        compared: number of entries compared.
    """

    agrees: bool
    text: str
    compared: int


def read_expected(path: Path) -> tuple[Expected, ...]:
    """The lines of `path`; blank lines are passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BenchError(f"the expected registers {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BenchError(f"the expected registers {path} are no UTF-8: {error.reason}") from error
    entries = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.split("#")
        if len(parts) < 3:
            raise BenchError(f"{path}:{number}: {line!r} is not OBIS#value#unit")
        entries.append(Expected(parts[0], "#".join(parts[1:-1]), parts[-1].strip()))
    return tuple(entries)


def agreement(rows: Sequence[dict[str, Any]], expected: Sequence[Expected]) -> Agreement:
    """Compare in order: the n-th stored entry with the n-th line."""
    for number, (row, line) in enumerate(zip(rows, expected, strict=False), 1):
        if row["obis"] != line.obis or not _same(row, line):
            stored = f"{row['obis']} {row['value']} {row['unit'] or ''}".strip()
            wanted = f"{line.obis} {line.value} {line.unit}".strip()
            return Agreement(False, f"entry {number}: stored {stored}, read independently {wanted}", number - 1)
    if len(rows) != len(expected):
        return Agreement(False, f"{len(rows)} entries stored, {len(expected)} read independently", len(rows))
    return Agreement(True, f"all {len(rows)} entries agree", len(rows))


def _same(row: dict[str, Any], line: Expected) -> bool:
    if row.get("kind") == "octets":
        return line.unit == "" and printed(bytes.fromhex(row["value"])) == line.value
    unit = row["unit"] or ""
    if line.unit not in (unit, *_PRINTED_UNITS.get(unit, ())):
        return False
    try:
        return Decimal(str(row["value"])) == Decimal(line.value)
    except InvalidOperation:
        return str(row["value"]) == line.value


_PRINTED_UNITS = {"deg": ("°", "Â°")}
"""Unit -> how libsml's program prints it otherwise; its degree sign is encoded twice."""


def printed(octets: bytes) -> str:
    """An octet string as libsml's program prints it."""
    text = ""
    for place, octet in enumerate(octets):
        if not 0x20 < octet < 0x7F:
            return text + "".join(f"{rest:02x} " for rest in octets[place:])
        text += chr(octet)
    return text
