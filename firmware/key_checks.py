"""Checks of what signs: the key in the security module, its certificate, and the signatures of the latest values.

The public key is taken from the certificate, as everybody outside does, not from the module that signed.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from devices.errors import UsageError
from firmware.checks import Finding
from firmware.metering import derived, values
from firmware.metering.outbox import broken_sent
from firmware.security.certificates import certificate, chain
from firmware.security.module import GW_WAN_SIG, SecurityModule, verify
from firmware.unit import Unit

KEY_UNUSABLE: Final = "signature_key_unusable"
"""Cause: nothing can be signed that anybody would believe. No document names it; where it leads is what a critical
error of the self-test leads to, or failing security checks at boot."""
_CHALLENGE_OCTETS: Final = 32


def key_check(unit: Unit) -> Finding | None:
    """The module holds GW_WAN_SIG whole; what it signs of a random challenge verifies with the certified key."""
    try:
        module = SecurityModule(unit.memory)
    except UsageError as error:
        return Finding(KEY_UNUSABLE, str(error))
    if module.defect:
        return Finding(KEY_UNUSABLE, f"the key {GW_WAN_SIG} in the security module cannot be read: {module.defect}")
    challenge = unit.rng.randbytes(_CHALLENGE_OCTETS)
    if not module.verify(challenge, module.sign(challenge)):
        return Finding(KEY_UNUSABLE, "the security module cannot verify what it has signed")
    certified = _certified(unit)
    if certified is not None and not verify(certified, challenge, module.sign(challenge)):
        return Finding(KEY_UNUSABLE, f"the key {GW_WAN_SIG} in the security module is not the one that is certified")
    return None


def certificate_check(unit: Unit) -> Finding | None:
    """GW_WAN_SIG has a certificate that can be read, and that leads up to its root.

    That it is not the one of another key is found by `key_check`. Its dates are the business of whoever uses it.
    """
    try:
        path = [one.x509 for one in chain(unit.memory, GW_WAN_SIG)]
    except (UsageError, ValueError, KeyError, TypeError) as error:
        return Finding(KEY_UNUSABLE, f"the certificate of {GW_WAN_SIG} cannot be read: {error}")
    for place, one in enumerate(path):
        above = path[min(place + 1, len(path) - 1)]
        try:
            one.verify_directly_issued_by(above)
        except (InvalidSignature, ValueError, TypeError):
            return Finding(KEY_UNUSABLE, f"the certificate of {GW_WAN_SIG} does not lead to its root (step {place})")
    return None


def value_signatures_check(unit: Unit, limit: int) -> Finding | None:
    """The latest `limit` original, derived and sent values have signatures that verify with the certified key."""
    certified = _certified(unit)
    if certified is None or limit <= 0:
        return None
    broken = _broken_value(unit, certified, limit) or _broken_derived(unit, certified, limit)
    if broken is None:
        number = broken_sent(unit.memory, limit, lambda octets, signature: verify(certified, octets, signature))
        broken = None if number is None else f"entry {number} of the sent list"
    return None if broken is None else Finding("storage_integrity", f"{broken} has no valid signature")


def _certified(unit: Unit) -> ec.EllipticCurvePublicKey | None:
    """The public key that the certificate names, None when it cannot be read (which has its own finding)."""
    try:
        return certificate(unit.memory, GW_WAN_SIG).public_key
    except (UsageError, ValueError, KeyError, TypeError, AssertionError):
        return None


def _broken_value(unit: Unit, key: ec.EllipticCurvePublicKey, limit: int) -> str | None:
    newest = unit.memory.query("SELECT grid_s FROM entry ORDER BY grid_s DESC LIMIT 1 OFFSET ?", (limit,))
    for one in values.read(unit.memory, since_s=newest[0][0] + 1 if newest else None):
        signatures = [one.signature] if one.gap else [entry.signature for entry in one.entries]
        for octets, signature in zip(values.octets_to_sign(one), signatures, strict=True):
            if not verify(key, octets, signature or b""):
                return f"a value of {one.meter} at {one.grid_s}"
    return None


def _broken_derived(unit: Unit, key: ec.EllipticCurvePublicKey, limit: int) -> str | None:
    newest = unit.memory.query("SELECT at_s FROM derived ORDER BY at_s DESC LIMIT 1 OFFSET ?", (limit,))
    for one in derived.read(unit.memory, since_s=newest[0][0] + 1 if newest else None):
        if not verify(key, one.octets, one.signature):
            return f"a derived value of {one.profile} at {one.derived.at_s}"
    return None
