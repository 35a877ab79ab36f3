"""Values as what they mean: a number with its unit, octets, a boolean, a status word, a time, scaler and unit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from devices.protocols.sml import tlv
from devices.protocols.sml.entries import ListEntry, SmlTime, Value, read_scaler, read_time, read_value, scaled
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.periods import PeriodEntry
from devices.protocols.sml.status import STATUS_WORD_OBIS, status_bits
from devices.protocols.sml.tlv import Raw
from devices.protocols.sml.units import unit_name


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact number and the symbol of its unit; empty for a count."""

    number: Decimal
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.number:f} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class StatusValue:
    """A status word.

    Attributes:
        word: the number.
    """

    word: int

    @property
    def bits(self) -> tuple[str, ...]:
        """Names of the bits that are set, see `status.status_bits`."""
        return status_bits(self.word)

    def __str__(self) -> str:
        return f"{self.word:08X} ({', '.join(self.bits) or 'nothing set'})"


@dataclass(frozen=True, slots=True)
class ScalerUnit:
    """Attribute 3 of a register: power of ten and unit code (SML 1.05, SML_CosemScalerUnit)."""

    scaler: int
    unit: int

    def __str__(self) -> str:
        return f"times 10^{self.scaler} {unit_name(self.unit)}".rstrip()


@dataclass(frozen=True, slots=True)
class TimestampedValue:
    """A value with time and status of its own (SML 1.05)."""

    time: SmlTime | None
    status: int | None
    value: Value


TypedValue = Quantity | StatusValue | ScalerUnit | TimestampedValue | SmlTime | bytes | bool | Raw | None

_TIME, _TIMESTAMPED, _COSEM = 1, 2, 3
_SCALER_UNIT: Final = 1


def typed_value(entry: ListEntry | PeriodEntry) -> TypedValue:
    """What the value of a register means; a list that SML does not know stays Raw."""
    value = entry.value
    if isinstance(value, Raw):
        return list_value(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if entry.obis == STATUS_WORD_OBIS and value >= 0 and not entry.scaler:
            return StatusValue(value)
        number = scaled(value, entry.scaler)
        return None if number is None else Quantity(number, "" if entry.unit is None else unit_name(entry.unit))
    return value


def list_value(raw: Raw) -> SmlTime | TimestampedValue | ScalerUnit | Raw:
    """What a list means that stands for a value: SML_ListType of SML 1.05; `raw` itself when it is none of them."""
    octets = raw.octets
    try:
        _, position = tlv.read_list(octets, 0, 2)
        choice, position = tlv.read_unsigned(octets, position)
        if choice == _TIME:
            return read_time(octets, position)[0]
        if choice == _TIMESTAMPED:
            return _timestamped(octets, position)
        if choice == _COSEM:
            return _scaler_unit(octets, position)
    except SmlError:
        pass
    return raw


def _timestamped(octets: bytes, position: int) -> TimestampedValue:
    _, position = tlv.read_list(octets, position, 3)
    if octets[position : position + 1] == b"\x01":
        time, position = None, position + 1
    else:
        time, position = read_time(octets, position)
    status, position = tlv.read_optional_unsigned(octets, position)
    return TimestampedValue(time, status, read_value(octets, position)[0])


def _scaler_unit(octets: bytes, position: int) -> ScalerUnit:
    _, position = tlv.read_list(octets, position, 2)
    choice, position = tlv.read_unsigned(octets, position)
    if choice != _SCALER_UNIT:
        raise SmlError(f"COSEM value of unknown choice {choice}", position)
    _, position = tlv.read_list(octets, position, 2)
    scaler, position = read_scaler(octets, position)
    return ScalerUnit(scaler or 0, tlv.read_unsigned(octets, position)[0])


def scaler_unit_value(scaler: int, unit: int) -> Raw:
    """Scaler and unit as the value of a COSEM attribute; raises SmlError when one has no room in an octet."""
    inner = tlv.write_list(tlv.write_integer(scaler, 1), tlv.write_unsigned(unit, 1))
    cosem = tlv.write_list(tlv.write_unsigned(_SCALER_UNIT, 1), inner)
    return Raw(tlv.write_list(tlv.write_unsigned(_COSEM, 1), cosem))
