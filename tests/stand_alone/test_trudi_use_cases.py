"""Exports of TAF-1, 2, 6 and 7 that were read at the home interface, by the rules of the transparency software.

The proof with a closed month and 51 days of values takes minutes; this is its short form, in virtual time.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "trudi"))

from trudi_judge import File, stages_of
from trudi_recipe import check, recipe

from bench.cli import main

SCENARIO = """
id: T-1
title: A trial
gateways: [{product}]
needs: [emulated, han]
given:
  time: 2026-01-31T20:00:00Z
  gateway:
    options: {{invite_interval_s: 600, presence_offset_s: 300, separation_test_interval_s: 3600,
              integrity_check_interval_s: 86400, signature_curve: secp256r1}}
  meters:
    house:
      id: 1SAG0021061001
      registers: {{1.8.0: 100 kWh, 2.8.0: 7 kWh}}
      load: 480 W
      security: clear
  contracts:
    bill: {{taf: 1, meters: {{house: 1.8.0}}, begin: 2026-02-01 00:00, billing: 1 month}}
    stages: {{taf: 2, meters: {{house: 1.8.0}}, begin: 2026-02-01 00:00, billing: 1 day,
             switches: {{"00:00": 2, "06:00": 1, "22:00": 2}}}}
    daily: {{taf: 6, meters: {{house: [1.8.0, 2.8.0]}}, begin: 2026-02-01 00:00}}
    profile: {{taf: 7, meters: {{house: [1.8.0, 2.8.0]}}, begin: 2026-02-01 00:00}}
  han: {{site: own, history: 54 h}}
steps:
  - han: {{export: trudi}}
"""
CASES = {"bill": 1, "stages": 2, "daily": 6, "profile": 7}
SWITCHES = ((0, 2), (6, 1), (22, 2))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("product", ["ppc", "conexa", "casa"])
def test_files_of_all_four_use_cases_keep_the_rules(product: str, tmp_path: Path) -> None:
    scenario, out = tmp_path / "trial.yaml", tmp_path / "run"
    scenario.write_text(SCENARIO.format(product=product))
    assert main(["run", str(scenario), "--out", str(out), "--plain"]) == 0
    files = sorted(out.glob("cases/*/trudi-*.xml"))
    found = {name: one for one in files for name in CASES if name in one.stem}
    assert set(found) == set(CASES)
    for name, case in CASES.items():
        file, key = File(found[name]), tmp_path / "key.pem"
        assert file.judge(case, closed=case == 2, signature_key=key) == []
        good, bad = file.signatures(key, tmp_path, every=41)
        assert good >= len(file.lists)
        assert bad == []
        done = check(recipe(tmp_path), found[name], key, every=1 if case == 6 else 41)
        assert done.returncode == 0, done
        assert ", 0 do not" in done.stdout.splitlines()[-1]
        if case == 2:
            energy = file.originals[0]
            assert energy.block[1] - energy.block[0] == timedelta(days=1)
            own = stages_of(energy, SWITCHES)
            derived = {int(one.obis[8:10], 16): one.values[-1].value - one.values[0].value for one in file.derived}
            assert {stage: derived[stage] for stage in own} == own
            assert sum(own.values()) == derived[0] > 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("<targetTime>2026-02-01T05:00:00Z", "<targetTime>2026-02-01T05:15:00Z"), "instants twice"),
        (("<espi:uom>72", "<espi:uom>99"), "strange unit"),
        (("<certType>1", "<certType>2"), "certificate 1 is that of the signatures"),
        (("<usagePointId>", "<usagePoint>"), ""),
    ],
)
def test_the_judge_sees_what_is_wrong(change: tuple[str, str], told: str, tmp_path: Path) -> None:
    scenario, out = tmp_path / "trial.yaml", tmp_path / "run"
    short = SCENARIO.format(product="casa").replace("history: 54 h", "history: 12 h")
    scenario.write_text(short)
    assert main(["run", str(scenario), "--out", str(out), "--plain"]) == 0
    text = next(out.glob("cases/*/trudi-profile.xml")).read_text()
    assert change[0] in text
    broken = tmp_path / "broken.xml"
    broken.write_text(text.replace(*change))
    if not told:
        with pytest.raises(Exception, match=r"mismatch|tag"):
            File(broken)
        return
    assert any(told in one for one in File(broken).judge(7, closed=False, signature_key=tmp_path / "key.pem"))
