"""HTTPS to one gateway: TLS 1.2, certificate pinned or trusted on first use, digest, deadlines, bounds (han 1).

The certificate is compared inside the TLS handshake, before one octet of HTTP is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
from aiohttp.client_middleware_digest_auth import parse_header_pairs
from yarl import URL

from devices.clock import Clock
from devices.errors import UsageError
from devices.han.content import RawAnswer
from devices.han.errors import CertificateChanged, HanError, HanUnreachable, LoginRefused, NotUnderstood
from devices.han.login import TARGET, Exchange, Login, Settings
from devices.protocols import libssl
from devices.protocols.certificates import common_name, read_der
from devices.protocols.http_digest import MD5, SHA_256, Credentials, ha1, response

SUITES: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384"
)
"""Those that the transparency software offers (han 1)."""
CURVES: Final = ("P-256", "P-384", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")
LARGEST_BODY: Final = 64_000_000
_PIECE: Final = 65_536
_NUMBER: Final = re.compile(r"E[A-Z]{3}\d{10}\b", re.IGNORECASE)
"""Identification of a gateway: E for electricity, maker, ten digits."""


class _Pinned(ssl.SSLCertVerificationError):
    """The handshake showed another certificate."""


class HanLink:
    """Connections to one gateway for one user; use as a context manager.

    Attributes:
        settings: how the gateway is reached.
        login: who asks.
        certificate: the gateway's certificate in DER, empty before the first connection.
    """

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        login: Login,
        *,
        rng: random.Random | None = None,
        on_exchange: Callable[[Exchange], object] | None = None,
        judge: Callable[[HanError], Exception] | None = None,
    ) -> None:
        self.settings = settings
        self.login = login
        self.certificate = b""
        self.cookies: dict[str, str] = {}
        self._clock = clock
        self._rng: random.Random = rng or random.SystemRandom()
        self._on_exchange = on_exchange or (lambda _: None)
        self._judge: Callable[[HanError], Exception] = judge or (lambda error: error)
        self._pinned = settings.fingerprint.lower().replace(":", "") if settings.fingerprint else None
        self._changed: CertificateChanged | None = None
        self._session: aiohttp.ClientSession | None = None
        self._challenge: dict[str, str] = {}
        self._meant: tuple[str, str] | None = None
        self._count = 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the gateway's certificate, hex; empty before the first connection."""
        return hashlib.sha256(self.certificate).hexdigest() if self.certificate else ""

    @property
    def number(self) -> str:
        """The gateway's number, where its certificate is made out to one; else empty."""
        try:
            match = _NUMBER.match(common_name(read_der(self.certificate)))
        except ValueError:  # none yet, or an odd one, which TLS has let through
            return ""
        return "" if match is None else match[0].lower()

    def forget_nonce(self) -> None:
        """Begin the next request without an answer to an earlier challenge."""
        self._challenge = {}

    async def request(
        self,
        method: str,
        target: str,
        *,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        authenticate: bool = True,
    ) -> RawAnswer:
        """One request; a challenge is answered once for each algorithm that it may mean.

        Args:
            method: GET or POST.
            target: path and query, from ``/`` on.
            form: fields of a form, or
            body: octets to send.
            headers: further ones.
            authenticate: answer challenges; False: the 401 is returned.

        Raises:
            HanUnreachable: no connection or no answer in time.
            CertificateChanged: another certificate than the pinned one.
            LoginRefused: the digest was not taken.
            NotUnderstood: a challenge or answer that makes no sense, or a target that is none, made of such an answer.
        """
        if TARGET.fullmatch(target) is None:
            raise NotUnderstood("path", f"{target[:80]!r} cannot be asked for")
        sent = _Sent(method, target, dict(form or {}), body, dict(headers or {}))
        knows = authenticate and self.login.password is not None
        first = self._authorization(sent, self._possible()[0]) if knows and self._challenge else None
        answer = await self._send(sent, first)
        if answer.status != 401 or not knows:
            return answer
        self._challenge, self._count = _challenge(answer), 0
        for algorithm in self._possible():
            answer = await self._send(sent, self._authorization(sent, algorithm))
            if answer.status == 401:
                self._challenge, self._count = _challenge(answer), 0
                continue
            if answer.status == 200 and not answer.body and algorithm != self._possible()[-1]:
                continue  # what newer CONEXA firmware does with the algorithm that it does not mean (han 3.1)
            self._meant = (self._announced, algorithm)
            return answer
        self._challenge, self._meant = {}, None
        raise LoginRefused(f"the gateway refuses user {self.login.user!r} or his password")

    def _possible(self) -> tuple[str, ...]:
        """Algorithms to try: firmware that announces SHA-256 takes MD5 only (han 3.1), other may mean it; once one was
        taken it is the one, so that no order is sent twice and no refusal counts twice."""
        if self._meant is not None and self._meant[0] == self._announced:
            return (self._meant[1],)
        return (MD5, SHA_256) if self._announced == "SHA256" else (MD5,)

    @property
    def _announced(self) -> str:
        return self._challenge.get("algorithm", MD5).upper().replace("-", "")

    def _authorization(self, sent: _Sent, algorithm: str) -> str:
        self._count += 1
        cnonce = f"{self._rng.getrandbits(64):016x}"
        given = self._challenge
        count = f"{self._count:08x}"
        credentials = Credentials(
            self.login.user, given["realm"], given["nonce"], sent.target, "", algorithm, "auth", count, cnonce
        )
        if "auth" not in given.get("qop", ""):
            credentials = replace(credentials, qop="", count="", cnonce="")
        secret = ha1(self.login.user, given["realm"], self.login.password or "", algorithm)
        parts = {
            "username": _quoted(self.login.user),
            "realm": _quoted(given["realm"]),
            "nonce": _quoted(given["nonce"]),
            "uri": _quoted(sent.target),
            "algorithm": algorithm,
            "response": _quoted(response(secret, sent.method, credentials)),
        }
        if credentials.qop:
            parts |= {"qop": "auth", "nc": count, "cnonce": _quoted(cnonce)}
        if "opaque" in given:
            parts["opaque"] = _quoted(given["opaque"])
        return "Digest " + ", ".join(f"{name}={value}" for name, value in parts.items())

    async def _send(self, sent: _Sent, authorization: str | None) -> RawAnswer:
        headers = dict(sent.headers)
        if authorization is not None:
            headers["Authorization"] = authorization
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.settings.server_name is not None:
            headers["Host"] = self.settings.server_name
        began, status, octets, problem = self._clock.seconds(), 0, 0, ""
        try:
            answer = await self._exchange(sent, headers)
            status, octets = answer.status, len(answer.body)
        except Exception as error:
            problem = str(error)
            raise
        finally:
            shown = {name: value for name, value in sent.form.items() if name != "tkn"}
            ended = self._clock.seconds()
            self._on_exchange(
                Exchange(self.login.user, sent.method, sent.target, status, octets, began, ended, problem, shown)
            )
        return answer

    async def _exchange(self, sent: _Sent, headers: dict[str, str]) -> RawAnswer:
        session = self._opened()
        where = f"{self.settings.host}:{self.settings.port}"
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        url = URL(f"https://{host}:{self.settings.port}{sent.target}", encoded=True)
        self._changed = None
        try:
            async with session.request(
                sent.method,
                url,
                data=sent.form or sent.body,
                headers=headers,
                allow_redirects=False,
                skip_auto_headers=() if sent.body is None else ("Content-Type",),
                server_hostname=self.settings.server_name or self.settings.host,
            ) as answer:
                body = bytearray()
                async for piece in answer.content.iter_chunked(_PIECE):
                    body += piece
                    if len(body) > LARGEST_BODY:
                        raise NotUnderstood(sent.target, f"the answer has more than {LARGEST_BODY} octets")
                shown = {name.lower(): value for name, value in answer.headers.items()}
                cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
                fields = tuple((name.lower(), value) for name, value in answer.headers.items())
                return RawAnswer(answer.status, shown, bytes(body), cookies, fields)
        except aiohttp.ConnectionTimeoutError:
            text = f"{where} cannot be reached: no connection within {self.settings.connect_s:g} s"
            raise self._judge(HanUnreachable(text)) from None
        except TimeoutError:
            raise HanUnreachable(f"{where} did not answer within {self.settings.answer_s:g} s") from None
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            if self._changed is not None:
                raise self._judge(self._changed) from None
            raise self._judge(HanUnreachable(f"{where} cannot be reached: {_reason(error)}")) from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._context(), limit=4),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=self.settings.answer_s, connect=self.settings.connect_s, sock_connect=self.settings.connect_s
                ),
                headers={"User-Agent": "smgw-bench"},
            )
        return self._session

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # gateways sign their certificates themselves; it is pinned instead
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(SUITES)
        if libssl.available():
            with contextlib.suppress(libssl.LibsslError):
                libssl.set_groups(context, self.settings.curves or CURVES)
        shown = self.login.certificate
        if shown is not None:
            try:
                context.load_cert_chain(shown.certificate, shown.key, shown.password)
            except (OSError, ssl.SSLError) as error:
                raise UsageError(
                    f"the certificate {shown.certificate} cannot be used: {error}",
                    hint="a PEM file with certificate and private key",
                ) from None
        link = self

        class Handshake(ssl.SSLObject):
            """Compares the certificate at the end of the handshake."""

            def do_handshake(self) -> None:
                super().do_handshake()
                link._compare(self.getpeercert(True) or b"")

        context.sslobject_class = Handshake
        return context

    def _compare(self, der: bytes) -> None:
        shown = hashlib.sha256(der).hexdigest()
        if self._pinned is None:
            self._pinned = shown
        if shown != self._pinned:
            self._changed = CertificateChanged(self._pinned, shown)
            raise _Pinned(1, "another certificate than the known one")
        self.certificate = der

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
            await asyncio.sleep(0)

    async def __aenter__(self) -> HanLink:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@dataclass(frozen=True, slots=True)
class _Sent:
    method: str
    target: str
    form: dict[str, str]
    body: bytes | None
    headers: dict[str, str]


def _challenge(answer: RawAnswer) -> dict[str, str]:
    header = answer.headers.get("www-authenticate", "")
    if not header.lower().startswith("digest "):
        raise NotUnderstood("WWW-Authenticate", f"{header[:40]!r} is no digest challenge")
    found: dict[str, Any] = {name.lower(): value for name, value in parse_header_pairs(header[7:]).items()}
    for name in ("realm", "nonce"):
        if not found.get(name):
            raise NotUnderstood("WWW-Authenticate", f"{name} is missing")
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
        return inner.strerror or str(inner) or type(inner).__name__
    return str(error) or type(error).__name__
