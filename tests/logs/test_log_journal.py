"""The journal at work: one commit, torn entries, full books, services that fail, and what a start and an entry cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from log_rack import entry, filled, journal_of
from provocation_rack import Plugged, plugged_in

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import GatewayConfig, Options
from firmware.logs.access import may_delete, may_read
from firmware.logs.book import LogBook
from firmware.logs.pages import Asked, export, page
from firmware.logs.stored import RawLogs, from_database
from firmware.logs.verifier import verify_logs
from firmware.own_clock import OwnClock
from firmware.product import Product
from firmware.security.module import SecurityModule
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter

MONTH_S = 30.4 * 86_400.0
BEGIN_US = 1_767_225_600_000_000


def stored(memory: NonVolatileMemory) -> RawLogs:
    """The books as the verifier sees them."""
    database = memory._db
    database.text_factory = bytes
    try:
        return from_database(database)
    finally:
        database.text_factory = str


async def started(clock: Clock, product: str, **options: Any) -> Plugged:
    rack = plugged_in(clock, load(product), config=GatewayConfig(options=options))
    rack.gateway.power_on()
    await rack.ready()
    return rack


async def entries(rack: Plugged, book: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await rack.console.ask(read="log", book=book))["entries"]
    return found


async def numbers(rack: Plugged, book: str) -> list[int | None]:
    return [one["id"] for one in await entries(rack, book)]


# --- what is written


@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
async def test_a_gateway_s_logs_are_sound_through_starts_cuts_and_faults(clock: Clock, product: str) -> None:
    rack = await started(clock, product, system_log_capacity=60)
    for turn in range(6):
        await rack.console.ask(do="fill_log", book="system", to=1.0)
        await clock.sleep(0.2 + turn / 300)
        rack.gateway.power_off()
        verdict = verify_logs(stored(rack.memory))
        assert verdict.sound, verdict.findings
        await clock.sleep(3)
        rack.gateway.power_on()
        await rack.ready()
    signed = [one for one in verdict.books if one.book == "calibration"]
    assert [one.signed for one in signed] == [one.entries for one in signed]
    await rack.close()


async def test_entries_of_one_event_are_in_all_books_or_in_none(clock: Clock) -> None:
    memory = NonVolatileMemory()
    own = OwnClock(clock, 0.0, BEGIN_US, known=True)
    for cut_s in (0.001, 0.009, 0.0101):
        writer = StorageWriter(clock, memory, 0.01)
        journal = journal_of(memory, writer, own)
        journal.event("time_set", new_time="a", old_time="b", deviation_ms=5)
        await clock.sleep(cut_s)
        writer.cut()
        counts = memory.query("SELECT book, COUNT(*) FROM log GROUP BY book")
        assert counts == ([] if cut_s < 0.01 else [("calibration", 1), ("consumer", 1), ("system", 1)])
    memory.close()


async def test_only_the_calibration_log_costs_signatures(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    sign = SecurityModule.sign
    monkeypatch.setattr(SecurityModule, "sign", lambda self, octets: made.append(octets) or sign(self, octets))
    memory = NonVolatileMemory()
    own = OwnClock(clock, 0.0, BEGIN_US, known=True)
    journal = journal_of(memory, StorageWriter(clock, memory, 0.0), own)
    journal.event("power_restored")
    made.clear()
    for _ in range(500):
        journal.event("power_restored")
    assert made == []
    journal.event("time_set", new_time="a", old_time="b", deviation_ms=5)
    assert len(made) == 2  # the entry and the head
    await clock.sleep(1)
    memory.close()


@contextmanager
def counted(memory: NonVolatileMemory, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Rows of logs that are read."""
    rows: list[int] = []
    query = NonVolatileMemory.query

    def counting(self: NonVolatileMemory, sql: str, parameters: Any = ()) -> Any:
        found = query(self, sql, parameters)
        if " log " in sql:
            rows.append(len(found))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(NonVolatileMemory, "query", counting)
        yield rows


