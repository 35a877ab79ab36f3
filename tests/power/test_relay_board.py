"""The emulated board octet by octet, with the examples of the Modbus specifications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.clock import Clock
from devices.ports.base import LineSettings
from devices.ports.memory import MemoryPort, memory_pair
from devices.power.modbus_server import silence_between_frames
from devices.power.relay_board import EmulatedRelayBoard, RelayCoils
from devices.protocols.modbus_rtu import (
    ModbusError,
    TcpFrame,
    TcpFrameReader,
    crc,
    exception_name,
    parse_rtu,
    rtu_frame,
)


class Master:
    """The other end of the board's line."""

    def __init__(self, clock: Clock, baudrate: int = 9600) -> None:
        self.clock = clock
        self.moves: list[tuple[int, bool]] = []
        near, far = memory_pair(clock, ("master", "board"), LineSettings(baudrate=baudrate))
        self.port: MemoryPort = near
        self.board = EmulatedRelayBoard(clock, far, on_change=lambda coil, on: self.moves.append((coil, on)))
        self.heard: list[tuple[float, bytes]] = []
        near.set_receiver(lambda data: self.heard.append((clock.seconds(), data)))

    async def ask(self, frame: bytes) -> bytes | None:
        self.heard.clear()
        self.port.write(frame)
        await self.clock.sleep(1)
        return self.heard[0][1] if self.heard else None

    async def pdu(self, text: str) -> str | None:
        answer = await self.ask(rtu_frame(1, bytes.fromhex(text)))
        return None if answer is None else parse_rtu(answer)[1].hex(" ")


@pytest.fixture
async def master(clock: Clock) -> Master:
    return Master(clock)


def test_the_check_is_that_of_published_frames() -> None:
    """Serial Line 1.02 (02 07 -> 41 12), the CRC catalogue, and an answer printed in the Eastron SDM protocol."""
    assert rtu_frame(0x02, b"\x07") == bytes.fromhex("02074112")
    assert rtu_frame(0x01, bytes.fromhex("04 04 43 66 33 34")) == bytes.fromhex("01 04 04 43 66 33 34 1b 38")
    assert crc(b"123456789") == 0x4B37


def test_exceptions_have_names() -> None:
    assert exception_name(2) == "illegal data address (2)"
    assert exception_name(11) == "gateway target failed to respond (11)"
    assert exception_name(77) == "unknown exception (77)"


async def test_coils_are_written_and_read(master: Master) -> None:
    assert await master.pdu("05 0002 ff00") == "05 00 02 ff 00"
    assert await master.pdu("01 0000 0008") == "01 01 04"
    assert await master.pdu("0f 0004 0003 01 05") == "0f 00 04 00 03"
    assert await master.pdu("01 0000 0008") == "01 01 54"
    assert await master.pdu("01 0004 0003") == "01 01 05"
    assert await master.pdu("02 0000 0008") == "02 01 00"
    assert await master.pdu("05 0002 0000") == "05 00 02 00 00"
    assert master.moves == [(2, True), (4, True), (6, True), (2, False)]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("03 0000 0001", "83 01"),
        ("06 0000 0001", "86 01"),
        ("01 0008 0001", "81 02"),
        ("01 0007 0002", "81 02"),
        ("05 0008 ff00", "85 02"),
        ("0f 0006 0003 01 07", "8f 02"),
        ("01 0000 0000", "81 03"),
        ("01 0000 07d1", "81 03"),
        ("05 0000 0001", "85 03"),
        ("05 0000 ff", "85 03"),
        ("0f 0000 0003 02 07", "8f 03"),
        ("0f 0000 0003 01", "8f 03"),
    ],
)
async def test_wrong_requests_get_their_exception(master: Master, request_: str, answer: str) -> None:
    assert await master.pdu(request_) == answer
    assert master.moves == []


async def test_the_board_is_silent_for_others_for_damage_and_for_broadcasts(master: Master) -> None:
    switch_on = bytes.fromhex("05 0000 ff00")
    assert await master.ask(rtu_frame(2, switch_on)) is None
    damaged = bytearray(rtu_frame(1, switch_on))
    damaged[3] ^= 1
    assert await master.ask(bytes(damaged)) is None
    assert await master.ask(b"\x01") is None
    assert await master.ask(bytes(600)) is None
    assert master.moves == []
    assert master.board.server.ignored == 4
    assert await master.ask(rtu_frame(0, switch_on)) is None
    assert master.moves == [(0, True)]
    assert await master.pdu("01 0000 0001") == "01 01 01"


async def test_frames_are_parted_by_silence_and_not_by_their_length(master: Master) -> None:
    """Two requests without a gap are one damaged frame; half a frame and its rest after a gap are two."""
    frame = rtu_frame(1, bytes.fromhex("05 0000 ff00"))
    assert await master.ask(frame + frame) is None
    master.port.write(frame[:4])
    await master.clock.sleep(4 * 10 / 9600 + 0.005)
    assert await master.ask(frame[4:]) is None
    assert master.moves == []


async def test_the_answer_comes_after_silence_and_the_time_of_the_wire(clock: Clock) -> None:
    master = Master(clock, baudrate=19_200)
    begin = clock.seconds()
    await master.ask(rtu_frame(1, bytes.fromhex("05 0000 ff00")))
    assert master.heard[0][0] - begin == pytest.approx((8 + 3.5 + 8) * 10 / 19_200, abs=2e-6)


def test_above_19200_bd_the_silence_is_fixed() -> None:
    assert silence_between_frames(LineSettings(baudrate=115_200)) == 0.00175
    assert silence_between_frames(LineSettings(baudrate=9600)) == pytest.approx(3.5 * 10 / 9600)


async def test_a_slow_board_thinks_before_it_answers(clock: Clock) -> None:
    master = Master(clock, baudrate=115_200)
    master.board.server.turnaround_s = 0.1
    begin = clock.seconds()
    await master.ask(rtu_frame(1, bytes.fromhex("05 0000 ff00")))
    assert master.heard[0][0] - begin == pytest.approx(0.1 + 0.00175 + 160 / 115_200, abs=1e-5)


@given(st.binary(min_size=0, max_size=300))
def test_whatever_is_asked_the_answer_is_well_formed(request_: bytes) -> None:
    answer = RelayCoils().answer(request_)
    function = request_[0] if request_ else 0
    assert answer[0] in (function, function | 0x80)


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 255), st.binary(min_size=1, max_size=253))))
def test_a_tcp_stream_is_cut_into_frames_wherever_it_is_torn(parts: list[tuple[int, int, bytes]]) -> None:
    frames = [TcpFrame(*part) for part in parts]
    stream = b"".join(frame.to_bytes() for frame in frames)
    reader = TcpFrameReader()
    assert [frame for at in range(0, len(stream), 7) for frame in reader.feed(stream[at : at + 7])] == frames


@pytest.mark.parametrize("stream", ["0001 0001 0003 01 05 00", "0001 0000 0001 01", "0001 0000 00ff 01"])
def test_a_stream_that_is_no_modbus_is_an_error(stream: str) -> None:
    with pytest.raises(ModbusError, match="at octet"):
        TcpFrameReader().feed(bytes.fromhex(stream))
