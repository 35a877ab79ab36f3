"""What single sticks do in their own way, the search for a stick, and a stick as an antenna (lmn-wireless 5)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from stick_bench import CONFIRM, GAS, HandAntenna, StickBench

from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.ports.base import BytePort
from devices.ports.memory import memory_pair
from devices.ports.pty import pty_pair
from devices.ports.radio import RadioMode, Reception
from devices.ports.serial import open_serial
from devices.protocols.wmbus_sticks import amb8465, im871a, rc1180
from devices.wmbus.air import Air
from devices.wmbus.emulated.amb8465 import EmulatedAmb8465
from devices.wmbus.emulated.base import Fault
from devices.wmbus.emulated.catalogue import EMULATED
from devices.wmbus.emulated.cul import EmulatedCul
from devices.wmbus.emulated.im871a import EmulatedIm871a
from devices.wmbus.identify import ALL_S, PROBE_ORDER, find_stick
from devices.wmbus.kinds import STICKS, make_stick
from devices.wmbus.rc1180 import Rc1180Stick
from devices.wmbus.stick import Receive, Reopening
from devices.wmbus.stick_antenna import QUEUE_LIMIT, StickAntenna


def bench(clock: Clock, kind: str, **more: Any) -> StickBench:
    return StickBench(clock, "memory", kind, **more)


# --- iM871A


class Host:
    """A program that talks to an emulated stick with the fact sheet's own octets."""

    def __init__(self, clock: Clock, kind: str, **options: Any) -> None:
        self.clock = clock
        self.antenna = HandAntenna(clock)
        self.near, far = memory_pair(clock)
        self.heard = bytearray()
        self.near.set_receiver(self.heard.extend)
        self.stick = EMULATED[kind](clock, far, self.antenna, **options)

    async def ask(self, octets: str) -> str:
        self.heard.clear()
        self.near.write(bytes.fromhex(octets))
        await self.clock.sleep(0.1)
        return bytes(self.heard).hex().upper()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("A5010100", "A5010200"),
        ("A5010F00", "A50110083300151778563412"),
        ("A5010500", "A5010616FF000A00AE0C7856341201000 1FF0702320001000001".replace(" ", "")),
        ("A501030600020A300100", "A501040101"),
        ("A502010906AE0C785634120107", "A502020101"),
    ],
)
async def test_an_emulated_im871a_answers_as_the_fact_sheet_shows(clock: Clock, question: str, answer: str) -> None:
    assert await Host(clock, "im871a").ask(question) == answer


async def test_an_emulated_im871a_tells_the_gas_meter_octet_for_octet(clock: Clock) -> None:
    """lmn-wireless 5.1: A5 C2 03 2E ... 8C FC8D"""
    host = Host(clock, "im871a")
    host.antenna.hear(GAS, RadioMode.T1, -52.0)
    await clock.sleep(0.1)
    assert bytes(host.heard) == bytes.fromhex("A5C2032E") + GAS[1:] + bytes.fromhex("8CFC8D")


async def test_an_emulated_iu891a_wakes_up_and_answers_a_ping(clock: Clock) -> None:
    assert await Host(clock, "iu891a").ask("C0" * 30 + "C001011607C0") == "C0010200A0AFC0"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("FF040109F3", "FF8401007A"),
        ("FF0500FA", "FF8501007B"),
        ("FF0903050101F0", "FF89010077"),
        ("FF0C00F3", "FF8C0302000674"),
        ("FF1100EE", "FF9001006E"),
    ],
)
async def test_an_emulated_amb8465_answers_as_the_fact_sheet_shows(clock: Clock, question: str, answer: str) -> None:
    assert await Host(clock, "amb8465").ask(question) == answer


@pytest.mark.parametrize(("size", "head"), [(120, "FF8A7A0078"), (128, "FF8A820080")])
async def test_an_emulated_amb_dumps_as_many_parameters_as_it_has(clock: Clock, size: int, head: str) -> None:
    said = await Host(clock, "amb8465", size=size).ask("FF0A02008077")
    assert said.startswith(head)
    assert len(said) == 2 * (3 + 2 + size + 1)


