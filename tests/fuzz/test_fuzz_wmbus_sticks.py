"""Mutated streams of wM-Bus sticks: framings never raise, forget nothing for ever, keep little; drivers live on."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.memory import memory_pair
from devices.ports.radio import RadioMode, Reception
from devices.protocols.wmbus_sticks import amb8465, cul, im871a, iu891a
from devices.protocols.wmbus_sticks.amb8465 import AmberScanner, CommandScanner, Frame
from devices.protocols.wmbus_sticks.cul import CulScanner
from devices.protocols.wmbus_sticks.errors import StickError
from devices.protocols.wmbus_sticks.im871a import DeviceInfo, HciMessage, HciScanner
from devices.protocols.wmbus_sticks.iu891a import Config, SlipMessage, SlipScanner
from devices.protocols.wmbus_sticks.rc1180 import RcScanner, Reply, dump
from devices.protocols.wmbus_sticks.rtl_wmbus import RtlLine, RtlScanner
from devices.protocols.wmbus_sticks.scanner import Heard, Noise, Scanner
from devices.wmbus.emulated.catalogue import EMULATED
from devices.wmbus.kinds import make_stick

GAS = bytes.fromhex("2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3")
LONGEST_KEPT = 4096
ROUNDS = 60


def _configuring() -> RcScanner:
    scanner = RcScanner()
    scanner.configuring = True
    return scanner


def _indication() -> bytes:
    return HciMessage(2, 3, GAS[1:], stamp=1, rssi=0x8C, fcs=True).to_bytes()


STREAMS: dict[str, tuple[Callable[[], Scanner[Any]], list[bytes]]] = {
    "im871a": (
        HciScanner,
        [
            _indication(),
            bytes.fromhex("A50110083300151778563412"),
            bytes.fromhex("A5010616FF000A00AE0C78563412010001FF0702320001000001"),
        ],
    ),
    "iu891a": (
        SlipScanner,
        [
            iu891a.indication(GAS, -70, 9).to_bytes(),
            SlipMessage(9, 2, b"\0" + Config().to_octets()).to_bytes(),
        ],
    ),
    "amb8465 in frames": (
        lambda: AmberScanner(rssi=True),
        [
            Frame(3, GAS[1:] + b"\x14").to_bytes(),
            Frame(0x8A, bytes((0, 120)) + bytes(120)).to_bytes(),
        ],
    ),
    "amb8465 transparent": (
        lambda: AmberScanner(transparent=True, rssi=True),
        [b"\x2f" + GAS[1:] + b"\x14", bytes.fromhex("FF8401007A")],
    ),
    "amb8465 commands": (CommandScanner, [bytes.fromhex("FF0903050101F0"), bytes.fromhex("FF0A02008077")]),
    "rc1180": (lambda: RcScanner(rssi=True), [b"\x2f" + GAS[1:] + b"\x14"]),
    "rc1180 configuring": (_configuring, [bytes(range(256)) + b">", b">"]),
    "cul": (
        CulScanner,
        [
            f"{cul.telegram_line(GAS, 'T1', -64.0)}\r\n".encode(),
            f"{cul.telegram_line(GAS, 'C1B', None)}\r\n".encode(),
            b"TMODE\r\n",
        ],
    ),
    "rtl_wmbus": (
        RtlScanner,
        [f"T1;1;1;2019-04-03 19:00:42.000;97;148;12345678;0x{GAS.hex()}\n".encode(), b"# tuned\n"],
    ),
}
names = sorted(STREAMS)


def judge(name: str, octets: bytes, cuts: random.Random | None = None) -> None:
    """Feed `octets`, in pieces; whatever comes out must make sense."""
    scanner = STREAMS[name][0]()
    events: list[Any] = []
    place = 0
    while place < len(octets):
        size = len(octets) if cuts is None else cuts.randint(1, 64)
        events += scanner.feed(octets[place : place + size])
        place += size
        assert scanner.waiting <= LONGEST_KEPT
    events += scanner.silence()
    assert scanner.waiting == 0, "silence leaves nothing behind"
    assert sum(event.count for event in events if isinstance(event, Noise)) <= len(octets)
    for event in events:
        _make_sense(event)


def _make_sense(event: Any) -> None:
    if isinstance(event, Heard):
        assert event.telegram[0] == len(event.telegram) - 1 >= 9
        return
    if isinstance(event, RtlLine):
        assert all(telegram[0] == len(telegram) - 1 for telegram in event.telegrams)
        return
    readers: dict[type, tuple[Callable[[Any], object], ...]] = {
        HciMessage: (
            im871a.heard,
            lambda message: DeviceInfo.from_payload(message.payload),
            lambda message: im871a.encode_config(im871a.decode_config(message.payload)),
        ),
        SlipMessage: (iu891a.heard, lambda message: Config.from_octets(message.body), lambda message: message.status),
        Frame: (amb8465.parameters,),
        Reply: (dump,),
    }
    for read in readers.get(type(event), ()):
        try:
            read(event)
        except StickError:
            continue
    if isinstance(event, HciMessage | SlipMessage | Frame):
        (again,) = STREAMS[_of(event)][0]().feed(event.to_bytes())
        assert again == event or isinstance(again, Heard | Noise)


def _of(event: object) -> str:
    if isinstance(event, HciMessage):
        return "im871a"
    return "iu891a" if isinstance(event, SlipMessage) else "amb8465 commands"


@pytest.mark.parametrize("name", names)
def test_mutated_streams_make_sense_or_noise(name: str, rng: random.Random) -> None:
    seeds = STREAMS[name][1]
    others = [seed for _, more in STREAMS.values() for seed in more]
    for _ in range(ROUNDS):
        for seed in seeds:
            judge(name, mutated(rng, seed * 3, others), rng)


@pytest.mark.parametrize("name", names)
def test_unharmed_streams_are_no_noise(name: str) -> None:
    make, seeds = STREAMS[name]
    for seed in seeds:
        scanner = make()
        events = scanner.feed(seed) + scanner.silence()
        assert not [event for event in events if isinstance(event, Noise)]


@given(st.sampled_from(names), st.binary(max_size=700))
@settings(max_examples=200)
def test_any_octets_make_sense_or_noise(name: str, octets: bytes) -> None:
    judge(name, octets)


HOSTILE = [
    bytes.fromhex(piece) * 2000 for piece in ("a5", "a5e1", "a5c203ff", "c0", "db", "dbdc", "ff", "ff03ff", "62")
]
HOSTILE += [
    bytes.fromhex(piece) * 2000 for piece in ("ff449315", "2f44", "0a", "0d", "00", "3e", "313b", "54313b313b313b")
]


@pytest.mark.parametrize("name", names)
def test_memory_is_bounded_whatever_comes(name: str) -> None:
    for octets in HOSTILE:
        scanner = STREAMS[name][0]()
        tracemalloc.start()
        try:
            for start in range(0, len(octets), 997):
                scanner.feed(octets[start : start + 997])
            scanner.silence()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= 600_000, (octets[:6].hex(), peak)


class DeafAntenna:
    """It only takes."""

    on_reception: Callable[[Reception], None] | None = None

    def send(self, telegram: bytes, mode: RadioMode) -> float:
        if len(telegram) < 10 or telegram[0] != len(telegram) - 1:
            raise ValueError("no telegram")
        return 0.01

    def detach(self) -> None:
        """Nothing to let go of."""


@pytest.mark.parametrize("kind", sorted(EMULATED))
async def test_emulated_sticks_live_on_whatever_a_host_says(clock: Clock, rng: random.Random, kind: str) -> None:
    requests = [
        bytes.fromhex("A581010000"),
        bytes.fromhex("A501030600020A300100"),
        bytes.fromhex("A502010906AE0C785634120107"),
        *(seed for _, seeds in STREAMS.values() for seed in seeds),
        b"\0000M\x03\x0a\xffG\x0aX",
        b"V\r\nbrt\r\nX21\r\n",
    ]
    near, far = memory_pair(clock)
    EMULATED[kind](clock, far, DeafAntenna(), rng)
    for _ in range(40):
        for request in requests:
            near.write(mutated(rng, request, requests))
            await clock.sleep(rng.choice((0.0, 0.001, 0.2)))


@pytest.mark.parametrize("kind", sorted(EMULATED))
async def test_drivers_live_on_whatever_a_stick_says(clock: Clock, rng: random.Random, kind: str) -> None:
    """No exception but BenchError from a question, none at all from the line (warnings are errors)."""
    seeds = [seed for _, more in STREAMS.values() for seed in more]
    near, far = memory_pair(clock)

    def babble(_: bytes) -> None:
        far.write(mutated(rng, rng.choice(seeds), seeds))

    far.set_receiver(babble)
    stick = make_stick(clock, kind, lambda: near)
    frames: list[Reception] = []
    stick.on_frame = frames.append
    try:
        await stick.open(clock.deadline(20))
    except BenchError:
        assert kind != "rtl_wmbus"
    else:
        for _ in range(200):
            far.write(mutated(rng, rng.choice(seeds), seeds))
            await clock.sleep(rng.choice((0.0, 0.01, 0.2)))
    stick.close()
    assert all(frame.telegram[0] == len(frame.telegram) - 1 for frame in frames)
