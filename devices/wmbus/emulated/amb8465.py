"""An emulated AMB8465-M in command and transparent mode (lmn-wireless 5.3)."""

from __future__ import annotations

import random
from typing import ClassVar, Final

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.protocols.wmbus_sticks import amb8465 as amber
from devices.protocols.wmbus_sticks.amb8465 import CommandScanner, Frame
from devices.protocols.wmbus_sticks.length_prefixed import join
from devices.wmbus.emulated.base import FROM_METERS, EmulatedStick, Fault

_FAILED: Final = 0x01
_START_S: Final = 0.3
_T, _S = frozenset({RadioMode.T1}), frozenset({RadioMode.S1})
_C: Final = frozenset({RadioMode.C1_A, RadioMode.C1_B})
_HEARS: Final = {0x02: _S, 0x03: _S, 0x06: _T, 0x08: _T, 0x09: FROM_METERS, 0x0E: _C}
_SENDS: Final = {
    0x01: RadioMode.S1,
    0x05: RadioMode.T1,
    0x07: RadioMode.T1,
    0x08: RadioMode.OTHER_T,
    0x09: RadioMode.OTHER_T,
    0x0C: RadioMode.C1_A,
    0x0D: RadioMode.C1_A,
}
_MODE_AS_DELIVERED: Final = 0x08


def as_delivered(size: int = amber.PARAMETERS) -> bytearray:
    """All parameters of a new stick; but for the few that are known they are zero."""
    parameters = bytearray(size)
    parameters[amber.COMMAND_OUTPUT] = 0
    parameters[amber.MODE_PRESELECT] = _MODE_AS_DELIVERED
    parameters[amber.C_FIELD] = 0x44
    parameters[amber.MAKER : amber.TYPE + 1] = bytes.fromhex("ae0c 78563412 01 00")
    return parameters


class EmulatedAmb8465(EmulatedStick):
    """An AMB8465-M between a line and an antenna.

    Attributes:
        parameters: what it keeps; the octet at index n has the address n. They take effect when it starts.
        mode: of the radio.
        serial: its number, four octets.
        firmware: three octets.
        worn: how often a parameter was written; the memory takes that only so often.
    """

    line: ClassVar[LineSettings] = LineSettings(9600)

    def __init__(
        self,
        clock: Clock,
        port: BytePort,
        antenna: Antenna,
        rng: random.Random | None = None,
        *,
        size: int = amber.PARAMETERS,
    ) -> None:
        """As EmulatedStick; `size`: 120 parameters, or 128 for an AMB3665."""
        self.parameters = as_delivered(size)
        self.serial = bytes.fromhex("12345678")
        self.firmware = bytes((2, 0, 6))
        self.worn = 0
        super().__init__(clock, port, antenna, rng)

    def _start(self) -> None:
        self._scanner = CommandScanner()
        self._active = bytes(self.parameters)
        self.mode = self._active[amber.MODE_PRESELECT]
        self._awake = True

    def _hears(self) -> frozenset[RadioMode]:
        return _HEARS.get(self.mode, frozenset()) if self._awake else frozenset()

    def _tell(self, reception: Reception, strength_dbm: float) -> bytes:
        rssi = amber.rssi_octet(strength_dbm) if self._active[amber.RSSI_ENABLE] else None
        if rssi is not None and len(reception.telegram) > 255:
            return b""
        octets = join(reception.telegram, rssi)
        if not self._active[amber.COMMAND_OUTPUT]:
            return octets
        return Frame(amber.INDICATION, octets[1:]).to_bytes()

    def _host_said(self, octets: bytes) -> None:
        for event in self._scanner.feed(octets):
            if isinstance(event, Frame) and self._awake:
                self._answer(event)

    def _host_paused(self) -> None:
        self._scanner.silence()

    def _answer(self, request: Frame) -> None:
        work = {
            amber.DATA: self._send,
            amber.SET_MODE: self._set_mode,
            amber.RESET: self._reset,
            amber.SET: self._set,
            amber.GET: self._get,
            amber.SERIAL: lambda _: self.serial,
            amber.FIRMWARE: lambda _: self.firmware,
            amber.RSSI: lambda _: bytes((amber.rssi_octet(-105.0),)),
            amber.FACTORY_RESET: self._factory_reset,
        }.get(request.command)
        if work is None:
            return
        command = amber.FACTORY_ANSWER if request.command == amber.FACTORY_RESET else amber.ANSWER | request.command
        self._say(Frame(command, work(request.payload)).to_bytes())

    def _set_mode(self, payload: bytes) -> bytes:
        old = Fault.FIRMWARE in self.faults and payload == bytes((amber.MODE_C_AND_T,))
        if len(payload) != 1 or payload[0] not in amber.MODES or old:
            return bytes((_FAILED,))
        self.mode = payload[0]
        return bytes((amber.OK,))

    def _reset(self, _: bytes) -> bytes:
        self._awake = False
        self._later(_START_S, self._start)
        return bytes((amber.OK,))

    def _factory_reset(self, _: bytes) -> bytes:
        self.parameters = as_delivered(len(self.parameters))
        return bytes((amber.OK,))

    def _set(self, payload: bytes) -> bytes:
        if len(payload) < 3 or payload[1] != len(payload) - 2 or payload[0] + payload[1] > len(self.parameters):
            return bytes((_FAILED,))
        self.parameters[payload[0] : payload[0] + payload[1]] = payload[2:]
        self.worn += 1
        return bytes((amber.OK,))

    def _get(self, payload: bytes) -> bytes:
        if len(payload) != 2 or payload[0] >= len(self.parameters):
            return b""
        count = min(payload[1], len(self.parameters) - payload[0])
        return bytes((payload[0], count)) + bytes(self.parameters[payload[0] : payload[0] + count])

    def _send(self, payload: bytes) -> bytes:
        mode = _SENDS.get(self.mode)
        if mode is None or not self._transmit(bytes((len(payload),)) + payload, mode):
            return bytes((_FAILED,))
        return bytes((amber.OK,))
