"""An emulated energy meter on Modbus whose registers follow a load: the other end of `energy_meter`."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Protocol

from devices.clock import Clock
from devices.power.energy_meter import EASTRON_SDM, Quantity
from devices.power.modbus_server import FunctionTable, Refusal
from devices.protocols.modbus_rtu import ExceptionCode

_MOST_REGISTERS = 125
"""Registers in one request (Application Protocol 6.3, 6.4)."""
_HOUR = Decimal(3600)


class Load(Protocol):
    """What flows through the meter."""

    def power(self, t: float) -> Decimal:
        """Watts at ``clock.seconds() == t``; negative: fed in."""

    def energy(self, t: float) -> tuple[Decimal, Decimal]:
        """Watt-hours imported and exported from 0 to `t`."""


class SteppedLoad:
    """Constant power between given instants, integrated exactly.

    Args:
        steps: (seconds, watts) in rising order; before the first one nothing flows.
    """

    def __init__(self, steps: Iterable[tuple[float, Decimal]]) -> None:
        self._steps = [(Decimal(str(t)), watts) for t, watts in steps]
        if any(later[0] <= earlier[0] for earlier, later in zip(self._steps, self._steps[1:], strict=False)):
            raise ValueError("the steps of a load must rise in time")

    def power(self, t: float) -> Decimal:
        """Watts at `t`."""
        index = bisect_right(self._steps, Decimal(str(t)), key=lambda step: step[0])
        return self._steps[index - 1][1] if index else Decimal(0)

    def energy(self, t: float) -> tuple[Decimal, Decimal]:
        """Watt-hours imported and exported from 0 to `t`."""
        end = Decimal(str(t))
        imported = exported = Decimal(0)
        for index, (begin, watts) in enumerate(self._steps):
            until = min(end, self._steps[index + 1][0]) if index + 1 < len(self._steps) else end
            if until <= begin:
                break
            watt_seconds = watts * (until - max(begin, Decimal(0)))
            if watts > 0:
                imported += watt_seconds
            else:
                exported -= watt_seconds
        return imported / _HOUR, exported / _HOUR


def constant_load(watts: Decimal | int) -> SteppedLoad:
    """The same power from the start on."""
    return SteppedLoad([(0.0, Decimal(watts))])


class EmulatedEnergyMeter(FunctionTable):
    """A meter as a Modbus device; put it behind a `modbus_server.ModbusRtuServer` or `ModbusTcpServer`.

    Attributes:
        load: what flows; may be exchanged between two requests.
        voltage: in V.
        frequency: in Hz.
        start_import: Wh on the register when the clock started.
        start_export: the same for feed-in.
    """

    def __init__(
        self,
        clock: Clock,
        load: Load,
        *,
        quantities: Mapping[str, Quantity] = EASTRON_SDM,
        voltage: Decimal = Decimal(230),
        frequency: Decimal = Decimal(50),
        start_import: Decimal = Decimal(0),
        start_export: Decimal = Decimal(0),
    ) -> None:
        super().__init__({3: lambda data: self._read(data, holding=True), 4: self._read})
        self.load = load
        self.voltage = voltage
        self.frequency = frequency
        self.start_import = start_import
        self.start_export = start_export
        self._clock = clock
        self._quantities = dict(quantities)
        self._values: dict[str, Callable[[float], Decimal]] = {
            "voltage": lambda _: self.voltage,
            "current": lambda t: abs(self.load.power(t)) / self.voltage,
            "power": lambda t: self.load.power(t),  # noqa: PLW0108 - the load may be exchanged
            "frequency": lambda _: self.frequency,
            "energy_import": lambda t: self.start_import + self.load.energy(t)[0],
            "energy_export": lambda t: self.start_export + self.load.energy(t)[1],
        }
        unknown = sorted(set(self._quantities) - set(self._values))
        if unknown:
            raise ValueError(f"an emulated energy meter has no {', '.join(unknown)}; it has {', '.join(self._values)}")

    def _read(self, data: bytes, *, holding: bool = False) -> bytes:
        if len(data) != 4:
            raise Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        first, count = struct.unpack(">HH", data)
        if not 1 <= count <= _MOST_REGISTERS:
            raise Refusal(ExceptionCode.ILLEGAL_DATA_VALUE)
        words = self._words(holding)
        try:
            asked = [words[register] for register in range(first, first + count)]
        except KeyError:
            raise Refusal(ExceptionCode.ILLEGAL_DATA_ADDRESS) from None
        return struct.pack(f">B{count}H", 2 * count, *asked)

    def _words(self, holding: bool) -> dict[int, int]:
        t = self._clock.seconds()
        words: dict[int, int] = {}
        for name, quantity in self._quantities.items():
            if quantity.holding == holding:
                values = quantity.encode(self._values[name](t))
                words.update({quantity.register + index: word for index, word in enumerate(values)})
        return words
