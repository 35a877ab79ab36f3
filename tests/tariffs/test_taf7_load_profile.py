"""TAF-7: a value at each multiple of the registration period (wan-core 7.6)."""

from __future__ import annotations

import pytest
from taf_parts import GOOD, QUARTER, TIME_INVALID, A, B, at, entries, events, grid, point, profile, run, values

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.profile import Term
from firmware.metering.tariffs.readings import Source, with_bits

BEGIN = at(2026, 3, 1)


@pytest.mark.parametrize(("month", "day", "wanted"), [(3, 29, 92), (10, 25, 100), (2, 28, 96)])
def test_a_day_has_as_many_values_as_quarters_really_passed(month: int, day: int, wanted: int) -> None:
    begin = at(2026, month, day)
    following = at(2026, 3, 1) if month == 2 else at(2026, month, day + 1)
    found = entries(run(use_case(profile(7, begin, following)), grid(begin, following)))
    assert len(found) == wanted + 1
    assert values(found) == list(range(0, 10 * wanted + 1, 10))


def test_longer_periods_take_the_readings_of_their_instants() -> None:
    begin, end = at(2026, 3, 1), at(2026, 3, 1, 6)
    found = entries(run(use_case(profile(7, begin, end, period_s=3600)), grid(begin, end)))
    assert values(found) == [0, 40, 80, 120, 160, 200, 240]


def test_missing_slots_have_entries_without_a_value() -> None:
    case = use_case(profile(7, BEGIN))
    case.take(point(BEGIN, 1))
    found = entries(case.take(point(BEGIN + 4 * QUARTER, 5)))
    assert values(found) == [None, None, None, 5]
    assert [str(one.status) for one in found] == ["A004000020000000"] * 3 + [str(GOOD)]


def test_marks_of_readings_stay() -> None:
    case = use_case(profile(7, BEGIN))
    (one,) = entries(case.take(point(BEGIN, 1, status=TIME_INVALID)))
    assert (one.status, values([one])) == (TIME_INVALID, [1])
    gap = with_bits(TIME_INVALID, GatewayBit.NO_VALUE)
    lost = point(BEGIN + QUARTER, None)
    object.__setattr__(lost, "status", TIME_INVALID)
    (two,) = entries(case.take(lost))
    assert (two.status, two.amount) == (gap, None)


def test_a_counter_that_fell_is_warned_of_until_it_is_past_its_last_good_value() -> None:
    case = use_case(profile(7, BEGIN))
    outputs = run(case, [point(BEGIN + number * QUARTER, value) for number, value in enumerate((10, 8, 9, 10, 4))])
    assert values(entries(outputs)) == [10, 8, 9, 10, 4]
    assert [one.status.has(GatewayBit.WARNING) for one in entries(outputs)] == [False, True, True, False, True]
    assert [one.at_s for one in events(outputs, "register_fell")] == [BEGIN + QUARTER, BEGIN + 4 * QUARTER]


def test_power_may_fall() -> None:
    power = Source(A.meter, "1-0:16.7.0*255")
    outputs = run(
        use_case(profile(7, BEGIN, None, Term(power))), [point(BEGIN, 9, power), point(BEGIN + QUARTER, -9, power)]
    )
    assert values(entries(outputs)) == [9, -9]
    assert events(outputs, "register_fell") == []


def test_registers_of_several_meters_stand_in_the_order_of_the_profile() -> None:
    case = use_case(profile(7, BEGIN, None, Term(B), Term(A)))
    found = entries(run(case, [point(BEGIN, 1, A), point(BEGIN, 2, B)]))
    assert [one.meter for one in found] == [B.meter, A.meter]
    assert [one.unit for one in found] == [30, 30]
