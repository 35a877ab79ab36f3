"""Radio meters through a stick: the driver of a rack, an emulated stick behind it, one air with the gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main

BENCH = """
name: sticks
time: virtual
gateway: {{emulated: true}}
mains: {{rtu: {{port: emulated, baudrate: 9600}}, unit: 1, coil: 0}}
leds: {{emulated: true}}
wireless_lmn: {{port: memory, stick: {stick}}}
time_server: {{host: 127.0.0.1, port: 0}}
maintenance: memory
"""
SCENARIO = """
id: STICK-1
title: A radio meter is heard through a stick
needs: [emulated, power, leds, wireless_lmn, records]
gateways: [casa]
given:
  time: 2026-01-05T00:00:00Z
  radio_meters:
    power: {{kind: electricity, id: 1ELS0187654321, registers: {{1-0:1.8.0: 12345.6 kWh}}, load: 480 W, compact: true}}
steps:
  - power: on
  - leds: {{PWR: on, within: 120 s}}
  - wait: {{until: 2026-01-05T01:05:00Z}}
{more}
  - values: {{meter: power, register: 1-0:1.8.0, count: at least 3}}
  - values: {{meter: power, register: 1-0:1.8.0, agree_with: load}}
"""


def _run(folder: Path, stick: str, more: str = "") -> tuple[int, dict[str, Any]]:
    (folder / "bench.yaml").write_text(BENCH.format(stick=stick), "utf-8")
    (folder / "case.yaml").write_text(SCENARIO.format(more=more), "utf-8")
    out = folder / "run"
    code = main(["run", str(folder / "case.yaml"), "--bench", str(folder / "bench.yaml"), "--out", str(out), "--plain"])
    (verdict,) = out.glob("cases/*/verdict.json")
    return code, json.loads(verdict.read_text("utf-8"))


@pytest.mark.parametrize("stick", ["im871a", "amb8465", "rc1180"])
def test_a_meter_behind_a_stick_is_heard_and_stored(tmp_path: Path, stick: str) -> None:
    code, verdict = _run(tmp_path, stick)
    assert (code, verdict["verdict"]) == (0, "pass")


@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
def test_a_stick_that_is_pulled_out_is_the_benchs_trouble_and_not_the_gateways(tmp_path: Path, product: str) -> None:
    """The scenario that docs/radio-meters.md prints."""
    text = (Path(__file__).parents[2] / "docs" / "radio-meters.md").read_text("utf-8")
    (scenario,) = (block for block in text.split("```yaml\n")[1:] if block.startswith("id: STICK-PULLED"))
    (tmp_path / "case.yaml").write_text(scenario.partition("```")[0], "utf-8")
    (tmp_path / "bench.yaml").write_text(BENCH.format(stick="im871a"), "utf-8")
    out = tmp_path / "run"
    arguments = ["--bench", str(tmp_path / "bench.yaml"), "--gateway", product, "--out", str(out), "--plain"]
    assert main(["run", str(tmp_path / "case.yaml"), *arguments]) == 3
    (path,) = out.glob("cases/*/verdict.json")
    verdict = json.loads(path.read_text("utf-8"))
    assert verdict["verdict"] == "error"
    assert "iM871A" in json.dumps(verdict)


def test_a_stick_that_only_receives_is_refused_in_the_bench_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench.yaml").write_text(BENCH.format(stick="cul"), "utf-8")
    (tmp_path / "case.yaml").write_text(SCENARIO.format(more=""), "utf-8")
    assert main(["check", str(tmp_path / "case.yaml"), "--bench", str(tmp_path / "bench.yaml")]) == 2
    assert "bench.yaml:7" in capsys.readouterr().err
