"""TAF-2: stages, switches, the error register, billing periods, special days (wan-core 7.6, han 5.6, [CASA] 2.4.2)."""

from __future__ import annotations

from datetime import date, time

import pytest
from taf_parts import (
    DAY_AND_NIGHT,
    GOOD,
    QUARTER,
    TIME_INVALID,
    A,
    B,
    at,
    entries,
    events,
    grid,
    point,
    profile,
    registers,
    run,
    values,
)

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.calendar import Calendar, DayProfile, Season, SpecialDay, Week
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Derived, Event, Kind
from firmware.metering.tariffs.errors import ProfileError
from firmware.metering.tariffs.local_time import midnight
from firmware.metering.tariffs.profile import BillingPeriod, Term
from firmware.metering.tariffs.readings import Amount, Point, with_bits
from firmware.metering.tariffs.taf2 import Taf2
from firmware.metering.tariffs.use_case import UseCase

BEGIN, END = at(2026, 1, 10), at(2026, 1, 11)
CODES = ["1-0:1.8.0*255", "1-0:1.8.1*255", "1-0:1.8.2*255", "1-0:1.8.63*255"]


def day(*missing: tuple[int, int], bad: dict[int, Point] | None = None) -> tuple[UseCase, list[Derived], list[Event]]:
    """A day with 10 per quarter; nothing is read from the first to the last instant of each of `missing`."""
    case = use_case(profile(2, BEGIN, END))
    wrong = bad or {}
    outputs = run(
        case,
        [
            wrong.get(one.at_s, one)
            for one in grid(BEGIN, END)
            if not any(since <= one.at_s <= until for since, until in missing)
        ],
    )
    return case, entries(outputs), [one for one in outputs if isinstance(one, Event)]


def test_what_was_used_goes_to_the_stage_that_held_before_the_switch() -> None:
    """24 quarters until 06:00, 60 until 21:00, 12 until midnight."""
    case, found, _ = day()
    assert registers(case) == [360, 600, 0]
    assert [(one.kind, one.at_s, one.stage) for one in found[::4]] == [
        (Kind.FIRST, BEGIN, 1),
        (Kind.SWITCH, at(2026, 1, 10, 6), 2),
        (Kind.SWITCH, at(2026, 1, 10, 21), 1),
        (Kind.LAST, END, 1),
    ]
    assert [one.register for one in found[:4]] == CODES
    assert [values(found[number : number + 4]) for number in (0, 4, 8, 12)] == [
        [0, 0, 0, 0],
        [240, 240, 0, 0],
        [840, 240, 600, 0],
        [960, 360, 600, 0],
    ]


def test_a_switch_is_told_with_both_stages() -> None:
    """P10272, E21002."""
    _, _, told = day()
    assert [one for one in told if one.name == "tariff_level_changed"] == [
        Event("tariff_level_changed", at_s, {"profile": "taf2", "time": text, "old_level": old, "level": new})
        for at_s, text, old, new in (
            (at(2026, 1, 10, 6), "2026-01-10T05:00:00Z", 1, 2),
            (at(2026, 1, 10, 21), "2026-01-10T20:00:00Z", 2, 1),
        )
    ]


def test_a_gap_inside_a_stage_stays_in_that_stage() -> None:
    case, _, told = day((at(2026, 1, 10, 7), at(2026, 1, 10, 20, 45)))
    assert registers(case) == [360, 600, 0]
    assert events(told, "error_register_credited") == []


def test_a_gap_over_midnight_inside_a_stage_stays_in_that_stage() -> None:
    begin, end = at(2026, 1, 10, 21), at(2026, 1, 11, 6)
    case = use_case(profile(2, begin, end))
    case.take(point(begin, 0))
    case.advance(end - QUARTER)
    case.take(point(end, 77))
    assert registers(case) == [77, 0, 0]


def test_a_gap_across_a_switch_goes_to_the_error_register_and_is_told() -> None:
    """05:00 to 06:15 missing: 04:45 to 06:30 is seven quarters."""
    case, _, told = day((at(2026, 1, 10, 5), at(2026, 1, 10, 6, 15)))
    assert registers(case) == [310, 580, 70]
    assert events(told, "error_register_credited") == [
        Event(
            "error_register_credited",
            at(2026, 1, 10, 6, 30),
            {
                "profile": "taf2", "register": CODES[3], "amount": "7.0",
                "since": "2026-01-10T03:45:00Z", "time": "2026-01-10T05:30:00Z",
            },
        )
    ]  # fmt: skip


def test_only_the_reading_of_the_switch_missing_is_a_gap_across_it() -> None:
    case, found, told = day((at(2026, 1, 10, 6), at(2026, 1, 10, 6)))
    assert registers(case) == [350, 590, 20]
    assert len(events(told, "tariff_level_changed")) == 2
    at_switch = [one for one in found if one.at_s == at(2026, 1, 10, 6)]
    assert values(at_switch) == [None] * 4
    assert {str(one.status) for one in at_switch} == {"A004000020000000"}


