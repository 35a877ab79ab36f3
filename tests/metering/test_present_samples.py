"""Samples of TAF-10 are not stored and can be read while they are present ([CONEXA] E-5.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from core_parts import BEGIN_S, ENERGY, METER, profile, run_core

from devices.clock import Clock
from firmware.metering.tariffs.profile import Sending
from firmware.storage.memory import NonVolatileMemory


async def test_the_newest_sample_of_each_register_is_present(clock_at: Callable[[datetime], Clock]) -> None:
    fields = {"pseudonym": "p-1", "period_s": 60, "billing_relevant": False, "sending": Sending(on_demand=True)}
    taf10 = replace(profile(10), **fields)
    memory = NonVolatileMemory()
    simulation = await run_core(clock_at, memory, 1 / 24, taf10, profile(7))
    present = simulation._core.present(taf10.name)
    assert set(present) == {(METER, ENERGY)}
    newest = present[METER, ENERGY]
    assert (newest.meter, newest.at_s) == ("p-1", BEGIN_S + 3600)
    assert newest.amount is not None
    assert newest.amount.value == 3660
    assert simulation._core.present("taf7-" + METER.lower()) == {}
    assert simulation._core.present("nobody") == {}
    assert not memory.query("SELECT 1 FROM derived WHERE profile = ?", (taf10.name,))
