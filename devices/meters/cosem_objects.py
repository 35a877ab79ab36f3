"""The COSEM objects of a meter as a table, and how they are read and written over SML (lmn-wired 4.3, 4.4).

An object is found by OBIS code and class. Attribute 1 is its logical name, 2 its value, 3 scaler and unit of a
register. A written value must be of the object's type and length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from devices.meters.sml_service import (
    CANNOT_READ,
    CANNOT_WRITE,
    NO_REQUEST_FIELD,
    OUT_OF_RANGE,
    TYPE_UNSUPPORTED,
    UNKNOWN_OBIS,
    Refused,
)
from devices.protocols.sml.messages import (
    ATTENTION_OK,
    Attention,
    CosemAttribute,
    GetCosemRequest,
    GetCosemResponse,
    GetProcParameterRequest,
    GetProcParameterResponse,
    ParameterTree,
    Raw,
    SetCosemRequest,
    SetCosemResponse,
    SetProcParameterRequest,
    Value,
    attention_number,
)
from devices.protocols.sml.objects import DATA_CLASS
from devices.protocols.sml.parameters import COSEM_NAME_LENGTH

LOGICAL_NAME: Final = 1
VALUE: Final = 2
SCALER_UNIT: Final = 3


class ValueType(IntEnum):
    """Type class of a value: bits 6 to 4 of its TL octet (lmn-wired 4.1)."""

    OCTETS = 0x00
    BOOLEAN = 0x40
    SIGNED = 0x50
    UNSIGNED = 0x60


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value looks like.

    Attributes:
        type: see ValueType.
        octets: its length; 0: any length, of octet strings only.
    """

    type: ValueType
    octets: int = 0

    @property
    def head(self) -> int:
        """TL octet of a number, 0 for what is none."""
        return self.type | self.octets + 1 if self.type in (ValueType.SIGNED, ValueType.UNSIGNED) else 0

    def check(self, value: object, head: int) -> None:
        """Raises Refused when `value`, that came with TL octet `head`, is of another type or length."""
        kind = _type_of(value, head)
        if kind is not self.type:
            raise Refused(TYPE_UNSUPPORTED)
        length = len(value) if isinstance(value, bytes) else (head & 0x0F) - 1 if head else self.octets
        if self.octets and length != self.octets:
            raise Refused(OUT_OF_RANGE)


def _type_of(value: object, head: int) -> ValueType | None:
    if isinstance(value, bool):
        return ValueType.BOOLEAN
    if isinstance(value, int):
        return ValueType.UNSIGNED if head & 0x70 == ValueType.UNSIGNED else ValueType.SIGNED
    return ValueType.OCTETS if isinstance(value, bytes) else None


OCTETS: Final = Shape(ValueType.OCTETS)
BOOLEAN: Final = Shape(ValueType.BOOLEAN, 1)
UNSIGNED_8: Final = Shape(ValueType.UNSIGNED, 1)
UNSIGNED_32: Final = Shape(ValueType.UNSIGNED, 4)
UNSIGNED_64: Final = Shape(ValueType.UNSIGNED, 8)
SIGNED_64: Final = Shape(ValueType.SIGNED, 8)


@dataclass(frozen=True, slots=True)
class CosemObject:
    """One object.

    Attributes:
        obis: its code.
        shape: of its value.
        read: gives the value as of now; None: it can only be written.
        write: takes a value of the right shape, raises Refused for one that makes no sense; None: read only.
        class_id: COSEM class.
        scaler, unit: of a register, else None.
    """

    obis: bytes
    shape: Shape
    read: Callable[[], Value] | None
    write: Callable[[Value], None] | None = None
    class_id: int = DATA_CLASS
    scaler: int | None = None
    unit: int | None = None

    def attributes(self) -> tuple[int, ...]:
        """Numbers of the attributes that can be read."""
        value = (VALUE,) if self.read is not None else ()
        return (LOGICAL_NAME, *value, SCALER_UNIT) if self.unit is not None else (LOGICAL_NAME, *value)

    def attribute(self, number: int) -> tuple[Value, int]:
        """Value and TL octet of an attribute; Refused when there is none of this number or it cannot be read."""
        if number not in self.attributes():
            raise Refused(CANNOT_READ)
        if number == LOGICAL_NAME:
            return self.obis, 0
        if number == SCALER_UNIT:
            # A list of two numbers (assumed: captures show plain values only).
            return Raw(bytes((0x72, 0x52, (self.scaler or 0) & 0xFF, 0x62, self.unit or 0))), 0
        assert self.read is not None
        return self.read(), self.shape.head

    def put(self, number: int, value: object, head: int) -> Callable[[], None]:
        """What writes an attribute, once all of a request were found good; Refused when this one is not."""
        if number != VALUE or self.write is None:
            raise Refused(CANNOT_WRITE)
        self.shape.check(value, head)
        write = self.write
        return lambda: write(value)  # type: ignore[arg-type]


