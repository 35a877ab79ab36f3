"""What must come out of a contract, worked out anew from what the scenario says of it.

The gateway has its own calendars and its own arithmetic. This one shares no code with them, so that an error in either
shows up where derived values are judged: stages by walking through the quarters of an hour on the wall clock, energies
by `bench.flow`, and the rules of wan-core 7.6 and han 5.6 as the transparency software states them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, Literal

from bench.scenario.contract_models import ERROR_STAGE, LOCAL, GivenCalendar, GivenContract, parse_clock, parse_date

QUARTER: Final = timedelta(minutes=15)
"""Raster of switch times (TRuDI_015)."""
Kind = Literal["first", "last", "switch", "billing", "daily"]
KINDS: Final[tuple[Kind, ...]] = ("first", "last", "switch", "billing", "daily")
"""Why there is an entry."""


class Table:
    """A switch table at work."""

    def __init__(self, given: GivenCalendar) -> None:
        self._given = given
        self._days = {
            name: sorted((parse_clock(text), stage) for text, stage in switches.items())
            for name, switches in given.days.items()
        }
        self._dated = {parse_date(text): name for text, name in given.special_days.items()}
        self._seasons = sorted((parse_date(one.begin)[1:], one.week) for one in given.seasons.values())

    def profile_of(self, day: date) -> str:
        """Name of the day profile of a local date. Raises LookupError when the table says nothing of it."""
        for key in ((day.year, day.month, day.day), (None, day.month, day.day)):
            if key in self._dated:
                return self._dated[key]
        week = self._given.week
        if self._seasons:
            begun = [names for begin, names in self._seasons if begin <= (day.month, day.day)]
            week = begun[-1] if begun else self._seasons[-1][1]
        if not week:
            raise LookupError(f"the switch table says nothing of {day}")
        return week[day.weekday()]

    def stage_at(self, at: datetime) -> int:
        """The stage that holds from an instant on. Raises LookupError when the table says nothing of it."""
        wall = at.astimezone(LOCAL)
        found = self._given.default
        for start, stage in self._days[self.profile_of(wall.date())]:
            if start <= wall.time():
                found = stage
        if found is None:
            raise LookupError(f"the switch table says nothing of {wall:%Y-%m-%d %H:%M}")
        return found

    def stages(self, begin: datetime, end: datetime) -> dict[datetime, int]:
        """Every quarter of an hour from `begin` on and before `end`, UTC, and its stage."""
        found = {}
        at = begin.astimezone(UTC)
        while at < end:
            found[at] = self.stage_at(at)
            at += QUARTER
        return found


@dataclass(frozen=True, slots=True)
class Reading:
    """The total of a contract's registers at an instant: somewhere from `least` to `most`, Wh."""

    at: datetime
    least: Decimal
    most: Decimal


@dataclass(frozen=True, slots=True)
class Credit:
    """What a register must show: somewhere from `least` to `most`."""

    least: Decimal
    most: Decimal

    def __add__(self, other: Credit) -> Credit:
        return Credit(self.least + other.least, self.most + other.most)

    def __contains__(self, amount: object) -> bool:
        return isinstance(amount, Decimal) and self.least <= amount <= self.most

    def __str__(self) -> str:
        return f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"


def credited(
    table: Table, stages: Iterable[int], readings: Sequence[Reading], until: Iterable[datetime]
) -> dict[datetime, dict[int, Credit]]:
    """What each stage and the error register must show at the instants `until`, in their order.

    What flowed between two neighbouring readings belongs to the stage that held all that time, else to the error
    register. Neighbours of the same stage are taken together, so that doubt about a reading counts only where it
    separates two stages.

    Args:
        readings: the usable ones in the order of time; the first is that from which registers count.
    """
    wanted = sorted(until)
    quarters = table.stages(readings[0].at, readings[-1].at) if readings else {}
    settled = dict.fromkeys((*stages, ERROR_STAGE), Credit(Decimal(0), Decimal(0)))
    found: dict[datetime, dict[int, Credit]] = {}
    run_begin, run_stage = None, None
    place = 0
    for number, reading in enumerate(readings):
        if number:
            stage = _stage_of(quarters, readings[number - 1].at, reading.at)
            if run_begin is None or stage != run_stage:
                if run_begin is not None and run_stage is not None:
                    _settle(settled, run_stage, run_begin, readings[number - 1])
                run_begin, run_stage = readings[number - 1], stage
        shown: dict[int, Credit] | None = None
        while place < len(wanted) and wanted[place] <= reading.at:
            if wanted[place] == reading.at:
                shown = dict(settled)
                if run_begin is not None and run_stage is not None:
                    _settle(shown, run_stage, run_begin, reading)
                found[reading.at] = shown
            place += 1
    return found


def _settle(registers: dict[int, Credit], stage: int, since: Reading, until: Reading) -> None:
    rise = Credit(until.least - since.most, until.most - since.least)
    registers[stage] = registers.get(stage, Credit(Decimal(0), Decimal(0))) + rise


def _stage_of(quarters: dict[datetime, int], since: datetime, until: datetime) -> int:
    stage, at = quarters[since], since + QUARTER
    while at < until:
        if quarters[at] != stage:
            return ERROR_STAGE
        at += QUARTER
    return stage


def entries(given: GivenContract, end: datetime | None, until: datetime) -> dict[datetime, Kind]:
    """The instants up to and with `until` at which there must be entries, and why; `end`: of its validity."""
    begin = given.begin.astimezone(UTC)
    last = until if end is None else min(until, end.astimezone(UTC))
    found: dict[datetime, Kind] = {}
    if begin > last:
        return found
    if given.taf == 2 and given.table is not None:
        stages = Table(given.table).stages(begin, last + QUARTER)
        before = None
        for at, stage in stages.items():
            if before is not None and stage != before and at <= last:
                found[at] = "switch"
            before = stage
    if given.taf in (1, 2):
        found |= dict.fromkeys(_bills(given, begin, last), "billing")
    if given.taf == 6:
        found |= dict.fromkeys(_midnights(begin, last), "daily")
    if given.taf in (1, 2, 6):
        found[begin] = "first"
        if end is not None and end.astimezone(UTC) <= until:
            found[end.astimezone(UTC)] = "last"
    return dict(sorted(found.items()))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LOCAL).astimezone(UTC)


def _midnights(begin: datetime, last: datetime) -> list[datetime]:
    day, found = begin.astimezone(LOCAL).date(), []
    while _midnight(day) <= last:
        if _midnight(day) >= begin:
            found.append(_midnight(day))
        day += timedelta(days=1)
    return found


def _bills(given: GivenContract, begin: datetime, last: datetime) -> list[datetime]:
    if given.billing_period is None:
        return []
    count, unit = given.billing_period
    first = begin.astimezone(LOCAL).date()
    day = first.replace(day=1) if unit == "month" else first
    found: list[datetime] = []
    while _midnight(day) <= last:
        if _midnight(day) > begin:
            found.append(_midnight(day))
        if unit == "day":
            day += timedelta(days=count)
        else:
            month = day.month - 1 + count
            day = date(day.year + month // 12, month % 12 + 1, 1)
    return found