async def test_an_emulated_amb8465_tells_bare_and_in_frames_as_the_fact_sheet_shows(clock: Clock) -> None:
    host = Host(clock, "amb8465")
    assert isinstance(host.stick, EmulatedAmb8465)
    await host.ask(amb8465.Frame(amb8465.SET, bytes((0x45, 1, 1))).to_bytes().hex())
    await host.ask("FF0500FA")
    await clock.sleep(1)
    host.heard.clear()
    host.antenna.hear(GAS)
    await clock.sleep(0.2)
    assert bytes(host.heard) == b"\x2f" + GAS[1:] + b"\x14"
    await host.ask("FF0903050101F0")
    await host.ask("FF0500FA")
    await clock.sleep(1)
    host.heard.clear()
    host.antenna.hear(GAS)
    await clock.sleep(0.2)
    assert bytes(host.heard) == bytes.fromhex("FF032F") + GAS[1:] + bytes.fromhex("1419")


async def test_an_emulated_rc1180_dumps_257_octets(clock: Clock) -> None:
    host = Host(clock, "rc1180")
    assert await host.ask("00") == "3E"
    dump = await host.ask("30")
    assert len(dump) == 2 * rc1180.DUMP_SIZE
    assert dump[2 * 0x19 : 2 * 0x1B] == "0CAE"
    assert await host.ask("58") == ""


async def test_an_emulated_cul_answers_as_the_fact_sheet_shows(clock: Clock) -> None:
    host = Host(clock, "cul")
    for question, answer in (("V", "V 1.67 nanoCUL868"), ("brt", "TMODE"), ("brc", "CMODE"), ("brs", "SMODE")):
        said = await host.ask(f"{question}\r\n".encode().hex())
        assert bytes.fromhex(said) == f"{answer}\r\n".encode()
    await host.ask(b"brt\r\nX21\r\n".hex())
    host.heard.clear()
    host.antenna.hear(GAS)
    await clock.sleep(0.1)
    assert bytes(host.heard).startswith(b"b2E44931578563412330333637A2A")
    assert bytes(host.heard).endswith(b"EC8A8B14\r\n")


async def test_time_stamps_come_where_the_stick_sends_them(clock: Clock) -> None:
    for kind, sent in (("im871a", True), ("iu891a", True), ("amb8465", False)):
        one = await bench(clock, kind).open()
        at_ms = int(clock.seconds() * 1000)
        frame = await one.hear()
        assert (frame.stamp == at_ms) if sent else (frame.stamp is None)
        one.close()


async def test_without_stamps_the_fact_sheets_setting_is_asked_for(clock: Clock) -> None:
    """set C+T, RSSI: 02 0A 30 01 00 (lmn-wireless 5.1)"""
    one = bench(clock, "im871a")
    stick = STICKS["im871a"](clock, lambda: one.open_at(57_600), stamps=False)  # type: ignore[call-arg]
    await stick.open(clock.deadline(5))
    assert isinstance(one.emulated, EmulatedIm871a)
    assert one.emulated.config["timestamp_attach"] == 0
    assert one.emulated.config["link_mode"] == im871a.MODE_C_AND_T
    stick.close()
    one.close()


async def test_an_answer_to_a_meter_is_sent_at_once_without_leaving_c_and_t(clock: Clock) -> None:
    """A partner of a T2 meter has 2 ms and some (lmn-wireless 2.4): no settings in between."""
    one = await bench(clock, "im871a").open()
    began = clock.seconds()
    await one.stick.send(CONFIRM, RadioMode.OTHER_T)
    assert clock.seconds() - began < 0.02
    one.close()


async def test_a_stick_that_started_anew_by_itself_is_set_up_again(clock: Clock) -> None:
    one = await bench(clock, "im871a").open()
    assert isinstance(one.emulated, EmulatedIm871a)
    one.emulated.config["link_mode"] = 0x00
    await clock.sleep(70)
    assert one.emulated.config["link_mode"] == im871a.MODE_C_AND_T
    assert (await one.hear()).telegram == GAS
    one.close()


@pytest.mark.parametrize("kind", ["im871a", "iu891a", "amb8465", "cul"])
async def test_a_stick_that_falls_silent_is_noticed_and_comes_back(clock: Clock, kind: str) -> None:
    one = StickBench(clock, "pty", kind)
    await one.open()
    one.emulated.faults.add(Fault.SILENT)
    await clock.sleep(75)
    (trouble,) = one.trouble
    assert "no answer" in str(trouble)
    assert "it is opened again" in str(trouble)
    one.emulated.faults.clear()
    await clock.sleep(30)
    assert one.recovered == 1
    assert (await one.hear()).telegram == GAS
    one.close()


