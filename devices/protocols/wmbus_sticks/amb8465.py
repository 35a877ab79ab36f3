"""The Amber AMB8465-M: command frames, transparent telegrams, parameters, strength (lmn-wireless 5.3).

Layout of a frame: ``FF | command | length | payload | check octet``; an answer has bit 7 of the command set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.length_prefixed import implausible, split
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner

START: Final = 0xFF
ANSWER: Final = 0x80

DATA: Final = 0x00
INDICATION: Final = 0x03
SET_MODE: Final = 0x04
RESET: Final = 0x05
SET_CHANNEL: Final = 0x06
SET: Final = 0x09
GET: Final = 0x0A
SERIAL: Final = 0x0B
FIRMWARE: Final = 0x0C
RSSI: Final = 0x0D
FACTORY_RESET: Final = 0x11
FACTORY_ANSWER: Final = 0x90
"""Not 91."""
OK: Final = 0x00

MODES: Final[Mapping[int, str]] = {
    0x01: "S1",
    0x02: "S1-m",
    0x03: "S2",
    0x05: "T1 meter",
    0x06: "T1 other",
    0x07: "T2 meter",
    0x08: "T2 other",
    0x09: "C2/T2 other",
    0x0C: "C1 meter",
    0x0D: "C2 meter",
    0x0E: "C2 other",
}
MODE_C_AND_T: Final = 0x09

COMMAND_OUTPUT: Final = 0x05
"""Parameter: 0 transparent (as delivered), 1 everything in frames."""
RSSI_ENABLE: Final = 0x45
MODE_PRESELECT: Final = 0x46
C_FIELD, MAKER, ID, VERSION, TYPE = 0x31, 0x32, 0x34, 0x38, 0x39
PARAMETERS: Final = 120
"""Octets that a dump of all parameters has; the AMB3665 (169 MHz) has 128."""
PARAMETERS_AMB3665: Final = 128
GET_ALL: Final = bytes((0, 0x80))

_HEAD = 3
_FROM_STICK: Final = frozenset({INDICATION} | {ANSWER | code for code in range(0x12)})


@dataclass(frozen=True, slots=True)
class Frame:
    """A command, an answer or an indication.

    Attributes:
        command: what is meant; with ANSWER set it comes from the stick.
        payload: at most 255 octets.
    """

    command: int
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """On the wire. Raises StickError for a payload too long."""
        if len(self.payload) > 255:
            raise StickError(f"a payload has at most 255 octets, not {len(self.payload)}", 2)
        octets = bytes((START, self.command, len(self.payload))) + self.payload
        return octets + bytes((reduce(xor, octets),))


class AmberScanner(Scanner[Frame | Heard]):
    """Finds frames and telegrams in what the stick sends.

    Attributes:
        transparent: telegrams come bare; else only frames are looked for. Answers are frames in either case.
        rssi: an octet of strength follows each telegram.
    """

    def __init__(self, *, transparent: bool = False, rssi: bool = False) -> None:
        super().__init__()
        self.transparent = transparent
        self.rssi = rssi

    def _look(self, octets: bytes, start: int) -> tuple[int, Frame | Heard | str | None]:
        if octets[start] == START and (len(octets) == start + 1 or octets[start + 1] in _FROM_STICK):
            size, found = frame_at(octets, start)
            if isinstance(found, Frame) and found.command == INDICATION:
                return size, self._indicated(found.payload)
            return size, found
        if self.transparent:
            return self._bare(octets, start)
        begin = octets.find(START, start + 1)
        return (len(octets) if begin < 0 else begin) - start, "no start of a frame"

    def _bare(self, octets: bytes, start: int) -> tuple[int, Heard | str | None]:
        if why := implausible(octets, start, rssi=self.rssi):
            return 1, why
        end = start + 1 + octets[start]
        if len(octets) < end:
            return 0, None
        return end - start, self._heard(octets[start:end])

    def _indicated(self, payload: bytes) -> Heard | str:
        octets = bytes((len(payload),)) + payload
        if why := implausible(octets, 0, rssi=self.rssi):
            return why
        return self._heard(octets)

    def _heard(self, octets: bytes) -> Heard:
        telegram, strength = split(octets, rssi=self.rssi)
        return Heard(telegram, None if strength is None else dbm(strength))


class CommandScanner(Scanner[Frame]):
    """Finds the frames that a host sends."""

    def _look(self, octets: bytes, start: int) -> tuple[int, Frame | str | None]:
        if octets[start] != START:
            begin = octets.find(START, start)
            return (len(octets) if begin < 0 else begin) - start, "no start of a frame"
        return frame_at(octets, start)


def frame_at(octets: bytes, start: int) -> tuple[int, Frame | str | None]:
    """The frame that begins at `start`; else how much to skip and why; None: more is needed."""
    if len(octets) - start < _HEAD:
        return 0, None
    end = start + _HEAD + octets[start + 2] + 1
    if len(octets) < end:
        return 0, None
    if reduce(xor, octets[start:end]):
        return 1, "wrong check octet"
    return end - start, Frame(octets[start + 1], octets[start + _HEAD : end - 1])


def dbm(rssi: int) -> float:
    """r/2 - 74 of a signed octet (lmn-wireless 5); the CUL counts alike."""
    return (rssi if rssi < 128 else rssi - 256) / 2 - 74


def rssi_octet(strength_dbm: float) -> int:
    """The reverse of `dbm`."""
    return max(-128, min(127, round((strength_dbm + 74) * 2))) & 0xFF


def parameters(answer: Frame) -> bytes:
    """The dump in an answer to GET_ALL; the octet at index n is the parameter with address n.

    Raises StickError when it is none, or when address or length contradict it.
    """
    if answer.command != ANSWER | GET or len(answer.payload) < 2:
        raise StickError(f"answer {answer.command:02X} is no dump of parameters", 1)
    address, count = answer.payload[:2]
    dump = answer.payload[2:]
    if address or count != len(dump) or count not in (PARAMETERS, PARAMETERS_AMB3665):
        raise StickError(f"a dump from {address:02X} with {len(dump)} of {count} octets, {PARAMETERS} were due", 3)
    return dump
