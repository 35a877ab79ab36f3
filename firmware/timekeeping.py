"""The time system: where the clock's time comes from, how far it can be trusted, and who has to know (wan-core 7.5).

====  ==============  =========================================================================
T0    UNKNOWN         the real time clock lost the time; the first authentic stamp sets the clock
T1    FROM_RTC        started from the real time clock, waiting for the first synchronisation
T2    SYNCED          the last good answer is young enough
T3    HOLDOVER        it is older than the warning limit
T4    INVALID         it is older than the maximum, or the clock was too far off
====  ==============  =========================================================================

Only a synchronisation within the tolerance leads out of T4, and only one of whatever deviation out of T0. A clock that
was too far off is set right at once, and believed when the next answer agrees with it. That it is not believed outlives
a power cut: a restart is no way out of T4 (assumed).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from devices.clock import Clock
from firmware.ntp_client import Accepted, NtpClient, Refused, TimeSource
from firmware.own_clock import OwnClock, RealTimeClock, iso


class TimeState(Enum):
    """How far the gateway's time can be trusted; the names are shown by the maintenance port."""

    UNKNOWN = "unknown"
    FROM_RTC = "from_rtc"
    SYNCED = "synced"
    HOLDOVER = "holdover"
    INVALID = "invalid"


VALID = frozenset({TimeState.FROM_RTC, TimeState.SYNCED, TimeState.HOLDOVER})
"""States in which values are captured as good."""


@dataclass(frozen=True)
class TimeLimits:
    """What the product allows.

    Attributes:
        max_interval_s: longest time without synchronisation.
        warn_after_s: age of the synchronisation from which it warns.
        tolerance_s: largest deviation at a synchronisation (3 % of the smallest registration period).
        poll_s: time to the next request after a good answer.
        retry_s: after a bad one, never less than 60.
    """

    max_interval_s: float
    warn_after_s: float
    tolerance_s: float
    poll_s: float
    retry_s: float


class TimeListener(Protocol):
    """What the time system tells: neutral events, causes of states, and that it synchronised."""

    def event(self, event: str, /, **parameters: object) -> None:
        """Log a neutral event."""

    def cause(self, name: str, /, *, via: str = "runtime", **parameters: object) -> object:
        """An operating state's cause has come up."""

    def cleared(self, name: str, /) -> object:
        """An operating state's cause is gone."""

    def synchronised(self, at_us: int) -> None:
        """The clock was synchronised; to be kept over power cuts."""

    def doubted(self, told: Mapping[str, Any]) -> None:
        """The clock was too far off, with what was told of it; to be kept over power cuts until it is synchronised."""


_SHORTEST_POLL_S = 60.0
"""Time servers are asked once a minute at most (wan-core 7.5)."""
NOT_SYNCHRONISED = "sync_interval_exceeded"
DEVIATION = "deviation_exceeded"
UNKNOWN = "clock_reserve_exhausted"
CAUSES = (NOT_SYNCHRONISED, DEVIATION, UNKNOWN)


