"""The relay driver against the emulated board: the same tests on RTU and TCP, in virtual and in real time."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pymodbus.client import ModbusSerialClient

from devices.clock import Clock, wall_seconds
from devices.errors import BenchError
from devices.ports.base import LineSettings
from devices.ports.pty import pty_pair
from devices.ports.tcp import TcpListener
from devices.power.modbus_link import ModbusLink, ModbusRtu, ModbusTcp
from devices.power.modbus_server import ModbusTcpServer
from devices.power.relay import ModbusRelay
from devices.power.relay_board import EmulatedRelayBoard, RelayCoils

LINE = LineSettings(baudrate=115_200)


class Bench:
    """An emulated board with eight coils at unit 1, and how to reach it."""

    def __init__(self, settings: ModbusRtu | ModbusTcp, coils: RelayCoils) -> None:
        self.settings = settings
        self.coils = coils
        self.moves: list[tuple[int, bool]] = []
        coils.on_change = lambda coil, on: self.moves.append((coil, on))


@asynccontextmanager
async def _rtu(clock: Clock) -> AsyncIterator[Bench]:
    port, path = pty_pair(clock, LINE)
    board = EmulatedRelayBoard(clock, port)
    try:
        yield Bench(ModbusRtu(path, LINE), board.coils)
    finally:
        board.close()
        port.close()


@asynccontextmanager
async def _tcp(clock: Clock) -> AsyncIterator[Bench]:
    coils = RelayCoils()
    async with ModbusTcpServer({1: coils}) as server:
        yield Bench(ModbusTcp(server.host, server.port), coils)
    await clock.sleep(0.01)


KINDS = {"rtu": _rtu, "tcp": _tcp}


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
@pytest.mark.parametrize("kind", KINDS)
class TestModbusRelay:
    async def test_it_switches_one_coil_and_reads_it_back(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock) as bench:
            async with ModbusRelay(clock, bench.settings, coil=3) as relay:
                assert await relay.read() is False
                await relay.set(True)
                assert await relay.read() is True
                assert bench.coils.contacts == [False] * 3 + [True] + [False] * 4
                await relay.set(True)
                await relay.set(False)
            assert bench.moves == [(3, True), (3, False)]

    async def test_over_the_normally_closed_contact_on_means_released(self, clock: Clock, kind: str) -> None:
        async with (
            KINDS[kind](clock) as bench,
            ModbusRelay(clock, bench.settings, energise_means_on=False) as relay,
        ):
            assert await relay.read() is True
            await relay.set(False)
            assert bench.coils.contacts[0] is True
            assert await relay.read() is False

    @pytest.mark.parametrize(("at_close", "left"), [("leave", True), ("on", True), ("off", False)])
    async def test_it_leaves_the_mains_as_told_when_closed(
        self, clock: Clock, kind: str, at_close: str, left: bool
    ) -> None:
        async with KINDS[kind](clock) as bench:
            relay = ModbusRelay(clock, bench.settings, at_close=at_close)
            await relay.open()
            await relay.set(True)
            await relay.close()
            await relay.close()
            assert bench.coils.contacts[0] is left

    async def test_a_welded_contact_is_noticed(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock) as bench, ModbusRelay(clock, bench.settings) as relay:
            await relay.set(True)
            bench.coils.stick(0)
            with pytest.raises(BenchError, match="was switched off but reads back as on"):
                await relay.set(False)

    async def test_a_coil_that_the_board_lacks_is_refused_in_words(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock) as bench:
            relay = ModbusRelay(clock, bench.settings, coil=8)
            with pytest.raises(BenchError, match=r"refuses: illegal data address \(2\) \(coils 8 to 8 of unit 1\)"):
                await relay.open()
            await relay.close()

    async def test_several_relays_share_a_line(self, clock: Clock, kind: str) -> None:
        async with KINDS[kind](clock) as bench:
            link = ModbusLink(clock, bench.settings)
            relays = [ModbusRelay(clock, link, coil=coil) for coil in range(4)]
            await asyncio.gather(*(relay.open() for relay in relays))
            await asyncio.gather(*(relay.set(True) for relay in relays))
            for relay in relays:
                await relay.close()
            link.close()
            assert bench.coils.contacts == [True] * 4 + [False] * 4


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
async def test_a_unit_that_is_not_there_is_named_with_the_time_waited(clock: Clock) -> None:
    """A board stays silent for other addresses; pymodbus' own server would answer (feasibility 10)."""
    async with _rtu(clock) as bench:
        link = ModbusLink(clock, bench.settings, response_s=0.05, retries=1)
        relay = ModbusRelay(clock, link, unit=3)
        path = re.escape(str(bench.settings))
        with pytest.raises(BenchError, match=rf"no answer from unit 3 at {path} within 0\.1\d s"):
            await relay.set(True)
        assert bench.moves == []
        await ModbusRelay(clock, link).set(True)
        assert bench.moves == [(0, True)]
        link.close()


async def test_the_deadline_of_the_caller_ends_the_wait(clock: Clock) -> None:
    async with _rtu(clock) as bench:
        relay = ModbusRelay(clock, bench.settings, unit=3)
        begin = clock.seconds()
        with pytest.raises(BenchError, match=r"within 0\.20 s"):
            await relay.set(True, clock.deadline(0.2))
        assert clock.seconds() - begin == pytest.approx(0.2, abs=1e-3)


