"""A meter whose answer never becomes whole may not keep the gateway waiting (lmn-wired 3.1)."""

from __future__ import annotations

import random
from typing import cast

import pytest

from devices.clock import Clock
from devices.ports.hdlc_master import LinkTrouble
from devices.protocols.lmn_certificate import make_identity
from devices.protocols.lmn_tls import TlsEnd, TlsSettings
from devices.protocols.sml.messages import CloseRequest, CloseResponse, Message, encode_messages
from devices.protocols.sml.transport import encode_file
from firmware.lmn.links import MeterLink
from firmware.lmn.sessions import TlsSession

ANSWER = encode_file(encode_messages([Message(b"1", 0, 0, CloseResponse())]))
REQUEST = encode_file(encode_messages([Message(b"1", 0, 0, CloseRequest())]))


class Trickle:
    """A link to a meter that gives its answer away octet by octet, one in each `every_s` seconds."""

    up = True

    def __init__(self, clock: Clock, end: TlsEnd, answer: bytes, every_s: float) -> None:
        self.given = 0
        self._clock, self._end, self._answer, self._every_s = clock, end, answer, every_s

    async def ask(self, message: bytes) -> bytes:
        out = self._end.feed(message)
        return out + self._next() if self._end.received() else out

    async def tell(self, message: bytes) -> None:
        self._end.feed(message)

    async def more(self) -> bytes:
        await self._clock.sleep(self._every_s)
        return self._next()

    def _next(self) -> bytes:
        self.given += 1
        return self._end.send(self._answer[self.given - 1 : self.given])


async def opened(clock: Clock, answer: bytes, every_s: float) -> tuple[TlsSession, Trickle]:
    rng = random.Random(1)
    now = clock.now()
    own, meters = (make_identity(name, "brainpoolP256r1", now, 100, rng) for name in ("EEMH0012345678.sm", "1SAG.sm"))
    link = Trickle(clock, TlsEnd.meter(meters, own.certificate, now), answer, every_s)
    session = await TlsSession.open(clock, cast(MeterLink, link), own, meters.certificate, now, TlsSettings())
    return session, link


async def test_an_answer_that_trickles_is_given_up_in_time(clock: Clock) -> None:
    session, link = await opened(clock, b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + bytes(100_000), 0.05)
    began = clock.seconds()
    with pytest.raises(LinkTrouble, match="not whole 3 s after it began") as trouble:
        await session.ask(REQUEST, 3.0)
    assert (trouble.value.kind, trouble.value.alive) == ("read_timeout", True)
    assert 3.0 <= clock.seconds() - began < 3.2
    assert link.given < 70


async def test_without_a_word_of_the_caller_there_is_a_bound_all_the_same(clock: Clock) -> None:
    session, _ = await opened(clock, b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + bytes(100_000), 1.0)
    with pytest.raises(LinkTrouble, match="not whole 30 s"):
        await session.ask(REQUEST)


async def test_a_slow_answer_that_becomes_whole_in_time_is_taken(clock: Clock) -> None:
    session, _ = await opened(clock, ANSWER, 0.05)
    assert await session.ask(REQUEST, 3.0) == ANSWER
