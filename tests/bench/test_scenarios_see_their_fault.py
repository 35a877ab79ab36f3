"""Scenarios whose own fault is taken out fail: each shows that what it is about has taken place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.cli import main

SCENARIOS = Path(__file__).parents[2] / "scenarios"
CUT = "power: {cut: 10 s}"


def verdicts(folder: Path, text: str, product: str) -> set[str]:
    text = re.sub(r"(?m)^(  (?:offset|away|how|book): )\[([^],]+),.*\]$", r"\1[\2]", text)  # one case is enough
    (folder / "case.yaml").write_text(text, "utf-8")
    main(["run", str(folder / "case.yaml"), "--gateway", product, "--out", str(folder / "run"), "--plain"])
    return {json.loads(one.read_text("utf-8"))["verdict"] for one in folder.glob("run/cases/*/verdict.json")}


@pytest.mark.parametrize(
    ("name", "product", "fault", "number"),
    [
        ("time/small_deviation", "ppc", 'time: {offset: "{offset}"}', 1),
        ("time/large_deviation", "conexa", "time: {server: off}", 1),
        ("tariffs/taf2_gap_inside", "conexa", "power: {cut: 130 min, at: 2026-01-05T08:03:00Z}", 1),
        ("tariffs/taf2_difference", "casa", "lmn: {meter: pump, plugged: false}", 1),
        ("tariffs/taf2_register_falls", "casa", "lmn: {meter: house, plugged: false}", 1),
        ("tariffs/taf2_register_falls", "ppc", "lmn: {meter: other, plugged: false}", 1),
        ("selftest/casa", "casa", CUT, 1),
        ("selftest/flipped_bit_in_log", "ppc", CUT, 1),
        ("selftest/key_exchanged", "ppc", CUT, 1),
        ("logs/casa_consumer_full", "casa", "fault: {do: fill_log, book: consumer, to: 0.9}", 1),
        ("logs/casa_consumer_full", "casa", CUT, 1),
        ("logs/casa_calibration_full", "casa", "fault: {do: fill_log, book: calibration, to: 0.9}", 1),
        ("logs/casa_torn_entry", "casa", CUT, 1),
        ("logs/casa_torn_entry", "casa", CUT, 2),
        ("profiles/orders", "conexa", CUT, 1),
    ],
)
def test_a_scenario_without_its_fault_fails(tmp_path: Path, name: str, product: str, fault: str, number: int) -> None:
    step = f"  - {fault}\n"
    parts = (SCENARIOS / f"{name}.yaml").read_text("utf-8").split(step)
    assert len(parts) > number
    without = step.join(parts[:number]) + step.join(parts[number:])
    assert verdicts(tmp_path, without, product) == {"fail"}
