"""Service protocol of the SMARTY BZ-PLUS v2 on selector 0x70: one request, one answer (lmn-wired 2).

    request  00 | len | cmd | data | crc        len counts cmd to crc: 03 when there is no data
    answer   80 | len | cmd | data | crc

Known from the maker's trace are the frame, the lengths, and the commands 11 and 12; every other number, the error
answer and all contents behind them are this bench's own (assumed), marked so in :data:`COMMANDS`. What is inside a
firmware update is in :mod:`devices.protocols.smarty_update`, what is inside the log in
:mod:`devices.protocols.update_log`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

from devices.protocols.crc import x25
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.server_id import server_id

SELECTOR: Final = 0x70
"""Protocol selector on the bus ("Frame-SAP 70" of the maker's tool is hexadecimal)."""
FRAME_SIZE: Final = 1024
"""What the maker's tool sets as size of a frame."""
MAX_DATA: Final = 0xFF - 3
"""Octets of data in one message."""

REQUEST: Final = 0x00
"""First octet of a request."""
ANSWER: Final = 0x80
"""First octet of an answer."""
_HEAD: Final = 2
_CRC: Final = 2


class SmartyError(ValueError):
    """Octets that are no message of the service protocol, or none that means anything.

    Attributes:
        offset: of the octet that is wrong or missing.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(f"{reason} (at octet {offset})")


class CrcOrder(Enum):
    """Which octet of the inner check comes first. High first is likely, not proven (lmn-wired 2)."""

    HIGH_FIRST = "big"
    LOW_FIRST = "little"


class Command(IntEnum):
    """What can be asked; see COMMANDS for what each carries."""

    IDENTITY = 0x11
    FIRMWARE_VERSION = 0x12
    PUBLIC_KEY = 0x21
    LOG_STATUS = 0x22
    LOG_STATUS_SIGNATURE = 0x23
    LOG_ENTRIES = 0x24
    LOG_ENTRIES_SIGNATURE = 0x25
    UPDATE_BEGIN = 0x31
    UPDATE_BLOCK = 0x32
    UPDATE_CHECK = 0x33
    UPDATE_ACTIVATE = 0x34
    UPDATE_ABORT = 0x35
    UPDATE_STATE = 0x36
    ERROR = 0x7F
    """Only in answers."""

    @property
    def words(self) -> str:
        """Its name in words."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class CommandFacts:
    """What is known of a command.

    Attributes:
        meaning: in words.
        request: data of the request.
        answer: data of the answer.
        assumed: whether number and contents are this bench's own.
    """

    meaning: str
    request: str
    answer: str
    assumed: bool = True


COMMANDS: Final[Mapping[Command, CommandFacts]] = {
    Command.IDENTITY: CommandFacts(
        "identity of the meter", "none", "25 octets that begin with DN (contents behind assumed)", assumed=False
    ),
    Command.FIRMWARE_VERSION: CommandFacts(
        "name and version of the running APP-FW", "none", "13 characters: ENSO-MME V2.0", assumed=False
    ),
    Command.PUBLIC_KEY: CommandFacts("key that the update log is signed with", "none", "X|Y on P-256, 64 octets"),
    Command.LOG_STATUS: CommandFacts("status of the update log", "none", "count u16, full u8"),
    Command.LOG_STATUS_SIGNATURE: CommandFacts("signature over the status", "none", "r|s, 64 octets"),
    Command.LOG_ENTRIES: CommandFacts(
        "entries of the update log, a page at a time", "first number u16", "first u16, count u8, entries of 33 octets"
    ),
    Command.LOG_ENTRIES_SIGNATURE: CommandFacts("signature over all entries", "none", "r|s, 64 octets; none if empty"),
    Command.UPDATE_BEGIN: CommandFacts("a new image follows", "octets of the image u32", "progress"),
    Command.UPDATE_BLOCK: CommandFacts("a piece of the image", "offset u32, octets", "progress"),
    Command.UPDATE_CHECK: CommandFacts("the image is complete: check it", "none", "progress"),
    Command.UPDATE_ACTIVATE: CommandFacts("install what was checked", "none", "progress"),
    Command.UPDATE_ABORT: CommandFacts("do not install, forget the image", "none", "progress"),
    Command.UPDATE_STATE: CommandFacts("how far the update is", "none", "progress"),
    Command.ERROR: CommandFacts("refusal, in answers only", "none", "command refused u8, reason u8, detail u32"),
}
"""Command -> what it carries, and whether that is assumed."""


class Refusal(IntEnum):
    """Why the meter refuses (assumed)."""

    UNKNOWN_COMMAND = 1
    DAMAGED = 2
    """Length or check of the request are wrong."""
    BAD_DATA = 3
    WRONG_STATE = 4
    LOG_FULL = 5
    WRONG_OFFSET = 6
    """Detail: the offset that is expected."""
    TOO_LARGE = 7
    """Detail: the largest image."""
    BUSY = 8
    LOG_BROKEN = 9
    """The stored log does not carry its own signature any more."""


REFUSALS: Final[Mapping[Refusal, str]] = {
    Refusal.UNKNOWN_COMMAND: "the meter does not know this command",
    Refusal.DAMAGED: "the request came damaged",
    Refusal.BAD_DATA: "the data of the request make no sense",
    Refusal.WRONG_STATE: "this cannot be done in the present state of the update",
    Refusal.LOG_FULL: "the update log is full, no further update is possible",
    Refusal.WRONG_OFFSET: "the block does not follow the last one",
    Refusal.TOO_LARGE: "the image is too large",
    Refusal.BUSY: "the meter is busy",
    Refusal.LOG_BROKEN: "the update log in the meter is damaged, no further update is possible",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        command: its number; a Command unless it is an unknown one.
        data: what follows, at most 252 octets.
    """

    command: int
    data: bytes = b""

    def to_bytes(self, order: CrcOrder = CrcOrder.HIGH_FIRST) -> bytes:
        """The message. Raises SmartyError when the data do not fit."""
        return _message(REQUEST, self.command, self.data, order)

    @classmethod
    def from_bytes(cls, message: bytes, order: CrcOrder = CrcOrder.HIGH_FIRST) -> Request:
        """Read a whole message. Raises SmartyError for anything else."""
        return cls(*_parts(message, REQUEST, order))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    Attributes:
        command: that of the request, or ERROR.
        data: what follows, at most 252 octets.
    """

    command: int
    data: bytes = b""

    def to_bytes(self, order: CrcOrder = CrcOrder.HIGH_FIRST) -> bytes:
        """The message. Raises SmartyError when the data do not fit."""
        return _message(ANSWER, self.command, self.data, order)

    @classmethod
    def from_bytes(cls, message: bytes, order: CrcOrder = CrcOrder.HIGH_FIRST) -> Answer:
        """Read a whole message. Raises SmartyError for anything else."""
        return cls(*_parts(message, ANSWER, order))

    @property
    def refused(self) -> Refused | None:
        """The refusal that this answer is; None when it is none. Raises SmartyError for a refusal without sense."""
        return Refused.from_bytes(self.data) if self.command == Command.ERROR else None


@dataclass(frozen=True, slots=True)
class Refused:
    """What an error answer says.

    Attributes:
        command: number of the refused request, 0 when it could not be read.
        reason: why.
        detail: a number with the reason, see Refusal.
    """

    command: int
    reason: Refusal
    detail: int = 0

    def to_answer(self) -> Answer:
        """As a message."""
        return Answer(Command.ERROR, bytes((self.command, self.reason)) + self.detail.to_bytes(4, "big"))

    @classmethod
    def from_bytes(cls, data: bytes) -> Refused:
        """Read the data of an error answer."""
        if len(data) != 6:
            raise SmartyError(f"a refusal of {len(data)} octets instead of 6", min(len(data), 6))
        try:
            return cls(data[0], Refusal(data[1]), int.from_bytes(data[2:], "big"))
        except ValueError:
            raise SmartyError(f"reason {data[1]} for a refusal is unknown", 1) from None

    def __str__(self) -> str:
        return f"command {self.command:02x}: {REFUSALS[self.reason]}"


IDENTITY_OCTETS: Final = 25
IDENTITY_BEGIN: Final = b"DN"
"""What the identity begins with in the trace; the rest of it is unknown."""
IDENTITY_MAKER: Final = b"DNT"
"""Maker code of Dr. Neuhaus Telekommunikation (assumed)."""
METER_TYPE: Final = "BZPLUSV2"
"""Type code in the identity (assumed)."""


@dataclass(frozen=True, slots=True)
class MeterIdentity:
    """Data of the IDENTITY answer: 25 octets that begin with DN. Behind that DNT, device number (14 characters) and
    type code (8) are assumed; a meter that puts something else there is not wrong.

    Attributes:
        number: device number such as 1SAG0021061001; empty when none stands where it is assumed.
        meter_type: code of the meter's type, at most 8 characters; empty with an empty number.
        raw: the octets as they came; empty for an identity that did not.
    """

    number: str
    meter_type: str = METER_TYPE
    raw: bytes = field(default=b"", compare=False)

    def to_bytes(self) -> bytes:
        """The 25 octets, as they came if they did. Raises SmartyError when the texts do not fit."""
        if self.raw:
            return self.raw
        number, kind = _ascii(self.number, 3), _ascii(self.meter_type, 17)
        if len(number) != 14 or len(kind) > 8:
            raise SmartyError("an identity has a device number of 14 characters and a type of up to 8", 3)
        return IDENTITY_MAKER + number + kind.ljust(8)

    @classmethod
    def from_bytes(cls, data: bytes) -> MeterIdentity:
        """Read the data of the answer. Raises SmartyError for another length or begin than the trace shows."""
        if len(data) != IDENTITY_OCTETS:
            raise SmartyError(f"an identity of {len(data)} octets instead of {IDENTITY_OCTETS}", min(len(data), 25))
        if not data.startswith(IDENTITY_BEGIN):
            raise SmartyError("an identity begins with DN")
        try:
            number, kind = read_text(data[3:17], 3), read_text(data[17:], 17)
            server_id(number)
        except (SmartyError, SmlError):
            return cls("", "", data)
        return cls(number, kind, data) if data.startswith(IDENTITY_MAKER) else cls("", "", data)


def read_text(data: bytes, offset: int = 0) -> str:
    """Printable ASCII without the spaces and zeros behind it. Raises SmartyError at the first other octet."""
    for index, octet in enumerate(data.rstrip(b"\0 ")):
        if not 0x20 <= octet < 0x7F:
            raise SmartyError(f"octet {octet:02x} is no printable character", offset + index)
    return data.rstrip(b"\0 ").decode("ascii")


def _ascii(text: str, offset: int) -> bytes:
    if not (text.isascii() and text.isprintable()):
        raise SmartyError(f"{text!r} is not printable ASCII", offset)
    return text.encode("ascii")


def _message(direction: int, command: int, data: bytes, order: CrcOrder) -> bytes:
    if len(data) > MAX_DATA:
        raise SmartyError(f"{len(data)} octets of data, a message takes {MAX_DATA}", _HEAD + 1 + MAX_DATA)
    body = bytes((direction, 1 + len(data) + _CRC, command)) + data
    return body + x25(body).to_bytes(_CRC, order.value)


def _parts(message: bytes, direction: int, order: CrcOrder) -> tuple[int, bytes]:
    if len(message) < _HEAD + 1 + _CRC:
        raise SmartyError(f"a message of {len(message)} octets", len(message))
    if message[0] != direction:
        raise SmartyError(f"a message begins with {direction:02x}, not with {message[0]:02x}")
    if message[1] != len(message) - _HEAD:
        raise SmartyError(f"length {message[1]} in a message with {len(message) - _HEAD} octets behind it", 1)
    if x25(message[:-_CRC]) != int.from_bytes(message[-_CRC:], order.value):
        raise SmartyError("the inner check is wrong", len(message) - _CRC)
    command = message[2]
    return (Command(command) if command in _KNOWN else command), message[3:-_CRC]


_KNOWN: Final = frozenset(Command)
