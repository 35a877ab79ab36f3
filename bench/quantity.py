"""Quantities as people write them in scenarios: a number and its unit, nothing implied.

``60 s``, ``31 min``, ``12345.6 kWh``, ``50 %``. Each kind has one base unit inside the program; a number without a
unit or with the unit of another kind is an error that says what would be right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema


@dataclass(frozen=True)
class Kind:
    """A physical quantity with the units that people may write.

    Attributes:
        name: what it is called in messages.
        units: unit -> factor to the base unit; the first is the base unit.
        example: how it is written.
    """

    name: str
    units: dict[str, Decimal]
    example: str

    @property
    def base(self) -> str:
        """The base unit."""
        return next(iter(self.units))

    @property
    def a(self) -> str:
        """The name with its article."""
        return f"an {self.name}" if self.name[0] in "aeiou" else f"a {self.name}"


TIME = Kind(
    "duration",
    {
        "s": Decimal(1),
        "us": Decimal("1e-6"),
        "µs": Decimal("1e-6"),
        "ms": Decimal("1e-3"),
        "min": Decimal(60),
        "h": Decimal(3600),
        "d": Decimal(86400),
    },
    "90 s",
)
ENERGY = Kind(
    "energy", {"Wh": Decimal(1), "mWh": Decimal("1e-3"), "kWh": Decimal(1000), "MWh": Decimal(10**6)}, "12.5 kWh"
)
POWER = Kind("power", {"W": Decimal(1), "mW": Decimal("1e-3"), "kW": Decimal(1000), "MW": Decimal(10**6)}, "500 W")
VOLUME = Kind("volume", {"m³": Decimal(1), "m3": Decimal(1), "l": Decimal("1e-3")}, "1234.5 m3")
FLOW = Kind("flow", {"m³/h": Decimal(1), "m3/h": Decimal(1), "l/h": Decimal("1e-3")}, "0.6 m3/h")
LENGTH = Kind("distance", {"m": Decimal(1), "km": Decimal(1000)}, "10 m")
SHARE = Kind("share", {"": Decimal(1), "%": Decimal("0.01")}, "50 %")
REACTIVE_ENERGY = Kind("reactive energy", {"varh": Decimal(1), "kvarh": Decimal(1000)}, "12.5 kvarh")
REACTIVE_POWER = Kind("reactive power", {"var": Decimal(1), "kvar": Decimal(1000)}, "500 var")
APPARENT_ENERGY = Kind("apparent energy", {"VAh": Decimal(1), "kVAh": Decimal(1000)}, "12.5 kVAh")
APPARENT_POWER = Kind("apparent power", {"VA": Decimal(1), "kVA": Decimal(1000)}, "500 VA")
VOLTAGE = Kind("voltage", {"V": Decimal(1), "kV": Decimal(1000)}, "230 V")
CURRENT = Kind("current", {"A": Decimal(1), "mA": Decimal("1e-3")}, "16 A")
FREQUENCY = Kind("frequency", {"Hz": Decimal(1)}, "50 Hz")
ANGLE = Kind("angle", {"deg": Decimal(1), "°": Decimal(1)}, "120 deg")
QUANTITIES = (
    ENERGY, POWER, VOLUME, FLOW, REACTIVE_ENERGY, REACTIVE_POWER, APPARENT_ENERGY, APPARENT_POWER,
    VOLTAGE, CURRENT, FREQUENCY, ANGLE,
)  # fmt: skip
"""What registers of meters count or measure."""
KINDS = (TIME, *QUANTITIES, LENGTH, SHARE)

LONGEST = timedelta(days=36_500)
"""A hundred years: a longer duration is taken for a slip of the pen."""

_WRITTEN = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([^\d\s.][^\s.]*)?\s*\Z")


def parse(text: object, kind: Kind) -> Decimal:
    """The quantity `text` in the base unit of `kind`; ValueError says what would be right."""
    match = _WRITTEN.match(str(text))
    if match is None and _WRITTEN.match(str(text).replace(",", ".", 1)):
        raise ValueError(f"{text!r} has a comma: write {str(text).replace(',', '.', 1)!r}, with a point")
    if match is None:
        raise ValueError(f"{text!r} is not {kind.a}: write it like {kind.example!r}")
    number, unit = Decimal(match[1]), match[2] or ""
    if unit in kind.units:
        return number * kind.units[unit]
    if not unit:
        raise ValueError(f"{text!r} has no unit: {kind.a} is written like {kind.example!r}")
    for other in KINDS:
        if unit in other.units:
            raise ValueError(f"{text!r} is {other.a}, but here {kind.a} is wanted, like {kind.example!r}")
    known = ", ".join(name for name in kind.units if name)
    raise ValueError(f"unit {unit!r} is not known for {kind.a}: use one of {known}")


def parse_duration(value: Any) -> timedelta:
    """A duration of zero or more, to the microsecond."""
    if isinstance(value, timedelta):
        return value
    seconds = parse(value, TIME)
    if seconds < 0:
        raise ValueError(f"{value!r} is negative: a duration cannot be")
    return _span(seconds, value)


def parse_offset(value: Any) -> timedelta:
    """A signed difference of time, such as ``-30 s``."""
    if isinstance(value, timedelta):
        return value
    return _span(parse(value, TIME), value)


def _span(seconds: Decimal, written: Any) -> timedelta:
    if abs(seconds) > LONGEST.total_seconds():
        raise ValueError(f"{written!r} is more than a hundred years")
    return timedelta(microseconds=int(seconds * 10**6))


def parse_share(value: Any) -> float:
    """A share between 0 and 1, written as ``50 %`` or ``0.5``."""
    if isinstance(value, float):
        value = str(value)
    share = parse(value, SHARE)
    if not 0 <= share <= 1:
        raise ValueError(f"{value!r} is not between 0 % and 100 %")
    return float(share)


def text_of(span: timedelta | float) -> str:
    """A duration as people read it: ``1.5 s``, ``31 min``, ``36 h``, ``250 ms``."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds == 0:
        return "0 s"
    if abs(seconds) < 1:
        return f"{seconds * 1000:.4g} ms"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.6g} s" if abs(seconds) < 1e6 else f"{seconds:.0f} s"


_DURATION_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*\d+(\.\d+)?\s*(us|µs|ms|s|min|h|d)\s*$",
    "examples": ["90 s"],
}
_OFFSET_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*[+-]?\d+(\.\d+)?\s*(us|µs|ms|s|min|h|d)\s*$",
    "examples": ["-30 s"],
}
_SHARE_SCHEMA = {"type": ["string", "number"], "examples": ["50 %"]}

Duration = Annotated[timedelta, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
Offset = Annotated[timedelta, BeforeValidator(parse_offset), WithJsonSchema(_OFFSET_SCHEMA)]
Share = Annotated[float, BeforeValidator(parse_share), WithJsonSchema(_SHARE_SCHEMA)]


def printable(text: str) -> str:
    """`text` on one line without control characters: what stands in files must not steer a terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
