"""What the information of HDLC frames says: station records, SML, TLS records, SYM messages, service requests."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from devices.protocols.hdlc import Frame, FrameKind, HdlcError, Selector, StationRecord, decode_records
from devices.protocols.smarty_service import ANSWER, COMMANDS, REQUEST, Command
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.server_id import device_number
from devices.protocols.sml.transport import FileReader, SmlFile
from devices.protocols.sym_message import ANSWER as SYM_ANSWER
from devices.protocols.sym_message import HEAD_OCTETS, STEP_WORDS, Step
from devices.protocols.tls_records import ALERTS, MAX_RECORD, MESSAGE_HEAD, RECORD_HEAD, MessageType, RecordType

MAX_MESSAGE: Final = 65_536
"""Octets of a message in segments that are held (assumed)."""

_RECORDS_NAMED = 4
_MESSAGES_NAMED = 6


def _words(kinds: type[IntEnum]) -> dict[int, str]:
    """ClientHello for CLIENT_HELLO."""
    return {int(kind): kind.name.title().replace("_", "") for kind in kinds}


_TLS_RECORDS: Final = {24: "Heartbeat"} | _words(RecordType)
_HANDSHAKES: Final = {0: "HelloRequest", 4: "NewSessionTicket"} | _words(MessageType)
_FATAL = 2
_TLS_MAJOR = 3

_TLS = frozenset({Selector.TLS_COSEM, Selector.TLS_EDL, Selector.TLS_SYM2})
_SERVICE_KINDS: Final = {REQUEST: "request", ANSWER: "answer"}


class Contents:
    """Explains the frames of one bus in their order; messages in segments are put together, TLS records followed over
    frames. Holds `MAX_MESSAGE` octets for each link and direction at most."""

    def __init__(self) -> None:
        self._segments: dict[tuple[int, int, int], bytes] = {}
        self._records: dict[tuple[int, int, int], TlsRecords] = {}

    def of(self, frame: Frame) -> str:
        """What the information of `frame` says, in words; empty when it has none."""
        if frame.control.kind is FrameKind.UI:
            return _records(frame.information) if frame.selector in (Selector.ADDRESSING, Selector.PRESENCE) else ""
        if frame.control.kind is not FrameKind.I:
            if frame.control.kind in (FrameKind.SNRM, FrameKind.DISC):
                self._forget(frame)
            return ""
        link = (frame.source, frame.destination, frame.selector)
        if frame.selector in _TLS:
            return self._records.setdefault(link, TlsRecords()).feed(frame.information)
        message = self._segments.pop(link, b"") + frame.information
        if frame.segmented:
            if len(message) > MAX_MESSAGE:
                return f"part of a message of more than {MAX_MESSAGE} octets"
            self._segments[link] = message
            return f"part of a message, {len(message)} octets so far"
        explain = _MESSAGES.get(frame.selector)
        return "" if explain is None else explain(message)

    def _forget(self, frame: Frame) -> None:
        for link in (
            (frame.source, frame.destination, frame.selector),
            (frame.destination, frame.source, frame.selector),
        ):
            self._segments.pop(link, None)
            self._records.pop(link, None)


class TlsRecords:
    """Follows the records of one direction of a TLS connection; nothing is decrypted."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._encrypted = False

    def feed(self, data: bytes) -> str:
        """The records that begin in `data`, and whether it begins within one."""
        found = []
        if self._left and data:
            found.append("rest of a record")
        taken = min(self._left, len(data))
        self._left -= taken
        data = self._head + data[taken:]
        self._head = b""
        while data and not self._left:
            if len(data) < RECORD_HEAD:
                self._head = data
                break
            kind, length = data[0], int.from_bytes(data[3:5])
            if kind not in _TLS_RECORDS or data[1] != _TLS_MAJOR or length > MAX_RECORD:
                found.append("no TLS record")
                break
            body = data[RECORD_HEAD : RECORD_HEAD + length]
            found.append(self._name(kind, body, length))
            self._encrypted = self._encrypted or kind == RecordType.CHANGE_CIPHER_SPEC
            self._left = length - len(body)
            data = data[RECORD_HEAD + length :]
        return f"TLS: {', '.join(found)}" if found else ""

    def _name(self, kind: int, body: bytes, length: int) -> str:
        detail = ""
        if self._encrypted:
            detail = "encrypted, "
        elif kind == RecordType.HANDSHAKE and body:
            detail = f"{', '.join(_handshakes(body))}, "
        elif kind == RecordType.ALERT and len(body) == 2:
            detail = f"{'fatal' if body[0] == _FATAL else 'warning'} {ALERTS.get(body[1], body[1])}, "
        return f"{_TLS_RECORDS[kind]} ({detail}{length} octets)"


