"""Makes the telegrams of a radio meter: what they say, their counters, full or compact frame."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from devices.clock import Clock
from devices.meters.radio.calendar import MeterCalendar
from devices.meters.radio.contents import Telling, profile, records
from devices.meters.radio.counter import TransmissionCounter
from devices.meters.radio.draft import COMPACT, EMPTY, FULL, SND_NR, Draft
from devices.meters.radio.identity import address_of
from devices.meters.radio.measured import Measured
from devices.meters.radio.plan import CompactProfile, RadioMeterPlan
from devices.meters.radio.strikes import ABNORMAL
from devices.protocols.mbus.compact_frame import compact
from devices.protocols.mbus.records import Writable, encode_records

_BEGIN: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""From where a meter counts its minutes, so that a loss of power does not repeat any (assumed)."""
_MINUTES: Final = 0x1FF_FFFF
_PROFILE_HEAD: Final = 34
"""Octets of base time, base value and the head of a profile, at most."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A telegram with records, and the registers that it tells as present values, in kWh and m3."""

    draft: Draft
    values: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Octets:
    """Records that are octets already."""

    octets: bytes

    def to_bytes(self) -> bytes:
        """The octets."""
        return self.octets


class Composer:
    """The telegrams of one meter.

    Attributes:
        counter: its transmission counter.
        access_number: of the last telegram.
        flags: error flags of FD 17.
    """

    def __init__(
        self, plan: RadioMeterPlan, clock: Clock, rng: random.Random, measured: Measured, calendar: MeterCalendar
    ) -> None:
        self.counter = TransmissionCounter(plan.counter, plan.counter_block)
        self.access_number = (rng.randrange(256) if plan.access_number is None else plan.access_number) - 1
        self.flags = 0
        self._plan = plan
        self._clock = clock
        self._rng = rng
        self._measured = measured
        self._calendar = calendar
        self._address = plan.address
        self._adapter = None if plan.adapter is None else address_of(plan.adapter)
        self._key = plan.key_octets
        self._composed = 0
        self._since_full: int | None = None
        self._peak = 0
        self._profile_made: tuple[int, Octets] | None = None

    @property
    def status(self) -> int:
        """The status byte."""
        return self._plan.status | (ABNORMAL if self.flags else 0)

    def power_lost(self) -> None:
        """Only registers and what the counter has stored are kept."""
        self.counter.power_lost()
        self._since_full = None

    def power_back(self) -> None:
        """It begins anew, with an access number of chance."""
        self.access_number = self._rng.randrange(256) - 1

    def data(self, c: int) -> Composed:
        """A telegram with records. Raises CounterExhausted when the counter is at its end."""
        counter = self.counter.take()
        plan, measured = self._plan, self._measured
        telling = self._telling(counter)
        measured.told()
        items: list[Writable] = [*records(telling, plan.records)]
        clear = encode_records(records(telling, plan.clear_records)) if plan.clear_records else b""
        values = measured.told()
        if plan.profile is not None:
            items.append(self._profile(telling, plan.profile))
        apl = encode_records(items, manufacturer_data=plan.manufacturer_tail)
        frame = self._frame(c)
        if frame == COMPACT:
            apl = compact(apl)
        return Composed(self._draft(c, frame, counter, apl, clear), values)

    def rehearsed(self) -> Draft:
        """A telegram as long as they get, with zeros for records; nothing is counted for it."""
        telling = self._telling(0)
        octets = len(encode_records(records(telling, self._plan.records))) + len(self._plan.manufacturer_tail) + 1
        compact_profile = self._plan.profile
        if compact_profile is not None:
            told = max(1, len(compact_profile.registers))
            octets += told * (_PROFILE_HEAD + 2 * compact_profile.values)
        clear = bytes(len(encode_records(records(telling, self._plan.clear_records))))
        self._measured.told()
        draft = self._draft(SND_NR, FULL, 0, bytes(octets), clear)
        self.access_number, self._composed = self.access_number - 1, 0
        return draft

    def empty(self, c: int) -> Draft:
        """A telegram without records: ACK, ACC-DMD and the like; takes no transmission counter."""
        return self._draft(c, EMPTY, self.counter.last, b"", b"")

    def opens_window(self) -> bool:
        """Whether the meter listens after its last telegram."""
        access = self._plan.access
        return access is not None and (self._composed - 1) % access.every == 0

    def _telling(self, number: int) -> Telling:
        self._peak = max(self._peak, abs(self._measured.rate(-3)))
        days = max(0, self._plan.battery_days - int(self._clock.seconds() // 86_400))
        now, due = self._calendar.time(), self._calendar.due
        return Telling(self._plan, self._measured, now, number, self.flags, days, due, self._peak)

    def _profile(self, telling: Telling, compact: CompactProfile) -> Octets:
        """The compact profile; it changes only when there is one more reading."""
        until = self._measured.kept_until
        if self._profile_made is None or self._profile_made[0] != until:
            self._profile_made = until, Octets(encode_records(profile(telling, compact)))
        return self._profile_made[1]

    def _frame(self, c: int) -> str:
        """Full, or compact when a full one has been sent and it is not time for the next."""
        every = self._plan.full_every
        if every <= 1 or c != SND_NR:
            return FULL
        since = every if self._since_full is None else self._since_full + 1
        self._since_full = 0 if since >= every else since
        return COMPACT if self._since_full else FULL

    def _draft(self, c: int, frame: str, counter: int, apl: bytes, clear: bytes) -> Draft:
        plan, access = self._plan, self._plan.access
        self.access_number = (self.access_number + 1) % 256
        self._composed += 1
        return Draft(
            c,
            frame,
            self._address,
            self._adapter,
            plan.protection,
            self._key,
            self.access_number,
            self.status,
            counter,
            (self._clock.now() - _BEGIN) // timedelta(minutes=1) & _MINUTES,
            apl,
            clear,
            header=not plan.no_header,
            bidirectional=access is not None,
            accessible=self.opens_window(),
            fast=access is not None and access.fast,
            synchronous=plan.synchronous and c == SND_NR,
        )
