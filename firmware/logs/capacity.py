"""What happens when log books fill, by the product's rules (wan-core 8.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firmware.config import Options
from firmware.logs.book import CONSUMER, LogBook
from firmware.own_clock import OwnClock
from firmware.product import Product
from firmware.storage.writer import StorageWriter

Key = tuple[str, str]
"""Book and owner."""

RETENTION_S = 459 * 86_400.0
"""Consumer entries younger than this are not deleted, where the product says nothing else: 15 months (wan-core 7.7),
which are 458 days at most, and an hour when a summer time ends in them."""
LOW = 0.1
"""Share of the room below which a book that may lose nothing is a warning, where the product names none (wan-core
8.3)."""
RESERVE = 2
"""Entries for which room is kept in a book that stops metering: for the one that finds it full, and for the message
that says so. Nothing is lost before metering has stopped (assumed)."""
TELL_AGAIN_S = 30 * 86_400.0
"""Least time between two messages that old entries of a full book went (assumed); each would take an entry's room."""


class Capacity:
    """Minds the room in all books.

    Args:
        product: its rules.
        writer: how entries go.
        own: the gateway's clock.
        options: what overrides the product's rules.
        books: all books.
        tell: logs an event about a book.
        cause: called with the name of an operating state's cause when a book has no room left.
        cleared: called with it when there is room again; returns whether metering may go on.
    """

    def __init__(
        self,
        product: Product,
        writer: StorageWriter,
        own: OwnClock,
        options: Options,
        books: Mapping[Key, LogBook],
        tell: Callable[[str | None, Key, LogBook], None],
        cause: Callable[..., object],
        cleared: Callable[[str], bool],
    ) -> None:
        self._product = product
        self._writer = writer
        self._own = own
        self._options = options
        self._books = books
        self._tell = tell
        self._cause = cause
        self._cleared = cleared
        self._told: set[tuple[str, str, str]] = set()
        self._steps: dict[Key, int] = {}
        self._went_us: dict[Key, int] = {}
        self._full: set[Key] = set()
        self._low: set[Key] = set()

    @property
    def low(self) -> bool:
        """Whether there is little room left in a book, what may go counted as room."""
        return bool(self._low)

    def look(self) -> None:
        """Look at all books, at start."""
        for key, book in self._books.items():
            self._steps[key] = self._step(book)
            if self.no_room(key):
                self.stop(key)
            else:
                self.watch(key)

    def no_room(self, key: Key) -> bool:
        """Make room where the product's rule can; True when there is none for one more ordinary entry."""
        book, rule = self._books[key], self.rule(key[0])
        reserve = self.reserve(key)
        if book.count < book.capacity - reserve:
            return False
        if rule == "wrap":
            self._writer.put(book.drop_oldest(max(1, book.capacity // 100)))
            self._tell_went(key, again=False)
            return False
        if rule == "drop_old":
            old = self._old(key)
            if old:
                self._writer.put(book.drop_oldest(old))
                self._tell_went(key, again=True)
                self.room_again(key[0])
                return False
        return True

    def _old(self, key: Key) -> int:
        """Entries that need not be kept any longer."""
        keep_s = self._product.store(key[0]).keep_s
        kept_us = round((RETENTION_S if keep_s is None else keep_s) * 1e6)
        return self._books[key].older_than(self._own.now_us() - kept_us)

    def rule(self, book: str) -> str:
        """``stop``, ``wrap`` or ``drop_old``."""
        chosen = self._options.consumer_log_when_full if book == CONSUMER else "type"
        return self._product.store(book).when_full if chosen == "type" else chosen

    def reserve(self, key: Key) -> int:
        """Entries for which room is kept."""
        return 0 if self.rule(key[0]) == "wrap" else min(RESERVE, self._books[key].capacity // 10)

    def stop(self, key: Key) -> None:
        """A book has no room, and none can be made: metering stops, told once."""
        self._low.add(key)
        if key not in self._full:
            self._full.add(key)
            self._cause(f"{key[0]}_log_full", consumer=key[1])

    def watch(self, key: Key) -> None:
        """Tell the steps of the product's warnings, each once on the way down, and what room is left."""
        book, store = self._books[key], self._product.store(key[0])
        for step in store.warnings:
            mark = (*key, step.event)
            if book.free_percent >= step.free * 100:
                self._told.discard(mark)
            elif mark not in self._told:
                self._told.add(mark)
                self._tell(step.event, key, book)
        self._judge_low(key, max((step.free for step in store.warnings), default=LOW))
        now = self._step(book)
        before, self._steps[key] = self._steps.get(key, now), now
        if now < before:
            self._tell(store.room_event, key, book)

    def room_again(self, name: str) -> None:
        """Metering goes on when none of these books is full any more, unless the product stops for good."""
        freed = [key for key in self._full if key[0] == name and self._has_room(key)]
        self._full.difference_update(freed)
        if not freed or any(key[0] == name for key in self._full) or not self._cleared(f"{name}_log_full"):
            return
        for key in sorted(freed):
            self._tell(self._product.store(name).back_event, key, self._books[key])

    def _judge_low(self, key: Key, share: float) -> None:
        book, rule = self._books[key], self.rule(key[0])
        low = rule != "wrap" and book.free_percent < share * 100
        if low and rule == "drop_old":
            low = book.capacity - book.count + self._old(key) < share * book.capacity
        if low:
            self._low.add(key)
        else:
            self._low.discard(key)

    def _has_room(self, key: Key) -> bool:
        return self._books[key].count < self._books[key].capacity - self.reserve(key)

    def _tell_went(self, key: Key, *, again: bool) -> None:
        """That old entries went: once, or where the message is about these very entries once in a while."""
        now_us, last = self._own.now_us(), self._went_us.get(key)
        if last is not None and (not again or now_us - last < TELL_AGAIN_S * 1e6):
            return
        self._went_us[key] = now_us
        self._tell(self._product.store(key[0]).wrap_event, key, self._books[key])

    def _step(self, book: LogBook) -> int:
        step: Any = self._options.log_room_step_percent
        return book.free_percent // step if step > 0 else 0
