"""One log book: numbered entries, a hash chain over them, a capacity.

``h(n) = SHA-256(h(n-1) + canonical entry)`` (wan-core 8.4). When old entries go, the hash of the last one that went
stays as the anchor of the chain.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from firmware.own_clock import iso
from firmware.storage.memory import NonVolatileMemory, Statement, digest, plain_json

_START = digest(b"start of the log")


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

    def canonical(self) -> bytes:
        """The octets that are hashed."""
        fields = [self.number, self.time_us, self.event, self.vendor_id, self.sub_id, self.level, self.outcome]
        return plain_json([*fields, self.parameters, self.text]).encode()

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


_COLUMNS = "number, time_us, event, vendor_id, sub_id, level, outcome, parameters, text"


def _entry(row: tuple[Any, ...]) -> LogEntry:
    number, time_us, event, vendor_id, sub_id, level, outcome, parameters, text = row[:9]
    return LogEntry(number, time_us, event, vendor_id, sub_id, level, outcome, json.loads(parameters), text)


class LogBook:
    """One book of one owner; makes statements, the writer stores them in order.

    Args:
        memory: where the stored part is read from.
        book: ``system``, ``calibration`` or ``consumer``.
        owner: whose, empty for system and calibration.
        capacity: number of entries that fit.
    """

    def __init__(self, memory: NonVolatileMemory, book: str, owner: str, capacity: int) -> None:
        self.book = book
        self.owner = owner
        self.capacity = capacity
        self._memory = memory
        anchor = memory.query("SELECT number, chain FROM log_anchor WHERE book = ? AND owner = ?", (book, owner))
        self._first: int = anchor[0][0] + 1 if anchor else 1
        self._chain: bytes = anchor[0][1] if anchor else _START
        self._next: int = self._first
        last = memory.query(
            "SELECT number, chain FROM log WHERE book = ? AND owner = ? ORDER BY number DESC LIMIT 1", (book, owner)
        )
        if last:
            self._next, self._chain = last[0][0] + 1, last[0][1]

    @property
    def count(self) -> int:
        """Entries held, those still on their way to the memory included."""
        return self._next - self._first

    @property
    def free_percent(self) -> int:
        """What is left of the capacity, rounded down."""
        return max(0, (self.capacity - self.count) * 100 // self.capacity)

    @property
    def full(self) -> bool:
        """Whether the next entry has no room."""
        return self.count >= self.capacity

    def append(self, make: LogEntry, *, dated: bool = True) -> list[Statement]:
        """The statements that add `make`, whose number is replaced by the next one.

        `dated` False: the gateway did not know the time when it made the entry, its time stamp says nothing.
        """
        entry = LogEntry(
            self._next, make.time_us, make.event, make.vendor_id, make.sub_id, make.level, make.outcome,
            make.parameters, make.text,
        )  # fmt: skip
        self._chain = digest(self._chain + entry.canonical())
        self._next += 1
        row = (
            self.book, self.owner, entry.number, entry.time_us, entry.event, entry.vendor_id, entry.sub_id,
            entry.level, entry.outcome, plain_json(entry.parameters), entry.text, self._chain,
        )  # fmt: skip
        statements: list[Statement] = [("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)]
        if not dated:
            statements.append(("INSERT INTO log_undated VALUES (?, ?, ?)", (self.book, self.owner, entry.number)))
        return statements

    def drop_oldest(self, number: int) -> list[Statement]:
        """The statements that remove the `number` oldest entries; the chain goes on behind them."""
        number = min(number, self.count)
        self._first += number
        last_gone = self._first - 1
        keep = "SELECT ?, ?, number, chain FROM log WHERE book = ? AND owner = ? AND number = ?"
        where = (self.book, self.owner, last_gone)
        return [
            (f"INSERT OR REPLACE INTO log_anchor {keep}", (self.book, self.owner, *where)),
            ("DELETE FROM log WHERE book = ? AND owner = ? AND number <= ?", where),
            ("DELETE FROM log_undated WHERE book = ? AND owner = ? AND number <= ?", where),
        ]

    def older_than(self, time_us: int) -> int:
        """How many of the stored entries, counted from the oldest, are certainly older than `time_us`.

        An entry made while the time was unknown is as old as the next one whose time was known, or younger than
        anything as long as there is none.
        """
        dated = (
            "SELECT {} FROM log WHERE book = ? AND owner = ? AND time_us {} ? AND number < ? AND NOT EXISTS ("
            "SELECT 1 FROM log_undated AS u WHERE u.book = log.book AND u.owner = log.owner AND u.number = log.number)"
        )
        where = (self.book, self.owner, time_us)
        first_young = self._memory.query(dated.format("MIN(number)", ">="), (*where, self._next))[0][0]
        end = self._next if first_young is None else first_young
        last_old = self._memory.query(dated.format("MAX(number)", "<"), (*where, end))[0][0]
        return 0 if last_old is None else max(0, int(last_old) - self._first + 1)

    def read(self, since: int = 0) -> list[LogEntry]:
        """The stored entries with a number greater than `since`, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM log WHERE book = ? AND owner = ? AND number > ? ORDER BY number"
        return [_entry(row) for row in self._memory.query(sql, (self.book, self.owner, since))]

    def broken_at(self) -> int | None:
        """Number of the first stored entry that does not fit the chain, None when all do."""
        where = (self.book, self.owner)
        anchor = self._memory.query("SELECT number, chain FROM log_anchor WHERE book = ? AND owner = ?", where)
        number, chain = (int(anchor[0][0]), anchor[0][1]) if anchor else (0, _START)
        sql = f"SELECT {_COLUMNS}, chain FROM log WHERE book = ? AND owner = ? ORDER BY number"
        for row in self._memory.query(sql, where):
            number += 1
            try:
                chain = digest(chain + _entry(row).canonical())
            except ValueError:
                return number
            if row[0] != number or row[9] != chain:
                return number
        return None
