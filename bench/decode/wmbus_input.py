"""Telegrams as receivers write them: lines of rtl_wmbus, rtl_433 and CUL, and frames in binary files.

Accepted is what leaves no doubt. Digits that are wrapped over several lines, and dumps with offsets, are refused with a
word on how to write them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import HEADER, FrameFormat, octets_after_l, strip
from devices.protocols.mbus.wired import is_wired
from devices.protocols.wmbus_sticks.cul import Answer, CulScanner
from devices.protocols.wmbus_sticks.rtl_wmbus import RtlLine, RtlScanner
from devices.protocols.wmbus_sticks.scanner import Heard, Noise

MAX_BINARY: Final = 16 * 2**20
"""Octets of a binary file that are read at most."""
_RTL_WMBUS: Final = re.compile(r"[TCS]1;[01];")
_CUL: Final = re.compile(r"b(?:Y[0-9A-Fa-f]*|(?:[0-9A-Fa-f]{2})+)")
"""Without Y the b and the digits of a telegram are an odd number together, so they cannot be octets themselves."""
_RTL_433: Final = "Wireless-MBus"
_DIGITS: Final = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}){10,})")
_DUMP: Final = re.compile(r"[0-9A-Fa-f]{7,8}(?:: ?|  )[0-9A-Fa-f]{2}[0-9A-Fa-f ]*(?:\s[ |].*)?")
_AROUND: Final = 6
"""Octets of a long frame of the wired bus that its L does not count."""
_TEXT: Final = re.compile(rb"[\t\n\r -~\x80-\xff]*")
_PLAIN_DIGITS: Final = re.compile(r"[0-9A-Fa-f\s]*")
DUMP_HINT: Final = "this looks like a dump with offsets: write digits alone, as 'xxd -p -c 256' does"


class BadLine(ValueError):
    """A line that holds no telegram; says what is wrong and, where it is known, at which octet."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        self.offset = offset
        super().__init__(reason)


def of_receiver(text: str) -> dict[str, Any] | None:
    """What a line of a receiver says, as an object with `hex` and `form`; None for a line of nobody that is known.

    Raises BadLine for a line without a good telegram.
    """
    if _RTL_WMBUS.match(text):
        telegrams = _rtl_telegrams(text)
        if len(telegrams) > 1:
            raise BadLine("there are two telegrams in the line: only a file or standard input can answer both")
        return {"hex": telegrams[0].hex(), "form": FrameFormat.STRIPPED.value}
    if _CUL.fullmatch(text):
        return {"hex": _cul_telegram(text).hex(), "form": FrameFormat.STRIPPED.value}
    if _RTL_433 in text:
        return {"hex": _rtl_433_digits(text)}
    return None


def separated(line: bytes) -> Sequence[bytes]:
    """`line`, in as many lines as it holds telegrams: rtl_wmbus may put a second one behind the first."""
    head, *telegrams = line.split(b";0x")
    if len(telegrams) < 2 or not _RTL_WMBUS.match(head.decode("latin-1")):
        return (line,)
    return [head + b";0x" + one for one in telegrams]


def _rtl_telegrams(text: str) -> tuple[bytes, ...]:
    for event in RtlScanner().feed(text.encode() + b"\n"):
        if isinstance(event, RtlLine):
            return event.telegrams
        if isinstance(event, Noise):
            raise BadLine(f"a line of rtl_wmbus: {event.reason}")
    raise BadLine("a line of rtl_wmbus that is too long")


def _cul_telegram(text: str) -> bytes:
    for event in CulScanner().feed(text.encode() + b"\n"):
        if isinstance(event, Heard):
            return event.telegram
        if isinstance(event, Noise):
            raise BadLine(f"a line of a CUL: {event.reason}")
        assert isinstance(event, Answer)
    raise BadLine("a line of a CUL without telegram")


def _rtl_433_digits(text: str) -> str:
    """The one column with the octets of a telegram."""
    found = [
        match[1] for field in text.split(",") if (match := _DIGITS.fullmatch(field.strip().strip('"'))) is not None
    ]
    fitting = [digits for digits in found if len(digits) // 2 > int(digits[:2], 16)]
    if len(fitting) != 1:
        raise BadLine(f"a line of rtl_433 with {len(fitting)} columns that could be a telegram, one is due")
    return fitting[0]


def is_dump(text: str) -> bool:
    """Whether `text` looks like a line of xxd or hexdump."""
    return _DUMP.fullmatch(text) is not None


def is_binary(begin: bytes) -> bool:
    """Whether a file that begins so is no text."""
    return _TEXT.fullmatch(begin) is None


def wrapped(lines: Sequence[str]) -> int | None:
    """Octets of the one telegram that `lines` of digits make together; None when they make none."""
    digits = "".join("".join(lines).split())
    if len(lines) < 2 or not digits or len(digits) % 2 or not all(map(_PLAIN_DIGITS.fullmatch, lines)):
        return None
    octets = bytes.fromhex(digits)
    return len(octets) if len(octets) in _sizes(octets[0]) or is_wired(octets) else None


def binary_frames(octets: bytes) -> list[tuple[int, bytes, FrameFormat | None]]:
    """The frames in `octets`, each with its place and its format, None: of the wired bus. Format A is where all link
    CRCs are right; else a frame ends where L says. They follow each other without anything between.

    Raises BadLine where that is not so.
    """
    frames: list[tuple[int, bytes, FrameFormat | None]] = []
    at = 0
    while at < len(octets):
        frame, form = _frame_at(octets, at)
        frames.append((at, frame, form))
        at += len(frame)
    return frames


def _frame_at(octets: bytes, at: int) -> tuple[bytes, FrameFormat | None]:
    first = octets[at]
    if octets[at + 3 : at + 4] == octets[at : at + 1] and is_wired(wired := octets[at : at + octets[at + 1] + _AROUND]):
        return wired, None
    size_a, size = _sizes(first)
    dressed = octets[at : at + size_a]
    if len(dressed) == size_a > HEADER:
        try:
            strip(dressed, FrameFormat.A)
        except MbusError:
            pass
        else:
            return dressed, FrameFormat.A
    frame = octets[at : at + size]
    if size < HEADER or len(frame) < size:
        raise BadLine(f"L {first:02X} announces {size - 1} octets, {len(octets) - at - 1} follow", at)
    return frame, FrameFormat.STRIPPED


def _sizes(first: int) -> tuple[int, int]:
    """Octets of a frame that begins with this L: in format A (0: none can), and without CRCs or in format B."""
    after = octets_after_l(first, FrameFormat.A)
    return 0 if after is None else after + 1, first + 1
