"""The TLS server of the home interface: an aiohttp application behind bounds on everything (han 1).

Connections wait for the handshake, the head of a request, its body and the reading of the answer only so long. When
there are too many, the oldest half-open one goes, or the one whose request has been unfinished longest, so that slow
or silent clients cannot keep others out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from devices.clock import Clock
from devices.errors import BenchError
from devices.protocols import libssl
from firmware.han.alerts import AlertingContext, Farewells
from firmware.han.certificate import HanCertificate
from firmware.han.disturbance import BUSY, DROPPED, SLOW, Disturbance

SUITES: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384"
)
"""What the gateways take (han 1)."""
GROUPS: Final = ("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1", "P-256", "P-384")
"""Curves for the key exchange (han 1), the first that the client has is taken; where `libssl` cannot be reached they
are those of OpenSSL."""
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: whether a certificate has run out is judged by the gateway's own clock."""
MOST_BODY: Final = 65_536
"""Octets of a request's body."""
_CERTIFICATE: Final = web.RequestKey("certificate", object)
_SILENT: Final = logging.getLogger("smgw.han")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a client may have, seconds, octets and pieces.

    Attributes:
        handshake_s: for the TLS handshake.
        farewell_s: to read the alert of a failed one and close.
        head_s: from the first octet of a request to the end of its head.
        body_s: from there to the end of its body.
        request_s: for body and answer.
        drain_s: for the reading of an answer.
        idle_s: between two requests.
        line: octets of the request line and of each header.
        half_open: connections that have not finished the handshake; as many may be reading their alert.
        connections: connections at all.
    """

    handshake_s: float = 10.0
    farewell_s: float = 2.0
    head_s: float = 10.0
    body_s: float = 10.0
    request_s: float = 120.0
    drain_s: float = 30.0
    idle_s: float = 60.0
    line: int = 8190
    half_open: int = 64
    connections: int = 128


def new_application() -> web.Application:
    """An application that takes bodies up to `MOST_BODY` octets."""
    return web.Application(client_max_size=MOST_BODY)


def certificate_of(request: web.Request) -> bytes | None:
    """The certificate of the TLS client, DER; None without one."""
    return request.get(_CERTIFICATE)


def target_of(request: web.Request) -> str:
    """The request target as sent, path and query."""
    return request.raw_path


def from_elsewhere(request: web.Request) -> bool:
    """Whether a browser sends this for a page of another host (W3C Fetch Metadata; RFC 6454); programs tell neither.

    A page that sends no Referer has the origin ``null``, also at its own host.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site not in (None, "same-origin", "none"):
        return True
    if origin is None or (origin == "null" and site is not None):
        return False
    return origin.lower() != f"https://{request.host}".lower()


