"""One log book: numbered entries, a chain over them, a head, an anchor, a capacity (:mod:`firmware.logs.chain`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from devices.errors import UsageError
from firmware.logs.chain import START, entry_octets, mark_octets, next_chain, signed_octets
from firmware.own_clock import iso
from firmware.storage.memory import NonVolatileMemory, Statement, plain_json

SYSTEM, CALIBRATION, CONSUMER = "system", "calibration", "consumer"
SIGNED: Final = frozenset({CALIBRATION})
"""Books whose entries are signed one by one ([CASA] 5.4)."""


_FEW: Final = 64
"""Entries on their way to the memory up to which it is not asked which of them have arrived."""


class Signer(Protocol):
    """The security module, as far as the logs need it."""

    def sign(self, octets: bytes) -> bytes:
        """r || s."""

    def verify(self, octets: bytes, signature: bytes) -> bool:
        """Whether it is this module's signature."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry as stored.

    Attributes:
        number: running number within its book, from 1.
        time_us: time of the gateway's own clock.
        event: vendor-neutral name.
        vendor_id: id as the product writes it.
        sub_id: sub id, None where the product has none.
        level: info, warning, error or fatal.
        outcome: success or failure.
        parameters: what the place holders of the text were filled with.
        text: message in the product's terms.
        dated: whether the gateway knew the time; if not, the time stamp says nothing.
    """

    number: int
    time_us: int
    event: str
    vendor_id: int | None
    sub_id: int | None
    level: str
    outcome: str
    parameters: dict[str, Any]
    text: str
    dated: bool = True

    def octets(self, book: str, owner: str) -> bytes:
        """What is chained and signed."""
        words = (self.event.encode(), self.level.encode(), self.outcome.encode())
        return entry_octets(
            book.encode(), owner.encode(), self.number, self.time_us, self.dated, words[0], self.vendor_id, self.sub_id,
            words[1], words[2], plain_json(self.parameters).encode(), self.text.encode(),
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """The entry as the maintenance port shows it."""
        return {
            "number": self.number,
            "time": iso(self.time_us),
            "event": self.event,
            "id": self.vendor_id,
            "sub_id": self.sub_id,
            "level": self.level,
            "parameters": self.parameters,
            "text": self.text,
            "outcome": self.outcome,
        }


ENTRY_COLUMNS: Final = "number, time_us, dated, event, vendor_id, sub_id, level, outcome, parameters, text"
INSERT_ENTRY: Final = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_HEAD: Final = "INSERT OR REPLACE INTO log_head VALUES (?, ?, ?, ?, ?, ?)"
_ANCHOR: Final = "INSERT OR REPLACE INTO log_anchor VALUES (?, ?, ?, ?, ?, ?)"


def entry_of(row: Sequence[Any]) -> LogEntry:
    """The entry of a row that begins with `ENTRY_COLUMNS`. Raises ValueError when its parameters are no JSON."""
    number, time_us, dated, event, vendor_id, sub_id, level, outcome, parameters, text = row[:10]
    told = json.loads(parameters)
    return LogEntry(number, time_us, event, vendor_id, sub_id, level, outcome, told, text, bool(dated))


@dataclass(frozen=True, slots=True)
class Mark:
    """Anchor or head of a book: where the chain begins or ends.

    Attributes:
        number: of the entry that it names, 0 before the first.
        chain: its chain value.
        entry_signature: its signature, empty where entries have none.
        signature: over this mark, empty without one.
    """

    number: int = 0
    chain: bytes = START
    entry_signature: bytes = b""
    signature: bytes = b""


class LogBook:
    """One book of one owner; makes statements, the writer stores them in order.

    Making one reads three rows, whatever the book holds.

    Args:
        memory: where the stored part is read from.
        book: ``system``, ``calibration`` or ``consumer``.
        owner: whose, empty for system and calibration.
        capacity: number of entries that fit.
        signer: the security module; None: nothing is signed, as is done in tests of the book alone.

    Raises:
        UsageError: an owner whose name has a line feed.
    """

    def __init__(
        self, memory: NonVolatileMemory, book: str, owner: str, capacity: int, signer: Signer | None = None
    ) -> None:
        if "\n" in owner:
            raise UsageError(f"{owner!r} cannot own a log book", hint="an id without line feeds")
        self.book = book
        self.owner = owner
        self.capacity = capacity
        self._memory = memory
        self._signer = signer
        self._first = self._anchor().number + 1
        end = self._end()
        self._chain, self._signature = end.chain, end.entry_signature
        self._next = end.number + 1
        self._on_its_way: dict[int, Mark] = {}
        self._look_at = _FEW

    def _anchor(self) -> Mark:
        return self._mark("anchor") or Mark()

    def _mark(self, kind: str) -> Mark | None:
        sql = f"SELECT number, chain, entry_signature, signature FROM log_{kind} WHERE book = ? AND owner = ?"
        found = self._memory.query(sql, (self.book, self.owner))
        return Mark(*found[0]) if found else None

    def _last(self) -> Mark | None:
        sql = "SELECT number, chain, signature FROM log WHERE book = ? AND owner = ? ORDER BY number DESC LIMIT 1"
        found = self._memory.query(sql, (self.book, self.owner))
        return Mark(*found[0]) if found else None

    def _end(self) -> Mark:
        """Behind what the chain goes on: the newest of last row, head and anchor, so that no number comes twice."""
        marks = [one for one in (self._last(), self._mark("head"), self._anchor()) if one is not None]
        return max(marks, key=lambda one: one.number)

    @property
    def count(self) -> int:
        """Entries held, those still on their way to the memory included."""
        return self._next - self._first

    @property
    def next_number(self) -> int:
        """Number of the next entry."""
        return self._next

    @property
    def free_percent(self) -> int:
        """What is left of the capacity, rounded down."""
        return max(0, (self.capacity - self.count) * 100 // self.capacity)

    @property
    def full(self) -> bool:
        """Whether the next entry has no room."""
        return self.count >= self.capacity

    def append(self, make: LogEntry) -> list[Statement]:
        """The statements that add `make`, whose number is replaced by the next one; they go into one commit."""
        entry = replace(make, number=self._next)
        octets = entry.octets(self.book, self.owner)
        chain = next_chain(self._chain, self._signature, octets)
        signature = head_signature = b""
        if self.book in SIGNED and self._signer is not None:
            signature = self._signer.sign(signed_octets(octets, chain))
            head_signature = self._signer.sign(self._mark_octets("head", self._next, chain, signature))
        self._chain, self._signature = chain, signature
        self._on_its_way[self._next] = Mark(self._next, chain, signature)
        if len(self._on_its_way) > self._look_at:
            self._forget_stored()
        self._next += 1
        row = (
            self.book, self.owner, entry.number, entry.time_us, int(entry.dated), entry.event, entry.vendor_id,
            entry.sub_id, entry.level, entry.outcome, plain_json(entry.parameters), entry.text, chain, signature,
        )  # fmt: skip
        head = (self.book, self.owner, entry.number, chain, signature, head_signature)
        return [(INSERT_ENTRY, row), (_HEAD, head)]

    def _forget_stored(self) -> None:
        last = self._last()
        stored = 0 if last is None else last.number
        self._on_its_way = {number: mark for number, mark in self._on_its_way.items() if number > stored}
        self._look_at = max(_FEW, 2 * len(self._on_its_way))

    def begin(self) -> list[Statement]:
        """The statement that writes the head of a new book, so that the loss of all its entries shows."""
        signature = b""
        if self.book in SIGNED and self._signer is not None:
            signature = self._signer.sign(self._mark_octets("head", 0, START, b""))
        return [(_HEAD, (self.book, self.owner, 0, START, b"", signature))]

    @property
    def begun(self) -> bool:
        """Whether it has a head."""
        return self._mark("head") is not None

    def drop_oldest(self, number: int) -> list[Statement]:
        """The statements that remove the `number` oldest entries; the chain goes on behind them."""
        last = self._first + min(number, self.count) - 1
        if last < self._first:
            return []
        gone = self._on_its_way.get(last) or self._stored(last)
        if gone is None:  # somebody took the row away and broke the chain: that shall stay to be seen
            gone = Mark(last, b"", b"")
        self._first = last + 1
        octets = self._mark_octets("anchor", last, gone.chain, gone.entry_signature)
        signature = b"" if self._signer is None else self._signer.sign(octets)
        return [
            (_ANCHOR, (self.book, self.owner, last, gone.chain, gone.entry_signature, signature)),
            ("DELETE FROM log WHERE book = ? AND owner = ? AND number <= ?", (self.book, self.owner, last)),
        ]

    def _stored(self, number: int) -> Mark | None:
        sql = "SELECT number, chain, signature FROM log WHERE book = ? AND owner = ? AND number = ?"
        found = self._memory.query(sql, (self.book, self.owner, number))
        return Mark(*found[0]) if found else None

    def older_than(self, time_us: int) -> int:
        """How many of the stored entries, counted from the oldest, are certainly older than `time_us`.

        An entry made while the time was unknown is as old as the next one whose time was known, or younger than
        anything as long as there is none.
        """
        dated = (
            "SELECT number FROM log WHERE book = ? AND owner = ? AND dated = 1 AND time_us {} ? AND number < ?"
            " ORDER BY number {} LIMIT 1"
        )
        where = (self.book, self.owner, time_us)
        young = self._memory.query(dated.format(">=", "ASC"), (*where, self._next))
        end = young[0][0] if young else self._next
        old = self._memory.query(dated.format("<", "DESC"), (*where, end))
        return max(0, int(old[0][0]) - self._first + 1) if old else 0

    def read(self, since: int = 0) -> list[LogEntry]:
        """The stored entries with a number greater than `since`, oldest first."""
        sql = f"SELECT {ENTRY_COLUMNS} FROM log WHERE book = ? AND owner = ? AND number > ? ORDER BY number"
        return [entry_of(row) for row in self._memory.query(sql, (self.book, self.owner, since))]

    def broken_at(self, newest: int | None = None) -> int | None:
        """Number of the first stored entry that does not fit the chain, None when all do.

        Anchor and head are checked with it, and where entries are signed so is the head: the chain covers all
        signatures but the last, and the head that one, so no more than two are verified whatever the book holds.

        Args:
            newest: only so many of the newest entries; None: all.
        """
        before, last = self._anchor(), self._last()
        if before.number and not self._good("anchor", before):
            return before.number
        if newest is not None and last is not None and last.number - newest > before.number:
            found = self._stored(last.number - newest)
            if found is None:
                return last.number - newest
            before = found
        sql = f"SELECT {ENTRY_COLUMNS}, chain, signature FROM log WHERE book = ? AND owner = ? AND number > ?"
        number, chain, signature = before.number, before.chain, before.entry_signature
        for row in self._memory.query(sql + " ORDER BY number", (self.book, self.owner, number)):
            number += 1
            try:
                chain = next_chain(chain, signature, entry_of(row).octets(self.book, self.owner))
            except (ValueError, TypeError, AttributeError):
                return number
            signature = row[11]
            if row[0] != number or row[10] != chain:
                return number
        head = self._mark("head")
        if head is None:
            return None if last is None and not before.number else number
        fits = (head.number, head.chain, head.entry_signature) == (number, chain, signature)
        return None if fits and (self.book not in SIGNED or self._good("head", head)) else max(number, head.number)

    def _mark_octets(self, kind: str, number: int, chain: bytes, signature: bytes) -> bytes:
        return mark_octets(kind.encode(), self.book.encode(), self.owner.encode(), number, chain, signature)

    def _good(self, kind: str, mark: Mark) -> bool:
        if self._signer is None:
            return True
        octets = self._mark_octets(kind, mark.number, mark.chain, mark.entry_signature)
        return self._signer.verify(octets, mark.signature)
