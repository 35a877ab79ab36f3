"""What a scenario may say of the update log and firmware of a SMARTY BZ-PLUS v2 that it is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bench.config import load_bench
from bench.played_meter import make_given, smarty_options
from bench.runner import CaseResult, run_case
from bench.scenario.loader import load
from bench.scenario.models import GivenMeter
from bench.verdict import Verdict
from devices.clock import Clock
from devices.errors import UsageErrors
from devices.meters.defaults import LmnDefaults
from devices.meters.smarty_bz import SmartyBz
from devices.protocols.update_log import Event

CASE = """id: T-3
title: A SMARTY with a history
device: bz_plus_v2
given:
  meters:
    dut:
      type: smarty_bz_plus_v2
      id: 1SAG0021061001
      registers: {{1.8.0: 5 kWh, 2.8.0: 0 kWh}}
{}
steps:
{}
"""
HISTORY = """      allow_downgrade: true
      update_log:
        - {event: succeeded, second_index: 282, version: V99.99, crc: 0x4751}
        - {event: failed, second_index: 400, 1.8.0: 1 kWh}
        - {event: succeeded, second_index: 600, 1.8.0: 1.5 kWh, version: 2.0, crc: 0x564c}"""


def ran(tmp_path: Path, given: str, *steps: str) -> CaseResult:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(CASE.format(given, "\n".join(f"  - {step}" for step in steps)))
    return run_case(load([scenario])[0], load_bench("emulated")[0], tmp_path / "case", seed=1, replay=[])


def smarty(**more: object) -> GivenMeter:
    return GivenMeter.model_validate({"type": "smarty_bz_plus_v2", "id": "1SAG0021061001", **more})


def test_a_log_with_a_history_is_signed_by_the_meter_and_goes_on(tmp_path: Path) -> None:
    result = ran(
        tmp_path,
        HISTORY,
        "service: {meter: dut, firmware: ENSO-MME V2.0}",
        "update_log: {meter: dut, count: 3, last: {event: succeeded, version: V2.0}, trusted: true}",
        "update_meter: {meter: dut, image: {version: V1.0}, result: installed}",
        "update_log: {meter: dut, count: 4, last: {event: succeeded, version: V1.0}, trusted: true, consistent: true}",
    )
    assert result.verdict is Verdict.PASS, result.reason


def test_the_firmware_at_the_begin_can_be_named(tmp_path: Path) -> None:
    result = ran(
        tmp_path,
        "      firmware: V3.7",
        "service: {meter: dut, firmware: ENSO-MME V3.7}",
        "update_meter: {meter: dut, image: {version: V3.6}, result: rejected, failed_check: newer}",
        "update_meter: {meter: dut, image: {version: V3.8}, result: installed}",
    )
    assert result.verdict is Verdict.PASS, result.reason


def test_without_a_named_firmware_that_of_the_last_success_runs() -> None:
    entries = [
        {"event": "succeeded", "second_index": 5, "version": "V2.1", "crc": "0x1234"},
        {"event": "failed", "second_index": 9},
    ]
    options = smarty_options(smarty(update_log=entries), LmnDefaults())
    assert (options.version, options.firmware_crc, options.log_capacity) == ("V2.1", 0x1234, 16)
    assert [(entry.number, entry.event, entry.version, entry.crc) for entry in options.history] == [
        (1, Event.SUCCEEDED, "V2.1", 0x1234),
        (2, Event.FAILED, "", 0),
    ]


def test_what_the_scenario_says_goes_before_the_bench_file(clock: Clock) -> None:
    defaults = LmnDefaults().overridden({"log_capacity": 4, "allow_downgrade": True})
    meter = make_given(clock, smarty(log_capacity=7, allow_downgrade=False), defaults, folder=Path())
    assert isinstance(meter, SmartyBz)
    assert (meter.metrology_cpu.store.capacity, meter.metrology_cpu.rules.allow_downgrade) == (7, False)
    meter = make_given(clock, smarty(), defaults, folder=Path())
    assert isinstance(meter, SmartyBz)
    assert (meter.metrology_cpu.store.capacity, meter.metrology_cpu.rules.allow_downgrade) == (4, True)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"firmware": "2"}, "no version: write it like V2.0"),
        ({"firmware": "V2.256"}, "no version"),
        ({"firmware_crc": "4751"}, "write it like 0x564c"),
        ({"update_log": [{"event": "failed", "second_index": 1, "version": "V2.0"}]}, "one that failed has none"),
        ({"update_log": [{"event": "succeeded", "second_index": 1}]}, "has a 'version'"),
        ({"update_log": [{"event": "failed", "second_index": -1}]}, "greater than or equal to 0"),
        ({"update_log": [{"event": "failed", "second_index": 1, "1.8.0": "0.5 Wh"}]}, "whole Wh"),
        ({"update_log": [{"event": "failed", "second_index": 1}] * 2, "log_capacity": 1}, "do not fit"),
    ],
)
def test_what_cannot_be_is_said(more: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        smarty(**more)


@pytest.mark.parametrize("more", [{"firmware": "V2.0"}, {"allow_downgrade": False}, {"log_capacity": 2}])
def test_only_a_smarty_has_firmware_and_a_log(more: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="only a smarty_bz_plus_v2"):
        GivenMeter.model_validate({"id": "1EMH0005975894", **more})


def test_a_mistake_in_an_entry_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageErrors) as caught:
        ran(tmp_path, HISTORY.replace("0x4751", "4751"), "service: {meter: dut}")
    assert "s.yaml:12:" in str(caught.value) and "write it like 0x564c" in str(caught.value)


def test_a_made_up_meter_needs_an_emulated_one_and_a_meter_under_test_no_bus_of_a_gateway(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    needs = []
    for given in ("      firmware: V2.0", "      load: 5 W"):
        path.write_text(CASE.format(given, "  - service: {meter: dut}"))
        needs.append(load([path])[0].scenario.all_needs())
    assert needs == [{"service_adapter", "emulated_meter"}, {"service_adapter"}]
