"""Keys, ciphers and MACs of wireless meters: OMS profiles A, B and D, encryption in the extended link layer.

All keys are AES-128 (lmn-wireless 3). What depends on a meter's own key alone is kept for the keys used last, because
setting a cipher up costs more than one telegram's worth of blocks; keys derived per message are not kept.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.cmac import CMAC

from devices.protocols.mbus.ell import Ell
from devices.protocols.mbus.errors import LayerError, SecurityError
from devices.protocols.mbus.link import Address

KEY_OCTETS: Final = 16
BLOCK: Final = 16
CHECK: Final = b"\x2f\x2f"
"""First two octets of what modes 5 and 7 encrypt, by which a right key is known; also the filling at its end."""

PERSISTENT: Final = 0
KDF_A: Final = 1
"""Key derivations."""

_KDF_PADDING: Final = b"\x07" * 7
_CC_IN_CTR: Final = 0xED
"""Bits of CC that count in the start block: repeaters change the two others (lmn-wireless 2.6)."""
_RB: Final = 0x87
"""Of the subkeys of AES-CMAC (RFC 4493)."""
_KEPT_KEYS: Final = 4096


def check_key(key: bytes) -> bytes:
    """The key itself; raises SecurityError unless it has 16 octets."""
    if len(key) != KEY_OCTETS:
        raise SecurityError(f"a key has {KEY_OCTETS} octets, not {len(key)}", "no_key")
    return key


@lru_cache(maxsize=_KEPT_KEYS)
def _encryptor(key: bytes) -> CipherContext:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor()


@lru_cache(maxsize=_KEPT_KEYS)
def _decryptor(key: bytes) -> CipherContext:
    return Cipher(algorithms.AES(key), modes.ECB()).decryptor()


@lru_cache(maxsize=_KEPT_KEYS)
def _cmac_subkey(key: bytes) -> int:
    """First subkey of AES-CMAC: zeros encrypted, doubled in GF(2^128)."""
    doubled = int.from_bytes(_encryptor(key).update(bytes(BLOCK)), "big") << 1
    return doubled & (1 << 128) - 1 ^ (_RB if doubled >> 128 else 0)


def _xor(one: bytes, other: bytes) -> bytes:
    """Of two strings of the same length."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def derive_keys(master: bytes, counter: int, meter: Address, *, to_meter: bool = False) -> tuple[bytes, bytes]:
    """KDF-A: the keys for encryption and for the MAC of one message (lmn-wireless 3).

    Args:
        master: the meter's key.
        counter: message counter, 32 bits.
        meter: whose id counts: of the long header, else of the link layer.
        to_meter: whether the message goes to the meter (Lenc, Lmac) or comes from it (Kenc, Kmac).

    AES-CMAC of ``DC | C 4 | id 4 | 07 x 7`` for two values of DC. The input is one whole block, of which the CMAC is
    one encryption of the block and a subkey.
    """
    direction = 0x10 if to_meter else 0x00
    tail = counter.to_bytes(4, "little") + meter.link_octets()[2:6] + _KDF_PADDING
    subkey = _cmac_subkey(check_key(master))
    masked = (int.from_bytes(bytes((direction,)) + tail, "big") ^ subkey).to_bytes(BLOCK, "big")
    both = _encryptor(master).update(masked + bytes((masked[0] ^ 0x01,)) + masked[1:])
    return both[:BLOCK], both[BLOCK:]


def message_keys(
    master: bytes, kdf: int, counter: int | None, meter: Address, *, to_meter: bool = False
) -> tuple[bytes, bytes]:
    """Keys for encryption and MAC as `kdf` says: the meter's own for both, or derived ones.

    Raises SecurityError for another derivation, LayerError when one needs a counter and there is none.
    """
    if kdf == PERSISTENT:
        return master, master
    if kdf != KDF_A:
        raise SecurityError(f"key derivation {kdf} is not known here", "mode")
    if counter is None:
        raise LayerError("a key is to be derived, but there is no message counter")
    return derive_keys(master, counter, meter, to_meter=to_meter)


