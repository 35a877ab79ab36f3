"""The closing lines of a run on the terminal."""

from __future__ import annotations

from pathlib import Path

from stored_run import sample_run, write_case, write_run

from bench.report.run_folder import read_run_folder
from bench.report.summary import TROUBLES_SHOWN, closing_summary, counts, run_verdict
from bench.verdict import Verdict


def test_the_counts_tell_verdicts_apart_from_what_was_not_run(tmp_path: Path) -> None:
    assert counts(read_run_folder(sample_run(tmp_path))) == {
        "pass": 3, "fail": 1, "inconc": 1, "error": 1, "unfinished": 1, "not begun": 1, "not applicable": 3,
    }  # fmt: skip


def test_the_summary_is_short_aligned_and_names_what_did_not_pass(tmp_path: Path) -> None:
    lines = closing_summary(sample_run(tmp_path)).splitlines()
    assert lines[0].startswith("7 cases, 36 h ")
    assert "  3  pass" in lines
    assert "fail          LMN-3[ppc,smarty]  step 5, line 18: the value of 00:45 is missing" in lines
    assert "bench error   RELAY-1[casa]      the relay at unit 1 did not answer within 2 s" in lines
    assert lines[-1] == "Emulated device: not a test result."
    assert max(map(len, lines)) <= 100


def test_many_failures_are_cut_short(tmp_path: Path) -> None:
    rows = [
        write_case(tmp_path / "cases" / str(n), key=f"A-{n}[ppc]", verdict="fail", reason="x" * 300) for n in range(30)
    ]
    lines = closing_summary(write_run(tmp_path, rows)).splitlines()
    assert sum(line.startswith("fail  ") for line in lines) == TROUBLES_SHOWN
    assert "and 18 more, see the report" in lines
    assert max(map(len, lines)) <= 100


def test_a_case_that_never_finished_is_trouble_of_the_bench(tmp_path: Path) -> None:
    write_case(tmp_path / "cases" / "a", key="A[ppc]", verdict=None)
    assert run_verdict(read_run_folder(write_run(tmp_path, []))) is Verdict.ERROR
