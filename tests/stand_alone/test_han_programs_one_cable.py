"""People's programs at a gateway of which the bench has nothing but the cable, each gateway a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from running import running

from bench.cli import main

HOME = Path(__file__).parents[2] / "scenarios" / "home"
CONFIG = """
gateway: {options: {signature_curve: secp256r1}}
meters:
  house: {id: 1LGZ0072999211, registers: {1.8.0: 23163.627 kWh, 2.8.0: 4711.5 kWh}, load: 480 W}
consumers: {consumer-1: {password: "Sonne.und.Regen."}}
contracts:
  profile:
    {consumer: consumer-1, taf: 7, meters: {house: [1.8.0, 2.8.0]}, tariff: house-BEZUG, usage_point: DE00073,
     supplier: supplier.example}
"""
UNDECIDED = {"HAN-37": "no contract of TAF-1"}
"""What this gateway, which has a contract of TAF-7 alone, does not let anybody read."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
def test_all_programs_read_what_the_benchs_own_client_reads(tmp_path: Path, product: str) -> None:
    config, password = tmp_path / "gateway.yaml", tmp_path / "password"
    config.write_text(CONFIG)
    password.write_text("Sonne.und.Regen.\n")
    out = tmp_path / "run"
    with running(product, tmp_path, "--history", "2d", "--config", str(config)) as gateway:
        han = {"address": "{}:{}".format(*gateway.address), "user": "consumer-1", "password_file": str(password)}
        han |= {"every": "1 s"} if product == "ppc" else {}
        file = tmp_path / "cellar.yaml"
        file.write_text(json.dumps({"name": "cellar", "gateway": {"type": product, "han": han}}))
        scenarios = [str(one) for one in sorted(HOME.glob(f"program_{product}_*.yaml"))]
        main(["run", *scenarios, "--bench", str(file), "--gateway", product, "--out", str(out), "--plain"])
    verdicts = [json.loads(one.read_text()) for one in (out / "cases").glob("*/verdict.json")]
    assert len(verdicts) == len(scenarios) > 0
    reasons = {one["scenario"]: (one["verdict"], one["reason"]) for one in verdicts if one["verdict"] != "pass"}
    undecided = {name: text for name, text in UNDECIDED.items() if product == "casa"}
    assert {name: verdict for name, (verdict, _) in reasons.items()} == dict.fromkeys(undecided, "inconc"), reasons
    assert all(text in reasons[name][1] for name, text in undecided.items())
    logins = [one for one in verdicts if one["scenario"] not in undecided]
    assert all("values of" in step["seen"] or "requests" in step["seen"] for one in logins for step in one["steps"])
