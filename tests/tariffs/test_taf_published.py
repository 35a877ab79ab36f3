"""TAF-2 against the figures of others: TRuDI's test data, and an implementation that shares no code with the engine."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taf_parts import QUARTER, A, at, entries, point, profile, registers, run
from taf_published import VECTORS, days_between, points_of, profile_of, published

from devices.protocols.trudi.export import Export, ListReading, Register, ValueList, read_export
from devices.protocols.trudi.status import Severity
from devices.protocols.trudi.supplier import DayProfile, Stage, SupplierFile
from devices.protocols.trudi.tariff import registers_of
from firmware.metering.tariffs.calendar import Calendar, SpecialDay
from firmware.metering.tariffs.calendar import DayProfile as Day
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Kind
from firmware.metering.tariffs.local_time import local
from firmware.metering.tariffs.profile import Term
from firmware.metering.tariffs.taf2 import Taf2

LOW_TO_6_AND_FROM_21 = ((time(0), 1), (time(6), 2), (time(21), 1))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("result_single_day.xml", [360, 600, 0]), ("result_single_day_2h-gap.xml", [310, 560, 90])],
)
def test_the_published_files_give_the_published_registers(name: str, wanted: list[int]) -> None:
    export, supplier = published(name)
    (values,) = export.lists
    case = use_case(profile_of(values, supplier))
    outputs = run(case, points_of(values))
    assert case.ended
    assert registers(case) == wanted
    last = {one.register: one for one in entries(outputs) if one.kind is Kind.LAST}
    assert [one.amount.value for one in last.values() if one.amount] == [960, *wanted]
    assert registers_of(export, supplier) == {code: one.value for code, one in case.registers().items()}  # type: ignore[attr-defined]


def test_the_published_vectors_are_the_ones_that_stand_beside_their_licence() -> None:
    assert (VECTORS / "LICENSE.MIT.txt").is_file()
    readings = read_export((VECTORS / "result_single_day.xml").read_bytes()).lists[0].readings
    assert (len(readings), readings[-1].value) == (97, 960)


def quarters(first: int, last: int) -> range:
    """Instants from one to the other, both included."""
    return range(first, last + 1, QUARTER)


def special(first: date, last: date) -> Calendar:
    """A calendar that knows these days and no other."""
    days = [SpecialDay(one.month, one.day, "1", one.year) for one in days_between(first, last)]
    return Calendar((Day("1", LOW_TO_6_AND_FROM_21),), special=days)


def by_the_clock(at_s: int) -> int:
    """Total of TRuDI's days: 10 each quarter of an hour of the wall clock."""
    wall = local(at_s)
    return wall.hour * 40 + wall.minute // 15 * 10


def on_the_long_day(at_s: int) -> int:
    """Total of 2017-10-29: the hour that comes twice has small steps, 960 at midnight."""
    number = (at_s - at(2017, 10, 29)) // QUARTER
    slow = (72, 74, 76, 78, 81, 83, 85, 87)
    return number * 10 if number < 8 else slow[number - 8] if number < 16 else (number - 4) * 10


@pytest.mark.parametrize(
    ("day", "total", "quarters_of_day", "wanted"),
    [
        (date(2017, 3, 26), lambda at_s: 40 + by_the_clock(at_s) - 40 * (by_the_clock(at_s) >= 120), 92, [320, 600, 0]),
        (date(2017, 10, 29), on_the_long_day, 100, [360, 600, 0]),
    ],
)
def test_the_published_days_of_23_and_25_hours(day: date, total, quarters_of_day: int, wanted: list[int]) -> None:  # type: ignore[no-untyped-def]
    """TRuDI: TestSingleDay_WinterToSummerTime, TestSingleDay_SummerToWinterTime (han 5.6).

    Its data rise by 920 in 23 hours and by 960 in 25; the supplier's file names that day alone.
    """
    following = day + timedelta(days=1)
    begin, end = at(day.year, day.month, day.day), at(following.year, following.month, following.day)
    assert (end - begin) // QUARTER == quarters_of_day
    case = use_case(profile(2, begin, end, calendar=special(day, day)))
    run(case, [point(at_s, 960 if at_s == end else total(at_s)) for at_s in quarters(begin, end)])
    assert registers(case) == wanted


FOURTH, FIFTH, SIXTH, SEVENTH = (at(2017, 11, day) for day in (4, 5, 6, 7))


