"""Mains go at every instant of an update: a meter that works, and a log that tells the truth (lmn-wired 5.6)."""

from __future__ import annotations

import random

import pytest
from smarty_tool import IMAGE, Silent, Tool, events

from devices.clock import Clock
from devices.meters.smarty_bz import SmartyBz
from devices.meters.update_log_store import CHUNK, Firmware, Journal, NonVolatile, PowerLost, SafeRecord
from devices.protocols.app_image import AppImage, Version, build_image
from devices.protocols.smarty_service import Command
from devices.protocols.smarty_update import Stage
from devices.protocols.update_log import Event, UpdateLogEntry

NEXT = build_image(b"the firmware after that" * 20, Version(3, 0))
FIRST = UpdateLogEntry(1, 0, Event.FAILED, 0, 0)


def make(clock: Clock) -> tuple[SmartyBz, Tool]:
    meter = SmartyBz(clock, history=[FIRST], rng=random.Random(3))
    return meter, Tool(meter)


async def run(clock: Clock, tool: Tool, image: bytes = IMAGE) -> None:
    """An update as far as the mains let it."""
    try:
        await tool.update(clock, image)
    except Silent:
        await clock.sleep(30)


async def back_and_sound(clock: Clock, meter: SmartyBz, tool: Tool) -> list[int]:
    """Mains come back; the meter works, its log is true, and another update succeeds. The events before that."""
    assert not meter.metrology.powered
    await clock.sleep(10)
    meter.power(True)
    entries = tool.true_log()
    found = events(entries)
    assert tool.firmware() == ("ENSO-MME V2.1" if 1 in found else "ENSO-MME V2.0")
    assert tool.state().stage is Stage.IDLE
    assert (await tool.update(clock, NEXT)).stage is Stage.DONE
    assert tool.true_log()[: len(entries)] == entries
    assert events(tool.true_log()) == [*found, 1]
    return found


async def test_mains_cut_at_every_write_leave_the_old_firmware_or_the_new_one_each_with_its_entry(clock: Clock) -> None:
    meter, tool = make(clock)
    seen: list[str] = []
    meter.metrology_cpu.store.memory.on_write = seen.append
    await run(clock, tool)
    assert events(tool.true_log()) == [0, 1]
    assert len(seen) == meter.metrology_cpu.store.memory.writes > 12
    outcomes = []
    for number in range(len(seen)):
        meter, tool = make(clock)
        left = [number]

        def cut(_: str, left: list[int] = left, meter: SmartyBz = meter) -> None:
            left[0] -= 1
            if left[0] < 0:
                meter.metrology_cpu.store.memory.on_write = None
                meter.power(False)

        meter.metrology_cpu.store.memory.on_write = cut
        await run(clock, tool)
        outcomes.append(await back_and_sound(clock, meter, tool))
    commits = [index for index, what in enumerate(seen) if what == "record"]
    assert outcomes[0] == [0], "before the yes was stored nothing was attempted"
    assert outcomes[-1] == [0, 1], "the new firmware runs, its entry is made up for at the next boot"
    assert [outcome for outcome in outcomes if outcome not in ([0], [0, 0], [0, 1])] == []
    order = [[0], [0, 0], [0, 1]]
    assert [order.index(outcome) for outcome in outcomes] == sorted(order.index(outcome) for outcome in outcomes)
    assert len({tuple(outcomes[index]) for index in commits}) == 3


@pytest.mark.parametrize("bad", [False, True])
async def test_mains_cut_at_every_write_of_the_entry_that_a_boot_makes_up_for(clock: Clock, bad: bool) -> None:
    for number in range(20):
        meter, tool = make(clock)
        if bad:
            meter.provoke("install_fails")
        memory = meter.metrology_cpu.store.memory
        record = meter.metrology_cpu.store.append
        meter.metrology_cpu.store.append = lambda *_, meter=meter: meter.power(False)  # type: ignore[method-assign]
        await run(clock, tool)
        meter.metrology_cpu.store.append = record  # type: ignore[method-assign]
        assert not meter.metrology.powered
        left = [number]

        def cut(_: str, left: list[int] = left, meter: SmartyBz = meter) -> None:
            left[0] -= 1
            if left[0] == -1:
                meter.power(False)

        memory.on_write = cut
        meter.power(True)
        memory.on_write = None
        if meter.metrology.powered:
            assert number > 3, "there was a write that the cut could hit"
            meter.power(False)
        assert await back_and_sound(clock, meter, tool) == ([0, 0] if bad else [0, 1])


