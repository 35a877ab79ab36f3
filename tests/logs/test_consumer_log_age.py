"""What a full consumer log may drop: entries older than 15 months, 459 days, to the microsecond (wan-core 7.7)."""

from __future__ import annotations

import pytest
from log_rack import journal_of

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import Options
from firmware.own_clock import OwnClock
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

BEGIN_US = 1_767_225_600_000_000
FIFTEEN_MONTHS_US = 459 * 86_400 * 1_000_000
CAPACITY = 40


@pytest.mark.parametrize("late_us", [0, 1])
@pytest.mark.parametrize(("product", "dropped"), [("ppc", 10253), ("casa", 4294948294)])
async def test_an_entry_goes_when_it_is_older_than_459_days_and_not_before(
    clock: Clock, product: str, dropped: int, late_us: int
) -> None:
    """PPC 10253, in its system log; CASA 4294948294. Without an entry that may go metering stops."""
    memory, causes = NonVolatileMemory(), list[str]()
    own, writer = OwnClock(clock, 0.0, BEGIN_US), StorageWriter(clock, memory, 0.0)
    journal = journal_of(memory, writer, own, product, Options(consumer_log_capacity=CAPACITY), causes)
    event = "evaluation_profile_activated" if product == "ppc" else "evaluation_profile_changed"
    book = journal.books["consumer", "consumer-1"]
    first = 2
    for number in range(CAPACITY):
        if number == first:
            own.step_to(BEGIN_US + 86_400_000_000)
        if book.count == CAPACITY - 2:  # the room that is kept for the last messages
            break
        journal.event(event, profile="a", domain="b")
    await writer.flush()
    assert causes == []
    own.step_to(BEGIN_US + FIFTEEN_MONTHS_US + late_us)
    journal.event(event, profile="a", domain="b")
    await writer.flush()
    entries = book.read()
    old = [one for one in entries if one.time_us == BEGIN_US]
    told = [
        one.vendor_id for name in (("system", ""), ("consumer", "consumer-1")) for one in journal.books[name].read()
    ]
    if late_us:
        assert (old, causes) == ([], [])
        assert dropped in told
    else:
        assert len(old) == first
        assert causes == ["consumer_log_full"]
        assert dropped not in told
    memory.close()


def test_the_products_that_drop_old_entries_keep_them_for_15_months() -> None:
    kept = {name: load(name).stores["consumer"] for name in ("ppc", "conexa", "casa")}
    assert {name: one.keep_s for name, one in kept.items()} == {
        "ppc": 459 * 86_400,
        "conexa": None,
        "casa": 459 * 86_400,
    }
