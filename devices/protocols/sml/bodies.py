"""The bodies of SML messages, one class each, and the table that says how each is coded.

Absent optional fields are None. Names follow SML 1.03; octet strings stay octets.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from devices.protocols.frozen import builder
from devices.protocols.sml import tlv
from devices.protocols.sml.entries import (
    COMMON_TIME,
    ListEntry,
    SmlTime,
    read_entries,
    read_optional_time,
    read_time,
    write_entries,
    write_time,
)
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.parameters import (
    ParameterTree,
    read_parameter_tree,
    read_path,
    write_parameter_tree,
    write_path,
)


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """Begins a request file.

    Attributes:
        client_id: who asks; the gateway's id.
        req_file_id: name of this file, repeated in the answer.
        server_id: who is asked; None: whoever hears it.
        codepage, username, password: rarely used.
        sml_version: None reads as 1.
    """

    client_id: bytes
    req_file_id: bytes
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    codepage: bytes | None = None
    sml_version: int | None = None


@dataclass(frozen=True, slots=True)
class OpenResponse:
    """Begins an answer file.

    Attributes:
        req_file_id: as in the request; a meter that pushes makes one up.
        server_id: the meter.
        client_id: as in the request.
        ref_time: the meter's time.
    """

    req_file_id: bytes
    server_id: bytes
    client_id: bytes | None = None
    ref_time: SmlTime | None = None
    codepage: bytes | None = None
    sml_version: int | None = None


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """Ends a request file; the signature is optional."""

    global_signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class CloseResponse:
    """Ends an answer file; the signature is optional."""

    global_signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class GetListRequest:
    """Asks for a list of values; `list_name` None asks for the meter's default list."""

    client_id: bytes
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    list_name: bytes | None = None


@dataclass(frozen=True, slots=True)
class GetListResponse:
    """A list of values.

    Attributes:
        server_id: the meter.
        val_list: the registers in the meter's order.
        client_id, list_name: as in the request.
        act_sensor_time: when the list was made, by the meter's second index.
        list_signature: over the list, only older meters.
        act_gateway_time: for a gateway in between; unused here.
    """

    server_id: bytes
    val_list: tuple[ListEntry, ...]
    client_id: bytes | None = None
    list_name: bytes | None = None
    act_sensor_time: SmlTime | None = None
    list_signature: bytes | None = None
    act_gateway_time: SmlTime | None = None


@dataclass(frozen=True, slots=True)
class GetProcParameterRequest:
    """Asks for a parameter, e.g. a COSEM attribute by `path`.

    Attributes:
        path: see `parameters.cosem_name` and `cosem_attribute`.
        attribute: rarely used.
    """

    path: tuple[bytes, ...]
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None
    attribute: bytes | None = None


@dataclass(frozen=True, slots=True)
class GetProcParameterResponse:
    """A tree of parameters, named by the path that was asked for."""

    server_id: bytes
    path: tuple[bytes, ...]
    tree: ParameterTree


@dataclass(frozen=True, slots=True)
class SetProcParameterRequest:
    """Writes parameters; acknowledged by an Attention (lmn-wired 4.2)."""

    path: tuple[bytes, ...]
    tree: ParameterTree
    server_id: bytes | None = None
    username: bytes | None = None
    password: bytes | None = None


@dataclass(frozen=True, slots=True)
class Attention:
    """Acknowledgement or refusal.

    Attributes:
        server_id: the meter.
        number: six octets 81 81 C7 C7 xx yy, see ATTENTION_NUMBERS.
        message: text for people.
        details: a tree of parameters.
    """

    server_id: bytes
    number: bytes
    message: bytes | None = None
    details: ParameterTree | None = None


@dataclass(frozen=True, slots=True)
class UnknownBody:
    """A body that is kept as it came: of unknown type, or known but built otherwise.

    Attributes:
        tag: message type.
        content: the well-formed element behind the tag; None when absent.
    """

    tag: int
    content: tlv.Raw | None


