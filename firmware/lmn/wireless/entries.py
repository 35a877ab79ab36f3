"""M-Bus records as registers of the value list: OBIS code, integer with scaler, COSEM unit (lmn-wireless 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from devices.protocols.mbus.compact_profile import profile_values
from devices.protocols.mbus.records import Record
from devices.protocols.sml.units import unit_code
from firmware.metering.values import Entry

_TO_BASE: Final[Mapping[str, tuple[str, int]]] = {
    "kWh": ("Wh", 3),
    "MJ": ("J", 6),
    "m3": ("m³", 0),
    "kW": ("W", 3),
    "m3/h": ("m³/h", 0),
    "°C": ("°C", 0),
    "K": ("K", 0),
    "bar": ("bar", 0),
    "V": ("V", 0),
    "A": ("A", 0),
    "Hz": ("Hz", 0),
    "kvar": ("var", 3),
    "kvarh": ("varh", 3),
    "HCA": ("", 0),
}
"""Unit of a record -> unit of the value list and the power of ten between them."""


@dataclass(frozen=True, slots=True)
class _Code:
    """OBIS value groups C and D of a quantity; E is the tariff.

    Attributes:
        units: units of records that it holds for.
        forward: C.D for consumption, and for what has no direction.
        backward: C.D for feeding in, None: there is none.
    """

    units: tuple[str, ...]
    forward: str
    backward: str | None = None


_HEAT: Final = (
    _Code(("kWh", "MJ"), "1.0"),
    _Code(("m3",), "2.0"),
    _Code(("kW",), "8.0"),
    _Code(("m3/h",), "9.0"),
)
_WATER: Final = (_Code(("m3",), "1.0", "2.0"), _Code(("m3/h",), "9.0"))
_CODES: Final[Mapping[int, tuple[_Code, ...]]] = {
    1: (
        _Code(("kWh",), "1.8", "2.8"),
        _Code(("kW",), "1.7", "2.7"),
        _Code(("kvarh",), "3.8", "4.8"),
        _Code(("kvar",), "3.7", "4.7"),
        _Code(("Hz",), "14.7"),
    ),
    4: (_Code(("HCA",), "1.0"),),
    5: _HEAT,
    6: _HEAT,
    8: _WATER,
    9: _WATER,
}
"""Medium digit -> quantities (EN 13757-1 as OMS uses it; assumed where lmn-wireless does not print it)."""

_PHASES: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "V": ("12.7", "32.7", "52.7", "72.7"),
    "A": ("11.7", "31.7", "51.7", "71.7"),
}
"""Unit -> C.D without a phase, of L1, L2 and L3."""
_GAS: Final = (("uncorrected", "3.0"), ("at base conditions", "3.2"))
_GAS_CONVERTED: Final = "3.1"
"""Gas volume: at metering conditions, at base conditions, without either converted by temperature (sheet 4.4)."""


_SECOND_TABLE: Final = 0x7C
_NO_MATTER: Final = frozenset({0x13, 0x1D, 0x1E, 0x1F, 0x7D, *range(0x70, 0x78)})
"""VIFE of compact profiles, of standard conformity, and the factors that `Record.corrected` has applied."""
_DIRECTIONS: Final = frozenset({(), (0x3B,), (0x3C,)})
_OF_GAS: Final = frozenset({(), (0x3A,), (0x3E,)})
_OF_PHASES: Final = frozenset({(), *((_SECOND_TABLE, phase) for phase in (1, 2, 3))})
_MEANINGS: Final[Mapping[tuple[int, str], frozenset[tuple[int, ...]]]] = {
    (7, "m3"): _OF_GAS,
    (1, "V"): _OF_PHASES,
    (1, "A"): _OF_PHASES,
}
"""Medium digit and unit -> VIFE with which a value is a register's (lmn-wireless 4.4); of others the directions."""


