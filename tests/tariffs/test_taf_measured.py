"""TAF-9, 10, 14: triggers, aggregates, pseudonyms, never for billing (wan-core 7.6, [CASA] 2.4.2, 4.5)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from taf_parts import (
    DEGREE,
    GOOD,
    TIME_INVALID,
    WATT,
    A,
    B,
    at,
    point,
    profile,
    restarted,
    run,
    values,
)

from firmware.metering.status_word import GatewayBit, combined_radio
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Cause, Delivery, Event, Kind, Output
from firmware.metering.tariffs.errors import TariffError
from firmware.metering.tariffs.measured import Measured
from firmware.metering.tariffs.profile import Aggregate, EvaluationProfile, Sending, Term, Threshold
from firmware.metering.tariffs.readings import Amount, Point, Source, with_bits
from firmware.metering.tariffs.statistics import Window

POWER, POWER_B = Source(A.meter, "1-0:16.7.0*255"), Source(B.meter, "1-0:16.7.0*255")
ANGLE = Source(A.meter, "1-0:81.7.1*255")
BEGIN, MINUTE = at(2026, 5, 1), 60
ALL = (Aggregate.MINIMUM, Aggregate.MAXIMUM, Aggregate.MEAN)


def measured(number: int, sending: Sending, *sources: Source, **fields: object) -> EvaluationProfile:
    terms = [Term(one) for one in sources or (POWER,)]
    bare = profile(number, BEGIN, None, *terms, period_s=MINUTE, sending=sending, pseudonym="p-77")
    return replace(bare, **fields)  # type: ignore[arg-type]


def made(profile: EvaluationProfile) -> Measured:
    case = use_case(profile)
    assert isinstance(case, Measured)
    return case


def samples(numbers: Iterable[int | None], source: Source = POWER, first: int = 0) -> list[Point]:
    """One each minute."""
    return [point(BEGIN + (first + number) * MINUTE, value, source, unit=WATT) for number, value in enumerate(numbers)]


def deliveries(outputs: Iterable[Output]) -> list[Delivery]:
    return [one for one in outputs if isinstance(one, Delivery)]


def over(limit: int, hysteresis: int = 0, source: Source = POWER) -> Threshold:
    return Threshold(source, Amount(limit, -1), hysteresis=Amount(hysteresis, -1))


def under(limit: int, hysteresis: int = 0) -> Threshold:
    return Threshold(POWER, Amount(limit, -1), over=False, hysteresis=Amount(hysteresis, -1))


# --- what all samples have in common


@pytest.mark.parametrize("number", [9, 10, 14])
def test_samples_are_not_for_billing_and_have_the_pseudonym(number: int) -> None:
    case = made(measured(number, Sending(every_s=MINUTE)))
    (one,) = deliveries(run(case, samples([5])))
    (value,) = one.values
    assert (one.cause, one.at_s, one.number) == (Cause.PERIODIC, BEGIN, 1)
    assert (value.kind, value.meter, values([value])) == (Kind.SAMPLE, "p-77", [5])
    assert str(value.status) == "E000000020000000"


def test_the_contract_can_do_without_the_pseudonym() -> None:
    case = made(measured(9, Sending(every_s=MINUTE), pseudonymised=False))
    assert deliveries(run(case, samples([5])))[0].values[0].meter == A.meter


def test_a_phase_that_is_lost_is_sent_without_a_value() -> None:
    """TAF-10: one phase lost."""
    first, second = (Source(A.meter, f"1-0:{c}.7.0*255") for c in (32, 52))
    case = made(measured(10, Sending(every_s=MINUTE), first, second))
    case.take(point(BEGIN, 2301, first))
    (one,) = deliveries(case.advance(BEGIN))
    assert values(one.values) == [2301, None]
    assert str(one.values[1].status) == "E004000020000000"


# --- on demand


def test_on_demand_the_present_values_are_sent() -> None:
    case = made(measured(9, Sending(on_demand=True)))
    assert deliveries(run(case, samples([5, 6]))) == []
    one = case.demand(BEGIN + 90)
    assert (one.cause, one.at_s, values(one.values)) == (Cause.DEMAND, BEGIN + 90, [6])
    assert not one.values[0].status.has(GatewayBit.THRESHOLD)
    assert case.demand(BEGIN + 95).number == 2


def test_a_demand_that_the_profile_does_not_know_or_that_comes_too_early_is_refused() -> None:
    with pytest.raises(TariffError, match="nothing on demand"):
        made(measured(9, Sending(every_s=MINUTE))).demand(BEGIN)
    with pytest.raises(TariffError, match="no value yet"):
        made(measured(9, Sending(on_demand=True))).demand(BEGIN)


# --- periodic


def test_periodic_sending_adds_what_is_made_of_the_span() -> None:
    """Minutes 1 to 5 are 30, 10, -20, 45 and 60: least -20, most 60, mean 25; minute 0 was the span before."""
    case = made(measured(9, Sending(every_s=5 * MINUTE, aggregates=ALL)))
    first, second = deliveries(run(case, samples([7, 30, 10, -20, 45, 60])))
    assert values(first.values) == [7, 7, 7, 7]
    assert [(one.kind, one.amount) for one in second.values] == [
        (Kind.SAMPLE, Amount(60, -1)),
        (Kind.MINIMUM, Amount(-20, -1)),
        (Kind.MAXIMUM, Amount(60, -1)),
        (Kind.MEAN, Amount(25, -1)),
    ]
    assert {one.meter for one in second.values} == {"p-77"}
    assert {str(one.status) for one in second.values} == {"E000000020000000"}
    assert {one.unit for one in second.values} == {WATT}


def test_samples_that_may_not_be_used_are_left_out_of_the_aggregates() -> None:
    bad = replace(samples([999], first=2)[0], status=TIME_INVALID)
    warned = replace(samples([20], first=3)[0], status=with_bits(GOOD, GatewayBit.WARNING))
    case = made(measured(10, Sending(every_s=5 * MINUTE, aggregates=ALL)))
    outputs = run(case, [*samples([0, 10]), bad, warned, *samples([None, 60], first=4)])
    last = deliveries(outputs)[-1]
    assert values(last.values) == [60, 10, 60, 30]
    assert all(one.status.has(GatewayBit.WARNING) for one in last.values[1:])


def test_a_span_without_samples_has_no_aggregates() -> None:
    case = made(measured(9, Sending(every_s=5 * MINUTE, aggregates=ALL)))
    run(case, samples([1]))
    (one,) = deliveries(case.advance(BEGIN + 5 * MINUTE))
    assert values(one.values) == [None] * 4
    assert {str(each.status) for each in one.values} == {"E004000020000000"}


def test_aggregates_of_a_radio_meter_say_so() -> None:
    case = made(measured(9, Sending(every_s=MINUTE, aggregates=ALL)))
    radio = replace(samples([1])[0], status=combined_radio(frozenset()))
    assert all(one.status.has(GatewayBit.RADIO) for one in deliveries(case.take(radio))[0].values)


@pytest.mark.parametrize(
    ("angles", "wanted"),
    [([3590, 10], [3590, 10, 0]), ([10, 3590], [3590, 10, 0]), ([1195, 1205], [1195, 1205, 1200])],
)
def test_angles_are_taken_around_the_full_turn(angles: list[int], wanted: list[int]) -> None:
    """TAF-10: angle wrap; 359 and 1 degree have the mean 0."""
    case = made(measured(10, Sending(every_s=5 * MINUTE, aggregates=ALL), ANGLE))
    run(case, [point(BEGIN, 0, ANGLE, unit=DEGREE)])
    for number, angle in enumerate(angles, 1):
        case.take(point(BEGIN + number * MINUTE, angle, ANGLE, unit=DEGREE))
    (one,) = deliveries(case.advance(BEGIN + 5 * MINUTE))
    assert values(one.values[1:]) == wanted


def test_a_mean_is_rounded_half_to_even() -> None:
    window = Window()
    for value in (1, 2):
        window.add(Amount(value), WATT, GOOD)
    assert window.value(Aggregate.MEAN) == Amount(2)
    window.add(Amount(7, -1), WATT, GOOD)
    assert window.value(Aggregate.MEAN) == Amount(12, -1)
    assert window.value(Aggregate.MINIMUM) == Amount(7, -1)


# --- thresholds


def test_a_limit_triggers_once_and_again_only_after_the_hysteresis() -> None:
    """Limit 100, hysteresis 20: 101 triggers, 81 does not let it trigger again, 80 does."""
    case = made(measured(9, Sending(thresholds=(over(100, 20),))))
    found = deliveries(run(case, samples([100, 101, 99, 150, 81, 101, 80, 100, 101])))
    assert [(one.at_s - BEGIN) // MINUTE for one in found] == [1, 8]
    assert {one.cause for one in found} == {Cause.THRESHOLD}
    assert values(found[0].values) == [101]
    assert str(found[0].values[0].status) == "E000800020000000"


def test_a_lower_limit_works_the_other_way_round() -> None:
    case = made(measured(9, Sending(thresholds=(under(-100, 20),))))
    found = deliveries(run(case, samples([-100, -101, -90, -81, -150, -80, -101])))
    assert [(one.at_s - BEGIN) // MINUTE for one in found] == [1, 6]


def test_a_value_that_trembles_around_the_limit_makes_no_storm() -> None:
    case = made(measured(14, Sending(thresholds=(over(100, 5),))))
    assert len(deliveries(run(case, samples([101, 99] * 200)))) == 1


def test_without_hysteresis_each_passing_triggers() -> None:
    case = made(measured(9, Sending(thresholds=(over(100),))))
    assert len(deliveries(run(case, samples([101, 100] * 5)))) == 5


def test_a_missing_or_unusable_sample_neither_triggers_nor_rearms() -> None:
    case = made(measured(9, Sending(thresholds=(over(100, 20),))))
    bad = replace(samples([500])[0], status=TIME_INVALID)
    back = replace(samples([0], first=3)[0], status=TIME_INVALID)
    outputs = run(case, [bad, *samples([None, 101], first=1), back, *samples([101], first=4)])
    assert [(one.at_s - BEGIN) // MINUTE for one in deliveries(outputs)] == [2]


def test_one_of_several_limits_sends_the_values_of_all_registers() -> None:
    case = made(measured(9, Sending(thresholds=(over(100, 0, POWER_B), over(100))), POWER, POWER_B))
    outputs = run(case, [*samples([5]), *samples([101], POWER_B)])
    (one,) = deliveries(outputs)
    assert values(one.values) == [5, 101]
    assert all(each.status.has(GatewayBit.THRESHOLD) for each in one.values)


def test_limit_and_period_at_the_same_instant_are_two_deliveries() -> None:
    case = made(measured(9, Sending(every_s=MINUTE, thresholds=(over(100),))))
    found = deliveries(run(case, samples([101])))
    assert [(one.cause, one.number) for one in found] == [(Cause.THRESHOLD, 1), (Cause.PERIODIC, 2)]
    assert [one.values[0].status.has(GatewayBit.THRESHOLD) for one in found] == [True, False]


# --- TAF-14


def test_a_limit_sends_all_values_that_were_not_sent() -> None:
    case = made(measured(14, Sending(thresholds=(over(100),))))
    (one,) = deliveries(run(case, samples([1, 2, None, 3, 101])))
    assert values(one.values) == [1, 2, None, 3, 101]
    assert all(each.status.has(GatewayBit.THRESHOLD) for each in one.values)
    case.delivered(one.number)
    assert case.unsent == ()


def test_a_sample_is_in_one_delivery_only() -> None:
    case = made(measured(14, Sending(every_s=3 * MINUTE, thresholds=(over(100),))))
    found = deliveries(run(case, samples([1, 101, 2, 103, 5, 6, 7])))
    assert [values(one.values) for one in found] == [[1], [101], [2, 103], [5, 6, 7]]
    assert [one.cause for one in found] == [Cause.PERIODIC, Cause.THRESHOLD, Cause.THRESHOLD, Cause.PERIODIC]


def test_ad_hoc_each_sample_is_sent_at_once() -> None:
    case = made(measured(14, Sending(each=True)))
    found = deliveries(run(case, samples([1, 2])))
    assert [(one.cause, values(one.values)) for one in found] == [(Cause.EACH, [1]), (Cause.EACH, [2])]


def test_what_could_not_be_delivered_goes_with_the_next_one_in_the_order_of_time() -> None:
    """Trigger while the channel is down."""
    case = made(measured(14, Sending(each=True)))
    first, second = deliveries(run(case, samples([1, 2])))
    case.failed(second.number)
    case.failed(first.number)
    (third,) = deliveries(run(case, samples([3], first=2)))
    assert values(third.values) == [1, 2, 3]
    assert case.under_way == (third.number,)
    case.delivered(third.number)
    assert (case.under_way, case.unsent) == ((), ())


def test_when_there_is_no_room_the_oldest_are_lost_and_counted() -> None:
    """Buffer full: room for 3, seven samples, four lost."""
    case = made(measured(14, Sending(thresholds=(over(100),), capacity=3)))
    (one,) = deliveries(run(case, samples([1, 2, 3, 4, 5, 6, 101])))
    assert (values(one.values), one.lost) == ([5, 6, 101], 4)
    case.delivered(one.number)
    assert deliveries(run(case, samples([0, 101], first=7)))[0].lost == 0


def test_samples_under_way_that_found_no_room_are_lost_only_when_the_delivery_fails() -> None:
    case = made(measured(14, Sending(thresholds=(over(100),), capacity=2)))
    (first,) = deliveries(run(case, samples([1, 101])))
    case = made_again(case)
    (second,) = deliveries(run(case, samples([2, 101], first=2)))
    assert (values(second.values), second.lost) == ([2, 101], 0)
    case.failed(first.number)
    (third,) = deliveries(run(case, samples([3, 101], first=4)))
    assert third.lost == 2
    case.delivered(second.number)
    assert case.under_way == (third.number,)


def made_again(case: Measured) -> Measured:
    again = restarted(case, case.profile)
    assert isinstance(again, Measured)
    assert json.loads(json.dumps(again.state())) == json.loads(json.dumps(case.state()))
    return again


def test_what_is_left_is_sent_at_the_end_of_the_validity() -> None:
    end_s = BEGIN + 4 * MINUTE
    case = made(measured(14, Sending(every_s=3 * MINUTE), end_s=end_s))
    found = deliveries(run(case, samples([1, 2, 3, 4, 5])))
    assert [(one.cause, values(one.values)) for one in found][-1] == (Cause.PERIODIC, [5])
    silent = made(measured(14, Sending(thresholds=(over(100),)), end_s=end_s))
    assert deliveries(run(silent, samples([1, 2, 3, 4, 5]))) == []


def test_deliveries_of_which_nobody_said_what_became_are_known_after_a_restart() -> None:
    case = made(measured(14, Sending(each=True)))
    run(case, samples([1, 2]))
    again = made_again(case)
    assert again.under_way == (1, 2)
    for number in again.under_way:
        again.failed(number)
    assert values(deliveries(run(again, samples([3], first=2)))[0].values) == [1, 2, 3]


def test_where_samples_do_not_outlive_a_power_cut_limits_and_numbers_do() -> None:
    """[CONEXA] E-5.7: values of TAF-9, 10 and 14 are not stored persistently."""
    original = measured(14, Sending(thresholds=(over(100, 20),), persistent=False))
    case = made(original)
    (one,) = deliveries(run(case, samples([1, 101, 90])))
    assert set(case.state()["own"]) == {"armed", "number"}
    again = restarted(case, original)
    assert isinstance(again, Measured)
    assert again.unsent == ()
    later = deliveries(run(again, samples([101, 0, 101], first=3)))
    assert [(each.number, values(each.values)) for each in later] == [(one.number + 1, [101, 0, 101])]


# --- power cuts


def skipped(case: Measured, minutes: int) -> tuple[Measured, list[Output]]:
    """The use case after a power cut that lasted until so many minutes after the begin."""
    again = made_again(case)
    return again, again.skip_to(BEGIN + minutes * MINUTE)


def test_after_a_power_cut_what_was_not_delivered_goes_with_the_next_sample() -> None:
    """No entries are made up for the time without power."""
    case = made(measured(14, Sending(each=True)))
    run(case, samples([1, 2]))
    case, found = skipped(case, 100)
    assert (found, case.under_way, case.decided_s) == ([], (), BEGIN + 100 * MINUTE)
    assert deliveries(run(case, samples([3], first=100))) == []
    (one,) = deliveries(run(case, samples([4], first=101)))
    assert (values(one.values), one.lost) == ([1, 2, 4], 0)


def test_samples_that_do_not_outlive_a_power_cut_are_not_sent() -> None:
    case = made(measured(14, Sending(each=True, persistent=False)))
    run(case, samples([1, 2]))
    case, _ = skipped(case, 100)
    (one,) = deliveries(run(case, samples([4], first=101)))
    assert values(one.values) == [4]
    case.skip_to(BEGIN + 200 * MINUTE)
    (two,) = deliveries(run(case, samples([5], first=201)))
    assert (values(two.values), two.lost) == ([5], 1)


def test_a_begin_and_an_end_without_power_are_told_and_what_is_left_is_sent() -> None:
    end_s = BEGIN + 10 * MINUTE
    case, begun = skipped(made(measured(14, Sending(every_s=5 * MINUTE), end_s=end_s)), 1)
    assert [one.name for one in begun if isinstance(one, Event)] == ["tariff_started"]
    run(case, samples([1, 2], first=2))
    case, (left, ended) = skipped(case, 500)
    assert isinstance(left, Delivery)
    assert values(left.values) == [1, 2]
    assert ended == Event("evaluation_profile_ended", end_s, {"profile": "taf14"})
    assert case.ended
    case.delivered(left.number)
    assert skipped(case, 600)[1] == []


def test_a_power_cut_before_the_begin_changes_nothing() -> None:
    case = made(measured(9, Sending(every_s=MINUTE)))
    again, found = skipped(case, -5)
    assert (found, again.state()) == ([], case.state())
