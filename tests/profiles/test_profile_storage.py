"""Profiles outlive power cuts: an order is there whole, with its log entries, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest
from openssl_pki import Pki
from profile_parts import GAS, METER, OTHER_METER, Shelf, gas, meter, peer, person, proxy, tariff

from devices.clock import Clock
from firmware.config import MeterProfile
from firmware.metering import values
from firmware.metering.contracts import contracts
from firmware.profiles import Progress
from firmware.storage.memory import NonVolatileMemory, Statement, plain_json, setting_statement

BEGIN_S = 1_769_900_400
"""Begin of the evaluation profiles of these tests."""
Order = Callable[[Shelf], object]


def whole(shelf: Shelf) -> str:
    """Everything that a store knows, in order."""
    entries = [shelf.store.read(name).body for name in shelf.store.profiles]
    return plain_json([shelf.store.read().body, entries, sorted(contracts(shelf.memory))])


def orders(pki: Pki) -> list[Order]:
    """A life of profiles, one order after the other."""

    def end(shelf: Shelf) -> None:
        shelf.progress["taf1"] = Progress(BEGIN_S, ended=True)
        assert shelf.store.delete("taf1").good

    return [
        lambda shelf: shelf.store.install([peer(pki, "EMT"), peer(pki, "GWA"), meter(), person()]),
        lambda shelf: shelf.store.install([tariff(recipients=["emt"]), proxy(pki), gas()]),
        lambda shelf: shelf.store.change([meter(transformer_factor="20"), tariff(recipients=[])]),
        lambda shelf: shelf.store.change(peer(pki, "EMT", retry_s=[1])),
        lambda shelf: shelf.store.delete("box"),
        end,
        lambda shelf: shelf.store.delete(f"meter-{GAS}"),
        lambda shelf: shelf.store.install([gas(), tariff(7, id="later")]),
    ]


class Counting(NonVolatileMemory):
    """A memory that counts its commits and fails one of them, as if mains had failed in it."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.fails_at = 0

    def commit(self, statements: Iterable[Statement]) -> None:
        self.commits += 1
        if self.commits == self.fails_at:
            return
        super().commit(statements)


async def settled(shelf: Shelf) -> None:
    """What was handed in is stored."""
    await shelf.writer.flush()


async def test_each_order_is_one_commit(clock: Clock, pki: Pki) -> None:
    memory = Counting()
    shelf = Shelf(clock, pki, memory)
    for number, order in enumerate(orders(pki), 1):
        order(shelf)
        await settled(shelf)
        assert memory.commits == number


@pytest.mark.parametrize("cut", range(1, 9))
async def test_cut_at_any_commit_leaves_what_was_before_the_order(clock: Clock, pki: Pki, cut: int) -> None:
    before = Shelf(clock, pki)
    for order in orders(pki)[: cut - 1]:
        order(before)
        await settled(before)
    memory = Counting()
    memory.fails_at = cut
    shelf = Shelf(clock, pki, memory)
    for order in orders(pki)[:cut]:
        order(shelf)
        await settled(shelf)
    assert memory.commits == cut
    again, expected = shelf.again(), before.again()
    assert whole(again) == whole(expected)
    assert again.memory.dump() == expected.memory.dump()
    orders(pki)[cut - 1](again)  # the administrator orders it once more
    await settled(again)
    reference = before.again()
    orders(pki)[cut - 1](reference)
    await settled(reference)
    assert whole(again) == whole(reference)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("number", range(1, 9))
async def test_cut_within_a_commit_by_the_clock(clock: Clock, pki: Pki, number: int, share: float) -> None:
    shelf = Shelf(clock, pki)
    for order in orders(pki)[: number - 1]:
        order(shelf)
        await settled(shelf)
    stored = whole(shelf.again())
    shelf = Shelf(clock, pki, shelf.memory)
    orders(pki)[number - 1](shelf)
    await clock.sleep(0.01 * share)
    assert whole(shelf.again()) == stored
    await clock.sleep(1)
    assert whole(shelf.again()) == stored


async def test_a_restart_is_not_to_be_seen(clock: Clock, pki: Pki) -> None:
    through, restarted = Shelf(clock, pki), Shelf(clock, pki)
    for order in orders(pki):
        order(through)
        await settled(through)
        order(restarted)
        await settled(restarted)
        restarted = restarted.again()
        assert list(restarted.store.profiles) == list(through.store.profiles)
    assert restarted.memory.dump() == through.memory.dump()


async def test_at_start_all_are_told_in_the_order_in_which_they_need_each_other(full: Shelf) -> None:
    await settled(full)
    again = full.again()
    again.store.load()
    assert again.told == [
        ("communication", "added", "han-consumer-2"),
        ("communication", "added", "emt"),
        ("communication", "added", "gwa"),
        ("communication", "added", "ntp"),
        ("meter", "added", f"meter-{METER}"),
        ("evaluation", "added", "taf1"),
        ("proxy", "added", "box"),
    ]
    assert again.events == []


# --- meters of the configuration


CONFIGURED = (MeterProfile(METER), MeterProfile(OTHER_METER))


async def test_a_changed_meter_of_the_configuration_stays_changed(clock: Clock, pki: Pki) -> None:
    shelf = Shelf(clock, pki, configured=CONFIGURED)
    assert shelf.memory.dump() == Shelf(clock, pki).memory.dump()
    assert shelf.store.change(meter(transformer_factor="30")).good
    await settled(shelf)
    again = Shelf(clock, pki, shelf.memory, configured=CONFIGURED)
    assert again.store.read(f"meter-{METER}").body["transformer_factor"] == "30"
    assert list(again.store.profiles) == list(shelf.store.profiles) == [f"meter-{OTHER_METER}", f"meter-{METER}"]


