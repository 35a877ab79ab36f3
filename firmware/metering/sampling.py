"""Sampling: meters are read for the use cases of measured values, TAF-9, 10 and 14, each profile at its own period.

Samples go to the use cases and are not stored (wan-core 7.6). Profiles of the same period share one reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from firmware.metering.evaluation import Evaluation
from firmware.metering.lists import ValueLists
from firmware.metering.registration import ActiveProfile, Host, Reader, status_register
from firmware.metering.status_word import GatewayBit, combined
from firmware.metering.tariffs.profile import MEASURED
from firmware.metering.values import Reading
from firmware.own_clock import OwnClock

_US = 1_000_000


class Sampling:
    """The loop over the sampling instants of all profiles.

    Args:
        own: the gateway's clock, whose UTC makes the instants.
        evaluation: which profiles there are.
        lists: where samples go.
        host: the rest of the gateway.
        read: how a wired meter is read.
        meters: the wired meters with a profile, by number.
        spawn: starts a task that dies with the power.
    """

    def __init__(
        self,
        own: OwnClock,
        evaluation: Evaluation,
        lists: ValueLists,
        host: Host,
        read: Reader,
        meters: Callable[[], dict[str, ActiveProfile]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._own = own
        self._evaluation = evaluation
        self._lists = lists
        self._host = host
        self._read = read
        self._meters = meters
        self._spawn = spawn
        self._timer: asyncio.TimerHandle | None = None
        self._busy: set[int] = set()
        self._started = False

    def start(self) -> None:
        """Sample from the next instant on."""
        self._started = True
        self._own.on_step.append(self._stepped)
        self.refresh()

    def stop(self) -> None:
        """No further samples."""
        self._started = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._stepped in self._own.on_step:
            self._own.on_step.remove(self._stepped)

    def refresh(self) -> None:
        """The profiles have changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        periods = self._periods()
        if not self._started or not periods:
            return
        now_s = self._own.now_us() // _US
        due_s = min(now_s - now_s % period + period for period in periods)
        self._timer = self._own.call_at(due_s * _US, self._due, due_s)

    def _periods(self) -> dict[int, set[str]]:
        """Sampling period -> meters that are read at it."""
        found: dict[int, set[str]] = {}
        now_s = self._own.now_us() // _US
        for profile in self._evaluation.profiles.values():
            over = profile.end_s is not None and profile.end_s <= now_s
            if profile.use_case in MEASURED and not over:
                found.setdefault(profile.period_s, set()).update(one.meter for one in profile.sources)
        return found

    def _due(self, at_s: int) -> None:
        self._timer = None
        due = {period: meters for period, meters in self._periods().items() if at_s % period == 0}
        self.refresh()
        wanted = set().union(*due.values()) if due else set()
        patience_s = min(due, default=0) / 2
        if wanted and self._host.may_capture() and at_s not in self._busy:
            self._busy.add(at_s)
            self._spawn(self._sample(at_s, wanted, patience_s))

    async def _sample(self, at_s: int, meters: set[str], patience_s: float) -> None:
        try:
            profiles = [one for number, one in self._meters().items() if number in meters]
            readings = await asyncio.gather(*(self._one(profile, at_s, patience_s) for profile in profiles))
            if readings and self._host.may_capture():
                self._lists.sampled(readings)
        finally:
            self._busy.discard(at_s)

    async def _one(self, profile: ActiveProfile, at_s: int, patience_s: float) -> Reading:
        entries = await self._read(profile, patience_s)
        marks = self._host.marks() | {GatewayBit.NOT_FOR_BILLING}
        if entries is None:
            return Reading(profile.meter, at_s, None, str(combined(marks | {GatewayBit.NO_VALUE}, None)))
        return Reading(profile.meter, at_s, self._own.now_us(), str(combined(marks, status_register(entries))), entries)

    def _stepped(self, step_us: int) -> None:
        """The clock was set."""
        self.refresh()
