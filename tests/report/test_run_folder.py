"""Reading a stored run, also one that was killed (DESIGN 6: evidence survives a killed bench)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stored_run import sample_run, step, write_case, write_run

from bench.report.run_folder import NOT_BEGUN, read_run_folder
from bench.report.stored_timeline import read_timeline
from bench.verdict import Verdict
from devices.errors import UsageError


def test_a_run_reads_back_as_it_was_written(tmp_path: Path) -> None:
    run = read_run_folder(sample_run(tmp_path))
    assert run.id == "20260105T101500Z-00001267"
    assert run.emulated
    assert run.finished is None
    assert [case.verdict for case in run.cases] == [
        Verdict.PASS, Verdict.FAIL, Verdict.PASS, Verdict.INCONC, Verdict.ERROR, Verdict.PASS, None,
    ]  # fmt: skip
    failed = run.cases[1]
    assert failed.parameters == (("meter", "smarty"), ("cut", "0.5 s"))
    assert failed.steps[4].verdict is Verdict.FAIL
    assert failed.steps[4].line == 18


def test_a_case_without_verdict_is_not_finished_and_known_by_its_scenario(tmp_path: Path) -> None:
    killed = read_run_folder(sample_run(tmp_path)).cases[-1]
    assert killed.verdict is None
    assert (killed.key, killed.gateway, killed.title) == ("KILLED-1[casa]", "casa", "Written in the scenario")


def test_a_verdict_in_run_json_does_not_stand_in_for_a_lost_verdict_json(tmp_path: Path) -> None:
    row = write_case(tmp_path / "cases" / "a", key="A[ppc]")
    (tmp_path / "cases" / "a" / "verdict.json").unlink()
    assert read_run_folder(write_run(tmp_path, [row])).cases[0].verdict is None


@pytest.mark.parametrize("text", ["", "{", '{"verdict": "pa', "[1]", "\xff\xfe", "[" * 100_000])
def test_a_damaged_verdict_is_said_and_not_finished(tmp_path: Path, text: str) -> None:
    row = write_case(tmp_path / "cases" / "a", key="A[ppc]")
    (tmp_path / "cases" / "a" / "verdict.json").write_text(text, encoding="latin-1")
    case = read_run_folder(write_run(tmp_path, [row])).cases[0]
    assert case.verdict is None
    assert case.key == "A[ppc]"
    assert "verdict.json" in case.damage[0]


def test_what_the_run_did_not_come_to_is_not_called_not_applicable(tmp_path: Path) -> None:
    run = read_run_folder(sample_run(tmp_path))
    later = run.not_tested[-1]
    assert (later.scenario, later.reason, later.applies) == ("LATER-1[ppc]", NOT_BEGUN, True)
    assert not any(record.applies for record in run.not_tested[:-1])
    assert all(record.scenario != "KILLED-1[casa]" for record in run.not_tested)


def test_a_torn_last_line_of_the_timeline_is_left_out_and_said(tmp_path: Path) -> None:
    folder = sample_run(tmp_path) / "cases" / "killed-casa"
    timeline = read_timeline(folder / "timeline.jsonl", frozenset({"step"}))
    assert [event.kind for event in timeline.events("step")] == ["begin", "begin"]
    assert len(timeline.damage) == 1
    assert "torn" in timeline.damage[0]


def test_a_step_that_the_runner_died_in_has_no_end(tmp_path: Path) -> None:
    row = write_case(
        tmp_path / "cases" / "a", key="A[ppc]", verdict="error", steps=[step(0, 3.0, 0.0, "Wait.", "error")]
    )
    assert read_run_folder(write_run(tmp_path, [row])).cases[0].steps[0].ended is None


def test_a_case_folder_outside_the_run_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    row = write_case(outside, key="A[ppc]")
    inside = tmp_path / "run"
    inside.mkdir()
    row["folder"] = "../outside"
    case = read_run_folder(write_run(inside, [row])).cases[0]
    assert case.folder is None
    assert "outside the run folder" in case.damage[0]


def test_a_gateway_that_is_not_said_to_be_real_counts_as_emulated(tmp_path: Path) -> None:
    assert read_run_folder(write_run(tmp_path, [], bench={"name": "rack"})).emulated


@pytest.mark.parametrize(
    ("content", "word"),
    [(None, "no run.json"), ("{", "no JSON"), ("[]", "no JSON object"), ('{"schema": "other/1"}', "other/1")],
)
def test_a_folder_that_is_no_run_folder_is_one_clear_message(tmp_path: Path, content: str | None, word: str) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(UsageError, match=word):
        read_run_folder(tmp_path)


def test_a_folder_that_is_not_there_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_run_folder(tmp_path / "nowhere")


def test_fields_of_the_wrong_kind_read_as_nothing(tmp_path: Path) -> None:
    row = write_case(tmp_path / "cases" / "a", key="A[ppc]")
    path = tmp_path / "cases" / "a" / "verdict.json"
    wrong = dict.fromkeys(json.loads(path.read_text()), 7) | {"schema": "smgw-bench/verdict/1"}
    path.write_text(json.dumps(wrong))
    case = read_run_folder(write_run(tmp_path, [row], interruptions=["killed", 3], not_tested={"a": 1})).cases[0]
    assert case.verdict is None
    assert case.steps == ()
