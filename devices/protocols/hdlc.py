"""HDLC on the wired LMN: frames of format type 3 with two-octet addresses, and the record of a station.

Layout (lmn-wired 1.2): ``7E | format 2 | destination 2 | source 2 | control 1 | [HCS 2 | information] | FCS 2 | 7E``.
Nothing is stuffed; the length in the format field says where a frame ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from devices.protocols.crc import x25
from devices.protocols.frozen import builder

NO_STATION: Final = 0x00
GATEWAY: Final = 0x01
FIRST_METER: Final = 0x03
LAST_METER: Final = 0x7E
ALL_STATIONS: Final = 0x7F

FLAG: Final = 0x7E
MAX_LENGTH: Final = 0x7FF
"""Largest value of the length field: all octets between the flags."""
MAX_INFORMATION: Final = MAX_LENGTH - 11
"""Information octets in the largest frame; meters are built for 1024 (lmn-wired 1.2)."""
RECORD_LENGTH: Final = 32
ID_LENGTH: Final = 14
"""Octets of an id in a station record."""

_BARE_LENGTH = 9
"""Length field of a frame without information."""
_FULL_LENGTH = 12
"""Length field of a frame with one octet of information."""
_HEADER_OCTETS = 7
_SEGMENTED = 0x0800


class HdlcError(ValueError):
    """Octets that are no frame, or values that fit into none.

    Attributes:
        reason: what is wrong.
        offset: where, in octets from the start of what was given, or of the stream for a FrameReader.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        self.reason = reason
        self.offset = offset
        super().__init__(f"{reason} (at octet {offset})")


class Selector(IntEnum):
    """Protocol selector, the second octet of both addresses (lmn-wired 1.4). A vendor may use others."""

    ADDRESSING = 1
    """UI frames: invitation and answers to it."""
    TLS_COSEM = 1
    """I frames: TLS that carries SML with COSEM objects."""
    PRESENCE = 2
    """UI frames: presence check."""
    COSEM_CLEAR = 3
    EDL_CLEAR = 4
    SYM2_CLEAR = 5
    SYM = 6
    """Symmetric pairing."""
    TLS_EDL = 7
    TLS_SYM2 = 8
    SAGEMCOM = 0x70
    """Service protocol of the SMARTY BZ-PLUS."""


SELECTOR_WORDS: Final[Mapping[int, str]] = {
    Selector.TLS_COSEM: "TLS COSEM",
    Selector.PRESENCE: "presence",
    Selector.COSEM_CLEAR: "COSEM in the clear",
    Selector.EDL_CLEAR: "EDL in the clear",
    Selector.SYM2_CLEAR: "SyM2 in the clear",
    Selector.SYM: "SYM",
    Selector.TLS_EDL: "TLS EDL",
    Selector.TLS_SYM2: "TLS SyM2",
    Selector.SAGEMCOM: "Sagemcom service",
}
"""Protocol selector -> what its I frames carry, in words (lmn-wired 1.4)."""


class FrameKind(Enum):
    """What a frame is for; numbered kinds carry sequence numbers."""

    I = "I"  # noqa: E741 - the name that the standard gives to information frames
    RR = "RR"
    RNR = "RNR"
    SNRM = "SNRM"
    DISC = "DISC"
    UA = "UA"
    DM = "DM"
    FRMR = "FRMR"
    UI = "UI"
    UNKNOWN = "unknown"
    """Good frame with a control octet that the LMN does not know; a meter answers it with FRMR or DM."""


_POLL = 0x10
_UNNUMBERED = {
    FrameKind.UI: 0x03,
    FrameKind.DM: 0x0F,
    FrameKind.DISC: 0x43,
    FrameKind.UA: 0x63,
    FrameKind.SNRM: 0x83,
    FrameKind.FRMR: 0x87,
}
_SUPERVISORY = {FrameKind.RR: 0x01, FrameKind.RNR: 0x05}


