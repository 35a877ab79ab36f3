"""When a tool that works through a stick comes to its end: by wish, by time, or because the stick is gone for good."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from bench.quantity import printable
from bench.tools.screen import Screen
from bench.tools.stopping import stopped
from devices.clock import Clock
from devices.errors import BenchError
from devices.wmbus.stick import StickDriver


class Ended:
    """Watches a stick; trouble that passes is told on standard error.

    Attributes:
        future: done when what was piped in has ended; fails when the stick is given up, or nobody reads the output.
    """

    def __init__(self, port: str, screen: Screen, *, piped: bool = False) -> None:
        """Nothing is watched yet.

        Args:
            port: where the stick is due, for messages.
            screen: knows the words.
            piped: the end of what comes through the port is no trouble.
        """
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._missing: BenchError | None = BenchError(
            f"{port}: the time was over before a stick was found and set up; give it more with --for"
        )
        self._stick: StickDriver[Any] | None = None
        self._screen = screen
        self._piped = piped

    def watch(self, stick: StickDriver[Any]) -> None:
        """From now on watch `stick`, which is there."""
        self._stick, self._missing = stick, None
        stick.on_trouble = self._trouble
        stick.on_recovered = self._back

    def missing(self) -> BenchError | None:
        """Why there is no stick at this moment; None when there is one."""
        return self._missing

    def guard(self, work: Callable[..., object], *arguments: object) -> None:
        """Do `work`; when it fails, that is the end, not a loop without listener."""
        try:
            work(*arguments)
        except Exception as error:
            self._end_with(error)

    def _trouble(self, error: BenchError) -> None:
        if self._stick is None or not self._stick.given_up:
            self._missing = error
            _warn(self._screen.word("stick_trouble", text=error))
        elif self._piped:
            if not self.future.done():
                self.future.set_result(None)
        else:
            self._end_with(error)

    def _back(self) -> None:
        self._missing = None
        _warn(self._screen.word("stick_back"))

    def _end_with(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


async def ended_by(
    clock: Clock, for_s: float | None, work: Coroutine[Any, Any, None], missing: Callable[[], BenchError | None]
) -> int:
    """Do `work` until it ends, the time is over, or somebody wants the end; it is cancelled then.

    Args:
        clock: of the running loop.
        for_s: the time, from now on; None: no limit.
        work: what is done, from opening the port on; what it fails with is raised.
        missing: what lacks when the time is over, and is raised then.

    Returns the exit code: 0, or 130 and 143 after a signal.
    """
    with ExitStack() as stack:
        stop = stopped(stack)
        timer = asyncio.ensure_future(_over(clock, for_s))
        task = asyncio.ensure_future(work)
        try:
            ends: list[asyncio.Future[Any]] = [task, stop, timer]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            trouble = None if task.done() else missing()
        finally:
            code = stop.result() if stop.done() else None
            for one in (task, stop, timer):
                one.cancel()
            await asyncio.gather(task, timer, return_exceptions=True)
        if code is not None:
            return code
        if not task.cancelled():
            task.result()
        if trouble is not None:
            raise trouble
        return 0


async def _over(clock: Clock, for_s: float | None) -> None:
    if for_s is None:
        await asyncio.get_running_loop().create_future()
    else:
        await clock.sleep(for_s)


def _warn(text: str) -> None:
    """On standard error, also when the output is for programs."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"smgw-bench: {printable(text)}\n")
        sys.stderr.flush()
