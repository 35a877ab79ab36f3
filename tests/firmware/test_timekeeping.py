"""The time system: NTP checks each with a bad answer, states T0 to T4, both clocks (wan-core 7.5)."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from devices.clock import Clock
from devices.protocols.ntp import Leap, Mode, NtpPacket, to_timestamp
from firmware.ntp_client import Accepted, DateRange, NtpClient, Refused
from firmware.own_clock import OwnClock, RealTimeClock, to_us
from firmware.storage.memory import NonVolatileMemory
from firmware.timekeeping import TimeKeeper, TimeLimits, TimeState

DATES = DateRange(to_us(datetime(2020, 1, 1, tzinfo=UTC)), to_us(datetime(2099, 1, 1, tzinfo=UTC)))
Change = Callable[[NtpPacket], NtpPacket]


class Server(asyncio.DatagramProtocol):
    """A time server that answers as the test wants."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.change: Change = lambda packet: packet
        self.offset = timedelta(0)
        self.delay = 0.0
        self.silent = False
        self.cut = 0
        self.requests: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.requests.append((self.clock.seconds(), data))
        if self.silent:
            return
        stamp = to_timestamp(self.clock.now() + self.offset)
        request = NtpPacket.from_bytes(data)
        answer = NtpPacket(
            mode=Mode.SERVER, stratum=2, origin=request.transmit, receive=stamp, transmit=stamp, reference=stamp
        )
        octets = self.change(answer).to_bytes()
        octets = octets[: len(octets) - self.cut]
        self.clock.call_later(self.delay, self.transport.sendto, octets, addr)


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[Server]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Server(clock), local_addr=("127.0.0.1", 0))
    yield protocol
    transport.close()
    await asyncio.sleep(0)


def _address(server: Server) -> tuple[str, int]:
    host, port = server.transport.get_extra_info("sockname")
    return host, port


def _client(clock: Clock, own: OwnClock, server: Server) -> NtpClient:
    return NtpClient(clock, own, _address(server), random.Random(1), DATES, 10.0)


async def test_the_request_is_48_octets_mode_3_version_4_and_mostly_zero(clock: Clock, server: Server) -> None:
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    await _client(clock, own, server).ask(synced=False)
    request = server.requests[0][1]
    assert len(request) == 48
    assert request[0] == 0x23
    assert not any(request[1:40])


async def test_a_good_answer_gives_the_offset(clock: Clock, server: Server) -> None:
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    server.offset = timedelta(seconds=3.5)
    server.delay = 0.4
    answer = await _client(clock, own, server).ask(synced=True)
    assert isinstance(answer, Accepted)
    assert abs(answer.offset_us - 3_300_000) < 5
    assert answer.stratum == 2


