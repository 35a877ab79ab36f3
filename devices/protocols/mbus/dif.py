"""The data information block: which function, storage, tariff and subunit a record is of, and how its data is coded.

DIF: bit 7 more, bit 6 lowest bit of the storage number, bits 5-4 function, bits 3-0 coding. Each DIFE adds four bits of
the storage number, two of the tariff and one of the subunit (lmn-wireless 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from devices.protocols.mbus.errors import RecordError

FILLER: Final = 0x2F
MANUFACTURER_DATA: Final = 0x0F
MORE_FOLLOWS: Final = 0x1F
"""DIFs that begin no record: an octet to skip, maker's data to the end, the same with more records to come."""

MAX_DIFE: Final = 10
FUNCTIONS: Final = ("instantaneous", "maximum", "minimum", "error")
"""Function by bits 5-4 of the DIF."""


class Coding(IntEnum):
    """How data is coded: bits 3-0 of the DIF."""

    NONE = 0x0
    INT8 = 0x1
    INT16 = 0x2
    INT24 = 0x3
    INT32 = 0x4
    REAL32 = 0x5
    INT48 = 0x6
    INT64 = 0x7
    SELECTION = 0x8
    BCD2 = 0x9
    BCD4 = 0xA
    BCD6 = 0xB
    BCD8 = 0xC
    VARIABLE = 0xD
    BCD12 = 0xE


SIZES: Final = (0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6)
"""Octets by coding; of variable data the octet LVAR says how many."""

INTEGERS: Final = frozenset((0x1, 0x2, 0x3, 0x4, 0x6, 0x7))
BCDS: Final = frozenset((0x9, 0xA, 0xB, 0xC, 0xE))


@dataclass(frozen=True, slots=True)
class Dib:
    """A data information block.

    Attributes:
        coding: how the data is coded.
        function: one of FUNCTIONS.
        storage, tariff, subunit: numbers, 0 where nothing is said.
    """

    coding: Coding
    function: str = FUNCTIONS[0]
    storage: int = 0
    tariff: int = 0
    subunit: int = 0

    def to_bytes(self, extensions: int = 0) -> bytes:
        """The octets, with as few DIFE as hold the numbers, but at least `extensions`.

        Raises RecordError for numbers that ten DIFE do not hold and functions that there are not.
        """
        if self.function not in FUNCTIONS:
            raise RecordError(f"function {self.function!r} is none of {', '.join(FUNCTIONS)}")
        if min(self.storage, self.tariff, self.subunit) < 0:
            raise RecordError("storage, tariff and subunit are counted from 0")
        octets = [self.coding | FUNCTIONS.index(self.function) << 4 | (self.storage & 1) << 6]
        storage, tariff, subunit = self.storage >> 1, self.tariff, self.subunit
        while storage or tariff or subunit or len(octets) <= extensions:
            octets.append(storage & 0x0F | (tariff & 3) << 4 | (subunit & 1) << 6)
            storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
        if len(octets) > 1 + MAX_DIFE:
            raise RecordError(
                f"storage {self.storage}, tariff {self.tariff}, subunit {self.subunit} need more than ten DIFE"
            )
        return bytes(octet | 0x80 for octet in octets[:-1]) + bytes(octets[-1:])


def read_dib(octets: bytes) -> Dib:
    """What a whole data information block says; raises RecordError for one that starts no record."""
    dif = octets[0] if octets else MANUFACTURER_DATA
    if dif & 0x0F == 0x0F:
        raise RecordError(f"DIF {octets[:1].hex().upper()} begins no record", 0)
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    for place, dife in enumerate(octets[1:]):
        storage |= (dife & 0x0F) << 1 + 4 * place
        tariff |= (dife >> 4 & 3) << 2 * place
        subunit |= (dife >> 6 & 1) << place
    return Dib(Coding(dif & 0x0F), FUNCTIONS[dif >> 4 & 3], storage, tariff, subunit)
