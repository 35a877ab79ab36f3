"""Telegrams of radio meters put together octet by octet from lmn-wireless 2 and 3, with OpenSSL's primitives alone."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from devices.ports.radio import RadioMode, Reception

KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")
GAS = "7ELS3312345678"
"""The meter of OMS Annex N."""
GAS_ADDRESS = bytes.fromhex("9315785634123303")
POWER = "1ELS0187654321"
POWER_ADDRESS = bytes.fromhex("9315214365870102")
ANNEX_N = bytes.fromhex(
    "434493157856341233038C2075900F002C25B30A000021924D4F2FB66E017A75002007109058475F4BC91DF878B80A1B0F98B629024A"
    "AC727942BFC549233C0140829B93"
)
"""The published example of mode 7 with AFL, counter 2739: 28504.27 m3 (lmn-wireless 3)."""


def _mac(key: bytes, octets: bytes) -> bytes:
    cmac = CMAC(algorithms.AES(key))
    cmac.update(octets)
    return cmac.finalize()


def _cbc(key: bytes, iv: bytes, plain: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def _filled(records: bytes) -> bytes:
    plain = b"\x2f\x2f" + records
    return plain + b"\x2f" * (-len(plain) % 16)


def mode7(
    records: bytes,
    counter: int,
    *,
    address: bytes = GAS_ADDRESS,
    key: bytes = KEY,
    status: int = 0,
    acc: int = 0x75,
    c: int = 0x44,
    spoil_mac: bool = False,
    short_mac: bool = False,
    in_clear: bool = False,
) -> bytes:
    """Security profile B: KDF-A, AES-CBC with IV 0 (no block of it when in clear), CMAC of 8 octets (4 when short) in
    the AFL, short header."""
    mcr = counter.to_bytes(4, "little")
    derive = mcr + address[2:6] + b"\x07" * 7
    k_enc, k_mac = _mac(key, b"\x00" + derive), _mac(key, b"\x01" + derive)
    plain = _filled(records)
    tpl = bytes((0x7A, acc, status, len(plain) // 16 << 4, 0x07, 0x10)) + _cbc(k_enc, bytes(16), plain)
    if in_clear:
        tpl = bytes((0x7A, acc, status, 0x00, 0x07, 0x10)) + records
    mcl, size = (b"\x24", 4) if short_mac else (b"\x25", 8)
    mac = _mac(k_mac, mcl + mcr + tpl)[:size]
    if spoil_mac:
        mac = bytes((mac[0] ^ 1,)) + mac[1:]
    body = b"\x8c\x20" + bytes((acc,)) + bytes((0x90, 7 + size, 0x00, 0x2C)) + mcl + mcr + mac + tpl
    frame = bytes((c,)) + address + body
    return bytes((len(frame),)) + frame


def mode5(records: bytes, *, address: bytes = GAS_ADDRESS, key: bytes = KEY, acc: int = 0x2A) -> bytes:
    """Security profile A: AES-CBC whose IV holds address and access number, no MAC."""
    plain = _filled(records)
    tpl = bytes((0x7A, acc, 0, len(plain) // 16 << 4, 0x05)) + _cbc(key, address + bytes((acc,)) * 8, plain)
    frame = b"\x44" + address + tpl
    return bytes((len(frame),)) + frame


def mode0(records: bytes, *, address: bytes = GAS_ADDRESS, acc: int = 0x2A) -> bytes:
    """No protection."""
    frame = b"\x44" + address + bytes((0x7A, acc, 0, 0, 0)) + records
    return bytes((len(frame),)) + frame


def gas_volume(litres: int) -> bytes:
    """DIF 0C, VIF 13: eight BCD digits of 0.001 m3."""
    return b"\x0c\x13" + bytes.fromhex(f"{litres:08d}")[::-1]


def profile_15_minutes(base_wh: int, base_time: bytes, steps: tuple[int, ...]) -> bytes:
    """Base time, base value and compact profile 1F of increments (the layout of lmn-wireless 4.6)."""
    elements = b"".join(step.to_bytes(2, "little") for step in steps)
    return (
        b"\x84\x04\x6d" + base_time
        + b"\x84\x04\x03" + base_wh.to_bytes(4, "little")
        + b"\x8d\x04\x83\x1f" + bytes((2 + len(elements),)) + b"\x52\x0f" + elements
    )  # fmt: skip


def type_f(year: int, month: int, day: int, hour: int, minute: int) -> bytes:
    """Date and time of type F (lmn-wireless 4.2): hundred-year bits 1 for 2000 and later."""
    short = year - 2000
    return bytes((minute, hour | 1 << 5, day | (short & 7) << 5, month | short >> 3 << 4))


class HandAntenna:
    """An antenna socket that a test speaks into."""

    def __init__(self) -> None:
        self.on_reception = None
        self.sent: list[bytes] = []

    def say(self, telegram: bytes, at_s: float = 0.0) -> None:
        """The gateway's radio takes in a telegram."""
        if self.on_reception is not None:
            self.on_reception(Reception(at_s, telegram, RadioMode.T1, -60.0))

    def send(self, telegram: bytes, mode: RadioMode) -> float:
        self.sent.append(telegram)
        return 0.02

    def detach(self) -> None:
        self.on_reception = None
