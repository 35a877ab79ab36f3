"""Switch tables: seasons, weeks, special days, switch times in local legal time (wan-core 7.6, han 5.4, 5.6)."""

from __future__ import annotations

from datetime import date, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taf_calendars import calendars
from taf_parts import BERLIN, DAY_AND_NIGHT, QUARTER, at

from firmware.metering.tariffs.calendar import Calendar, DayProfile, Season, SpecialDay, Switch, Week
from firmware.metering.tariffs.errors import CalendarError
from firmware.metering.tariffs.local_time import local, midnight

ONE, TWO = DayProfile("one", ((time(), 1),)), DayProfile("two", ((time(), 2),))
ALL_ONE, ALL_TWO = Week("ones", ("one",) * 7), Week("twos", ("two",) * 7)


def test_seasons_come_every_year_and_the_last_one_lasts_over_new_year() -> None:
    seasons = (Season("summer", 4, 1, "ones"), Season("winter", 10, 1, "twos"))
    calendar = Calendar((ONE, TWO), (ALL_ONE, ALL_TWO), seasons)
    for year in (2024, 2026, 2031):
        assert [calendar.stage_at(at(year, *day)) for day in ((1, 1), (3, 31), (4, 1), (9, 30), (10, 1), (12, 31))] == [
            2, 2, 1, 1, 2, 2,
        ]  # fmt: skip


def test_each_weekday_has_its_profile() -> None:
    week = Week("week", ("one",) * 5 + ("two",) * 2)
    calendar = Calendar((ONE, TWO), (week,), (Season("year", 1, 1, "week"),))
    assert [calendar.stage_at(at(2026, 11, day, 12)) for day in range(16, 23)] == [1, 1, 1, 1, 1, 2, 2]


def test_a_special_day_goes_before_the_week_and_one_of_its_year_before_one_of_every_year() -> None:
    special = (SpecialDay(12, 25, "two"), SpecialDay(12, 25, "one", 2027), SpecialDay(2, 29, "two"))
    calendar = Calendar((ONE, TWO), (ALL_ONE,), (Season("year", 1, 1, "ones"),), special)
    assert [calendar.stage_at(at(year, 12, 25)) for year in (2026, 2027, 2028)] == [2, 1, 2]
    assert [calendar.stage_at(at(2028, *day)) for day in ((2, 28), (2, 29), (3, 1))] == [1, 2, 1]
    assert calendar.stage_at(at(2027, 2, 28, 23, 59)) == calendar.stage_at(at(2027, 3, 1)) == 1


def test_switches_of_an_ordinary_day_are_at_local_time_in_summer_and_winter() -> None:
    for day in ((2026, 1, 15), (2026, 7, 15)):
        begin = at(*day)
        assert DAY_AND_NIGHT.switches(begin, begin + 86_400) == [
            Switch(at(*day, 6), 1, 2),
            Switch(at(*day, 21), 2, 1),
        ]


def test_a_switch_at_the_end_of_the_span_is_in_it_and_one_at_its_begin_is_not() -> None:
    assert DAY_AND_NIGHT.switches(at(2026, 1, 15, 6), at(2026, 1, 15, 21)) == [Switch(at(2026, 1, 15, 21), 2, 1)]
    assert DAY_AND_NIGHT.switches(at(2026, 1, 15, 6), at(2026, 1, 15, 20)) == []


def test_a_switch_inside_the_hour_that_does_not_exist_holds_from_its_end() -> None:
    calendar = Calendar.daily((time(), 1), (time(2, 30), 2))
    assert calendar.switches(at(2026, 3, 29), at(2026, 3, 29, 12)) == [Switch(at(2026, 3, 29, 3), 1, 2)]
    assert at(2026, 3, 29, 3) - at(2026, 3, 29) == 2 * 3600


def test_the_hour_that_comes_twice_has_the_same_stages_both_times() -> None:
    calendar = Calendar.daily((time(), 1), (time(2, 30), 2))
    day = (2026, 10, 25)
    assert calendar.switches(at(*day), at(*day, 12)) == [
        Switch(at(*day, 2, 30), 1, 2),
        Switch(at(*day, 2, fold=1), 2, 1),
        Switch(at(*day, 2, 30, fold=1), 1, 2),
    ]


def test_days_of_23_and_25_hours_switch_at_six_local_time() -> None:
    for day, hours in (((2026, 3, 29), 5), ((2026, 10, 25), 7)):
        first = DAY_AND_NIGHT.switches(at(*day), at(*day, 12))[0]
        assert first.at_s - at(*day) == hours * 3600


def test_before_the_first_switch_the_default_stage_holds() -> None:
    calendar = Calendar.daily((time(6), 2), default=1)
    assert (calendar.stage_at(at(2026, 5, 1, 5, 45)), calendar.stage_at(at(2026, 5, 1, 6))) == (1, 2)
    assert not calendar.gap_free


