"""A program's visit at a gateway: its requests with a digest and cookies of its own, and what it found."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from aiohttp.client_middleware_digest_auth import parse_header_pairs

from devices.han.content import RawAnswer
from devices.han.errors import HanError, LoginRefused, NotUnderstood
from devices.han.fields import read_json
from devices.han.link import HanLink
from devices.protocols.http_digest import MD5, SHA_256, Credentials, ha1, response
from devices.protocols.sml.obis import format_obis, parse_obis

NIST: Final = ("P-256", "P-384")
"""Curves that clients of Python, Node and Go offer: no brainpool (han 1)."""
REDIRECTS: Final = 5


class NothingThere(HanError):
    """The gateway answers as documented, but has nothing that this program could read."""


class BoundReached(HanError):
    """There is more than the bench fetches: nothing is said of the gateway."""


@dataclass(frozen=True, slots=True)
class Told:
    """One register as a program has read it.

    Attributes:
        meter: number, small letters.
        obis: full code, ``1-0:1.8.0*255``.
        value: in `unit`, by the program's own arithmetic.
        unit: Wh, kWh, W ...; empty for a bare number.
        at: capture time, None: the program reads none.
        instant: of the grid, where the program reads that in place of the capture time.
    """

    meter: str
    obis: str
    value: Decimal
    unit: str
    at: datetime | None
    instant: datetime | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a program has read: registers, and `more` by names of its own."""

    told: tuple[Told, ...]
    more: Mapping[str, Any] = field(default_factory=dict)


class Digest:
    """A digest object as clients hold one: a challenge and the counter (RFC 2617 3.2.2).

    Args:
        user, password: who asks.
        md5: answer with MD5 whatever is announced (han 3.1).
        rng: makes client nonces.
    """

    def __init__(self, user: str, password: str, *, md5: bool, rng: random.Random) -> None:
        self.challenge: dict[str, str] = {}
        self.count = 0
        self._user, self._password, self._md5, self._rng = user, password, md5, rng

    def learn(self, answer: RawAnswer) -> None:
        """Take the challenge of a 401. Raises NotUnderstood when it is none that clients can answer."""
        header = answer.headers.get("www-authenticate", "")
        if not header.startswith("Digest "):
            raise NotUnderstood("WWW-Authenticate", f"{header[:40]!r} is no digest challenge")
        given = {name.lower(): value for name, value in parse_header_pairs(header[7:]).items()}
        for name in ("realm", "nonce", "opaque"):
            if not given.get(name):
                raise NotUnderstood("WWW-Authenticate", f"{name} is missing")
        if given.get("qop") != "auth":
            raise NotUnderstood("WWW-Authenticate", f"qop is {given.get('qop')!r}, not 'auth'")
        if given.get("algorithm", MD5) not in (MD5, SHA_256):
            raise NotUnderstood("WWW-Authenticate", f"no client knows the algorithm {given['algorithm'][:20]!r}")
        self.challenge, self.count = given, 0

    def header(self, method: str, target: str) -> str:
        """The value of Authorization for the next request."""
        self.count += 1
        given = self.challenge
        algorithm = MD5 if self._md5 else given.get("algorithm", MD5)
        realm, nonce, count = given["realm"], given["nonce"], f"{self.count:08x}"
        cnonce = f"{self._rng.getrandbits(32):08x}"
        credentials = Credentials(self._user, realm, nonce, target, "", algorithm, "auth", count, cnonce)
        answer = response(ha1(self._user, realm, self._password, algorithm), method, credentials)
        user = self._user.replace("\\", "\\\\").replace('"', '\\"')
        return (
            f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{target}", response="{answer}", '
            f'algorithm={algorithm}, opaque="{given["opaque"]}", qop=auth, nc={count}, cnonce="{cnonce}"'
        )


class Visit:
    """One visit of a program.

    Args:
        link: connections to the gateway, with the user's name and password.
        now: the program's time.
        md5: it answers every challenge with MD5.
        rng: makes client nonces; None: the system's.

    Attributes:
        cookies: what the program holds; sent with each request.
        digest: its digest object.
        statuses: of all answers in their order.
    """

    def __init__(self, link: HanLink, now: datetime, *, md5: bool = False, rng: random.Random | None = None) -> None:
        self.link = link
        self.now = now
        self.cookies: dict[str, str] = {}
        self.digest = Digest(
            link.login.user, link.login.password or "", md5=md5, rng=rng if rng is not None else random.SystemRandom()
        )
        self.statuses: list[int] = []

    async def send(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> RawAnswer:
        """One request with the cookies, and nothing else than what is said."""
        sent = dict(headers or {})
        if self.cookies and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.link.request(method, target, body=body, headers=sent, authenticate=False)
        self.statuses.append(answer.status)
        self.cookies |= answer.cookies
        return answer

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> RawAnswer:
        """A request with digest; a new challenge is answered once. Raises LoginRefused when that is not taken."""
        for attempt in range(2):
            sent = dict(headers or {})
            if self.digest.challenge:
                sent["Authorization"] = self.digest.header(method, target)
            answer = await self.send(method, target, sent, body)
            if answer.status != 401:
                return answer
            if attempt and "Authorization" in sent:
                break
            self.digest.learn(answer)
        raise LoginRefused(f"{method} {target}: status 401 to the digest of user {self.link.login.user!r}")

    async def get_json(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """A JSON answer of status 200. Raises NotUnderstood for anything else."""
        return json_of(path, await self.ask("GET", path, headers))


def json_of(what: str, answer: RawAnswer) -> Any:
    """The JSON of an answer, by status, type and syntax."""
    must(answer.status == 200, what, f"status {answer.status}, not 200")
    kind = answer.headers.get("content-type", "")
    must(kind.split(";")[0].strip() == "application/json", what, f"content type {kind!r}, not application/json")
    return read_json(answer, what)


def body_of(call: Mapping[str, Any]) -> bytes:
    """A JSON body."""
    return json.dumps(dict(call)).encode()


def must(good: bool, what: str, problem: str) -> None:
    """Raise NotUnderstood unless it is so."""
    if not good:
        raise NotUnderstood(what, problem)


def code_of(what: str, text: str) -> str:
    """``1-0:1.8.0*255`` of ``1-0:1.8.0``. Raises NotUnderstood."""
    try:
        return format_obis(parse_obis(text))
    except ValueError:
        raise NotUnderstood(what, f"{text[:40]!r} is no register like 1-0:1.8.0") from None


def number_of(what: str, text: object) -> Decimal:
    """A number in decimal notation. Raises NotUnderstood."""
    try:
        found = Decimal(str(text))
    except InvalidOperation:
        raise NotUnderstood(what, f"{str(text)[:40]!r} is no number") from None
    must(found.is_finite(), what, f"{str(text)[:40]!r} is no number")
    return found
