"""Registration: on every instant of the UTC grid each meter with a profile is read and what it said is stored.

One commit per registration period. What could not be read becomes an entry with status bit 13 and no value; so do
grid instants that went by without power or while metering was stopped, that the clock jumped over, or whose reading
came to nothing because the state changed under it (wan-core 7.3, 7.4).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from firmware.config import Options
from firmware.lmn.wireless.identity import RadioIdentity
from firmware.metering.monotony import Monotony
from firmware.metering.status_word import GatewayBit, MeterBit, StatusWord, combined
from firmware.metering.values import Entry, Reading, last_grid
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory

STATUS_REGISTER = "1-0:96.5.0*255"
"""The meter's status word (lmn-wired 4.4)."""

_ENERGY_REGISTER = re.compile(r"1-\d+:\d+\.8\.\d+\*\d+")
"""Time integrals of the electricity medium, the billing registers 1.8.0, 2.8.0 and their tariffs (lmn-wired 4.4)."""

_GOOD = StatusWord().meter
_TAMPER = (MeterBit.MAGNETIC_TAMPER, MeterBit.MECHANICAL_TAMPER)


@dataclass(frozen=True)
class ActiveProfile:
    """A meter profile in force.

    Attributes:
        meter: number of the meter, the key of its readings.
        server_id: what identifies it on the bus.
        obis: registers to keep; empty: all.
        consumer: whose log it belongs to.
        secured: whether it is paired and read through TLS.
        key: its initial key, or the key of its telegrams; None: not known.
        radio: which meter on the air it is; None: a wired one.
        period_s: distance of its values, seconds; None: the default.
        factor: its transformer factor, for what is derived from its values.
    """

    meter: str
    server_id: bytes
    obis: frozenset[str]
    consumer: str
    secured: bool = False
    key: bytes | None = field(default=None, repr=False)
    radio: RadioIdentity | None = None
    period_s: int | None = None
    factor: Decimal = Decimal(1)


class Host(Protocol):
    """What registration needs of the rest of the gateway."""

    def may_capture(self) -> bool:
        """Whether the operating state lets values be captured."""

    def marks(self) -> frozenset[GatewayBit]:
        """Gateway bits that every value of this moment carries."""

    def marks_at(self, at_s: int) -> frozenset[GatewayBit]:
        """Those of an instant that is over, seconds since 1970."""

    def event(self, event: str, /, **parameters: object) -> None:
        """Log a neutral event."""


class Lists(Protocol):
    """Where readings go."""

    def put(self, readings: Sequence[Reading]) -> None:
        """Sign and store readings, in the order of time for each meter."""

    async def flush(self) -> None:
        """Wait until they are stored."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """When readings came in, microseconds since 1970 on the gateway's clock, and the marks that held then."""

    at_us: int
    marks: frozenset[GatewayBit]


Reader = Callable[[ActiveProfile, float], Awaitable[tuple[Entry, ...] | None]]
"""Reads one meter, at most that many seconds; None: no value."""


