"""Ctrl-C, SIGTERM and SIGHUP end a run in good order: the case in hand is let go of, the report is written."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from devices.clock import wall_seconds

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP (the terminal was closed)"}
CASE_TASK = "case"
"""Name of the task that runs a case: it is cancelled, so that relays and ports are left as they should be."""
PATIENCE_S = 2.0
"""Wall seconds in which a second signal does nothing: the first one is still being obeyed."""


class Interrupts:
    """Which signal asked for the end.

    Attributes:
        number: the first one that came, None while there was none.
    """

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        self._at = 0.0

    @property
    def exit_code(self) -> int:
        """As a shell reports a program that a signal ended: 130, 143, 129."""
        return 128 + (self.number or signal.SIGINT)

    @property
    def name(self) -> str:
        """In words."""
        return _NAMES[self.number or signal.SIGINT]

    def _came(self, number: int, frame: FrameType | None) -> None:
        now = wall_seconds()
        if self.number is not None:
            if now - self._at > PATIENCE_S:
                raise KeyboardInterrupt
            return
        self.number, self._at = signal.Signals(number), now
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise KeyboardInterrupt from None
        for task in asyncio.all_tasks(loop):
            if task.get_name() == CASE_TASK:
                task.cancel()
                loop.call_soon_threadsafe(_nothing)  # a loop that waits for the system has to look up
                return
        raise KeyboardInterrupt

    def ignore(self) -> None:
        """From now on nothing disturbs: what is left is to write down what there is."""
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _nothing() -> None:
    """Wakes a loop."""


@contextmanager
def ending_signals() -> Iterator[Interrupts]:
    """While inside, each of these signals cancels the case in hand, or raises KeyboardInterrupt; main thread only."""
    interrupts = Interrupts()
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # nohup, or a job in the background, has asked for that
                signal.signal(number, interrupts._came)
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
