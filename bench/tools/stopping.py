"""The wish of a person, or of the system, that a tool comes to its end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack


def stopped(stack: ExitStack) -> asyncio.Future[None]:
    """Done when somebody wants the end, by SIGINT or SIGTERM; `stack` gives the signals back."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not stop.done():
            stop.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
        stack.callback(loop.remove_signal_handler, number)
    return stop
