"""Which unit an electricity register has, by groups C and D of its OBIS code (IEC 62056-61)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devices.protocols.sml.obis import ELECTRICITY

_SUM_AND_PHASES: Final = (0, 20, 40, 60)
"""Sum of all phases, L1, L2, L3: what is added to group C."""


def _per_phase(groups: tuple[int, ...], unit: str) -> dict[int, str]:
    return {phase + group: unit for phase in _SUM_AND_PHASES for group in groups}


_OF_QUANTITY: Final[Mapping[int, str]] = {
    **_per_phase((1, 2, 15, 16, 17, 18, 19, 20), "W"),
    **_per_phase((3, 4, 5, 6, 7, 8), "var"),
    **_per_phase((9, 10), "VA"),
    **_per_phase((11,), "A"),
    **_per_phase((12,), "V"),
    **_per_phase((14,), "Hz"),
    91: "A",  # neutral
    92: "V",
}
"""Group C -> unit of the momentary value."""

_MOMENTARY: Final = 7
_INTEGRALS: Final = (8, 9, 29)
"""Group D of time integrals: energy where the quantity is a power."""


def unit_of(obis: bytes) -> str | None:
    """The unit that a register must have, without prefix; None where any may be right."""
    unit = _OF_QUANTITY.get(obis[2]) if obis[0] == ELECTRICITY else None
    if unit is None or obis[3] == _MOMENTARY:
        return unit
    return f"{unit}h" if obis[3] in _INTEGRALS and unit in ("W", "var", "VA") else None
