"""An emulated relay board with coils on Modbus: the other end of the wire of `relay.ModbusRelay`."""

from __future__ import annotations

import struct
from collections.abc import Callable

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings
from devices.power.modbus_server import FunctionTable, ModbusRtuServer, Refusal
from devices.protocols.modbus_rtu import ExceptionCode

_ON, _OFF = 0xFF00, 0x0000
_MOST_READ, _MOST_WRITTEN = 2000, 1968
"""Coils in one request (Application Protocol 6.1, 6.11)."""


class RelayCoils(FunctionTable):
    """The coils of a board, as a Modbus device: read and write coils (1, 5, 15), read inputs (2) as zeros.

    Attributes:
        on_change: called with coil and state when a contact really moves.
        contacts: how the contacts stand; True: coil energised.
    """

    def __init__(self, coils: int = 8, on_change: Callable[[int, bool], None] | None = None) -> None:
        super().__init__({1: self._read_coils, 2: self._read_inputs, 5: self._write_coil, 15: self._write_coils})
        self.on_change = on_change
        self.contacts = [False] * coils
        self._stuck: set[int] = set()

    def stick(self, coil: int, stuck: bool = True) -> None:
        """Weld the contact of `coil` where it stands: it is commanded, acknowledged and does not move."""
        if stuck:
            self._stuck.add(coil)
        else:
            self._stuck.discard(coil)

    def _move(self, coil: int, on: bool) -> None:
        if coil in self._stuck or self.contacts[coil] == on:
            return
        self.contacts[coil] = on
        if self.on_change is not None:
            self.on_change(coil, on)

    def _read_coils(self, data: bytes) -> bytes:
        first, count = self._span(data, _MOST_READ)
        return _packed(self.contacts[first : first + count])

    def _read_inputs(self, data: bytes) -> bytes:
        _, count = self._span(data, _MOST_READ)
        return _packed([False] * count)

    def _write_coil(self, data: bytes) -> bytes:
        if len(data) != 4:
            raise Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        coil, value = struct.unpack(">HH", data)
        if value not in (_ON, _OFF):
            raise Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        if coil >= len(self.contacts):
            raise Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS)
        self._move(coil, value == _ON)
        return data

    def _write_coils(self, data: bytes) -> bytes:
        first, count = self._span(data[:4], _MOST_WRITTEN)
        octets = (count + 7) // 8
        if len(data) != 5 + octets or data[4] != octets:
            raise Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        for index in range(count):
            self._move(first + index, bool(data[5 + index // 8] >> index % 8 & 1))
        return data[:4]

    def _span(self, data: bytes, most: int) -> tuple[int, int]:
        if len(data) != 4:
            raise Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        first, count = struct.unpack(">HH", data)
        if not 1 <= count <= most:
            raise Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        if first + count > len(self.contacts):
            raise Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS)
        return first, count


class EmulatedRelayBoard:
    """A relay board on an RTU line. For Modbus TCP put its `coils` behind a `modbus_server.ModbusTcpServer`.

    Attributes:
        coils: the contacts.
        server: the line; further devices may be added to its `devices`.
    """

    def __init__(
        self,
        clock: Clock,
        port: BytePort,
        unit: int = 1,
        coils: int = 8,
        on_change: Callable[[int, bool], None] | None = None,
        *,
        line: LineSettings | None = None,
        turnaround_s: float = 0.0,
    ) -> None:
        self.coils = RelayCoils(coils, on_change)
        self.server = ModbusRtuServer(clock, port, {unit: self.coils}, line=line, turnaround_s=turnaround_s)

    def close(self) -> None:
        """Answer no more; the port stays with whoever opened it."""
        self.server.close()


def _packed(bits: list[bool]) -> bytes:
    octets = bytearray((len(bits) + 7) // 8)
    for index, bit in enumerate(bits):
        octets[index // 8] |= bit << index % 8
    return bytes([len(octets)]) + bytes(octets)
