"""A bus full of meters: found, addressed, checked and read one by one (lmn-wired 1.5, 1.6)."""

from __future__ import annotations

import random

import pytest
from bus_bench import Bench, invite_until_all_are_listed
from hand_made import cut, frame, record

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.discovery import Discovery
from devices.meters.load_profile import constant
from devices.protocols.sml.messages import (
    CloseRequest,
    GetListRequest,
    GetListResponse,
    Message,
    OpenRequest,
    encode_messages,
)
from devices.protocols.sml.objects import DRAWN
from devices.protocols.sml.transport import decode_file, encode_file

METERS = 32
INVITE = bytes.fromhex("7E A009 FE03 0203 13 842A 7E")


@pytest.fixture
async def bench(clock: Clock) -> Bench:
    return Bench(clock)


def meter_of(clock: Clock, serial: int) -> BaseMeter:
    """A meter that draws as many watts as its serial number."""
    return BaseMeter(clock, f"1EMH00{serial:08d}", profile=constant(serial * 1000))


async def read(bench: Bench, address: int) -> GetListResponse:
    head = f"{address << 1:02X}070207"
    bodies = (OpenRequest(b"gateway", b"file"), GetListRequest(b"gateway"), CloseRequest())
    request = encode_file(encode_messages([Message(b"1", 0, 0, body) for body in bodies]))
    assert await bench.master.say(frame(head + "93"), 0.003) == frame(f"0207{address << 1:02X}0773")
    await bench.master.say(frame(head + "10", request), 0.02)
    (got,) = cut(await bench.master.say(frame(head + "11"), 0.02))
    answer = decode_file(got[10:-3]).messages[1].body
    assert isinstance(answer, GetListResponse)
    return answer


def _choice(seed: int) -> tuple[int, float]:
    """The address that a meter chooses on an empty bus, and how long it waits."""
    discovery = Discovery(bytes(10), bytes(10), random.Random(seed))
    wait = discovery.invited(b"")
    assert discovery.address is not None
    assert wait is not None
    return discovery.address, wait


async def test_32_meters_are_found_checked_and_each_is_read_for_itself(bench: Bench) -> None:
    for serial in range(1, METERS + 1):
        bench.station(meter_of(bench.clock, serial), seed=serial)
    known = await invite_until_all_are_listed(bench, METERS, rounds=120)
    addresses = [entry[0] for entry in known]
    assert len(set(addresses)) == METERS
    assert bench.bus.collisions > 0, "ten waits for 32 meters: some answered at the same time"

    listed = b"".join(entry[:1] + bytes([slot]) + entry[2:] for slot, entry in enumerate(known, 1))
    answers = cut(await bench.master.say(frame("FE05020513", listed), 0.4))
    assert b"".join(one[10:42] for one in answers) == listed

    await bench.clock.sleep_until(3600)
    for entry in known:
        answer = await read(bench, entry[0])
        serial = int.from_bytes(answer.server_id[6:], "big")
        assert answer.server_id == entry[2:12]
        (drawn,) = (one.number for one in answer.val_list if one.obis == DRAWN)
        assert drawn is not None
        assert serial <= drawn <= serial * 1.001


async def test_two_meters_that_chose_the_same_address_both_get_one_in_the_end(bench: Bench) -> None:
    choices = [_choice(seed) for seed in range(2000)]
    address, wait = choices[0]
    twin = next(seed for seed, (same, other) in enumerate(choices) if same == address and abs(other - wait) > 0.003)
    first, second = (bench.station(meter_of(bench.clock, seed + 1), seed=seed) for seed in (0, twin))

    answers = cut(await bench.master.say(INVITE))
    assert [one[10] for one in answers] == [address, address], "both say so, one behind the other"
    assert await bench.master.say(frame(f"{address << 1:02X}07020793")) != frame(f"0207{address << 1:02X}0773")
    assert bench.bus.collisions == 2, "and both answer under it"

    await bench.master.say(frame("FE03020303", answers[0][10:42]))
    owner, other = (first, second) if first.meter.server_id == answers[0][12:22] else (second, first)
    assert owner.address == address
    assert other.address == address + 1, "it gave the address up and took the first listed + 1"
    (again,) = cut(await bench.master.say(frame("FE03020313", answers[0][10:42])))
    assert again[10:42] == record(other.address or 0, 0, other.meter.server_id)
    assert (await read(bench, address)).server_id == owner.meter.server_id
    assert (await read(bench, other.address or 0)).server_id == other.meter.server_id


async def test_a_free_address_is_found_behind_a_list_as_long_as_a_frame_allows(bench: Bench) -> None:
    station = bench.station(meter_of(bench.clock, 1))
    listed = b"".join(record(address, 0, bytes([0x0A, address] * 5)) for address in range(3, 3 + 63))
    (answer,) = cut(await bench.master.say(frame("FE03020313", listed), 0.1))
    assert answer[10] == station.address
    assert station.address in range(3 + 63, 0x7F)
