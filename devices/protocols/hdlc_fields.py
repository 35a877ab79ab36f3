"""Information fields of the frames that run a link: what FRMR says, and what SNRM and UA negotiate (lmn-wired 1.7).

Both come from the public standard; neither was ever seen on the LMN, where SNRM and UA are bare (lmn-wired 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag
from typing import Final

from devices.protocols.hdlc import Control, HdlcError

REJECT_LENGTH: Final = 3
MAX_WINDOW: Final = 7
"""I frames that may be out at most, numbered modulo 8."""

_FORMAT: Final = 0x81
_GROUP: Final = 0x80
_MAX_INFORMATION_SENT: Final = 5
_MAX_INFORMATION_RECEIVED: Final = 6
_WINDOW_SENT: Final = 7
_WINDOW_RECEIVED: Final = 8
_WINDOW_OCTETS: Final = 4
_LONGEST_VALUE: Final = 4
_HEAD_OCTETS: Final = 3


class RejectCause(Flag):
    """Why a frame was rejected: the bits w, x, y and z of the standard."""

    NONE = 0
    UNKNOWN_CONTROL = 1
    """w: the control octet is unknown or not implemented."""
    FORBIDDEN_INFORMATION = 2
    """x: information in a frame that has none."""
    TOO_LONG = 4
    """y: more information than there is room for."""
    BAD_NUMBER = 8
    """z: NR acknowledges what was not sent."""


@dataclass(frozen=True, slots=True)
class FrameReject:
    """Information of FRMR, 3 octets: control octet, numbers, causes (public standard; assumed for the LMN).

    Attributes:
        control: octet of the frame that was rejected.
        send_number: number 0 to 7 of the next I that whoever rejects would send.
        receive_number: number 0 to 7 of the next I that it awaited.
        cause: why; none at all is allowed.
        response: True when the rejected frame was a response, False for a command.
    """

    control: int
    send_number: int = 0
    receive_number: int = 0
    cause: RejectCause = RejectCause.NONE
    response: bool = False

    def to_bytes(self) -> bytes:
        """The 3 octets; raises HdlcError when a number has no room."""
        if not (0 <= self.control <= 0xFF and 0 <= self.send_number <= 7 and 0 <= self.receive_number <= 7):
            numbers = f"{self.control}, {self.send_number}, {self.receive_number}"
            raise HdlcError(f"control octet and numbers {numbers} are too large", 0)
        numbers_octet = self.receive_number << 5 | self.response << 4 | self.send_number << 1
        return bytes((self.control, numbers_octet, self.cause.value))

    @classmethod
    def from_bytes(cls, octets: bytes) -> FrameReject:
        """Raises HdlcError unless there are exactly 3 octets with the bits that are always 0 at 0."""
        if len(octets) != REJECT_LENGTH:
            raise HdlcError(f"FRMR has {REJECT_LENGTH} octets of information, here are {len(octets)}", len(octets))
        control, numbers, causes = octets
        if numbers & 1:
            raise HdlcError("lowest bit of the numbers in FRMR is not 0", 1)
        if causes & 0xF0:
            raise HdlcError("high bits of the causes in FRMR are not 0", 2)
        return cls(control, numbers >> 1 & 7, numbers >> 5, RejectCause(causes), numbers & 0x10 != 0)

    def __str__(self) -> str:
        names = [cause.name.lower().replace("_", " ") for cause in RejectCause if cause in self.cause and cause.name]
        return f"{Control.from_octet(self.control)}: {', '.join(names) or 'no cause given'}"


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """What one end of a link can do, as SNRM proposes and UA answers: ``81 80 length`` and up to four values.

    Attributes:
        information_sent, information_received: most octets of information in one I frame of this end, and to it.
        window_sent, window_received: most I frames out at a time, 1 to 7.

    None: the block does not say it.
    """

    information_sent: int | None = None
    information_received: int | None = None
    window_sent: int | None = None
    window_received: int | None = None

    def to_bytes(self) -> bytes:
        """The block; sizes take one octet up to 255 and two above, windows four. Raises HdlcError for values without
        room."""
        content = b""
        for number, value, least_octets in (
            (_MAX_INFORMATION_SENT, self.information_sent, 1),
            (_MAX_INFORMATION_RECEIVED, self.information_received, 1),
            (_WINDOW_SENT, self.window_sent, _WINDOW_OCTETS),
            (_WINDOW_RECEIVED, self.window_received, _WINDOW_OCTETS),
        ):
            if value is None:
                continue
            most = _MEANINGS[number]
            if not 1 <= value <= most:
                raise HdlcError(f"parameter {number} cannot be {value}, 1 to {most} are allowed", _HEAD_OCTETS)
            size = max(least_octets, (value.bit_length() + 7) // 8)
            content += bytes((number, size)) + value.to_bytes(size, "big")
        return bytes((_FORMAT, _GROUP, len(content))) + content

    @classmethod
    def from_bytes(cls, octets: bytes) -> LinkParameters:
        """Read a block; parameters that are not known here are passed over. Raises HdlcError with the offset."""
        if len(octets) < _HEAD_OCTETS or octets[0] != _FORMAT or octets[1] != _GROUP:
            raise HdlcError("no block of link parameters, it begins with 81 80 and a length", 0)
        if octets[2] != len(octets) - _HEAD_OCTETS:
            raise HdlcError(f"the block says {octets[2]} octets, here are {len(octets) - _HEAD_OCTETS}", 2)
        values: dict[int, int] = {}
        position = _HEAD_OCTETS
        while position < len(octets):
            begin = position + 2
            size = octets[position + 1] if begin <= len(octets) else 0
            number, position = octets[position], begin + size
            if not 1 <= size <= _LONGEST_VALUE or position > len(octets):
                raise HdlcError(f"parameter {number} does not have 1 to {_LONGEST_VALUE} octets", begin - 1)
            value = int.from_bytes(octets[begin:position], "big")
            if number in values:
                raise HdlcError(f"parameter {number} is there twice", begin - 2)
            if number in _MEANINGS and not 1 <= value <= _MEANINGS[number]:
                raise HdlcError(f"parameter {number} cannot be {value}", begin)
            values[number] = value
        return cls(*(values.get(number) for number in _MEANINGS))

    def within(self, other: LinkParameters) -> LinkParameters:
        """What this end may do towards `other`: the smaller of what one sends and the other takes, in both
        directions. What neither says stays None."""
        return LinkParameters(
            _smaller(self.information_sent, other.information_received),
            _smaller(self.information_received, other.information_sent),
            _smaller(self.window_sent, other.window_received),
            _smaller(self.window_received, other.window_sent),
        )


_MEANINGS: Final = {
    _MAX_INFORMATION_SENT: 0xFFFF_FFFF,
    _MAX_INFORMATION_RECEIVED: 0xFFFF_FFFF,
    _WINDOW_SENT: MAX_WINDOW,
    _WINDOW_RECEIVED: MAX_WINDOW,
}
"""Numbers of the parameters in the order of LinkParameters, each with its largest value."""


def _smaller(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return min(known) if known else None