@pytest.mark.parametrize(
    ("end", "missing", "wanted"),
    [
        (FIFTH, (), [400, 600, 0]),
        (SIXTH, (), [800, 1200, 0]),
        (SIXTH, [(FIFTH, FIFTH)], [800, 1200, 0]),
        (SIXTH, [(FIFTH, at(2017, 11, 5, 0, 15))], [800, 1200, 0]),
        (SIXTH, [(at(2017, 11, 4, 23, 45), at(2017, 11, 5, 0, 15))], [800, 1200, 0]),
        (SIXTH, [(at(2017, 11, 4, 23, 45), at(2017, 11, 5, 5, 30))], [800, 1200, 0]),
        (SIXTH, [(at(2017, 11, 4, 23, 45), at(2017, 11, 5, 6, 15))], [500, 1180, 320]),
        (SIXTH, [(at(2017, 11, 4, 23, 45), at(2017, 11, 4, 23, 45))], [800, 1200, 0]),
        (SIXTH, [(at(2017, 11, 4, 23, 45), at(2017, 11, 5, 23, 45))], [340, 600, 1060]),
        (
            SEVENTH,
            [
                (at(2017, 11, 4, 23, 45), at(2017, 11, 5, 23, 45)),
                (at(2017, 11, 6, 0, 15), at(2017, 11, 6, 23, 45)),
            ],
            [340, 600, 2020],
        ),
        (SEVENTH, [(at(2017, 11, 4, 23, 45), at(2017, 11, 6, 23, 45))], [340, 600, 2020]),
    ],
)
def test_the_published_three_days_with_gaps(end: int, missing: list[tuple[int, int]], wanted: list[int]) -> None:
    """TRuDI: Test3DayData2DayTariffFileGap1 to 11, without the ones that han 5.6 calls peculiarities.

    The totals are 0, 10 ... 950 on the first day, then go on from 1000 and from 2000; the last midnight has 2960.
    """
    case = use_case(profile(2, FOURTH, end, calendar=special(date(2017, 11, 4), date(2017, 11, 6))))
    for at_s in quarters(FOURTH, end):
        value = 2960 if at_s == SEVENTH else (at_s - FOURTH) // 86_400 * 1000 + by_the_clock(at_s)
        if not any(since <= at_s <= until for since, until in missing):
            case.take(point(at_s, value))
    assert case.ended
    assert registers(case) == wanted


def test_a_gap_over_midnight_that_ends_at_a_switch_is_inside_one_stage() -> None:
    """TRuDI says 500, 1200, 300 (Gap5); by the rule nothing is between the switch at 06:00 and the reading of 06:00."""
    case = use_case(profile(2, FOURTH, SIXTH, calendar=special(date(2017, 11, 4), date(2017, 11, 6))))
    for at_s in quarters(FOURTH, SIXTH):
        if not at(2017, 11, 4, 23, 45) <= at_s <= at(2017, 11, 5, 5, 45):
            case.take(point(at_s, (at_s - FOURTH) // 86_400 * 1000 + by_the_clock(at_s)))
    assert registers(case) == [800, 1200, 0]


def test_one_reading_missing_at_the_switch() -> None:
    """TRuDI: TestSingleDayWithOnePeriodGapAtTariffSwitch."""
    case = use_case(profile(2, FOURTH, FIFTH, calendar=special(date(2017, 11, 4), date(2017, 11, 4))))
    for number, at_s in enumerate(quarters(FOURTH, FIFTH)):
        if at_s != at(2017, 11, 4, 6):
            case.take(point(at_s, number * 10))
    assert registers(case) == [350, 590, 20]


WARD = Register((1, 0, 1, 8, 0, 255))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    first=st.sampled_from([date(2026, 3, 28), date(2026, 10, 24), date(2028, 2, 28), date(2026, 12, 31)]),
    switches=st.lists(st.lists(st.tuples(st.integers(0, 95), st.integers(1, 3)), max_size=5), min_size=3, max_size=3),
    steps=st.lists(st.integers(0, 300), min_size=301, max_size=301),
    lost=st.sets(st.integers(0, 300), max_size=250),
    bad=st.dictionaries(st.integers(0, 300), st.sampled_from(list(Severity)), max_size=40),
)
def test_the_engine_agrees_with_the_implementation_for_the_transparency_software(
    first: date,
    switches: list[list[tuple[int, int]]],
    steps: list[int],
    lost: set[int],
    bad: dict[int, Severity],
) -> None:
    """Three days with a profile each, over changes of the clock, a leap day and the turn of a year."""
    days = days_between(first, first + timedelta(days=2))
    tables = [
        tuple((time(slot // 4, slot % 4 * 15), stage) for slot, stage in sorted((dict(one) | {0: 1}).items()))
        for one in switches
    ]
    begin, end = (at(one.year, one.month, one.day) for one in (first, first + timedelta(days=3)))
    readings, value = [], 0
    for number, at_s in enumerate(quarters(begin, end)):
        value += steps[number]
        if number not in lost or at_s in (begin, end):
            grave = Severity.NONE if at_s in (begin, end) else bad.get(number, Severity.NONE)
            readings.append(ListReading(value, local(at_s), None, grave))
    values = ValueList(A.meter, WARD, f"0100010800ff.{A.meter}.sm", 72, 0, 0, QUARTER, tuple(readings), None)
    head = {"usage_point": "u", "kind": 0, "supplier": "s", "gateway": "g", "tariff": "t"}
    names = [str(number) for number in range(3)]
    supplier = SupplierFile(
        **head, use_case=2, begin=local(begin), end=local(end), default=None,  # type: ignore[arg-type]
        stages=tuple(Stage(number, "", WARD.stage(number)) for number in (1, 2, 3)),
        profiles={name: DayProfile(name, table, None) for name, table in zip(names, tables, strict=True)},
        days={day: (name,) for day, name in zip(days, names, strict=True)},
    )  # fmt: skip
    export = Export(**head, customer="c", lists=(values,))  # type: ignore[arg-type]
    made = profile_of(values, supplier)
    assert made.terms == (Term(A),)
    case = use_case(made)
    assert isinstance(case, Taf2)
    run(case, points_of(values))
    case.advance(end)
    assert {code: one.value for code, one in case.registers().items()} == registers_of(export, supplier)
