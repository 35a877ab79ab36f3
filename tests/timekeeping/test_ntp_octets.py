"""The NTP client against answers put together octet by octet from RFC 5905, figure 8; our codec has no part in them."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import cast

import pytest

from devices.clock import Clock
from firmware.ntp_client import Accepted, DateRange, NtpClient, Refused
from firmware.own_clock import OwnClock, to_us

DATES = DateRange(to_us(datetime(2020, 1, 1, tzinfo=UTC)), to_us(datetime(2099, 1, 1, tzinfo=UTC)))
SINCE_1900 = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 868)."""
Bend = Callable[[bytearray], bytes | bytearray]


def stamp(unix_s: float) -> bytes:
    """A time stamp: 32 bit seconds since 1900, 32 bit fraction."""
    whole, part = divmod(unix_s, 1)
    return struct.pack(">II", (int(whole) + SINCE_1900) % (1 << 32), int(part * (1 << 32)))


class HandMadeServer(asyncio.DatagramProtocol):
    """Answers with octets; `bend` changes them before they go."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ahead_s = 0.0
        self.bend: Bend = lambda octets: octets
        self.requests: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.requests.append((self.clock.seconds(), data))
        now = stamp(self.clock.now().timestamp() + self.ahead_s)
        answer = bytearray()
        answer += b"\x24"  # leap 0, version 4, mode 4
        answer += b"\x02"  # stratum 2
        answer += b"\x06\xec"  # poll 64 s, precision 2**-20 s
        answer += bytes.fromhex("00000010 00000010 c0000201")  # root delay, root dispersion, upstream 192.0.2.1
        answer += now  # reference
        answer += data[40:48]  # origin: what the request transmitted
        answer += now  # receive
        answer += now  # transmit
        assert len(answer) == 48
        self.transport.sendto(bytes(self.bend(answer)), addr)


@pytest.fixture
async def far_server(clock: Clock) -> AsyncIterator[HandMadeServer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: HandMadeServer(clock), local_addr=("127.0.0.1", 0)
    )
    yield protocol
    transport.close()
    await asyncio.sleep(0)


def client(clock: Clock, server: HandMadeServer, seed: int = 1) -> NtpClient:
    host, port = server.transport.get_extra_info("sockname")
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    return NtpClient(clock, own, (host, port), random.Random(seed), DATES, 10.0)


async def test_the_request_has_48_octets_of_which_only_the_first_and_the_transmit_time_say_something(
    clock: Clock, far_server: HandMadeServer
) -> None:
    await client(clock, far_server, 1).ask(synced=False)
    await client(clock, far_server, 2).ask(synced=False)
    (_, first), (_, second) = far_server.requests
    assert len(first) == len(second) == 48
    assert first[0] == 0b00_100_011  # leap 0, version 4, mode 3
    assert first[1:40] == bytes(39)
    assert first[40:] != bytes(8)
    assert first[40:] != second[40:]


async def test_an_untouched_answer_is_taken(clock: Clock, far_server: HandMadeServer) -> None:
    far_server.ahead_s = 2.5
    answer = await client(clock, far_server).ask(synced=True)
    assert isinstance(answer, Accepted)
    assert abs(answer.offset_us - 2_500_000) <= 2
    assert answer.stratum == 2


def put(place: int, *octets: int) -> Bend:
    """Overwrites octets from `place` on."""

    def bend(answer: bytearray) -> bytearray:
        answer[place : place + len(octets)] = octets
        return answer

    return bend


def flip(place: int, bit: int) -> Bend:
    """Flips one bit."""

    def bend(answer: bytearray) -> bytearray:
        answer[place] ^= 1 << bit
        return answer

    return bend


BENT: dict[str, tuple[str, Bend]] = {
    "leap indicator 3": ("unsynchronised", put(0, 0b11_100_100)),
    "version 3": ("version", put(0, 0b00_011_100)),
    "version 1": ("version", put(0, 0b00_001_100)),
    "mode 3, client": ("mode", put(0, 0b00_100_011)),
    "mode 5, broadcast": ("mode", put(0, 0b00_100_101)),
    "mode 2, symmetric passive": ("mode", put(0, 0b00_100_010)),
    "kiss of death": ("unsynchronised", lambda answer: put(12, *b"RATE")(cast(bytearray, put(1, 0)(answer)))),
    "stratum 16": ("unsynchronised", put(1, 16)),
    "stratum 255": ("unsynchronised", put(1, 255)),
    "origin zero": ("origin", put(24, *bytes(8))),
    "origin off by its last bit": ("origin", flip(31, 0)),
    "origin off by its first bit": ("origin", flip(24, 7)),
    "receive zero": ("unsynchronised", put(32, *bytes(8))),
    "transmit zero": ("unsynchronised", put(40, *bytes(8))),
    "transmit a second before the declared range": ("date_range", put(40, *stamp(1_577_836_799))),
    "transmit a second behind the declared range": ("date_range", put(40, *stamp(4_070_908_801))),
    "one octet": ("malformed", lambda answer: answer[:1]),
    "47 octets": ("malformed", lambda answer: answer[:47]),
}


@pytest.mark.parametrize("name", BENT)
async def test_a_bent_answer_is_ignored(clock: Clock, far_server: HandMadeServer, name: str) -> None:
    reason, far_server.bend = BENT[name]
    assert await client(clock, far_server).ask(synced=False) == Refused(reason)


async def test_behind_a_bent_answer_a_good_one_still_counts(clock: Clock, far_server: HandMadeServer) -> None:
    good = far_server.bend

    def twice(answer: bytearray) -> bytes:
        octets = bytes(good(bytearray(answer)))
        clock.call_later(1.0, far_server.transport.sendto, octets, sender[0])
        return bytes(flip(31, 0)(answer))

    sender: list[object] = []
    received = far_server.datagram_received

    def note(data: bytes, addr: object) -> None:
        sender.append(addr)
        received(data, addr)

    far_server.datagram_received = note  # type: ignore[method-assign]
    far_server.bend = twice
    assert isinstance(await client(clock, far_server).ask(synced=False), Accepted)


@pytest.mark.parametrize(("took_s", "taken"), [(8.9, True), (9.1, False)])
async def test_the_way_may_take_9_s(clock: Clock, far_server: HandMadeServer, took_s: float, taken: bool) -> None:
    host, port = far_server.transport.get_extra_info("sockname")
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    asking = NtpClient(clock, own, (host, port), random.Random(1), DATES, 20.0)
    received = far_server.datagram_received
    far_server.datagram_received = (  # type: ignore[method-assign]
        lambda data, addr: clock.call_later(took_s, received, data, addr)
    )
    answer = await asking.ask(synced=False)
    assert answer == Refused("round_trip") if not taken else isinstance(answer, Accepted)


@pytest.mark.parametrize("ahead_s", [1000.5, -1000.5])
async def test_a_jump_of_more_than_1000_s_is_for_clocks_that_are_not_synchronised(
    clock: Clock, far_server: HandMadeServer, ahead_s: float
) -> None:
    far_server.ahead_s = ahead_s
    assert await client(clock, far_server).ask(synced=True) == Refused("jump")
    answer = await client(clock, far_server).ask(synced=False)
    assert isinstance(answer, Accepted)
    assert abs(answer.offset_us - ahead_s * 1e6) <= 2
    far_server.ahead_s = 999.5 if ahead_s > 0 else -999.5
    assert isinstance(await client(clock, far_server).ask(synced=True), Accepted)
