"""The history of a new gateway: made by its own firmware, whole, signed, and joined to what its meters show later."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.emulation import log_verdict
from bench.standalone.config import EXAMPLES
from bench.standalone.data_dir import DataFolder
from bench.standalone.history import LEAD, Stretch, fill
from bench.standalone.meters import DirectMeters
from bench.standalone.plan import Plan, make_plan
from bench.standalone.run import _fill_new, _profiles, prepare
from bench.standalone.users import introduce
from devices.clock import Clock, run, wall_now
from devices.errors import UsageErrors

QUARTER_S = 900


def rows(memory: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(memory) as database:
        return database.execute(sql).fetchall()


def begun(plan: Plan, path: Path, hours: int) -> DataFolder:
    """A folder with the history of so many hours."""
    now = wall_now()
    folder = DataFolder(path)
    begin = datetime.fromtimestamp(now.timestamp() // 3600 * 3600 - hours * 3600, now.tzinfo)
    prepare(plan, folder, begin, now)
    _fill_new(plan, folder, _profiles(plan, folder, introduce(plan, folder)[1]))
    return folder


@pytest.mark.parametrize("kind", ["ppc", "conexa", "casa"])
def test_a_history_is_whole_and_signed(kind: str, tmp_path: Path) -> None:
    plan = make_plan(kind, EXAMPLES / f"gateway-{kind}.yaml", None)
    with begun(plan, tmp_path, 5) as folder:
        memory, began_s = folder.memory, int(folder.kept.began.timestamp()) if folder.kept else 0
    assert log_verdict(memory).sound
    for meter in plan.numbers.values():
        grid = rows(memory, f"SELECT grid_s, capture_us FROM reading WHERE meter = '{meter}' ORDER BY grid_s")
        assert grid[0][0] == began_s
        assert wall_now().timestamp() - grid[-1][0] < QUARTER_S + 60
        assert [one[0] for one in grid] == list(range(began_s, grid[-1][0] + 1, QUARTER_S))
        assert all(capture is not None for _, capture in grid)
    noted = [json.loads(value) for (value,) in rows(memory, "SELECT value FROM setting WHERE name LIKE 'profile/%'")]
    meters = [one for one in noted if one["profile"]["kind"] == "meter"]
    assert {one["profile"]["meter"] for one in meters} == set(plan.numbers.values())
    assert all(one["since_s"] <= began_s for one in meters), "its consumer does not see the whole history"
    assert rows(memory, "SELECT COUNT(*) FROM entry WHERE length(signature) != 64") == [(0,)]
    assert rows(memory, "SELECT COUNT(*) FROM reading WHERE status NOT LIKE '%05' AND status LIKE '%1'") == [(0,)]
    assert not list(tmp_path.glob("*.part*"))


def test_meters_show_the_same_again_and_go_on_from_there(tmp_path: Path) -> None:
    """The last stored value is what meters made anew show at that instant, to the last digit."""
    plan = make_plan("ppc", EXAMPLES / "gateway-ppc.yaml", None)
    with begun(plan, tmp_path, 3) as folder:
        kept = folder.kept
    assert kept is not None
    last = rows(folder.memory, "SELECT meter, obis, value, capture_us FROM entry JOIN reading USING (meter, grid_s)")
    assert last

    async def shown() -> None:
        for meter, obis, value, capture_us in last[-6:]:
            captured = datetime.fromtimestamp(capture_us / 1e6, kept.origin.tzinfo)
            elapsed_s = (captured - kept.origin).total_seconds()
            clock = Clock(asyncio.get_running_loop(), kept.origin, elapsed_s=elapsed_s)
            meters = DirectMeters(clock, plan)
            code = bytes.fromhex({"1-0:1.8.0*255": "0100010800ff", "1-0:2.8.0*255": "0100020800ff"}[obis])
            now = next(one.value for one in meters.direct[meter]() if one.obis == code)
            assert now == int(value)
            meters.close()

    run(shown(), virtual=True)


def test_what_was_missed_is_filled_in_on_request(tmp_path: Path) -> None:
    plan = make_plan("casa", None, None)
    now = wall_now()
    with DataFolder(tmp_path) as folder:
        prepare(plan, folder, now - timedelta(hours=8), now)
        assert folder.kept is not None
        profiles = _profiles(plan, folder, introduce(plan, folder)[1])
        shares: list[float] = []
        fill(Stretch(plan, folder, folder.memory, folder.kept.origin, profiles, shares.append, durable=True))
        before = rows(folder.memory, "SELECT COUNT(*), MAX(grid_s) FROM reading")
        missed = now - timedelta(minutes=1)
        fill(Stretch(plan, folder, folder.memory, missed, profiles, shares.append, durable=True))
        assert log_verdict(folder.memory).sound
        assert rows(folder.memory, "SELECT COUNT(*), MAX(grid_s) FROM reading WHERE capture_us IS NULL")[0][0] == 0
        assert rows(folder.memory, "SELECT COUNT(*), MAX(grid_s) FROM reading")[0][0] - before[0][0] <= 1


def test_a_contract_that_begins_before_the_history_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text('contracts:\n  old: {taf: 7, meters: {house: 1.8.0}, begin: "2020-01-01 00:00"}\n')
    with pytest.raises(UsageErrors) as caught:
        begun(make_plan("ppc", file, None), tmp_path / "data", 1)
    assert "gateway.yaml:2:" in str(caught.value)
    assert "the gateway refuses contract 'old': the begin 2019-12-31T23:00:00Z" in str(caught.value)
    assert not (tmp_path / "data" / "memory.sqlite").exists()


def test_radio_meters_take_part(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "radio_meters:\n  gas: {kind: gas, id: 7ELS3312345678, load: 0.6 m3/h, registers: {7-0:3.1.0: 2850.5 m3}}\n"
    )
    plan = make_plan("conexa", file, None)
    with begun(plan, tmp_path / "data", 8) as folder:
        stored = rows(folder.memory, "SELECT COUNT(*) FROM reading WHERE meter = '7ELS3312345678' AND capture_us > 0")
    assert stored[0][0] >= 3
    assert LEAD.total_seconds() > 0
