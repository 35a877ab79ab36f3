"""What is true of every use case whatever the meters say, and wherever power fails."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taf_calendars import calendars
from taf_parts import A, B, entries, profile, restarted
from taf_scripts import STEP_S, Script, scripts

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.calendar import Calendar
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Cause, Delivery, Derived, Kind, Output
from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import (
    Aggregate,
    BillingPeriod,
    EvaluationProfile,
    Sending,
    Term,
    Threshold,
)
from firmware.metering.tariffs.readings import Amount, Source
from firmware.metering.tariffs.taf2 import Taf2
from firmware.metering.tariffs.use_case import UseCase

QUICK = settings(max_examples=25, deadline=None, derandomize=True)
SIGNS = st.sampled_from((1, -1))
LIMIT = Threshold(A, Amount(1500, -1), hysteresis=Amount(20, -1))
SENDING = {
    9: Sending(on_demand=True, every_s=4 * STEP_S, thresholds=(LIMIT,), aggregates=tuple(Aggregate)),
    10: Sending(every_s=2 * STEP_S, thresholds=(LIMIT,), aggregates=(Aggregate.MEAN,)),
    14: Sending(every_s=8 * STEP_S, thresholds=(LIMIT,), capacity=30),
}


def made(number: int, script: Script, calendar: Calendar | None = None, sign: int = 1) -> EvaluationProfile:
    fields: dict[str, Any] = {"sending": SENDING[number], "pseudonym": "p"} if number in SENDING else {}
    if number == 2:
        fields = {"stages": (1, 2, 3), "billing": BillingPeriod(1, "day")}
        fields |= {} if calendar is None else {"calendar": calendar}
    terms = (Term(A), Term(B, sign))  # type: ignore[arg-type]
    return profile(number, script.begin_s, script.end_s, *terms, **fields)


def live(case: UseCase, script: Script, restarts: frozenset[int] = frozenset()) -> tuple[UseCase, list[Output]]:
    """The outputs of a life; before each act whose number is in `restarts` power fails, the state goes through JSON."""
    original, outputs = case.profile, list[Output]()
    for number, act in enumerate(script.acts):
        if number in restarts:
            case = restarted(case, original)
        found = case.advance(act[1]) if isinstance(act, tuple) else case.take(act)
        outputs += found
        for one in found:
            if isinstance(one, Delivery) and isinstance(case, Measured):
                _answer(case, one)
    return case, outputs


def _answer(case: Measured, delivery: Delivery) -> None:
    """Every third delivery arrives, every third is given up, of the others nobody says anything."""
    if delivery.number % 3 == 0:
        case.delivered(delivery.number)
    elif delivery.number % 3 == 1:
        case.failed(delivery.number)


def good_totals(script: Script, sign: int) -> dict[int, int]:
    """Instant -> total, where each meter has a reading that may be billed and did not fall; by other means."""
    last: dict[Source, int] = {}
    found = {}
    for number in range(script.instants + 1):
        at_s = script.begin_s + number * STEP_S
        parts: list[int] = []
        for source, factor in ((A, 1), (B, sign)):
            one = script.said.get(at_s, {}).get(source)
            if one is None or one.amount is None:
                continue
            gateway, meter = str(one.status)[:8], str(one.status)[8:]
            radio = int(gateway, 16) & 0x00004000
            if int(gateway, 16) & 0x00C20000 or (int(meter, 16) & 0x00604000 and not radio):
                continue
            if one.amount.value < last.get(source, 0):
                continue
            last[source] = one.amount.value
            parts.append(factor * one.amount.value)
        if len(parts) == 2:
            found[at_s] = sum(parts)
    return found


@QUICK
@given(scripts(), calendars(), SIGNS)
def test_the_stages_and_the_error_register_are_always_what_the_total_has_risen_by(
    script: Script, calendar: Calendar, sign: int
) -> None:
    case, outputs = live(use_case(made(2, script, calendar, sign)), script)
    totals = good_totals(script, sign)
    first, last = (next(iter(totals.values())), list(totals.values())[-1]) if totals else (0, 0)
    assert isinstance(case, Taf2)
    assert sum(one.value for one in case.registers().values()) == last - first
    by_instant: dict[int, list[Derived]] = {}
    for one in entries(outputs):
        by_instant.setdefault(one.at_s, []).append(one)
    for at_s, (total, *stages) in by_instant.items():
        known = [one.amount.value for one in stages if one.amount is not None]
        assert len(known) in (0, 4)
        assert bool(known) == (at_s in totals)
        if known and total.amount is not None:
            assert sum(known) == total.amount.value - first


@QUICK
@given(scripts(), calendars(), SIGNS)
def test_each_rise_is_in_the_stage_of_its_quarters_or_in_the_error_register(
    script: Script, calendar: Calendar, sign: int
) -> None:
    """Quarter by quarter, without the engine's search for spans."""
    case, _ = live(use_case(made(2, script, calendar, sign)), script)
    wanted = dict.fromkeys((1, 2, 3, 63), 0)
    for (since, before), (until, value) in pairwise(good_totals(script, sign).items()):
        stages = {calendar.stage_at(at_s) for at_s in range(since, until, STEP_S)}
        wanted[stages.pop() if len(stages) == 1 else 63] += value - before
    assert isinstance(case, Taf2)
    assert [one.value for one in case.registers().values()] == list(wanted.values())


