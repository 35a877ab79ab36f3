"""The registers that the answers of a meter hold, whichever message carries them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from bench.recorded import printed
from devices.protocols.sml.entries import ListEntry, SmlTime, Value
from devices.protocols.sml.messages import (
    Body,
    GetCosemResponse,
    GetListResponse,
    GetProcParameterResponse,
    GetProfileListResponse,
    GetProfilePackResponse,
    ParameterTree,
    PeriodEntry,
    SetProcParameterRequest,
    SetProcParameterResponse,
    TupleEntry,
)
from devices.protocols.sml.obis import OBIS_LENGTH, format_obis, parse_obis
from devices.protocols.sml.parameters import COSEM_NAME_LENGTH
from devices.protocols.sml.status import is_base_meter_status, status_bits
from devices.protocols.sml.tlv import Raw
from devices.protocols.sml.units import unit_code
from devices.protocols.sml.values import (
    Quantity,
    ScalerUnit,
    StatusValue,
    TimestampedValue,
    TypedValue,
    list_value,
    typed_value,
)

_VALUE, _SCALER_UNIT = 2, 3
"""Attributes of a COSEM register (lmn-wired 4.3)."""

_SECONDS = unit_code("s")

_TUPLE_CODES: Final = {"pa": "1.8.0", "r1": "5.8.0", "r4": "8.8.0", "ma": "2.8.0", "r2": "6.8.0", "r3": "7.8.0"}
_SYMBOLS: Final = {"deg": "°"}
"""Units that are written otherwise than DLMS names them."""

_NAMES: Final = {
    "0.0.9": "server id",
    "0.2.0": "software version",
    "1.7.0": "power +A",
    "1.8.0": "energy +A",
    "1.8.1": "energy +A, tariff 1",
    "1.8.2": "energy +A, tariff 2",
    "2.7.0": "power -A",
    "2.8.0": "energy -A",
    "2.8.1": "energy -A, tariff 1",
    "2.8.2": "energy -A, tariff 2",
    "3.8.0": "reactive energy +R",
    "4.8.0": "reactive energy -R",
    "5.8.0": "reactive energy, quadrant 1",
    "6.8.0": "reactive energy, quadrant 2",
    "7.8.0": "reactive energy, quadrant 3",
    "8.8.0": "reactive energy, quadrant 4",
    "14.7.0": "frequency",
    "16.7.0": "power",
    "31.7.0": "current L1",
    "32.7.0": "voltage L1",
    "36.7.0": "power L1",
    "51.7.0": "current L2",
    "52.7.0": "voltage L2",
    "56.7.0": "power L2",
    "71.7.0": "current L3",
    "72.7.0": "voltage L3",
    "76.7.0": "power L3",
    "81.7.1": "angle U(L2) to U(L1)",
    "81.7.2": "angle U(L3) to U(L1)",
    "81.7.4": "angle I(L1) to U(L1)",
    "81.7.15": "angle I(L2) to U(L2)",
    "81.7.26": "angle I(L3) to U(L3)",
    "96.1.0": "device id",
    "96.5.0": "status word",
    "96.50.1": "maker",
    "96.90.2": "checksum of the software",
}
"""Groups C.D.E of 1-0 to what the register holds (lmn-wired 4.4; angles as makers describe them)."""


@dataclass(frozen=True, slots=True)
class Register:
    """One register of an answer.

    Attributes:
        entry: code, unit, scaler and value.
        status: status word beside it, of the entry or of its period.
        time: when the value was valid, of the entry or of its period.
        attribute: number of the COSEM attribute, None when it is no COSEM object.
    """

    entry: ListEntry | PeriodEntry
    status: int | None = None
    time: SmlTime | None = None
    attribute: int | None = None

    @property
    def obis(self) -> str:
        """As 1-0:1.8.0*255; other names as hexadecimal octets."""
        code = self.entry.obis
        return format_obis(code) if len(code) == OBIS_LENGTH else code.hex()

    @property
    def name(self) -> str:
        """What the register holds, empty for a code without a name."""
        code = self.entry.obis
        return (
            _NAMES.get("{}.{}.{}".format(*code[2:5]), "")
            if code[:2] == b"\x01\x00" and len(code) == OBIS_LENGTH
            else ""
        )

    @property
    def value(self) -> TypedValue:
        """What it says."""
        return typed_value(self.entry)

    @property
    def unit(self) -> str:
        """Symbol of the unit, empty for what has none."""
        value = self.value
        return _SYMBOLS.get(value.unit, value.unit) if isinstance(value, Quantity) else ""

    def row(self) -> dict[str, Any]:
        """For JSON: obis, value and unit as libsml's program prints them, and what else is known."""
        value = self.value
        row: dict[str, Any] = {"obis": self.obis, "value": _plain(value), "unit": self.unit}
        further = {
            "name": self.name,
            "hex": value.hex() if isinstance(value, bytes) else "",
            "bits": list(value.bits) if isinstance(value, StatusValue) else [],
        }
        row |= {key: found for key, found in further.items() if found}
        if self.attribute is not None:
            row["attribute"] = self.attribute
        if self.status is not None:
            row["status"] = self.status
            row["status_bits"] = list(status_bits(self.status))
        if self.time is not None:
            row["time"] = {"kind": self.time.kind.name.lower(), "seconds": self.time.seconds}
        if self.entry.signature is not None:
            row["signature"] = self.entry.signature.hex()
        return row

    def text(self) -> str:
        """Value, unit and status in words."""
        value = self.value
        shown = str(value) if isinstance(value, StatusValue) else f"{_shown(_plain(value))} {self.unit}".rstrip()
        if self.status is not None:
            meaning = f" ({', '.join(status_bits(self.status))})" if is_base_meter_status(self.status) else ""
            shown += f"   status {self.status:X}{meaning}"
        if self.time is not None:
            shown += f"   {self.time.kind.name.lower().replace('_', ' ')} {self.time.seconds}"
        return shown


