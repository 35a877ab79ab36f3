"""A bus tells octets only to those whom they concern, and nobody can tell the difference."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.clock import Clock, run
from devices.meters.base_meter import BaseMeter
from devices.meters.wired_station import WiredStation
from devices.ports.memory import memory_pair
from devices.protocols.hdlc import ALL_STATIONS, GATEWAY, Control, Frame, FrameKind, StationRecord
from devices.protocols.sml.server_id import server_id
from devices.rs485.bus import EVERYBODY, NOBODY, Rs485Bus

METERS = 5
NUMBERS = tuple(f"1EMH0000000{n:03d}" for n in range(METERS))
UI = Control(FrameKind.UI, True)


class Ears:
    """A station that notes what it hears."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[bytes] = []

    def receive(self, data: bytes) -> None:
        self.heard.append(data)


def by_first_octet(data: bytes) -> int:
    return {ord("*"): EVERYBODY, ord("-"): NOBODY}.get(data[0], data[0])


async def test_a_tuned_station_hears_what_concerns_it_or_everybody(clock: Clock) -> None:
    gateway, port = memory_pair(clock, ("gateway", "bench"))
    bus = Rs485Bus(clock, port)
    one, two, all_ears = (Ears(name) for name in ("one", "two", "all"))
    for ears in (one, two, all_ears):
        bus.attach(ears)
    bus.tune(one, ord("1"), by_first_octet)
    bus.tune(two, ord("2"), by_first_octet)
    for data in (b"1st", b"2nd", b"*all", b"-none", b"3rd"):
        gateway.write(data)
        await clock.sleep(0.01)
    assert one.heard == [b"1st", b"*all"]
    assert two.heard == [b"2nd", b"*all"]
    assert all_ears.heard == [b"1st", b"2nd", b"*all", b"-none", b"3rd"]
    bus.tune(one, EVERYBODY, by_first_octet)
    gateway.write(b"-none")
    await clock.sleep(0.01)
    assert one.heard[-1] == b"-none"
    bus.detach(two)
    bus.tune(two, ord("1"), by_first_octet)
    gateway.write(b"1st")
    await clock.sleep(0.01)
    assert two.heard[-1] == b"*all"


async def test_octets_reach_stations_in_the_order_in_which_these_came_on_the_bus(clock: Clock) -> None:
    gateway, port = memory_pair(clock, ("gateway", "bench"))
    bus = Rs485Bus(clock, port)
    order: list[str] = []
    for name in "abcd":
        ears = Ears(name)
        ears.receive = lambda data, name=name: order.append(name)  # type: ignore[method-assign,misc]
        bus.attach(ears)
        if name in "ac":
            bus.tune(ears, ord("1"), by_first_octet)
    for data in (b"1", b"*"):
        gateway.write(data)
        await clock.sleep(0.01)
    assert "".join(order) == "abcd" * 2


async def test_on_a_full_bus_a_frame_is_the_work_of_one_station(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, port = memory_pair(clock, ("gateway", "bench"))
    bus = Rs485Bus(clock, port)
    for place, number in enumerate(NUMBERS):
        WiredStation(clock, bus, BaseMeter(clock, number), random.Random(place), 0x10 + place)
    told = 0
    hear = WiredStation.receive

    def receive(station: WiredStation, data: bytes) -> None:
        nonlocal told
        told += 1
        hear(station, data)

    monkeypatch.setattr(WiredStation, "receive", receive)
    gateway.write(Frame(0x12, GATEWAY, 3, Control(FrameKind.SNRM)).to_bytes())
    await clock.sleep(0.1)
    assert told == 1, "neither the others hear it, nor they the answer"
    gateway.write(Frame(0x12, GATEWAY, 3, Control(FrameKind.RR)).to_bytes()[:-2])
    await clock.sleep(0.1)
    assert told == 1 + METERS, "a fragment may be the begin of anything"
    for _ in range(2):
        gateway.write(Frame(0x12, GATEWAY, 3, Control(FrameKind.RR)).to_bytes())
        await clock.sleep(0.1)
    assert told > 1 + METERS + 2


def _frames(draw: st.DrawFn) -> bytes:
    address = draw(st.integers(0x0F, 0x10 + METERS))
    kind = draw(st.sampled_from([FrameKind.SNRM, FrameKind.RR, FrameKind.I, FrameKind.DISC, FrameKind.UI]))
    if draw(st.integers(0, 3)) == 0:
        chosen = draw(st.lists(st.tuples(st.sampled_from(NUMBERS), st.integers(3, 0x20)), max_size=METERS))
        listed = b"".join(
            StationRecord(at, slot, server_id(number), server_id(number)).to_bytes()
            for slot, (number, at) in enumerate(chosen, 1)
        )
        return Frame(ALL_STATIONS, GATEWAY, draw(st.sampled_from([1, 2])), UI, listed).to_bytes()
    information = draw(st.binary(min_size=1, max_size=30)) if kind is FrameKind.I else b""
    source = draw(st.sampled_from([GATEWAY, GATEWAY, GATEWAY, 0x33]))
    return Frame(address, source, 3, Control(kind, True), information).to_bytes()


@st.composite
def sayings(draw: st.DrawFn) -> list[tuple[bytes, float]]:
    """What the master says, whole, damaged, cut or run together, and how long it waits behind it."""
    said = []
    for _ in range(draw(st.integers(1, 12))):
        octets = bytearray(_frames(draw))
        match draw(st.integers(0, 5)):
            case 0:
                octets[draw(st.integers(0, len(octets) - 1))] ^= 1 << draw(st.integers(0, 7))
            case 1:
                del octets[draw(st.integers(1, len(octets) - 1)) :]
            case 2:
                octets += _frames(draw)
            case _:
                pass
        said.append((bytes(octets), draw(st.sampled_from([0.001, 0.02, 0.03, 0.5]))))
    return said


async def _run(said: list[tuple[bytes, float]], *, tuned: bool) -> list[tuple[float, str, bytes, bool]]:
    clock = Clock(asyncio.get_running_loop())
    gateway, port = memory_pair(clock, ("gateway", "bench"))
    heard: list[tuple[float, str, bytes, bool]] = []
    bus = Rs485Bus(clock, port, on_evidence=lambda *what: heard.append(what))
    if not tuned:
        bus.tune = lambda *_: None  # type: ignore[method-assign]
    stations = [
        WiredStation(clock, bus, BaseMeter(clock, number), random.Random(place), 0x10 + place)
        for place, number in enumerate(NUMBERS)
    ]
    for number, (octets, wait_s) in enumerate(said):
        if number == 5:
            stations[0].restart()
        if number == 7:
            stations[1].plug(False)
        gateway.write(octets)
        await clock.sleep(wait_s)
    await clock.sleep(1)
    heard += [(0.0, f"{one.address} {one.slot} {one.listed}", b"", False) for one in stations]
    for station in stations:
        station.close()
    bus.close()
    return heard


@settings(max_examples=150, deadline=None)
@given(sayings())
def test_whatever_is_said_the_stations_answer_as_if_each_had_heard_it_all(said: list[tuple[bytes, float]]) -> None:
    assert run(_run(said, tuned=True), virtual=True) == run(_run(said, tuned=False), virtual=True)
