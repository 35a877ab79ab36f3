"""The CRC of EN 13757-4: of link blocks, of payloads in the extended link layer, of formats and compact frames."""

from __future__ import annotations

from typing import Final

POLYNOMIAL: Final = 0x3D65


def _row(octet: int) -> int:
    register = octet << 8
    for _ in range(8):
        register = (register << 1 ^ POLYNOMIAL if register & 0x8000 else register << 1) & 0xFFFF
    return register


_TABLE: Final = tuple(_row(octet) for octet in range(256))


def crc(octets: bytes | bytearray | memoryview) -> int:
    """CRC of `octets`: polynomial 0x3D65, preset 0, high bit first, inverted at the end (lmn-wireless 2.1).

    Link blocks send the high octet first, all higher layers the low one.
    """
    register = 0
    table = _TABLE
    for octet in octets:
        register = (register << 8 & 0xFF00) ^ table[register >> 8 ^ octet]
    return register ^ 0xFFFF
