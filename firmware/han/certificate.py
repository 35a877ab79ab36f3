"""The TLS certificate of the home interface: self-signed, changed now and then (han 1)."""

from __future__ import annotations

import hashlib
import ipaddress
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devices.errors import UsageError
from firmware.config import Options
from firmware.security.module import CURVES
from firmware.storage.memory import NonVolatileMemory, setting_statement

GW_HAN_TLS: Final = "GW_HAN_TLS"
"""Key of the home interface; its certificate is no part of the SM-PKI."""
_SETTING: Final = "han_certificate"
_OWN_CURVE: Final = {"conexa": "secp384r1"}
_USUAL_CURVE: Final = "secp256r1"


@dataclass(frozen=True, slots=True)
class HanCertificate:
    """Key and certificate of the home interface.

    Attributes:
        der: the certificate.
        key: its key, PKCS#8, DER.
    """

    der: bytes
    key: bytes

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return x509.load_der_x509_certificate(self.der).public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key."""
        return load_der_private_key(self.key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hex."""
        return hashlib.sha256(self.der).hexdigest()


def han_curve(product: str, options: Options) -> str:
    """Curve of the certificate: clients offer no brainpool curve, CONEXA documents secp384r1 only (han 1, 3.1).

    Raises:
        UsageError: an unknown curve.
    """
    wanted = options.han_certificate_curve
    if wanted == "type":
        return _OWN_CURVE.get(product, _USUAL_CURVE)
    if wanted not in CURVES:
        raise UsageError(
            f"unknown curve {wanted!r} for the home interface", hint=f"type, or one of {', '.join(CURVES)}"
        )
    return wanted


def han_certificate(memory: NonVolatileMemory) -> HanCertificate | None:
    """The certificate in use, None before there is one."""
    key, stored = memory.secret(GW_HAN_TLS), memory.setting(_SETTING)
    return None if key is None or stored is None else HanCertificate(bytes.fromhex(stored["der"]), key)


def make_han_certificate(
    memory: NonVolatileMemory,
    rng: random.Random,
    product: str,
    device_id: str,
    host: str,
    options: Options,
    now: datetime,
) -> HanCertificate:
    """Make a new key with its certificate in place of those in use.

    Args:
        memory: gets them.
        rng: makes key and serial number.
        product: whose curve is taken.
        device_id: number of the gateway, the certificate's common name.
        host: address of the home interface.
        options: curve and life.
        now: when it is made.
    """
    kind = CURVES[han_curve(product, options)]()
    key = ec.derive_private_key(rng.randrange(1, 1 << (kind.key_size - 1)), kind)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)])
    begin = (now - timedelta(seconds=options.certificate_backdate_s)).replace(microsecond=0)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(rng.getrandbits(126) | 1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=options.han_certificate_days))
        .add_extension(x509.SubjectAlternativeName(_names(device_id, host)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256(), ecdsa_deterministic=True)
    )
    made = HanCertificate(
        built.public_bytes(Encoding.DER), key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    )
    memory.keep_secret(GW_HAN_TLS, made.key)
    memory.commit([setting_statement(_SETTING, {"der": made.der.hex()})])
    return made


def _names(device_id: str, host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("smgw.local"), x509.DNSName(f"{device_id.lower()}.local")]
    try:
        names.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    return names
