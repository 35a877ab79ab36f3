"""The broken time axis: half a second stays visible in 36 hours, and nothing is out of order on it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report.axis import BREAK_WIDTH, MAX_BREAKS, Span, broken_axis
from bench.report.figures import axis_label, instant, octets, span


def test_a_short_case_is_not_broken() -> None:
    axis = broken_axis(0.0, 10.0, [Span(2.0, 4.0, busy=False), Span(4.0, 9.0, busy=True)], 0.0, 1000.0)
    assert [piece.broken for piece in axis.pieces] == [False]
    assert axis.x(5.0) == 500.0


def test_half_a_second_stays_visible_in_36_hours() -> None:
    axis = broken_axis(0.0, 129_600.0, [Span(60_000.0, 60_000.5, busy=False)], 0.0, 1000.0)
    assert axis.x(60_000.5) - axis.x(60_000.0) > 100.0


def test_a_still_stretch_is_broken_before_one_that_blinks() -> None:
    spans = [Span(1.0, 600.0, busy=True), Span(1000.0, 1004.0, busy=False)]
    axis = broken_axis(0.0, 1100.0, spans, 0.0, 1000.0)
    assert [piece.begin for piece in axis.pieces if piece.broken] == [600.0]


times = st.floats(min_value=0.0, max_value=1e6, allow_nan=False)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(times, times, st.booleans()), max_size=30), st.floats(min_value=0.01, max_value=1e6))
def test_the_axis_rises_and_fills_its_width(found: list[tuple[float, float, bool]], end: float) -> None:
    spans = [Span(min(a, b), max(a, b), busy) for a, b, busy in found]
    axis = broken_axis(0.0, end, spans, 60.0, 988.0)
    assert abs(axis.x(0.0) - 60.0) < 1e-6
    assert abs(axis.x(end) - 988.0) < 1e-6
    places = [axis.x(end * n / 50) for n in range(51)]
    assert places == sorted(places)
    broken = [piece for piece in axis.pieces if piece.broken]
    assert len(broken) <= MAX_BREAKS
    assert all(abs(piece.right - piece.left - BREAK_WIDTH) < 1e-6 for piece in broken)


def test_figures_are_written_as_a_reader_writes_them() -> None:
    assert instant(1865.25) == "0:31:05.250"
    assert instant(None) == "–"
    assert [span(s) for s in (0.0, 0.25, 2.0, 90.0, 119.97, 1860.0, 3900.0, 129_600.0)] == [
        "0 s", "250 ms", "2 s", "90 s", "120 s", "31 min", "65 min", "36 h",
    ]  # fmt: skip
    assert [octets(n) for n in (912, 4100, 2_300_000)] == ["912 B", "4.1 kB", "2.3 MB"]
    assert [axis_label(t, 30.0) for t in (0.0, 30.0, 60.0, 90.0, 3600.0)] == ["0 s", "30 s", "1:00", "1:30", "1:00:00"]
