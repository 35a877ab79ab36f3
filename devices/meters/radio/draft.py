"""A telegram of a radio meter before it is octets, and after: what faults work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from devices.meters.radio.plan import Protection
from devices.protocols.mbus.link import Address

SND_NR: Final = 0x44
SND_IR: Final = 0x46
ACC_NR: Final = 0x47
ACC_DMD: Final = 0x48
RSP_UD: Final = 0x08
ACK: Final = 0x00
NACK: Final = 0x01
"""C fields that meters send (lmn-wireless 2.2)."""

NAMES: Final = {
    SND_NR: "SND-NR",
    SND_IR: "SND-IR",
    ACC_NR: "ACC-NR",
    ACC_DMD: "ACC-DMD",
    RSP_UD: "RSP-UD",
    ACK: "ACK",
    NACK: "NACK",
}

FULL: Final = "full"
COMPACT: Final = "compact"
EMPTY: Final = "empty"
"""Frames: records with DIB and VIB, records without, none."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be sent.

    Attributes:
        c: C field.
        frame: FULL, COMPACT or EMPTY.
        address: the meter's.
        adapter: who sends in its place, None: the meter itself.
        protection: how it is protected.
        key: with which key.
        access_number: ACC.
        status: status byte.
        counter: transmission counter; of protections without one the number of the telegram.
        minutes: of the session number of the ELL; with the lowest bits of the counter no session comes twice.
        apl: application layer in the clear, without fillers.
        clear: records behind the encrypted ones, in the clear.
        ci: CI field in place of the right one, None: the right one.
        header: whether there is a header of the transport layer.
        bidirectional, accessible, fast, synchronous: bits of the ELL's CC and of the configuration field.
    """

    c: int
    frame: str
    address: Address
    adapter: Address | None
    protection: Protection
    key: bytes
    access_number: int
    status: int
    counter: int
    minutes: int
    apl: bytes
    clear: bytes = b""
    ci: int | None = None
    header: bool = True
    bidirectional: bool = False
    accessible: bool = False
    fast: bool = False
    synchronous: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """Octets that go on the air.

    Attributes:
        telegram: stripped octets.
        after_s: later than they should.
        damaged: so that no receiver finds the link CRC right.
    """

    telegram: bytes
    after_s: float = 0.0
    damaged: bool = False
