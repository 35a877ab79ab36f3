"""What is too old goes once a day and is told; nothing younger goes (wan-core 7.1, 7.7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from core_parts import BEGIN, BEGIN_S, METER, profile, run_core

from devices.clock import Clock
from firmware.metering import derived, values
from firmware.storage.memory import NonVolatileMemory

ClockAt = Callable[[datetime], Clock]


def _told(memory: NonVolatileMemory, event: str) -> int:
    return int(memory.query("SELECT COUNT(*) FROM log WHERE event = ?", (event,))[0][0])


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
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 4.1, profile(2), retention_derived_days=1.0, registration_period_s=3600)
    oldest = derived.read(memory)[0].derived.at_s
    assert oldest >= BEGIN_S + 3 * 86_400


async def test_daily_values_grow_too_old_after_the_end_of_their_profile_as_well(clock_at: ClockAt) -> None:
    memory = NonVolatileMemory()
    await run_core(clock_at, memory, 46.1, profile(6, 5), registration_period_s=3600)
    found = [one.derived.at_s for one in derived.read(memory, profile(6, 5).name)]
    assert found
    assert min(found) >= BEGIN_S + (46 - 42) * 86_400
    await run_core(clock_at, memory, 2.1, profile(6, 5), since=BEGIN + timedelta(days=47), registration_period_s=3600)
    assert derived.read(memory, profile(6, 5).name) == []
