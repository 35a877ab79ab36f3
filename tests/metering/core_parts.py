"""A metering core without bus and mains: simulated meters, memory, virtual time."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from devices.clock import Clock
from devices.gateway_types import load
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.standard import standard_profile
from firmware.simulation import Answer, Simulation
from firmware.storage.memory import NonVolatileMemory

METER = "1SMB0000000001"
OTHER = "1SMB0000000002"
ENERGY = "1-0:1.8.0*255"
BEGIN = datetime(2025, 12, 31, 23, tzinfo=UTC)
"""Local midnight of the first of January 2026, where these tests begin."""
BEGIN_S = int(BEGIN.timestamp())


def counter(per_hour: int, start: int = 0) -> Answer:
    """A meter whose register rises by so many tenths of a watt-hour an hour."""

    def answer(at_us: int) -> Sequence[tuple[str, int, int, int]]:
        return ((ENERGY, start + (at_us // 1_000_000 - BEGIN_S + 60) * per_hour // 3600, -1, 30),)

    return answer


def profile(taf: int, days: int = 40, meter: str = METER, **fields: Any) -> EvaluationProfile:
    """A plain profile of one register from the begin on."""
    return standard_profile(taf, meter, ENERGY, "consumer-1", BEGIN_S, BEGIN_S + days * 86_400, **fields)


async def run_core(
    loop_clock: Callable[[datetime], Clock],
    memory: NonVolatileMemory,
    days: float,
    *profiles: EvaluationProfile,
    since: datetime = BEGIN,
    sign_ahead: int | None = None,
    meters: dict[str, Answer] | None = None,
    product: str = "casa",
    **options: Any,
) -> Simulation:
    """Run a core for so many days from a minute before `since`."""
    simulation = Simulation(
        load(product),
        loop_clock(since),
        memory,
        random.Random(7),
        meters or {METER: counter(3600)},
        profiles,
        sign_ahead=sign_ahead,
        options={"signature_curve": "secp256r1", **options},
    )
    await simulation.run(days * 86_400 + 60.0)
    return simulation


def rows(memory: NonVolatileMemory, table: str) -> list[tuple[Any, ...]]:
    """A table's rows in the order of their key."""
    return memory.query(f"SELECT * FROM {table} ORDER BY 1, 2, 3")


def same(one: NonVolatileMemory, other: NonVolatileMemory, *tables: str) -> bool:
    """Whether tables have the same content."""
    return all(rows(one, table) == rows(other, table) for table in tables)


def copy_of(memory: NonVolatileMemory) -> NonVolatileMemory:
    """What is stored, as another memory: what a power cut at this moment leaves."""
    kept = NonVolatileMemory()
    source: sqlite3.Connection = memory._db
    source.backup(kept._db)
    return kept
