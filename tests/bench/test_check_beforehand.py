"""`check` finds what a run would trip over, and remarks on what can hardly be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli import main

HEAD = "id: C-1\ntitle: A check\ngateways: [casa]\n"
METER = "given:\n  meters:\n    house: {id: 1SAG0021061001, registers: {1.8.0: 10 kWh}}\n"


def told(tmp_path: Path, body: str, capsys: pytest.CaptureFixture[str], code: int, *more: str) -> str:
    path = tmp_path / "s.yaml"
    path.write_text(HEAD + body, encoding="utf-8")
    assert main(["check", str(path), *more]) == code
    out = capsys.readouterr()
    return " ".join((out.out + out.err).split())


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("registration_perid_s: 60", "did you mean 'registration_period_s'?"),
        ("registration_period_s: soon", "cannot be 'soon'"),
        ("registration_period_s: 0", "it is more than zero"),
        ("registration_period_s: -900", "it is more than zero"),
        ("read_patience_s: -1", "it is zero or more"),
        ("storage_capacity_octets: 99999999999999", "at most"),
    ],
)
def test_an_option_that_no_gateway_takes_is_found_with_its_place(
    tmp_path: Path, option: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    body = f"needs: [emulated]\ngiven:\n  gateway:\n    options:\n      {option}\nsteps:\n  - power: on\n"
    text = told(tmp_path, body, capsys, 2)
    assert f"{tmp_path / 's.yaml'}:8:" in text
    assert word in text
    bench = tmp_path / "bench.yaml"
    bench.write_text(f"name: x\ngateway:\n  emulated: true\n  options:\n    {option}\n", encoding="utf-8")
    text = told(tmp_path, "steps:\n  - power: on\n", capsys, 2, "--bench", str(bench))
    assert f"{bench}:5:" in text
    assert word in text


@pytest.mark.parametrize(
    ("leds", "word"),
    [
        ("gpio: {chip: /dev/gpiochip0, lines: {PWR: 4, TLS: 4}}", "TLS and PWR are both at line 4"),
        ("gpio: {chip: /dev/gpiochip0, lines: {PWR: -1}}", "PWR cannot be at line -1"),
        ("gpio: {chip: /dev/gpiochip0, lines: {}}", "no LED is sensed"),
        ("recorded: nowhere.vcd", "there is no file 'nowhere.vcd'"),
    ],
)
def test_leds_that_cannot_be_sensed_so_are_found_with_their_place(
    tmp_path: Path, leds: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text(f"name: x\ngateway: {{emulated: true}}\nleds:\n  {leds}\n", encoding="utf-8")
    text = told(tmp_path, "steps:\n  - power: on\n", capsys, 2, "--bench", str(bench))
    assert f"{bench}:4:" in text
    assert word in text


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (METER.replace("10 kWh", "-10 kWh"), "a register counts up from zero"),
        (METER + "    other: {id: 1SAG0021061001}\n", "'other' and 'house' have the same id 1SAG0021061001"),
        ("given: 7\n", "'given': it must be a mapping of keys to values, not '7'"),
    ],
)
def test_meters_that_cannot_be_are_found(
    tmp_path: Path, body: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in told(tmp_path, body + "steps:\n  - power: on\n", capsys, 2)


@pytest.mark.parametrize(
    ("step", "word"),
    [
        ("wait: 2,5 s", "'2,5 s' has a comma: write '2.5 s', with a point"),
        ("leds: alram", "did you mean 'alarm'?"),
        (f"wait: {'9' * 400} h", "'" + "9" * 49 + "...9999 h' is more than a hundred years"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(
    tmp_path: Path, step: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in told(tmp_path, f"steps:\n  - {step}\n", capsys, 2)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (METER + "steps:\n  - values: {meter: house, count: none}\n  - power: on\n", "before the mains is switched on"),
        (METER + "steps:\n  - power: on\n  - values: {meter: house, register: 2.8.0, count: none}\n",
         "'house' is given no register 2.8.0: it is given 1.8.0"),
        ("watch:\n  - never: {leds: alarm}\nsteps:\n  - wait: 1 h\n", "only watches, and never switches the mains on"),
    ],
)  # fmt: skip
def test_what_can_hardly_be_meant_is_remarked(
    tmp_path: Path, body: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(tmp_path, body, capsys, 0)
    assert "note: " in text
    assert word in text


def test_titles_do_not_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text('id: C-1\ntitle: "red \\e[31m and on"\ngateways: [casa]\nsteps:\n  - power: on\n', encoding="utf-8")
    assert main(["list", str(path)]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "red \\x1b[31m and on" in text


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [
        ("smarty_bz_plus_v2", "power: on", "s.yaml:8:5: 'power' is for gateways: this scenario is about a meter"),
        ("smarty_bz_plus_v2", "leds: {PWR: on}", "'leds' is for gateways"),
        ("base_meter", "service: {meter: dut}", "s.yaml:6:17: meter 'dut' is a base_meter, the device under test is a"),
    ],
)
def test_a_scenario_about_a_meter_has_that_meter_and_no_gateway(
    tmp_path: Path, kind: str, step: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    head = "id: C-1\ntitle: A check\ndevice: bz_plus_v2\ngiven:\n  meters:\n"
    path.write_text(f"{head}    dut: {{type: {kind}, id: 1SAG0021061001}}\nsteps:\n  - {step}\n", encoding="utf-8")
    assert main(["check", str(path)]) == 2
    assert expected in capsys.readouterr().err


CONTRACTS = (
    "needs: [emulated]\ngiven:\n  time: 2026-01-05T00:00:00Z\n"
    "  meters:\n    house: {id: 1SAG0021061001, registers: {1.8.0: 10 kWh, 32.7.0: 230 V}}\n"
    "  radio_meters:\n    gas: {kind: gas, id: 7ELS3312345678, registers: {7-0:3.1.0: 1 m3}}\n"
    "  contracts:\n"
    '    grid: {taf: 2, meters: {house: 1.8.0}, begin: 2026-01-05 08:00, switches: {"00:00": 2, "06:00": 1}}\n'
    "    sum: {taf: 1, meters: {house: [1.8.0, 2.8.0]}, begin: 2026-01-05 08:00}\n"
    "    three: {taf: 2, meters: {house: 1.8.0}, begin: 2026-01-05 08:00, stages: [1, 2, 3]}\n"
    "    now: {taf: 10, meters: {house: [1.8.0, 16.7.0]}, begin: 2026-01-05 08:00}\n"
    "steps:\n"
)


@pytest.mark.parametrize(
    ("step", "word"),
    [
        ("derived: {contract: grid, registers: {1.8.1: 7.68 kW}}", "'7.68 kW' is a power, but here an energy"),
        ("derived: {contract: grid, registers: {1.8.1: [1 kWh, 2 kW]}}", "'2 kW' is a power, but here an energy"),
        ("delivery: {contract: now, registers: {16.7.0: 1 kWh}}", "'1 kWh' is an energy, but here a power"),
        ("values: {meter: house, register: 1.8.0, equals: 5 kW}", "'5 kW' is a power, but here an energy"),
        ("values: {meter: house, register: 1.8.0, between: [1 kWh, 5 kW]}", "'5 kW' is a power, but here an energy"),
        ("values: {meter: house, register: 1.8.0, between: [5 kWh, 1 kWh]}", "5 kWh to 1 kWh is no span"),
        ("values: {meter: house, register: 32.7.0, equals: 230 W}", "'230 W' is a power, but here a voltage"),
        ("values: {meter: house, register: 3.8.0, equals: 1 kWh}", "but here a reactive energy is wanted"),
        ("values: {meter: gas, register: 7-0:3.1.0, equals: 1 kWh}", "'1 kWh' is an energy, but here a volume"),
        ("han: {values: house, register: 1.8.0, equals: 1 kW}", "'1 kW' is a power, but here an energy"),
        ("derived: {contract: grid, registers: {1.8.9: 1 kWh}}", "contract 'grid' has no register 1.8.9 to look at"),
        ("derived: {contract: sum, registers: {2.8.0: 1 kWh}}", "contract 'sum' has no register 2.8.0 to look at"),
        ("derived: {contract: now, registers: {1.8.0: 1 kWh}}", "contract 'now' has no register 1.8.0 to look at"),
        ("delivery: {contract: now, registers: {2.8.0: 1 kWh}}", "contract 'now' has no register 2.8.0 to look at"),
        ("wait: {until: 2026-01-04T00:00:00Z}", "2026-01-04 00:00:00 UTC has passed by then"),
        (
            "wait: 2 h\n  - leds: {PWR: on, within: 5 h}\n  - wait: {until: 2026-01-05T01:00:00Z}",
            "this step begins at 2026-01-05 02:00:00 UTC or later",
        ),
        (
            "power: {cut: 2 min, times: 2, every: 1 h, after: 1 h}\n  - power: {cut: 1 s, at: 2026-01-05T02:01:00Z}",
            "this step begins at 2026-01-05 02:02:00 UTC or later",
        ),
    ],
)
def test_what_can_only_be_a_slip_of_the_pen_is_no_verdict_on_the_device(
    tmp_path: Path, step: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in told(tmp_path, CONTRACTS + f"  - {step}\n", capsys, 2)


@pytest.mark.parametrize(
    "step",
    [
        "derived: {contract: grid, registers: {1.8.1: 7.68 kWh, 1.8.63: none, 1.8.0: [1 Wh, 2 kWh]}}",
        "contract: {change: grid, into: three}\n  - derived: {contract: grid, registers: {1.8.3: 1 kWh}}",
        "values: {meter: house, register: 32.7.0, between: [229 V, 231 V]}",
        "values: {meter: gas, register: 7-0:3.1.0, between: [1 m3, 2000 l]}",
        "wait: {until: 2026-01-05T01:00:00Z}\n  - wait: {until: 2026-01-05T01:00:00Z}",
    ],
)
def test_what_may_be_meant_is_taken(tmp_path: Path, step: str, capsys: pytest.CaptureFixture[str]) -> None:
    told(tmp_path, CONTRACTS + f"  - {step}\n", capsys, 0)


@pytest.mark.parametrize(
    ("begin", "word"),
    [
        ("1.8.0: 10 kW", "1.8.0 cannot begin at '10 kW' (an energy of 0 kWh or more)"),
        ("16.7.0: 500 W", "16.7.0 follows the load"),
    ],
)
def test_a_meter_whose_register_cannot_begin_so_is_found(
    tmp_path: Path, begin: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in told(tmp_path, METER.replace("1.8.0: 10 kWh", begin) + "steps:\n  - power: on\n", capsys, 2)


@pytest.mark.parametrize(
    ("send", "word"),
    [
        ("over: {16.7.0: 5 kWh}", "'5 kWh' is an energy, but here a power"),
        ("over: {16.7.0: 5 kW, hysteresis: 5 V}", "the hysteresis is in V, the limit of 16.7.0 in W"),
    ],
)
def test_a_limit_is_of_what_its_register_measures(
    tmp_path: Path, send: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    body = CONTRACTS.replace("begin: 2026-01-05 08:00}\nsteps", f"begin: 2026-01-05 08:00, send: {{{send}}}}}\nsteps")
    assert word in told(tmp_path, body + "  - power: on\n", capsys, 2)


@pytest.mark.parametrize(
    ("more", "word"),
    [("has: gateway_started, entries: 3", "say either"), ("entries: 3, count: 2", "counts all of a log")],
)
def test_a_log_step_counts_one_kind_of_entry_or_all(
    tmp_path: Path, more: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in told(tmp_path, f"steps:\n  - log: {{book: system, {more}}}\n", capsys, 2)
