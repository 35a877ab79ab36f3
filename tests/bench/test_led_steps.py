"""Judging LEDs: what products document, what the bench does not see, and how long something lasted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench.cli import main
from bench.expect import Look, Truth
from bench.patterns import parse_written
from bench.products import gateway_type
from bench.rig import Rig
from bench.steps.led_lasting import Lasted
from bench.steps.led_looks import LinesShow, MeaningShown, look_at_meanings
from bench.timeline import Timeline
from devices.clock import Clock
from devices.leds.emulated import EmulatedLeds
from devices.leds.watch import LedWatch
from devices.ports.led_lines import LedEdge

STATUS = ("PWR", "TLS", "LMC", "wMT")


class Eyes:
    """LEDs under a bench's eye, with a clock that is set by hand."""

    def __init__(self, product: str, lines: Sequence[str] = STATUS, *, lit: bool = False) -> None:
        self.t = 0.0
        self.leds = EmulatedLeds(self.seconds, STATUS, lit=lit)
        seen = EmulatedLeds(self.seconds, lines, lit=lit)
        self.timeline = Timeline(cast(Clock, self))
        self.watch = LedWatch(self.seconds, seen)
        seen.subscribe(self._note)
        self.leds.subscribe(lambda edge: seen.set(edge.line, edge.lit) if edge.line in lines else None)
        self.assumed: set[str] = set()
        self.rig = cast(
            Rig,
            SimpleNamespace(
                clock=self,
                timeline=self.timeline,
                leds=self.watch,
                gateway_type=gateway_type(product),
                assume=lambda name, *_: self.assumed.add(name),
            ),
        )

    def _note(self, edge: LedEdge) -> None:
        self.timeline.add("led", "edge", {"line": edge.line, "lit": edge.lit}, t=edge.t)

    def seconds(self) -> float:
        return self.t

    def show(self, for_s: float, *lines: str, runs: Sequence[float] = ()) -> None:
        """Play `runs` (lit, dark, lit ...) on `lines` again and again; without runs all others go or stay dark."""
        for line in STATUS:
            if line not in lines:
                self.leds.set(line, lit=False)
        end, lit, at = self.t + for_s, True, self.t
        for run in cycle(runs or (for_s,)):
            if at >= end - 1e-9:
                break
            self.t = at
            for line in lines:
                self.leds.set(line, lit=lit)
            lit, at = not lit, at + run
        self.t = end

    def mains(self, on: bool, commanded: float | None = None) -> None:
        self.timeline.add("power", "on" if on else "off", {"commanded": self.t if commanded is None else commanded})


async def meaning(eyes: Eyes, name: str) -> Look:
    return await MeaningShown(name).look(eyes.rig)


async def test_conexa_with_all_four_leds_at_50_ms_is_stopped_and_not_restricted() -> None:
    """[CONEXA] B-3: Secure State Boot contains the pattern of Secure State Application."""
    eyes = Eyes("conexa")
    eyes.show(10.0, *STATUS, runs=(0.05, 0.05))
    assert (await meaning(eyes, "stopped")).truth is Truth.YES
    assert (await meaning(eyes, "restricted")).truth is Truth.NO
    restricted = eyes.rig.gateway_type.signals_for("restricted")
    alone = [signal.model_copy(update={"unlike": ()}) for signal in restricted]
    assert look_at_meanings(eyes.rig, alone).truth is Truth.YES, "without 'unlike' it would pass"


async def test_conexa_with_pwr_alone_at_50_ms_is_restricted() -> None:
    eyes = Eyes("conexa")
    eyes.show(10.0, "PWR", runs=(0.05, 0.05))
    assert (await meaning(eyes, "restricted")).truth is Truth.YES
    assert (await meaning(eyes, "stopped")).truth is Truth.NO


@pytest.mark.parametrize(
    ("name", "lines", "runs"),
    [
        ("stopped", STATUS, (0.35, 0.35)),
        ("stopped", STATUS, (0.2, 1.0)),
        ("services_starting", ("PWR",), (0.35, 0.35)),
        ("restricted", ("PWR",), (0.15, 0.15, 0.15, 1.55)),
        ("bus_overload", ("LMC",), (0.08, 0.12, 0.08, 0.72)),
        ("time_invalid", ("LMC",), (0.2, 0.4)),
    ],
)
async def test_figures_that_casa_does_not_state_are_not_judged(
    name: str, lines: tuple[str, ...], runs: tuple[float, ...]
) -> None:
    """[CASA] 2.3.2 says that they blink, and two quick flashes and a long pause, without any figure."""
    eyes = Eyes("casa")
    eyes.show(20.0, *lines, runs=runs)
    assert (await meaning(eyes, name)).truth is Truth.YES
    assert f"LED pattern {name}" in eyes.assumed


async def test_figures_that_conexa_states_are_judged() -> None:
    """[CONEXA] B-3: a pulse width of 500 ms; the duty is our reading and is not judged."""
    eyes = Eyes("conexa")
    eyes.show(20.0, "PWR", runs=(0.35, 0.35))
    assert (await meaning(eyes, "services_starting")).truth is Truth.NO
    eyes.show(20.0, "PWR", runs=(0.3, 0.7))
    assert (await meaning(eyes, "services_starting")).truth is Truth.YES


async def test_what_the_bench_does_not_see_leaves_a_pattern_undecided() -> None:
    eyes = Eyes("conexa", ("PWR", "LMC"))
    eyes.show(10.0, *STATUS, runs=(0.05, 0.05))
    look = await meaning(eyes, "stopped")
    assert look.truth is Truth.UNDECIDED
    assert look.seen.endswith("TLS, wMT are not sensed on this bench")
    assert (await meaning(eyes, "restricted")).truth is Truth.UNDECIDED


