"""Who asks at a home interface, where it is, and what is told of each exchange."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CONNECT_S: Final = 10.0
ANSWER_S: Final = 60.0
"""A meter is read for some answers, which takes a PPC up to 60 s (han 2.1)."""
_SIGN: Final = r"[^\s#\x00-\x1f\x7f-\x9f\ud800-\udfff]"
TARGET: Final = re.compile(rf"/(?:(?!\?){_SIGN})*(?:\?{_SIGN}+)?")
"""Path and query of a request, as a scenario writes it or as names that a gateway has told may have come into it. A
``#`` with what is behind it, and a ``?`` with nothing behind it, are never sent, but would be part of the digest."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A user's certificate and private key in PEM files, `key` None: both in one; `password` of the key."""

    certificate: Path
    key: Path | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks: user name and password, or a certificate.

    Attributes:
        user: name for the digest; with a certificate: how the bench calls him.
        password: its password; None: there is none.
        certificate: client certificate, None: none is shown.
    """

    user: str
    password: str | None = field(default=None, repr=False)
    certificate: ClientCertificate | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, for the evidence; never a password.

    Attributes:
        user, method, target: of the request; `form` is what it carried.
        status: of the answer, 0: none came.
        octets: of the answer's body.
        began, ended: bench seconds.
        problem: why no answer came, else empty.
    """

    user: str
    method: str
    target: str
    status: int
    octets: int
    began: float
    ended: float
    problem: str = ""
    form: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a gateway is reached.

    Attributes:
        host, port: where.
        fingerprint: SHA-256 of its certificate in DER, hex; None: trusted on first use.
        connect_s, answer_s: longest waits.
        server_name: host header where it differs from `host` (CASA takes its own names only, han 4.1).
        curves: those that are offered, by OpenSSL's names; None: those of the transparency software (han 1).
    """

    host: str
    port: int = 443
    fingerprint: str | None = None
    connect_s: float = CONNECT_S
    answer_s: float = ANSWER_S
    server_name: str | None = None
    curves: tuple[str, ...] | None = None
