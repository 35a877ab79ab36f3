"""Records what SQLite does to its files: a layer over its own file system layer, put in through ctypes.

SQLite's C interface (sqlite3.h, "OS Interface Object", "OS Interface File Virtual Methods Object"). It works where
Python's sqlite3 uses the shared library; elsewhere nothing is recorded, which `works` tells.
"""

from __future__ import annotations

import ctypes
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_CLOSE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)

_WORD = ctypes.sizeof(ctypes.c_void_p)
_VFS_WORDS, _NAME, _X_OPEN, _X_DELETE = 22, 3, 5, 6
_METHOD_WORDS, _X_CLOSE, _X_WRITE, _X_TRUNCATE, _X_SYNC = 19, 1, 3, 4, 5


@dataclass(frozen=True, slots=True)
class FileEvent:
    """Something done to a file.

    Attributes:
        kind: ``write``, ``truncate``, ``sync``, ``delete``; ``commit`` when the caller was told that it is stored.
        path: which file; empty for a commit.
        offset: of a write; the new size of a truncation; the number of a commit.
        data: what was written.
    """

    kind: str
    path: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass
class Recording:
    """All that happened, in its order."""

    events: list[FileEvent] = field(default_factory=list)

    def committed(self, number: int) -> None:
        """The caller was told that commit `number` is stored."""
        self.events.append(FileEvent("commit", offset=number))


def _library() -> ctypes.CDLL | None:
    for name in ("libsqlite3.so.0", "libsqlite3.dylib"):
        try:
            found = ctypes.CDLL(name)
        except OSError:
            continue
        found.sqlite3_vfs_find.restype = ctypes.c_void_p
        found.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
        found.sqlite3_vfs_register.argtypes = [ctypes.c_void_p, ctypes.c_int]
        found.sqlite3_vfs_unregister.argtypes = [ctypes.c_void_p]
        return found
    return None


def works(folder: Path) -> bool:
    """Whether what Python's sqlite3 does can be recorded here."""
    if _WORD != 8 or _library() is None:
        return False
    with recording() as seen:
        database = sqlite3.connect(folder / "probe.db")
        database.execute("CREATE TABLE probe (x)")
        database.close()
    return any(event.kind == "sync" for event in seen.events)


@contextmanager
def recording() -> Iterator[Recording]:
    """Databases that are opened inside are recorded until they are closed."""
    library = _library()
    assert library is not None
    seen = Recording()
    own = library.sqlite3_vfs_find(None)
    words = ctypes.c_void_p * _VFS_WORDS
    layer = words.from_buffer_copy(ctypes.string_at(own, _VFS_WORDS * _WORD))
    name = ctypes.create_string_buffer(b"recorded")
    layer[_NAME] = ctypes.addressof(name)
    open_own, delete_own = _OPEN(layer[_X_OPEN] or 0), _DELETE(layer[_X_DELETE] or 0)
    methods: dict[int, ctypes.Array[ctypes.c_void_p]] = {}
    kept: list[object] = [name, layer, methods]
    paths: dict[int, str] = {}
    originals: dict[int, tuple[object, ...]] = {}

    def write(file: int, data: int, count: int, offset: int) -> int:
        seen.events.append(FileEvent("write", paths[file], offset, ctypes.string_at(data, count)))
        return originals[file][1](file, data, count, offset)  # type: ignore[operator, no-any-return]

    def truncate(file: int, size: int) -> int:
        seen.events.append(FileEvent("truncate", paths[file], size))
        return originals[file][2](file, size)  # type: ignore[operator, no-any-return]

    def sync(file: int, flags: int) -> int:
        result = originals[file][3](file, flags)  # type: ignore[operator]
        if result == 0:
            seen.events.append(FileEvent("sync", paths[file]))
        return int(result)

    def close(file: int) -> int:
        return originals[file][0](file)  # type: ignore[operator, no-any-return]

    replaced = ((_X_CLOSE, _CLOSE(close)), (_X_WRITE, _WRITE(write)), (_X_TRUNCATE, _TRUNCATE(truncate)),
                (_X_SYNC, _SYNC(sync)))  # fmt: skip
    kept.append(replaced)

    def opened(_: int, path: int | None, file: int, flags: int, out: int | None) -> int:
        result = int(open_own(own, path, file, flags, out))
        place = ctypes.c_void_p.from_address(file)
        if result == 0 and place.value and path:
            table = (ctypes.c_void_p * _METHOD_WORDS).from_buffer_copy(
                ctypes.string_at(place.value, _METHOD_WORDS * _WORD)
            )
            originals[file] = (
                _CLOSE(table[_X_CLOSE] or 0), _WRITE(table[_X_WRITE] or 0), _TRUNCATE(table[_X_TRUNCATE] or 0),
                _SYNC(table[_X_SYNC] or 0),
            )  # fmt: skip
            for index, function in replaced:
                table[index] = ctypes.cast(function, ctypes.c_void_p).value
            methods[file], paths[file] = table, ctypes.string_at(path).decode()
            kept.append(table)
            place.value = ctypes.addressof(table)
        return result

    def deleted(_: int, path: bytes, sync_folder: int) -> int:
        seen.events.append(FileEvent("delete", path.decode()))
        return int(delete_own(own, path, sync_folder))

    in_place = (_OPEN(opened), _DELETE(deleted))
    kept.append(in_place)
    for index, function in zip((_X_OPEN, _X_DELETE), in_place, strict=True):
        layer[index] = ctypes.cast(function, ctypes.c_void_p).value
    library.sqlite3_vfs_register(ctypes.addressof(layer), 1)
    try:
        yield seen
    finally:
        library.sqlite3_vfs_register(own, 1)
        library.sqlite3_vfs_unregister(ctypes.addressof(layer))
        _KEPT.append(kept)


_KEPT: list[object] = []
"""Open databases go on using the layer after it was taken out."""
