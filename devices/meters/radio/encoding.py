"""Octets of a radio meter's telegrams: which layers it has for its protection and its kind of access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devices.meters.radio.draft import ACC_DMD, ACC_NR, ACK, COMPACT, EMPTY, NACK, Draft
from devices.meters.radio.plan import Protection
from devices.protocols.mbus import ell as cc
from devices.protocols.mbus import tpl as cf
from devices.protocols.mbus.control import Header
from devices.protocols.mbus.ell import AES_CTR, Ell, Session
from devices.protocols.mbus.telegram_plan import Profile, TelegramPlan, encode

_PROFILES: Final[Mapping[Protection, Profile | None]] = {
    Protection.NONE: None,
    Protection.PROFILE_A: "A",
    Protection.PROFILE_B: "B",
    Protection.PROFILE_D: "D",
    Protection.ELL: "ell-ctr",
}
_CI: Final[Mapping[tuple[str, Header], int]] = {
    (COMPACT, "none"): 0x79,
    (COMPACT, "short"): 0x7B,
    (COMPACT, "long"): 0x73,
    (EMPTY, "short"): 0x8A,
    (EMPTY, "long"): 0x8B,
}
"""CI fields of frames that are not full (lmn-wireless 2.5)."""
_WITHOUT_RECORDS: Final = frozenset({ACC_NR, ACC_DMD, ACK, NACK})


def octets_of(draft: Draft) -> bytes:
    """The stripped telegram. Raises MbusError when it is longer than a frame can be."""
    empty = draft.frame == EMPTY or draft.c in _WITHOUT_RECORDS
    header = _header(draft, empty=empty)
    by_ell = draft.protection is Protection.ELL and not empty
    return encode(
        TelegramPlan(
            c=draft.c,
            address=draft.adapter or draft.address,
            apl=draft.apl,
            clear=draft.clear,
            header=header,
            meter=draft.address if draft.adapter is not None else None,
            ci=draft.ci if draft.ci is not None else _CI.get((draft.frame, header)),
            access_number=draft.access_number,
            status=draft.status,
            profile=None if empty else _PROFILES[draft.protection],
            key=draft.key,
            counter=draft.counter,
            ell=_ell(draft, with_session=by_ell),
            flags=_flags(draft, empty=empty),
        )
    )


def _header(draft: Draft, *, empty: bool) -> Header:
    if draft.adapter is not None:
        return "long"
    if draft.protection is Protection.ELL and not empty:
        return "none"
    return "short" if draft.header or empty else "none"


def _flags(draft: Draft, *, empty: bool) -> int:
    """Bits of the configuration field: modes 0 and 5 tell in it what others tell in the ELL."""
    if not empty and draft.protection not in (Protection.NONE, Protection.PROFILE_A):
        return 0
    return (
        cf.BIDIRECTIONAL * draft.bidirectional | cf.ACCESSIBLE * draft.accessible | cf.SYNCHRONOUS * draft.synchronous
    )


def _ell(draft: Draft, *, with_session: bool) -> Ell | None:
    """In front of what a bidirectional meter sends, and of what is encrypted there."""
    if not with_session and not draft.bidirectional:
        return None
    control = (
        cc.BIDIRECTIONAL * draft.bidirectional
        | cc.FAST * draft.fast
        | cc.SYNCHRONOUS * draft.synchronous
        | cc.ACCESSIBLE * draft.accessible
    )
    session = Session(draft.minutes, draft.counter & 0x0F, AES_CTR) if with_session else None
    return Ell(control, draft.access_number, None, session)
