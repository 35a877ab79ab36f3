"""The one queue through which the firmware writes, with the time that flash takes.

A commit that is cut off before its end leaves nothing; one that has ended stays. What is handed in while a commit
runs goes into the next one, so many small writes cost one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from devices.clock import Clock
from devices.errors import SmgwBenchError
from firmware.storage.memory import NonVolatileMemory, Statement

_LOST = "the gateway lost its power before everything was stored"


class PowerLost(SmgwBenchError):
    """Mains failed before what was handed in was stored."""


class StorageWriter:
    """Writes in order; volatile: `cut` loses what has not ended, and nothing is written after it.

    Args:
        clock: the laboratory's clock, for the time that a commit takes.
        memory: where it goes.
        write_time_s: duration of one commit in seconds (assumed default in the gateway's options).
    """

    def __init__(self, clock: Clock, memory: NonVolatileMemory, write_time_s: float) -> None:
        self._clock = clock
        self._memory = memory
        self._write_time_s = write_time_s
        self._waiting: list[Statement] = []
        self._running: list[Statement] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._running_waiters: list[asyncio.Future[None]] = []
        self._handle: asyncio.TimerHandle | None = None
        self._dead = False
        self._held = 0
        self._begun = 0.0
        self.on_cut: Callable[[Sequence[Statement], float], None] = lambda statements, done: None
        """Called at a loss of power with the commit under way and the share of its time that was over."""

    @property
    def busy(self) -> bool:
        """Whether a commit is under way."""
        return self._handle is not None

    def put(self, statements: Sequence[Statement]) -> None:
        """Hand in statements that belong together; they are never split over two commits."""
        if self._dead:
            return
        self._waiting.extend(statements)
        self._start()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is handed in inside goes into one commit."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self._start()

    async def commit(self, statements: Sequence[Statement]) -> None:
        """Hand in and wait until they are stored for good. Raises PowerLost when mains fails before that."""
        self.put(statements)
        await self.flush()

    async def flush(self) -> None:
        """Wait until everything that was handed in is stored. Raises PowerLost when mains fails before that."""
        if self._dead:
            raise PowerLost(_LOST)
        if self._handle is None:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._waiters if self._waiting else self._running_waiters).append(done)
        await done

    def cut(self) -> None:
        """Loss of power: the commit under way and all that waits are lost, and whoever waits for them is told."""
        self._dead = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            over_s = self._clock.seconds() - self._begun
            self.on_cut(self._running, over_s / self._write_time_s if self._write_time_s > 0 else 0.0)
        self._waiting.clear()
        self._running.clear()
        for waiter in self._waiters + self._running_waiters:
            if not waiter.done():
                waiter.set_exception(PowerLost(_LOST))
        self._waiters.clear()
        self._running_waiters.clear()

    def _start(self) -> None:
        if self._held or self._dead or self._handle is not None or not self._waiting:
            return
        self._running, self._waiting = self._waiting, []
        self._running_waiters, self._waiters = self._waiters, []
        self._begun = self._clock.seconds()
        self._handle = self._clock.call_later(self._write_time_s, self._end)

    def _end(self) -> None:
        self._handle = None
        waiters, self._running_waiters = self._running_waiters, []
        try:
            self._memory.commit(self._running)
        except Exception as error:
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error)
            raise
        self._running = []
        self._start()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