async def test_what_the_bench_does_see_can_still_say_no() -> None:
    eyes = Eyes("conexa", ("PWR", "LMC"))
    eyes.show(10.0, "PWR", runs=(0.05, 0.05))
    assert (await meaning(eyes, "stopped")).truth is Truth.NO
    assert (await meaning(eyes, "restricted")).truth is Truth.YES


@pytest.mark.parametrize("line", ["TLS", "HAN.link"])
async def test_a_led_that_is_not_sensed_is_undecided(line: str) -> None:
    eyes = Eyes("casa", ("PWR",))
    eyes.show(10.0, "PWR")
    shown = LinesShow(((line, parse_written("on")),))
    look = await shown.look(eyes.rig)
    assert (look.truth, look.seen) == (Truth.UNDECIDED, f"{line} is not sensed on this bench")
    look = await Lasted(shown, 1.0, 9.0).look(eyes.rig)
    assert (look.truth, look.seen) == (Truth.UNDECIDED, f"{line} is not sensed on this bench")
    both = LinesShow((("PWR", parse_written("off")), (line, parse_written("on"))))
    assert (await both.look(eyes.rig)).truth is Truth.NO


async def lasted(eyes: Eyes, least: float, most: float, name: str = "services_starting") -> Look:
    return await Lasted(MeaningShown(name), least, most).look(eyes.rig)


async def test_a_phase_of_400_s_lasted_400_s() -> None:
    """However long it was: the timeline keeps all edges, the watch only the last two minutes."""
    eyes = Eyes("casa")
    eyes.mains(True)
    eyes.show(10.0)
    eyes.show(400.0, "PWR", runs=(0.5, 0.5))
    eyes.show(20.0, "PWR")
    look = await lasted(eyes, 395.0, 405.0)
    assert (look.truth, look.seen) == (Truth.YES, "it lasted 400 s")
    (figure,) = look.measurements
    assert figure.value == pytest.approx(400.0, abs=0.6)
    assert figure.uncertainty == pytest.approx(0.02)
    assert (await lasted(eyes, 100.0, 200.0)).truth is Truth.NO
    assert "LED pattern services_starting" in eyes.assumed


async def test_a_phase_that_began_with_the_mains_is_as_uncertain_as_the_switching() -> None:
    eyes = Eyes("casa")
    eyes.t = 5.25
    eyes.mains(True, commanded=5.0)
    eyes.show(19.75)
    eyes.show(20.0, "PWR")
    look = await lasted(eyes, 19.0, 21.0, "initialising")
    assert (look.truth, look.seen) == (Truth.YES, "it lasted 20 s")
    assert look.measurements[0].uncertainty == pytest.approx(0.26)
    look = await lasted(eyes, 10.0, 19.8, "initialising")
    assert (look.truth, look.seen) == (Truth.UNDECIDED, "it lasted 20 s, with an uncertainty of 260 ms")
    assert (await lasted(eyes, 10.0, 19.7, "initialising")).truth is Truth.NO
    assert (await lasted(eyes, 20.2, 30.0, "initialising")).truth is Truth.UNDECIDED
    assert (await lasted(eyes, 20.3, 30.0, "initialising")).truth is Truth.NO


async def test_switching_on_what_is_on_begins_nothing() -> None:
    eyes = Eyes("casa")
    eyes.mains(True)
    eyes.show(10.0)
    eyes.mains(True)
    eyes.show(10.0)
    eyes.show(20.0, "PWR")
    assert (await lasted(eyes, 19.0, 21.0, "initialising")).seen == "it lasted 20 s"


@pytest.mark.parametrize(
    ("least", "most", "truth"), [(10.0, 60.0, Truth.UNDECIDED), (40.0, 60.0, Truth.UNDECIDED), (5.0, 20.0, Truth.NO)]
)
async def test_what_was_there_when_watching_began_lasted_at_least_so_long(
    least: float, most: float, truth: Truth
) -> None:
    eyes = Eyes("casa", lit=True)
    eyes.show(30.0, "PWR")
    eyes.show(10.0)
    look = await lasted(eyes, least, most, "ready")
    assert look.truth is truth
    assert look.seen.startswith("it lasted at least 30 s")


async def test_a_duration_on_leds_that_are_not_all_seen_is_undecided() -> None:
    eyes = Eyes("ppc", ("PWR", "TLS"))
    eyes.mains(True)
    eyes.show(3.0, *STATUS, runs=(0.1, 0.4))
    eyes.show(10.0)
    look = await lasted(eyes, 2.7, 3.3, "led_test")
    assert look.truth is Truth.UNDECIDED
    assert look.seen.endswith("LMC, wMT are not sensed on this bench")
    assert (await lasted(eyes, 4.0, 5.0, "led_test")).truth is Truth.NO


def test_a_led_that_the_product_lacks_is_a_mistake_of_the_scenario(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """[CONEXA] D-2.3: there are LEDs at HAN and CLS; nothing is said of any at the WAN socket."""
    path = tmp_path / "trial.yaml"
    text = "id: T-1\ntitle: A trial\ngateways: [casa, conexa]\nsteps:\n  - power: on\n  - leds: {WAN.link: on}\n"
    path.write_text(text, encoding="utf-8")
    assert main(["check", str(path)]) == 2
    told = capsys.readouterr().err
    assert "has no LED 'WAN.link': it has PWR, TLS" in " ".join(told.split())
    assert f"{path}:6" in told
    path.write_text(text.replace(", conexa", ""), encoding="utf-8")
    assert main(["check", str(path)]) == 0
