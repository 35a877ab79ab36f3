from __future__ import annotations

import json
from pathlib import Path

from bench.timeline import Timeline
from devices.clock import Clock


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
