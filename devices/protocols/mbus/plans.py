"""Records as an emulated meter writes them: a coding, a value information block, a number (lmn-wireless 4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from devices.protocols.mbus.data_types import write_number, write_text
from devices.protocols.mbus.dates import write_date, write_date_time, write_date_time_seconds
from devices.protocols.mbus.dif import Coding, Dib
from devices.protocols.mbus.errors import RecordError
from devices.protocols.mbus.vif_tables import AT_BASE_CONDITIONS, BACKWARD, UNCORRECTED


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """A record to be written: octets of DIB, VIB and data, the latter with LVAR where the coding is variable."""

    dib: bytes
    vib: bytes
    data: bytes

    def to_bytes(self) -> bytes:
        """The record."""
        return self.dib + self.vib + self.data


@dataclass(frozen=True, slots=True)
class Place:
    """Which value of a quantity a record holds: function, storage, tariff and subunit, and how it is coded.

    Attributes:
        coding: of the data.
        function: "instantaneous", "maximum", "minimum" or "error".
        storage, tariff, subunit: see Dib.
    """

    coding: Coding = Coding.INT32
    function: str = "instantaneous"
    storage: int = 0
    tariff: int = 0
    subunit: int = 0

    def dib(self, coding: Coding | None = None) -> bytes:
        """The data information block, of another coding when one is given."""
        chosen = self.coding if coding is None else coding
        return Dib(chosen, self.function, self.storage, self.tariff, self.subunit).to_bytes()


CURRENT = Place()


def number(vib: bytes, stored: int, place: Place = CURRENT, *, signed: bool = True) -> RecordPlan:
    """Any number under the octets of any VIB; raises RecordError when it does not fit its coding."""
    return RecordPlan(place.dib(), vib, write_number(place.coding, stored, signed=signed))


def _scaled(first: int, exponent: int, lowest: int, count: int, what: str) -> int:
    """The code of a power of ten: `first` is that of 10^`lowest`."""
    if not lowest <= exponent < lowest + count:
        raise RecordError(f"{what} has powers of ten from {lowest} to {lowest + count - 1}, not {exponent}")
    return first + exponent - lowest


def _with(code: int, *vifes: int) -> bytes:
    octets = (code, *vifes)
    return bytes(octet | 0x80 for octet in octets[:-1]) + bytes(octets[-1:])


def energy_wh(stored: int, place: Place = CURRENT, *, exponent: int = 0, exported: bool = False) -> RecordPlan:
    """Energy in 10^exponent Wh (-3 to 4); `exported`: VIFE 3C, in a heat meter the cooling part."""
    code = _scaled(0x00, exponent, -3, 8, "energy in Wh")
    return number(_with(code, BACKWARD) if exported else _with(code), stored, place)


def energy_j(stored: int, place: Place = CURRENT, *, exponent: int = 6, exported: bool = False) -> RecordPlan:
    """Energy in 10^exponent J (0 to 7); `exported` as energy_wh."""
    code = _scaled(0x08, exponent, 0, 8, "energy in J")
    return number(_with(code, BACKWARD) if exported else _with(code), stored, place)


def volume_m3(
    stored: int,
    place: Place = CURRENT,
    *,
    exponent: int = -3,
    exported: bool = False,
    uncorrected: bool = False,
    at_base_conditions: bool = False,
) -> RecordPlan:
    """Volume in 10^exponent m3 (-6 to 1); of gas as measured (3A), at base conditions (3E) or, without, converted."""
    vifes = (exported * (BACKWARD,)) + (uncorrected * (UNCORRECTED,)) + (at_base_conditions * (AT_BASE_CONDITIONS,))
    return number(_with(_scaled(0x10, exponent, -6, 8, "volume"), *vifes), stored, place)


def power_w(stored: int, place: Place = CURRENT, *, exponent: int = 0, exported: bool = False) -> RecordPlan:
    """Power in 10^exponent W (-3 to 4)."""
    code = _scaled(0x28, exponent, -3, 8, "power")
    return number(_with(code, BACKWARD) if exported else _with(code), stored, place)


def flow_m3h(stored: int, place: Place = CURRENT, *, exponent: int = -3) -> RecordPlan:
    """Volume flow in 10^exponent m3/h (-6 to 1)."""
    return number(_with(_scaled(0x38, exponent, -6, 8, "flow")), stored, place)


def flow_temperature(stored: int, place: Place = CURRENT, *, exponent: int = -1) -> RecordPlan:
    """Flow temperature in 10^exponent °C (-3 to 0)."""
    return number(_with(_scaled(0x58, exponent, -3, 4, "a temperature")), stored, place)


def return_temperature(stored: int, place: Place = CURRENT, *, exponent: int = -1) -> RecordPlan:
    """Return temperature in 10^exponent °C (-3 to 0)."""
    return number(_with(_scaled(0x5C, exponent, -3, 4, "a temperature")), stored, place)


def temperature_difference(stored: int, place: Place = CURRENT, *, exponent: int = -1) -> RecordPlan:
    """Temperature difference in 10^exponent K (-3 to 0)."""
    return number(_with(_scaled(0x60, exponent, -3, 4, "a temperature")), stored, place)


def external_temperature(stored: int, place: Place = CURRENT, *, exponent: int = -1) -> RecordPlan:
    """Temperature around the meter or of its gas in 10^exponent °C (-3 to 0)."""
    return number(_with(_scaled(0x64, exponent, -3, 4, "a temperature")), stored, place)


def pressure_bar(stored: int, place: Place = CURRENT, *, exponent: int = -3) -> RecordPlan:
    """Pressure in 10^exponent bar (-3 to 0)."""
    return number(_with(_scaled(0x68, exponent, -3, 4, "a pressure")), stored, place)


def voltage_v(stored: int, place: Place = CURRENT, *, exponent: int = -1, phase: int = 0) -> RecordPlan:
    """Voltage in 10^exponent V (-9 to 6) of a phase 1 to 3, 0 for none in particular."""
    return number(b"\xfd" + _of_phase(_scaled(0x40, exponent, -9, 16, "voltage"), phase), stored, place)


def current_a(stored: int, place: Place = CURRENT, *, exponent: int = -3, phase: int = 0) -> RecordPlan:
    """Current in 10^exponent A (-12 to 3) of a phase 1 to 3, 0 for none in particular."""
    return number(b"\xfd" + _of_phase(_scaled(0x50, exponent, -12, 16, "current"), phase), stored, place)


def _of_phase(code: int, phase: int) -> bytes:
    return _with(code, 0x7C, phase) if phase else _with(code)


def frequency_hz(stored: int, place: Place = CURRENT, *, exponent: int = -2) -> RecordPlan:
    """Frequency in 10^exponent Hz (-3 to 0)."""
    return number(b"\xfb" + _with(_scaled(0x2C, exponent, -3, 4, "frequency")), stored, place)


def reactive_power_kvar(stored: int, place: Place = CURRENT, *, exponent: int = -3) -> RecordPlan:
    """Reactive power in 10^exponent kvar (-3 to 0)."""
    return number(b"\xfb" + _with(_scaled(0x14, exponent, -3, 4, "reactive power")), stored, place)


def date_time(moment: datetime, place: Place = CURRENT, *, seconds: bool = False, invalid: bool = False) -> RecordPlan:
    """The meter's time, type F; type I with seconds. `invalid` (type F): the meter does not trust its clock."""
    if seconds:
        return RecordPlan(place.dib(Coding.INT48), b"\x6d", write_date_time_seconds(moment))
    return RecordPlan(place.dib(Coding.INT32), b"\x6d", write_date_time(moment, invalid=invalid))


