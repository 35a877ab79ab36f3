"""What the documents leave open about wired meters can be overridden by the bench file, and the report lists it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bench.config import load_bench
from bench.runner import run_case
from bench.scenario.loader import load
from bench.verdict import Verdict
from devices.errors import UsageError
from devices.meters.catalogue import SmartyOptions
from devices.meters.defaults import SECURITY, SMARTY, WHY, WIRED, LmnDefaults
from devices.meters.security import SecuritySettings
from devices.meters.station_settings import Busy, Manners, StationTiming
from devices.protocols import libssl
from devices.protocols.hdlc_link import LinkLimits
from devices.protocols.smarty_service import CrcOrder
from devices.protocols.sym import BadRequest

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


def test_every_default_stands_under_one_heading() -> None:
    named = [name for _, names in (WIRED, SECURITY, SMARTY) for name in names]
    assert sorted(named) == sorted(WHY)


def test_untouched_defaults_are_those_of_stations_and_links() -> None:
    assert LmnDefaults().timing() == StationTiming()
    assert LmnDefaults().limits() == LinkLimits()
    assert LmnDefaults().security(0xC023) == SecuritySettings()
    assert replace(LmnDefaults().smarty(), largest_image=None) == SmartyOptions()
    assert (LmnDefaults().busy_with(), LmnDefaults().manners()) == (Busy.READY, Manners())


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"slot": 0.01}, "no default 'slot'"),
        ({"slot_s": -1}, "cannot be -1"),
        ({"slot_s": True}, "cannot be True"),
        ({"slot_s": float("nan")}, "cannot be nan"),
        ({"window": 2.5}, "cannot be 2.5 .a whole number from 1 to 7, such as 1"),
        ({"window": 8}, "cannot be 8"),
        ({"invite_choices": 0}, "cannot be 0 .a whole number from 1 to 1000, such as 10"),
        ({"max_information": 5000}, "cannot be 5000 .a whole number from 1 to 2036"),
        ({"curves": "P-256"}, "cannot be 'P-256' .a list of some of P-256, P-384"),
        ({"curves": ["P-256", "P-256"]}, "cannot be"),
        ({"curves": []}, "cannot be"),
        ({"check_gateway": "no"}, "cannot be 'no' .true or false, such as true"),
        ({"on_bad_request": "reject"}, "cannot be 'reject' .one of silent, repeat, such as silent"),
        ({"to_disconnect": "frmr"}, "one of ua, dm, such as ua"),
        ({"crc_order": "big"}, "one of high_first, low_first"),
        ({"log_capacity": 0}, "cannot be 0 .a whole number from 1 to 65535, such as 16"),
    ],
)
def test_a_wrong_default_is_named(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        LmnDefaults().overridden(given)


def test_the_settings_of_security_and_of_the_smarty_can_be_overridden() -> None:
    changed = LmnDefaults().overridden(
        {
            "curves": ["brainpoolP256r1", "P-256"],
            "session_octets": 100_000,
            "check_gateway": False,
            "reset_window_s": 60,
            "on_bad_request": "repeat",
            "sym_counter": 7,
            "installing_s": 3,
            "log_capacity": 4,
            "crc_order": "low_first",
        }
    )
    security = changed.security(0xC023)
    assert (security.tls.curves, security.tls.session_octets) == ((26, 23), 100_000)
    assert (security.check_gateway, security.on_bad_request, security.counter) == (False, BadRequest.REPEAT, 7)
    assert security.reset_window == timedelta(minutes=1)
    smarty = changed.smarty()
    assert (smarty.timing.installing_s, smarty.log_capacity, smarty.crc_order) == (3.0, 4, CrcOrder.LOW_FIRST)


def test_a_bench_file_with_an_unknown_default_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(BENCH % "slot_ss: 0.01")
    with pytest.raises(UsageError) as caught:
        load_bench(str(path))
    assert "b.yaml:4:" in str(caught.value) and "did you mean 'slot_s'?" in str(caught.value)


def assumed_in(tmp_path: Path, overrides: str, scenario_text: str = SCENARIO) -> dict[str, dict[str, str]]:
    """The assumed facts of a case, by name, from its verdict."""
    path = tmp_path / "b.yaml"
    path.write_text(BENCH % overrides)
    scenario = tmp_path / "s.yaml"
    scenario.write_text(scenario_text)
    bench, _ = load_bench(str(path))
    result = run_case(load([scenario])[0], bench, tmp_path / "case", seed=1, replay=[])
    assert result.verdict <= Verdict.PASS, result.reason
    return {one["name"]: one for one in json.loads((tmp_path / "case" / "verdict.json").read_text())["assumed"]}


def test_the_report_lists_the_values_of_the_bench_file_as_assumed(tmp_path: Path) -> None:
    listed = assumed_in(tmp_path, "turnaround_s: 0.004, check_gateway: false, curves: [P-256, brainpoolP256r1]")
    turnaround = listed["wired meters: turnaround_s"]
    assert (turnaround["value"], turnaround["source"]) == ("0.004", "bench file, for lmn-wired 1.7")
    assert turnaround["why"].startswith("overridden (default: 0.001); no document")
    assert listed["SYM and TLS of wired meters: check_gateway"]["value"] == "false"
    assert listed["SYM and TLS of wired meters: curves"]["value"] == "[P-256, brainpoolP256r1]"
    untouched = listed["wired meters: slot_s"]
    assert (untouched["value"], untouched["source"]) == ("0.01", "lmn-wired 1.5")
    assert not any(name.startswith("SMARTY") for name in listed)


def test_meters_in_the_clear_rely_on_nothing_about_tls(tmp_path: Path) -> None:
    listed = assumed_in(tmp_path, "", SCENARIO.replace("SAG0021061001}", "SAG0021061001, security: clear}"))
    assert not any("TLS" in name for name in listed)


def test_that_openssl_cannot_be_reached_is_told_where_tls_is_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libssl, "available", lambda: False)
    fact = assumed_in(tmp_path, "")["TLS of wired meters: OpenSSL"]
    assert fact["value"].startswith("libssl not available: ")


SMARTY_CASE = """id: T-2
title: A SMARTY with a log of three
device: bz_plus_v2
given:
  meters:
    dut:
      type: smarty_bz_plus_v2
      id: 1SAG0021061001
      log_capacity: 3
