"""The COSEM services of SML 1.04: GetCosem, SetCosem and ActionCosem.

Public sources give their message types only (lmn-wired 4.1). What they carry is assumed throughout: who asks whom as in
the other requests, the object by OBIS code, class and version, and its attributes by number. Meters of today serve the
same objects by GetProcParameter (lmn-wired 4.3). A message that is built otherwise is kept as UnknownBody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from devices.protocols.sml import tlv
from devices.protocols.sml.coding import (
    LOGIN,
    Coding,
    Schema,
    integer_field,
    maybe_octets,
    octets_field,
    optional,
    value_field,
)
from devices.protocols.sml.entries import Value

NUMBER_OCTETS: Final = 2
"""Width of class ids, versions, attribute and method numbers (assumed)."""


@dataclass(frozen=True, slots=True)
class CosemAttribute:
    """An attribute with its value (assumed): 1 is the logical name, 2 the value, 3 scaler and unit of a register."""

    number: int
    value: Value = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GetCosemRequest:
    """Asks for attributes of an object (assumed).

    Attributes:
        obis: six octets.
        class_id, class_version: what kind of object.
        attributes: their numbers; None: all.
        client_id, server_id, username, password: see GetListRequest.
    """

    obis: bytes
    class_id: int
    class_version: int = 0
    attributes: tuple[int, ...] | None = None
    client_id: bytes | None = None
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GetCosemResponse:
    """Attributes of an object with their values (assumed)."""

    server_id: bytes
    obis: bytes
    class_id: int
    class_version: int = 0
    attributes: tuple[CosemAttribute, ...] = ()
    client_id: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SetCosemRequest:
    """Writes attributes of an object (assumed); fields as in GetCosemRequest."""

    obis: bytes
    class_id: int
    class_version: int = 0
    attributes: tuple[CosemAttribute, ...] = ()
    client_id: bytes | None = None
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SetCosemResponse:
    """Says which attributes were written (assumed); what was not is refused with an Attention."""

    server_id: bytes
    obis: bytes
    class_id: int
    class_version: int = 0
    attributes: tuple[int, ...] | None = None
    client_id: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ActionCosemRequest:
    """Calls a method of an object (assumed).

    Attributes:
        method: its number.
        parameter: what it is called with.
        obis, class_id, class_version, client_id, server_id, username, password: see GetCosemRequest.
    """

    obis: bytes
    class_id: int
    class_version: int = 0
    method: int = 1
    parameter: Value = None
    client_id: bytes | None = None
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ActionCosemResponse:
    """What a method gave back, None when nothing (assumed)."""

    server_id: bytes
    obis: bytes
    class_id: int
    class_version: int = 0
    method: int = 1
    result: Value = None
    client_id: bytes | None = None
    heads: bytes = field(default=b"", compare=False, repr=False)


def _read_numbers(octets: bytes, position: int) -> tuple[tuple[int, ...], int]:
    count, position = tlv.read_list(octets, position)
    numbers = []
    for _ in range(count):
        number, position = tlv.read_integer(octets, position)
        numbers.append(number)
    return tuple(numbers), position


def _write_numbers(numbers: tuple[int, ...]) -> bytes:
    return tlv.write_list(*(tlv.write_integer(number, NUMBER_OCTETS) for number in numbers))


def _number(name: str) -> Coding:
    """A mandatory signed number (assumed to be Integer16)."""
    return integer_field(name, NUMBER_OCTETS)._replace(read=tlv.read_integer)


_ATTRIBUTE = Schema(CosemAttribute, _number("number"), value_field("value"))
_NUMBERS = optional(Coding("attributes", _read_numbers, _write_numbers))
_OBJECT: Final = (octets_field("obis"), _number("class_id"), _number("class_version"))
_ASK: Final = (maybe_octets("client_id"), *LOGIN, *_OBJECT)
_ANSWER: Final = (maybe_octets("client_id"), octets_field("server_id"), *_OBJECT)

COSEM_SCHEMAS: Final[dict[int, Schema[Any]]] = {
    0x0800: Schema(GetCosemRequest, *_ASK, _NUMBERS),
    0x0801: Schema(GetCosemResponse, *_ANSWER, _ATTRIBUTE.list_coding("attributes")),
    0x0900: Schema(SetCosemRequest, *_ASK, _ATTRIBUTE.list_coding("attributes")),
    0x0901: Schema(SetCosemResponse, *_ANSWER, _NUMBERS),
    0x0A00: Schema(ActionCosemRequest, *_ASK, _number("method"), value_field("parameter")),
    0x0A01: Schema(ActionCosemResponse, *_ANSWER, _number("method"), value_field("result")),
}
"""Message type to coding; the types are facts, the codings assumed."""
