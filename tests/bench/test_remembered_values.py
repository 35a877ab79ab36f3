"""Stored values are remembered per meter and moment, and compared with those of the same meter."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config import load_bench
from bench.runner import run_case
from bench.scenario.loader import load
from bench.verdict import Verdict
from devices.errors import UsageErrors

SCENARIO = """id: T-4
title: Two meters are remembered
gateways: [ppc]
given:
  meters:
    house: {{id: 1EMH0005975894, registers: {{1.8.0: 10 kWh}}, load: 480 W}}
    garage: {{id: 1SAG0021061001, registers: {{1.8.0: 20 kWh}}, load: 1 kW}}
steps:
  - power: on
  - values: {{meter: house, count: at least 2, within: 2 h}}
  - values: {{meter: garage, count: at least 2, within: 2 h}}
{}
"""


def case_with(folder: Path, *steps: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(SCENARIO.format("\n".join(f"  - memory: {step}" for step in steps)))
    return path


def test_two_meters_may_be_remembered_under_one_name(tmp_path: Path) -> None:
    path = case_with(
        tmp_path,
        "{meter: house, values_as: before}",
        "{meter: garage, values_as: before}",
        "{meter: house, nothing_lost_since: before}",
        "{meter: garage, nothing_lost_since: before}",
    )
    result = run_case(load([path])[0], load_bench("emulated")[0], tmp_path / "case", seed=1, replay=[])
    assert result.verdict is Verdict.PASS, result.reason


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        (["{meter: house, nothing_lost_since: before}"], "nothing was remembered as 'before' before"),
        (
            ["{meter: house, nothing_lost_since: before}", "{meter: house, values_as: before}"],
            "nothing was remembered as 'before' before",
        ),
        (
            ["{meter: house, values_as: before}", "{meter: garage, nothing_lost_since: before}"],
            "is of meter 'house', not of 'garage'",
        ),
    ],
)
def test_what_was_not_remembered_before_is_refused_with_its_line(
    tmp_path: Path, steps: list[str], complaint: str
) -> None:
    with pytest.raises(UsageErrors, match=complaint) as caught:
        load([case_with(tmp_path, *steps)])
    assert "s.yaml:1" in str(caught.value)
