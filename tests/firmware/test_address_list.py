"""The address list: a meter that answers from a foreign address has lost its own (lmn-wired 1.5)."""

from __future__ import annotations

import pytest
from gateway_rack import PRODUCT, Rack
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock
from devices.ports.memory import memory_pair
from devices.protocols.hdlc import GATEWAY, Control, Frame, FrameKind, Selector, StationRecord, decode_records
from devices.protocols.sml.server_id import server_id
from firmware.config import GatewayConfig, Options
from firmware.lmn.wired import WiredBus

ONE, TWO, THREE = (server_id(f"1SAG002106100{n}") for n in (1, 2, 3))


class Bench:
    """A bus master and what it tells; the test says who answers an invitation from where."""

    def __init__(self, clock: Clock, *, slot_count: int = 32) -> None:
        near, self.far = memory_pair(clock, ("gateway LMN", "LMN"))
        self.bus = WiredBus(clock, near, Options(slot_count=slot_count))
        self.told: list[str] = []
        self.kept: list[list[tuple[int, bytes]]] = []
        self.bus.on_present = lambda station, new: self.told.append(f"present {station.address:#x}")
        self.bus.on_lost = lambda station: self.told.append(f"lost {station.address:#x}")
        self.bus.on_changed = self._keep
        self._answers: list[tuple[int, bytes]] = []
        self.far.set_receiver(self._invited)

    def _keep(self, records: list[str]) -> None:
        found = [record for text in records for record in decode_records(bytes.fromhex(text))]
        self.kept.append([(one.address, one.device_id) for one in found])

    def _invited(self, data: bytes) -> None:
        self.invitation = Frame.from_bytes(data).information
        for address, identity in self._answers:
            record = StationRecord(address, 0, identity, identity).to_bytes()
            self.far.write(Frame(GATEWAY, address, Selector.ADDRESSING, Control(FrameKind.UI), record).to_bytes())

    async def invite(self, *answers: tuple[int, bytes]) -> None:
        self._answers = list(answers)
        self.told.clear()
        self.kept.clear()
        async with self.bus.lock:
            await self.bus.invite()

    @property
    def listed(self) -> dict[int, bytes]:
        return {address: station.device_id for address, station in self.bus.stations.items()}


async def test_a_listed_meter_that_answers_from_the_address_of_another_is_lost_and_told(clock: Clock) -> None:
    bench = Bench(clock)
    await bench.invite((0x10, ONE), (0x11, TWO))
    before = bench.bus.stations[0x10]
    await bench.invite((0x11, ONE))
    assert bench.listed == {0x11: TWO}
    assert bench.told == ["lost 0x10"]
    assert bench.kept == [[(0x11, TWO)]]
    assert not before.present
    await bench.invite()
    assert [one.device_id for one in decode_records(bench.invitation)] == [TWO]


async def test_a_listed_meter_that_answers_from_a_free_address_moves(clock: Clock) -> None:
    bench = Bench(clock)
    await bench.invite((0x10, ONE), (0x11, TWO))
    await bench.invite((0x12, ONE))
    assert bench.listed == {0x11: TWO, 0x12: ONE}
    assert bench.told == ["lost 0x10", "present 0x12"]
    assert bench.kept == [[(0x11, TWO), (0x12, ONE)]]


async def test_a_listed_meter_may_move_while_the_list_is_full_and_no_other_comes_in(clock: Clock) -> None:
    bench = Bench(clock, slot_count=2)
    await bench.invite((0x10, ONE), (0x11, TWO))
    await bench.invite((0x12, ONE), (0x13, THREE))
    assert bench.listed == {0x11: TWO, 0x12: ONE}
    await bench.invite((0x11, TWO))  # it says again where it is
    assert bench.listed == {0x11: TWO, 0x12: ONE}
    assert bench.told == ["present 0x11"]


@pytest.mark.parametrize("address", [0x02, 0x7F])
async def test_an_address_that_no_meter_may_have_costs_the_one_it_had(clock: Clock, address: int) -> None:
    bench = Bench(clock)
    await bench.invite((0x10, ONE))
    await bench.invite((address, ONE))
    assert bench.listed == {}
    assert bench.told == ["lost 0x10"]


async def test_a_stranger_at_a_taken_address_changes_nothing(clock: Clock) -> None:
    bench = Bench(clock)
    await bench.invite((0x10, ONE))
    await bench.invite((0x10, TWO))
    assert (bench.listed, bench.told, bench.kept) == ({0x10: ONE}, [], [])


async def test_lmc_goes_out_and_the_log_tells_when_the_only_meter_gives_up_its_address(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig())
    meter = SmallMeter("1SAG0021061001")
    bus = SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(1)
    assert rack.gateway.leds.levels()["LMC"]
    meter.silent = True
    bus.meters.append(Confused("1SAG0021061001"))
    await clock.sleep(31)
    assert not rack.gateway.leds.levels()["LMC"]
    assert "meter_unreachable" in await rack.console.events()
    await rack.close()


class Confused(SmallMeter):
    """Answers every invitation from an address that is not allowed, and the check from its old one."""

    def _broadcast(self, frame: Frame, send: object) -> None:
        self.address = 0x7F if frame.selector == 1 else 0x10
        assert callable(send)
        if frame.information:
            send(0.005, self._record(frame.selector))