class HanServer:
    """The server.

    Args:
        clock: of the unit.
        application: what is served.
        certificate: the server's.
        clients: gives the certificates that clients may have, DER.
        curve: the only one for the key exchange, None: `GROUPS`.
        bounds: of everything.
        crashed: told when a handler fails.
        date: gives the value of the header Date.

    Attributes:
        address: host and port at which it listens, None: it does not.
    """

    def __init__(
        self,
        clock: Clock,
        application: web.Application,
        certificate: HanCertificate,
        clients: Callable[[], tuple[bytes, ...]],
        *,
        curve: str | None,
        bounds: Bounds,
        crashed: Callable[[BaseException], None],
        date: Callable[[], str],
    ) -> None:
        self.address: tuple[str, int] | None = None
        self._clock = clock
        self._bounds = bounds
        self._crashed = crashed
        self._date = date
        self._disturbance: Disturbance | None = None
        self._clients = clients
        self._trusted: tuple[bytes, ...] = ()
        self._context = _context(certificate, curve)
        self._half_open: OrderedDict[_Accepted, None] = OrderedDict()
        self._guards: dict[asyncio.BaseTransport, _Guard] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._farewells = Farewells(self.spawn, bounds.farewell_s, bounds.half_open)
        self._server: asyncio.Server | None = None
        application.middlewares.insert(0, self._middleware)
        application.on_response_prepare.append(self._prepare)
        self._runner = web.AppRunner(application, handler_cancellation=True)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises BenchError when the address cannot be had."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Accepted(self), host, port, backlog=256)
        except OSError as error:
            await self._runner.cleanup()
            raise BenchError(f"the home interface cannot listen at {host}:{port}: {error.strerror or error}") from error
        self.address = (host, self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Loss of power, or the end of the interface: all connections are gone at once."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.address = None
        for half in tuple(self._half_open):
            half.abort()
        for guard in tuple(self._guards.values()):
            guard.abort()
        for task in tuple(self._tasks):
            task.cancel()

    def disturb(self, disturbance: Disturbance | None) -> None:
        """Something goes wrong from now on, None: no more."""
        self._disturbance = disturbance
        if disturbance is not None and disturbance.how == DROPPED:
            for guard in tuple(self._guards.values()):
                guard.abort()

    async def close(self) -> None:
        """End what is left behind a cut."""
        self.cut()
        await self._runner.cleanup()

    # --- connections

    def accepted(self, half: _Accepted) -> bool:
        """A client has connected; whether it may go on to the handshake."""
        if self._server is None:
            return False
        if len(self._half_open) >= self._bounds.half_open:
            next(iter(self._half_open)).abort()
        if len(self._guards) + len(self._half_open) >= self._bounds.connections and not self._drop_idle():
            return False
        self._half_open[half] = None
        return True

    def lost(self, half: _Accepted) -> None:
        """It has gone before the end of the handshake, or the handshake is done."""
        self._half_open.pop(half, None)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a handshake, or what follows a failed one."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def secure(self, half: _Accepted, transport: asyncio.Transport) -> None:
        """The handshake, then the connection is the application's."""
        loop = asyncio.get_running_loop()
        self._trust()
        assert self._runner.server is not None
        handler = _Handler(
            self._runner.server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            logger=_SILENT,
            keepalive_timeout=self._bounds.idle_s,
            lingering_time=0,
            max_line_size=self._bounds.line,
            max_field_size=self._bounds.line,
            auto_decompress=False,
        )
        guard = _Guard(self._clock, self._bounds, handler)
        self._farewells.watch(transport)
        try:
            secured = await loop.start_tls(
                transport,
                guard,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._bounds.handshake_s,
                ssl_shutdown_timeout=self._bounds.handshake_s,
            )
        except (TimeoutError, OSError, ssl.SSLError, ConnectionError):
            transport.abort()
            return
        finally:
            self.lost(half)
        if secured is None or self._server is None or self._dropped():
            transport.abort()
            return
        guard.gone = lambda: self._guards.pop(secured, None)
        self._guards[secured] = guard
        guard.connection_made(secured)

    def _drop_idle(self) -> bool:
        """Of connections without a whole request the one that has waited longest goes."""
        idle = [one for one in self._guards.values() if not one.busy]
        if not idle:
            return False
        oldest = min(idle, key=lambda one: one.since_s)
        oldest.gone()  # its place is free at once
        oldest.abort()
        return True

    def _trust(self) -> None:
        """Certificates of users are trusted as they are; a new one is added when the next client comes."""
        wanted = self._clients()
        for der in wanted:
            if der not in self._trusted:
                pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()
                with contextlib.suppress(ssl.SSLError):
                    self._context.load_verify_locations(cadata=pem)
        self._trusted = tuple(dict.fromkeys((*self._trusted, *wanted)))

    # --- requests

    @web.middleware
    async def _middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        guard = self._guards.get(request.transport) if request.transport is not None else None
        if guard is not None:
            guard.begin()
        tls = request.get_extra_info("ssl_object")
        request[_CERTIFICATE] = None if tls is None else tls.getpeercert(True)
        try:
            async with asyncio.timeout(self._bounds.request_s):
                if request.content.is_eof():  # there is nothing to wait for
                    await _take_body(request)
                else:
                    async with asyncio.timeout(self._bounds.body_s):
                        await _take_body(request)
                if guard is not None:
                    guard.whole()
                if self._disturbance is not None:
                    await self._disturbed(self._disturbance)
                return await handler(request)
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except (web.HTTPException, asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:
            self._crashed(error)
            raise web.HTTPInternalServerError from error
        finally:
            if guard is not None:
                guard.end()

    def _dropped(self) -> bool:
        return self._disturbance is not None and self._disturbance.how == DROPPED

    async def _disturbed(self, disturbance: Disturbance) -> None:
        if disturbance.how == BUSY:
            raise web.HTTPInternalServerError
        if disturbance.how == SLOW:
            await self._clock.sleep(disturbance.seconds)

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = self._date()
        if response.headers.get("Server", "").startswith("Python/"):
            del response.headers["Server"]


class _Handler(web.RequestHandler):
    """Says nothing of itself to those who send what is no request."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = web.Response(status=status, text=HTTPStatus(status).phrase, headers={"Server": "SMGW"})
        answer.force_close()
        return answer


class _Accepted(asyncio.Protocol):
    """A connection before its handshake."""

    def __init__(self, server: HanServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.pause_reading()
        if self._server.accepted(self):
            self._server.spawn(self._server.secure(self, transport))
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lost(self)

    def abort(self) -> None:
        """End it."""
        self._server.lost(self)
        if self._transport is not None:
            self._transport.abort()


class _Guard(asyncio.Protocol):
    """Hands a connection on to the application and watches how long its requests take.

    Attributes:
        busy: whether a request is there as a whole and is being answered.
        since_s: when it last changed.
    """

    def __init__(self, clock: Clock, bounds: Bounds, handler: asyncio.Protocol) -> None:
        self.busy = False
        self._begun = False
        self.since_s = clock.seconds()
        self.gone: Callable[[], object] = lambda: None
        self._clock = clock
        self._bounds = bounds
        self._inner = handler
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drain: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._wait(self._bounds.head_s)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._begun and self._timer is None:
            self._wait(self._bounds.head_s)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._transport = None
        self.gone()
        self._inner.connection_lost(exc)

    def begin(self) -> None:
        """The head of a request is there."""
        self._begun, self.since_s = True, self._clock.seconds()
        self._stop()

    def whole(self) -> None:
        """Its body as well."""
        self.busy = True

    def end(self) -> None:
        """The answer is made, and has to be read now."""
        self.busy, self._begun, self.since_s = False, False, self._clock.seconds()
        self._stop()
        if self._transport is not None:
            self._drain = self._clock.call_later(self._bounds.drain_s, self._read)

    def abort(self) -> None:
        """End the connection."""
        self._stop()
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, seconds: float) -> None:
        self._timer = self._clock.call_later(seconds, self.abort)

    def _read(self) -> None:
        self._drain = None
        if self._transport is not None and self._transport.get_write_buffer_size():
            self.abort()

    def _stop(self) -> None:
        for timer in (self._timer, self._drain):
            if timer is not None:
                timer.cancel()
        self._timer = self._drain = None


async def _take_body(request: web.Request) -> None:
    """Take the whole body before the answer, which a challenge needs none of: clients that send it behind the head
    answer the challenge over the same connection, and a body left behind would end that."""
    if request.can_read_body:
        try:
            await request.read()
        except web.RequestPayloadError:
            raise web.HTTPBadRequest from None


def _context(certificate: HanCertificate, curve: str | None) -> ssl.SSLContext:
    context = AlertingContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if curve is not None:
        context.set_ecdh_curve(curve)
    elif libssl.available():
        with contextlib.suppress(libssl.LibsslError):  # one that this OpenSSL does not know
            libssl.set_groups(context, GROUPS)
    with tempfile.TemporaryDirectory(prefix="smgw-han-") as folder:  # the ssl module reads keys from files only
        file = Path(folder, "key.pem")
        file.touch(0o600)
        file.write_bytes(certificate.key_pem + certificate.pem)
        context.load_cert_chain(file)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    return context