@dataclass(frozen=True, slots=True)
class Control:
    """Control field (lmn-wired 1.3).

    Attributes:
        kind: what the frame is for.
        poll: P/F bit; from the gateway: answer now; from a meter: this is the answer.
        ns: send number 0 to 7, only in I.
        nr: number of the next I awaited, 0 to 7, in I, RR and RNR.
        raw: the octet itself, only in UNKNOWN.
    """

    kind: FrameKind
    poll: bool = True
    ns: int = 0
    nr: int = 0
    raw: int = 0

    @property
    def octet(self) -> int:
        """The control octet; raises HdlcError for sequence numbers outside 0..7, and for an UNKNOWN one that is known
        or says something else about `poll`."""
        if not (0 <= self.ns <= 7 and 0 <= self.nr <= 7):
            raise HdlcError(f"sequence numbers NS={self.ns} NR={self.nr} are not within 0..7", 5)
        poll = _POLL if self.poll else 0
        if self.kind is FrameKind.I:
            return self.nr << 5 | poll | self.ns << 1
        if self.kind in _SUPERVISORY:
            return self.nr << 5 | poll | _SUPERVISORY[self.kind]
        unnumbered = _UNNUMBERED.get(self.kind)
        if unnumbered is not None:
            return unnumbered | poll
        if self != _CONTROLS.get(self.raw):
            raise HdlcError(f"{self.raw:#04x} with poll={self.poll} is no unknown control octet", 7)
        return self.raw

    @classmethod
    def from_octet(cls, octet: int) -> Control:
        """Of kind UNKNOWN for an octet that the LMN does not know; raises HdlcError for what is no octet."""
        control = _CONTROLS.get(octet)
        if control is None:
            raise HdlcError(f"{octet} is no octet", 7)
        return control

    def __str__(self) -> str:
        if self.kind is FrameKind.I:
            return f"I NS={self.ns} NR={self.nr}"
        if self.kind in _SUPERVISORY:
            return f"{self.kind.value} NR={self.nr}"
        if self.kind is FrameKind.UNKNOWN:
            return f"unknown control octet {self.raw:02X}"
        return str(self.kind.value)


def _all_controls() -> dict[int, Control]:
    numbers = range(8)
    every = [Control(kind, poll) for kind in _UNNUMBERED for poll in (False, True)]
    every += [Control(kind, poll, 0, nr) for kind in _SUPERVISORY for poll in (False, True) for nr in numbers]
    every += [Control(FrameKind.I, poll, ns, nr) for poll in (False, True) for ns in numbers for nr in numbers]
    known = {control.octet: control for control in every}
    unknown = {
        octet: Control(FrameKind.UNKNOWN, octet & _POLL != 0, raw=octet) for octet in range(256) if octet not in known
    }
    return known | unknown


_CONTROLS: Final = _all_controls()
"""What each of the 256 control octets means."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. Both address fields carry the same selector, in both directions (lmn-wired 1.4).

    Attributes:
        destination, source: HDLC addresses 0..0x7F.
        selector: protocol selector 0..0x7F, see Selector.
        control: kind, poll bit and sequence numbers.
        information: 0..2036 octets.
        segmented: True when more of the same message follows in the next frame.
    """

    destination: int
    source: int
    selector: int
    control: Control
    information: bytes = b""
    segmented: bool = False

    def to_bytes(self) -> bytes:
        """The frame with both flags; raises HdlcError when a value has no room in its field."""
        if not (0 <= self.destination <= 0x7F and 0 <= self.source <= 0x7F and 0 <= self.selector <= 0x7F):
            numbers = f"{self.destination:#x}, {self.source:#x}, {self.selector:#x}"
            raise HdlcError(f"addresses and selector {numbers} are not all within 0..0x7f", 3)
        size = len(self.information)
        if size > MAX_INFORMATION:
            raise HdlcError(f"{size} octets of information, {MAX_INFORMATION} have room", 10)
        head = bytes(
            (
                0xA0 | (0x08 if self.segmented else 0) | (length := 11 + size if size else _BARE_LENGTH) >> 8,
                length & 0xFF,
                self.destination << 1,
                selector := self.selector << 1 | 1,
                self.source << 1,
                selector,
                self.control.octet,
            )
        )
        body = head + x25(head).to_bytes(2, "little")
        if size:
            body += self.information
            body += x25(body).to_bytes(2, "little")
        return b"\x7e" + body + b"\x7e"

    @classmethod
    def from_bytes(cls, octets: bytes) -> Frame:
        """Read exactly one frame, both flags included; raises HdlcError with the offset in `octets`."""
        if len(octets) < _BARE_LENGTH + 2:
            raise HdlcError(f"{len(octets)} octets are too few for a frame", len(octets))
        if octets[0] != FLAG:
            raise HdlcError("no opening flag", 0)
        form = octets[1] << 8 | octets[2]
        if form >> 12 != 0xA:
            raise HdlcError(f"format field {form:04X} is not of type 3", 1)
        length = form & MAX_LENGTH
        if length != len(octets) - 2:
            raise HdlcError(f"length field says {length}, there are {len(octets) - 2} octets between the flags", 1)
        if _BARE_LENGTH < length < _FULL_LENGTH:
            raise HdlcError(f"a frame of {length} octets has room for a header check but not for information", 1)
        if octets[-1] != FLAG:
            raise HdlcError("no closing flag", length + 1)
        if x25(octets[1:8]) != octets[8] | octets[9] << 8:
            which = "header" if length > _BARE_LENGTH else "frame"
            raise HdlcError(f"{which} check sequence is wrong", 8)
        if length > _BARE_LENGTH and x25(octets[1:-3]) != octets[-3] | octets[-2] << 8:
            raise HdlcError("frame check sequence is wrong", length - 1)
        if octets[3] & 1 or octets[5] & 1 or not octets[4] & 1:
            raise HdlcError(f"addresses {octets[3:7].hex()} are not of two octets each", 3)
        if octets[4] != octets[6]:
            raise HdlcError(f"selectors {octets[4] >> 1:#x} and {octets[6] >> 1:#x} differ", 6)
        return build_frame(
            octets[3] >> 1,
            octets[5] >> 1,
            octets[4] >> 1,
            _CONTROLS[octets[7]],
            octets[10:-3],
            form & _SEGMENTED != 0,
        )

    def __str__(self) -> str:
        text = f"{self.source:02X}>{self.destination:02X} sel {self.selector:02X} {self.control}"
        if self.segmented:
            text += " (more follows)"
        return f"{text} {len(self.information)} octets" if self.information else text


