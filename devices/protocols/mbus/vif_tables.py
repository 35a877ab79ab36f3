"""What value information codes stand for (lmn-wireless 4.3, 4.4), as data.

Every quantity is brought to one unit: kWh or MJ, m3, kg, h, kW or MJ/h, m3/h, kg/h, °C, K, bar, V, A, Hz, kvar, kvarh,
kVA, kVAh, %. A code stands for a factor: ten to a power, times a whole number, over a whole number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What the data of a value information code is.

    Attributes:
        NUMBER: a signed number.
        UNSIGNED: a number without sign.
        BITS: flags; all of them set says nothing special.
        IDENTITY: digits and letters that name a device.
        DATE: a date, a time or both.
        OPAQUE: octets that only their maker or another protocol understands.
    """

    NUMBER = "number"
    UNSIGNED = "unsigned"
    BITS = "bits"
    IDENTITY = "identity"
    DATE = "date"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a value information code stands for.

    Attributes:
        quantity: name of the quantity, "energy"; empty when the code is unknown.
        unit: the unit that the stored number is brought to; empty when there is none.
        exponent, factor, divisor: stored number times 10^exponent times factor over divisor gives the value.
        kind: what the data is.
    """

    quantity: str
    unit: str = ""
    exponent: int = 0
    factor: int = 1
    divisor: int = 1
    kind: Kind = Kind.NUMBER


UNKNOWN: Final = Meaning("")
MANUFACTURER: Final = Meaning("mfct")

_Rows = tuple[tuple[int, int, str, str, int, int], ...]

_PRIMARY_POWERS: Final[_Rows] = (
    (0x00, 0x07, "energy", "kWh", -6, 1),
    (0x08, 0x0F, "energy", "MJ", -6, 1),
    (0x10, 0x17, "volume", "m3", -6, 1),
    (0x18, 0x1F, "mass", "kg", -3, 1),
    (0x28, 0x2F, "power", "kW", -6, 1),
    (0x30, 0x37, "power", "MJ/h", -6, 1),
    (0x38, 0x3F, "volume_flow", "m3/h", -6, 1),
    (0x40, 0x47, "volume_flow", "m3/h", -7, 60),
    (0x48, 0x4F, "volume_flow", "m3/h", -9, 3600),
    (0x50, 0x57, "mass_flow", "kg/h", -3, 1),
    (0x58, 0x5B, "flow_temperature", "°C", -3, 1),
    (0x5C, 0x5F, "return_temperature", "°C", -3, 1),
    (0x60, 0x63, "temperature_difference", "K", -3, 1),
    (0x64, 0x67, "external_temperature", "°C", -3, 1),
    (0x68, 0x6B, "pressure", "bar", -3, 1),
)
"""First and last code, quantity, unit, exponent of the first code, factor: the exponent grows by one per code."""

_FB_POWERS: Final[_Rows] = (
    (0x00, 0x01, "energy", "kWh", 2, 1),
    (0x02, 0x03, "reactive_energy", "kvarh", 0, 1),
    (0x04, 0x05, "apparent_energy", "kVAh", 0, 1),
    (0x08, 0x09, "energy", "MJ", 2, 1),
    (0x0C, 0x0F, "energy", "Mcal", -1, 1),
    (0x10, 0x11, "volume", "m3", 2, 1),
    (0x14, 0x17, "reactive_power", "kvar", -3, 1),
    (0x18, 0x19, "mass", "kg", 5, 1),
    (0x1A, 0x1B, "relative_humidity", "%", -1, 1),
    (0x20, 0x20, "volume", "ft3", 0, 1),
    (0x21, 0x21, "volume", "ft3", -1, 1),
    (0x28, 0x29, "power", "kW", 2, 1),
    (0x2A, 0x2A, "phase_angle_voltages", "°", -1, 1),
    (0x2B, 0x2B, "phase_angle_current", "°", -1, 1),
    (0x2C, 0x2F, "frequency", "Hz", -3, 1),
    (0x30, 0x31, "power", "MJ/h", 2, 1),
    (0x34, 0x37, "apparent_power", "kVA", -3, 1),
    (0x74, 0x77, "temperature_limit", "°C", -3, 1),
    (0x78, 0x7F, "cumulated_maximum_power", "kW", -6, 1),
)
_FD_POWERS: Final[_Rows] = ((0x40, 0x4F, "voltage", "V", -9, 1), (0x50, 0x5F, "current", "A", -12, 1))

_PRIMARY_TIMES: Final = (
    (0x20, "on_time"),
    (0x24, "operating_time"),
    (0x70, "averaging_duration"),
    (0x74, "actuality_duration"),
)
"""First of four codes for seconds, minutes, hours, days."""

_FD_TIMES: Final = (
    (0x24, "storage_interval"),
    (0x2C, "duration_since_readout"),
    (0x30, "duration_of_tariff"),
    (0x3C, "transmit_period"),
)

_TIMES: Final = ((1, 3600), (1, 60), (1, 1), (24, 1))
"""Factor and divisor that bring seconds, minutes, hours and days to hours."""

_PRIMARY_SINGLES: Final = {
    0x6C: Meaning("date", kind=Kind.DATE),
    0x6D: Meaning("datetime", kind=Kind.DATE),
    0x6E: Meaning("hca", "HCA"),
    0x78: Meaning("fabrication_no", kind=Kind.UNSIGNED),
    0x79: Meaning("enhanced_identification", kind=Kind.IDENTITY),
    0x7A: Meaning("bus_address", kind=Kind.UNSIGNED),
    0x7E: Meaning("any"),
    0x7F: MANUFACTURER,
}

_FD_SINGLES: Final = {
    0x08: Meaning("access_number", "counter", kind=Kind.UNSIGNED),
    0x09: Meaning("device_type", kind=Kind.UNSIGNED),
    0x0A: Meaning("manufacturer", kind=Kind.UNSIGNED),
    0x0B: Meaning("parameter_set", kind=Kind.UNSIGNED),
    0x0C: Meaning("model_version", kind=Kind.UNSIGNED),
    0x0D: Meaning("hardware_version", kind=Kind.UNSIGNED),
    0x0E: Meaning("firmware_version", kind=Kind.UNSIGNED),
    0x0F: Meaning("software_version", kind=Kind.UNSIGNED),
    0x10: Meaning("customer_location", kind=Kind.UNSIGNED),
    0x11: Meaning("customer", kind=Kind.UNSIGNED),
    0x17: Meaning("error_flags", kind=Kind.BITS),
    0x18: Meaning("error_mask", kind=Kind.BITS),
    0x1A: Meaning("digital_output", kind=Kind.BITS),
    0x1B: Meaning("digital_input", kind=Kind.BITS),
    0x20: Meaning("first_storage", kind=Kind.UNSIGNED),
    0x21: Meaning("last_storage", kind=Kind.UNSIGNED),
    0x28: Meaning("storage_interval", "month"),
    0x29: Meaning("storage_interval", "year"),
    0x30: Meaning("start_of_tariff", kind=Kind.DATE),
    0x3A: Meaning("dimensionless", "counter"),
    0x3B: Meaning("wmbus_container", kind=Kind.OPAQUE),
    0x60: Meaning("reset_counter", "counter", kind=Kind.UNSIGNED),
    0x61: Meaning("cumulation_counter", "counter", kind=Kind.UNSIGNED),
    0x66: Meaning("parameter_activation", kind=Kind.BITS),
    0x67: Meaning("special_supplier_information", kind=Kind.BITS),
    0x68: Meaning("duration_since_cumulation", "h"),
    0x69: Meaning("duration_since_cumulation", "h", factor=24),
    0x6A: Meaning("duration_since_cumulation", "month"),
    0x6B: Meaning("duration_since_cumulation", "year"),
    0x6C: Meaning("remaining_battery", "h"),
    0x6D: Meaning("remaining_battery", "h", factor=24),
    0x6E: Meaning("remaining_battery", "month"),
    0x6F: Meaning("remaining_battery", "year"),
    0x70: Meaning("battery_change", kind=Kind.DATE),
    0x71: Meaning("radio_level", "dBm"),
    0x74: Meaning("remaining_battery", "d"),
    0x76: Meaning("manufacturer_container", kind=Kind.OPAQUE),
}


def _powers(rows: _Rows) -> dict[int, Meaning]:
    return {
        code: Meaning(quantity, unit, exponent + code - first, factor)
        for first, last, quantity, unit, exponent, factor in rows
        for code in range(first, last + 1)
    }


def _times(rows: tuple[tuple[int, str], ...]) -> dict[int, Meaning]:
    return {
        first + place: Meaning(quantity, "h", 0, factor, divisor)
        for first, quantity in rows
        for place, (factor, divisor) in enumerate(_TIMES)
    }


PRIMARY: Final = _powers(_PRIMARY_POWERS) | _times(_PRIMARY_TIMES) | _PRIMARY_SINGLES
"""Code of the VIF, without bit 7, to what it stands for."""

FIRST_EXTENSION: Final = _powers(_FB_POWERS)
"""The same for the octet behind FB."""

SECOND_EXTENSION: Final = _powers(_FD_POWERS) | _times(_FD_TIMES) | _FD_SINGLES
"""The same for the octet behind FD."""

INVERSE_PROFILE: Final = 0x13
REGISTER_PROFILE: Final = 0x1E
PLAIN_PROFILE: Final = 0x1F
PROFILES: Final = frozenset((INVERSE_PROFILE, REGISTER_PROFILE, PLAIN_PROFILE))
"""VIFE of compact profiles: backwards, forwards whose elements are registers, forwards (lmn-wireless 4.6)."""

BACKWARD: Final = 0x3C
UNCORRECTED: Final = 0x3A
AT_BASE_CONDITIONS: Final = 0x3E
"""VIFE of exported energy, of gas as measured, of gas at base conditions."""

SECOND_VIFE_TABLE: Final = 0x7C
MANUFACTURER_VIFE: Final = 0x7F
THOUSAND: Final = 0x7D

_PERIODS: Final = ("s", "min", "h", "day", "week", "month", "year")
_LIMIT_TIMES: Final = ("s", "min", "h", "day")

MODIFIERS: Final[dict[int, str]] = {
    0x12: "average",
    0x13: "inverse compact profile",
    **{0x15 + place: "record error" for place in range(8)},
    0x15: "no data available",
    0x16: "data overflow",
    0x17: "data underflow",
    0x18: "data error",
    0x1C: "premature end of record",
    0x1D: "standard conform",
    0x1E: "compact profile with registers",
    0x1F: "compact profile",
    **{0x20 + place: f"per {period}" for place, period in enumerate(_PERIODS)},
    **{0x28 + place: "per pulse" for place in range(4)},
    0x39: "start of",
    0x3A: "uncorrected",
    0x3B: "forward",
    0x3C: "backward",
    0x3E: "at base conditions",
    0x3F: "OBIS declaration",
    0x40: "lower limit",
    0x41: "times below the lower limit",
    0x48: "upper limit",
    0x49: "times above the upper limit",
    **{
        0x42 + 8 * upper + 4 * last + end: (
            f"{'end' if end else 'begin'} of the {'last' if last else 'first'} time "
            f"{'above the upper' if upper else 'below the lower'} limit"
        )
        for upper in (0, 1)
        for last in (0, 1)
        for end in (0, 1)
    },
    **{
        0x50 + 8 * upper + 4 * last + place: (
            f"duration in {unit} of the {'last' if last else 'first'} time "
            f"{'above the upper' if upper else 'below the lower'} limit"
        )
        for upper in (0, 1)
        for last in (0, 1)
        for place, unit in enumerate(_LIMIT_TIMES)
    },
    **{
        0x60 + 4 * last + place: f"duration in {unit} of the {'last' if last else 'first'} time"
        for last in (0, 1)
        for place, unit in enumerate(_LIMIT_TIMES)
    },
    **{
        0x6A + 4 * last + end: f"{'end' if end else 'begin'} of the {'last' if last else 'first'} time"
        for last in (0, 1)
        for end in (0, 1)
    },
    **{0x70 + place: f"times 10^{place - 6}" for place in range(8)},
    **{0x78 + place: f"plus 10^{place - 3}" for place in range(4)},
    0x7D: "times 1000",
    0x7E: "future value",
    0x7F: "maker's own",
}
"""VIFE to what it adds to the meaning; 42 to 6F (limits) as in EN 13757-3, the fact sheet names only the range."""

SECOND_MODIFIERS: Final[dict[int, str]] = {
    0x01: "L1",
    0x02: "L2",
    0x03: "L3",
    0x04: "N",
    0x05: "L1-L2",
    0x06: "L2-L3",
    0x07: "L3-L1",
    0x08: "quadrant 1",
    0x09: "quadrant 2",
    0x0A: "quadrant 3",
    0x0B: "quadrant 4",
    0x0C: "import minus export",
    0x10: "absolute sum",
}
"""The octet behind VIFE 7C."""
