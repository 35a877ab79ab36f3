"""What holds for all use cases: validity, first and last reading, order, late readings, change of the end."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from taf_parts import QUARTER, A, B, at, entries, events, grid, point, profile, restarted, run, values

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Event, Kind
from firmware.metering.tariffs.errors import ProfileError
from firmware.metering.tariffs.profile import EvaluationProfile, Term
from firmware.metering.tariffs.refused import NAMES, UseCaseRefused, refusal
from firmware.metering.tariffs.rows import MOST_PENDING

BEGIN, END = at(2026, 3, 1), at(2026, 3, 1, 2)


def made(end_s: int | None = END, *terms: Term) -> EvaluationProfile:
    return profile(7, BEGIN, end_s, *terms)


def test_nothing_outside_the_validity_is_evaluated() -> None:
    case = use_case(made())
    outputs = run(case, grid(BEGIN - 3 * QUARTER, END + 3 * QUARTER))
    assert [one.at_s for one in entries(outputs)] == list(range(BEGIN, END + 1, QUARTER))
    assert case.ended
    assert case.take(point(END + QUARTER, 1)) == case.advance(END + QUARTER) == []


def test_there_is_a_first_and_a_last_reading_and_they_are_told() -> None:
    """E4294946295 at the begin, E20012 at the end; the sender tells of the readings (E16002, E16003)."""
    case = use_case(made())
    outputs = run(case, grid(BEGIN, END))
    kinds = [one.kind for one in entries(outputs)]
    assert kinds == [Kind.FIRST, *[Kind.PERIOD] * 7, Kind.LAST]
    assert events(outputs, "tariff_started") == [Event("tariff_started", BEGIN, {"profile": "taf7", "meters": A.meter})]
    assert events(outputs, "evaluation_profile_ended") == [Event("evaluation_profile_ended", END, {"profile": "taf7"})]
    assert outputs[0] == events(outputs, "tariff_started")[0]
    assert outputs[-1] == events(outputs, "evaluation_profile_ended")[0]


def test_a_first_reading_that_is_missing_is_an_entry_without_a_value() -> None:
    case = use_case(made())
    (one,) = entries(case.advance(BEGIN))
    assert (one.kind, one.amount, one.status.has(GatewayBit.NO_VALUE)) == (Kind.FIRST, None, True)


def test_what_comes_after_its_window_is_left_out() -> None:
    case = use_case(made())
    case.take(point(BEGIN, 1))
    case.advance(BEGIN + QUARTER)
    assert case.decided_s == BEGIN + QUARTER
    assert case.take(point(BEGIN + QUARTER, 2)) == []
    assert values(entries(case.take(point(BEGIN + 2 * QUARTER, 3)))) == [3]


def test_an_instant_counts_once_and_instants_off_the_grid_do_not_count() -> None:
    case = use_case(made())
    outputs = run(case, [point(BEGIN, 1), point(BEGIN, 2), point(BEGIN + 60, 3), point(BEGIN + QUARTER, 4)])
    assert values(entries(outputs)) == [1, 4]


def test_the_first_of_two_readings_for_an_instant_counts_while_another_meter_is_waited_for() -> None:
    case = use_case(made(END, Term(A), Term(B)))
    assert run(case, [point(BEGIN, 1, A), point(BEGIN, 2, A), point(BEGIN - QUARTER, 3, A)]) == []
    assert values(entries(case.take(point(BEGIN, 10, B)))) == [1, 10]


def test_a_register_of_another_profile_is_left_alone() -> None:
    case = use_case(made())
    assert case.take(point(BEGIN, 1, B)) == []
    assert case.decided_s == BEGIN - QUARTER


def test_an_instant_waits_for_all_meters_and_no_longer_than_the_host_says() -> None:
    case = use_case(made(END, Term(A), Term(B)))
    assert case.take(point(BEGIN, 1, A)) == []
    assert values(entries(case.take(point(BEGIN, 10, B)))) == [1, 10]
    case.take(point(BEGIN + QUARTER, 2, A))
    assert values(entries(case.advance(BEGIN + QUARTER))) == [2, None]
    assert case.take(point(BEGIN + QUARTER, 11, B)) == []


def test_a_meter_that_never_answers_holds_nothing_up_for_ever() -> None:
    case = use_case(made(None, Term(A), Term(B)))
    outputs = run(case, grid(BEGIN, BEGIN + (MOST_PENDING + 5) * QUARTER))
    assert len(entries(outputs)) == 2 * 6
    assert len(case.state()["rows"]["pending"]) <= MOST_PENDING


def test_readings_after_the_end_leave_nothing_behind() -> None:
    case = use_case(made(END, Term(A), Term(B)))
    run(case, grid(BEGIN, END + 50 * QUARTER, source=A))
    case.advance(END)
    run(case, grid(END + QUARTER, END + 50 * QUARTER, source=B))
    assert case.ended
    assert case.state()["rows"]["pending"] == []


# --- change of the end


def test_the_end_can_be_set_and_moved_while_it_is_to_come() -> None:
    """E20032."""
    case = use_case(made(None))
    run(case, grid(BEGIN, BEGIN + QUARTER))
    (told,) = case.end_at(END)
    assert told == Event("end_date_corrected", BEGIN + QUARTER, {"profile": "taf7", "time": "2026-03-01T01:00:00Z"})
    case.end_at(END + QUARTER)
    outputs = run(case, grid(BEGIN + 2 * QUARTER, END + 2 * QUARTER))
    assert (entries(outputs)[-1].kind, entries(outputs)[-1].at_s) == (Kind.LAST, END + QUARTER)


def test_the_end_can_be_taken_away() -> None:
    case = use_case(made())
    (told,) = case.end_at(None)
    assert isinstance(told, Event)
    assert told.parameters["time"] == "open"
    outputs = run(case, grid(BEGIN, END + QUARTER))
    assert not case.ended
    assert [one.kind for one in entries(outputs)][-2:] == [Kind.PERIOD] * 2


@pytest.mark.parametrize(
    ("end_s", "words"),
    [
        (BEGIN + QUARTER, "is past: readings are evaluated up to 2026-03-01T00:15:00Z"),
        (END + 60, "no multiple of the registration period of 900 s"),
    ],
)
def test_an_end_that_is_past_or_off_the_grid_is_refused(end_s: int, words: str) -> None:
    case = use_case(made(None))
    run(case, grid(BEGIN, BEGIN + 5 * QUARTER))
    with pytest.raises(ProfileError, match=words):
        case.end_at(end_s)
    assert case.profile.end_s is None


def test_a_profile_that_has_ended_has_no_other_end() -> None:
    case = use_case(made())
    run(case, grid(BEGIN, END))
    with pytest.raises(ProfileError, match="has ended already"):
        case.end_at(END + QUARTER)


def test_an_end_before_the_begin_is_refused() -> None:
    with pytest.raises(ProfileError, match="is past"):
        use_case(made()).end_at(BEGIN)


def test_recipients_may_change_while_it_runs() -> None:
    case = use_case(made())
    run(case, grid(BEGIN, BEGIN + QUARTER))
    case.send_to(("other",))
    assert case.profile == replace(made(), recipients=("other",))


# --- state


def test_a_changed_end_and_started_profile_are_kept_over_a_restart() -> None:
    case = use_case(made(None))
    first = run(case, grid(BEGIN, BEGIN + QUARTER))
    case.end_at(END)
    again = restarted(case, made(None))
    assert again.profile.end_s == END
    outputs = run(again, grid(BEGIN + 2 * QUARTER, END))
    assert events(outputs, "tariff_started") == []
    assert len(entries([*first, *outputs])) == 9


def test_the_state_of_another_use_case_is_refused() -> None:
    state = json.loads(json.dumps(use_case(made()).state()))
    with pytest.raises(ProfileError, match="state of TAF-7, not of TAF-6"):
        use_case(profile(6, BEGIN), state)


# --- refused use cases


@pytest.mark.parametrize("number", [3, 4, 5, 8, 11, 12, 13])
def test_the_use_cases_that_gateways_do_not_have_are_refused(number: int) -> None:
    """[CASA] 2.4.2: not supported; the answer is 400 and P10219 in the log (wan-core 6.2)."""
    with pytest.raises(UseCaseRefused) as caught:
        use_case(profile(number, BEGIN))
    refused = caught.value.refusal
    assert (refused.answer, refused.event) == (400, "evaluation_profile_rejected")
    assert refused.reason == f"TAF-{number} ({NAMES[number]}) is not supported by this gateway"


@pytest.mark.parametrize("number", [0, 15, -1])
def test_numbers_that_are_no_use_case_are_refused(number: int) -> None:
    with pytest.raises(UseCaseRefused, match=f"there is no TAF-{number}, .* 1 to 14"):
        use_case(profile(number, BEGIN))


def test_a_gateway_of_software_1_0_has_four_use_cases() -> None:
    """[PPC] 1: TAF-9, 10 and 14 came with software 1.1."""
    old = frozenset((1, 2, 6, 7))
    assert [number for number in range(1, 15) if refusal(number, old) is None] == [1, 2, 6, 7]
    assert [number for number in range(1, 15) if refusal(number) is None] == [1, 2, 6, 7, 9, 10, 14]
    assert refusal(3, frozenset(range(1, 15))) is not None
