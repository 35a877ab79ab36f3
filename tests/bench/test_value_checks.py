"""Checks of stored values that a scenario can ask for: marks, grid, energy (wan-core 7.3, 7.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.expect import Truth
from bench.flow import energy, read_load
from bench.products import gateway_type
from bench.rig import Rig
from bench.scenario.models import GivenMeter
from bench.steps.value_checks import FollowsLoad, OnGrid, has_mark
from bench.timeline import Timeline
from devices.clock import Clock
from devices.errors import UsageError
from devices.leds.emulated import EmulatedLeds
from devices.leds.watch import LedWatch
from devices.meters.catalogue import make_profile

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


def rig(clock: Clock, rows: list[dict[str, Any]], load: Any = "3600 W", leds: LedWatch | None = None) -> Rig:
    given = GivenMeter(id="1SAG0021061001", registers={"1.8.0": "100 kWh", "2.8.0": "2 kWh"}, load=load)
    meters = {"m": SimpleNamespace(given=given)}
    made = SimpleNamespace(
        records=Stored(rows),
        clock=clock,
        meters=meters,
        radio_meters={},
        given_meter=lambda name: meters[name].given,
        meter_id=lambda name: name,
        timeline=Timeline(clock),
        gateway_type=gateway_type("casa"),
        fitted_leds=leds,
        leds=leds,
        assume=lambda *_: None,
    )
    return cast(Rig, made)


@pytest.mark.parametrize(
    ("rows", "trouble"),
    [
        ([row(15), row(30), row(45, None), row(60)], ""),
        ([], "nothing is stored"),
        ([row(60)], "one instant only"),
        ([row(30), row(60)], "an instant is missing"),
        ([row(60), row(61)], "is no multiple of 15 min"),
        ([row(45), row(60), row(60)], "stands there twice"),
        ([row(60), row(60, 90, obis="1-0:2.8.0*255")], "two times of capture"),
        ([row(45), row(60, 9001)], "was read at"),
        ([row(45), row(60, -1)], "was read at"),
        ([row(15), row(30), row(45)], "00:45:00+00:00, is 1805 s old"),
    ],
)
async def test_the_grid_has_every_instant_once_up_to_now(
    clock: Clock, rows: list[dict[str, Any]], trouble: str
) -> None:
    await clock.sleep_until(75 * 60 + 5)
    look = await OnGrid("m", PERIOD).look(rig(clock, rows))
    assert look.truth is (Truth.NO if trouble else Truth.YES), look.seen
    assert trouble in look.seen


@pytest.mark.parametrize(("after", "truth"), [(910.9, Truth.YES), (911.2, Truth.NO)])
async def test_an_instant_is_late_after_the_window_and_the_latency(clock: Clock, after: float, truth: Truth) -> None:
    """1 % of the period, and a value may be two seconds old (wan-core 7.4)."""
    await clock.sleep_until(30 * 60 + after)
    assert (await OnGrid("m", PERIOD).look(rig(clock, [row(15), row(30)]))).truth is truth


async def test_without_mains_the_grid_may_end(clock: Clock) -> None:
    bench = rig(clock, [row(15), row(30)])
    bench.timeline.add("power", "on")
    await clock.sleep_until(2000)
    bench.timeline.add("power", "off")
    await clock.sleep_until(7200)
    look = await OnGrid("m", PERIOD).look(bench)
    assert (look.truth, look.seen.split("; ")[1]) == (Truth.YES, "the gateway has no mains")
    bench.timeline.add("power", "on")
    assert (await OnGrid("m", PERIOD).look(bench)).truth is Truth.NO


@pytest.mark.parametrize(
    ("on_s", "off_s", "truth"), [((0.1, 0.1), (0.1, 1.2), Truth.YES), ((0.5,), (0.5,), Truth.NO), ((), (), Truth.NO)]
)
async def test_in_a_state_without_capture_the_grid_may_end(
    clock: Clock, on_s: tuple[float, ...], off_s: tuple[float, ...], truth: Truth
) -> None:
    """[CASA] 2.3.2, 8: two flashes of PWR tell that no values are collected; while it is lit they are."""
    leds = EmulatedLeds(clock.seconds, ("PWR", "TLS", "LMC", "wMT"))
    watch = LedWatch(clock.seconds, leds)
    await clock.sleep_until(7200)
    leds.set("PWR", lit=True)
    for _ in range(8):
        for on, off in zip(on_s, off_s, strict=True):
            leds.set("PWR", lit=True)
            await clock.sleep(on)
            leds.set("PWR", lit=False)
            await clock.sleep(off)
    leds.set("PWR", lit=not on_s)
    await clock.sleep(0.05 if on_s else 10)
    look = await OnGrid("m", PERIOD).look(rig(clock, [row(15), row(30)], leds=watch))
    assert look.truth is truth, look.seen


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


START = datetime(2026, 1, 5, 7, 30, tzinfo=UTC)
DAY = [0, 0, 0, 0, 0, 0, 100, 200, 400, 0, 0, -300, -900, 0, 0, 0, 0, 0, 500, 0, 0, 0, 0, 50]
"""Watts of each hour: 1250 Wh drawn and 1200 Wh fed in a day."""


@pytest.mark.parametrize(
    ("load", "after", "drawn", "fed"),
    [
        ("480 W", timedelta(hours=2, minutes=15), 1080, 0),
        ("-1.2 kW", timedelta(minutes=20), 0, 400),
        ([["0 s", "480 W"], ["1 h", "2.4 kW"], ["3 h", "-90 W"]], timedelta(hours=5), 480 + 4800, 180),
        ([["0 s", "480 W"], ["1 h", "2.4 kW"], ["3 h", "-90 W"]], timedelta(minutes=30), 240, 0),
        ([[1800, 36], [3600, 0]], timedelta(hours=9), 18, 0),
        ([[1800, 36]], timedelta(minutes=30), 0, 0),
        ({"day": DAY}, timedelta(minutes=30), 100, 0),
        ({"day": DAY}, timedelta(hours=1, minutes=45), 100 + 400, 0),
        ({"day": DAY}, timedelta(days=1), 1250, 1200),
        ({"day": DAY}, timedelta(days=9, hours=5), 9 * 1250 + 100 + 400, 9 * 1200 + 300 + 450),
        (None, timedelta(days=1), 0, 0),
    ],
)
def test_the_energy_of_a_load_is_what_a_pencil_finds(load: Any, after: timedelta, drawn: int, fed: int) -> None:
    found = energy(read_load(load), START, START + after)
    assert (int(found[0]), int(found[1])) == (drawn, fed)
    assert found[0].denominator == found[1].denominator == 1


async def test_the_emulated_meter_agrees_with_the_independent_figures(clock: Clock) -> None:
    """Two ways to the same integral, at instants that divide nothing evenly."""
    loads: tuple[Any, ...] = ("480 W", [["7 s", "0.123 W"], ["1 h", "-2.4 kW"]], {"day": DAY})
    for load in loads:
        for microseconds in (1, 7_000_001, 3_599_999_999, 200_000_000_003):
            there = make_profile(load, clock).energy(microseconds)
            here = energy(read_load(load), clock.start, clock.start + timedelta(microseconds=microseconds))
            assert here[0] * 3_600_000_000_000 == there.drawn
            assert here[1] * 3_600_000_000_000 == there.fed


@pytest.mark.parametrize(
    ("register", "value", "truth"),
    [("1.8.0", "100080.000", Truth.YES), ("2.8.0", "2000.000", Truth.YES), ("2.8.0", "2000.001", Truth.NO)],
)
async def test_stepped_loads_move_the_register_of_their_direction(
    clock: Clock, register: str, value: str, truth: Truth
) -> None:
    """480 W for the first ten minutes, then nothing: 80 Wh."""
    stored = row(15, 0, value, obis=f"1-0:{register}*255")
    bench = rig(clock, [stored], [["0 s", "480 W"], ["10 min", "0 W"]])
    look = await FollowsLoad("m", register).look(bench)
    assert look.truth is truth, look.seen


@pytest.mark.parametrize(
    ("load", "told"), [("house.csv", "is not worked out by the bench"), ({"week": [1]}, "is no load"), ([5], "no load")]
)
def test_loads_that_cannot_be_worked_out_are_refused(load: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_load(load)


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