Body = (
    OpenRequest
    | OpenResponse
    | CloseRequest
    | CloseResponse
    | GetListRequest
    | GetListResponse
    | GetProcParameterRequest
    | GetProcParameterResponse
    | SetProcParameterRequest
    | Attention
    | UnknownBody
)

ATTENTION_OK: Final = 0xFD00
ATTENTION_NUMBERS: Final[dict[int, str]] = {
    0xFD00: "done",
    0xFD01: "under way",
    0xFE00: "unknown error",
    0xFE01: "unknown SML id",
    0xFE02: "not authorised",
    0xFE03: "no such recipient",
    0xFE04: "no request field",
    0xFE05: "cannot be written",
    0xFE06: "cannot be read",
    0xFE07: "communication disturbed",
    0xFE08: "not understood",
    0xFE09: "out of range",
    0xFE0A: "not carried out",
    0xFE0B: "checksum wrong",
    0xFE0C: "no broadcast",
    0xFE0D: "unexpected message",
    0xFE0E: "unknown OBIS code",
    0xFE0F: "data type not supported",
    0xFE10: "element is not optional",
    0xFE11: "no entries",
    0xFE12: "end before start",
    0xFE13: "range of the profile is empty",
    0xFE14: "close is missing",
}
"""Last two octets of an attention number, with their meaning (lmn-wired 4.2)."""

_ATTENTION_PREFIX = bytes.fromhex("8181c7c7")


def attention_number(code: int) -> bytes:
    """Six octets for a code of ATTENTION_NUMBERS."""
    return _ATTENTION_PREFIX + code.to_bytes(2, "big")


def attention_code(number: bytes) -> int | None:
    """The code in an attention number, None when it is one of another house."""
    return int.from_bytes(number[4:], "big") if len(number) == 6 and number[:4] == _ATTENTION_PREFIX else None


class Coding(NamedTuple):
    """How one field is read and written.

    Attributes:
        name: the field of the body's class.
        read, write: its codec.
        common: regular expression for the field as meters send it; None: it is read by `read` only.
        convert: makes the value of what `common` found.
    """

    name: str
    read: Callable[[bytes, int], tuple[Any, int]]
    write: Callable[[Any], bytes]
    common: bytes | None = None
    convert: Callable[[bytes], Any] = bytes


def _content(found: bytes) -> bytes:
    return found[1:]


def _content_or_none(found: bytes) -> bytes | None:
    return found[1:] or None


def _time_or_none(found: bytes) -> SmlTime | None:
    return None if found == b"\x01" else read_time(found, 0)[0]


def _octet_or_none(found: bytes) -> int | None:
    return found[1] if len(found) == 2 else None


_COMMON_STRING = rb"\x01|" + tlv.shapes(tlv.OCTET_STRING, *range(1, 15))


def _octets(name: str) -> Coding:
    return Coding(name, tlv.read_octets, tlv.write_octets, _COMMON_STRING, _content)


def _maybe(name: str) -> Coding:
    return Coding(name, tlv.read_optional_octets, tlv.write_octets, _COMMON_STRING, _content_or_none)


def _time(name: str) -> Coding:
    return Coding(name, read_optional_time, write_time, rb"\x01|" + COMMON_TIME, _time_or_none)


def _path(name: str) -> Coding:
    return Coding(name, read_path, write_path)


def _tree(name: str) -> Coding:
    return Coding(name, read_parameter_tree, write_parameter_tree)


def _read_details(octets: bytes, position: int) -> tuple[ParameterTree | None, int]:
    if octets[position : position + 1] == b"\x01":
        return None, position + 1
    return read_parameter_tree(octets, position)


def _write_details(tree: ParameterTree | None) -> bytes:
    return b"\x01" if tree is None else write_parameter_tree(tree)


def _write_version(value: int | None) -> bytes:
    return tlv.write_unsigned(value, 1)


