"""The switch table of a tariff: which stage holds when, in local legal time (wan-core 7.6, han 5.4).

A day is looked up as a special day of its year, then as one that comes every year, then in the week of its season. The
stage is a function of the wall clock alone, as in the transparency software: on the day of 25 hours the hour that
comes twice has the same stages both times, on the day of 23 hours a switch inside the missing hour holds from its end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Final

from firmware.metering.tariffs.errors import CalendarError
from firmware.metering.tariffs.local_time import DAY_S, LOCAL, instant, local, midnight

RASTER_MIN: Final = 15
"""Switch times are multiples of 15 minutes (TRuDI_015, TRuDI_016)."""
MOST_DAYS_KEPT: Final = 64
_LEAP_YEAR: Final = 2000


@dataclass(frozen=True, slots=True)
class DayProfile:
    """Which stage holds from which local time of the day on.

    Attributes:
        name: to which weeks and special days point.
        switches: local time and stage, in the order of time.
    """

    name: str
    switches: tuple[tuple[time, int], ...]

    def stage_at(self, wall: time, default: int | None) -> int | None:
        """The stage at a local time; before the first switch the default one."""
        found = default
        for start, stage in self.switches:
            if start > wall:
                break
            found = stage
        return found


@dataclass(frozen=True, slots=True)
class Week:
    """Names of the day profiles from Monday to Sunday."""

    name: str
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Season:
    """A part of the year: begins every year on this date and lasts until the next one begins."""

    name: str
    month: int
    day: int
    week: str


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day with a profile of its own; `year` None: every year."""

    month: int
    day: int
    profile: str
    year: int | None = None

    def __str__(self) -> str:
        return f"{'every year' if self.year is None else self.year}, {self.month:02}-{self.day:02}"


@dataclass(frozen=True, slots=True)
class Segment:
    """A span within one local day that has one stage.

    Attributes:
        begin_s: its first instant.
        end_s: the first instant after it.
        stage: which one holds.
    """

    begin_s: int
    end_s: int
    stage: int


@dataclass(frozen=True, slots=True)
class Switch:
    """A change of the stage at an instant."""

    at_s: int
    before: int
    after: int


