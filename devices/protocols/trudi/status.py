"""Status of a reading and how grave it is (han 5.3)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal

BitOrder = Literal["lsb", "msb"]
"""Which digit of each half comes first: ``lsb``, bit 0 leftmost, as current TRuDI reads it; ``msb`` as old ones did."""
AnyOrder = Literal["lsb", "msb", "auto"]
"""``auto``: each word in the order in which it has the bits that are always set, in both the current one."""


class Severity(IntEnum):
    """The classes of PTB, grave ones last."""

    NONE = 0
    WARNING = 1
    TEMPORARY = 2
    CRITICAL = 3
    FATAL = 4

    @property
    def usable(self) -> bool:
        """Whether a reading of this class may be billed: critical and fatal ones are treated like missing ones."""
        return self < Severity.CRITICAL


_GATEWAY_MARK: Final = 0x5
_METER_MARK: Final = 0x4
"""Bits that are set in every word of a gateway and of a base meter."""
_GATEWAY: Final = ((0x100, Severity.FATAL), (0x200, Severity.CRITICAL), (0x4000, Severity.CRITICAL))
_METER: Final = ((0x20000, Severity.FATAL), (0x200, Severity.CRITICAL), (0x400, Severity.CRITICAL))
_MILD: Final = ((0x2000, Severity.TEMPORARY), (0x1000, Severity.WARNING))


def severity_of_word(word: str, order: BitOrder = "lsb") -> Severity:
    """How grave a status word of 16 hexadecimal digits is, gateway half first. Raises ValueError for another form."""
    if len(word) != 16:
        raise ValueError(f"a status word has 16 hexadecimal digits, {word!r} has {len(word)}")
    gateway, meter = _half(word[:8], order), _half(word[8:], order)
    found = [severity for mask, severity in (*_GATEWAY, *_MILD) if gateway & mask]
    found += [severity for mask, severity in _METER if meter & mask]
    return max(found, default=Severity.NONE)


def identified(word: str, order: BitOrder = "lsb") -> bool:
    """Whether a word of 16 hexadecimal digits has the bits that are always set in both halves.

    They show that the order of the bits is right, and that this is a status word at all.
    """
    gateway, meter = _half(word[:8], order), _half(word[8:], order)
    return gateway & _GATEWAY_MARK == _GATEWAY_MARK and meter & _METER_MARK == _METER_MARK


def _half(digits: str, order: BitOrder) -> int:
    """A half as a number in which bit n weighs 2**n."""
    value = int(digits, 16)
    return int(f"{value:032b}"[::-1], 2) if order == "lsb" else value
