"""The number on the case of a radio meter, and its address on the air (lmn-wireless 1, 2.1)."""

from __future__ import annotations

import re
from typing import Final

from devices.errors import UsageError
from devices.protocols.mbus.link import Address

DEVICE_TYPES: Final[dict[str, int]] = {"1": 0x02, "4": 0x08, "5": 0x0A, "6": 0x04, "7": 0x03, "8": 0x07, "9": 0x06}
"""Medium digit -> device type: electricity, heat cost, cooling, heat, gas, cold and warm water."""

_NUMBER: Final = re.compile(r"([1456789])([A-Z]{3})([0-9A-F]{2})([0-9A-F]{8})")


def address_of(number: str) -> Address:
    """The address of the meter with a number such as ``7ELS3312345678``: medium, maker, version, eight digits.

    Raises UsageError for anything else.
    """
    found = _NUMBER.fullmatch(number.replace(" ", "").upper())
    if found is None:
        raise UsageError(f"{number!r} is no number of a radio meter", hint="write it like 7ELS3312345678")
    medium, maker, version, digits = found.groups()
    return Address(maker, digits, int(version, 16), DEVICE_TYPES[medium])


def number_of(address: Address) -> str:
    """The number of the meter with this address; ``E`` and the like for types that are no meter have no digit: 0."""
    medium = next((digit for digit, kind in DEVICE_TYPES.items() if kind == address.type), "0")
    return f"{medium}{address.manufacturer}{address.version:02X}{address.id}"
