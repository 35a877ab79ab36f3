"""Extended link layer of wM-Bus: access of bidirectional meters, receiver, session number (EN 13757-4).

Layout (lmn-wireless 2.6): ``CI | CC | ACC | [M2 2 | A2 6] | [SN 4 | PCRC 2]``. CI 8C has neither of the optional parts,
8D the session number, 8E the receiver, 8F both. What follows a session number may be encrypted, PCRC included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from devices.protocols.frozen import builder
from devices.protocols.mbus.crc import crc
from devices.protocols.mbus.errors import LayerError
from devices.protocols.mbus.link import ADDRESS_OCTETS, Address

FIRST_CI: Final = 0x8C
LAST_CI: Final = 0x8F
VARIABLE_CI: Final = 0x86
"""ELL V; its layout is not known here."""
PCRC_OCTETS: Final = 2

BIDIRECTIONAL: Final = 0x80
FAST: Final = 0x40
SYNCHRONOUS: Final = 0x20
HOP: Final = 0x10
PRIORITY: Final = 0x08
ACCESSIBLE: Final = 0x04
REPEATED: Final = 0x02
EXTENDED: Final = 0x01
"""Bits of CC. With EXTENDED the delay of answers is the extended one, else FAST tells fast from slow."""

NO_ENCRYPTION: Final = 0
AES_CTR: Final = 1

_WITH_SESSION: Final = 0x01
_WITH_RECEIVER: Final = 0x02
_HEAD: Final = 3
_SESSION_OCTETS: Final = 4
_MINUTES_BITS: Final = 25


@dataclass(frozen=True, slots=True)
class Session:
    """Session number (lmn-wireless 2.6).

    Attributes:
        minutes: since the start of the meter, 25 bits.
        session: number within the minute, 4 bits.
        encryption: 0 none, 1 AES-128-CTR; 3 bits.
    """

    minutes: int
    session: int = 0
    encryption: int = AES_CTR

    def to_bytes(self) -> bytes:
        """The 4 octets; raises LayerError when a value has no room."""
        if not (0 <= self.minutes < 1 << _MINUTES_BITS and 0 <= self.session < 16 and 0 <= self.encryption < 8):
            raise LayerError(f"{self} has no room in 32 bits")
        number = self.encryption << 29 | self.minutes << 4 | self.session
        return number.to_bytes(_SESSION_OCTETS, "little")

    @classmethod
    def from_bytes(cls, octets: bytes) -> Session:
        """From 4 octets, low one first."""
        number = int.from_bytes(octets, "little")
        return cls(number >> 4 & (1 << _MINUTES_BITS) - 1, number & 0x0F, number >> 29)


@dataclass(frozen=True, slots=True)
class Ell:
    """An extended link layer.

    Attributes:
        cc: communication control, bits above.
        access_number: ACC, 0 to 255.
        receiver: whom the telegram is for, None: anybody.
        session: session number, None: the layer ends before it.
    """

    cc: int
    access_number: int
    receiver: Address | None = None
    session: Session | None = None

    @property
    def ci(self) -> int:
        """CI field of the layer."""
        with_receiver = 0 if self.receiver is None else _WITH_RECEIVER
        return FIRST_CI | with_receiver | (0 if self.session is None else _WITH_SESSION)

    @property
    def encrypted(self) -> bool:
        """Whether what follows is encrypted."""
        return self.session is not None and self.session.encryption != NO_ENCRYPTION

    def to_bytes(self) -> bytes:
        """The layer from CI up to PCRC, which is not part of it; raises LayerError when a value has no room."""
        if not (0 <= self.cc <= 0xFF and 0 <= self.access_number <= 0xFF):
            raise LayerError(f"CC {self.cc} or access number {self.access_number} is no octet")
        receiver = b"" if self.receiver is None else self.receiver.link_octets()
        session = b"" if self.session is None else self.session.to_bytes()
        return bytes((self.ci, self.cc, self.access_number)) + receiver + session


_build = builder(Ell)


def is_ell(ci: int) -> bool:
    """Whether a CI field begins an extended link layer."""
    return FIRST_CI <= ci <= LAST_CI


def decode_ell(body: bytes) -> tuple[Ell, int]:
    """The layer at the begin of `body`, and where what follows it begins (PCRC, when there is a session).

    Raises LayerError when it is cut or of another kind.
    """
    size = len(body)
    if not body or not is_ell(body[0]):
        raise LayerError("no extended link layer that is known here", 0)
    ci = body[0]
    end = _HEAD + (ADDRESS_OCTETS if ci & _WITH_RECEIVER else 0)
    total = end + (_SESSION_OCTETS if ci & _WITH_SESSION else 0)
    if size < total:
        raise LayerError(f"the extended link layer is cut: {size} octets of {total}", size)
    receiver = Address.from_link(body[_HEAD:end]) if ci & _WITH_RECEIVER else None
    session = Session.from_bytes(body[end:total]) if ci & _WITH_SESSION else None
    return _build(body[1], body[2], receiver, session), total


def with_pcrc(following: bytes) -> bytes:
    """PCRC and what follows it, in the clear."""
    return crc(following).to_bytes(PCRC_OCTETS, "little") + following


def pcrc_is_right(octets: bytes) -> bool:
    """Whether PCRC at the begin of `octets` (in the clear) fits what follows it."""
    return octets[:PCRC_OCTETS] == crc(octets[PCRC_OCTETS:]).to_bytes(PCRC_OCTETS, "little")
