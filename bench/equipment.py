"""Opens the equipment that a bench file names, real or with its emulated other end: relay, LEDs, reference meter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

from bench.bench_parts import Leds, ModbusDevice, ReferenceMeter, Relay
from bench.timeline import Timeline
from devices.clock import Clock
from devices.leds.gpio import GpioLeds
from devices.leds.vcd import RecordedLeds
from devices.ports.base import LineSettings
from devices.ports.led_lines import LedSource
from devices.ports.pty import pty_pair
from devices.power.energy_meter import EASTRON_SDM, ModbusEnergyMeter
from devices.power.energy_meter_emulation import EmulatedEnergyMeter
from devices.power.mains import Mains, MainsChange
from devices.power.modbus_link import ModbusRtu, ModbusTcp
from devices.power.modbus_server import ModbusTcpServer
from devices.power.relay import ModbusRelay
from devices.power.relay_board import EmulatedRelayBoard

GATEWAY_DRAWS_W = Decimal(4)
"""What an emulated gateway draws from the mains (assumed)."""


class MainsContact:
    """The contact of an emulated relay in the mains of an emulated gateway.

    Attributes:
        closed: whether current can flow.
        on_move: told when the contact moves, just before it does.
    """

    def __init__(self) -> None:
        self.closed = False
        self.on_move: list[Callable[[bool], None]] = []
        self._load: Callable[[bool], None] | None = None

    def wire(self, load: Callable[[bool], None]) -> None:
        """Put the gateway's supply behind the contact."""
        self._load = load
        if self.closed:
            load(True)

    def move(self, closed: bool) -> None:
        """The contact opens or closes."""
        if closed != self.closed:
            for listener in self.on_move:
                listener(closed)
            self.closed = closed
            if self._load is not None:
                self._load(closed)


async def open_mains(
    clock: Clock, relay: Relay, contact: MainsContact, timeline: Timeline, stack: AsyncExitStack
) -> Mains:
    """The mains behind the relay; with an emulated board the contact moves the emulated gateway's supply."""
    energise_means_on = relay.contact == "normally_open"
    if relay.emulated and not energise_means_on:
        contact.move(True)

    def moved(coil: int, energised: bool) -> None:
        if coil == relay.coil:
            contact.move(energised == energise_means_on)

    connection = _connection(clock, relay, moved, stack)
    driver = ModbusRelay(
        clock,
        connection,
        unit=relay.unit,
        coil=relay.coil,
        energise_means_on=energise_means_on,
        at_close=relay.at_close,
    )
    await stack.enter_async_context(driver)

    def seen(change: MainsChange) -> None:
        timeline.add("power", "on" if change.on else "off", {"commanded": round(change.commanded, 6)}, t=change.t)

    return Mains(clock, driver, seen)


def _connection(
    clock: Clock, relay: Relay, moved: Callable[[int, bool], None], stack: AsyncExitStack
) -> ModbusRtu | ModbusTcp:
    if not relay.emulated:
        return modbus_settings(relay)
    assert relay.rtu is not None
    line = LineSettings(relay.rtu.baudrate, parity=relay.rtu.parity, stop_bits=relay.rtu.stop_bits)
    port, path = pty_pair(clock, line, name="relay line")
    stack.callback(port.close)
    board = EmulatedRelayBoard(clock, port, unit=relay.unit, coils=max(8, relay.coil + 1), on_change=moved)
    stack.callback(board.close)
    return ModbusRtu(path, line)


def modbus_settings(device: ModbusDevice) -> ModbusRtu | ModbusTcp:
    """How to reach a real Modbus device."""
    if device.rtu is not None:
        rtu = device.rtu
        return ModbusRtu(rtu.port, LineSettings(rtu.baudrate, parity=rtu.parity, stop_bits=rtu.stop_bits))
    assert device.tcp is not None
    return ModbusTcp(device.tcp.host, device.tcp.port)


def open_leds(
    clock: Clock, leds: Leds | None, emulated: LedSource | None, note: Callable[[str], None]
) -> LedSource | None:
    """The source of LED edges, None when the bench does not see the LEDs; `note` is told what goes wrong in sensing."""
    if leds is None:
        return None
    if leds.gpio is not None:
        gpio = leds.gpio
        return GpioLeds(
            clock,
            gpio.chip,
            gpio.lines,
            active_low=gpio.active_low,
            debounce_s=gpio.debounce.total_seconds(),
            bias=gpio.bias,
            on_note=note,
        )
    if leds.recorded is not None:
        return RecordedLeds(clock, Path(leds.recorded))
    return emulated


class ContactLoad:
    """What an emulated gateway draws through the contact in its mains, for the emulated reference instrument."""

    def __init__(self, clock: Clock, contact: MainsContact) -> None:
        self._clock = clock
        self._contact = contact
        self._since = clock.seconds()
        self._energy = Decimal(0)
        contact.on_move.append(self._moved)

    def power(self, t: float) -> Decimal:
        """Watts at `t`, which is now."""
        return GATEWAY_DRAWS_W if self._contact.closed else Decimal(0)

    def energy(self, t: float) -> tuple[Decimal, Decimal]:
        """Watt-hours imported up to `t`, and none exported."""
        running = Decimal(str(max(0.0, t - self._since))) if self._contact.closed else Decimal(0)
        return self._energy + GATEWAY_DRAWS_W * running / 3600, Decimal(0)

    def _moved(self, closed: bool) -> None:
        now = self._clock.seconds()
        if not closed:
            self._energy += GATEWAY_DRAWS_W * Decimal(str(now - self._since)) / 3600
        self._since = now


async def open_reference_meter(
    clock: Clock, meter: ReferenceMeter, contact: MainsContact, stack: AsyncExitStack
) -> ModbusEnergyMeter:
    """The reference instrument in the gateway's mains; an emulated one sees what an emulated gateway draws."""
    if not meter.emulated:
        quantities = meter.quantities() or EASTRON_SDM
        driver = ModbusEnergyMeter(clock, modbus_settings(meter), unit=meter.unit, quantities=quantities)
    else:
        instrument = EmulatedEnergyMeter(clock, ContactLoad(clock, contact))
        server = ModbusTcpServer({meter.unit: instrument})
        await stack.enter_async_context(server)
        driver = ModbusEnergyMeter(clock, ModbusTcp(server.host, server.port), unit=meter.unit)
    await stack.enter_async_context(driver)
    return driver
