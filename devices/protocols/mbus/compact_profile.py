"""Compact profiles: many readings in one record (EN 13757-3 annex F, lmn-wireless 4.6).

A profile is three records: the base time, the base value, and the profile with a control octet (mode, unit of the
spacing, coding of the elements), a spacing octet and the elements. The first element lies one spacing from the base.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum
from itertools import pairwise
from typing import Final

from devices.protocols.mbus.data_types import is_illegal_signed, is_illegal_unsigned, read_bcd, read_real, write_number
from devices.protocols.mbus.dates import write_date, write_date_time
from devices.protocols.mbus.dif import BCDS, INTEGERS, SIZES, Coding, Dib
from devices.protocols.mbus.errors import RecordError
from devices.protocols.mbus.layouts import Value
from devices.protocols.mbus.plans import RecordPlan
from devices.protocols.mbus.records import Record
from devices.protocols.mbus.vif_tables import INVERSE_PROFILE, PLAIN_PROFILE, PROFILES, Kind

MAX_SPACING: Final = 250
_HALF_MONTH, _MONTHS = 253, 254


class Mode(IntEnum):
    """What the elements of a profile are: control octet, bits 7-6."""

    ABSOLUTE = 0
    INCREMENTS = 1
    DECREMENTS = 2
    DIFFERENCES = 3


class SpacingUnit(IntEnum):
    """Unit of the spacing: control octet, bits 5-4."""

    SECOND = 0
    MINUTE = 1
    HOUR = 2
    DAY = 3


@dataclass(frozen=True, slots=True)
class Spacing:
    """Time between two elements.

    Attributes:
        unit: what is counted.
        count: how many, 1 to 250; 253 and 254 stand for half a month and one with DAY, 254 for six months with MINUTE
            and three with HOUR; 0: the elements are columns of an array, without time.
    """

    unit: SpacingUnit
    count: int

    @classmethod
    def of(cls, length: timedelta) -> Spacing:
        """The spacing of a whole number of days, hours, minutes or seconds up to 250; raises RecordError for others."""
        seconds = int(length.total_seconds())
        for unit, size in ((SpacingUnit.DAY, 86400), (SpacingUnit.HOUR, 3600), (SpacingUnit.MINUTE, 60)):
            if seconds % size == 0 and 1 <= seconds // size <= MAX_SPACING:
                return cls(unit, seconds // size)
        if 1 <= seconds <= MAX_SPACING and length == timedelta(seconds=seconds):
            return cls(SpacingUnit.SECOND, seconds)
        raise RecordError(f"no profile has a spacing of {length}")

    def step(self, moment: datetime, steps: int) -> datetime:
        """The time `steps` spacings behind `moment` (before it, when negative).

        Raises RecordError for a count without meaning and for times beyond the calendar.
        """
        try:
            if 1 <= self.count <= MAX_SPACING:
                return moment + _LENGTHS[self.unit] * (self.count * steps)
            months = _MONTH_STEPS.get((self.unit, self.count))
            if months is not None:
                return _month_later(moment, months * steps)
            if (self.unit, self.count) == (SpacingUnit.DAY, _HALF_MONTH):
                return _half_month_later(moment, steps)
        except (OverflowError, ValueError) as error:
            raise RecordError("the times of a profile leave the calendar") from error
        raise RecordError(f"spacing {self.count} with {self.unit.name} is not defined")


_LENGTHS: Final = {
    SpacingUnit.SECOND: timedelta(seconds=1),
    SpacingUnit.MINUTE: timedelta(minutes=1),
    SpacingUnit.HOUR: timedelta(hours=1),
    SpacingUnit.DAY: timedelta(days=1),
}
_MONTH_STEPS: Final = {
    (SpacingUnit.DAY, _MONTHS): 1,
    (SpacingUnit.HOUR, _MONTHS): 3,
    (SpacingUnit.MINUTE, _MONTHS): 6,
}


def _last_day(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _month_later(moment: datetime, months: int) -> datetime:
    """The same day of another month; the last day stays the last, and stands for days that the month lacks."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    last = _last_day(year, month + 1)
    ends = moment.day == _last_day(moment.year, moment.month)
    return moment.replace(year=year, month=month + 1, day=last if ends else min(moment.day, last))


