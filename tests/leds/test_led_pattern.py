"""Patterns as values: what fits what, and how they read."""

from __future__ import annotations

import pytest

from devices.leds.pattern import (
    Blink,
    Burst,
    Doubt,
    Flash,
    Match,
    Off,
    On,
    Pattern,
    Pulsed,
    Tolerance,
    Undecided,
    matches,
)

YES, NO, UNDECIDED = Match.YES, Match.NO, Match.UNDECIDED


@pytest.mark.parametrize(
    ("seen", "wanted", "fits"),
    [
        (On(), On(), YES),
        (On(), Off(), NO),
        (On(), Blink(0.5), NO),
        (Blink(0.51, 0.52), Blink(0.5, 0.5), YES),
        (Blink(0.25, 0.5), Blink(0.5, 0.5), NO),
        (Blink(1.0, 0.5), Blink(2.0, 0.5), NO),
        (Blink(2.0, 0.25), Blink(2.0, 0.5), NO),
        (Blink(0.7, 0.4), Blink(None, None), YES),
        (Blink(0.7, 0.9), Blink(None, 0.5), NO),
        (Burst(2, 0.1, 0.1, 1.5), Blink(None, None), NO),
        (Burst(2, 0.1, 0.1, 1.5), Burst(2), YES),
        (Burst(3, 0.1, 0.1, 2.0), Burst(2), NO),
        (Burst(2, 0.1, 0.1, 2.0), Burst(2, 0.1, 0.1, 1.5), NO),
        (Blink(2.0, 0.05), Burst(1, 0.1, None, 2.0), YES),
        (Burst(1, 0.1, None, 2.0), Blink(2.0, 0.05), YES),
        (Blink(2.0, 0.25), Burst(1, 0.1, None, 2.0), NO),
        (Pulsed(Blink(0.25, 0.5), 2.9), Pulsed(Blink(0.25, 0.5), 3.0), YES),
        (Pulsed(Blink(0.25, 0.5), 6.0), Pulsed(Blink(0.25, 0.5), 3.0), NO),
        (Pulsed(Blink(0.25, 0.5), 6.0), Pulsed(Blink(0.25, 0.5)), YES),
        (Pulsed(Blink(0.25, 0.5), 3.0), Blink(0.25, 0.5), NO),
        (Blink(0.25, 0.5), Pulsed(Blink(0.25, 0.5), 3.0), UNDECIDED),
        (Blink(0.5, 0.5), Pulsed(Blink(0.25, 0.5), 3.0), NO),
        (Flash(0.2), Flash(longest_s=0.25), YES),
        (Flash(0.3), Flash(longest_s=0.25), NO),
        (Flash(0.3), Flash(shortest_s=0.25, longest_s=0.75), YES),
        (Flash(0.2), Flash(shortest_s=0.25, longest_s=0.75), NO),
        (Flash(0.3), Flash(), YES),
        (Undecided("short"), On(), UNDECIDED),
        (Undecided("irregular", moving=True), On(), NO),
        (Undecided("irregular", moving=True), Blink(0.5), UNDECIDED),
    ],
)
def test_what_is_seen_fits_what_the_manual_wants(seen: Pattern, wanted: Pattern, fits: Match) -> None:
    assert matches(seen, wanted) is fits


def test_a_figure_near_the_limit_is_undecided_within_two_standard_deviations() -> None:
    tolerance = Tolerance(relative=0.1, absolute_s=0.0)
    assert matches(Blink(0.56, 0.5), Blink(0.5, 0.5), tolerance, Doubt(period_s=0.001)) is NO
    assert matches(Blink(0.56, 0.5), Blink(0.5, 0.5), tolerance, Doubt(period_s=0.010)) is UNDECIDED


def test_undecided_cannot_be_wanted() -> None:
    with pytest.raises(ValueError, match="cannot be wanted"):
        matches(On(), Undecided(""))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (Off(), "off"),
        (Blink(0.5, 0.5), "blinking 500 ms, 50 %"),
        (Blink(2.0, 0.25), "blinking 2 s, 25 %"),
        (Blink(None, None), "blinking"),
        (Burst(2, 0.1, 0.1, 1.5), "2 flashes (100 ms on, 100 ms off) every 1.5 s"),
        (Burst(1, 0.1, None, 2.0), "1 flash of 100 ms every 2 s"),
        (Pulsed(Blink(0.25, 0.5), 3.0), "blinking 250 ms, 50 % for 3 s"),
        (Flash(0.25), "one flash of 250 ms"),
        (Flash(longest_s=0.25), "one flash, at most 250 ms"),
        (Undecided("too short"), "undecided: too short"),
    ],
)
def test_patterns_read_like_words(pattern: Pattern, text: str) -> None:
    assert str(pattern) == text
