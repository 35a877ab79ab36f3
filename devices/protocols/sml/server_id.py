"""Device number (DIN 43863-5) and server id, two spellings of the same thing (lmn-wired 4.5)."""

from __future__ import annotations

import re
from typing import Final

from devices.protocols.sml.errors import SmlError

SERVER_ID_LENGTH: Final = 10
LENGTH_OCTETS: Final = (0x0A, 0x09)
"""First octet of a server id: 0A counts all ten octets, 09 in older EDL ids counts the rest."""

_NUMBER = re.compile(r"(\d)([A-Z]{3})([0-9A-Fa-f]{2})(\d{8})", re.ASCII)


def server_id(number: str) -> bytes:
    """Ten octets for a device number such as ``1SAG0021061001`` (spaces allowed): medium digit, three letters of the
    maker, production block of two hexadecimal digits, serial number of eight decimal digits.

    Raises SmlError for anything else.
    """
    match = _NUMBER.fullmatch(number.replace(" ", ""))
    if match is None:
        raise SmlError(f"{number!r} is no device number like 1SAG0021061001")
    medium, maker, block, serial = match.groups()
    return (
        bytes((LENGTH_OCTETS[0], int(medium)))
        + maker.encode()
        + bytes((int(block, 16),))
        + int(serial).to_bytes(4, "big")
    )


def device_number(server: bytes) -> str:
    """The 14 characters for a server id of ten octets; raises SmlError when it has another form."""
    if len(server) != SERVER_ID_LENGTH or server[0] not in LENGTH_OCTETS:
        raise SmlError(f"{server.hex()} is no server id of ten octets that begins with 0a")
    maker = server[2:5]
    serial = int.from_bytes(server[6:], "big")
    if server[1] > 9:
        raise SmlError(f"medium {server[1]} is no digit", 1)
    if not all(0x41 <= letter <= 0x5A for letter in maker):
        raise SmlError(f"maker {maker.hex()} is not three capital letters", 2)
    if serial > 99_999_999:
        raise SmlError(f"serial number {serial} has more than eight digits", 6)
    return f"{server[1]}{maker.decode()}{server[5]:02X}{serial:08d}"
