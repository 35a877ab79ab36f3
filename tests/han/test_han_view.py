"""What one consumer sees: his own meters whole, of others the registers of his contracts within their validity."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from devices.gateway_types import load
from firmware.han.users import HanUser
from firmware.han.view import ConsumerView
from firmware.metering import derived
from firmware.metering.derived import DerivedEntry
from firmware.metering.tariffs.entries import Derived, Kind
from firmware.metering.tariffs.readings import Amount, word_of
from firmware.metering.tariffs.standard import standard_profile
from firmware.metering.values import Entry, Reading, store
from firmware.product import Product
from firmware.profiles.kinds import SensorProfile, TariffProfile
from firmware.profiles.states import State
from firmware.storage.memory import NonVolatileMemory

HOUSE, SHARED = "1LGZ0072999211", "1EMH0012345678"
IMPORT, EXPORT = "1-0:1.8.0*255", "1-0:2.8.0*255"
QUARTER = 900
GOOD = "A000000020000000"


@pytest.fixture
def memory() -> NonVolatileMemory:
    made = NonVolatileMemory()
    entries = (Entry(IMPORT, 1, -1, 30), Entry(EXPORT, 2, -1, 30))
    readings = [
        Reading(meter, at * QUARTER, at * QUARTER * 1_000_000, GOOD, entries)
        for at in range(1, 11)
        for meter in (HOUSE, SHARED)
    ]
    made.commit(store(readings))
    return made


def view(
    memory: NonVolatileMemory, user: str, *contracts: TariffProfile, since: dict[str, int] | None = None
) -> ConsumerView:
    meters = [
        SensorProfile(id=f"m-{one}", meter=one, link="wired_clear", consumer=whose) for one, whose in WHOSE.items()
    ]
    profiles: dict[str, Any] = {one.id: one for one in (*meters, *contracts)}
    begun = {f"m-{meter}": at * QUARTER for meter, at in (since or {}).items()}
    made = cast(
        Any,
        SimpleNamespace(profiles=profiles, evaluations=contracts, since_s=begun.get, state=lambda name: State.RUNNING),
    )
    person = HanUser(user, "consumer", user, {}, frozenset(), ())
    return ConsumerView(person, cast(Any, made), memory, Product(load("casa")), 11.0 * QUARTER)


class Watched(NonVolatileMemory):
    """Counts the rows that are read."""

    rows = 0

    def query(self, *asked: Any) -> Any:
        found = super().query(*asked)
        self.rows += len(found)
        return found


WHOSE = {HOUSE: "alice", SHARED: "nobody"}


def contract(consumer: str, begin: int, end: int, meter: str = SHARED) -> TariffProfile:
    plain = standard_profile(7, meter, EXPORT, consumer, begin * QUARTER, end * QUARTER)
    return TariffProfile(evaluation=replace(plain, name=f"{consumer}-{begin}"))


def seen(found: ConsumerView, meter: str) -> dict[int, set[str]]:
    readings = found.originals(meter, 0, 99 * QUARTER)
    return {one.grid_s // QUARTER: {entry.obis for entry in one.entries} for one in readings}


def test_his_own_meter_is_seen_whole_and_that_of_another_not_at_all(memory: NonVolatileMemory) -> None:
    alice, bob = view(memory, "alice"), view(memory, "bob")
    assert seen(alice, HOUSE) == {at: {IMPORT, EXPORT} for at in range(1, 11)}
    assert [one.meter for one in alice.meters()] == [HOUSE]
    assert alice.registers(HOUSE) is None
    assert (seen(bob, HOUSE), bob.meters(), bob.registers(HOUSE), bob.latest(HOUSE)) == ({}, (), frozenset(), None)


def test_a_contract_shows_its_register_within_its_validity_only(memory: NonVolatileMemory) -> None:
    bob = view(memory, "bob", contract("bob", 3, 5), contract("bob", 8, 9), contract("carl", 1, 10))
    assert [one.meter for one in bob.meters()] == [SHARED]
    assert bob.registers(SHARED) == {EXPORT}
    with_values = {at: obis for at, obis in seen(bob, SHARED).items() if obis}
    assert with_values == {at: {EXPORT} for at in (3, 4, 5, 8, 9)}
    assert set(seen(bob, SHARED)) == {3, 4, 5, 8, 9}
    newest = bob.latest(SHARED)
    assert newest is not None
    assert newest.grid_s == 9 * QUARTER


def test_a_new_tenant_sees_nothing_of_the_time_before_him(memory: NonVolatileMemory) -> None:
    alice = view(memory, "alice", since={HOUSE: 7})
    assert seen(alice, HOUSE) == {at: {IMPORT, EXPORT} for at in range(7, 11)}
    assert alice.registers(HOUSE) is None
    newest = alice.latest(HOUSE)
    assert newest is not None
    assert newest.grid_s == 10 * QUARTER
    late = view(memory, "alice", since={HOUSE: 11})
    assert (seen(late, HOUSE), late.latest(HOUSE)) == ({}, None)


def test_contracts_add_their_span_to_that_of_a_tenant(memory: NonVolatileMemory) -> None:
    """The old tenant keeps what his contract covers, the new one has more than his tenancy by his own only."""
    old, new = contract("bob", 2, 5, HOUSE), contract("alice", 4, 6, HOUSE)
    assert seen(view(memory, "bob", old, new, since={HOUSE: 8}), HOUSE) == {at: {EXPORT} for at in range(2, 6)}
    expected = {at: {EXPORT} for at in (4, 5, 6)} | {at: {IMPORT, EXPORT} for at in (8, 9, 10)}
    assert seen(view(memory, "alice", old, new, since={HOUSE: 8}), HOUSE) == expected
    bobs = view(memory, "bob", old, since={HOUSE: 8}).latest(HOUSE)
    assert bobs is not None
    assert (bobs.grid_s, [one.obis for one in bobs.entries]) == (5 * QUARTER, [EXPORT])


def test_the_current_values_are_found_behind_days_without_the_meter(memory: NonVolatileMemory) -> None:
    gaps = [Reading(HOUSE, at * QUARTER, None, GOOD, (), b"s") for at in range(11, 411)]
    memory.commit(store(gaps))
    newest = view(memory, "alice").latest(HOUSE)
    assert newest is not None
    assert (newest.grid_s, len(newest.entries)) == (10 * QUARTER, 2)


def test_a_page_of_a_contract_reads_no_more_than_the_page() -> None:
    """40 days of quarter hours: all pages together are the whole list, and each reads its own instants only."""
    memory = Watched()
    entries = (Entry(IMPORT, 1, -1, 30), Entry(EXPORT, 2, -1, 30))
    ats = range(1, 40 * 96 + 1)
    memory.commit(store(Reading(SHARED, at * QUARTER, at * QUARTER * 1_000_000, GOOD, entries) for at in ats))
    bob = view(memory, "bob", contract("bob", 1, 40 * 96), contract("carl", 1, 40 * 96))
    found: list[int] = []
    for first in range(0, 40 * 96 + 1, 1000):
        memory.rows = 0
        page = bob.newest_originals("bob-1", 0, 1 << 40, first, 200)
        assert memory.rows <= 4 * 201  # instants, their bounds, heads, and two registers each
        assert {(code, one.entries[0].obis) for code, one in page} == {(EXPORT, EXPORT)}
        found += [one.grid_s // QUARTER for _, one in page]
    assert found == [at for first in range(0, 40 * 96, 1000) for at in list(ats)[::-1][first : first + 200]]
    assert bob.newest_originals("bob-1", 0, 1 << 40, 40 * 96, 200) == []
    assert bob.newest_originals("carl-1", 0, 1 << 40, 0, 200) == []
    assert [one.grid_s for _, one in bob.newest_originals("bob-1", QUARTER, 2 * QUARTER, 0, 9)] == [1800, 900]


def test_a_page_of_derived_values_is_cut_by_the_query() -> None:
    memory = Watched()
    amounts = [
        DerivedEntry("bob-1", place, Derived(Kind.SWITCH, at, EXPORT, Amount(at, 0), word_of(GOOD), 30, SHARED), 1)
        for at in range(1, 1001)
        for place in (0, 1)
    ]
    memory.commit(derived.store(amounts, [b"s"] * len(amounts)))
    bob = view(memory, "bob", contract("bob", 1, 9), contract("carl", 1, 9))
    whole = [(one.derived.at_s, one.position) for one in bob.derived("bob-1", 100, 900)][::-1]
    memory.rows = 0
    page = bob.newest_derived("bob-1", 100, 900, 601, 200)
    assert memory.rows == 200
    assert [(one.derived.at_s, one.position) for one in page] == whole[601:801]
    assert bob.newest_derived("carl-1", 0, 999, 0, 9) == []
