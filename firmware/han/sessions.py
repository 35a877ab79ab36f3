"""Sessions of browsers and programs, what all products do the same: idle limit, longest session, how many at a time."""

from __future__ import annotations

import hmac
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from devices.clock import Clock

MOST_SESSIONS: Final = 64
"""Sessions at a time; of more the one that was used longest ago ends (assumed)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the sessions of one kind of users.

    Attributes:
        idle_s: longest time without a request.
        longest_s: longest session.
        most: sessions at a time.
        per_user: of them for one user; the next one ends the one that was used longest ago.
    """

    idle_s: float
    longest_s: float
    most: int = MOST_SESSIONS
    per_user: int = MOST_SESSIONS


@dataclass(slots=True)
class Session:
    """Somebody's visit.

    Attributes:
        id: of the cookie, 32 hexadecimal digits.
        owner: whose, id of the consumer or technician.
        begun_s: when it began, seconds of the unit's clock.
        last_s: its latest request.
        nonces: of the digests in it.
    """

    id: str
    owner: str
    begun_s: float
    last_s: float
    nonces: set[str] = field(default_factory=set)


S = TypeVar("S", bound=Session)


class OpenSessions(Generic[S]):
    """The sessions of one run of the firmware, the one that was used longest ago first.

    A session that is over is not found any more; it stays in here until it is ended, so that a product can tell.

    Args:
        clock: of the unit.
        limits: of the sessions.
    """

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._open: dict[str, S] = {}

    def __iter__(self) -> Iterator[S]:
        return iter(tuple(self._open.values()))

    def add(self, made: S) -> list[S]:
        """A new session; returns those that end for it."""
        limits = self._limits
        own = [one for one in self if one.owner == made.owner]
        ended = own[: max(0, len(own) + 1 - limits.per_user)]
        for one in ended:
            self.end(one)
        ended += list(self)[: max(0, len(self._open) + 1 - limits.most)]
        for one in ended:
            self.end(one)
        self._open[made.id] = made
        return ended

    def of(self, cookie: str | None) -> S | None:
        """The session of a cookie, None without one that is still open."""
        found = self._open.get(cookie or "")
        return None if found is None or self.is_over(found) else found

    def used(self, session: S) -> None:
        """A request of it has come."""
        session.last_s = self._clock.seconds()
        if self._open.pop(session.id, None) is not None:
            self._open[session.id] = session

    def end(self, session: S) -> None:
        """It is over."""
        self._open.pop(session.id, None)

    def is_over(self, session: S) -> bool:
        """Whether one of its limits is reached."""
        now_s = self._clock.seconds()
        return now_s - session.last_s >= self._limits.idle_s or now_s - session.begun_s >= self._limits.longest_s


def new_id(rng: random.Random) -> str:
    """32 hexadecimal digits."""
    return f"{rng.getrandbits(128):032x}"


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal; takes the same time either way."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
