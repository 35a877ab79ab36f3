"""Amounts, status words and points of readings (wan-core 7.2, 7.3; han 5.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taf_parts import GOOD, TIME_INVALID, A, B

from firmware.metering.status_word import GatewayBit, MeterBit, StatusWord, combined, combined_radio
from firmware.metering.tariffs.errors import TariffError
from firmware.metering.tariffs.readings import (
    NO_VALUE,
    Amount,
    Point,
    counts_up,
    groups,
    points,
    severity,
    staged,
    united,
    with_bits,
    word_of,
)
from firmware.metering.values import Entry, Reading

AMOUNTS = st.builds(Amount, st.integers(-(10**18), 10**18), st.integers(-6, 6))


def test_amounts_of_different_scalers_add_up_exactly() -> None:
    assert Amount(12, 2) + Amount(5, -1) == Amount(12005, -1)
    assert Amount(1, 0) - Amount(1, -3) == Amount(999, -3)
    assert str(Amount(12345, -1)) == "1234.5"
    assert str(Amount(-7, 2)) == "-700"


@given(AMOUNTS, AMOUNTS)
def test_amounts_compare_and_add_like_numbers(one: Amount, other: Amount) -> None:
    least = min(one.scaler, other.scaler)
    assert (one + other).scaled(least) == one.scaled(least) + other.scaled(least)
    assert (one < other) == (one.scaled(least) < other.scaled(least))
    assert (one - other) + other == Amount(one.scaled(least), least)


@pytest.mark.parametrize(
    ("word", "usable"),
    [
        ("A000000020000000", True),
        ("A008000020000000", True),
        ("A004000020000000", True),
        ("A040000020000000", False),
        ("A002000020000000", False),
        ("A080000020000000", False),
        ("A000000020004000", False),
        ("A000000020400000", False),
        ("A000000020200000", False),
    ],
)
def test_critical_and_fatal_values_are_not_billed(word: str, usable: bool) -> None:
    assert Point(A, 0, Amount(1), word_of(word)).usable is usable


def test_the_half_of_a_radio_meter_has_a_layout_of_its_own() -> None:
    flags = combined_radio(frozenset(), b"\x00\x40\x00")
    assert flags.has(MeterBit.MAGNETIC_TAMPER)
    assert severity(flags).usable
    assert not severity(combined_radio(frozenset((GatewayBit.TIME_INVALID,)))).usable


def test_the_status_of_a_sum_has_the_bits_of_all_its_terms() -> None:
    tampered = combined(frozenset(), 1 << 2 | 1 << 9)
    both = united((with_bits(GOOD, GatewayBit.WARNING), tampered))
    assert str(both) == "A00A000020400000"
    assert united(()) == GOOD
    assert united((GOOD, GOOD)) is GOOD


def test_with_a_radio_meter_in_a_sum_the_meters_half_says_nothing() -> None:
    radio = combined_radio(frozenset(), b"\x01", 3)
    assert str(united((radio, GOOD))) == "A001400000000000"
    assert united((radio, radio)) == radio


def test_a_status_word_has_sixteen_digits() -> None:
    with pytest.raises(TariffError, match="16 hexadecimal digits"):
        word_of("A0000000")


def test_obis_codes_are_taken_apart_and_staged() -> None:
    assert groups("1-0:1.8.0*255") == (1, 0, 1, 8, 0, 255)
    assert staged("1-0:2.8.0*255", 63) == "1-0:2.8.63*255"
    assert [counts_up(one) for one in ("1-0:1.8.0*255", "1-0:16.7.0*255", "7-0:3.0.0*255")] == [True, False, True]
    for wrong in ("1.8.0", "1-0:1.8.0*256", "1-0:1.8.x*255"):
        with pytest.raises(TariffError, match="no OBIS code"):
            groups(wrong)


def test_a_stored_reading_has_a_point_for_each_register_of_the_profile() -> None:
    entries = (Entry(A.obis, 4711, -1, 30), Entry("1-0:96.1.0*255", b"x"))
    found = points(Reading(A.meter, 900, 900_000_000, str(TIME_INVALID), entries), (A, B))
    assert found == [Point(A, 900, Amount(4711, -1), TIME_INVALID, 30)]


@pytest.mark.parametrize("entry", [(), (Entry(A.obis, None),), (Entry(A.obis, True),), (Entry(A.obis, b"\1"),)])
def test_what_is_no_number_is_no_value(entry: tuple[Entry, ...]) -> None:
    (one,) = points(Reading(A.meter, 900, 900_000_000, str(GOOD), entry), (A,))
    assert (one.amount, one.status) == (None, NO_VALUE)


def test_a_gap_keeps_what_the_gateway_says_of_it() -> None:
    word = with_bits(StatusWord(), GatewayBit.NO_VALUE, GatewayBit.TIME_INVALID)
    (one,) = points(Reading(A.meter, 900, None, str(word)), (A,))
    assert (one.amount, one.status, one.usable) == (None, word, False)
