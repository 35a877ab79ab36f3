"""Which radio meter a profile means: the number on its case against the address on the air (lmn-wireless 1, 2.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devices.errors import UsageError
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import Address

ELECTRICITY: Final = 1

MEDIA: Final[Mapping[int, frozenset[int]]] = {
    ELECTRICITY: frozenset({0x02}),
    4: frozenset({0x08}),
    5: frozenset({0x0A, 0x0B}),
    6: frozenset({0x04, 0x0C, 0x0D}),
    7: frozenset({0x03}),
    8: frozenset({0x07, 0x16}),
    9: frozenset({0x06, 0x15}),
}
"""Medium digit of the number -> device types on the air: electricity, heat cost, cooling, heat, gas, cold water, warm
water (lmn-wireless 1; the mapping is assumed)."""

_NUMBER = re.compile(r"(\d)([A-Z]{3})([0-9A-Fa-f]{2})([0-9A-Fa-f]{8})", re.ASCII)
_OCTETS = re.compile(r"[0-9A-Fa-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RadioIdentity:
    """The radio meter of a profile.

    Attributes:
        manufacturer: three letters.
        id: eight digits.
        version: of the device, 0 to 255.
        types: device types that it may have.
        medium: first digit of its number.
    """

    manufacturer: str
    id: str
    version: int
    types: frozenset[int]
    medium: int

    def is_at(self, address: Address) -> bool:
        """Whether the meter with that address is this one."""
        return (
            address.id == self.id
            and address.manufacturer == self.manufacturer
            and address.version == self.version
            and address.type in self.types
        )


def radio_identity(number: str) -> RadioIdentity:
    """The meter for a number such as ``7ELS3312345678``, or for its address on the air as 16 hexadecimal digits.

    Raises UsageError for anything else.
    """
    plain = number.replace(" ", "")
    found = _NUMBER.fullmatch(plain)
    if found is not None:
        medium = int(found[1])
        if medium not in MEDIA:
            raise UsageError(f"{number!r} begins with medium {medium}", hint="radio meters have 1, 4, 5, 6, 7, 8 or 9")
        return RadioIdentity(found[2], found[4].upper(), int(found[3], 16), MEDIA[medium], medium)
    if _OCTETS.fullmatch(plain):
        try:
            address = Address.from_link(bytes.fromhex(plain))
        except MbusError as error:
            raise UsageError(f"{number!r} is no address of a radio meter: {error}") from None
        medium = next((digit for digit, types in MEDIA.items() if address.type in types), 0)
        return RadioIdentity(address.manufacturer, address.id, address.version, frozenset({address.type}), medium)
    raise UsageError(
        f"{number!r} is no number of a radio meter", hint="7ELS3312345678, or its address 9315785634123303"
    )
