"""What radio meters say: each record by a name, and the compact profile (lmn-wireless 4.5, 4.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Final

from devices.meters.radio.measured import Measured, Part, RadioRegister
from devices.meters.radio.plan import CompactProfile, ProfileKind, RadioMeterPlan
from devices.protocols.mbus import plans
from devices.protocols.mbus.compact_profile import ProfilePlan, Spacing, encode_profile
from devices.protocols.mbus.dif import Coding
from devices.protocols.mbus.plans import Place, RecordPlan

_BCD8: Final = Place(Coding.BCD8)
_SHORT: Final = Place(Coding.INT16)
_MAXIMUM: Final = Place(Coding.INT32, function="maximum")
_DUE: Final = Place(Coding.INT32, storage=1)
_DUE_DAY: Final = Place(Coding.INT16, storage=1)
_MAKER: Final = b"\xfd\x0a"
_MINIMUM_TEMPERATURE: Final = Place(Coding.INT16, function="minimum")
_FULL_16: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class DueDay:
    """Registers as they stood on a day.

    Attributes:
        day: in the meter's time.
        counts: register to counts of its last place.
    """

    day: date
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Telling:
    """What a meter knows at the moment of a telegram.

    Attributes:
        plan: what it is like.
        measured: what it has counted.
        time: its clock, without zone.
        number: of the telegram.
        flags: error flags of FD 17.
        battery_days: that its battery will last.
        due: its last due day.
        peak: largest rate so far, in counts of 10^-3 kW or m3/h.
    """

    plan: RadioMeterPlan
    measured: Measured
    time: datetime
    number: int
    flags: int
    battery_days: int
    due: DueDay
    peak: int = 0

    def main(self) -> RadioRegister:
        """The register that is billed."""
        return next(iter(self.measured.registers.values()))

    def of(self, part: Part) -> RadioRegister | None:
        """The first register that counts a part of what flows, None: there is none."""
        return next((one for one in self.measured.registers.values() if one.part is part), None)


Maker = Callable[[Telling], Sequence[RecordPlan]]


def _register(register: RadioRegister, stored: int, place: Place, medium: str) -> RecordPlan:
    """A register as a record: Wh or m3, gas by its OBIS code, the way back with VIFE 3C."""
    back = register.part is Part.BACKWARD
    if register.unit == "kWh":
        return plans.energy_wh(stored, place, exponent=register.exponent + 3, exported=back)
    return plans.volume_m3(
        stored,
        place,
        exponent=register.exponent,
        exported=back,
        uncorrected=medium == "7" and register.obis == "7-0:3.0.0",
        at_base_conditions=medium == "7" and register.obis == "7-0:3.2.0",
    )


@cache
def _place_of(register: RadioRegister, medium: str) -> Place:
    return replace(_BCD8 if medium == "7" else plans.CURRENT, tariff=register.tariff)


def _told(telling: Telling, *registers: RadioRegister | None) -> list[RecordPlan]:
    medium = telling.plan.number[0]
    return [
        _register(one, telling.measured.count(one.obis), _place_of(one, medium), medium)
        for one in registers
        if one is not None
    ]


def _by_code(telling: Telling, code: str) -> list[RecordPlan]:
    return _told(telling, telling.measured.registers.get(f"{telling.plan.number[0]}-0:{code}"))


def _tariffs(telling: Telling) -> list[RecordPlan]:
    return _told(telling, *(one for one in telling.measured.registers.values() if one.tariff))


def _joules(telling: Telling) -> list[RecordPlan]:
    """The billed energy in MJ, exact to the count of Wh."""
    main = telling.main()
    return [plans.energy_j(telling.measured.count(main.obis, -6) * 36 // 10_000_000, exponent=6)]


def _power(telling: Telling) -> list[RecordPlan]:
    rate = telling.measured.rate(-3)
    return [plans.power_w(max(0, rate))]


def _power_exported(telling: Telling) -> list[RecordPlan]:
    return [plans.power_w(max(0, -telling.measured.rate(-3)), exported=True)]


def _voltages(telling: Telling) -> list[RecordPlan]:
    volts = telling.measured.grid()[0]
    return [plans.voltage_v(one // 100, _SHORT, exponent=-1, phase=phase) for phase, one in enumerate(volts, 1)]


def _currents(telling: Telling) -> list[RecordPlan]:
    amperes = telling.measured.grid()[1]
    return [plans.current_a(one, exponent=-3, phase=phase) for phase, one in enumerate(amperes, 1)]


def _due_register(telling: Telling) -> list[RecordPlan]:
    main = telling.main()
    return [_register(main, telling.due.counts[main.obis], _DUE, telling.plan.number[0])]


def _tenths(value: Decimal) -> int:
    return int(value.scaleb(1))


def _digits(number: str) -> int:
    digits = number[-8:]
    return int(digits) if digits.isdecimal() else 0


RECORDS: Final[Mapping[str, Maker]] = {
    "time": lambda one: [plans.date_time(one.time)],
    "time_seconds": lambda one: [plans.date_time(one.time, seconds=True)],
    "day": lambda one: [plans.day(one.time.date())],
    "error_flags": lambda one: [plans.error_flags(one.flags)],
    "message_counter": lambda one: [plans.message_counter(one.number)],
    "battery_days": lambda one: [plans.battery_days(one.battery_days)],
    "actuality": lambda one: [plans.actuality_seconds(0)],
    "fabrication_number": lambda one: [plans.fabrication_number(_digits(one.plan.number))],
    "maker": lambda one: [plans.text(_MAKER, one.plan.number[1:4])],
    "energy": lambda one: _told(one, one.main()),
    "energy_exported": lambda one: _told(one, one.of(Part.BACKWARD)),
    "energy_tariffs": _tariffs,
    "energy_mj": _joules,
    "power": _power,
    "power_exported": _power_exported,
    "peak_power": lambda one: [plans.power_w(one.peak, _MAXIMUM)],
    "voltages": _voltages,
    "currents": _currents,
    "frequency": lambda one: [plans.frequency_hz(one.measured.grid()[2] // 10, _SHORT, exponent=-2)],
    "reactive_power": lambda one: [plans.reactive_power_kvar(0)],
    "volume": lambda one: _told(one, one.main()),
    "volume_uncorrected": lambda one: _by_code(one, "3.0.0"),
    "volume_at_base": lambda one: _by_code(one, "3.2.0"),
    "backflow": lambda one: _told(one, one.of(Part.BACKWARD)),
    "flow": lambda one: [plans.flow_m3h(one.measured.rate(-3))],
    "peak_flow": lambda one: [plans.flow_m3h(one.peak, _MAXIMUM)],
    "gas_temperature": lambda one: [plans.external_temperature(_tenths(one.plan.gas_c), _SHORT)],
    "gas_pressure": lambda one: [plans.pressure_bar(int(one.plan.gas_bar.scaleb(3)), _SHORT)],
    "water_volume": lambda one: _told(one, one.of(Part.WATER)),
    "water_flow": lambda one: [plans.flow_m3h(one.measured.water_flow(-3))],
    "flow_temperature": lambda one: [plans.flow_temperature(_tenths(one.plan.flow_c), _SHORT)],
    "return_temperature": lambda one: [plans.return_temperature(_tenths(one.plan.return_c), _SHORT)],
    "temperature_difference": lambda one: [
        plans.temperature_difference(_tenths(one.plan.flow_c - one.plan.return_c), _SHORT)
    ],
    "lowest_return_temperature": lambda one: [
        plans.return_temperature(_tenths(one.plan.return_c), _MINIMUM_TEMPERATURE)
    ],
    "cooling": lambda one: _told(one, one.of(Part.BACKWARD)),
    "due_day": lambda one: [plans.day(one.due.day, _DUE_DAY)],
    "due_volume": _due_register,
    "due_energy": _due_register,
}
"""Name of a record -> what makes it; several records where there are several phases or tariffs."""


def records(telling: Telling, names: Iterable[str]) -> list[RecordPlan]:
    """Records by name, in this order. KeyError for an unknown name."""
    return [one for name in names for one in RECORDS[name](telling)]


def profile(telling: Telling, compact: CompactProfile) -> list[RecordPlan]:
    """Base time, base value and compact profile of each profiled register that has readings on the grid yet."""
    made: list[RecordPlan] = []
    for code in compact.registers or (telling.main().obis,):
        kept = telling.measured.kept(code, compact.spacing_s, compact.values + 1)
        if kept is not None:
            made += _profile_of(telling, compact, telling.measured.registers[code], *kept)
    return made


def _profile_of(
    telling: Telling, compact: CompactProfile, register: RadioRegister, begin_s: int, counts: list[int]
) -> list[RecordPlan]:
    inverse = compact.kind is ProfileKind.INVERSE
    medium = telling.plan.number[0]
    growth = max((after - before for before, after in pairwise(counts)), default=0)
    how = ProfilePlan(
        vif=_register(register, 0, plans.CURRENT, medium).vib,
        spacing=Spacing.of(timedelta(seconds=compact.spacing_s)),
        element=Coding.INT16 if growth < _FULL_16 else Coding.INT32,
        kind=compact.kind.value,
        storage=compact.storage,
        tariff=register.tariff,
    )
    base_s = begin_s + (len(counts) - 1) * compact.spacing_s if inverse else begin_s
    base = datetime.fromtimestamp(base_s, UTC) + timedelta(seconds=telling.plan.clock_offset_s)
    base_time = base.astimezone(telling.plan.time_zone).replace(tzinfo=None)
    return encode_profile(how, base_time, counts[::-1] if inverse else counts)
