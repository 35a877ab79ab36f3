"""What may happen to a run: signals, full disks, readers that go away, two runs in one folder, files that change."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.report.run_folder import read_run_folder

LONG = """id: LONG-1
title: A case that takes a while
parameters: {n: [1, 2, 3, 4, 5, 6, 7, 8]}
gateways: [casa]
needs: [power, leds]
steps:
  - power: on
  - leds: {shows: ready, within: 10 min}
  - power: {cut: "{n} s", after: 2 s, times: 40, every: 10 min}
  - leds: {shows: ready, within: 10 min}
"""
SHORT = """id: SHORT-1
title: A case that takes no time
parameters: {n: [1, 2]}
gateways: [casa]
needs: [power, leds]
steps:
  - power: on
  - wait: "{n} s"
  - leds: {PWR: off}
"""
COMMAND = [sys.executable, "-c", "import sys; from bench.cli import main; raise SystemExit(main())"]


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(LONG, encoding="utf-8")
    return path


def heed_signals() -> None:
    """Whoever runs the tests in the background may have had signals ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": heed_signals, **options}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], **told)


def wait_for(path: Path, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} has not come"
        time.sleep(0.01)


def record(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "run.json").read_text("utf-8"))
    return value


@pytest.mark.parametrize(
    ("number", "code", "name", "jobs"),
    [
        (signal.SIGINT, 130, "Ctrl-C", 1),
        (signal.SIGHUP, 129, "SIGHUP", 1),
        (signal.SIGINT, 130, "Ctrl-C", 2),
        (signal.SIGTERM, 143, "SIGTERM", 2),
    ],
)
def test_a_signal_ends_a_run_in_good_order(
    tmp_path: Path, scenario: Path, number: signal.Signals, code: int, name: str, jobs: int
) -> None:
    out = tmp_path / "run"
    process = start("run", scenario, "--out", out, "-j", str(jobs))
    wait_for(out / "cases" / "LONG-1_casa_n=1" / "timeline.jsonl")
    process.send_signal(number)
    told, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (code, "")
    assert f"go on with: smgw-bench run --resume {out}" in told
    assert (out / "report.html").exists()
    (noted,) = read_run_folder(out).interruptions
    assert noted.kind == "interrupted"
    assert noted.text.startswith(name)
    assert "it was killed" not in (out / "report.html").read_text("utf-8")


def test_two_interrupts_at_once_still_leave_a_report(tmp_path: Path, scenario: Path) -> None:
    out = tmp_path / "run"
    process = start("run", scenario, "--out", out)
    wait_for(out / "cases" / "LONG-1_casa_n=1" / "timeline.jsonl")
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    told, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "go on with" in told
    assert (out / "report.html").exists()


def test_a_second_run_in_a_folder_in_which_one_is_going_on_is_refused(tmp_path: Path, scenario: Path) -> None:
    out = tmp_path / "run"
    process = start("run", scenario, "--out", out)
    timeline = out / "cases" / "LONG-1_casa_n=1" / "timeline.jsonl"
    wait_for(timeline)
    other = start("run", "--resume", out)
    _, errors = other.communicate(timeout=60)
    still_there = timeline.exists()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert other.returncode == 2
    assert f"a run is going on in this folder (process {process.pid})" in " ".join(errors.split())
    assert still_there


def test_a_full_disk_is_bench_trouble_and_the_run_can_go_on(tmp_path: Path, scenario: Path) -> None:
    out = tmp_path / "run"

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = start("run", scenario, "--out", out, preexec_fn=small_files)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "Traceback" not in errors
    assert main(["run", "--resume", str(out)]) in (0, 3)
    left = record(out)
    assert left["unfinished"] == []


def test_a_disk_that_takes_no_verdict_ends_the_run_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SHORT, encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("bench.store.os.fsync", full)
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 3
    told = capsys.readouterr().err
    assert told.startswith("smgw-bench: bench trouble: ")
    assert "No space left on device" in told
    monkeypatch.undo()
    monkeypatch.setattr("bench.runner.write_json", lambda *_: (_ for _ in ()).throw(_bench_error()))
    assert main(["run", str(path), "--out", str(tmp_path / "other")]) == 3
    assert "--resume" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["run", "--resume", str(tmp_path / "other")]) == 0


def _bench_error() -> Exception:
    from devices.errors import BenchError

    return BenchError("verdict.json cannot be written: No space left on device")


def test_a_scenario_that_was_changed_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    first, second = folder / "a.yaml", folder / "b.yaml"
    first.write_text(SHORT, encoding="utf-8")
    second.write_text(SHORT.replace("SHORT-1", "SHORT-2"), encoding="utf-8")
    out = tmp_path / "run"
    assert main(["run", str(folder), "--out", str(out)]) == 0
    first.write_text(SHORT.replace("PWR: off", "PWR: on"), encoding="utf-8")
    assert main(["run", "--resume", str(out)]) == 2
    assert f"{first}: the scenario was changed since the run was begun" in " ".join(capsys.readouterr().err.split())
    first.write_text(SHORT, encoding="utf-8")
    assert main(["run", "--resume", str(out)]) == 0
    first.unlink()
    assert main(["run", "--resume", str(out)]) == 2
    assert f"{first}: the scenario is gone" in " ".join(capsys.readouterr().err.split())


