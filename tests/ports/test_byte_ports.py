"""One class of tests for every kind of port: what holds for one holds for all (feasibility 3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.base import BytePort, LineSettings, PortLost
from devices.ports.memory import memory_pair
from devices.ports.pty import pty_pair
from devices.ports.serial import open_serial
from devices.ports.tcp import TcpListener, TcpPort, connect_tcp

LINE = LineSettings(baudrate=115_200)


@dataclass
class Cable:
    """Two ends: `near` is the one that a driver would hold, `far` the emulated gear."""

    near: BytePort
    far: BytePort
    settle: Callable[[], Awaitable[None]]


@asynccontextmanager
async def _memory(clock: Clock, line: LineSettings | None) -> AsyncIterator[Cable]:
    near, far = memory_pair(clock, ("near", "far"), line)
    yield Cable(near, far, lambda: clock.sleep(0.05))
    near.close()
    far.close()


@asynccontextmanager
async def _pty(clock: Clock, line: LineSettings | None) -> AsyncIterator[Cable]:
    far, path = pty_pair(clock, line, name="far")
    near = open_serial(path, line or LineSettings())
    yield Cable(near, far, lambda: clock.sleep(0.05))
    near.close()
    far.close()


@asynccontextmanager
async def _tcp(clock: Clock, line: LineSettings | None) -> AsyncIterator[Cable]:
    clients: list[TcpPort] = []
    async with TcpListener(clients.append, clock=clock, line=line) as listener:
        near = await connect_tcp(listener.host, listener.port, clock=clock, line=line)
        while not clients:
            await clock.sleep(0)
        yield Cable(near, clients[0], lambda: clock.sleep(0.05))
        near.close()
    await clock.sleep(0.01)


KINDS = {"memory": _memory, "pty": _pty, "tcp": _tcp}


async def until(clock: Clock, condition: Callable[[], bool], within: float = 20.0) -> None:
    deadline = clock.deadline(within)
    while not condition():
        assert not deadline.passed, "not in time"
        await clock.sleep(0.001)


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
@pytest.mark.parametrize("kind", KINDS)
class TestBytePort:
    async def test_octets_arrive_in_order_both_ways(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock, None) as cable:
            heard_far, heard_near = bytearray(), bytearray()
            cable.far.set_receiver(heard_far.extend)
            cable.near.set_receiver(heard_near.extend)
            for number in range(256):
                cable.near.write(bytes([number]))
                cable.far.write(bytes([255 - number]))
            await until(clock, lambda: len(heard_far) == 256 and len(heard_near) == 256)
            assert heard_far == bytes(range(256))
            assert heard_near == bytes(reversed(range(256)))

    async def test_a_large_write_arrives_whole_and_does_not_block(self, clock: Clock, kind: str) -> None:
        """A pseudo-terminal takes 20 480 octets before it refuses (feasibility 3)."""
        sent = bytes(number * number % 251 for number in range(200_000))
        async with KINDS[kind](clock, None) as cable:
            heard = bytearray()
            cable.far.set_receiver(heard.extend)
            cable.near.write(sent)
            await until(clock, lambda: len(heard) == len(sent))
            assert heard == sent

    async def test_the_receiver_may_change_in_mid_stream(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock, None) as cable:
            first, second = bytearray(), bytearray()
            cable.far.set_receiver(first.extend)
            cable.near.write(b"for the first")
            await until(clock, lambda: len(first) == 13)
            cable.far.set_receiver(None)
            cable.near.write(b"for nobody")
            await cable.settle()
            cable.far.set_receiver(second.extend)
            cable.near.write(b"for the second")
            await until(clock, lambda: len(second) == 14)
            assert (first, second) == (b"for the first", b"for the second")

    async def test_a_closed_port_refuses_to_write_and_may_be_closed_again(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock, None) as cable:
            lost: list[PortLost] = []
            cable.near.on_lost = lost.append
            cable.near.close()
            cable.near.close()
            with pytest.raises(PortLost, match="after close"):
                cable.near.write(b"x")
            await cable.settle()
            assert lost == []

    async def test_the_near_end_is_told_once_that_the_far_end_is_gone(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock, None) as cable:
            lost: list[PortLost] = []
            cable.near.on_lost = lost.append
            cable.near.set_receiver(lambda _: None)
            cable.far.close()
            await until(clock, lambda: bool(lost))
            await cable.settle()
            assert len(lost) == 1
            assert str(lost[0]).startswith(cable.near.name)
            with pytest.raises(PortLost):
                cable.near.write(b"x")

    async def test_what_the_emulated_end_sends_takes_the_time_of_the_line(self, clock: Clock, kind: str) -> None:
        """Ten bits per octet at 8N1: 150 octets at 115 200 Bd take 13.02 ms."""
        async with KINDS[kind](clock, LINE) as cable:
            arrivals: list[tuple[float, int]] = []
            cable.near.set_receiver(lambda data: arrivals.append((clock.seconds(), len(data))))
            begin = clock.seconds()
            for _ in range(3):
                cable.far.write(bytes(50))
            await until(clock, lambda: sum(count for _, count in arrivals) == 150)
            took = arrivals[-1][0] - begin
            tolerance = 1e-5 if clock.virtual else 0.05
            assert took == pytest.approx(150 * 10 / 115_200, abs=tolerance)
            assert took > 150 * 10 / 115_200 - 1e-4

    async def test_an_endless_writer_is_stopped_by_an_error(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock, LINE) as cable:
            with pytest.raises(BenchError, match="limit"):
                for _ in range(100):
                    cable.far.write(bytes(65_536))


async def test_a_paced_pseudo_terminal_hands_over_when_the_last_bit_would_have_arrived(clock: Clock) -> None:
    far, path = pty_pair(clock, LineSettings(baudrate=9600))
    near = open_serial(path, LineSettings(baudrate=9600))
    arrivals: list[tuple[float, bytes]] = []
    far.set_receiver(lambda data: arrivals.append((clock.seconds(), data)))
    begin = clock.seconds()
    near.write(bytes(8))
    await clock.sleep(0.1)
    assert len(arrivals) == 1
    assert arrivals[0][0] - begin == pytest.approx(8 * 10 / 9600, abs=1e-5)
    near.close()
    far.close()


async def test_a_frame_torn_by_the_operating_system_arrives_whole_on_a_paced_terminal(clock: Clock) -> None:
    far, path = pty_pair(clock, LineSettings(baudrate=9600))
    near = open_serial(path, LineSettings(baudrate=9600))
    arrivals: list[tuple[float, bytes]] = []
    far.set_receiver(lambda data: arrivals.append((clock.seconds(), data)))
    begin = clock.seconds()
    near.write(b"01")
    await clock.sleep(0.0005)
    near.write(b"234567")
    await clock.sleep(0.0085)
    near.write(b"next")
    await clock.sleep(0.1)
    assert [data for _, data in arrivals] == [b"01234567", b"next"]
    assert arrivals[0][0] - begin == pytest.approx(8 * 10 / 9600, abs=1e-5)
    assert arrivals[1][0] - begin == pytest.approx(0.009 + 4 * 10 / 9600, abs=1e-5)
    near.close()
    far.close()


async def test_a_terminal_stays_up_when_the_other_side_closes_and_opens_again(clock: Clock) -> None:
    far, path = pty_pair(clock)
    lost: list[PortLost] = []
    far.on_lost = lost.append
    heard = bytearray()
    far.set_receiver(heard.extend)
    for text in (b"first", b"second"):
        near = open_serial(path)
        near.write(text)
        await clock.sleep(0.01)
        near.close()
    await clock.sleep(1)
    assert heard == b"firstsecond"
    assert lost == []
    far.close()


async def test_the_emulated_end_sees_the_speed_that_the_other_side_has_set(clock: Clock) -> None:
    """tcgetattr on the master shows 921 600 Bd (feasibility 3)."""
    far, path = pty_pair(clock)
    for baudrate in (921_600, 9600):
        near = open_serial(path, LineSettings(baudrate=baudrate))
        assert far.baudrate_set() == baudrate
        near.close()
    far.close()


async def test_parity_is_left_out_on_a_pseudo_terminal(clock: Clock) -> None:
    """The driver forces 8N1, and any setting after a request for parity fails with EINVAL (feasibility 3)."""
    far, path = pty_pair(clock)
    for _ in range(2):
        near = open_serial(path, LineSettings(baudrate=9600, parity="E"))
        near.close()
    far.close()


async def test_a_serial_line_is_opened_by_one_program_only(clock: Clock) -> None:
    far, path = pty_pair(clock)
    near = open_serial(path)
    with pytest.raises(BenchError, match="in use by another program"):
        open_serial(path)
    near.close()
    again = open_serial(path)
    again.close()
    far.close()


async def test_names_of_ports_hold_nothing_that_changes_from_run_to_run(clock: Clock) -> None:
    far, path = pty_pair(clock)
    near = open_serial(path)
    assert (near.name, far.name) == ("pty", "pty")
    near.close()
    far.close()


async def test_pieces_written_to_memory_arrive_as_they_were_written(clock: Clock) -> None:
    near, far = memory_pair(clock)
    pieces: list[bytes] = []
    far.set_receiver(pieces.append)
    for piece in (b"\x01" * 60, b"", b"\x02", b"\x03" * 1500):
        near.write(piece)
    await clock.sleep(0)
    await clock.sleep(1)
    assert [len(piece) for piece in pieces] == [60, 1, 1500]


async def test_what_was_written_before_close_still_arrives_and_then_the_other_end_is_lost(clock: Clock) -> None:
    near, far = memory_pair(clock, line=LineSettings(baudrate=1200))
    seen: list[str] = []
    far.set_receiver(lambda data: seen.append(f"{clock.seconds():.3f} {data!r}"))
    far.on_lost = lambda lost: seen.append(f"{clock.seconds():.3f} {lost}")
    near.write(b"last words")
    near.close()
    await clock.sleep(1)
    assert seen == ["0.083 b'last words'", "0.083 b: the other end (a) was closed"]


async def test_a_connection_that_nobody_accepts_is_a_clear_error(clock: Clock) -> None:
    async with TcpListener(lambda _: None) as listener:
        free = listener.port
    with pytest.raises(BenchError, match=rf"relay: no connection to 127\.0\.0\.1:{free}: .*refused"):
        await connect_tcp("127.0.0.1", free, deadline=clock.deadline(1), name="relay")


async def test_a_taken_tcp_port_is_a_clear_error(clock: Clock) -> None:
    async with TcpListener(lambda _: None) as listener:
        with pytest.raises(BenchError, match=f"cannot listen on 127.0.0.1:{listener.port}"):
            await TcpListener(lambda _: None, port=listener.port).open()


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_connection_has_a_deadline(clock: Clock) -> None:
    with pytest.raises(BenchError, match="within 0 s"):
        await connect_tcp("127.0.0.1", 9, deadline=clock.deadline(0))
    assert asyncio.get_running_loop().is_running()
