"""Signing ahead changes no time in the logs: what an instant leads to is told at that instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core_parts import profile, run_core

from devices.clock import Clock
from firmware.storage.memory import NonVolatileMemory


async def test_deletions_and_switches_are_told_when_they_were(clock_at: Callable[[datetime], Clock]) -> None:
    """PPC tells that daily values went (10221), 42 days old; the tariff of TAF-2 switches each day."""
    found = []
    for ahead in (None, 0):
        memory = NonVolatileMemory()
        profiles = (profile(6, 60), profile(2, 60))
        await run_core(clock_at, memory, 44.1, *profiles, sign_ahead=ahead, product="ppc", registration_period_s=3600)
        found.append(memory.query("SELECT book, owner, event, time_us FROM log ORDER BY book, owner, number"))
    assert {"derived_values_deleted", "tariff_level_changed"} <= {row[2] for row in found[0]}
    assert found[0] == found[1]