class Calendar:
    """A switch table. Mistakes are refused in words.

    Args:
        days: day profiles.
        weeks: week profiles; empty when all days are special ones.
        seasons: when which week holds; empty: no day but the special ones has a profile.
        special: special days.
        default: the stage of a day before the first switch of its profile, None: profiles begin at 00:00.

    Raises:
        CalendarError: names are not unique or not known, dates do not exist, times are off the raster.
    """

    def __init__(
        self,
        days: Iterable[DayProfile],
        weeks: Iterable[Week] = (),
        seasons: Iterable[Season] = (),
        special: Iterable[SpecialDay] = (),
        default: int | None = None,
    ) -> None:
        self.days = tuple(days)
        self.weeks = tuple(weeks)
        self.seasons = tuple(sorted(seasons, key=lambda one: (one.month, one.day)))
        self.special = tuple(special)
        self.default = default
        self._check()
        self._profiles = {one.name: one for one in self.days}
        self._weeks = {one.name: one for one in self.weeks}
        self._starts = [(one.month, one.day) for one in self.seasons]
        self._dated = {(one.year, one.month, one.day): one.profile for one in self.special}
        self._kept: dict[date, tuple[Segment, ...]] = {}

    @classmethod
    def daily(cls, *switches: tuple[time, int], default: int | None = None) -> Calendar:
        """A calendar whose days are all alike."""
        day, week = DayProfile("day", switches), Week("week", ("day",) * 7)
        return cls((day,), (week,), (Season("year", 1, 1, "week"),), default=default)

    @property
    def stages(self) -> frozenset[int]:
        """All stages that it names."""
        named = {stage for day in self.days for _, stage in day.switches}
        return frozenset(named if self.default is None else named | {self.default})

    @property
    def gap_free(self) -> bool:
        """Whether each day profile begins at 00:00, so that nothing is left to the default stage."""
        return all(day.switches[0][0] == time() for day in self.days)

    def profile_of(self, day: date) -> DayProfile | None:
        """The day profile of a local date, None: the calendar says nothing of it."""
        for key in ((day.year, day.month, day.day), (None, day.month, day.day)):
            if key in self._dated:
                return self._profiles[self._dated[key]]
        if not self.seasons:
            return None
        season = self.seasons[bisect_right(self._starts, (day.month, day.day)) - 1]
        return self._profiles[self._weeks[season.week].days[day.weekday()]]

    def stage_at(self, at_s: int) -> int:
        """The stage that holds from this instant on. Raises CalendarError for a day without an entry."""
        return self.segment_at(at_s).stage

    def segment_at(self, at_s: int) -> Segment:
        """The span of one stage within a day that holds this instant. Raises CalendarError as `stage_at`."""
        segments = self.segments_of(local(at_s).date())
        return segments[bisect_right(segments, at_s, key=lambda one: one.begin_s) - 1]

    def segments_of(self, day: date) -> tuple[Segment, ...]:
        """The spans of one local day in the order of time, without gap. Raises CalendarError as `stage_at`."""
        known = self._kept.get(day)
        if known is None:
            if len(self._kept) >= MOST_DAYS_KEPT:
                self._kept.clear()
            known = self._kept[day] = self._segments(day)
        return known

    def switches(self, since_s: int, until_s: int) -> list[Switch]:
        """The changes of the stage after `since_s` up to and with `until_s`. Raises CalendarError as `stage_at`."""
        spans = list(self._spans(since_s, until_s + 1))
        return [
            Switch(one.begin_s, before.stage, one.stage)
            for before, one in pairwise(spans)
            if one.stage != before.stage and one.begin_s > since_s
        ]

    def stages_between(self, since_s: int, until_s: int) -> set[int]:
        """The stages that hold in the span, `until_s` not in it; no more than two are looked for."""
        found: set[int] = set()
        for one in self._spans(since_s, until_s):
            found.add(one.stage)
            if len(found) > 1:
                break
        return found

    def first_day_without_entry(self, since_s: int, until_s: int | None) -> date | None:
        """The first local date of the span of which the calendar says nothing; None: it covers the whole span."""
        if self.seasons:
            return None
        first = local(since_s).date()
        last = max([first.year, *(one.year for one in self.special if one.year is not None)]) + 1
        day = first
        while day.year <= last if until_s is None else midnight(day) < until_s:
            if self.profile_of(day) is None:
                return day
            day += timedelta(days=1)
        return None

    def _spans(self, since_s: int, until_s: int) -> Iterator[Segment]:
        at_s = since_s
        while at_s < until_s:
            one = self.segment_at(at_s)
            yield one
            at_s = one.end_s

    def _segments(self, day: date) -> tuple[Segment, ...]:
        profile = self.profile_of(day)
        if profile is None:
            raise CalendarError(f"the calendar has no entry for {day}")
        begin_s, end_s = midnight(day), midnight(day + timedelta(days=1))
        found: list[Segment] = []
        for at_s in _instants(day, profile, begin_s, end_s):
            stage = profile.stage_at(local(at_s).time(), self.default)
            if stage is None:
                raise CalendarError(f"the day profile {profile.name!r} says nothing of {local(at_s):%H:%M}")
            if found and found[-1].stage == stage:
                continue
            if found:
                found[-1] = Segment(found[-1].begin_s, at_s, found[-1].stage)
            found.append(Segment(at_s, end_s, stage))
        return tuple(found)

    # what may be wrong

    def _check(self) -> None:
        if not self.days:
            raise CalendarError("the calendar has no day profile")
        for what, names in (
            ("day profiles", [one.name for one in self.days]),
            ("week profiles", [one.name for one in self.weeks]),
            ("seasons", [one.name for one in self.seasons]),
        ):
            double = next((name for name in names if names.count(name) > 1), None)
            if double is not None:
                raise CalendarError(f"two {what} have the name {double!r}")
        for day in self.days:
            self._check_day(day)
        self._check_weeks()
        self._check_special()

    def _check_day(self, day: DayProfile) -> None:
        where = f"the day profile {day.name!r}"
        if not day.switches:
            raise CalendarError(f"{where} has no switch time")
        for start, _ in day.switches:
            if start.tzinfo is not None or start.minute % RASTER_MIN or start.second or start.microsecond:
                raise CalendarError(f"{where} switches at {start}, local times on multiples of 15 min are right")
        for (before, _), (start, _) in pairwise(day.switches):
            if start == before:
                raise CalendarError(f"{where} has two stages from {start:%H:%M} on")
            if start < before:
                raise CalendarError(f"{where} has {start:%H:%M} after {before:%H:%M}; switch times stand in order")
        if day.switches[0][0] != time() and self.default is None:
            first = day.switches[0][0]
            raise CalendarError(f"{where} has no stage before {first:%H:%M}, and there is no default stage")

    def _check_weeks(self) -> None:
        known = {one.name for one in self.days}
        for week in self.weeks:
            if len(week.days) != 7:
                raise CalendarError(f"the week {week.name!r} has {len(week.days)} days, seven are right")
            unknown = next((name for name in week.days if name not in known), None)
            if unknown is not None:
                raise CalendarError(f"the week {week.name!r} names the day profile {unknown!r}, which does not exist")
        for season in self.seasons:
            if season.week not in {one.name for one in self.weeks}:
                raise CalendarError(f"the season {season.name!r} names the week {season.week!r}, which does not exist")
            where = f"the season {season.name!r} begins on {season.month:02}-{season.day:02}"
            if (season.month, season.day) == (2, 29):
                raise CalendarError(f"{where}, a date that does not come every year")
            if not _exists(_LEAP_YEAR, season.month, season.day):
                raise CalendarError(f"{where}, and there is no such date")
        for before, season in pairwise(self.seasons):
            if (before.month, before.day) == (season.month, season.day):
                raise CalendarError(f"the seasons {before.name!r} and {season.name!r} begin on the same date")

    def _check_special(self) -> None:
        known = {one.name for one in self.days}
        seen: set[tuple[int | None, int, int]] = set()
        for one in self.special:
            if not _exists(_LEAP_YEAR if one.year is None else one.year, one.month, one.day):
                raise CalendarError(f"the special day {one} does not exist")
            if one.profile not in known:
                raise CalendarError(
                    f"the special day {one} names the day profile {one.profile!r}, which does not exist"
                )
            if (one.year, one.month, one.day) in seen:
                raise CalendarError(f"the special day {one} is given twice")
            seen.add((one.year, one.month, one.day))
        if not self.seasons and not self.special:
            raise CalendarError("the calendar has neither a season nor a special day")


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _instants(day: date, profile: DayProfile, begin_s: int, end_s: int) -> list[int]:
    """The instants of a day at which the wall clock may come into another span."""
    found = {begin_s}
    for start, _ in profile.switches:
        for fold in (0, 1):
            found.add(instant(datetime.combine(day, start.replace(fold=fold), LOCAL)))
    if end_s - begin_s != DAY_S:
        found.add(_clock_change(begin_s, end_s))
    return sorted(at_s for at_s in found if begin_s <= at_s < end_s)


def _clock_change(begin_s: int, end_s: int) -> int:
    """The instant of a day at which the clock is put forward or back."""
    low, high = begin_s, end_s
    offset = local(begin_s).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if local(middle).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
