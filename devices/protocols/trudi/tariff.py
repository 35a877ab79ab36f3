"""What follows from a gateway's export and a supplier's file: the registers of TAF-1 and TAF-2 (han 5.5, 5.6).

Values stay integers in the file's own unit. Switch times are local legal time; instants are compared in UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from devices.protocols.trudi.errors import TariffError
from devices.protocols.trudi.export import Export, ListReading, Register, ValueList
from devices.protocols.trudi.supplier import ERROR_STAGE, SupplierFile

LOCAL: Final = ZoneInfo("Europe/Berlin")
QUARTER: Final = timedelta(minutes=15)
TOLERANCE_SHARE: Final = 0.01
"""How far beside its instant a reading may be captured, as a share of the registration period."""
MOST_LISTS_OF_TAF1: Final = 3
MONTHS_OF_TAF1: Final = (1, 2, 3, 6, 12)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def registers_of(export: Export, supplier: SupplierFile) -> dict[str, int]:
    """Register -> amount of the billing period, the error register of each quantity included.

    Raises:
        TariffError: the files do not belong together, or the rules of their use case are broken.
    """
    _belong_together(export, supplier)
    if supplier.use_case not in (1, 2):
        raise TariffError(
            f"registers of TAF-{supplier.use_case} do not come from a supplier's file: only TAF-1 and TAF-2"
        )
    lists = [one for one in export.lists if one.original]
    if not lists:
        raise TariffError("the export holds no list of original readings")
    amounts = _taf1(export, lists, supplier) if supplier.use_case == 1 else _taf2(lists, supplier)
    found = {stage.register: 0 for stage in supplier.stages}
    for stage in supplier.stages:
        found.setdefault(stage.register.stage(ERROR_STAGE), 0)
    for register, amount in amounts.items():
        found[register] = found.get(register, 0) + amount
    return {str(register): amount for register, amount in sorted(found.items(), key=lambda one: one[0].groups)}


def _belong_together(export: Export, supplier: SupplierFile) -> None:
    for name, one, other in (
        ("usagePointId", export.usage_point, supplier.usage_point),
        ("invoicingPartyId", export.supplier, supplier.supplier),
        ("kind", export.kind, supplier.kind),
        ("smgwId", export.gateway.lower(), supplier.gateway.lower()),
        ("tariffName", export.tariff, supplier.tariff),
    ):
        if one != other:
            raise TariffError(f"{name} is {one!r} in the export and {other!r} in the supplier's file")


# --- TAF-1


def _taf1(export: Export, lists: list[ValueList], supplier: SupplierFile) -> Counter[Register]:
    if len(lists) != len(export.lists):
        raise TariffError("TAF-1 takes lists of original readings only; the export holds others as well")
    if len(lists) > MOST_LISTS_OF_TAF1:
        raise TariffError(f"TAF-1 takes at most {MOST_LISTS_OF_TAF1} lists, the export holds {len(lists)}")
    stages = [one for one in supplier.stages if one.register.e != ERROR_STAGE]
    if len(stages) > len(lists):
        raise TariffError(f"TAF-1 takes one tariff stage per list: there are {len(stages)} stages, {len(lists)} lists")
    _check_months(supplier)
    amounts: Counter[Register] = Counter()
    for one in lists:
        points = usable_points(one, supplier.begin, supplier.end)
        ends = [points.get(at.astimezone(UTC)) for at in (supplier.begin, supplier.end)]
        for at, value in zip((supplier.begin, supplier.end), ends, strict=True):
            if value is None:
                raise TariffError(f"{one.register} has no usable reading at {at.isoformat()}", one.line)
        begin, end = (value for value in ends if value is not None)
        amounts[_only_register(one, supplier)] += _rise(one, begin, end, supplier.end)
    return amounts


def _check_months(supplier: SupplierFile) -> None:
    begin, end = supplier.begin.astimezone(LOCAL), supplier.end.astimezone(LOCAL)
    if (begin.day, begin.hour, begin.minute, begin.second) != (1, 0, 0, 0):
        raise TariffError(f"a billing period of TAF-1 begins on the first of a month at 00:00, not {begin.isoformat()}")
    months = (end.year - begin.year) * 12 + end.month - begin.month
    whole = (end.day, end.hour, end.minute, end.second) == (1, 0, 0, 0)
    if not whole or months not in MONTHS_OF_TAF1:
        span = f"from {begin:%Y-%m-%d} to {end:%Y-%m-%d %H:%M}"
        raise TariffError(f"a billing period of TAF-1 is 1, 2, 3, 6 or 12 months long, not {span}")


def _only_register(values: ValueList, supplier: SupplierFile) -> Register:
    """The one stage that all days of the period have for a list."""
    valid = supplier.profiles_for(values.register)
    if len(valid) != 1:
        raise TariffError(f"TAF-1 takes exactly one day profile for {values.register}, there are {len(valid)}")
    (profile,) = valid
    for day in _days(supplier.begin, supplier.end):
        if profile not in supplier.days.get(day, ()):
            raise TariffError(f"{day} has no entry of the day profile {profile!r}")
    numbers = supplier.profiles[profile].numbers
    if len(numbers) != 1:
        raise TariffError(f"TAF-1 takes one tariff stage, the day profile {profile!r} switches between {len(numbers)}")
    return _stage_register(values.register, next(iter(numbers)), supplier)


# --- TAF-2


def _taf2(lists: list[ValueList], supplier: SupplierFile) -> Counter[Register]:
    amounts: Counter[Register] = Counter()
    billed = [one for one in lists if supplier.profiles_for(one.register)]
    if not billed:
        raise TariffError("no day profile of the supplier's file is for a quantity of the export")
    for one in billed:
        points = sorted(usable_points(one, supplier.begin, supplier.end).items())
        if len(points) < 2:
            raise TariffError(f"{one.register} has fewer than two usable readings in the billing period", one.line)
        calendar = _Calendar(one.register, supplier)
        for (since, before), (until, value) in pairwise(points):
            numbers = calendar.numbers(since, until)
            amount = _rise(one, before, value, until)
            if len(numbers) == 1:
                amounts[_stage_register(one.register, numbers.pop(), supplier)] += amount
            else:
                amounts[one.register.stage(ERROR_STAGE)] += amount
    return amounts


class _Calendar:
    """Which tariff number holds in which quarter of an hour, for one quantity."""

    def __init__(self, register: Register, supplier: SupplierFile) -> None:
        self._supplier = supplier
        self._valid = supplier.profiles_for(register)
        self._days: dict[date, str] = {}

    def numbers(self, since: datetime, until: datetime) -> set[int]:
        """The tariff numbers between two instants on the raster."""
        found: set[int] = set()
        at = since
        while at < until and len(found) < 2:
            found.add(self._number(at.astimezone(LOCAL)))
            at += QUARTER
        return found

    def _number(self, local: datetime) -> int:
        profile = self._supplier.profiles[self._profile(local.date())]
        number = profile.stage_at(local.time())
        if number is None:
            number = self._supplier.default
        if number is None:
            raise TariffError(f"the day profile {profile.id!r} says nothing of {local:%H:%M}", profile.line)
        return number

    def _profile(self, day: date) -> str:
        known = self._days.get(day)
        if known is None:
            found = [name for name in self._supplier.days.get(day, ()) if name in self._valid]
            if len(found) != 1:
                raise TariffError(f"{day} has {'no' if not found else 'more than one'} calendar entry")
            known = self._days[day] = found[0]
        return known


# --- what both need


def usable_points(values: ValueList, begin: datetime, end: datetime) -> dict[datetime, int]:
    """Instant on the quarter-hour raster in UTC, `begin` to `end`, -> value of the first usable reading for it."""
    found: dict[datetime, int] = {}
    for reading in values.readings:
        if reading.severity.usable:
            at = _raster(reading, values.period_s)
            if at is not None and begin <= at <= end:
                found.setdefault(at, reading.value)
    return found


def _raster(reading: ListReading, period_s: int | None) -> datetime | None:
    """The quarter hour that a reading is for, None: it is for none."""
    told = (reading.at if reading.target is None else reading.target).astimezone(UTC)
    nearest = _EPOCH + QUARTER * round((told - _EPOCH) / QUARTER)
    tolerance = timedelta(seconds=TOLERANCE_SHARE * max(period_s or 0, QUARTER.total_seconds()))
    allowed = timedelta(0) if reading.target is not None else tolerance
    return nearest if abs(told - nearest) <= allowed else None


def _rise(values: ValueList, before: int, value: int, at: datetime) -> int:
    if value < before:
        raise TariffError(f"{values.register} falls from {before} to {value} at {at.isoformat()}", values.line)
    return value - before


def _stage_register(register: Register, number: int, supplier: SupplierFile) -> Register:
    for stage in supplier.stages:
        if stage.number == number and stage.register.c == register.c:
            return stage.register
    raise TariffError(f"there is no tariff stage {number} for {register}")


def _days(begin: datetime, end: datetime) -> Iterable[date]:
    day, last = begin.astimezone(LOCAL).date(), (end - timedelta(seconds=1)).astimezone(LOCAL).date()
    while day <= last:
        yield day
        day += timedelta(days=1)