def test_a_run_whose_reader_goes_away_goes_on_to_its_report(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SHORT, encoding="utf-8")
    out = tmp_path / "run"
    process = start("run", path, "--out", out)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 141
    assert [case.verdict for case in read_run_folder(out).cases]
    assert record(out)["unfinished"] == []
    assert (out / "report.html").exists()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_output_that_cannot_be_written_is_told_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        process = start("schema", stdout=full)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert errors == "smgw-bench: bench trouble: No space left on device (output)\n"


def test_closed_output_is_told_in_one_line() -> None:
    process = start("schema", stdout=None, preexec_fn=lambda: os.close(1))
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (3, "smgw-bench: bench trouble: the standard output is closed\n")


def test_a_terminal_without_umlauts_is_no_reason_to_fail(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SHORT.replace("no time", "Zähler"), encoding="utf-8")
    process = start("list", path, env={**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"})
    told, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "Z?hler" in told


def test_what_is_no_file_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        assert main(["check", str(path)]) == 2
        assert "this is a device or a pipe, a file is wanted" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "s.yaml").write_text(SHORT, encoding="utf-8")
    assert main(["check", str(tmp_path)]) == 0
    link = tmp_path / "link.yaml"
    link.symlink_to(tmp_path / "nowhere.yaml")
    capsys.readouterr()
    assert main(["check", str(link)]) == 2
    assert "which is not there" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["check", ""], ["run", "--out", ""], ["report", " "], ["run", "--resume", ""]])
def test_an_empty_name_is_no_folder(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "an empty name is no file or folder" in capsys.readouterr().err


def test_no_processes_are_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SHORT, encoding="utf-8")
    assert main(["run", str(path), "-j", "0", "--out", str(tmp_path / "run")]) == 2
    assert "--jobs is a number of processes from 1 on, not 0" in capsys.readouterr().err


def cases(tmp_path: Path, values: str) -> Path:
    path = tmp_path / "s.yaml"
    text = SHORT.replace("[1, 2]", values).replace('  - wait: "{n} s"\n', "")
    text = text.replace("parameters", "purpose: '{n}'\nparameters")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("values", ["[2 s, 2 s]", "[a, b, a]", "[1, '1']"])
def test_equal_values_are_a_mistake_with_a_place(
    tmp_path: Path, values: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cases(tmp_path, values)
    assert main(["check", str(path)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"{path}:4:" in told
    assert "the value stands here twice" in told


def test_every_case_has_a_folder_of_its_own_whatever_the_values(tmp_path: Path) -> None:
    path = cases(tmp_path, "['a b', a_b, a/b, A b, 'a,b', 'a  b', 'a b ', '" + "x" * 300 + "', '50 %', '50', 'Ü', 'ü']")
    out = tmp_path / "run"
    assert main(["run", str(path), "--out", str(out)]) == 0
    rows = record(out)["cases"]
    assert len(rows) == 12
    assert len({row["folder"].lower() for row in rows}) == 12
    assert len({row["key"] for row in rows}) == 12
    assert "SHORT-1[casa,n=a/b]" in {row["key"] for row in rows}
    before = [(out / row["folder"] / "verdict.json").stat().st_mtime_ns for row in rows]
    assert main(["run", "--resume", str(out)]) == 0
    assert [(out / row["folder"] / "verdict.json").stat().st_mtime_ns for row in rows] == before


def test_ids_that_differ_in_capital_letters_only_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(SHORT, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(SHORT.replace("SHORT-1", "Short-1"), encoding="utf-8")
    assert main(["check", str(tmp_path)]) == 2
    assert "is taken by" in capsys.readouterr().err


UNJUDGED = "id: NONE-1\ntitle: Expects nothing\ngateways: [casa]\nsteps:\n  - power: on\n"


def test_a_case_in_which_nothing_was_judged_is_no_pass_among_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(SHORT, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(UNJUDGED, encoding="utf-8")
    assert main(["run", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "1 case not judged: nothing was expected" in capsys.readouterr().err


def test_a_stop_behind_the_first_failure_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SHORT.replace("PWR: off", "PWR: on"), encoding="utf-8")
    assert main(["run", str(path), "--fail-fast", "--out", str(tmp_path / "run")]) == 1
    (noted,) = read_run_folder(tmp_path / "run").interruptions
    assert (noted.kind, noted.text) == ("stopped by --fail-fast", "behind SHORT-1[casa,n=1], 1 case was left")
