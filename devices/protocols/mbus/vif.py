"""The value information block: what a record's number is, in which unit, and what the octets behind say about it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from devices.protocols.mbus.errors import RecordError
from devices.protocols.mbus.vif_tables import (
    FIRST_EXTENSION,
    MANUFACTURER,
    MANUFACTURER_VIFE,
    MODIFIERS,
    PRIMARY,
    PROFILES,
    SECOND_EXTENSION,
    SECOND_MODIFIERS,
    SECOND_VIFE_TABLE,
    THOUSAND,
    UNKNOWN,
    Meaning,
)

PLAIN_TEXT: Final = 0x7C
"""VIF whose unit is text: a length and the characters follow, last one first; VIFE stand behind them."""

_FIRST, _SECOND = 0xFB, 0xFD
_MULTIPLIERS: Final = range(0x70, 0x78)


@dataclass(frozen=True, slots=True)
class Vib:
    """A value information block.

    Attributes:
        meaning: what the value information code stands for.
        vifes: the octets behind it without bit 7, as received.
        modifiers: what those say, in words; the maker's own are left out.
        multiplier: what VIFE 70 to 77 and 7D ask to multiply the value by; None when they say nothing. The value of
            `meaning` is without it.
        profile: the VIFE that makes the record a compact profile, None for others.
        text: unit in the maker's words, for VIF 7C.
    """

    meaning: Meaning
    vifes: tuple[int, ...] = ()
    modifiers: tuple[str, ...] = ()
    multiplier: Decimal | None = None
    profile: int | None = None
    text: str = ""

    @property
    def unit(self) -> str:
        """Unit of the value; the maker's words where the code is text."""
        return self.text or self.meaning.unit


def read_vib(octets: bytes) -> Vib:
    """What a whole value information block says; an unknown code reads as UNKNOWN.

    Raises RecordError when it ends too early.
    """
    if not octets:
        raise RecordError("a record without VIF", 0)
    first, text = octets[0], ""
    if first & 0x7F == PLAIN_TEXT:
        length = octets[1] if len(octets) > 1 else 0
        if len(octets) < 2 + length:
            raise RecordError("the text of a unit is cut", len(octets))
        text = octets[2 : 2 + length][::-1].decode("latin-1")
        return _vib(Meaning("text"), octets[2 + length :], text)
    if first in (_FIRST, _SECOND) and len(octets) > 1:
        table = FIRST_EXTENSION if first == _FIRST else SECOND_EXTENSION
        return _vib(table.get(octets[1] & 0x7F, UNKNOWN), octets[2:])
    if first & 0x7F == MANUFACTURER_VIFE:
        return Vib(MANUFACTURER if first & 0x80 else UNKNOWN, tuple(octet & 0x7F for octet in octets[2:]))
    return _vib(PRIMARY.get(first & 0x7F, UNKNOWN), octets[1:])


def _vib(meaning: Meaning, extensions: bytes, text: str = "") -> Vib:
    vifes = tuple(octet & 0x7F for octet in extensions)
    words: list[str] = []
    multiplier, profile = None, None
    place = 0
    while place < len(vifes) and vifes[place] != MANUFACTURER_VIFE:
        code = vifes[place]
        place += 1
        if code == SECOND_VIFE_TABLE:
            second = vifes[place] if place < len(vifes) else 0
            words.append(SECOND_MODIFIERS.get(second, f"VIFE FC{second:02X}"))
            place += 1
            continue
        if code in _MULTIPLIERS:
            multiplier = (multiplier or Decimal(1)).scaleb(code - 0x76)
        elif code == THOUSAND:
            multiplier = (multiplier or Decimal(1)) * 1000
        elif code in PROFILES:
            profile = code
        words.append(MODIFIERS.get(code, f"VIFE {code:02X}"))
    return Vib(meaning, vifes, tuple(words), multiplier, profile, text)
