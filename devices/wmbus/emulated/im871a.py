"""An emulated iM871A (lmn-wireless 5.1)."""

from __future__ import annotations

import random
from typing import ClassVar, Final

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.protocols.wmbus_sticks import im871a as hci
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.im871a import DeviceInfo, HciMessage, HciScanner
from devices.wmbus.emulated.base import FROM_METERS, EmulatedStick, Fault

_FAILED: Final = 0x00
_OLD_FIRMWARE: Final = 0x13
_START_S: Final = 0.2
_T, _C, _S = {RadioMode.T1}, {RadioMode.C1_A, RadioMode.C1_B}, {RadioMode.S1}
_HEARS: Final[dict[int, frozenset[RadioMode]]] = {
    0x00: frozenset(_S),
    0x02: frozenset(_S),
    0x03: frozenset(_T),
    0x04: frozenset(_T),
    0x06: frozenset({RadioMode.C1_A}),
    0x07: frozenset({RadioMode.C1_B}),
    0x08: frozenset(_C),
    0x09: frozenset(_C),
    0x0A: FROM_METERS,
}
_SENDS: Final = {
    0x00: RadioMode.S1,
    0x03: RadioMode.T1,
    0x04: RadioMode.OTHER_T,
    0x06: RadioMode.C1_A,
    0x07: RadioMode.C1_B,
    0x0A: RadioMode.OTHER_T,
}
AS_DELIVERED: Final = {
    "device_mode": 0,
    "link_mode": hci.MODE_C_AND_T,
    "c": 0,
    "manufacturer": 0x0CAE,
    "id": 0x12345678,
    "version": 1,
    "type": 0,
    "channel": 1,
    "power": 7,
    "data_rate": 2,
    "rx_window": 0x32,
    "power_save": 0,
    "rssi_attach": 1,
    "timestamp_attach": 0,
    "led": 0,
    "rtc": 1,
}
"""The configuration that the fact sheet shows."""


class EmulatedIm871a(EmulatedStick):
    """An iM871A between a line and an antenna.

    Attributes:
        info: what it says of itself.
        config: see `hci.CONFIG_FIELDS`.
    """

    line: ClassVar[LineSettings] = LineSettings(57_600)

    def __init__(
        self,
        clock: Clock,
        port: BytePort,
        antenna: Antenna,
        rng: random.Random | None = None,
        *,
        info: DeviceInfo | None = None,
    ) -> None:
        """As EmulatedStick; `info`: what it says of itself."""
        self.info = info or DeviceInfo(0x33, 0, 0x15, 0x17, 0x12345678)
        self.config = dict(AS_DELIVERED)
        self._kept = dict(AS_DELIVERED)
        self._awake = True
        super().__init__(clock, port, antenna, rng)

    def _start(self) -> None:
        self.config = dict(self._kept)
        self._scanner = HciScanner()
        self._awake = True

    def _hears(self) -> frozenset[RadioMode]:
        return _HEARS.get(self.config["link_mode"], frozenset()) if self._awake else frozenset()

    def _tell(self, reception: Reception, strength_dbm: float) -> bytes:
        stamp = int(reception.at_s * 1000) & 0xFFFFFFFF if self.config["timestamp_attach"] else None
        rssi = hci.rssi_octet(strength_dbm) if self.config["rssi_attach"] else None
        payload = reception.telegram[1:]
        return HciMessage(hci.RADIO, hci.INDICATION, payload, stamp, rssi, fcs=True).to_bytes()

    def _host_said(self, octets: bytes) -> None:
        for event in self._scanner.feed(octets):
            if isinstance(event, HciMessage) and self._awake:
                self._answer(event)

    def _host_paused(self) -> None:
        for event in self._scanner.silence():
            if isinstance(event, HciMessage) and self._awake:
                self._answer(event)

    def _answer(self, request: HciMessage) -> None:
        key = (request.endpoint, request.message)
        work = {
            (hci.DEVICE, hci.PING): self._ping,
            (hci.DEVICE, hci.GET_INFO): self._get_info,
            (hci.DEVICE, hci.GET_CONFIG): self._get_config,
            (hci.DEVICE, hci.SET_CONFIG): self._set_config,
            (hci.DEVICE, hci.RESET): self._reset,
            (hci.RADIO, hci.SEND): self._send,
            (hci.RADIO, hci.SEND_OWN): self._send_own,
        }.get(key)
        if work is not None:
            # Whoever asks without check sequence is answered without.
            answer = HciMessage(request.endpoint, request.message + 1, work(request.payload), fcs=request.fcs)
            self._say(answer.to_bytes())

    def _ping(self, _: bytes) -> bytes:
        return b""

    def _get_info(self, _: bytes) -> bytes:
        firmware = _OLD_FIRMWARE if Fault.FIRMWARE in self.faults else self.info.firmware
        info = self.info
        return DeviceInfo(info.module, self.config["device_mode"], firmware, info.hci_version, info.id).to_payload()

    def _get_config(self, _: bytes) -> bytes:
        return hci.encode_config(self.config)

    def _set_config(self, payload: bytes) -> bytes:
        try:
            values = hci.decode_config(payload[1:])
        except StickError:
            return bytes((_FAILED,))
        if payload[0] not in (0, 1) or values.get("link_mode", 0) not in hci.LINK_MODES:
            return bytes((_FAILED,))
        self.config.update(values)
        if payload[0]:
            self._kept.update(values)
        return bytes((hci.SUCCESS,))

    def _reset(self, _: bytes) -> bytes:
        self._awake = False
        self._later(_START_S, self._start)
        return bytes((hci.SUCCESS,))

    def _send(self, payload: bytes) -> bytes:
        mode = _SENDS.get(self.config["link_mode"])
        if mode is None or len(payload) > 255:
            return bytes((_FAILED,))
        return bytes((self._transmit(bytes((len(payload),)) + payload, mode),))

    def _send_own(self, payload: bytes) -> bytes:
        own = self.config
        head = bytes((own["c"],)) + own["manufacturer"].to_bytes(2, "little") + own["id"].to_bytes(4, "little")
        head += bytes((own["version"], own["type"]))
        return self._send(head + payload)