steps:
  - update_meter: {meter: dut, image: {version: V2.1}, result: installed}
  - update_log: {meter: dut, count: 1, trusted: true, consistent: true}
"""


def test_what_is_assumed_of_a_smarty_is_listed_with_its_overrides_and_its_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "BENCH", BENCH + "service_adapter: {port: memory}\n")
    listed = assumed_in(tmp_path, "installing_s: 7, crc_order: low_first, largest_image: 100000", SMARTY_CASE)
    facts = {name.partition("v2: ")[2]: one for name, one in listed.items() if name.startswith("SMARTY")}
    assert (facts["installing_s"]["value"], facts["installing_s"]["source"]) == ("7.0", "bench file, for lmn-wired 5.5")
    assert facts["inner check"]["value"] == "low_first"
    assert facts["largest image"]["value"] == "100000 octets"
    assert (facts["log capacity"]["value"], facts["log capacity"]["source"]) == ("3", "scenario")
    assert facts["booting_s"]["source"] == "lmn-wired 5.5"
    assert facts["signed octets"]["why"] == "no layout that was tried fits the maker's signatures"


def test_the_service_adapter_goes_before_the_metrological_bus(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(
        BENCH % "log_capacity: 5, boot_s: 1" + "service_adapter: {port: memory, assumed: {log_capacity: 6}}\n"
    )
    assert load_bench(str(path))[0].assumed_of_meters() == {"log_capacity": 6, "boot_s": 1}


def options_in(listed: dict[str, dict[str, str]], part: str) -> dict[str, dict[str, str]]:
    """What is said of one part of the emulated gateway, by the name of the option."""
    start = f"emulated gateway, {part}: "
    return {name.removeprefix(start): one for name, one in listed.items() if name.startswith(start)}


def test_the_report_lists_what_the_emulated_gateway_does_by_assumption(tmp_path: Path) -> None:
    listed = assumed_in(tmp_path, "")
    invite = options_in(listed, "wired")["invite_interval_s"]
    assert (invite["value"], invite["source"]) == ("30.0", "lmn-wired 1.5")
    assert invite["why"] == "Time between two invitations on the bus (lmn-wired 1.5)."
    assert options_in(listed, "security")["lmn_session_days"]["value"] == "31.0"
    assert not options_in(listed, "radio") and not options_in(listed, "time") and not options_in(listed, "logs")


def test_options_of_the_gateway_that_a_file_overrides_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = "{emulated: true, options: {slot_tolerance_s: 0.1, slot_count: 16, boot_scale: 2}}"
    monkeypatch.setitem(globals(), "BENCH", BENCH.replace("{emulated: true}", options))
    in_scenario = SCENARIO.replace("given:\n", "needs: [emulated]\ngiven:\n  gateway: {options: {slot_count: 8}}\n")
    listed = assumed_in(tmp_path, "", in_scenario)
    tolerance = options_in(listed, "wired")["slot_tolerance_s"]
    assert (tolerance["value"], tolerance["source"]) == ("0.1", "bench file, for lmn-wired 1.5")
    assert tolerance["why"].startswith("overridden (default: 0.004); How far beside its slot")
    slots = options_in(listed, "wired")["slot_count"]
    assert (slots["value"], slots["source"]) == ("8", "scenario, for lmn-wired 1.5")
    assert options_in(listed, "start")["boot_scale"]["source"] == "bench file, for no manual"


def test_a_case_without_meters_relies_on_nothing_about_the_bus(tmp_path: Path) -> None:
    text = SCENARIO.replace("given:\n  meters:\n    house: {id: 1SAG0021061001}\n", "needs: [records]\n")
    listed = assumed_in(tmp_path, "", text.replace("lmn: {meter: house, addressed: false}", "wait: 1 s"))
    assert not options_in(listed, "wired") and not options_in(listed, "security")
    assert options_in(listed, "logs")["calibration_log_capacity"]["value"] == "1000"
