"""What DIB and VIB of a record say together, and how its data is read; the last few thousand are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Context, Decimal
from typing import Final

from devices.protocols.mbus.data_types import (
    Stored,
    is_illegal_signed,
    is_illegal_unsigned,
    read_bcd,
    read_real,
    read_signed,
    read_unsigned,
    read_variable,
)
from devices.protocols.mbus.dates import read_date
from devices.protocols.mbus.dif import BCDS, INTEGERS, SIZES, Coding, Dib, read_dib
from devices.protocols.mbus.errors import RecordError
from devices.protocols.mbus.vif import PLAIN_TEXT, Vib, read_vib
from devices.protocols.mbus.vif_tables import MANUFACTURER, Kind

Value = Decimal | int | str | datetime | date | time | None
"""A value: a number in its unit, a number without unit, text, a point in time; None when there is none."""

VARIABLE: Final = -1
MAX_KEPT: Final = 4096
"""Layouts that are kept at most."""

_UNSIGNED_KINDS: Final = frozenset((Kind.UNSIGNED, Kind.BITS))
_NUMBER_KINDS: Final = frozenset((Kind.NUMBER, Kind.UNSIGNED, Kind.BITS))
_DIVISIONS: Final = Context(prec=15)
"""Hours from seconds do not come out even."""


_BINARY: Final = 0xE0
"""From this LVAR on data of variable length are binary numbers (lmn-wireless 4.1)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """DIB and VIB of a record.

    Attributes:
        dib, vib: their octets.
        data: what the DIB says.
        value: what the VIB says.
        size: octets of the data; VARIABLE: the octet LVAR in front of them says how many.
        checked: whether data without a value is invalid; the value of containers and profiles is always None.
        number: the stored number of the data, None where it is not one.
        scaled: a stored number in the unit of the record.
        read: the value of the data, None for an illegal one; of data with a fixed size only.
    """

    dib: bytes
    vib: bytes
    data: Dib
    value: Vib
    size: int
    checked: bool
    number: Callable[[bytes], Stored] = field(compare=False, repr=False)
    scaled: Callable[[Stored], Value] = field(compare=False, repr=False)
    read: Callable[[bytes], Value] = field(compare=False, repr=False)

    def read_variable(self, lvar: int, octets: bytes) -> Value:
        """The value of data of variable length: text, a number, or None for a container or profile."""
        if self.value.profile is not None or self.value.meaning is MANUFACTURER:
            return None
        if self.value.meaning.kind in (Kind.OPAQUE, Kind.DATE):  # the layout of type M is in no public document
            return None
        if lvar >= _BINARY and not self.value.meaning.unit:  # octets of a quantity that is none
            return None
        found = read_variable(lvar, octets, signed=self.value.meaning.kind not in _UNSIGNED_KINDS)
        return self.scaled(found) if isinstance(found, int) else found


def make_layout(dib: bytes, vib: bytes) -> Layout:
    """What the octets of a DIB and a VIB say; raises RecordError when they are none."""
    data, value = read_dib(dib), read_vib(vib)
    size = VARIABLE if data.coding is Coding.VARIABLE else SIZES[data.coding]
    number, scaled = _number_reader(data.coding, value.meaning.kind), _scaler(value)
    read = _reader(data.coding, value, number, scaled)
    checked = size > 0 and value.meaning.kind is not Kind.OPAQUE and value.profile is None
    return Layout(dib, vib, data, value, size, checked, number, scaled, read)


def _number_reader(coding: Coding, kind: Kind) -> Callable[[bytes], Stored]:
    if coding in INTEGERS:
        return read_unsigned if kind in _UNSIGNED_KINDS else read_signed
    if coding in BCDS:
        return read_bcd
    return read_real if coding is Coding.REAL32 else _nothing


def _nothing(_: object) -> None:
    return None


