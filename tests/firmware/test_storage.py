"""Memory and writer: atomic commits that take time, cuts at any instant, damage that is really there."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from devices.clock import Clock
from devices.errors import SmgwBenchError, UsageError
from firmware.metering.values import Entry, Reading, as_rows, broken_readings, last_grid, read, store
from firmware.storage.memory import NonVolatileMemory, setting_statement
from firmware.storage.writer import StorageWriter


def _reading(grid_s: int, value: int = 5) -> Reading:
    entries = (Entry("1-0:1.8.0*255", value, -1, 30), Entry("1-0:96.1.0*255", b"\x0a\x01"))
    return Reading("1SAG0021061001", grid_s, grid_s * 1_000_000 + 7, "A000000020000000", entries)


@pytest.mark.parametrize(("cut_at", "there"), [(0.0, False), (0.005, False), (0.00999, False), (0.0101, True)])
async def test_a_commit_that_is_cut_before_its_end_leaves_nothing(clock: Clock, cut_at: float, there: bool) -> None:
    memory = NonVolatileMemory()
    writer = StorageWriter(clock, memory, 0.01)
    writer.put([setting_statement("a", 1), setting_statement("b", 2)])
    await clock.sleep(cut_at)
    writer.cut()
    await clock.sleep(1)
    assert (memory.setting("a"), memory.setting("b")) == ((1, 2) if there else (None, None))
    memory.close()


async def test_whoever_waits_for_a_commit_that_is_cut_is_told(clock: Clock) -> None:
    memory = NonVolatileMemory()
    writer = StorageWriter(clock, memory, 0.01)
    waiting = asyncio.ensure_future(writer.commit([setting_statement("a", 1)]))
    await clock.sleep(0.002)
    later = asyncio.ensure_future(writer.commit([setting_statement("b", 1)]))
    await clock.sleep(0.002)
    writer.cut()
    for task in (waiting, later):
        with pytest.raises(SmgwBenchError, match="lost its power"):
            await task
    writer.put([setting_statement("c", 1)])
    with pytest.raises(SmgwBenchError, match="lost its power"):
        await writer.flush()
    await clock.sleep(1)
    assert [memory.setting(name) for name in "abc"] == [None] * 3
    memory.close()


async def test_what_is_handed_in_during_a_commit_goes_into_the_next_one(clock: Clock) -> None:
    memory = NonVolatileMemory()
    writer = StorageWriter(clock, memory, 0.01)
    writer.put([setting_statement("a", 1)])
    await clock.sleep(0.004)
    writer.put([setting_statement("b", 2)])
    await clock.sleep(0.008)
    assert (memory.setting("a"), memory.setting("b")) == (1, None)
    await writer.flush()
    assert memory.setting("b") == 2
    assert clock.seconds() == pytest.approx(0.02)
    memory.close()


async def test_a_failing_statement_undoes_the_whole_commit() -> None:
    memory = NonVolatileMemory()
    with pytest.raises(Exception, match="no such table"):
        memory.commit([setting_statement("a", 1), ("INSERT INTO nowhere VALUES (1)", ())])
    assert memory.setting("a") is None
    memory.close()


def test_readings_come_back_exactly() -> None:
    memory = NonVolatileMemory()
    odd = Reading(
        "m", 900, 901, "A000000020000000", (Entry("1-0:2.8.0*255", (1 << 64) - 1, -3, 30), Entry("x", True, status=4))
    )
    memory.commit(store([odd, _reading(900)]))
    assert set(read(memory)) == {odd, _reading(900)}
    assert as_rows(_reading(900))[0]["value"] == "0.5"
    assert as_rows(_reading(900))[0]["unit"] == "Wh"
    assert as_rows(_reading(900))[1]["value"] == "0a01"
    assert last_grid(memory, "1SAG0021061001") == 900
    memory.close()


def test_an_instant_that_is_stored_stays_as_it_is() -> None:
    memory = NonVolatileMemory()
    memory.commit(store([_reading(900, 5)]))
    memory.commit(store([_reading(900, 6)]))
    assert read(memory) == [_reading(900, 5)]
    assert not broken_readings(memory, 100)
    memory.close()


def test_a_flipped_bit_of_a_reading_is_found() -> None:
    memory = NonVolatileMemory()
    memory.commit(store([_reading(900), _reading(1800)]))
    memory.flip_bit("database", random.Random(1))
    assert len(broken_readings(memory, 100)) == 1
    memory.close()


def test_nothing_is_there_to_be_damaged() -> None:
    memory = NonVolatileMemory()
    for what in ("firmware", "log", "database"):
        with pytest.raises(UsageError, match="flip_bit"):
            memory.flip_bit(what, random.Random(1))
    with pytest.raises(UsageError, match="one of firmware"):
        memory.flip_bit("moon", random.Random(1))
    memory.close()


def test_a_file_keeps_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "unit.db"
    memory = NonVolatileMemory(path)
    memory.commit(store([_reading(900)]))
    memory.close()
    again = NonVolatileMemory(path)
    assert read(again) == [_reading(900)]
    assert again.query("PRAGMA synchronous")[0][0] == 2
    again.close()


def test_a_file_that_is_no_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear Sir or Madam, " * 500)
    with pytest.raises(UsageError, match=r"letter\.txt"):
        NonVolatileMemory(path)
    with pytest.raises(UsageError, match="folder"):
        NonVolatileMemory(tmp_path / "nowhere" / "unit.db")