def _half_month_later(moment: datetime, steps: int) -> datetime:
    """Alternately the 15th and the last day, or the 1st and the 16th when the base is one of these."""
    begins = moment.day in (1, 16)
    second_half = moment.day > 15
    halves = moment.year * 24 + (moment.month - 1) * 2 + second_half + steps
    year, half = divmod(halves, 24)
    if not 1 <= year <= 9999:
        raise OverflowError
    month, late = divmod(half, 2)
    day = (16 if late else 1) if begins else (_last_day(year, month + 1) if late else 15)
    return moment.replace(year=year, month=month + 1, day=day)


@dataclass(frozen=True, slots=True)
class ProfileValue:
    """One reading of a profile.

    Attributes:
        time: when it was taken, in the meter's time without zone; None in an array.
        record: the profile's record with this reading as its value; invalid for one that is marked as no value.
        storage: storage number, counted on from that of the base.
    """

    time: datetime | None
    record: Record
    storage: int

    @property
    def value(self) -> Value:
        """The reading in `unit`, None for one that is marked as no value."""
        return self.record.value

    @property
    def unit(self) -> str:
        """Unit of the value."""
        return self.record.unit

    @property
    def modifiers(self) -> tuple[str, ...]:
        """What the VIFE say besides that it is a profile."""
        return tuple(word for word in self.record.modifiers if "compact profile" not in word)


def profile_values(records: Iterable[Record]) -> list[ProfileValue]:
    """The readings of all profiles among records, oldest first within each.

    A profile without what it needs, or with undefined octets, is left out: see `read_profile` for its error.
    """
    found = tuple(records)
    values: list[ProfileValue] = []
    for record in found:
        if record.layout.value.profile is not None:
            try:
                values += read_profile(record, found)
            except RecordError:
                continue
    return values


def read_profile(profile: Record, records: Sequence[Record]) -> list[ProfileValue]:
    """The readings of one profile, oldest first.

    Args:
        profile: the record that holds the elements.
        records: the telegram's records, among them its base time and base value.

    Raises RecordError when the base is missing or the control or spacing octet means nothing.
    """
    if profile.layout.value.profile is None or profile.lvar is None or len(profile.raw) < 2:
        raise RecordError("this record is no compact profile")
    control, count = profile.raw[:2]
    mode, spacing = Mode(control >> 6), Spacing(SpacingUnit(control >> 4 & 3), count)
    stored = _elements(Coding(control & 0x0F) if control & 0x0F != 0x0F else Coding.VARIABLE, mode, profile.raw[2:])
    inverse = profile.layout.value.profile == INVERSE_PROFILE
    if mode is not Mode.ABSOLUTE:
        stored = _summed(_base_number(profile, records), stored, mode, inverse=inverse)
    base = _base_time(profile, records) if count else None
    scaled = profile.layout.scaled
    made = [
        ProfileValue(
            None if base is None else spacing.step(base, -place if inverse else place),
            replace(profile, value=None if number is None else scaled(number), invalid=number is None),
            profile.storage + place,
        )
        for place, number in enumerate(stored, 1)
    ]
    return made[::-1] if inverse else made


_Number = int | Decimal | None


