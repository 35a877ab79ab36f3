"""TCP connections as byte ports: serial device servers, and emulated gear that listens on a socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from devices.clock import Clock, Deadline
from devices.errors import BenchError
from devices.ports.base import LineSettings, PortLost, Receiver
from devices.ports.wire import QUEUE_LIMIT, PortCongested, Wire

CONNECT_S = 5.0
"""How long a connection may take to come about when no deadline is given (assumed)."""
_CLOSED = "written to after close"


class TcpPort(asyncio.Protocol):
    """One end of a TCP connection; made by :func:`connect_tcp` or a :class:`TcpListener`.

    Attributes:
        name: for messages and evidence.
        on_lost: called once when the other end closes or resets the connection.
        line: whose pace is kept, None for none.
        peer: address and port of the other end.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        line: LineSettings | None = None,
        on_made: Callable[[TcpPort], None] | None = None,
    ) -> None:
        self.name = name
        self.on_lost: Callable[[PortLost], None] | None = None
        self.line = line
        self.peer: tuple[str, int] = ("", 0)
        self._receiver: Receiver | None = None
        self._gone: str | None = None
        self._transport: asyncio.Transport | None = None
        self._on_made = on_made
        self._wire = Wire(clock, line, self._leave, name=name) if clock and line else None

    def write(self, data: bytes) -> None:
        """Send `data`. Raises PortLost when the connection is gone, PortCongested when nobody reads there."""
        if self._gone is not None or self._transport is None:
            raise PortLost(f"{self.name}: {self._gone or 'not connected'}")
        waiting = self._transport.get_write_buffer_size()
        if waiting + len(data) > QUEUE_LIMIT:
            raise PortCongested(f"{self.name}: {waiting} octets wait already, the limit is {QUEUE_LIMIT}")
        if self._wire is not None:
            self._wire.send(bytes(data))
        else:
            self._transport.write(data)

    def set_receiver(self, receiver: Receiver | None) -> None:
        """From now on give what arrives to `receiver`; None drops it."""
        self._receiver = receiver

    def close(self) -> None:
        """Let go; what was written goes out before."""
        if self._gone is None and self._transport is not None:
            if self._wire is not None:
                self._wire.after(self._transport.close)
            else:
                self._transport.close()
        self._gone = _CLOSED
        self._receiver = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{self.name}: no stream transport")
        self._transport = transport
        self.peer = transport.get_extra_info("peername")[:2]
        if self._on_made is not None:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._receiver is not None:
            self._receiver(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if self._gone is not None:
            return
        self._gone = f"the other end closed the connection ({exc})" if exc else "the other end closed the connection"
        self._receiver = None
        if self.on_lost is not None:
            self.on_lost(PortLost(f"{self.name}: {self._gone}"))

    def _leave(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def connect_tcp(
    host: str,
    port: int,
    *,
    deadline: Deadline | None = None,
    name: str = "tcp",
    clock: Clock | None = None,
    line: LineSettings | None = None,
) -> TcpPort:
    """Connect to `host`:`port`.

    Args:
        host: name or address; an address in digits needs no resolver.
        port: TCP port.
        deadline: until when the connection must stand; default: CONNECT_S from now.
        name: for messages and evidence.
        clock: whose time paces `line`.
        line: pace what is written as on a serial line; needs `clock`.

    Raises:
        BenchError: refused, unreachable or not in time.
    """
    loop = asyncio.get_running_loop()
    within = CONNECT_S if deadline is None else deadline.remaining
    try:
        async with asyncio.timeout(within):
            _, made = await loop.create_connection(lambda: TcpPort(name, clock=clock, line=line), host, port)
    except TimeoutError as error:
        raise BenchError(f"{name}: no connection to {host}:{port} within {within:g} s") from error
    except OSError as error:
        raise BenchError(f"{name}: no connection to {host}:{port}: {_reason(error)}") from error
    return made


class TcpListener:
    """Waits for connections and makes a byte port of each; use as an asynchronous context manager.

    Attributes:
        host: address listened on, loopback unless told otherwise.
        port: TCP port; with 0 asked for, the one that the system gave.
        on_client: called with the port of each new client.
    """

    def __init__(
        self,
        on_client: Callable[[TcpPort], None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        name: str = "tcp",
        clock: Clock | None = None,
        line: LineSettings | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.on_client = on_client
        self._name = name
        self._clock = clock
        self._line = line
        self._server: asyncio.Server | None = None
        self._clients: list[TcpPort] = []

    async def open(self) -> None:
        """Start to listen. Raises BenchError when the port is taken."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._new_client, self.host, self.port)
        except OSError as error:
            raise BenchError(f"{self._name}: cannot listen on {self.host}:{self.port}: {_reason(error)}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop to listen and close the connections; may be called twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for client in self._clients:
            client.close()
        self._clients.clear()
        await server.wait_closed()

    async def __aenter__(self) -> TcpListener:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _new_client(self) -> TcpPort:
        return TcpPort(self._name, clock=self._clock, line=self._line, on_made=self._client_made)

    def _client_made(self, port: TcpPort) -> None:
        self._clients = [client for client in self._clients if client._gone is None]
        self._clients.append(port)
        self.on_client(port)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
