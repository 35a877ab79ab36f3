"""The time server of the back office: NTP version 4 over UDP, as right or wrong as wanted (wan-core 7.5)."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from devices.clock import Clock
from devices.errors import BenchError
from devices.protocols.ntp import PACKET_OCTETS, Leap, Mode, NtpError, NtpPacket, to_timestamp

_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_UPSTREAM_SPAN = timedelta(seconds=64)
"""How often the server itself was last set, for the reference time stamp (assumed)."""


@dataclass(frozen=True, slots=True)
class TimeRequest:
    """A datagram came in.

    Attributes:
        t: ``clock.seconds()``.
        host: address that it came from.
        answered: whether an answer goes out.
        reason: why not, in words; empty when answered.
        octets: length of the datagram.
    """

    t: float
    host: str
    answered: bool
    reason: str
    octets: int


class TimeServer:
    """Answers NTP clients; use as an asynchronous context manager. All attributes may be changed while it runs.

    Attributes:
        host: address listened on.
        port: UDP port; with 0 asked for, the one that the system gave.
        offset: how far its time is ahead of true time.
        answering: False: requests are counted and nothing goes out.
        synchronised: False: answers say that the time is not known (leap 3, stratum 16, wan-core 7.5).
        stratum: of a synchronised server: upstream + 1 (assumed upstream: stratum 1).
        leap: leap second warning of a synchronised server; UNSYNCHRONISED makes it say so with any stratum.
        granularity: resolution of its time stamps, 0.5 s or finer on a proper server.
        answer_after_s: seconds between request and answer; a client must ignore what comes after 9 s.
        origin_as_asked: False: answers carry a wrong origin and must be ignored.
        version: in answers; below 4 must be ignored.
        mode: in answers; anything but SERVER must be ignored.
        requests: datagrams received so far.
        answered: answers sent so far.
        on_request: called for every datagram (timeline).
    """

    def __init__(
        self,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        on_request: Callable[[TimeRequest], None] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.offset = timedelta(0)
        self.answering = True
        self.synchronised = True
        self.stratum = 2
        self.leap = Leap.NONE
        self.granularity = timedelta(microseconds=1)
        self.answer_after_s = 0.0
        self.origin_as_asked = True
        self.version = 4
        self.mode = Mode.SERVER
        self.requests = 0
        self.answered = 0
        self.on_request = on_request
        self._clock = clock
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for the gateway's configuration."""
        return self.host, self.port

    def time(self) -> datetime:
        """What this server takes for the time, in UTC, cut to its granularity."""
        ahead = self._clock.now() + self.offset - _EPOCH
        return _EPOCH + ahead // self.granularity * self.granularity

    async def open(self) -> None:
        """Start to answer; does nothing when it does already. Raises BenchError when the port is taken."""
        if self._transport is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._received), local_addr=(self.host, self.port)
            )
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise BenchError(f"time server: cannot listen on UDP {self.host}:{self.port}: {reason}") from error
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    async def close(self) -> None:
        """Stop; may be called twice."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
            await self._clock.sleep(0)  # the socket is let go in the next turn of the loop

    async def __aenter__(self) -> TimeServer:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _received(self, data: bytes, client: tuple[str, int]) -> None:
        self.requests += 1
        try:
            request, reason = _request(data)
        except NtpError as error:
            request, reason = None, str(error)
        if request is not None and not self.answering:
            request, reason = None, "the server was told not to answer"
        if self.on_request is not None:
            self.on_request(TimeRequest(self._clock.seconds(), client[0], request is not None, reason, len(data)))
        if request is None:
            return
        answer = self._answer(request)
        if self.answer_after_s > 0:
            self._clock.call_later(self.answer_after_s, self._send, answer, client)
        else:
            self._send(answer, client)

    def _answer(self, request: NtpPacket) -> NtpPacket:
        now = self.time()
        synchronised = self.synchronised and self.leap is not Leap.UNSYNCHRONISED
        last_set = _EPOCH + (now - _EPOCH) // _UPSTREAM_SPAN * _UPSTREAM_SPAN
        origin = request.transmit if self.origin_as_asked else request.transmit ^ 0xFFFF
        return NtpPacket(
            leap=self.leap if self.synchronised else Leap.UNSYNCHRONISED,
            version=self.version,
            mode=self.mode,
            stratum=self.stratum if self.synchronised else 16,
            poll=request.poll,
            precision=math.ceil(math.log2(self.granularity.total_seconds())),
            root_dispersion=1 if synchronised else 1 << 16,
            reference_id=bytes((127, 0, 0, 1)) if synchronised else b"INIT",
            reference=to_timestamp(last_set) if synchronised else 0,
            origin=origin,
            receive=to_timestamp(now),
        )

    def _send(self, answer: NtpPacket, client: tuple[str, int]) -> None:
        if self._transport is None:
            return
        self.answered += 1
        self._transport.sendto(replace(answer, transmit=to_timestamp(self.time())).to_bytes(), client)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._received(data, addr)


def _request(data: bytes) -> tuple[NtpPacket | None, str]:
    """What a server must look at: 48 octets, mode 3, version 4 (wan-core 7.5)."""
    if len(data) != PACKET_OCTETS:
        return None, f"{len(data)} octets instead of {PACKET_OCTETS}"
    packet = NtpPacket.from_bytes(data)
    if packet.mode is not Mode.CLIENT:
        return None, f"mode {packet.mode} instead of {Mode.CLIENT}"
    if packet.version != 4:
        return None, f"version {packet.version} instead of 4"
    return packet, ""
