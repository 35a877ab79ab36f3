"""How long values are kept unless somebody says otherwise, to the second, and what is logged of it (wan-core 7.7).

24 months are 731 days at most, three years 1096. The 15 months of the consumer's log end no value.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from core_parts import ENERGY, METER, profile

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import Options
from firmware.logs.journal import Journal
from firmware.metering import derived, values
from firmware.metering.contracts import contract_of, contract_statement
from firmware.metering.derived import DerivedEntry
from firmware.metering.retention import Retention
from firmware.metering.status_word import StatusWord
from firmware.metering.tariffs.entries import Derived, Kind
from firmware.metering.tariffs.readings import Amount
from firmware.metering.values import Entry, Reading
from firmware.own_clock import OwnClock
from firmware.product import Product
from firmware.security.module import SecurityModule, make_keys
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

ClockAt = Callable[[datetime], Clock]
NOW = datetime(2028, 3, 1, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
DAY_S = 86_400
TWO_YEARS, THREE_YEARS, FIFTEEN_MONTHS = 731 * DAY_S, 1096 * DAY_S, 459 * DAY_S
"""From the first of March 2026 to that of 2028, with a leap day; three years with one; the longest 15 months."""
SIGNATURE = bytes(64)
BILL = profile(1)


class Gateway:
    """The rest of it: a journal, and the room that is free again."""

    def __init__(self, clock: Clock, product: str) -> None:
        self.clock, self.memory, self.freed = clock, NonVolatileMemory(), 0
        make_keys(self.memory, random.Random(7), "secp256r1")
        self.own = OwnClock(clock, 0.0, NOW_S * 1_000_000)
        self.writer = StorageWriter(clock, self.memory, 0.0)
        self.journal = Journal(
            Product(load(product)), self.memory, self.writer, self.own, Options(), ("consumer-1", "consumer-2"),
            lambda cause, **told: None, lambda cause: True, SecurityModule(self.memory),
        )  # fmt: skip

    def event(self, event: str, /, **parameters: object) -> None:
        self.journal.event(event, **parameters)  # type: ignore[arg-type]

    def stored(self, octets: int) -> None:
        self.freed -= octets

    def may_capture(self) -> bool:
        return True

    async def sweep(self) -> None:
        """Delete what is too old now."""
        retention = Retention(self.own, self.memory, self.writer, Options(), self)
        retention.owner = lambda meter: "consumer-1"
        retention.sweep()
        await self.writer.flush()

    def told(self, event: str) -> list[tuple[str, str, int, dict[str, str]]]:
        """Book, owner, id and parameters of the entries of an event."""
        rows = self.memory.query(
            "SELECT book, owner, vendor_id, parameters FROM log WHERE event = ? ORDER BY book, owner", (event,)
        )
        return [(book, owner, number, json.loads(told)) for book, owner, number, told in rows]


def reading(age_s: int) -> Reading:
    at_s = NOW_S - age_s
    return Reading(METER, at_s, at_s * 1_000_000, str(StatusWord()), (Entry(ENERGY, 1, -1, 30, None, SIGNATURE),))


def bill(age_s: int) -> DerivedEntry:
    at_s = NOW_S - age_s
    return DerivedEntry(
        BILL.name, 0, Derived(Kind.BILLING, at_s, ENERGY, Amount(1, -1), StatusWord()), at_s * 1_000_000
    )


@pytest.mark.parametrize("product", ["ppc", "casa", "conexa"])
async def test_original_values_go_after_24_months_and_not_a_second_before(clock_at: ClockAt, product: str) -> None:
    """PPC 10220; the others have no message for it."""
    gateway = Gateway(clock_at(NOW), product)
    ages = (TWO_YEARS + 2, TWO_YEARS + 1, TWO_YEARS, FIFTEEN_MONTHS, 0)
    gateway.memory.commit(values.store(reading(age) for age in ages))
    await gateway.sweep()
    kept = [NOW_S - one.grid_s for one in values.read(gateway.memory)]
    assert kept == [TWO_YEARS, FIFTEEN_MONTHS, 0]
    assert gateway.freed == 2 * (values.READING_OCTETS + values.VALUE_OCTETS)
    told = {"consumer": "consumer-1", "meter": METER, "time": "2026-03-01T12:00:00Z"}
    expected = [("consumer", "consumer-1", 10220, told), ("system", "", 10220, told)] if product == "ppc" else []
    assert gateway.told("original_values_deleted") == expected
    await gateway.sweep()
    assert gateway.told("original_values_deleted") == expected


@pytest.mark.parametrize("product", ["ppc", "casa", "conexa"])
async def test_derived_values_go_after_three_years_and_not_a_second_before(clock_at: ClockAt, product: str) -> None:
    """PPC 10221."""
    gateway = Gateway(clock_at(NOW), product)
    ages = (THREE_YEARS + 1, THREE_YEARS, TWO_YEARS + 1, FIFTEEN_MONTHS + 1)
    gateway.memory.commit(derived.store([bill(age) for age in ages], [SIGNATURE] * len(ages)))
    gateway.memory.commit([contract_statement(contract_of(BILL))])
    await gateway.sweep()
    kept = [NOW_S - one.derived.at_s for one in derived.read(gateway.memory)]
    assert kept == list(ages[1:])
    assert gateway.freed == values.DERIVED_OCTETS
    told = {"consumer": "consumer-1", "profile": BILL.name, "domain": BILL.name, "time": "2025-03-01T12:00:00Z"}
    expected = [("consumer", "consumer-1", 10221, told), ("system", "", 10221, told)] if product == "ppc" else []
    assert gateway.told("derived_values_deleted") == expected
