"""The wish of a person, or of the system, that a tool comes to its end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack


def stopped(stack: ExitStack) -> asyncio.Future[int]:
    """Done when somebody wants the end, by SIGINT or SIGTERM; `stack` gives the signals back.

    The result is the exit code, as a shell reports a program that a signal ended: 130, 143.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def end(number: int) -> None:
        if not stop.done():
            stop.set_result(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
        stack.callback(loop.remove_signal_handler, number)
    return stop