BAD: dict[str, tuple[str, Change]] = {
    "origin": ("origin", lambda packet: replace(packet, origin=packet.origin ^ 1)),
    "transmit before the declared dates": (
        "date_range",
        lambda packet: replace(packet, transmit=to_timestamp(datetime(2019, 12, 31, tzinfo=UTC))),
    ),
    "transmit behind the declared dates": (
        "date_range",
        lambda packet: replace(packet, transmit=to_timestamp(datetime(2103, 1, 1, tzinfo=UTC))),
    ),
    "leap 3": ("unsynchronised", lambda packet: replace(packet, leap=Leap.UNSYNCHRONISED)),
    "stratum 16": ("unsynchronised", lambda packet: replace(packet, stratum=16)),
    "stratum 0": ("unsynchronised", lambda packet: replace(packet, stratum=0)),
    "version 3": ("version", lambda packet: replace(packet, version=3)),
    "mode 3": ("mode", lambda packet: replace(packet, mode=Mode.CLIENT)),
    "mode 5": ("mode", lambda packet: replace(packet, mode=Mode.BROADCAST)),
    "transmit zero": ("unsynchronised", lambda packet: replace(packet, transmit=0)),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_answer_is_ignored(clock: Clock, server: Server, name: str) -> None:
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    reason, server.change = BAD[name]
    answer = await _client(clock, own, server).ask(synced=False)
    assert answer == Refused(reason)


async def test_an_answer_after_more_than_9_s_is_ignored(clock: Clock, server: Server) -> None:
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    server.delay = 9.5
    assert await _client(clock, own, server).ask(synced=False) == Refused("round_trip")
    server.delay = 8.5
    assert isinstance(await _client(clock, own, server).ask(synced=False), Accepted)


async def test_octets_that_are_no_packet_are_ignored(clock: Clock, server: Server) -> None:
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    server.cut = 1
    assert await _client(clock, own, server).ask(synced=False) == Refused("malformed")


async def test_a_synchronised_clock_does_not_jump_more_than_1000_s(clock: Clock, server: Server) -> None:
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    server.offset = timedelta(seconds=1001)
    assert await _client(clock, own, server).ask(synced=True) == Refused("jump")
    assert isinstance(await _client(clock, own, server).ask(synced=False), Accepted)


async def test_no_server_is_no_answer(clock: Clock, server: Server) -> None:
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    server.silent = True
    assert await _client(clock, own, server).ask(synced=False) == Refused("no_answer")
    assert clock.seconds() == pytest.approx(10.0)


class Told:
    """Listener that notes what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.causes: set[str] = set()
        self.synced_at: int | None = None

    def event(self, event: str, /, **parameters: object) -> None:
        self.events.append(event)

    def cause(self, name: str, /, *, via: str = "runtime", **parameters: object) -> None:
        self.causes.add(name)

    def cleared(self, name: str, /) -> None:
        self.causes.discard(name)

    def synchronised(self, at_us: int) -> None:
        self.synced_at = at_us

    def doubted(self, told: Mapping[str, object]) -> None:
        self.events.append("doubted")


class Bench:
    """A time system on its own."""

    def __init__(self, clock: Clock, server: Server, *, rtc_alive: bool = True, ppm: float = 0.0) -> None:
        self.memory = NonVolatileMemory()
        self.own = OwnClock(clock, ppm, to_us(clock.now()))
        self.told = Told()
        limits = TimeLimits(36 * 3600.0, 4 * 3600.0, 27.0, 3600.0, 60.0)
        rtc = RealTimeClock(clock, self.memory, ppm, 48 * 3600.0)
        client = _client(clock, self.own, server)
        self.keeper = TimeKeeper(clock, self.own, rtc, limits, client, self.told, None)
        self.keeper.start(rtc_alive=rtc_alive)
        self.task = asyncio.get_running_loop().create_task(self.keeper.run())

    async def close(self) -> None:
        self.task.cancel()
        self.keeper.stop()
        await asyncio.sleep(0)
        self.memory.close()


async def test_from_the_buffered_clock_to_synchronised(clock: Clock, server: Server) -> None:
    bench = Bench(clock, server)
    assert bench.keeper.state is TimeState.FROM_RTC
    await clock.sleep(1)
    assert bench.keeper.state is TimeState.SYNCED
    assert bench.told.events == ["time_from_rtc", "time_synchronised"]
    await bench.close()


async def test_t0_ends_with_the_first_authentic_stamp(clock: Clock, server: Server) -> None:
    server.offset = timedelta(days=400)
    bench = Bench(clock, server, rtc_alive=False)
    assert bench.keeper.state is TimeState.UNKNOWN
    assert bench.told.causes == {"clock_reserve_exhausted"}
    await clock.sleep(1)
    assert bench.keeper.state is TimeState.SYNCED
    assert bench.told.causes == set()
    assert abs(bench.own.now() - clock.now() - timedelta(days=400)) < timedelta(milliseconds=1)
    await bench.close()


async def test_without_server_holdover_then_invalid_after_36_h_then_back(clock: Clock, server: Server) -> None:
    bench = Bench(clock, server)
    await clock.sleep(1)
    server.silent = True
    await clock.sleep(4 * 3600)
    assert bench.keeper.state is TimeState.HOLDOVER
    await clock.sleep(31.9 * 3600)
    assert bench.keeper.state is TimeState.HOLDOVER
    assert bench.told.causes == set()
    await clock.sleep(0.2 * 3600)
    assert bench.keeper.state is TimeState.INVALID
    assert bench.told.causes == {"sync_interval_exceeded"}
    server.silent = False
    await clock.sleep(120)
    assert bench.keeper.state is TimeState.SYNCED
    assert bench.told.causes == set()
    assert bench.told.events.count("time_server_silent") == 1
    await bench.close()


@pytest.mark.parametrize(("offset_s", "valid"), [(26.5, True), (-26.5, True), (27.5, False), (-27.5, False)])
async def test_the_3_percent_rule(clock: Clock, server: Server, offset_s: float, valid: bool) -> None:
    bench = Bench(clock, server)
    await clock.sleep(1)
    server.offset = timedelta(seconds=offset_s)
    await clock.sleep(3600)
    assert bench.keeper.valid is valid
    assert (bench.told.causes == {"deviation_exceeded"}) is not valid
    await clock.sleep(61)
    assert bench.keeper.valid  # the next answer agrees with the clock that was set
    assert bench.told.causes == set()
    await bench.close()


async def test_at_most_one_request_per_minute(clock: Clock, server: Server) -> None:
    bench = Bench(clock, server)
    server.silent = True
    await clock.sleep(3600)
    times = [t for t, _ in server.requests]
    assert 40 < len(times) <= 61
    assert min(b - a for a, b in itertools.pairwise(times)) >= 60.0
    await bench.close()


async def test_a_fast_oscillator_is_put_right_at_each_synchronisation(clock: Clock, server: Server) -> None:
    bench = Bench(clock, server, ppm=50.0)
    await clock.sleep(3 * 3600 + 1)
    assert abs((bench.own.now() - clock.now()).total_seconds()) < 0.001
    await clock.sleep(3590)
    assert (bench.own.now() - clock.now()).total_seconds() == pytest.approx(3590 * 50e-6, rel=0.01)
    await bench.close()


async def test_the_buffered_clock_keeps_time_within_its_reserve(clock: Clock) -> None:
    memory = NonVolatileMemory()
    rtc = RealTimeClock(clock, memory, 0.0, 48 * 3600.0)
    rtc.mains_lost()
    await clock.sleep(47 * 3600)
    lost_at, alive = rtc.mains_back()
    assert alive
    assert lost_at == to_us(clock.start)
    assert rtc.read() == to_us(clock.now())
    rtc.mains_lost()
    await clock.sleep(49 * 3600)
    assert rtc.mains_back()[1] is False
    assert rtc.read() is None
    memory.close()
