"""Log entries bear the gateway's time of what they tell, also when signatures come later: histories, signing ahead."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bench.cli import main
from bench.emulation import log_verdict
from bench.standalone.data_dir import DataFolder
from bench.standalone.plan import make_plan
from bench.standalone.run import _fill_new, _profiles, prepare
from bench.standalone.users import introduce
from devices.clock import wall_now

WINDOW_S = 9
"""1 % of the registration period, in which a reading of an instant is made (wan-core 7.4)."""


def told(memory: Path, event: str) -> list[float]:
    """Times of all entries of one kind, seconds since 1970."""
    with sqlite3.connect(memory) as database:
        found = database.execute("SELECT time_us FROM log WHERE event = ? ORDER BY number", (event,))
        return [time_us / 1e6 for (time_us,) in found]


def test_a_history_logs_each_switch_of_a_tariff_when_it_was(tmp_path: Path) -> None:
    hours = {f"{hour:02}:00": 1 + hour % 2 for hour in range(24)}
    file = tmp_path / "gateway.yaml"
    contract = {"taf": 2, "meters": {"house": "1.8.0"}, "billing": "1 month", "switches": hours}
    file.write_text(json.dumps({"contracts": {"day-and-night": contract}}))  # JSON is YAML
    plan, now = make_plan("casa", file, None), wall_now()
    begin = datetime.fromtimestamp(now.timestamp() // 3600 * 3600, now.tzinfo) - timedelta(hours=6)
    with DataFolder(tmp_path / "data") as folder:
        prepare(plan, folder, begin, now)
        _fill_new(plan, folder, _profiles(plan, folder, introduce(plan, folder)[1]))
    switched = told(folder.memory, "tariff_level_changed")
    assert len(switched) >= 5
    late_s = [time_s % 3600 for time_s in switched]
    assert max(late_s) <= WINDOW_S, late_s
    assert len({time_s // 3600 for time_s in switched}) == len(switched)
    assert log_verdict(folder.memory).sound


@pytest.mark.parametrize("threads", ["0", "1"])
def test_signing_ahead_logs_each_switch_when_it_was(
    threads: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["simulate", "--meters", "2", "--span", "2d", "--taf", "2", "--sign-ahead", threads, "--out", str(tmp_path)]
    assert main(line) == 0
    capsys.readouterr()
    switched = told(tmp_path / "memory.sqlite", "tariff_level_changed")
    assert switched
    assert max(time_s % 900 for time_s in switched) <= WINDOW_S
