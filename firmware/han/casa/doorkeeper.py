"""Who asks: passwords, certificates and sessions of consumers, certificates of technicians, and what the log tells."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any, Final

from aiohttp import web
from cryptography import x509
from cryptography.x509.oid import NameOID

from firmware.han.authentication import Checked
from firmware.han.casa.sessions import COOKIE, Session, Sessions
from firmware.han.desk import HanDesk
from firmware.han.reasons import LOCKED_OUT
from firmware.han.server import certificate_of, target_of
from firmware.han.users import HanUser

MOST_NONCES: Final = 1000
"""Nonces of which is remembered that their login was told."""
_NAME: Final = 64
"""Characters of a user name that a log entry shows."""


class Refused(Exception):
    """Nobody is let in.

    Attributes:
        why: as `Checked.why`.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Doorkeeper:
    """Lets consumers and technicians in.

    A login by digest is told once for each nonce, one by certificate once for each connection; so a client that asks
    often does not fill the log with one login (assumed).

    Args:
        desk: the gateway.
        sessions: of the portal.
    """

    def __init__(self, desk: HanDesk, sessions: Sessions) -> None:
        self._desk = desk
        desk.authentication.on_certificate_refused = lambda user, reason: None  # `_tell_refused` does, with both names
        self._sessions = sessions
        self._told: OrderedDict[str, None] = OrderedDict()
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def locked_for_s(self) -> float:
        """How long all consumers are still locked out; 0: they are not."""
        return self._desk.authentication.locked_for_s

    # --- consumers

    def consumer(self, request: web.Request) -> HanUser:
        """Whoever asks for values: by digest, by the portal's session or by certificate. Raises Refused."""
        if self.locked_for_s:
            raise Refused("locked")
        header = request.headers.get("Authorization")
        if header is not None:
            return self._by_digest(request, header)
        found = self._sessions.find(request.cookies.get(COOKIE))
        if found is not None:
            return found[1]
        return self._by_certificate(request, certificate_of(request))

    def session(self, request: web.Request) -> tuple[Session, HanUser] | None:
        """The portal's session, None without one or while consumers are locked out."""
        return None if self.locked_for_s else self._sessions.find(request.cookies.get(COOKIE))

    def log_in(self, login: str, password: str) -> Session:
        """Log in at the portal with a password. Raises Refused."""
        checked = self._desk.authentication.password(login, password)
        if checked.user is None or checked.user.role != "consumer":
            raise Refused(checked.why or "wrong")
        self._desk.admit(checked.user)
        self._tell_password(checked.user)
        return self._sessions.begin(checked.user)

    def log_in_with_certificate(self, der: bytes | None) -> Session:
        """Log in at the portal with the certificate of the connection. Raises Refused."""
        checked = self._desk.authentication.certificate(der, "consumer")
        if checked.user is None:
            self._tell_refused(der, checked)
            raise Refused(checked.why)
        self._desk.admit(checked.user)
        self._tell_certificate(checked.user, der or b"")
        return self._sessions.begin(checked.user)

    def _by_digest(self, request: web.Request, header: str) -> HanUser:
        authentication = self._desk.authentication
        checked = authentication.digest(request.method, target_of(request), header)
        if checked.user is None or checked.user.role != "consumer":
            raise Refused(checked.why or "wrong")
        if checked.nonce not in self._told:
            self._desk.admit(checked.user)
            self._told[checked.nonce] = None
            while len(self._told) > MOST_NONCES:
                self._told.popitem(last=False)
            self._tell_password(checked.user)
        return checked.user

    def _by_certificate(self, request: web.Request, der: bytes | None) -> HanUser:
        checked = self._desk.authentication.certificate(der, "consumer")
        first = self._first(request)
        if checked.user is None:
            if first:
                self._tell_refused(der, checked)
            raise Refused("locked" if checked.why == "locked" else "none")
        if first:
            self._admit(request, checked.user)
            self._tell_certificate(checked.user, der or b"")
        return checked.user

    def _admit(self, request: web.Request, user: HanUser) -> None:
        """The connection's first request is a login; one that comes too soon is none, so the next one is the first."""
        try:
            self._desk.admit(user)
        except web.HTTPInternalServerError:
            self._connections.discard(request.transport)
            raise

    # --- technicians

    def technician(self, request: web.Request) -> HanUser:
        """The technician whose certificate the connection has. Raises Refused."""
        der: bytes | None = certificate_of(request)
        checked = self._desk.authentication.certificate(der, "technician")
        if checked.user is None:
            raise Refused(checked.why)
        if self._first(request):
            subject, issuer = _names(der or b"")
            self._desk.event("technician_logged_in", user=subject, issuer=issuer, profile=checked.user.id)
        return checked.user

    # --- the log

    def _first(self, request: web.Request) -> bool:
        """Whether this is the first request on its connection."""
        connection = request.transport
        if connection is None or connection in self._connections:
            return False
        self._connections.add(connection)
        return True

    def _tell_password(self, user: HanUser) -> None:
        self._desk.event("consumer_logged_in", consumer=user.id, user=user.login[:_NAME])

    def _tell_certificate(self, user: HanUser, der: bytes) -> None:
        subject, issuer = _names(der)
        self._desk.event("certificate_login_accepted", consumer=user.id, user=subject, issuer=issuer)

    def _tell_refused(self, der: bytes | None, checked: Checked) -> None:
        if der is None or not checked.login:
            return
        subject, issuer = _names(der)
        told = {"consumer": checked.login, "user": subject, "issuer": issuer, "outcome": "failure"}
        if checked.why == "locked":
            self._desk.event("certificate_login_failed", error=LOCKED_OUT, **told)
        else:
            self._desk.event("certificate_login_refused", **told)


def _names(der: bytes) -> tuple[str, str]:
    """Common names of subject and issuer; all of the name where it has none."""
    read = x509.load_der_x509_certificate(der)
    return _name(read.subject), _name(read.issuer)


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return (str(common[0].value) if common else name.rfc4514_string())[:_NAME]
