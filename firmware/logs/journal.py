"""The journal: turns a neutral event into entries of the right books, and keeps the books' services going."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from firmware.config import Options
from firmware.logs.book import CALIBRATION, CONSUMER, SYSTEM, LogBook, LogEntry, Signer
from firmware.logs.capacity import Capacity, Key
from firmware.logs.torn import told_and_gone, what_is_left
from firmware.own_clock import OwnClock
from firmware.product import Product
from firmware.storage.memory import NonVolatileMemory, Statement, plain_json
from firmware.storage.writer import StorageWriter

MOST_HELD: Final = 1000
"""Entries that wait for a book whose service is away; the oldest of more are lost (assumed)."""
FAILURES: Final[Mapping[str, tuple[str, str]]] = {
    "write": ("log_write_failed", "_log_write_failed"),
    "died": ("log_service_died", "_log_service_died"),
}
"""How the service of a book fails -> cause of an operating state, end of the event's name."""


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
        signer: the security module.
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
        signer: Signer,
    ) -> None:
        self._product = product
        self._memory = memory
        self._writer = writer
        self._own = own
        self._cause = cause
        self._cleared = cleared
        room = {(SYSTEM, ""): options.system_log_capacity, (CALIBRATION, ""): options.calibration_log_capacity}
        room |= {(CONSUMER, consumer): options.consumer_log_capacity for consumer in consumers}
        self.books: dict[Key, LogBook] = {
            key: LogBook(memory, *key, capacity, signer) for key, capacity in room.items()
        }
        self._signer = signer
        self._consumer_capacity = options.consumer_log_capacity
        self._capacity = Capacity(product, writer, own, options, self.books, self._tell, cause, cleared)
        self._held: dict[Key, list[LogEntry]] = {}
        self._lost: list[str] = []
        self._open = False
        self._codes = {one.event: code for code, one in reversed(tuple(product.data.faults.items())) if one.event}
        writer.on_cut = self._cut

    @property
    def low(self) -> bool:
        """Whether a book from which nothing may be lost has little room left."""
        return self._capacity.low

    # --- life of the services

    def begin(self) -> None:
        """The services of the books start: torn entries are told, the room is looked at."""
        for key in (*(one for one in self.books if one[0] == CALIBRATION), (SYSTEM, ""), *self._consumers()):
            self.event(f"{key[0]}_log_service_started", **self._named(key))
        for name, told, statement in told_and_gone(self._memory, self._product.data.events):
            self._writer.put([statement])
            owner = told.pop("owner")
            self.event(name, outcome="failure", consumer=owner or None, **told)
        self._capacity.look()

    def add_consumer(self, consumer: str) -> None:
        """Open a log for a consumer who has none yet; it stays, whatever becomes of the consumer."""
        key = (CONSUMER, consumer)
        if key in self.books:
            return
        book = self.books[key] = LogBook(self._memory, *key, self._consumer_capacity, self._signer)
        if self._open and not book.begun and book.next_number == 1:
            self._writer.put(book.begin())

    def stop(self) -> None:
        """The services end in order, before a restart."""
        for key in (*self._consumers(), (CALIBRATION, ""), (SYSTEM, "")):
            self.event(f"{key[0]}_log_service_stopped", **self._named(key))

    def fail(self, book: str, how: str, *, code: int = 1, reason: str = "the storage service does not run") -> None:
        """The service of a book cannot write, or dies (``write``, ``died``): its entries wait, and what needs it stops.

        Args:
            book: system, calibration or consumer.
            how: key of FAILURES.
            code: with which it died.
            reason: for the message.
        """
        cause, event = FAILURES[how]
        for key in self._all(book):
            self._held.setdefault(key, [])
        for key in self._all(book):
            self.event(f"{book}{event}", outcome="failure", code=code, reason=reason, **self._named(key))
        self._cause(cause, book=book, reason=reason)

    def recover(self, book: str, how: str) -> None:
        """The service of a book works again: what waited is written, and what needed it goes on."""
        if how == "died":
            for key in self._all(book):
                self.event(f"{book}_log_service_started", **self._named(key))
        for key in self._all(book):
            for entry in self._held.pop(key, ()):
                self._append(key, entry)
        if not self._held:
            self._cleared(FAILURES[how][0])

    def _open_new(self) -> None:
        """Give new books their heads. The system or calibration log without one beside books in use is lost, not new.

        It is done with the first entry of a run and in the same commit, so that a cut leaves all heads or none.
        """
        self._open = True
        in_use = bool(self._memory.query("SELECT 1 FROM log_head WHERE owner = '' LIMIT 1"))
        heads: list[Statement] = []
        for key, book in self.books.items():
            if book.begun or book.next_number > 1:
                continue
            if in_use and key[0] != CONSUMER:
                self._lost.append(key[0])
            else:
                heads += book.begin()
        self._writer.put(heads)

    # --- entries

    def event(self, event: str, /, *, consumer: str | None = None, outcome: str = "success", **parameters: Any) -> None:
        """Log a neutral event; its entries in several books go into one commit.

        Args:
            event: vendor-neutral name; one that the product has no message for is not logged.
            consumer: whose log is meant where the product writes it into a consumer log; None: everybody's.
            outcome: success or failure.
            parameters: what is known of it; the product's fault code for the event is added where there is one.
        """
        clean = {name: _plain(value) for name, value in parameters.items()}
        if consumer is not None:
            clean["consumer"] = consumer
        if event in self._codes and clean.get("code", "") == "":
            clean["code"] = self._codes[event]
        said = self._product.message(event, outcome, clean)
        if said is None:
            return
        entry = LogEntry(
            0, self._own.now_us(), event, said.vendor_id, said.sub_id, said.level, outcome, clean, said.text,
            self._own.known,
        )  # fmt: skip
        with self._writer.together():
            if not self._open:
                self._open_new()
            for key in self._keys(said.books, consumer):
                self._append(key, entry)

    def _append(self, key: Key, entry: LogEntry) -> None:
        held = self._held.get(key)
        if held is not None:
            held.append(entry)
            del held[:-MOST_HELD]
            return
        book, no_room = self.books[key], self._capacity.no_room(key)
        if not book.full:
            self._writer.put(book.append(entry))
        if no_room:
            self._capacity.stop(key)
        else:
            self._capacity.watch(key)

    def _keys(self, books: tuple[str, ...], consumer: str | None) -> list[Key]:
        keys: list[Key] = []
        for name in books:
            if name != CONSUMER:
                keys.append((name, ""))
            else:
                keys.extend(key for key in self._consumers() if consumer in (None, key[1]))
        return keys

    def _consumers(self) -> list[Key]:
        return self._all(CONSUMER)

    def _all(self, book: str) -> list[Key]:
        return [key for key in self.books if key[0] == book]

    def _named(self, key: Key) -> dict[str, Any]:
        return {"consumer": key[1]} if key[0] == CONSUMER else {}

    def _tell(self, event: str | None, key: Key, book: LogBook) -> None:
        if event is not None:
            self.event(event, consumer=key[1] or None, percent=book.free_percent)

    # --- checks and faults

    def broken(self, newest: int | None = None) -> list[str]:
        """Which stored entries do not fit their chain, as ``system 17``.

        Args:
            newest: look only at so many of the newest entries of each book; None: at all.
        """
        found = [f"{name} 1" for name in self._lost]
        for (name, owner), book in self.books.items():
            number = book.broken_at(newest)
            if number is not None:
                found.append(f"{name} {owner} {number}".replace("  ", " "))
        return found

    def fill(self, book: str, share: float) -> int:
        """Fill a book with entries of no meaning up to `share` of its capacity, or empty it down to that.

        A book that stops metering keeps a little room for the messages that say so. Returns the number of entries that
        it holds then (fault port).
        """
        held = 0
        for key in self._all(book):
            one = self.books[key]
            target = min(round(one.capacity * share), one.capacity - self._capacity.reserve(key))
            if target < one.count:
                self._writer.put(one.drop_oldest(one.count - target))
            now_us = self._own.now_us()
            while one.count < target:
                filler = LogEntry(
                    0, now_us, "filler", None, None, "info", "success", {}, "filler of the fault port", self._own.known
                )
                self._writer.put(one.append(filler))
            held += one.count
        for key in self._all(book):
            if self._capacity.no_room(key):
                self._capacity.stop(key)
        self._capacity.room_again(book)
        for key in self._all(book):
            self._capacity.watch(key)
        return held

    def _cut(self, statements: Sequence[Statement], done: float) -> None:
        """Mains failed while these were being written."""
        self._memory.commit(what_is_left(statements, done))


def _plain(value: Any) -> Any:
    """What can be stored as JSON and as UTF-8."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value if isinstance(value, int | float | bool | None) else _plain(plain_json(str(value)))