def present(medium: int, records: Iterable[Record], registers: frozenset[str]) -> tuple[Entry, ...]:
    """The present values among the records as registers; what has no code of its own is left out.

    Args:
        medium: first digit of the meter's number.
        records: as decoded.
        registers: those that the profile wants; empty: all.
    """
    found: dict[str, Entry] = {}
    for record in records:
        if record.storage or record.subunit or record.func != "instantaneous" or _is_profile(record):
            continue
        one = entry(medium, record)
        if one is not None and (not registers or one.obis in registers):
            found.setdefault(one.obis, one)
    return tuple(found.values())


def past(medium: int, records: Sequence[Record], registers: frozenset[str]) -> list[tuple[datetime, tuple[Entry, ...]]]:
    """Values of compact profiles and of their bases, by the meter's time without zone (lmn-wireless 4.6)."""
    found: dict[datetime, dict[str, Entry]] = {}
    told = [(value.time, value.record) for value in profile_values(records)]
    for moment, value in (*_bases(records), *told):
        one = None if moment is None else entry(medium, value)
        if moment is not None and one is not None and (not registers or one.obis in registers):
            found.setdefault(moment, {}).setdefault(one.obis, one)
    return [(moment, tuple(by_code.values())) for moment, by_code in sorted(found.items())]


def _bases(records: Sequence[Record]) -> list[tuple[datetime | None, Record]]:
    """The base values of profiles with their base times: records of a profile's storage number."""
    storages = {record.storage for record in records if _is_profile(record)}
    times = {one.storage: one.value for one in records if isinstance(one.value, datetime) and one.storage in storages}
    return [
        (times.get(record.storage), record)
        for record in records
        if record.storage in storages and not _is_profile(record) and not isinstance(record.value, datetime)
    ]


def _is_profile(record: Record) -> bool:
    return record.layout.value.profile is not None


def entry(medium: int, measured: Record) -> Entry | None:
    """One value as a register, None: it has no code, or no number."""
    value = measured.corrected
    if isinstance(value, bool) or not isinstance(value, Decimal | int) or not Decimal(value).is_finite():
        return None
    code = obis_of(medium, measured)
    unit = _TO_BASE.get(measured.unit)
    if code is None or (unit is None and measured.unit):
        return None
    scaled, scaler = exact(Decimal(value), 0 if unit is None else unit[1])
    return Entry(code, scaled, scaler, None if unit is None else unit_code(unit[0]))


def obis_of(medium: int, measured: Record) -> str | None:
    """The register that a value stands for, as ``1-0:1.8.0*255``; None: it has none.

    A VIFE changes what a value means: of one phase, a limit, a future value, an average, one with an error. Only those
    that leave it what the register counts may stand there.
    """
    meaning = _meaning(measured.vifes)
    if meaning not in _MEANINGS.get((medium, measured.unit), _DIRECTIONS):
        return None
    if medium == 7 and measured.unit == "m3":
        group = next((code for word, code in _GAS if word in measured.modifiers), _GAS_CONVERTED)
        return f"7-0:{group}.{measured.tariff}*255"
    if medium == 1 and measured.unit in _PHASES:
        phase = next((number for number in (1, 2, 3) if f"L{number}" in measured.modifiers), 0)
        return f"1-0:{_PHASES[measured.unit][phase]}.0*255"
    for one in _CODES.get(medium, ()):
        if measured.unit in one.units:
            group_or_none = one.backward if "backward" in measured.modifiers else one.forward
            return None if group_or_none is None else f"{medium}-0:{group_or_none}.{measured.tariff}*255"
    return None


def _meaning(vifes: tuple[int, ...]) -> tuple[int, ...]:
    """The VIFE without those that change nothing, or are in the number already."""
    second = [place for place, vife in enumerate(vifes) if vife == _SECOND_TABLE]
    behind = {place + 1 for place in second}
    return tuple(vife for place, vife in enumerate(vifes) if place in behind or vife not in _NO_MATTER)


def exact(value: Decimal, shift: int) -> tuple[int, int]:
    """`value` times 10**shift as integer and scaler, nothing rounded."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{value} is no number")
    number = int("".join(map(str, digits)) or "0")
    return (-number if sign else number), exponent + shift
