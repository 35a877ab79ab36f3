"""What a radio meter has counted: energy or volume from a load, its registers, and its readings on the grid of time.

A load is a `LoadProfile` as that of wired meters. For gas and water a watt stands for a litre per hour, and so a watt
hour for a litre: the arithmetic, whole and exact, is the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Final

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.grid import NOMINAL, Grid
from devices.meters.load_profile import LoadProfile
from devices.meters.metrology import Metrology
from devices.protocols.sml.objects import CURRENTS, FREQUENCY, VOLTAGES

PER_KILO: Final = 3_600_000_000_000_000
"""Nanojoules in a kWh, and their counterpart in a m3."""
KWH_PER_M3_K: Final = Decimal("1.163")
"""What a cubic metre of water gives off per kelvin."""
KEPT: Final = 4096
"""Readings on the grid that are kept for who judges."""


class Part(Enum):
    """What a register counts."""

    FORWARD = "forward"
    BACKWARD = "backward"
    WATER = "water"
    """The water that carried the heat."""


@dataclass(frozen=True, slots=True)
class RadioRegister:
    """A register of a radio meter.

    Attributes:
        obis: its code, without the group F.
        unit: kWh or m3.
        part: what it counts.
        exponent: of ten; the last place that is sent, in `unit`.
        tariff: 0 counts always, 1 and 2 while that tariff does.
    """

    obis: str
    unit: str
    part: Part
    exponent: int
    tariff: int = 0


def plain_code(obis: str) -> str:
    """An OBIS code without the group F, that says only which billing period is meant."""
    return obis.strip().partition("*")[0]


class Measured:
    """The measuring part of a radio meter.

    Attributes:
        metrology: runs by load; load, tariff and grid are switched there.
        registers: by code.
    """

    def __init__(
        self,
        clock: Clock,
        profile: LoadProfile,
        registers: Mapping[str, RadioRegister],
        begins: Mapping[str, Decimal],
        *,
        spread_k: Decimal = Decimal(30),
        grid: Grid = NOMINAL,
    ) -> None:
        """Make one. Raises UsageError for a begin of a register that there is not, or of less than zero.

        Args:
            clock: the laboratory's.
            profile: its load.
            registers: what it has.
            begins: code to value at the begin, in the unit of the register; 0 unless told.
            spread_k: of a heat meter: kelvins between flow and return.
            grid: of an electricity meter.
        """
        self.metrology = Metrology(clock, profile, grid=grid)
        self.registers = dict(registers)
        self._begins = {code: _amount(value) for code, value in self._checked(begins).items()}
        self._spread = int(KWH_PER_M3_K * 1000 * spread_k) or 1
        self._frozen: dict[str, int] | None = None
        self._told: dict[str, int] = {}
        self._kept: deque[tuple[int, dict[str, int]]] = deque(maxlen=KEPT)

    def count(self, code: str, exponent: int | None = None) -> int:
        """A register in counts of its last place, or of 10^`exponent`, cut down. KeyError for an unknown code."""
        register = self.registers[code]
        amount = self._amount_of(register) if self._frozen is None else self._frozen[code]
        if exponent is not None:
            return amount // _step(exponent)
        told = self._told[code] = amount // _step(register.exponent)
        return told

    def reading(self, code: str) -> Decimal:
        """A register as it is shown and sent, in its unit. KeyError for an unknown code."""
        register = self.registers[plain_code(code)]
        return Decimal(self.count(register.obis)).scaleb(register.exponent)

    def told(self) -> dict[str, Decimal]:
        """Registers that were counted since this was last asked, as they were told, in their unit."""
        told, self._told = self._told, {}
        return {code: Decimal(count).scaleb(self.registers[code].exponent) for code, count in told.items()}

    @property
    def kept_until(self) -> int:
        """Instant of the last kept reading, seconds of UTC since 1970; 0: there is none."""
        return self._kept[-1][0] if self._kept else 0

    def rate(self, exponent: int) -> int:
        """Power or flow in counts of 10^`exponent` kW or m3/h, towards zero; negative: backward."""
        total = sum(self.metrology.milliwatts())
        scale = Decimal(abs(total)).scaleb(-6 - exponent)
        return int(scale) if total >= 0 else -int(scale)

    def water_flow(self, exponent: int) -> int:
        """Flow of the water that carries heat, in counts of 10^`exponent` m3/h."""
        watts = abs(sum(self.metrology.milliwatts()))
        return int(Decimal(watts * 1000 // self._spread).scaleb(-6 - exponent))

    def grid(self) -> tuple[tuple[int, int, int], tuple[int, int, int], int]:
        """Millivolts and milliamperes of L1 to L3, and millihertz."""
        reading = self.metrology.reading()
        volts = tuple(reading.grid(code) for code in VOLTAGES)
        amperes = tuple(reading.grid(code) for code in CURRENTS)
        return volts, amperes, reading.grid(FREQUENCY)  # type: ignore[return-value]  # three phases each

    def freeze(self, on: bool) -> None:
        """From now on tell the same values for ever, or those that are."""
        if on != (self._frozen is not None):
            self._frozen = {code: self._amount_of(one) for code, one in self.registers.items()} if on else None

    def keep(self, at_s: int) -> None:
        """Keep all registers as the reading of the instant `at_s`, seconds of UTC since 1970."""
        if self._kept and self._kept[-1][0] >= at_s:
            return
        shown = self._frozen or {code: self._amount_of(one) for code, one in self.registers.items()}
        self._kept.append((at_s, shown))

    def kept(self, code: str, spacing_s: int, most: int) -> tuple[int, list[int]] | None:
        """The last readings on a grid without a gap: instant of the first one, and counts; None: there are none."""
        step = _step(self.registers[code].exponent)
        found: list[int] = []
        begin = expected = 0
        for at_s, amounts in reversed(self._kept):
            if found and at_s != expected:
                break
            found.append(amounts[code] // step)
            begin, expected = at_s, at_s - spacing_s
            if len(found) >= most:
                break
        return (begin, found[::-1]) if found else None

    def readings(self, code: str) -> list[tuple[int, Decimal]]:
        """All kept readings of a register: instant in seconds of UTC since 1970, value in its unit."""
        register = self.registers[plain_code(code)]
        step = _step(register.exponent)
        return [
            (at_s, Decimal(amounts[register.obis] // step).scaleb(register.exponent)) for at_s, amounts in self._kept
        ]

    def _amount_of(self, register: RadioRegister) -> int:
        begin = self._begins.get(register.obis, 0)
        energy = self.metrology.energy(register.tariff)
        if register.part is Part.BACKWARD:
            return begin + energy.fed
        if register.part is Part.WATER:
            return begin + (energy.drawn + energy.fed) * 1000 // self._spread
        return begin + energy.drawn

    def _checked(self, begins: Mapping[str, Decimal]) -> dict[str, Decimal]:
        clean = {plain_code(code): Decimal(value) for code, value in begins.items()}
        for code, value in clean.items():
            if code not in self.registers:
                raise UsageError(f"this meter has no register {code}", hint=f"there are {', '.join(self.registers)}")
            if not value >= 0:
                raise UsageError(f"register {code} cannot begin at {value}", hint="it counts up from zero")
        return clean


def _amount(value: Decimal) -> int:
    return int(value * PER_KILO)


@cache
def _step(exponent: int) -> int:
    """Amount of one count of 10^`exponent` kWh or m3."""
    return PER_KILO * int(10**exponent) if exponent >= 0 else PER_KILO // int(10**-exponent)
