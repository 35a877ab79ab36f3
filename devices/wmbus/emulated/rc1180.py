"""An emulated RC1180-MBUS: telegrams, configuration mode, registers (lmn-wireless 5.4)."""

from __future__ import annotations

import random
from typing import ClassVar, Final

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.protocols.wmbus_sticks import rc1180 as rc
from devices.protocols.wmbus_sticks.length_prefixed import join
from devices.wmbus.emulated.base import FROM_METERS, EmulatedStick, Fault

_T, _S = frozenset({RadioMode.T1}), frozenset({RadioMode.S1})
_C: Final = frozenset({RadioMode.C1_A, RadioMode.C1_B})
_HEARS: Final = {0: _S, 1: _T, 2: _T, 3: _S, 8: _C, 9: _C, 0x0A: FROM_METERS, 0x0B: FROM_METERS}
_SENDS: Final = {3: RadioMode.S1, 1: RadioMode.T1, 9: RadioMode.C1_A, 2: RadioMode.OTHER_T, 0x0B: RadioMode.OTHER_T}
_ARGUMENTS: Final = {rc.MODE: 1, rc.C_FIELD_COMMAND: 1}
"""Command -> octets that follow; MEMORY ends with FF instead."""
_LONGEST: Final = 600


def as_delivered() -> bytearray:
    """The registers of a new module; but for the few that are known they are zero."""
    registers = bytearray(rc.REGISTERS)
    registers[rc.REG_MODE] = rc.MODE_T1
    registers[rc.REG_ADDRESS : rc.REG_ADDRESS + 8] = bytes.fromhex("0cae 12345678 01 07")
    registers[rc.REG_BAUDRATE] = rc.BAUDRATE_19200
    registers[rc.REG_C] = 0x44
    return registers


class EmulatedRc1180(EmulatedStick):
    """An RC1180-MBUS3 between a line and an antenna; with Fault.FIRMWARE an old one that knows no C.

    Attributes:
        registers: what it keeps.
        mode: of the radio.
        c: C field of what it sends.
        configuring: in configuration mode, deaf to the air.
        worn: how often a register was written; the memory takes that only so often.
    """

    line: ClassVar[LineSettings] = LineSettings(19_200)

    def __init__(self, clock: Clock, port: BytePort, antenna: Antenna, rng: random.Random | None = None) -> None:
        """As EmulatedStick."""
        self.registers = as_delivered()
        self.worn = 0
        super().__init__(clock, port, antenna, rng)

    def _start(self) -> None:
        self.configuring = False
        self.mode = self.registers[rc.REG_MODE]
        self.c = self.registers[rc.REG_C]
        self._input = bytearray()
        self._pending: bytes | None = None

    def _hears(self) -> frozenset[RadioMode]:
        return frozenset() if self.configuring else _HEARS.get(self.mode, frozenset())

    def _tell(self, reception: Reception, strength_dbm: float) -> bytes:
        if self.registers[rc.REG_INSTALL] != rc.HEAR_ALL:
            return b""
        rssi = rc.rssi_octet(strength_dbm) if self.registers[rc.REG_RSSI] else None
        if rssi is not None and len(reception.telegram) > 255:
            return b""
        return join(reception.telegram, rssi)

    def _host_paused(self) -> None:
        self._input.clear()

    def _host_said(self, octets: bytes) -> None:
        self._input += octets[:_LONGEST]
        del self._input[_LONGEST:]
        while self._input and self._step():
            pass

    def _step(self) -> bool:
        """Take one thing off the input; False: more is needed."""
        if not self.configuring:
            return self._data()
        if self._pending is None:
            self._command(bytes(self._take(1)))
            return True
        size = _ARGUMENTS.get(self._pending)
        if size is None:  # pairs of register and value, FF in the place of a register ends them
            end = next((place for place in range(0, len(self._input), 2) if self._input[place] == rc.MEMORY_END), -1)
            size = end + 1
        if not size or len(self._input) < size:
            return False
        command, self._pending = self._pending, None
        self._argument(command, bytes(self._take(size)))
        return True

    def _take(self, size: int) -> bytearray:
        taken = self._input[:size]
        del self._input[:size]
        return taken

    def _data(self) -> bool:
        size = self._input[0]
        if size == 0:
            self._take(1)
            self.configuring = True
            self._pending = None
            self._say(rc.PROMPT)
            return True
        if len(self._input) < 1 + size:
            return False
        content = bytes(self._take(1 + size))[1:]
        body = bytes((self.c,)) + rc.link_address(bytes(self.registers)) + content
        mode = _SENDS.get(self.mode)
        if mode is not None and len(body) <= 255:
            self._transmit(bytes((len(body),)) + body, mode)
        return True

    def _command(self, letter: bytes) -> None:
        if letter == rc.LEAVE:
            self.configuring = False
        elif letter == rc.DUMP:
            self._say(bytes(self.registers) + rc.PROMPT)
        elif letter in _ARGUMENTS or letter == rc.MEMORY:
            self._pending = letter
            self._say(rc.PROMPT)

    def _argument(self, command: bytes, octets: bytes) -> None:
        old = Fault.FIRMWARE in self.faults
        modes = rc.MODES_OLD if old else rc.MODES_MBUS3
        if command == rc.MODE and octets[0] in modes:
            self.mode = octets[0]
        elif command == rc.C_FIELD_COMMAND:
            self.c = octets[0]
        elif command == rc.MEMORY:
            for register, value in zip(octets[0:-1:2], octets[1::2], strict=False):
                if register != rc.REG_MODE or value in modes:
                    self.registers[register] = value
                    self.worn += 1
        self._say(rc.PROMPT)
