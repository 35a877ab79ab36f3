"""The GPIO driver on a request that is a pipe; against a kernel it is tried by ``make test-gpio``."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from devices.clock import Clock
from devices.errors import BenchError
from devices.leds.gpio import GpioLeds
from devices.leds.pattern import Undecided
from devices.leds.watch import LedWatch
from devices.ports.led_lines import LedEdge

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


class Kind(Enum):
    RISING_EDGE = 1
    FALLING_EDGE = 2


class Value(Enum):
    ACTIVE = 1
    INACTIVE = 0


@dataclass
class Event:
    event_type: Kind
    timestamp_ns: int
    line_offset: int
    line_seqno: int


class FakeRequest:
    """Lines as libgpiod shows them: a descriptor, events, levels."""

    def __init__(self) -> None:
        self.fd, self._far = os.pipe()
        self.waiting: list[Event] = []
        self.lit = {4: False, 7: False}
        self.released = 0
        self.broken = False

    def happen(self, *events: Event) -> None:
        self.waiting.extend(events)
        os.write(self._far, b"!")

    def read_edge_events(self, max_events: int | None = None) -> list[Event]:
        os.read(self.fd, 100)
        if self.broken:
            raise OSError(errno.ENODEV, "No such device")
        events, self.waiting = self.waiting, []
        return events

    def get_values(self, lines: Iterable[Any] | None = None) -> list[Value]:
        return [Value.ACTIVE if self.lit[offset] else Value.INACTIVE for offset in lines or self.lit]

    def release(self) -> None:
        self.released += 1

    def shut(self) -> None:
        os.close(self.fd)
        os.close(self._far)


@pytest.fixture
def request_() -> Iterator[FakeRequest]:
    request = FakeRequest()
    yield request
    request.shut()


async def test_edges_carry_the_kernels_time_on_the_benchs_clock(clock: Clock, request_: FakeRequest) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.01)
    leds = GpioLeds(clock, "gpiochip0", {"PWR": 4, "TLS": 7}, request=request_)
    seen: list[LedEdge] = []
    leds.subscribe(seen.append)
    stamp = loop.time() - 0.005
    request_.happen(Event(Kind.RISING_EDGE, int(stamp * 1e9), 4, 1), Event(Kind.FALLING_EDGE, int(stamp * 1e9), 7, 1))
    await asyncio.sleep(0.02)
    assert [(edge.line, edge.lit) for edge in seen] == [("PWR", True), ("TLS", False)]
    assert seen[0].t == pytest.approx(clock.seconds() - (loop.time() - stamp), abs=1e-4)
    assert leds.levels() == {"PWR": False, "TLS": False}  # read from the lines, as they are now
    leds.close()
    leds.close()
    assert leds.levels() == {"PWR": True, "TLS": False}  # by the last edges
    assert request_.released == 1


async def test_dropped_edges_are_noticed_and_the_level_is_read_back(clock: Clock, request_: FakeRequest) -> None:
    notes: list[str] = []
    leds = GpioLeds(clock, "gpiochip0", {"PWR": 4, "TLS": 7}, request=request_, on_note=notes.append)
    seen: list[LedEdge] = []
    leds.subscribe(seen.append)
    now = int(asyncio.get_running_loop().time() * 1e9)
    request_.happen(Event(Kind.RISING_EDGE, now, 4, 1))
    await asyncio.sleep(0.01)
    assert notes == []
    request_.lit = {4: False, 7: False}
    request_.happen(Event(Kind.RISING_EDGE, now + 1000, 4, 5))
    await asyncio.sleep(0.01)
    assert [edge.lit for edge in seen] == [True, True, False]
    assert leds.levels() == {"PWR": False, "TLS": False}
    assert notes == ["/dev/gpiochip0: 3 LED edges came too fast and were dropped; level read back for PWR"]
    leds.close()


async def test_an_unplugged_chip_is_a_bench_error_not_a_dark_led(clock: Clock, request_: FakeRequest) -> None:
    notes: list[str] = []
    leds = GpioLeds(clock, "/dev/gpiochip3", {"PWR": 4}, request=request_, on_note=notes.append)
    request_.broken = True
    request_.happen()
    await asyncio.sleep(0.01)
    assert leds.lost is not None
    assert notes == [str(leds.lost)]
    with pytest.raises(BenchError, match="/dev/gpiochip3 is gone"):
        leds.levels()
    leds.close()


async def test_a_missed_last_edge_does_not_leave_a_wrong_level(clock: Clock, request_: FakeRequest) -> None:
    leds = GpioLeds(clock, "gpiochip0", {"PWR": 4}, request=request_)
    at = 0.0
    watch = LedWatch(lambda: at, leds)
    at = 5.0
    assert str(watch.reading("PWR").pattern) == "off"
    request_.lit[4] = True  # and no edge came
    at = 6.0
    assert isinstance(watch.reading("PWR").pattern, Undecided)
    at = 9.0
    assert str(watch.reading("PWR").pattern) == "on"
    leds.close()


async def test_without_libgpiod_the_error_says_how_to_get_it(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(BenchError, match=r"pip install 'smgw-bench\[gpio\]'"):
        GpioLeds(clock, "gpiochip0", {"PWR": 0})


async def test_a_chip_that_is_not_there_is_named_with_those_that_are(clock: Clock) -> None:
    pytest.importorskip("gpiod")
    with pytest.raises(BenchError, match=r"no GPIO chip /dev/gpiochip97; this computer has"):
        GpioLeds(clock, "gpiochip97", {"PWR": 0})


@pytest.mark.asyncio(loop_factories=["virtual"])
async def test_real_lines_are_refused_in_virtual_time(clock: Clock) -> None:
    if not clock.virtual:
        pytest.skip("real loop")
    with pytest.raises(BenchError, match="real time"):
        GpioLeds(clock, "gpiochip0", {"PWR": 0})
