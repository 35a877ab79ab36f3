"""An emulated iU891A-XL (lmn-wireless 5.2). It receives; what it answers to a wish to send is not known."""

from __future__ import annotations

import random
from typing import ClassVar, Final

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.protocols.wmbus_sticks import iu891a as hci
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.iu891a import Config, SlipMessage, SlipScanner
from devices.wmbus.emulated.base import FROM_METERS, EmulatedStick, Fault

_REFUSED: Final = 0x01
_C: Final = frozenset({RadioMode.C1_A, RadioMode.C1_B})
_HEARS: Final = {1: frozenset({RadioMode.S1}), 2: frozenset({RadioMode.T1}), 3: FROM_METERS, 5: _C}
INFO: Final = bytes.fromhex("a0 00 00 00 78 56 34 12")
"""Its device information; what the octets mean is assumed."""


class EmulatedIu891a(EmulatedStick):
    """An iU891A-XL between a line and an antenna.

    Attributes:
        config: the active one.
    """

    line: ClassVar[LineSettings] = LineSettings(115_200)

    def __init__(self, clock: Clock, port: BytePort, antenna: Antenna, rng: random.Random | None = None) -> None:
        """As EmulatedStick."""
        self.config = Config(0, 0)
        super().__init__(clock, port, antenna, rng)

    def _start(self) -> None:
        self.config = Config(0, 0)
        self._scanner = SlipScanner()

    def _hears(self) -> frozenset[RadioMode]:
        told = self.config.options & hci.OPTION_RX_INDICATION
        return _HEARS.get(self.config.link_mode, frozenset()) if told else frozenset()

    def _tell(self, reception: Reception, strength_dbm: float) -> bytes:
        return hci.indication(reception.telegram, strength_dbm, int(reception.at_s * 1000)).to_bytes()

    def _host_said(self, octets: bytes) -> None:
        for event in self._scanner.feed(octets):
            if isinstance(event, SlipMessage):
                self._answer(event)

    def _answer(self, request: SlipMessage) -> None:
        work = {
            (hci.DEVICE, hci.PING): self._ping,
            (hci.DEVICE, hci.GET_INFO): self._get_info,
            (hci.GATEWAY, hci.GET_CONFIG): self._get_config,
            (hci.GATEWAY, hci.SET_CONFIG): self._set_config,
        }.get((request.service, request.message))
        if work is not None:
            self._say(SlipMessage(request.service, request.message + 1, work(request.body)).to_bytes())

    def _ping(self, _: bytes) -> bytes:
        return bytes((hci.OK,))

    def _get_info(self, _: bytes) -> bytes:
        return bytes((hci.OK,)) + INFO

    def _get_config(self, _: bytes) -> bytes:
        return bytes((hci.OK,)) + self.config.to_octets()

    def _set_config(self, body: bytes) -> bytes:
        try:
            config = Config.from_octets(body)
        except StickError:
            return bytes((_REFUSED,))
        both = config.link_mode == hci.MODE_C_AND_T
        if config.link_mode not in hci.LINK_MODES or (both and Fault.FIRMWARE in self.faults):
            return bytes((_REFUSED,))
        self.config = config
        return bytes((hci.OK,))
