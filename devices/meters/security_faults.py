"""What can be wrong with a meter's keys, certificates and sessions, by name, and certificates made wrong on purpose."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from devices.errors import UsageError
from devices.protocols.lmn_certificate import MAX_OCTETS, Identity, read_certificate, read_key

SECURITY_FAULTS: Final = {
    "wrong_certificate": "in TLS it shows another certificate of its own name and key than the one from pairing",
    "expired_certificate": "in TLS it shows a certificate whose validity ended a day ago",
    "not_yet_valid": "in TLS it shows a certificate whose validity begins in a day",
    "oversize_certificate": f"in TLS it shows a certificate of more than {MAX_OCTETS} octets",
    "wrong_key": "it signs its part of the key exchange with a key that does not belong to its certificate",
    "suite_not_offered": "it chooses a cipher suite that the gateway did not offer",
    "no_tls": "it answers a ClientHello with the alert handshake_failure",
    "tls_cut": "it falls silent after its first flight of the handshake",
    "corrupted_record": "a bit of what it sends in a session is turned over",
    "no_pairing": "it does not answer on the selector of SYM",
    "stale_counter": "its SYM answers carry a counter that was used before",
    "wrong_mac": "its SYM answers carry a wrong authentication code",
}
"""Kind of fault, and what the meter then does."""

CERTIFICATE_FAULTS: Final = ("expired_certificate", "not_yet_valid", "oversize_certificate", "wrong_certificate")
FLIGHT_FAULTS: Final = ("wrong_key", "suite_not_offered")
SYM_FAULTS: Final = ("no_pairing", "stale_counter", "wrong_mac")
"""These take ``step``, 1 to 5: only in that step of the pairing."""

_DAY = timedelta(days=1)
_PRIVATE_EXTENSION = x509.ObjectIdentifier("2.25.1")


@dataclass
class _Fault:
    times: int | None
    step: int | None


class SecurityFaults:
    """The faults that are set on one meter."""

    def __init__(self) -> None:
        self._set: dict[str, _Fault] = {}

    def set(self, kind: str, times: int | None = None, *, step: int | None = None) -> None:
        """From now on, or for the next `times` occasions (a handshake, an answer); UsageError for what cannot be."""
        if kind not in SECURITY_FAULTS:
            near = difflib.get_close_matches(kind, SECURITY_FAULTS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SECURITY_FAULTS)}"
            raise UsageError(f"there is no security fault {kind!r}", hint=hint)
        if times is not None and times < 1:
            raise UsageError(f"security fault {kind!r} cannot happen {times} times", hint="leave it out for always")
        if step is not None and (kind not in SYM_FAULTS or not 1 <= step <= 5):
            raise UsageError(
                f"security fault {kind!r} has no step {step}", hint=f"1 to 5, with {', '.join(SYM_FAULTS)}"
            )
        self._set[kind] = _Fault(times, step)

    def clear(self) -> None:
        """None from now on."""
        self._set.clear()

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is set."""
        return tuple(self._set)

    def strikes(self, kind: str, step: int | None = None) -> bool:
        """Whether a fault happens now; counts it."""
        fault = self._set.get(kind)
        if fault is None or (fault.step is not None and fault.step != step):
            return False
        if fault.times is not None:
            fault.times -= 1
            if not fault.times:
                del self._set[kind]
        return True

    def first(self, kinds: tuple[str, ...]) -> str | None:
        """The first of `kinds` that happens now; counts it."""
        return next((kind for kind in kinds if self.strikes(kind)), None)


def forged(identity: Identity, kind: str, now: datetime) -> Identity:
    """`identity` with a certificate of the same name and key that has the fault `kind` of CERTIFICATE_FAULTS."""
    old = read_certificate(identity.certificate)
    now = now.replace(microsecond=0)
    begin, end = {
        "expired_certificate": (min(old.not_before, now - 2 * _DAY), now - _DAY),
        "not_yet_valid": (now + _DAY, max(old.not_after, now + 2 * _DAY)),
    }.get(kind, (old.not_before, old.not_after))
    key = read_key(identity.key)
    name = x509.load_der_x509_certificate(identity.certificate).subject
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(old.serial ^ 1)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(usage, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
    )
    if kind == "oversize_certificate":
        builder = builder.add_extension(x509.UnrecognizedExtension(_PRIVATE_EXTENSION, bytes(MAX_OCTETS)), False)
    signed = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return Identity(signed.public_bytes(Encoding.DER), identity.key)
