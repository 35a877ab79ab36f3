"""`smgw-bench decode sml`: the files in a dump, the messages in them, the registers in those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from bench.decode.exact_json import exact_json
from bench.decode.explanation import Damage, Explanation
from bench.decode.registers import Register, registers
from bench.decode.source import Source
from devices.protocols.sml.entries import SmlTime
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.messages import (
    ActionCosemRequest,
    ActionCosemResponse,
    Attention,
    CloseResponse,
    GetCosemRequest,
    GetCosemResponse,
    GetListRequest,
    GetListResponse,
    GetProcParameterRequest,
    GetProcParameterResponse,
    GetProfileListRequest,
    GetProfileListResponse,
    GetProfilePackRequest,
    GetProfilePackResponse,
    Message,
    OpenRequest,
    OpenResponse,
    SetCosemRequest,
    SetCosemResponse,
    SetProcParameterRequest,
    SetProcParameterResponse,
    UnknownBody,
    attention_text,
)
from devices.protocols.sml.obis import OBIS_LENGTH, format_obis
from devices.protocols.sml.parameters import COSEM_NAME_LENGTH
from devices.protocols.sml.server_id import device_number
from devices.protocols.sml.transport import ESCAPE, START, FileReader, SmlFile


@dataclass(frozen=True, slots=True)
class Found:
    """A file and the octet of the dump at which it begins."""

    offset: int
    file: SmlFile


def read_dump(octets: bytes) -> tuple[list[Found], list[Damage]]:
    """The whole files in a dump, and what of it is damaged, both in its order."""
    reader = FileReader()
    files: list[Found] = []
    damages: list[Damage] = []
    position = 0
    # The start sequence behind the end makes the reader say what it thinks of the last octets.
    for one in (*reader.feed(octets), *reader.idle(), *reader.feed(START)):
        if isinstance(one, SmlError):
            damages.append(Damage(min(one.offset, len(octets)), one.reason))
            continue
        position = octets.index(one.raw, position)
        files.append(Found(position, one))
        damages += [
            Damage(position + _offset_in_file(one.raw, error.offset), f"file {len(files)}: {error.reason}")
            for error in one.errors
        ]
        position += len(one.raw)
    return files, sorted(damages, key=lambda damage: damage.offset)


def _offset_in_file(raw: bytes, payload_offset: int) -> int:
    """Where an octet of the payload stands in the file, in which a 1b1b1b1b of the payload is doubled."""
    position, left = len(START), payload_offset
    while True:
        doubled = raw.find(ESCAPE + ESCAPE, position)
        if doubled < 0 or left <= doubled + len(ESCAPE) - position:
            return position + left
        left -= doubled + len(ESCAPE) - position
        position = doubled + 2 * len(ESCAPE)


def explain_sml(source: Source, *, as_json: bool) -> Explanation:
    """What is in a dump."""
    files, damages = read_dump(source.octets)
    if as_json:
        text = exact_json([[register.row() for register in _registers(found.file)] for found in files])
    else:
        text = "\n".join(line for number, found in enumerate(files, 1) for line in _described(number, found))
    return Explanation(text, damages, len(files), "whole SML file", source.octets.count(START))


def _registers(file: SmlFile) -> list[Register]:
    return [register for message in file.messages for register in registers(message.body)]


def _described(number: int, found: Found) -> list[str]:
    file = found.file
    count = len(file.messages)
    lines = [f"file {number}, octets {found.offset} to {found.offset + len(file.raw) - 1}, {count} messages"]
    for message in file.messages:
        lines.append(f"  {type(message.body).__name__:24} {describe(message)}".rstrip())
        rows = [(register.obis, register.name, register.text()) for register in registers(message.body)]
        code_width = max((len(row[0]) for row in rows), default=0)
        name_width = max((len(row[1]) for row in rows), default=0)
        lines += [f"    {code:{code_width}}  {name:{name_width}}  {text}" for code, name, text in rows]
    return [*lines, ""]


def describe(message: Message) -> str:
    """What a message says besides its registers, in one line."""
    body = message.body
    return _DESCRIPTIONS.get(type(body), lambda _: "")(body)


def meter_name(server_id: bytes | None) -> str:
    """Device number of a server id, with the octets; the octets alone when they have another form."""
    if server_id is None:
        return "any meter"
    try:
        return f"meter {device_number(server_id)} ({server_id.hex()})"
    except SmlError:
        return f"meter {server_id.hex() or 'without id'}"


def _time(time: SmlTime | None) -> str:
    return "" if time is None else f", {time.kind.name.lower().replace('_', ' ')} {time.seconds}"


def _path_element(name: bytes) -> str:
    if len(name) == OBIS_LENGTH:
        return format_obis(name)
    if len(name) == COSEM_NAME_LENGTH:
        return f"{format_obis(name[:OBIS_LENGTH])} class {int.from_bytes(name[6:8])} version {name[8]}"
    return f"attribute {int.from_bytes(name)}" if len(name) == 2 else name.hex()


def _path(path: tuple[bytes, ...]) -> str:
    return " / ".join(map(_path_element, path))


def _list_name(name: bytes | None) -> str:
    return "default list" if name is None else f"list {_path_element(name)}"


def _attention(body: Attention) -> str:
    text = "" if body.message is None else f": {body.message.decode('latin-1')!r}"
    return f"{meter_name(body.server_id)}, {attention_text(body.number)} ({body.number.hex()}){text}"


def _by_path(body: Any) -> str:
    return f"{meter_name(body.server_id)}, {_path(body.path)}"


def _by_object(body: Any) -> str:
    return (
        f"{meter_name(body.server_id)}, {_path_element(body.obis)} class {body.class_id} version {body.class_version}"
    )


_DESCRIPTIONS: Final[dict[type[Any], Callable[[Any], str]]] = {
    OpenRequest: lambda body: (
        f"{meter_name(body.server_id)}, client {body.client_id.hex()}, file {body.req_file_id.hex()}"
    ),
    OpenResponse: lambda body: f"{meter_name(body.server_id)}, file {body.req_file_id.hex()}{_time(body.ref_time)}",
    CloseResponse: lambda body: "" if body.global_signature is None else "signed",
    GetListRequest: lambda body: f"{meter_name(body.server_id)}, {_list_name(body.list_name)}",
    GetListResponse: lambda body: (
        f"{meter_name(body.server_id)}, {_list_name(body.list_name)}{_time(body.act_sensor_time)}, "
        f"{len(body.val_list)} entries{', signed' if body.list_signature else ''}"
    ),
    **dict.fromkeys(
        (
            GetProcParameterRequest,
            GetProcParameterResponse,
            SetProcParameterRequest,
            SetProcParameterResponse,
            GetProfileListRequest,
            GetProfilePackRequest,
        ),
        _by_path,
    ),
    **dict.fromkeys(
        (
            GetCosemRequest,
            GetCosemResponse,
            SetCosemRequest,
            SetCosemResponse,
            ActionCosemRequest,
            ActionCosemResponse,
        ),
        _by_object,
    ),
    GetProfileListResponse: lambda body: f"{meter_name(body.server_id)}, {_path(body.path)}{_time(body.val_time)}",
    GetProfilePackResponse: lambda body: (
        f"{meter_name(body.server_id)}, {_path(body.path)}, {len(body.headers)} columns, {len(body.periods)} lines"
    ),
    Attention: _attention,
    UnknownBody: lambda body: f"type {body.tag:04X}, not understood",
}
"""Body to what it says; the others say it by their name."""
