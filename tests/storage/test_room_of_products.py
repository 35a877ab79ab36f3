"""The room for values fills: steps, messages and states of each product (wan-core 7.7, 8.3).

[PPC] 10: 10256 to 10260; [CONEXA] D-2.2; [CASA] 8, 9.3.7: 19007/2.
"""

from __future__ import annotations

from typing import Any

import pytest
from gateway_rack import Rack
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import GatewayConfig, MeterProfile

NUMBER = "1SAG0021061001"
CAPACITY = 1_000_000


async def _ready(clock: Clock, product: str, **options: Any) -> Rack:
    data = load(product)
    given = {"storage_capacity_octets": CAPACITY, "registration_period_s": 60, **options}
    config = GatewayConfig(device_id=data.device_id, meters=(MeterProfile(NUMBER),), options=given)
    rack = Rack(clock, data, config)
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await rack.ready()
    return rack


async def _told(rack: Rack, *events: str) -> list[tuple[str, int | None]]:
    """Event and number of the messages about room, in their order."""
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    return [(one["event"], one["id"]) for one in entries if one["event"] in events]


ROOM = ("storage_room", "storage_low_30", "storage_low_20", "storage_exhausted", "metering_suspended",
        "metering_resumed")  # fmt: skip


async def test_ppc_tells_each_step_on_the_way_down_and_stops_when_nothing_is_free(clock: Clock) -> None:
    rack = await _ready(clock, "ppc", registration_period_s=86_400)
    for to in (0.699, 0.7, 0.799, 0.8, 0.999999, 1.0):
        await rack.console.do("fill_storage", to=to)
    found = await _told(rack, *ROOM)
    assert found == [
        ("storage_room", 10256),
        ("storage_low_30", 10257),
        ("storage_room", 10256),
        ("storage_low_20", 10258),
        ("storage_room", 10256),
        ("storage_exhausted", 10259),
        ("metering_suspended", 10260),
    ]
    assert (await rack.console.info())["state"] == "restricted"
    await rack.console.do("fill_storage", to=0.95)
    assert (await _told(rack, *ROOM))[-1] == ("metering_resumed", 10261)
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


async def test_ppc_tells_a_step_again_only_after_there_was_room(clock: Clock) -> None:
    rack = await _ready(clock, "ppc", registration_period_s=86_400, log_room_step_percent=0)
    for to in (0.71, 0.75, 0.71, 0.69, 0.71):
        await rack.console.do("fill_storage", to=to)
    assert await _told(rack, *ROOM) == [("storage_low_30", 10257)] * 2
    await rack.close()


async def test_casa_locks_itself_with_less_than_a_tenth(clock: Clock) -> None:
    """[CASA] 8: less than 10 percent; exactly a tenth is not less."""
    rack = await _ready(clock, "casa", registration_period_s=86_400)
    await rack.console.do("fill_storage", to=0.9)
    assert (await rack.console.info())["state"] == "run"
    await rack.console.do("fill_storage", to=0.900001)
    assert (await rack.console.info())["state"] == "restricted"
    assert await _told(rack, "storage_exhausted") == [("storage_exhausted", 19007)]
    await rack.console.do("fill_storage", to=0.1)
    assert (await rack.console.info())["state"] == "restricted"  # the administrator has to look after it
    await rack.close()


@pytest.mark.parametrize("limit", [0.9, 0.6])
async def test_conexa_stops_when_the_limit_of_its_administrator_is_reached(clock: Clock, limit: float) -> None:
    rack = await _ready(clock, "conexa", registration_period_s=86_400, storage_limit=limit)
    await rack.console.do("fill_storage", to=limit - 0.000001)
    assert (await rack.console.info())["state"] == "run"
    await rack.console.do("fill_storage", to=limit)
    assert (await rack.console.info())["state"] == "restricted"
    await rack.console.do("fill_storage", to=limit - 0.1)
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
async def test_real_values_fill_it_and_nothing_stored_is_lost(clock: Clock, product: str) -> None:
    """Without a fault: a small memory, a meter every minute, until metering stops by itself."""
    rack = await _ready(clock, product, storage_capacity_octets=12_000)
    await rack.until(lambda: True, 7200, state="restricted")
    rows = await rack.console.rows()
    assert len({one["grid_time"] for one in rows if not one["gap"]}) >= 10
    await clock.sleep(600)
    assert await rack.console.rows() == rows
    assert (await rack.console.info())["causes"] == ["storage_full"]
    rack.gateway.power_off()
    await clock.sleep(5)
    rack.gateway.power_on()
    await rack.ready()
    assert (await rack.console.info())["state"] == "restricted"
    assert await rack.console.rows() == rows
    await rack.close()
