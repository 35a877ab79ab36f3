"""`smgw-bench tariff`: the registers that follow from a gateway's export and a supplier's file (TAF-1, TAF-2)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from devices.errors import Place, UsageError
from devices.protocols.trudi import received
from devices.protocols.trudi.errors import StatusWordError, TariffError, TrudiError, UnreadableError
from devices.protocols.trudi.export import Export, read_export
from devices.protocols.trudi.series import Scale
from devices.protocols.trudi.status import AnyOrder
from devices.protocols.trudi.supplier import read_supplier
from devices.protocols.trudi.tariff import bill_of

REFUSED = 1
"""Exit code when no registers follow from the files."""
UNITS = {
    0: "", 5: "A", 29: "V", 31: "J", 33: "Hz", 38: "W", 42: "m³", 61: "VA", 63: "var", 71: "VAh", 72: "Wh", 73: "varh",
    106: "Ah", 119: "ft³", 122: "ft³/h", 125: "m³/h",
}  # fmt: skip
"""Unit codes of ESPI that exports use."""

Read = TypeVar("Read")


def tariff(values: Path, supplier: Path, *, as_json: bool, order: AnyOrder = "auto") -> int:
    """Print the registers; returns the exit code: 0, or 1 when the files are refused, with the reason.

    What is odd though registers follow is told as warnings. Raises UsageError when a file cannot be read at all.
    """
    try:
        export, odd = _read(values, lambda octets: _checked(read_export(octets, order)))
        tariff_file = _read(supplier, read_supplier)
        try:
            bill = bill_of(export, tariff_file)
        except TariffError as error:
            path = {"values": values, "supplier": supplier, "": None}[error.side]
            raise _Refused(_placed(path, error)) from None
    except _Refused as refused:
        sys.stderr.write(f"smgw-bench: {_one_line(str(refused))}\n")
        return REFUSED
    for place, note in (*((f"{values}: ", one) for one in odd), *(("", one) for one in bill.notes)):
        sys.stderr.write(f"smgw-bench: warning: {_one_line(place + note)}\n")
    if as_json:
        sys.stdout.write(json.dumps({str(register): amount for register, amount in bill.amounts.items()}) + "\n")
        return 0
    rows = [(str(register), *_shown(amount, bill.scales.get(register))) for register, amount in bill.amounts.items()]
    width = max(len(number) for _, number, _ in rows)
    for name, number, unit in rows:
        sys.stdout.write(f"{name:<18} {number:>{width}} {unit}".rstrip() + "\n")
    return 0


class _Refused(Exception):
    """A file is not what it should be, or both together are not."""


def _checked(export: Export) -> tuple[Export, tuple[str, ...]]:
    return export, received.check(export)


def _read(path: Path, read: Callable[[bytes], Read]) -> Read:
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", place=Place(path)) from None
    try:
        return read(octets)
    except UnreadableError as error:
        raise UsageError(f"cannot be read: {_one_line(str(error))}", place=Place(path, error.line)) from None
    except StatusWordError as error:
        hint = f" (--status-order {error.fits})" if error.fits else ""
        raise _Refused(f"{_placed(path, error)}{hint}") from None
    except TrudiError as error:
        raise _Refused(_placed(path, error)) from None


def _placed(path: Path | None, error: TrudiError) -> str:
    refused = "refused: " if isinstance(error, TariffError) else ""
    line = "" if error.line is None else f":{error.line}"
    return f"{refused}{error}" if path is None else f"{path}{line}: {refused}{error}"


def _one_line(text: str) -> str:
    """A message without control characters, which may come out of a file."""
    return "".join(one if one.isprintable() else " " for one in text)


def _shown(amount: int, scale: Scale | None) -> tuple[str, str]:
    """An amount in its unit, exact, and the unit; without a scale there is no unit."""
    if scale is None:
        return str(amount), ""
    unit = UNITS.get(scale.unit, f"unit {scale.unit}")
    if scale.exponent >= 0:
        return str(amount * 10**scale.exponent), unit
    digits = str(abs(amount)).zfill(1 - scale.exponent)
    point = len(digits) + scale.exponent
    return f"{'-' if amount < 0 else ''}{digits[:point]}.{digits[point:]}", unit
