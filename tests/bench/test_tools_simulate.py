"""`smgw-bench simulate`: figures that add up, a memory that can be read, and clear refusals."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from bench.cli import main
from bench.tools.simulate import span_end
from devices.errors import UsageError
from firmware import simulation
from firmware.config import options_from


def test_figures_fit_what_is_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    line = ["simulate", "--meters", "2", "--span", "2d", "--taf", "2", "--taf", "7", "--out", str(folder), "--json"]
    assert main(line) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"values", "signatures", "wall_s", "peak_rss_mb", "bare_signature_s"} <= set(told)
    memory = sqlite3.connect(folder / "memory.sqlite")
    originals = memory.execute("SELECT COUNT(*) FROM entry WHERE signature IS NOT NULL").fetchone()[0]
    derived = memory.execute("SELECT COUNT(*) FROM derived").fetchone()[0]
    memory.close()
    assert originals == 2 * (2 * 96 + 1)
    assert derived == 2 * 4 * (1 + 4 + 1)
    assert told["values"] == told["signatures"] == originals + derived
    assert min(told["wall_s"], told["bare_signature_s"], told["peak_rss_mb"]) > 0


def test_the_same_seed_gives_the_same_values_and_signatures(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        assert main(["simulate", "--meters", "1", "--span", "1d", "--seed", seed, "--out", str(tmp_path / name)]) == 0
        memory = sqlite3.connect(tmp_path / name / "memory.sqlite")
        found.append(memory.execute("SELECT * FROM entry").fetchall())
        memory.close()
    assert found[0] == found[1] != found[2]


def test_where_metering_stops_is_told_and_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer's log is full on the third day: CASA locks itself, and the figures are not those of the span."""
    small = {"consumer_log_capacity": 10}
    monkeypatch.setattr(simulation, "options_from", lambda given: options_from({**given, **small}))
    line = ["simulate", "--gateway", "casa", "--meters", "2", "--span", "5d", "--taf", "2", "--json"]
    assert main([*line, "--out", str(tmp_path / "full")]) == 1
    told = capsys.readouterr()
    figures = json.loads(told.out)
    assert figures["state"] == "restricted"
    assert figures["consumer_log_percent"] == 100.0
    assert figures["metering_stopped"] == "2026-01-02T21:00:00Z"
    assert "metering stopped on 2026-01-02T21:00:00Z" in told.err
    monkeypatch.undo()
    assert main([*line, "--out", str(tmp_path / "roomy")]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["state"] == "run"
    assert figures["consumer_log_percent"] < 1
    assert "metering_stopped" not in figures


def test_an_old_simulation_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["simulate", "--meters", "1", "--span", "1d", "--out", str(tmp_path)]
    assert main(line) == 0
    before = (tmp_path / "memory.sqlite").read_bytes()
    assert main(line) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "memory.sqlite").read_bytes() == before


@pytest.mark.parametrize("span", ["", "0d", "5", "d", "1.5mo", "12h", "5w", "99999d"])
def test_a_span_that_is_none_is_refused(span: str) -> None:
    with pytest.raises(UsageError, match="--span"):
        span_end(span, date(2026, 1, 1))


def test_months_and_years_are_those_of_the_calendar() -> None:
    assert span_end("15mo", date(2026, 1, 1)) == date(2027, 4, 1)
    assert span_end("2mo", date(2027, 12, 5)) == date(2028, 2, 5)
    assert span_end("1y", date(2028, 2, 28)) == date(2029, 2, 28)
    assert span_end("40d", date(2028, 2, 1)) == date(2028, 3, 12)
    with pytest.raises(UsageError, match="--start"):
        span_end("1mo", date(2026, 1, 31))


def test_a_killed_simulation_leaves_nothing_to_the_next_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [sys.executable, "-m", "bench.cli", "simulate", "--meters", "4", "--span", "1y", "--out", str(tmp_path)]
    killed = subprocess.Popen(line)
    for _ in range(1000):
        if any(tmp_path.glob("*.part")):
            break
        time.sleep(0.02)
    else:
        pytest.fail("nothing was begun in 20 s")
    assert main(["simulate", "--meters", "1", "--span", "1d", "--out", str(tmp_path)]) == 2
    assert "a run is going on in this folder" in capsys.readouterr().err
    killed.kill()
    killed.wait()
    assert main(["simulate", "--meters", "1", "--span", "1d", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    memory = sqlite3.connect(tmp_path / "memory.sqlite")
    assert memory.execute("SELECT COUNT(*), COUNT(DISTINCT meter) FROM entry").fetchone() == (97, 1)
    memory.close()
    assert told["values"] == 97


def test_sigterm_leaves_nothing(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "bench.cli", "simulate", "--meters", "4", "--span", "1y", "--out", str(tmp_path)]
    ended = subprocess.Popen(line)
    for _ in range(1000):
        if any(tmp_path.glob("*.part")):
            break
        time.sleep(0.02)
    else:
        pytest.fail("nothing was begun in 20 s")
    ended.terminate()
    assert ended.wait(30) == 143
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        ["--start", "9999-12-01"],
        ["--start", "1900-01-01"],
        ["--span", "90y"],
        ["--start", "2099-12-31", "--span", "2d"],
    ],
)
def test_a_time_that_no_gateway_has_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(["simulate", *options, "--out", str(tmp_path / "run")]) == 2
    assert "a gateway has no time" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["simulate", "--span", "1d", "--out", str(blocked / "run")]) == 2
    assert capsys.readouterr().err.count("\n") <= 2
