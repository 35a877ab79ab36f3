"""Authentication and fragmentation layer: MAC, message counter, pieces of a message (EN 13757-7).

Layout (lmn-wireless 2.7): ``90 | AFLL | FCL 2 | [MCL] | [KI 2] | [MCR 4] | [MAC n] | [ML 2]``; low octets first but for
the MAC. AFLL counts what follows it within the layer; in pieces without MCL the length of a MAC follows from it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Final

from devices.protocols.frozen import builder
from devices.protocols.mbus.errors import LayerError

CI: Final = 0x90

MORE_FRAGMENTS: Final = 0x4000
_HAS_MCL: Final = 0x2000
_HAS_ML: Final = 0x1000
_HAS_MCR: Final = 0x0800
_HAS_MAC: Final = 0x0400
_HAS_KI: Final = 0x0200
_FRAGMENT: Final = 0x00FF

ML_IN_MESSAGE: Final = 0x40
MCR_IN_MESSAGE: Final = 0x20
KI_IN_MESSAGE: Final = 0x10
"""Bits of MCL: what some piece of the message carries."""

CMAC_OCTETS: Final = {3: 2, 4: 4, 5: 8, 6: 12, 7: 16}
"""Authentication type of MCL -> octets of a CMAC."""
GMAC_OCTETS: Final = {8: 12, 9: 16}
"""The same for GMAC, which is not computed here."""
MAC_OCTETS: Final = CMAC_OCTETS | GMAC_OCTETS

_LEAST: Final = ((_HAS_MCL, 1), (_HAS_KI, 2), (_HAS_MCR, 4), (_HAS_MAC, 1), (_HAS_ML, 2))
"""Bit of FCL and the octets that its field has at least."""
_FCL_AT: Final = 2
_FIRST_FIELD: Final = 4


@dataclass(frozen=True, slots=True)
class Afl:
    """The layer of one telegram, or of a whole message put together from pieces.

    Attributes:
        mcl: message control: bits above and authentication type; None: not here.
        ki: key information, see below; None: not here.
        mcr: message counter, 32 bits; None: not here.
        mac: leading octets of the MAC; empty: not here.
        ml: octets of the whole message from the CI of the transport layer on (assumed); None: not here.
        fragment: 0: the message is in one piece; else number of this piece, from 1.
        more: whether more pieces follow.
    """

    mcl: int | None = None
    ki: int | None = None
    mcr: int | None = None
    mac: bytes = b""
    ml: int | None = None
    fragment: int = 0
    more: bool = False

    @property
    def authentication(self) -> int:
        """Authentication type, 0: none is announced."""
        return 0 if self.mcl is None else self.mcl & 0x0F

    @property
    def key_version(self) -> int | None:
        """Version of the key, None without KI."""
        return None if self.ki is None else self.ki >> 8

    @property
    def kdf(self) -> int | None:
        """Key derivation: 0 persistent key, 1 KDF-A; None without KI."""
        return None if self.ki is None else self.ki >> 4 & 3

    @property
    def key_id(self) -> int | None:
        """Number of the key, None without KI."""
        return None if self.ki is None else self.ki & 0x0F

    @property
    def is_fragment(self) -> bool:
        """Whether the message is in more than one piece."""
        return self.more or self.fragment > 1

    @property
    def fcl(self) -> int:
        """Fragmentation control as 16 bits."""
        return (
            self.fragment
            | (MORE_FRAGMENTS if self.more else 0)
            | (0 if self.mcl is None else _HAS_MCL)
            | (0 if self.ml is None else _HAS_ML)
            | (0 if self.mcr is None else _HAS_MCR)
            | (_HAS_MAC if self.mac else 0)
            | (0 if self.ki is None else _HAS_KI)
        )

    def mac_input(self) -> bytes:
        """What stands in front of the transport layer in the input of the MAC: MCL, KI, MCR, ML."""
        return self._field(self.mcl, 1) + self._field(self.ki, 2) + self._field(self.mcr, 4) + self._field(self.ml, 2)

    def to_bytes(self) -> bytes:
        """The layer from its CI on; raises LayerError when a value has no room or the MAC is not as MCL says."""
        if not 0 <= self.fragment <= _FRAGMENT:
            raise LayerError(f"fragment {self.fragment} is not within 0..255")
        announced = MAC_OCTETS.get(self.authentication)
        if self.mac and self.mcl is not None and announced != len(self.mac):
            raise LayerError(f"a MAC of {len(self.mac)} octets, type {self.authentication} has {announced}")
        fields = self._field(self.mcl, 1) + self._field(self.ki, 2) + self._field(self.mcr, 4) + self.mac
        content = self.fcl.to_bytes(2, "little") + fields + self._field(self.ml, 2)
        if len(content) > 0xFF:
            raise LayerError(f"{len(content)} octets have no room in the authentication layer")
        return bytes((CI, len(content))) + content

    @staticmethod
    def _field(value: int | None, octets: int) -> bytes:
        if value is None:
            return b""
        if not 0 <= value < 1 << 8 * octets:
            raise LayerError(f"{value} has no room in {octets} octets")
        return value.to_bytes(octets, "little")


_build = builder(Afl)


def decode_afl(body: bytes) -> tuple[Afl, int]:
    """The layer at the begin of `body`, and where what follows it begins; raises LayerError with the offset."""
    size = len(body)
    if size < _FIRST_FIELD or body[0] != CI:
        raise LayerError("the authentication layer is cut", size)
    end = _FCL_AT + body[1]
    if end > size or end < _FIRST_FIELD:
        raise LayerError(f"the authentication layer says {body[1]} octets, {size - _FCL_AT} follow", 1)
    fcl = body[_FCL_AT] | body[_FCL_AT + 1] << 8
    if _FIRST_FIELD + sum(octets for bit, octets in _LEAST if fcl & bit) > end:
        raise LayerError(f"the fields of FCL {fcl:04X} do not fit into {body[1]} octets", _FCL_AT)
    mcl: int | None = None
    ki: int | None = None
    mcr: int | None = None
    ml: int | None = None
    at = _FIRST_FIELD
    if fcl & _HAS_MCL:
        mcl = body[at]
        at += 1
    if fcl & _HAS_KI:
        ki = body[at] | body[at + 1] << 8
        at += 2
    if fcl & _HAS_MCR:
        mcr = int.from_bytes(body[at : at + 4], "little")
        at += 4
    mac_end = end
    if fcl & _HAS_ML:
        mac_end = end - 2
        ml = int.from_bytes(body[mac_end:end], "little")
    mac = body[at:mac_end] if fcl & _HAS_MAC else b""
    if at + len(mac) != mac_end:
        raise LayerError(f"the fields of FCL {fcl:04X} do not fill {body[1]} octets", _FCL_AT)
    if mac and mcl is not None and MAC_OCTETS.get(mcl & 0x0F) != len(mac):
        raise LayerError(f"a MAC of {len(mac)} octets does not fit MCL {mcl:02X}", at)
    return _build(mcl, ki, mcr, mac, ml, fcl & _FRAGMENT, fcl & MORE_FRAGMENTS != 0), end


def split(whole: Afl, message: bytes, room: int) -> list[tuple[Afl, bytes]]:
    """A message in pieces of at most `room` octets each, layer included: MCL, KI, MCR and ML go with the first, the MAC
    with the last (assumed: the standard's choice of pieces is not in lmn-wireless 2.7). In one piece when it fits.

    Raises LayerError when the room is too small, or more than 255 pieces would be needed.
    """
    if len(whole.to_bytes()) + len(message) <= room:
        return [(whole, message)]
    first = replace(whole, mac=b"", fragment=1, more=True)
    last = Afl(mac=whole.mac, fragment=_FRAGMENT)
    if room <= max(len(first.to_bytes()), len(last.to_bytes())) or not message:
        raise LayerError(f"{room} octets are too few for a piece of a message")
    taken = min(room - len(first.to_bytes()), len(message) - 1)
    parts = [(first, message[:taken])]
    step = room - len(last.to_bytes())
    while taken < len(message):
        number = len(parts) + 1
        piece = message[taken : taken + step]
        taken += step
        ends = taken >= len(message)
        parts.append((Afl(mac=whole.mac if ends else b"", fragment=number, more=not ends), piece))
    if len(parts) > _FRAGMENT:
        raise LayerError(f"{len(message)} octets make {len(parts)} pieces, {_FRAGMENT} can be counted")
    return parts


@dataclass(slots=True)
class _Begun:
    """What has come of a message."""

    whole: Afl
    octets: bytes
    last: tuple[Afl, bytes]


class Reassembly:
    """Puts messages together from their pieces, for many senders at once.

    Args:
        max_octets: longest message that is taken in.
        max_senders: unfinished messages at the same time; the oldest is given up for a new one.
    """

    def __init__(self, max_octets: int = 16_384, max_senders: int = 64) -> None:
        self._max_octets = max_octets
        self._max_senders = max_senders
        self._begun: dict[Hashable, _Begun] = {}
        self._ended: dict[Hashable, tuple[Afl, bytes]] = {}

    def feed(self, sender: Hashable, afl: Afl, octets: bytes) -> tuple[Afl, bytes] | None:
        """Take a piece in; returns the layer and the octets of the whole message with its last piece.

        The same piece once more changes nothing. Raises LayerError for a piece out of turn or a message that gets too
        long; what there was of it is dropped.
        """
        if not afl.is_fragment:
            self._begun.pop(sender, None)
            return afl, octets
        before = self._begun.pop(sender, None)
        if before is None and self._ended.get(sender) == (afl, octets):
            return None
        if before is not None and before.last == (afl, octets):
            self._begun[sender] = before
            return None
        if afl.fragment == 1:
            before = None
        elif before is None or before.whole.fragment + 1 != afl.fragment:
            expected = "the first piece" if before is None else f"piece {before.whole.fragment + 1}"
            raise LayerError(f"piece {afl.fragment} of a message came in place of {expected}")
        whole, found = (afl, octets) if before is None else (_merged(before.whole, afl), before.octets + octets)
        limit = self._max_octets if whole.ml is None else min(self._max_octets, whole.ml)
        if len(found) > limit:
            raise LayerError(f"a message in pieces has grown to {len(found)} octets, {limit} are allowed")
        if afl.more:
            self._keep(sender, _Begun(whole, found, (afl, octets)))
            return None
        if whole.ml is not None and whole.ml != len(found):
            raise LayerError(f"a message in pieces has {len(found)} octets, its length field says {whole.ml}")
        if whole.mac and MAC_OCTETS.get(whole.authentication) != len(whole.mac):
            raise LayerError(f"a MAC of {len(whole.mac)} octets does not fit type {whole.authentication}")
        self._ended.pop(sender, None)
        while len(self._ended) >= self._max_senders:
            del self._ended[next(iter(self._ended))]
        self._ended[sender] = (afl, octets)
        return replace(whole, fragment=0), found

    def forget(self, sender: Hashable) -> None:
        """Give the unfinished message of a sender up."""
        self._begun.pop(sender, None)

    def __len__(self) -> int:
        """Unfinished messages."""
        return len(self._begun)

    def _keep(self, sender: Hashable, begun: _Begun) -> None:
        while len(self._begun) >= self._max_senders:
            del self._begun[next(iter(self._begun))]
        self._begun[sender] = begun


def _merged(whole: Afl, piece: Afl) -> Afl:
    """The fields of a message so far and those of its next piece; raises LayerError when they contradict each other."""
    if piece.mcl is not None:
        raise LayerError("message control stands in the first piece only")
    fields: dict[str, int | None] = {}
    for name in ("ki", "mcr", "ml"):
        one, other = getattr(whole, name), getattr(piece, name)
        if one is not None and other is not None and one != other:
            raise LayerError(f"pieces of one message differ in {name.upper()}: {one} and {other}")
        fields[name] = other if one is None else one
    return Afl(whole.mcl, fields["ki"], fields["mcr"], piece.mac or whole.mac, fields["ml"], piece.fragment, piece.more)