_VERSION = Coding("sml_version", tlv.read_optional_unsigned, _write_version, rb"\x01|\x62.", _octet_or_none)
_LOGIN = (_maybe("server_id"), _maybe("username"), _maybe("password"))


class Schema:
    """How a body is coded.

    Attributes:
        body: its class.
        fields: its fields in the order of the wire.
        common: regular expression for the list head and the leading fields that have one.
        rest: the fields behind those.
        build: makes a body from its values in the order of the wire.
    """

    def __init__(self, body: type[Any], *fields: Coding) -> None:
        self.body = body
        self.fields = fields
        leading = tuple(itertools.takewhile(lambda coding: coding.common is not None, fields))
        pattern = b"".join(b"(" + (coding.common or b"") + b")" for coding in leading)
        self.common = re.compile(re.escape(tlv.write_head(tlv.LIST, len(fields))) + pattern, re.DOTALL)
        self.leading = leading
        self.rest = fields[len(leading) :]
        self.build = builder(body, *(coding.name for coding in fields))


SCHEMAS: Final[dict[int, Schema]] = {
    0x0100: Schema(OpenRequest, _maybe("codepage"), _octets("client_id"), _octets("req_file_id"), *_LOGIN, _VERSION),
    0x0101: Schema(
        OpenResponse,
        _maybe("codepage"),
        _maybe("client_id"),
        _octets("req_file_id"),
        _octets("server_id"),
        _time("ref_time"),
        _VERSION,
    ),
    0x0200: Schema(CloseRequest, _maybe("global_signature")),
    0x0201: Schema(CloseResponse, _maybe("global_signature")),
    0x0500: Schema(GetProcParameterRequest, *_LOGIN, _path("path"), _maybe("attribute")),
    0x0501: Schema(GetProcParameterResponse, _octets("server_id"), _path("path"), _tree("tree")),
    0x0600: Schema(SetProcParameterRequest, *_LOGIN, _path("path"), _tree("tree")),
    0x0700: Schema(GetListRequest, _octets("client_id"), *_LOGIN, _maybe("list_name")),
    0x0701: Schema(
        GetListResponse,
        _maybe("client_id"),
        _octets("server_id"),
        _maybe("list_name"),
        _time("act_sensor_time"),
        Coding("val_list", read_entries, write_entries),
        _maybe("list_signature"),
        _time("act_gateway_time"),
    ),
    0xFF01: Schema(
        Attention,
        _octets("server_id"),
        _octets("number"),
        _maybe("message"),
        Coding("details", _read_details, _write_details),
    ),
}
"""Message type to coding; types that are not here are read as UnknownBody."""

_TAGS = {schema.body: tag for tag, schema in SCHEMAS.items()}


def tag_of(body: Body) -> int:
    """Message type of a body."""
    return body.tag if isinstance(body, UnknownBody) else _TAGS[type(body)]


def read_body(tag: int, octets: bytes, position: int) -> tuple[Body, int]:
    """The content of a body of a known type; raises SmlError when it is built otherwise."""
    schema = SCHEMAS[tag]
    match = schema.common.match(octets, position)
    if match is not None:
        values = [coding.convert(found) for coding, found in zip(schema.leading, match.groups(), strict=True)]
        fields, position = schema.rest, match.end()
    else:
        values, fields = [], schema.fields
        _, position = tlv.read_list(octets, position, len(fields))
    for coding in fields:
        value, position = coding.read(octets, position)
        values.append(value)
    body: Body = schema.build(*values)
    return body, position


def write_body(body: Body) -> bytes:
    """The content of a body; raises SmlError when a value does not fit."""
    if isinstance(body, UnknownBody):
        return b"\x01" if body.content is None else body.content.octets
    fields = SCHEMAS[_TAGS[type(body)]].fields
    try:
        return tlv.write_list(*(coding.write(getattr(body, coding.name)) for coding in fields))
    except (TypeError, AttributeError) as error:
        raise SmlError(f"{type(body).__name__} holds a value of the wrong type: {error}") from error
