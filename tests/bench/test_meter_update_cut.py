"""A cut of the supply in the midst of an update: made where it was ordered, or the case says that it was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config import load_bench
from bench.runner import CaseResult, run_case
from bench.scenario.loader import load
from bench.verdict import Verdict
from devices.errors import UsageErrors

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "bz_plus"
CASE = """id: T-4
title: A cut
device: bz_plus_v2
given:
  meters:
    dut: {{type: smarty_bz_plus_v2, id: 1SAG0021061001, load: 480 W{}}}
steps:
{}
"""


def ran(tmp_path: Path, *steps: str, given: str = "") -> CaseResult:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(CASE.format(given, "\n".join(f"  - {step}" for step in steps)))
    return run_case(load([scenario])[0], load_bench("emulated")[0], tmp_path / "case", seed=1, replay=[])


def update(image: str, at: str, more: str = "") -> str:
    return f"update_meter: {{meter: dut, image: {{{image}}}, result: cut, cut: {{at: {at}, for: 10 s{more}}}}}"


@pytest.mark.parametrize(
    ("step", "given", "part", "ended"),
    [
        (update("version: V1.0", "confirm"), "", "confirm", "rejected"),
        (update("version: V1.0", "logging"), "", "logging", "rejected"),
        (update("version: V2.1, defect: damaged", "installing"), "", "installing", "rejected"),
    ],
)
def test_a_cut_that_could_not_be_made_is_no_fault_of_the_meter(
    tmp_path: Path, step: str, given: str, part: str, ended: str
) -> None:
    result = ran(tmp_path, step, given=given)
    assert result.verdict is Verdict.ERROR
    assert "the bench did not cut the supply of dut" in (result.reason or "")
    assert f"in the part '{part}'" in (result.reason or "")
    assert f"the update ended {ended}" in (result.reason or "")


def test_a_refused_transfer_leaves_nothing_to_cut(tmp_path: Path) -> None:
    entry = "{event: succeeded, second_index: 282, version: V2.0, crc: 0x564c}"
    given = f", log_capacity: 1, update_log: [{entry}]"
    result = ran(tmp_path, update("version: V2.1", "checking"), given=given)
    assert result.verdict is Verdict.ERROR
    assert "the update ended refused" in (result.reason or "")


def test_between_switch_and_entry_the_new_firmware_runs_and_is_logged(tmp_path: Path) -> None:
    """lmn-wired 5.6: no update without an entry, told by what runs at the next boot."""
    result = ran(
        tmp_path,
        update("version: V2.1", "logging"),
        "service: {meter: dut, firmware: ENSO-MME V2.1}",
        "update_log: {meter: dut, count: 1, last: {event: succeeded, version: V2.1}, trusted: true, consistent: true}",
    )
    assert result.verdict is Verdict.PASS, result.reason


def test_the_instant_of_the_entry_has_no_delay(tmp_path: Path) -> None:
    with pytest.raises(UsageErrors, match="no 'after'"):
        ran(tmp_path, update("version: V2.1", "logging", ", after: 1 s"))


@pytest.mark.parametrize("name", ["cut", "cut_installing", "cut_logging"])
def test_the_scenarios_of_cuts_pass(tmp_path: Path, name: str) -> None:
    bench = load_bench("emulated")[0]
    for number, case in enumerate(load([SCENARIOS / f"{name}.yaml"])):
        result = run_case(case, bench, tmp_path / f"case{number}", seed=1, replay=[])
        assert result.verdict is Verdict.PASS, result.reason
