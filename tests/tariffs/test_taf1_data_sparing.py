"""TAF-1: one reading per billing period, sums and differences of several meters (wan-core 7.6, [CASA] 2.4.2)."""

from __future__ import annotations

import pytest
from taf_parts import (
    GOOD,
    QUARTER,
    TIME_INVALID,
    WATT,
    WH,
    A,
    B,
    at,
    entries,
    events,
    grid,
    point,
    profile,
    run,
    values,
)

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Kind
from firmware.metering.tariffs.errors import ProfileError
from firmware.metering.tariffs.profile import BillingPeriod, Term
from firmware.metering.tariffs.readings import Amount, Source

BEGIN, END = at(2026, 1, 1), at(2026, 4, 1)


def test_there_is_one_reading_per_month_and_no_more() -> None:
    """2976, 2688 and 2972 quarters: January, February, and March of a day with 23 hours."""
    outputs = run(use_case(profile(1, BEGIN, END)), grid(BEGIN, END, 10))
    found = entries(outputs)
    assert [(one.kind, one.at_s) for one in found] == [
        (Kind.FIRST, BEGIN),
        (Kind.BILLING, at(2026, 2, 1)),
        (Kind.BILLING, at(2026, 3, 1)),
        (Kind.LAST, END),
    ]
    assert values(found) == [0, 29760, 56640, 86360]
    assert {one.register for one in found} == {A.obis}
    assert {one.meter for one in found} == {""}


@pytest.mark.parametrize(
    ("months", "ends"),
    [
        (2, [at(2026, 3, 1), at(2026, 5, 1), at(2026, 7, 1)]),
        (3, [at(2026, 4, 1), at(2026, 7, 1)]),
        (6, [at(2026, 7, 1)]),
        (12, []),
    ],
)
def test_longer_billing_periods_count_from_the_begin(months: int, ends: list[int]) -> None:
    case = use_case(profile(1, BEGIN, None, billing=BillingPeriod(months), period_s=3600))
    found = entries(case.advance(at(2026, 8, 15)))
    assert [one.at_s for one in found] == [BEGIN, *ends]


def test_the_sum_and_the_difference_of_meters() -> None:
    """House 1000 and 1600, car 300 and 450: together 1300 and 2050, the difference 700 and 1150."""
    for sign, wanted in ((1, [1300, 2050]), (-1, [700, 1150])):
        case = use_case(profile(1, BEGIN, at(2026, 2, 1), Term(A), Term(B, sign)))  # type: ignore[arg-type]
        outputs = run(case, [point(BEGIN, 1000, A), point(BEGIN, 300, B)])
        outputs += case.advance(at(2026, 2, 1) - QUARTER)
        outputs += run(case, [point(at(2026, 2, 1), 450, B), point(at(2026, 2, 1), 1600, A)])
        assert values(entries(outputs)) == wanted


def test_registers_with_different_scalers_add_up_exactly() -> None:
    case = use_case(profile(1, BEGIN, END, Term(A), Term(B)))
    kilo = point(BEGIN, 2, B)
    object.__setattr__(kilo, "amount", Amount(2, 3))
    (one,) = entries(run(case, [point(BEGIN, 5, A), kilo]))
    assert one.amount == Amount(20005, -1)


def test_a_missing_meter_of_a_sum_leaves_it_without_a_value() -> None:
    """Status bit 13; the value of the other meter is not passed off as the sum."""
    case = use_case(profile(1, BEGIN, END, Term(A), Term(B)))
    case.take(point(BEGIN, 1000, A))
    (one,) = entries(case.advance(BEGIN))
    assert (one.kind, one.amount, str(one.status)) == (Kind.FIRST, None, "A004000020000000")


def test_a_reading_with_invalid_time_is_handed_on_with_its_mark() -> None:
    case = use_case(profile(1, BEGIN, END, Term(A), Term(B)))
    (one,) = entries(run(case, [point(BEGIN, 1, A, TIME_INVALID), point(BEGIN, 2, B)]))
    assert (one.amount, one.status) == (Amount(3, -1), TIME_INVALID)


def test_a_counter_that_falls_is_left_out_and_told_once() -> None:
    case = use_case(profile(1, BEGIN, END))
    outputs = run(case, [point(BEGIN, 100), point(BEGIN + QUARTER, 90), point(BEGIN + 2 * QUARTER, 91)])
    assert [one.parameters for one in events(outputs, "register_fell")] == [{"meter": A.meter, "register": A.obis}]
    case.advance(at(2026, 2, 1) - QUARTER)
    (one,) = entries(case.take(point(at(2026, 2, 1), 99)))
    assert (one.amount, str(one.status)) == (None, "A00C000020000000")
    case.advance(at(2026, 3, 1) - QUARTER)
    (good,) = entries(case.take(point(at(2026, 3, 1), 100)))
    assert (good.amount, good.status) == (Amount(100, -1), GOOD)
    again = run(case, [point(at(2026, 3, 1) + QUARTER, 99)])
    assert len(events(again, "register_fell")) == 1


def test_what_has_different_units_is_not_added_up() -> None:
    case = use_case(profile(1, BEGIN, END, Term(A), Term(B)))
    (one,) = entries(run(case, [point(BEGIN, 1, A), point(BEGIN, 2, B, unit=WATT)]))
    assert one.amount is None
    assert one.status.has(GatewayBit.NO_VALUE)
    assert one.status.has(GatewayBit.WARNING)
    assert one.unit == WH


def test_a_profile_without_a_billing_period_is_refused() -> None:
    with pytest.raises(ProfileError, match="no billing period"):
        use_case(profile(1, BEGIN, billing=None))


def test_the_register_of_a_sum_is_that_of_its_first_term() -> None:
    feed_in = Source(B.meter, "1-0:2.8.0*255")
    case = use_case(profile(1, BEGIN, END, Term(A), Term(feed_in, -1)))
    (one,) = entries(run(case, [point(BEGIN, 1, A), point(BEGIN, 5, feed_in)]))
    assert (one.register, one.amount) == (A.obis, Amount(-4, -1))
