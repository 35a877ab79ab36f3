"""The emulated side of a Modbus line: servers for RTU and TCP around devices that answer requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Protocol

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings, PortLost
from devices.ports.tcp import TcpListener, TcpPort
from devices.protocols.modbus_rtu import (
    BROADCAST,
    LARGEST_RTU,
    ExceptionCode,
    ModbusError,
    TcpFrame,
    TcpFrameReader,
    parse_rtu,
    rtu_frame,
)

_FIXED_GAP_S = 0.00175
"""Silence between frames above 19 200 Bd (MODBUS over Serial Line 1.02, 2.5.1.1)."""


class Refusal(Exception):
    """A device cannot do what is asked.

    Attributes:
        code: that the answer carries.
    """

    def __init__(self, code: ExceptionCode) -> None:
        self.code = code
        super().__init__(code.name)


class ModbusDevice(Protocol):
    """Something that answers Modbus requests."""

    def answer(self, request: bytes) -> bytes:
        """The answer to a request, both from the function code on."""


class FunctionTable:
    """A device as a table of functions; what is missing in it is an illegal function.

    Attributes:
        functions: function code -> what answers the data behind it, or raises Refusal.
    """

    def __init__(self, functions: Mapping[int, Callable[[bytes], bytes]]) -> None:
        self.functions = dict(functions)

    def answer(self, request: bytes) -> bytes:
        """The answer, or the exception, to one request."""
        function = request[0] if request else 0
        perform = self.functions.get(function)
        if perform is None:
            return bytes([function | 0x80, ExceptionCode.ILLEGAL_FUNCTION])
        try:
            return bytes([function]) + perform(request[1:])
        except Refusal as refusal:
            return bytes([function | 0x80, refusal.code])


def silence_between_frames(line: LineSettings | None) -> float:
    """Seconds of silence that end an RTU frame: 3.5 characters, 1.75 ms above 19 200 Bd."""
    if line is None or line.baudrate > 19_200:
        return _FIXED_GAP_S
    return 3.5 * line.seconds(1)


class ModbusRtuServer:
    """Devices on one RTU line. Silent for other units, for damaged frames and for broadcasts.

    Attributes:
        devices: unit (1 to 247) -> device; may be changed while the line is in use.
        turnaround_s: seconds that a device thinks before it answers.
        requests: frames answered or carried out so far.
        ignored: frames for other units, and damaged ones.
    """

    def __init__(
        self,
        clock: Clock,
        port: BytePort,
        devices: Mapping[int, ModbusDevice],
        *,
        line: LineSettings | None = None,
        turnaround_s: float = 0.0,
    ) -> None:
        self.devices = dict(devices)
        self.turnaround_s = turnaround_s
        self.requests = 0
        self.ignored = 0
        self._clock = clock
        self._port = port
        self._gap = silence_between_frames(line if line is not None else getattr(port, "line", None))
        self._buffer = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        port.set_receiver(self._received)

    def close(self) -> None:
        """Answer no more; the port stays with whoever opened it."""
        self._port.set_receiver(None)
        self._stop_timer()

    def _received(self, data: bytes) -> None:
        self._stop_timer()
        if len(self._buffer) <= LARGEST_RTU:  # what is longer is no frame; wait for silence without keeping it
            self._buffer += data[: LARGEST_RTU + 1]
        self._timer = self._clock.call_later(self._gap, self._silence)

    def _silence(self) -> None:
        frame = bytes(self._buffer)
        self._buffer.clear()
        self._timer = None
        try:
            unit, request = parse_rtu(frame)
        except ModbusError:
            self.ignored += 1
            return
        if unit == BROADCAST:
            self.requests += 1
            for device in self.devices.values():
                device.answer(request)
            return
        addressed = self.devices.get(unit)
        if addressed is None:
            self.ignored += 1
            return
        self.requests += 1
        answer = rtu_frame(unit, addressed.answer(request))
        if self.turnaround_s:
            self._timer = self._clock.call_later(self.turnaround_s, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        with contextlib.suppress(PortLost):  # a master that is gone hears nothing
            self._port.write(answer)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ModbusTcpServer:
    """Devices behind one TCP port; use as an asynchronous context manager.

    Attributes:
        devices: unit -> device; another unit gets exception 11, as from a gateway whose target is silent.
        listener: where it listens.
    """

    def __init__(self, devices: Mapping[int, ModbusDevice], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.devices = dict(devices)
        self.listener = TcpListener(self._connected, host=host, port=port, name="modbus tcp")

    @property
    def host(self) -> str:
        """Address listened on."""
        return self.listener.host

    @property
    def port(self) -> int:
        """TCP port listened on."""
        return self.listener.port

    async def open(self) -> None:
        """Start to listen. Raises BenchError when the port is taken."""
        await self.listener.open()

    async def close(self) -> None:
        """Close all connections; may be called twice."""
        await self.listener.close()

    async def __aenter__(self) -> ModbusTcpServer:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _connected(self, client: TcpPort) -> None:
        reader = TcpFrameReader()
        client.set_receiver(lambda data: self._received(client, reader, data))

    def _received(self, client: TcpPort, reader: TcpFrameReader, data: bytes) -> None:
        try:
            requests = reader.feed(data)
        except ModbusError:
            client.close()
            return
        for request in requests:
            device = self.devices.get(request.unit)
            if device is None:
                pdu = bytes([request.pdu[0] | 0x80, ExceptionCode.GATEWAY_TARGET_FAILED_TO_RESPOND])
            else:
                pdu = device.answer(request.pdu)
            client.write(TcpFrame(request.transaction, request.unit, pdu).to_bytes())
