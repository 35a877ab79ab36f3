"""Writing objects of a wired meter: SetProcParameter, acknowledged by an attention (lmn-wired 4.2, 4.3)."""

from __future__ import annotations

from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.messages import (
    ATTENTION_OK,
    Attention,
    Body,
    CloseRequest,
    Message,
    OpenRequest,
    ParameterTree,
    SetProcParameterRequest,
    Value,
    attention_code,
    attention_text,
    cosem_attribute,
    cosem_name,
    encode_messages,
)
from devices.protocols.sml.transport import decode_file, encode_file

NOT_EXECUTED = 0xFE0A
"""Attention of a meter that does not do it now."""

_DATA_CLASS = 1
_VALUE_ATTRIBUTE = 2


class WriteRefused(Exception):
    """The meter did not take what was written.

    Attributes:
        code: of its attention, None when it sent none.
    """

    def __init__(self, code: int | None, reason: str) -> None:
        self.code = code
        super().__init__(reason)


def write_request(number: int, client_id: bytes, server_id: bytes, obis: bytes, value: Value) -> bytes:
    """The transport file that writes `value` to a data object; `number` makes its transaction ids."""
    path = (cosem_name(obis, _DATA_CLASS), cosem_attribute(_VALUE_ATTRIBUTE))
    bodies: tuple[Body, ...] = (
        OpenRequest(client_id, number.to_bytes(4, "big"), server_id),
        SetProcParameterRequest(path, ParameterTree(path[-1], value), server_id),
        CloseRequest(),
    )
    messages = [
        Message(number.to_bytes(4, "big") + bytes((place,)), group, 0, body)
        for place, (group, body) in enumerate(zip((0, 1, 0), bodies, strict=True))
    ]
    return encode_file(encode_messages(messages))


def check_written(answer: bytes) -> None:
    """Raises WriteRefused unless the answer file acknowledges what was written."""
    try:
        found = [one.body for one in decode_file(answer).messages if isinstance(one.body, Attention)]
    except SmlError as error:
        raise WriteRefused(None, f"the answer cannot be read: {error}") from error
    if not found:
        raise WriteRefused(None, "the meter did not acknowledge")
    code = attention_code(found[0].number)
    if code != ATTENTION_OK:
        raise WriteRefused(code, f"the meter refused: {attention_text(found[0].number)}")
