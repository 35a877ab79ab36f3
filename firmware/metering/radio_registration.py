"""Registration of radio meters: their telegrams against the grid of instants at which a value is owed.

A radio meter sends when it likes. With the OMS compact profile its telegrams carry what it measured at the instants of
the grid itself, and a lost telegram is made up for by a later one. Without it the value of an instant is that of the
first telegram within a share of the period after it, 1 % as for wired meters; so the periods are long (lmn-wireless 1,
wan-core 7.4). What nothing was heard for becomes an entry with status bit 13 and no value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from firmware.config import Options
from firmware.lmn.wireless.identity import ELECTRICITY
from firmware.metering.monotony import Monotony
from firmware.metering.registration import ActiveProfile, Host, Lists
from firmware.metering.status_word import PERMANENT_ERROR, GatewayBit, StatusWord, combined_radio
from firmware.metering.values import Entry, Reading, last_grid, read
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory

_US = 1_000_000
_DAY_S = 86_400
_USUAL_DEPTH = 12
"""Instants that a compact profile is taken to cover until one came in (assumed)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one authentic telegram said.

    Attributes:
        at_us: when it was received, microseconds since 1970 on the gateway's clock.
        entries: present values.
        profile: values of past instants, seconds since 1970 -> registers; empty: no compact profile in it.
        error_flags: EF1 to EF3 as sent.
        status: status octet of its header.
        not_for_billing: its protection is not enough for billing.
    """

    at_us: int
    entries: tuple[Entry, ...]
    profile: Mapping[int, tuple[Entry, ...]] = field(default_factory=dict)
    error_flags: bytes = b""
    status: int = 0
    not_for_billing: bool = False


@dataclass(slots=True)
class _Meter:
    """One radio meter with a profile.

    Attributes:
        last: instant up to which it has entries, None: it is owed none yet.
        compact: whether its telegrams carry a compact profile; None: not heard yet.
        depth: instants that one of its compact profiles covers.
        spacing_s: distance of these instants.
        heard_s: when it was heard last, seconds since 1970, None: not in this run.
        told: the event of its last error, so that an error is told once.
        missing: whether its silence was told.
    """

    profile: ActiveProfile
    last: int | None
    compact: bool | None = None
    depth: int = 1
    spacing_s: int = 0
    heard_s: int | None = None
    told: str = ""
    missing: bool = False
    timer: asyncio.TimerHandle | None = None


class RadioRegistration:
    """The value lists of the radio meters.

    Args:
        own: the gateway's clock, whose UTC makes the grid.
        memory: where readings lie.
        lists: how they get there.
        options: periods, windows, bounds.
        host: the rest of the gateway.
    """

    def __init__(self, own: OwnClock, memory: NonVolatileMemory, lists: Lists, options: Options, host: Host) -> None:
        self._own = own
        self._memory = memory
        self._lists = lists
        self._options = options
        self._host = host
        self._monotony = Monotony(memory)
        self._meters: dict[str, _Meter] = {}
        self._running = False

    @property
    def profiles(self) -> dict[str, ActiveProfile]:
        """The profiles in force, by number of the meter."""
        return {name: meter.profile for name, meter in self._meters.items()}

    def start(self) -> None:
        """Enter the gaps of the time without power and watch for what is missing."""
        self._running = True
        self._own.on_step.append(self._stepped)
        for meter in self._meters.values():
            self._begin(meter)

    def stop(self) -> None:
        """No further registration."""
        self._running = False
        for meter in self._meters.values():
            _disarm(meter)
        if self._stepped in self._own.on_step:
            self._own.on_step.remove(self._stepped)

    def add(self, profile: ActiveProfile) -> None:
        """Put a profile in force; its meter is owed an entry from the next instant of its grid on."""
        old = self._meters.get(profile.meter)
        if old is not None:
            _disarm(old)
        meter = self._meters[profile.meter] = _Meter(profile, last_grid(self._memory, profile.meter))
        self._remember(meter)
        if self._running:
            self._begin(meter)

    def remove(self, meter_number: str) -> None:
        """Put a profile out of force; what is stored stays."""
        meter = self._meters.pop(meter_number, None)
        if meter is not None:
            _disarm(meter)

    def fill_gaps(self) -> None:
        """Enter gaps for all instants for which nothing can come any more."""
        for meter in self._meters.values():
            self._overdue(meter)

    def heard(self, meter_number: str, heard: Heard) -> None:
        """A telegram of a meter was found authentic."""
        meter = self._meters[meter_number]
        meter.heard_s, meter.missing = heard.at_us // _US, False
        self._learn(meter, heard)
        self._tell_error(meter, heard)
        self._begin(meter)
        if not self._host.may_capture() or meter.last is None:
            return
        readings = self._from_profile(meter, heard) if heard.profile else self._from_present(meter, heard)
        if readings:
            self._store(meter, readings)

    # --- the grid of one meter

    def period_s(self, meter: _Meter) -> int:
        """Distance of the instants at which a value is owed."""
        if meter.profile.period_s is not None:
            return meter.profile.period_s
        return meter.spacing_s if meter.compact and meter.spacing_s else self._options.radio_period_s

    def _window_s(self, meter: _Meter) -> float:
        radio = meter.profile.radio
        electricity = radio is None or radio.medium == ELECTRICITY
        share = self._options.radio_window_share if electricity else self._options.radio_window_share_slow
        return share * self.period_s(meter)

    def _due_s(self, meter: _Meter, grid_s: int) -> float:
        """From when on nothing can come any more for an instant."""
        if meter.compact is None:
            return grid_s + self._options.radio_unheard_patience_s
        if meter.compact:
            return grid_s + meter.depth * max(meter.spacing_s, 1) + self._options.radio_profile_patience_s
        return grid_s + self._window_s(meter)

    def _begin(self, meter: _Meter) -> None:
        """Owe the meter entries from now on, if the time is known, and wait for the next one that fails to come."""
        if not self._running:
            return
        if meter.last is None and GatewayBit.TIME_INVALID not in self._host.marks():
            now_s, period_s = self._own.now_us() // _US, self.period_s(meter)
            meter.last = now_s - now_s % period_s
        self._overdue(meter)
        self._arm(meter)

    def _arm(self, meter: _Meter) -> None:
        _disarm(meter)
        if meter.last is None or not self._running:
            return
        due_s = self._due_s(meter, self._next(meter, meter.last))
        now_us = self._own.now_us()
        at_us = max(round(due_s * _US) + 1, now_us + _US)
        meter.timer = self._own.call_at(at_us, self._missed, meter)

    def _missed(self, meter: _Meter) -> None:
        meter.timer = None
        self._begin(meter)

    def _stepped(self, step_us: int) -> None:
        """The clock was set."""
        for meter in self._meters.values():
            if self._host.may_capture():
                self._overdue(meter)
            self._arm(meter)

    def _next(self, meter: _Meter, grid_s: int) -> int:
        period_s = self.period_s(meter)
        return grid_s - grid_s % period_s + period_s

    def _overdue(self, meter: _Meter) -> None:
        if meter.last is None or not self._host.may_capture():
            return
        period_s = self.period_s(meter)
        over_us = self._own.now_us() - round(self._due_s(meter, 0) * _US) - 1  # the last microsecond still counts
        latest = over_us // (period_s * _US) * period_s
        if latest > meter.last:
            gaps = self._gaps(meter, latest)
            self._store(meter, gaps)
            if gaps and not meter.missing and (meter.heard_s is None or meter.heard_s < gaps[0].grid_s):
                meter.missing = True
                self._host.event("meter_unreachable", outcome="failure", meter=meter.profile.meter, **_identity(meter))

    def _gaps(self, meter: _Meter, latest: int) -> list[Reading]:
        """Entries without a value for the instants after the last one up to `latest`, a bounded number."""
        assert meter.last is not None
        period_s = self.period_s(meter)
        first = max(self._next(meter, meter.last), latest - (self._options.gap_fill_limit - 1) * period_s)
        return [self._gap(meter.profile.meter, grid) for grid in range(first, latest + 1, period_s)]

    def _gap(self, meter_number: str, grid_s: int) -> Reading:
        status = combined_radio(self._host.marks_at(grid_s) | {GatewayBit.NO_VALUE})
        return Reading(meter_number, grid_s, None, str(status))

    # --- what a telegram gives

    def _remember(self, meter: _Meter) -> None:
        """Whether it sends a compact profile shows in its list as well: such values are those of the instant itself."""
        if meter.last is None:
            return
        before = [one for one in read(self._memory, meter.profile.meter, meter.last - _DAY_S) if one.entries]
        if before and before[-1].capture_us == before[-1].grid_s * _US:
            steps = [two.grid_s - one.grid_s for one, two in pairwise(before)]
            meter.compact, meter.depth = True, _USUAL_DEPTH
            meter.spacing_s = min(steps, default=meter.profile.period_s or self._options.registration_period_s)

    def _learn(self, meter: _Meter, heard: Heard) -> None:
        if not heard.profile:
            if meter.compact is None and heard.entries:
                meter.compact = False
            return
        times = sorted(heard.profile)
        meter.compact, meter.depth = True, len(times)
        if len(times) > 1:
            meter.spacing_s = times[1] - times[0]
        elif not meter.spacing_s:
            meter.spacing_s = meter.profile.period_s or self._options.registration_period_s

    def _from_present(self, meter: _Meter, heard: Heard) -> list[Reading]:
        """The value of an instant is that of the first telegram within the window after it."""
        assert meter.last is not None
        period_s = self.period_s(meter)
        at_s = heard.at_us // _US
        grid_s = at_s - at_s % period_s
        if meter.compact or grid_s <= meter.last or heard.at_us / _US > grid_s + self._window_s(meter):
            return []
        status = self._monotony.judged(meter.profile.meter, self._status(meter, heard), heard.entries)
        gaps = self._gaps(meter, grid_s - period_s)
        return [*gaps, Reading(meter.profile.meter, grid_s, heard.at_us, str(status), heard.entries)]

    def _from_profile(self, meter: _Meter, heard: Heard) -> list[Reading]:
        """All instants that the profile covers and that have no entry yet; older ones are lost."""
        assert meter.last is not None
        tolerance_s = self._options.radio_meter_clock_tolerance_share * self.period_s(meter)
        newest = max(heard.profile)
        if newest > heard.at_us / _US + tolerance_s:
            self._host.event(
                "metering_warning", outcome="failure", warning=f"meter {meter.profile.meter} sends values of the future"
            )
            return []
        status = self._status(meter, heard)
        name, readings = meter.profile.meter, []
        grid_s = self._next(meter, meter.last)
        oldest = newest - (self._options.gap_fill_limit - 1) * self.period_s(meter)
        grid_s = max(grid_s, oldest - oldest % self.period_s(meter))
        while grid_s <= newest:
            entries = heard.profile.get(grid_s)
            if entries is None:
                readings.append(self._gap(name, grid_s))
            else:
                word = self._monotony.judged(name, status, entries)
                readings.append(Reading(name, grid_s, grid_s * _US, str(word), entries))
            grid_s += self.period_s(meter)
        return readings

    def _status(self, meter: _Meter, heard: Heard) -> StatusWord:
        marks = self._host.marks()
        if heard.not_for_billing or (not heard.profile and self.period_s(meter) < self._options.radio_period_s):
            # Without a compact profile radio values may be billed at intervals of 2 h and more only (lmn-wireless 1).
            marks |= {GatewayBit.NOT_FOR_BILLING}
        return combined_radio(marks, heard.error_flags, heard.status)

    def _tell_error(self, meter: _Meter, heard: Heard) -> None:
        """Tell when a meter starts to report an error, not with every telegram."""
        word = self._status(meter, heard)
        event = ""
        if word.has(GatewayBit.RADIO_METER_ERROR):
            event = "meter_fatal_error" if heard.status & PERMANENT_ERROR else "meter_error"
        if event and event != meter.told:
            profile = meter.profile
            self._host.event(event, meter=profile.meter, code=f"{word.meter:08X}", consumer=profile.consumer)
        meter.told = event

    def _store(self, meter: _Meter, readings: list[Reading]) -> None:
        if not readings:
            return
        self._lists.put(readings)
        meter.last = max(one.grid_s for one in readings)
        self._arm(meter)


def _disarm(meter: _Meter) -> None:
    if meter.timer is not None:
        meter.timer.cancel()
        meter.timer = None


def _identity(meter: _Meter) -> dict[str, str]:
    return {"server_id": meter.profile.server_id.hex()}
