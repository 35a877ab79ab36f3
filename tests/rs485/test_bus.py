"""The half-duplex bus: who hears what and when (lmn-wired 1.1: 921 600 Bd 8N1, 10.85 us per octet)."""

from __future__ import annotations

import pytest

from devices.clock import Clock
from devices.ports.base import LineSettings, PortLost
from devices.ports.memory import memory_pair
from devices.rs485.bus import GATEWAY, GROUP_OCTETS, Rs485Bus

OCTET_S = 10 / 921_600


class Listener:
    """A station that only notes what it hears, and when."""

    def __init__(self, clock: Clock, name: str) -> None:
        self.name = name
        self.clock = clock
        self.heard: list[tuple[float, bytes]] = []

    def receive(self, data: bytes) -> None:
        self.heard.append((self.clock.seconds(), data))

    @property
    def octets(self) -> bytes:
        return b"".join(data for _, data in self.heard)


class Bench:
    def __init__(self, clock: Clock, *, paced: bool = False, names: str = "abc") -> None:
        self.gateway, port = memory_pair(clock, ("gateway", "bench"), LineSettings() if paced else None)
        self.evidence: list[tuple[float, str, bytes, bool]] = []
        self.bus = Rs485Bus(clock, port, on_evidence=lambda *what: self.evidence.append(what))
        self.stations = [Listener(clock, name) for name in names]
        self.send = [self.bus.attach(station) for station in self.stations]
        self.at_gateway = Listener(clock, "gateway's ear")
        self.gateway.set_receiver(self.at_gateway.receive)


async def test_everybody_hears_a_station_but_the_station_itself(clock: Clock) -> None:
    bench = Bench(clock)
    bench.send[0](b"hello")
    await clock.sleep(0.1)
    assert [station.octets for station in bench.stations] == [b"", b"hello", b"hello"]
    assert bench.at_gateway.octets == b"hello"
    assert [what[1:] for what in bench.evidence] == [("a", b"hello", False)]


async def test_the_gateway_is_heard_by_all_stations_and_not_by_itself(clock: Clock) -> None:
    bench = Bench(clock)
    bench.gateway.write(b"invite")
    await clock.sleep(0.1)
    assert [station.octets for station in bench.stations] == [b"invite"] * 3
    assert bench.at_gateway.octets == b""
    assert [what[1:] for what in bench.evidence] == [(GATEWAY, b"invite", False)]


async def test_octets_are_heard_when_the_last_bit_is_on_the_wire(clock: Clock) -> None:
    bench = Bench(clock)
    bench.send[0](bytes(92_160))
    await clock.sleep(2)
    (at, _), *rest = bench.stations[1].heard
    assert not rest
    assert at == pytest.approx(1.0, abs=1e-6), "92 160 octets take a second"
    assert bench.at_gateway.heard[0][0] == pytest.approx(1.0, abs=1e-6)
    bench.gateway.write(bytes(9216))
    began = clock.seconds()
    await clock.sleep(1)
    assert bench.stations[0].heard[-1][0] - began == pytest.approx(0.1, abs=1e-6)


async def test_a_port_that_paces_is_not_paced_twice(clock: Clock) -> None:
    bench = Bench(clock, paced=True)
    bench.send[0](bytes(range(200)))
    await clock.sleep(1)
    assert bench.at_gateway.octets == bytes(range(200))
    last = bench.at_gateway.heard[-1][0]
    assert last == pytest.approx(200 * OCTET_S, abs=(GROUP_OCTETS + 1) * OCTET_S)
    assert bench.stations[1].heard[0][0] == pytest.approx(200 * OCTET_S, abs=1e-9)
    began = clock.seconds()
    bench.gateway.write(bytes(100))
    await clock.sleep(1)
    assert bench.stations[1].heard[-1][0] - began == pytest.approx(100 * OCTET_S, abs=1e-9)
    assert bench.bus.collisions == 0


