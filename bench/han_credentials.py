"""Certificates of users at the home interface, signed by their owners: the gateway compares them octet by octet."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID: Final = timedelta(days=3650)
_EARLIER: Final = timedelta(days=1)
"""Valid since so long before it is made, as clocks differ."""
_P256: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of P-256; keys below it are good on both curves."""


@dataclass(frozen=True)
class Credential:
    """A certificate and its private key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        """The key, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate as the gateway gets it."""
        return self.certificate.public_bytes(Encoding.DER)

    def p12(self, label: str, password: str) -> bytes:
        """Both, for browsers, which take nothing without a password."""
        return pkcs12.serialize_key_and_certificates(
            label.encode(), self.key, self.certificate, None, BestAvailableEncryption(password.encode())
        )


def make_credential(name: str, product: str, now: datetime, rng: random.Random | None = None) -> Credential:
    """A new one for the user `name`; CONEXA takes secp384r1 only (han 3.1).

    Args:
        name: common name.
        product: ppc, conexa or casa.
        now: valid from a day before.
        rng: makes key and serial number, so that they come again; None: they are secret.
    """
    curve = ec.SECP384R1() if product == "conexa" else ec.SECP256R1()
    key = ec.generate_private_key(curve) if rng is None else ec.derive_private_key(rng.randrange(1, _P256), curve)
    number = x509.random_serial_number() if rng is None else rng.getrandbits(63) | 1
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "smgw-bench"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA384() if curve.key_size > 256 else hashes.SHA256())
    )
    return Credential(key, made)
