"""A gateway's memory that is only read, such as the one that a simulation has left in its folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

from devices.errors import UsageError
from firmware.storage.memory import NonVolatileMemory, Statement

_NEEDED: Final = frozenset(("setting", "image", "log", "reading", "entry", "derived"))


class KeptMemory(NonVolatileMemory):
    """The memory in a file, opened for reading; nothing in it is changed.

    Raises:
        UsageError: there is no such file, or it is no memory of a gateway.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise UsageError(f"there is no gateway's memory {path}", hint="`smgw-bench simulate --out DIR` makes one")
        try:
            # Without a log beside it nobody is writing, and then SQLite need not make files of its own to read it.
            way = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
            self._db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{way}", uri=True, isolation_level=None)
            tables = {row[0] for row in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            columns = {row[1] for row in self._db.execute("PRAGMA table_info(entry)")}
        except sqlite3.Error as error:
            raise UsageError(f"{path} is no memory of a gateway: {error}") from None
        if _NEEDED - tables or "signature" not in columns:
            self._db.close()
            raise UsageError(f"{path} is no memory of a gateway, or of one that did not sign its values yet")

    def commit(self, statements: Iterable[Statement]) -> NoReturn:
        """Refused: what was kept stays as it is."""
        raise UsageError(f"{self.path} is only read")
