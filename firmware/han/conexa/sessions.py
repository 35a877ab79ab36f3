"""Sessions of browsers: ten minutes without a request end them, and 48 hours ([CONEXA] E-2)."""

from __future__ import annotations

import hmac
import random
from dataclasses import dataclass, field
from typing import Final

from devices.clock import Clock
from firmware.han.users import HanUser

MOST: Final = 64
"""Sessions at a time; of more the one that was used longest ago ends (assumed)."""


@dataclass(slots=True)
class WebSession:
    """Somebody's visit.

    Attributes:
        user: whose, as the profiles said at its latest request.
        id: of the cookie, 32 hexadecimal digits.
        token: that forms carry, 32 hexadecimal digits.
        begun_s, last_s: on the unit's clock.
        nonces: with which its requests were signed.
    """

    user: HanUser
    id: str
    token: str
    begun_s: float
    last_s: float
    nonces: set[str] = field(default_factory=set)


class Sessions:
    """All sessions of one run of the firmware.

    Args:
        clock: of the unit.
        rng: makes ids.
        idle_s: longest time without a request.
        longest_s: longest session.
    """

    def __init__(self, clock: Clock, rng: random.Random, idle_s: float, longest_s: float) -> None:
        self._clock = clock
        self._rng = rng
        self._idle_s = idle_s
        self._longest_s = longest_s
        self._open: dict[str, WebSession] = {}

    def begin(self, user: HanUser) -> WebSession:
        """A new session."""
        now_s = self._clock.seconds()
        made = WebSession(
            user, f"{self._rng.getrandbits(128):032x}", f"{self._rng.getrandbits(128):032x}", now_s, now_s
        )
        self._open[made.id] = made
        while len(self._open) > MOST:
            oldest = min(self._open.values(), key=lambda one: one.last_s)
            self.end(oldest)
        return made

    def of(self, cookie: str | None) -> WebSession | None:
        """The session of a cookie, None without one that is still open."""
        found = self._open.get(cookie or "")
        return None if found is None or self._over(found) else found

    def used(self, session: WebSession, nonce: str) -> None:
        """A request of the session has come; `nonce`: with which it was signed, empty with a certificate."""
        session.last_s = self._clock.seconds()
        if nonce:
            session.nonces.add(nonce)

    def left_behind(self) -> list[WebSession]:
        """Sessions that are over and not ended yet."""
        return [one for one in self._open.values() if self._over(one)]

    def end(self, session: WebSession) -> None:
        """It is over."""
        self._open.pop(session.id, None)

    def _over(self, one: WebSession) -> bool:
        now_s = self._clock.seconds()
        return now_s - one.last_s > self._idle_s or now_s - one.begun_s > self._longest_s


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal; takes the same time either way."""
    return hmac.compare_digest(one.encode(), other.encode())
