"""What one consumer sees: his own meters whole, of others the registers of his contracts within their validity."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from devices.gateway_types import load
from firmware.han.users import HanUser
from firmware.han.view import ConsumerView
from firmware.metering.tariffs.standard import standard_profile
from firmware.metering.values import Entry, Reading, store
from firmware.product import Product
from firmware.profiles.kinds import SensorProfile, TariffProfile
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


def view(memory: NonVolatileMemory, user: str, *contracts: TariffProfile) -> ConsumerView:
    meters = [
        SensorProfile(id=f"m-{one}", meter=one, link="wired_clear", consumer=whose) for one, whose in WHOSE.items()
    ]
    profiles: dict[str, Any] = {one.id: one for one in (*meters, *contracts)}
    made = cast(Any, SimpleNamespace(profiles=profiles, evaluations=contracts))
    person = HanUser(user, "consumer", user, {}, frozenset(), ())
    return ConsumerView(person, made, memory, Product(load("casa")), 11.0 * QUARTER)


WHOSE = {HOUSE: "alice", SHARED: "nobody"}


def contract(consumer: str, begin: int, end: int) -> TariffProfile:
    plain = standard_profile(7, SHARED, EXPORT, consumer, begin * QUARTER, end * QUARTER)
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
    assert set(seen(bob, SHARED)) <= set(range(3, 10))
    newest = bob.latest(SHARED)
    assert newest is not None
    assert newest.grid_s == 9 * QUARTER
