"""The timeline: everything that was seen, in order, in one event type; append-only, on disk while it happens."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, TextIO, overload

from devices.clock import Clock
from devices.errors import BenchError

_time = attrgetter("t")
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


class Found(Sequence[Event]):
    """Events that were asked for, as they were then: a stretch of a list to which only more is appended."""

    __slots__ = ("_events", "_start", "_stop")

    def __init__(self, events: list[Event], start: int = 0) -> None:
        self._events = events
        self._start = start
        self._stop = len(events)

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[Event]:
        return islice(self._events, self._start, self._stop)

    @overload
    def __getitem__(self, place: int) -> Event: ...

    @overload
    def __getitem__(self, place: slice) -> list[Event]: ...

    def __getitem__(self, place: int | slice) -> Event | list[Event]:
        places = range(self._start, self._stop)[place]
        return self._events[places] if isinstance(places, int) else [self._events[one] for one in places]


class _Index:
    """The events that agree with certain data, of those of a source or kind; each is looked at once.

    Attributes:
        events: those that agree, as far as was asked.
    """

    def __init__(self, candidates: list[Event], data: dict[str, Any]) -> None:
        self.events: list[Event] = []
        self._candidates = candidates
        self._data = tuple(data.items())
        self._looked_at = 0
        self._in_order = True

    def found(self, since: float) -> Sequence[Event]:
        """Those from `since` on."""
        for event in islice(self._candidates, self._looked_at, None):
            if all(event.data.get(key) == value for key, value in self._data):
                if self.events and event.t < self.events[-1].t:
                    self._in_order = False
                self.events.append(event)
        self._looked_at = len(self._candidates)
        if not self._in_order and since > 0.0:  # sensors give their own time stamps
            return [event for event in self.events if event.t >= since]
        start = 0 if since <= 0.0 else bisect_left(self.events, since, key=_time)
        return Found(self.events, start)


class Timeline:
    """The events of one case. What is added is written out at once, so that a killed bench keeps it.

    Attributes:
        events: all events so far.
        latest: (source, kind) -> the newest event of that kind.
        trouble: why the evidence is no longer whole; whoever sees something need not care, whoever waits is told.
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
        self._by_source: dict[str, list[Event]] = {}
        self._by_kind: dict[tuple[str, str], list[Event]] = {}
        self._indices: dict[tuple[object, ...], _Index] = {}
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
        self._by_source.setdefault(source, []).append(event)
        self._by_kind.setdefault((source, kind), []).append(event)
        if self._file is not None:
            try:
                self._file.write(event.to_json() + "\n")
            except OSError as error:
                self._file = None
                self.fail(BenchError(f"the timeline cannot be written: {error.strerror}"))
        for listener in self._listeners:
            listener(event)
        if self._waiters:
            self._wake_all()
        return event

    def _wake_all(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _wake(waiter)

    def fail(self, trouble: BenchError) -> None:
        """The bench no longer sees or does what it should, as when an adapter was pulled: whoever waits is told.

        The first trouble counts. An equipment's `on_lost` may be set to this.
        """
        if self.trouble is None:
            self.trouble = trouble
            self.on_trouble()
            self._wake_all()

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` for every event from now on."""
        self._listeners.append(listener)

    def count(self, sources: Iterable[str]) -> int:
        """How many events these sources have told."""
        return sum(len(self._by_source.get(source, ())) for source in sources)

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
        """Raise BenchError when there was trouble, see `fail`."""
        if self.trouble is not None:
            raise self.trouble

    def select(self, source: str, kind: str | None = None, *, since: float = 0.0, **data: Any) -> Sequence[Event]:
        """The events of `source` (and `kind`) from `since` on whose data agree with the keyword arguments.

        Whoever asks the same again and again, as monitors do at every event, pays for new events only; what was
        returned does not grow.
        """
        asked = (source, kind, *data.items())
        try:
            index = self._indices.get(asked)
        except TypeError:  # a value that cannot be hashed
            return _Index(self._candidates(source, kind), data).found(since)
        if index is None:
            index = self._indices[asked] = _Index(self._candidates(source, kind), data)
        return index.found(since)

    def _candidates(self, source: str, kind: str | None) -> list[Event]:
        if kind is None:
            return self._by_source.setdefault(source, [])
        return self._by_kind.setdefault((source, kind), [])

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