build_frame = builder(Frame)
build_control = builder(Control)
"""Both from all fields by position and without defaults, quicker than their classes do it."""


class FrameReader:
    """Finds frames in a stream of octets. Never raises; holds at most `max_frame` + 2 octets between calls.

    Args:
        max_frame: longest length field that is believed, up to 2047; longer claims are errors.
    """

    def __init__(self, max_frame: int = MAX_LENGTH) -> None:
        self._max_frame = min(max(max_frame, _BARE_LENGTH), MAX_LENGTH)
        self._buffer = b""
        self._offset = 0
        self._header_good = False
        self._lost = False

    def feed(self, data: bytes) -> list[Frame | HdlcError]:
        """Frames and errors in the order of the stream; an error's offset counts octets since the reader was made.

        A header is checked as soon as it is there, so that a false length costs no following frame. Octets outside
        of frames give one error for each stretch, none behind a frame that was an error already.
        """
        self._buffer = self._buffer + data if self._buffer else bytes(data)
        found: list[Frame | HdlcError] = []
        position = self._scan(0, found)
        self._buffer = self._buffer[position:]
        self._offset += position
        return found

    def idle(self) -> list[Frame | HdlcError]:
        """The line has been silent for longer than the time between two octets of a frame: give up an unfinished
        frame and look for others in what arrived of it. Returns as `feed`."""
        found: list[Frame | HdlcError] = []
        position = 0
        while len(self._buffer) - position > 1:
            self._fail(found, "frame ends early", position)
            self._header_good = False
            position = self._scan(position + 1, found)
        self._offset += position
        self._buffer = self._buffer[position:]
        return found

    def _fail(self, found: list[Frame | HdlcError], reason: str, position: int) -> None:
        found.append(HdlcError(reason, self._offset + position))
        self._lost = True

    def _noise(self, found: list[Frame | HdlcError], position: int) -> None:
        if not self._lost:
            self._fail(found, "octets outside of a frame", position)

    def _scan(self, position: int, found: list[Frame | HdlcError]) -> int:
        """Work through the buffer from `position`; returns where the unfinished rest begins."""
        buffer, size = self._buffer, len(self._buffer)
        while True:
            flag = buffer.find(b"\x7e", position)
            if flag < 0:
                if position < size:
                    self._noise(found, position)
                return size
            if flag > position:
                self._noise(found, position)
            if size - flag < 3:
                if size - flag == 2 and buffer[flag + 1] >> 4 != 0xA:
                    position = flag + 1
                    continue
                return flag
            if buffer[flag + 1] >> 4 != 0xA:
                position = flag + 1
                continue
            length = (buffer[flag + 1] << 8 | buffer[flag + 2]) & MAX_LENGTH
            end = flag + length + 2
            if not _BARE_LENGTH <= length <= self._max_frame:
                self._fail(found, f"length {length} is not within {_BARE_LENGTH}..{self._max_frame}", flag + 1)
                position = flag + 1
                continue
            if end > size:
                if self._header_fits(flag, found):
                    return flag
                position = flag + 1
                continue
            self._header_good = False
            try:
                found.append(Frame.from_bytes(buffer[flag:end]))
            except HdlcError as error:
                self._fail(found, error.reason, flag + error.offset)
                position = end - 1 if error.offset in (6, length - 1) and length > _BARE_LENGTH else flag + 1
            else:
                self._lost = False
                position = end - 1

    def _header_fits(self, flag: int, found: list[Frame | HdlcError]) -> bool:
        """Whether the unfinished frame at `flag` may still become one."""
        buffer = self._buffer
        if (self._header_good and flag == 0) or len(buffer) - flag < _HEADER_OCTETS + 3:
            return True
        if x25(buffer[flag + 1 : flag + 8]) != buffer[flag + 8] | buffer[flag + 9] << 8:
            self._fail(found, "header check sequence is wrong", flag + 8)
            return False
        self._header_good = True
        return True


