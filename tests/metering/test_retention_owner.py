"""That old values go is told in the log of the consumer whose they were, and in nobody else's (wan-core 7.7, 8.1)."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from core_parts import BEGIN, METER, OTHER, counter

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import Options
from firmware.metering import values
from firmware.metering.contracts import Contract, contract_statement
from firmware.metering.retention import Retention
from firmware.metering.tariffs.standard import standard_profile
from firmware.metering.values import Reading
from firmware.own_clock import OwnClock, to_us
from firmware.simulation import Simulation
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

ClockAt = Callable[[datetime], Clock]
GAP = "A004000020000000"
OLD_S = int(BEGIN.timestamp()) - 10 * 86_400


class Host:
    """The rest of the gateway."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def event(self, event: str, /, **parameters: object) -> None:
        self.told.append((event, parameters))

    def stored(self, octets: int) -> None:
        pass

    def may_capture(self) -> bool:
        return True


def contract(name: str, consumer: str, meter: str) -> Contract:
    return Contract(name, 1, consumer, name, "s", "t", ((meter, "1-0:1.8.0*255"),), OLD_S, None, 900)


async def sweep(clock: Clock, memory: NonVolatileMemory, owner: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    host = Host()
    writer = StorageWriter(clock, memory, 0.01)
    own = OwnClock(clock, 0.0, to_us(clock.now()))
    options = Options(retention_original_days=1.0, retention_derived_days=1.0)
    retention = Retention(own, memory, writer, options, host)
    retention.owner = lambda meter: owner.get(meter, "")
    retention.sweep()
    await writer.flush()
    return host.told


def derived_row(profile: str) -> tuple[str, tuple[Any, ...]]:
    row = (profile, OLD_S, 0, "first", "1-0:1.8.0*255", "", "1", 0, 30, GAP, None, None, b"s", b"d")
    return (f"INSERT INTO derived VALUES ({', '.join('?' * len(row))})", row)


async def test_derived_values_belong_to_the_consumer_of_their_contract(clock_at: ClockAt) -> None:
    clock = clock_at(BEGIN)
    memory = NonVolatileMemory()
    memory.commit([contract_statement(contract("a", "consumer-1", METER)), derived_row("a")])
    memory.commit([contract_statement(contract("b", "consumer-2", METER)), derived_row("b"), derived_row("lost")])
    told = await sweep(clock, memory, {})
    assert [(name, one["profile"], one["consumer"]) for name, one in told] == [
        ("derived_values_deleted", "a", "consumer-1"),
        ("derived_values_deleted", "b", "consumer-2"),
        ("derived_values_deleted", "lost", ""),
    ]


@pytest.mark.parametrize(("owner", "expected"), [("consumer-3", "consumer-3"), ("", "consumer-2")])
async def test_original_values_belong_to_the_consumer_of_their_meter(
    clock_at: ClockAt, owner: str, expected: str
) -> None:
    """Without a meter profile a contract tells whose they are; where that is missing too nobody is named."""
    clock = clock_at(BEGIN)
    memory = NonVolatileMemory()
    memory.commit([contract_statement(contract("b", "consumer-2", METER))])
    for meter in (METER, OTHER):
        memory.commit(values.store([Reading(meter, OLD_S, None, GAP, (), random.Random(1).randbytes(64))]))
    told = await sweep(clock, memory, {METER: owner})
    assert {one["meter"]: one["consumer"] for _, one in told} == {METER: expected, OTHER: ""}


async def test_the_log_of_a_consumer_tells_of_his_own_values_only(clock_at: ClockAt) -> None:
    """On PPC, which has messages for it (10220, 10221)."""
    clock, memory, begin_s = clock_at(BEGIN), NonVolatileMemory(), int(BEGIN.timestamp())
    profiles = [
        standard_profile(2, METER, "1-0:1.8.0*255", "consumer-1", begin_s, None),
        standard_profile(2, OTHER, "1-0:1.8.0*255", "consumer-2", begin_s, None),
    ]
    options = {"signature_curve": "secp256r1", "registration_period_s": 3600}
    options |= {"retention_derived_days": 1.0, "retention_original_days": 1.0}
    meters = {METER: counter(3600), OTHER: counter(500)}
    core = Simulation(load("ppc"), clock, memory, random.Random(7), meters, profiles, options=options)
    core._control.journal.add_consumer("consumer-2")
    await core.run(3.1 * 86_400)
    rows = memory.query("SELECT owner, event, parameters FROM log WHERE event LIKE '%_values_deleted'")
    by_owner = {(owner, event) for owner, event, _ in rows}
    original, taken = "original_values_deleted", "derived_values_deleted"
    everybody = {("", original), ("", taken)}
    assert by_owner == everybody | {("consumer-1", original), ("consumer-1", taken), ("consumer-2", taken)}
    for owner, event, text in rows:
        if event == taken and owner:
            assert (METER.lower() in text) == (owner == "consumer-1")
