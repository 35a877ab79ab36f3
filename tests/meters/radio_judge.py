"""A second reader of telegrams, written from the fact sheet with `cryptography` alone, to judge what meters send.

It shares no line with the codecs of the project (lmn-wireless 2.6 to 3). In mode 10 the nonce has the counter's highest
octet first and the counter is not among the associated octets, as a real meter does it (wmbusmeters, thread 1667).
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.cmac import CMAC


@dataclass(frozen=True)
class Judged:
    """What a telegram says to the judge.

    Attributes:
        c: C field.
        link: M, id, version and type of the link layer, as hex.
        ci: CI field of the transport layer.
        mode: security mode of the configuration field, -1: there is none.
        access_number, status: of the header, -1: there is none.
        counter: 32-bit counter, -1: there is none.
        genuine: whether MAC, tag or payload CRC is right; without such, whether 2F2F is there.
        plain: application layer with what stands behind the encrypted blocks; empty when it is not genuine.
        clear: octets that were never encrypted.
    """

    c: int
    link: str
    ci: int
    mode: int
    access_number: int
    status: int
    counter: int
    genuine: bool
    plain: bytes
    clear: bytes = b""


def judge(telegram: bytes, key: bytes) -> Judged:
    """Read a stripped telegram of a meter."""
    assert telegram[0] == len(telegram) - 1
    c, link, rest = telegram[1], telegram[2:10], telegram[10:]
    genuine = True
    if rest[0] in (0x8C, 0x8E):
        rest = rest[3 if rest[0] == 0x8C else 11 :]
    elif rest[0] == 0x8D:
        cc, session = rest[1], rest[3:7]
        block = link + bytes((cc & 0xED,)) + session + bytes(3)
        opened = _ctr(key, block, rest[7:])
        genuine = int.from_bytes(opened[:2], "little") == crc(opened[2:])
        if not genuine:
            return Judged(c, link.hex(), -1, -1, -1, -1, -1, genuine, b"")
        rest = opened[2:]
    mac, counter, mac_head = b"", -1, b""
    if rest[0] == 0x90:
        afl, rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        assert int.from_bytes(afl[:2], "little") == 0x2C00, "MCL, MCR and MAC are there, nothing else"
        counter, mac, mac_head = int.from_bytes(afl[3:7], "little"), afl[7:], afl[2:7]
    return _transport(_Open(c, link, rest, key, genuine, mac, counter, mac_head))


@dataclass(frozen=True)
class _Open:
    c: int
    link: bytes
    rest: bytes
    key: bytes
    genuine: bool
    mac: bytes
    counter: int
    mac_head: bytes


def _transport(one: _Open) -> Judged:
    rest, ci = one.rest, one.rest[0]
    if ci in (0x78, 0x79):
        plain = rest[1:] if one.genuine else b""
        return Judged(one.c, one.link.hex(), ci, -1, -1, -1, one.counter, one.genuine, plain)
    long = ci in (0x72, 0x73, 0x6B, 0x8B)
    header = rest[1:13] if long else rest[1:5]
    m_id = header[4:6] + header[:4] + header[6:8] if long else one.link
    access, status, config = header[-4], header[-3], int.from_bytes(header[-2:], "little")
    mode, body = config >> 8 & 0x1F, rest[1 + len(header) :]
    if mode == 0:
        genuine, plain, clear, counter = one.genuine, body, b"", one.counter
    else:
        opened = {5: _mode_5, 7: _mode_7, 10: _mode_10}[mode](one, config, body, m_id, access)
        genuine, plain, clear, counter = opened
    return Judged(one.c, one.link.hex(), ci, mode, access, status, counter, genuine, plain, clear)


def _mode_5(one: _Open, config: int, body: bytes, m_id: bytes, access: int) -> tuple[bool, bytes, bytes, int]:
    size = 16 * (config >> 4 & 0x0F)
    plain = _cbc(one.key, m_id + bytes((access,)) * 8, body[:size])
    right = plain[:2] == b"\x2f\x2f"
    return right, plain + body[size:] if right else b"", body[size:], one.counter


def _mode_7(one: _Open, config: int, body: bytes, m_id: bytes, _: int) -> tuple[bool, bytes, bytes, int]:
    assert body[0] == 0x10, "KDF-A, persistent key 0"
    tail = one.counter.to_bytes(4, "little") + m_id[2:6] + b"\x07" * 7
    k_enc, k_mac = cmac(one.key, b"\x00" + tail), cmac(one.key, b"\x01" + tail)
    right = cmac(k_mac, one.mac_head + one.rest)[: len(one.mac)] == one.mac and len(one.mac) == 8
    size = 16 * (config >> 4 & 0x0F)
    plain = _cbc(k_enc, bytes(16), body[1 : 1 + size])
    right = right and plain[:2] == b"\x2f\x2f"
    return right, plain + body[1 + size :] if right else b"", body[1 + size :], one.counter


def _mode_10(one: _Open, _: int, body: bytes, m_id: bytes, __: int) -> tuple[bool, bytes, bytes, int]:
    counter = int.from_bytes(body[2:6], "little")
    k_enc = cmac(one.key, b"\x00" + body[2:6] + m_id[2:6] + b"\x07" * 7)
    header = one.rest[: len(one.rest) - len(body) + 2]
    nonce = m_id + b"\x00" + counter.to_bytes(4, "big")
    try:
        return True, AESCCM(k_enc, 8).decrypt(nonce, body[6:], header), b"", counter
    except InvalidTag:
        return False, b"", b"", counter


def cmac(key: bytes, octets: bytes) -> bytes:
    """AES-128-CMAC."""
    made = CMAC(algorithms.AES(key))
    made.update(octets)
    return made.finalize()


def _cbc(key: bytes, iv: bytes, octets: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(octets) + decryptor.finalize()


def _ctr(key: bytes, block: bytes, octets: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CTR(block)).decryptor()
    return decryptor.update(octets) + decryptor.finalize()


def crc(octets: bytes) -> int:
    """CRC of EN 13757, bit by bit."""
    value = 0
    for octet in octets:
        value ^= octet << 8
        for _ in range(8):
            value = (value << 1 ^ 0x3D65) & 0xFFFF if value & 0x8000 else value << 1
    return value ^ 0xFFFF
