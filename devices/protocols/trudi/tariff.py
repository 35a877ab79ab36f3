"""What follows from a gateway's export and a supplier's file: the registers of TAF-1 and TAF-2 (han 5.5, 5.6).

Values stay integers in the file's own unit. Where lists of a quantity differ in scaler or powerOfTenMultiplier, amounts
of that quantity are in the finest of their steps, into which all others go exactly. Switch times are local legal time;
instants are compared in UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

from devices.protocols.trudi.errors import TariffError
from devices.protocols.trudi.export import Export, Register, ValueList
from devices.protocols.trudi.series import Scale, Series, series_of
from devices.protocols.trudi.supplier import ERROR_STAGE, LOCAL, QUARTER, SupplierFile

MOST_LISTS_OF_TAF1: Final = 3
MONTHS_OF_TAF1: Final = (1, 2, 3, 6, 12)


@dataclass(frozen=True, slots=True)
class Bill:
    """The registers of a billing period.

    Attributes:
        amounts: register -> amount in steps of its scale, in the order of their codes.
        scales: register -> its scale; none for a quantity that the export has no list of.
        notes: what is odd, though amounts follow.
    """

    amounts: Mapping[Register, int]
    scales: Mapping[Register, Scale]
    notes: tuple[str, ...]


def registers_of(export: Export, supplier: SupplierFile) -> dict[str, int]:
    """Register -> amount of the billing period, the error register of each quantity included; raises as `bill_of`."""
    return {str(register): amount for register, amount in bill_of(export, supplier).amounts.items()}


def bill_of(export: Export, supplier: SupplierFile) -> Bill:
    """The registers of the billing period, the error register of each quantity included.

    Raises:
        TariffError: the files do not belong together, or the rules of their use case are broken.
    """
    _belong_together(export, supplier)
    if supplier.use_case not in (1, 2):
        raise TariffError(
            f"registers of TAF-{supplier.use_case} do not come from a supplier's file: only TAF-1 and TAF-2",
            side="supplier",
        )
    lists = [one for one in export.lists if one.original]
    if not lists:
        raise TariffError("the export holds no list of original readings", export.line, "values")
    if supplier.use_case == 1:
        _check_taf1(export, lists, supplier)
    _check_calendar(supplier)
    series = series_of(lists, supplier)
    amounts = _taf1(lists, series, supplier) if supplier.use_case == 1 else _taf2(series, supplier)
    found = {stage.register: 0 for stage in supplier.stages}
    for stage in supplier.stages:
        found.setdefault(supplier.error_register(stage.register), 0)
    for register, amount in amounts.items():
        found[register] = found.get(register, 0) + amount
    ordered = dict(sorted(found.items(), key=lambda one: one[0].groups))
    scales = {one.register.quantity: one.scale for one in series}
    return Bill(
        ordered,
        {register: scales[register.quantity] for register in ordered if register.quantity in scales},
        tuple(_notes(series, supplier)),
    )


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


def _check_calendar(supplier: SupplierFile) -> None:
    """No entry of the calendar is for a day that is not billed."""
    days = frozenset(_days(supplier.begin, supplier.end))
    for day in supplier.days:
        if day not in days:
            span = f"{min(days)} to {max(days)}"
            reason = f"the calendar has an entry for {day}, which is outside the billing period, {span}"
            raise TariffError(reason, supplier.day_lines.get(day), "supplier")


def _notes(series: Sequence[Series], supplier: SupplierFile) -> Iterator[str]:
    """A missing reading at an end shortens the bill; a stage without a list stays at 0."""
    for one in series:
        for name, end, instants in (
            ("begin", supplier.begin, list(one.points)[:1]),
            ("end", supplier.end, list(one.points)[-1:]),
        ):
            for at in instants:
                if at != end:
                    nearest = at.astimezone(LOCAL).isoformat()
                    what = "what was used before" if name == "begin" else "what was used after"
                    yield (
                        f"{one} has no usable reading at the {name} of the billing period, {end.isoformat()}:"
                        f" {what} {nearest} is not billed"
                    )
        if not supplier.profiles_for(one.register):
            yield f"no day profile is for the tariff stages of {one.register}, they stay 0"
    there = {one.register.quantity for one in series}
    for quantity in dict.fromkeys(stage.register.quantity for stage in supplier.stages):
        if quantity not in there:
            a, b, c, d = quantity
            yield f"the export has no list for the tariff stages of {a}-{b}:{c}.{d}, they stay 0"


# --- TAF-1


def _check_taf1(export: Export, lists: Sequence[ValueList], supplier: SupplierFile) -> None:
    if len(lists) != len(export.lists):
        other = next(one for one in export.lists if not one.original)
        reason = "TAF-1 takes lists of original readings only; the export holds others as well"
        raise TariffError(reason, other.line, "values")
    if len(lists) > MOST_LISTS_OF_TAF1:
        reason = f"TAF-1 takes at most {MOST_LISTS_OF_TAF1} lists, the export holds {len(lists)}"
        raise TariffError(reason, lists[MOST_LISTS_OF_TAF1].line, "values")
    stages = [one for one in supplier.stages if one.register.e != ERROR_STAGE]
    if len(stages) > len(lists):
        reason = f"TAF-1 takes one tariff stage per list: there are {len(stages)} stages, {len(lists)} lists"
        raise TariffError(reason, stages[len(lists)].line, "supplier")
    _check_months(supplier)


def _taf1(lists: Sequence[ValueList], series: Sequence[Series], supplier: SupplierFile) -> Counter[Register]:
    for one in lists:
        if not supplier.stages_for(one.register):
            raise TariffError(f"there is no tariff stage for the list {one.register}", one.line, "values")
    amounts: Counter[Register] = Counter()
    for of_meter in series:
        ends = []
        for at in (supplier.begin, supplier.end):
            value = of_meter.points.get(at.astimezone(UTC))
            if value is None:
                reason = f"{of_meter} has no usable reading at {at.isoformat()}"
                raise TariffError(reason, of_meter.line, "values")
            ends.append(value)
        amounts[_only_register(of_meter, supplier)] += _rise(of_meter, ends[0], ends[1], supplier.end)
    return amounts


def _check_months(supplier: SupplierFile) -> None:
    begin, end = supplier.begin.astimezone(LOCAL), supplier.end.astimezone(LOCAL)
    if (begin.day, begin.hour, begin.minute, begin.second) != (1, 0, 0, 0):
        reason = f"a billing period of TAF-1 begins on the first of a month at 00:00, not {begin.isoformat()}"
        raise TariffError(reason, side="supplier")
    months = (end.year - begin.year) * 12 + end.month - begin.month
    whole = (end.day, end.hour, end.minute, end.second) == (1, 0, 0, 0)
    if not whole or months not in MONTHS_OF_TAF1:
        span = f"from {begin:%Y-%m-%d} to {end:%Y-%m-%d %H:%M}"
        reason = f"a billing period of TAF-1 is 1, 2, 3, 6 or 12 months long, not {span}"
        raise TariffError(reason, side="supplier")


def _only_register(series: Series, supplier: SupplierFile) -> Register:
    """The one stage that all days of the period have for a list."""
    valid = supplier.profiles_for(series.register)
    if len(valid) != 1:
        reason = f"TAF-1 takes exactly one day profile for {series.register}, there are {len(valid)}"
        raise TariffError(reason, side="supplier")
    (profile,) = valid
    for day in _days(supplier.begin, supplier.end):
        if profile not in supplier.days.get(day, ()):
            raise TariffError(f"{day} has no entry of the day profile {profile!r}", side="supplier")
    numbers = supplier.profiles[profile].numbers
    if len(numbers) != 1:
        reason = f"TAF-1 takes one tariff stage, the day profile {profile!r} switches between {len(numbers)}"
        raise TariffError(reason, supplier.profiles[profile].line, "supplier")
    return _stage_register(series.register, next(iter(numbers)), supplier)


# --- TAF-2


def _taf2(series: Sequence[Series], supplier: SupplierFile) -> Counter[Register]:
    amounts: Counter[Register] = Counter()
    billed = [one for one in series if supplier.profiles_for(one.register)]
    if not billed:
        raise TariffError("no day profile of the supplier's file is for a quantity of the export", side="supplier")
    for one in billed:
        if len(one.points) < 2:
            reason = f"{one} has fewer than two usable readings in the billing period"
            raise TariffError(reason, one.line, "values")
        calendar = _Calendar(one.register, supplier)
        for (since, before), (until, value) in pairwise(one.points.items()):
            numbers = calendar.numbers(since, until)
            amount = _rise(one, before, value, until)
            if len(numbers) == 1:
                amounts[_stage_register(one.register, numbers.pop(), supplier)] += amount
            else:
                amounts[supplier.error_register(one.register)] += amount
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
            reason = f"the day profile {profile.id!r} says nothing of {local:%H:%M}"
            raise TariffError(reason, profile.line, "supplier")
        return number

    def _profile(self, day: date) -> str:
        known = self._days.get(day)
        if known is None:
            found = [name for name in self._supplier.days.get(day, ()) if name in self._valid]
            if len(found) != 1:
                count = "no" if not found else "more than one"
                raise TariffError(f"{day} has {count} calendar entry", self._supplier.day_lines.get(day), "supplier")
            known = self._days[day] = found[0]
        return known


# --- what both need


def _rise(series: Series, before: int, value: int, at: datetime) -> int:
    if value < before:
        reason = f"{series} falls from {before} to {value} at {at.astimezone(LOCAL).isoformat()}"
        raise TariffError(reason, series.line, "values")
    return value - before


def _stage_register(register: Register, number: int, supplier: SupplierFile) -> Register:
    for stage in supplier.stages_for(register):
        if stage.number == number:
            return stage.register
    raise TariffError(f"there is no tariff stage {number} for {register}", side="supplier")


def _days(begin: datetime, end: datetime) -> Iterable[date]:
    day, last = begin.astimezone(LOCAL).date(), (end - timedelta(seconds=1)).astimezone(LOCAL).date()
    while day <= last:
        yield day
        day += timedelta(days=1)
