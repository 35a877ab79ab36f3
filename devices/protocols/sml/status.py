"""Names of the bits in the status word of a base meter (lmn-wired 4.4)."""

from __future__ import annotations

from typing import Final

STATUS_WORD_OBIS: Final = bytes.fromhex("0100600500ff")
"""1-0:96.5.0*255, the status word as an object of its own."""

STATUS_BITS: Final[dict[int, str]] = {
    2: "base meter",
    8: "load above start-up",
    9: "magnet",
    10: "cover opened",
    11: "sum flows -A",
    12: "L1 flows -A",
    13: "L2 flows -A",
    14: "L3 flows -A",
    15: "rotating field is not L1-L2-L3",
    16: "backstop",
    17: "fatal error",
    18: "voltage on L1",
    19: "voltage on L2",
    20: "voltage on L3",
}
"""Bit number to meaning; bits 0, 1 and 3 to 7 are always 0."""

_FIXED = 0xFF
_FIXED_VALUE = 1 << 2


def is_base_meter_status(word: int) -> bool:
    """Whether the low octet is that of a base meter; older meters (EDL, status 00010180) give bits other meanings."""
    return word & _FIXED == _FIXED_VALUE


def status_bits(word: int) -> tuple[str, ...]:
    """Names of the bits that are set, ``bit 25`` for one without a name; every bit without a name when the word is not
    that of a base meter."""
    known = STATUS_BITS if is_base_meter_status(word) else {}
    return tuple(known.get(bit, f"bit {bit}") for bit in range(word.bit_length()) if word >> bit & 1)
