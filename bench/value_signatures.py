"""Signatures of values, verified from the documented form of the signed octets (docs/metering.md, wan-core 7.2).

The octets are built here from the document, not by the code that signed them; the verification is OpenSSL's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from devices.protocols.sml.obis import parse_obis

CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    one.name: one for one in (ec.BrainpoolP256R1, ec.BrainpoolP384R1, ec.BrainpoolP512R1, ec.SECP256R1, ec.SECP384R1)
}


def public_key(point: str, curve: str) -> ec.EllipticCurvePublicKey:
    """The key of X || Y in hexadecimal digits. Raises ValueError for a point that is not on the curve."""
    return ec.EllipticCurvePublicKey.from_encoded_point(CURVES[curve](), b"\x04" + bytes.fromhex(point))


NO_REGISTER: Final = "0-0:0.0.0*0"
"""Stands for all registers of a meter in the signature of a gap."""


def original(row: Mapping[str, Any]) -> dict[str, Any]:
    """An original value as `verifies` takes it: numbers as integers, octets with ``x``, a gap without register."""
    shown, kind = row["value"], row.get("kind")
    counts: object = shown
    if shown is None:
        counts = None
    elif kind == "int":
        exact = Decimal(shown).scaleb(-(row["scaler"] or 0))
        counts = int(exact) if exact == int(exact) else shown
    elif kind == "octets":
        counts = f"x{shown}"
    return {
        "register": row["obis"] or NO_REGISTER,
        "counts": counts,
        "unit_code": row.get("unit_code"),
        **{name: row[name] for name in ("status", "capture_time", "scaler", "signature")},
    }


def signed_text(row: Mapping[str, Any], owner: str) -> bytes:
    """What the signature of a value covers; `owner`: meter or profile in its logical name."""
    capture = row["capture_time"]
    second = "" if capture is None else datetime.fromisoformat(capture).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [
        "smgw-value-1",
        f"{parse_obis(row['register']).hex()}.{owner.lower()}.sm",
        row["status"],
        second,
        *("" if row[name] is None else str(row[name]) for name in ("counts", "scaler", "unit_code")),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def verifies(key: ec.EllipticCurvePublicKey, row: Mapping[str, Any], owner: str) -> bool:
    """Whether the row's signature, r || s, was made with the key over its octets."""
    signature = bytes.fromhex(row["signature"])
    half = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * half:
        return False
    der = encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
    try:
        key.verify(der, signed_text(row, owner), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