class CosemObjects:
    """All objects of one meter, with the requests that ask for one of them.

    Args:
        server_id: gives the id that stands in the answers.
        objects: what there is.
    """

    def __init__(self, server_id: Callable[[], bytes], objects: Iterable[CosemObject]) -> None:
        self._server_id = server_id
        self._objects = {(one.obis, one.class_id): one for one in objects}

    def __iter__(self) -> Iterator[CosemObject]:
        return iter(self._objects.values())

    def add(self, *objects: CosemObject) -> None:
        """More of them; one of the same code and class is replaced."""
        self._objects.update({(one.obis, one.class_id): one for one in objects})

    def find(self, obis: bytes, class_id: int) -> CosemObject:
        """The object; Refused when there is none of this code and class."""
        found = self._objects.get((obis, class_id))
        if found is None:
            raise Refused(UNKNOWN_OBIS)
        return found

    def get_parameter(self, request: GetProcParameterRequest) -> GetProcParameterResponse:
        """Attributes by a path of object and attribute numbers."""
        if len(request.path) < 2:
            raise Refused(NO_REQUEST_FIELD)
        name, *asked = request.path
        found = self._named(name)
        children = []
        for attribute in asked:
            value, head = found.attribute(int.from_bytes(attribute, "big"))
            children.append(ParameterTree(attribute, value, value_head=head))
        return GetProcParameterResponse(self._server_id(), request.path, ParameterTree(name, None, tuple(children)))

    def set_parameter(self, request: SetProcParameterRequest) -> Attention:
        """Writes attributes; all of them or, when one is refused, none.

        The tree holds a value, or below the object's name one child for each attribute, as an answer does. An
        attribute stands in the name of the value's parameter or in the path; without either it is 2 (assumed).
        """
        if not request.path:
            raise Refused(NO_REQUEST_FIELD)
        name, *asked = request.path
        found = self._named(name)
        tree = request.tree
        written = tree.children or (tree,)
        writes = []
        for one in written:
            number = one.name if len(one.name) == 2 else asked[0] if asked else b"\x02"
            writes.append(found.put(int.from_bytes(number, "big"), one.value, one.value_head))
        _do(writes)
        return Attention(self._server_id(), attention_number(ATTENTION_OK))

    def get_cosem(self, request: GetCosemRequest) -> GetCosemResponse:
        """Attributes by number; all that can be read when the request names none."""
        found = self.find(request.obis, request.class_id)
        numbers = found.attributes() if request.attributes is None else request.attributes
        values = []
        for number in numbers:
            value, head = found.attribute(number)
            values.append(CosemAttribute(number, value, bytes((0, head))))
        return GetCosemResponse(
            self._server_id(), request.obis, request.class_id, request.class_version, tuple(values), request.client_id
        )

    def set_cosem(self, request: SetCosemRequest) -> SetCosemResponse:
        """Writes attributes; all of them or, when one is refused, none."""
        found = self.find(request.obis, request.class_id)
        heads = [one.heads[1] if len(one.heads) == 2 else 0 for one in request.attributes]
        _do([found.put(one.number, one.value, head) for one, head in zip(request.attributes, heads, strict=True)])
        numbers = tuple(one.number for one in request.attributes)
        return SetCosemResponse(
            self._server_id(), request.obis, request.class_id, request.class_version, numbers, request.client_id
        )

    def _named(self, name: bytes) -> CosemObject:
        if len(name) != COSEM_NAME_LENGTH:
            raise Refused(NO_REQUEST_FIELD)
        return self.find(name[:6], int.from_bytes(name[6:8], "big"))


def _do(writes: Sequence[Callable[[], None]]) -> None:
    for write in writes:
        write()