async def test_a_line_that_is_not_there_is_a_clear_error(clock: Clock) -> None:
    with pytest.raises(BenchError, match="serial port /dev/ttyUSB99 does not exist"):
        await ModbusRelay(clock, ModbusRtu("/dev/ttyUSB99")).open()
    async with TcpListener(lambda _: None) as listener:
        free = listener.port
    with pytest.raises(BenchError, match=f"no connection to 127.0.0.1:{free}"):
        await ModbusRelay(clock, ModbusTcp("127.0.0.1", free)).open()


async def test_a_server_that_accepts_and_says_nothing_is_a_clear_error(clock: Clock) -> None:
    async with TcpListener(lambda _: None) as listener:
        with pytest.raises(BenchError, match="no answer from unit 1"):
            await ModbusRelay(clock, ModbusTcp(listener.host, listener.port)).open()
    await clock.sleep(0.01)


async def test_the_line_is_found_again_after_it_was_lost(clock: Clock) -> None:
    coils = RelayCoils()
    server = ModbusTcpServer({1: coils})
    await server.open()
    relay = ModbusRelay(clock, ModbusTcp(server.host, server.port))
    await relay.set(True)
    await server.close()
    await clock.sleep(0.1)
    with pytest.raises(BenchError):
        await relay.set(False)
    server = ModbusTcpServer({1: coils}, port=server.port)
    await server.open()
    await relay.set(False)
    assert coils.contacts[0] is False
    await relay.close()
    await server.close()
    await clock.sleep(0.1)


async def test_a_switching_takes_the_time_of_the_wire_and_the_same_each_time(clock: Clock) -> None:
    """Write and read back at 9600 Bd: 8 + 8 and 8 + 6 octets, and two silences of 3.5 characters."""
    line = LineSettings(baudrate=9600)
    port, path = pty_pair(clock, line)
    board = EmulatedRelayBoard(clock, port)
    times = []
    for number in range(20):
        relay = ModbusRelay(clock, ModbusRtu(path, line))
        begin = clock.seconds()
        await relay.set(number % 2 == 0)
        times.append(clock.seconds() - begin)
        await relay.close()
    assert times == [pytest.approx((8 + 8 + 8 + 6 + 2 * 3.5) * 10 / 9600, abs=1e-5)] * 20
    board.close()
    port.close()


async def test_virtual_time_costs_little_wall_time(clock: Clock) -> None:
    """Open, set with read back, close: below 10 ms of wall time each; the best of ten, the machine is shared."""
    async with _rtu(clock) as bench:
        costs = []
        for _ in range(10):
            begin = wall_seconds()
            relay = ModbusRelay(clock, bench.settings)
            await relay.open()
            await relay.set(True)
            await relay.close()
            costs.append(wall_seconds() - begin)
    assert min(costs) < 0.010


@pytest.mark.asyncio(loop_factories=["real"])
async def test_an_independent_master_of_the_same_library_switches_the_board(clock: Clock) -> None:
    """pymodbus' synchronous client has a transport of its own: a thread opens the terminal by its path."""
    async with _rtu(clock) as bench:

        def master() -> tuple[list[bool], list[bool], list[bool], int, int]:
            with ModbusSerialClient(str(bench.settings), baudrate=115_200, timeout=2, retries=0) as client:
                client.write_coil(2, True, device_id=1)
                client.write_coils(4, [True, False, True], device_id=1)
                coils = client.read_coils(0, count=8, device_id=1).bits[:8]
                inputs = client.read_discrete_inputs(0, count=8, device_id=1).bits[:8]
                tail = client.read_coils(4, count=3, device_id=1).bits[:3]
                wrong = client.read_coils(7, count=2, device_id=1).exception_code
                unknown = client.read_holding_registers(0, count=1, device_id=1).exception_code
                return coils, inputs, tail, wrong, unknown

        coils, inputs, tail, wrong, unknown = await asyncio.wait_for(asyncio.to_thread(master), 20)
        assert coils == [False, False, True, False, True, False, True, False]
        assert inputs == [False] * 8
        assert tail == [True, False, True]
        assert (wrong, unknown) == (2, 1)
        assert bench.moves == [(2, True), (4, True), (6, True)]


@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed: board not tried with it")
@pytest.mark.asyncio(loop_factories=["real"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_foreign_master_switches_the_board(clock: Clock, kind: str) -> None:
    """mbpoll stands on libmodbus, a stack with nothing in common with ours."""
    async with KINDS[kind](clock) as bench:
        settings = bench.settings
        if isinstance(settings, ModbusRtu):
            way, target = ["-m", "rtu", "-b", "115200", "-P", "none"], settings.path
        else:
            way, target = ["-m", "tcp", "-p", str(settings.port)], settings.host
        head = ["mbpoll", *way, "-a", "1", "-0", "-r", "1", "-t", "0"]
        write = await _run(*head, target, "1", "0", "1")
        assert "Written 3 references" in write, write
        read = await _run(*head, "-c", "4", "-1", target)
        assert re.findall(r"\[(\d)\]:\s+(\d)", read) == [("1", "1"), ("2", "0"), ("3", "1"), ("4", "0")], read
        wrong = await _run(*head, "-c", "20", "-1", target)
        assert "Illegal data address" in wrong, wrong
        assert bench.moves == [(1, True), (3, True)]


async def _run(*command: str) -> str:
    program = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(program.communicate(), 20)
    return output.decode()
