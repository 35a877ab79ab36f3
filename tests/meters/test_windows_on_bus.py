"""Windows of several I frames over the bus: master and station, with all that can happen to them (lmn-wired 1.7)."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from bus_bench import SAG

from devices.clock import Clock
from devices.meters.replay_meter import ReplayMeter
from devices.meters.station_settings import PUBLIC_FIRMWARE, Busy
from devices.meters.wired_station import WiredStation
from devices.ports.base import LineSettings
from devices.ports.hdlc_master import HdlcMaster, LinkTrouble
from devices.ports.memory import memory_pair
from devices.ports.pty import pty_pair
from devices.ports.serial import open_serial
from devices.protocols.hdlc import GATEWAY, Control, Frame, FrameKind
from devices.protocols.hdlc_link import LinkLimits, PrimaryLink
from devices.rs485.bus import Rs485Bus

METER, CLEAR = 0x66, 3
MESSAGE = bytes(range(200)) * 2
OCTET_S = 10 / 921_600
SMALL = LinkLimits(max_information=16, window=5)


class Line:
    """A master and a meter that answers with the octets reversed, on a bus in memory."""

    def __init__(self, clock: Clock, limits: LinkLimits, meter: LinkLimits | None = None, **station: object) -> None:
        self.clock = clock
        near, far = memory_pair(clock, ("gateway", "bench"))
        self.heard: list[tuple[float, str, bytes, bool]] = []
        self.bus = Rs485Bus(clock, far, on_evidence=lambda *what: self.heard.append(what))
        self.master = HdlcMaster(clock, near)
        self.wrong: list[str] = []
        self.master.on_error = lambda kind, _, reason: self.wrong.append(f"{kind}: {reason}")
        self.asked: list[bytes] = []
        self.station = WiredStation(
            clock,
            self.bus,
            ReplayMeter(clock, SAG, b"as recorded"),
            random.Random(1),
            METER,
            services={CLEAR: self.answer},
            limits=meter or limits,
            **station,  # type: ignore[arg-type]
        )
        self.link = PrimaryLink(METER, CLEAR, limits)

    def answer(self, message: bytes) -> bytes:
        self.asked.append(message)
        return message[::-1]

    async def ask(self, message: bytes = MESSAGE) -> tuple[bytes, ...]:
        return await self.master.converse(self.link, self.link.send(message))

    async def connect(self) -> None:
        await self.master.converse(self.link, self.link.connect())
        self.heard.clear()

    def turns(self, source: str) -> list[list[Frame]]:
        """I frames of one end as they were on the wire, cut where the other end spoke."""
        turns: list[list[Frame]] = [[]]
        for _, who, octets, spoilt in self.heard:
            if who != source or spoilt:
                turns.append([])
                continue
            frame = Frame.from_bytes(octets)
            if frame.control.kind is FrameKind.I:
                turns[-1].append(frame)
        return [turn for turn in turns if turn]


async def connected(clock: Clock, limits: LinkLimits, meter: LinkLimits | None = None, **station: object) -> Line:
    line = Line(clock, limits, meter, **station)
    await line.connect()
    return line


@pytest.mark.parametrize("window", range(1, 8))
async def test_so_many_frames_go_out_and_come_back_as_the_window_has(clock: Clock, window: int) -> None:
    line = await connected(clock, replace(SMALL, window=window))
    assert await line.ask() == (MESSAGE[::-1],)
    assert line.asked == [MESSAGE]
    for source in ("gateway", line.station.name):
        turns = line.turns(source)
        assert [len(turn) for turn in turns] == [window] * (25 // window) + [25 % window] * (25 % window > 0)
        assert all(turn[-1].control.poll and not any(one.control.poll for one in turn[:-1]) for turn in turns)
    assert not line.wrong
    assert line.bus.collisions == 0


async def test_the_frames_of_a_window_touch_each_other(clock: Clock) -> None:
    line = await connected(clock, SMALL)
    await line.ask()
    for source in ("gateway", line.station.name):
        ends = [at for at, who, octets, _ in line.heard if who == source and len(octets) == 29][:5]
        assert [later - at for at, later in pairwise(ends)] == pytest.approx([29 * OCTET_S] * 4)


async def test_windows_make_a_long_message_faster(clock: Clock) -> None:
    took = []
    for window in (1, 7):
        line = await connected(clock, replace(SMALL, window=window))
        begin = clock.seconds()
        await line.ask(bytes(4000))
        took.append(clock.seconds() - begin)
    assert took[1] < took[0] / 1.5


async def test_unless_told_one_frame_goes_out_at_a_time(clock: Clock) -> None:
    """lmn-wired 1.7: window 1 in effect."""
    line = await connected(clock, LinkLimits(max_information=16))
    await line.ask()
    assert {len(turn) for source in ("gateway", line.station.name) for turn in line.turns(source)} == {1}


async def test_master_and_meter_agree_on_the_smaller_window(clock: Clock) -> None:
    line = await connected(
        clock, LinkLimits(window=7, negotiate=True), LinkLimits(max_information=32, window=3, negotiate=True)
    )
    assert await line.ask() == (MESSAGE[::-1],)
    for source in ("gateway", line.station.name):
        assert [len(turn) for turn in line.turns(source)] == [3, 3, 3, 3, 1]
        assert {len(frame.information) for turn in line.turns(source) for frame in turn} == {32, 16}


async def test_a_meter_that_says_nothing_of_windows_is_sent_one_frame_at_a_time(clock: Clock) -> None:
    line = await connected(
        clock, LinkLimits(max_information=16, window=7, negotiate=True), LinkLimits(max_information=16)
    )
    assert await line.ask() == (MESSAGE[::-1],)
    assert {len(turn) for source in ("gateway", line.station.name) for turn in line.turns(source)} == {1}


@pytest.mark.parametrize("busy", Busy)
async def test_a_window_is_answered_by_a_busy_meter(clock: Clock, busy: Busy) -> None:
    line = await connected(clock, SMALL, busy=busy)
    assert await line.ask() == (MESSAGE[::-1],)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("silence", {}),
        ("flipped_fcs", {}),
        ("flipped_hcs", {}),
        ("flipped_information", {}),
        ("cut_frame", {}),
        ("no_closing_flag", {}),
        ("length_lie", {}),
        ("noise", {}),
        ("double_answer", {}),
        ("slow_octets", {}),
        ("collision", {}),
        ("foreign_address", {"address": 0x20}),
        ("wrong_selector", {}),
        ("late_answer", {"by_s": 0.05}),
        ("late_answer", {"by_s": 0.5}),
        ("rnr_forever", {}),
    ],
)
async def test_a_window_with_a_fault_arrives_all_the_same(
    clock: Clock, kind: str, values: dict[str, object], times: int
) -> None:
    """Whatever was lost of a window is sent again from there, and nothing comes twice."""
    for behind in range(6):
        line = await connected(clock, SMALL)
        await line.ask(bytes(16 * behind + 1))
        line.asked.clear()
        line.station.fault(kind, times, on="I", **values)
        assert await line.ask() == (MESSAGE[::-1],), f"{kind} behind {behind} frames"
        assert line.asked == [MESSAGE]
        assert not line.station.faults


@pytest.mark.parametrize("lost", range(5))
async def test_each_place_of_a_window_may_be_lost(clock: Clock, lost: int) -> None:
    """The last one takes the F bit along: then the master waits until nothing comes any more, and polls."""
    line = await connected(clock, SMALL)
    begin = clock.seconds()
    spoken = line.station._faults.spoken
    count = 0

    def lose(frame: Frame, after_s: float) -> object:
        nonlocal count
        if frame.control.kind is FrameKind.I:
            count += 1
            if count == lost + 1:
                return ()
        return spoken(frame, after_s)

    line.station.fault("noise", on="UI")
    line.station._faults.spoken = lose  # type: ignore[method-assign,assignment]
    assert await line.ask() == (MESSAGE[::-1],)
    sent = sum(len(turn) for turn in line.turns(line.station.name))
    assert sent == 24 + 5 - lost, "sent again from the lost one on, and not before it"
    waited = clock.seconds() - begin > SMALL.response_timeout_s
    assert waited == (lost == 4)


async def test_an_endless_fault_ends_in_a_failure_of_the_meter(clock: Clock) -> None:
    for kind in ("silence", "flipped_fcs", "cut_frame", "wrong_nr", "wrong_ns", "frmr", "dm"):
        line = await connected(clock, replace(SMALL, answer_polls=20))
        line.station.fault(kind, on="I")
        with pytest.raises(LinkTrouble):
            await line.ask()


async def test_a_meter_that_restarts_within_a_window_is_asked_anew(clock: Clock) -> None:
    line = await connected(clock, SMALL)
    line.station.fault("restart_in_session", 1, on="I", frames=3)
    with pytest.raises(LinkTrouble):
        await line.ask()
    await clock.sleep(2)
    line.station.adopt(METER)
    await line.connect()
    assert await line.ask() == (MESSAGE[::-1],)


async def test_a_new_question_ends_what_was_left_of_the_answer_before(clock: Clock) -> None:
    """A meter speaks when it is polled: the rest of a window that nobody waits for is not said."""
    line = await connected(clock, SMALL)
    line.station.fault("late_answer", 1, on="I", by_s=0.3)
    await line.ask()
    await clock.sleep(1)
    assert line.bus.collisions == 0
    late = [reason for reason in line.wrong if "nobody waits" in reason]
    assert len(late) <= 1


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
async def test_windows_cross_a_pseudo_terminal_as_they_cross_memory(clock: Clock) -> None:
    end, path = pty_pair(clock, LineSettings())
    line = Line(clock, SMALL)
    line.bus.close()
    line.bus = Rs485Bus(clock, end)
    line.station = WiredStation(
        clock,
        line.bus,
        ReplayMeter(clock, SAG, b"x"),
        random.Random(1),
        METER,
        services={CLEAR: line.answer},
        limits=SMALL,
    )
    port = open_serial(path, LineSettings())
    line.master = HdlcMaster(clock, port)
    try:
        await line.connect()
        assert await line.ask() == (MESSAGE[::-1],)
        assert line.asked == [MESSAGE]
    finally:
        port.close()
        line.bus.close()


# --- manners


async def test_a_meter_answers_disc_and_what_it_does_not_know_as_the_standard_wants_or_as_one_firmware_does(
    clock: Clock,
) -> None:
    """lmn-wired 1.7: DM in one public firmware; UA and FRMR in the standard."""
    for manners, kinds in ((None, (FrameKind.UA, FrameKind.FRMR)), (PUBLIC_FIRMWARE, (FrameKind.DM, FrameKind.DM))):
        line = await connected(clock, LinkLimits(), manners=manners)
        unknown = Frame(METER, GATEWAY, CLEAR, Control.from_octet(0xBF))
        (answer,) = await line.master.exchange([unknown], 0.2)
        assert answer.control.kind is kinds[1]
        await line.connect()
        (answer,) = await line.master.exchange([Frame(METER, GATEWAY, CLEAR, Control(FrameKind.DISC))], 0.2)
        assert answer.control.kind is kinds[0]
