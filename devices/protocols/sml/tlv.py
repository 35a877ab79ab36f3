"""Type-length-value coding of SML (lmn-wired 4.1): reading functions take octets and a position and give the value
with the position behind it; writing functions give octets.

A TL octet holds: bit 7 another TL octet follows, bits 6 to 4 the type, bits 3 to 0 four bits of the length. The
length counts the TL octets too, but for lists, where it is the number of elements. 01 is an absent optional value.

Every read is bounded by the octets that are there: a list cannot claim more elements than octets are left, each
element takes one octet at least, and lists nest `MAX_DEPTH` deep.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from devices.protocols.sml.errors import SmlError

OCTET_STRING: Final = 0x00
BOOLEAN: Final = 0x40
INTEGER: Final = 0x50
UNSIGNED: Final = 0x60
LIST: Final = 0x70

ABSENT: Final = 0x01
END_OF_MESSAGE: Final = 0x00
MAX_DEPTH: Final = 24
MAX_INTEGER_OCTETS: Final = 8

_MORE = 0x80
_TYPE = 0x70
_NIBBLE = 0x0F
_TYPE_NAMES = {
    OCTET_STRING: "octet string",
    BOOLEAN: "boolean",
    INTEGER: "integer",
    UNSIGNED: "unsigned",
    LIST: "list",
}


@dataclass(frozen=True, slots=True)
class Raw:
    """One well-formed element of any kind that is kept as it came, TL octets included."""

    octets: bytes

    @property
    def tree(self) -> Tree:
        """The element as nested lists, octets, numbers, booleans and None; raises SmlError when it is not one."""
        return read_tree(self.octets, 0)[0]


Tree = list["Tree"] | bytes | int | bool | None


def head(octets: bytes, position: int) -> tuple[int, int, int]:
    """Read the TL octets at `position`: type, length and the position behind them.

    The length is the number of content octets, for lists that of elements. Raises SmlError when it claims more than
    is there.
    """
    size = len(octets)
    if position >= size:
        raise SmlError("data end where an element is due", size)
    first = octet = octets[position]
    length = octet & _NIBBLE
    behind = position + 1
    while octet & _MORE:
        if behind >= size or behind - position >= MAX_INTEGER_OCTETS:
            raise SmlError("the length goes on for too long", behind)
        octet = octets[behind]
        length = length << 4 | octet & _NIBBLE
        behind += 1
    kind = first & _TYPE
    if kind != LIST:
        length -= behind - position
        if length < 0:
            raise SmlError("an element is shorter than its own length field", position)
    if kind not in _TYPE_NAMES:
        raise SmlError(f"unknown type {kind >> 4}", position)
    if length > size - behind:
        raise SmlError(f"{_TYPE_NAMES[kind]} claims {length}, only {size - behind} octets are left", position)
    return kind, length, behind


def skip(octets: bytes, position: int, depth: int = 0) -> int:
    """Position behind the element at `position`, all its elements included."""
    kind, length, behind = head(octets, position)
    if kind != LIST:
        return behind + length
    if depth >= MAX_DEPTH:
        raise SmlError(f"lists nest deeper than {MAX_DEPTH}", position)
    for _ in range(length):
        behind = skip(octets, behind, depth + 1)
    return behind


def read_raw(octets: bytes, position: int) -> tuple[Raw | None, int]:
    """Any element as it stands; None when absent."""
    if octets[position : position + 1] == b"\x01":
        return None, position + 1
    behind = skip(octets, position)
    return Raw(octets[position:behind]), behind


def read_tree(octets: bytes, position: int, depth: int = 0) -> tuple[Tree, int]:
    """Any element, lists as lists."""
    kind, length, behind = head(octets, position)
    if kind == LIST:
        if depth >= MAX_DEPTH:
            raise SmlError(f"lists nest deeper than {MAX_DEPTH}", position)
        elements: list[Tree] = []
        for _ in range(length):
            element, behind = read_tree(octets, behind, depth + 1)
            elements.append(element)
        return elements, behind
    end = behind + length
    content = octets[behind:end]
    if kind == OCTET_STRING:
        return (None if octets[position] == ABSENT else content), end
    if kind == BOOLEAN:
        return any(content), end
    return int.from_bytes(content, "big", signed=kind == INTEGER), end


def shapes(kind: int, *lengths: int) -> bytes:
    """Regular expression for an element of `kind` with one TL octet and any of these numbers of content octets.

    The C code of `re` reads what every meter sends in one step; whatever does not match takes the way by `head`.
    """
    return b"|".join(re.escape(bytes((kind | length + 1,))) + b".{%d}" % length for length in lengths)


def read_octets(octets: bytes, position: int) -> tuple[bytes, int]:
    """A mandatory octet string; an absent one reads as empty."""
    if position < len(octets) and 0 < (first := octets[position]) < 0x10:
        end = position + first
        if end <= len(octets):
            return octets[position + 1 : end], end
    kind, length, behind = head(octets, position)
    if kind != OCTET_STRING:
        raise SmlError(f"{_TYPE_NAMES[kind]} where an octet string is due", position)
    end = behind + length
    return octets[behind:end], end


def read_optional_octets(octets: bytes, position: int) -> tuple[bytes | None, int]:
    """An octet string or None."""
    if octets[position : position + 1] == b"\x01":
        return None, position + 1
    return read_octets(octets, position)


def read_unsigned(octets: bytes, position: int) -> tuple[int, int]:
    """An unsigned number of 1 to 8 octets, shortened or not."""
    return _number(octets, position, UNSIGNED)


def read_integer(octets: bytes, position: int) -> tuple[int, int]:
    """A signed number of 1 to 8 octets, shortened or not."""
    return _number(octets, position, INTEGER)


def _number(octets: bytes, position: int, wanted: int) -> tuple[int, int]:
    if position < len(octets):
        width = octets[position] - wanted
        end = position + width
        if 2 <= width <= MAX_INTEGER_OCTETS + 1 and end <= len(octets):
            return int.from_bytes(octets[position + 1 : end], "big", signed=wanted == INTEGER), end
    kind, length, behind = head(octets, position)
    if kind != wanted or not 1 <= length <= MAX_INTEGER_OCTETS:
        raise SmlError(
            f"{_TYPE_NAMES[kind]} of {length} octets where a number ({_TYPE_NAMES[wanted]}) is due", position
        )
    end = behind + length
    return int.from_bytes(octets[behind:end], "big", signed=wanted == INTEGER), end


def read_optional_unsigned(octets: bytes, position: int) -> tuple[int | None, int]:
    """An unsigned number or None."""
    if octets[position : position + 1] == b"\x01":
        return None, position + 1
    return _number(octets, position, UNSIGNED)


def read_optional_integer(octets: bytes, position: int) -> tuple[int | None, int]:
    """A signed number or None."""
    if octets[position : position + 1] == b"\x01":
        return None, position + 1
    return _number(octets, position, INTEGER)


def read_list(octets: bytes, position: int, elements: int | None = None) -> tuple[int, int]:
    """The head of a list: number of elements and position of the first; `elements` is how many there must be."""
    if position < len(octets) and octets[position] >> 4 == LIST >> 4:
        length = octets[position] & _NIBBLE
        if length < len(octets) - position and (elements is None or elements == length):
            return length, position + 1
    kind, length, behind = head(octets, position)
    if kind != LIST:
        raise SmlError(f"{_TYPE_NAMES[kind]} where a list is due", position)
    if elements is not None and length != elements:
        raise SmlError(f"a list of {length} where {elements} elements are due", position)
    return length, behind


def write_head(kind: int, length: int) -> bytes:
    """TL octets for `length` content octets, or elements of a list, in as few octets as can be."""
    count = 1
    while length + (count if kind != LIST else 0) >= 1 << 4 * count:
        count += 1
    total = length + (count if kind != LIST else 0)
    nibbles = [total >> 4 * place & _NIBBLE for place in range(count - 1, -1, -1)]
    nibbles[0] |= kind
    return bytes([nibble | _MORE for nibble in nibbles[:-1]] + nibbles[-1:])


def write_octets(value: bytes | None) -> bytes:
    """An octet string; None is absent."""
    return b"\x01" if value is None else write_head(OCTET_STRING, len(value)) + value


def write_unsigned(value: int | None, octets: int) -> bytes:
    """An unsigned number of that many octets; None is absent; raises SmlError when it does not fit."""
    if value is None:
        return b"\x01"
    if not 0 <= value < 1 << 8 * octets:
        raise SmlError(f"{value} is no unsigned number of {octets} octets")
    return bytes((UNSIGNED | octets + 1,)) + value.to_bytes(octets, "big")


def write_integer(value: int | None, octets: int) -> bytes:
    """A signed number of that many octets; None is absent; raises SmlError when it does not fit."""
    if value is None:
        return b"\x01"
    if not -(1 << 8 * octets - 1) <= value < 1 << 8 * octets - 1:
        raise SmlError(f"{value} is no signed number of {octets} octets")
    return bytes((INTEGER | octets + 1,)) + value.to_bytes(octets, "big", signed=True)


def unsigned_octets(value: int) -> int:
    """How many octets SML gives an unsigned number: 1, 2, 4 or 8."""
    return next((octets for octets in (1, 2, 4) if value < 1 << 8 * octets), 8)


def integer_octets(value: int) -> int:
    """How many octets SML gives a signed number: 1, 2, 4 or 8."""
    return next((octets for octets in (1, 2, 4) if -(1 << 8 * octets - 1) <= value < 1 << 8 * octets - 1), 8)


def write_list(*elements: bytes) -> bytes:
    """A list of elements that are written already."""
    return write_head(LIST, len(elements)) + b"".join(elements)
