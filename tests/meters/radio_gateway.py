"""Telegrams of a gateway to a meter, made by hand from the fact sheet (lmn-wireless 2.2, 2.5, 2.7, 3)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from radio_judge import cmac

GATEWAY = bytes.fromhex("A81D") + bytes.fromhex("99887766") + b"\x01\x31"
"""EMH 66778899, version 1, type 31 (communication controller)."""

CNF_IR, SND_NKE, ACK, REQ_UD2, REQ_UD1, SND_UD = 0x06, 0x40, 0x00, 0x5B, 0x5A, 0x53
FCB = 0x20


def long_header(meter: bytes, access_number: int, config: int = 0) -> bytes:
    """TPL header with the meter's address, given as in the link layer."""
    return meter[2:6] + meter[:2] + meter[6:] + bytes((access_number, 0)) + config.to_bytes(2, "little")


def empty(c: int, meter: bytes, access_number: int = 1) -> bytes:
    """A telegram that carries nothing: CI 80."""
    return _framed(c, b"\x80" + long_header(meter, access_number))


def command(meter: bytes, key: bytes, counter: int, apl: bytes, c: int = SND_UD) -> bytes:
    """A command under profile B, with the keys for the way to the meter."""
    tail = counter.to_bytes(4, "little") + meter[2:6] + b"\x07" * 7
    l_enc, l_mac = cmac(key, b"\x10" + tail), cmac(key, b"\x11" + tail)
    plain = b"\x2f\x2f" + apl
    plain += b"\x2f" * (-len(plain) % 16)
    encryptor = Cipher(algorithms.AES(l_enc), modes.CBC(bytes(16))).encryptor()
    tpl = b"\x5b" + long_header(meter, 1, 0x0700 | len(plain) // 16 << 4) + b"\x10" + encryptor.update(plain)
    head = b"\x25" + counter.to_bytes(4, "little")
    mac = cmac(l_mac, head + tpl)[:8]
    return _framed(c, b"\x90\x0f\x00\x2c" + head + mac + tpl)


def _framed(c: int, body: bytes) -> bytes:
    return bytes((9 + len(body), c)) + GATEWAY + body
