"""Checks of stored values that a scenario can ask for: marks, grid, energy (wan-core 7.3, 7.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.expect import Truth
from bench.rig import Rig
from bench.scenario.models import GivenMeter
from bench.steps.value_checks import FollowsLoad, OnGrid, has_mark
from devices.clock import Clock

PERIOD = timedelta(seconds=900)


def row(minute: int, late_ms: int | None = 60, value: str = "100000.000", **other: Any) -> dict[str, Any]:
    grid = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=minute)
    captured = None if late_ms is None else (grid + timedelta(milliseconds=late_ms)).isoformat()
    gap = late_ms is None
    return {
        "meter": "m",
        "obis": None if gap else "1-0:1.8.0*255",
        "grid_time": grid.isoformat(),
        "capture_time": captured,
        "value": None if gap else value,
        "unit": None if gap else "Wh",
        "status": "A004000020000000" if gap else "A000000020000000",
    } | other


class Stored:
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    async def values(self, meter: str, *, attributes: bool = False) -> list[dict[str, Any]]:
        assert meter == "m"
        return self.rows


def rig(clock: Clock, rows: list[dict[str, Any]], load: str = "3600 W") -> Rig:
    given = GivenMeter(id="1SAG0021061001", registers={"1.8.0": "100 kWh"}, load=load)
    meters = {"m": SimpleNamespace(given=given)}
    return cast(Rig, SimpleNamespace(records=Stored(rows), clock=clock, meters=meters, meter_id=lambda name: name))


@pytest.mark.parametrize(
    ("rows", "trouble"),
    [
        ([row(15), row(30), row(45, None), row(60)], ""),
        ([], "nothing is stored"),
        ([row(15), row(45)], "an instant is missing"),
        ([row(15), row(16)], "is no multiple of 15 min"),
        ([row(15), row(15)], "stands there twice"),
        ([row(15), row(15, 90, obis="1-0:2.8.0*255")], "two times of capture"),
        ([row(15), row(30, 9001)], "was read at"),
        ([row(15), row(30, -1)], "was read at"),
    ],
)
async def test_the_grid_has_every_instant_once(clock: Clock, rows: list[dict[str, Any]], trouble: str) -> None:
    look = await OnGrid("m", PERIOD).look(rig(clock, rows))
    assert look.truth is (Truth.NO if trouble else Truth.YES)
    assert trouble in look.seen


@pytest.mark.parametrize(
    ("value", "good"), [("100900.000", True), ("100898.000", True), ("100897.700", False), ("100900.200", False)]
)
async def test_a_value_is_the_energy_that_has_flowed(clock: Clock, value: str, good: bool) -> None:
    """3600 W are 1 Wh per second: 900 Wh at 00:15; up to 2 s of latency are right (wan-core 7.4)."""
    look = await FollowsLoad("m", "1.8.0").look(rig(clock, [row(15, 0, value)]))
    assert look.truth is (Truth.YES if good else Truth.NO)


async def test_without_a_value_nothing_follows_the_load(clock: Clock) -> None:
    look = await FollowsLoad("m", "1.8.0").look(rig(clock, [row(15, None)]))
    assert look.truth is Truth.NO


@pytest.mark.parametrize(
    ("status", "marks"),
    [
        ("A000000020000000", set()),
        ("A040000020000000", {"time_invalid"}),
        ("A0C4000020000000", {"fatal", "time_invalid", "missing"}),
        ("A00A000020000000", {"warning", "tampered"}),
        ("A000000020004000", {"meter_fatal"}),
    ],
)
def test_bits_count_from_the_left_of_the_text_form(status: str, marks: set[str]) -> None:
    names = ("fatal", "time_invalid", "warning", "missing", "tampered", "meter_fatal")
    assert {name for name in names if has_mark({"status": status}, name)} == marks
