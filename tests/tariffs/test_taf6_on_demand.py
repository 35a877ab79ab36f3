"""TAF-6: values of local midnights, 42 days, only on order (wan-core 7.6, [CASA] 2.4.2)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from taf_parts import (
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
    restarted,
    run,
    values,
)

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Deletion, Event, Kind, Output
from firmware.metering.tariffs.local_time import midnight
from firmware.metering.tariffs.profile import Term
from firmware.metering.tariffs.taf6 import KEPT_DAYS, Taf6

BEGIN = at(2026, 3, 1)


def made(begin_s: int = BEGIN, end_s: int | None = None, *terms: Term) -> Taf6:
    case = use_case(profile(6, begin_s, end_s, *terms))
    assert isinstance(case, Taf6)
    return case


def deletions(outputs: list[Output]) -> list[int]:
    return [one.before_s for one in outputs if isinstance(one, Deletion)]


def test_a_value_at_each_local_midnight_over_both_changes_of_the_clock() -> None:
    """Days of 24, 23 and 24 hours in March, of 24, 25 and 24 in October."""
    for first, quarters in ((date(2026, 3, 28), [0, 96, 188, 284]), (date(2026, 10, 24), [0, 96, 196, 292])):
        days = [first + timedelta(days=number) for number in range(4)]
        case = made(midnight(first))
        found = entries(run(case, grid(midnight(days[0]), midnight(days[3]), 1)))
        assert [one.at_s for one in found] == [midnight(day) for day in days]
        assert values(found) == quarters
        assert [one.kind for one in found] == [Kind.FIRST] + [Kind.DAILY] * 3


def test_a_begin_and_an_end_inside_a_day_have_values_of_their_own() -> None:
    case = made(at(2026, 3, 1, 10), at(2026, 3, 2, 12))
    found = entries(run(case, grid(at(2026, 3, 1), at(2026, 3, 3))))
    assert [(one.kind, one.at_s) for one in found] == [
        (Kind.FIRST, at(2026, 3, 1, 10)),
        (Kind.DAILY, at(2026, 3, 2)),
        (Kind.LAST, at(2026, 3, 2, 12)),
    ]


def test_each_register_has_its_own_value() -> None:
    case = made(BEGIN, None, Term(A), Term(B))
    found = entries(run(case, [point(BEGIN, 1, A), point(BEGIN, 2, B)]))
    assert [(one.meter, one.register) for one in found] == [(A.meter, A.obis), (B.meter, B.obis)]
    assert values(found) == [1, 2]


def test_midnight_without_a_reading_or_with_invalid_time_has_its_mark() -> None:
    case = made()
    run(case, grid(BEGIN, BEGIN + QUARTER))
    case.advance(at(2026, 3, 2))
    case.advance(at(2026, 3, 3) - QUARTER)
    (third,) = entries(case.take(point(at(2026, 3, 3), 77, status=TIME_INVALID)))
    missing = case.held[1]
    assert (missing.at_s, missing.amount, str(missing.status)) == (at(2026, 3, 2), None, "A004000020000000")
    assert (third.status, values([third])) == (TIME_INVALID, [77])


def test_a_counter_that_fell_is_handed_on_with_a_warning() -> None:
    case = made()
    case.take(point(BEGIN, 100))
    case.advance(at(2026, 3, 2) - QUARTER)
    outputs = case.take(point(at(2026, 3, 2), 90))
    (one,) = entries(outputs)
    assert values([one]) == [90]
    assert one.status.has(GatewayBit.WARNING)
    assert len(events(outputs, "register_fell")) == 1


def test_values_older_than_42_days_are_deleted() -> None:
    """On the 43rd day after the first of March its value goes."""
    case = made()
    assert deletions(run(case, grid(BEGIN, at(2026, 4, 13) - QUARTER))) == []
    assert case.held[0].at_s == BEGIN == midnight(date(2026, 4, 12) - timedelta(days=KEPT_DAYS))
    assert deletions(case.take(point(at(2026, 4, 13), 99_999))) == [at(2026, 3, 2)]
    assert [case.held[0].at_s, case.held[-1].at_s] == [at(2026, 3, 2), at(2026, 4, 13)]
    assert len(case.held) == KEPT_DAYS + 1


def test_values_are_deleted_after_the_end_of_the_validity_as_well() -> None:
    case = made(BEGIN, at(2026, 3, 3))
    run(case, grid(BEGIN, at(2026, 3, 3)))
    assert len(case.held) == 3
    assert deletions(case.advance(at(2026, 4, 14))) == [at(2026, 3, 3)]
    assert deletions(case.advance(at(2026, 4, 15))) == [at(2026, 3, 4)]
    assert case.held == ()


def test_a_reading_whose_time_is_not_to_be_trusted_deletes_nothing() -> None:
    case = made()
    run(case, grid(BEGIN, BEGIN + QUARTER))
    assert deletions(case.take(point(at(2026, 12, 1), 99_999, status=TIME_INVALID))) == []


def test_an_order_gives_the_values_of_the_day() -> None:
    case = made()
    run(case, grid(BEGIN, at(2026, 3, 10), 1))
    now = at(2026, 3, 10)
    answer = case.on_demand(date(2026, 3, 5), "supplier", now)
    assert (answer.refused, values(answer.values)) == ("", [4 * 96])
    told = {"day": "2026-03-05", "participant": "supplier"}
    assert answer.events == (Event("on_demand_reading_ordered", now, told),)


def test_a_participant_who_is_not_in_the_profile_gets_nothing() -> None:
    """E16004 with sub id 4."""
    case = made()
    run(case, grid(BEGIN, at(2026, 3, 3)))
    answer = case.on_demand(date(2026, 3, 2), "stranger", at(2026, 3, 3))
    assert answer.values == ()
    assert "does not name the participant 'stranger'" in answer.refused
    assert [one.name for one in answer.events] == ["on_demand_participant_unknown"]
    case.send_to(("stranger",))
    assert case.on_demand(date(2026, 3, 2), "stranger", at(2026, 3, 3)).values


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(2026, 4, 30), "is still to come"),
        (date(2026, 3, 7), "43 days ago, values are kept for 42 days"),
        (date(2026, 4, 19), "has no value of 2026-04-19"),
    ],
)
def test_a_day_without_values_is_refused_in_words(day: date, words: str) -> None:
    case = made()
    run(case, grid(BEGIN, at(2026, 4, 18)))
    answer = case.on_demand(day, "supplier", at(2026, 4, 19, 0, 5))
    assert (answer.values, words in answer.refused) == ((), True)
    assert case.on_demand(date(2026, 3, 8), "supplier", at(2026, 4, 19, 0, 5)).values


def test_what_is_kept_outlives_a_restart() -> None:
    case = made()
    run(case, grid(BEGIN, at(2026, 4, 1)))
    again = restarted(case, profile(6, BEGIN))
    assert isinstance(again, Taf6)
    assert again.held == case.held
    assert deletions(again.advance(at(2026, 5, 1))) == deletions(case.advance(at(2026, 5, 1))) == [at(2026, 3, 20)]
