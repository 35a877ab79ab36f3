"""A reference energy meter on Modbus: the instrument against which the bench judges energy and power."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from devices.clock import Clock, Deadline
from devices.errors import BenchError, UsageError
from devices.power.modbus_link import WITHIN_S, ModbusLink, ModbusRtu, ModbusTcp

RegisterType = Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
WordOrder = Literal["big", "little"]
"""Which 16 bit word of a value comes first: the high one (big) or the low one. Octets in a word are always big."""

_FORMATS: dict[RegisterType, str] = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
_MOST_REGISTERS = 60
"""Registers in one request: 30 values of two registers is what common meters allow."""


@dataclass(frozen=True)
class Quantity:
    """Where a meter keeps a value.

    Attributes:
        register: address of its first register, counted from 0.
        unit: of the value after scaling: V, A, W, Wh ...
        type: how it is stored.
        scale: factor from the number stored to the value.
        word_order: of types longer than one register.
        holding: in holding registers (function 3) instead of input registers (function 4).
    """

    register: int
    unit: str
    type: RegisterType = "float32"
    scale: Decimal = Decimal(1)
    word_order: WordOrder = "big"
    holding: bool = False

    @property
    def registers(self) -> int:
        """How many registers it takes."""
        return struct.calcsize(_FORMATS[self.type]) // 2

    def decode(self, words: Iterable[int]) -> Decimal:
        """The value in the registers `words`. Raises BenchError when it is no number."""
        ordered = list(words) if self.word_order == "big" else list(words)[::-1]
        number = struct.unpack(_FORMATS[self.type], struct.pack(f">{len(ordered)}H", *ordered))[0]
        if isinstance(number, int):
            return number * self.scale
        if not math.isfinite(number):
            raise BenchError(f"register {self.register} holds {number} instead of a number")
        return (_shortest_float32(number) if self.type == "float32" else Decimal(repr(number))) * self.scale

    def encode(self, value: Decimal) -> list[int]:
        """The registers that hold `value`. Raises ValueError when it does not fit."""
        number = value / self.scale
        try:
            packed = struct.pack(
                _FORMATS[self.type], float(number) if self.type.startswith("float") else int(number.to_integral_value())
            )
        except (struct.error, OverflowError) as error:
            raise ValueError(f"{value} {self.unit} does not fit {self.type} with scale {self.scale}") from error
        words = list(struct.unpack(f">{self.registers}H", packed))
        return words if self.word_order == "big" else words[::-1]


EASTRON_SDM: Mapping[str, Quantity] = {
    "voltage": Quantity(0, "V"),
    "current": Quantity(6, "A"),
    "power": Quantity(12, "W"),
    "frequency": Quantity(70, "Hz"),
    "energy_import": Quantity(72, "Wh", scale=Decimal(1000)),
    "energy_export": Quantity(74, "Wh", scale=Decimal(1000)),
}
"""Input registers of the single-phase Eastron SDM meters (SDM120, SDM230 protocol tables; energy in kWh there)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meter showed.

    Attributes:
        value: exact decimal of what was read; a float32 becomes the shortest decimal that means the same float32.
        unit: of the value.
        t: ``clock.seconds()`` at which the answer was there.
    """

    value: Decimal
    unit: str
    t: float


class ModbusEnergyMeter:
    """A meter behind Modbus; use as an asynchronous context manager.

    Args:
        clock: the bench's clock.
        connection: settings of a line of its own, or a link that is shared with other devices.
        unit: Modbus address, 1 to 247.
        quantities: name -> where the meter keeps it.
    """

    def __init__(
        self,
        clock: Clock,
        connection: ModbusRtu | ModbusTcp | ModbusLink,
        *,
        unit: int = 1,
        quantities: Mapping[str, Quantity] = EASTRON_SDM,
    ) -> None:
        self.unit = unit
        self.quantities = dict(quantities)
        self._clock = clock
        self._own = not isinstance(connection, ModbusLink)
        self._link = connection if isinstance(connection, ModbusLink) else ModbusLink(clock, connection)

    async def open(self, deadline: Deadline | None = None) -> None:
        """Connect. Raises BenchError."""
        await self._link.open(deadline)

    async def read(self, name: str, deadline: Deadline | None = None) -> Reading:
        """One quantity. Raises UsageError for an unknown name, BenchError when the meter does not answer."""
        return (await self.read_all([name], deadline))[name]

    async def read_all(
        self, names: Iterable[str] | None = None, deadline: Deadline | None = None
    ) -> dict[str, Reading]:
        """Several quantities, all of them by default; neighbouring registers come in one request.

        Raises UsageError for an unknown name, BenchError when the meter does not answer or refuses.
        """
        wanted = list(self.quantities if names is None else names)
        for name in wanted:
            if name not in self.quantities:
                raise UsageError(f"the energy meter has no {name!r}", hint=f"it has {', '.join(self.quantities)}")
        deadline = deadline or self._clock.deadline(WITHIN_S)
        readings = {}
        for block in _blocks([(name, self.quantities[name]) for name in wanted]):
            first, last = block[0][1], block[-1][1]
            words = await self._link.read_registers(
                self.unit,
                first.register,
                last.register + last.registers - first.register,
                holding=first.holding,
                deadline=deadline,
            )
            t = self._clock.seconds()
            for name, quantity in block:
                start = quantity.register - first.register
                value = quantity.decode(words[start : start + quantity.registers])
                readings[name] = Reading(value, quantity.unit, t)
        return {name: readings[name] for name in wanted}

    async def close(self) -> None:
        """Let go; may be called twice."""
        if self._own:
            self._link.close()

    async def __aenter__(self) -> ModbusEnergyMeter:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _blocks(quantities: list[tuple[str, Quantity]]) -> list[list[tuple[str, Quantity]]]:
    """Groups without a gap: registers between two quantities may not exist, and asking for them is refused."""
    blocks: list[list[tuple[str, Quantity]]] = []
    for name, quantity in sorted(quantities, key=lambda item: (item[1].holding, item[1].register)):
        if blocks:
            first, last = blocks[-1][0][1], blocks[-1][-1][1]
            end = quantity.register + quantity.registers
            if (
                last.holding == quantity.holding
                and quantity.register == last.register + last.registers
                and end - first.register <= _MOST_REGISTERS
            ):
                blocks[-1].append((name, quantity))
                continue
        blocks.append([(name, quantity)])
    return blocks


def _shortest_float32(number: float) -> Decimal:
    packed = struct.pack(">f", number)
    for digits in range(6, 9):
        text = f"{number:.{digits}g}"
        if struct.pack(">f", float(text)) == packed:
            return Decimal(text)
    return Decimal(f"{number:.9g}")
