"""What a register counts, so that a figure of another kind is found before anything is switched on."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bench.quantity import QUANTITIES, Kind, parse
from devices.meters.radio.kinds import KINDS
from devices.meters.register_units import unit_of
from devices.protocols.sml.obis import ELECTRICITY, format_obis, parse_obis

_ANGLES: Final = 81
"""Group C of the angles between voltages and currents."""
_STAGE: Final = 4
"""Place of group E, which says nothing of the quantity."""


def _unit(code: bytes) -> str | None:
    """The unit of a register by its code, None where any may be right."""
    if code[0] == ELECTRICITY:
        return "deg" if code[2:4] == bytes((_ANGLES, 7)) else unit_of(code)
    plain = format_obis(code[:_STAGE] + bytes((0, 255))).removesuffix("*255")
    tables = (table.registers(medium) for table in KINDS.values() for medium in table.media if medium == str(code[0]))
    return next((table[plain].unit for table in tables if plain in table), None)


def kind_of(code: str) -> Kind | None:
    """What a register counts, by groups A, C and D of its OBIS code; None where that says nothing.

    Raises SmlError for what is no code.
    """
    unit = _unit(parse_obis(code))
    return next((kind for kind in QUANTITIES if unit in kind.units), None)


def check_unit(code: str, written: object) -> None:
    """Nothing, when `written` is a quantity that the register counts; ValueError says what would be right."""
    amount_of(code, written)


def amount_of(code: str, written: object) -> tuple[Decimal, str]:
    """A quantity on a register: the number in the base unit, and that unit.

    Raises ValueError: no quantity, or one that the register does not count.
    """
    kind = kind_of(code)
    if kind is not None:
        try:
            return parse(written, kind), kind.base
        except ValueError as error:
            raise ValueError(f"register {code}: {error}") from None
    return parse_quantity(written)


def span_of(code: str, first: object, last: object) -> tuple[Decimal, Decimal, str]:
    """Two bounds on a register, and their base unit. Raises ValueError: they are none."""
    (least, unit), (most, other) = amount_of(code, first), amount_of(code, last)
    if unit != other or least > most:
        raise ValueError(f"{first} to {last} is no span")
    return least, most, unit


def parse_quantity(value: object) -> tuple[Decimal, str]:
    """A number with the unit of anything that a meter measures: the number in the base unit, and that unit."""
    for kind in QUANTITIES:
        try:
            return parse(value, kind), kind.base
        except ValueError:
            continue
    units = ", ".join(unit for kind in QUANTITIES for unit in kind.units)
    raise ValueError(f"{str(value)!r} is no quantity of a meter: write it like '5 kW' (units: {units})")
