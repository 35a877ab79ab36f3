"""The time server keeps to wan-core 7.5, and goes wrong in every way that a client must notice."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from devices.backoffice.time_server import TimeRequest, TimeServer
from devices.clock import Clock
from devices.errors import BenchError
from devices.protocols.ntp import Leap, Mode, NtpPacket, from_timestamp, to_timestamp

REQUEST = NtpPacket(transmit=0x0123456789ABCDEF)


class Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.append(data)


@asynccontextmanager
async def asking(clock: Clock, server: TimeServer) -> AsyncIterator[Callable[..., object]]:
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(Client, remote_addr=server.address)

    async def ask(octets: bytes = REQUEST.to_bytes(), within: float = 0.1) -> NtpPacket | None:
        client.answers.clear()
        transport.sendto(octets)
        deadline = clock.deadline(within)
        while not client.answers and not deadline.passed:
            await clock.sleep(0.001)
        return NtpPacket.from_bytes(client.answers[0]) if client.answers else None

    try:
        yield ask
    finally:
        transport.close()
        await clock.sleep(0)


async def test_a_synchronised_server_answers_with_true_time(clock: Clock) -> None:
    async with TimeServer(clock) as server, asking(clock, server) as ask:
        await clock.sleep(100.25)
        answer = await ask()
        assert (answer.leap, answer.version, answer.mode, answer.stratum) == (Leap.NONE, 4, Mode.SERVER, 2)
        assert answer.origin == REQUEST.transmit
        assert from_timestamp(answer.receive) == clock.start + timedelta(seconds=100.25)
        assert from_timestamp(answer.transmit) == from_timestamp(answer.receive)
        assert answer.reference <= answer.receive


async def test_what_is_no_request_of_version_4_is_ignored_and_counted(clock: Clock) -> None:
    """Length other than 48, mode other than 3, version other than 4 (wan-core 7.5)."""
    seen: list[TimeRequest] = []
    async with TimeServer(clock, on_request=seen.append) as server, asking(clock, server) as ask:
        for octets in (
            b"?",
            REQUEST.to_bytes()[:47],
            REQUEST.to_bytes() + bytes(20),
            replace(REQUEST, mode=Mode.SERVER).to_bytes(),
            replace(REQUEST, version=3).to_bytes(),
        ):
            assert await ask(octets) is None
        assert await ask() is not None
        assert (server.requests, server.answered) == (6, 1)
    assert [one.answered for one in seen] == [False] * 5 + [True]
    assert [one.reason for one in seen[1:5]] == [
        "47 octets instead of 48",
        "68 octets instead of 48",
        "mode 4 instead of 3",
        "version 3 instead of 4",
    ]
    assert {one.host for one in seen} == {"127.0.0.1"}


async def test_an_unsynchronised_server_says_leap_3(clock: Clock) -> None:
    async with TimeServer(clock) as server, asking(clock, server) as ask:
        server.synchronised = False
        answer = await ask()
        assert (answer.leap, answer.stratum, answer.reference) == (Leap.UNSYNCHRONISED, 16, 0)
        server.synchronised = True
        server.stratum, server.leap = 3, Leap.INSERT
        answer = await ask()
        assert (answer.leap, answer.stratum) == (Leap.INSERT, 3)


async def test_the_server_can_be_made_wrong_in_every_way_that_a_client_must_notice(clock: Clock) -> None:
    async with TimeServer(clock) as server, asking(clock, server) as ask:
        server.answering = False
        assert await ask() is None
        server.answering = True
        server.offset = timedelta(seconds=-1001)
        answer = await ask()
        assert from_timestamp(answer.transmit) == clock.now() - timedelta(seconds=1001) - timedelta(milliseconds=1)
        server.offset = timedelta(0)
        server.origin_as_asked = False
        assert (await ask()).origin != REQUEST.transmit
        server.origin_as_asked, server.version, server.mode = True, 3, Mode.BROADCAST
        answer = await ask()
        assert (answer.version, answer.mode) == (3, Mode.BROADCAST)
        server.answer_after_s = 10
        begin = clock.seconds()
        answer = await ask(within=20)
        assert clock.seconds() - begin == pytest.approx(10, abs=0.01)
        assert answer.transmit - answer.receive == pytest.approx(10 << 32, abs=1 << 24)


async def test_time_stamps_have_the_granularity_asked_for(clock: Clock) -> None:
    async with TimeServer(clock) as server, asking(clock, server) as ask:
        server.granularity = timedelta(seconds=0.5)
        await clock.sleep(7.8)
        answer = await ask()
        assert answer.precision == -1
        assert answer.transmit == to_timestamp(clock.start + timedelta(seconds=7.5))


async def test_a_taken_port_is_a_clear_error(clock: Clock) -> None:
    async with TimeServer(clock) as server:
        with pytest.raises(BenchError, match=f"UDP 127.0.0.1:{server.port}: address already in use"):
            await TimeServer(clock, port=server.port).open()
    await server.close()


@pytest.mark.skipif(shutil.which("ntpdig") is None, reason="ntpdig is not installed: server not tried with it")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_an_independent_client_takes_the_offset_from_it() -> None:
    """ntpdig of NTPsec asks port 123 only, and prints the offset that it computed."""
    clock = Clock(asyncio.get_running_loop())
    server = TimeServer(clock, "127.0.0.123", 123)
    try:
        await server.open()
    except BenchError as error:
        pytest.skip(f"server not tried with ntpdig: {error}")
    async with server:
        server.offset = timedelta(seconds=12.5)
        program = await asyncio.create_subprocess_exec(
            "ntpdig", "-j", "-t", "2", server.host, stdout=asyncio.subprocess.PIPE
        )
        answer = json.loads((await asyncio.wait_for(program.communicate(), 20))[0])
    assert answer["offset"] == pytest.approx(12.5, abs=0.2)
    assert (answer["stratum"], answer["leap"]) == (2, "no-leap")
