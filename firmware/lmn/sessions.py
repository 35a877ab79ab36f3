"""TLS sessions with wired meters: complete SML files over a link on selector 1 (lmn-wired 3.1)."""

from __future__ import annotations

import contextlib
from datetime import datetime

from devices.clock import Clock
from devices.ports.hdlc_master import LinkTrouble
from devices.protocols.lmn_certificate import Identity
from devices.protocols.lmn_tls import LmnTlsError, TlsEnd, TlsSettings
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.transport import FileReader
from firmware.lmn.links import MeterLink

MOST_FLIGHTS = 8
"""Messages of a handshake after which it counts as failed; two are usual."""

WHOLE_FILE_S = 30.0
"""How long an answer that has begun may take unless told: a meter that trickles may not keep all others waiting."""


class TlsSession:
    """One session.

    Args:
        clock: its age.
        link: a link on selector 1 that is up.
        end: the gateway's end.
        settings: limits of a session.

    Attributes:
        link: the link below.
    """

    def __init__(self, clock: Clock, link: MeterLink, end: TlsEnd, settings: TlsSettings) -> None:
        self.link = link
        self._clock = clock
        self._end = end
        self._settings = settings
        self._began = clock.seconds()
        self._over = False

    @classmethod
    async def open(
        cls,
        clock: Clock,
        link: MeterLink,
        own: Identity,
        pinned: bytes,
        now: datetime,
        settings: TlsSettings,
    ) -> TlsSession:
        """Shake hands.

        Args:
            clock: its age.
            link: on selector 1, up.
            own: the gateway's certificate and key.
            pinned: the meter's certificate.
            now: on the gateway's clock.
            settings: suites and limits.

        Raises:
            LmnTlsError: no session comes about; the other end has been told.
            LinkTrouble: the link failed.
        """
        end = TlsEnd.gateway(own, pinned, now, settings)
        session = cls(clock, link, end, settings)
        out = end.start()
        for _ in range(MOST_FLIGHTS):
            answer = await link.ask(out) if out else await link.more()
            out = await session._feed(answer)
            if end.established and not out:
                return session
        raise LmnTlsError("handshake", f"the handshake does not end within {MOST_FLIGHTS} messages")

    @property
    def suite(self) -> int | None:
        """The suite in use."""
        return self._end.suite

    @property
    def alive(self) -> bool:
        """Whether it can be used."""
        return self._end.established and self.link.up and not self._over

    @property
    def spent(self) -> bool:
        """Whether it has reached its age or amount of data."""
        age = self._clock.seconds() - self._began
        return age >= self._settings.session_age_s or self._end.octets >= self._settings.session_octets

    async def ask(self, request: bytes, patience_s: float = WHOLE_FILE_S) -> bytes:
        """Send an SML file and wait for the file that answers it.

        Args:
            request: the file.
            patience_s: how long the answer may take from its first octets to its last.

        Raises:
            LmnTlsError: the session broke or was ended.
            LinkTrouble: the link failed, or no whole file came in time.
            SmlError: what came is no file.
        """
        reader = FileReader()
        answer = await self.link.ask(self._end.send(request))
        deadline = self._clock.deadline(patience_s)
        while True:
            closed: LmnTlsError | None = None
            try:
                await self._feed(answer)
            except LmnTlsError as error:
                if error.reason != "closed":
                    raise
                closed = error
            for one in reader.feed(self._end.received()):
                if isinstance(one, SmlError):
                    raise one
                return one.raw
            if closed is not None:
                raise closed
            if deadline.passed:
                reason = f"the answer is not whole {patience_s:g} s after it began"
                raise LinkTrouble("read_timeout", reason, alive=True)
            answer = await self.link.more()

    async def keep(self) -> None:
        """Poll, so that the meter does not forget the link. Raises LinkTrouble, LmnTlsError."""
        found = await self.link.poll()
        if found:
            await self._feed(found)

    async def close(self) -> None:
        """End it in order, as far as the link lets."""
        farewell = self._end.close()
        if farewell:
            with contextlib.suppress(LinkTrouble):
                await self.link.tell(farewell)

    async def _feed(self, octets: bytes) -> bytes:
        try:
            return self._end.feed(octets)
        except LmnTlsError as error:
            self._over = True
            if error.answer and error.reason != "closed":
                with contextlib.suppress(LinkTrouble):
                    await self.link.tell(error.answer)
            raise
