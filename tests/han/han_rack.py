"""What the emulated gateways of these tests have in common: people with certificates, profiles, signed readings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from devices.protocols.http_digest import ha1
from firmware.metering import values
from firmware.metering.contracts import contract_of, contract_statement
from firmware.metering.values import Reading
from firmware.profiles.forms import profile_of
from firmware.profiles.kinds import TariffProfile
from firmware.profiles.stored import Entry
from firmware.security.module import SecurityModule
from firmware.storage.memory import Statement

SIGNATURE_OCTETS = 64
DAY_AND_NIGHT = {
    "days": [{"name": "day", "switches": [{"at": "00:00", "stage": 2}, {"at": "06:00", "stage": 1}]}],
    "weeks": [{"name": "week", "days": ["day"] * 7}],
    "seasons": [{"name": "year", "month": 1, "day": 1, "week": "week"}],
    "default": 2,
}


@dataclass(frozen=True)
class Person:
    """Somebody with a key and a certificate that he has signed himself."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem_octets(self) -> bytes:
        """Key and certificate."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + self.certificate.public_bytes(Encoding.PEM)

    def pem(self, folder: Path, name: str = "person") -> Path:
        """Both in one file."""
        found = folder / f"{name}.pem"
        found.write_bytes(self.pem_octets)
        return found


@lru_cache
def person_of(name: str, begin: datetime, days: int, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> Person:
    """The person of that name, the same one in all tests."""
    key = ec.generate_private_key(curve())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .sign(key, SHA256())
    )
    return Person(key, made)


def meter(number: str, consumer: str) -> dict[str, Any]:
    """The profile of a meter that is never read: its values are in the memory."""
    return {
        "kind": "meter", "id": f"meter-{number}", "meter": number, "link": "wired_clear", "active": False,
        "registers": [], "consumer": consumer,
    }  # fmt: skip


def login_of(user: str, realm: str, password: str, **fields: Any) -> dict[str, Any]:
    """A consumer's profile with a password."""
    digest = ha1(user, realm, password)
    return {
        "kind": "han_communication", "id": f"han-{user}", "role": "consumer", "user": user,
        "authentication": "password", "password_digest": digest,
    } | fields  # fmt: skip


def certified_of(user: str, role: str, who: Person) -> dict[str, Any]:
    """A profile with a certificate."""
    return {
        "kind": "han_communication", "id": f"cert-{user}", "role": role, "user": user,
        "authentication": "certificate", "certificate": who.der.hex(),
    }  # fmt: skip


def profile_statements(plain_ones: Iterable[dict[str, Any]], first: int = 1) -> list[Statement]:
    """What stores profiles, as if the administrator had installed them."""
    found: list[Statement] = []
    for number, plain in enumerate(plain_ones, first):
        profile = profile_of(plain)
        found.append(Entry(number, profile, was_active=False).statement)
        if isinstance(profile, TariffProfile):
            contract = contract_of(profile.evaluation, profile.usage_point, profile.supplier, profile.tariff)
            found.append(contract_statement(contract))
    return found


def reading_statements(module: SecurityModule, readings: Iterable[Reading], *, sign: bool = True) -> list[Statement]:
    """What stores readings as the metering core does, signed; or with empty signatures, where nobody looks at them."""
    kept = list(readings)
    octets = [text for one in kept for text in values.octets_to_sign(one)]
    return values.store_signed(kept, [module.sign(text) if sign else bytes(SIGNATURE_OCTETS) for text in octets])
