from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from bench.quantity import ENERGY, POWER, parse, parse_duration, parse_offset, parse_share, text_of


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("60 s", timedelta(seconds=60)),
        ("31 min", timedelta(minutes=31)),
        ("500ms", timedelta(milliseconds=500)),
        ("36 h", timedelta(hours=36)),
        ("30 d", timedelta(days=30)),
        ("250 us", timedelta(microseconds=250)),
        ("1.5 s", timedelta(seconds=1.5)),
    ],
)
def test_a_duration_is_a_number_and_its_unit(written: str, span: timedelta) -> None:
    assert parse_duration(written) == span


def test_energy_is_exact_to_the_milliwatthour() -> None:
    assert parse("12345.678901 kWh", ENERGY) == Decimal("12345678.901")


def test_power_may_be_fed_in() -> None:
    assert parse("-1.5 kW", POWER) == -1500


def test_a_clock_may_be_behind() -> None:
    assert parse_offset("-28 s") == timedelta(seconds=-28)


def test_a_share_is_written_with_or_without_percent() -> None:
    assert parse_share("50 %") == parse_share("0.5") == 0.5


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (60, "60 has no unit: a duration is written like '90 s'"),
        ("60", "has no unit"),
        ("60 kWh", "is an energy, but here a duration is wanted"),
        ("60 parsecs", "unit 'parsecs' is not known for a duration: use one of"),
        ("a while", "write it like '90 s'"),
        ("-5 s", "is negative"),
    ],
)
def test_a_wrong_duration_says_what_would_be_right(written: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (0.25, "250 ms"), (90, "90 s"), (120, "2 min"), (7200, "2 h"), (86400 * 3, "3 d")]
)
def test_durations_are_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert text_of(seconds) == text