def test_a_gap_over_a_whole_stage_goes_to_the_error_register() -> None:
    case, found, _ = day((at(2026, 1, 10, 5), at(2026, 1, 10, 21, 45)))
    assert registers(case) == [270, 0, 690]
    assert [one.kind for one in found[::4]] == [Kind.FIRST, Kind.SWITCH, Kind.SWITCH, Kind.LAST]


def test_a_gap_in_which_nothing_was_used_tells_nothing() -> None:
    case = use_case(profile(2, BEGIN, END))
    run(case, [point(BEGIN, 5)])
    case.advance(at(2026, 1, 10, 11, 45))
    assert events(case.take(point(at(2026, 1, 10, 12), 5)), "error_register_credited") == []


@pytest.mark.parametrize(
    "status", [TIME_INVALID, with_bits(GOOD, GatewayBit.FATAL), with_bits(GOOD, GatewayBit.METER_TAMPERED)]
)
def test_a_reading_that_may_not_be_billed_counts_as_missing_and_shows_its_mark(status) -> None:  # type: ignore[no-untyped-def]
    six = at(2026, 1, 10, 6)
    case, found, _ = day(bad={six: point(six, 240, status=status)})
    assert registers(case) == [350, 590, 20]
    total, *stages = [one for one in found if one.at_s == six]
    assert (total.amount, total.status) == (Amount(240, -1), status)
    assert values(stages) == [None] * 3
    assert all(one.status.has(GatewayBit.NO_VALUE) for one in stages)


def test_a_reading_with_a_warning_is_billed() -> None:
    six = at(2026, 1, 10, 6)
    case, found, _ = day(bad={six: point(six, 240, status=with_bits(GOOD, GatewayBit.WARNING))})
    assert registers(case) == [360, 600, 0]
    assert all(one.status.has(GatewayBit.WARNING) for one in found if one.at_s == six)


def test_a_value_that_is_not_for_billing_marks_what_is_made_of_it() -> None:
    seven = at(2026, 1, 10, 7)
    _, found, _ = day(bad={seven: point(seven, 280, status=with_bits(GOOD, GatewayBit.NOT_FOR_BILLING))})
    marked = [one for one in found if one.register != CODES[0] and one.status.has(GatewayBit.NOT_FOR_BILLING)]
    assert {one.at_s for one in marked} == {at(2026, 1, 10, 21), END}


def test_a_counter_that_falls_is_credited_to_nobody() -> None:
    """240 at 06:00; 100 at 06:15 is left out; at 06:30 it is 260 again: 20 since 06:00."""
    bad = at(2026, 1, 10, 6, 15)
    case, _, told = day(bad={bad: point(bad, 100)})
    assert registers(case) == [360, 600, 0]
    assert len(events(told, "register_fell")) == 1


@pytest.mark.parametrize(
    ("first", "wanted"),
    [(date(2026, 3, 29), [320, 600, 0]), (date(2026, 10, 25), [400, 600, 0]), (date(2028, 2, 29), [360, 600, 0])],
)
def test_days_of_23_and_25_hours_switch_at_local_time(first: date, wanted: list[int]) -> None:
    """Ten for each quarter that really passed."""
    begin = midnight(first)
    end = midnight(date.fromordinal(first.toordinal() + 1))
    case = use_case(profile(2, begin, end))
    outputs = run(case, grid(begin, end))
    assert registers(case) == wanted
    told = [one.parameters["time"][11:16] for one in events(outputs, "tariff_level_changed")]
    assert told == (["04:00", "19:00"] if first.month == 3 else ["05:00", "20:00"])


def test_a_switch_inside_the_hour_that_comes_twice() -> None:
    """From 02:30 on stage 2: 02:00 to 02:30 is stage 1 both times."""
    begin, end = at(2026, 10, 25), at(2026, 10, 25, 4)
    case = use_case(profile(2, begin, end, calendar=Calendar.daily((time(), 1), (time(2, 30), 2))))
    outputs = run(case, grid(begin, end))
    assert registers(case) == [120, 80, 0]
    assert len(events(outputs, "tariff_level_changed")) == 3


def test_seasons_weeks_and_special_days_decide_the_stage() -> None:
    """Thursday 2026-09-24 to Sunday, 1 per quarter: Saturday and the holiday on the 25th are stage 2, winter is 3."""
    days = [DayProfile(str(stage), ((time(), stage),)) for stage in (1, 2, 3)]
    weeks = [Week("summer", ("1",) * 5 + ("2", "1")), Week("winter", ("3",) * 7)]
    seasons = [Season("summer", 4, 1, "summer"), Season("winter", 9, 27, "winter")]
    calendar = Calendar(days, weeks, seasons, [SpecialDay(9, 25, "2", 2026)], 1)
    begin, end = at(2026, 9, 24), at(2026, 9, 28)
    case = use_case(profile(2, begin, end, stages=(1, 2, 3), calendar=calendar))
    outputs = run(case, grid(begin, end, 1))
    assert registers(case) == [96, 192, 96, 0]
    assert [(one.at_s, one.parameters["level"]) for one in events(outputs, "tariff_level_changed")] == [
        (at(2026, 9, 25), 2),
        (at(2026, 9, 27), 3),
    ]


