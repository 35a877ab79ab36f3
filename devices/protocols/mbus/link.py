"""Link layer of wM-Bus (EN 13757-4): addresses, and frames with CRCs of format A or B or stripped of them.

Layout (lmn-wireless 2.1): ``L | C | M 2 | A 6 = id 4, version, type | CI and data``. Stripped is what most radio
modules deliver: no CRCs, L counts the octets behind it. Format A has a CRC behind the first 10 octets and behind every
16 that follow; format B has one at the end, and one behind 126 octets when the frame is longer than 128.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from devices.protocols.frozen import builder
from devices.protocols.mbus.crc import crc
from devices.protocols.mbus.errors import FrameError

ADDRESS_OCTETS: Final = 8
HEADER: Final = 10
"""L, C, M and A."""
LEAST_L: Final = HEADER - 1
GREATEST_L: Final = 0xFF

_CRC: Final = 2
_BLOCK: Final = 16
_B_FIRST: Final = 126
"""Octets in front of the first of two CRCs in format B."""
_B_ONE_CRC: Final = 128
_LOCAL: Final = 0x8000
_CACHED_ADDRESSES: Final = 4096

_ID = re.compile(r"[0-9A-F]{8}", re.ASCII)


class FrameFormat(Enum):
    """How a frame is laid out; nothing in its octets tells, the radio module's kind does (lmn-wireless 7, trap 1)."""

    STRIPPED = "stripped"
    A = "A"
    B = "B"


@dataclass(frozen=True, slots=True)
class Address:
    """Who sends, or whom a telegram means (lmn-wireless 2.1).

    Attributes:
        manufacturer: three letters; real devices also send ``@ [ \\ ] ^ _``, which the five bits allow.
        id: 8 hexadecimal digits, capitals; of proper meters decimal ones.
        version: of the device, 0 to 255.
        type: device type, 0 to 255.
        local_only: bit 15 of M: unique on this spot only.
    """

    manufacturer: str
    id: str
    version: int
    type: int
    local_only: bool = False

    def link_octets(self) -> bytes:
        """M, id, version, type: 8 octets as the link layer sends them. Raises FrameError when a value has no room."""
        return _octets_of(self)

    def header_octets(self) -> bytes:
        """id, M, version, type: 8 octets as a long header sends them. Raises FrameError as `link_octets`."""
        octets = _octets_of(self)
        return octets[2:6] + octets[:2] + octets[6:]

    @classmethod
    def from_link(cls, octets: bytes) -> Address:
        """From the 8 octets of a link header; raises FrameError unless there are 8."""
        if len(octets) != ADDRESS_OCTETS:
            raise FrameError(f"an address has {ADDRESS_OCTETS} octets, not {len(octets)}", len(octets))
        return _address_of(octets)

    @classmethod
    def from_header(cls, octets: bytes) -> Address:
        """From the 8 octets of a long header, where id and M have swapped places; raises FrameError unless 8."""
        return cls.from_link(octets[4:6] + octets[:4] + octets[6:])

    def __str__(self) -> str:
        return f"{self.manufacturer} {self.id} {self.version:02X} {self.type:02X}"


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _address_of(octets: bytes) -> Address:
    m = octets[0] | octets[1] << 8
    letters = "".join(chr(64 + (m >> shift & 0x1F)) for shift in (10, 5, 0))
    return Address(letters, octets[5:1:-1].hex().upper(), octets[6], octets[7], bool(m & _LOCAL))


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _octets_of(address: Address) -> bytes:
    letters = [ord(letter) - 64 for letter in address.manufacturer]
    if len(letters) != 3 or not all(0 <= letter < 32 for letter in letters):
        raise FrameError(f"{address.manufacturer!r} is no manufacturer of three letters", 2)
    if not _ID.fullmatch(address.id):
        raise FrameError(f"{address.id!r} is no id of 8 hexadecimal digits (capitals)", 4)
    if not (0 <= address.version <= 0xFF and 0 <= address.type <= 0xFF):
        raise FrameError(f"version {address.version} or type {address.type} is not within 0..255", 8)
    m = letters[0] << 10 | letters[1] << 5 | letters[2] | (_LOCAL if address.local_only else 0)
    return m.to_bytes(2, "little") + bytes.fromhex(address.id)[::-1] + bytes((address.version, address.type))


NOBODY: Final = _address_of(bytes(ADDRESS_OCTETS))
"""All zeros, where a frame has no such address."""


@dataclass(frozen=True, slots=True)
class LinkFrame:
    """One frame.

    Attributes:
        c: control octet, see `control`.
        address: of the sender (of the meter or of the gateway).
        body: from CI on, 0 to 246 octets.
    """

    c: int
    address: Address
    body: bytes = b""


build_frame = builder(LinkFrame)


def decode_link(octets: bytes, form: FrameFormat = FrameFormat.STRIPPED) -> LinkFrame:
    """Read exactly one frame; raises FrameError for a wrong length or CRC, with the offset in `octets`."""
    stripped = _whole(octets) if form is FrameFormat.STRIPPED else strip(octets, form)
    return build_frame(stripped[1], _address_of(stripped[2:HEADER]), stripped[HEADER:])


