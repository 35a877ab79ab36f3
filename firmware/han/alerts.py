"""What TLS says last gets to the client: the alert of a handshake or record that fails (RFC 5246, 7.2).

asyncio ends such a connection without sending what OpenSSL has written, and at once. Here the alert is sent over a
second handle of the socket; then the client may take it and close, within bounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
_FAILED: Final[ContextVar[Callable[[bytes], None]]] = ContextVar("failed")
"""Of the connection whose TLS begins in this task."""
_AGAIN: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLSyscallError)
"""No failures: asyncio calls again."""
MOST_UNREAD: Final = 131_072
"""Octets that a client may still send while it takes its alert; with more its connection is reset."""
_PIECE: Final = 8192


class AlertingContext(ssl.SSLContext):
    """A context whose connections hand over what they had still to send when TLS fails."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """One connection, of the task that called `Farewells.watch`."""
        self.sslobject_class = _End
        made = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        assert isinstance(made, _End)
        made.outgoing, made.failed = outgoing, _FAILED.get(lambda octets: None)
        return made


class _End(ssl.SSLObject):
    outgoing: ssl.MemoryBIO
    failed: Callable[[bytes], None]

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except _AGAIN:
            raise
        except ssl.SSLError:
            self.failed(self.outgoing.read())
            raise

    def read(self, *wanted: Any, **named: Any) -> Any:
        try:
            return super().read(*wanted, **named)
        except _AGAIN:
            raise
        except ssl.SSLError:
            self.failed(self.outgoing.read())
            raise


class Farewells:
    """The last words of a server's connections.

    Args:
        spawn: starts what ends with the server.
        within_s: how long a client may take to hear and close.
        most: connections that are left at a time; the oldest goes.
    """

    def __init__(self, spawn: Spawn, within_s: float, most: int) -> None:
        self._spawn = spawn
        self._within_s = within_s
        self._most = most
        self._open: OrderedDict[asyncio.Task[None], None] = OrderedDict()

    def watch(self, transport: asyncio.Transport) -> None:
        """TLS begins on this transport, in the present task."""
        _FAILED.set(lambda octets: self._part(transport, octets))

    def _part(self, transport: asyncio.Transport, octets: bytes) -> None:
        """A client that has not even read what was sent before hears nothing."""
        if not octets or transport.get_write_buffer_size():
            return
        while len(self._open) >= self._most:
            self._open.popitem(last=False)[0].cancel()
        try:
            handle = transport.get_extra_info("socket").dup()
        except OSError:
            return
        task = self._spawn(_say(handle, octets, self._within_s))
        self._open[task] = None
        task.add_done_callback(lambda done: self._closed(done, handle))

    def _closed(self, task: asyncio.Task[None], handle: socket.socket) -> None:
        self._open.pop(task, None)
        handle.close()


async def _say(handle: socket.socket, octets: bytes, within_s: float) -> None:
    """Closed with octets unread, a connection is reset, and a client may lose the alert that it had not yet read."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(within_s):
            await loop.sock_sendall(handle, octets)
            handle.shutdown(socket.SHUT_WR)
            left = MOST_UNREAD
            while left > 0 and (got := await loop.sock_recv(handle, min(left, _PIECE))):
                left -= len(got)
                await asyncio.sleep(0)  # sock_recv gives nobody a turn while octets are there
