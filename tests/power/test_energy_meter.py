"""The reference meter reads what its emulated counterpart integrates, on RTU and TCP, in virtual and real time."""

from __future__ import annotations

import asyncio
import re
import shutil
import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.ports.base import LineSettings
from devices.ports.pty import pty_pair
from devices.power.energy_meter import EASTRON_SDM, ModbusEnergyMeter, Quantity, Reading
from devices.power.energy_meter_emulation import EmulatedEnergyMeter, SteppedLoad, constant_load
from devices.power.modbus_link import ModbusLink, ModbusRtu, ModbusTcp
from devices.power.modbus_server import ModbusTcpServer
from devices.power.relay import ModbusRelay
from devices.power.relay_board import EmulatedRelayBoard

LINE = LineSettings(baudrate=115_200)
OTHER_WORDS = {
    "power": Quantity(0, "W", "int32", Decimal("0.1"), "little", holding=True),
    "voltage": Quantity(2, "V", "uint16", Decimal("0.01"), holding=True),
    "energy_import": Quantity(100, "Wh", "int64", word_order="little"),
    "energy_export": Quantity(104, "Wh", "uint32"),
    "frequency": Quantity(200, "Hz", "float64"),
}


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
async def test_relay_and_meter_share_one_serial_line(clock: Clock) -> None:
    port, path = pty_pair(clock, LINE)
    board = EmulatedRelayBoard(clock, port)
    board.server.devices[7] = EmulatedEnergyMeter(clock, constant_load(690), start_import=Decimal(1234500))
    link = ModbusLink(clock, ModbusRtu(path, LINE))
    relay = ModbusRelay(clock, link)
    async with ModbusEnergyMeter(clock, link, unit=7) as meter:
        await relay.set(True)
        readings = await meter.read_all()
        assert (await meter.read("power")).value == 690
    assert [(name, reading.value, reading.unit) for name, reading in readings.items()][:4] == [
        ("voltage", Decimal(230), "V"),
        ("current", Decimal(3), "A"),
        ("power", Decimal(690), "W"),
        ("frequency", Decimal(50), "Hz"),
    ]
    assert abs(readings["energy_import"].value - Decimal(1234500)) < 1
    link.close()
    board.close()
    port.close()


async def test_energy_follows_the_load(clock: Clock) -> None:
    load = SteppedLoad([(0, Decimal(1000)), (3600, Decimal(-500)), (7200, Decimal(0))])
    async with ModbusTcpServer({1: EmulatedEnergyMeter(clock, load)}) as server:
        meter = ModbusEnergyMeter(clock, ModbusTcp(server.host, server.port))
        await clock.sleep_until(1800)
        assert (await meter.read("energy_import")).value == 500
        await clock.sleep_until(5400)
        readings = await meter.read_all(["energy_export", "energy_import", "power", "current"])
        assert [reading.value for reading in readings.values()][:3] == [250, 1000, -500]
        assert readings["current"].value == Decimal("2.173913")
        assert readings["power"] == Reading(Decimal(-500), "W", 5400)
        await meter.close()
    await clock.sleep(0.01)


async def test_types_scales_and_word_orders_are_as_the_bench_file_says(clock: Clock) -> None:
    device = EmulatedEnergyMeter(clock, constant_load(-1234), quantities=OTHER_WORDS, voltage=Decimal("229.87"))
    device.start_import = Decimal(5_000_000_000)
    async with ModbusTcpServer({1: device}) as server:
        link = ModbusLink(clock, ModbusTcp(server.host, server.port))
        meter = ModbusEnergyMeter(clock, link, quantities=OTHER_WORDS)
        await clock.sleep_until(3600)
        readings = await meter.read_all()
        assert {name: str(reading.value) for name, reading in readings.items()} == {
            "power": "-1234.0",
            "voltage": "229.87",
            "energy_import": "5000000000",
            "energy_export": "1234",
            "frequency": "50.0",
        }
        wrong = ModbusEnergyMeter(clock, link, quantities={"power": Quantity(300, "W")})
        with pytest.raises(BenchError, match=r"refuses: illegal data address \(2\) \(registers 300 to 301"):
            await wrong.read("power")
        with pytest.raises(UsageError, match=r"no 'watts'.*it has power, voltage"):
            await meter.read("watts")
        link.close()
    await clock.sleep(0.01)


def test_octets_of_values_are_those_of_ieee_754() -> None:
    """The SDM protocol document prints 43 66 33 34 (hex) as 230.2 V; 43 66 33 33 is the float32 nearest to it."""
    assert EASTRON_SDM["voltage"].decode([0x4366, 0x3334]) == Decimal("230.20001")
    assert EASTRON_SDM["voltage"].decode([0x4366, 0x3333]) == Decimal("230.2")
    assert Quantity(0, "V", word_order="little").decode([0x3333, 0x4366]) == Decimal("230.2")
    assert EASTRON_SDM["voltage"].encode(Decimal("230.2")) == [0x4366, 0x3333]
    with pytest.raises(BenchError, match="register 0 holds nan"):
        EASTRON_SDM["voltage"].decode([0x7FC0, 0])
    with pytest.raises(ValueError, match="does not fit uint16"):
        Quantity(0, "W", "uint16").encode(Decimal(-1))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_float32_is_read_without_loss(number: float) -> None:
    words = struct.unpack(">2H", struct.pack(">f", number))
    value = Quantity(0, "V").decode(words)
    assert struct.pack(">f", float(value)) == struct.pack(">f", number)


def test_the_steps_of_a_load_rise_in_time() -> None:
    with pytest.raises(ValueError, match="rise in time"):
        SteppedLoad([(5, Decimal(1)), (5, Decimal(2))])


@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed: meter not tried with it")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_foreign_master_reads_the_meter(clock: Clock) -> None:
    device = EmulatedEnergyMeter(clock, constant_load(690))
    async with ModbusTcpServer({1: device}) as server:
        program = await asyncio.create_subprocess_exec(
            *["mbpoll", "-m", "tcp", "-p", str(server.port), "-a", "1", "-0", "-t", "3:float", "-B"],
            *["-r", "12", "-c", "1", "-1", server.host],
            stdout=asyncio.subprocess.PIPE,
        )
        text = (await asyncio.wait_for(program.communicate(), 20))[0].decode()
    assert re.findall(r"\[12\]:\s+(\S+)", text) == ["690"], text
