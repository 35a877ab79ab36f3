"""Sessions of the portal: they end by themselves after ten minutes without a request ([CASA] 7.2)."""

from __future__ import annotations

import hmac
import random
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from devices.clock import Clock
from firmware.han.users import Directory, HanUser

COOKIE: Final = "casa_session"
MOST_SESSIONS: Final = 64
"""Sessions at a time; the one that was used least lately goes."""


@dataclass(slots=True)
class Session:
    """Somebody who is logged in.

    Attributes:
        id: value of the cookie.
        consumer: id of the consumer.
        token: that forms carry.
        begun_s, used_s: when it began and when it was last used.
    """

    id: str
    consumer: str
    token: str
    begun_s: float
    used_s: float


class Sessions:
    """All sessions of one run.

    Args:
        clock: of the unit.
        directory: users; one who is gone is logged out.
        rng: makes ids.
        idle_s: time without a request after which a session ends.
        longest_s: longest session.
    """

    def __init__(self, clock: Clock, directory: Directory, rng: random.Random, idle_s: float, longest_s: float) -> None:
        self._clock = clock
        self._directory = directory
        self._rng = rng
        self._idle_s = idle_s
        self._longest_s = longest_s
        self._open: OrderedDict[str, Session] = OrderedDict()

    def begin(self, user: HanUser) -> Session:
        """A user has logged in."""
        now_s = self._clock.seconds()
        made = Session(
            f"{self._rng.getrandbits(128):032x}", user.id, f"{self._rng.getrandbits(128):032x}", now_s, now_s
        )
        self._open[made.id] = made
        while len(self._open) > MOST_SESSIONS:
            self._open.popitem(last=False)
        return made

    def find(self, cookie: str | None) -> tuple[Session, HanUser] | None:
        """The session of a cookie and whose it is; None when there is none any more. It counts as used."""
        found = None if cookie is None else self._open.get(cookie)
        if found is None:
            return None
        now_s = self._clock.seconds()
        user = next(
            (one for one in self._directory.users() if one.role == "consumer" and one.id == found.consumer), None
        )
        if user is None or now_s - found.used_s >= self._idle_s or now_s - found.begun_s >= self._longest_s:
            self.end(found)
            return None
        found.used_s = now_s
        self._open.move_to_end(found.id)
        return found, user

    def end(self, session: Session) -> None:
        """Log out."""
        self._open.pop(session.id, None)


def is_token(session: Session, given: object) -> bool:
    """Whether a form carries the session's token."""
    return isinstance(given, str) and hmac.compare_digest(session.token.encode(), given.encode(errors="replace"))
