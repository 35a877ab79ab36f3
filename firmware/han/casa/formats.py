"""How CASA writes times, numbers, registers and status words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from devices.protocols.sml.units import UNITS
from firmware.han.pages import Language, shown_number
from firmware.metering.signed_octets import logical_name
from firmware.metering.tariffs.local_time import LOCAL

NO_UNIT: Final = 255
"""COSEM code for a register without unit; clients want a number."""
_KILO: Final = {30: "kWh", 31: "kVAh", 32: "kvarh"}
"""Units of energy, which people are shown in thousands and with six places ([CASA] 7.2)."""
ENERGY_PLACES: Final = 6


def stamp(at_s: float) -> str:
    """An instant in local time with its offset, ``2026-04-03T18:14:43+02:00``."""
    return datetime.fromtimestamp(int(at_s), LOCAL).isoformat()


def stamp_us(at_us: int | None) -> str | None:
    """The same of microseconds, None for None."""
    return None if at_us is None else stamp(at_us // 1_000_000)


def word(status: str) -> str:
    """A status word, 16 hexadecimal digits in lower case."""
    return status.lower()


def hex_code(obis: str) -> str:
    """``0100010800ff`` of ``1-0:1.8.0*255``."""
    return logical_name(obis, "").split(".", 1)[0]


def shown_unit(unit: int | None) -> str:
    """Unit in which people are shown a register, empty without one."""
    return "" if unit is None else _KILO.get(unit, UNITS.get(unit, ""))


def shown_value(value: int, scaler: int | None, unit: int | None, notation: Language = "de") -> str:
    """A register's value in the unit of `shown_unit`, ``23.163,627000`` in German notation (han 4.1)."""
    number = Decimal(value).scaleb(scaler or 0)
    if unit in _KILO:
        return shown_number(number.scaleb(-3), ENERGY_PLACES, notation)
    return shown_number(number, max(0, -(scaler or 0)), notation)
