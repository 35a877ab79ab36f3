"""Fifteen months without a break, hour by hour: balance and room hold, with deletion and without."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import pytest
from core_parts import BEGIN_S, METER, counter, profile, run_core

from devices.clock import Clock
from firmware.metering import derived, values
from firmware.storage.memory import NonVolatileMemory

ClockAt = Callable[[datetime], Clock]
DAYS = 455
"""1 January 2026 to 31 March 2027; the begin of 1 April is the last instant, an hour earlier than by winter time."""
HOURS = DAYS * 24 - 1


@pytest.mark.parametrize(("originals", "bills"), [(0.0, 0.0), (40.0, 200.0)])
async def test_fifteen_months_of_bills(clock_at: ClockAt, originals: float, bills: float) -> None:
    memory = NonVolatileMemory()
    stages, total = profile(2, 500), profile(1, 500)
    core = await run_core(
        clock_at, memory, DAYS, stages, total, meters={METER: counter(3600)}, registration_period_s=3600,
        retention_original_days=originals, retention_derived_days=bills,
    )  # fmt: skip
    assert core.used_octets == values.used_octets(memory)
    first = values.read(memory, METER)[0].grid_s
    assert first == BEGIN_S if not originals else first >= BEGIN_S + (DAYS - 41) * 86_400
    by_instant: dict[int, dict[str, int]] = defaultdict(dict)
    for one in derived.read(memory, stages.name):
        assert one.derived.amount is not None
        by_instant[one.derived.at_s][one.derived.register] = one.derived.amount.value
    rises = {at_s: registers.pop("1-0:1.8.0*255") - sum(registers.values()) for at_s, registers in by_instant.items()}
    assert len(set(rises.values())) == 1  # stages and register 63 are what the total has risen by, at each switch
    last = by_instant[max(by_instant)]
    assert last["1-0:1.8.63*255"] == 0
    assert last["1-0:1.8.1*255"] == pytest.approx(DAYS * 16 * 3600, abs=16 * 3600)
    billed = [one.derived.at_s for one in derived.read(memory, total.name)]
    assert len(billed) == (16 if not bills else 7)
    assert billed[-1] == BEGIN_S + HOURS * 3600
