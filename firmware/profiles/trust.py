"""Which certificates the gateway takes: chain to an installed root, role, use, curve (V12, wan-core 5)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from firmware.profiles.kinds import HanProfile, Profile, ProxyProfile, SensorProfile, WanProfile
from firmware.profiles.plain import PlainDataError
from firmware.security.certificates import certificate, names
from firmware.storage.memory import NonVolatileMemory, Statement, setting_statement

LONGEST_CHAIN: Final = 5
MOST_ROOTS: Final = 16
MOST_LMN_OCTETS: Final = 600
"""Size of a meter's certificate (wan-core 5.3)."""
E = TypeVar("E", bound=x509.ExtensionType)
_ROOT: Final = "trusted_root/"
_ERRORS: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a certificate.

    Attributes:
        answer: HTTP status: 422 for what is no certificate at all, 400 otherwise.
        reason: in words.
        untrusted: there is no chain to a root.
    """

    answer: int
    reason: str
    untrusted: bool = False


@dataclass(frozen=True, slots=True)
class Trust:
    """What certificates are judged by.

    Attributes:
        roots: trust anchors.
        intermediates: authorities below them that the gateway has anyway.
        curves: names of the curves that are allowed.
        now: None: the gateway does not know the time, and validity cannot be judged.
        time_server: role that certificates of time servers have.
    """

    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    curves: frozenset[str]
    now: datetime | None
    time_server: str = "GWA"


def fingerprint(der: bytes) -> str:
    """SHA-256 over a certificate, hexadecimal."""
    return sha256(der).hexdigest()


def installed(memory: NonVolatileMemory) -> tuple[tuple[x509.Certificate, ...], tuple[x509.Certificate, ...]]:
    """Roots and intermediates that lie in the memory: those of the factory and those that were installed."""
    held = [certificate(memory, name) for name in names(memory)]
    roots = [one.x509 for one in held if one.issuer == one.name]
    between = [one.x509 for one in held if one.issuer != one.name and _is_authority(one.x509)]
    rows = memory.query("SELECT name FROM setting WHERE substr(name, 1, ?) = ? ORDER BY name", (len(_ROOT), _ROOT))
    roots += [x509.load_der_x509_certificate(bytes.fromhex(memory.setting(row[0]))) for row in rows]
    return tuple(roots), tuple(between)


def root_statement(memory: NonVolatileMemory, der: bytes) -> Statement:
    """The statement that installs a root; the link to the roots before it is checked by the WAN's process (6.7.3).

    Raises:
        PlainDataError: it is no root certificate, or there is no place for another one.
    """
    found = _read(der)
    if isinstance(found, Problem):
        raise PlainDataError("certificate", found.reason, "a root certificate, DER in hexadecimal digits")
    if not _is_authority(found) or not _issued(found, found):
        raise PlainDataError("certificate", "it is not signed by itself", "the certificate of a root")
    if len(installed(memory)[0]) >= MOST_ROOTS:
        raise PlainDataError("certificate", "there is no place for another root", f"at most {MOST_ROOTS}")
    return setting_statement(_ROOT + fingerprint(der), der.hex())


def problems(profile: Profile, trust: Trust) -> Iterator[Problem]:
    """What is wrong with the certificates of a profile."""
    if isinstance(profile, WanProfile):
        yield from _triple(profile, trust)
    elif isinstance(profile, HanProfile) and profile.certificate is not None:
        yield from _local("certificate", profile.certificate, trust)
    elif isinstance(profile, ProxyProfile):
        yield from _local("cls_certificate", profile.cls_certificate, trust)
    elif isinstance(profile, SensorProfile) and profile.certificate is not None:
        if len(profile.certificate) > MOST_LMN_OCTETS:
            told = f"certificate: {len(profile.certificate)} octets, a meter's has at most {MOST_LMN_OCTETS}"
            yield Problem(400, told)
        yield from _local("certificate", profile.certificate, trust)


def _triple(profile: WanProfile, trust: Trust) -> Iterator[Problem]:
    given = {"tls": profile.tls, "encryption": profile.encryption, "signature": profile.signature}
    issuers = list(trust.intermediates)
    for number, der in enumerate(profile.issuers):
        one = _read(der)
        if isinstance(one, Problem):
            yield Problem(one.answer, f"issuers[{number}]: {one.reason}")
        else:
            issuers.append(one)
    read: dict[str, x509.Certificate] = {}
    for name, octets in given.items():
        found = None if octets is None else _read(octets)
        if isinstance(found, Problem):
            yield Problem(found.answer, f"{name}: {found.reason}")
        elif found is not None:
            read[name] = found
            for problem in _end_entity(name, found, profile.role, issuers, trust):
                yield Problem(problem.answer, f"{name}: {problem.reason}", problem.untrusted)
    if len({one.subject for one in read.values()}) > 1:
        yield Problem(400, f"{', '.join(read)}: the certificates are of different subjects")
    keys = {_key_octets(one) for one in read.values()}
    if len(keys) < len(read):
        yield Problem(400, f"{', '.join(read)}: the same key is used for more than one purpose")


_USES: Final[Mapping[str, str]] = MappingProxyType(
    {"tls": "digital_signature", "signature": "digital_signature", "encryption": "key_agreement"}
)


def _end_entity(
    name: str, one: x509.Certificate, role: str, issuers: Sequence[x509.Certificate], trust: Trust
) -> Iterator[Problem]:
    yield from _curve(one, trust)
    wanted = trust.time_server if role == "NTP" else role
    if not _common_name(one).endswith(wanted):
        yield Problem(400, f"it is of {_common_name(one)!r}, the name of a {role} ends with {wanted}")
    if _is_authority(one):
        yield Problem(400, "it is that of an authority")
    usage = _usage(one)
    if usage is None or not getattr(usage, _USES[name]):
        yield Problem(400, f"its key usage does not have {_USES[name].replace('_', ' ')}")
    yield from _validity(one, trust)
    yield from _chain(one, issuers, trust)


def _chain(one: x509.Certificate, issuers: Sequence[x509.Certificate], trust: Trust) -> Iterator[Problem]:
    """Each step is verified with the key of the next; a root is one that lies in the gateway."""
    below, current = 0, one
    for _ in range(LONGEST_CHAIN):
        root = next((anchor for anchor in trust.roots if _issued(current, anchor)), None)
        above = root or next((each for each in issuers if each != current and _issued(current, each)), None)
        if above is None:
            issuer = current.issuer.rfc4514_string()[:128]
            yield Problem(400, f"its issuer {issuer} leads to no installed root", untrusted=True)
            return
        yield from _authority(above, below, trust)
        if root is not None:
            return
        below, current = below + 1, above
    yield Problem(400, f"its chain is longer than {LONGEST_CHAIN}", untrusted=True)


def _authority(one: x509.Certificate, below: int, trust: Trust) -> Iterator[Problem]:
    """`below`: authorities between it and the end entity."""
    name = _common_name(one)
    for problem in (*_curve(one, trust), *_validity(one, trust)):
        yield Problem(problem.answer, f"issuer {name}: {problem.reason}")
    constraints = _extension(one, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        yield Problem(400, f"issuer {name} is no authority", untrusted=True)
    elif constraints.path_length is not None and constraints.path_length < below:
        yield Problem(400, f"issuer {name} may have {constraints.path_length} authorities below it", untrusted=True)
    usage = _usage(one)
    if usage is None or not usage.key_cert_sign:
        yield Problem(400, f"issuer {name} may not sign certificates", untrusted=True)


def _local(name: str, der: bytes, trust: Trust) -> Iterator[Problem]:
    """Certificates that are compared octet by octet in use: neither chain nor validity counts (wan-core 5.3)."""
    found = _read(der)
    if isinstance(found, Problem):
        yield Problem(found.answer, f"{name}: {found.reason}")
        return
    for problem in _curve(found, trust):
        yield Problem(problem.answer, f"{name}: {problem.reason}")


def _read(der: bytes) -> x509.Certificate | Problem:
    """A certificate of which everything that is looked at later can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = x509.load_der_x509_certificate(der)
            found.public_key()
            _ = found.extensions, found.subject.rfc4514_string(), found.issuer.rfc4514_string()
            _ = found.not_valid_before_utc, found.not_valid_after_utc
    except _ERRORS as error:
        return Problem(422, f"this is no certificate that can be read: {str(error)[:128]}")
    return found


def _curve(one: x509.Certificate, trust: Trust) -> Iterator[Problem]:
    key = one.public_key()
    if not isinstance(key, EllipticCurvePublicKey):
        yield Problem(400, "its key is of no elliptic curve")
    elif key.curve.name not in trust.curves:
        yield Problem(400, f"the curve {key.curve.name} is not allowed; right: {', '.join(sorted(trust.curves))}")


def _validity(one: x509.Certificate, trust: Trust) -> Iterator[Problem]:
    if trust.now is None:
        return
    if trust.now < one.not_valid_before_utc:
        yield Problem(400, f"it is not valid before {one.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}")
    elif trust.now > one.not_valid_after_utc:
        yield Problem(400, f"it has expired on {one.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")


def _issued(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (*_ERRORS, InvalidSignature):
        return False
    return True


def _is_authority(one: x509.Certificate) -> bool:
    constraints = _extension(one, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _extension(one: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return one.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _usage(one: x509.Certificate) -> x509.KeyUsage | None:
    return _extension(one, x509.KeyUsage)


def _common_name(one: x509.Certificate) -> str:
    found = one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value)[:128] if found else ""


def _key_octets(one: x509.Certificate) -> bytes:
    return one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
