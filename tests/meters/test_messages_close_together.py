"""Messages that follow each other faster than the meter works on one: each was acknowledged, so each counts."""

from __future__ import annotations

import pytest
from bus_bench import Bench
from hand_made import cut, frame

from devices.clock import Clock
from devices.meters.station_settings import Busy, StationTiming
from devices.protocols.hdlc import Frame

SNRM = frame("CC07020793")
PAUSE_S = 0.002
"""Between two messages, which is less than the 5 ms that the meter works on one."""


class Asked:
    """A service that answers what it was given, and notes it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def __call__(self, message: bytes) -> bytes:
        self.messages.append(message)
        return b"to " + message


async def say_both(bench: Bench) -> tuple[bytes, bytes]:
    first = await bench.master.say(frame("CC07020710", b"one"), PAUSE_S)
    second = await bench.master.say(frame("CC07020712", b"two"), PAUSE_S)
    return first, second


async def answers(bench: Bench) -> list[bytes]:
    """What the meter has to say until it says RR."""
    found: list[bytes] = []
    while True:
        (octets,) = cut(await bench.master.say(frame(f"CC070207{len(found) << 5 | 0x11:02X}"), 0.02))
        if octets[7] & 1:
            return found
        found.append(Frame.from_bytes(octets).information)


async def test_a_second_message_while_the_first_is_worked_on_takes_nothing_from_it(clock: Clock) -> None:
    """lmn-wired 3.1: a TLS record may span frames, and these need no segmentation bit."""
    bench, asked = Bench(clock), Asked()
    bench.station(address=0x66, services={3: asked})
    await bench.master.say(SNRM)
    assert await say_both(bench) == (frame("0207CC0731"), frame("0207CC0751")), "both are acknowledged"
    await clock.sleep(0.02)
    assert asked.messages == [b"one", b"two"]
    assert await answers(bench) == [b"to one", b"to two"]


async def test_each_message_is_worked_on_as_long_as_the_meter_takes(clock: Clock) -> None:
    bench = Bench(clock)
    worked: list[float] = []

    def work(_: bytes) -> bytes:
        worked.append(clock.seconds())
        return b"done"

    timing = StationTiming(processing_s=0.1)
    bench.station(address=0x66, timing=timing, services={3: work})
    await bench.master.say(SNRM)
    await say_both(bench)
    came = [at for at, source, *_ in bench.evidence if source == "gateway"][1:]
    await clock.sleep(0.3)
    assert [round(later - at, 6) for at, later in zip(came, worked, strict=True)] == [0.1, 0.1]


async def test_a_meter_that_says_rnr_while_it_works_says_so_until_it_has_worked_on_both(clock: Clock) -> None:
    bench, asked = Bench(clock), Asked()
    bench.station(address=0x66, busy=Busy.NOT_READY, timing=StationTiming(processing_s=0.1), services={3: asked})
    await bench.master.say(SNRM)
    await bench.master.say(frame("CC07020710", b"one"), 0.09)
    await bench.master.say(frame("CC07020712", b"two"), 0.02)
    assert asked.messages == [b"one"]
    assert (await bench.master.say(frame("CC07020715")))[7] & 0x0F == 0x05, "RNR: the second is not done"
    await clock.sleep(0.1)
    assert (await bench.master.say(frame("CC07020715")))[7] & 0x0F == 0x01, "RR"


@pytest.mark.parametrize("end", ["new link", "mains off", "new address"])
async def test_with_the_link_all_that_was_waiting_is_forgotten(clock: Clock, end: str) -> None:
    bench, asked = Bench(clock), Asked()
    station = bench.station(address=0x66, timing=StationTiming(processing_s=0.1), services={3: asked})
    await bench.master.say(SNRM)
    await say_both(bench)
    if end == "new link":
        await bench.master.say(SNRM)
    elif end == "mains off":
        station.power(False)
    else:
        station.adopt(0x20)
    await clock.sleep(1)
    assert not asked.messages