async def test_a_start_does_not_read_the_logs(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """2000 entries in each book; a start reads their ends and checks the newest 50."""
    memory = filled(None, 2000)
    room = {f"{book}_log_capacity": 4000 for book in ("system", "calibration", "consumer")}
    rack = plugged_in(clock, load("casa"), memory=memory, config=GatewayConfig(options=room))
    with counted(memory, monkeypatch) as rows:
        rack.gateway.power_on()
        await rack.ready()
        await clock.sleep(5)
    assert 0 < sum(rows) < 400
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


async def test_an_ordered_self_test_reads_all_and_finds_the_oldest_entry_changed(clock: Clock) -> None:
    memory = filled(None, 300)
    rack = plugged_in(clock, load("casa"), memory=memory)
    memory.commit([("UPDATE log SET level = 'fatal' WHERE book = 'calibration' AND number = 2", ())])
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(5)
    assert (await rack.console.info())["state"] == "run"
    await rack.console.ask(do="selftest", initiator="consumer")
    assert (await rack.console.info())["state"] == "restricted"
    await rack.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE log SET signature = zeroblob(64) WHERE book = 'calibration' AND number = 5",
        "UPDATE log SET signature = zeroblob(64) WHERE book = 'calibration' AND number = 300",
        "UPDATE log_head SET signature = zeroblob(64) WHERE book = 'calibration'",
        "UPDATE log_anchor SET chain = zeroblob(32) WHERE book = 'system'",
        "UPDATE log SET dated = 1 - dated WHERE book = 'system' AND number = 299",
        "DELETE FROM log WHERE book = 'calibration' AND number > 290",
        "DELETE FROM log WHERE book = 'system' AND number < 20",
    ],
)
def test_the_firmware_s_own_check_finds_it_too(sql: str) -> None:
    memory = filled(None, 300, drop=3)
    book = "calibration" if "calibration" in sql else "system"
    signer = SecurityModule(memory)
    assert LogBook(memory, book, "", 1000, signer).broken_at() is None
    assert LogBook(memory, book, "", 1000, signer).broken_at(50) is None
    memory.commit([(sql, ())])
    assert LogBook(memory, book, "", 1000, signer).broken_at() is not None
    memory.close()


async def test_a_lost_calibration_log_is_told_at_the_next_start_and_not_begun_anew(clock: Clock) -> None:
    memory = filled(None, 5)
    for table in ("log", "log_head", "log_anchor"):
        memory.commit([(f"DELETE FROM {table} WHERE book = 'calibration'", ())])
    rack = plugged_in(clock, load("casa"), memory=memory)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(5)
    assert (await rack.console.info())["state"] == "restricted"
    told = [one["text"] for one in await entries(rack, "consumer") if one["id"] == 19001]
    assert any("log entry calibration 1" in text for text in told)
    await rack.close()


# --- torn entries


@pytest.mark.parametrize(("product", "number"), [("ppc", 10006), ("casa", 4294948284), ("conexa", None)])
async def test_a_cut_in_the_write_leaves_a_piece_that_is_told_once(
    clock: Clock, product: str, number: int | None
) -> None:
    rack = await started(clock, product, storage_write_time_s=0.2)
    await clock.sleep(2)
    before = await entries(rack, "system")
    rack.gateway._session.control.event("power_lost", time="now")  # type: ignore[union-attr]
    await clock.sleep(0.15)
    rack.gateway.power_off()
    pieces = rack.memory.query("SELECT number, octets FROM log_torn WHERE book = 'system'")
    assert [piece[0] for piece in pieces] in ([before[-1]["number"] + 1], [])
    left = rack.memory.query("SELECT book, octets FROM log_torn")
    assert left
    assert left[0][1].startswith(f"smgw-log-1\n{left[0][0]}\n".encode())
    await clock.sleep(2)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(2)
    after = await entries(rack, "system")
    assert [one["number"] for one in after] == list(range(1, len(after) + 1))
    told = [one for one in after if one["event"] in ("log_entry_incomplete", "system_log_write_failed",
                                                     "consumer_log_write_failed")]  # fmt: skip
    assert len(told) == 1
    assert number is None or told[0]["id"] in (number, 10010)
    assert verify_logs(stored(rack.memory)).sound
    assert rack.memory.query("SELECT COUNT(*) FROM log_torn") == [(0,)]
    await rack.close()


# --- full books


async def test_casa_stores_the_message_of_a_full_calibration_log_in_that_log(clock: Clock) -> None:
    """Room is kept for the entry that finds it full and for the message: nothing is lost before metering stops."""
    rack = await started(clock, "casa", calibration_log_capacity=50)
    await rack.console.ask(do="fill_log", book="calibration", to=1.0)
    assert (await numbers(rack, "calibration"))[-1] == 19008
    assert (await rack.console.info())["state"] == "restricted"
    assert len(await entries(rack, "calibration")) <= 50
    await rack.close()


