"""The bench's connection to Modbus devices, through pymodbus, with deadlines and errors that say what is wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from devices.clock import Clock, Deadline
from devices.errors import BenchError
from devices.ports.base import LineSettings
from devices.ports.serial import is_pseudo_terminal, open_serial
from devices.protocols.modbus_rtu import exception_name

logging.getLogger("pymodbus").addHandler(logging.NullHandler())  # its warnings come out as BenchError, not twice

_Client = AsyncModbusSerialClient | AsyncModbusTcpClient
_Request = Callable[[_Client], Awaitable[ModbusPDU]]

RESPONSE_S = 0.5
"""How long a device may take to answer before it is asked again (assumed)."""
RETRIES = 2
"""How often a request is repeated (assumed)."""
WITHIN_S = 3.0
"""How long an operation may take when no deadline is given (assumed)."""


@dataclass(frozen=True)
class ModbusRtu:
    """A serial line with Modbus RTU.

    Attributes:
        path: of the line, see `ports.serial.serial_paths`.
        line: how octets stand on it; 9600 Bd 8N1 is what most boards are delivered with (assumed).
    """

    path: str
    line: LineSettings = field(default_factory=lambda: LineSettings(baudrate=9600))

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class ModbusTcp:
    """A Modbus TCP server.

    Attributes:
        host: name or address.
        port: TCP port, 502 by registration.
    """

    host: str
    port: int = 502

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ModbusLink:
    """One line or connection, shared by all devices on it. It connects again by itself when it was lost.

    Attributes:
        settings: where it leads.
    """

    def __init__(
        self,
        clock: Clock,
        settings: ModbusRtu | ModbusTcp,
        *,
        response_s: float = RESPONSE_S,
        retries: int = RETRIES,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._response_s = response_s
        self._retries = retries
        self._client: _Client | None = None
        self._turn = asyncio.Lock()

    async def open(self, deadline: Deadline | None = None) -> None:
        """Connect; does nothing when connected. Raises BenchError."""
        deadline = deadline or self._clock.deadline(WITHIN_S)
        await self._take_turn("a connection", deadline)
        try:
            await self._connected(deadline)
        finally:
            self._turn.release()

    def close(self) -> None:
        """Let go; may be called twice."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def read_coils(self, unit: int, first: int, count: int, deadline: Deadline | None = None) -> list[bool]:
        """The state of `count` coils from `first` on. Raises BenchError."""
        what = f"coils {first} to {first + count - 1} of unit {unit}"
        answer = await self._ask(
            what, unit, lambda client: client.read_coils(first, count=count, device_id=unit), deadline
        )
        if answer.function_code != 1 or len(answer.bits) < count:
            raise self._mixed_up(what)
        return [bool(bit) for bit in answer.bits[:count]]

    async def write_coil(self, unit: int, coil: int, energised: bool, deadline: Deadline | None = None) -> None:
        """Energise or release one coil. Raises BenchError."""
        what = f"coil {coil} of unit {unit}"
        answer = await self._ask(
            what, unit, lambda client: client.write_coil(coil, energised, device_id=unit), deadline
        )
        if answer.function_code != 5 or answer.address != coil or bool(answer.bits[0]) != energised:
            raise self._mixed_up(what)

    async def read_registers(
        self, unit: int, first: int, count: int, *, holding: bool = False, deadline: Deadline | None = None
    ) -> Sequence[int]:
        """`count` input registers (or holding registers) of 16 bits from `first` on. Raises BenchError."""
        what = f"registers {first} to {first + count - 1} of unit {unit}"

        def ask(client: _Client) -> Awaitable[ModbusPDU]:
            read = client.read_holding_registers if holding else client.read_input_registers
            return read(first, count=count, device_id=unit)

        answer = await self._ask(what, unit, ask, deadline)
        if answer.function_code != (3 if holding else 4) or len(answer.registers) != count:
            raise self._mixed_up(what)
        return answer.registers

    async def _ask(
        self,
        what: str,
        unit: int,
        request: _Request,
        deadline: Deadline | None,
    ) -> ModbusPDU:
        deadline = deadline or self._clock.deadline(WITHIN_S)
        await self._take_turn(what, deadline)
        try:
            answer = await self._exchange(what, unit, request, deadline)
        finally:
            self._turn.release()
        if answer.isError():
            raise BenchError(
                f"unit {unit} at {self.settings} refuses: {exception_name(answer.exception_code)} ({what})"
            )
        return answer

    async def _exchange(self, what: str, unit: int, request: _Request, deadline: Deadline) -> ModbusPDU:
        client = await self._connected(deadline)
        begin = self._clock.seconds()
        try:
            async with asyncio.timeout(deadline.remaining):
                return await request(client)
        except (TimeoutError, ModbusException) as error:
            self.close()  # a late answer must not be taken for that to the next request
            waited = self._clock.seconds() - begin
            raise BenchError(f"no answer from unit {unit} at {self.settings} within {waited:.2f} s ({what})") from error
        except OSError as error:
            self.close()
            raise BenchError(f"{self.settings} is lost: {error} ({what})") from error

    async def _take_turn(self, what: str, deadline: Deadline) -> None:
        """One request at a time: whoever waits longer than its deadline allows is told who is in the way."""
        try:
            async with asyncio.timeout(deadline.remaining):
                await self._turn.acquire()
        except TimeoutError as error:
            raise BenchError(f"{self.settings} was busy with other requests until time was up ({what})") from error

    async def _connected(self, deadline: Deadline) -> _Client:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        client = self._new_client()
        within = deadline.remaining
        try:
            async with asyncio.timeout(within):
                connected = await client.connect()
        except TimeoutError as error:
            client.close()
            raise BenchError(f"no connection to {self.settings} within {within:g} s") from error
        if not connected:
            client.close()
            raise self._trouble()
        self._client = client
        return client

    def _new_client(self) -> _Client:
        settings = self.settings
        if isinstance(settings, ModbusTcp):
            return AsyncModbusTcpClient(
                settings.host, port=settings.port, timeout=self._response_s, retries=self._retries, reconnect_delay=0
            )
        line, pseudo = settings.line, is_pseudo_terminal(settings.path)
        return AsyncModbusSerialClient(
            settings.path,
            baudrate=line.baudrate,
            bytesize=line.data_bits,
            # A pseudo-terminal has no parity, and asking for it leaves the port locked (feasibility 10).
            parity="N" if pseudo else line.parity,
            stopbits=line.stop_bits,
            timeout=self._response_s,
            retries=self._retries,
            reconnect_delay=0,
        )

    def _trouble(self) -> BenchError:
        """Why there was no connection; pymodbus keeps the reason to itself."""
        if isinstance(self.settings, ModbusRtu):
            try:
                open_serial(self.settings.path, self.settings.line).close()
            except BenchError as error:
                return error
        return BenchError(f"no connection to {self.settings}: nobody listens there or the way is blocked")

    def _mixed_up(self, what: str) -> BenchError:
        self.close()
        return BenchError(f"{self.settings} answers something else than was asked for ({what})")
