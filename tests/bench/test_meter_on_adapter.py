"""A bench file tells which real meter is at its service adapter; here a meter in another process stands for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.cli import main
from bench.config import load_bench
from bench.runner import CaseResult, run_case
from bench.scenario.loader import load
from bench.verdict import Verdict
from devices.errors import UsageError

BENCH = "name: hall\ngateway: {{type: casa}}\nservice_adapter: {{port: {port}{more}}}\n"
SCENARIOS = Path(__file__).parents[2] / "scenarios"
SCENARIO = """id: T-1
title: A log is read
device: bz_plus_v2
given:
  meters:
    dut: {type: smarty_bz_plus_v2, id: 1SAG0021061001}
steps:
  - service: {meter: dut}
  - update_log: {meter: dut, %s}
"""


@contextmanager
def other_meter() -> Iterator[tuple[str, str]]:
    """Port and public key of a meter with another number."""
    command = [sys.executable, "-m", "bench.cli", "meter", "--port", "pty", "--id", "1SAG0000000007", "--seed", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("running"):
                break
        port, key = re.search(r"bus: (\S+)", told), re.search(r"public key ([0-9A-F]{128})", told)
        assert port is not None and key is not None
        yield port[1], key[1]
    finally:
        process.kill()
        process.communicate(timeout=30)


def ran(tmp_path: Path, port: str, more: str, wanted: str) -> CaseResult:
    bench, scenario = tmp_path / "b.yaml", tmp_path / "s.yaml"
    bench.write_text(BENCH.format(port=port, more=more), "utf-8")
    scenario.write_text(SCENARIO % wanted, "utf-8")
    return run_case(load([scenario])[0], load_bench(str(bench))[0], tmp_path / "case", seed=1, replay=[])


def test_the_meter_of_the_bench_file_is_tested_with_its_label(tmp_path: Path) -> None:
    with other_meter() as (port, key):
        meter = f", meter: {{id: 1SAG0000000007, label_key: {key}}}"
        result = ran(tmp_path, port, meter, "trusted: true, count: none")
    assert result.verdict is Verdict.PASS, result.reason


def test_without_a_label_the_log_can_be_read_but_is_not_trusted(tmp_path: Path) -> None:
    with other_meter() as (port, _):
        result = ran(tmp_path, port, ", meter: {id: 1SAG0000000007}", "key: skipped, trusted: false, status: ok")
    assert result.verdict is Verdict.PASS, result.reason


ALONE = "name: hall\nservice_adapter: {{port: {port}{more}}}\n"


def test_a_bench_with_a_meter_alone_runs_all_that_can_be_asked_of_a_real_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No gateway is plugged in, so none need be named."""
    with other_meter() as (port, key):
        bench = tmp_path / "bz.yaml"
        bench.write_text(ALONE.format(port=port, more=f", meter: {{id: 1SAG0000000007, label_key: {key}}}"), "utf-8")
        paths = [str(SCENARIOS / "bz_plus"), str(SCENARIOS / "wired" / "pairing.yaml")]
        run = ["run", *paths, "--gateway", "all", "--bench", str(bench), "--out", str(tmp_path / "run")]
        assert main(run) == 0, capsys.readouterr().out
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["bench"]["emulated"] is False
    assert {one["scenario"]: one["verdict"] for one in record["cases"]} == {
        "BZ-1": "pass",
        "BZ-16": "pass",
    }
    reasons = {one["reason"] for one in record["not_tested"]}
    assert reasons == {"the bench lacks emulated_meter", "the bench holds no gateway"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: hall\n", "nothing is tested on this bench"),
        (
            "name: hall\nservice_adapter: {port: /dev/ttyUSB0}\nwired_lmn: {port: /dev/ttyUSB1}\n",
            "'wired_lmn' belongs to a gateway, and 'gateway' is missing",
        ),
        ("name: hall\ntime: virtual\nservice_adapter: {port: /dev/ttyUSB0}\n", "the service adapter is real"),
    ],
)
def test_a_bench_without_gateway_holds_nothing_but_a_meter(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=re.escape(expected)):
        load_bench(str(path))


@pytest.mark.parametrize(
    ("port", "meter", "expected"),
    [
        ("memory", "{id: 1SAG0000000007}", "'meter' tells which real meter is there"),
        ("/dev/ttyUSB0", "{id: nonsense}", "'id': 'nonsense' is no meter id"),
        ("/dev/ttyUSB0", "{label_key: 12AB}", "'label_key': a key has 128 hexadecimal digits"),
    ],
)
def test_a_meter_that_cannot_be_there_is_refused_with_its_line(
    tmp_path: Path, port: str, meter: str, expected: str
) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(BENCH.format(port=port, more=f", meter: {meter}"), "utf-8")
    with pytest.raises(UsageError, match=re.escape(expected)) as caught:
        load_bench(str(path))
    assert "b.yaml:3:" in str(caught.value)
