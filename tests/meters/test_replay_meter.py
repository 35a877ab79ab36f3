"""Dumps of real meters come out of the replay octet by octet (lmn-wired 7: public dumps, see vectors/SOURCES.md)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hand_made import cut, frame

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.catalogue import make_meter
from devices.meters.replay_meter import ReplayMeter, recorded_server_id
from devices.meters.wired_station import WiredStation
from devices.ports.memory import memory_pair
from devices.protocols.sml.messages import (
    Body,
    CloseRequest,
    GetListRequest,
    GetProcParameterRequest,
    Message,
    OpenRequest,
    encode_messages,
)
from devices.protocols.sml.transport import decode_file, encode_file
from devices.rs485.bus import Rs485Bus

DUMPS = sorted((Path(__file__).parents[1] / "vectors" / "sml").glob("*.bin"))
START = bytes.fromhex("1B1B1B1B01010101")
END = bytes.fromhex("1B1B1B1B1A")
NOISE = "DZG_DVS-7420.2V.G2_mtr1_error"
OTHER = bytes.fromhex("0A01454D480000000001")


def octets_of(path: Path) -> bytes:
    return path.read_bytes()


def request(server_id: bytes | None = None) -> bytes:
    bodies: tuple[Body, ...] = (
        OpenRequest(b"gateway", b"1", server_id),
        GetListRequest(b"gateway", server_id),
        CloseRequest(),
    )
    return encode_file(encode_messages(Message(bytes([n]), n, 0, body) for n, body in enumerate(bodies)))


def wanted(dump: bytes) -> bytes:
    """What has to come out: from the first start to the last end, or everything where a dump knows no end."""
    first, last = dump.find(START), dump.rfind(END)
    return dump[first : last + 8] if last >= 0 else dump


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
async def test_every_recorded_file_comes_out_byte_for_byte_over_the_bus(clock: Clock, path: Path) -> None:
    dump = octets_of(path)
    gateway, port = memory_pair(clock)
    meter = make_meter(clock, "replay", dump=path, id="1DZG0000000001" if path.stem == NOISE else None)
    WiredStation(clock, Rs485Bus(clock, port), meter, random.Random(1), address=0x10)
    heard = bytearray()
    gateway.set_receiver(heard.extend)

    async def say(control: int, information: bytes = b"") -> bytes:
        heard.clear()
        gateway.write(frame(f"20070207{control:02X}", information))
        await clock.sleep(0.05)
        (answer,) = cut(bytes(heard))
        return answer

    assert isinstance(meter, ReplayMeter)
    await say(0x93)
    played, sent, got = b"", 0, 0
    while not meter.finished:
        assert (await say(got << 5 | 0x10 | sent << 1, request()))[7] & 1, "acknowledged first"
        sent = (sent + 1) % 8
        more = True
        while more:
            answer = await say(got << 5 | 0x11)
            got = (got + 1) % 8
            played += answer[10:-3]
            more = bool(answer[1] & 8)
    assert played == wanted(dump)


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
async def test_the_server_id_of_a_dump_stands_in_it_and_in_the_recorded_lists(clock: Clock, path: Path) -> None:
    dump = octets_of(path)
    identity = recorded_server_id(dump)
    if path.stem == NOISE:
        assert identity is None, "every message of it is damaged"
        with pytest.raises(UsageError, match="say which meter"):
            ReplayMeter(clock, None, dump)
        return
    assert identity is not None
    assert dump.count(identity) >= len(ReplayMeter(clock, None, dump).files)


async def test_at_the_end_the_last_file_is_repeated_or_the_meter_falls_silent(clock: Clock) -> None:
    dump = b"".join(encode_file(bytes([n]) * 8) for n in (1, 2))
    again, silent = ReplayMeter(clock, OTHER, dump), ReplayMeter(clock, OTHER, dump, at_end="silent")
    assert [again.answer(request()) for _ in range(4)] == [again.files[n] for n in (0, 1, 1, 1)]
    assert [silent.answer(request()) for _ in range(4)] == [*silent.files, b"", b""]
    assert again.progress == silent.progress == (2, 2)


async def test_a_dump_without_start_sequence_is_answered_as_noise(clock: Clock) -> None:
    noise = bytes(range(200))
    meter = ReplayMeter(clock, OTHER, noise)
    assert meter.answer(request()) == noise
    assert meter.finished


async def test_octets_before_the_first_start_sequence_are_not_played(clock: Clock) -> None:
    file = encode_file(b"\x01" * 12)
    meter = ReplayMeter(clock, OTHER, file[-12:] + file + file[:20])
    assert meter.files == (file,)


async def test_only_list_requests_to_this_meter_are_played(clock: Clock) -> None:
    meter = ReplayMeter(clock, OTHER, encode_file(b"\x01" * 12))
    bodies: tuple[Body, ...] = OpenRequest(b"g", b"1"), GetProcParameterRequest((b"x" * 9, b"\0\2")), CloseRequest()
    asked = encode_file(encode_messages(Message(b"1", 0, 0, body) for body in bodies))
    assert len(decode_file(meter.answer(asked)).messages) == 3
    meter.answer(request(b"somebody else"))
    meter.answer(b"noise")
    assert meter.played == 0
    meter.answer(request(OTHER + bytes(4)))
    assert meter.played == 1, "an id that was filled up to 14 octets is this meter's all the same"
    meter.power(False)
    assert meter.answer(request()) == b""


async def test_an_empty_dump_is_refused(clock: Clock) -> None:
    with pytest.raises(UsageError, match="without a single octet"):
        ReplayMeter(clock, OTHER, b"")
