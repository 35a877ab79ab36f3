"""Power cuts below SQLite: the files as any cut may leave them, opened again as the next start does.

What is replayed is what SQLite really did: `recorded_vfs` notes each write, truncation and sync of the database and
its log while the commits of a busy morning go into a file. A cut behind any of these keeps everything that was synced;
of the rest it keeps all, nothing, or any sectors of 512 octets in any order. Whatever it keeps, the file must open to
exactly one of the committed states, and never to one that is older than the last commit that was acknowledged.

What this does not prove is in docs/storage.md: it takes the disk at its word that a sync is one.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cut_rack
import pytest
from recorded_vfs import FileEvent, recording, works

from devices.clock import VirtualLoop
from firmware.storage.memory import NonVolatileMemory

SECTOR = 512
CHECKPOINT_PAGES = 20
"""So that the log is written back into the database several times within the story (SQLite's default: 1000)."""


@cache
def _story() -> list[list[tuple[str, object]]]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(cut_rack.uncut("casa")).statements  # type: ignore[return-value]


def _state(memory: NonVolatileMemory) -> str:
    return hashlib.sha256(memory.dump()).hexdigest()


def _opened(path: Path) -> str:
    """The state to which a file opens, as at a start; its structure is sound."""
    memory = NonVolatileMemory(path)
    try:
        assert memory.query("PRAGMA integrity_check") == [("ok",)]
        return _state(memory)
    finally:
        memory.close()


@dataclass(frozen=True)
class Recorded:
    """What was done to the files, by name, and the states behind the commits; the first is that of the empty memory."""

    events: list[FileEvent]
    states: list[str]
    begin: dict[str, bytes]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("recorded")
    if not works(folder):
        pytest.skip("Python's sqlite3 has its own copy of SQLite here, which cannot be watched")
    path = folder / "unit.db"
    with recording() as seen:
        memory = NonVolatileMemory(path)
        memory.query(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        begin, first = _files(path), len(seen.events)
        states = [_state(memory)]
        for number, statements in enumerate(_story(), 1):
            memory.commit(statements)
            seen.committed(number)
            states.append(_state(memory))
        memory.close()
        events = [event for event in seen.events[first:] if event.kind == "commit" or "unit.db" in event.path]
    assert not any(event.path.endswith("-journal") for event in events)
    return Recorded(events, states, begin)


def _files(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in path.parent.glob("unit.db*") if not one.name.endswith("-shm")}


class Disk:
    """Files as a disk holds them: what was synced, and what was written since; a deleted file may still be there."""

    def __init__(self, begin: dict[str, bytes]) -> None:
        self.synced = dict(begin)
        self.since: dict[str, list[FileEvent]] = {}
        self.deleted: set[str] = set()
        self.commits = 0

    def take(self, event: FileEvent) -> None:
        """One event more."""
        if event.kind == "commit":
            self.commits = event.offset
            return
        name = Path(event.path).name
        if event.kind == "sync":
            self.synced[name] = self._after(name, self.since.pop(name, []))
        elif event.kind == "delete":
            self.deleted.add(name)
        else:
            self.since.setdefault(name, []).append(event)

    def everything(self) -> dict[str, bytes]:
        """All that was written reached the disk."""
        files = {**self.synced, **{name: self._after(name, events) for name, events in self.since.items()}}
        return {name: octets for name, octets in files.items() if name not in self.deleted}

    def any_sectors(self, rng: random.Random) -> dict[str, bytes]:
        """Some of what was written since the last sync reached it, in any order."""
        return {**self.synced, **{name: self._some(name, rng) for name in self.since}}

    def _some(self, name: str, rng: random.Random) -> bytes:
        pieces: list[FileEvent] = []
        for event in self.since[name]:
            if event.kind != "write":
                pieces.append(event)
                continue
            place = event.offset
            while place < event.offset + len(event.data):
                end = min((place // SECTOR + 1) * SECTOR, event.offset + len(event.data))
                data = event.data[place - event.offset : end - event.offset]
                pieces.append(FileEvent("write", event.path, place, data))
                place = end
        chosen = [piece for piece in pieces if rng.random() < 0.7]
        rng.shuffle(chosen)
        return self._after(name, chosen)

    def _after(self, name: str, events: list[FileEvent]) -> bytes:
        octets = bytearray(self.synced.get(name, b""))
        for event in events:
            if event.kind == "truncate":
                del octets[event.offset :]
                octets.extend(bytes(event.offset - len(octets)))
            elif event.kind == "write":
                octets.extend(bytes(max(0, event.offset - len(octets))))
                octets[event.offset : event.offset + len(event.data)] = event.data
        return bytes(octets)


def _put(folder: Path, files: dict[str, bytes]) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, octets in files.items():
        (folder / name).write_bytes(octets)
    return folder / "unit.db"


def _cuts(recorded: Recorded) -> Iterator[tuple[int, Disk]]:
    disk = Disk(recorded.begin)
    yield 0, disk
    for number, event in enumerate(recorded.events, 1):
        disk.take(event)
        yield number, disk


def test_every_commit_is_synced_before_it_is_acknowledged(recorded: Recorded) -> None:
    disk = Disk(recorded.begin)
    for event in recorded.events:
        disk.take(event)
        if event.kind == "commit":
            assert not any(one.endswith("-wal") for one in disk.since), f"commit {event.offset} was not synced"
    assert disk.deleted == {"unit.db-wal"}, "closing it has not written the log back"
    kinds = [(event.kind, Path(event.path).name) for event in recorded.events]
    assert kinds.count(("sync", "unit.db-wal")) >= len(_story())
    assert kinds.count(("sync", "unit.db")) >= 3, "the log was never written back"


def test_a_cut_behind_any_write_leaves_one_of_the_committed_states(recorded: Recorded, tmp_path: Path) -> None:
    seen = set()
    for number, disk in _cuts(recorded):
        state = _opened(_put(tmp_path / "unit", disk.everything()))
        assert state in recorded.states[disk.commits : disk.commits + 2], f"behind event {number}"
        seen.add(state)
    assert seen == set(recorded.states)


def test_a_cut_that_loses_all_that_was_not_synced_loses_nothing_acknowledged(
    recorded: Recorded, tmp_path: Path
) -> None:
    known: dict[int, str] = {}
    for number, disk in _cuts(recorded):
        files = hash(tuple(sorted(disk.synced.items())))
        if files not in known:
            known[files] = _opened(_put(tmp_path / "unit", disk.synced))
        assert known[files] in recorded.states[disk.commits : disk.commits + 2], f"behind event {number}"


def test_a_cut_that_keeps_any_sectors_leaves_one_of_the_committed_states(recorded: Recorded, tmp_path: Path) -> None:
    rng = random.Random(20260105)
    torn = 0
    for number, disk in _cuts(recorded):
        if not disk.since or (len(disk.since) == 1 and rng.random() < 0.4):
            continue
        state = _opened(_put(tmp_path / "unit", disk.any_sectors(rng)))
        assert state in recorded.states[disk.commits : disk.commits + 2], f"behind event {number}"
        torn += 1
    assert torn > 100


def test_a_memory_that_does_not_sync_is_found(recorded: Recorded, tmp_path: Path) -> None:
    """The proof of the proof: without the syncs the same cuts lose what was acknowledged."""
    events = [event for event in recorded.events if event.kind != "sync"]
    lost = 0
    for _, disk in _cuts(Recorded(events, recorded.states, recorded.begin)):
        if disk.commits in (5, 15) and _opened(_put(tmp_path / "unit", disk.synced)) != recorded.states[disk.commits]:
            lost += 1
    assert lost


# --- the log alone, cut off anywhere; needs no recording


_HEADER, _FRAME_HEADER = 32, 24


@dataclass(frozen=True)
class Logged:
    """A database whose commits all lie in its log.

    Attributes:
        database, log, index: octets of the file, of its ``-wal`` and its ``-shm``.
        page: size of a page.
        ends: size of the log behind each commit; `states` beside.
        states: as in `Recorded`.
    """

    database: bytes
    log: bytes
    index: bytes
    page: int
    ends: list[int]
    states: list[str]

    @property
    def frames(self) -> range:
        """Where frames begin."""
        return range(_HEADER, len(self.log), _FRAME_HEADER + self.page)

    def state_of(self, size: int) -> str:
        """The state of the last commit whose frames lie within the first `size` octets of the log."""
        return [state for end, state in zip(self.ends, self.states, strict=True) if end <= size][-1]

    def write(self, folder: Path, log: bytes, *, index: bool = False) -> Path:
        """The files with another log; `index`: with the shared memory file as it was, too."""
        path = _put(folder, {"unit.db": self.database, "unit.db-wal": log})
        if index:
            path.with_name("unit.db-shm").write_bytes(self.index)
        return path


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    path = tmp_path_factory.mktemp("logged") / "unit.db"
    NonVolatileMemory(path).close()  # the tables lie in the database by then
    memory = NonVolatileMemory(path)
    memory.query("PRAGMA wal_autocheckpoint=0")
    log = path.with_name("unit.db-wal")
    ends, states = [0], [_state(memory)]
    for statements in _story():
        memory.commit(statements)
        ends.append(log.stat().st_size)
        states.append(_state(memory))
    index = path.with_name("unit.db-shm").read_bytes()
    found = Logged(path.read_bytes(), log.read_bytes(), index, 0, ends, states)
    memory.close()
    (page,) = struct.unpack(">I", found.log[8:12])
    return Logged(found.database, found.log, index, page, ends, states)


@pytest.mark.parametrize("index", [False, True], ids=["without index", "with its old index"])
def test_a_log_that_ends_at_any_frame_opens_to_the_last_whole_commit(
    logged: Logged, tmp_path: Path, index: bool
) -> None:
    seen = set()
    for size in [0, *logged.frames, len(logged.log)]:
        state = _opened(logged.write(tmp_path / "unit", logged.log[:size], index=index))
        assert state == logged.state_of(size), f"log of {size} octets"
        seen.add(state)
    assert seen == set(logged.states)


@pytest.mark.parametrize("index", [False, True], ids=["without index", "with its old index"])
def test_a_log_that_ends_inside_a_frame_opens_to_the_last_whole_commit(
    logged: Logged, tmp_path: Path, index: bool
) -> None:
    rng = random.Random(7)
    for frame in logged.frames:
        size = frame + rng.randrange(1, _FRAME_HEADER + logged.page)
        state = _opened(logged.write(tmp_path / "unit", logged.log[:size], index=index))
        assert state == logged.state_of(size), f"log of {size} octets"


def test_a_torn_last_frame_undoes_its_commit_and_no_other(logged: Logged, tmp_path: Path) -> None:
    """Bits that flipped, sectors that are zero, or octets of something else where the last frame should be."""
    rng = random.Random(11)
    for end in logged.ends[1:]:
        begin = end - _FRAME_HEADER - logged.page
        for how in ("bit", "zeros", "noise"):
            log = bytearray(logged.log[:end])
            if how == "bit":
                log[begin + rng.randrange(_FRAME_HEADER + logged.page)] ^= 1 << rng.randrange(8)
            else:
                sector = begin + rng.randrange(0, _FRAME_HEADER + logged.page - SECTOR)
                log[sector : sector + SECTOR] = bytes(SECTOR) if how == "zeros" else rng.randbytes(SECTOR)
            if log == logged.log[:end]:
                continue  # there were zeros already
            state = _opened(logged.write(tmp_path / "unit", bytes(log)))
            assert state == logged.state_of(begin), f"{how} in the frame at {begin}"
