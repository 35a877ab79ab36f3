"""The access window of a bidirectional radio meter: after each telegram it listens for a moment (lmn-wireless 2.4).

gateway               meter
SND-NKE (40)          end of the access, frame count bit forgotten
CNF-IR (06)           installation confirmed
ACK (00)              an announced alarm was taken in
REQ-UD2 (5B, 7B)      RSP-UD with the records; the same one again when the frame count bit has not turned
REQ-UD1 (5A, 7A)      RSP-UD when there is an alarm, else ACK
SND-UD (53, 73)       ACK, when it is authentic; SND-UD2 (43): RSP-UD
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from devices.clock import Clock
from devices.meters.radio.draft import ACK
from devices.meters.radio.plan import Access
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.protocols.mbus.link import Address
from devices.protocols.mbus.telegram import Telegram, decode
from devices.wmbus.airtime import airtime

_WITHOUT_FCB: Final = 0xDF
_LONGEST_S: Final = airtime(bytes((255, *bytes(255))), RadioMode.OTHER_T)
_EARLY_S: Final = 0.0005
"""How much too early an answer may begin (assumed)."""


class Reachable(Protocol):
    """The meter behind a window."""

    @property
    def address(self) -> Address: ...

    @property
    def key(self) -> bytes: ...

    def confirmed(self, by: str) -> None:
        """The gateway has confirmed the installation; `by` is its address in words."""

    def acknowledged(self) -> None:
        """The gateway has taken an alarm in."""

    def ended(self) -> None:
        """The gateway has ended the access."""

    def commanded(self, telegram: Telegram) -> bool:
        """A command came; whether it was authentic and done."""

    def answer_data(self) -> bytes | None:
        """RSP-UD with the records, None: the meter cannot."""

    def answer_alarm(self) -> bytes | None:
        """RSP-UD with the alarm, None: there is none."""

    def answer_empty(self, c: int) -> bytes | None:
        """ACK or NACK."""

    def put(self, telegram: bytes) -> None:
        """Send, and open the window again."""

    def tell(self, event: str, **details: object) -> None:
        """Say what happened."""


@dataclass(slots=True)
class _Last:
    """The last request and what was answered."""

    mark: bytes
    answer: bytes


class AccessWindow:
    """Listens after telegrams of one meter and answers.

    Args:
        access: when and for how long.
        mode: of the meter.
        clock: the laboratory's.
        antenna: the meter's.
        meter: what is reached.
    """

    def __init__(self, access: Access, mode: RadioMode, clock: Clock, antenna: Antenna, meter: Reachable) -> None:
        self._access = access
        self._delay_s = access.delay(mode)
        self._clock = clock
        self._antenna = antenna
        self._meter = meter
        self._opened_s = 0.0
        self._turns = 0
        self._last: _Last | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._answering: asyncio.TimerHandle | None = None

    @property
    def delay_s(self) -> float:
        """Seconds from the end of a telegram to the begin of its answer, both ways."""
        return self._delay_s

    def open(self, end_s: float, *, anew: bool) -> None:
        """Listen for answers to a telegram that ends at `end_s`; `anew`: it was not an answer itself."""
        if anew:
            self._turns = 0
            self._last = None
        self._opened_s = end_s
        self._antenna.on_reception = self._heard
        self._cancel(self._closing)
        until_s = end_s + self._delay_s + self._access.window_s + _LONGEST_S
        self._closing = self._clock.call_at(until_s, self.close)

    def close(self) -> None:
        """Hear nothing more."""
        self._cancel(self._closing)
        self._closing = None
        self._antenna.on_reception = None

    def forget(self) -> None:
        """Without supply: nothing is heard, nothing remembered."""
        self.close()
        self._cancel(self._answering)
        self._answering = None
        self._last = None

    def _cancel(self, timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()

    def _heard(self, reception: Reception) -> None:
        try:
            begin_s = reception.at_s - airtime(reception.telegram, reception.mode)
            telegram = decode(reception.telegram, self._meter.key)
        except ValueError as error:
            self._meter.tell("not_understood", reason=str(error))
            return
        if not self._is_for_me(telegram):
            return
        earliest = self._opened_s + self._delay_s
        if not earliest - _EARLY_S <= begin_s <= earliest + self._access.window_s:
            late_s = round(begin_s - earliest, 4)
            self._meter.tell("out_of_window", c=f"{telegram.link.c:02X}", late_s=late_s)
            return
        self._turns += 1
        serve = _SERVICES.get(telegram.link.c & _WITHOUT_FCB)
        if serve is None or self._turns > self._access.turns:
            self._meter.tell("refused", c=f"{telegram.link.c:02X}")
            return
        self._meter.tell("heard", c=f"{telegram.link.c:02X}", octets=reception.telegram.hex())
        answer = serve(self, telegram)
        if answer is not None:
            self._cancel(self._closing)
            self._answering = self._clock.call_later(self._delay_s, self._meter.put, answer)

    def _is_for_me(self, telegram: Telegram) -> bool:
        return receiver_of(telegram) == self._meter.address

    # --- what each C field does

    def _nke(self, _: Telegram) -> None:
        self._last = None
        self.close()
        self._meter.ended()

    def _confirm(self, telegram: Telegram) -> None:
        sender = telegram.link.address
        self._meter.confirmed(f"{sender.manufacturer} {sender.id}")

    def _ack(self, _: Telegram) -> None:
        self._meter.acknowledged()

    def _request(self, telegram: Telegram) -> bytes | None:
        return self._once(bytes((telegram.link.c,)), self._meter.answer_data)

    def _request_alarm(self, telegram: Telegram) -> bytes | None:
        return self._once(
            bytes((telegram.link.c,)), lambda: self._meter.answer_alarm() or self._meter.answer_empty(ACK)
        )

    def _command(self, telegram: Telegram) -> bytes | None:
        return self._done(telegram, lambda: self._meter.answer_empty(ACK))

    def _command_with_answer(self, telegram: Telegram) -> bytes | None:
        return self._done(telegram, self._meter.answer_data)

    def _done(self, telegram: Telegram, answer: Callable[[], bytes | None]) -> bytes | None:
        """What answers a command: one that comes again, octet by octet, is answered again but not done again."""
        mark = bytes((telegram.link.c,)) + telegram.link.body
        return self._once(mark, lambda: answer() if self._meter.commanded(telegram) else None)

    def _once(self, mark: bytes, make: Callable[[], bytes | None]) -> bytes | None:
        """The answer to a request with this mark; to the last one, which was not heard, the last answer again."""
        if self._last is not None and self._last.mark == mark:
            return self._last.answer
        answer = make()
        self._last = None if answer is None else _Last(mark, answer)
        return answer


_SERVICES: Final[dict[int, Callable[[AccessWindow, Telegram], bytes | None]]] = {
    0x40: AccessWindow._nke,
    0x06: AccessWindow._confirm,
    0x00: AccessWindow._ack,
    0x10: AccessWindow._ack,
    0x5B: AccessWindow._request,
    0x5A: AccessWindow._request_alarm,
    0x53: AccessWindow._command,
    0x43: AccessWindow._command_with_answer,
}
"""C field without the frame count bit -> service."""


def receiver_of(telegram: Telegram) -> Address | None:
    """Whom a telegram of a gateway means: the address of its long header, or the receiver of its ELL; None: nobody."""
    if telegram.tpl is not None and telegram.tpl.address is not None:
        return telegram.tpl.address
    return None if telegram.ell is None else telegram.ell.receiver