def cmac(key: bytes, octets: bytes) -> bytes:
    """AES-CMAC, 16 octets (RFC 4493)."""
    mac = CMAC(algorithms.AES(key))
    mac.update(octets)
    return mac.finalize()


def mac_is_right(key: bytes, octets: bytes, mac: bytes) -> bool:
    """Whether `mac` is how the CMAC of `octets` begins; never for an empty one."""
    return bool(mac) and hmac.compare_digest(cmac(key, octets)[: len(mac)], mac)


def initial_vector(meter: Address, access_number: int) -> bytes:
    """IV of mode 5: M, id, version, type of the long header, else of the link layer; 8 times ACC (lmn-wireless 3)."""
    return meter.link_octets() + bytes((access_number,)) * 8


def cbc_decrypt(key: bytes, vector: bytes, octets: bytes) -> bytes:
    """AES-CBC over whole blocks with a key that comes again: all blocks at once, each then combined with the one in
    front of it; a cipher that CBC itself needs could not be kept."""
    return _xor(_decryptor(key).update(octets), (vector + octets)[: len(octets)]) if octets else b""


def cbc_decrypt_once(key: bytes, octets: bytes) -> bytes:
    """AES-CBC with IV 0 over whole blocks, with a key made for one message (mode 7)."""
    return Cipher(algorithms.AES(key), modes.CBC(bytes(BLOCK))).decryptor().update(octets)


def cbc_encrypt(key: bytes, vector: bytes, octets: bytes) -> bytes:
    """AES-CBC over whole blocks."""
    return Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor().update(octets)


def filled(plain: bytes) -> bytes:
    """What modes 5 and 7 encrypt: 2F2F, the records, 2F up to the next whole block."""
    octets = CHECK + plain
    return octets + b"\x2f" * (-len(octets) % BLOCK)


def ccm_nonce(meter: Address, counter: int) -> bytes:
    """Nonce of mode 10: M, id, version, type, 00 and the counter, high octet first: 13 octets.

    That the counter turns round is seen in telegrams of a real meter (public thread 1667 of wmbusmeters).
    """
    return meter.link_octets() + b"\x00" + counter.to_bytes(4, "big")


def ccm_open(key: bytes, nonce: bytes, octets: bytes, associated: bytes, tag_octets: int) -> bytes:
    """AES-CCM: the plain text of `octets`, which end with the tag; raises SecurityError when that is wrong."""
    try:
        return AESCCM(key, tag_length=tag_octets).decrypt(nonce, octets, associated)
    except InvalidTag:
        raise SecurityError("the tag of AES-CCM is wrong", "mac") from None


def ccm_seal(key: bytes, nonce: bytes, plain: bytes, associated: bytes, tag_octets: int) -> bytes:
    """AES-CCM: `plain` encrypted, and the tag; both from the octets of `associated` too."""
    return AESCCM(key, tag_length=tag_octets).encrypt(nonce, plain, associated)


def ell_crypt(key: bytes, sender: Address, ell: Ell, octets: bytes) -> bytes:
    """AES-CTR of the extended link layer, both ways alike; `ell` has a session (lmn-wireless 2.6).

    Start block: M, A of the sender, CC without hop and repeat bit, session number, FN 0, BC 0.
    """
    if ell.session is None or not octets:
        return octets
    cc = bytes((ell.cc & _CC_IN_CTR,))
    start = int.from_bytes(sender.link_octets() + cc + ell.session.to_bytes() + bytes(3), "big")
    blocks = -(-len(octets) // BLOCK)
    counters = b"".join([(start + number).to_bytes(BLOCK, "big") for number in range(blocks)])
    return _xor(octets, _encryptor(check_key(key)).update(counters)[: len(octets)])