def _plain(value: TypedValue) -> Decimal | int | str | bool | None:
    if isinstance(value, Quantity):
        return value.number
    if isinstance(value, StatusValue):
        return value.word
    if isinstance(value, bytes):
        return printed(value)
    if isinstance(value, Raw):
        return value.octets.hex()
    if isinstance(value, SmlTime):
        return value.seconds
    if isinstance(value, TimestampedValue):
        return _plain(typed_value(PeriodEntry(b"", value=value.value)))
    return value if value is None or isinstance(value, bool) else str(value)


def _shown(value: Decimal | int | str | bool | None) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else "-" if value is None else str(value).strip()


def registers(body: Body) -> Iterator[Register]:
    """The registers in an answer, in its order; none in messages that carry none."""
    reader = _READERS.get(type(body))
    return iter(()) if reader is None else reader(body)


def _of_list(body: GetListResponse) -> Iterator[Register]:
    for entry in body.val_list:
        yield Register(entry, entry.status, entry.val_time)


def _of_profile_list(body: GetProfileListResponse) -> Iterator[Register]:
    for entry in body.entries:
        yield Register(entry, body.status, body.val_time)


def _of_pack(body: GetProfilePackResponse) -> Iterator[Register]:
    for period in body.periods:
        for header, cell in zip(body.headers, period.values, strict=False):
            entry = PeriodEntry(header.obis, header.unit, header.scaler, cell.value, cell.signature)
            yield Register(entry, period.status, period.val_time)


def _of_tree(body: GetProcParameterResponse | SetProcParameterRequest | SetProcParameterResponse) -> Iterator[Register]:
    return _in_tree(body.tree)


def _in_tree(tree: ParameterTree) -> Iterator[Register]:
    value = tree.value
    if isinstance(value, ListEntry):
        yield Register(value, value.status, value.val_time)
    elif isinstance(value, PeriodEntry):
        yield Register(value)
    elif isinstance(value, TupleEntry):
        yield from _in_tuple(value)
    elif len(tree.name) == COSEM_NAME_LENGTH:
        attributes = {int.from_bytes(child.name): child.value for child in tree.children if 1 <= len(child.name) <= 2}
        yield from _cosem(tree.name[:OBIS_LENGTH], attributes)
        return
    elif len(tree.name) == OBIS_LENGTH and value is not None and not isinstance(value, SmlTime):
        yield Register(PeriodEntry(tree.name, value=value))
    for child in tree.children:
        yield from _in_tree(child)


def _in_tuple(value: TupleEntry) -> Iterator[Register]:
    for name, code in _TUPLE_CODES.items():
        unit, scaler, number = (getattr(value, f"{part}_{name}") for part in ("unit", "scaler", "value"))
        yield Register(PeriodEntry(parse_obis(code), unit, scaler, number), value.status, value.second_index)


def _of_cosem(body: GetCosemResponse) -> Iterator[Register]:
    return _cosem(body.obis, {attribute.number: attribute.value for attribute in body.attributes})


def _cosem(obis: bytes, attributes: dict[int, Any]) -> Iterator[Register]:
    """The value of a COSEM object, with the scaler and unit that came along."""
    factor = attributes.get(_SCALER_UNIT)
    known = list_value(factor) if isinstance(factor, Raw) else None
    scaler, unit = (known.scaler, known.unit) if isinstance(known, ScalerUnit) else (None, None)
    value: Value | SmlTime = attributes.get(_VALUE)
    if isinstance(value, SmlTime):
        yield Register(PeriodEntry(obis, _SECONDS, 0, value.seconds), attribute=_VALUE)
    elif value is not None:
        yield Register(PeriodEntry(obis, unit, scaler, value), attribute=_VALUE)


_READERS: Final[dict[type[Any], Callable[[Any], Iterator[Register]]]] = {
    GetListResponse: _of_list,
    GetProfileListResponse: _of_profile_list,
    GetProfilePackResponse: _of_pack,
    GetProcParameterResponse: _of_tree,
    SetProcParameterRequest: _of_tree,
    SetProcParameterResponse: _of_tree,
    GetCosemResponse: _of_cosem,
}
