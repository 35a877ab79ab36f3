"""NonVolatileMemory: the flash, the real time clock's registers and the physical unit; it outlives power cuts.

Four kinds of content, so that nobody mixes them up:

* ``setting``, ``image``, ``log``, ``log_anchor``, ``log_head``, ``reading``, ``entry``, ``derived``, ``sent``,
  ``waiting``, ``evaluation``: written by the firmware in commits; ``log_torn``: what a power cut left of a log entry.
* ``register``: registers of hardware with a battery of its own (real time clock): written at once.
* ``secret``: private keys in the security module, a chip of its own: written when a key is made.
* ``fault``: defects of this unit that the maintenance port planted; the firmware meets them, it does not own them.

Every commit is atomic. How long one takes in bench time is the business of :class:`firmware.storage.writer`.
"""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from devices.errors import UsageError

Statement = tuple[str, Sequence[Any]]
"""One SQL statement with its parameters."""

# Keys of value lists begin with the instant: a commit then appends at the end of a table instead of touching one page
# for each meter.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS image (slot TEXT PRIMARY KEY, version TEXT NOT NULL, octets BLOB NOT NULL,
  digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (book TEXT NOT NULL, owner TEXT NOT NULL, number INTEGER NOT NULL,
  time_us INTEGER NOT NULL, dated INTEGER NOT NULL, event TEXT NOT NULL, vendor_id INTEGER, sub_id INTEGER,
  level TEXT NOT NULL, outcome TEXT NOT NULL, parameters TEXT NOT NULL, text TEXT NOT NULL, chain BLOB NOT NULL,
  signature BLOB NOT NULL, PRIMARY KEY (book, owner, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_anchor (book TEXT NOT NULL, owner TEXT NOT NULL, number INTEGER NOT NULL,
  chain BLOB NOT NULL, entry_signature BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (book, owner)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_head (book TEXT NOT NULL, owner TEXT NOT NULL, number INTEGER NOT NULL,
  chain BLOB NOT NULL, entry_signature BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (book, owner)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_torn (book TEXT NOT NULL, owner TEXT NOT NULL, number INTEGER NOT NULL,
  octets BLOB NOT NULL, PRIMARY KEY (book, owner, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reading (meter TEXT NOT NULL, grid_s INTEGER NOT NULL, capture_us INTEGER,
  status TEXT NOT NULL, signature BLOB, digest BLOB NOT NULL, PRIMARY KEY (grid_s, meter)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (meter TEXT NOT NULL, grid_s INTEGER NOT NULL, position INTEGER NOT NULL,
  obis TEXT NOT NULL, kind TEXT NOT NULL, value, scaler INTEGER, unit INTEGER, status INTEGER, signature BLOB,
  PRIMARY KEY (grid_s, meter, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS derived (profile TEXT NOT NULL, at_s INTEGER NOT NULL, position INTEGER NOT NULL,
  kind TEXT NOT NULL, register TEXT NOT NULL, meter TEXT NOT NULL, value TEXT, scaler INTEGER, unit INTEGER,
  status TEXT NOT NULL, stage INTEGER, capture_us INTEGER, signature BLOB NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY (profile, at_s, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sent (number INTEGER PRIMARY KEY, profile TEXT NOT NULL, recipient TEXT NOT NULL,
  cause TEXT NOT NULL, begin_s INTEGER NOT NULL, end_s INTEGER NOT NULL, count INTEGER NOT NULL,
  sent_us INTEGER NOT NULL, signature BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS waiting (number INTEGER PRIMARY KEY, profile TEXT NOT NULL, delivery INTEGER NOT NULL,
  recipient TEXT NOT NULL, content TEXT NOT NULL, digest BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS evaluation (profile TEXT PRIMARY KEY, state TEXT NOT NULL, digest BLOB NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS register (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, octets BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fault (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

IMAGE_OCTETS = 4096
"""Size of an emulated firmware image (assumed; only its integrity matters)."""


def digest(octets: bytes) -> bytes:
    """SHA-256, the one hash that stored data are checked with."""
    return hashlib.sha256(octets).digest()


def firmware_image(name: str, version: str) -> bytes:
    """The octets of an image: the same for the same name and version."""
    blocks = (hashlib.sha256(f"{name}/{version}/{n}".encode()).digest() for n in range(IMAGE_OCTETS // 32))
    return b"".join(blocks)


def plain_json(value: Any) -> str:
    """JSON in the one form that is stored and hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class NonVolatileMemory:
    """Everything that survives a power cut; give the same object to the next gateway and it is the same unit.

    Args:
        path: file to keep it in (WAL, synchronous=FULL), or None for memory that lives as long as the process.
        durable: False: commits are not awaited on the disk, for a file that counts only once it is finished.

    Raises:
        UsageError: the file cannot be opened or is no memory of a gateway.
    """

    def __init__(self, path: Path | None = None, *, durable: bool = True) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(":memory:" if path is None else str(path), isolation_level=None)
            if path is not None and durable:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
            elif path is not None:
                self._db.execute("PRAGMA journal_mode=MEMORY")
                self._db.execute("PRAGMA synchronous=OFF")
                self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise UsageError(
                f"cannot use {path} as a gateway's memory: {error}", hint="name a new file in a folder that exists"
            ) from error

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._db.close()

    def commit(self, statements: Iterable[Statement]) -> None:
        """Carry out all `statements` or, when one fails, none of them."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for sql, group in groupby(statements, key=itemgetter(0)):
                self._db.executemany(sql, [parameters for _, parameters in group])
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        return self._db.execute(sql, parameters).fetchall()

    def dump(self) -> bytes:
        """The whole content as text, in a fixed order; two equal memories give equal dumps."""
        return "\n".join(self._db.iterdump()).encode()

    def setting(self, name: str, default: Any = None) -> Any:
        """A stored setting, or `default`; one that does not fit its digest is not used, the self-test tells of it."""
        rows = self.query("SELECT value, digest FROM setting WHERE name = ?", (name,))
        if not rows or digest(f"{name}={rows[0][0]}".encode()) != rows[0][1]:
            return default
        return json.loads(rows[0][0])

    def register(self, name: str) -> Any:
        """A battery-backed hardware register, None when never written."""
        rows = self.query("SELECT value FROM register WHERE name = ?", (name,))
        return json.loads(rows[0][0]) if rows else None

    def set_register(self, name: str, value: Any) -> None:
        """Write a hardware register; takes no time."""
        self.commit([("INSERT OR REPLACE INTO register VALUES (?, ?)", (name, plain_json(value)))])

    def secret(self, name: str) -> bytes | None:
        """A private key of the security module, PKCS #8 in DER; None when it holds none of that name."""
        rows = self.query("SELECT octets FROM secret WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def keep_secret(self, name: str, octets: bytes) -> None:
        """Put a private key into the security module."""
        self.commit([("INSERT OR REPLACE INTO secret VALUES (?, ?)", (name, octets))])

    def faults(self) -> dict[str, Any]:
        """The planted defects of this unit by name."""
        return {name: json.loads(value) for name, value in self.query("SELECT name, value FROM fault ORDER BY name")}

    def fault(self, name: str) -> Any:
        """One planted defect, None when the unit has none of that name."""
        rows = self.query("SELECT value FROM fault WHERE name = ?", (name,))
        return json.loads(rows[0][0]) if rows else None

    def plant_fault(self, name: str, value: Any) -> None:
        """Plant a defect; `value` None mends it."""
        if value is None:
            self.commit([("DELETE FROM fault WHERE name = ?", (name,))])
        else:
            self.commit([("INSERT OR REPLACE INTO fault VALUES (?, ?)", (name, plain_json(value)))])

    def image(self, slot: str) -> tuple[str, bytes, bytes] | None:
        """Version, octets and expected digest of a firmware image, None when the slot is empty."""
        rows = self.query("SELECT version, octets, digest FROM image WHERE slot = ?", (slot,))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    def flip_bit(self, of: str, rng: random.Random) -> str:
        """Flip one bit where it lies, digests untouched; returns where, None of the checks is told.

        Args:
            of: ``firmware``, ``kernel``, ``update_partition``, ``log``; ``database``: a reading, or a setting when
                there is none; ``signature`` of a value; ``derived`` value; ``setting``; ``profile``.
            rng: chooses the place.

        Raises:
            UsageError: there is nothing of that kind to damage.
        """
        if of in {"firmware", "kernel", "update_partition"}:
            return self._flip_image(of, rng)
        if of == "log":
            return self._flip_log(rng)
        if of == "database":
            return self._flip_reading(rng)
        if of in {"signature", "derived"}:
            return self._flip_signature(of, rng)
        if of in {"setting", "profile"}:
            return self._flip_setting(rng, profile=of == "profile")
        known = "firmware, kernel, update_partition, database, log, signature, derived, setting, profile"
        raise UsageError(f"flip_bit: there is no {of!r} in a gateway's memory", hint=f"one of {known}")

    def _flip_image(self, slot: str, rng: random.Random) -> str:
        stored = self.image(slot)
        if stored is None:
            raise UsageError(f"flip_bit: the memory holds no image in slot {slot!r}", hint="power the gateway on once")
        octets = bytearray(stored[1])
        octet, bit = rng.randrange(len(octets)), rng.randrange(8)
        octets[octet] ^= 1 << bit
        self.commit([("UPDATE image SET octets = ? WHERE slot = ?", (bytes(octets), slot))])
        return f"{slot} octet {octet} bit {bit}"

    def _flip_log(self, rng: random.Random) -> str:
        keys = self.query("SELECT book, owner, number, text FROM log ORDER BY book, owner, number")
        if not keys:
            raise UsageError("flip_bit: the log books are empty", hint="power the gateway on once")
        book, owner, number, text = keys[rng.randrange(len(keys))]
        place = rng.randrange(len(text))
        bent = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        where = (bent, book, owner, number)
        self.commit([("UPDATE log SET text = ? WHERE book = ? AND owner = ? AND number = ?", where)])
        return f"{book} log entry {number}"

    def _flip_reading(self, rng: random.Random) -> str:
        """In one of the latest readings; in a setting when nothing was read yet."""
        rows = self.query(
            "SELECT meter, grid_s, position, value FROM entry WHERE kind = 'int' ORDER BY grid_s DESC, meter, position"
            " LIMIT 64"
        )
        if rows:
            meter, grid_s, position, value = rows[rng.randrange(len(rows))]
            bent = str(int(value) ^ (1 << rng.randrange(16)))
            change = "UPDATE entry SET value = ? WHERE meter = ? AND grid_s = ? AND position = ?"
            self.commit([(change, (bent, meter, grid_s, position))])
            return f"value of {meter} at {grid_s}"
        return self._flip_setting(rng, profile=False)

    def _flip_signature(self, of: str, rng: random.Random) -> str:
        """In the signature of one of the latest values."""
        table, keys = (
            ("entry", "meter, grid_s, position") if of == "signature" else ("derived", "profile, at_s, position")
        )
        who, when, _ = keys.split(", ")
        rows = self.query(
            f"SELECT {keys}, signature FROM {table} WHERE signature NOT NULL ORDER BY {when} DESC, {keys} LIMIT 64"
        )
        if not rows:
            raise UsageError(f"flip_bit: there is no {of} yet", hint="let a meter be read before")
        *key, signature = rows[rng.randrange(len(rows))]
        octets = bytearray(signature)
        octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
        change = f"UPDATE {table} SET signature = ? WHERE {who} = ? AND {when} = ? AND position = ?"
        self.commit([(change, (bytes(octets), *key))])
        return f"signature of a value of {key[0]} at {key[1]}"

    def _flip_setting(self, rng: random.Random, *, profile: bool) -> str:
        settings = [
            row
            for row in self.query("SELECT name, value FROM setting ORDER BY name")
            if row[0].startswith("profile/") == profile and not row[0].startswith("certificate/")
        ]
        if not settings:
            what = "profile" if profile else "setting"
            raise UsageError(f"flip_bit: the database holds no {what}", hint="power the gateway on once")
        name, text = settings[rng.randrange(len(settings))]
        place = rng.randrange(len(text))
        bent = text[:place] + chr(ord(text[place]) ^ (1 << rng.randrange(5))) + text[place + 1 :]
        self.commit([("UPDATE setting SET value = ? WHERE name = ?", (bent, name))])
        return f"setting {name}"


def setting_statement(name: str, value: Any) -> Statement:
    """The statement that stores a setting together with its digest."""
    text = plain_json(value)
    return ("INSERT OR REPLACE INTO setting VALUES (?, ?, ?)", (name, text, digest(f"{name}={text}".encode())))
