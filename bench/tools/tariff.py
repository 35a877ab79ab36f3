"""`smgw-bench tariff`: the registers that follow from a gateway's export and a supplier's file (TAF-1, TAF-2)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from devices.errors import Place, UsageError
from devices.protocols.trudi.errors import TariffError, TrudiError
from devices.protocols.trudi.export import Export, read_export
from devices.protocols.trudi.status import BitOrder
from devices.protocols.trudi.supplier import read_supplier
from devices.protocols.trudi.tariff import registers_of

REFUSED = 1
"""Exit code when no registers follow from the files."""
UNITS = {72: "Wh", 73: "varh", 71: "VAh", 42: "m³", 38: "W", 63: "var", 61: "VA"}
"""Unit codes of ESPI that exports use."""

Read = TypeVar("Read")


def tariff(values: Path, supplier: Path, *, as_json: bool, order: BitOrder = "lsb") -> int:
    """Print the registers; returns the exit code: 0, or 1 when the files are refused, with the reason.

    Raises UsageError when a file cannot be read at all.
    """
    try:
        export = _read(values, lambda octets: read_export(octets, order))
        registers = registers_of(export, _read(supplier, read_supplier))
    except _Refused as refused:
        sys.stderr.write(f"smgw-bench: {refused}\n")
        return REFUSED
    except TariffError as error:
        sys.stderr.write(f"smgw-bench: refused: {error}\n")
        return REFUSED
    if as_json:
        sys.stdout.write(json.dumps(registers) + "\n")
        return 0
    unit = _unit(export)
    width = max(len(str(amount)) for amount in registers.values())
    for register, amount in registers.items():
        sys.stdout.write(f"{register:<18} {amount:>{width}} {unit}".rstrip() + "\n")
    return 0


class _Refused(Exception):
    """A file is not what it should be."""


def _read(path: Path, read: Callable[[bytes], Read]) -> Read:
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", place=Place(path)) from None
    try:
        return read(octets)
    except TrudiError as error:
        raise _Refused(f"{path}{'' if error.line is None else f':{error.line}'}: {error}") from None


def _unit(export: Export) -> str:
    """The unit of one step of the values, as the lists state it."""
    found = {(one.unit, one.multiplier) for one in export.lists if one.original}
    if len(found) != 1:
        return ""
    unit, multiplier = found.pop()
    name = UNITS.get(unit, f"unit {unit}")
    return name if not multiplier else f"x 10^{multiplier} {name}"
