"""What is fuzzed, on which seeds, and what must hold: no error outside the codec's own family, no end of time or
memory, and what was read can be written again.

Each target takes any octets and raises AssertionError when a rule is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from mbus_targets import (
    application_seeds,
    compact_seeds,
    line_seeds,
    mbus_compact,
    mbus_records,
    mbus_telegram,
    stick_seeds,
    telegram_seeds,
    wmbus_lines,
    wmbus_sticks,
)

from bench.decode.hdlc import explain_hdlc
from bench.decode.sml import explain_sml
from bench.decode.source import Source
from devices.protocols.crc import x25
from devices.protocols.hdlc import MAX_LENGTH, Frame, FrameReader, HdlcError, decode_records
from devices.protocols.sml import SmlError
from devices.protocols.sml.bodies import SCHEMAS
from devices.protocols.sml.messages import (
    ActionCosemRequest,
    Attention,
    Body,
    CosemAttribute,
    GetCosemRequest,
    GetCosemResponse,
    GetProcParameterResponse,
    GetProfileListRequest,
    GetProfileListResponse,
    GetProfilePackRequest,
    GetProfilePackResponse,
    ListEntry,
    Message,
    ParameterTree,
    PeriodEntry,
    ProfileHeader,
    ProfilePeriod,
    ProfileValue,
    SmlTime,
    TimeKind,
    TupleEntry,
    attention_number,
    encode_message,
    read_messages,
)
from devices.protocols.sml.transport import START, FileReader, SmlFile, encode_file, split_raw
from devices.protocols.sml.values import scaler_unit_value, typed_value

VECTORS = Path(__file__).parents[1] / "vectors"
MAX_FILE = 2048
TAGS = sorted(SCHEMAS)

ROW_INFORMATION = {5: "000311edac", 9: "000312df37"}
"""Requests of the public trace whose information is known (lmn-wired 2)."""


def hdlc_seeds() -> list[bytes]:
    """Frames off real wires: the public capture, the rows of the manual's trace that are whole, and SML in frames."""
    found = [bytes.fromhex((VECTORS / "hdlc" / "capture_a.hex").read_text())]
    for line in (VECTORS / "hdlc" / "trace.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            row, header = line.split()[:2]
            information = bytes.fromhex(ROW_INFORMATION.get(int(row), ""))
            found.append(repaired_frame(b"\x7e" + bytes.fromhex(header), information))
    file = bytes.fromhex((VECTORS / "sml" / "capture_b.hex").read_text())
    found.append(repaired_frame(bytes.fromhex("7ea0000247884710"), file))
    return found


def repaired_frame(head: bytes, information: bytes) -> bytes:
    """A frame with right length and check sequences around any addresses, control octet and information."""
    head = head[:8].ljust(8, b"\x01")
    information = information[: MAX_LENGTH - 11]
    length = 11 + len(information) if information else 9
    start = bytes((0xA0 | head[1] & 0x08 | length >> 8, length & 0xFF)) + head[3:8]
    body = start + x25(start).to_bytes(2, "little")
    if information:
        body += information
        body += x25(body).to_bytes(2, "little")
    return b"\x7e" + body + b"\x7e"


def sml_seeds() -> list[bytes]:
    """Files of real meters, two of each make, and the public capture of a COSEM answer."""
    found = [bytes.fromhex((VECTORS / "sml" / "capture_b.hex").read_text())]
    for dump in sorted((VECTORS / "sml").glob("*.bin")):
        found += split_raw(dump.read_bytes())[:2]
    return found


def payload_seeds() -> list[bytes]:
    """The messages of those files, without transport."""
    return [file[8 : len(file) - 8 - file[-3]].replace(b"\x1b" * 8, b"\x1b" * 4) for file in sml_seeds()]


def body_seeds() -> list[bytes]:
    """Messages that no public capture holds, one of each kind, written by us."""
    server, code, time = (
        bytes.fromhex("0a01484c5902000d6be6"),
        bytes.fromhex("0100010800ff"),
        SmlTime(TimeKind.LOCAL, 5),
    )
    period = PeriodEntry(code, 30, -1, 42, b"signed")
    trees = [
        ParameterTree(code, value, (ParameterTree(b"\0\2", b"x"),))
        for value in (period, TupleEntry(server, time, 4, 30, -1, 42), time, ListEntry(code, 4, time, 30, -1, 42), True)
    ]
    columns, lines = (ProfileHeader(code, 30, -1),), (ProfilePeriod((ProfileValue(42, b"signed"),), time, 4),)
    bodies: list[Body] = [
        *(GetProcParameterResponse(server, (code,), tree) for tree in trees),
        GetProfilePackRequest((code,), server, None, None, True, time, time, (code,), trees[0]),
        GetProfilePackResponse(server, (code,), columns, lines, time, 900),
        GetProfileListRequest((code,), server, None, None, False, time, None, (code, code)),
        GetProfileListResponse(server, (code,), (period, period), time, 900, time, 4),
        GetCosemRequest(code, 3, 0, (2, 3), b"client", server),
        GetCosemResponse(server, code, 3, 0, (CosemAttribute(2, 42), CosemAttribute(3, scaler_unit_value(-1, 30)))),
        ActionCosemRequest(code, 3, 0, 1, True, b"client", server),
        Attention(server, attention_number(0xFE0E), b"text", trees[1]),
    ]
    return [encode_message(Message(b"1234", 0, 0, body)) for body in bodies]


def resealed(data: bytes) -> bytes:
    """One message with its CRC put right."""
    return data[:-4] + b"\x63" + x25(data[:-4]).to_bytes(2, "little") + b"\x00"


def sealed(content: bytes) -> bytes:
    """A message with a right CRC: its type from the first octet, the content of its body from the others."""
    tag = TAGS[content[0] % len(TAGS)] if content else TAGS[0]
    start = bytes.fromhex("760501020304620062007265") + tag.to_bytes(4, "big") + content[1:]
    return start + b"\x63" + x25(start).to_bytes(2, "little") + b"\x00"


def hdlc_reader(data: bytes) -> None:
    """A stream in pieces, whose size the first octet gives."""
    reader = FrameReader()
    found: list[Frame | HdlcError] = []
    for piece in _pieces(data):
        found += reader.feed(piece)
        assert len(reader._buffer) <= MAX_LENGTH + 2
    found += reader.idle()
    assert len(found) <= 2 * len(data)
    for one in found:
        if isinstance(one, HdlcError):
            assert 0 <= one.offset <= len(data)
        else:
            assert one.to_bytes() in data


def hdlc_frame(data: bytes) -> None:
    """One frame, as it is and with its check sequences put right, and the station records in it."""
    for octets in (data, repaired_frame(data[:8], data[10:-3])):
        try:
            frame = Frame.from_bytes(octets)
            assert frame.to_bytes() == octets
            records = decode_records(frame.information)
            assert b"".join(record.to_bytes() for record in records) == frame.information
        except HdlcError as error:
            assert 0 <= error.offset <= len(octets)


def sml_reader(data: bytes) -> None:
    """A stream in pieces."""
    reader = FileReader(max_file=MAX_FILE)
    found: list[SmlFile | SmlError] = []
    for piece in _pieces(data):
        found += reader.feed(piece)
        assert len(reader._buffer) <= MAX_FILE
    found += reader.idle()
    assert sum(len(one.raw) for one in found) <= len(data) + len(START) * len(found)
    for one in found:
        if isinstance(one, SmlError):
            assert 0 <= one.offset <= len(data)
        else:
            _written_again(one.messages)


def sml_messages(data: bytes) -> None:
    """Messages: the octets as a payload, as a message whose CRC is right, and as the content of one."""
    for payload in (data, resealed(data), sealed(data)):
        messages, errors = read_messages(payload)
        assert len(messages) + len(errors) <= len(payload)
        assert all(0 <= error.offset <= len(payload) for error in errors)
        _written_again(messages)


def sml_files(data: bytes) -> None:
    """A payload in a file whose transport is right."""
    sml_reader(encode_file(data))


def explained(data: bytes) -> None:
    """What `smgw-bench decode` says about the octets."""
    for octets in (data, encode_file(resealed(data)), repaired_frame(data[:8], data[10:-3])):
        for as_json in (False, True):
            explain_sml(Source("fuzz", octets), as_json=as_json)
            explain_hdlc(Source("fuzz", octets), as_json=as_json)


def _pieces(data: bytes) -> Iterable[bytes]:
    size = data[0] % 64 * 4 + 1 if data else 1
    return [data[start : start + size] for start in range(0, len(data), size)]


def _written_again(messages: Iterable[Message]) -> None:
    for message in messages:
        for entry in getattr(message.body, "val_list", ()):
            typed_value(entry)
        try:
            octets = encode_message(message)
        except SmlError:
            continue
        assert read_messages(octets)[0] == (message,)


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "hdlc reader": (hdlc_reader, hdlc_seeds),
    "hdlc frame": (hdlc_frame, hdlc_seeds),
    "sml reader": (sml_reader, sml_seeds),
    "sml messages": (sml_messages, lambda: payload_seeds() + body_seeds()),
    "sml files": (sml_files, lambda: payload_seeds() + body_seeds()),
    "explained": (explained, lambda: hdlc_seeds() + sml_seeds() + body_seeds()),
    "mbus records": (mbus_records, application_seeds),
    "mbus compact": (mbus_compact, compact_seeds),
    "mbus telegram": (mbus_telegram, telegram_seeds),
    "wmbus lines": (wmbus_lines, line_seeds),
    "wmbus sticks": (wmbus_sticks, stick_seeds),
}
"""Name to target and its seeds."""