def _scaler(value: Vib) -> Callable[[Stored], Value]:
    meaning = value.meaning
    if not meaning.unit:
        return _as_stored
    factor = Decimal(meaning.factor).scaleb(meaning.exponent)
    divisor = meaning.divisor
    if divisor == 1:
        return lambda stored: None if stored is None else stored * factor
    return lambda stored: None if stored is None else _DIVISIONS.divide(stored * factor, divisor)


def _as_stored(stored: Stored) -> Value:
    return stored


def _reader(
    coding: Coding, value: Vib, number: Callable[[bytes], Stored], scaled: Callable[[Stored], Value]
) -> Callable[[bytes], Value]:
    kind = value.meaning.kind
    if number is _nothing or kind is Kind.OPAQUE or value.profile is not None:
        return _nothing
    if kind is Kind.DATE:
        return read_date
    if kind is Kind.IDENTITY:
        return _identity
    if coding not in INTEGERS or kind is Kind.BITS:
        return lambda octets: scaled(number(octets))
    illegal = is_illegal_unsigned if kind is Kind.UNSIGNED else is_illegal_signed
    return lambda octets: None if illegal(octets) else scaled(number(octets))


def _identity(octets: bytes) -> str:
    """Digits, highest first; of eight octets the number, the maker's letters, version and medium as one writes them."""
    if len(octets) == 8:
        code = int.from_bytes(octets[4:6], "little")
        letters = "".join(chr((code >> shift & 0x1F) + 64) for shift in (10, 5, 0))
        return f"{octets[3::-1].hex().upper()}{letters}{octets[6:].hex().upper()}"
    return octets[::-1].hex().upper()


_HEAD: Final = re.compile(rb"([\x80-\xff]{0,10}[\x00-\x7f])([\x80-\xff]{0,11}[\x00-\x7f])")
"""DIB and VIB, if the VIB has no text in it: octets with bit 7 set, and one without, twice."""

match_head: Final = _HEAD.match

kept: Final[dict[bytes, Layout]] = {}
"""Octets that `match_head` finds to what they say; for readers in a hurry, others call `layout_at`."""


def layout_at(octets: bytes, position: int) -> tuple[Layout, int]:
    """The layout that begins at `position`, and the position behind it.

    Raises RecordError when DIB or VIB are cut, longer than allowed or begin no record.
    """
    found = match_head(octets, position)
    if found is None:
        return _layout_of_text(octets, position)
    head = found[0]
    layout = kept.get(head)
    if layout is not None:
        return layout, found.end()
    dib, vib = found.groups()
    if vib[0] & 0x7F == PLAIN_TEXT:
        return _layout_of_text(octets, position)
    layout = make_layout(dib, vib)
    if len(kept) >= MAX_KEPT:
        kept.clear()
    kept[head] = layout
    return layout, found.end()


_DIB: Final = re.compile(rb"[\x80-\xff]{0,10}[\x00-\x7f]")
_VIFES: Final = re.compile(rb"[\x80-\xff]{0,9}[\x00-\x7f]")


def _layout_of_text(octets: bytes, position: int) -> tuple[Layout, int]:
    """A layout whose unit is text: VIF, length, characters, and VIFE behind them when bit 7 of the VIF is set."""
    dib = _DIB.match(octets, position)
    begin = dib.end() if dib else position
    if dib is None or begin >= len(octets) or octets[begin] & 0x7F != PLAIN_TEXT:
        raise RecordError("DIB and VIB are cut or longer than ten extensions", position)
    end = begin + 2 + (octets[begin + 1] if begin + 1 < len(octets) else 0)
    if octets[begin] & 0x80:
        vifes = _VIFES.match(octets, end)
        if vifes is None:
            raise RecordError("the VIFE behind the text of a unit are cut", position)
        end = vifes.end()
    if end > len(octets):
        raise RecordError("the text of a unit is cut", position)
    return make_layout(dib[0], octets[begin:end]), end
