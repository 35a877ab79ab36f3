"""Long frames of the wired M-Bus: 68 L L 68 C A CI ... checksum 16 (EN 13757-2).

The bench has no such bus; recordings of telegrams hold long frames beside those of the radio.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from devices.protocols.mbus.errors import FrameError

START: Final = 0x68
STOP: Final = 0x16
_HEAD: Final = 4
_TAIL: Final = 2


@dataclass(frozen=True, slots=True)
class WiredFrame:
    """A long frame.

    Attributes:
        c: control octet.
        address: primary address of the meter.
        body: from CI on.
        trouble: what is wrong at its end: octets that lack, a wrong checksum; empty when nothing is.
    """

    c: int
    address: int
    body: bytes
    trouble: str = ""

    def to_bytes(self) -> bytes:
        """The frame with right length and checksum; raises FrameError when the body is longer than 253 octets."""
        content = bytes((self.c, self.address)) + self.body
        if len(content) > 0xFF:
            raise FrameError(f"a long frame holds 253 octets from CI on, not {len(self.body)}")
        return bytes((START, len(content), len(content), START)) + content + bytes((sum(content) & 0xFF, STOP))


def is_wired(octets: bytes) -> bool:
    """Whether octets begin as a long frame does, and are not a radio telegram that begins alike.

    A radio telegram begins with L, and has one octet more than L says or, with check sequences, more than that; one
    with L 68 has 105 octets or 119. Of a wired frame that is cut, what is there decides.
    """
    return (
        len(octets) > _HEAD
        and octets[0] == octets[3] == START
        and octets[1] == octets[2]
        and len(octets) not in (START + 1, START + 1 + 14)
    )


def decode_wired(octets: bytes) -> WiredFrame:
    """What a long frame holds; a wrong end is told in its trouble, for what came is worth reading.

    Raises FrameError when the frame is cut before its CI or begins otherwise.
    """
    if len(octets) < _HEAD or octets[0] != START or octets[3] != START:
        raise FrameError("a long frame begins with 68 L L 68", 0)
    length = octets[1]
    if octets[2] != length:
        raise FrameError(f"the two lengths of a long frame differ: {length} and {octets[2]}", 2)
    content = octets[_HEAD : _HEAD + length]
    if len(content) < 3:
        raise FrameError("a long frame is cut before its CI", len(octets))
    tail = octets[_HEAD + length :]
    trouble = ""
    if len(content) < length or len(tail) < _TAIL:
        trouble = f"the long frame is cut: {len(octets)} octets of {_HEAD + length + _TAIL}"
    elif tail[0] != sum(content) & 0xFF:
        trouble = f"checksum {tail[0]:02X} is not {sum(content) & 0xFF:02X}"
    elif tail[1:] != bytes((STOP,)):
        trouble = f"the long frame ends with {tail[1:].hex().upper()} instead of 16"
    return WiredFrame(content[0], content[1], content[2:], trouble)
