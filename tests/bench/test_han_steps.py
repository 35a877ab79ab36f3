"""The step `han` against the emulated gateways: it passes what is so, and fails what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli import main
from bench.scenario.loader import load
from devices.errors import UsageError

HOME = Path(__file__).parents[2] / "scenarios" / "home"
SHOWN = {"ppc": "/cgi-bin/hanservice.cgi", "conexa": "/smgw/m2m", "casa": "/json/metering/origin/"}
"""Path that answers a consumer who says who he is."""
HEAD = """
id: T-1
title: A trial
gateways: [{product}]
needs: [power, wired_lmn, back_office]
given:
  meters:
    house: {{id: 1SAG0021061001, registers: {{1.8.0: 100 kWh}}, load: 480 W, security: clear}}
  contracts:
    profile: {{taf: 7, meters: {{house: 1.8.0}}, begin: 2026-01-05 01:15, consumer: berta}}
  han: {{users: {{berta: {{password: "Zaehler."}}, otto: {{}}}}}}
steps:
  - power: on
  - han: {{reachable: true, within: 180 s}}
  - contract: {{install: profile}}
  - wait: 35 min
  - han: {step}
"""


def run(scenario: Path, product: str, out: Path) -> dict[str, object]:
    main(["run", str(scenario), "--gateway", product, "--out", str(out)])
    verdict: dict[str, object] = json.loads(next((out / "cases").glob("*/verdict.json")).read_text())
    return verdict


def trial(folder: Path, product: str, step: str) -> Path:
    file = folder / "trial.yaml"
    file.write_text(HEAD.format(product=product, step=step.replace("%s", SHOWN[product])))
    return file


@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        ("{login: berta, accepted: true}", "pass"),
        ("{login: berta, password: wrong, accepted: true}", "fail"),
        ("{values: house, register: 1.8.0, between: [100.2 kWh, 100.3 kWh], as: berta}", "pass"),
        ("{values: house, register: 1.8.0, equals: 99 kWh, as: berta}", "fail"),
        ("{values: house, as: otto}", "fail"),
        ("{list: house, since: 2026-01-05T00:15:00Z, until: 2026-01-05T00:30:00Z, count: 2, as: berta}", "pass"),
        ("{list: house, since: 2026-01-05T00:15:00Z, until: 2026-01-05T00:30:00Z, count: 3, as: berta}", "fail"),
        ("{contracts: 2, as: berta}", "fail"),
        ("{sees: [house], as: otto}", "fail"),
        ("{log: {text: no gateway would say this}, as: berta}", "fail"),
        ("{log: {count: at least 1}, as: berta}", "pass"),
        ("{log: {count: none}, as: berta}", "fail"),
        ("{get: /no/such/path, status: 4xx, as: berta}", "pass"),
        ("{get: %s, status: 4xx, as: berta}", "fail"),
        ("{locked: true, as: berta}", "fail"),
        ("{certificate: changed, as: berta}", "fail"),
        ("{selftest: order, accepted: false, as: berta}", "fail"),
    ],
)  # fmt: skip
def test_what_is_so_passes_and_what_is_not_fails(tmp_path: Path, product: str, step: str, verdict: str) -> None:
    found = run(trial(tmp_path, product, step), product, tmp_path / "run")
    assert (found["verdict"], found["reason"]) == (verdict, found["reason"])


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{login: nobody}", "there is no user 'nobody'"),
        ("{values: flat}", "there is no meter 'flat'"),
        ("{values: house, status: 200}", "'status' does not belong to 'values'"),
        ("{get: /json}", "'status'"),
        ("{get: /json#all, status: 200}", "'/json#all' is no path"),
        ("{login: berta, logout: berta}", "exactly one"),
        ("{list: house}", "'day'"),
        ("{log: {has: no_such_event}}", "no_such_event"),
        ("{log: {}}", "'count' of all entries"),
        ("{log: {has: selftest_passed, text: words}}", "either 'has: EVENT' or 'text: WORDS'"),
        ("{get: /json, status: 3xx}", "'4xx'"),
        ("{values: house, equals: 5 kWh}", "'register'"),
    ],
)
def test_mistakes_are_told_beforehand(tmp_path: Path, step: str, told: str) -> None:
    with pytest.raises(UsageError) as found:
        load([trial(tmp_path, "casa", step)])
    assert told in str(found.value)


@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
def test_the_same_seed_gives_the_same_exchanges(tmp_path: Path, product: str) -> None:
    scenario = HOME / "own_data_only.yaml"
    timelines = []
    for name in ("first", "second"):
        assert run(scenario, product, tmp_path / name)["verdict"] == "pass"
        timelines.append(next((tmp_path / name / "cases").glob("*/timeline.jsonl")).read_bytes())
    assert timelines[0] == timelines[1]
    assert b'"han"' in timelines[0]


@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
def test_nothing_is_sent_to_a_gateway_with_another_certificate(tmp_path: Path, product: str) -> None:
    """Neither password nor request, from the change to the step that takes the new one for known."""
    assert run(HOME / "certificate_change.yaml", product, tmp_path / "run")["verdict"] == "pass"
    lines = next((tmp_path / "run" / "cases").glob("*/timeline.jsonl")).read_text().splitlines()
    events = [json.loads(line) for line in lines]
    steps = json.loads(next((tmp_path / "run" / "cases").glob("*/verdict.json")).read_text())["steps"]
    refused = next(one for one in steps if "it must be refused" in one["sentence"])
    assert "another certificate" in refused["seen"]
    exchanges = [one for one in events if (one["source"], one["kind"]) == ("han", "exchange")]
    before = [one["data"] for one in exchanges if one["t"] < refused["started"]]
    behind = [one["data"] for one in exchanges if one["t"] >= refused["started"]]
    assert all(one["status"] for one in before)
    assert [one["status"] for one in behind[:2]] == [0, 0]  # the login, and the look at the certificate
    assert all("another certificate" in one["problem"] for one in behind[:2])
    assert all(one["status"] for one in behind[2:])
    assert behind[2:]