async def test_a_deleted_meter_of_the_configuration_stays_deleted(clock: Clock, pki: Pki) -> None:
    shelf = Shelf(clock, pki, configured=CONFIGURED)
    assert shelf.store.delete(f"meter-{METER}").good
    await settled(shelf)
    again = Shelf(clock, pki, shelf.memory, configured=CONFIGURED)
    assert list(again.store.profiles) == [f"meter-{OTHER_METER}"]
    assert again.store.install(meter(id="mine")).good
    await settled(again)
    assert list(Shelf(clock, pki, shelf.memory, configured=CONFIGURED).store.profiles) == [
        f"meter-{OTHER_METER}",
        "mine",
    ]


async def test_a_meter_that_is_added_again_takes_the_place_of_itself(clock: Clock, pki: Pki) -> None:
    shelf = Shelf(clock, pki, configured=CONFIGURED)
    shelf.store.add(MeterProfile(METER, key=bytes(16)))
    shelf.store.add(MeterProfile(METER, key=bytes(15) + b"\1", name="other"))
    await settled(shelf)
    again = Shelf(clock, pki, shelf.memory, configured=CONFIGURED)
    held = again.store.profiles[f"meter-{METER}"]
    assert (held.key, len(again.store.profiles)) == (bytes(15) + b"\1", 2)  # type: ignore[union-attr]


# --- from when a consumer has a meter


async def test_a_new_consumer_has_a_meter_from_the_change_also_after_a_restart(clock: Clock, pki: Pki) -> None:
    shelf = Shelf(clock, pki, configured=(MeterProfile(OTHER_METER),), consumers=("consumer-1", "consumer-2"))
    name, begun_s = f"meter-{METER}", int(shelf.now.timestamp())
    assert shelf.store.install(meter(consumer="consumer-1")).good
    assert shelf.store.since_s(name) == begun_s
    shelf.now += timedelta(days=3)
    assert shelf.store.change(meter(consumer="consumer-1", transformer_factor="20")).good
    assert shelf.store.since_s(name) == begun_s
    assert shelf.store.change(meter(consumer="consumer-2")).good
    assert "since_s" not in shelf.store.read(name).body
    assert shelf.store.change(meter(OTHER_METER, transformer_factor="20")).good
    assert shelf.store.since_s(f"meter-{OTHER_METER}") is None
    await settled(shelf)
    again = shelf.again()
    assert again.store.since_s(name) == begun_s + 3 * 86_400
    assert again.store.since_s(f"meter-{OTHER_METER}") is None


async def test_what_is_stored_of_a_meter_is_the_old_consumers_also_when_the_clock_was_set_back(
    clock: Clock, pki: Pki
) -> None:
    shelf = Shelf(clock, pki, consumers=("consumer-1", "consumer-2"))
    assert shelf.store.install(meter(consumer="consumer-1")).good
    last_s = int(shelf.now.timestamp()) + 900
    shelf.memory.commit(values.store([values.Reading(METER, last_s, None, "A000000020000000", (), b"s")]))
    assert shelf.store.change(meter(consumer="consumer-2")).good
    assert shelf.store.since_s(f"meter-{METER}") == last_s + 1


async def test_a_memory_without_the_note_gives_a_meter_to_its_consumer_from_the_begin(clock: Clock, pki: Pki) -> None:
    shelf = Shelf(clock, pki)
    assert shelf.store.install(meter(consumer="consumer-1")).good
    await settled(shelf)
    stored = shelf.memory.setting("profile/00000001")
    del stored["since_s"]
    shelf.memory.commit([setting_statement("profile/00000001", stored)])
    again = shelf.again()
    assert (again.store.broken, again.store.since_s(f"meter-{METER}")) == ([], None)


# --- evaluation profiles that were deleted


async def test_a_deleted_evaluation_profile_with_values_keeps_its_id_and_its_contract(full: Shelf) -> None:
    full.progress["taf1"] = Progress(BEGIN_S, ended=True)
    full.memory.commit(
        [("INSERT INTO derived VALUES ('taf1', 1, 0, 'last', 'r', 'm', '1', 0, 30, 's', NULL, 1, x'00', x'00')", ())]
    )
    assert full.store.delete("taf1").good
    await settled(full)
    again = full.again()
    assert "taf1" not in again.store.profiles
    assert again.store.state("taf1") == "archive"
    assert again.store.read("taf1").body["state"] == "archive"
    assert "taf1" in contracts(again.memory)
    assert again.store.delete("taf1").status == 404
    assert again.store.change(tariff()).status == 404
    assert again.store.install(tariff()).status == 409
    again.memory.commit([("DELETE FROM derived", ())])
    assert again.store.install(tariff()).status == 201
    assert again.store.state("taf1") == "ready"
    await settled(again)
    assert list(again.again().store.profiles) == list(again.store.profiles)


async def test_a_deleted_evaluation_profile_that_never_began_is_gone(full: Shelf) -> None:
    assert full.store.delete("taf1").good
    await settled(full)
    again = full.again()
    assert again.store.read("taf1").status == 404
    assert contracts(again.memory) == {}


async def test_a_stored_profile_that_cannot_be_read_is_left_out_and_named(full: Shelf) -> None:
    await settled(full)
    full.memory.commit([("UPDATE setting SET value = '{' WHERE name = 'profile/00000002'", ())])
    again = full.again()
    assert again.store.broken == ["profile/00000002"]
    assert "taf1" not in again.store.profiles
    assert again.store.install(meter(OTHER_METER)).good
    await settled(again)
    assert again.again().store.broken == ["profile/00000002"]
