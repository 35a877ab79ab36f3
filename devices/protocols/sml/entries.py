"""What a list of values is made of: times and list entries."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from typing import Final

from devices.protocols.frozen import builder
from devices.protocols.sml import tlv
from devices.protocols.sml.errors import SmlError

SECOND_INDEX_OCTETS: Final = 4


class TimeKind(IntEnum):
    """Choice of SML_Time."""

    SECOND_INDEX = 1
    """Seconds that the meter was powered, counted since it was made."""
    TIMESTAMP = 2
    """Seconds since 1970-01-01 UTC."""
    LOCAL = 3
    """The same with offsets to local and to summer time."""


@dataclass(frozen=True, slots=True)
class SmlTime:
    """A point in time.

    Attributes:
        kind: what `seconds` counts.
        seconds: 32 bits.
        local_offset_min: minutes from UTC to standard time, only LOCAL.
        season_offset_min: minutes from standard to summer time, only LOCAL.
        octets: width of the number as received, 1 to 8; 4 when written by us.
        bare: True when the meter sent the number alone, without the choice around it.
    """

    kind: TimeKind
    seconds: int
    local_offset_min: int = 0
    season_offset_min: int = 0
    octets: int = field(default=SECOND_INDEX_OCTETS, compare=False, repr=False)
    bare: bool = field(default=False, compare=False, repr=False)


_build_time = builder(SmlTime)
_KINDS = {int(kind): kind for kind in TimeKind}

COMMON_TIME: Final = rb"\x72\x62[\x01\x02](?:%b)|\x65.{4}" % tlv.shapes(tlv.UNSIGNED, 4, 1, 2, 3)
"""Regular expression for a time as meters send it."""


def read_time(octets: bytes, position: int) -> tuple[SmlTime, int]:
    """An SML_Time, as a list of choice and value or as a bare number (lmn-wired 4.1)."""
    if octets[position : position + 1] != b"\x72":
        seconds, behind = tlv.read_unsigned(octets, position)
        return SmlTime(TimeKind.SECOND_INDEX, seconds, 0, 0, behind - position - 1, True), behind
    choice, start = tlv.read_unsigned(octets, position + 1)
    kind = _KINDS.get(choice)
    if kind is None:
        raise SmlError(f"time of unknown choice {choice}", position + 1)
    if kind is not TimeKind.LOCAL:
        seconds, behind = tlv.read_unsigned(octets, start)
        return _build_time(kind, seconds, 0, 0, behind - start - 1, False), behind
    _, start = tlv.read_list(octets, start, 3)
    seconds, behind = tlv.read_unsigned(octets, start)
    width = behind - start - 1
    local, behind = tlv.read_integer(octets, behind)
    season, behind = tlv.read_integer(octets, behind)
    return SmlTime(kind, seconds, local, season, width), behind


def read_optional_time(octets: bytes, position: int) -> tuple[SmlTime | None, int]:
    """An SML_Time or None."""
    if octets[position : position + 1] == b"\x01":
        return None, position + 1
    return read_time(octets, position)


def write_time(time: SmlTime | None) -> bytes:
    """An SML_Time; None is absent; raises SmlError when a number does not fit."""
    if time is None:
        return b"\x01"
    seconds = tlv.write_unsigned(time.seconds, max(time.octets, -(-time.seconds.bit_length() // 8)))
    if time.bare:
        return seconds
    choice = tlv.write_unsigned(time.kind, 1)
    if time.kind is not TimeKind.LOCAL:
        return tlv.write_list(choice, seconds)
    local = tlv.write_integer(time.local_offset_min, 2)
    season = tlv.write_integer(time.season_offset_min, 2)
    return tlv.write_list(choice, tlv.write_list(seconds, local, season))


Value = int | bytes | bool | tlv.Raw | None
"""Value of a register; `Raw` when a meter sends a list where the standard has a plain value."""


def read_scaler(octets: bytes, position: int) -> tuple[int | None, int]:
    """A scaler or None; one beyond Integer8 is an error, a number times ten to it would fill any memory."""
    scaler, behind = tlv.read_optional_integer(octets, position)
    if scaler is not None and not -128 <= scaler <= 127:
        raise SmlError(f"scaler {scaler} is not within -128..127", position)
    return scaler, behind


def scaled(value: Value, scaler: int | None) -> Decimal | None:
    """A number times ten to the scaler, exactly; None for octets, booleans and absent values."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return Decimal(f"{value}E{scaler or 0}")


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One register in a list of values.

    Attributes:
        obis: six octets, see `obis.format_obis`.
        status: status word of the meter, up to 64 bits.
        val_time: when the value was valid.
        unit: code, see `units.unit_name`.
        scaler: power of ten by which the number counts.
        value: number, octets or boolean.
        signature: of this value, only older meters.
        status_octets: width of the status as received, 1 to 8; 0: the smallest of 1, 2, 4, 8 that holds it.
        value_head: TL octet of a number as received, from which type and width are kept when it is written again;
            0: signed, in the smallest of 1, 2, 4, 8 octets. A number that does not fit is written wider.
    """

    obis: bytes
    status: int | None = None
    val_time: SmlTime | None = None
    unit: int | None = None
    scaler: int | None = None
    value: Value = None
    signature: bytes | None = None
    status_octets: int = field(default=0, compare=False, repr=False)
    value_head: int = field(default=0, compare=False, repr=False)

    @property
    def number(self) -> Decimal | None:
        """The value times ten to the scaler, exactly; None for octets, booleans and absent values."""
        return scaled(self.value, self.scaler)


_build_entry = builder(ListEntry)


def read_value(octets: bytes, position: int) -> tuple[Value, int, int]:
    """A plain value: the value, its TL octet when it is a number (else 0), the position behind."""
    kind, length, behind = tlv.head(octets, position)
    end = behind + length
    if kind == tlv.OCTET_STRING:
        return (None if octets[position] == tlv.ABSENT else octets[behind:end]), 0, end
    if kind in (tlv.INTEGER, tlv.UNSIGNED):
        if not 1 <= length <= tlv.MAX_INTEGER_OCTETS:
            raise SmlError(f"a number of {length} octets", position)
        number = int.from_bytes(octets[behind:end], "big", signed=kind == tlv.INTEGER)
        return number, kind | length + 1, end
    if kind == tlv.BOOLEAN:
        return any(octets[behind:end]), 0, end
    raw, end = tlv.read_raw(octets, position)
    return raw, 0, end


def write_value(value: Value, value_head: int = 0) -> bytes:
    """A plain value; `value_head` as in ListEntry."""
    if value is None:
        return b"\x01"
    if isinstance(value, bool):
        return b"\x42\x01" if value else b"\x42\x00"
    if isinstance(value, bytes):
        return tlv.write_octets(value)
    if isinstance(value, tlv.Raw):
        return value.octets
    width = (value_head & 0x0F) - 1
    if value_head & 0x70 == tlv.UNSIGNED and value >= 0:
        return tlv.write_unsigned(value, max(width, -(-value.bit_length() // 8)))
    if value >= 1 << 63:
        return tlv.write_unsigned(value, 8)
    if width >= 1:
        needed = (value if value >= 0 else ~value).bit_length() // 8 + 1
        return tlv.write_integer(value, max(width, needed))
    return tlv.write_integer(value, tlv.integer_octets(value))


def write_entry(entry: ListEntry) -> bytes:
    """One list entry; raises SmlError when a value has no room in its field."""
    status = entry.status
    width = 0 if status is None else entry.status_octets or tlv.unsigned_octets(status)
    if status is not None:
        width = max(width, -(-status.bit_length() // 8))
    return tlv.write_list(
        tlv.write_octets(entry.obis),
        tlv.write_unsigned(status, width),
        write_time(entry.val_time),
        tlv.write_unsigned(entry.unit, 1),
        tlv.write_integer(entry.scaler, 1),
        write_value(entry.value, entry.value_head),
        tlv.write_octets(entry.signature),
    )


_NUMBERS = range(1, tlv.MAX_INTEGER_OCTETS + 1)
_STATUS = tlv.shapes(tlv.UNSIGNED, *_NUMBERS)
_NUMBER = tlv.shapes(tlv.UNSIGNED, *_NUMBERS) + b"|" + tlv.shapes(tlv.INTEGER, *_NUMBERS)
_STRING = tlv.shapes(tlv.OCTET_STRING, *range(1, 15)) + rb"|\x83\x02.{48}"
_COMMON_ENTRY = re.compile(
    rb"\x77\x07(.{6})(?:\x01|(%b))(?:\x01|(%b))(?:\x01|\x62(.))(?:\x01|\x52(.))(?:(%b)|(%b))\x01"
    % (_STATUS, COMMON_TIME, _NUMBER, _STRING),
    re.DOTALL,
)
"""A list entry as nearly every meter sends it: OBIS, status, time, unit, scaler, number or string (the public key of
48 octets among them), no signature."""


def read_entry(octets: bytes, position: int) -> tuple[ListEntry, int]:
    """One list entry, a list of seven."""
    match = _COMMON_ENTRY.match(octets, position)
    if match is None:
        return _read_any_entry(octets, position)
    obis, status, time, unit, scaler, number, string = match.groups()
    value: int | bytes
    value_head = 0
    if number:
        value_head = number[0]
        magnitude = int.from_bytes(number[1:])
        negative = value_head < tlv.UNSIGNED and number[1] & 0x80
        value = magnitude - (1 << 8 * (len(number) - 1)) if negative else magnitude
    else:
        value = string[2 if string[0] & 0x80 else 1 :]
    entry = _build_entry(
        obis,
        int.from_bytes(status[1:]) if status else None,
        read_time(time, 0)[0] if time else None,
        unit[0] if unit else None,
        (scaler[0] ^ 0x80) - 0x80 if scaler else None,
        value,
        None,
        len(status) - 1 if status else 0,
        value_head,
    )
    return entry, match.end()


def _read_any_entry(octets: bytes, position: int) -> tuple[ListEntry, int]:
    _, position = tlv.read_list(octets, position, 7)
    obis, position = tlv.read_octets(octets, position)
    start = position
    status, position = tlv.read_optional_unsigned(octets, position)
    width = 0 if status is None else position - start - 1
    time, position = read_optional_time(octets, position)
    unit, position = tlv.read_optional_unsigned(octets, position)
    scaler, position = read_scaler(octets, position)
    value, value_head, position = read_value(octets, position)
    signature, position = tlv.read_optional_octets(octets, position)
    return ListEntry(obis, status, time, unit, scaler, value, signature, width, value_head), position


def read_entries(octets: bytes, position: int) -> tuple[tuple[ListEntry, ...], int]:
    """A list of list entries."""
    count, position = tlv.read_list(octets, position)
    entries = []
    for _ in range(count):
        entry, position = read_entry(octets, position)
        entries.append(entry)
    return tuple(entries), position


def write_entries(entries: tuple[ListEntry, ...]) -> bytes:
    """A list of list entries."""
    return tlv.write_list(*map(write_entry, entries))
