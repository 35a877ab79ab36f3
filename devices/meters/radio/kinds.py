"""What is usual for each kind of radio meter: device types, registers, records, intervals (lmn-wireless 1, 4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from devices.meters.radio.measured import Part, RadioRegister


@dataclass(frozen=True, slots=True)
class KindTable:
    """A kind of radio meter.

    Attributes:
        media: first digits of the numbers of such meters.
        types: their device types.
        unit: what the first register counts.
        records: names of `devices.meters.radio.contents.RECORDS` that they send.
        interval_s: nominal time between two telegrams (assumed).
        compact_interval_s: the same with the compact profile (lmn-wireless 1; assumed for battery meters).
        spacing_s: of the compact profile.
        profile_by_default: whether such meters send it.
        needs_power: whether nothing is counted while they have no supply.
    """

    media: tuple[str, ...]
    types: frozenset[int]
    unit: str
    records: tuple[str, ...]
    interval_s: float
    compact_interval_s: float
    spacing_s: int
    profile_by_default: bool
    needs_power: bool

    def registers(self, medium: str) -> dict[str, RadioRegister]:
        """Registers of a meter whose number begins with `medium`; the first is the one that is billed."""
        return {one.obis: one for one in _REGISTERS[medium]}


def _electric(code: str, part: Part, tariff: int = 0) -> RadioRegister:
    return RadioRegister(f"1-0:{code}.8.{tariff}", "kWh", part, -3, tariff)


def _volumes(medium: str, exponent: int, *codes: tuple[str, Part]) -> tuple[RadioRegister, ...]:
    return tuple(RadioRegister(f"{medium}-0:{code}", "m3", part, exponent) for code, part in codes)


_REGISTERS: Final[Mapping[str, tuple[RadioRegister, ...]]] = {
    "1": tuple(
        _electric(code, part, tariff)
        for tariff in (0, 1, 2)
        for code, part in (("1", Part.FORWARD), ("2", Part.BACKWARD))
    ),
    "5": (
        RadioRegister("5-0:1.0.0", "kWh", Part.FORWARD, 0),
        RadioRegister("5-0:2.0.0", "m3", Part.WATER, -2),
    ),
    "6": (
        RadioRegister("6-0:1.0.0", "kWh", Part.FORWARD, 0),
        RadioRegister("6-0:2.0.0", "m3", Part.WATER, -2),
        RadioRegister("5-0:1.0.0", "kWh", Part.BACKWARD, 0),
    ),
    "7": _volumes("7", -2, ("3.1.0", Part.FORWARD), ("3.0.0", Part.FORWARD), ("3.2.0", Part.FORWARD)),
    "8": _volumes("8", -3, ("1.0.0", Part.FORWARD), ("2.0.0", Part.BACKWARD)),
    "9": _volumes("9", -3, ("1.0.0", Part.FORWARD), ("2.0.0", Part.BACKWARD)),
}
"""Medium digit -> registers. Of gas: temperature converted, as measured, at base conditions; all three run alike."""

_QUARTER: Final = 900
_HOUR: Final = 3600

KINDS: Final[Mapping[str, KindTable]] = {
    "electricity": KindTable(
        ("1",), frozenset({0x02}), "kWh",
        ("time", "energy", "energy_exported", "power", "error_flags"),
        900, 90, _QUARTER, profile_by_default=True, needs_power=True,
    ),
    "gas": KindTable(
        ("7",), frozenset({0x03}), "m3",
        ("volume", "time", "error_flags"),
        900, 90, _HOUR, profile_by_default=True, needs_power=False,
    ),
    "water": KindTable(
        ("8", "9"), frozenset({0x06, 0x07}), "m3",
        ("volume", "time", "due_day", "due_volume", "error_flags"),
        900, 90, _HOUR, profile_by_default=False, needs_power=False,
    ),
    "heat": KindTable(
        ("6", "5"), frozenset({0x04, 0x0A}), "kWh",
        ("energy", "water_volume", "power", "water_flow", "flow_temperature", "return_temperature", "time",
         "error_flags"),
        900, 90, _HOUR, profile_by_default=False, needs_power=True,
    ),
}  # fmt: skip
"""Kind to what is usual for it."""
