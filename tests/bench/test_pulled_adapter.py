"""A pulled adapter of the meter bus is trouble of the bench, whatever was waited for; it is no fault of a device."""

from __future__ import annotations

import os
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.config import load_bench
from bench.runner import run_case
from bench.scenario.loader import load
from bench.verdict import Verdict

BENCH = """name: rack
gateway: {{type: ppc}}
wired_lmn: {{port: {port}}}
service_adapter: {{port: {port}}}
"""

AT_A_GATEWAY = """id: T-1
title: Meters wait for a gateway
gateways: [ppc]
given:
  meters:
    house: {id: 1SAG0021061001}
steps:
  - %s
"""

AT_A_METER = """id: T-2
title: The bench looks for a meter
device: bz_plus_v2
given:
  meters:
    dut: {type: smarty_bz_plus_v2, id: 1SAG0021061001}
steps:
  - service: {meter: dut}
"""


@pytest.fixture
def pulled_soon() -> Iterator[str]:
    """A port that is there and gone a little later."""
    socket, plug = os.openpty()
    tty.setraw(plug)
    path = os.ttyname(plug)

    def pull() -> None:
        time.sleep(0.7)
        os.close(plug)
        os.close(socket)

    thread = threading.Thread(target=pull)
    thread.start()
    yield path
    thread.join()


@pytest.mark.parametrize(
    "text",
    [
        AT_A_GATEWAY % "lmn: {meter: house, addressed: true, within: 3 s}",
        AT_A_GATEWAY % "lmn: {meter: house, addressed: false, for: 3 s}",
        AT_A_GATEWAY % "wait: 3 s",
        AT_A_METER,
    ],
    ids=["expected", "holds", "waits", "at a meter"],
)
def test_a_pulled_adapter_ends_the_case_as_trouble_of_the_bench(tmp_path: Path, pulled_soon: str, text: str) -> None:
    bench, scenario = tmp_path / "b.yaml", tmp_path / "s.yaml"
    bench.write_text(BENCH.format(port=pulled_soon))
    scenario.write_text(text)
    (case,) = load([scenario])
    result = run_case(case, load_bench(str(bench))[0], tmp_path / "case", seed=1, replay=[])
    assert result.verdict is Verdict.ERROR, result.reason
    assert "look at adapter and cable" in result.reason
    assert result.bench_s < 2.5
