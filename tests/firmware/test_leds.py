"""LED panel: absolute deadlines, priorities, no pulse of no length, darkness at once."""

from __future__ import annotations

from devices.clock import Clock
from firmware.leds import LedEdge, LedPanel, alternating, blinking, constant, heartbeat

LINES = ("PWR", "TLS", "LMC", "wMT")


def _panel(clock: Clock) -> tuple[LedPanel, list[LedEdge]]:
    panel = LedPanel(clock, LINES)
    edges: list[LedEdge] = []
    panel.subscribe(edges.append)
    return panel, edges


async def test_a_50_ms_beat_does_not_drift_in_an_hour(clock: Clock) -> None:
    panel, edges = _panel(clock)
    panel.show("alarm", blinking(LINES, 0.05, 0.05), priority=1)
    await clock.sleep(3600.001)
    power = [edge for edge in edges if edge.line == "PWR"]
    assert len(power) == 72_001
    assert abs(power[-1].t - 3600.0) < 1e-6
    assert [edge.lit for edge in power[:4]] == [True, False, True, False]


async def test_lines_of_one_signal_change_at_the_very_same_time(clock: Clock) -> None:
    panel, edges = _panel(clock)
    panel.show("update", blinking(("PWR", "TLS", "wMT"), 0.25, 0.25), priority=1)
    await clock.sleep(2.1)
    times = {line: [edge.t for edge in edges if edge.line == line] for line in LINES}
    assert times["PWR"] == times["TLS"] == times["wMT"]
    assert times["LMC"] == []


async def test_two_groups_in_turn_are_never_lit_together(clock: Clock) -> None:
    panel, _ = _panel(clock)
    panel.show("violation", alternating(("PWR",), ("wMT",), 0.25), priority=1)
    for _turn in range(20):
        await clock.sleep(0.125)
        levels = panel.levels()
        assert levels["PWR"] != levels["wMT"]


async def test_a_heartbeat_is_two_short_flashes_and_a_long_pause(clock: Clock) -> None:
    panel, edges = _panel(clock)
    panel.show("lock", heartbeat(("PWR",), (0.1, 0.1, 0.1, 1.2)), priority=1)
    await clock.sleep(1.6)
    assert [(round(edge.t, 6), edge.lit) for edge in edges] == [
        (0.0, True), (0.1, False), (0.2, True), (0.3, False), (1.5, True),
    ]  # fmt: skip


async def test_the_graver_signal_covers_and_uncovers_the_lesser_one(clock: Clock) -> None:
    panel, _ = _panel(clock)
    panel.show("bus", constant(("LMC",), lit=True), priority=1)
    panel.show("alarm", constant(LINES, lit=False), priority=2)
    await clock.sleep(0.1)
    assert not panel.levels()["LMC"]
    panel.hide("alarm")
    await clock.sleep(0.1)
    assert panel.levels() == {"PWR": False, "TLS": False, "LMC": True, "wMT": False}


async def test_showing_what_is_shown_already_does_not_restart_it(clock: Clock) -> None:
    panel, edges = _panel(clock)
    wave = blinking(("PWR",), 0.5, 0.5)
    panel.show("power", wave, priority=1)
    await clock.sleep(0.3)
    panel.show("power", wave, priority=1)
    await clock.sleep(0.3)
    assert [round(edge.t, 6) for edge in edges] == [0.0, 0.5]


async def test_a_change_at_the_instant_of_a_step_makes_no_pulse_of_no_length(clock: Clock) -> None:
    panel, edges = _panel(clock)
    panel.show("boot", blinking(("PWR",), 0.25, 0.25), priority=1)
    await clock.sleep(1.0)
    panel.show("boot", constant(("PWR",), lit=False), priority=1)
    await clock.sleep(1.0)
    assert [edge.t for edge in edges] == [0.0, 0.25, 0.5, 0.75]


async def test_darkness_is_told_at_once_with_one_time(clock: Clock) -> None:
    panel, edges = _panel(clock)
    panel.show("all", constant(LINES, lit=True), priority=1)
    await clock.sleep(1.0)
    edges.clear()
    panel.dark()
    assert [(edge.line, edge.lit, edge.t) for edge in edges] == [(line, False, 1.0) for line in LINES]
    await clock.sleep(10)
    assert len(edges) == len(LINES)
