"""An adapter that is pulled in the midst of a run is trouble of the bench, never a fault of gateway or meter."""

from __future__ import annotations

import fcntl
import random
import termios
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.timeline import Timeline
from devices.clock import Clock
from devices.errors import BenchError, DeviceError
from devices.meters.base_meter import BaseMeter
from devices.meters.smarty_bz import SmartyBz
from devices.meters.wired_station import WiredStation
from devices.ports.base import BytePort, LineSettings, PortLost
from devices.ports.memory import memory_pair
from devices.ports.pty import PtyPort, pty_pair
from devices.ports.wire import PortCongested
from devices.protocols.hdlc import ALL_STATIONS, GATEWAY, Control, Frame, FrameKind, Selector
from devices.rs485.adapter import AdapterPort, AdapterSettings, open_adapter
from devices.rs485.bus import Rs485Bus
from devices.rs485.master import FoundMeter, LmnMaster
from devices.rs485.smarty_client import SmartyClient

INVITE = Frame(ALL_STATIONS, GATEWAY, Selector.ADDRESSING, Control(FrameKind.UI, True)).to_bytes()
BOTH = pytest.mark.asyncio(loop_factories=["virtual", "real"])


class Pulled:
    """The bench as master on an adapter, a SMARTY at the other end, and somebody who pulls the adapter."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.far, path = pty_pair(clock, LineSettings())
        self.adapter = open_adapter(clock, AdapterSettings(path), name="LMN adapter")
        self.master = LmnMaster(clock, self.adapter)
        self.bus = Rs485Bus(clock, self.far)
        meter = SmartyBz(clock, "1SAG0021061001")
        self.station = WiredStation(clock, self.bus, meter, random.Random(1), services=meter.services())

    def pull_after(self, seconds: float) -> None:
        self.clock.call_later(seconds, self.far.close)

    def close(self) -> None:
        self.master.close()
        self.adapter.close()
        self.station.close()
        self.bus.close()


async def _discover(pulled: Pulled, _meter: FoundMeter) -> None:
    for _ in range(100):
        await pulled.master.discover()


async def _present(pulled: Pulled, _meter: FoundMeter) -> None:
    for _ in range(100):
        await pulled.master.present()


async def _ask(pulled: Pulled, meter: FoundMeter) -> None:
    async with SmartyClient(pulled.clock, pulled.master, meter) as client:
        for _ in range(1000):
            await client.firmware()


async def _connect(pulled: Pulled, meter: FoundMeter) -> None:
    for _ in range(1000):
        async with pulled.master.connect(meter, 0x70):
            pass


async def _transfer(pulled: Pulled, meter: FoundMeter) -> None:
    async with SmartyClient(pulled.clock, pulled.master, meter) as client:
        await client.transfer(bytes(200_000))


@BOTH
@pytest.mark.parametrize("work", [_discover, _present, _ask, _connect, _transfer])
async def test_whatever_the_master_is_doing_it_ends_at_once_with_clear_words(
    clock: Clock, work: Callable[[Pulled, FoundMeter], Awaitable[None]]
) -> None:
    pulled = Pulled(clock)
    try:
        (meter,) = await pulled.master.discover()
        begin = clock.seconds()
        pulled.pull_after(0.1)
        with pytest.raises(BenchError, match=r"LMN adapter: .*gone.*look at adapter and cable") as caught:
            await work(pulled, meter)
        assert isinstance(caught.value, PortLost)
        assert not isinstance(caught.value, DeviceError)
        assert clock.seconds() - begin < 1.0, "no time-outs are waited for"
        with pytest.raises(PortLost):
            await pulled.master.discover()
    finally:
        pulled.close()


class Gateway:
    """The bench as meters on an adapter, towards a gateway at the other end that invites again and again."""

    def __init__(self, clock: Clock, **settings: object) -> None:
        self.clock = clock
        self.far, path = pty_pair(clock, LineSettings())
        self.adapter = open_adapter(clock, AdapterSettings(path, **settings), name="LMN")  # type: ignore[arg-type]
        self.bus = Rs485Bus(clock, self.adapter)
        self.timeline = Timeline(clock)
        self.bus.on_lost = self.timeline.fail
        meter = BaseMeter(clock, "1SAG0021061001")
        self.station = WiredStation(clock, self.bus, meter, random.Random(1))
        self.heard = bytearray()
        self.far.set_receiver(self.heard.extend)

    async def invite(self, wait_s: float = 0.05) -> None:
        self.far.write(INVITE)
        await self.clock.sleep(wait_s)

    def close(self) -> None:
        self.station.close()
        self.bus.close()
        self.far.close()


@pytest.fixture
def gateways(clock: Clock) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(**settings: object) -> Gateway:
        made.append(Gateway(clock, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@BOTH
@pytest.mark.parametrize("echo", [False, True])
async def test_a_case_that_waits_for_the_gateway_is_told_that_the_meters_are_off_the_bus(
    clock: Clock, gateways: Callable[..., Gateway], echo: bool
) -> None:
    """Without that the gateway would be blamed for a meter that it cannot reach."""
    gateway = gateways(echo=echo)
    await gateway.invite()
    begin = clock.seconds()
    clock.call_later(0.2, gateway.far.close)
    with pytest.raises(BenchError, match=r"LMN: .*gone; the meters are no longer on the gateway's bus") as caught:
        await gateway.timeline.changed(until=begin + 30)
    assert not isinstance(caught.value, DeviceError)
    assert clock.seconds() - begin < 5
    with pytest.raises(BenchError):
        await gateway.timeline.changed(until=begin + 30)


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.006, 0.0065, 0.010])
async def test_a_meter_that_speaks_when_the_adapter_is_pulled_does_not_break_the_bench(
    clock: Clock, gateways: Callable[..., Gateway], after_s: float
) -> None:
    gateway = gateways()
    for _ in range(3):
        await gateway.invite()
    told: list[PortLost] = []
    gateway.bus.on_lost = told.append
    clock.call_later(after_s, gateway.far.close)
    await gateway.invite()
    gateway.station._voice._speak(b"nobody hears it")
    await clock.sleep(0.1)
    assert len(told) == 1
    assert gateway.station.powered


async def test_an_adapter_that_takes_nothing_more_is_trouble_of_the_bench_as_well(clock: Clock) -> None:
    gateway, port = memory_pair(clock, ("gateway", "LMN"))
    bus = Rs485Bus(clock, port)
    timeline = Timeline(clock)
    bus.on_lost = timeline.fail

    class Talker:
        name = "talker"

        def receive(self, data: bytes) -> None:
            """It only speaks."""

    def full(_: bytes) -> None:
        raise PortCongested("LMN: 65536 octets wait already")

    port.write = full  # type: ignore[method-assign,assignment]
    bus.attach(Talker())(b"hello")
    with pytest.raises(BenchError, match="octets wait already; the meters are no longer"):
        await timeline.changed(until=10)
    gateway.close()
    bus.close()


async def test_the_first_trouble_counts_and_is_told_to_whoever_asks(clock: Clock, tmp_path: Path) -> None:
    timeline = Timeline(clock, tmp_path / "timeline.jsonl")
    told: list[str] = []
    timeline.on_trouble = lambda: told.append(str(timeline.trouble))
    timeline.fail(BenchError("the adapter was unplugged"))
    timeline.fail(BenchError("and what followed from that"))
    assert told == ["the adapter was unplugged"]
    timeline.add("note", "still written")
    timeline.close()
    assert "still written" in (tmp_path / "timeline.jsonl").read_text("utf-8")


# --- one program at a time


def _asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    asked: list[int] = []
    plain = fcntl.ioctl

    def ioctl(descriptor: Any, request: int, *rest: Any) -> Any:
        asked.append(request)
        return plain(descriptor, request, *rest)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return asked


async def test_an_adapter_is_kept_from_programs_that_do_not_ask_and_given_back(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flock keeps away who asks for it; TIOCEXCL the others, such as modem managers."""
    asked = _asked(monkeypatch)
    far, path = pty_pair(clock)
    port = open_adapter(clock, AdapterSettings(path))
    assert termios.TIOCEXCL in asked
    assert termios.TIOCNXCL not in asked
    with pytest.raises(BenchError, match="in use by another program"):
        open_adapter(clock, AdapterSettings(path))
    port.close()
    assert termios.TIOCNXCL in asked
    again: BytePort = open_adapter(clock, AdapterSettings(path))
    assert isinstance(again, AdapterPort)
    again.close()
    assert isinstance(far, PtyPort)
    far.close()


async def test_a_stable_name_and_a_plain_one_are_the_same_adapter(clock: Clock, tmp_path: Path) -> None:
    far, path = pty_pair(clock)
    stable = tmp_path / "usb-FTDI_USB-RS485-if00-port0"
    stable.symlink_to(path)
    port = open_adapter(clock, AdapterSettings(str(stable)))
    with pytest.raises(BenchError, match="in use by another program"):
        open_adapter(clock, AdapterSettings(path))
    port.close()
    far.close()


async def test_a_stable_name_whose_adapter_was_pulled_is_missing_with_what_there_is(
    clock: Clock, tmp_path: Path
) -> None:
    stable = tmp_path / "usb-FTDI_USB-RS485-if00-port0"
    stable.symlink_to("/dev/ttyUSB_pulled")
    with pytest.raises(BenchError, match=r"does not exist; "):
        open_adapter(clock, AdapterSettings(str(stable)))