def _elements(coding: Coding, mode: Mode, octets: bytes) -> list[_Number]:
    """Numbers as they are stored, None for an illegal one; octets that fill no element are left out."""
    size = SIZES[coding] if coding in INTEGERS or coding in BCDS or coding is Coding.REAL32 else 0
    if not size:
        raise RecordError(f"elements of a profile cannot be coded as {coding.name}")
    pieces = [octets[start : start + size] for start in range(0, len(octets) // size * size, size)]
    if coding in BCDS:
        return [read_bcd(piece) for piece in pieces]
    if coding is Coding.REAL32:
        return [read_real(piece) for piece in pieces]
    signed = mode in (Mode.ABSOLUTE, Mode.DIFFERENCES)
    illegal = is_illegal_signed if signed else is_illegal_unsigned
    return [None if illegal(piece) else int.from_bytes(piece, "little", signed=signed) for piece in pieces]


def _summed(base: int | Decimal, elements: list[_Number], mode: Mode, *, inverse: bool) -> list[_Number]:
    """Absolute numbers; an illegal element ends them."""
    sign = (-1 if mode is Mode.DECREMENTS else 1) * (-1 if inverse else 1)
    numbers: list[_Number] = []
    for element in elements:
        if element is None:
            break
        base += sign * element
        numbers.append(base)
    return numbers


def _base_time(profile: Record, records: Sequence[Record]) -> datetime:
    """The last date in front of the profile that has its storage number."""
    for record in _before(profile, records):
        if record.layout.value.meaning.kind is Kind.DATE and record.storage == profile.storage:
            if isinstance(record.value, datetime):
                return record.value
            if isinstance(record.value, date):
                return datetime.combine(record.value, time())
            break
    raise RecordError(f"a profile of storage {profile.storage} has no base time")


def _base_number(profile: Record, records: Sequence[Record]) -> int | Decimal:
    """The stored number of the last record in front of the profile that is of the same value."""
    wanted = (profile.storage, profile.tariff, profile.subunit, _plain_vib(profile))
    for record in _before(profile, records):
        if record.layout.value.profile is None and wanted == (
            record.storage,
            record.tariff,
            record.subunit,
            _plain_vib(record),
        ):
            number = None if record.invalid or record.lvar is not None else record.layout.number(record.raw)
            if number is None:
                break
            return number
    raise RecordError(f"a profile of storage {profile.storage} has no base value")


def _before(profile: Record, records: Sequence[Record]) -> Iterable[Record]:
    place = next((place for place, record in enumerate(records) if record is profile), len(records))
    return reversed(records[:place])


def _plain_vib(record: Record) -> tuple[object, tuple[int, ...]]:
    vib = record.layout.value
    return vib.meaning, tuple(vife for vife in vib.vifes if vife not in PROFILES)


@dataclass(frozen=True, slots=True)
class ProfilePlan:
    """How a profile is to be written.

    Attributes:
        vif: octets of the value information block, without profile VIFE.
        spacing: time between readings.
        element: coding of the elements.
        mode: what the elements are.
        kind: VIFE 1E, 1F or 13.
        value: coding of the base value.
        storage, tariff, subunit: of the three records.
    """

    vif: bytes
    spacing: Spacing
    element: Coding = Coding.INT16
    mode: Mode = Mode.INCREMENTS
    kind: int = PLAIN_PROFILE
    value: Coding = Coding.INT32
    storage: int = 8
    tariff: int = 0
    subunit: int = 0


def encode_profile(plan: ProfilePlan, base_time: date, readings: Sequence[int]) -> list[RecordPlan]:
    """The three records of a profile.

    Args:
        base_time: when the base was read: the first of the readings, of an inverse profile the last. A datetime is
            written as type F, a date as type G.
        readings: stored numbers (in the scale of the VIF), base first, in the order of the elements: oldest first, of
            an inverse profile youngest first.

    Raises RecordError when a number does not fit or the readings are empty.
    """
    if not readings:
        raise RecordError("a profile needs a base value")
    dib = Dib(plan.value, "instantaneous", plan.storage, plan.tariff, plan.subunit)
    moment = isinstance(base_time, datetime)
    coding = Coding.INT32 if moment else Coding.INT16
    date_octets = write_date_time(base_time) if isinstance(base_time, datetime) else write_date(base_time)
    signed = plan.mode in (Mode.ABSOLUTE, Mode.DIFFERENCES)
    elements = b"".join(write_number(plan.element, number, signed=signed) for number in _written(plan, readings))
    control = plan.mode << 6 | plan.spacing.unit << 4 | plan.element
    body = bytes((control, plan.spacing.count)) + elements
    if len(body) > 0xBF:
        raise RecordError(f"a profile of {len(body)} octets is longer than {0xBF}")
    registers = 2 if plan.kind == 0x1E else 0
    return [
        RecordPlan(Dib(coding, storage=plan.storage).to_bytes(), b"\x6d" if moment else b"\x6c", date_octets),
        RecordPlan(dib.to_bytes(), plan.vif, write_number(plan.value, readings[0])),
        RecordPlan(
            replace(dib, coding=Coding.VARIABLE).to_bytes(registers),
            plan.vif[:-1] + bytes((plan.vif[-1] | 0x80, plan.kind)),
            bytes((len(body),)) + body,
        ),
    ]


def _written(plan: ProfilePlan, readings: Sequence[int]) -> list[int]:
    """Elements of the readings behind the base."""
    if plan.mode is Mode.ABSOLUTE:
        return list(readings[1:])
    sign = (-1 if plan.mode is Mode.DECREMENTS else 1) * (-1 if plan.kind == INVERSE_PROFILE else 1)
    return [sign * (after - before) for before, after in pairwise(readings)]