async def test_a_stick_pulled_in_the_middle_of_its_set_up_is_trouble_of_the_bench(clock: Clock) -> None:
    for kind in PROBE_ORDER:
        one = bench(clock, kind)
        clock.call_later(0.008, one.pull)
        with pytest.raises(BenchError, match=r"gone|closed"):
            await one.open()
        assert one.trouble == [], "whoever opens is told by the exception"
        one.close()


async def test_a_slow_stick_is_asked_again_and_given_up_in_time(clock: Clock) -> None:
    one = bench(clock, "im871a")
    one.emulated.faults.add(Fault.SLOW)
    began = clock.seconds()
    with pytest.raises(BenchError, match="no answer to a ping, nothing came"):
        await one.stick.open(clock.deadline(1.2))
    assert clock.seconds() - began <= 1.2
    one.close()


@pytest.mark.parametrize("kind", ["im871a", "amb8465"])
async def test_a_stick_that_refuses_to_send_listens_again_nevertheless(clock: Clock, kind: str) -> None:
    one = await bench(clock, kind).open()
    one.antenna.busy = True
    with pytest.raises(BenchError, match=r"refuses a telegram of 47 octets to send: it answers 0., 0. would be right"):
        await one.stick.send(GAS, RadioMode.T1)
    assert (await one.hear()).telegram == GAS
    one.close()


async def test_a_module_that_refuses_its_set_up_does_not_stay_deaf(clock: Clock) -> None:
    one = bench(clock, "rc1180")
    one.emulated.faults.add(Fault.FIRMWARE)
    with pytest.raises(BenchError, match="receives T only"):
        await one.open()
    assert not one.emulated.configuring  # type: ignore[attr-defined]
    one.close()


async def test_what_nobody_reads_is_lost_and_no_trouble(clock: Clock) -> None:
    far, _ = pty_pair(clock)
    antenna = HandAntenna(clock)
    stick = EmulatedCul(clock, far, antenna, limit=None)
    stick._received(b"brt\r\nX21\r\n")  # whoever said so has gone
    for _ in range(3000):
        antenna.hear(long_telegram(250))
        await clock.sleep(0.01)
    assert stick.delivered == 3000
    stick.close()