def day(value: date, place: Place = CURRENT) -> RecordPlan:
    """A date, type G."""
    return RecordPlan(place.dib(Coding.INT16), b"\x6c", write_date(value))


def no_day(place: Place = CURRENT) -> RecordPlan:
    """A date that is none: FFFF."""
    return RecordPlan(place.dib(Coding.INT16), b"\x6c", b"\xff\xff")


def error_flags(bits: int, place: Place = CURRENT) -> RecordPlan:
    """Flags of FD 17, two octets."""
    return RecordPlan(place.dib(Coding.INT16), b"\xfd\x17", write_number(Coding.INT16, bits, signed=False))


def message_counter(count: int, place: Place = CURRENT) -> RecordPlan:
    """Number of the message, FD 08, four octets."""
    return RecordPlan(place.dib(Coding.INT32), b"\xfd\x08", write_number(Coding.INT32, count, signed=False))


def battery_days(days: int, place: Place = CURRENT) -> RecordPlan:
    """Days that the battery is expected to last, FD 74, two octets."""
    return RecordPlan(place.dib(Coding.INT16), b"\xfd\x74", write_number(Coding.INT16, days))


def actuality_seconds(seconds: int, place: Place = CURRENT) -> RecordPlan:
    """How old the values are, VIF 74, two octets."""
    return RecordPlan(place.dib(Coding.INT16), b"\x74", write_number(Coding.INT16, seconds))


def fabrication_number(digits: int, place: Place = CURRENT) -> RecordPlan:
    """Eight digits, VIF 78."""
    return RecordPlan(place.dib(Coding.BCD8), b"\x78", write_number(Coding.BCD8, digits))


def text(vib: bytes, words: str, place: Place = CURRENT) -> RecordPlan:
    """Latin-1 text under the octets of a VIB."""
    return RecordPlan(place.dib(Coding.VARIABLE), vib, write_text(words))
