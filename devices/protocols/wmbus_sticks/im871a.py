"""HCI of the IMST iM871A and iM170A: messages, device information, configuration, strength (lmn-wireless 5.1).

Layout: ``A5 | ctrl 4, endpoint 4 | message | length | payload | [time stamp 4] [RSSI 1] [FCS 2]``; the low octet of
words comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devices.protocols.crc import x25
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.scanner import Heard, Scanner

START: Final = 0xA5
DEVICE: Final = 1
"""Endpoint of device management."""
RADIO: Final = 2
"""Endpoint of the radio link."""
_ENDPOINTS: Final = range(1, 5)

PING: Final = 0x01
SET_CONFIG: Final = 0x03
GET_CONFIG: Final = 0x05
RESET: Final = 0x07
GET_INFO: Final = 0x0F
SEND: Final = 0x01
"""On RADIO: C, M, A, CI and so on, without L."""
INDICATION: Final = 0x03
"""On RADIO: a telegram from C on; the length of the payload is L."""
SEND_OWN: Final = 0x04
"""On RADIO: from CI on; the stick adds its own C, M, A."""
SUCCESS: Final = 0x01

_WITH_STAMP, _WITH_RSSI, _WITH_FCS = 0x20, 0x40, 0x80
_RESERVED = 0x10
_HEAD = 4

MODULES: Final[Mapping[int, str]] = {0x33: "iM871A", 0x36: "iM170A"}
LINK_MODES: Final[Mapping[int, str]] = {
    0x00: "S1",
    0x01: "S1-m",
    0x02: "S2",
    0x03: "T1",
    0x04: "T2",
    0x05: "R2",
    0x06: "C1 A",
    0x07: "C1 B",
    0x08: "C2 A",
    0x09: "C2 B",
    0x0A: "C+T",
}
"""Of the iM871A; the iM170A has N modes from 0A on."""
MODE_T1: Final = 0x03
MODE_C_AND_T: Final = 0x0A
FIRST_C_AND_T_FIRMWARE: Final = 0x14
"""Older firmware receives C or T, not both."""

_FIELDS_1: Final = (
    ("device_mode", 1),
    ("link_mode", 1),
    ("c", 1),
    ("manufacturer", 2),
    ("id", 4),
    ("version", 1),
    ("type", 1),
    ("channel", 1),
)
_FIELDS_2: Final = (
    ("power", 1),
    ("data_rate", 1),
    ("rx_window", 1),
    ("power_save", 1),
    ("rssi_attach", 1),
    ("timestamp_attach", 1),
    ("led", 1),
    ("rtc", 1),
)
CONFIG_FIELDS: Final = tuple(name for name, _ in _FIELDS_1 + _FIELDS_2)
"""In the order in which they stand; a flag octet goes before each eight of them."""


@dataclass(frozen=True, slots=True)
class HciMessage:
    """One message, either way.

    Attributes:
        endpoint: 1 device management, 2 radio link, 3 and 4 tests.
        message: number within the endpoint; an answer has the number of the request plus one.
        payload: at most 255 octets.
        stamp: 32-bit time stamp of the stick.
        rssi: strength as the stick counts, see `dbm`.
        fcs: whether a check sequence follows; a host may do without.
    """

    endpoint: int
    message: int
    payload: bytes = b""
    stamp: int | None = None
    rssi: int | None = None
    fcs: bool = False

    def to_bytes(self) -> bytes:
        """On the wire. Raises StickError for what does not fit."""
        if self.endpoint not in _ENDPOINTS:
            raise StickError(f"endpoint {self.endpoint} is not within 1..4", 1)
        if len(self.payload) > 255:
            raise StickError(f"a payload has at most 255 octets, not {len(self.payload)}", 3)
        control = (self.stamp is not None) * _WITH_STAMP | (self.rssi is not None) * _WITH_RSSI | self.fcs * _WITH_FCS
        octets = bytes((control | self.endpoint, self.message, len(self.payload))) + self.payload
        if self.stamp is not None:
            octets += self.stamp.to_bytes(4, "little")
        if self.rssi is not None:
            octets += bytes((self.rssi,))
        if self.fcs:
            octets += x25(octets).to_bytes(2, "little")
        return bytes((START,)) + octets


class HciScanner(Scanner[HciMessage]):
    """Finds messages in what the stick, or the host, sends."""

    def _look(self, octets: bytes, start: int) -> tuple[int, HciMessage | str | None]:
        if octets[start] != START:
            begin = octets.find(START, start)
            return (len(octets) if begin < 0 else begin) - start, "no start of a message"
        if len(octets) - start < 2:
            return 0, None
        head = octets[start + 1]
        if head & _RESERVED or head & 0x0F not in _ENDPOINTS:
            return 1, f"no endpoint {head:02X}"
        if len(octets) - start < _HEAD:
            return 0, None
        stamped, rated, checked = bool(head & _WITH_STAMP), bool(head & _WITH_RSSI), bool(head & _WITH_FCS)
        end = start + _HEAD + octets[start + 3] + 4 * stamped + rated + 2 * checked
        if len(octets) < end:
            return 0, None
        if checked and x25(octets[start + 1 : end - 2]) != int.from_bytes(octets[end - 2 : end], "little"):
            return 1, "wrong check sequence"
        payload_end = start + _HEAD + octets[start + 3]
        tail = octets[payload_end:end]
        return end - start, HciMessage(
            head & 0x0F,
            octets[start + 2],
            octets[start + _HEAD : payload_end],
            int.from_bytes(tail[:4], "little") if stamped else None,
            tail[4 * stamped] if rated else None,
            checked,
        )


def heard(message: HciMessage) -> Heard:
    """The telegram in an INDICATION. Raises StickError for another message."""
    if (message.endpoint, message.message) != (RADIO, INDICATION):
        raise StickError(f"message {message.message:02X} of endpoint {message.endpoint} brings no telegram", 2)
    telegram = bytes((len(message.payload),)) + message.payload
    return Heard(telegram, None if message.rssi is None else dbm(message.rssi), message.stamp)


def dbm(rssi: int) -> float:
    """About -100 + (r-45)/2, to whole dBm; from 230 on it is 0 (lmn-wireless 5)."""
    return 0.0 if rssi >= 230 else float(-100 + (rssi - 44) // 2)


def rssi_octet(strength_dbm: float) -> int:
    """The reverse of `dbm`."""
    return max(0, min(230, round((strength_dbm + 100) * 2) + 44))


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Answer to GET_INFO.

    Attributes:
        module: 33 iM871A, 36 iM170A.
        mode: 0 other, 1 meter.
        firmware: from 14 (hex) on C and T are received together.
        hci_version: of this protocol.
        id: of the device, 32 bit.
    """

    module: int
    mode: int
    firmware: int
    hci_version: int
    id: int

    @classmethod
    def from_payload(cls, payload: bytes) -> DeviceInfo:
        """Raises StickError when it is no device information."""
        if len(payload) != 8:
            raise StickError(f"device information has 8 octets, not {len(payload)}")
        module, mode, firmware, hci_version = payload[:4]
        return cls(module, mode, firmware, hci_version, int.from_bytes(payload[4:], "little"))

    def to_payload(self) -> bytes:
        """Of the answer."""
        return bytes((self.module, self.mode, self.firmware, self.hci_version)) + self.id.to_bytes(4, "little")

    @property
    def name(self) -> str:
        """For people: module, firmware, id."""
        module = MODULES.get(self.module, f"module {self.module:02X}")
        return f"{module}, firmware {self.firmware:02X}, id {self.id:08X}"


