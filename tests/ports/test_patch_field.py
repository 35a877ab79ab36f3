"""The patch field keeps the networks apart until somebody makes a mistake with the cables."""

from __future__ import annotations

import pytest

from devices.clock import Clock
from devices.errors import UsageError
from devices.network.patch_field import CablingChange, FrameSeen, PatchField
from devices.ports.base import PortLost
from devices.ports.memory import MemoryPort, memory_pair


class Bench:
    """Three sockets of a gateway on a patch field; what each socket hears is kept."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.heard: dict[str, list[bytes]] = {}
        self.sockets: dict[str, MemoryPort] = {}
        ends = {}
        for name in ("WAN", "HAN", "CLS"):
            self.sockets[name], ends[name] = memory_pair(clock, (name, f"patch field {name}"))
            self.heard[name] = []
            self.sockets[name].set_receiver(self.heard[name].append)
        self.changes: list[CablingChange] = []
        self.frames: list[FrameSeen] = []
        self.links: list[tuple[str, bool]] = []
        self.field = PatchField(
            clock,
            ends,
            on_change=self.changes.append,
            on_frame=self.frames.append,
            on_link=lambda socket, up: self.links.append((socket, up)),
        )

    async def send(self, socket: str, frame: bytes) -> None:
        self.sockets[socket].write(frame)
        await self.clock.sleep(0.01)


@pytest.fixture
async def bench(clock: Clock) -> Bench:
    return Bench(clock)


async def test_as_delivered_nothing_passes_from_one_socket_to_another(bench: Bench) -> None:
    for socket in bench.sockets:
        await bench.send(socket, bytes(60))
    assert bench.heard == {"WAN": [], "HAN": [], "CLS": []}
    assert [(seen.socket, seen.network, seen.forwarded_to) for seen in bench.frames] == [
        ("WAN", "WAN", ()),
        ("HAN", "HAN", ()),
        ("CLS", "CLS", ()),
    ]


async def test_a_wrong_patch_cable_carries_frames_both_ways_until_it_is_taken_out(bench: Bench) -> None:
    bench.field.join("WAN", "HAN")
    await bench.send("WAN", b"from wan")
    await bench.send("HAN", b"from han")
    await bench.send("CLS", b"from cls")
    bench.field.separate("HAN", "WAN")
    await bench.send("WAN", b"late")
    assert bench.heard == {"WAN": [b"from han"], "HAN": [b"from wan"], "CLS": []}
    assert bench.frames[0].forwarded_to == ("HAN",)
    assert [change.kind for change in bench.changes] == ["joined", "separated"]


async def test_two_wrong_cables_join_three_networks(bench: Bench) -> None:
    bench.field.join("WAN", "HAN")
    bench.field.join("CLS", "HAN")
    await bench.send("WAN", b"x")
    assert bench.heard == {"WAN": [], "HAN": [b"x"], "CLS": [b"x"]}
    bench.field.separate()
    await bench.send("WAN", b"y")
    assert bench.heard["HAN"] == [b"x"]


async def test_exchanged_cables_lead_to_the_other_network(bench: Bench) -> None:
    heard: list[bytes] = []
    bench.field.listen("WAN", heard.append)
    bench.field.swap("WAN", "HAN")
    assert (bench.field.network_of("WAN"), bench.field.network_of("HAN")) == ("HAN", "WAN")
    await bench.send("HAN", b"from han")
    await bench.send("WAN", b"from wan")
    bench.field.send("WAN", b"to whom?")
    await bench.clock.sleep(0.01)
    assert heard == [b"from han"]
    assert bench.heard == {"WAN": [], "HAN": [b"to whom?"], "CLS": []}
    bench.field.swap("HAN", "WAN")
    assert bench.field.network_of("WAN") == "WAN"


async def test_a_pulled_cable_carries_nothing_and_the_link_is_reported(bench: Bench) -> None:
    bench.field.join("WAN", "HAN")
    bench.field.plugged("HAN", False)
    bench.field.plugged("HAN", False)
    await bench.send("HAN", b"lost")
    await bench.send("WAN", b"lost too")
    bench.field.plugged("HAN", True)
    await bench.send("WAN", b"heard")
    assert bench.heard == {"WAN": [], "HAN": [b"heard"], "CLS": []}
    assert bench.links == [("HAN", False), ("HAN", True)]


async def test_wrong_names_are_an_error_with_a_suggestion(bench: Bench) -> None:
    with pytest.raises(UsageError, match="has no 'WLAN', only WAN, HAN, CLS"):
        bench.field.join("WLAN", "HAN")
    with pytest.raises(UsageError, match="with itself"):
        bench.field.swap("WAN", "WAN")


async def test_a_closed_patch_field_hears_nothing_and_leaves_the_ports_open(bench: Bench) -> None:
    lost: list[PortLost] = []
    bench.sockets["WAN"].on_lost = lost.append
    bench.field.close()
    await bench.send("WAN", b"x")
    assert bench.frames == []
    assert lost == []
