"""Monitors on the emulated bench, where the logs are asked by steps and monitors side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.config import load_bench
from bench.runner import CaseResult, run_case
from bench.scenario.loader import cases_of
from bench.scenario.source import parse
from bench.verdict import Verdict

HEAD = "id: M-1\ntitle: A monitor\ngateways: [{gateway}]\nneeds: [emulated, power, leds, records]\n"


def run(tmp_path: Path, gateway: str, body: str) -> CaseResult:
    bench, _ = load_bench("emulated")
    (case,) = cases_of(parse(HEAD.format(gateway=gateway) + body, Path("m.yaml")))
    return run_case(case, bench, tmp_path / "case", seed=1, replay=[])


def test_a_log_entry_that_must_never_come_fails_the_case(tmp_path: Path) -> None:
    body = """
watch:
  - never: {log: {book: system, has: operation_stopped}}
steps:
  - power: on
  - leds: {shows: ready, within: 2 min}
  - log: {book: system, has: normal_operation}
  - fault: {do: violation, variant: all}
  - wait: 1 min
"""
    result = run(tmp_path, "ppc", body)
    assert result.verdict is Verdict.FAIL
    assert "operation_stopped" in result.reason


def test_log_and_state_monitors_that_hold_pass(tmp_path: Path) -> None:
    body = """
watch:
  - never: {log: {book: system, has: operation_stopped}}
  - never: {gateway: {state: restricted}}
steps:
  - power: on
  - wait: 10 min
  - gateway: {state: run}
"""
    assert run(tmp_path, "ppc", body).verdict is Verdict.PASS


def test_what_happens_in_the_last_moment_is_still_judged(tmp_path: Path) -> None:
    """All four LEDs blink for three seconds when the last step ends: too short yet to tell it from a LED test."""
    body = """
watch:
  - never: {leds: alarm}
steps:
  - power: on
  - leds: {shows: ready, within: 2 min}
  - fault: {do: violation, variant: all}
  - wait: 3 s
"""
    assert run(tmp_path, "ppc", body).verdict is Verdict.FAIL


def test_normal_operation_is_not_claimed_while_han_is_cut(tmp_path: Path) -> None:
    """CONEXA's main LEDs do not tell Secure State Connectivity ([CONEXA] D-2.3): the log has to."""
    body = """
steps:
  - power: on
  - leds: {shows: ready, within: 2 min}
  - network: {join: [WAN, HAN]}
  - gateway: {state: connectivity_cut, within: 10 min}
  - gateway: {state: run}
"""
    result = run(tmp_path, "conexa", body)
    assert result.verdict is Verdict.FAIL
    assert result.steps[-1].verdict == "fail"


def test_a_case_over_its_time_limit_is_an_error_in_every_record(tmp_path: Path) -> None:
    body = "time_limit: 20 s\nwatch:\n  - never: {leds: alarm}\nsteps:\n  - power: on\n  - wait: 5 min\n"
    result = run(tmp_path, "ppc", body)
    assert result.verdict is Verdict.ERROR
    assert "time limit of 20 s" in result.reason
    assert result.monitors
    lines = (tmp_path / "case" / "timeline.jsonl").read_text("utf-8").splitlines()
    told = [event for event in map(json.loads, lines) if event["source"] == "verdict"]
    assert [event["kind"] for event in told] == ["error"]


@pytest.mark.parametrize("field", ["instal_updaet", "fill_log, book: nowhere"])
def test_a_typing_error_is_no_refusal(tmp_path: Path, field: str) -> None:
    body = f"steps:\n  - power: on\n  - wait: 2 min\n  - fault: {{do: {field}, refused: true}}\n"
    assert run(tmp_path, "ppc", body).verdict is Verdict.ERROR
