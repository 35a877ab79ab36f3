"""Radio meters as people write them, in scenarios and in files for `smgw-bench air`: mistakes are found at once."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest

from bench.cli import main
from bench.scenario.radio_models import GivenRadioMeter
from bench.tools.air import AirOptions, given_radio_meters, play
from bench.tools.emulated_air import COUNTER_EPOCH, EmulatedAir
from bench.tools.screen import Screen
from bench.tools.stick_port import StickOptions
from devices.clock import Clock
from devices.errors import UsageError

SCENARIO = """id: X-1
title: A radio meter
needs: [power, wireless_lmn]
given:
  radio_meters:
    power:
      kind: electricity
      id: 1ELS0187654321
      {line}
steps:
  - power: on
"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("interval: 0 s", "9:17: 'interval': 0 s is no time between two telegrams: it is 500 ms to 31 d"),
        ("interval: 32 d", "9:17: 'interval': 32 d is no time between two telegrams"),
        (
            "registers: {7-0:3.1.0: 5 kWh}",
            "9:18: 'registers': a electricity meter 1ELS0187654321 has no register 7-0:3.1.0: it has 1-0:1.8.0",
        ),
        ("distance: 5", "9:17: 'distance': '5' has no unit: a distance is written like '10 m'"),
        ("distance: 5.5", "'5.5' has no unit"),
        ("distance: 9 km", "9:17: 'distance': '9 km' is no distance of more than 0 m and up to 5000 m"),
        ("distance: 5 s", "is a duration, but here a distance is wanted"),
    ],
)
def test_check_finds_what_cannot_be_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(SCENARIO.format(line=line))
    assert main(["check", str(file)]) == 2
    error = capsys.readouterr().err
    assert str(file) in error
    assert told.replace("a electricity", "an electricity") in error


@pytest.mark.parametrize("line", ["interval: 500 ms", "interval: 31 d", "distance: 12.5 m", "distance: 2 km"])
def test_check_takes_what_can_be(tmp_path: Path, line: str) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(SCENARIO.format(line=line))
    assert main(["check", str(file)]) == 0


def test_a_register_may_be_written_short_or_long() -> None:
    for code in ("1-0:1.8.0", "1-0:1.8.0*255"):
        GivenRadioMeter.model_validate({"kind": "electricity", "id": "1ELS0187654321", "registers": {code: "1 kWh"}})


def test_two_meters_of_one_id_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "meters.yaml"
    file.write_text("radio_meters:\n  one: {kind: gas, id: 7ELS3312345678}\n  two: {kind: gas, id: 7ELS3312345678}\n")
    with pytest.raises(UsageError, match=r"3:.*'two' has the id 7ELS3312345678 of 'one'"):
        given_radio_meters(file)


async def test_the_counter_of_a_later_run_is_higher_unless_the_file_says_where_it_begins(clock: Clock) -> None:
    given = GivenRadioMeter.model_validate({"kind": "gas", "id": "7ELS3312345678", "interval": "500 ms"})
    first = EmulatedAir(clock, seed=1)
    first.add("gas", given)
    first.start()
    begin = first.plans["gas"].counter
    assert begin == int((clock.now() - COUNTER_EPOCH) / timedelta(seconds=0.25))
    await clock.sleep(600)
    used = first.meters["gas"].counter
    assert used > begin + 1000
    first.close()
    second = EmulatedAir(clock, seed=1)
    second.add("gas", given)
    assert second.plans["gas"].counter > used
    written = GivenRadioMeter.model_validate({"kind": "gas", "id": "7ELS3312345670", "counter": 5})
    second.add("written", written)
    assert second.plans["written"].counter == 5


async def test_air_says_where_the_counters_begin(clock: Clock) -> None:
    said = io.StringIO()
    assert await play(clock, AirOptions(StickOptions("im871a", "pty"), for_s=1, seed=1), Screen("en", said)) == 0
    begin = int((clock.start - COUNTER_EPOCH).total_seconds() * 4)
    assert f"gas: 7ELS3312345678, gas, profile_b, T1, counter from {begin}" in said.getvalue()
    assert "none, T1, every" in said.getvalue(), "a meter without counter"
