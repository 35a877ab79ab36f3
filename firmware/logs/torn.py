"""A log entry that a power cut has torn: the begin of it is in the flash, its end is not.

Such a piece never counts as an entry. At the next start it is told and thrown away, and the next entry gets its number
([CASA] 9.3.7, event 4294948284; the other products have no message of their own for it).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from firmware.logs.book import INSERT_ENTRY, entry_of
from firmware.storage.memory import NonVolatileMemory, Statement

_LEAVE: Final = "INSERT OR REPLACE INTO log_torn VALUES (?, ?, ?, ?)"
REASON: Final = "the supply failed while it was being written"


def what_is_left(statements: Sequence[Statement], done: float) -> list[Statement]:
    """What a cut leaves of log entries among `statements`, of which the share `done` was written.

    The entry under the cut leaves its begin; those before it were not yet committed and leave nothing.
    """
    rows = [parameters for sql, parameters in statements if sql == INSERT_ENTRY]
    if not rows:
        return []
    place = min(max(done, 0.0) * len(rows), len(rows) - 1e-9)
    book, owner, *entry = rows[int(place)]
    octets = entry_of(entry).octets(book, owner)
    piece = octets[: int((place % 1) * len(octets))]
    return [(_LEAVE, (book, owner, entry[0], piece))] if piece else []


def leave_piece(book: str, owner: str, number: int) -> Statement:
    """The statement that leaves a torn entry behind, as a power cut would (fault port)."""
    return (_LEAVE, (book, owner, number, f"smgw-log-1\n{book}\n{owner}\n{number}\n".encode()))


def told_and_gone(memory: NonVolatileMemory, known: Collection[str]) -> Iterator[tuple[str, dict[str, Any], Statement]]:
    """For each torn entry: the event that tells it, what it carries, and the statement that throws the piece away.

    Args:
        memory: where the pieces lie.
        known: events that the product has.
    """
    rows = memory.query("SELECT book, owner, number, octets FROM log_torn ORDER BY 1, 2, 3")
    for book, owner, number, octets in rows:
        names = ("log_entry_incomplete", f"{book}_log_write_failed")
        event = next((name for name in names if name in known), names[0])
        file = f"{book}/{owner}" if owner else book
        told = {"owner": owner, "file": file, "number": number, "octets": len(octets), "reason": REASON}
        gone = ("DELETE FROM log_torn WHERE book = ? AND owner = ? AND number = ?", (book, owner, number))
        yield event, told, gone
