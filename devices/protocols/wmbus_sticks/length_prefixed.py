"""Telegrams that stand on a line as they are: L first, perhaps the strength behind (lmn-wireless 5.3, 5.4).

Without a start octet or checksum only what a telegram looks like can be judged: L, C and the letters of the maker.
"""

from __future__ import annotations

from typing import Final

LEAST_L: Final = 9
KNOWN_C: Final = frozenset(
    bytes.fromhex("44 46 47 48  08 18 28 38  00 10 20 30  01 11 21 31  40 06 43 45 53 73  5A 7A 5B 7B")
)
"""C fields of lmn-wireless 2.2."""


def implausible(octets: bytes, start: int, *, rssi: bool) -> str:
    """Why no telegram can begin at `start`, as far as its head is there; empty: one can.

    Args:
        octets: of the stream.
        start: where L would be.
        rssi: L counts an octet of strength as well.
    """
    if octets[start] < LEAST_L + rssi:
        return f"L {octets[start]:02X} is too short"
    if len(octets) > start + 1 and octets[start + 1] not in KNOWN_C:
        return f"no C field {octets[start + 1]:02X}"
    if len(octets) > start + 3:
        maker = int.from_bytes(octets[start + 2 : start + 4], "little")
        if not all(1 <= maker >> shift & 0x1F <= 26 for shift in (0, 5, 10)):
            return f"no maker {maker:04X}"
    return ""


def split(octets: bytes, *, rssi: bool) -> tuple[bytes, int | None]:
    """The stripped telegram, and the octet of strength when there is one."""
    if not rssi:
        return octets, None
    return bytes((octets[0] - 1,)) + octets[1:-1], octets[-1]


def join(telegram: bytes, strength: int | None) -> bytes:
    """The reverse of `split`. Raises ValueError for a telegram too long for an octet more."""
    if strength is None:
        return telegram
    return bytes((telegram[0] + 1,)) + telegram[1:] + bytes((strength,))
