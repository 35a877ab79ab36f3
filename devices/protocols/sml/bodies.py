"""The bodies of SML messages, one class each, and the table that says how each is coded.

Absent optional fields are None. Names follow SML 1.03; octet strings stay octets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from devices.protocols.sml import tlv
from devices.protocols.sml.coding import (
    LOGIN,
    Coding,
    Schema,
    maybe_octets,
    octets_field,
    optional,
    time_field,
    version_field,
)
from devices.protocols.sml.cosem import (
    COSEM_SCHEMAS,
    ActionCosemRequest,
    ActionCosemResponse,
    GetCosemRequest,
    GetCosemResponse,
    SetCosemRequest,
    SetCosemResponse,
)
from devices.protocols.sml.entries import ListEntry, SmlTime, read_entries, write_entries
from devices.protocols.sml.parameters import ParameterTree, read_path, tree_field, write_path
from devices.protocols.sml.profiles import (
    PROFILE_SCHEMAS,
    GetProfileListRequest,
    GetProfileListResponse,
    GetProfilePackRequest,
    GetProfilePackResponse,
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
class SetProcParameterResponse:
    """The parameters as they were written (assumed: public sources know the message type, but no layout, and meters
    acknowledge with an Attention)."""

    server_id: bytes
    path: tuple[bytes, ...]
    tree: ParameterTree


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
    | SetProcParameterResponse
    | GetProfilePackRequest
    | GetProfilePackResponse
    | GetProfileListRequest
    | GetProfileListResponse
    | GetCosemRequest
    | GetCosemResponse
    | SetCosemRequest
    | SetCosemResponse
    | ActionCosemRequest
    | ActionCosemResponse
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
    0xFE15: "busy, no answer can be sent",
}
"""Last two octets of an attention number, with their meaning (lmn-wired 4.2)."""

_ATTENTION_PREFIX = bytes.fromhex("8181c7c7")


def attention_number(code: int) -> bytes:
    """Six octets for a code of ATTENTION_NUMBERS."""
    return _ATTENTION_PREFIX + code.to_bytes(2, "big")


def attention_code(number: bytes) -> int | None:
    """The code in an attention number, None when it is one of another house."""
    return int.from_bytes(number[4:], "big") if len(number) == 6 and number[:4] == _ATTENTION_PREFIX else None


def attention_text(number: bytes) -> str:
    """An attention number in words; numbers of applications and unknown ones as hexadecimal octets."""
    code = attention_code(number)
    return ATTENTION_NUMBERS.get(-1 if code is None else code, f"attention {number.hex()}")


_PATH = Coding("path", read_path, write_path)

SCHEMAS: Final[dict[int, Schema[Any]]] = {
    0x0100: Schema(
        OpenRequest,
        maybe_octets("codepage"),
        octets_field("client_id"),
        octets_field("req_file_id"),
        *LOGIN,
        version_field("sml_version"),
    ),
    0x0101: Schema(
        OpenResponse,
        maybe_octets("codepage"),
        maybe_octets("client_id"),
        octets_field("req_file_id"),
        octets_field("server_id"),
        time_field("ref_time"),
        version_field("sml_version"),
    ),
    0x0200: Schema(CloseRequest, maybe_octets("global_signature")),
    0x0201: Schema(CloseResponse, maybe_octets("global_signature")),
    **PROFILE_SCHEMAS,
    0x0500: Schema(GetProcParameterRequest, *LOGIN, _PATH, maybe_octets("attribute")),
    0x0501: Schema(GetProcParameterResponse, octets_field("server_id"), _PATH, tree_field("tree")),
    0x0600: Schema(SetProcParameterRequest, *LOGIN, _PATH, tree_field("tree")),
    0x0601: Schema(SetProcParameterResponse, octets_field("server_id"), _PATH, tree_field("tree")),
    0x0700: Schema(GetListRequest, octets_field("client_id"), *LOGIN, maybe_octets("list_name")),
    0x0701: Schema(
        GetListResponse,
        maybe_octets("client_id"),
        octets_field("server_id"),
        maybe_octets("list_name"),
        time_field("act_sensor_time"),
        Coding("val_list", read_entries, write_entries),
        maybe_octets("list_signature"),
        time_field("act_gateway_time"),
    ),
    **COSEM_SCHEMAS,
    0xFF01: Schema(
        Attention,
        octets_field("server_id"),
        octets_field("number"),
        maybe_octets("message"),
        optional(tree_field("details")),
    ),
}
"""Message type to coding; types that are not here are read as UnknownBody."""

_TAGS = {schema.body: tag for tag, schema in SCHEMAS.items()}


def tag_of(body: Body) -> int:
    """Message type of a body."""
    return body.tag if isinstance(body, UnknownBody) else _TAGS[type(body)]


def read_body(tag: int, octets: bytes, position: int) -> tuple[Body, int]:
    """The content of a body of a known type; raises SmlError when it is built otherwise."""
    return SCHEMAS[tag].read(octets, position)


def write_body(body: Body) -> bytes:
    """The content of a body; raises SmlError when a value does not fit."""
    if isinstance(body, UnknownBody):
        return b"\x01" if body.content is None else body.content.octets
    return SCHEMAS[_TAGS[type(body)]].write(body)
