"""What each fault of a radio meter does to a telegram: before it is protected (Draft), or after it (Sending)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from devices.meters.radio.counter import LARGEST
from devices.meters.radio.draft import FULL, Draft, Sending
from devices.meters.radio.identity import address_of
from devices.meters.radio.plan import Protection
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.telegram import parse

Values = Mapping[str, Any]
"""Parameters of a fault by name."""

LINK_HEADER: Final = 10
"""L, C, M and A."""
UNKNOWN_CI: Final = 0xB7
"""Of the range for makers (lmn-wireless 2.5)."""
_PCRC: Final = LINK_HEADER + 7
"""Payload CRC behind 8D CC ACC SN."""

LOW_POWER: Final = 0x04
PERMANENT_ERROR: Final = 0x08
TEMPORARY_ERROR: Final = 0x10
ABNORMAL: Final = 0x03
"""Bits of the status byte (lmn-wireless 2.8)."""


class Sender(Protocol):
    """What a fault may know of its meter."""

    @property
    def rng(self) -> random.Random: ...

    def earlier(self, back: int) -> bytes | None:
        """The telegram that was sent `back` telegrams ago, None: there was none."""

    def jump(self, by: int) -> int:
        """Leave out numbers of the transmission counter; returns the one to be used."""


StrikeDraft = Callable[[Draft, Sender, Values], Draft | None]
StrikeSending = Callable[[Sending, Draft, Sender, Values], Sequence[Sending] | None]
"""None: not struck, it goes out as it is."""


# --- before


def wrong_key(draft: Draft, _: Sender, values: Values) -> Draft | None:
    """Another key: one that is told, or the right one with every bit turned."""
    if draft.protection is Protection.NONE:
        return None
    told = values["key"]
    return replace(draft, key=bytes(octet ^ 0xFF for octet in draft.key) if told is None else bytes.fromhex(told))


def counter_back(draft: Draft, _: Sender, values: Values) -> Draft | None:
    """A number that was used."""
    if not draft.protection.counts:
        return None
    return replace(draft, counter=max(0, draft.counter - values["by"]))


def counter_jump(draft: Draft, sender: Sender, values: Values) -> Draft | None:
    """Numbers are left out, for good."""
    if not draft.protection.counts or draft.counter + values["by"] > LARGEST:
        return None
    return replace(draft, counter=sender.jump(values["by"]))


def forged_counter(draft: Draft, _: Sender, values: Values) -> Draft | None:
    """What somebody sends who has not the key: a number far ahead, a MAC that cannot be right."""
    if not draft.protection.counts:
        return None
    key = bytes(octet ^ 0xFF for octet in draft.key)
    return replace(draft, key=key, counter=min(LARGEST, draft.counter + values["by"]))


def wrong_mode(draft: Draft, _: Sender, values: Values) -> Draft | None:
    """A weaker mode than agreed: 0 or 5."""
    mode = Protection.NONE if values["mode"] == 0 else Protection.PROFILE_A
    return None if mode is draft.protection else replace(draft, protection=mode)


def unknown_syntax(draft: Draft, _: Sender, values: Values) -> Draft | None:
    """Something that nobody can read: a CI field of a maker, or records of an illegal DIF."""
    if draft.frame != FULL:
        return None
    if values["where"] == "ci":
        return replace(draft, ci=UNKNOWN_CI, header=False, protection=Protection.NONE)
    return replace(draft, apl=b"\x3f" + draft.apl, clear=b"")


def other_meters_id(draft: Draft, _: Sender, values: Values) -> Draft:
    """The address of another meter, with the own key."""
    told = values["number"]
    if told is not None:
        return replace(draft, address=address_of(told))
    last = draft.address.id[-1]
    other = draft.address.id[:-1] + ("0" if last == "9" else chr(ord(last) + 1) if last.isdecimal() else "0")
    return replace(draft, address=replace(draft.address, id=other))


def status_bits(bits: int) -> StrikeDraft:
    """Bits of the status byte are set."""

    def strike(draft: Draft, _: Sender, __: Values) -> Draft:
        return replace(draft, status=draft.status | bits)

    return strike


# --- after


def silence(_: Sending, __: Draft, ___: Sender, ____: Values) -> Sequence[Sending]:
    """Nothing."""
    return ()


def wrong_crc(sending: Sending, _: Draft, __: Sender, ___: Values) -> Sequence[Sending]:
    """A bit that falls over on the air."""
    return (replace(sending, damaged=True),)


def flip_bit(sending: Sending, _: Draft, sender: Sender, values: Values) -> Sequence[Sending]:
    """A bit of the last 16 octets is wrong, the link CRC is right."""
    octets = bytearray(sending.telegram)
    first = max(LINK_HEADER, len(octets) - 16)
    bit = sender.rng.randrange(8 * (len(octets) - first)) if values["bit"] is None else values["bit"]
    place = len(octets) - 1 - bit // 8 if values["bit"] is not None else first + bit // 8
    octets[max(LINK_HEADER, place)] ^= 1 << bit % 8
    return (replace(sending, telegram=bytes(octets)),)


def wrong_mac(sending: Sending, draft: Draft, _: Sender, __: Values) -> Sequence[Sending] | None:
    """The last octet of the MAC is wrong: of the AFL, of the CCM, or the payload CRC of the ELL."""
    place = _mac_end(sending.telegram, draft)
    if place is None:
        return None
    octets = bytearray(sending.telegram)
    octets[place] ^= 0x01
    return (replace(sending, telegram=bytes(octets)),)


def _mac_end(telegram: bytes, draft: Draft) -> int | None:
    if draft.protection is Protection.PROFILE_D:
        return len(telegram) - 1
    if draft.protection is Protection.ELL:
        return _PCRC
    if draft.protection is not Protection.PROFILE_B:
        return None
    try:
        afl = parse(telegram).afl
    except MbusError:
        return None
    if afl is None or not afl.mac:
        return None
    return telegram.index(afl.mac, LINK_HEADER) + len(afl.mac) - 1


def duplicate(sending: Sending, _: Draft, __: Sender, values: Values) -> Sequence[Sending]:
    """The same once more."""
    return sending, replace(sending, after_s=sending.after_s + values["gap_s"])


def replay(sending: Sending, _: Draft, sender: Sender, values: Values) -> Sequence[Sending] | None:
    """An earlier telegram in place of this one."""
    earlier = sender.earlier(values["back"])
    return None if earlier is None else (replace(sending, telegram=earlier),)
