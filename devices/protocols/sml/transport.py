"""SML transport protocol version 1: files in a stream of octets (lmn-wired 4.1).

``1B1B1B1B 01010101 payload, 0 to 3 filling 00, 1B1B1B1B 1A pp cL cH``: pp counts the filling, the CRC-16/X-25 goes over
everything before it. A 1B1B1B1B within the payload is doubled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from devices.protocols.crc import x25
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.messages import Message, read_messages

ESCAPE: Final = b"\x1b\x1b\x1b\x1b"
VERSION_1: Final = b"\x01\x01\x01\x01"
START: Final = ESCAPE + VERSION_1
MAX_FILE: Final = 65_536
"""Longest file that a reader holds, raw octets; wired meters send some hundreds (assumed bound)."""

_END = 0x1A
_TRAILER = 8
_HEADER = 8


@dataclass(frozen=True, slots=True)
class SmlFile:
    """One file whose transport check was good.

    Attributes:
        messages: the good messages in order.
        raw: the file as it came, start, filling and end included.
        errors: what was wrong with single messages; offsets count octets of the unescaped payload.
    """

    messages: tuple[Message, ...]
    raw: bytes
    errors: tuple[SmlError, ...] = ()


def encode_file(payload: bytes) -> bytes:
    """A payload (see `messages.encode_messages`) as a file for the wire."""
    fill = -len(payload) % 4
    head = START + (payload + bytes(fill)).replace(ESCAPE, ESCAPE + ESCAPE) + ESCAPE + bytes((_END, fill))
    return head + x25(head).to_bytes(2, "little")


def decode_file(raw: bytes) -> SmlFile:
    """One complete file; raises SmlError when start, end, filling or CRC are wrong."""
    if not raw.startswith(START):
        raise SmlError("the octets do not begin with 1b1b1b1b 01010101")
    end, problem = _find_end(raw, _HEADER)
    if problem or end < 0:
        raise SmlError(problem or "the file has no end", end if end >= 0 else len(raw))
    if end != len(raw):
        raise SmlError("octets behind the end of the file", end)
    return _open(raw, 0)


def split_raw(dump: bytes) -> list[bytes]:
    """All complete files in a dump as they came, whether their CRC is good or not; what is cut off is left out."""
    files: list[bytes] = []
    start = dump.find(START)
    while start >= 0:
        end, problem = _find_end(dump, start + _HEADER)
        if end < 0:
            break
        if problem is None:
            files.append(dump[start:end])
        start = dump.find(START, end)
    return files


def _find_end(octets: bytes | bytearray, position: int) -> tuple[int, str | None]:
    """The position behind a file whose payload is searched from `position`, with None; or where the next file
    begins, with the problem that this means; or, negative, the complement (~) of where to search on later.
    """
    size = len(octets)
    while True:
        found = octets.find(ESCAPE, position)
        if found < 0:
            return ~max(position, size - 3), None
        if found + _TRAILER > size:
            return ~found, None
        kind = octets[found + 4 : found + 8]
        if kind == ESCAPE:
            position = found + 8
        elif kind[0] == _END:
            return found + _TRAILER, None
        elif kind == VERSION_1:
            return found, "another file begins within the file"
        else:
            position = found + 1


def _open(raw: bytes, offset: int) -> SmlFile:
    """The content of a complete file; `offset` is where it stood in the stream."""
    if x25(raw[:-2]) != raw[-2] | raw[-1] << 8:
        raise SmlError("the CRC of the file is wrong", offset + len(raw) - 2, raw)
    fill = raw[-3]
    if fill > 3 or len(raw) - _HEADER - _TRAILER < fill:
        raise SmlError(f"{fill} octets of filling", offset + len(raw) - 3, raw)
    payload = raw[_HEADER : len(raw) - _TRAILER].replace(ESCAPE + ESCAPE, ESCAPE)
    messages, errors = read_messages(payload[: len(payload) - fill])
    return SmlFile(messages, raw, errors)


class FileReader:
    """Finds files in a stream. Never raises; holds at most `max_file` octets between calls.

    Args:
        max_file: longest file that is waited for; a longer one is an error.
    """

    def __init__(self, max_file: int = MAX_FILE) -> None:
        self._max_file = max_file
        self._buffer = bytearray()
        self._offset = 0
        self._inside = False
        self._searched = 0
        self._lost = False

    def feed(self, data: bytes) -> list[SmlFile | SmlError]:
        """Files and errors in the order of the stream; the offset of an error counts octets since the reader was made.

        Each stretch of octets outside of files is one error. Errors of single messages are in the SmlFile.
        """
        self._buffer += data
        found: list[SmlFile | SmlError] = []
        while self._find_file(found) if self._inside else self._find_start(found):
            pass
        return found

    def idle(self) -> list[SmlFile | SmlError]:
        """The sender has been silent for too long: an unfinished file is given up and reported."""
        found: list[SmlFile | SmlError] = []
        if self._inside:
            self._fail(found, "the file ends early", len(self._buffer))
            self._drop(len(self._buffer))
        return found

    def _fail(self, found: list[SmlFile | SmlError], reason: str, end: int) -> None:
        found.append(SmlError(reason, self._offset + end, bytes(self._buffer[:end])))

    def _drop(self, octets: int) -> None:
        del self._buffer[:octets]
        self._offset += octets
        self._inside = False
        self._lost = False

    def _find_start(self, found: list[SmlFile | SmlError]) -> bool:
        start = self._buffer.find(START)
        if start > 0 or (start < 0 and len(self._buffer) >= len(START)):
            outside = start if start > 0 else len(self._buffer) - len(START) + 1
            if not self._lost:
                found.append(SmlError("octets outside of a file", self._offset, bytes(self._buffer[:outside])))
            self._drop(outside)
            self._lost = start < 0
        if start < 0:
            return False
        self._inside = True
        self._lost = False
        self._searched = _HEADER
        return True

    def _find_file(self, found: list[SmlFile | SmlError]) -> bool:
        buffer = self._buffer
        end, problem = _find_end(buffer, self._searched)
        if problem:
            self._fail(found, problem, end)
            self._drop(end)
            return True
        if end < 0:
            self._searched = ~end
            if len(buffer) <= self._max_file:
                return False
            self._fail(found, f"the file is longer than {self._max_file} octets", len(buffer))
            self._drop(len(buffer) - len(START) + 1)
            return False
        try:
            found.append(_open(bytes(buffer[:end]), self._offset))
        except SmlError as error:
            found.append(error)
        self._drop(end)
        return True
