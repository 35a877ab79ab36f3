"""What the gateway asks a meter, and what it keeps of the answer (lmn-wired 4)."""

from __future__ import annotations

from dataclasses import dataclass

from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.messages import (
    Attention,
    Body,
    CloseRequest,
    GetListRequest,
    GetListResponse,
    ListEntry,
    Message,
    OpenRequest,
    Raw,
    attention_code,
    encode_messages,
)
from devices.protocols.sml.obis import format_obis
from devices.protocols.sml.transport import decode_file, encode_file
from firmware.metering.values import Entry


@dataclass(frozen=True)
class MeterList:
    """A list of registers as read.

    Attributes:
        server_id: whose it is, as the answer says.
        entries: all registers in the meter's order.
    """

    server_id: bytes
    entries: tuple[Entry, ...]


def list_request(number: int, client_id: bytes, server_id: bytes) -> bytes:
    """The transport file that asks for the default list; `number` makes its transaction ids."""
    bodies: tuple[Body, ...] = (
        OpenRequest(client_id, number.to_bytes(4, "big"), server_id),
        GetListRequest(client_id, server_id),
        CloseRequest(),
    )
    messages = [
        Message(number.to_bytes(4, "big") + bytes((place,)), group, 0, body)
        for place, (group, body) in enumerate(zip((0, 1, 0), bodies, strict=True))
    ]
    return encode_file(encode_messages(messages))


def read_list(answer: bytes) -> MeterList:
    """The list in an answer file; a file with several gives their registers one after the other.

    Raises:
        SmlError: damaged file, refusal by the meter, or no list in it.
    """
    file = decode_file(answer)
    found = [one.body for one in file.messages if isinstance(one.body, GetListResponse)]
    if not found:
        refused = [one.body for one in file.messages if isinstance(one.body, Attention)]
        if refused:
            code = attention_code(refused[0].number)
            shown = refused[0].number.hex() if code is None else f"{code:04X}"
            raise SmlError(f"the meter refuses the list with attention {shown}")
        raise file.errors[0] if file.errors else SmlError("the answer holds no list")
    entries = tuple(entry_of(one) for body in found for one in body.val_list)
    return MeterList(found[0].server_id, entries)


def entry_of(one: ListEntry) -> Entry:
    """A register of a list as it is kept."""
    obis = format_obis(one.obis) if len(one.obis) == 6 else one.obis.hex()
    value = one.value.octets if isinstance(one.value, Raw) else one.value
    return Entry(obis, value, one.scaler, one.unit, one.status)