@pytest.mark.parametrize("number", [1, 2, 6, 7])
@QUICK
@given(scripts(), SIGNS)
def test_lists_are_in_the_order_of_time_without_doubles_and_no_value_is_valid_and_marked(
    number: int, script: Script, sign: int
) -> None:
    case, outputs = live(use_case(made(number, script, sign=sign)), script)
    assert case.ended
    found = entries(outputs)
    instants = [one.at_s for one in found]
    assert instants == sorted(instants)
    assert len({(one.register, one.meter, one.at_s) for one in found}) == len(found)
    assert all(script.begin_s <= one <= script.end_s for one in instants)
    for one in found:
        assert (one.amount is None) == one.status.has(GatewayBit.NO_VALUE)
    assert {one.at_s for one in found if one.kind is Kind.FIRST} == {script.begin_s}
    assert {one.at_s for one in found if one.kind is Kind.LAST} == {script.end_s}


@QUICK
@given(scripts())
def test_the_load_profile_is_what_was_read_in_time_and_nothing_else(script: Script) -> None:
    _, outputs = live(use_case(made(7, script)), script)
    found = {(one.at_s, one.meter): one.amount for one in entries(outputs)}
    assert len(found) == 2 * (script.instants + 1)
    for (at_s, meter), amount in found.items():
        read = [one.amount for source, one in script.said.get(at_s, {}).items() if source.meter == meter]
        assert [amount] == (read or [None])


@pytest.mark.parametrize("number", [9, 10, 14])
@QUICK
@given(scripts(most=60))
def test_measured_values_are_never_for_billing_and_have_no_meter(number: int, script: Script) -> None:
    _, outputs = live(use_case(made(number, script)), script)
    deliveries = [one for one in outputs if isinstance(one, Delivery)]
    assert [one.number for one in deliveries] == list(range(1, len(deliveries) + 1))
    for delivery in deliveries:
        assert delivery.values
        for one in delivery.values:
            assert one.status.has(GatewayBit.NOT_FOR_BILLING)
            assert one.status.has(GatewayBit.THRESHOLD) == (delivery.cause is Cause.THRESHOLD)
            assert (one.amount is None) == one.status.has(GatewayBit.NO_VALUE)
            assert one.meter == "p"
        instants = [one.at_s for one in delivery.values]
        assert instants == sorted(instants)


@QUICK
@given(scripts(most=100))
def test_each_sample_of_taf_14_is_delivered_under_way_unsent_or_counted_as_lost(script: Script) -> None:
    case = use_case(made(14, script))
    assert isinstance(case, Measured)
    arrived = lost = 0
    for act in script.acts:
        for one in case.advance(act[1]) if isinstance(act, tuple) else case.take(act):
            if isinstance(one, Delivery):
                lost += one.lost
                arrived += len(one.values) if one.number % 3 == 0 else 0
                _answer(case, one)
    kept = case.state()["own"]
    known = len(case.unsent) + arrived + lost + kept["lost"] + sum(count for _, count in kept["dropped"])
    assert known == 2 * (script.instants + 1)
    assert len(case.unsent) <= 30


@pytest.mark.parametrize("number", [1, 2, 6, 7, 9, 10, 14])
@QUICK
@given(scripts(most=80), calendars(), SIGNS, st.sets(st.integers(0, 300), max_size=12))
def test_a_restart_is_as_if_nothing_had_happened(
    number: int, script: Script, calendar: Calendar, sign: int, restarts: set[int]
) -> None:
    original = made(number, script, calendar, sign)
    case, outputs = live(use_case(original), script)
    again, other = live(use_case(original), script, frozenset(restarts))
    assert other == outputs
    assert again.state() == case.state()
    assert json.loads(json.dumps(case.state())) == restarted(case, original).state()


@QUICK
@given(scripts(most=60), calendars(), st.integers(0, 120), st.integers(0, 70))
def test_an_end_that_is_moved_is_kept_over_a_restart(
    script: Script, calendar: Calendar, when: int, quarters: int
) -> None:
    original = made(2, script, calendar)
    lives = []
    for fails in (False, True):
        case, outputs = use_case(original), list[Output]()
        for number, act in enumerate(script.acts):
            end_s = script.begin_s + quarters * STEP_S
            if number == when and not case.ended and case.decided_s < end_s != script.begin_s:
                outputs += case.end_at(end_s)
                case = restarted(case, original) if fails else case
            outputs += case.advance(act[1]) if isinstance(act, tuple) else case.take(act)
        lives.append((outputs, case.state()))
    assert lives[0] == lives[1]
