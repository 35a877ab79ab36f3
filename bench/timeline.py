"""The timeline: everything that was seen, in order, in one event type; append-only, on disk while it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from devices.clock import Clock
from devices.errors import BenchError

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=str).encode


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was seen or done.

    Attributes:
        n: running number from 1.
        t: seconds on the bench's clock.
        source: who tells: led, lmn, meter, power, network, time, maintenance, step, verdict, note.
        kind: what happened, in the words of the source.
        data: details; plain values only.
    """

    n: int
    t: float
    source: str
    kind: str
    data: dict[str, Any]

    def to_json(self) -> str:
        """The event as one line of ``timeline.jsonl``."""
        data = _encode(self.data) if self.data else "{}"
        return f'{{"n":{self.n},"t":{self.t:.6f},"source":"{self.source}","kind":{_encode(self.kind)},"data":{data}}}'


class Timeline:
    """The events of one case. What is added is written out at once, so that a killed bench keeps it.

    Attributes:
        events: all events so far.
        latest: (source, kind) -> the newest event of that kind.
        trouble: why events are no longer written; whoever sees something need not care, whoever waits is told.
        on_trouble: called when that happens.
    """

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self.events: list[Event] = []
        self.latest: dict[tuple[str, str], Event] = {}
        self.trouble: BenchError | None = None
        self.on_trouble: Callable[[], None] = _nobody
        self._clock = clock
        self._listeners: list[Callable[[Event], None]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8", buffering=1)
            except OSError as error:
                raise BenchError(f"the timeline {path} cannot be written: {error.strerror}") from error

    def add(self, source: str, kind: str, data: dict[str, Any] | None = None, *, t: float | None = None) -> Event:
        """Append an event now, or with the time stamp `t` that its sensor gave it."""
        event = Event(len(self.events) + 1, self._clock.seconds() if t is None else t, source, kind, data or {})
        self.events.append(event)
        self.latest[source, kind] = event
        if self._file is not None:
            try:
                self._file.write(event.to_json() + "\n")
            except OSError as error:
                self._file = None
                self.trouble = BenchError(f"the timeline cannot be written: {error.strerror}")
                self.on_trouble()
        for listener in self._listeners:
            listener(event)
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        return event

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` for every event from now on."""
        self._listeners.append(listener)

    async def changed(self, until: float, seen: int | None = None) -> None:
        """Wait for the next event, at the latest until the clock shows `until` seconds.

        Args:
            until: bench seconds.
            seen: number of events that the caller has taken into account; with more on the timeline it returns at once.
        """
        self.raise_trouble()
        if seen is not None and len(self.events) > seen:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        handle = self._clock.call_at(until, _wake, waiter)
        try:
            await waiter
        finally:
            handle.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        self.raise_trouble()

    def raise_trouble(self) -> None:
        """Raise BenchError when the evidence can no longer be written."""
        if self.trouble is not None:
            raise self.trouble

    def select(self, source: str, kind: str | None = None, *, since: float = 0.0, **data: Any) -> list[Event]:
        """The events of `source` (and `kind`) from `since` on whose data agree with the keyword arguments."""
        return [
            event
            for event in self.events
            if event.source == source
            and event.t >= since
            and (kind is None or event.kind == kind)
            and all(event.data.get(key) == value for key, value in data.items())
        ]

    def close(self) -> None:
        """End the file; may be called twice."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                raise BenchError(f"the timeline cannot be written: {error.strerror}") from error


def _nobody() -> None:
    """Nobody wants to know."""


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
