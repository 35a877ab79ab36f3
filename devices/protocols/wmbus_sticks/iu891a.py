"""HCI of the IMST iU891A-XL: messages in SLIP frames, configuration, indications (lmn-wireless 5.2).

Layout inside a frame: ``service (SAP) | message | [status, in answers] | payload | CRC-16/X-25, low octet first``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devices.protocols.crc import x25
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner

END: Final = 0xC0
ESCAPE: Final = 0xDB
_ESCAPED_END, _ESCAPED_ESCAPE = 0xDC, 0xDD
WAKE_UP: Final = bytes((END,)) * 30
LONGEST: Final = 700
"""Octets between two ends at most: the longest indication, every octet escaped."""

DEVICE: Final = 1
GATEWAY: Final = 9
PING: Final = 0x01
GET_INFO: Final = 0x03
GET_CONFIG: Final = 0x01
SET_CONFIG: Final = 0x03
INDICATION: Final = 0x20
OK: Final = 0x00

LINK_MODES: Final[Mapping[int, str]] = {0: "off", 1: "S", 2: "T", 3: "C+T", 5: "C"}
MODE_C_AND_T: Final = 3
OPTION_RX_INDICATION: Final = 2
_CONFIG = struct.Struct("<BHHHI")
_INDICATION_HEAD = 8


@dataclass(frozen=True, slots=True)
class SlipMessage:
    """One message, either way.

    Attributes:
        service: SAP, 1 device management, 9 gateway.
        message: number within the service; an answer has the number of the request plus one.
        body: what follows, in answers the status first.
    """

    service: int
    message: int
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """On the wire, between two ends."""
        octets = bytes((self.service, self.message)) + self.body
        octets += x25(octets).to_bytes(2, "little")
        octets = octets.replace(bytes((ESCAPE,)), bytes((ESCAPE, _ESCAPED_ESCAPE)))
        octets = octets.replace(bytes((END,)), bytes((ESCAPE, _ESCAPED_END)))
        return bytes((END,)) + octets + bytes((END,))

    @property
    def status(self) -> int:
        """Of an answer, 0 is good. Raises StickError when there is none."""
        if not self.body:
            raise StickError("an answer without status", 2)
        return self.body[0]


class SlipScanner(Scanner[SlipMessage]):
    """Finds messages in what the stick, or the host, sends. Ends alone are a wake-up and no noise."""

    def _look(self, octets: bytes, start: int) -> tuple[int, SlipMessage | str | None]:
        if octets[start] == END:
            return 1, ""
        end = octets.find(END, start)
        if end < 0:
            size = len(octets) - start
            return (size, "no end of a frame") if size > LONGEST else (0, None)
        size = end - start + 1
        try:
            return size, _message(octets[start:end])
        except StickError as error:
            return size, error.reason


def _message(escaped: bytes) -> SlipMessage:
    octets = bytearray()
    follows = {_ESCAPED_END: END, _ESCAPED_ESCAPE: ESCAPE}
    pieces = escaped.split(bytes((ESCAPE,)))
    octets += pieces[0]
    for piece in pieces[1:]:
        if not piece or piece[0] not in follows:
            raise StickError("an escape that means nothing")
        octets.append(follows[piece[0]])
        octets += piece[1:]
    if len(octets) < 4:
        raise StickError(f"{len(octets)} octets are no message")
    if x25(octets[:-2]) != int.from_bytes(octets[-2:], "little"):
        raise StickError("wrong check sequence")
    return SlipMessage(octets[0], octets[1], bytes(octets[2:-2]))


def heard(message: SlipMessage) -> Heard:
    """The telegram in an INDICATION. Raises StickError for what is none."""
    if (message.service, message.message) != (GATEWAY, INDICATION):
        raise StickError(f"message {message.message:02X} of service {message.service} brings no telegram", 1)
    telegram = message.body[_INDICATION_HEAD:]
    if not telegram or telegram[0] != len(telegram) - 1:
        raise StickError(f"an indication whose L does not fit its {len(telegram)} octets", 2 + _INDICATION_HEAD)
    (stamp,) = struct.unpack_from("<I", message.body)
    (strength,) = struct.unpack_from("<b", message.body, _INDICATION_HEAD - 1)
    return Heard(telegram, float(strength), stamp)


def indication(telegram: bytes, strength_dbm: float, stamp: int) -> SlipMessage:
    """What the stick says of a telegram; the meaning of three octets behind the time stamp is not known."""
    strength = max(-128, min(127, round(strength_dbm)))
    return SlipMessage(GATEWAY, INDICATION, struct.pack("<I3xb", stamp & 0xFFFFFFFF, strength) + telegram)


@dataclass(frozen=True, slots=True)
class Config:
    """The active configuration, 11 octets.

    Attributes:
        link_mode: see LINK_MODES.
        options: bits: 1 filter, 2 tell telegrams received, 4 tell telegrams sent.
        ui: of the LEDs.
        led_ms: how long they light.
        recalibration_ms: how often the radio is calibrated.
    """

    link_mode: int = MODE_C_AND_T
    options: int = OPTION_RX_INDICATION
    ui: int = 0
    led_ms: int = 0
    recalibration_ms: int = 0

    @classmethod
    def from_octets(cls, octets: bytes) -> Config:
        """Raises StickError for what are not 11 octets."""
        if len(octets) != _CONFIG.size:
            raise StickError(f"the configuration has {_CONFIG.size} octets, not {len(octets)}")
        return cls(*_CONFIG.unpack(octets))

    def to_octets(self) -> bytes:
        """As it stands in messages."""
        return _CONFIG.pack(self.link_mode, self.options, self.ui, self.led_ms, self.recalibration_ms)
