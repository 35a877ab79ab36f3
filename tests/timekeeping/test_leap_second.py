"""A leap second that the time server announces and inserts, or leaves out (RFC 5905, leap indicator).

The sheet says nothing of leap indicators 1 and 2 (wan-core 7.5): they change nothing, and the clock is put right by
the next synchronisation. Wherever that falls, the registration grid has each instant exactly once, as a value read in
time, and no value is marked.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from gateway_rack import Rack
from small_meter import SmallBus, SmallMeter

from devices.backoffice.time_server import TimeServer
from devices.clock import Clock
from devices.gateway_types import load
from devices.protocols.ntp import Leap
from firmware.config import GatewayConfig, MeterProfile
from firmware.metering.status_word import GatewayBit

NUMBER = "1SAG0021061001"
MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)
BEGIN = MIDNIGHT - timedelta(minutes=20)
FIRST_ASKED_S = 35.0
"""When a PPC asks for the time first after the mains came, in seconds; the test says so when that changes."""


async def rows_around(kind: Leap, synchronised_s: float, **options: Any) -> tuple[list[dict[str, Any]], str]:
    """The stored values around a midnight with a leap second, and the state of the time at the end.

    Args:
        kind: what happens to the second before midnight.
        synchronised_s: how long after midnight, by the laboratory's clock, the gateway asks for the time.
        options: of the gateway.
    """
    clock = Clock(asyncio.get_running_loop(), BEGIN)
    data = load("ppc")
    asked: list[float] = []
    async with TimeServer(clock) as server:
        server.on_request = lambda request: asked.append(request.t)
        server.leap = kind

        def leap() -> None:
            server.leap = Leap.NONE
            server.offset = timedelta(seconds=-1 if kind is Leap.INSERT else 1)

        second_s = (MIDNIGHT - BEGIN).total_seconds() - (0 if kind is Leap.INSERT else 1)
        clock.call_at(second_s, leap)
        given: dict[str, Any] = {
            "ntp_poll_interval_s": 60,
            "invite_interval_s": 120,
            "presence_offset_s": 60,
            **options,
        }
        config = GatewayConfig(
            device_id=data.device_id, meters=(MeterProfile(NUMBER),), options=given, time_server=server.address
        )
        rack = Rack(clock, data, config)
        SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
        wanted_s = (MIDNIGHT - BEGIN).total_seconds() + synchronised_s
        await clock.sleep_until((wanted_s - FIRST_ASKED_S) % given["ntp_poll_interval_s"])
        rack.gateway.power_on()
        await clock.sleep_until(3 * 900.0)
        assert min(abs(at - wanted_s) for at in asked) < 0.02
        rows = [one for one in await rack.console.rows() if one["obis"] in (None, "1-0:1.8.0*255")]
        state = (await rack.console.info())["time_state"]
        await rack.close()
    return rows, state


@pytest.mark.parametrize("kind", [Leap.INSERT, Leap.DELETE])
@pytest.mark.parametrize(
    "synchronised_s",
    [-1.5, -1.01, -0.99, -0.5, -0.03, -0.01, 0.0, 0.01, 0.05, 0.5, 0.97, 0.99, 1.0, 1.01, 1.03, 1.5, 20.0],
)
async def test_the_grid_has_each_instant_once_and_read_in_time(kind: Leap, synchronised_s: float) -> None:
    rows, state = await rows_around(kind, synchronised_s)
    instants = [datetime.fromisoformat(one["grid_time"]) for one in rows]
    assert MIDNIGHT in instants
    assert instants[0] <= MIDNIGHT - timedelta(minutes=15)
    assert instants[-1] == MIDNIGHT + timedelta(minutes=15)
    assert all(b - a == timedelta(minutes=15) for a, b in pairwise(instants))
    for one, instant in zip(rows, instants, strict=True):
        assert not one["gap"]
        late = datetime.fromisoformat(one["capture_time"]) - instant
        assert timedelta(0) <= late <= timedelta(seconds=9)
        assert not int(one["status"], 16) >> (63 - GatewayBit.TIME_INVALID) & 1
    assert state == "synced"


async def test_without_synchronisation_near_it_the_second_is_made_up_for_later() -> None:
    """The gateway is one second off until then, which is far below the tolerance of 27 s."""
    rows, state = await rows_around(Leap.INSERT, -300.0, ntp_poll_interval_s=660)
    assert len({one["grid_time"] for one in rows}) == len(rows) == 3
    assert state == "synced"