@pytest.mark.parametrize(
    ("at_s", "stage", "expected"),
    [
        (0.0, Stage.CHECKING, [0]),
        (1.9, Stage.CHECKING, [0]),
        (2.1, Stage.CONFIRM, [0]),
        (2.9, Stage.CONFIRM, [0]),
        (3.0, Stage.INSTALLING, [0, 0]),
        (3.4, Stage.INSTALLING, [0, 0]),
        (3.6, Stage.INSTALLING, [0, 0]),
        (23.4, Stage.INSTALLING, [0, 0]),
        (23.6, Stage.DONE, [0, 1]),
        (25.4, Stage.DONE, [0, 1]),
        (26.0, Stage.DONE, [0, 1]),
    ],
)
async def test_mains_cut_at_every_stage(clock: Clock, at_s: float, stage: Stage, expected: list[int]) -> None:
    meter, tool = make(clock)
    tool.send()
    tool.step(Command.UPDATE_CHECK)
    if at_s >= 3:
        await clock.sleep(3)
        tool.step(Command.UPDATE_ACTIVATE)
        await clock.sleep(at_s - 3)
    else:
        await clock.sleep(at_s)
    assert meter.metrology_cpu.progress.stage is stage
    before = meter.second_index()
    meter.power(False)
    await clock.sleep(100)
    assert meter.second_index() == before, "without mains the second index stands still"
    assert await back_and_sound(clock, meter, tool) == expected


async def test_mains_that_are_switched_on_twice_do_not_boot_twice(clock: Clock) -> None:
    meter, tool = make(clock)
    tool.send()
    tool.step(Command.UPDATE_CHECK)
    await clock.sleep(3)
    tool.step(Command.UPDATE_ACTIVATE)
    await clock.sleep(10)
    meter.power(True)
    assert meter.metrology_cpu.progress.stage is Stage.INSTALLING
    await clock.sleep(20)
    assert events(tool.true_log()) == [0, 1]


async def test_a_bank_that_is_being_written_holds_no_firmware(clock: Clock) -> None:
    meter, tool = make(clock)
    factory, first = Firmware(Version(2, 0), 0x564C), Firmware(Version(2, 1), AppImage.from_bytes(IMAGE).crc)
    for image, banks in ((IMAGE, (factory, None)), (NEXT, (None, first))):
        tool.send(image)
        tool.step(Command.UPDATE_CHECK)
        await clock.sleep(3)
        tool.step(Command.UPDATE_ACTIVATE)
        assert meter.metrology_cpu.store.journal().banks == banks
        await clock.sleep(30)
    assert tool.firmware() == "ENSO-MME V3.0"


async def test_mains_cut_in_the_transfer_forget_the_image_and_log_nothing(clock: Clock) -> None:
    meter, tool = make(clock)
    tool.send()
    meter.power(False)
    with pytest.raises(Silent):
        tool.state()
    assert await back_and_sound(clock, meter, tool) == [0]


async def test_a_boot_without_an_update_under_way_writes_nothing(clock: Clock) -> None:
    meter, tool = make(clock)
    await run(clock, tool)
    writes = meter.metrology_cpu.store.memory.writes
    for _ in range(3):
        meter.power(False)
        meter.power(True)
        meter.power(True)
    assert meter.metrology_cpu.store.memory.writes == writes
    assert events(tool.true_log()) == [0, 1]


async def test_the_entry_of_the_next_boot_carries_the_readings_of_that_boot(clock: Clock) -> None:
    meter, tool = make(clock)
    tool.send()
    tool.step(Command.UPDATE_CHECK)
    await clock.sleep(3)
    tool.step(Command.UPDATE_ACTIVATE)
    await clock.sleep(10)
    meter.power(False)
    await clock.sleep(500)
    meter.power(True)
    assert tool.true_log()[-1] == UpdateLogEntry(2, 13, Event.FAILED, 0, 0)


# --- the memory


def test_a_record_is_old_or_new_wherever_its_writing_ends() -> None:
    old, new = bytes(200), bytes(range(200))
    results = set()
    for number in range(10):
        left = [number]

        def powered(left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] >= 0

        record = SafeRecord(NonVolatile(powered), old)
        try:
            record.store(new)
            assert record.load() == new
        except PowerLost:
            assert record.load() == old
        results.add(record.load())
    assert results == {old, new}
    assert CHUNK < 200


def test_records_follow_each_other() -> None:
    record = SafeRecord(NonVolatile(lambda: True), b"0")
    for number in range(1, 6):
        record.store(str(number).encode())
        assert record.load() == str(number).encode()


def test_a_journal_comes_back_from_its_octets() -> None:
    journal = Journal(
        (None, Firmware(Version(99, 99), 0x4751)), 1, 0, (FIRST, UpdateLogEntry(2, 5, Event.SUCCEEDED, 1, 2, "V9.9", 7))
    )
    signed = Journal(journal.banks, 1, None, journal.entries, bytes(range(64)), bytes(range(64, 128)))
    assert Journal.from_bytes(signed.to_bytes()) == signed
    assert Journal.from_bytes(journal.to_bytes()).pending == 0
