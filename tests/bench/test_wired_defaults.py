"""What the documents leave open about wired meters can be overridden by the bench file, and the report lists it."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from bench.config import load_bench
from bench.runner import run_case
from bench.scenario.loader import load
from devices.errors import UsageError
from devices.meters.defaults import WHY, LmnDefaults
from devices.meters.wired_station import StationTiming
from devices.protocols.hdlc_link import LinkLimits

BENCH = """name: slow meters
time: virtual
gateway: {emulated: true}
wired_lmn: {port: memory, assumed: {%s}}
maintenance: memory
"""

SCENARIO = """id: T-1
title: A meter is there
gateways: [ppc]
given:
  meters:
    house: {id: 1SAG0021061001}
steps:
  - lmn: {meter: house, addressed: false}
"""


def test_every_default_says_where_the_gap_is_and_why_it_was_filled_so() -> None:
    assert set(WHY) == {one.name for one in fields(LmnDefaults)}


def test_untouched_defaults_are_those_of_stations_and_links() -> None:
    assert LmnDefaults().timing() == StationTiming()
    assert LmnDefaults().limits() == LinkLimits()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [({"slot": 0.01}, "no default 'slot'"), ({"slot_s": -1}, "cannot be -1"), ({"slot_s": True}, "cannot be True")],
)
def test_a_wrong_default_is_named(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        LmnDefaults().overridden(given)


def test_a_bench_file_with_an_unknown_default_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(BENCH % "slot_ss: 0.01")
    with pytest.raises(UsageError) as caught:
        load_bench(str(path))
    assert "b.yaml:4:" in str(caught.value) and "did you mean 'slot_s'?" in str(caught.value)


def test_the_report_lists_the_values_of_the_bench_file_as_assumed(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(BENCH % "turnaround_s: 0.004")
    scenario = tmp_path / "s.yaml"
    scenario.write_text(SCENARIO)
    bench, _ = load_bench(str(path))
    run_case(load([scenario])[0], bench, tmp_path / "case", seed=1, replay=[])
    assumed = json.loads((tmp_path / "case" / "verdict.json").read_text())["assumed"]
    assert {"wired meters: turnaround_s": "0.004"}.items() <= {one["name"]: one["value"] for one in assumed}.items()
