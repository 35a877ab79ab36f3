"""Logins at the home interface: nonces, passwords, certificates, failures and the lock that follows them (han 1, 2.1).

Failures of all consumers count together and lock all of them out, as [CASA] 6 and PPC's message 10061 have it; where
a manual is silent that is assumed.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from cryptography import x509

from devices.clock import Clock
from devices.protocols.http_digest import MD5, Credentials, DigestError, challenge, ha1, matches, parse_authorization
from firmware.han.reasons import CERTIFICATE_OUTDATED, LOCKED_OUT
from firmware.han.users import Directory, HanUser
from firmware.own_clock import OwnClock
from firmware.profiles.kinds import HanRole

MOST_NONCES: Final = 1000
"""Nonces that are remembered at a time; the oldest go."""
MOST_COUNTS: Final = 10_000
"""Requests with one nonce."""
MOST_NAMES: Final = 1000
"""Names whose failures are counted apart; those of the oldest go."""
Why = Literal["", "none", "malformed", "algorithm", "stale", "replayed", "wrong", "locked"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is assumed of logins.

    Attributes:
        realm: of the challenges.
        attempts: failures that lock consumers out, 0: never; a success takes back those with its own name only.
        lock_s: for how long.
        forget_s: time without a failure after which those before no longer count.
        nonce_s: how long a nonce may be used.
    """

    realm: str
    attempts: int
    lock_s: float
    forget_s: float
    nonce_s: float


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a login.

    Attributes:
        user: who it is, None: nobody.
        why: why nobody: nothing was given, it makes no sense, it is made with an algorithm that is not taken, the nonce
            is not (or no longer) known, the request was sent before, name or password or certificate are wrong,
            consumers are locked out.
        nonce: that the client used.
        login: the name that was given.
    """

    user: HanUser | None
    why: Why = ""
    nonce: str = ""
    login: str = ""


@dataclass(slots=True)
class _Nonce:
    made_s: float
    counts: set[bytes] = field(default_factory=set)
    """Hashes of counts with the client's nonces that were good for a login; programs take over a nonce from another
    client and count from 1 again (GS)."""


class Authentication:
    """Checks who somebody is.

    Args:
        clock: of the unit; times of locks and nonces are its seconds.
        own: the gateway's own clock, by which certificates have run out.
        directory: the users.
        figures: what is assumed.
        rng: makes nonces.
    """

    def __init__(self, clock: Clock, own: OwnClock, directory: Directory, figures: Figures, rng: random.Random) -> None:
        self._clock = clock
        self._own = own
        self._directory = directory
        self._figures = figures
        self._rng = rng
        self._opaque = f"{rng.getrandbits(128):032x}"
        self._nonces: OrderedDict[str, _Nonce] = OrderedDict()
        self._failures: OrderedDict[bytes, int] = OrderedDict()
        """Hash of the name that was given -> failures with it."""
        self._last_failure_s = 0.0
        self._locked_until_s = 0.0
        self.on_failed: Callable[[HanUser | None, str, int], None] = lambda user, login, count: None
        """Called after a failed login: the user if there is one of that name, the name, failures that count"""
        self.on_locked: Callable[[HanUser | None, str, int], None] = lambda user, login, count: None
        """Called with the same when consumers are locked out by it."""
        self.on_certificate_refused: Callable[[HanUser, str], None] = lambda user, reason: None
        """Called with the user whose certificate was refused, and why; for each user and reason not again before
        `forget_s` is over, as clients show it with each request."""
        self._told: dict[tuple[HanRole, str, str], float] = {}

    @property
    def realm(self) -> str:
        """Of its challenges."""
        return self._figures.realm

    @property
    def locked_for_s(self) -> float:
        """How long consumers are still locked out, 0: they are not."""
        return max(0.0, self._locked_until_s - self._clock.seconds())

    def unlock(self) -> None:
        """Let consumers in again."""
        self._failures.clear()
        self._locked_until_s = 0.0

    def challenge(self, *, stale: bool = False, algorithm: str = MD5) -> str:
        """The value of WWW-Authenticate, with a fresh nonce of 32 hexadecimal digits."""
        nonce = f"{self._rng.getrandbits(128):032x}"
        now_s = self._clock.seconds()
        self._nonces[nonce] = _Nonce(now_s)
        while len(self._nonces) > MOST_NONCES or self._old(next(iter(self._nonces.values())), now_s):
            self._nonces.popitem(last=False)
        return challenge(self.realm, nonce, self._opaque, algorithm, stale=stale)

    def forget(self, nonce: str) -> None:
        """A nonce is not to be used any more, as after a logout."""
        self._nonces.pop(nonce, None)

    def digest(
        self, method: str, target: str, header: str | Credentials | None, *, algorithms: Sequence[str] = (MD5,)
    ) -> Checked:
        """Check the Authorization header of a request.

        Args:
            method: of the request.
            target: its request target as sent; the client's uri must equal it (han 1).
            header: the header, or what was read in it; None without one.
            algorithms: those whose answers are taken.
        """
        if header is None:
            return Checked(None, "none")
        try:
            given = parse_authorization(header) if isinstance(header, str) else header
        except DigestError:
            return Checked(None, "malformed")
        if given.realm != self.realm or given.uri != target:
            return Checked(None, "malformed", given.nonce, given.username)
        if given.algorithm not in algorithms:
            return Checked(None, "algorithm", given.nonce, given.username)
        nonce = self._known(given.nonce)
        if nonce is None:
            return Checked(None, "stale", given.nonce, given.username)
        count = _hash(f"{given.count}:{given.cnonce}")
        if count in nonce.counts or len(nonce.counts) >= MOST_COUNTS:
            return Checked(None, "replayed", given.nonce, given.username)
        if self.locked_for_s:
            return Checked(None, "locked", given.nonce, given.username)
        user = self._directory.by_login(given.username)
        secret = None if user is None else user.digests.get(given.algorithm)
        if not matches(secret or "0" * 32, method, given) or secret is None or user is None:
            self._failed(user, given.username)
            return Checked(None, "wrong", given.nonce, given.username)
        nonce.counts.add(count)
        self._failures.pop(_hash(given.username), None)
        return Checked(user, "", given.nonce, given.username)

    def password(self, login: str, password: str) -> Checked:
        """Check name and password of a login form, by the hash that digests are checked with."""
        if self.locked_for_s:
            return Checked(None, "locked", login=login)
        user = self._directory.by_login(login)
        secret = None if user is None else user.digests.get(MD5)
        given = ha1(login, self.realm, password)
        if user is None or secret is None or not hmac.compare_digest(given, secret):
            self._failed(user, login)
            return Checked(None, "wrong", login=login)
        self._failures.pop(_hash(login), None)
        return Checked(user, login=login)

    def certificate(self, der: bytes | None, role: HanRole | None = None) -> Checked:
        """Check the certificate of a TLS client, DER; its key was proven in the handshake.

        Consumers are locked out whatever they log in with, technicians are not.
        """
        if der is None:
            return Checked(None, "none")
        user = self._directory.by_certificate(der, role)
        if user is None:
            return Checked(None, "wrong")
        if self._run_out(der):
            self._refused(user, CERTIFICATE_OUTDATED)
            return Checked(None, "wrong", login=user.login)
        if user.role == "consumer" and self.locked_for_s:
            self._refused(user, LOCKED_OUT)
            return Checked(None, "locked", login=user.login)
        return Checked(user, login=user.login)

    def _known(self, text: str) -> _Nonce | None:
        nonce = self._nonces.get(text)
        if nonce is not None and self._old(nonce, self._clock.seconds()):
            del self._nonces[text]
            return None
        return nonce

    def _old(self, nonce: _Nonce, now_s: float) -> bool:
        return now_s - nonce.made_s > self._figures.nonce_s

    def _run_out(self, der: bytes) -> bool:
        read = x509.load_der_x509_certificate(der)
        return self._own.known and not read.not_valid_before_utc <= self._own.now() <= read.not_valid_after_utc

    def _refused(self, user: HanUser, reason: str) -> None:
        now_s, key = self._clock.seconds(), (user.role, user.id, reason)
        if now_s - self._told.get(key, -math.inf) > self._figures.forget_s:
            self._told[key] = now_s
            self.on_certificate_refused(user, reason)

    def _failed(self, user: HanUser | None, login: str) -> None:
        now_s = self._clock.seconds()
        if now_s - self._last_failure_s > self._figures.forget_s:
            self._failures.clear()
        name = _hash(login)
        self._failures[name] = self._failures.pop(name, 0) + 1
        while len(self._failures) > MOST_NAMES:
            self._failures.popitem(last=False)
        self._last_failure_s = now_s
        count = sum(self._failures.values())
        self.on_failed(user, login, count)
        if self._figures.attempts and count >= self._figures.attempts:
            self._failures.clear()
            self._locked_until_s = now_s + self._figures.lock_s
            self.on_locked(user, login, count)


def _hash(text: str) -> bytes:
    """What is remembered of a text that a client has made up."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()