@dataclass(frozen=True, slots=True)
class StationRecord:
    """What invitation, presence check and their answers say about one meter (lmn-wired 1.5); 32 octets on the wire.

    Attributes:
        address: HDLC address.
        slot: time slot from 1; 0 in invitations and answers.
        device_id: server id, 10 to 14 octets.
        sensor_id: second id, up to 14 octets; some meters repeat the first.
        status: reserved, 16 bits, high octet first (assumed).

    Shorter ids are filled up with 00 behind (assumed; the public trace does not tell).
    """

    address: int
    slot: int
    device_id: bytes
    sensor_id: bytes = b""
    status: int = 0

    def to_bytes(self) -> bytes:
        """The 32 octets; raises HdlcError when a value has no room."""
        if not (0 <= self.address <= 0x7F and 0 <= self.slot <= 0xFF and 0 <= self.status <= 0xFFFF):
            raise HdlcError(f"address {self.address}, slot {self.slot} or status {self.status} is too large", 0)
        if len(self.device_id) > ID_LENGTH or len(self.sensor_id) > ID_LENGTH:
            raise HdlcError(f"an id is longer than {ID_LENGTH} octets", 2)
        ids = self.device_id.ljust(ID_LENGTH, b"\0") + self.sensor_id.ljust(ID_LENGTH, b"\0")
        return bytes((self.address, self.slot)) + ids + self.status.to_bytes(2, "big")

    @classmethod
    def from_bytes(cls, octets: bytes) -> StationRecord:
        """Raises HdlcError unless there are exactly 32 octets. Ids lose the filling that `to_bytes` adds."""
        if len(octets) != RECORD_LENGTH:
            raise HdlcError(f"a station record has {RECORD_LENGTH} octets, here are {len(octets)}", len(octets))
        status = int.from_bytes(octets[30:], "big")
        return cls(octets[0], octets[1], _unfill(octets[2:16]), _unfill(octets[16:30]), status)

    @property
    def ids(self) -> bytes:
        """Octets 2 to 31, by which a meter finds itself in a list (its address does not count)."""
        return self.to_bytes()[2:]


def same_id(one: bytes, other: bytes) -> bool:
    """Whether two ids are one, though a record may have filled one of them up with 00 (`_unfill` cannot tell)."""
    return one.ljust(ID_LENGTH, b"\0") == other.ljust(ID_LENGTH, b"\0")


def _unfill(field: bytes) -> bytes:
    """An id without its filling: its first octet counts it, up to 10 for the ids of DIN 43863-5."""
    if not any(field):
        return b""
    return field[:10] if field[0] in (0x09, 0x0A) and not any(field[10:]) else field


def decode_records(information: bytes) -> list[StationRecord]:
    """The records of an invitation, a presence check or an answer; raises HdlcError for a part of a record."""
    if len(information) % RECORD_LENGTH:
        raise HdlcError(f"{len(information)} octets are no whole number of station records", len(information))
    return [
        StationRecord.from_bytes(information[start : start + RECORD_LENGTH])
        for start in range(0, len(information), RECORD_LENGTH)
    ]