def _handshakes(body: bytes) -> list[str]:
    names = []
    while body:
        names.append(_HANDSHAKES.get(body[0], f"handshake {body[0]}"))
        body = body[MESSAGE_HEAD + int.from_bytes(body[1:MESSAGE_HEAD]) :]
    return names


def _records(information: bytes) -> str:
    if not information:
        return "no station listed"
    try:
        records = decode_records(information)
    except HdlcError as error:
        return f"no station records: {error.reason}"
    names = [_record(record) for record in records[:_RECORDS_NAMED]]
    if len(records) > _RECORDS_NAMED:
        names.append(f"and {len(records) - _RECORDS_NAMED} more")
    return "; ".join(names)


def _record(record: StationRecord) -> str:
    try:
        name = device_number(record.device_id)
    except SmlError:
        name = record.device_id.hex() or "without id"
    slot = f" slot {record.slot}" if record.slot else ""
    return f"station {record.address:02X}{slot} {name}"


def _sml(message: bytes) -> str:
    reader = FileReader()
    found = (*reader.feed(message), *reader.idle())
    names = []
    for one in found:
        if isinstance(one, SmlFile):
            names += [type(entry.body).__name__ for entry in one.messages[:_MESSAGES_NAMED]]
            names += [f"damaged message: {error.reason}" for error in one.errors[:_MESSAGES_NAMED]]
        else:
            names.append(f"damaged: {one.reason}")
    return f"SML: {', '.join(names) or 'no file'}"


def _sym(message: bytes) -> str:
    if len(message) < HEAD_OCTETS:
        return f"SYM: {len(message)} octets are too few for a header"
    kind, length, counter = message[0], int.from_bytes(message[1:5]), int.from_bytes(message[5:HEAD_OCTETS])
    number = kind & ~SYM_ANSWER
    step = STEP_WORDS[Step(number)] if number in frozenset(Step) else "unknown"
    which = "answer" if kind & SYM_ANSWER else "request"
    wrong = "" if length == len(message) else f", says {length} octets but has {len(message)}"
    return f"SYM: {which} {number} ({step}), counter {counter:08X}{wrong}"


def _service(message: bytes) -> str:
    if len(message) < 2:
        return "service protocol: too short"
    kind = _SERVICE_KINDS.get(message[0], f"kind {message[0]:02X}")
    command = f", command {_command(message[2])}" if len(message) > 2 else ""
    wrong = "" if message[1] == len(message) - 2 else f", says {message[1]} octets but has {len(message) - 2}"
    return f"service protocol: {kind}{command}{wrong}"


def _command(number: int) -> str:
    """Number and name; of those that the maker's trace does not show the name is this bench's own."""
    if number not in frozenset(Command):
        return f"{number:02X}"
    command = Command(number)
    return f"{number:02X} ({command.words}{', assumed' if COMMANDS[command].assumed else ''})"


_MESSAGES: Final[dict[int, Callable[[bytes], str]]] = {
    Selector.COSEM_CLEAR: _sml,
    Selector.EDL_CLEAR: _sml,
    Selector.SYM2_CLEAR: _sml,
    Selector.SYM: _sym,
    Selector.SAGEMCOM: _service,
}
"""Protocol selector of I frames to what explains their messages."""
