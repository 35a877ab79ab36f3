"""The id of a meter as people write and read it."""

from __future__ import annotations

import re

from devices.errors import UsageError
from devices.protocols.sml import SmlError
from devices.protocols.sml.server_id import device_number, server_id


def id_of(text: str) -> bytes:
    """Server id from a device number or from its hexadecimal digits. Raises UsageError."""
    try:
        return server_id(text.upper())
    except SmlError:
        digits = re.sub(r"[\s:]", "", text)
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2}){6,14}", digits):
            return bytes.fromhex(digits)
    raise UsageError(f"{text!r} is no meter id", hint="a device number as 1SAG0021061001, or a server id in hex")


def name_of(identity: bytes) -> str:
    """Device number where the octets stand for one, else the octets."""
    try:
        number = device_number(identity)
    except SmlError:
        return identity.hex().upper()
    return number if server_id(number) == identity else identity.hex().upper()
