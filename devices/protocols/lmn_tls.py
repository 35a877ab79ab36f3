"""TLS 1.2 between gateway and meter, without a wire: octets in, octets out (lmn-wired 3.1).

The gateway is the client. What it offers is what a public capture shows of a real one (lmn-wired 7, capture A), but
for the heartbeat extension, which OpenSSL has no more (DEVIATIONS). Both ends present the certificates that pairing
gave them and accept exactly the one that they keep of the other.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from devices.protocols import libssl
from devices.protocols.lmn_certificate import MAX_OCTETS, CertificateError, Identity, LmnCertificate, read_certificate
from devices.protocols.tls_records import CertificateWatch

SUITES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0xC023: "ECDHE-ECDSA-AES128-SHA256",
        0xC024: "ECDHE-ECDSA-AES256-SHA384",
        0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
        0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
    }
)
"""Cipher suites of the LMN -> OpenSSL's names, in the order of the capture."""

CURVES: Final[Mapping[int, str]] = MappingProxyType(
    {23: "P-256", 24: "P-384", 26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1"}
)
"""Named curves of the LMN -> OpenSSL's names, in the order of the capture."""

SIGNATURES: Final = ("ECDSA+SHA256", "ECDSA+SHA384", "ECDSA+SHA512")
"""0403, 0503, 0603."""

HEARTBEAT: Final = 0x000F
"""Number of the TLS extension that a captured gateway offers and this one does not."""
DEVIATIONS: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "ClientHello: heartbeat extension": (
            "not offered",
            "lmn-wired 3.1",
            "a captured gateway offers it (000F, mode 1); OpenSSL has it no more",
        ),
    }
)
"""Where the gateway's end differs from the captured one: what -> value, where that stands, why; for a report."""

MAX_WAITING: Final = 65_536
"""Octets of unfinished records that are held; more is an error."""
_CHUNK = 16_384

_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CERTIFICATE_VERIFY_FAILED": "wrong_certificate",
        "NO_SHARED_CIPHER": "no_common_suite",
        "NO_SUITABLE_CURVES": "no_common_curve",
        "NO_SUITABLE_SIGNATURE_ALGORITHM": "no_common_curve",
        "WRONG_CIPHER_RETURNED": "no_common_suite",
        "UNKNOWN_CIPHER_RETURNED": "no_common_suite",
        "WRONG_CURVE": "no_common_curve",
        "NO_SUITABLE_KEY_SHARE": "no_common_curve",
        "BAD_SIGNATURE": "wrong_key",
        "WRONG_SIGNATURE_TYPE": "wrong_key",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no_certificate",
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "record",
        "DIGEST_CHECK_FAILED": "record",
        "WRONG_VERSION_NUMBER": "record",
        "UNSUPPORTED_PROTOCOL": "version",
        "UNEXPECTED_MESSAGE": "record",
        "UNEXPECTED_RECORD": "record",
        "APPLICATION_DATA_AFTER_CLOSE_NOTIFY": "closed",
    }
)
"""Words of OpenSSL -> `LmnTlsError.reason`; alerts are ``alert``, anything else ``handshake`` or ``record``."""


_EXPIRY: Final[Mapping[int, str]] = MappingProxyType({9: "certificate_not_yet_valid", 10: "certificate_expired"})
"""X509_V_ERR codes for a certificate outside of its validity."""


