"""Full logs: what may be told of room again, and what the rule of 15 months may drop ([PPC] 2.6, 10; [CASA] 9.3.7)."""

from __future__ import annotations

import asyncio

import pytest
from gateway_rack import PRODUCT, Rack
from test_timekeeping import Server, _address, server

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import GatewayConfig
from firmware.logs.book import LogBook, LogEntry
from firmware.storage.memory import NonVolatileMemory

__all__ = ["server"]
DAY = 86_400_000_000


async def test_ppc_does_not_tell_of_room_while_metering_stays_stopped_for_good(clock: Clock) -> None:
    """[PPC] 2.6: after 10238 the device is to be exchanged, so 10255 would promise what does not come."""
    rack = Rack(clock, load("ppc"), GatewayConfig(options={"consumer_log_capacity": 500}))
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("fill_log", book="consumer", to=1.0)
    await rack.console.do("fill_log", book="consumer", to=0.1)
    assert (await rack.console.info())["state"] == "restricted"
    for book in ("consumer", "system", "calibration"):
        entries = (await rack.console.ask(read="log", book=book))["entries"]
        assert 10255 not in [entry["id"] for entry in entries]
    await rack.close()


async def test_room_in_all_full_logs_brings_metering_back_and_each_is_told(clock: Clock) -> None:
    told = PRODUCT.stores["consumer"].model_copy(update={"back_event": "metering_resumed"})
    product = PRODUCT.model_copy(update={"stores": {**PRODUCT.stores, "consumer": told}})
    rack = Rack(clock, product, GatewayConfig(consumers=("a", "b"), options={"consumer_log_capacity": 500}))
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("fill_log", book="consumer", to=1.0)
    assert (await rack.console.info())["state"] == "restricted"
    await rack.console.do("fill_log", book="consumer", to=0.1)
    assert (await rack.console.info())["state"] == "run"
    assert (await rack.console.events()).count("metering_resumed") == 3  # the state, and the logs of a and b
    await rack.close()


def _entry(time_us: int, *, dated: bool) -> LogEntry:
    return LogEntry(0, time_us, "e", None, None, "info", "success", {}, "text", dated)


@pytest.mark.parametrize(
    ("made", "droppable"),
    [
        ([(1, True), (2, True), (900, True)], 2),
        ([(1, True), (2, True)], 2),
        ([(1, True), (2, False), (900, True)], 1),
        ([(1, True), (2, False), (3, False)], 1),
        ([(1, False), (2, True), (900, True)], 2),
        ([(900, True), (1, True)], 0),
        ([(900, False), (1, False)], 0),
    ],
)
def test_an_entry_of_unknown_time_goes_only_with_a_later_one_that_is_certainly_old(
    made: list[tuple[int, bool]], droppable: int
) -> None:
    memory = NonVolatileMemory()
    book = LogBook(memory, "consumer", "a", 100)
    for day, dated in made:
        memory.commit(book.append(_entry(day * DAY, dated=dated)))
    assert book.older_than(500 * DAY) == droppable
    memory.commit(book.drop_oldest(droppable))
    assert len(book.read()) == len(made) - droppable
    assert book.broken_at() is None
    memory.close()


async def test_casa_keeps_what_it_logged_before_it_knew_the_time(clock: Clock, server: Server) -> None:
    """The clock's reserve of 48 h is exhausted: entries of the start carry the time of the last run.

    They are minutes old when the log fills, however old they look, and the rule of 15 months must not drop them.
    """
    config = GatewayConfig(time_server=_address(server), options={"consumer_log_capacity": 100})
    rack = Rack(clock, load("casa"), config)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(60)
    rack.gateway.power_off()
    await clock.sleep(470 * 86_400.0)
    before = (await rack.console.ask(read="log", book="consumer"))["entries"][-1]["number"]
    rack.gateway.power_on()
    await rack.ready()
    for _ in range(20):
        await clock.sleep(5)
        await asyncio.sleep(0)
    assert (await rack.console.info())["time_state"] == "synced"
    entries = (await rack.console.ask(read="log", book="consumer", since=before))["entries"]
    old = [one["number"] for one in entries if one["time"] < "2026-06"]
    assert old
    await rack.console.do("fill_log", book="consumer", to=1.0)
    kept = [one["number"] for one in (await rack.console.ask(read="log", book="consumer"))["entries"]]
    assert kept[0] == old[0]
    assert (await rack.console.info())["state"] == "run"
    await rack.close()
