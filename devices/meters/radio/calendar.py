"""What a radio meter keeps by its calendar: readings on the grid of the compact profile, and the due day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from devices.clock import Clock
from devices.meters.radio.contents import DueDay
from devices.meters.radio.measured import Measured
from devices.meters.radio.plan import RadioMeterPlan


class MeterCalendar:
    """Timers of a meter's measuring part; they run while it has a supply.

    Attributes:
        due: registers as they stood when the month began; at first as they are.
    """

    def __init__(self, plan: RadioMeterPlan, clock: Clock, measured: Measured) -> None:
        self._plan = plan
        self._clock = clock
        self._measured = measured
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.due = DueDay(self.time().date().replace(day=1), self._counts())

    def time(self) -> datetime:
        """What the meter's clock shows, without zone."""
        now = self._clock.now() + timedelta(seconds=self._plan.clock_offset_s)
        if self._plan.zone == "UTC":
            return now.replace(tzinfo=None)
        return now.astimezone(self._plan.time_zone).replace(tzinfo=None)

    def start(self) -> None:
        """The meter has its supply."""
        if self._plan.profile is not None:
            spacing = self._plan.profile.spacing_s
            now_us = round(self._clock.now().timestamp() * 1e6)
            self._on_grid(-(-now_us // (spacing * 1_000_000)) * spacing, spacing)
        self._next_month()

    def stop(self) -> None:
        """It has none."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _on_grid(self, instant: int, spacing: int) -> None:
        """Keep the readings of `instant`, seconds of UTC since 1970, once it has come, and all that follow."""
        at_s = instant - self._clock.start.timestamp()
        if at_s <= self._clock.seconds() + 1e-6:
            self._measured.keep(instant)
            at_s, instant = at_s + spacing, instant + spacing
        self._at("grid", at_s, self._on_grid, instant, spacing)

    def _next_month(self) -> None:
        now = self.time()
        begun = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = (begun + timedelta(days=32)).replace(day=1)
        self._at("month", self._clock.seconds() + (following - now).total_seconds(), self._month_turned)

    def _month_turned(self) -> None:
        self.due = DueDay(self.time().date(), self._counts())
        self._next_month()

    def _counts(self) -> dict[str, int]:
        return {code: self._measured.count(code) for code in self._measured.registers}

    def _at(self, name: str, at_s: float, callback: Callable[..., None], *args: object) -> None:
        self._timers[name] = self._clock.call_at(at_s, callback, *args)
