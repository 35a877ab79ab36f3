"""Clients of PPC's portal as the fact sheet describes them (han 2.4), on `http.client`.

Digest and cookies are written out here: what a client does is what is tested. Pages are read as the bench's
sequences of such programs read them.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from devices.han.sequences.ppc_markup import options, row_value, tokens

__all__ = ["PATH", "TECH_PATH", "Answer", "Browser", "Digest", "context", "options", "row_value", "tokens"]
PATH = "/cgi-bin/hanservice.cgi"
TECH_PATH = "/cgi-bin/hanservicetech.cgi"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def context(certificate: Path | None = None) -> ssl.SSLContext:
    """The usual TLS of Python, without a look at who it is (han 1)."""
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        made.load_cert_chain(certificate)
    return made


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)


@dataclass
class Digest:
    """A digest object as clients hold one: the challenge, and the counter."""

    user: str
    password: str
    challenge: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def learn(self, header: str) -> None:
        self.challenge = dict(re.findall(r'(\w+)="([^"]*)"', header))
        self.count = 0

    def header(self, method: str, target: str) -> str:
        self.count += 1
        realm, nonce = self.challenge["realm"], self.challenge["nonce"]
        nc, cnonce = f"{self.count:08x}", "0a4f113b"
        first, second = md5(f"{self.user}:{realm}:{self.password}"), md5(f"{method}:{target}")
        response = md5(f"{first}:{nonce}:{nc}:{cnonce}:auth:{second}")
        return (
            f'Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{target}", response="{response}", '
            f'algorithm=MD5, opaque="{self.challenge["opaque"]}", qop=auth, nc={nc}, cnonce="{cnonce}"'
        )


class Browser:
    """One client with cookies and a digest object, a new connection for each request.

    Args:
        host, port: of the gateway.
        user, password: nobody: no digest.
        certificate: PEM file with key and certificate.
    """

    def __init__(
        self, host: str, port: int, user: str = "", password: str = "", certificate: Path | None = None
    ) -> None:
        self.host, self.port = host, port
        self.context = context(certificate)
        self.digest = Digest(user, password)
        self.cookies: dict[str, str] = {}
        self.answers: list[Answer] = []

    def raw(self, method: str, target: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        connection = HTTPSConnection(self.host, self.port, context=self.context, timeout=20)
        try:
            connection.request(method, target, body=body, headers=dict(headers))
            got = connection.getresponse()
            answer = Answer(got.status, got.getheaders(), got.read())
        finally:
            connection.close()
        for cookie in answer.all("Set-Cookie"):
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.split(";")[0]
        self.answers.append(answer)
        return answer

    def request(
        self, method: str, body: str | None = None, target: str = PATH, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask, with the known challenge if there is one; answer a new challenge once."""
        sent = dict(headers or {})
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.digest.challenge:
            sent["Authorization"] = self.digest.header(method, target)
        answer = self.raw(method, target, body, sent)
        challenge = answer.header("WWW-Authenticate")
        if answer.status == 401 and challenge is not None and self.digest.user:
            self.digest.learn(challenge)
            sent["Authorization"] = self.digest.header(method, target)
            answer = self.raw(method, target, body, sent)
        return answer

    def login(self) -> Answer:
        return self.request("GET")

    def post(self, action: str, token: str | None = None, **fields: Any) -> Answer:
        """A form."""
        sent = ({} if token is None else {"tkn": token}) | {"action": action} | fields
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.request("POST", urlencode(sent), headers=headers)
