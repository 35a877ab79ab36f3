"""Lines of the program rtl_wmbus, which turns a radio receiver's samples into telegrams (lmn-wireless 5.5).

``mode;crc ok;3 of 6 ok;time;rssi;rssi now;id;0xhex[;0xhex]``, telegrams without link CRCs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from devices.protocols.wmbus_sticks.scanner import LineScanner

_MODES: Final = frozenset({"T1", "C1", "S1"})
_BEGIN: Final = re.compile(rb"[TCS]1;")
_FIELDS: Final = 8
_LEAST_L = 9


@dataclass(frozen=True, slots=True)
class RtlLine:
    """A line with good telegrams.

    Attributes:
        mode: T1, C1 or S1.
        time: of the computer that received, as it wrote it; without zone.
        level: strength on a scale of the program's own, no dBm.
        telegrams: stripped octets; now and then a second one stands in the line.
    """

    mode: str
    time: str
    level: int | None
    telegrams: tuple[bytes, ...]


class RtlScanner(LineScanner[RtlLine]):
    """Finds telegrams in the program's output. Comments and empty lines are nothing, all else is noise."""

    longest = 2048

    @property
    def within_telegram(self) -> bool:
        """Whether what waits is the begin of a line with a telegram."""
        return _BEGIN.match(self._waiting) is not None

    def _line(self, text: str) -> RtlLine | str:
        if not text.strip() or text.startswith("#"):
            return ""
        fields = text.split(";")
        if len(fields) < _FIELDS or fields[0] not in _MODES:
            return "a line that is no telegram"
        if fields[1] != "1":
            return "a telegram that was received with errors"
        if fields[0] == "T1" and fields[2] != "1":
            return "a telegram with wrong 3-of-6 symbols"
        telegrams = tuple(octets for field in fields[7:] if (octets := _telegram(field)) is not None)
        if not telegrams:
            return "no telegram in the line, or its L does not fit"
        return RtlLine(fields[0], fields[3], int(fields[4]) if _number(fields[4]) else None, telegrams)


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _telegram(field: str) -> bytes | None:
    if not field.startswith("0x"):
        return None
    try:
        octets = bytes.fromhex(field[2:])
    except ValueError:
        return None
    return octets if len(octets) > _LEAST_L and octets[0] == len(octets) - 1 else None


def line(telegram: bytes, mode: str, time: datetime, level: int, *, good: bool = True) -> str:
    """The line for a stripped telegram, without its end."""
    stamp = f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03d}"
    number = telegram[4:8][::-1].hex()
    return f"{mode};{int(good)};1;{stamp};{level};{level};{number};0x{telegram.hex()}"
