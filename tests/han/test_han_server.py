"""The server of the home interface with bounds on everything, over TLS on loopback, against other people's clients."""

from __future__ import annotations

import asyncio
import random
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession, web

from devices.clock import Clock
from devices.protocols import libssl
from firmware.config import Options
from firmware.han.certificate import HanCertificate, make_han_certificate
from firmware.han.server import MOST_BODY, Bounds, HanServer, certificate_of, new_application, target_of
from firmware.storage.memory import NonVolatileMemory

BOUNDS = Bounds(handshake_s=0.5, head_s=0.5, body_s=0.4, request_s=0.5, drain_s=0.2, half_open=8, connections=12)


def certificate() -> HanCertificate:
    memory = NonVolatileMemory()
    now = datetime.now(UTC)
    return make_han_certificate(memory, random.Random(1), "casa", "1EMH0012345678", "127.0.0.1", Options(), now)


class Served:
    """A server with its faults."""

    def __init__(self) -> None:
        self.crashes: list[BaseException] = []
        self.clients: tuple[bytes, ...] = ()
        application = new_application()
        application.router.add_get("/", self._hello)
        application.router.add_post("/", self._echo)
        application.router.add_post("/refuses", self._refuse)
        application.router.add_get("/fails", self._fail)
        application.router.add_get("/sleeps", self._sleep)
        application.router.add_get("/who", self._who)
        self.certificate = certificate()
        self.server = HanServer(
            Clock(asyncio.get_running_loop()),
            application,
            self.certificate,
            lambda: self.clients,
            curve=None,
            bounds=BOUNDS,
            crashed=self.crashes.append,
            date=lambda: "Mon, 05 Jan 2026 00:00:00 GMT",
        )

    async def _hello(self, request: web.Request) -> web.Response:
        return web.Response(text=f"hello {target_of(request)}")

    async def _echo(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def _refuse(self, request: web.Request) -> web.Response:
        return web.Response(status=401, text="who are you")

    async def _fail(self, request: web.Request) -> web.Response:
        raise KeyError("a bug")

    async def _sleep(self, request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async def _who(self, request: web.Request) -> web.Response:
        return web.Response(text=str(certificate_of(request) is not None))


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    one = Served()
    await one.server.start("127.0.0.1", 0)
    yield one
    await one.server.close()


def trusting(served: Served) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=served.certificate.pem.decode())
    context.check_hostname = True
    return context


def url(served: Served, path: str = "/") -> str:
    assert served.server.address is not None
    return f"https://127.0.0.1:{served.server.address[1]}{path}"


async def test_answers_a_client_that_checks_name_and_certificate(served: Served) -> None:
    async with ClientSession() as session, session.get(url(served, "/?a=%20b"), ssl=trusting(served)) as answer:
        assert answer.status == 200
        assert await answer.text() == "hello /?a=%20b"
        assert answer.headers["Date"] == "Mon, 05 Jan 2026 00:00:00 GMT"
        assert "Server" not in answer.headers
        assert served.crashes == []


async def test_a_failing_handler_gives_500_without_details_and_is_told(served: Served) -> None:
    async with ClientSession() as session, session.get(url(served, "/fails"), ssl=trusting(served)) as answer:
        assert answer.status == 500
        assert "bug" not in await answer.text()
    assert [type(one) for one in served.crashes] == [KeyError]


async def test_a_body_that_is_too_long_is_refused(served: Served) -> None:
    async with ClientSession() as session:
        async with session.post(url(served), data=b"x" * MOST_BODY, ssl=trusting(served)) as answer:
            assert (answer.status, await answer.text()) == (200, str(MOST_BODY))
        async with session.post(url(served), data=b"x" * (MOST_BODY + 1), ssl=trusting(served)) as answer:
            assert answer.status == 413


async def test_a_body_that_comes_behind_its_head_and_is_not_needed_leaves_the_connection_open(served: Served) -> None:
    """Programs send a body behind the head and answer the 401 over the same connection (han 3.3, httpx)."""
    reader, writer = await secured(served)
    for _ in range(3):
        writer.write(b"POST /refuses HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"some body")
        assert (await asyncio.wait_for(reader.readuntil(b"who are you"), 5)).startswith(b"HTTP/1.1 401")
    writer.close()


async def test_a_body_that_is_broken_is_refused(served: Served) -> None:
    reader, writer = await secured(served)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody")
    await asyncio.sleep(0.05)
    writer.write(b"\r\nno length\r\n")
    assert (await asyncio.wait_for(reader.read(1000), 5)).split(b" ", 2)[1] in (b"400", b"408")
    writer.close()
    assert served.crashes == []


async def test_a_client_that_leaves_within_its_body_leaves_nothing_behind(served: Served) -> None:
    """Programs break off when what they declared as the length of a body is not that (KL with a newer httpx)."""
    troubles: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(str(context)))
    _, writer = await secured(served)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\n22 octets")
    await asyncio.sleep(0.1)
    writer.transport.abort()
    await asyncio.sleep(BOUNDS.drain_s + 0.3)
    assert (troubles, served.crashes) == ([], [])


async def test_a_head_that_is_too_long_is_refused(served: Served) -> None:
    long = url(served, "/?" + "a" * 9000)
    async with ClientSession() as session, session.get(long, ssl=trusting(served)) as answer:
        assert answer.status == 400
    assert served.crashes == []


async def test_a_handler_has_its_time(served: Served) -> None:
    async with ClientSession() as session, session.get(url(served, "/sleeps"), ssl=trusting(served)) as answer:
        assert answer.status == 408


async def plain(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert served.server.address is not None
    return await asyncio.open_connection(*served.server.address)


async def secured(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert served.server.address is not None
    return await asyncio.open_connection(*served.server.address, ssl=trusting(served))


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(100), 5) == b""
    except ConnectionError:
        return True


async def test_silent_clients_are_dropped_before_and_after_the_handshake(served: Served) -> None:
    silent, writer = await plain(served)
    slow, slow_writer = await secured(served)
    slow_writer.write(b"GET / HTTP/1.1\r\nHo")
    assert await ended(silent)
    assert await ended(slow)
    writer.close()
    slow_writer.close()


async def test_a_head_that_trickles_in_behind_a_whole_request_is_dropped(served: Served) -> None:
    reader, writer = await secured(served)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readuntil(b"hello /")).startswith(b"HTTP/1.1 200")
    writer.write(b"GET")
    assert await ended(reader)
    writer.close()


async def test_many_half_open_connections_keep_nobody_out(served: Served) -> None:
    half = [await plain(served) for _ in range(200)]
    async with ClientSession() as session, session.get(url(served), ssl=trusting(served)) as answer:
        assert answer.status == 200
    for _, writer in half:
        writer.close()


async def test_many_idle_connections_keep_nobody_out(served: Served) -> None:
    idle = [await secured(served) for _ in range(30)]
    async with ClientSession() as session, session.get(url(served), ssl=trusting(served)) as answer:
        assert answer.status == 200
    for _, writer in idle:
        writer.close()


async def slow_body(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await secured(served)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow")
    return reader, writer


async def test_many_slow_bodies_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are taken before anybody has logged in; here they would last for longer than the test."""
    patient = replace(BOUNDS, body_s=60.0, request_s=60.0)
    monkeypatch.setattr(sys.modules[__name__], "BOUNDS", patient)
    served = Served()
    await served.server.start("127.0.0.1", 0)
    slow = [await slow_body(served) for _ in range(patient.connections + 8)]
    await asyncio.sleep(0.05)
    async with ClientSession() as session, session.get(url(served), ssl=trusting(served)) as answer:
        assert answer.status == 200
    gone = [await ended(reader) for reader, _ in slow[:8]]
    assert all(gone), "the oldest go first"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slow[-1][0].read(1), 0.1)
    for _, writer in slow:
        writer.close()
    await served.server.close()
    assert served.crashes == []


async def test_a_body_that_trickles_in_is_cut_off(served: Served) -> None:
    reader, writer = await slow_body(served)
    answer = await asyncio.wait_for(reader.read(1000), 5)
    assert answer.startswith(b"HTTP/1.1 408")
    assert await ended(reader)
    writer.close()


async def test_requests_that_are_being_answered_are_not_dropped_for_others(served: Served) -> None:
    busy = []
    for _ in range(BOUNDS.connections):
        reader, writer = await secured(served)
        writer.write(b"GET /sleeps HTTP/1.1\r\nHost: x\r\n\r\n")
        busy.append((reader, writer))
    await asyncio.sleep(0.05)
    with pytest.raises((OSError, ssl.SSLError)):
        await secured(served)
    for reader, writer in busy:
        assert (await asyncio.wait_for(reader.read(1000), 5)).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_other_curves_than_those_of_the_sheet_are_not_taken(served: Served) -> None:
    context = trusting(served)
    libssl.set_groups(context, ["X25519"])
    assert served.server.address is not None
    with pytest.raises((OSError, ssl.SSLError)):
        await asyncio.open_connection(*served.server.address, ssl=context)


@pytest.mark.parametrize("curve", ["brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1", "prime256v1"])
async def test_openssl_gets_the_curve_that_it_offers(served: Served, curve: str) -> None:
    """The command of OpenSSL tells which one was taken; the other one is that of the certificate (RFC 8422, 5.1)."""
    assert served.server.address is not None
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command")
    command = [
        openssl, "s_client", "-connect", "{}:{}".format(*served.server.address), "-tls1_2", "-brief",
        "-groups", curve if curve == "prime256v1" else f"{curve}:P-256",
    ]  # fmt: skip
    done = await asyncio.to_thread(subprocess.run, command, input=b"", capture_output=True, timeout=20, check=False)
    told = done.stdout + done.stderr
    assert f"{curve}".encode() in told, told.decode()


async def test_without_libssl_the_curves_are_those_of_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libssl, "_library", lambda: None)
    served = Served()
    await served.server.start("127.0.0.1", 0)
    _, writer = await secured(served)
    writer.close()
    await served.server.close()


async def test_a_cut_ends_all_connections_and_the_address_is_free_again(served: Served) -> None:
    reader, writer = await secured(served)
    assert served.server.address is not None
    port = served.server.address[1]
    await served.server.close()
    assert await ended(reader)
    writer.close()
    again = Served()
    await again.server.start("127.0.0.1", port)
    await again.server.close()


async def test_octets_that_are_no_tls_are_dropped(served: Served) -> None:
    reader, writer = await plain(served)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert not (await asyncio.wait_for(reader.read(100), 5)).startswith(b"HTTP")
    writer.close()
    assert served.crashes == []
