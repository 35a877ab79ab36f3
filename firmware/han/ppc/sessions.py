"""Sessions of PPC's portal: one per user, with tokens and ids that nobody can foresee (han 2.1)."""

from __future__ import annotations

import hashlib
import hmac
import random
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from devices.clock import Clock
from firmware.han.pages import Language

MOST_RETIRED: Final = 1000
"""Nonces of earlier cycles that are remembered; the oldest go."""
Found = Literal["", "none", "expired", "foreign"]


@dataclass(slots=True)
class Session:
    """A session.

    Attributes:
        id: value of the cookie, 32 hexadecimal digits.
        user: whose.
        language: of the pages.
        begin_s: when it began, seconds of the unit's clock.
        last_s: its latest request.
        nonces: that were used in it.
    """

    id: str
    user: str
    language: Language
    begin_s: float
    last_s: float
    key: bytes = field(repr=False)
    nonces: set[str] = field(default_factory=set)

    def token(self) -> str:
        """``tkn`` of its pages, 64 hexadecimal digits."""
        return self._code("token", "").hex()

    def knows(self, token: str) -> bool:
        """Whether a token is its own."""
        return hmac.compare_digest(self.token().encode(), token.encode())

    def handle(self, kind: str, name: str, purpose: str = "") -> str:
        """``mid``, ``tid``, ``ttid`` of a thing, 32 hexadecimal digits; other purposes give other ones."""
        return self._code(kind, f"{name}\n{purpose}").hex()[:32]

    def named(self, kind: str, handle: str, names: Iterable[str], purposes: Iterable[str] = ("",)) -> str | None:
        """Which of `names` a handle stands for, None: none."""
        wanted = tuple(purposes)
        return next((one for one in names for why in wanted if self.handle(kind, one, why) == handle), None)

    def _code(self, kind: str, text: str) -> bytes:
        return hmac.new(self.key, f"{kind}\n{text}".encode(), hashlib.sha256).digest()


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
        self._idle_s = idle_s
        self._longest_s = longest_s
        self._by_user: dict[str, Session] = {}
        self._retired: OrderedDict[str, None] = OrderedDict()

    def begin(self, user: str, language: Language, nonce: str = "") -> Session:
        """Log in; an earlier session of the user ends with that."""
        self.end(user, keeping=nonce)
        now_s = self._clock.seconds()
        key = self._rng.getrandbits(256).to_bytes(32, "big")
        made = Session(f"{self._rng.getrandbits(128):032x}", user, language, now_s, now_s, key)
        if nonce:
            made.nonces.add(nonce)
        self._by_user[user] = made
        return made

    def find(self, user: str, ids: Iterable[str], nonce: str = "") -> tuple[Session | None, Found]:
        """The user's session that one of `ids` names, or why there is none."""
        given = tuple(ids)
        if not given:
            return None, "none"
        live = self._live(user)
        if live is not None and any(hmac.compare_digest(live.id, one) for one in given):
            live.last_s = self._clock.seconds()
            if nonce and len(live.nonces) < MOST_RETIRED:
                live.nonces.add(nonce)
            return live, ""
        foreign = any(other.id in given for name, other in self._by_user.items() if name != user)
        return None, "foreign" if foreign else "expired"

    def end(self, user: str, keeping: str = "") -> None:
        """Log out; its nonces are of an earlier cycle from now on, all but `keeping`."""
        ended = self._by_user.pop(user, None)
        if ended is None:
            return
        for one in sorted(ended.nonces - {keeping}):
            self._retired[one] = None
        while len(self._retired) > MOST_RETIRED:
            self._retired.popitem(last=False)

    def was_used(self, nonce: str) -> bool:
        """Whether a nonce is one of an earlier cycle; it is told once."""
        if nonce not in self._retired:
            return False
        del self._retired[nonce]
        return True

    def _live(self, user: str) -> Session | None:
        found = self._by_user.get(user)
        if found is None:
            return None
        now_s = self._clock.seconds()
        if now_s - found.last_s > self._idle_s or now_s - found.begin_s > self._longest_s:
            del self._by_user[user]
            return None
        return found
