"""When a tool that works through a stick comes to its end: by wish, by time, or because the stick is gone for good."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

from bench.quantity import printable
from bench.tools.screen import Screen
from devices.clock import Clock
from devices.errors import BenchError
from devices.wmbus.stick import StickDriver


class Ended:
    """Watches a stick; trouble that passes is told on standard error.

    Attributes:
        future: done when what was piped in has ended; fails when the stick is given up, or nobody reads the output.
    """

    def __init__(self, stick: StickDriver[Any], screen: Screen, *, piped: bool = False) -> None:
        """Watch `stick`; `piped`: its end is no trouble."""
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stick = stick
        self._screen = screen
        self._piped = piped
        stick.on_trouble = self._trouble
        stick.on_recovered = lambda: _warn(screen.word("stick_back"))

    def guard(self, work: Callable[..., object], *arguments: object) -> None:
        """Do `work`; when it fails, that is the end, not a loop without listener."""
        try:
            work(*arguments)
        except Exception as error:
            self._end_with(error)

    def _trouble(self, error: BenchError) -> None:
        if not self._stick.given_up:
            _warn(self._screen.word("stick_trouble", text=error))
        elif self._piped:
            if not self.future.done():
                self.future.set_result(None)
        else:
            self._end_with(error)

    def _end_with(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


async def until(clock: Clock, for_s: float | None, *ends: asyncio.Future[None]) -> None:
    """Wait for the first of `ends`, or for so many seconds; what an end fails with is raised."""
    timer = None if for_s is None else asyncio.ensure_future(clock.sleep(for_s))
    waiting: list[asyncio.Future[None]] = [*ends] if timer is None else [*ends, timer]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
    for one in done:
        one.result()


def _warn(text: str) -> None:
    """On standard error, also when the output is for programs."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"smgw-bench: {printable(text)}\n")
        sys.stderr.flush()
