"""Certificates of the wired LMN: self-signed pairs that the gateway makes for itself and its meters (wan-core 5.3)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from cryptography.x509.oid import NameOID

MAX_OCTETS: Final = 600
"""Longest certificate."""
LIFE_DAYS: Final = 7 * 365
"""Validity of the published sample (assumed for all)."""

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = MappingProxyType(
    {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "brainpoolP256r1": ec.BrainpoolP256R1(),
        "brainpoolP384r1": ec.BrainpoolP384R1(),
        "brainpoolP512r1": ec.BrainpoolP512R1(),
    }
)
_Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
_HASHES: Final[Mapping[int, _Hash]] = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}

CURVES: Final = tuple(_CURVES)
"""Curves of the LMN, by OpenSSL's names (lmn-wired 3.1)."""


class CertificateError(ValueError):
    """Octets that are no certificate or key of the LMN, or one that breaks its rules.

    Attributes:
        reason: one word: ``encoding``, ``curve``, ``signature``, ``serial``, ``key``.
        offset: 0; DER readers do not tell where.
    """

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        self.offset = 0
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key.

    Attributes:
        certificate: DER.
        key: ECPrivateKey after SEC 1 in DER, as pairing hands it over (lmn-wired 3.2).
    """

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class LmnCertificate:
    """What a certificate says.

    Attributes:
        name: common name, ``<id>.sm``.
        serial: serial number.
        not_before, not_after: validity, UTC.
        curve: OpenSSL's name of the curve.
        der: the certificate itself.
        violations: rules of wan-core 5.3 that it breaks, in words; it can be read all the same.
    """

    name: str
    serial: int
    not_before: datetime
    not_after: datetime
    curve: str
    der: bytes
    violations: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, hex digits."""
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.der)
        return digest.finalize().hex()

    def valid_at(self, now: datetime) -> bool:
        """Whether `now` lies within the validity, both ends included."""
        return self.not_before <= now <= self.not_after


def make_identity(
    name: str, curve: str, not_before: datetime, days: float, rng: random.Random, *, serial_octets: int = 16
) -> Identity:
    """A self-signed pair; all randomness is from `rng` and the signature is deterministic.

    Args:
        name: common name, ``<id>.sm``.
        curve: one of CURVES.
        not_before: begin of the validity, cut down to whole seconds.
        days: its length.
        serial_octets: size of the random serial number, 8 to 20.

    Raises:
        CertificateError: unknown curve, or serial number of another size.
    """
    kind = _CURVES.get(curve)
    if kind is None:
        raise CertificateError("curve", f"{curve!r} is no curve of the LMN, there are {', '.join(CURVES)}")
    if not 8 <= serial_octets <= 20:
        raise CertificateError("serial", f"a serial number has 8 to 20 octets, not {serial_octets}")
    key = _private_key(kind, rng)
    begin = not_before.astimezone(UTC).replace(microsecond=0)
    # The highest bit stays clear, else DER needs an octet more; the next is set, so that none is missing.
    serial = rng.getrandbits(serial_octets * 8 - 2) | 1 << (serial_octets * 8 - 2)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(usage, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .sign(key, _HASHES[min(512, key.key_size)], ecdsa_deterministic=True)
    )
    der = certificate.public_bytes(Encoding.DER)
    return Identity(der, key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


def read_certificate(der: bytes) -> LmnCertificate:
    """What `der` says; rules that it breaks are listed, not raised.

    Raises:
        CertificateError: no certificate, no key on a curve of the LMN, or not signed by itself.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        public = certificate.public_key()
        algorithm = certificate.signature_hash_algorithm
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        extensions = certificate.extensions
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as problem:
        raise CertificateError("encoding", f"these {len(der)} octets are no certificate: {problem}") from problem
    curve = _curve_of(public)
    if algorithm is None or not isinstance(public, ec.EllipticCurvePublicKey):
        raise CertificateError("signature", "the certificate is not signed with ECDSA")
    try:
        public.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except (InvalidSignature, UnsupportedAlgorithm) as problem:
        raise CertificateError("signature", "the certificate is not signed with its own key") from problem
    name = str(names[0].value) if names else ""
    return LmnCertificate(
        name,
        certificate.serial_number,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        curve,
        der,
        tuple(_violations(der, name, certificate.serial_number, extensions)),
    )


def read_key(key: bytes) -> ec.EllipticCurvePrivateKey:
    """The private key in `key` (SEC 1 or PKCS #8, DER). Raises CertificateError when it is none of the LMN."""
    try:
        private = load_der_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise CertificateError("key", f"these {len(key)} octets are no private key: {problem}") from problem
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise CertificateError("key", "the private key is not on an elliptic curve")
    _curve_of(private.public_key())
    return private


def belong_together(identity: Identity) -> bool:
    """Whether the key of `identity` is that of its certificate. Raises CertificateError when one cannot be read."""
    certificate = x509.load_der_x509_certificate(read_certificate(identity.certificate).der)
    return read_key(identity.key).public_key() == certificate.public_key()


def _private_key(curve: ec.EllipticCurve, rng: random.Random) -> ec.EllipticCurvePrivateKey:
    """A key whose secret is drawn below 2**(size - 1): below the order of each of these curves, never zero."""
    return ec.derive_private_key(rng.getrandbits(curve.key_size - 1) | 1, curve)


def _curve_of(public: object) -> str:
    if isinstance(public, ec.EllipticCurvePublicKey):
        for name, curve in _CURVES.items():
            if public.curve.name == curve.name:
                return name
    raise CertificateError("curve", "the key is on none of the curves of the LMN")


def _violations(der: bytes, name: str, serial: int, extensions: x509.Extensions) -> list[str]:
    found = []
    if len(der) > MAX_OCTETS:
        found.append(f"{len(der)} octets, {MAX_OCTETS} are allowed")
    if not name.endswith(".sm"):
        found.append(f"common name {name!r} does not end in .sm")
    octets = (serial.bit_length() + 7) // 8
    if not 8 <= octets <= 20:
        found.append(f"serial number of {octets} octets, 8 to 20 are allowed")
    usages = [one for one in extensions if isinstance(one.value, x509.KeyUsage)]
    if not usages or not usages[0].critical or not usages[0].value.digital_signature:
        found.append("no critical key usage with digitalSignature")
    if any(isinstance(one.value, x509.BasicConstraints) and one.value.ca for one in extensions):
        found.append("it claims to be a certificate authority")
    return found