async def test_the_entry_that_finds_the_calibration_log_full_is_kept(clock: Clock) -> None:
    rack = await started(clock, "ppc", calibration_log_capacity=50)
    session = rack.gateway._session
    assert session is not None
    for number in range(60):
        session.control.event("sync_interval_exceeded", turn=number)
    await clock.sleep(1)
    told = await entries(rack, "calibration")
    assert [one["parameters"].get("turn") for one in told if one["id"] == 10071] == list(range(48))  # with 10097: 50
    assert told[-1]["id"] == 10098
    assert [one["id"] for one in told].count(10097) == 1
    assert (await rack.console.info())["state"] == "minimal"
    await rack.close()


async def test_ppc_drops_consumer_entries_older_than_15_months_and_stops_only_without_such(clock: Clock) -> None:
    """wan-core 13, Q8."""
    memory, causes = NonVolatileMemory(), list[str]()
    own, writer = OwnClock(clock, 0.0, BEGIN_US, known=True), StorageWriter(clock, memory, 0.0)
    journal = journal_of(memory, writer, own, "ppc", Options(consumer_log_capacity=100), causes)
    for _ in range(97):
        journal.event("evaluation_profile_activated", profile="a", domain="b")
    await clock.sleep(0.1)
    own.step_to(BEGIN_US + round(16 * MONTH_S * 1e6))
    for _ in range(50):
        journal.event("evaluation_profile_activated", profile="a", domain="b")
        await clock.sleep(0.1)
    system = [one.vendor_id for one in journal.books["system", ""].read()]
    assert system.count(10253) == 1
    assert causes == []
    for _ in range(100):
        journal.event("evaluation_profile_activated", profile="a", domain="b")
        await clock.sleep(0.1)
    assert causes == ["consumer_log_full"]
    kept = journal.books["consumer", "consumer-1"].read()
    assert len(kept) == 100
    assert all(one.time_us > BEGIN_US + round(15 * MONTH_S * 1e6) for one in kept)
    assert verify_logs(stored(memory)).sound
    memory.close()


async def test_a_full_consumer_log_of_casa_is_not_filled_with_messages_that_it_is_full(clock: Clock) -> None:
    """Entries that become old enough one by one make room for new ones, not for messages about themselves."""
    memory, causes = NonVolatileMemory(), list[str]()
    own, writer = OwnClock(clock, 0.0, BEGIN_US, known=True), StorageWriter(clock, memory, 0.0)
    journal = journal_of(memory, writer, own, "casa", Options(consumer_log_capacity=100), causes)
    now_us = BEGIN_US
    for _ in range(400):
        journal.event("evaluation_profile_changed", profile="a")
        await clock.sleep(0.1)
        now_us += 7 * 86_400_000_000
        own.step_to(now_us)
    found = journal.books["consumer", "consumer-1"].read()
    told = [one for one in found if one.vendor_id == 4294948294]
    assert causes == []
    assert told
    assert len(told) < len(found) / 4
    assert len(found) <= 100
    assert verify_logs(stored(memory)).sound
    memory.close()


async def test_ppc_tells_the_room_of_its_logs_in_steps(clock: Clock) -> None:
    rack = await started(clock, "ppc", system_log_capacity=200, consumer_log_capacity=200)
    for share in (0.25, 0.45, 0.65, 0.85):
        await rack.console.ask(do="fill_log", book="consumer", to=share)
    told = [one["parameters"]["percent"] for one in await entries(rack, "system") if one["id"] == 10236]
    assert told == [75, 55, 35, 15]
    for share in (0.5, 0.95):
        await rack.console.ask(do="fill_log", book="system", to=share)
    assert [one["id"] for one in await entries(rack, "system")].count(10254) >= 2
    await rack.close()


# --- services of the logs


