from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.timeline import Timeline
from devices.clock import Clock

NO_CLOCK = cast("Clock", None)
"""For events that bring their own time stamps."""


async def test_events_are_on_disk_as_soon_as_they_are_added(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    timeline = Timeline(clock, path)
    await clock.sleep(1.25)
    timeline.add("led", "edge", {"line": "PWR", "lit": True})
    timeline.add("note", 'with "quotes" and ü')
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines[0] == {"n": 1, "t": 1.25, "source": "led", "kind": "edge", "data": {"line": "PWR", "lit": True}}
    assert lines[1]["kind"] == 'with "quotes" and ü'
    timeline.close()


async def test_waiting_ends_with_the_next_event_or_when_time_is_up(clock: Clock) -> None:
    timeline = Timeline(clock)
    clock.call_at(3.0, timeline.add, "note", "now")
    await timeline.changed(until=10.0)
    assert clock.seconds() == 3.0
    await timeline.changed(until=10.0)
    assert clock.seconds() == 10.0


async def test_events_are_selected_by_source_kind_time_and_data(clock: Clock) -> None:
    timeline = Timeline(clock)
    timeline.add("meter", "answered", {"meter": "a"})
    await clock.sleep(5)
    timeline.add("meter", "answered", {"meter": "a"})
    timeline.add("meter", "answered", {"meter": "b"})
    assert len(timeline.select("meter", "answered", meter="a")) == 2
    assert len(timeline.select("meter", "answered", since=5.0, meter="a")) == 1


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["meter", "led"]),
        st.sampled_from(["request", "answer"]),
        st.sampled_from([{}, {"meter": "a"}, {"meter": "b"}, {"meter": "a", "selector": 3}, {"list": [1]}]),
        st.integers(0, 20),
    ),
    max_size=40,
)
_QUESTIONS = st.tuples(
    st.sampled_from(["meter", "led", "power"]),
    st.sampled_from([None, "request", "answer", "nothing"]),
    st.sampled_from([{}, {"meter": "a"}, {"meter": "a", "selector": 3}, {"list": [1]}, {"meter": None}]),
    st.sampled_from([0.0, 3.0, 11.5, 30.0]),
)


@given(batches=st.lists(st.tuples(_EVENTS, st.lists(_QUESTIONS, max_size=6)), max_size=4), in_order=st.booleans())
@settings(deadline=None)
def test_whatever_is_asked_whenever_the_answer_is_that_of_looking_at_every_event(
    batches: list[
        tuple[list[tuple[str, str, dict[str, Any], int]], list[tuple[str, str | None, dict[str, Any], float]]]
    ],
    in_order: bool,
) -> None:
    timeline = Timeline(NO_CLOCK)
    t = 0.0
    for events, questions in batches:
        for source, kind, data, stamp in events:
            t = t + stamp if in_order else float(stamp)
            timeline.add(source, kind, data, t=t)
        for asked, wanted, values, since in questions:
            expected = [
                event
                for event in timeline.events
                if event.source == asked
                and event.t >= since
                and wanted in (None, event.kind)
                and all(event.data.get(key) == value for key, value in values.items())
            ]
            found = timeline.select(asked, wanted, since=since, **values)
            assert list(found) == expected
            assert len(found) == len(expected)
            assert list(reversed(found)) == expected[::-1]
            assert found[1:] == expected[1:]
            assert bool(found) == bool(expected)
            if expected:
                assert found[-1] == expected[-1]


async def test_what_was_found_does_not_grow_while_somebody_looks_at_it(clock: Clock) -> None:
    timeline = Timeline(clock)
    timeline.add("note", "one")
    found = timeline.select("note")
    timeline.add("note", "two")
    assert [event.kind for event in found] == ["one"]
    assert [event.kind for event in timeline.select("note")] == ["one", "two"]
    with pytest.raises(IndexError):
        found[1]


async def test_whoever_asks_again_pays_for_new_events_only(clock: Clock) -> None:
    """Monitors ask at every event: with a look at all of them each time, a long case takes the square of its length."""
    looks = 0

    class Counting(str):
        def __eq__(self, other: object) -> bool:
            nonlocal looks
            looks += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    timeline = Timeline(clock)
    for number in range(500):
        timeline.add("meter", "request", {"meter": Counting("a" if number % 2 else "b")})
        timeline.add("meter", "answer", {"meter": Counting("a")})
        assert len(timeline.select("meter", "request", meter="a")) == (number + 1) // 2
    assert looks == 500
