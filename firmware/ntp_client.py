"""NTP client of the gateway, with the checks that decide whether an answer is believed (wan-core 7.5)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from devices.clock import Clock
from devices.protocols.ntp import Leap, Mode, NtpError, NtpPacket, from_timestamp
from firmware.own_clock import OwnClock, to_us

LONGEST_ROUND_TRIP_S = 9.0
"""An answer that took longer is ignored (wan-core 7.5)."""
LARGEST_JUMP_S = 1000.0
"""A synchronised clock does not follow a jump larger than this (wan-core 7.5)."""
STRATA = range(1, 16)
"""Strata of synchronised servers; 0 tells to stay away, 16 that the time is not known (RFC 5905, 7.3)."""


@dataclass(frozen=True)
class Accepted:
    """A good answer.

    Attributes:
        offset_us: what the own clock has to be advanced by, microseconds.
        round_trip_s: time from request to answer less the server's own, seconds.
        stratum: that the server claims.
    """

    offset_us: int
    round_trip_s: float
    stratum: int


@dataclass(frozen=True)
class Refused:
    """No answer that could be used.

    Attributes:
        reason: name of the check that failed, or ``no_answer``.
    """

    reason: str


@dataclass(frozen=True)
class DateRange:
    """What is believed at all, microseconds since 1970."""

    earliest_us: int
    latest_us: int


class _Answers(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue(maxsize=16)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.arrived.full():
            self.arrived.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at the far end: the same as silence."""


@dataclass(frozen=True)
class TimeSource:
    """A time server.

    Attributes:
        address: host and UDP port.
        profile: name of the communication profile that names it.
    """

    address: tuple[str, int]
    profile: str = "NTP"


class NtpClient:
    """Asks one time server at a time, after a bad answer the next of them (assumed).

    Args:
        clock: true time, for patience.
        own: the gateway's clock, which time stamps.
        server: host and UDP port of the first one, None: there is none yet.
        rng: makes the transmit time stamp of the request, which tells nothing (random is allowed).
        dates: declared range of believable dates.
        wait_s: longest wait for an answer, in seconds.

    Attributes:
        sources: the time servers, in the order in which they are tried.
        asked: the one that was asked last, None: none was.
    """

    def __init__(
        self,
        clock: Clock,
        own: OwnClock,
        server: tuple[str, int] | None,
        rng: random.Random,
        dates: DateRange,
        wait_s: float,
    ) -> None:
        self._clock = clock
        self._own = own
        self.sources: tuple[TimeSource, ...] = () if server is None else (TimeSource(server),)
        self.asked: TimeSource | None = None
        self._failed: TimeSource | None = None
        self._rng = rng
        self._dates = dates
        self._wait_s = wait_s

    async def ask(self, *, synced: bool) -> Accepted | Refused:
        """One request; waits for a good answer until patience ends.

        Args:
            synced: whether the clock is synchronised, so that a large jump is suspicious.

        Returns:
            The first good answer, else why the last one was refused.
        """
        source = self.asked = self._next()
        result = Refused("no_server") if source is None else await self._exchange(source.address, synced=synced)
        self._failed = source if isinstance(result, Refused) else None
        return result

    def _next(self) -> TimeSource | None:
        """The one that was asked last, unless it failed; then the one behind it."""
        if not self.sources:
            return None
        if self._failed in self.sources:
            return self.sources[(self.sources.index(self._failed) + 1) % len(self.sources)]
        return self.asked if self.asked in self.sources else self.sources[0]

    async def _exchange(self, server: tuple[str, int], *, synced: bool) -> Accepted | Refused:
        loop = asyncio.get_running_loop()
        try:
            transport, answers = await loop.create_datagram_endpoint(_Answers, remote_addr=server)
        except OSError:
            return Refused("no_answer")
        try:
            nonce = self._rng.getrandbits(64) or 1
            sent_s, sent_us = self._clock.seconds(), self._own.now_us()
            transport.sendto(NtpPacket(transmit=nonce).to_bytes())
            refused = Refused("no_answer")
            try:
                async with asyncio.timeout(self._wait_s):
                    while True:
                        data = await answers.arrived.get()
                        took_s = (self._clock.seconds() - sent_s) * self._own.rate
                        result = self._judge(data, nonce, sent_us, took_s, synced=synced)
                        if isinstance(result, Accepted):
                            return result
                        refused = result
            except TimeoutError:
                return refused
        finally:
            transport.abort()

    def _judge(self, data: bytes, nonce: int, sent_us: int, took_s: float, *, synced: bool) -> Accepted | Refused:
        try:
            packet = NtpPacket.from_bytes(data)
        except NtpError:
            return Refused("malformed")
        received, transmitted = from_timestamp(packet.receive), from_timestamp(packet.transmit)
        if received is None or transmitted is None:
            return Refused("unsynchronised")
        received_us, transmitted_us = to_us(received), to_us(transmitted)
        arrived_us = sent_us + round(took_s * 1e6)
        offset_us = ((received_us - sent_us) + (transmitted_us - arrived_us)) // 2
        checks = (
            ("round_trip", took_s > LONGEST_ROUND_TRIP_S),
            ("origin", packet.origin != nonce),
            ("mode", packet.mode is not Mode.SERVER),
            ("version", packet.version < 4),
            ("unsynchronised", packet.leap is Leap.UNSYNCHRONISED or packet.stratum not in STRATA),
            ("date_range", not self._dates.earliest_us <= transmitted_us <= self._dates.latest_us),
            ("jump", synced and abs(offset_us) > LARGEST_JUMP_S * 1e6),
        )
        for name, failed in checks:
            if failed:
                return Refused(name)
        return Accepted(offset_us, took_s - (transmitted_us - received_us) / 1e6, packet.stratum)
