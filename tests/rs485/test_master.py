"""The bench in the gateway's place: finding meters and asking one of them (lmn-wired 1.5, 1.7)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from lmn_bus import LmnBus

from devices.clock import Clock
from devices.meters.wire_faults import FAULTS
from devices.meters.wired_station import Busy
from devices.ports.base import PortLost
from devices.ports.memory import memory_pair
from devices.protocols.hdlc import GATEWAY, Control, Frame, FrameKind, Selector, StationRecord
from devices.protocols.hdlc_link import LinkLimits
from devices.protocols.sml.messages import GetListResponse
from devices.protocols.sml.transport import decode_file
from devices.rs485.master import FoundMeter, LmnMaster, MasterTiming, MeterSilent

SERVER_ID = bytes.fromhex("0a01454d4800005b2f56")
CLEAR = Selector.COSEM_CLEAR


async def test_the_first_frame_is_the_invitation_of_the_makers_trace(clock: Clock) -> None:
    """[BZ] 5.2.1 row 1, exact: an empty list has no information field."""
    bus = LmnBus(clock)
    bus.base_meter()
    await bus.master.discover()
    assert bus.wire[0] == ("out", bytes.fromhex("7ea009fe03020313842a7e"))


async def test_a_meter_keeps_the_address_that_it_chose(clock: Clock) -> None:
    bus = LmnBus(clock)
    station = bus.base_meter()
    (found,) = await bus.master.discover()
    assert found == FoundMeter(station.address or 0, SERVER_ID, SERVER_ID)
    assert station.listed, "the second invitation confirms it"
    second = Frame.from_bytes(bus.wire[2][1])
    assert len(second.information) == 32
    assert clock.seconds() == pytest.approx(0.64, abs=0.01), "two windows of 320 ms"


async def test_the_list_repeats_every_octet_by_which_a_meter_finds_itself(clock: Clock) -> None:
    """Octets 2 to 31 of the record, the reserved ones too (lmn-wired 1.5)."""
    near, far = memory_pair(clock)
    record = bytes((0x66, 0)) + SERVER_ID + b"\0\0\0\0" + bytes(range(0x30, 0x3E)) + b"\x12\x34"
    heard: list[Frame] = []

    def hear(data: bytes) -> None:
        heard.append(Frame.from_bytes(data))
        if not heard[-1].information:
            clock.call_later(0.005, far.write, Frame(GATEWAY, 0x66, 1, Control(FrameKind.UI), record).to_bytes())

    far.set_receiver(hear)
    await LmnMaster(clock, near).discover()
    assert heard[-1].information == record


async def test_thirty_two_meters_are_found_though_their_answers_collide(clock: Clock) -> None:
    bus = LmnBus(clock)
    for number in range(32):
        bus.base_meter(f"1EMH{number:010d}")
    found = await bus.master.discover()
    assert len({one.server_id for one in found}) == len({one.address for one in found}) == 32
    assert {one.address for one in found} == {station.address for station in bus.stations}
    assert bus.bus.collisions > 0, "otherwise this proves nothing"
    assert bus.master.troubles
    assert await bus.master.present() == found


async def test_an_empty_bus_is_given_up_after_three_invitations(clock: Clock) -> None:
    bus = LmnBus(clock)
    assert await bus.master.discover() == []
    assert len(bus.wire) == 3
    assert clock.seconds() < 1.1


async def test_noise_for_ever_ends_too(clock: Clock) -> None:
    near, far = memory_pair(clock)
    far.set_receiver(lambda _: far.write(b"\x7e\xa0\x09noise!!!"))
    master = LmnMaster(clock, near, timing=MasterTiming(rounds=5))
    assert await master.discover() == []
    assert len(master.troubles) >= 5


async def test_known_meters_keep_their_addresses_and_new_ones_join(clock: Clock) -> None:
    bus = LmnBus(clock)
    bus.base_meter()
    known = FoundMeter(0x44, SERVER_ID, SERVER_ID)
    bus.base_meter("1EMH0000000001")
    found = await bus.master.discover([known])
    assert known in found
    assert len(found) == 2
    assert bus.stations[0].address == 0x44


async def test_a_silent_meter_is_missed_in_the_presence_check(clock: Clock) -> None:
    bus = LmnBus(clock)
    bus.base_meter()
    bus.base_meter("1EMH0000000001")
    found = await bus.master.discover()
    bus.stations[0].silent = True
    assert [one for one in found if one.server_id == SERVER_ID] == [
        one for one in found if one not in await bus.master.present()
    ]


@pytest.mark.parametrize("busy", list(Busy))
async def test_a_meter_is_asked_and_answers_whether_it_says_rr_or_rnr_first(clock: Clock, busy: Busy) -> None:
    """lmn-wired 1.7: the SMARTY answers RR, one public firmware RNR; a master accepts both."""
    bus = LmnBus(clock)
    station = bus.base_meter(busy=busy)
    (meter,) = await bus.master.discover()
    async with bus.master.connect(meter, CLEAR) as link:
        for _ in range(9):  # sequence numbers go round after eight
            answer = await link.ask(_get_list())
            (body,) = [one.body for one in decode_file(answer).messages if isinstance(one.body, GetListResponse)]
            assert body.server_id == station.meter.server_id
    kinds = [Frame.from_bytes(octets).control.kind for _, octets in bus.wire]
    assert kinds[-2:] == [FrameKind.DISC, FrameKind.UA]


async def test_a_meter_that_falls_silent_is_told_in_bounded_time(clock: Clock) -> None:
    bus = LmnBus(clock)
    station = bus.base_meter()
    (meter,) = await bus.master.discover()
    async with bus.master.connect(meter, CLEAR) as link:
        station.silent = True
        began = clock.seconds()
        with pytest.raises(
            MeterSilent, match=r"0A01454D4800005B2F56 at address .*no answer to I, sent 4 times"
        ) as seen:
            await link.ask(_get_list())
        assert seen.value.kind == "read_timeout"
    assert clock.seconds() - began == pytest.approx(2.0, abs=0.1), "four times half a second, and no DISC after that"


@pytest.mark.parametrize(("fault", "kind"), [("rnr_forever", "not_ready"), ("silence", "read_timeout")])
async def test_not_ready_for_ever_and_silence_are_told_apart(clock: Clock, fault: str, kind: str) -> None:
    """103190 and 103191 are logged apart (lmn-wired 1.7)."""
    bus = LmnBus(clock)
    station = bus.base_meter()
    (meter,) = await bus.master.discover()
    async with bus.master.connect(meter, CLEAR, LinkLimits(answer_polls=5)) as link:
        station.fault(fault)
        with pytest.raises(MeterSilent) as seen:
            await link.ask(_get_list())
    assert seen.value.kind == kind


@pytest.mark.parametrize("kind", FAULTS)
async def test_every_fault_on_the_wire_ends_in_bounded_time_with_a_meters_error_at_worst(
    clock: Clock, kind: str
) -> None:
    """Chapter 6 of lmn-wired as the bench's own master sees it."""
    bus = LmnBus(clock)
    bus.base_meter("1EMH0000000001")
    station = bus.base_meter()
    await bus.master.discover()
    station.fault(kind)
    answers = 0
    for meter in await bus.master.discover():
        with suppress(MeterSilent):
            async with bus.master.connect(meter, CLEAR) as link:
                answers += bool(await link.ask(_get_list()))
    assert clock.seconds() < 60
    station.clear_faults()
    station.power(False)
    station.power(True)
    await clock.sleep(1)
    for meter in await bus.master.discover():
        async with bus.master.connect(meter, CLEAR) as link:
            answers += bool(await link.ask(_get_list()))
    assert answers >= 2, "afterwards both meters can be asked again"


