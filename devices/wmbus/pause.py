"""Tells when a line has been silent for longer than a message may pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devices.clock import Clock


class Pause:
    """One timer that every octet pushes back.

    Attributes:
        seconds: how long silence lasts until it is told.
    """

    def __init__(self, clock: Clock, seconds: float, silent: Callable[[], None]) -> None:
        self.seconds = seconds
        self._clock = clock
        self._silent = silent
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def touch(self) -> None:
        """Something came just now."""
        self._due = self._clock.seconds() + self.seconds
        if self._timer is None:
            self._timer = self._clock.call_at(self._due, self._look)

    def stop(self) -> None:
        """Silence does not matter any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        if self._clock.seconds() < self._due - 1e-9:
            self._timer = self._clock.call_at(self._due, self._look)
            return
        self._timer = None
        self._silent()
