"""The gateway's certificates: public data beside the keys of the security module (wan-core 5.1, 5.2).

They are made in the factory, as a test hierarchy of the unit's own: root, Sub-CA and one certificate for each key of
the module. Private keys of root and Sub-CA are not kept.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key

from devices.errors import UsageError
from devices.protocols.sm_pki import Rules, Usage, make_root
from firmware.config import Options
from firmware.security.module import GW_WAN_SIG
from firmware.storage.memory import NonVolatileMemory, Statement, setting_statement

SM_ROOT: Final = "SM_ROOT"
SUB_CA: Final = "SUB_CA"
GW_WAN_TLS: Final = "GW_WAN_TLS"
GW_WAN_ENC: Final = "GW_WAN_ENC"
SUB_CA_NAME: Final = "Bench-Test-Sub.CA"
"""Common name of the Sub-CA that gateways of this bench are certified by."""
USAGES: Final[Mapping[str, Usage]] = MappingProxyType(
    {GW_WAN_SIG: Usage.SIGNATURE, GW_WAN_TLS: Usage.TLS, GW_WAN_ENC: Usage.ENCRYPTION}
)
"""Keys of the module that the SM-PKI certifies; those that a module holds get a certificate."""
_SETTING: Final = "certificate/"
_LONGEST_CHAIN: Final = 5


@dataclass(frozen=True, slots=True)
class GatewayCertificate:
    """A stored certificate.

    Attributes:
        name: of the key that it is for, or `SM_ROOT`, `SUB_CA`.
        der: the certificate.
        issuer: name of the certificate that signed it; its own for the root.
    """

    name: str
    der: bytes
    issuer: str

    @property
    def x509(self) -> x509.Certificate:
        """The certificate, read."""
        return x509.load_der_x509_certificate(self.der)

    @property
    def pem(self) -> bytes:
        """As OpenSSL's command takes it."""
        return self.x509.public_bytes(Encoding.PEM)

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key that it certifies."""
        key = self.x509.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key


def make_certificates(
    memory: NonVolatileMemory, rng: random.Random, device_id: str, options: Options, now: datetime
) -> None:
    """Certify the keys of the module, in the factory, unless each of them has its certificate.

    Args:
        memory: holds the keys, gets the certificates.
        rng: makes the authorities' keys and the serial numbers.
        device_id: number of the gateway.
        options: lives, and the administrator of the gateway.
        now: when it is made.

    Raises:
        UsageError: a life that makes no sense.
    """
    wanted = [name for name in USAGES if memory.secret(name) is not None]
    if all(_stored(memory, name) is not None for name in wanted):
        return
    lives = (options.certificate_root_days, options.certificate_sub_ca_days, options.certificate_days)
    if min(lives) <= 0:
        raise UsageError(f"a certificate cannot last {min(lives):g} days", hint="lives of certificates are above zero")
    rules = Rules(
        root_life=timedelta(days=lives[0]), sub_life=timedelta(days=lives[1]), end_life=timedelta(days=lives[2])
    )
    begin = now - timedelta(seconds=options.certificate_backdate_s)
    root = make_root(rng, begin, rules)
    sub = root.sub_authority(SUB_CA_NAME, begin)
    statements = [_statement(SM_ROOT, root.der, SM_ROOT), _statement(SUB_CA, sub.der, SM_ROOT)]
    for name in wanted:
        key = load_der_private_key(memory.secret(name) or b"", None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        unit = f"{options.certificate_administrator}.PKI"
        der = sub.issue(f"{device_id}.SMGW", unit, key.public_key(), USAGES[name], begin)
        statements.append(_statement(name, der, SUB_CA))
    memory.commit(statements)


def certificate(memory: NonVolatileMemory, name: str) -> GatewayCertificate:
    """One certificate by name. Raises UsageError when the gateway has none of that name."""
    found = _stored(memory, name)
    if found is None:
        known = ", ".join(names(memory)) or "none"
        raise UsageError(f"the gateway has no certificate {name!r}", hint=f"there are: {known}")
    return found


def chain(memory: NonVolatileMemory, name: str) -> list[GatewayCertificate]:
    """A certificate and those above it, the root last. Raises UsageError when one of them is not there."""
    found = [certificate(memory, name)]
    while found[-1].issuer != found[-1].name:
        if len(found) == _LONGEST_CHAIN:
            raise UsageError(f"the chain of the certificate {name!r} does not end")
        found.append(certificate(memory, found[-1].issuer))
    return found


def names(memory: NonVolatileMemory) -> list[str]:
    """Names of the stored certificates."""
    rows = memory.query(
        "SELECT name FROM setting WHERE name >= ? AND name < ? ORDER BY name", (_SETTING, "certificate0")
    )
    return [str(row[0]).removeprefix(_SETTING) for row in rows]


def _statement(name: str, der: bytes, issuer: str) -> Statement:
    return setting_statement(_SETTING + name, {"der": der.hex(), "issuer": issuer})


def _stored(memory: NonVolatileMemory, name: str) -> GatewayCertificate | None:
    found = memory.setting(_SETTING + name)
    return None if found is None else GatewayCertificate(name, bytes.fromhex(found["der"]), found["issuer"])
