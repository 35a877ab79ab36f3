"""ECDSA on NIST P-256 with SHA-256 in the plain form of the update log: keys as X|Y, signatures as r|s, 64 octets each.

Source: lmn-wired 5.4; the curve is proven there by the key that the maker printed.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

OCTETS: Final = 64
"""Length of a public key and of a signature."""
CURVE: Final = "P-256"

_HALF: Final = OCTETS // 2
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_BRAINPOOL: Final = 0xA9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377

_CURVES: Final = {
    CURVE: (_P, _P - 3, _B),
    "secp256k1": (2**256 - 2**32 - 977, 0, 7),
    "brainpoolP256r1": (
        _BRAINPOOL,
        0x7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9,
        0x26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6,
    ),
    "brainpoolP256t1": (
        _BRAINPOOL,
        _BRAINPOOL - 3,
        0x662C61C430D84EA4FE66A7733D0B76B7BF93EBC4AF2F49256AE58101FEE92B04,
    ),
}
"""Curves with coordinates of 32 octets: prime, a and b of y^2 = x^3 + ax + b."""


class P256Error(ValueError):
    """Octets that are no key or signature on P-256.

    Attributes:
        offset: of the octet from which on they are wrong.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(reason)


def curve_of(key: bytes) -> str | None:
    """The name of the curve on which the 64 octets X|Y are a point; None when it is on none of those known here."""
    if len(key) != OCTETS:
        return None
    x, y = int.from_bytes(key[:_HALF], "big"), int.from_bytes(key[_HALF:], "big")
    for name, (prime, a, b) in _CURVES.items():
        if x < prime and y < prime and (y * y - x * x * x - a * x - b) % prime == 0:
            return name
    return None


def key_problem(key: bytes) -> str | None:
    """Why `key` is no public key on P-256, as a sentence; None when it is one."""
    if len(key) != OCTETS:
        return f"a public key has {OCTETS} octets, this one has {len(key)}"
    curve = curve_of(key)
    if curve == CURVE:
        return None
    where = f"it is one of {curve}" if curve else "nor of a related one"
    return f"the key is no point of the curve {CURVE}, {where}"


def signature_problem(signature: bytes) -> str | None:
    """Why `signature` cannot be one on P-256 whatever was signed, as a sentence; None when it can.

    r and s have to lie between 1 and the order of the curve, and r has to be the x of a point modulo that order: about
    half of all numbers are, so that one wrong digit in r is found half the time.
    """
    if len(signature) != OCTETS:
        return f"a signature has {OCTETS} octets, this one has {len(signature)}"
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    for name, value in (("r", r), ("s", s)):
        if not 1 <= value < _ORDER:
            return f"{name} of the signature is not between 1 and the order of {CURVE}"
    if not any(x < _P and _has_point(x) for x in (r, r + _ORDER)):
        return f"r of the signature belongs to no point of {CURVE}"
    return None


def verify(key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether `signature` is one over `data` by the owner of `key`; False as well for what is no key or signature."""
    if signature_problem(signature) is not None or key_problem(key) is not None:
        return False
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        _public(key).verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; its signatures follow RFC 6979, so that the same octets always get the same signature.

    Attributes:
        secret: the private number, 1 to the order of the curve less 1.
    """

    secret: int

    def __post_init__(self) -> None:
        if not 1 <= self.secret < _ORDER:
            raise P256Error(f"a private key lies between 1 and the order of {CURVE}")

    @classmethod
    def generate(cls, rng: random.Random) -> SigningKey:
        """A key from `rng`: the same seed, the same key."""
        return cls(rng.randrange(1, _ORDER))

    @classmethod
    def named(cls, name: str) -> SigningKey:
        """The key that belongs to `name` on every bench; secret from nobody, good for emulation only."""
        return cls(int.from_bytes(hashlib.sha512(name.encode()).digest(), "big") % (_ORDER - 1) + 1)

    @property
    def public(self) -> bytes:
        """X|Y."""
        numbers = _private(self.secret).public_key().public_numbers()
        return numbers.x.to_bytes(_HALF, "big") + numbers.y.to_bytes(_HALF, "big")

    def sign(self, data: bytes) -> bytes:
        """r|s over the SHA-256 of `data`."""
        r, s = decode_dss_signature(
            _private(self.secret).sign(data, ec.ECDSA(SHA256(), deterministic_signing=True)),
        )
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def _has_point(x: int) -> bool:
    """Whether P-256 has a point with this x (Euler's criterion)."""
    square = (x * x * x - 3 * x + _B) % _P
    return square == 0 or pow(square, (_P - 1) // 2, _P) == 1


@lru_cache(maxsize=64)
def _private(secret: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(secret, ec.SECP256R1())


@lru_cache(maxsize=64)
def _public(key: bytes) -> ec.EllipticCurvePublicKey:
    numbers = int.from_bytes(key[:_HALF], "big"), int.from_bytes(key[_HALF:], "big")
    return ec.EllipticCurvePublicNumbers(*numbers, ec.SECP256R1()).public_key()
