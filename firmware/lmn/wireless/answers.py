"""What the gateway says to bidirectional radio meters: their installation is confirmed, their call is taken in.

The answer must begin so and so long after the meter's telegram, or the meter no longer listens (lmn-wireless 2.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from devices.clock import Clock
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.protocols.mbus import ell as cc
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import Address
from devices.protocols.mbus.telegram import Parsed
from devices.protocols.mbus.telegram_plan import TelegramPlan, encode

SND_IR: Final = 0x46
ACC_NR: Final = 0x47
ACC_DMD: Final = 0x48
CNF_IR: Final = 0x06
ACK: Final = 0x00
EMPTY: Final = frozenset({ACC_NR, ACC_DMD})
"""C fields of telegrams that carry no values."""

_ANSWERS: Final[Mapping[int, int]] = {SND_IR: CNF_IR, ACC_DMD: ACK}
_TO_METER: Final = 0x80
"""CI field of a telegram to a meter with long header and nothing behind it (lmn-wireless 2.5)."""
GATEWAY_TYPE: Final = 0x31
"""Device type of a communication controller (EN 13757-7; assumed)."""

FAST_C_S, SLOW_C_S, T_S, S_S = 0.1, 1.0, 0.002, 0.010
"""From the end of a meter's telegram to the begin of the answer (lmn-wireless 2.4)."""


def gateway_address(device_id: str) -> Address:
    """Address of a gateway by the number on its case, as ``EPPC0210495730`` (assumed: as a meter's number)."""
    plain = device_id.replace(" ", "").upper()
    return Address(plain[1:4], plain[6:14], int(plain[4:6], 16), GATEWAY_TYPE)


class Answers:
    """Answers telegrams of known meters.

    Args:
        clock: for the delay.
        antenna: where answers go.
        device_id: of the gateway.
    """

    def __init__(self, clock: Clock, antenna: Antenna, device_id: str) -> None:
        self._clock = clock
        self._antenna = antenna
        try:
            self._own: Address | None = gateway_address(device_id)
        except (MbusError, ValueError):
            self._own = None  # a number of another form: such a gateway only listens
        self._due: dict[bytes, asyncio.TimerHandle] = {}

    def answer(self, parsed: Parsed, reception: Reception) -> None:
        """Send what belongs to a meter's telegram; nothing for a meter that does not listen."""
        c = _ANSWERS.get(parsed.link.c)
        if c is None or self._own is None or parsed.ell is None:
            return
        if not parsed.ell.cc & cc.BIDIRECTIONAL or not parsed.ell.cc & cc.ACCESSIBLE:
            return
        plan = TelegramPlan(
            c,
            self._own,
            header="long",
            meter=parsed.meter,
            ci=_TO_METER,
            access_number=parsed.ell.access_number,
        )
        at_s = reception.at_s + delay_s(reception.mode, fast=bool(parsed.ell.cc & cc.FAST))
        telegram = encode(plan)
        self._due[telegram] = self._clock.call_at(max(at_s, self._clock.seconds()), self._send, telegram)

    def stop(self) -> None:
        """Nothing is said any more."""
        for timer in self._due.values():
            timer.cancel()
        self._due.clear()

    def _send(self, telegram: bytes) -> None:
        self._due.pop(telegram, None)
        try:
            self._antenna.send(telegram, RadioMode.OTHER_T)
        except ValueError:
            return  # it is sending to another meter; this one will call again


def delay_s(mode: RadioMode, *, fast: bool) -> float:
    """Seconds from the end of a telegram to the begin of the answer."""
    if mode is RadioMode.S1:
        return S_S
    if mode is RadioMode.T1:
        return T_S
    return FAST_C_S if fast else SLOW_C_S
