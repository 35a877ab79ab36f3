"""Numbers and texts of records: integers, BCD, reals, and data of variable length (lmn-wireless 4.1)."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Final

from devices.protocols.mbus.dif import BCDS, INTEGERS, SIZES, Coding
from devices.protocols.mbus.errors import RecordError

_FLOAT: Final = struct.Struct("<f")
_LONGEST_TEXT: Final = 0xBF

Stored = int | Decimal | None
"""A number as it is stored, before any scale; None when the octets are no number."""


def read_signed(octets: bytes) -> int:
    """Type B, lowest octet first."""
    return int.from_bytes(octets, "little", signed=True)


def read_unsigned(octets: bytes) -> int:
    """Type C, lowest octet first."""
    return int.from_bytes(octets, "little")


def read_bcd(octets: bytes) -> int | None:
    """Type A, lowest digits first: a top digit F is a minus, any other digit above 9 makes it no number."""
    digits = octets[::-1].hex()
    if digits.isdecimal():
        return int(digits)
    if digits[:1] == "f" and digits[1:].isdecimal():
        return -int(digits[1:])
    return None


def read_real(octets: bytes) -> Decimal | None:
    """Type H: the shortest decimal that stands for the same 32 bit; None for infinite and not-a-number."""
    number: float = _FLOAT.unpack(octets)[0]
    if not math.isfinite(number):
        return None
    for digits in (6, 7, 8):
        text = f"{number:.{digits}g}"
        if _FLOAT.pack(float(text)) == octets:
            return Decimal(text)
    return Decimal(f"{number:.9g}")


def is_illegal_signed(octets: bytes) -> bool:
    """Whether a signed integer is the most negative one, which says "no value" (lmn-wireless 4.1)."""
    return octets[-1:] == b"\x80" and not any(octets[:-1])


def is_illegal_unsigned(octets: bytes) -> bool:
    """Whether an unsigned integer has all bits set, which says "no value"."""
    return octets.count(0xFF) == len(octets)


def variable_size(lvar: int) -> int | None:
    """Octets behind the octet LVAR; None for the values that are not defined."""
    if lvar <= _LONGEST_TEXT:
        return lvar
    if lvar in _VARIABLE_RANGES:
        return lvar & 0x0F
    return _LONG_NUMBERS.get(lvar)


_VARIABLE_RANGES: Final = frozenset((*range(0xC0, 0xCA), *range(0xD0, 0xDA), *range(0xE0, 0xF0)))
_LONG_NUMBERS: Final = {**{lvar: 4 * (lvar - 0xEC) for lvar in range(0xF0, 0xF5)}, 0xF5: 48, 0xF6: 64}


def read_variable(lvar: int, octets: bytes, *, signed: bool = True) -> int | str | None:
    """Text, a BCD number with sign, or a binary number, lowest octet first; None for an illegal number."""
    if lvar <= _LONGEST_TEXT:
        return octets[::-1].decode("latin-1")
    if lvar < 0xE0:
        digits = octets[::-1].hex()
        number = int(digits) if digits.isdecimal() else None
        return -number if number is not None and lvar >= 0xD0 else number
    if not octets or (is_illegal_signed(octets) if signed else is_illegal_unsigned(octets)):
        return None
    return read_signed(octets) if signed else read_unsigned(octets)


def write_number(coding: Coding, number: int, *, signed: bool = True) -> bytes:
    """An integer in a coding for integers or BCD; raises RecordError when it does not fit."""
    size = SIZES[coding]
    if coding in INTEGERS:
        try:
            return number.to_bytes(size, "little", signed=signed)
        except OverflowError as error:
            raise RecordError(f"{number} does not fit into {coding.name}") from error
    if coding not in BCDS:
        raise RecordError(f"{coding.name} holds no integers")
    digits = f"{abs(number):0{2 * size - (number < 0)}d}"
    text = f"f{digits}" if number < 0 else digits
    if len(text) > 2 * size:
        raise RecordError(f"{number} does not fit into {coding.name}")
    return bytes.fromhex(text)[::-1]


def write_real(number: float) -> bytes:
    """Type H; raises RecordError for what 32 bit do not hold."""
    try:
        return _FLOAT.pack(number)
    except OverflowError as error:
        raise RecordError(f"{number} does not fit into REAL32") from error


def write_text(text: str) -> bytes:
    """LVAR and latin-1 text, last character first; raises RecordError for other characters and over 191 of them."""
    try:
        octets = text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise RecordError(f"{text!r} has characters that latin-1 lacks") from error
    if len(octets) > _LONGEST_TEXT:
        raise RecordError(f"a text of {len(octets)} characters is longer than {_LONGEST_TEXT}")
    return bytes((len(octets),)) + octets[::-1]


def write_container(octets: bytes) -> bytes:
    """LVAR and octets as they are; raises RecordError for more than 191."""
    if len(octets) > _LONGEST_TEXT:
        raise RecordError(f"a container of {len(octets)} octets is longer than {_LONGEST_TEXT}")
    return bytes((len(octets),)) + octets
