"""Steps by which states and starts are judged: durations of patterns, spans without values or frames, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli import main

HEAD = """
id: T-1
title: A trial of steps
gateways: [{gateway}]
needs: [emulated, power, leds, wired_lmn, records]
given:
  meters:
    house: {{id: 1SAG0021061001, registers: {{1.8.0: 1 kWh}}, load: 480 W, registration_period: 60 s}}
steps:
  - power: on
  - leds: {{shows: ready, within: 90 s}}
"""


def run(folder: Path, steps: str, gateway: str = "ppc") -> tuple[int, dict[str, object]]:
    """Exit code and the record of the last step."""
    path = folder / "trial.yaml"
    lines = [f"  - {line.strip()}" for line in steps.strip().splitlines()]
    path.write_text(HEAD.format(gateway=gateway) + "\n".join(lines) + "\n", encoding="utf-8")
    code = main(["run", str(path), "--out", str(folder / "run"), "--plain"])
    verdict = next((folder / "run" / "cases").glob("*/verdict.json"))
    return code, json.loads(verdict.read_text("utf-8"))["steps"][-1]


@pytest.mark.parametrize(("bounds", "code"), [("[2900 ms, 3100 ms]", 0), ("[1 s, 2900 ms]", 1), ("[3100 ms, 60 s]", 1)])
def test_the_led_test_of_ppc_lasted_three_seconds(tmp_path: Path, bounds: str, code: int) -> None:
    """[PPC] 2.4: its last dark part belongs to it, although nothing but darkness follows."""
    seen, step = run(tmp_path, f"leds: {{shows: led_test, lasted: {bounds}}}")
    assert seen == code
    assert abs(float(str(step["seen"]).split()[2]) - 3.0) < 0.05, step["seen"]


def test_a_pattern_that_is_not_over_has_not_lasted(tmp_path: Path) -> None:
    code, step = run(tmp_path, "leds: {PWR: on, lasted: [1 s, 1 h]}")
    assert code == 1
    assert step["seen"] == "it was not seen, or is not over"


def test_several_leds_lasted_as_long_as_all_of_them_showed_it(tmp_path: Path) -> None:
    code, step = run(tmp_path, "leds: {PWR: off, TLS: off, LMC: off, wMT: off, lasted: [11900 ms, 12100 ms]}")
    assert (code, step["seen"]) == (0, "it lasted 12 s")


@pytest.mark.parametrize(("count", "code"), [("none", 1), ("at least 4", 0), ("5", 0), ("at most 3", 1)])
def test_values_are_counted_over_a_span(tmp_path: Path, count: str, code: int) -> None:
    steps = f"wait: 100 s\nvalues: {{meter: house, count: {count}, over: 5 min}}"
    assert run(tmp_path, steps)[0] == code


def test_frames_are_counted_over_a_span(tmp_path: Path) -> None:
    steps = "network: {unplug: HAN}\nnetwork: {socket: HAN, frames: none, over: 6 min}"
    assert run(tmp_path, steps)[0] == 0
    assert main(["check", str(tmp_path / "trial.yaml")]) == 0


def test_frames_that_should_not_be_there_are_a_failure(tmp_path: Path) -> None:
    code, step = run(tmp_path, "network: {socket: HAN, frames: none, over: 6 min}")
    assert code == 1
    assert "frames out of HAN" in str(step["seen"])


def test_what_must_be_refused_and_is_carried_out_is_a_failure(tmp_path: Path) -> None:
    code, step = run(tmp_path, "fault: {do: install_update, refused: true}")
    assert (code, step["seen"]) == (1, "carried out")


def test_what_is_refused_as_it_must_be_passes(tmp_path: Path) -> None:
    assert run(tmp_path, "fault: {do: violation}\nfault: {do: install_update, refused: true}")[0] == 0


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("network: {socket: HAN}", "'socket' needs 'frames' and 'over'"),
        ("leds: {PWR: on, lasted: [3 s, 1 s]}", "the shortest and the longest"),
        ("values: {meter: house, register: 1.8.0, count: 3, over: 5 min}", "'over' belongs to"),
    ],
)
def test_mistakes_in_these_steps_are_told(
    tmp_path: Path, step: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(HEAD.format(gateway="ppc") + f"  - {step}\n", encoding="utf-8")
    assert main(["check", str(path)]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("relation", ["together", "alternating"])
def test_the_phase_of_blinking_leds_counts_although_others_of_the_pattern_are_dark(
    tmp_path: Path, relation: str
) -> None:
    """[PPC] 2.4: PWR and wMT may stand either way to each other, while TLS and LMC are dark."""
    steps = f"fault: {{do: violation, variant: pwr_wmt, phase: {relation}}}\nleds: {{shows: stopped}}"
    assert run(tmp_path, steps)[0] == 0
