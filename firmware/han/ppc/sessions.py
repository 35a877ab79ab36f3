"""Sessions of PPC's portal: one per user, with tokens and ids that nobody can foresee (han 2.1)."""

from __future__ import annotations

import hmac
import random
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from markupsafe import Markup

from devices.clock import Clock
from firmware.han import sessions
from firmware.han.pages import Language
from firmware.han.sessions import Limits, OpenSessions, new_id, same

MOST_RETIRED: Final = 1000
"""Nonces of earlier cycles that are remembered; the oldest go."""
Found = Literal["", "none", "expired", "foreign"]


@dataclass(slots=True)
class Session(sessions.Session):
    """A session.

    Attributes:
        language: of the pages.
        key: of its tokens and ids.
        menus: of its pages, by language and section.
    """

    language: Language = field(kw_only=True)
    key: bytes = field(kw_only=True, repr=False)
    menus: dict[tuple[Language, str], Markup] = field(default_factory=dict, kw_only=True, repr=False)

    def token(self) -> str:
        """``tkn`` of its pages, 64 hexadecimal digits."""
        return self._code("token", "").hex()

    def knows(self, token: str) -> bool:
        """Whether a token is its own."""
        return same(self.token(), token)

    def handle(self, kind: str, name: str, purpose: str = "") -> str:
        """``mid``, ``tid``, ``ttid`` of a thing, 32 hexadecimal digits; other purposes give other ones."""
        return self._code(kind, f"{name}\n{purpose}").hex()[:32]

    def named(self, kind: str, handle: str, names: Iterable[str], purposes: Iterable[str] = ("",)) -> str | None:
        """Which of `names` a handle stands for, None: none."""
        wanted = tuple(purposes)
        return next((one for one in names for why in wanted if self.handle(kind, one, why) == handle), None)

    def _code(self, kind: str, text: str) -> bytes:
        return hmac.digest(self.key, f"{kind}\n{text}".encode(), "sha256")


class Sessions:
    """The sessions of one kind of users.

    Args:
        clock: of the unit.
        rng: makes ids and keys.
        idle_s: time without a request after which a session ends.
        longest_s: longest session.
    """

    def __init__(self, clock: Clock, rng: random.Random, idle_s: float, longest_s: float) -> None:
        self._clock = clock
        self._rng = rng
        self._open: OpenSessions[Session] = OpenSessions(clock, Limits(idle_s, longest_s, per_user=1))
        self._retired: OrderedDict[str, None] = OrderedDict()

    def begin(self, user: str, language: Language, nonce: str = "") -> Session:
        """Log in; an earlier session of the user ends with that."""
        now_s = self._clock.seconds()
        key = self._rng.getrandbits(256).to_bytes(32, "big")
        made = Session(new_id(self._rng), user, now_s, now_s, language=language, key=key)
        if nonce:
            made.nonces.add(nonce)
        for ended in self._open.add(made):
            self._retire(ended, keeping=nonce)
        return made

    def find(self, user: str, ids: Iterable[str], nonce: str = "") -> tuple[Session | None, Found]:
        """The user's session that one of `ids` names, or why there is none."""
        given = tuple(ids)
        if not given:
            return None, "none"
        live = self.of(user)
        if live is not None and any(same(live.id, one) for one in given):
            self._open.used(live)
            if nonce and len(live.nonces) < MOST_RETIRED:
                live.nonces.add(nonce)
            return live, ""
        foreign = any(other.id in given for other in self._open if other.owner != user)
        return None, "foreign" if foreign else "expired"

    def of(self, user: str) -> Session | None:
        """The session of a user, None without one that is still open."""
        for one in self._open:
            if one.owner == user and self._open.is_over(one):
                self._open.end(one)
            elif one.owner == user:
                return one
        return None

    def end(self, user: str) -> None:
        """Log out; its nonces are of an earlier cycle from now on."""
        for one in self._open:
            if one.owner == user:
                self._open.end(one)
                self._retire(one)

    def was_used(self, nonce: str) -> bool:
        """Whether a nonce is one of an earlier cycle; it is told once."""
        if nonce not in self._retired:
            return False
        del self._retired[nonce]
        return True

    def _retire(self, ended: Session, keeping: str = "") -> None:
        for one in sorted(ended.nonces - {keeping}):
            self._retired[one] = None
        while len(self._retired) > MOST_RETIRED:
            self._retired.popitem(last=False)
