"""Sessions of browsers: ten minutes without a request end them, and 48 hours ([CONEXA] E-2)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from devices.clock import Clock
from firmware.han import sessions
from firmware.han.sessions import Limits, OpenSessions, new_id
from firmware.han.users import HanUser


@dataclass(slots=True)
class WebSession(sessions.Session):
    """Somebody's visit.

    Attributes:
        user: whose, as the profiles said at its latest request.
        token: that forms carry, 32 hexadecimal digits.
    """

    user: HanUser = field(kw_only=True)
    token: str = field(kw_only=True)


class Sessions:
    """All sessions of one run of the firmware.

    Args:
        clock: of the unit.
        rng: makes ids.
        limits: of the sessions.
    """

    def __init__(self, clock: Clock, rng: random.Random, limits: Limits) -> None:
        self._clock = clock
        self._rng = rng
        self._open: OpenSessions[WebSession] = OpenSessions(clock, limits)

    def begin(self, user: HanUser) -> WebSession:
        """A new session."""
        now_s = self._clock.seconds()
        made = WebSession(new_id(self._rng), user.id, now_s, now_s, user=user, token=new_id(self._rng))
        self._open.add(made)
        return made

    def of(self, cookie: str | None) -> WebSession | None:
        """The session of a cookie, None without one that is still open."""
        return self._open.of(cookie)

    def used(self, session: WebSession, nonce: str) -> None:
        """A request of the session has come; `nonce`: with which it was signed, empty with a certificate."""
        self._open.used(session)
        if nonce:
            session.nonces.add(nonce)

    def left_behind(self) -> list[WebSession]:
        """Sessions that are over and not ended yet."""
        return [one for one in self._open if self._open.is_over(one)]

    def end(self, session: WebSession) -> None:
        """It is over."""
        self._open.end(session)
