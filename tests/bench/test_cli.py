"""The command as a person uses it: what it prints, where it leaves things, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from bench.cli import main
from bench.config import BUILT_IN

QUICK = """
id: {id}
title: The gateway {id} starts
gateways: [casa]
needs: [power, leds]
steps:
  - power: on
  - leds: {{PWR: {pattern}, within: {within}}}
"""


def scenario(folder: Path, ident: str = "Q-1", *, pattern: str = "on", within: str = "120 s") -> Path:
    path = folder / f"{ident}.yaml"
    path.write_text(QUICK.format(id=ident, pattern=pattern, within=within), encoding="utf-8")
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "bench.cli", *map(str, arguments)]


def test_a_run_leaves_report_junit_and_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["run", str(scenario(tmp_path)), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"report: {out / 'report.html'}" in printed
    record = json.loads((out / "run.json").read_text("utf-8"))
    assert record["counts"] == {"pass": 1, "not applicable": 0}
    case = out / record["cases"][0]["folder"]
    kept = {path.name for path in case.iterdir()}
    assert {"timeline.jsonl", "leds.vcd", "lmn.pcapng", "verdict.json", "scenario.yaml", "logs.json"} <= kept
    assert (out / "junit.xml").exists()
    assert "Q-1[casa]" in (out / "report.html").read_text("utf-8")


def test_a_case_that_fails_gives_exit_code_1_and_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", str(scenario(tmp_path, pattern="heartbeat", within="60 s")), "--out", str(tmp_path / "run")])
    assert code == 1
    assert "not so within 60 s; seen: PWR on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--gateway", "cassa"], "unknown gateway type 'cassa' (did you mean 'casa'?)"),
        (["run", "--bench", "emulatd"], "there is no bench 'emulatd' (did you mean 'emulated'?)"),
        (["run", "nowhere.yaml"], "no such file or folder"),
        (["list", "-k", "nothing like this"], "no case is left by these options"),
        (["report", "."], "is no run folder"),
    ],
)
def test_wrong_use_gives_exit_code_2_and_one_clear_line(
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenario(tmp_path)
    monkeypatch.chdir(tmp_path)
    if arguments[0] in ("run", "list") and not any("nowhere" in argument for argument in arguments):
        arguments = [*arguments, "Q-1.yaml"]
    assert main(arguments) == 2
    captured = capsys.readouterr().err
    assert expected in captured
    assert "Traceback" not in captured
    assert len(captured.strip().splitlines()) == 1


def test_an_unknown_option_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(command("run", "--bnch", "x"), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    told = "smgw-bench run: unrecognized arguments: --bnch (see 'smgw-bench run --help')"
    assert done.stderr.strip().splitlines() == [told]


def bench_file(folder: Path, **changes: object) -> Path:
    data = yaml.safe_load((BUILT_IN / "emulated.yaml").read_text("utf-8"))
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump({**data, **changes}), encoding="utf-8")
    return path


def test_a_bench_file_that_names_a_port_that_is_not_there_is_bench_trouble(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = bench_file(tmp_path, time="real", mains={"rtu": {"port": "/dev/ttyUSB99"}})
    code = main(["run", str(scenario(tmp_path)), "--bench", str(bench), "--out", str(tmp_path / "run")])
    assert code == 3
    printed = capsys.readouterr().out
    assert "/dev/ttyUSB99" in printed
    assert "Traceback" not in printed


def test_a_mistake_in_a_bench_file_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = bench_file(tmp_path, mains={"rtu": {"prt": "emulated"}})
    assert main(["check", str(scenario(tmp_path)), "--bench", str(bench)]) == 2
    captured = capsys.readouterr().err
    assert "bench.yaml:" in captured
    assert "unknown key 'prt' (did you mean 'port'?)" in captured


def test_virtual_time_with_real_equipment_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = bench_file(tmp_path, wired_lmn={"port": "/dev/ttyUSB0"})
    assert main(["check", str(scenario(tmp_path)), "--bench", str(bench)]) == 2
    assert "time cannot be virtual: the RS-485 adapter is real" in capsys.readouterr().err


def test_what_the_bench_lacks_is_not_applicable_and_does_not_fail(tmp_path: Path) -> None:
    bench = bench_file(tmp_path, leds=None)
    out = tmp_path / "run"
    assert main(["run", str(scenario(tmp_path)), "--bench", str(bench), "--out", str(out)]) == 2, "nothing was judged"
    record = json.loads((out / "run.json").read_text("utf-8"))
    assert record["cases"] == []
    assert record["not_tested"][0]["reason"] == "the bench lacks leds"


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = scenario(tmp_path), tmp_path / "run"
    assert main(["run", str(path), "--out", str(out)]) == 0
    assert main(["run", str(path), "--out", str(out)]) == 2
    assert "there is a run in this folder already" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    path = scenario(tmp_path)
    for name in ("one", "two"):
        assert main(["run", str(path), "--out", str(tmp_path / name), "--seed", "7"]) == 0
    (one,), (two,) = ((tmp_path / name / "cases").iterdir() for name in ("one", "two"))
    for file in ("timeline.jsonl", "leds.vcd", "lmn.pcapng", "logs.json"):
        assert (one / file).read_bytes() == (two / file).read_bytes(), file


def test_a_killed_run_keeps_what_was_finished_and_resume_completes_it(tmp_path: Path) -> None:
    """SIGKILL in mid-run, on the real-time bench so that the second case certainly takes its time."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "a.yaml").write_text(
        "id: A-1\ntitle: Dark without mains\ngateways: [casa]\nneeds: [leds]\nsteps:\n  - leds: {PWR: off}\n", "utf-8"
    )
    (folder / "b.yaml").write_text(
        "id: B-1\ntitle: Dark for long\ngateways: [casa]\nneeds: [leds]\nsteps:\n  - leds: {PWR: off, for: 4 s}\n",
        "utf-8",
    )
    out = tmp_path / "run"
    arguments = command("run", folder, "--bench", "realtime", "--out", out)
    running = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, cwd=Path.cwd())
    until = time.monotonic() + 60
    second = out / "cases" / "B-1_casa" / "timeline.jsonl"
    while not second.exists():
        assert time.monotonic() < until
        assert running.poll() is None
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(10)
    first = out / "cases" / "A-1_casa" / "verdict.json"
    before = first.read_bytes()
    assert not (out / "cases" / "B-1_casa" / "verdict.json").exists()
    assert json.loads((out / "run.json").read_text("utf-8"))["finished"] is None
    done = subprocess.run(command("run", "--resume", out), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((out / "run.json").read_text("utf-8"))
    assert [row["verdict"] for row in record["cases"]] == ["pass", "pass"]
    assert record["interruptions"]
    assert first.read_bytes() == before


def test_a_damaged_verdict_is_kept_aside_and_the_case_run_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(["run", str(scenario(tmp_path)), "--out", str(out)]) == 0
    verdict = out / "cases" / "Q-1_casa" / "verdict.json"
    verdict.write_text('{"torn', encoding="utf-8")
    assert main(["run", "--resume", str(out)]) == 0
    assert json.loads(verdict.read_text("utf-8"))["verdict"] == "pass"
    assert (out / "cases" / "Q-1_casa.damaged" / "verdict.json").read_text("utf-8") == '{"torn'


def test_a_case_that_the_benchs_own_trouble_ended_is_run_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(["run", str(scenario(tmp_path)), "--out", str(out)]) == 0
    file = out / "cases" / "Q-1_casa" / "verdict.json"
    stored = json.loads(file.read_text("utf-8"))
    for number in (1, 2):
        file.write_text(json.dumps(stored | {"verdict": "error", "reason": "no password"}), encoding="utf-8")
        assert main(["run", "--resume", str(out)]) == 0
        assert json.loads(file.read_text("utf-8"))["verdict"] == "pass"
        kept = json.loads((out / "earlier" / f"Q-1_casa.{number}" / "verdict.json").read_text("utf-8"))
        assert kept["verdict"] == "error"
    record = json.loads((out / "run.json").read_text("utf-8"))
    assert [row["verdict"] for row in record["cases"]] == ["pass"]
    assert "run again after an error: Q-1[casa]" in record["interruptions"][-1]["text"]
    assert "run again after an error: Q-1[casa]" in (out / "report.html").read_text("utf-8")


def test_resume_needs_the_folder_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--resume", str(tmp_path)]) == 2
    assert "there is no run.json here" in capsys.readouterr().err


def test_explain_reads_like_a_test_specification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(scenario(tmp_path))]) == 0
    printed = capsys.readouterr().out
    assert "1. Switch the mains on." in printed
    assert "2. Expect that PWR is on, within 2 min." in printed


def test_list_tells_scenarios_and_cases_as_text_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario(tmp_path)
    assert main(["list", str(tmp_path)]) == 0
    assert "1 scenario, 1 case" in capsys.readouterr().out
    assert main(["list", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["key"] == "Q-1[casa]"


def test_the_shipped_scenarios_obey_the_printed_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    class Words(yaml.SafeLoader):
        """As an editor reads YAML 1.2: on and off are words."""

    Words.yaml_implicit_resolvers = {
        first: [
            (tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool" and "timestamp" not in tag
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Words.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile("^(true|false)$"), list("tf"))
    files = sorted(Path("scenarios").rglob("*.yaml"))
    assert files
    for file in files:
        data = yaml.load(file.read_text("utf-8"), Words)
        problems = [f"{file}: {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(data)]
        assert not problems, problems[0]


def test_the_schema_of_bench_files_fits_the_built_in_benches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "bench"]) == 0
    validator = jsonschema.Draft202012Validator(json.loads(capsys.readouterr().out))
    for file in BUILT_IN.glob("*.yaml"):
        validator.validate(yaml.safe_load(file.read_text("utf-8")))
