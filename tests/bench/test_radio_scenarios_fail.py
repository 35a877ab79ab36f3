"""The scenarios of radio meters fail when the gateway, or the scenario itself, is made wrong: each of them can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from devices.protocols.mbus import telegram as layers
from devices.wmbus.air import AirSettings
from firmware.fault_codes import RADIO_MODULE_CODES
from firmware.lmn.wireless import service
from firmware.lmn.wireless.answers import Answers
from firmware.lmn.wireless.counters import Counters
from firmware.lmn.wireless.service import RadioService

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "radio"


def verdicts(folder: Path, text: str, product: str = "casa", case: str | None = None) -> set[str]:
    (folder / "case.yaml").write_text(text, "utf-8")
    out = folder / "run"
    chosen = [] if case is None else ["--case", case]
    main(["run", str(folder / "case.yaml"), "--gateway", product, *chosen, "--out", str(out), "--plain"])
    return {json.loads(one.read_text("utf-8"))["verdict"] for one in out.glob("cases/*/verdict.json")}


def scenario(name: str, *changes: tuple[str, str]) -> str:
    text = (SCENARIOS / f"{name}.yaml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize(("name", "case"), [("replay", "RAD-5[ppc]"), ("cut_and_counter", "RAD-8[ppc,cut=1 s]")])
def test_a_counter_that_does_not_outlive_a_cut_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, case: str
) -> None:
    monkeypatch.setattr(Counters, "store", lambda _: None)
    assert verdicts(tmp_path, scenario(name), "ppc", case) == {"fail"}


def test_a_counter_that_is_taken_over_before_the_mac_was_checked_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rises = RadioService._counter_rises

    def hasty(self: RadioService, profile: Any, counter: int | None) -> bool:
        good = rises(self, profile, counter)
        if good and counter is not None:
            self.counters.accept(profile.meter, profile.key, counter)
        return good

    monkeypatch.setattr(RadioService, "_counter_rises", hasty)
    assert verdicts(tmp_path, scenario("spoilt"), "casa", "RAD-13[casa,kind=forged_counter]") == {"fail"}


def test_a_mac_that_nobody_checks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_check_mac", lambda *_: True)
    assert verdicts(tmp_path, scenario("spoilt"), "ppc", "RAD-13[ppc,kind=wrong_mac]") == {"fail"}


def test_a_wrong_code_of_the_radio_module_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = dict(RADIO_MODULE_CODES) | {"no_answer": 200507, "no_understanding": 200504}
    monkeypatch.setattr(service, "RADIO_MODULE_CODES", codes)
    assert verdicts(tmp_path, scenario("casa_module")) == {"fail"}


def test_an_alarm_that_nobody_acknowledges_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "answer", lambda *_: None)
    assert verdicts(tmp_path, scenario("alarm_told")) == {"fail"}


def test_an_air_that_never_loses_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AirSettings, "overridden", lambda self, given: self)
    assert verdicts(tmp_path, scenario("lost_telegrams"), "casa", "RAD-7[casa,loss=90 %]") == {"fail"}


def test_without_the_right_key_the_values_of_a_meter_are_missing(tmp_path: Path) -> None:
    step = "  - back_office: {install_profile: meter, for: gas, key: 000102030405060708090A0B0C0D0E0F}\n"
    assert verdicts(tmp_path, scenario("wrong_key", (step, ""))) == {"fail"}


SMALLER = (("other_meters: 98", "other_meters: 20"), ("collided: at least 20", "collided: at least 1"))
"""A crowd that is quicker and still collides."""


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (("load: 480 W, compact: true", "load: 480 W, compact: true"), "pass"),
        (("other_meters: 20", "other_meters: 0"), "fail"),
        (("load: 480 W, compact: true", "load: 480 W, compact: false"), "fail"),
        (("load: 0.6 m3/h, compact: true", "load: 0.6 m3/h, key_in_profile: 00112233445566778899AABBCCDDEEFF"), "fail"),
        (("load: 480 W, compact: true", "load: 480 W, key_in_profile: 00112233445566778899AABBCCDDEEFF"), "fail"),
    ],
)
def test_a_crowd_without_others_compact_profile_or_key_is_found(
    tmp_path: Path, change: tuple[str, str], verdict: str
) -> None:
    assert verdicts(tmp_path, scenario("crowd", *SMALLER, change)) == {verdict}
