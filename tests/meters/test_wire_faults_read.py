"""Every fault of the wire beside a gateway's end that does its retries: nothing breaks for good (lmn-wired 1.7, 6)."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from bus_bench import SAG, Bench

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.security import MeterSecurity
from devices.meters.wire_faults import FAULTS, make_fault
from devices.ports.hdlc_master import HdlcMaster, LinkTrouble
from devices.protocols.hdlc import GATEWAY, Control, Frame, FrameKind, Selector, StationRecord
from devices.protocols.hdlc_link import LinkLimits, PrimaryLink
from devices.protocols.sml.messages import (
    CloseRequest,
    GetListRequest,
    GetListResponse,
    Message,
    OpenRequest,
    encode_messages,
)
from devices.protocols.sml.transport import decode_file, encode_file

LIMITS = LinkLimits(response_timeout_s=0.2, retries=3, poll_interval_s=0.02, answer_polls=50)
MENDED_BY_RETRIES = {
    "late_answer",
    "collision",
    "silence",
    "rnr_forever",
    "flipped_hcs",
    "flipped_fcs",
    "flipped_information",
    "cut_frame",
    "no_closing_flag",
    "noise",
    "double_answer",
    "slow_octets",
    "unknown_control",
    "wrong_selector",
    "foreign_address",
    "length_lie",
}
"""Faults that a gateway's retries must get over when they strike once."""


class Gateway:
    """Reads the meter at one address, through retries."""

    def __init__(self, clock: Clock, bench: Bench) -> None:
        self.clock = clock
        self.master = HdlcMaster(clock, bench.master.port)
        self.errors: list[str] = []
        self.master.on_error = lambda kind, _address, _reason: self.errors.append(kind)

    async def read(self, address: int) -> GetListResponse:
        """The meter's list, over a link set up anew. Raises LinkTrouble."""
        link = PrimaryLink(address, Selector.COSEM_CLEAR, LIMITS)
        bodies = (OpenRequest(b"gateway", b"file"), GetListRequest(b"gateway"), CloseRequest())
        request = encode_file(encode_messages([Message(b"1", 0, 0, body) for body in bodies]))
        await self.master.drive(link, link.connect())
        answer = await self.master.drive(link, link.send(request))
        assert answer is not None
        body = decode_file(answer).messages[1].body
        assert isinstance(body, GetListResponse)
        return body

    async def invite(self, *known: StationRecord) -> list[StationRecord]:
        """The records that come when these are listed."""
        records: list[StationRecord] = []
        listed = b"".join(record.to_bytes() for record in known)
        for selector in (Selector.ADDRESSING, Selector.PRESENCE):
            frame = Frame(0x7F, GATEWAY, selector, Control(FrameKind.UI), listed)
            await self.master.broadcast(
                frame, 0.32, lambda frame: records.append(StationRecord.from_bytes(frame.information))
            )
        return records


@pytest.fixture
async def bench(clock: Clock) -> Bench:
    return Bench(clock)


@pytest.mark.parametrize("kind", sorted(MENDED_BY_RETRIES))
async def test_a_fault_that_strikes_one_answer_is_mended_by_retries(clock: Clock, bench: Bench, kind: str) -> None:
    station = bench.station(BaseMeter(clock, SAG), address=0x66)
    gateway = Gateway(clock, bench)
    station.fault(kind, 1, on="I")
    answer = await gateway.read(0x66)
    assert answer.server_id == SAG
    assert station.faults == (), "it did strike"


@pytest.mark.parametrize("kind", sorted(FAULTS))
async def test_once_a_fault_is_cleared_the_meter_is_found_and_read_as_before(
    clock: Clock, bench: Bench, kind: str
) -> None:
    station = bench.station(BaseMeter(clock, SAG), address=0x66)
    neighbour = bench.station(BaseMeter(clock, "1EMH0005975894"), address=0x20)
    gateway = Gateway(clock, bench)
    own = StationRecord(0x66, 1, SAG, SAG)
    other = StationRecord(0x20, 2, neighbour.meter.server_id, neighbour.meter.sensor_id)
    station.fault(kind)
    for _ in range(3):
        await gateway.invite(own, other)
        with suppress(LinkTrouble, ValueError):
            await gateway.read(0x66)
    await gateway.invite(other)
    assert any(name == "fault" for _, name, _ in bench.events), "it did strike"
    station.clear_faults()
    await clock.sleep(2)
    await gateway.invite(other)
    assert station.address not in (None, 0x20)
    assert (await gateway.read(station.address or 0)).server_id == SAG
    assert (await gateway.read(0x20)).server_id == neighbour.meter.server_id


@pytest.mark.parametrize("kind", sorted(FAULTS))
async def test_a_fault_on_a_secured_meter_never_harms_the_bench(clock: Clock, bench: Bench, kind: str) -> None:
    meter = MeterSecurity(clock, BaseMeter(clock, SAG), bytes(16), random.Random(1))
    station = bench.station(meter, address=0x66, services=meter.services())
    gateway = Gateway(clock, bench)
    station.fault(kind, 2)
    for _ in range(3):
        await gateway.invite()
        with suppress(LinkTrouble, ValueError):
            await gateway.read(station.address or 0x66)
        await clock.sleep(2)
    station.clear_faults()
    await gateway.invite()
    assert (await gateway.read(station.address or 0)).server_id == SAG


async def test_a_secured_meter_tells_a_wrong_id_too(clock: Clock, bench: Bench) -> None:
    meter = MeterSecurity(clock, BaseMeter(clock, SAG), bytes(16), random.Random(1))
    station = bench.station(meter, address=0x66)
    gateway = Gateway(clock, bench)
    station.fault("wrong_id", 1, where="list")
    assert [(await gateway.read(0x66)).server_id for _ in range(2)] == [SAG[:-1] + b"\x88", SAG]


def test_faults_do_not_share_what_they_count() -> None:
    one, two = make_fault("silence", 3), make_fault("silence", 3)
    one.done += 1
    assert (one.left, two.left) == (2, 3)