class Registration:
    """The loop over the grid.

    Args:
        own: the gateway's clock, whose UTC makes the grid.
        memory: where readings lie.
        lists: how they get there.
        options: period, window, bounds.
        host: the rest of the gateway.
        read: how a meter is read.
        spawn: starts a task that dies with the power.
    """

    def __init__(
        self,
        own: OwnClock,
        memory: NonVolatileMemory,
        lists: Lists,
        options: Options,
        host: Host,
        read: Reader,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.profiles: dict[str, ActiveProfile] = {}
        self.read_now: Callable[[ActiveProfile, float], tuple[Entry, ...] | None] | None = None
        """In place of `read` where meters answer in no time, as in a simulation: no task is needed for each."""
        self._own = own
        self._memory = memory
        self._lists = lists
        self._options = options
        self._host = host
        self._read = read
        self._spawn = spawn
        self._period_s = options.registration_period_s
        self._window_s = options.receive_window_share * self._period_s
        self._monotony = Monotony(memory)
        self._last: dict[str, int] = {}
        self._armed_s = 0
        self._reading_s: int | None = None
        self._told: dict[str, str] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Enter the gaps of the time without power, unless metering stands still, and wait for the next instant."""
        self._own.on_step.append(self._stepped)
        self._arm()
        if self._host.may_capture():
            self.fill_gaps()

    def stop(self) -> None:
        """No further registration."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stepped in self._own.on_step:
            self._own.on_step.remove(self._stepped)

    def add(self, profile: ActiveProfile) -> None:
        """Put a profile in force; it counts from the next grid instant."""
        self.profiles[profile.meter] = profile
        stored = last_grid(self._memory, profile.meter)
        if stored is not None:
            self._last[profile.meter] = stored

    def remove(self, meter: str) -> None:
        """Put a profile out of force; what is stored stays."""
        self.profiles.pop(meter, None)
        self._last.pop(meter, None)

    def fill_gaps(self) -> None:
        """Enter gaps for all instants after the last stored one that nobody will read any more.

        At most `gap_fill_limit` per meter. Instants that are being read, and those after them, are left alone.
        """
        latest = self._armed_s - self._period_s
        if self._reading_s is not None:
            latest = min(latest, self._reading_s - self._period_s)
        behind = [meter for meter in self.profiles if self._last.get(meter, latest) < latest]
        if not behind:
            return
        gaps: list[Reading] = []
        for meter in behind:
            last = self._last[meter]
            first = max(last + self._period_s, latest - (self._options.gap_fill_limit - 1) * self._period_s)
            first -= first % self._period_s
            gaps.extend(self._gap(meter, grid) for grid in range(first, latest + 1, self._period_s))
        if gaps:
            self._store(gaps)

    def _gap(self, meter: str, grid_s: int) -> Reading:
        status = combined(self._host.marks_at(grid_s) | {GatewayBit.NO_VALUE}, None)
        return Reading(meter, grid_s, None, str(status))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now_s = self._own.now_us() // 1_000_000
        self._armed_s = now_s - now_s % self._period_s + self._period_s
        self._timer = self._own.call_at(self._armed_s * 1_000_000, self._due, self._armed_s)

    def _stepped(self, step_us: int) -> None:
        """The clock was set: instants that it jumped over are gaps, those that it shows again are not read again.

        An instant that it jumped over by less than the receive window, as at a leap second, is read at once.
        """
        late_us = self._own.now_us() - self._armed_s * 1_000_000
        if self._timer is not None and 0 <= late_us < self._window_s * 1e6:
            self._timer.cancel()
            self._due(self._armed_s)
            return
        self._arm()
        if step_us > 0 and self._host.may_capture():
            self.fill_gaps()

    def _due(self, grid_s: int) -> None:
        self._timer = None
        self._arm()
        if GatewayBit.TIME_INVALID not in self._host.marks():
            for meter in self.profiles:  # from its first instant on a meter is owed an entry, with a value or without
                self._last.setdefault(meter, grid_s - self._period_s)
        if self._reading_s is None and self._host.may_capture():
            self._reading_s = grid_s
            self.fill_gaps()
            self._spawn(self._register(grid_s))

    async def _register(self, grid_s: int) -> None:
        """Read all meters for one instant; what a change of state forbids to store meanwhile is a gap later on.

        All are read at the same time: one that is slow takes nothing from the time of the others.
        """
        try:
            due = [one for one in self.profiles.values() if self._last.get(one.meter, grid_s - 1) < grid_s]
            if self.read_now is None:
                readings = list(await asyncio.gather(*(self._one(profile, grid_s) for profile in due)))
            else:
                left_s, moment = self._left_s(grid_s), self._moment()
                readings = [self._reading(one, grid_s, self.read_now(one, left_s), moment) for one in due]
            again = self._own.now_us() < grid_s * 1_000_000  # the clock was set back: the instant is still to come
            if readings and self._host.may_capture() and not again:
                self._store(readings)
                await self._lists.flush()
        finally:
            self._reading_s = None
        if self._host.may_capture():
            self.fill_gaps()

    async def _one(self, profile: ActiveProfile, grid_s: int) -> Reading:
        left_s = self._left_s(grid_s)
        entries = await self._read(profile, left_s) if left_s > 0 else None
        return self._reading(profile, grid_s, entries, self._moment())

    def _moment(self) -> _Moment:
        return _Moment(self._own.now_us(), self._host.marks())

    def _left_s(self, grid_s: int) -> float:
        return self._window_s - (self._own.now_us() / 1e6 - grid_s)

    def _reading(
        self, profile: ActiveProfile, grid_s: int, entries: tuple[Entry, ...] | None, moment: _Moment
    ) -> Reading:
        captured_us, marks = moment.at_us, moment.marks
        if entries is None or captured_us > grid_s * 1_000_000 + self._window_s * 1e6:
            status = combined(marks | {GatewayBit.NO_VALUE}, None)
            return Reading(profile.meter, grid_s, None, str(status))
        if self._options.clear_values_not_for_billing and not profile.secured:
            marks |= {GatewayBit.NOT_FOR_BILLING}
        status = combined(marks, status_register(entries))
        self._meter_status(profile, status)
        kept = entries
        if profile.obis:
            kept = tuple(one for one in entries if one.obis in profile.obis)
        status = self._monotony.judged(profile.meter, status, kept)
        return Reading(profile.meter, grid_s, captured_us, str(status), kept)

    def _meter_status(self, profile: ActiveProfile, status: StatusWord) -> None:
        """Tell when a meter starts to report an error, not at every reading."""
        if status.meter == _GOOD and not self._told.get(profile.meter):
            return
        if status.has(MeterBit.FATAL_ERROR):
            event = "meter_fatal_error"
        elif any(status.has(bit) for bit in _TAMPER):
            event = "meter_error"
        else:
            event = ""
        if event and self._told.get(profile.meter) != event:
            code = f"{status.meter:08X}"
            self._host.event(event, meter=profile.meter, code=code, consumer=profile.consumer)
        self._told[profile.meter] = event

    def _store(self, readings: list[Reading]) -> None:
        """Hand in for storage; only this moves the instant up to which a meter has entries."""
        self._lists.put(readings)
        for one in readings:
            self._last[one.meter] = max(one.grid_s, self._last.get(one.meter, one.grid_s))


def status_register(entries: Iterable[Entry]) -> int | None:
    """The meter's status word: register 1-0:96.5.0*255, else the status beside the first energy register with one."""
    beside: int | None = None
    for one in entries:
        if one.obis == STATUS_REGISTER:
            if isinstance(one.value, bytes):
                return int.from_bytes(one.value, "big")
            if isinstance(one.value, int):
                return int(one.value)
        if beside is None and _counts_energy(one.obis):
            beside = one.status
    return beside


@lru_cache(maxsize=256)
def _counts_energy(obis: str) -> bool:
    return _ENERGY_REGISTER.fullmatch(obis) is not None
