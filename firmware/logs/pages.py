"""Reading a book by time, number and page, within the limits of the product (wan-core 7.7, 8.1; han 2, 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware.logs.book import ENTRY_COLUMNS, LogEntry, entry_of
from firmware.product import Product
from firmware.storage.memory import NonVolatileMemory


@dataclass(frozen=True)
class Asked:
    """Which entries of a book are wanted; what is None does not narrow it.

    Attributes:
        book: system, calibration or consumer.
        owner: whose, empty for system and calibration.
        since: number of the entry behind which it begins.
        begin_us: time stamp from which on.
        end_us: time stamp before which.
        count: so many at most, the oldest first.
    """

    book: str
    owner: str = ""
    since: int | None = None
    begin_us: int | None = None
    end_us: int | None = None
    count: int | None = None


@dataclass(frozen=True)
class Answered:
    """What somebody gets who asked.

    Attributes:
        found: entries that were meant.
        most: how many the product hands out at once, None: no limit is known.
        refused: whether they were more than that, and the product hands out none then.
        entries: what is handed out, oldest first unless the newest were wanted first.
    """

    found: int
    most: int | None
    refused: bool
    entries: tuple[LogEntry, ...]


def export(product: Product, memory: NonVolatileMemory, asked: Asked) -> Answered:
    """The entries that were asked for, as one request or export hands them out.

    A product refuses a request for more than it allows (PPC), or gives the first so many (CONEXA).
    """
    store = product.store(asked.book)
    where, parameters = _where(asked)
    found = int(memory.query(f"SELECT COUNT(*) FROM log {where}", parameters)[0][0])
    wanted = found if asked.count is None else min(found, asked.count)
    most = store.most
    if most is not None and wanted > most and store.over_most == "refused":
        return Answered(found, most, True, ())
    limit = wanted if most is None else min(wanted, most)
    return Answered(found, most, False, _entries(memory, where, parameters, limit, 0))


def page(
    product: Product, memory: NonVolatileMemory, asked: Asked, number: int = 1, *, newest_first: bool = False
) -> Answered:
    """One page, counted from 1, of the product's display; everything where it has no pages. Raises ValueError for 0."""
    if number < 1:
        raise ValueError(f"pages are counted from 1, not {number}")
    size = product.store(asked.book).page
    where, parameters = _where(asked)
    found = int(memory.query(f"SELECT COUNT(*) FROM log {where}", parameters)[0][0])
    wanted = found if asked.count is None else min(found, asked.count)
    begin = 0 if size is None else (number - 1) * size
    limit = max(0, wanted - begin) if size is None else max(0, min(size, wanted - begin))
    return Answered(found, size, False, _entries(memory, where, parameters, limit, begin, newest_first=newest_first))


def _where(asked: Asked) -> tuple[str, list[Any]]:
    terms, parameters = ["book = ?", "owner = ?"], [asked.book, asked.owner]
    for term, value in (("number > ?", asked.since), ("time_us >= ?", asked.begin_us), ("time_us < ?", asked.end_us)):
        if value is not None:
            terms.append(term)
            parameters.append(value)  # type: ignore[arg-type]
    return "WHERE " + " AND ".join(terms), list(parameters)


def _entries(
    memory: NonVolatileMemory, where: str, parameters: list[Any], limit: int, begin: int, *, newest_first: bool = False
) -> tuple[LogEntry, ...]:
    order = "DESC" if newest_first else "ASC"
    sql = f"SELECT {ENTRY_COLUMNS} FROM log {where} ORDER BY number {order} LIMIT ? OFFSET ?"
    return tuple(entry_of(row) for row in memory.query(sql, (*parameters, limit, begin)))
