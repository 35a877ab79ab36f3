"""The security module: private keys that never leave it, and signatures with them (wan-core 5.2, 7.2).

Signatures are ECDSA over SHA-256, deterministic (RFC 6979), in the raw form r || s of the value records; a 256 bit
curve gives 64 octets. OpenSSL releases the interpreter's lock while it signs, so other threads may sign ahead.
"""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from devices.errors import UsageError
from firmware.storage.memory import NonVolatileMemory

GW_WAN_SIG: Final = "GW_WAN_SIG"
"""Key that values, log entries and messages are signed with."""
CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    "brainpoolP256r1": ec.BrainpoolP256R1,
    "brainpoolP384r1": ec.BrainpoolP384R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
    "secp256r1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
}
_ECDSA: Final = ec.ECDSA(SHA256(), deterministic_signing=True)
_PLAIN_ECDSA: Final = ec.ECDSA(SHA256())


def make_keys(memory: NonVolatileMemory, rng: random.Random, curve: str) -> None:
    """Make the keys of a new module, in the factory; a module that has them keeps them.

    Raises:
        UsageError: an unknown curve.
    """
    if curve not in CURVES:
        raise UsageError(f"unknown curve {curve!r} for the gateway's signatures", hint=f"one of {', '.join(CURVES)}")
    if memory.secret(GW_WAN_SIG) is not None:
        return
    kind = CURVES[curve]()
    scalar = rng.randrange(1, 1 << (kind.key_size - 1))
    key = ec.derive_private_key(scalar, kind)
    memory.keep_secret(GW_WAN_SIG, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


class SecurityModule:
    """The module at work.

    Args:
        memory: where its keys lie.

    Raises:
        UsageError: the module holds no key.

    Attributes:
        defect: why the stored key cannot be read, empty when it can. A module with a damaged key still signs, and
            nobody can verify it; the self-test has to find that out.
    """

    def __init__(self, memory: NonVolatileMemory) -> None:
        stored = memory.secret(GW_WAN_SIG)
        if stored is None:
            raise UsageError("the security module holds no key", hint="switch the gateway on once before")
        self.defect = ""
        try:
            key = load_der_private_key(stored, None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
        except (ValueError, AssertionError, UnsupportedAlgorithm) as error:
            self.defect = str(error) or "no key of an elliptic curve"
            key = ec.derive_private_key(int.from_bytes(sha256(stored).digest()[:31], "big"), ec.BrainpoolP256R1())
        self._key = key
        self._width = (key.curve.key_size + 7) // 8

    @property
    def curve(self) -> str:
        """Name of the curve, as in `CURVES`."""
        return next(name for name, kind in CURVES.items() if isinstance(self._key.curve, kind))

    @property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        """For certificates and measurements only; the firmware's services call `sign`."""
        return self._key

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Public part of GW_WAN_SIG."""
        return self._key.public_key()

    @property
    def public_point(self) -> bytes:
        """X || Y of the public key, 64 octets with a curve of 256 bits."""
        return self.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]

    def sign(self, octets: bytes) -> bytes:
        """r || s over the SHA-256 hash of `octets`; may be called from any thread."""
        r, s = decode_dss_signature(self._key.sign(octets, _ECDSA))
        return r.to_bytes(self._width, "big") + s.to_bytes(self._width, "big")

    def verify(self, octets: bytes, signature: bytes) -> bool:
        """Whether `signature`, r || s, was made with this module's key over `octets`."""
        return verify(self.public_key, octets, signature)


def verify(public_key: ec.EllipticCurvePublicKey, octets: bytes, signature: bytes) -> bool:
    """Whether `signature`, r || s, fits `octets` and the key; False for a wrong length too."""
    width = (public_key.curve.key_size + 7) // 8
    if len(signature) != 2 * width:
        return False
    der = encode_dss_signature(int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big"))
    try:
        public_key.verify(der, octets, _PLAIN_ECDSA)
    except InvalidSignature:
        return False
    return True
