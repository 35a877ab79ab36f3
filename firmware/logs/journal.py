"""The journal: turns a neutral event into entries of the right books, and minds their capacity (wan-core 8.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from firmware.config import Options
from firmware.logs.book import LogBook, LogEntry
from firmware.own_clock import OwnClock
from firmware.product import Product
from firmware.storage.memory import NonVolatileMemory, plain_json
from firmware.storage.writer import StorageWriter

SYSTEM, CALIBRATION, CONSUMER = "system", "calibration", "consumer"
RETENTION_S = 456 * 86_400.0
"""Consumer entries younger than this are not deleted: 15 months (wan-core 7.7), where the product says nothing else."""


class Journal:
    """All books of one gateway.

    Args:
        product: ids, levels and texts.
        memory: where the books lie.
        writer: how entries get there.
        own: the gateway's clock.
        options: capacities.
        consumers: each has a book.
        cause: called with the name of an operating state's cause when a book has no room left.
        cleared: called with it when there is room again; returns whether metering may go on.
    """

    def __init__(
        self,
        product: Product,
        memory: NonVolatileMemory,
        writer: StorageWriter,
        own: OwnClock,
        options: Options,
        consumers: Iterable[str],
        cause: Callable[..., object],
        cleared: Callable[[str], bool],
    ) -> None:
        self._product = product
        self._options = options
        self._writer = writer
        self._own = own
        self._cause = cause
        self._cleared = cleared
        self.books: dict[tuple[str, str], LogBook] = {
            (SYSTEM, ""): LogBook(memory, SYSTEM, "", options.system_log_capacity),
            (CALIBRATION, ""): LogBook(memory, CALIBRATION, "", options.calibration_log_capacity),
        }
        for consumer in consumers:
            self.books[CONSUMER, consumer] = LogBook(memory, CONSUMER, consumer, options.consumer_log_capacity)
        self._told: set[tuple[str, str, str]] = set()
        self._wrapped: set[tuple[str, str]] = set()
        self._full: set[tuple[str, str]] = set()

    def event(self, event: str, /, *, consumer: str | None = None, outcome: str = "success", **parameters: Any) -> None:
        """Log a neutral event.

        Args:
            event: vendor-neutral name; one that the product has no message for is not logged.
            consumer: whose log is meant where the product writes it into a consumer log; None: everybody's.
            outcome: success or failure.
            parameters: what is known of it.
        """
        clean = {name: _plain(value) for name, value in parameters.items()}
        if consumer is not None:
            clean["consumer"] = consumer
        said = self._product.message(event, outcome, clean)
        if said is None:
            return
        entry = LogEntry(
            0, self._own.now_us(), event, said.vendor_id, said.sub_id, said.level, outcome, clean, said.text
        )
        for key in self._keys(said.books, consumer):
            self._append(key, entry)

    def room(self) -> None:
        """Look at the capacity of all books, at start."""
        for key, book in self.books.items():
            if book.full:
                self._make_room(key, book)
            else:
                self._watch(key, book)

    def broken(self) -> list[str]:
        """Which stored entries do not fit their chain, as ``system 17``."""
        found = []
        for (name, owner), book in self.books.items():
            number = book.broken_at()
            if number is not None:
                found.append(f"{name} {owner} {number}".replace("  ", " "))
        return found

    def fill(self, book: str, share: float) -> int:
        """Fill a book with entries of no meaning up to `share` of its capacity, or empty it down to that.

        Returns the number of entries that it holds then (fault port).
        """
        held = 0
        for key, one in self.books.items():
            if key[0] != book:
                continue
            target = round(one.capacity * share)
            if target < one.count:
                self._writer.put(one.drop_oldest(one.count - target))
            now_us = self._own.now_us()
            while one.count < target:
                filler = LogEntry(0, now_us, "filler", None, None, "info", "success", {}, "filler of the fault port")
                self._writer.put(one.append(filler, dated=self._own.known))
            held += one.count
        for key, one in self.books.items():
            if key[0] == book and one.full:
                self._make_room(key, one)
        self._room_again(book)
        for key, one in self.books.items():
            if key[0] == book and not one.full:
                self._watch(key, one)
        return held

    def _room_again(self, book: str) -> None:
        """Metering goes on when none of these books is full any more, unless the product stops for good."""
        freed = {key: one for key, one in self.books.items() if key in self._full and key[0] == book and not one.full}
        self._full -= freed.keys()
        if not freed or any(key[0] == book for key in self._full) or not self._cleared(f"{book}_log_full"):
            return
        for key, one in freed.items():
            self._tell(self._product.store(book).back_event, key, one)

    def _keys(self, books: tuple[str, ...], consumer: str | None) -> list[tuple[str, str]]:
        keys: list[tuple[str, str]] = []
        for name in books:
            if name != CONSUMER:
                keys.append((name, ""))
            else:
                keys.extend(key for key in self.books if key[0] == CONSUMER and consumer in (None, key[1]))
        return keys

    def _append(self, key: tuple[str, str], entry: LogEntry) -> None:
        book = self.books[key]
        if book.full and not self._make_room(key, book):
            return
        self._writer.put(book.append(entry, dated=self._own.known))
        self._watch(key, book)

    def _make_room(self, key: tuple[str, str], book: LogBook) -> bool:
        """Whether there is room for one more entry now; the product's rule says how it is made."""
        store = self._product.store(key[0])
        rule = store.when_full
        if key[0] == CONSUMER and self._options.consumer_log_when_full != "type":
            rule = self._options.consumer_log_when_full  # type: ignore[assignment]
        if rule == "wrap":
            self._writer.put(book.drop_oldest(max(1, book.capacity // 100)))
            if key not in self._wrapped:
                self._wrapped.add(key)
                self._tell(store.wrap_event, key, book)
            return True
        if rule == "drop_old":
            keep_s = store.keep_s if store.keep_s is not None else RETENTION_S
            old = book.older_than(self._own.now_us() - round(keep_s * 1e6))
            if old:
                self._writer.put(book.drop_oldest(old))
                self._tell(store.wrap_event, key, book)
                return True
        if key not in self._full:
            self._full.add(key)
            self._cause(f"{key[0]}_log_full", consumer=key[1])
        return False

    def _watch(self, key: tuple[str, str], book: LogBook) -> None:
        """Tell the steps of the product's warnings, each once on the way down."""
        store = self._product.store(key[0])
        for step in store.warnings:
            mark = (*key, step.event)
            if book.free_percent >= step.free * 100:
                self._told.discard(mark)
            elif mark not in self._told:
                self._told.add(mark)
                self._tell(step.event, key, book)

    def _tell(self, event: str | None, key: tuple[str, str], book: LogBook) -> None:
        if event is not None:
            self.event(event, consumer=key[1] or None, percent=book.free_percent)


def _plain(value: Any) -> Any:
    """What can be stored as JSON."""
    return value if isinstance(value, str | int | float | bool | None) else plain_json(str(value))
