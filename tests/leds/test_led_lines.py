"""Who listens to a source of LED edges: one behaviour for all sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devices.clock import Clock
from devices.leds.emulated import EmulatedLeds
from devices.leds.vcd import RecordedLeds
from devices.leds.watch import LedWatch
from devices.ports.led_lines import EdgeListeners, LedEdge, LedSource
from firmware.leds import LedPanel

EDGE = LedEdge(1.0, "PWR", True)


def test_everybody_who_listens_is_told_until_he_ends_it() -> None:
    listeners, first, second = EdgeListeners(), [], []  # type: ignore[var-annotated]
    end = listeners.subscribe(first.append)
    listeners.subscribe(second.append)
    listeners.tell(EDGE)
    end()
    end()
    listeners.tell(EDGE)
    listeners.clear()
    listeners.tell(EDGE)
    assert (len(first), len(second)) == (1, 2)


def test_a_listener_may_end_itself_while_it_is_told() -> None:
    listeners, told = EdgeListeners(), []
    ends: list[Callable[[], None]] = []

    def once(edge: LedEdge) -> None:
        told.append("once")
        ends[0]()

    ends.append(listeners.subscribe(once))
    listeners.subscribe(lambda _: told.append("always"))
    listeners.tell(EDGE)
    listeners.tell(EDGE)
    assert told == ["once", "always", "always"]


@pytest.mark.parametrize("kind", ["emulated", "panel", "recorded", "watch"])
async def test_all_sources_keep_their_listeners_in_the_same_way(kind: str, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "leds.vcd"
    path.write_text("$timescale 1 us $end $var wire 1 ! PWR $end $enddefinitions $end #0 0! #5 1!\n", "utf-8")
    emulated = EmulatedLeds(clock.seconds, ("PWR",))
    made: dict[str, Callable[[], LedSource | LedWatch]] = {
        "emulated": lambda: emulated,
        "panel": lambda: LedPanel(clock, ("PWR",)),
        "recorded": lambda: RecordedLeds(clock, path),
        "watch": lambda: LedWatch(clock.seconds, emulated),
    }
    source = made[kind]()
    assert isinstance(vars(source)["_listeners"], EdgeListeners)
    source.close()


def test_a_watch_knows_how_it_began() -> None:
    leds = EmulatedLeds(lambda: 7.0, ("PWR", "TLS"))
    leds.set("TLS", lit=True)
    watch = LedWatch(lambda: 7.0, leds)
    leds.set("TLS", lit=False)
    assert (watch.since, watch.first_levels) == (7.0, {"PWR": False, "TLS": True})
