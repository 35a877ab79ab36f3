"""What a meter sees of the grid: voltage, current, frequency and phase angles, worked out from its load.

Voltage and frequency are constant and the current is in phase with the voltage (power factor 1, assumed) unless told
otherwise, so that what a register shows can be told beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from devices.meters.load_profile import Energy
from devices.protocols.sml.objects import CURRENT_ANGLES, CURRENTS, FREQUENCY, VOLTAGE_ANGLES, VOLTAGES

UNIT_DEGREE = 8
UNIT_A = 33
UNIT_V = 35
UNIT_HZ = 44
"""DLMS unit codes (wan-core 7.2)."""

_THIRD = 120_000
_HALF = 180_000


@dataclass(frozen=True, slots=True)
class Grid:
    """The mains at the meter (assumed: nominal).

    Attributes:
        millivolts: between L1, L2, L3 and neutral.
        millihertz: frequency.
        current_angle: by how much currents are behind or ahead of their voltages, 0 to 359999 thousandths of a degree;
            power and current stay what they are (assumed).
    """

    millivolts: tuple[int, int, int] = (230_000, 230_000, 230_000)
    millihertz: int = 50_000
    current_angle: int = 0


NOMINAL: Final = Grid()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter measured at one instant.

    Attributes:
        energies: nanojoules since the meter was made, of all, of tariff 1, of tariff 2.
        milliwatts: momentary power per phase, negative when it flows into the grid.
        live: phases with voltage, of 1 to 3.
        mains: the grid.
        reversed_field: whether the rotating field is not L1-L2-L3.
    """

    energies: tuple[Energy, Energy, Energy]
    milliwatts: tuple[int, int, int]
    live: tuple[int, ...] = (1, 2, 3)
    mains: Grid = NOMINAL
    reversed_field: bool = False

    def grid(self, obis: bytes) -> int:
        """A value of GRID_VALUES in thousandths of its unit; KeyError when there is none of this code."""
        return GRID_VALUES[obis].value(self)


def _voltage(phase: int, reading: Reading) -> int:
    return reading.mains.millivolts[phase - 1] if phase in reading.live else 0


def _current(phase: int, reading: Reading) -> int:
    voltage = _voltage(phase, reading)
    return abs(reading.milliwatts[phase - 1]) * 1000 // voltage if voltage else 0


def _frequency(reading: Reading) -> int:
    return reading.mains.millihertz if reading.live else 0


def _voltage_angle(phase: int, reading: Reading) -> int:
    if 1 not in reading.live or phase not in reading.live:
        return 0
    return _THIRD * (phase - 1 if not reading.reversed_field else 4 - phase)


def _current_angle(phase: int, reading: Reading) -> int:
    if phase not in reading.live:
        return 0
    return ((_HALF if reading.milliwatts[phase - 1] < 0 else 0) + reading.mains.current_angle) % (2 * _HALF)


@dataclass(frozen=True, slots=True)
class GridValue:
    """How one value of the grid is told: DLMS unit code, scaler of its register (assumed, as dumps show), and the
    value in thousandths of the unit."""

    unit: int
    scaler: int
    value: Callable[[Reading], int]


GRID_VALUES: Final[dict[bytes, GridValue]] = {
    **{obis: GridValue(UNIT_V, -1, partial(_voltage, phase)) for phase, obis in enumerate(VOLTAGES, 1)},
    **{obis: GridValue(UNIT_A, -2, partial(_current, phase)) for phase, obis in enumerate(CURRENTS, 1)},
    FREQUENCY: GridValue(UNIT_HZ, -1, _frequency),
    **{obis: GridValue(UNIT_DEGREE, 0, partial(_voltage_angle, phase)) for phase, obis in enumerate(VOLTAGE_ANGLES, 2)},
    **{obis: GridValue(UNIT_DEGREE, 0, partial(_current_angle, phase)) for phase, obis in enumerate(CURRENT_ANGLES, 1)},
}
"""OBIS code to value."""
