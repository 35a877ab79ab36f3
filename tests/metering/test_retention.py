"""What is too old goes once a day and is told; nothing younger goes (wan-core 7.1, 7.7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from core_parts import BEGIN, BEGIN_S, METER, profile, run_core

from devices.clock import Clock
from firmware.metering import derived, values
from firmware.storage.memory import NonVolatileMemory

ClockAt = Callable[[datetime], Clock]


def _told(memory: NonVolatileMemory, event: str) -> list[tuple[str, str]]:
    """Book and whose values went, entry by entry."""
    rows = memory.query("SELECT book, parameters FROM log WHERE event = ? ORDER BY book, number", (event,))
    found = ((book, json.loads(told)) for book, told in rows)
    return [(book, told.get("profile") or told["meter"]) for book, told in found]


async def test_originals_are_kept_as_long_as_they_must(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    core = await run_core(clock_at, memory, 5.1, retention_original_days=3.0, registration_period_s=3600)
    oldest = values.read(memory, METER)[0].grid_s
    begin_of_last_day = BEGIN_S + 5 * 86_400
    assert begin_of_last_day - 3 * 86_400 <= oldest <= begin_of_last_day - 3 * 86_400 + 3600
    entries = memory.query("SELECT MIN(grid_s), COUNT(*) FROM entry")[0]
    assert entries == (oldest, len(values.read(memory, METER)))
    assert core.used_octets == values.used_octets(memory)


@pytest.mark.parametrize("days", [0.0, 30.0])
async def test_without_a_limit_or_before_it_nothing_goes(clock_at: ClockAt, days: float) -> None:
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 4, retention_original_days=days, registration_period_s=3600)
    assert len(values.read(memory, METER)) == 4 * 24 + 1


async def test_daily_values_live_42_days_and_the_bills_longer(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    core = await run_core(clock_at, memory, 50.1, profile(6, 60), profile(1, 60), registration_period_s=3600)
    assert core.used_octets == values.used_octets(memory)
    daily = [one.derived.at_s for one in derived.read(memory, profile(6, 60).name) if str(one.derived.kind) == "daily"]
    assert len(daily) == 43
    assert daily[-1] - daily[0] == 42 * 86_400
    assert [str(one.derived.kind) for one in derived.read(memory, profile(1, 60).name)] == ["first", "billing"]


async def test_derived_values_go_after_their_time_and_it_is_told(clock_at: ClockAt) -> None:
    """PPC 10221; the room that they took is free again."""
    memory = NonVolatileMemory()
    core = await run_core(
        clock_at, memory, 4.1, profile(2), product="ppc", retention_derived_days=1.0, registration_period_s=3600
    )
    oldest = derived.read(memory)[0].derived.at_s
    assert oldest >= BEGIN_S + 3 * 86_400
    name = profile(2).name
    days = 4  # each midnight but the first: the readings of the one before are older than a day by then
    assert _told(memory, "derived_values_deleted") == [("consumer", name)] * days + [("system", name)] * days
    assert memory.query("SELECT DISTINCT vendor_id FROM log WHERE event = 'derived_values_deleted'") == [(10221,)]
    assert core.used_octets == values.used_octets(memory)


async def test_that_originals_went_is_told_day_by_day(clock_at: ClockAt) -> None:
    """PPC 10220."""
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 4.1, product="ppc", retention_original_days=2.0, registration_period_s=3600)
    assert _told(memory, "original_values_deleted") == [("consumer", METER)] * 3 + [("system", METER)] * 3
    assert memory.query("SELECT DISTINCT vendor_id FROM log WHERE event = 'original_values_deleted'") == [(10220,)]


async def test_that_daily_values_went_is_told_day_by_day(clock_at: ClockAt) -> None:
    """TAF-6 deletes what is older than 42 days by itself, with each new day."""
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 44.1, profile(6, 60), product="ppc", registration_period_s=3600)
    name = profile(6, 60).name
    assert _told(memory, "derived_values_deleted") == [("consumer", name)] * 2 + [("system", name)] * 2


async def test_daily_values_grow_too_old_after_the_end_of_their_profile_as_well(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 46.1, profile(6, 5), registration_period_s=3600)
    found = [one.derived.at_s for one in derived.read(memory, profile(6, 5).name)]
    assert found
    assert min(found) >= BEGIN_S + (46 - 42) * 86_400
    await run_core(clock_at, memory, 2.1, profile(6, 5), since=BEGIN + timedelta(days=47), registration_period_s=3600)
    assert derived.read(memory, profile(6, 5).name) == []


async def test_the_list_of_what_was_sent_goes_after_its_time_but_for_its_last_entry(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    days = [BEGIN_S - 5 * 86_400, BEGIN_S - 4 * 86_400, BEGIN_S - 3 * 86_400]
    rows = [(n, "p", "r", "each", at, at, 1, at * 1_000_000, b"") for n, at in enumerate(days, 1)]
    memory.commit([("INSERT INTO sent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row) for row in rows])
    core = await run_core(clock_at, memory, 0.1, retention_derived_days=1.0, registration_period_s=3600)
    assert memory.query("SELECT number FROM sent") == [(3,)]
    assert core.used_octets == values.used_octets(memory)
