"""Load profiles: the exact integral of power over time, in integers."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import UsageError
from devices.meters.load_profile import (
    DAY_US,
    US_PER_S,
    Energy,
    Step,
    StepProfile,
    constant,
    day_curve,
    read_csv,
    stepped,
)

START = datetime(2026, 1, 5, tzinfo=UTC)


def test_half_a_kilowatt_for_an_hour_is_half_a_kilowatt_hour() -> None:
    assert constant(500_000).energy(3600 * US_PER_S) == Energy(drawn=500 * 3600 * 10**9)


def test_feed_in_counts_in_the_other_direction_only() -> None:
    profile = stepped([(0, 1000), (10, -2000), (20, 0)])
    assert profile.energy(15 * US_PER_S) == Energy(drawn=10_000 * 10**9, fed=10_000 * 10**9)
    assert profile.energy(99 * US_PER_S) == Energy(drawn=10_000 * 10**9, fed=20_000 * 10**9)
    assert [profile.power(at * US_PER_S) for at in (0, 9, 10, 25)] == [1_000_000, 1_000_000, -2_000_000, 0]


def test_before_its_first_step_a_profile_carries_nothing() -> None:
    profile = stepped([(100, "0.25")])
    assert profile.power(0) == 0
    assert profile.energy(104 * US_PER_S) == Energy(drawn=10**9)


def test_a_day_curve_repeats_and_begins_at_midnight_of_the_clock() -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    profile = day_curve([hour * 100 for hour in range(24)], noon)
    assert profile.power(0) == 1_200_000
    assert profile.power(12 * 3600 * US_PER_S) == 0
    assert profile.energy(DAY_US) == Energy(drawn=sum(hour * 100 for hour in range(24)) * 3600 * 10**9)
    assert profile.energy(30 * DAY_US).drawn == 30 * profile.energy(DAY_US).drawn


steps = st.lists(st.tuples(st.integers(1, 50_000), st.integers(-10_000, 10_000)), min_size=1, max_size=8)


@given(steps, st.lists(st.integers(0, 600_000), min_size=2, max_size=6), st.booleans(), st.integers(0, 400_000))
def test_the_integral_is_exact_and_never_falls(
    gaps: list[tuple[int, int]], times: list[int], periodic: bool, phase: int
) -> None:
    at, made = 0, []
    for gap, milliwatt in gaps:
        made.append(Step(at, milliwatt))
        at += gap
    profile = StepProfile(made, period_us=at, phase_us=phase) if periodic else StepProfile(made)
    sampled = [profile.energy(time) for time in sorted(times)]
    for before, after in pairwise(sampled):
        assert after.drawn >= before.drawn
        assert after.fed >= before.fed
    time = min(times) % 2000
    net = sum(profile.power(us) for us in range(time))
    assert profile.energy(time).drawn - profile.energy(time).fed == net


def test_a_table_of_seconds_is_read(tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    file.write_text("time_s,power_w\n# night\n0,100\n\n900,2500.5\n")
    profile = read_csv(file, START)
    assert profile.steps == (Step(0, 100_000), Step(900 * US_PER_S, 2_500_500))


def test_a_german_table_of_times_of_day_is_read_and_repeats(tmp_path: Path) -> None:
    file = tmp_path / "tag.csv"
    file.write_text("Zeit;Leistung W\n06:00;1500,5\n22:00;80\n", encoding="utf-8")
    profile = read_csv(file, START)
    assert profile.power(0) == 80_000, "until six the value of the evening holds"
    assert profile.power(7 * 3600 * US_PER_S) == 1_500_500
    assert profile.power(DAY_US + 23 * 3600 * US_PER_S) == 80_000
    assert Fraction(profile.energy(DAY_US).drawn, 3600 * 10**9) == Fraction("1500.5") * 16 + 80 * 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,100\n1,many\n", r"load.csv:2: 'many' is not a power"),
        ("0,100\n0,200\n", r"load.csv: the step at 0 s does not follow"),
        ("0,100,7\n", r"load.csv:1: '0, 100, 7' is no step"),
        ("00:00,5\n25:00,5\n", r"outside of its day"),
        ("00:00,5\n1:75,5\n", r"load.csv:2: '1:75' is no time of day"),
        ("time,power\n", r"without a row"),
        ("0,100.0001\n", r"load.csv:1: '100.0001' is not a power.*3 decimals"),
        ("0,9000000\n", r"more than a meter carries"),
        ("-5,100\n0,200\n", r"cannot begin before 0 s"),
        ("0,NaN\n", r"load.csv:1: 'NaN'"),
    ],
)
def test_a_bad_table_is_refused_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "load.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_csv(file, START)


def test_a_missing_table_and_an_uneven_day_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_csv(tmp_path / "none.csv", START)
    with pytest.raises(UsageError, match="24 or 96"):
        day_curve([1] * 7_000_001, START)
    with pytest.raises(UsageError, match="at least one step"):
        stepped([])
