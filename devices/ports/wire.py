"""The time that octets take on a line, for the kinds of port that have none of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.base import LineSettings

QUEUE_LIMIT = 1 << 20
"""Octets that may be under way at a time (assumed; far above any real adapter, small enough to stop a runaway)."""


class PortCongested(BenchError):
    """More is written than the line carries away: the queue of the port is full."""


class Wire:
    """One direction of a line: what is sent starts when the line is free and arrives with its last bit.

    What one `send` takes arrives as one piece. Without line settings it arrives in the next turn of the loop.
    With `merge`, pieces that follow each other without a gap arrive together, up to that many octets: so a frame
    that the operating system tore apart is whole again.

    Attributes:
        clock: whose time paces the line.
        line: how octets stand on the line; None: no pacing.
        free_at: ``clock.seconds()`` at which the line falls silent.
        queued: octets under way.
    """

    def __init__(
        self,
        clock: Clock,
        line: LineSettings | None,
        arrived: Callable[[bytes], None],
        *,
        name: str = "line",
        merge: int = 0,
    ) -> None:
        self.clock = clock
        self.line = line
        self.free_at = 0.0
        self.queued = 0
        self._name = name
        self._merge = merge
        self._arrived = arrived
        self._under_way: deque[tuple[float, bytes | Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, data: bytes) -> None:
        """Put `data` on the line behind what is still under way. Raises PortCongested beyond QUEUE_LIMIT."""
        if not data:
            return
        if self.queued + len(data) > QUEUE_LIMIT:
            raise PortCongested(
                f"{self._name}: {self.queued} octets wait already and {len(data)} more were written, "
                f"the limit is {QUEUE_LIMIT}"
            )
        last = self._take_back(len(data))
        start = self.free_at if last else max(self.clock.seconds(), self.free_at)
        self.free_at = start + (self.line.seconds(len(data)) if self.line is not None else 0.0)
        self.queued += len(last) + len(data)
        self._enqueue(last + data)

    def after(self, callback: Callable[[], None]) -> None:
        """Run `callback` when everything sent so far has arrived."""
        self._enqueue(callback)

    def cut(self) -> None:
        """Drop everything that is still under way."""
        self._under_way.clear()
        self._disarm()
        self.queued = 0
        self.free_at = self.clock.seconds()

    def _take_back(self, more: int) -> bytes:
        """The last piece, taken from the line again, when `more` octets follow it without a gap; else nothing."""
        if not self._merge or self.line is None or not self._under_way:
            return b""
        due, last = self._under_way[-1]
        if not isinstance(last, bytes) or due <= self.clock.seconds() or len(last) + more > self._merge:
            return b""
        self._under_way.pop()
        if not self._under_way:
            self._disarm()
        self.queued -= len(last)
        return last

    def _enqueue(self, item: bytes | Callable[[], None]) -> None:
        self._under_way.append((self.free_at, item))
        self._arm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        # One timer for the head only: timers with equal deadlines are not first in, first out in asyncio.
        if self._under_way and self._timer is None:
            self._timer = self.clock.call_at(max(self.clock.seconds(), self._under_way[0][0]), self._due)

    def _due(self) -> None:
        self._timer = None
        _, item = self._under_way.popleft()
        if isinstance(item, bytes):
            self.queued -= len(item)
        self._arm()
        if isinstance(item, bytes):
            self._arrived(item)
        else:
            item()