async def test_a_meter_that_answers_though_it_is_listed_does_not_keep_the_search_going(clock: Clock) -> None:
    near, far = memory_pair(clock)
    record = StationRecord(0x66, 0, SERVER_ID, SERVER_ID).to_bytes()
    answer = Frame(GATEWAY, 0x66, Selector.ADDRESSING, Control(FrameKind.UI), record).to_bytes()
    invitations = []

    def hear(data: bytes) -> None:
        invitations.append(data)
        clock.call_later(0.005, far.write, answer)

    far.set_receiver(hear)
    assert [one.address for one in await LmnMaster(clock, near).discover()] == [0x66]
    assert len(invitations) == 2


async def test_a_meter_without_the_service_refuses_the_link(clock: Clock) -> None:
    bus = LmnBus(clock)
    bus.base_meter()
    (meter,) = await bus.master.discover()
    with pytest.raises(MeterSilent, match="does not take the connection"):
        async with bus.master.connect(meter, Selector.SYM):
            pytest.fail("there is no link")


async def test_a_pulled_adapter_is_bench_trouble_whatever_was_under_way(clock: Clock) -> None:
    bus = LmnBus(clock)
    bus.base_meter()
    (meter,) = await bus.master.discover()
    with pytest.raises(PortLost):
        async with bus.master.connect(meter, CLEAR) as link:
            bus.far.close()
            await link.ask(_get_list())
    with pytest.raises(PortLost):
        await bus.master.discover()


def _get_list() -> bytes:
    from devices.protocols.sml.messages import (
        CloseRequest,
        GetListRequest,
        Message,
        OpenRequest,
        encode_messages,
    )
    from devices.protocols.sml.transport import encode_file

    bodies = [OpenRequest(b"bench", b"1"), GetListRequest(b"bench", SERVER_ID), CloseRequest()]
    return encode_file(encode_messages([Message(bytes((index,)), index, 0, body) for index, body in enumerate(bodies)]))
