"""A folder from which something is gone, or in which something was changed, is never taken for whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stored_run import write_case, write_run

from bench.cli import main
from bench.report.run_folder import read_run_folder
from bench.report.summary import closing_summary, counts, run_verdict
from bench.verdict import Verdict


def one_case(tmp_path: Path) -> tuple[Path, Path]:
    """A run with one passed case; its folder, and that of the case."""
    folder = tmp_path / "cases" / "a"
    row = write_case(folder, key="A[ppc]")
    return write_run(tmp_path, [row]), folder


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema": "smgw-bench/verdict/1", "verdict": "splendid"}',
     '{"schema": "smgw-bench/verdict/1"}', '{"schema": "smgw-bench/verdict/9", "verdict": "pass"}'],
)  # fmt: skip
def test_a_verdict_that_cannot_be_used_reads_as_damaged(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, folder = one_case(tmp_path)
    (folder / "verdict.json").write_text(text, encoding="utf-8")
    assert counts(read_run_folder(run)) == {"damaged": 1}
    assert run_verdict(read_run_folder(run)) is Verdict.ERROR
    assert "interrupted before" not in closing_summary(run)
    assert main(["report", str(run)]) == 3
    assert "A[ppc]: verdict.json" in capsys.readouterr().err
    assert "damaged" in (run / "report.html").read_text("utf-8")
    assert 'type="damaged"' in (run / "junit.xml").read_text("utf-8")


def test_a_case_whose_folder_is_gone_has_not_passed(tmp_path: Path) -> None:
    run, folder = one_case(tmp_path)
    folder.rename(tmp_path / "elsewhere")
    assert counts(read_run_folder(run)) == {"damaged": 1}
    assert main(["report", str(run)]) == 3


@pytest.mark.parametrize("name", ["leds.vcd", "lmn.pcapng", "scenario.yaml", "timeline.jsonl"])
def test_evidence_that_is_gone_is_told(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run, folder = one_case(tmp_path)
    record = json.loads((folder / "verdict.json").read_text("utf-8"))
    record["evidence"] = ["leds.vcd", "lmn.pcapng", "scenario.yaml", "timeline.jsonl"]
    (folder / "verdict.json").write_text(json.dumps(record), encoding="utf-8")
    assert main(["report", str(run)]) == 0
    (folder / name).unlink()
    assert main(["report", str(run)]) == 3
    assert f"A[ppc]: {name} is missing" in capsys.readouterr().err
    assert f"{name} is missing" in closing_summary(run)


def test_a_verdict_names_the_evidence_that_the_bench_left(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "id: S-1\ntitle: A start\ngateways: [casa]\nsteps:\n  - power: on\n  - leds: {PWR: on, within: 9 min}\n"
    )
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 0
    (verdict,) = (tmp_path / "run").glob("cases/*/verdict.json")
    names = json.loads(verdict.read_text("utf-8"))["evidence"]
    assert {"leds.vcd", "lmn.pcapng", "logs.json", "values.json", "scenario.yaml", "timeline.jsonl"} <= set(names)
