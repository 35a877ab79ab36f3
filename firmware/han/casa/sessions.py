"""Sessions of the portal: they end by themselves after ten minutes without a request ([CASA] 7.2)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from devices.clock import Clock
from firmware.han import sessions
from firmware.han.sessions import Limits, OpenSessions, new_id, same
from firmware.han.users import Directory, HanUser

COOKIE: Final = "casa_session"


@dataclass(slots=True)
class Session(sessions.Session):
    """Somebody who is logged in.

    Attributes:
        token: that forms carry.
    """

    token: str = field(kw_only=True)


class Sessions:
    """All sessions of one run.

    Args:
        clock: of the unit.
        directory: users; one who is gone is logged out.
        rng: makes ids.
        limits: of the sessions.
    """

    def __init__(self, clock: Clock, directory: Directory, rng: random.Random, limits: Limits) -> None:
        self._clock = clock
        self._directory = directory
        self._rng = rng
        self._open: OpenSessions[Session] = OpenSessions(clock, limits)

    def begin(self, user: HanUser) -> Session:
        """A user has logged in."""
        now_s = self._clock.seconds()
        made = Session(new_id(self._rng), user.id, now_s, now_s, token=new_id(self._rng))
        self._open.add(made)
        return made

    def find(self, cookie: str | None) -> tuple[Session, HanUser] | None:
        """The session of a cookie and whose it is; None when there is none any more. It counts as used."""
        found = self._open.of(cookie)
        if found is None:
            return None
        own = (one for one in self._directory.users() if one.role == "consumer" and one.id == found.owner)
        user = next(own, None)
        if user is None:
            self.end(found)
            return None
        self._open.used(found)
        return found, user

    def end(self, session: Session) -> None:
        """Log out."""
        self._open.end(session)


def is_token(session: Session, given: object) -> bool:
    """Whether a form carries the session's token."""
    return isinstance(given, str) and same(session.token, given)