def encode_link(frame: LinkFrame, form: FrameFormat = FrameFormat.STRIPPED) -> bytes:
    """The frame in octets; raises FrameError when a value has no room or the frame gets too long."""
    if not 0 <= frame.c <= 0xFF:
        raise FrameError(f"C field {frame.c} is no octet", 1)
    length = LEAST_L + len(frame.body)
    if length > GREATEST_L:
        raise FrameError(f"{len(frame.body)} octets from CI on, {GREATEST_L - LEAST_L} have room", HEADER)
    stripped = bytes((length, frame.c)) + frame.address.link_octets() + frame.body
    return stripped if form is FrameFormat.STRIPPED else dress(stripped, form)


def strip(octets: bytes, form: FrameFormat) -> bytes:
    """`octets` of a frame in `form` without CRCs and with L counted anew; raises FrameError as `decode_link`."""
    if form is FrameFormat.A:
        return _strip_a(octets)
    if form is FrameFormat.B:
        return _strip_b(octets)
    return _whole(octets)


def dress(stripped: bytes, form: FrameFormat) -> bytes:
    """A stripped frame with the CRCs of `form`; raises FrameError when it is none, or too long for format B."""
    _whole(stripped)
    if form is FrameFormat.STRIPPED:
        return stripped
    if form is FrameFormat.A:
        blocks = [stripped[start:end] for start, end in _blocks(len(stripped))]
        return b"".join(block + crc(block).to_bytes(_CRC, "big") for block in blocks)
    total = air_octets(stripped, form)
    octets = bytes((total - 1,)) + stripped[1:]
    if total > _B_ONE_CRC:
        first, rest = octets[:_B_FIRST], octets[_B_FIRST:]
        return first + crc(first).to_bytes(_CRC, "big") + rest + crc(rest).to_bytes(_CRC, "big")
    return octets + crc(octets).to_bytes(_CRC, "big")


def air_octets(stripped: bytes, form: FrameFormat) -> int:
    """How many octets a stripped frame has on the air, from L to the last CRC. Raises FrameError as `dress`."""
    size = len(_whole(stripped))
    if form is FrameFormat.A:
        return size + _CRC * _crcs_a(size)
    if form is FrameFormat.B:
        total = size + _CRC if size + _CRC <= _B_ONE_CRC else size + 2 * _CRC
        if total > GREATEST_L + 1:
            raise FrameError(f"a frame of {size} octets is too long for format B, {GREATEST_L + 1} with CRCs have room")
        return total
    return size


def octets_after_l(length: int, form: FrameFormat) -> int | None:
    """How many octets follow an L of `length` on the air; None when no frame has this L."""
    if form is FrameFormat.B:
        return length if length >= LEAST_L + _CRC else None
    if length < LEAST_L:
        return None
    return length + (_CRC * _crcs_a(length + 1) if form is FrameFormat.A else 0)


def _whole(octets: bytes) -> bytes:
    """Check what a stripped frame says of its own length."""
    size = len(octets)
    if size < HEADER:
        raise FrameError(f"{size} octets are too few for a frame, L, C, M and A take {HEADER}", size)
    if octets[0] != size - 1:
        raise FrameError(f"L says {octets[0]} octets, {size - 1} follow it", 0)
    return octets


def _crcs_a(size: int) -> int:
    return 1 + (size - HEADER + _BLOCK - 1) // _BLOCK


def _blocks(size: int) -> list[tuple[int, int]]:
    """Where the blocks of format A begin and end in a stripped frame."""
    return [(0, HEADER), *((start, min(start + _BLOCK, size)) for start in range(HEADER, size, _BLOCK))]


def _strip_a(octets: bytes) -> bytes:
    size = len(octets)
    if size < HEADER + _CRC:
        raise FrameError(f"{size} octets are too few for a frame of format A", size)
    expected = octets_after_l(octets[0], FrameFormat.A)
    if expected is None or size != expected + 1:
        wanted = "no frame" if expected is None else f"{expected} with CRCs"
        raise FrameError(f"L {octets[0]} makes {wanted}, {size - 1} octets follow it", 0)
    parts: list[bytes] = []
    start = 0
    for first, end in _blocks(octets[0] + 1):
        block = octets[start : start + end - first]
        start += end - first
        if octets[start : start + _CRC] != crc(block).to_bytes(_CRC, "big"):
            raise FrameError(f"link CRC of block {len(parts) + 1} is wrong", start)
        parts.append(block)
        start += _CRC
    return b"".join(parts)


def _strip_b(octets: bytes) -> bytes:
    size = len(octets)
    if size < HEADER + _CRC:
        raise FrameError(f"{size} octets are too few for a frame of format B", size)
    if octets[0] != size - 1:
        raise FrameError(f"L says {octets[0]} octets, {size - 1} follow it", 0)
    cut = _B_FIRST if size > _B_ONE_CRC else size - _CRC
    content = b""
    for start, end in ((0, cut), (cut + _CRC, size - _CRC)):
        if start >= size:
            break
        if octets[max(start, end) : max(start, end) + _CRC] != crc(octets[start:end]).to_bytes(_CRC, "big"):
            raise FrameError("link CRC is wrong", max(start, end))
        content += octets[start:end]
    if len(content) < HEADER:
        raise FrameError("a frame of format B has too few octets for its second CRC", size)
    return bytes((len(content) - 1,)) + content[1:]
