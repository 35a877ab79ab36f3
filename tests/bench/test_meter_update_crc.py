"""An image whose check is that of the maker's example log ([BZ] 5.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config import load_bench
from bench.runner import run_case
from bench.scenario.loader import load
from bench.verdict import Verdict

CASE = """id: T-5
title: The check of the example
device: bz_plus_v2
given:
  meters:
    dut: {{type: smarty_bz_plus_v2, id: 1SAG0021061001, load: 480 W}}
steps:
  - update_meter: {{meter: dut, image: {{version: V99.99, crc: 0x4751}}, result: installed}}
  - update_log: {{meter: dut, last: {{event: succeeded, version: V99.99, crc: {}}}}}
"""


@pytest.mark.parametrize(
    ("crc", "verdict", "reason"),
    [("0x4751", Verdict.PASS, ""), ("0x564c", Verdict.FAIL, "the newest entry has CRC 0x4751")],
)
def test_an_image_can_be_given_the_check_that_the_log_then_shows(
    tmp_path: Path, crc: str, verdict: Verdict, reason: str
) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(CASE.format(crc))
    result = run_case(load([scenario])[0], load_bench("emulated")[0], tmp_path / "case", seed=1, replay=[])
    assert result.verdict is verdict, result.reason
    assert reason in (result.reason or "")