@pytest.mark.parametrize("paced", [False, True])
async def test_two_drivers_at_a_time_spoil_the_octets_that_overlap(clock: Clock, paced: bool) -> None:
    bench = Bench(clock, paced=paced)
    bench.send[0](b"A" * 100)
    clock.call_at(60 * OCTET_S, bench.send[1], b"B" * 100)
    await clock.sleep(1)
    (_, first, from_a, bad_a), (_, second, from_b, bad_b) = bench.evidence
    assert (first, second) == ("a", "b")
    assert bad_a
    assert bad_b
    assert from_a[:60] == b"A" * 60
    assert b"A" not in from_a[60:]
    assert b"B" not in from_b[:40]
    assert from_b[40:] == b"B" * 60
    assert bench.stations[2].octets == from_a + from_b
    assert bench.bus.collisions == 2
    assert len(bench.at_gateway.octets) == 200
    assert bench.at_gateway.octets.count(b"A") == 60


@pytest.mark.parametrize("paced", [False, True])
async def test_the_gateway_collides_with_a_station_as_well(clock: Clock, paced: bool) -> None:
    bench = Bench(clock, paced=paced)
    bench.send[0](b"A" * 500)
    clock.call_at(100 * OCTET_S, bench.gateway.write, b"G" * 50)
    await clock.sleep(1)
    assert {source for _, source, _, spoilt in bench.evidence if spoilt} == {"a", GATEWAY}
    assert b"G" not in bench.stations[1].octets


async def test_three_drivers_do_not_mend_what_two_have_spoilt(clock: Clock) -> None:
    bench = Bench(clock)
    for send in bench.send:
        send(b"same octets")
    await clock.sleep(1)
    assert all(spoilt and b"s" not in octets for _, _, octets, spoilt in bench.evidence)


@pytest.mark.parametrize("paced", [False, True])
async def test_an_answer_right_behind_a_frame_does_not_collide(clock: Clock, paced: bool) -> None:
    bench = Bench(clock, paced=paced)
    bench.stations[0].receive = lambda data: bench.send[0](b"answer" * 10)  # type: ignore[method-assign]
    for _ in range(20):
        bench.gateway.write(b"question")
        await clock.sleep(0.01)
    assert bench.bus.collisions == 0
    assert bench.at_gateway.octets == b"answer" * 200


async def test_a_station_sends_one_thing_after_the_other(clock: Clock) -> None:
    bench = Bench(clock)
    for part in (b"one", b"two", b"three"):
        bench.send[0](part)
    await clock.sleep(1)
    assert bench.stations[1].octets == b"onetwothree"
    assert bench.bus.collisions == 0
    assert bench.stations[1].heard[-1][0] == pytest.approx(11 * OCTET_S, abs=1e-9)


@pytest.mark.parametrize("paced", [False, True])
async def test_pulling_the_plug_breaks_a_transmission_off_and_silences_both_ways(clock: Clock, paced: bool) -> None:
    bench = Bench(clock, paced=paced)
    bench.send[0](b"x" * 100)
    clock.call_at(40.5 * OCTET_S, bench.bus.unplug, bench.stations[0])
    await clock.sleep(0.1)
    assert bench.at_gateway.octets == b"x" * 40
    assert bench.stations[1].octets == b"x" * 40
    bench.send[0](b"nobody hears this")
    bench.gateway.write(b"are you there?")
    await clock.sleep(0.1)
    assert bench.stations[0].octets == b""
    assert bench.at_gateway.octets == b"x" * 40
    bench.bus.plug(bench.stations[0])
    bench.send[0](b"here again")
    await clock.sleep(0.1)
    assert bench.at_gateway.octets.endswith(b"here again")


async def test_names_on_a_bus_are_of_one_kind_and_a_detached_station_is_gone(clock: Clock) -> None:
    bench = Bench(clock)
    with pytest.raises(ValueError, match="'a'"):
        bench.bus.attach(Listener(clock, "a"))
    with pytest.raises(ValueError, match="gateway"):
        bench.bus.attach(Listener(clock, GATEWAY))
    bench.bus.detach(bench.stations[0])
    bench.send[0](b"ghost")
    await clock.sleep(0.1)
    assert not bench.evidence
    bench.bus.attach(Listener(clock, "a"))


async def test_a_lost_port_is_told_once_and_the_stations_stay_among_themselves(clock: Clock) -> None:
    bench = Bench(clock)
    lost: list[PortLost] = []
    bench.bus.on_lost = lost.append
    bench.gateway.close()
    await clock.sleep(0.1)
    bench.send[0](b"hello")
    await clock.sleep(0.1)
    assert len(lost) == 1
    assert bench.stations[1].octets == b"hello"
    bench.bus.close()
    bench.bus.close()