def test_pauses_between_attempts_grow_up_to_a_bound() -> None:
    pauses = [Reopening().pause(attempt) for attempt in range(20)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 0.5
    assert pauses[-1] == 10.0 == Reopening().pause(10_000)


# --- AMB8465


async def test_an_amber_stick_keeps_what_it_was_told_and_its_memory_is_spared(clock: Clock) -> None:
    one = await bench(clock, "amb8465").open()
    assert isinstance(one.emulated, EmulatedAmb8465)
    assert one.emulated.worn == 2
    assert one.emulated.parameters[amb8465.COMMAND_OUTPUT] == 1
    one.pull()
    one.put_back()
    await one.until(lambda: one.recovered == 1)
    assert one.emulated.worn == 2
    one.close()


async def test_an_amb3665_is_told_apart(clock: Clock) -> None:
    one = bench(clock, "amb8465", options={"size": amb8465.PARAMETERS_AMB3665})
    with pytest.raises(BenchError, match="AMB3665 for 169 MHz; right would be an AMB8465-M"):
        await one.open()
    one.close()


async def test_an_amber_stick_does_not_send_format_b(clock: Clock) -> None:
    one = await bench(clock, "amb8465").open()
    with pytest.raises(BenchError, match="does not send C1B; right would be C1A"):
        await one.stick.send(GAS, RadioMode.C1_B)
    one.close()


# --- RC1180


async def test_an_rc1180_left_in_configuration_mode_is_led_out(clock: Clock) -> None:
    one = bench(clock, "rc1180")
    one.emulated.configuring = True  # type: ignore[attr-defined]
    await one.open()
    assert (await one.hear()).telegram == GAS
    one.close()


async def test_an_rc1180_writes_its_memory_only_where_it_differs(clock: Clock) -> None:
    one = await bench(clock, "rc1180").open()
    assert one.emulated.worn == 3  # type: ignore[attr-defined]
    await one.stick.reset(clock.deadline(10))
    assert one.emulated.worn == 3  # type: ignore[attr-defined]
    assert isinstance(one.stick, Rc1180Stick)
    await one.stick.set_address(GAS[2:10], clock.deadline(5))
    assert await one.stick.identify(clock.deadline(5)) == "RC1180-MBUS, address 9315785634123303"
    one.close()


# --- CUL


def long_telegram(octets: int) -> bytes:
    return bytes((octets - 1, 0x44)) + GAS[2:10] + bytes(octets - 10)


@pytest.mark.parametrize(("octets", "through"), [(130, True), (131, False), (200, False)])
async def test_a_classic_nanocul_cuts_telegrams_beyond_148_octets(clock: Clock, octets: int, through: bool) -> None:
    """130 octets and nine CRCs are 148 on the air (lmn-wireless 2.1, 5.5)."""
    one = await bench(clock, "cul").open()
    one.antenna.hear(long_telegram(octets))
    await clock.sleep(0.3)
    assert [frame.telegram for frame in one.frames] == ([long_telegram(octets)] if through else [])
    if not through:
        assert one.stick.last_noise is not None
        assert "was it cut?" in one.stick.last_noise.reason
    assert (await one.hear()).telegram == GAS
    one.close()


async def test_a_newer_cul_does_not(clock: Clock) -> None:
    one = await bench(clock, "cul", options={"limit": None}).open()
    assert (await one.hear(long_telegram(250))).telegram == long_telegram(250)
    one.close()


@pytest.mark.parametrize(
    ("receive", "mode"),
    [(Receive.T, RadioMode.T1), (Receive.C, RadioMode.C1_A), (Receive.C, RadioMode.C1_B), (Receive.S, RadioMode.S1)],
)
async def test_a_cul_hears_one_kind_at_a_time_and_says_which(clock: Clock, receive: Receive, mode: RadioMode) -> None:
    one = await bench(clock, "cul", receive=receive).open()
    for other in (RadioMode.T1, RadioMode.C1_A, RadioMode.C1_B, RadioMode.S1):
        one.antenna.hear(GAS, other)
    await clock.sleep(0.3)
    assert mode in [frame.mode for frame in one.frames]
    assert all(frame.mode_known for frame in one.frames)
    assert len(one.frames) == (2 if receive is Receive.C else 1)
    one.close()


def test_a_cul_cannot_hear_both(clock: Clock) -> None:
    with pytest.raises(UsageError, match=r"CUL cannot listen to c\+t \(it can to t, c, s\)"):
        make_stick(clock, "cul", lambda: memory_pair(clock)[0], receive=Receive.C_AND_T)


def test_an_unknown_stick_is_answered_with_those_that_there_are(clock: Clock) -> None:
    with pytest.raises(UsageError, match=r"no stick 'iu880b' .there are im871a, iu891a, amb8465, rc1180, cul"):
        make_stick(clock, "iu880b", lambda: memory_pair(clock)[0])
    with pytest.raises(UsageError, match="only the AMB8465 has two modes"):
        make_stick(clock, "cul", lambda: memory_pair(clock)[0], transparent=True)


# --- the search


def sockets(clock: Clock, kind: str | None, cable: str) -> Callable[[int], BytePort]:
    """Opens the port of a stick as often as somebody wants."""
    antenna = HandAntenna(clock)
    if cable == "pty":
        line = None if kind is None else STICKS[kind].line
        far, path = pty_pair(clock, line)
        if kind is not None:
            EMULATED[kind](clock, far, antenna)
        return lambda baudrate: open_serial(path, type(line)(baudrate) if line else None)
    made: list[Any] = []

    def open_at(_: int) -> BytePort:
        near, far = memory_pair(clock)
        if kind is not None and not made:
            made.append(EMULATED[kind](clock, far, antenna))
        elif made:
            made[0].pull_out()
            made[0].plug_in(far)
        return near

    return open_at


@pytest.mark.parametrize("cable", ["memory", "pty"])
@pytest.mark.parametrize("kind", PROBE_ORDER)
async def test_the_stick_on_a_port_is_found(clock: Clock, kind: str, cable: str) -> None:
    found = await find_stick(clock, sockets(clock, kind, cable), clock.deadline(ALL_S), "port 1")
    assert (found.kind, found.baudrate) == (kind, STICKS[kind].line.baudrate)
    assert STICKS[kind].title in found.identity


@pytest.mark.parametrize("kind", ["im871a", "cul"])
async def test_the_stick_is_found_among_telegrams_and_garbage(clock: Clock, kind: str) -> None:
    """One that was left listening goes on talking while it is asked."""
    one = StickBench(clock, "pty", kind)
    await one.open()
    one.stick.close()
    for number in range(100):
        clock.call_later(0.05 * number, one.antenna.hear, GAS)
    found = await find_stick(clock, one.open_at, clock.deadline(ALL_S), "port 1")
    assert found.kind == kind
    one.close()


async def test_where_nobody_answers_all_that_were_asked_are_named(clock: Clock) -> None:
    began = clock.seconds()
    with pytest.raises(BenchError) as caught:
        await find_stick(clock, sockets(clock, None, "memory"), clock.deadline(ALL_S), "/dev/ttyUSB7")
    for part in (
        "/dev/ttyUSB7: no wM-Bus stick answers",
        "iM871A at 57600 Bd: nothing",
        "CUL at 38400 Bd",
        "rtl_wmbus",
    ):
        assert part in str(caught.value)
    assert clock.seconds() - began <= ALL_S


async def test_a_port_that_is_not_there_ends_the_search(clock: Clock) -> None:
    def nothing(_: int) -> BytePort:
        raise BenchError("/dev/ttyUSB7 does not exist")

    with pytest.raises(BenchError, match="does not exist"):
        await find_stick(clock, nothing, clock.deadline(ALL_S), "/dev/ttyUSB7")


# --- a stick as an antenna


async def test_a_stick_is_an_antenna_for_meters(clock: Clock) -> None:
    one = await bench(clock, "im871a").open()
    antenna = StickAntenna(one.stick)
    heard: list[Reception] = []
    sent: list[bytes] = []
    antenna.on_reception = heard.append
    antenna.on_sent = lambda telegram, _: sent.append(telegram)
    assert antenna.send(GAS, RadioMode.T1) == pytest.approx(0.0072, abs=0.0005)
    antenna.send(CONFIRM, RadioMode.C1_A)
    await clock.sleep(1)
    assert one.antenna.sent == [(GAS, RadioMode.T1), (CONFIRM, RadioMode.C1_A)]
    assert sent == [GAS, CONFIRM]
    one.antenna.hear(GAS)
    await clock.sleep(0.1)
    assert [reception.telegram for reception in heard] == [GAS]
    antenna.detach()
    one.close()


async def test_what_a_stick_cannot_send_is_told_and_the_queue_is_bounded(clock: Clock) -> None:
    one = await bench(clock, "cul").open()
    antenna = StickAntenna(one.stick)
    trouble: list[BenchError] = []
    antenna.on_trouble = trouble.append
    for _ in range(QUEUE_LIMIT + 5):
        antenna.send(GAS, RadioMode.T1)
    assert antenna.dropped == len(trouble) == 5
    assert "one more is dropped" in str(trouble[0])
    await clock.sleep(1)
    assert len(trouble) == QUEUE_LIMIT + 5
    with pytest.raises(ValueError, match="too few for a frame"):
        antenna.send(b"", RadioMode.T1)
    antenna.detach()
    one.close()


async def test_two_sticks_in_one_air_hear_each_other(clock: Clock, rng: random.Random) -> None:
    air = Air(clock, rng)
    near_a, far_a = memory_pair(clock)
    near_b, far_b = memory_pair(clock)
    ends = [
        EmulatedIm871a(clock, far_a, air.antenna("a", distance_m=3), rng),
        EmulatedCul(clock, far_b, air.antenna("b", distance_m=0), rng),
    ]
    sender = make_stick(clock, "im871a", lambda: near_a, receive=Receive.NOTHING)
    hearer = make_stick(clock, "cul", lambda: near_b)
    frames: list[Reception] = []
    hearer.on_frame = frames.append
    await sender.open(clock.deadline(5))
    await hearer.open(clock.deadline(5))
    await sender.send(GAS, RadioMode.T1)
    await clock.sleep(0.5)
    (frame,) = frames
    assert (frame.telegram, frame.mode) == (GAS, RadioMode.T1)
    assert frame.rssi_dbm is not None
    assert -60 < frame.rssi_dbm < -10
    for one in (sender, hearer):
        one.close()
    for end in ends:
        end.close()
