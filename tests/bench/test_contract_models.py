"""Contracts as people write them: what is understood, what is a mistake, and what the gateway gets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.cli import main
from bench.scenario.contract_models import GivenContract, parse_instant
from bench.steps.contract_checks import parse_figure
from firmware.profiles.forms import plain_of, profile_of

HEAD = "id: C-1\ntitle: A check\ngateways: [casa]\nneeds: [emulated]\n"
METER = "given:\n  meters:\n    house: {id: 1SAG0021061001, registers: {1.8.0: 10 kWh}}\n  contracts:\n"
TABLE = "    grid:\n      taf: 2\n      meters: {house: 1.8.0}\n      begin: 2026-01-05 00:00\n      calendar:\n"
STEP = "steps:\n  - power: on\n"


def told(tmp_path: Path, body: str, capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    path = tmp_path / "s.yaml"
    path.write_text(HEAD + body, encoding="utf-8")
    assert main(["check", str(path)]) == code
    out = capsys.readouterr()
    return " ".join((out.out + out.err).split())


def test_an_instant_is_local_legal_time_or_has_its_zone() -> None:
    assert parse_instant("2026-07-01 00:00").astimezone(UTC) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert parse_instant("2026-01-01 00:00").astimezone(UTC) == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert parse_instant("2026-10-25T02:30+01:00").astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="comes twice"):
        parse_instant("2026-10-25 02:30")
    with pytest.raises(ValueError, match="does not exist"):
        parse_instant("2026-03-29 02:30")
    for wrong in ("2026-03-29", "soon", "2026-02-30 00:00", "2026-03-29T00:00:01"):
        with pytest.raises(ValueError, match="write it like"):
            parse_instant(wrong)


@pytest.mark.parametrize(
    ("contract", "line", "words"),
    [
        ("    grid: {taf: 2, meters: {hause: 1.8.0}, begin: 2026-01-05 00:00}", 9, "there is no meter 'hause'"),
        ("    grid: {taf: 2, meters: {house: 1.8}, begin: 2026-01-05 00:00}", 9, "no OBIS code"),
        ("    grid: {taf: 2, meters: {house: 1.8.0}, begin: tomorrow}", 9, "no instant: write it like 2026-03-28"),
        ("    grid: {taf: 2, meters: {house: 1.8.0}, begin: 2026-01-05 00:00, billing: monthly}", 9, "'1 month'"),
        (
            "    grid: {taf: 2, meters: {house: 1.8.0}, begin: 2026-01-05 00:00, switches: {noon: 1}}",
            9,
            "time of the day",
        ),
        (
            "    grid: {taf: 2, meters: {house: 1.8.0}, begin: 2026-01-05 00:00, swiches: {}}",
            9,
            "did you mean 'switches'",
        ),
        (
            f'{TABLE}        days: {{work: {{"00:00": 1}}}}\n        week: [work, work, free]\n',
            15,
            "no day profile 'free'",
        ),
        (
            f'{TABLE}        days: {{work: {{"00:00": 1}}}}\n        special_days: {{2026-02-30: work}}\n',
            15,
            "there is no 2026-02-30",
        ),
        (
            "    grid: {taf: 9, meters: {house: 16.7.0}, begin: 2026-01-05 00:00, send: {over: {16.7.0: 5}}}",
            9,
            "register 16.7.0: '5' has no unit: a power is written like '500 W'",
        ),
    ],
)
def test_mistakes_in_a_contract_are_found_with_line_and_what_would_be_right(
    tmp_path: Path, contract: str, line: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(tmp_path, METER + contract + "\n" + STEP, capsys)
    assert words in text
    assert f"{tmp_path / 's.yaml'}:{line}:" in text


GOOD = (
    '    grid: {taf: 2, meters: {house: 1.8.0}, begin: 2026-01-05 00:00, switches: {"00:00": 1}}\n'
    "    daily: {taf: 6, meters: {house: 1.8.0}, begin: 2026-01-05 00:00}\n"
)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("contract: {install: gird}", "there is no contract 'gird' under given.contracts (grid, daily)"),
        ("contract: {install: grid, at: 2026-01-06 00:00}", "'install' has no 'at'"),
        ("contract: {end: grid}", "'at' belongs to 'end'"),
        ("contract: {install: grid, delete: grid}", "say exactly one of"),
        ("contract: {install: grid, refused: V99}", "write a rule such as V7"),
        ("contract: {install: grid, answer: 400}", "'answer' stands beside a rule"),
        ("contract: {order_reading: grid, day: 2026-01-06, participant: x}", "a reading on demand is of TAF-6"),
        ("contract: {order_reading: daily, day: 6.1.2026, participant: x}", "write it like 2026-03-29"),
        ("contract: {demand: daily}", "present values are of TAF-9"),
        ("contract: {install: grid, within: 5 s}", "an order is answered at once"),
        ("derived: {contract: grid}", "say exactly one of registers, count"),
        ("derived: {contract: grid, registers: {1.8.1: 5}}", "has no unit: an energy is written like"),
        ("derived: {contract: grid, registers: {1.8.1: [2 kWh, 1 kWh]}}", "is no span"),
        ("derived: {contract: daily, balanced: true}", "only TAF-1 and TAF-2 have a total"),
        ("derived: {contract: daily, entries: switch, count: 2}", "only TAF-2 has switches"),
        ("derived: {contract: grid, agree_with: load}", "has no 'load'"),
        ("derived: {contract: grid, entries: switch, balanced: true}", "'entries' belongs to"),
        ("derived: {contract: grid, count: none, within: 5 s}", "is so at once"),
        ("delivery: {contract: grid, take: all, count: 1}", "'take' and 'refuse' stand alone"),
        ("delivery: {contract: grid, participant: x}", "has no recipient 'x' (none)"),
    ],
)
def test_mistakes_in_steps_are_found_beforehand(
    tmp_path: Path, step: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(tmp_path, METER + GOOD + STEP + f"  - {step}\n", capsys)
    assert words in text
    assert f"{tmp_path / 's.yaml'}:13:" in text


def test_what_the_gateway_gets_is_what_was_written() -> None:
    """The firmware reads the plain form back field by field; nothing of it is lost."""
    given = GivenContract.model_validate(
        {
            "taf": 2,
            "meters": {"house": ["1.8.0", "-2.8.0"], "roof": "-2.8.0"},
            "begin": "2026-03-29 00:00",
            "end": "2026-10-25T02:30+01:00",
            "billing": "2 weeks",
            "calendar": {
                "days": {"a": {"00:00": 2, "06:15": 1}, "b": {"00:00": 3}},
                "seasons": {"s": {"begin": "04-01", "week": ["a"] * 5 + ["b"] * 2}},
                "special_days": {"2028-02-29": "b", "12-25": "b"},
                "default": 3,
            },
            "recipients": ["supplier"],
        }
    )
    plain = given.plain("grid", {"house": "1SAG0021061001", "roof": "1EMH0005975894"}, timedelta(hours=1))
    told = plain_of(profile_of(plain))
    assert {name: told[name] for name in ("id", "use_case", "begin", "end", "period_s", "billing", "stages")} == {
        "id": "grid",
        "use_case": 2,
        "begin": "2026-03-28T23:00:00Z",
        "end": "2026-10-25T01:30:00Z",
        "period_s": 3600,
        "billing": {"count": 14, "unit": "day"},
        "stages": [1, 2, 3],
    }
    assert [(one["meter"], one["obis"], one["sign"]) for one in told["terms"]] == [
        ("1SAG0021061001", "1-0:1.8.0*255", 1),
        ("1SAG0021061001", "1-0:2.8.0*255", -1),
        ("1EMH0005975894", "1-0:2.8.0*255", -1),
    ]
    assert told["calendar"] == plain["calendar"]
    assert told["billing_relevant"] is True


def test_triggers_go_out_in_base_units() -> None:
    given = GivenContract.model_validate(
        {
            "taf": 9,
            "meters": {"house": "16.7.0"},
            "begin": "2026-03-29 00:00",
            "period": "1 min",
            "pseudonym": "P",
            "send": {
                "every": "15 min",
                "over": {"16.7.0": "5 kW", "hysteresis": "0.5 kW"},
                "under": {"16.7.0": "-200 W"},
                "aggregates": ["mean"],
            },
        }
    )
    sending = plain_of(profile_of(given.plain("x", {"house": "1SAG0021061001"}, given.period_with([]))))["sending"]
    assert sending["every_s"] == 900
    assert [(one["limit"], one["over"], one["hysteresis"]) for one in sending["thresholds"]] == [
        ("5000", True, "500.0"),
        ("-200", False, "0"),
    ]


@pytest.mark.parametrize(
    ("written", "meant", "not_meant"),
    [
        ("1.2 kWh", ("1150", "1249"), ("1149", "1251")),
        ("1.20 kWh", ("1195", "1204"), ("1194", "1206")),
        ("0 kWh", ("0",), ("0.001",)),
        ("12 Wh", ("11.5", "12.5"), ("11.4", "12.6")),
        (["1 kWh", "2 kWh"], ("1000", "2000"), ("999", "2001")),
    ],
)
def test_a_figure_is_met_by_what_rounds_to_it_and_zero_by_zero_alone(
    written: object, meant: tuple[str, ...], not_meant: tuple[str, ...]
) -> None:
    figure = parse_figure(written)
    assert all({"value": value, "unit": "Wh"} in figure for value in meant)
    assert not any({"value": value, "unit": "Wh"} in figure for value in not_meant)
    assert {"value": None, "unit": None} not in figure
    assert {"value": meant[0], "unit": "W"} not in figure


def test_no_value_is_a_figure_as_well() -> None:
    assert {"value": None, "unit": None} in parse_figure("none")
    assert {"value": "0", "unit": "Wh"} not in parse_figure("none")