class LmnTlsError(ValueError):
    """The session cannot be, or cannot go on.

    Attributes:
        reason: ``wrong_certificate``, ``certificate_expired``, ``certificate_not_yet_valid``,
            ``certificate_size`` (more than 600 octets), ``no_certificate``, ``wrong_key``, ``no_common_suite``,
            ``no_common_curve``, ``version``, ``alert`` (the other end gave up), ``record``, ``closed``, ``handshake``,
            ``identity``.
        answer: octets that are still to be sent, an alert as a rule.
        offset: octets that had come from the other end.
    """

    def __init__(self, reason: str, text: str, answer: bytes = b"", offset: int = 0) -> None:
        self.reason = reason
        self.answer = answer
        self.offset = offset
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What one end offers or accepts, and how long a session may last.

    Attributes:
        suites: keys of SUITES, best first. A meter that has only one of them chooses that.
        curves: keys of CURVES, in the order in which they are offered.
        session_age_s: longest life of a session (31 days assumed, lmn-wired 3.1); whoever holds it looks after that.
        session_octets: most octets of a session, both ways (5 MB assumed, lmn-wired 3.1).
    """

    suites: tuple[int, ...] = tuple(SUITES)
    curves: tuple[int, ...] = tuple(CURVES)
    session_age_s: float = 31 * 86_400.0
    session_octets: int = 5_000_000

    def __post_init__(self) -> None:
        unknown = [f"{one:04X}" for one in self.suites if one not in SUITES]
        unknown += [str(one) for one in self.curves if one not in CURVES]
        if unknown or not self.suites or not self.curves:
            raise LmnTlsError(
                "identity", f"suites and curves of the LMN are wanted, not {', '.join(unknown) or 'none'}"
            )


class TlsEnd:
    """One end of one session.

    Attributes:
        established: whether the handshake is done and the other end is who it should be.
        suite: the suite in use, a key of SUITES; None before.
        octets: octets of records sent and received so far, handshake included.
    """

    def __init__(
        self, identity: Identity, pinned: bytes, now: datetime, settings: TlsSettings, *, server: bool, check: bool
    ) -> None:
        self.established = False
        self.suite: int | None = None
        self.octets = 0
        self._pinned = pinned
        self._now = now
        self._check = check
        self._came = 0
        self._plain = bytearray()
        self._shown = CertificateWatch()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = _context(identity, pinned, settings, server, check)
        if check and libssl.available():
            libssl.set_verify_time(context, now)
        self._tls = context.wrap_bio(self._in, self._out, server_side=server)

    @classmethod
    def gateway(
        cls,
        identity: Identity,
        pinned: bytes,
        now: datetime,
        settings: TlsSettings | None = None,
        *,
        check: bool = True,
    ) -> TlsEnd:
        """The gateway's end, the client.

        Args:
            identity: its own certificate and key.
            pinned: the meter's certificate, DER.
            now: UTC, for the validity of the meter's certificate.
            settings: see TlsSettings.
            check: False accepts any certificate, as some meters do.

        Raises:
            LmnTlsError: `identity` or `pinned` are of no use.
        """
        return cls(identity, pinned, now, settings or TlsSettings(), server=False, check=check)

    @classmethod
    def meter(
        cls,
        identity: Identity,
        pinned: bytes,
        now: datetime,
        settings: TlsSettings | None = None,
        *,
        check: bool = True,
    ) -> TlsEnd:
        """The meter's end, the server; arguments as for `gateway`, with the gateway's certificate pinned."""
        return cls(identity, pinned, now, settings or TlsSettings(), server=True, check=check)

    def start(self) -> bytes:
        """The first octets to send: the client's hello; none from a server."""
        return self.feed(b"")

    def feed(self, data: bytes) -> bytes:
        """Take octets of the other end, any part of records; returns the octets to send back.

        Raises LmnTlsError when the session is over; its `answer` still has to be sent.
        """
        self._came += len(data)
        self.octets += len(data)
        if self._in.pending + len(data) > MAX_WAITING:
            raise LmnTlsError("record", "more octets than any record has", offset=self._came)
        self._in.write(data)
        try:
            if not self.established:
                self._shown.feed(data)
                self._tls.do_handshake()
                self._know_the_other()
            self._read()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as problem:
            raise self._failed(problem) from problem
        return self._sent()

    def received(self) -> bytes:
        """What the other end has said since the last call."""
        plain = bytes(self._plain)
        self._plain.clear()
        return plain

    def send(self, plain: bytes) -> bytes:
        """The records that carry `plain`. Raises LmnTlsError before the handshake is done, or behind the end."""
        if not self.established:
            raise LmnTlsError("handshake", "the session is not established yet", offset=self._came)
        try:
            for start in range(0, len(plain), _CHUNK):
                self._tls.write(plain[start : start + _CHUNK])
        except ssl.SSLError as problem:
            raise self._failed(problem) from problem
        return self._sent()

    def close(self) -> bytes:
        """The end of the session (close_notify); nothing when there was none."""
        if self.established:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
        self.established = False
        return self._sent()

    def _read(self) -> None:
        while True:
            data = self._tls.read(_CHUNK)
            if not data:
                self.established = False
                raise LmnTlsError("closed", "the other end has closed the session", self._sent(), self._came)
            self._plain += data
            if len(self._plain) > MAX_WAITING:
                raise LmnTlsError("record", "more is said than anybody takes", offset=self._came)

    def _know_the_other(self) -> None:
        """The handshake is done: is it the pinned certificate, and is it valid by our own clock?"""
        cipher = self._tls.cipher()
        names = {name: code for code, name in SUITES.items()}
        self.suite = names.get(cipher[0]) if cipher is not None else None
        if self._check:
            presented = self._tls.getpeercert(binary_form=True)
            if presented != self._pinned:
                raise LmnTlsError("wrong_certificate", "the certificate is not the known one", self._sent(), self._came)
            known = _known(self._pinned)
            if not known.valid_at(self._now):
                early = self._now < known.not_before
                reason = "certificate_not_yet_valid" if early else "certificate_expired"
                text = f"the certificate is valid from {known.not_before:%F} to {known.not_after:%F}"
                raise LmnTlsError(reason, text, self._sent(), self._came)
        self.established = True

    def _sent(self) -> bytes:
        octets = self._out.read()
        self.octets += len(octets)
        return octets

    def _failed(self, problem: ssl.SSLError) -> LmnTlsError:
        word = problem.reason or ""
        reason = _EXPIRY.get(getattr(problem, "verify_code", 0)) or _REASONS.get(word)
        if reason == "wrong_certificate":
            reason = self._what_is_wrong(self._shown.certificate)
        if reason is None:
            reason = "alert" if "ALERT" in word else "record" if self.established else "handshake"
        self.established = False
        text = word.replace("_", " ").lower() or str(problem)
        return LmnTlsError(reason, text, self._sent(), self._came)

    def _what_is_wrong(self, shown: bytes | None) -> str:
        """Why OpenSSL did not take the certificate that the other end showed: it only says that it does not know it."""
        try:
            certificate = read_certificate(shown or b"")
        except CertificateError:
            return "wrong_certificate"
        if not certificate.valid_at(self._now):
            return "certificate_not_yet_valid" if self._now < certificate.not_before else "certificate_expired"
        return "certificate_size" if len(certificate.der) > MAX_OCTETS else "wrong_certificate"


