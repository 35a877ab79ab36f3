"""The folder of a stand-alone gateway: its memory, its meters, what was made up for its users, and who it is."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.store import write_json
from devices.errors import BenchError, Place, UsageError

SCHEMA: Final = "smgw-bench/gateway/1"
MEMORY: Final = "memory.sqlite"
SOCKET: Final = "control.sock"
_IDENTITY: Final = "gateway.json"
_LOCK: Final = "gateway.lock"
CRASHES: Final = "crashes.log"
_PART: Final = f"{_IDENTITY}.part"
_BEFORE_IDENTITY: Final = frozenset((_LOCK, _PART, CRASHES))
"""Files that a start leaves behind which was killed early, or was refused."""
_COPIES: Final = re.compile(r"given-[0-9a-f]{16}")
"""Names of folders with copies of the files that it was given."""
_LONGEST_SOCKET: Final = 100
"""Octets of a socket's path that every system takes."""


@dataclass(frozen=True)
class Kept:
    """Who the gateway in a folder is.

    Attributes:
        type: product.
        device_id: number on its case.
        origin: instant at which its meters began to count.
        began: begin of its values.
        passwords: of users for whom one was made, by id.
        applied: id -> hash of the profile that the gateway was last given.
        begins: contract -> first instant that was worked out for it, ISO 8601.
        given: folder, below its own, of the copies of the files that it was given; empty: it was given none.
        files: name of each of these copies -> its SHA-256, hex; empty with `given`: noted by an earlier version.
    """

    type: str
    device_id: str
    origin: datetime
    began: datetime
    passwords: Mapping[str, str] = field(default_factory=dict)
    applied: Mapping[str, str] = field(default_factory=dict)
    begins: Mapping[str, str] = field(default_factory=dict)
    given: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


class DataFolder:
    """A folder that is in use by this process; use as a context manager.

    Attributes:
        path: where it is.
        temporary: it was made for this run, and nobody named it.
        kept: who the gateway is; None: the folder is new.
    """

    def __init__(self, path: Path | None) -> None:
        """Take the folder over, a new one under the system's temporary folder when `path` is None.

        Raises:
            UsageError: a file, or a folder that holds something else.
            BenchError: it cannot be used, or another process does.
        """
        self.temporary = path is None
        self._lock = -1
        self._made: list[Path] = []
        try:
            self.path = Path(tempfile.mkdtemp(prefix="smgw-gateway-")) if path is None else path
            if self.path.exists() and not self.path.is_dir():
                raise UsageError(f"--data: {self.path} is a file, a folder is wanted")
            self._made = [one for one in (self.path, *self.path.parents) if not one.exists()]
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise BenchError(f"{path} cannot be used: {error.strerror}") from error
        self._check_ours()
        self._take()
        try:
            self.kept = self._read()
        except BaseException:
            self.release()
            raise
        self._new = self.kept is None
        self._refused = False

    def __enter__(self) -> DataFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def memory(self) -> Path:
        """The gateway's memory."""
        return self.path / MEMORY

    @property
    def meters(self) -> Path:
        """Folder in which wired meters keep keys and counters."""
        return self.path / "meters"

    @property
    def certificates(self) -> Path:
        """Folder of keys and certificates that were made for users."""
        return self.path / "certificates"

    @property
    def socket(self) -> Path:
        """The control socket."""
        return socket_of(self.path)

    @property
    def _identity(self) -> Path:
        return self.path / _IDENTITY

    def keep(self, kept: Kept) -> None:
        """Write down who the gateway is. Raises BenchError."""
        self.kept = kept
        told = asdict(kept) | {"origin": kept.origin.isoformat(), "began": kept.began.isoformat()}
        write_json(self._identity, {"schema": SCHEMA, **told})

    def note(self, **changes: Any) -> None:
        """Change some of it. Raises BenchError."""
        assert self.kept is not None
        self.keep(replace(self.kept, **changes))

    def refuse(self) -> None:
        """The gateway does not take what it was given at this start: a new one is no gateway then."""
        self._refused = True

    def clear_if_new(self) -> None:
        """Make the folder what it was before, when it was new and the gateway has no memory, or was refused."""
        if not self._new or (self.memory.exists() and not self._refused):
            return
        with contextlib.suppress(OSError):
            for one in sorted(self.path.glob(f"{MEMORY}*")):
                one.unlink(missing_ok=True)
            for one in (self.certificates, self.meters, *copies_in(self.path)):
                shutil.rmtree(one, ignore_errors=True)
            for name in (_IDENTITY, _PART, _LOCK):  # whoever has a new lock must not find this identity
                (self.path / name).unlink(missing_ok=True)
            for made in self._made:
                made.rmdir()

    def release(self) -> None:
        """Leave the folder to others; may be called twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _check_ours(self) -> None:
        """Raise UsageError for a folder of something else; what is left of a start that was broken off is ours."""
        if self._identity.exists():
            return
        if self.memory.exists():
            raise UsageError(
                f"{self.path} holds the memory of something else than `smgw-bench gateway`", hint="name a new folder"
            )
        try:
            strange = sorted(
                one.name for one in self.path.iterdir() if one.name not in _BEFORE_IDENTITY and not _holds_copies(one)
            )
        except OSError as error:
            raise BenchError(f"{self.path} cannot be used: {error.strerror}") from error
        if strange:
            more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
            raise UsageError(
                f"--data: {self.path} is no gateway's folder: it holds {strange[0]!r}{more}",
                hint="name a new or an empty one",
            )

    def _take(self) -> None:
        try:
            self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._lock, 20, 0).decode(errors="replace").strip()
            self.release()
            who = f" (process {holder})" if holder else ""
            raise BenchError(f"{self.path} is in use{who}: end that gateway, or name another folder") from None
        except OSError as error:
            self.release()
            raise BenchError(f"{self.path} cannot be used: {error.strerror}") from error
        if os.fstat(self._lock).st_nlink == 0:
            self.release()
            raise BenchError(f"{self.path} was cleared by another process at this moment: try again")

    def _read(self) -> Kept | None:
        try:
            told = json.loads(self._identity.read_text("utf-8"))
            schema, origin, began = (told.pop(name) for name in ("schema", "origin", "began"))
            kept = Kept(origin=datetime.fromisoformat(origin), began=datetime.fromisoformat(began), **told)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"this does not say which gateway it is: {error}", place=Place(self._identity)) from None
        except OSError as error:
            raise BenchError(f"{self._identity} cannot be read: {error.strerror}") from error
        if schema != SCHEMA:
            raise UsageError("this is that of something else than a stand-alone gateway", place=Place(self._identity))
        return kept


def copies_name(digest: str) -> str:
    """The name of the folder with copies of that digest, hex."""
    return f"given-{digest[:16]}"


def copies_in(folder: Path) -> list[Path]:
    """All folders of copies in that of a gateway, also those that do not count."""
    return [one for one in folder.iterdir() if _holds_copies(one)]


def _holds_copies(path: Path) -> bool:
    return _COPIES.fullmatch(path.name) is not None and path.is_dir() and not path.is_symlink()


def socket_of(folder: Path) -> Path:
    """The control socket of the gateway in a folder."""
    return folder / SOCKET


@contextlib.contextmanager
def short_name(path: Path) -> Any:
    """A name of a socket that is short enough for the system: that of its folder by descriptor where it is long."""
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
