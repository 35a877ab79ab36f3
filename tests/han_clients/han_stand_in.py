"""A small HTTPS server with the answers that the fact sheet prints; it shares nothing with the emulated gateway."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Headers = dict[str, str]
Handler = Callable[[str, str, Headers, bytes], tuple[int, Headers, bytes]]
"""Method, target, headers in small letters, body -> status, headers, body."""


def make_certificate(folder: Path, name: str, curve: ec.EllipticCurve | None = None) -> Path:
    """A self-signed certificate and its key in one PEM file."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=20_000))
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    return file


def fingerprint(file: Path) -> str:
    """SHA-256 of the certificate in a PEM file."""
    return hashlib.sha256(x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(Encoding.DER)).hexdigest()


class Digest:
    """Digest access authentication, written from RFC 2617 for these tests.

    Attributes:
        counts: nonce counts that came, in order.
        uris: the uris that were signed.
        failed: wrong answers.
    """

    def __init__(self, user: str, password: str, *, announced: str = "MD5", accepted: str = "md5") -> None:
        self.user, self.password, self.announced, self.accepted = user, password, announced, accepted
        self.nonce = 1
        self.counts: list[str] = []
        self.uris: list[str] = []
        self.failed = 0

    def challenge(self) -> Headers:
        """Headers of a 401."""
        return {
            "WWW-Authenticate": f'Digest realm="SmartMeterGateway",qop="auth",algorithm="{self.announced}",'
            f'nonce="{self.nonce:032x}",opaque="{99:032x}"'
        }

    def right(self, method: str, target: str, headers: Headers) -> bool:
        """Whether the request was signed with the password."""
        header = headers.get("authorization", "")
        if not header.startswith("Digest "):
            return False
        given: dict[str, str] = {}
        for one in header[7:].split(","):
            name, _, value = one.strip().partition("=")
            given[name] = value.strip('"')
        make = getattr(hashlib, self.accepted)

        def h(text: str) -> str:
            return str(make(text.encode()).hexdigest())

        secret = h(f"{self.user}:SmartMeterGateway:{self.password}")
        middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:auth"
        right = given["response"] == h(f"{secret}:{middle}:{h(f'{method}:{target}')}")
        ok = right and given["nonce"] == f"{self.nonce:032x}" and given["opaque"] == f"{99:032x}"
        ok = ok and given["uri"] == target
        if ok:
            self.counts.append(given["nc"])
            self.uris.append(given["uri"])
        else:
            self.failed += 1
        return ok


@asynccontextmanager
async def serving(handler: Handler, certificate: Path, clients: Path | None = None) -> AsyncIterator[int]:
    """The server at a port of the loopback, as long as the block runs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    open_ones: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode().split("\r\n")[:-2]
                method, target, _ = first.split(" ")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status, more, answer = handler(method, target, headers, body)
                told: dict[str, Any] = {"Content-Length": len(answer), **more}
                writer.write(f"HTTP/1.1 {status} X\r\n".encode())
                writer.write(
                    "".join(f"{name}: {value}\r\n" for name, value in told.items()).encode() + b"\r\n" + answer
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            open_ones.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in tuple(open_ones):
            writer.transport.abort()
        await asyncio.sleep(0)
