"""How structures of SML are coded: a table of fields for each, read and written by one piece of code."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from devices.protocols.frozen import builder
from devices.protocols.sml import tlv
from devices.protocols.sml.entries import (
    COMMON_TIME,
    SmlTime,
    read_optional_time,
    read_scaler,
    read_time,
    write_time,
    write_value,
)
from devices.protocols.sml.entries import read_value as read_plain_value
from devices.protocols.sml.errors import SmlError

T = TypeVar("T")


class Coding(NamedTuple):
    """How one field is read and written.

    Attributes:
        name: the field of the structure's class.
        read, write: its codec.
        common: regular expression for the field as meters send it; None: it is read by `read` only.
        convert: makes the value of what `common` found.
        write_wide: for numbers, writes the value as wide as the TL octet says that came with it (0: none came).
    """

    name: str
    read: Callable[[bytes, int], tuple[Any, int]]
    write: Callable[[Any], bytes]
    common: bytes | None = None
    convert: Callable[[bytes], Any] = bytes
    write_wide: Callable[[Any, int], bytes] | None = None


class Schema(Generic[T]):
    """How a structure is coded: a list with one element for each field.

    A class with a field `heads` gets there the first octet of every element as received, so that numbers keep their
    width when they are written again.

    Attributes:
        body: its class.
        fields: its fields in the order of the wire.
        common: regular expression for the list head and the leading fields that have one.
        rest: the fields behind those.
        build: makes a structure from its values in the order of the wire.
    """

    def __init__(self, body: type[T], *fields: Coding) -> None:
        self.body = body
        self.fields = fields
        leading = tuple(itertools.takewhile(lambda coding: coding.common is not None, fields))
        pattern = b"".join(b"(" + (coding.common or b"") + b")" for coding in leading)
        self.common = re.compile(re.escape(tlv.write_head(tlv.LIST, len(fields))) + pattern, re.DOTALL)
        self.leading = leading
        self.rest = fields[len(leading) :]
        self.keeps_heads = "heads" in body.__slots__  # type: ignore[attr-defined]
        names = [coding.name for coding in fields] + (["heads"] if self.keeps_heads else [])
        self.build: Callable[..., T] = builder(body, *names)

    def read(self, octets: bytes, position: int) -> tuple[T, int]:
        """The structure at `position` and the position behind it; raises SmlError when it is built otherwise."""
        if self.keeps_heads:
            return self._read_with_heads(octets, position)
        match = self.common.match(octets, position)
        if match is not None:
            values = [coding.convert(found) for coding, found in zip(self.leading, match.groups(), strict=True)]
            fields, position = self.rest, match.end()
        else:
            values, fields = [], self.fields
            _, position = tlv.read_list(octets, position, len(fields))
        for coding in fields:
            value, position = coding.read(octets, position)
            values.append(value)
        return self.build(*values), position

    def _read_with_heads(self, octets: bytes, position: int) -> tuple[T, int]:
        _, position = tlv.read_list(octets, position, len(self.fields))
        values, heads = [], bytearray()
        for coding in self.fields:
            heads += octets[position : position + 1]
            value, position = coding.read(octets, position)
            values.append(value)
        return self.build(*values, bytes(heads)), position

    def write(self, body: T) -> bytes:
        """The structure as octets; raises SmlError when a value does not fit."""
        heads: bytes = getattr(body, "heads", b"")
        if len(heads) != len(self.fields):
            heads = bytes(len(self.fields))
        try:
            return tlv.write_list(
                *(
                    _write(coding, getattr(body, coding.name), head)
                    for coding, head in zip(self.fields, heads, strict=True)
                )
            )
        except (TypeError, AttributeError) as error:
            raise SmlError(f"{type(body).__name__} holds a value of the wrong type: {error}") from error

    def list_coding(self, name: str) -> Coding:
        """A field that is a list of these structures."""

        def read(octets: bytes, position: int) -> tuple[tuple[T, ...], int]:
            count, position = tlv.read_list(octets, position)
            elements = []
            for _ in range(count):
                element, position = self.read(octets, position)
                elements.append(element)
            return tuple(elements), position

        return Coding(name, read, lambda elements: tlv.write_list(*map(self.write, elements)))


def _write(coding: Coding, value: Any, head: int) -> bytes:
    return coding.write(value) if coding.write_wide is None else coding.write_wide(value, head)


def optional(coding: Coding) -> Coding:
    """The same field where it may be absent, which reads as None."""

    def read(octets: bytes, position: int) -> tuple[Any, int]:
        return (None, position + 1) if octets[position : position + 1] == b"\x01" else coding.read(octets, position)

    return Coding(coding.name, read, lambda value: b"\x01" if value is None else coding.write(value))


def _content(found: bytes) -> bytes:
    return found[1:]


def _content_or_none(found: bytes) -> bytes | None:
    return found[1:] or None


def _time_or_none(found: bytes) -> SmlTime | None:
    return None if found == b"\x01" else read_time(found, 0)[0]


def _octet_or_none(found: bytes) -> int | None:
    return found[1] if len(found) == 2 else None


_COMMON_STRING = rb"\x01|" + tlv.shapes(tlv.OCTET_STRING, *range(1, 15))


def octets_field(name: str) -> Coding:
    """A mandatory octet string."""
    return Coding(name, tlv.read_octets, tlv.write_octets, _COMMON_STRING, _content)


def maybe_octets(name: str) -> Coding:
    """An octet string or None."""
    return Coding(name, tlv.read_optional_octets, tlv.write_octets, _COMMON_STRING, _content_or_none)


def time_field(name: str) -> Coding:
    """An SML_Time or None."""
    return Coding(name, read_optional_time, write_time, rb"\x01|" + COMMON_TIME, _time_or_none)


def _write_version(value: int | None) -> bytes:
    return tlv.write_unsigned(value, 1)


def version_field(name: str) -> Coding:
    """An unsigned number of one octet, or None."""
    return Coding(name, tlv.read_optional_unsigned, _write_version, rb"\x01|\x62.", _octet_or_none)


def unsigned_field(name: str, octets: int = 0) -> Coding:
    """An unsigned number or None, written in `octets` octets, 0: in the smallest of 1, 2, 4, 8 that hold it."""

    def write(value: int | None, head: int) -> bytes:
        if value is None:
            return b"\x01"
        kept = (head & 0x0F) - 1 if head & 0x70 == tlv.UNSIGNED else 0
        width = max(kept, -(-value.bit_length() // 8)) if kept > 0 else octets or tlv.unsigned_octets(value)
        return tlv.write_unsigned(value, width)

    return Coding(name, tlv.read_optional_unsigned, lambda value: write(value, 0), write_wide=write)


def integer_field(name: str, octets: int = 0) -> Coding:
    """A signed number or None, written in `octets` octets, 0: in the smallest of 1, 2, 4, 8 that hold it."""

    def write(value: int | None, head: int) -> bytes:
        if value is None:
            return b"\x01"
        kept = (head & 0x0F) - 1 if head & 0x70 == tlv.INTEGER else 0
        needed = (value if value >= 0 else ~value).bit_length() // 8 + 1
        return tlv.write_integer(value, max(kept, needed) if kept > 0 else octets or tlv.integer_octets(value))

    return Coding(name, tlv.read_optional_integer, lambda value: write(value, 0), write_wide=write)


def scaler_field(name: str) -> Coding:
    """A scaler or None."""
    return integer_field(name, 1)._replace(read=read_scaler)


def _read_value(octets: bytes, position: int) -> tuple[Any, int]:
    value, _, position = read_plain_value(octets, position)
    return value, position


def value_field(name: str) -> Coding:
    """An SML_Value or None; see `entries.Value`."""
    return Coding(name, _read_value, write_value, write_wide=write_value)


def _read_optional_boolean(octets: bytes, position: int) -> tuple[bool | None, int]:
    value, _, behind = read_plain_value(octets, position)
    if value is not None and not isinstance(value, bool):
        raise SmlError("something else where a boolean is due", position)
    return value, behind


def boolean_field(name: str) -> Coding:
    """A boolean or None."""
    return Coding(name, _read_optional_boolean, write_value)


LOGIN: Final = (maybe_octets("server_id"), maybe_octets("username"), maybe_octets("password"))
"""What nearly every request begins with."""
