"""A report calls what was tested by its name: gateways, meters, or both; and says of each whether it was emulated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.report.build import build_report
from bench.report.html import EMULATED, PARTLY_EMULATED, render_html
from bench.report.junit import render_junit
from bench.report.run_folder import read_run_folder
from bench.report.summary import closing_summary
from devices.clock import wall_now
from devices.ports.pcapng import PcapngWriter


def run(folder: Path, *devices: tuple[str, bool], gateway_emulated: bool = True) -> Path:
    """A run with one passed case for each device and whether it was emulated."""
    cases = []
    for number, (device, emulated) in enumerate(devices):
        where = folder / "cases" / f"C-{number}"
        where.mkdir(parents=True)
        record = {
            "schema": "smgw-bench/verdict/1",
            "key": f"C-{number}[{device}]",
            "scenario": f"C-{number}",
            "title": "A case",
            "suite": "suite",
            "file": "scenarios/suite/c.yaml",
            "gateway": {"type": device, "name": device.upper(), "emulated": emulated},
            "verdict": "pass",
            "reason": "",
            "steps": [],
            "assumed": [{"name": "everything", "value": "so", "source": "here", "why": "for all"}],
        }
        (where / "verdict.json").write_text(json.dumps(record))
        cases.append({"folder": f"cases/C-{number}", "gateway": device, "key": record["key"], "verdict": "pass"})
    bench = {"name": "b", "file": "bench.yaml", "time": "real", "emulated": gateway_emulated}
    head = {"schema": "smgw-bench/run/1", "id": "R-1", "finished": "2026-01-01T00:00:00Z", "bench": bench}
    stated = {"gateway": {"type": "ppc"}, "cases": cases, "not_tested": []}
    (folder / "run.json").write_text(json.dumps({**head, **stated}))
    return folder


def page(folder: Path) -> str:
    return render_html(build_report(read_run_folder(folder)))


GATEWAY, METER = ("ppc", True), ("bz_plus_v2", True)


@pytest.mark.parametrize(
    ("devices", "title", "column", "matrix"),
    [
        ([GATEWAY, ("casa", True)], "smart meter gateway", "Gateway", "gateway type"),
        ([METER], "meter", "Meter", "meter type"),
        ([GATEWAY, METER], "smart meter gateway and meter", "Device", "device"),
    ],
)
def test_a_report_names_what_was_tested(
    tmp_path: Path, devices: list[tuple[str, bool]], title: str, column: str, matrix: str
) -> None:
    text = page(run(tmp_path, *devices))
    assert f"<h1>Test report: {title}</h1>" in text
    assert f"Suites by {matrix}<" in text
    assert f'<th scope="col">{column}</th>' in text
    assert ("Gateway in the bench file" in text) == (devices != [METER])


def test_each_case_says_which_kind_of_device_it_tested(tmp_path: Path) -> None:
    text = page(run(tmp_path, GATEWAY, METER))
    assert "<dt>Gateway</dt><dd>ppc (PPC)</dd>" in text
    assert "<dt>Meter</dt><dd>bz_plus_v2 (BZ_PLUS_V2)</dd>" in text


def test_an_emulated_meter_beside_a_real_gateway_is_marked_as_no_test_result(tmp_path: Path) -> None:
    """The bench file says that the gateway is real; that of the meter stands in the records of its cases."""
    folder = run(tmp_path, ("ppc", False), METER, gateway_emulated=False)
    text = page(folder)
    assert PARTLY_EMULATED in text and EMULATED not in text
    assert "bz_plus_v2 (BZ_PLUS_V2), emulated: not a test result" in text
    assert "<td>bz_plus_v2 (emulated)</td>" in text and "<td>ppc</td>" in text
    assert "<dt>Gateway</dt><dd>real device</dd>" in text and "<dt>Meter under test</dt><dd>emulated</dd>" in text
    assert closing_summary(folder).endswith("Some devices were emulated: their cases are not test results.")
    lines = render_junit(build_report(read_run_folder(folder)))
    assert '<property name="emulated" value="partly"/>' in lines
    assert "[[PROPERTY|meter=bz_plus_v2]]" in lines and "[[PROPERTY|emulated=false]]" in lines


def test_only_an_emulated_meter_on_a_bench_with_a_real_gateway_is_no_test_result(tmp_path: Path) -> None:
    folder = run(tmp_path, METER, gateway_emulated=False)
    assert EMULATED in page(folder)
    assert closing_summary(folder).endswith("Emulated device: not a test result.")


def test_a_real_meter_on_a_bench_with_an_emulated_gateway_is_a_test_result(tmp_path: Path) -> None:
    text = page(run(tmp_path, ("bz_plus_v2", False)))
    assert EMULATED not in text and PARTLY_EMULATED not in text
    assert "relate only to the item tested" in text


def test_on_the_bus_of_a_meter_under_test_the_bench_asks(tmp_path: Path) -> None:
    folder = run(tmp_path, METER)
    with PcapngWriter(folder / "cases" / "C-0" / "lmn.pcapng", interfaces=("LMN",)) as writer:
        writer.write(wall_now(), bytes(4), "in", comment="gateway")
        writer.write(wall_now(), bytes(4), "out", comment="dut")
    text = page(folder)
    assert '<span class="out">bench</span>' in text and '<span class="in">dut</span>' in text
    assert '<span class="out">gateway</span>' not in text


def test_a_fact_that_all_cases_assume_does_not_list_them_all(tmp_path: Path) -> None:
    assert "<td>all cases</td>" in page(run(tmp_path, GATEWAY, METER))