def _context(identity: Identity, pinned: bytes, settings: TlsSettings, server: bool, check: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if check else ssl.CERT_NONE
    if not libssl.available():
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | libssl.NO_CHECK_TIME)
    context.options |= ssl.Options(
        libssl.NO_EXTENDED_MASTER_SECRET | libssl.NO_ENCRYPT_THEN_MAC | int(ssl.OP_NO_RENEGOTIATION)
    )
    if server:
        context.options |= ssl.OP_NO_TICKET
    context.set_ciphers(":".join(SUITES[one] for one in settings.suites))
    try:
        curve = _known(identity.certificate).curve
        curves = [CURVES[one] for one in settings.curves]
        if server and curve in curves:  # the key exchange runs on the curve of the meter's certificate
            curves.sort(key=lambda one: one != curve)
        _load_identity(context, identity)
        if check:
            context.load_verify_locations(cadata=pinned)
        _tune(context, curves, curve, pinned if server and check else None)
    except (CertificateError, ssl.SSLError, ValueError) as problem:
        raise LmnTlsError("identity", f"these certificates are of no use: {problem}") from problem
    return context


def _tune(context: ssl.SSLContext, curves: Sequence[str], curve: str, client: bytes | None) -> None:
    """Curves, signature algorithms and the authority's name; where that cannot be set, the one curve in use."""
    if not libssl.available():
        context.set_ecdh_curve({"P-256": "prime256v1", "P-384": "secp384r1"}.get(curve, curve))
        return
    libssl.set_groups(context, curves)
    libssl.set_signature_algorithms(context, SIGNATURES)
    if client is not None:
        libssl.add_client_authority(context, client)
        libssl.set_client_signature_algorithms(context, SIGNATURES[:1])


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    """`ssl` reads certificate and key from files only: from one in memory."""
    descriptor = os.memfd_create("lmn", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, _as_pem(identity))
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@lru_cache(maxsize=256)
def _as_pem(identity: Identity) -> bytes:
    try:
        key = load_der_private_key(identity.key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise CertificateError("key", f"the private key cannot be read: {problem}") from problem
    pem = ssl.DER_cert_to_PEM_cert(identity.certificate).encode()
    return pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@lru_cache(maxsize=256)
def _known(der: bytes) -> LmnCertificate:
    return read_certificate(der)
