"""The rules of evaluation profiles, each with a profile that breaks it (wan-core 6.2, 6.4.3)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import time

import pytest
from taf_parts import DAY_AND_NIGHT, QUARTER, A, B, at, profile

from firmware.metering.tariffs.calendar import Calendar, DayProfile, Season, SpecialDay, Week
from firmware.metering.tariffs.profile import (
    Aggregate,
    BillingPeriod,
    EvaluationProfile,
    Sending,
    Term,
    Threshold,
)
from firmware.metering.tariffs.readings import Amount, Source
from firmware.metering.tariffs.rules import (
    Known,
    change_findings,
    deletion_finding,
    findings,
    referring,
)

BEGIN, END = at(2026, 2, 1), at(2026, 8, 1)
NOW = BEGIN - 3600
KNOWN = Known(
    registers={A.meter: frozenset((A.obis,)), B.meter: frozenset()},
    consumers=frozenset(("home",)),
    recipients=frozenset(("supplier",)),
    profiles=frozenset(("other",)),
)
POWER = Source(B.meter, "1-0:16.7.0*255")
HALVES = DayProfile("halves", ((time(), 1), (time(0, 30), 2)))
PERIODIC = Sending(every_s=900)


def good(use_case: int, **fields: object) -> EvaluationProfile:
    """A profile without findings, changed."""
    extra: dict[str, object] = {}
    if use_case in (9, 10, 14):
        extra = {"terms": (Term(POWER),), "period_s": 60, "sending": PERIODIC, "pseudonym": "p-1"}
    return replace(profile(use_case, BEGIN, END), **(extra | fields))  # type: ignore[arg-type]


def told(made: EvaluationProfile, now_s: int = NOW) -> list[tuple[str, int]]:
    return [(one.rule, one.answer) for one in findings(made, KNOWN, now_s)]


@pytest.mark.parametrize("number", [1, 2, 6, 7, 9, 10, 14])
def test_a_profile_that_makes_sense_has_no_findings(number: int) -> None:
    assert told(good(number)) == []
    assert told(good(number, end_s=None)) == []


@pytest.mark.parametrize(
    ("made", "rule", "answer", "words"),
    [
        (good(7, name="x" * 64), "V2", 400, "64 characters, at most 63"),
        (good(7, name=""), "V2", 400, "letters, digits"),
        (good(7, name="a b"), "V2", 400, "'a b'"),
        (good(7, name="-a"), "V2", 400, "'-a'"),
        (good(7, name="other"), "V2", 409, "there is an evaluation profile other already"),
        (good(7, terms=(Term(Source(A.meter, "1.8.0")),)), "V2", 400, "no OBIS code"),
        (good(7, terms=(Term(A), Term(A))), "V2", 400, "named more than once"),
        (good(7, terms=()), "V3", 400, "names no register"),
        (good(7, terms=(Term(Source("none", A.obis)),)), "V3", 409, "no meter profile of meter none"),
        (good(7, terms=(Term(Source(A.meter, "1-0:2.8.0*255")),)), "V3", 409, "does not keep"),
        (good(7, consumer="nobody"), "V3", 409, "no consumer 'nobody'"),
        (good(7, recipients=("stranger",)), "V3", 409, "no communication profile 'stranger'"),
        (good(7, end_s=BEGIN), "V5", 400, "not after the begin"),
        (good(7, begin_s=NOW - 2 * QUARTER), "V5", 400, "more than a registration period ago"),
        (good(7, begin_s=BEGIN + 60), "V5", 400, "the begin .* no multiple"),
        (good(7, end_s=END + 60), "V5", 400, "the end .* no multiple"),
        (good(7, period_s=600), "V6", 400, "multiples of 15 min"),
        (good(6, period_s=2700 + 900 * 4), "V6", 400, "divide a day"),
        (good(2, period_s=0), "V6", 400, "makes no sense"),
        (good(6, period_s=2 * 3600), "V6", 400, "local midnight"),
        (good(1, stages=(1, 2)), "V7", 400, "single tariff stage"),
        (good(1, calendar=DAY_AND_NIGHT), "V7", 400, "no switch table"),
        (good(1, billing=None), "V7", 400, "not none"),
        (good(1, billing=BillingPeriod(14, "day")), "V7", 400, "not 14 days"),
        (good(1, billing=BillingPeriod(4)), "V7", 400, "not 4 months"),
        (good(1, begin_s=BEGIN + 86_400), "V7", 400, "begins on the first of a month"),
        (good(1, end_s=END + 86_400), "V7", 400, "ends on the first of a month"),
        (good(1, billing=BillingPeriod(12)), "V7", 400, "inside a billing period"),
        (good(1, terms=(Term(A), Term(Source(B.meter, "7-0:3.0.0*255")))), "V7", 400, "do not add up"),
        (good(2, terms=(Term(A), Term(POWER))), "V8", 400, "do not add up"),
        (good(2, stages=(1,)), "V8", 400, "2 to 20 tariff stages, not 1"),
        (good(2, stages=tuple(range(1, 22))), "V8", 400, "not 21"),
        (good(2, stages=(1, 2, 2)), "V8", 400, "named more than once"),
        (good(2, stages=(0, 1, 2)), "V8", 400, "no tariff stage 0"),
        (good(2, stages=(1, 3)), "V8", 400, "names stage 2"),
        (good(2, calendar=None), "V8", 400, "needs a switch table"),
        (good(2, calendar=Calendar.daily((time(), 1), (time(6), 2))), "V8", 400, "no default stage"),
        (good(2, calendar=Calendar.daily((time(6), 2), default=1)), "V8", 400, "'day' begins at 06:00"),
        (good(2, calendar=Calendar.daily((time(), 1), default=3), stages=(1, 2)), "V8", 400, "default stage 3"),
        (good(2, period_s=3600, calendar=Calendar((HALVES,), (Week("w", ("halves",) * 7),),
         (Season("s", 1, 1, "w"),), default=1)), "V8", 400, "00:30, which is no registration instant"),
        (good(2, calendar=Calendar((HALVES,), special=[SpecialDay(2, 1, "halves")], default=1)), "V8", 400,
         "no entry for 2026-02-02"),
        (good(2, billing=BillingPeriod(0)), "V8", 400, "makes no sense"),
        (good(14, period_s=30), "V9", 400, "at least 60 s"),
        (good(9, pseudonym=""), "V10", 400, "needs a pseudonym"),
        (good(10, billing_relevant=True), "V10", 400, "never billed"),
        (good(9, billing=BillingPeriod(1)), "V10", 400, "never billed"),
        (good(9, sending=Sending()), "use case", 400, "nothing triggers"),
        (good(14, sending=Sending(on_demand=True)), "use case", 400, "not on demand"),
        (good(9, sending=Sending(each=True)), "use case", 400, "not every sample"),
        (good(14, sending=Sending(every_s=900, aggregates=(Aggregate.MEAN,))), "use case", 400, "TAF-9 and 10"),
        (good(9, sending=Sending(every_s=90)), "use case", 400, "no multiple of the sampling period"),
        (good(9, sending=Sending(every_s=900, capacity=0)), "use case", 400, "no room"),
        (good(9, sending=Sending(thresholds=(Threshold(A, Amount(1)),))), "use case", 400, "does not read"),
        (good(9, sending=Sending(thresholds=(Threshold(POWER, Amount(1), hysteresis=Amount(-1)),))), "use case", 400,
         "is negative"),
        (good(9, terms=(Term(Source(B.meter, "1-0:32.7.0*255")),)), "use case", 400, "no quantity of TAF-9"),
        (good(10, terms=(Term(A),)), "use case", 400, "no quantity of TAF-10"),
    ],
)  # fmt: skip
def test_a_profile_that_breaks_a_rule_is_told_so(made: EvaluationProfile, rule: str, answer: int, words: str) -> None:
    found = findings(made, KNOWN, NOW)
    assert any((one.rule, one.answer) == (rule, answer) and re.search(words, one.reason) for one in found), found


@pytest.mark.parametrize("number", [3, 4, 5, 8, 11, 12, 13, 99])
def test_a_use_case_that_there_is_not_is_told_alone(number: int) -> None:
    assert told(replace(profile(number, BEGIN), name="", consumer="nobody")) == [("use case", 400)]


def test_no_pseudonym_is_needed_when_the_contract_does_without() -> None:
    assert told(good(9, pseudonym="", pseudonymised=False)) == []


def test_taf_14_takes_energies_and_powers_and_taf_10_what_the_grid_has() -> None:
    energies = [f"1-0:{c}.8.0*255" for c in (1, 2, 5, 6, 7, 8, 21, 41, 61, 22, 42, 62)]
    powers = [f"1-0:{c}.7.0*255" for c in (16, 36, 56, 76)]
    grid = [f"1-0:{c}.7.0*255" for c in (14, 31, 51, 71, 32, 52, 72)]
    grid += [f"1-0:81.7.{e}*255" for e in (1, 2, 4, 15, 26)]
    for number, codes in ((14, energies + powers), (10, powers + grid), (9, powers)):
        assert told(good(number, terms=tuple(Term(Source(B.meter, one)) for one in codes))) == []
    assert told(good(14, terms=(Term(Source(B.meter, "1-0:32.7.0*255")),))) == [("use case", 400)]


def test_a_begin_one_period_ago_is_still_right() -> None:
    assert told(good(7), BEGIN + QUARTER) == []
    assert told(good(7), BEGIN + QUARTER + 1) == [("V5", 400)]


# --- change and deletion


def test_before_it_runs_all_may_change() -> None:
    assert change_findings(good(7), good(7, begin_s=BEGIN + QUARTER), KNOWN, NOW, None) == []
    assert change_findings(good(7), good(7, consumer="nobody"), KNOWN, NOW, BEGIN - QUARTER)[0].rule == "V3"


@pytest.mark.parametrize(
    ("number", "field", "value"),
    [(7, "terms", (Term(B),)), (7, "period_s", 1800), (2, "calendar", None), (1, "billing", BillingPeriod(3))],
)
def test_while_it_runs_the_rules_of_the_tariff_may_not_change(number: int, field: str, value: object) -> None:
    (one,) = change_findings(good(number), good(number, **{field: value}), KNOWN, NOW, BEGIN)
    assert (one.rule, one.answer) == ("V5", 409)
    assert field in one.reason


def test_while_it_runs_recipients_and_end_may_change() -> None:
    assert change_findings(good(7), good(7, recipients=(), end_s=END + QUARTER), KNOWN, NOW, BEGIN) == []
    assert change_findings(good(7), good(7, end_s=None), KNOWN, NOW, BEGIN) == []
    unknown = change_findings(good(7), good(7, recipients=("stranger",)), KNOWN, NOW, BEGIN)
    assert [(one.rule, one.answer) for one in unknown] == [("V3", 409)]


def test_an_end_that_is_past_or_breaks_the_tariff_is_refused() -> None:
    late = change_findings(good(7), good(7, end_s=BEGIN + QUARTER), KNOWN, NOW, BEGIN + QUARTER)
    assert [(one.rule, one.answer) for one in late] == [("V5", 400)]
    inside = change_findings(good(1), good(1, end_s=at(2026, 7, 15)), KNOWN, NOW, BEGIN)
    assert {one.rule for one in inside} == {"V7"}
    days = [SpecialDay(2, day, "halves", 2026) for day in range(1, 29)]
    short = good(2, end_s=at(2026, 3, 1), calendar=Calendar((HALVES,), special=days, default=1))
    assert told(short) == []
    for end_s in (at(2026, 3, 2), None):
        (one,) = change_findings(short, replace(short, end_s=end_s), KNOWN, NOW, BEGIN)
        assert "no entry for 2026-03-01" in one.reason


def test_a_running_profile_is_not_deleted() -> None:
    assert deletion_finding(good(7), None, ended=False) is None
    assert deletion_finding(good(7), BEGIN - QUARTER, ended=False) is None
    assert deletion_finding(good(7), END, ended=True) is None
    running = deletion_finding(good(7), BEGIN, ended=False)
    assert running is not None
    assert (running.rule, running.answer) == ("V4", 409)


def test_the_profiles_that_refer_to_a_thing_are_named() -> None:
    both = (good(7), good(9, name="nine", recipients=()))
    assert referring(both, meter=B.meter) == ["nine"]
    assert referring(both, consumer="home") == ["taf7", "nine"]
    assert referring(both, recipient="supplier") == ["taf7"]
    assert referring(both) == []
