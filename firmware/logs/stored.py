"""The log books as they lie in a gateway's memory, row by row and octet by octet, without a word of the writer.

Nothing is decoded or corrected here: a value that is not of the kind it must be is told as such.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from devices.errors import UsageError
from firmware.security.module import GW_WAN_SIG

FILE: Final = "memory.sqlite"
"""Name of a gateway's memory in its folder."""


@dataclass(frozen=True)
class RawEntry:
    """One row; texts as their octets."""

    number: int
    time_us: int
    dated: bool
    event: bytes
    vendor_id: int | None
    sub_id: int | None
    level: bytes
    outcome: bytes
    parameters: bytes
    text: bytes
    chain: bytes
    signature: bytes


@dataclass(frozen=True)
class RawMark:
    """An anchor or a head."""

    number: int
    chain: bytes
    entry_signature: bytes
    signature: bytes


@dataclass
class RawBook:
    """One book of one owner.

    Attributes:
        book: its name, as octets; a wrong one is kept.
        owner: whose.
        anchor: where its chain begins, None at the very begin.
        entries: in the order of their numbers.
        head: where it ends, None when there is none.
        malformed: number, or None, and what is wrong with rows that cannot be read.
    """

    book: bytes
    owner: bytes
    anchor: RawMark | None = None
    entries: list[RawEntry] = field(default_factory=list)
    head: RawMark | None = None
    malformed: list[tuple[int | None, str]] = field(default_factory=list)


@dataclass
class RawLogs:
    """All that is known of the logs of one gateway.

    Attributes:
        books: by name and owner.
        key: public key that came with them, None without one.
        device: number of the gateway, empty when unknown.
        certificates: that of the key and those above it, the root last; none when none came with them.
        trouble: what is wrong with the whole.
    """

    books: dict[tuple[bytes, bytes], RawBook] = field(default_factory=dict)
    key: ec.EllipticCurvePublicKey | None = None
    device: str = ""
    certificates: list[x509.Certificate] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def book(self, name: bytes, owner: bytes) -> RawBook:
        """The book of that name and owner, made when it is not there yet."""
        return self.books.setdefault((name, owner), RawBook(name, owner))


_Columns = tuple[tuple[str, str], ...]
_ENTRY: Final[_Columns] = (
    ("book", "text"), ("owner", "text"), ("number", "integer"), ("time_us", "integer"), ("dated", "integer"),
    ("event", "text"), ("vendor_id", "integer null"), ("sub_id", "integer null"), ("level", "text"),
    ("outcome", "text"), ("parameters", "text"), ("text", "text"), ("chain", "blob"), ("signature", "blob"),
)  # fmt: skip
_MARK: Final[_Columns] = (
    ("book", "text"), ("owner", "text"), ("number", "integer"), ("chain", "blob"), ("entry_signature", "blob"),
    ("signature", "blob"),
)  # fmt: skip
_DATED: Final = {0: False, 1: True}
_LONGEST_CHAIN: Final = 5


def memory_file(data: Path) -> Path:
    """The file of a gateway's memory, given itself or its folder. Raises UsageError when there is none."""
    file = data / FILE if data.is_dir() else data
    if not file.is_file():
        raise UsageError(f"there is no gateway's memory {file}", hint=f"a folder with {FILE}, or such a file")
    return file


def from_memory(file: Path) -> RawLogs:
    """Read a memory without changing it. What is damaged is told in the result. Raises UsageError: no such memory."""
    with _opened(file) as database:
        return from_database(database)


def from_database(database: sqlite3.Connection) -> RawLogs:
    """Read an open memory, whose texts come as octets (``text_factory = bytes``)."""
    logs = RawLogs()
    try:
        _read(database, logs)
    except sqlite3.DatabaseError as error:
        logs.trouble.append(f"the database is damaged: {error}")
    logs.key = _key(database, logs)
    logs.certificates = _certificates(database, logs)
    return logs


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    try:
        database = sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise UsageError(f"cannot read {file}: {error}") from error
    with closing(database):
        database.text_factory = bytes
        try:
            tables = {bytes(row[0]) for row in database.execute("SELECT name FROM sqlite_master")}
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{file} is no gateway's memory: {error}") from error
        if b"log" not in tables:
            raise UsageError(f"{file} is no gateway's memory: it holds no log")
        yield database


