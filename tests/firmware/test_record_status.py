"""A meter finds itself in a list by octets 2 to 31 of its record, the two of its status among them (lmn-wired 1.5)."""

from __future__ import annotations

import random

import pytest
from gateway_rack import PRODUCT, Rack
from secure_rack import NUMBER

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.wired_station import WiredStation
from devices.ports.memory import memory_pair
from devices.protocols.hdlc import StationRecord
from devices.protocols.sml.server_id import server_id
from devices.rs485.bus import Rs485Bus
from firmware.config import GatewayConfig, MeterProfile, Options
from firmware.lmn.wired import WiredBus

STATUS = 0x0180
IDENTITY = server_id(NUMBER)


class Found:
    """A gateway's bus with one meter whose record has a status."""

    def __init__(self, clock: Clock, known: tuple[str, ...] = (), *, address: int | None = None) -> None:
        near, far = memory_pair(clock, ("gateway", "LMN"))
        self.kept: list[list[str]] = []
        self.told: list[tuple[int, bool]] = []
        self.wrong: list[str] = []
        self.gateway = WiredBus(clock, near, Options(), known)
        self.gateway.on_changed = self.kept.append
        self.gateway.on_present = lambda station, new: self.told.append((station.address, new))
        self.gateway.on_error = lambda kind, _, reason: self.wrong.append(f"{kind}: {reason}")
        self.said: list[str] = []
        bus = Rs485Bus(clock, far, on_evidence=lambda _, who, octets, spoilt: self.said.append(who))
        meter = BaseMeter(clock, NUMBER)
        self.station = WiredStation(clock, bus, meter, random.Random(1), address, record_status=STATUS)

    async def invite(self) -> None:
        self.said.clear()
        async with self.gateway.lock:
            await self.gateway.invite()

    async def check(self) -> None:
        self.said.clear()
        async with self.gateway.lock:
            await self.gateway.check()


async def test_the_list_repeats_the_status_so_that_the_meter_answers_one_invitation_only(clock: Clock) -> None:
    found = Found(clock)
    await found.invite()
    assert len(found.said) == 2
    for _ in range(3):
        await found.invite()
        assert found.said == ["gateway"]
        assert found.station.listed
    assert [new for _, new in found.told] == [True]
    assert len(found.kept) == 1


async def test_a_meter_with_a_status_answers_presence_checks_in_its_slot(clock: Clock) -> None:
    found = Found(clock)
    await found.invite()
    for _ in range(3):
        await found.check()
        assert found.said == ["gateway", found.station.name]
    assert found.station.slot == 1
    assert [one.present for one in found.gateway.stations.values()] == [True]
    assert not found.wrong


async def test_the_kept_list_has_the_status_and_the_next_run_finds_the_meter_at_once(clock: Clock) -> None:
    before = Found(clock)
    await before.invite()
    ((text,),) = before.kept
    assert StationRecord.from_bytes(bytes.fromhex(text)).status == STATUS
    after = Found(clock, (text,))
    await after.invite()
    assert after.said == ["gateway"]
    assert after.station.address == before.station.address
    await after.check()
    assert after.told == [(before.station.address, False)]


async def test_a_list_of_a_run_before_this_knew_the_status_is_mended_by_the_meters_answer(clock: Clock) -> None:
    old = StationRecord(0x20, 0, IDENTITY, IDENTITY).to_bytes().hex()
    found = Found(clock, (old,), address=0x30)
    await found.invite()
    (station,) = found.gateway.stations.values()
    assert (station.status, station.device_id) == (STATUS, IDENTITY)
    await found.invite()
    assert found.said == ["gateway"]


@pytest.mark.parametrize("status", [0, 1, 0x8000, 0xFFFF])
async def test_a_meter_is_read_whatever_its_record_says_of_its_status(clock: Clock, status: int) -> None:
    config = GatewayConfig(meters=(MeterProfile(NUMBER),), options={"registration_period_s": 60})
    rack = Rack(clock, PRODUCT, config)
    bus = Rs485Bus(clock, rack.lmn[1])
    WiredStation(clock, bus, BaseMeter(clock, NUMBER), random.Random(1), record_status=status)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(300)
    rows = await rack.console.rows(NUMBER)
    assert sum(not row["gap"] and row["obis"] == "1-0:1.8.0*255" for row in rows) >= 4
    (shown,) = (await rack.console.info())["meters"]
    assert shown["state"] == "reading"
    await rack.close()
