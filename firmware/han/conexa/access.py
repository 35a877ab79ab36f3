"""Who a request is from: a client certificate first, else user name and password by digest ([CONEXA] E-5.1)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from aiohttp import web

from devices.errors import UsageError
from devices.protocols.http_digest import MD5, SHA_256
from firmware.han.authentication import Checked
from firmware.han.desk import HanDesk
from firmware.han.server import certificate_of, target_of
from firmware.profiles.kinds import HanRole

_CHALLENGES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {"MD5": (MD5, (MD5,)), "SHA-256": (SHA_256, (SHA_256,)), "announced": (SHA_256, (MD5,))}
)
"""Option -> what is announced and what is taken (han 3.1)."""
_ASKED_AGAIN: Final = frozenset(("stale", "replayed"))
"""The client may answer a fresh challenge by itself, its person need not."""
MOST_LOGINS: Final = 1000


class Access:
    """Checks requests, and logs logins.

    Each request shows who it is from, so a login is the first one with a nonce, or with a certificate, and the first
    after a pause as long as a session may be idle.

    Args:
        desk: the gateway.

    Raises:
        UsageError: the option is written wrongly.
    """

    def __init__(self, desk: HanDesk) -> None:
        self._desk = desk
        wanted = desk.options.han_conexa_challenge
        if wanted not in _CHALLENGES:
            raise UsageError(
                f"CONEXA cannot ask for {wanted!r}", hint=f"han_conexa_challenge: {', '.join(_CHALLENGES)}"
            )
        self._announced, self._taken = _CHALLENGES[wanted]
        self._unmeant_status = desk.options.han_conexa_unmeant_status
        if self._unmeant_status not in range(200, 600):
            raise UsageError(f"{self._unmeant_status} is no HTTP status", hint="han_conexa_unmeant_status: 200 to 599")
        self._logins: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def check(self, request: web.Request, role: HanRole | None = None) -> Checked:
        """Somebody of a role; technicians log in with a certificate only ([CONEXA] E-5.1 for consumers)."""
        authentication = self._desk.authentication
        found = authentication.certificate(certificate_of(request), role)
        if found.user is not None:
            return found
        header = request.headers.get("Authorization")
        given = authentication.digest(request.method, target_of(request), header, algorithms=self._taken)
        if given.user is not None and given.user.role != "consumer":
            return Checked(None, "wrong", given.nonce, given.login)
        return given

    def consumer(self, request: web.Request) -> Checked:
        """A consumer, for programs; each login goes to the log."""
        found = self.check(request, "consumer")
        if found.user is None:
            return found
        key = (found.user.id, found.nonce)
        now_s, options = self._desk.unit.clock.seconds(), self._desk.options
        begun_s, last_s = self._logins.pop(key, (now_s, -math.inf))
        if now_s - last_s > options.han_idle_s or now_s - begun_s > options.han_session_s:
            begun_s = now_s
            self._desk.admit(found.user)
            self.told(found)
        self._logins[key] = (begun_s, now_s)
        while len(self._logins) > MOST_LOGINS:
            self._logins.popitem(last=False)
        return found

    def told(self, found: Checked) -> None:
        """Log a login."""
        if found.user is None:
            return
        if found.user.role == "technician":
            self._desk.event("technician_logged_in", profile=found.user.id)
        else:
            how = "password" if found.nonce else "certificate"
            self._desk.event("consumer_logged_in", consumer=found.user.id, user=found.user.id, way=how)

    def header(self, found: Checked, *, anew: bool = False) -> str:
        """The value of WWW-Authenticate.

        Args:
            found: why nobody.
            anew: a person has to log in again, also when the client could go on by itself.
        """
        stale = found.why in _ASKED_AGAIN and not anew
        return self._desk.authentication.challenge(stale=stale, algorithm=self._announced)

    def challenge(self, found: Checked) -> web.Response:
        """401 for a program, with an empty body; an algorithm that is announced, not meant, has its option's status."""
        unmeant = found.why == "algorithm" and self._announced not in self._taken
        if unmeant and self._unmeant_status != HTTPStatus.UNAUTHORIZED:
            return web.Response(status=self._unmeant_status, headers={"Cache-Control": "no-store"})
        return web.Response(status=401, headers={"WWW-Authenticate": self.header(found), "Cache-Control": "no-store"})
