"""Certificates in the shape of the smart metering PKI's test hierarchy: root, Sub-CA, end entity (wan-core 5.1).

Everything is made from the randomness that is handed in and signed deterministically: the same seed gives the same
octets. Names and extensions are those of the test SM-PKI; the hierarchy is our own and nobody else trusts it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

POLICY: Final = x509.ObjectIdentifier("0.4.0.127.0.7.3.4.1.1.1")
"""Certificate policy of the SM-PKI."""
ROOT_NAME: Final = "SM-Test-Root.CA"
_URL: Final = "http://sm-test-pki.example"
"""Where revocation lists would be; a name that nobody can own (RFC 2606)."""
_SERIAL_OCTETS: Final = 16
_Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
_HASHES: Final[Mapping[int, _Hash]] = MappingProxyType(
    {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
)


class Usage(Enum):
    """What the key of an end entity is for; one certificate each (wan-core 5.1, triple)."""

    SIGNATURE = "signature"
    TLS = "tls"
    ENCRYPTION = "encryption"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a hierarchy has in common.

    Attributes:
        organisation: O of all names.
        country: C of all names.
        curve: of the authorities' keys.
        root_life, sub_life, end_life: validity by level.
    """

    organisation: str = "SM-Test-PKI-DE"
    country: str = "DE"
    curve: ec.EllipticCurve = field(default_factory=ec.BrainpoolP256R1)
    root_life: timedelta = timedelta(days=8 * 365)
    sub_life: timedelta = timedelta(days=5 * 365)
    end_life: timedelta = timedelta(days=2 * 365)


@dataclass(frozen=True)
class Authority:
    """A certificate authority: its certificate and the key that signs."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    rules: Rules
    rng: random.Random

    @property
    def name(self) -> str:
        """Its common name."""
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def der(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    def issue(
        self,
        name: str,
        unit: str,
        public_key: ec.EllipticCurvePublicKey,
        usage: Usage,
        begin: datetime,
        *,
        number: int = 1,
    ) -> bytes:
        """A certificate for an end entity without alternative name, as gateways have it; DER.

        Args:
            name: common name, ``EPPC0210495730.SMGW``.
            unit: organisational unit, of a gateway ``<administrator>.PKI``.
            public_key: whose certificate it is.
            usage: what the key is for.
            begin: first instant of its validity.
            number: SERIALNUMBER of the name, counts the certificates of the same name.
        """
        attributes = [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.rules.organisation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COUNTRY_NAME, self.rules.country),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, str(number)),
        ]
        builder = self._builder(x509.Name(attributes), public_key, begin, self.rules.end_life)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(usage), critical=True)
        if usage is Usage.TLS:
            both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=True)
        return self._signed(builder)

    def sub_authority(self, name: str, begin: datetime) -> Authority:
        """An authority below this one, which issues to end entities only; `name` ends in ``.CA``."""
        key = _key(self.rules.curve, self.rng)
        builder = self._builder(_ca_name(name, self.rules), key.public_key(), begin, self.rules.sub_life)
        builder = _as_authority(builder, 0)
        der = self._signed(builder)
        return Authority(x509.load_der_x509_certificate(der), key, self.rules, self.rng)

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, begin: datetime, life: timedelta
    ) -> x509.CertificateBuilder:
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{_URL}/{self.name}.crl")], None, None, None)
        return (
            _plain(subject, self.certificate.subject, public_key, begin, life, self.rng)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
            .add_extension(x509.CRLDistributionPoints([point]), critical=False)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        certificate = builder.sign(self.key, _hash(self.key.curve), ecdsa_deterministic=True)
        return certificate.public_bytes(Encoding.DER)


def make_root(rng: random.Random, begin: datetime, rules: Rules | None = None, name: str = ROOT_NAME) -> Authority:
    """The root of a new hierarchy, signed by itself."""
    rules = rules or Rules()
    key, subject = _key(rules.curve, rng), _ca_name(name, rules)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = _plain(subject, subject, key.public_key(), begin, rules.root_life, rng).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    certificate = _as_authority(builder, 1).sign(key, _hash(rules.curve), ecdsa_deterministic=True)
    return Authority(certificate, key, rules, rng)


def _ca_name(name: str, rules: Rules) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, rules.organisation),
            x509.NameAttribute(NameOID.COUNTRY_NAME, rules.country),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, "1"),
        ]
    )


def _plain(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    begin: datetime,
    life: timedelta,
    rng: random.Random,
) -> x509.CertificateBuilder:
    first = begin.astimezone(UTC).replace(microsecond=0)
    # The highest bit stays clear, else DER needs an octet more; the next is set, so that none is missing.
    number = rng.getrandbits(_SERIAL_OCTETS * 8 - 2) | 1 << (_SERIAL_OCTETS * 8 - 2)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(number)
        .not_valid_before(first)
        .not_valid_after(first + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), critical=False)
        .add_extension(x509.IssuerAlternativeName([x509.UniformResourceIdentifier(_URL)]), critical=False)
    )


def _as_authority(builder: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)


def _usage(usage: Usage) -> x509.KeyUsage:
    if usage is Usage.ENCRYPTION:
        return _key_usage(key_agreement=True)
    return _key_usage(digital_signature=True)


def _key_usage(
    *,
    digital_signature: bool = False,
    key_agreement: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=key_agreement,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _key(curve: ec.EllipticCurve, rng: random.Random) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(rng.randrange(1, 1 << (curve.key_size - 1)), curve)


def _hash(curve: ec.EllipticCurve) -> _Hash:
    return _HASHES[min(512, curve.key_size)]