def test_midnight_without_a_change_of_the_stage_is_no_switch() -> None:
    begin, end = at(2026, 1, 10, 22), at(2026, 1, 11, 2)
    outputs = run(use_case(profile(2, begin, end)), grid(begin, end))
    assert {one.kind for one in entries(outputs)} == {Kind.FIRST, Kind.LAST}


def test_billing_periods_end_with_a_reading_and_the_registers_go_on() -> None:
    begin, end = at(2026, 1, 1), at(2026, 3, 1)
    case = use_case(profile(2, begin, end, billing=BillingPeriod(1)))
    outputs = run(case, grid(begin, end, 1))
    (total, low, high, error) = [one for one in entries(outputs) if one.kind is Kind.BILLING]
    assert {one.at_s for one in (total, low, high, error)} == {at(2026, 2, 1)}
    assert values([total, low, high, error]) == [31 * 96, 31 * 36, 31 * 60, 0]
    assert registers(case) == [59 * 36, 59 * 60, 0]


def test_a_billing_period_in_days_that_ends_at_a_switch_is_told_as_billing() -> None:
    table = Calendar.daily((time(), 2), (time(6), 1))
    case = use_case(profile(2, BEGIN, None, billing=BillingPeriod(2, "day"), calendar=table))
    outputs = run(case, grid(BEGIN, at(2026, 1, 14)))
    billed = [one for one in entries(outputs, CODES[0]) if one.kind is Kind.BILLING]
    assert [one.at_s for one in billed] == [at(2026, 1, 12), at(2026, 1, 14)]
    switched = [one.at_s for one in events(outputs, "tariff_level_changed")]
    assert at(2026, 1, 12) in switched
    instants = [(one.at_s, one.register) for one in entries(outputs)]
    assert len(set(instants)) == len(instants)


def test_the_last_reading_needs_no_calendar_for_the_day_after() -> None:
    calendar = Calendar((DayProfile("d", ((time(), 1), (time(6), 2))),), special=[SpecialDay(1, 10, "d", 2026)])
    case = use_case(profile(2, BEGIN, END, calendar=calendar))
    outputs = run(case, grid(BEGIN, END))
    assert case.ended
    assert registers(case) == [240, 720, 0]
    assert {one.stage for one in entries(outputs) if one.kind is Kind.LAST} == {2}
    with pytest.raises(ProfileError, match="no entry for 2026-01-11"):
        use_case(profile(2, BEGIN, END, calendar=calendar)).end_at(END + QUARTER)
    with pytest.raises(ProfileError, match="no entry for 2026-01-11"):
        use_case(profile(2, BEGIN, END, calendar=calendar)).end_at(None)


def test_a_profile_without_a_table_or_with_days_left_out_is_refused() -> None:
    with pytest.raises(ProfileError, match="no switch table"):
        use_case(profile(2, BEGIN, calendar=None))
    calendar = Calendar((DayProfile("d", ((time(), 1),)),), special=[SpecialDay(1, 10, "d", 2026)])
    with pytest.raises(ProfileError, match="no entry for 2026-01-11"):
        use_case(profile(2, BEGIN, at(2026, 1, 12), calendar=calendar))


def test_the_sum_of_meters_is_credited_and_a_missing_one_makes_a_gap() -> None:
    """A has 10 and B 1 per quarter; B misses the switch at 06:00: 05:45 to 06:15 goes to the error register."""
    case = use_case(profile(2, BEGIN, END, Term(A), Term(B)))
    for number, at_s in enumerate(range(BEGIN, END + 1, QUARTER)):
        case.take(point(at_s, 10 * number, A))
        if at_s == at(2026, 1, 10, 6):
            assert entries(case.advance(at_s))[0].amount is None
        else:
            case.take(point(at_s, number, B))
    assert registers(case) == [35 * 11, 59 * 11, 2 * 11]


def test_before_the_first_good_reading_nothing_is_credited() -> None:
    case = use_case(profile(2, BEGIN, END))
    case.advance(BEGIN + QUARTER)
    run(case, grid(BEGIN + 2 * QUARTER, END))
    assert registers(case) == [340, 600, 0]


def test_the_registers_have_the_scaler_of_the_meter_from_the_first_reading_on() -> None:
    case = use_case(profile(2, BEGIN, END))
    assert isinstance(case, Taf2)
    assert case.stage is None
    case.take(Point(A, BEGIN, Amount(5, -4), GOOD, 30))
    assert set(case.registers().values()) == {Amount(0, -4)}
    assert case.stage == 1


def test_the_lists_are_equally_long() -> None:
    """han 5.2: at least five lists, those of the registers equally long."""
    _, found, _ = day((at(2026, 1, 10, 20), at(2026, 1, 10, 22)))
    lengths = {len([one for one in found if one.register == code]) for code in CODES}
    assert lengths == {4}
    assert DAY_AND_NIGHT.stages == {1, 2}