def encode_config(values: Mapping[str, int]) -> bytes:
    """Configuration with the fields of CONFIG_FIELDS that `values` has; both flag octets always stand.

    Raises StickError for an unknown field or a value too large.
    """
    unknown = values.keys() - set(CONFIG_FIELDS)
    if unknown:
        raise StickError(f"no field {min(unknown)!r} in the configuration")
    octets = b""
    for fields in (_FIELDS_1, _FIELDS_2):
        flags, part = 0, b""
        for bit, (name, size) in enumerate(fields):
            if name in values:
                if not 0 <= values[name] < 1 << 8 * size:
                    raise StickError(f"{name} {values[name]} does not fit into {size} octets")
                flags |= 1 << bit
                part += values[name].to_bytes(size, "little")
        octets += bytes((flags,)) + part
    return octets


def decode_config(octets: bytes) -> dict[str, int]:
    """The fields that stand in a configuration. Raises StickError when it is cut or goes on."""
    values: dict[str, int] = {}
    place = 0
    for fields in (_FIELDS_1, _FIELDS_2):
        if place >= len(octets):
            raise StickError("the configuration is cut off before its flags", place)
        flags, place = octets[place], place + 1
        for bit, (name, size) in enumerate(fields):
            if flags >> bit & 1:
                if place + size > len(octets):
                    raise StickError(f"the configuration is cut off in {name}", place)
                values[name] = int.from_bytes(octets[place : place + size], "little")
                place += size
    if place != len(octets):
        raise StickError(f"{len(octets) - place} octets too many behind the configuration", place)
    return values