class TimeKeeper:
    """Keeps the gateway's clock.

    Args:
        clock: true time.
        own: the clock that is kept.
        rtc: the buffered clock, set at every synchronisation.
        limits: see TimeLimits.
        client: NTP client, None: the time is never asked for.
        listener: who is told.
        last_sync_us: last synchronisation known from before the start, None: never.
        doubt: what was told of a deviation after which there was no synchronisation yet, None: there was none.
    """

    def __init__(
        self,
        clock: Clock,
        own: OwnClock,
        rtc: RealTimeClock,
        limits: TimeLimits,
        client: NtpClient | None,
        listener: TimeListener,
        last_sync_us: int | None,
        doubt: Mapping[str, Any] | None = None,
    ) -> None:
        self.state = TimeState.UNKNOWN
        self.on_state: Callable[[], None] = lambda: None
        """Called after every change of `state`."""
        self._clock = clock
        self._own = own
        self._rtc = rtc
        self._limits = limits
        self._client = client
        self._tell = listener
        self._last_sync_us = last_sync_us
        self._doubt = doubt
        self._overdue = False
        self._answering = True
        self._other = asyncio.Event()
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def valid(self) -> bool:
        """Whether values captured now have a good time."""
        return self.state in VALID

    @property
    def synced(self) -> bool:
        """Whether there was a good synchronisation that still counts."""
        return self.state in (TimeState.SYNCED, TimeState.HOLDOVER)

    @property
    def holdover(self) -> bool:
        """Whether the time is valid and the last synchronisation is older than the warning limit, seen now or before a
        restart."""
        return self._overdue and self.valid

    @property
    def checks_certificate_dates(self) -> bool:
        """Whether TLS has to look at the dates of certificates: not in T0, when nothing but the connection to the time
        server can tell the time (wan-core 7.5). Everybody else waits in T0 until the time is known."""
        return self.state is not TimeState.UNKNOWN

    def start(self, *, rtc_alive: bool) -> None:
        """Take up the state at boot; `run` synchronises."""
        if rtc_alive:
            self._enter(TimeState.FROM_RTC)
            self._tell.event("time_from_rtc", new_time=iso(self._own.now_us()))
            if self._doubt is not None:
                self._tell.cause(DEVIATION, via="boot_check", **self._doubt)
                self._enter(TimeState.INVALID)
            else:
                self._arm(self._age_s())
        else:
            self._enter(TimeState.UNKNOWN)
            self._tell.cause(UNKNOWN, via="boot_check")

    def stop(self) -> None:
        """Loss of power or shutdown."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    async def run(self) -> None:
        """Synchronise for ever."""
        if self._client is None:
            return
        while True:
            if not self._client.sources:
                await self._other.wait()
                self._other.clear()
                continue
            result = await self._client.ask(synced=self.synced)
            if isinstance(result, Accepted):
                self._answering = True
                self._synchronise(result)
            else:
                self._failed(result)
            another = isinstance(result, Refused) and len(self._client.sources) > 1
            settled = self.state is TimeState.SYNCED and not another
            pause = self._limits.poll_s if settled else self._limits.retry_s
            await self._pause(max(pause, _SHORTEST_POLL_S))

    def ask(self, sources: tuple[TimeSource, ...]) -> None:
        """The time comes from these servers from now on; asked as soon as another request is allowed."""
        if self._client is not None and sources != self._client.sources:
            self._client.sources = sources
            self._other.set()

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or a minute when there are other time servers now."""
        earliest_s = self._clock.seconds() + _SHORTEST_POLL_S
        try:
            async with asyncio.timeout(seconds):
                await self._other.wait()
        except TimeoutError:
            return
        self._other.clear()
        self._answering = True
        await self._clock.sleep_until(earliest_s)

    @property
    def _profile(self) -> str:
        """Communication profile of the time server that was asked last."""
        asked = None if self._client is None else self._client.asked
        return "" if asked is None else asked.profile

    def _age_s(self) -> float:
        if self._last_sync_us is None:
            return 0.0
        return max(0.0, (self._own.now_us() - self._last_sync_us) / 1e6)

    def _failed(self, result: Refused) -> None:
        if self._answering:
            self._tell.event("time_server_silent", profile=self._profile, reason=result.reason)
        self._answering = False

    def _synchronise(self, answer: Accepted) -> None:
        before_us = self._own.now_us()
        far_off = abs(answer.offset_us) > self._limits.tolerance_s * 1e6
        had_time = self.state is not TimeState.UNKNOWN
        self._own.step_to(before_us + answer.offset_us)
        self._own.known = True
        self._rtc.set(self._own.now_us())
        told: dict[str, Any] = {
            "profile": self._profile,
            "new_time": iso(self._own.now_us()),
            "old_time": iso(before_us),
            "deviation_ms": round(answer.offset_us / 1000),
            "deviation_s": f"{answer.offset_us / 1e6:.3f}",
        }
        if far_off:
            self._tell.event("time_set", **told)
        if far_off and had_time:
            self.stop()
            self._tell.doubted(told)
            self._tell.cause(DEVIATION, **told)
            self._enter(TimeState.INVALID)
            return
        self._tell.event("time_synchronised", **told)
        self._good()

    def _good(self) -> None:
        recovered = self.state in (TimeState.UNKNOWN, TimeState.INVALID)
        self._last_sync_us = self._own.now_us()
        self._overdue = False
        self._tell.synchronised(self._last_sync_us)
        self._enter(TimeState.SYNCED)
        self._arm(0.0)
        if recovered:
            self._tell.event("time_restored")
            for cause in CAUSES:
                self._tell.cleared(cause)

    def _arm(self, age_s: float) -> None:
        self.stop()
        for limit, callback in (
            (self._limits.warn_after_s, self._warn),
            (self._limits.max_interval_s, self._expire),
        ):
            self._timers.append(self._clock.call_later(max(0.0, (limit - age_s) / self._own.rate), callback))

    def _warn(self) -> None:
        self._overdue = True
        self._tell.event("time_sync_overdue", hours=self._hours(self._limits.warn_after_s))
        if self.state is TimeState.SYNCED:
            self._enter(TimeState.HOLDOVER)

    def _expire(self) -> None:
        self._tell.cause(NOT_SYNCHRONISED, hours=self._hours(self._limits.max_interval_s))
        self._enter(TimeState.INVALID)

    def _hours(self, least_s: float) -> float:
        """Age of the last synchronisation; at least what has just gone by, where there never was one."""
        return round(max(self._age_s(), least_s) / 3600, 2)

    def _enter(self, state: TimeState) -> None:
        if state is not self.state or state is TimeState.UNKNOWN:
            self.state = state
            self.on_state()
