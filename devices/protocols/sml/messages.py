"""SML messages: reading the payload of a file and writing one.

A message is a list of six: transaction id, group, abort on error, body, CRC, end mark (lmn-wired 4.1). What is
imported here from its neighbours is the whole vocabulary that users of SML need.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from devices.protocols.crc import x25
from devices.protocols.frozen import builder
from devices.protocols.sml import tlv
from devices.protocols.sml.bodies import (
    ATTENTION_NUMBERS,
    ATTENTION_OK,
    SCHEMAS,
    Attention,
    Body,
    CloseRequest,
    CloseResponse,
    GetListRequest,
    GetListResponse,
    GetProcParameterRequest,
    GetProcParameterResponse,
    OpenRequest,
    OpenResponse,
    SetProcParameterRequest,
    SetProcParameterResponse,
    UnknownBody,
    attention_code,
    attention_number,
    attention_text,
    read_body,
    tag_of,
    write_body,
)
from devices.protocols.sml.cosem import (
    ActionCosemRequest,
    ActionCosemResponse,
    CosemAttribute,
    GetCosemRequest,
    GetCosemResponse,
    SetCosemRequest,
    SetCosemResponse,
)
from devices.protocols.sml.entries import ListEntry, SmlTime, TimeKind, Value
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.parameters import ParameterTree, cosem_attribute, cosem_name
from devices.protocols.sml.periods import PeriodEntry, TupleEntry
from devices.protocols.sml.profiles import (
    GetProfileListRequest,
    GetProfileListResponse,
    GetProfilePackRequest,
    GetProfilePackResponse,
    ProfileHeader,
    ProfilePeriod,
    ProfileValue,
)
from devices.protocols.sml.tlv import Raw

__all__ = [
    "ATTENTION_NUMBERS",
    "ATTENTION_OK",
    "ActionCosemRequest",
    "ActionCosemResponse",
    "Attention",
    "Body",
    "CloseRequest",
    "CloseResponse",
    "CosemAttribute",
    "GetCosemRequest",
    "GetCosemResponse",
    "GetListRequest",
    "GetListResponse",
    "GetProcParameterRequest",
    "GetProcParameterResponse",
    "GetProfileListRequest",
    "GetProfileListResponse",
    "GetProfilePackRequest",
    "GetProfilePackResponse",
    "ListEntry",
    "Message",
    "OpenRequest",
    "OpenResponse",
    "ParameterTree",
    "PeriodEntry",
    "ProfileHeader",
    "ProfilePeriod",
    "ProfileValue",
    "Raw",
    "SetCosemRequest",
    "SetCosemResponse",
    "SetProcParameterRequest",
    "SetProcParameterResponse",
    "SmlTime",
    "TimeKind",
    "TupleEntry",
    "UnknownBody",
    "Value",
    "attention_code",
    "attention_number",
    "attention_text",
    "cosem_attribute",
    "cosem_name",
    "decode_messages",
    "encode_message",
    "encode_messages",
    "read_messages",
]

TAG_OCTETS: Final = 4
"""Width of message types that we write; meters use 2 and 4 (lmn-wired 4.1)."""

_MESSAGE_HEAD = 0x76
_COMMON_HEAD = re.compile(
    rb"\x76(%b)\x62(.)\x62(.)\x72(?:\x63(..)|\x65(.{4}))" % tlv.shapes(tlv.OCTET_STRING, *range(1, 15)), re.DOTALL
)
"""Head of a message as meters send it: transaction id, group, abort on error, type in 2 or 4 octets."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        transaction_id: names the message; an answer repeats that of its request.
        group: messages of one group are worked on together, 0..255.
        abort_on_error: 00 go on, 01 skip the group, FF stop (lmn-wired 4.1).
        body: what it says.
        tag_octets: width of the message type as received, 2 or 4.
    """

    transaction_id: bytes
    group: int
    abort_on_error: int
    body: Body
    tag_octets: int = field(default=TAG_OCTETS, compare=False, repr=False)


_build_message = builder(Message)


def encode_message(message: Message) -> bytes:
    """One message with its CRC and end mark; raises SmlError when a value does not fit."""
    tag = tag_of(message.body)
    width = max(message.tag_octets, tlv.unsigned_octets(tag))
    start = (
        bytes((_MESSAGE_HEAD,))
        + tlv.write_octets(message.transaction_id)
        + tlv.write_unsigned(message.group, 1)
        + tlv.write_unsigned(message.abort_on_error, 1)
        + tlv.write_list(tlv.write_unsigned(tag, width), write_body(message.body))
    )
    return start + b"\x63" + x25(start).to_bytes(2, "little") + b"\x00"


def encode_messages(messages: Iterable[Message]) -> bytes:
    """The payload of a file; raises SmlError when a value does not fit."""
    return b"".join(map(encode_message, messages))


def decode_messages(payload: bytes) -> list[Message]:
    """All messages of a payload; raises the first SmlError met. `read_messages` goes on behind errors."""
    messages, errors = read_messages(payload)
    if errors:
        raise errors[0]
    return list(messages)


def read_messages(payload: bytes) -> tuple[tuple[Message, ...], tuple[SmlError, ...]]:
    """The good messages of a payload and what was wrong with the others; never raises.

    A message with a wrong CRC is left out and the next is read. A body that is well-formed but built otherwise than
    its type wants is an error and is kept as UnknownBody. Behind octets that are no message nothing more is read.
    """
    messages: list[Message] = []
    errors: list[SmlError] = []
    position, size = 0, len(payload)
    while position < size:
        if payload[position] == tlv.END_OF_MESSAGE:
            position += 1
            continue
        try:
            message, position = _read_message(payload, position, errors)
        except SmlError as error:
            errors.append(error)
            break
        if message is not None:
            messages.append(message)
    return tuple(messages), tuple(errors)


def _read_message(payload: bytes, start: int, errors: list[SmlError]) -> tuple[Message | None, int]:
    transaction, group, abort, tag, width, position = _read_head(payload, start)
    body, crc_start = _read_body(tag, payload, position, errors)
    message = _build_message(transaction, group, abort, body, width)
    crc = x25(payload[start:crc_start]).to_bytes(2, "little")
    if payload.startswith(b"\x63" + crc + b"\x00", crc_start):
        return message, crc_start + 4
    found, position = tlv.read_unsigned(payload, crc_start)
    if position < len(payload) and payload[position] != tlv.END_OF_MESSAGE:
        raise SmlError("no end mark behind the message", position)
    if found != int.from_bytes(crc, "big"):
        errors.append(SmlError("the CRC of the message is wrong", crc_start, payload[start:position]))
        return None, position + 1
    return message, position + 1


def _read_head(payload: bytes, position: int) -> tuple[bytes, int, int, int, int, int]:
    """Transaction id, group, abort on error, message type, its width, and where the content of the body begins."""
    match = _COMMON_HEAD.match(payload, position)
    if match is not None:
        transaction, group, abort, short, long = match.groups()
        tag = short or long
        return transaction[1:], group[0], abort[0], int.from_bytes(tag, "big"), len(tag), match.end()
    _, position = tlv.read_list(payload, position, 6)
    transaction, position = tlv.read_octets(payload, position)
    group, position = tlv.read_unsigned(payload, position)
    abort, position = tlv.read_unsigned(payload, position)
    _, position = tlv.read_list(payload, position, 2)
    number, content = tlv.read_unsigned(payload, position)
    return transaction, group, abort, number, content - position - 1, content


def _read_body(tag: int, payload: bytes, position: int, errors: list[SmlError]) -> tuple[Body, int]:
    if tag in SCHEMAS:
        try:
            return read_body(tag, payload, position)
        except SmlError as error:
            fault = error
        raw, behind = tlv.read_raw(payload, position)
        errors.append(fault)
        return UnknownBody(tag, raw), behind
    raw, behind = tlv.read_raw(payload, position)
    return UnknownBody(tag, raw), behind