@pytest.mark.parametrize("book", ["system", "calibration", "consumer"])
@pytest.mark.parametrize(("how", "first"), [("write", 2), ("died", 3)])
async def test_the_service_of_a_ppc_log_fails_with_its_message_and_nothing_is_lost(
    clock: Clock, book: str, how: str, first: int
) -> None:
    """[PPC] 10: 10002, 10006, 10010 and 10003, 10007, 10011."""
    rack = await started(clock, "ppc")
    number = 10_000 + first + 4 * ["calibration", "system", "consumer"].index(book)
    await rack.console.ask(do="log_service_fails", book=book, how=how)
    assert (await rack.console.info())["state"] == "restricted"
    session = rack.gateway._session
    assert session is not None
    session.control.event("tariff_profile_changed", profile="kept", count=0, errors="")
    await clock.sleep(1)
    held = [one["event"] for one in await entries(rack, book)]
    assert "tariff_profile_changed" not in held
    await clock.sleep(30)
    assert (await rack.console.info())["state"] == "run"
    assert (await numbers(rack, "system")).count(number) == 1
    assert [one["event"] for one in await entries(rack, book)].count("tariff_profile_changed") == 1
    assert verify_logs(stored(rack.memory)).sound
    await rack.close()


async def test_a_log_service_that_stays_away_stops_the_ppc_gateway(clock: Clock) -> None:
    rack = await started(clock, "ppc")
    await rack.console.ask(do="log_service_fails", book="calibration", how="died", restartable=False)
    await clock.sleep(60)
    assert (await rack.console.info())["state"] == "stopped"
    await rack.close()


async def test_ppc_tells_each_service_at_start_and_at_an_ordered_end(clock: Clock) -> None:
    rack = plugged_in(clock, load("ppc"), config=GatewayConfig(consumers=("anna", "bert")))
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.ask(do="restart")
    await clock.sleep(5)
    await rack.ready()
    told = [(one["id"], one["parameters"].get("consumer")) for one in await entries(rack, "system")]
    for number in (10000, 10004):
        assert told.count((number, None)) == 2
        assert told.count((number + 1, None)) == 1
    for who in ("anna", "bert"):
        assert (told.count((10008, who)), told.count((10009, who))) == (2, 1)
    assert "{consumer}" not in str(await entries(rack, "system"))
    await rack.close()


# --- who reads what


@pytest.mark.parametrize("name", ["ppc", "conexa", "casa"])
def test_the_access_matrix(name: str) -> None:
    """wan-core 8.1."""
    product = Product(load(name))
    readers = {
        (book, role, where)
        for book in ("system", "consumer", "calibration")
        for role in ("consumer", "technician", "administrator", "participant")
        for where in ("HAN", "CLS", "WAN")
        if may_read(product, book, role, interface=where, user="anna", owner="anna" if book == "consumer" else "")
    }
    assert readers == {
        ("system", "technician", "HAN"),
        ("system", "administrator", "WAN"),
        ("consumer", "consumer", "HAN"),
        ("consumer", "consumer", "CLS"),
        ("calibration", "administrator", "WAN"),
    }
    assert not may_read(product, "consumer", "consumer", user="anna", owner="bert")
    assert not may_read(product, "consumer", "consumer", user="", owner="")
    assert may_read(product, "system", "technician")
    for book in ("system", "consumer", "calibration"):
        assert not any(may_delete(product, book, role) for role in ("consumer", "technician", "administrator"))


def test_pages_and_exports_keep_to_the_product_s_limits() -> None:
    """[PPC] 4.2: ten entries on a page; wan-core 7.7: PPC refuses more than 1000, CONEXA gives 1500."""
    memory = filled(None, 1600)
    ppc, conexa, casa = (Product(load(name)) for name in ("ppc", "conexa", "casa"))
    mine = Asked("consumer", "consumer-1")
    first = page(ppc, memory, Asked("system"), 1)
    assert [one.number for one in first.entries] == list(range(1, 11))
    assert [one.number for one in page(ppc, memory, Asked("system", since=1595), 1).entries] == list(range(1596, 1601))
    assert page(ppc, memory, Asked("system"), 161).entries == ()
    refused = export(ppc, memory, mine)
    assert (refused.refused, refused.found, refused.most, refused.entries) == (True, 1600, 1000, ())
    assert len(export(ppc, memory, Asked("consumer", "consumer-1", since=600)).entries) == 1000
    answered = export(conexa, memory, mine)
    assert (len(answered.entries), answered.found, answered.refused) == (1500, 1600, False)
    assert len(export(conexa, memory, Asked("consumer", "consumer-1", count=7)).entries) == 7
    assert len(export(casa, memory, mine).entries) == 1600
    at = entry(10).time_us
    some = export(casa, memory, Asked("system", begin_us=at, end_us=at + 3_000_000))
    assert [one.number for one in some.entries] == [10, 11, 12]
    with pytest.raises(ValueError, match="counted from 1"):
        page(ppc, memory, mine, 0)
    memory.close()