def test_a_day_without_an_entry_is_named() -> None:
    """TRuDI 026, 028: no calendar entry is a mistake."""
    calendar = Calendar((ONE,), special=[SpecialDay(1, day, "one", 2026) for day in (1, 2, 4)])
    assert calendar.first_day_without_entry(at(2026, 1, 1), at(2026, 1, 3)) is None
    assert calendar.first_day_without_entry(at(2026, 1, 1), at(2026, 1, 5)) == date(2026, 1, 3)
    assert calendar.first_day_without_entry(at(2026, 1, 4), None) == date(2026, 1, 5)
    with pytest.raises(CalendarError, match="no entry for 2026-01-03"):
        calendar.stage_at(at(2026, 1, 3, 12))


YEAR = (Season("year", 1, 1, "ones"),)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (((), (), ()), "no day profile"),
        (((DayProfile("x", ()),), (), ()), "'x' has no switch time"),
        (((DayProfile("x", ((time(0, 10), 1),)),), (), ()), "multiples of 15 min"),
        (((DayProfile("x", ((time(0, 0, 1), 1),)),), (), ()), "multiples of 15 min"),
        (((DayProfile("x", ((time(tzinfo=BERLIN), 1),)),), (), ()), "local times"),
        (((DayProfile("x", ((time(), 1), (time(), 2))),), (), ()), "two stages from 00:00 on"),
        (((DayProfile("x", ((time(6), 1), (time(5), 2))),), (), ()), "05:00 after 06:00"),
        (((DayProfile("x", ((time(6), 1),)),), (), ()), "no stage before 06:00"),
        (((ONE, ONE), (ALL_ONE,), YEAR), "two day profiles have the name 'one'"),
        (((ONE,), (ALL_ONE, ALL_ONE), YEAR), "two week profiles"),
        (((ONE,), (ALL_ONE,), YEAR * 2), "two seasons have the name"),
        (((ONE,), (Week("w", ("one",) * 6),), ()), "has 6 days"),
        (((ONE,), (ALL_TWO,), ()), "names the day profile 'two'"),
        (((ONE,), (), YEAR), "names the week 'ones'"),
        (((ONE,), (ALL_ONE,), (Season("s", 2, 29, "ones"),)), "does not come every year"),
        (((ONE,), (ALL_ONE,), (Season("s", 4, 31, "ones"),)), "no such date"),
        (((ONE,), (ALL_ONE,), (*YEAR, Season("s", 1, 1, "ones"))), "begin on the same date"),
        (((ONE,), (ALL_ONE,), YEAR, (SpecialDay(2, 30, "one"),)), "does not exist"),
        (((ONE,), (ALL_ONE,), YEAR, (SpecialDay(2, 29, "one", 2026),)), "2026, 02-29 does not exist"),
        (((ONE,), (ALL_ONE,), YEAR, (SpecialDay(2, 1, "two"),)), "names the day profile 'two'"),
        (((ONE,), (ALL_ONE,), YEAR, (SpecialDay(2, 1, "one"),) * 2), "is given twice"),
        (((ONE,), (ALL_ONE,), ()), "neither a season nor a special day"),
    ],
)
def test_mistakes_are_refused_in_words(parts: tuple[tuple[object, ...], ...], words: str) -> None:
    with pytest.raises(CalendarError, match=words):
        Calendar(*parts)  # type: ignore[arg-type]


@given(calendars(), st.dates(date(2019, 1, 1), date(2040, 12, 31)))
def test_the_stage_is_that_of_the_wall_clock_at_every_quarter_of_an_hour(calendar: Calendar, day: date) -> None:
    profile = calendar.profile_of(day)
    assert profile is not None
    begin, end = midnight(day), midnight(day + timedelta(days=1))
    for at_s in range(begin, end, QUARTER):
        assert calendar.stage_at(at_s) == profile.stage_at(local(at_s).time(), calendar.default)


@given(calendars(), st.dates(date(2019, 1, 1), date(2040, 12, 31)), st.integers(1, 400), st.integers(0, 95))
def test_switches_are_where_the_stage_changes(calendar: Calendar, first: date, quarters: int, offset: int) -> None:
    since = midnight(first) + offset * QUARTER
    until = since + quarters * QUARTER
    stages = [(at_s, calendar.stage_at(at_s)) for at_s in range(since, until + 1, QUARTER)]
    wanted = [Switch(at_s, old, new) for (_, old), (at_s, new) in pairwise(stages) if old != new]
    assert calendar.switches(since, until) == wanted


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
@given(calendars())
def test_the_spans_of_a_day_leave_no_gap_on_days_when_the_clock_is_put(day: date, calendar: Calendar) -> None:
    spans = calendar.segments_of(day)
    assert spans[0].begin_s == midnight(day)
    assert spans[-1].end_s == midnight(day + timedelta(days=1))
    assert all(one.end_s == other.begin_s and one.stage != other.stage for one, other in pairwise(spans))
