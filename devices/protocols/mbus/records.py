"""Data records: what a meter's telegram says, value by value (EN 13757-3, lmn-wireless 4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from devices.protocols.frozen import builder
from devices.protocols.mbus.data_types import variable_size
from devices.protocols.mbus.dif import FILLER, MANUFACTURER_DATA, MORE_FOLLOWS
from devices.protocols.mbus.errors import RecordError
from devices.protocols.mbus.layouts import VARIABLE, Layout, Value, kept, layout_at, match_head
from devices.protocols.mbus.vif_tables import Kind


@dataclass(frozen=True, slots=True)
class Record:
    """One data record.

    Attributes:
        layout: its DIB and VIB.
        raw: the octets of its data, without LVAR.
        value: in `unit`; None when there is no data, when the meter marked it as invalid, and for containers and
            profiles. What VIFE 70 to 77 and 7D correct is not applied here, see `corrected`.
        invalid: the data stands for "no value".
        lvar: the octet in front of data of variable length, else None.
    """

    layout: Layout
    raw: bytes
    value: Value
    invalid: bool = False
    lvar: int | None = None

    @property
    def dib(self) -> bytes:
        """Octets of the data information block."""
        return self.layout.dib

    @property
    def vib(self) -> bytes:
        """Octets of the value information block."""
        return self.layout.vib

    @property
    def func(self) -> str:
        """ "instantaneous", "maximum", "minimum" or "error"."""
        return self.layout.data.function

    @property
    def storage(self) -> int:
        """Storage number; 0 is the current value."""
        return self.layout.data.storage

    @property
    def tariff(self) -> int:
        """Tariff; 0 is the total."""
        return self.layout.data.tariff

    @property
    def subunit(self) -> int:
        """Subunit of the device."""
        return self.layout.data.subunit

    @property
    def vifes(self) -> tuple[int, ...]:
        """VIFE without bit 7, as received."""
        return self.layout.value.vifes

    @property
    def quantity(self) -> str:
        """What is measured, "energy"; empty when the code is unknown."""
        return self.layout.value.meaning.quantity

    @property
    def unit(self) -> str:
        """Unit of `value`: kWh, MJ, m3, h, °C and so on; empty when there is none."""
        return self.layout.value.unit

    @property
    def modifiers(self) -> tuple[str, ...]:
        """What the VIFE say, in words."""
        return self.layout.value.modifiers

    @property
    def multiplier(self) -> Decimal | None:
        """The factor of correcting VIFE, None without such."""
        return self.layout.value.multiplier

    @property
    def corrected(self) -> Value:
        """`value` times `multiplier`: what billing must take. The same as `value` when nothing corrects it."""
        factor = self.layout.value.multiplier
        return self.value * factor if factor is not None and isinstance(self.value, Decimal | int) else self.value

    @property
    def stored(self) -> Value:
        """The number that the octets hold, in `unit`, even where it stands for "no value"; None for other data."""
        layout = self.layout
        if self.lvar is not None or layout.value.meaning.kind in (Kind.DATE, Kind.OPAQUE):
            return None
        return layout.scaled(layout.number(self.raw))

    def to_bytes(self) -> bytes:
        """The record as it was received."""
        lvar = b"" if self.lvar is None else bytes((self.lvar,))
        return self.layout.dib + self.layout.vib + lvar + self.raw


@dataclass(frozen=True, slots=True)
class CutRecord:
    """A record whose data ends with the telegram, or whose LVAR is not defined: DIB, VIB and what there is of data."""

    dib: bytes
    vib: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """What an application layer says.

    Attributes:
        records: in their order.
        manufacturer_data: behind DIF 0F or 1F, to the end.
        more_follows: DIF 1F: the meter has more records for a next telegram.
        trouble: what could not be read, in words; empty when all could.
        offset: octet of the application layer at which that is; None without trouble.
        rest: what could not be read.
        cut: the record that trouble is about, when its DIB and VIB are whole.
    """

    records: tuple[Record, ...] = ()
    manufacturer_data: bytes = b""
    more_follows: bool = False
    trouble: str = ""
    offset: int | None = None
    rest: bytes = b""
    cut: CutRecord | None = None


_record = builder(Record)


def decode_records(apl: bytes) -> Contents:
    """All records of an application layer; damage ends the reading and is told in the result, nothing is raised."""
    records: list[Record] = []
    append = records.append
    position, end = 0, len(apl)
    while position < end:
        dif = apl[position]
        if dif == FILLER:
            position += 1
            continue
        if dif & 0x0F == MANUFACTURER_DATA:
            return _special(apl, position, records)
        found = match_head(apl, position)
        layout = None if found is None else kept.get(found[0])
        if layout is None or found is None:
            try:
                layout, begin = layout_at(apl, position)
            except RecordError as error:
                return _damaged(apl, position, records, str(error))
        else:
            begin = found.end()
        size = layout.size
        if size == VARIABLE:
            lvar = apl[begin] if begin < end else 0xFF
            length = variable_size(lvar)
            begin += 1
            raw = apl[begin : begin + (length or 0)]
            if length is None or len(raw) < length:
                return _cut(apl, position, records, layout, apl[begin:])
            append(_record(layout, raw, layout.read_variable(lvar, raw), False, lvar))
            position = begin + length
            continue
        position, start = begin + size, position
        if position > end:
            return _cut(apl, start, records, layout, apl[begin:])
        raw = apl[begin:position]
        value = layout.read(raw)
        append(_record(layout, raw, value, value is None and layout.checked, None))
    return Contents(tuple(records))


def _special(apl: bytes, position: int, records: list[Record]) -> Contents:
    """Maker's data, or a DIF that begins no record."""
    dif = apl[position]
    if dif in (MANUFACTURER_DATA, MORE_FOLLOWS):
        return Contents(tuple(records), apl[position + 1 :], dif == MORE_FOLLOWS)
    return _damaged(apl, position, records, f"DIF {dif:02X} begins no record")


def _damaged(apl: bytes, position: int, records: list[Record], trouble: str) -> Contents:
    return Contents(tuple(records), b"", False, trouble, position, apl[position:])


def _cut(apl: bytes, position: int, records: list[Record], layout: Layout, raw: bytes) -> Contents:
    name = f"record {layout.dib.hex().upper()} {layout.vib.hex().upper()}"
    trouble = f"{name} is cut: {len(raw)} octets of its data are there"
    cut = CutRecord(layout.dib, layout.vib, raw)
    return Contents(tuple(records), b"", False, trouble, position, apl[position:], cut)


class Writable(Protocol):
    """What has the octets of a record: a Record, or a RecordPlan."""

    def to_bytes(self) -> bytes:
        """DIB, VIB and data."""


def encode_records(items: Iterable[Writable], *, manufacturer_data: bytes = b"", more_follows: bool = False) -> bytes:
    """An application layer of records, maker's data behind them; fillers are for who encrypts to add."""
    octets = b"".join(item.to_bytes() for item in items)
    if more_follows:
        return octets + bytes((MORE_FOLLOWS,)) + manufacturer_data
    return octets + bytes((MANUFACTURER_DATA,)) + manufacturer_data if manufacturer_data else octets
