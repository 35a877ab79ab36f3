"""Every pattern of the three products is told apart, with edges 10 ms off and one missed or false in ten seconds."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from led_signals import ANOMALIES, KNOWN, Disturbance, Edges, edges_of, lit_at

from devices.leds.limits import Limits
from devices.leds.pattern import Blink, Burst, Flash, Match, Off, On, Pulsed, Undecided, matches
from devices.leds.waveform import Reading, analyse, newest, segments

SEEDS = range(6)
WINDOW_S = 10.0


def _seen(name: str, anomaly: str, jitter_s: float, seed: int, window_s: float = WINDOW_S) -> tuple[Reading, Reading]:
    rng = random.Random(f"{name} {anomaly} {jitter_s} {seed}")
    pattern, phase, start = KNOWN[name], rng.random(), rng.uniform(0.0, 100.0)
    end, initial = start + window_s, lit_at(KNOWN[name], phase)
    edges = Disturbance(rng, jitter_s, anomaly).apply(edges_of(pattern, start, end, phase), start, end, initial)
    return newest(edges, start, end, initial), analyse(edges, start, end, initial)


@pytest.mark.parametrize("jitter_s", [0.0, 0.01])
@pytest.mark.parametrize("anomaly", ANOMALIES)
@pytest.mark.parametrize("name", KNOWN)
def test_each_pattern_is_recognised_or_undecided_never_mistaken(name: str, anomaly: str, jitter_s: float) -> None:
    if anomaly == "false" and isinstance(KNOWN[name], Off | On):
        pytest.skip("a false edge on a steady line cannot be told from a real one")
    fits = []
    for seed in SEEDS:
        for reading in _seen(name, anomaly, jitter_s, seed):
            undecided = isinstance(reading.pattern, Undecided)
            fits.append(Match.UNDECIDED if undecided else matches(reading.pattern, KNOWN[name], doubt=reading.doubt))
    assert Match.NO not in fits
    assert fits.count(Match.YES) >= (len(fits) if anomaly == "none" else len(fits) * 3 // 4)


@pytest.mark.parametrize("name", KNOWN)
def test_a_pattern_of_one_product_is_not_taken_for_another(name: str) -> None:
    reading, _ = _seen(name, "none", 0.01, 1)
    others = [other for other in KNOWN if matches(KNOWN[name], KNOWN[other]) is Match.NO]
    assert len(others) == len(KNOWN) - 1
    assert all(matches(reading.pattern, KNOWN[other], doubt=reading.doubt) is Match.NO for other in others)


@pytest.mark.parametrize("window_s", [0.05, 0.3, 0.8, 1.4, 2.3, 4.0, 6.0])
@pytest.mark.parametrize("name", KNOWN)
def test_a_short_window_is_undecided_rather_than_guessed(name: str, window_s: float) -> None:
    for seed in range(8):
        for reading in _seen(name, "none" if seed % 2 else "missed", 0.01, seed, window_s):
            assert isinstance(reading.pattern, Undecided) or matches(reading.pattern, KNOWN[name]) is Match.YES


@pytest.mark.parametrize("jitter_s", [0.0, 0.01])
@pytest.mark.parametrize("name", KNOWN)
def test_a_change_from_one_pattern_to_another_is_never_read_as_a_third(name: str, jitter_s: float) -> None:
    """Nor is the old one claimed for longer than its longest dark or lit time."""
    for seed in range(12):
        rng = random.Random(f"{name} {jitter_s} {seed}")
        old, new = KNOWN[name], KNOWN[rng.choice(list(KNOWN))]
        old_phase, new_phase, since = rng.random(), rng.random(), rng.uniform(0.05, 12.0)
        edges = [edge for edge in edges_of(old, 0.0, 12.0, old_phase) if edge[0] < 11.97]
        if lit_at(new, new_phase) != (edges[-1][1] if edges else lit_at(old, old_phase)):
            edges.append((12.0, lit_at(new, new_phase)))
        edges += [edge for edge in edges_of(new, 12.0, 12.0 + since, new_phase) if edge[0] > 12.03]
        edges = Disturbance(rng, jitter_s).apply(edges, 0.0, 12.0 + since, lit_at(old, old_phase))
        reading = newest(edges, 2.0 + since, 12.0 + since)
        fits = matches(reading.pattern, new, doubt=reading.doubt)
        if isinstance(reading.pattern, Undecided) or fits is Match.YES:
            continue
        assert matches(reading.pattern, old, doubt=reading.doubt) is not Match.NO
        assert since < 2.0


@pytest.mark.parametrize(("name", "needed"), [("on", 2.5), ("off", 2.5)])
def test_steady_needs_longer_than_every_pause(name: str, needed: float) -> None:
    assert isinstance(_seen(name, "none", 0.0, 1, needed - 0.01)[0].pattern, Undecided)
    assert _seen(name, "none", 0.0, 1, needed)[0].pattern == KNOWN[name]


def test_nothing_is_said_about_a_line_whose_level_nobody_knows() -> None:
    assert isinstance(newest([], 0.0, 100.0).pattern, Undecided)
    assert isinstance(analyse([], 0.0, 100.0).pattern, Undecided)


def test_fast_flashes_that_could_be_a_burst_are_undecided_until_they_are_more_than_a_burst_has() -> None:
    pattern = Blink(0.2, 0.5)
    assert isinstance(newest(edges_of(pattern, 0.0, 1.55), 0.0, 1.55, initial=False).pattern, Undecided)
    assert newest(edges_of(pattern, 0.0, 2.1), 0.0, 2.1, initial=False).pattern == Blink(
        pytest.approx(0.2), pytest.approx(0.5)
    )


def test_figures_carry_an_uncertainty_that_covers_the_truth() -> None:
    """99 of 100 readings of a jittered blink are within three standard deviations."""
    inside = 0
    for seed in range(100):
        rng = random.Random(seed)
        edges = Disturbance(rng, 0.01).apply(
            edges_of(Blink(0.5, 0.5), 0.0, 10.0, rng.random()), 0.0, 10.0, initial=False
        )
        reading = newest(edges, 0.0, 10.0)
        period, on = reading.figure("period"), reading.figure("on")
        assert period and on and period.uncertainty and on.uncertainty
        inside += abs(period.value - 0.5) <= 3 * period.uncertainty and abs(on.value - 0.25) <= 3 * on.uncertainty
        assert period.uncertainty < 0.01
    assert inside >= 95


def test_missed_and_false_edges_are_named_with_their_time() -> None:
    edges = edges_of(Blink(0.5, 0.5), 0.0, 10.0, 0.1)
    missing = edges.pop(9)
    (anomaly,) = newest(edges, 0.0, 10.0).anomalies
    assert (anomaly.kind, anomaly.t) == ("missed", pytest.approx(missing[0], abs=0.02))
    false = sorted([*edges_of(Blink(0.5, 0.5), 0.0, 10.0, 0.1), (5.02, False), (5.03, True)])
    (anomaly,) = newest(false, 0.0, 10.0).anomalies
    assert anomaly.kind == "glitch"


def test_wake_up_shows_as_a_blink_of_three_seconds_between_steady_times() -> None:
    """125 ms pulses for 3 s, then as before (CONEXA B-3)."""
    edges = edges_of(Blink(0.25, 0.5), 4.0, 7.0, 0.99)
    if len(edges) % 2:
        edges.append((7.0, False))
    reading = analyse(edges, 0.0, 12.0, initial=False)
    assert matches(reading.pattern, Pulsed(Blink(0.25, 0.5), 3.0)) is Match.YES
    assert newest(edges, 0.0, 12.0, initial=False).pattern == Off()
    assert [str(part.pattern) for part in segments(edges, 0.0, 12.0, initial=False)] == [
        "off",
        "blinking 250 ms, 50 %",
        "off",
    ]


def test_wake_up_in_the_middle_of_another_blink_is_three_segments() -> None:
    """TLS channel being built (250 ms pulses), wake-up (125 ms pulses), building goes on (CONEXA B-3)."""
    edges = [
        *edges_of(Blink(0.5, 0.5), 0.0, 5.0, 0.001),
        *edges_of(Blink(0.25, 0.5), 5.0, 8.0, 0.999),
        *edges_of(Blink(0.5, 0.5), 8.0, 14.0, 0.999),
    ]
    parts = [part for part in segments(edges, 0.0, 14.0, initial=False) if not isinstance(part.pattern, Undecided)]
    assert [str(part.pattern) for part in parts] == [
        "blinking 500 ms, 50 %",
        "blinking 250 ms, 50 %",
        "blinking 500 ms, 50 %",
    ]
    assert isinstance(analyse(edges, 0.0, 14.0, initial=False).pattern, Undecided)


def test_a_radio_packet_is_one_flash() -> None:
    """wMT is lit for at most 250 ms (PPC 2.4), for 500 ms +- 250 ms (CONEXA B-3)."""
    reading = analyse([(5.0, True), (5.21, False)], 0.0, 10.0, initial=False)
    assert reading.pattern == Flash(pytest.approx(0.21))
    assert matches(reading.pattern, Flash(longest_s=0.25)) is Match.YES
    assert matches(reading.pattern, Flash(shortest_s=0.25, longest_s=0.75)) is Match.NO


def test_a_flash_that_may_be_the_first_of_many_is_undecided() -> None:
    assert isinstance(analyse([(5.0, True), (5.1, False)], 0.0, 7.0, initial=False).pattern, Undecided)


def test_boot_is_read_as_its_phases() -> None:
    """All flash, dark, PWR with a period of 0.5 s, steady (PPC 2.4)."""
    edges = [
        *edges_of(Blink(0.25, 0.5), 0.0, 3.0, 0.999),
        *edges_of(Blink(0.5, 0.5), 13.0, 23.0, 0.999),
    ]
    edges.append((23.0, not edges[-1][1])) if not edges[-1][1] else None
    parts = segments(edges, 0.0, 40.0, initial=False)
    assert [str(part.pattern) for part in parts] == ["blinking 250 ms, 50 %", "off", "blinking 500 ms, 50 %", "on"]
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert (parts[0].start, parts[-1].end) == (0.0, 40.0)


def test_a_blink_that_stops_is_not_claimed_any_longer() -> None:
    edges = edges_of(Blink(0.5, 0.5), 0.0, 6.1, 0.999)
    last = edges[-1][0]
    assert isinstance(newest(edges, 0.0, last + 0.2).pattern, Blink)
    assert isinstance(newest(edges, 0.0, last + 0.8).pattern, Undecided)
    assert newest(edges, 0.0, last + 2.5).pattern == (On() if edges[-1][1] else Off())


def test_traffic_is_no_pattern_but_neither_on_nor_off() -> None:
    """The yellow LED of a socket blinks with the traffic (PPC 2.4.1, CASA 2.3.3)."""
    rng = random.Random(4)
    times = sorted(rng.uniform(0.0, 10.0) for _ in range(120))
    edges = [(t, i % 2 == 0) for i, t in enumerate(times)]
    reading = newest(edges, 0.0, 10.0, initial=False)
    assert isinstance(reading.pattern, Undecided)
    assert matches(reading.pattern, On()) is Match.NO


def test_the_numbers_that_decide_can_be_overridden() -> None:
    assert newest([], 0.0, 1.0, True, Limits(steady_s=0.5)).pattern == On()


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        newest([], 1.0, 0.0)


EDGES = st.lists(st.tuples(st.floats(0.0, 12.0), st.booleans()), max_size=60).map(sorted)


@settings(max_examples=150, deadline=None)
@given(edges=EDGES, initial=st.sampled_from([None, True, False]), start=st.floats(0.0, 6.0))
def test_any_edges_give_a_reading_and_segments_without_gaps(edges: Edges, initial: bool | None, start: float) -> None:
    for judge in (newest, analyse):
        reading = judge(edges, start, 12.0, initial)
        assert start <= reading.start <= reading.end <= 12.0
    parts = segments(edges, start, 12.0, initial)
    assert (parts[0].start, parts[-1].end) == (start, 12.0)
    assert all(a.end == b.start and a.start <= a.end for a, b in pairwise(parts))


@settings(max_examples=150, deadline=None)
@given(
    period=st.floats(0.1, 2.0),
    duty=st.floats(0.1, 0.9),
    phase=st.floats(0.0, 0.99),
    window=st.floats(0.1, 12.0),
)
def test_a_clean_blink_is_never_taken_for_something_else(
    period: float, duty: float, phase: float, window: float
) -> None:
    if min(duty, 1 - duty) * period < 0.04:
        duty = 0.5
    wanted = Blink(period, duty)
    edges = edges_of(wanted, 0.0, window, phase)
    for judge in (newest, analyse):
        seen = judge(edges, 0.0, window, lit_at(wanted, phase)).pattern
        assert isinstance(seen, Undecided) or matches(seen, wanted) is Match.YES


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(2, 8),
    on=st.floats(0.05, 0.15),
    gap=st.floats(0.05, 0.14),
    pause=st.floats(0.45, 1.9),
    phase=st.floats(0.0, 0.99),
    window=st.floats(0.1, 14.0),
)
def test_a_clean_burst_is_never_taken_for_something_else(
    count: int, on: float, gap: float, pause: float, phase: float, window: float
) -> None:
    wanted = Burst(count, on, gap, count * on + (count - 1) * gap + pause)
    edges = edges_of(wanted, 0.0, window, phase)
    for judge in (newest, analyse):
        seen = judge(edges, 0.0, window, lit_at(wanted, phase)).pattern
        assert isinstance(seen, Undecided) or matches(seen, wanted) is Match.YES
