"""Lines of CUL and nanoCUL: telegrams in hexadecimal with link CRCs, LQI and strength (lmn-wireless 5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import FrameFormat, dress, octets_after_l, strip
from devices.protocols.wmbus_sticks.amb8465 import dbm, rssi_octet
from devices.protocols.wmbus_sticks.scanner import Heard, LineScanner

VERSION: Final = "V"
MODES: Final[dict[str, str]] = {"brt": "TMODE", "brc": "CMODE", "brs": "SMODE"}
"""Command -> answer."""
START_WITH_STRENGTH: Final = "X21"
START_PLAIN: Final = "X01"
LONGEST_CLASSIC: Final = 148
"""Octets of a telegram, CRCs included, that a classic nanoCUL can carry."""
_CRC_OK: Final = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """A line that is no telegram.

    Attributes:
        text: without its end.
    """

    text: str


class CulScanner(LineScanner[Heard | Answer]):
    """Finds telegrams and answers in what the stick sends.

    Attributes:
        mode: of telegrams in frame format A: T1 or S1; those in format B are C1B.
    """

    def __init__(self, mode: str = "T1") -> None:
        super().__init__()
        self.mode = mode

    def _line(self, text: str) -> Heard | Answer | str:
        if not text.startswith("b"):
            return Answer(text)
        form, digits = (FrameFormat.B, text[2:]) if text.startswith("bY") else (FrameFormat.A, text[1:])
        try:
            octets = bytes.fromhex(digits)
        except ValueError:
            odd = "an odd number of" if len(digits) % 2 else "wrong"
            return f"{odd} hexadecimal digits in a telegram, {len(digits)} came: was it cut?"
        if not octets:
            return "a telegram without octets"
        follow = octets_after_l(octets[0], form)
        if follow is None:
            return f"L {octets[0]:02X} is too short"
        size = follow + 1
        if len(octets) not in (size, size + 2):
            return f"a telegram of {size} octets of which {len(octets)} came"
        try:
            telegram = strip(octets[:size], form)
        except MbusError as error:
            return f"a damaged telegram: {error}"
        mode = "C1B" if form is FrameFormat.B else self.mode
        return Heard(telegram, dbm(octets[-1]) if len(octets) > size else None, None, mode)


def telegram_line(telegram: bytes, mode: str, strength_dbm: float | None, *, lqi: int = 0x45) -> str:
    """The line for a stripped telegram, without its end.

    Args:
        telegram: stripped octets.
        mode: C1B is written in format B, all others in A.
        strength_dbm: None: neither LQI nor strength are written.
        lqi: seven bits; in the octet on the line they stand above the radio chip's CRC flag (assumed).

    Raises MbusError for what is no telegram, or too long for format B.
    """
    form, head = (FrameFormat.B, "bY") if mode == "C1B" else (FrameFormat.A, "b")
    octets = dress(telegram, form)
    if strength_dbm is not None:
        octets += bytes((lqi << 1 & 0xFF | _CRC_OK, rssi_octet(strength_dbm)))
    return head + octets.hex().upper()
