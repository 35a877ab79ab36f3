"""Registers of a meter: integers with a scaler, fed by a load profile or standing still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from devices.errors import UsageError
from devices.meters.grid import Reading

UNIT_W = 27
UNIT_WH = 30
"""DLMS unit codes of what runs by load."""

NANOJOULE_PER_WH = 3_600_000_000_000
BILLING_SCALER = -3
"""Billing registers count mWh: six decimals of kWh (lmn-wired 4.4)."""
POWER_SCALER = -1
"""Power counts tenths of a watt (assumed; dumps show 0 to -2)."""


class Source(Enum):
    """What moves a register."""

    STANDING = "standing"
    """Nothing: it keeps its value."""
    DRAWN = "drawn"
    """Energy from the grid (+A)."""
    FED = "fed"
    """Energy into the grid (-A)."""
    POWER = "power"
    """Momentary power, all phases or one of them."""
    GRID = "grid"
    """Voltage, current, frequency or angle, by its code: see `grid.GRID_VALUES`."""


@dataclass(frozen=True, slots=True)
class Register:
    """One register.

    Attributes:
        obis: its code, 6 octets.
        unit: DLMS unit code.
        scaler: the value counts 10**scaler of the unit.
        source: what moves it.
        start: value when the meter was made, in counts.
        phase: 1 to 3 for the share of one phase in the power (an even load), None for the sum.
        billing: whether second index and status stand beside it in a list.
        tariff: of an energy, 0 for all of it; what counts while the tariff is 1 or 2.
    """

    obis: bytes
    unit: int
    scaler: int
    source: Source = Source.STANDING
    start: int = 0
    phase: int | None = None
    billing: bool = False
    tariff: int = 0

    def __post_init__(self) -> None:
        if len(self.obis) != 6:
            raise ValueError(f"an OBIS code has 6 octets, {self.obis.hex(' ')} has {len(self.obis)}")
        if self.source in (Source.DRAWN, Source.FED) and not (self.unit == UNIT_WH and -8 <= self.scaler <= 6):
            raise ValueError("an energy register counts Wh with a scaler of -8 to 6")
        if self.source is Source.POWER and not (self.unit == UNIT_W and -3 <= self.scaler <= 6):
            raise ValueError("a power register counts W with a scaler of -3 to 6")
        if self.source is Source.GRID and not -3 <= self.scaler <= 6:
            raise ValueError("a register of the grid has a scaler of -3 to 6")

    def value(self, reading: Reading) -> int:
        """Counts on the register; energy is cut down to whole counts, what is momentary rounded towards zero."""
        match self.source:
            case Source.DRAWN:
                return self.start + reading.energies[self.tariff].drawn // _nanojoule(self.scaler)
            case Source.FED:
                return self.start + reading.energies[self.tariff].fed // _nanojoule(self.scaler)
            case Source.POWER:
                phases = reading.milliwatts
                return _cut(sum(phases) if self.phase is None else phases[self.phase - 1], self.scaler)
            case Source.GRID:
                return _cut(reading.grid(self.obis), self.scaler)
            case Source.STANDING:
                return self.start


def counts(value: Decimal, scaler: int, what: str) -> int:
    """`value` in counts of 10**`scaler`. Raises UsageError when the register has too few decimals for it."""
    scaled = value.scaleb(-scaler)
    whole = scaled.to_integral_value()
    if scaled != whole:
        raise UsageError(f"{what}: {value} has more decimals than the register", hint=f"steps of 10^{scaler}")
    return int(whole)


def share(milliwatt: int, phases: Sequence[int] = (1, 2, 3)) -> tuple[int, int, int]:
    """An even load on phases of 1 to 3; what does not divide evenly is on the first of them."""
    each = abs(milliwatt) // len(phases) * (1 if milliwatt >= 0 else -1)
    first = milliwatt - (len(phases) - 1) * each
    l1, l2, l3 = (first if phase == phases[0] else each if phase in phases else 0 for phase in (1, 2, 3))
    return l1, l2, l3


def _cut(thousandths: int, scaler: int) -> int:
    """Counts of 10**`scaler` in thousandths of the unit, towards zero."""
    count = abs(thousandths) // _ten(scaler + 3)
    return count if thousandths >= 0 else -count


def _nanojoule(scaler: int) -> int:
    """Nanojoules in one count of an energy register."""
    return NANOJOULE_PER_WH * _ten(scaler) if scaler >= 0 else NANOJOULE_PER_WH // _ten(-scaler)


def _ten(power: int) -> int:
    return int(10**power)