def _read(database: sqlite3.Connection, logs: RawLogs) -> None:
    for row in _rows(database, "log", _ENTRY):
        book, good = _sorted(logs, row, _ENTRY)
        if good is None:
            continue
        dated = _DATED.get(good[2])
        if dated is None:
            book.malformed.append((good[0], f"the mark of a known time is {good[2]}"))
        else:
            book.entries.append(RawEntry(good[0], good[1], dated, *good[3:]))
    for kind in ("anchor", "head"):
        for row in _rows(database, f"log_{kind}", _MARK):
            book, good = _sorted(logs, row, _MARK)
            if good is not None:
                setattr(book, kind, RawMark(*good))
    found = database.execute("SELECT value FROM setting WHERE name = 'hardware'").fetchone()
    logs.device = bytes(found[0]).decode(errors="replace").strip('"') if found else ""


def _rows(database: sqlite3.Connection, table: str, columns: _Columns) -> list[tuple[Any, ...]]:
    """Values and kinds of all rows, by book, owner and number; sorted here, not by a key that may be damaged."""
    names = ", ".join(name for name, _ in columns)
    kinds = ", ".join(f"typeof({name})" for name, _ in columns)
    return sorted(
        database.execute(f"SELECT {names}, {kinds} FROM {table}").fetchall(),
        key=lambda row: (str(row[0]), str(row[1]), row[2] if isinstance(row[2], int) else 0),
    )


def _sorted(logs: RawLogs, row: tuple[Any, ...], columns: _Columns) -> tuple[RawBook, tuple[Any, ...] | None]:
    """The book of a row, and its values behind book and owner; None when one is of a wrong kind."""
    values, kinds = row[: len(columns)], [bytes(kind).decode() for kind in row[len(columns) :]]
    wrong = [name for (name, kind), is_ in zip(columns, kinds, strict=True) if is_ not in kind.split()]
    name, owner = (value if isinstance(value, bytes) else str(value).encode() for value in values[:2])
    book = logs.book(name, owner)
    if wrong:
        number = values[2] if isinstance(values[2], int) else None
        book.malformed.append((number, f"{', '.join(wrong)} cannot be read"))
        return book, None
    return book, values[2:]


def _key(database: sqlite3.Connection, logs: RawLogs) -> ec.EllipticCurvePublicKey | None:
    """The public part of the key in the unit's security module."""
    try:
        found = database.execute("SELECT octets FROM secret WHERE name = ?", (GW_WAN_SIG,)).fetchone()
        key = load_der_private_key(bytes(found[0]), None) if found else None
    except (sqlite3.DatabaseError, ValueError, UnsupportedAlgorithm) as error:
        logs.trouble.append(f"the security module's key cannot be read: {error}")
        return None
    return key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _certificates(database: sqlite3.Connection, logs: RawLogs) -> list[x509.Certificate]:
    """The certificate of that key and those above it, as far as they are there."""
    found: list[x509.Certificate] = []
    name, before = GW_WAN_SIG, ""
    try:
        while name != before and len(found) < _LONGEST_CHAIN:
            row = database.execute("SELECT value FROM setting WHERE name = ?", (f"certificate/{name}",)).fetchone()
            if row is None:
                break
            stored = json.loads(row[0])
            found.append(x509.load_der_x509_certificate(bytes.fromhex(stored["der"])))
            name, before = str(stored["issuer"]), name
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, x509.InvalidVersion) as error:
        logs.trouble.append(f"the certificates cannot be read: {error}")
    return found
