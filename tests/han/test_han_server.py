"""The server of the home interface with bounds on everything, over TLS on loopback, against other people's clients."""

from __future__ import annotations

import asyncio
import contextlib
import random
import select
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from han_conexa_rig import client_certificate

from devices.clock import Clock
from devices.protocols import libssl
from firmware.config import Options
from firmware.han.alerts import MOST_UNREAD, _say
from firmware.han.certificate import HanCertificate, make_han_certificate
from firmware.han.server import MOST_BODY, Bounds, HanServer, certificate_of, new_application, target_of
from firmware.storage.memory import NonVolatileMemory

BOUNDS = Bounds(
    handshake_s=0.5, farewell_s=0.3, head_s=0.5, body_s=0.4, request_s=0.5, drain_s=0.2, half_open=8, connections=12
)


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


# --- alerts


@pytest.mark.parametrize(
    ("options", "alert"),
    [
        (["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], 70),
        (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], 70),
        (["-tls1_3"], 70),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], 40),
        (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], 40),
        (["-tls1_2", "-groups", "X25519"], 40),
    ],
)
async def test_the_command_of_openssl_is_told_why_it_is_refused(served: Served, options: list[str], alert: int) -> None:
    """protocol_version, handshake_failure (RFC 5246, 7.2; of those that han 3.1 lists)."""
    assert served.server.address is not None
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command")
    command = [openssl, "s_client", "-connect", "{}:{}".format(*served.server.address), *options]
    done = await asyncio.to_thread(subprocess.run, command, input=b"", capture_output=True, timeout=20, check=False)
    assert done.returncode != 0
    assert f"SSL alert number {alert}".encode() in done.stderr, done.stderr.decode()


async def refused(served: Served, context: ssl.SSLContext) -> str:
    """What Python's client says; with TLS 1.2 the server judges a certificate within the handshake."""
    assert served.server.address is not None
    with pytest.raises(ssl.SSLError) as told:
        await asyncio.open_connection(*served.server.address, ssl=context)
    return str(told.value.reason)


async def test_python_is_told_why_it_is_refused(served: Served, tmp_path: Path) -> None:
    newer, other, stranger = trusting(served), trusting(served), trusting(served)
    newer.minimum_version = ssl.TLSVersion.TLSv1_3
    other.maximum_version = stranger.maximum_version = ssl.TLSVersion.TLSv1_2
    other.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    der, pem = client_certificate("stranger")
    (tmp_path / "key.pem").write_bytes(pem)
    stranger.load_cert_chain(tmp_path / "key.pem")
    assert await refused(served, newer) == "TLSV1_ALERT_PROTOCOL_VERSION"
    assert await refused(served, other) == "SSLV3_ALERT_HANDSHAKE_FAILURE"
    assert await refused(served, stranger) == "TLSV1_ALERT_UNKNOWN_CA"
    served.clients = (der,)
    _, writer = await asyncio.open_connection(*served.server.address or (), ssl=stranger)
    writer.close()


async def test_a_record_that_was_bent_is_answered_with_an_alert(served: Served) -> None:
    """bad_record_mac, 20."""
    reader, writer = await plain(served)
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(served).wrap_bio(received, sent, server_hostname="127.0.0.1")
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            writer.write(sent.read())
            received.write(await asyncio.wait_for(reader.read(65_536), 5))
    client.write(b"GET / HTTP/1.1\r\n\r\n")
    record = bytearray(sent.read())
    record[-1] ^= 1
    writer.write(record)
    received.write(await asyncio.wait_for(reader.read(65_536), 5))
    with pytest.raises(ssl.SSLError) as told:
        client.read()
    assert told.value.reason == "SSLV3_ALERT_BAD_RECORD_MAC"
    assert await ended(reader)
    writer.close()
    assert served.crashes == []


OLD_HELLO = bytes.fromhex("160301002d0100002903010000") + bytes(30) + bytes.fromhex("000002c0090100")
"""TLS 1.0, one suite."""


async def test_those_who_do_not_close_after_their_alert_are_closed(served: Served) -> None:
    """With `half_open` of them the oldest goes at once, the last after `farewell_s`."""
    assert served.server.address is not None
    begun, many = asyncio.get_running_loop().time(), []
    for _ in range(3 * BOUNDS.half_open):
        reader, writer = await plain(served)
        writer.write(OLD_HELLO)
        assert await asyncio.wait_for(reader.readexactly(7), 5) == bytes.fromhex("15030100020246")
        assert await ended(reader)
        many.append(writer)
    assert len(served.server._farewells._open) == BOUNDS.half_open
    async with ClientSession() as session, session.get(url(served), ssl=trusting(served)) as answer:
        assert answer.status == 200
    while served.server._farewells._open:
        await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - begun < BOUNDS.farewell_s + 5
    assert served.server._tasks == set()
    for writer in many:
        writer.close()


@pytest.mark.timeout(15)
async def test_a_client_that_floods_after_its_alert_is_not_read_for_long_and_others_get_a_turn() -> None:
    ours, client = socket.socketpair()
    ours.setblocking(False)
    client.setblocking(False)
    sent = turns = 0
    loop = asyncio.get_running_loop()

    async def flood() -> None:
        nonlocal sent
        while True:
            sent += client.send(bytes(4096)) if select.select([], [client], [], 0)[1] else 0
            await asyncio.sleep(0)

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    while select.select([], [client], [], 0)[1]:
        sent += client.send(bytes(4096))
    tasks = [loop.create_task(flood()), loop.create_task(other())]
    try:
        async with asyncio.timeout(10):
            await _say(ours, b"alert", 0.5)
        for one in tasks:
            one.cancel()
        left = 0
        with contextlib.suppress(BlockingIOError):
            while got := ours.recv(65_536):
                left += len(got)
    finally:
        await asyncio.gather(*tasks, return_exceptions=True)
        ours.close()
        client.close()
    assert sent - left == MOST_UNREAD
    assert turns >= 8


async def test_a_cut_ends_those_who_are_still_reading_their_alert(served: Served) -> None:
    reader, writer = await plain(served)
    writer.write(OLD_HELLO)
    await asyncio.wait_for(reader.readexactly(7), 5)
    await served.server.close()
    await asyncio.sleep(0)
    assert not served.server._farewells._open
    writer.close()


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
