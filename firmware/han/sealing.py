"""Signed CMS messages around what is handed out as a file: exports and evaluation profiles (han 6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from devices.protocols.cms import key_identifier_of, signed_data
from firmware.han.desk import HanDesk
from firmware.metering.contracts import Contract
from firmware.security.certificates import certificate
from firmware.security.module import GW_WAN_SIG


def sealed(desk: HanDesk, content: bytes, at_s: float) -> bytes:
    """The message, DER, signed with GW_WAN_SIG as of an instant; of one before its certificate as of the begin of that.

    Args:
        desk: who signs.
        content: what is in it.
        at_s: seconds since 1970.
    """
    own = certificate(desk.unit.memory, GW_WAN_SIG)
    at = max(datetime.fromtimestamp(int(at_s), UTC), own.x509.not_valid_before_utc)
    return signed_data(content, own.der, key_identifier_of(own.der), desk.sign, at)


def sealed_profile(desk: HanDesk, contract: Contract, ready_s: float, content: Callable[[], bytes]) -> bytes | None:
    """The message with a profile; None until it is made, `ready_s` after the begin of the contract.

    Signed as of then, so that the same profile is the same message however often it is read.
    """
    made_s = contract.begin_s + int(ready_s)
    return None if desk.now_s() < made_s else sealed(desk, content(), made_s)
