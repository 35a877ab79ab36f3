"""Which signatures of an export fit, list by list, as far as the certificates at hand go (han 5.2).

What a gateway signs for a value is in no public document. The octets are those of an emulated gateway, so a signature
of a real one that does not fit says nothing about that gateway; one that fits says that nothing of the value was bent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from devices.han.trudi import UOM
from devices.protocols.certificates import read_der
from devices.protocols.trudi.content import CertType, GatewayExport, IntervalReading, MeterReading

Octets = Callable[[str, str, datetime, int, int | None, int | None], bytes]
"""Logical name, status word, capture, value, scaler, COSEM unit -> what is signed."""
WORDS: Final = ("A000000020803800", "A0000000209E3800", "A000000020003800", "A000000020000000", "A000400000000000")
"""Words of good readings, for products that tell the class of the status alone: voltage on all phases, with energy
drawn, fed in, or none; nothing but the marks; a radio meter (han 5.3, wan-core 7.3)."""
ENOUGH: Final = 64
"""Values of a list without status words that are tried while none fits; the rest will not fit either, and each costs
as many verifications as there are `WORDS`."""
_UNITS: Final[Mapping[int, tuple[int | None, ...]]] = MappingProxyType(
    {0: (None,), **{uom: tuple(unit for unit, other in UOM.items() if other == uom) for uom in UOM.values()}}
)


@dataclass(frozen=True, slots=True)
class CheckedList:
    """What came of the signatures of a list.

    Attributes:
        name: its logical name.
        fit, misfit: values whose signature does and does not.
        unsigned: values without one, or without a certificate to check it with.
        guessed: whether values have no status word, so that those of `WORDS` were tried.
        not_verified: signed values that were not tried, as none of `ENOUGH` guesses before them fitted.
    """

    name: str
    fit: int
    misfit: int
    unsigned: int
    guessed: bool
    not_verified: int = 0


def check_lists(export: GatewayExport, octets: Octets) -> tuple[CheckedList, ...]:
    """Check every signature with the certificate in the export."""
    key = _key(export)
    return tuple(_checked(one, key, octets) for one in export.lists)


def issued_by_sub_ca(export: GatewayExport) -> bool | None:
    """Whether the signature certificate was issued by a Sub-CA in the export, None: it has none. The root is no part of
    the format."""
    subs = [one.der for one in export.certificates if one.kind is CertType.SUB_CA]
    owns = [one.der for one in export.certificates if one.kind is CertType.SIGNATURE]
    if not subs or not owns:
        return None
    return any(_issued(own, sub) for own in owns[:1] for sub in subs)


def _issued(own: bytes, sub: bytes) -> bool:
    try:
        read_der(own).verify_directly_issued_by(read_der(sub))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _key(export: GatewayExport) -> ec.EllipticCurvePublicKey | None:
    for one in export.certificates:
        if one.kind is CertType.SIGNATURE:
            try:
                key = read_der(one.der).public_key()
            except (ValueError, TypeError, UnsupportedAlgorithm):
                return None  # no key that is known here
            return key if isinstance(key, ec.EllipticCurvePublicKey) else None
    return None


def _checked(one: MeterReading, key: ec.EllipticCurvePublicKey | None, octets: Octets) -> CheckedList:
    kind, name = one.type, one.type.logical_name.lower()
    fit = misfit = unsigned = not_verified = 0
    guessed = False
    tried = [(word, unit) for word in WORDS for unit in _UNITS.get(kind.unit, (None,))]
    for reading in (each for block in one.blocks for each in block.readings):
        if key is None or not reading.signature:
            unsigned += 1
            continue
        word = reading.vendor_status or reading.status
        if not word and not fit and misfit >= ENOUGH:
            not_verified += 1
            continue
        guessed = guessed or not word
        ways = [(word, unit) for unit in _UNITS.get(kind.unit, (None,))] if word else tried
        good = next((way for way in ways if _fits(key, octets, name, reading, way, kind.scaler)), None)
        if good is not None and not word:
            tried.remove(good)
            tried.insert(0, good)  # what fitted the last value will fit the next one
        fit, misfit = fit + (good is not None), misfit + (good is None)
    return CheckedList(name, fit, misfit, unsigned, guessed, not_verified)


def _fits(
    key: ec.EllipticCurvePublicKey,
    octets: Octets,
    name: str,
    one: IntervalReading,
    way: tuple[str, int | None],
    scaler: int | None,
) -> bool:
    half = len(one.signature) // 2
    r, s = (int.from_bytes(part, "big") for part in (one.signature[:half], one.signature[half:]))
    word, unit = way
    try:
        key.verify(encode_dss_signature(r, s), octets(name, word, one.at, one.value, scaler, unit), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
