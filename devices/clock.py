"""The only source of time: a clock on top of an asyncio loop, and the two loops that may carry it.

``virtual``: the loop jumps to the next timer as soon as nothing is ready, so an hour with nothing due costs
nothing and the same seed gives the same bytes. ``real``: the ordinary loop.

All waiting code is asyncio and asks ``Clock``; nothing else in the project reads a clock or sleeps.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple, Unpack

from devices.errors import BenchError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

VIRTUAL_EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
"""Where virtual time starts unless a scenario says otherwise: a Monday, midnight UTC, no DST change near."""

_THREAD_PATIENCE_S = 5.0
"""How long the virtual loop really waits at a time for the result of a thread."""


class VirtualDeadlock(BenchError):
    """Nothing is ready and nothing is scheduled: in real time this run would hang for ever."""


class _JumpingSelector(selectors.PollSelector):
    """A selector that never sleeps: when no descriptor is ready, time jumps by the timeout instead.

    It uses poll(2), not epoll: a pseudo-terminal hands octets over in a work queue of the kernel, and only poll waits
    for that queue; epoll would miss what was just written, and time would jump past it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.threads:
            return super().select(_THREAD_PATIENCE_S)
        if timeout is None:
            raise VirtualDeadlock("virtual time stands still: no timer is due and no port has data")
        self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose ``time()`` jumps to the next timer when nothing is ready.

    Real descriptors (pseudo-terminals, sockets) may be used as long as both ends live in this loop: what is
    written is readable at once, so a poll before each jump sees it. Threads suspend the jump until they return.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        # asyncio fires a timer when `when < time() + _clock_resolution`. With the default of 1e-9 that sum equals
        # time() in float64 from 2**24 s (194 days) on, and the loop would spin for ever.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: asyncio.Future[Any]) -> None:
        self._jumping.threads -= 1

    async def shutdown_default_executor(self, *args: Any) -> None:
        self._jumping.threads += 1  # it joins through a helper thread: wait for real
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._jumping.threads -= 1


class RealLoop(asyncio.SelectorEventLoop):
    """The ordinary loop, named so that a bench file can ask for it."""


class Clock:
    """True time of the bench, in UTC, on the running loop.

    The emulated gateway has a clock of its own that drifts and is set by NTP; this one is the laboratory's.

    Args:
        loop: the running loop.
        start: see the attribute; None: now.
        elapsed_s: seconds that have gone by since `start` already.

    Attributes:
        start: UTC time that corresponds to ``seconds() == 0``.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, start: datetime | None = None, *, elapsed_s: float = 0.0
    ) -> None:
        if start is None:
            start = VIRTUAL_EPOCH if isinstance(loop, VirtualLoop) else datetime.now(UTC)
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime (UTC)")
        self.start = start.astimezone(UTC)
        self._loop = loop
        self._zero = loop.time() - elapsed_s

    @property
    def virtual(self) -> bool:
        """Whether time jumps."""
        return isinstance(self._loop, VirtualLoop)

    def seconds(self) -> float:
        """Seconds since the clock was made; never goes back."""
        return self._loop.time() - self._zero

    def now(self) -> datetime:
        """UTC time, rounded to microseconds."""
        return self.start + timedelta(microseconds=round(self.seconds() * 1e6))

    def call_at(self, seconds: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> asyncio.TimerHandle:
        """Run `callback` when ``seconds()`` reaches `seconds`."""
        return self._loop.call_at(self._zero + seconds, callback, *args)

    def call_later(self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> asyncio.TimerHandle:
        """Run `callback` in `delay` seconds."""
        return self._loop.call_later(delay, callback, *args)

    async def sleep(self, delay: float) -> None:
        """Wait `delay` seconds."""
        await asyncio.sleep(delay)

    async def sleep_until(self, seconds: float) -> None:
        """Wait until ``seconds()`` has reached `seconds`; use this for periods, relative sleeps drift."""
        delay = seconds - self.seconds()
        await asyncio.sleep(max(0.0, delay))

    def deadline(self, within: float | timedelta) -> Deadline:
        """A deadline `within` seconds from now."""
        span = within.total_seconds() if isinstance(within, timedelta) else within
        return Deadline(self, self.seconds() + span)


@dataclass(frozen=True)
class Deadline:
    """A point in time that is handed down instead of bare seconds, so that nested waits share one budget.

    Attributes:
        clock: whose time is meant.
        at: ``clock.seconds()`` at which time is up.
    """

    clock: Clock
    at: float

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self.clock.seconds())

    @property
    def passed(self) -> bool:
        """Whether time is up."""
        return self.clock.seconds() >= self.at


def loop_factory(*, virtual: bool) -> Callable[[], asyncio.AbstractEventLoop]:
    """The class of loop for a bench whose time is virtual or real."""
    return VirtualLoop if virtual else RealLoop


def run(main: Coroutine[Any, Any, T], *, virtual: bool) -> T:
    """Run `main` to its end in a fresh loop and return its result."""
    with asyncio.Runner(loop_factory=loop_factory(virtual=virtual)) as runner:
        return runner.run(main)


def wall_seconds() -> float:
    """Monotonic wall time, for reports on how long something really took (never for waiting)."""
    return time.perf_counter()


def wall_now() -> datetime:
    """UTC wall time, for the date of a run or report."""
    return datetime.now(UTC)
