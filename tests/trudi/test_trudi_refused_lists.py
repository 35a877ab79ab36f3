"""Lists, readings and days that `smgw-bench tariff` adds up exactly, refuses, or warns of (han 5.3 to 5.6)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from trudi_files import supplier
from trudi_refusal_shell import (
    BERLIN,
    DAY,
    GOOD,
    METER,
    OTHER,
    Shell,
    day,
    listed,
    whole,
    with_status,
)

from devices.protocols.trudi.supplier import read_supplier


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


# --- lists that are added up


def test_meters_of_one_register_are_added_up(shell: Shell) -> None:
    assert shell.bill(whole(listed(day()), listed(day(step=3), meter=OTHER))) == [468, 780, 0]


@pytest.mark.parametrize(
    ("scaler", "multiplier", "amounts"),
    [(0, 0, [1440, 2400, 0]), (-1, 3, [108360, 180600, 0]), (-2, 0, [3708, 6180, 0]), (-3, 3, [1440, 2400, 0])],
)
def test_lists_of_different_steps_are_added_up_in_the_finest(
    shell: Shell, scaler: int, multiplier: int, amounts: list[int]
) -> None:
    """A tenth of a watt hour and another step; 36 and 60 quarter hours of 1 Wh and of 3 steps of the other."""
    other = listed(day(step=3), meter=OTHER, scaler=scaler, multiplier=multiplier)
    for lists in ((listed(day()), other), (other, listed(day()))):
        assert shell.bill(whole(*lists)) == amounts


def test_lists_of_different_steps_are_added_up_in_taf_1_too(shell: Shell) -> None:
    begin, end = datetime(2026, 2, 1, tzinfo=BERLIN), datetime(2026, 3, 1, tzinfo=BERLIN)
    tariff = supplier(begin, 28, [(0, 0, 1)], use_case=1, stages=[(1, "0100010801ff")])
    lists = [
        listed([(begin, 0, "0"), (end, 7, "0")], begin, meter, seconds=28 * 86_400, scaler=scaler)
        for meter, scaler in ((METER, -1), (OTHER, 2))
    ]
    assert shell.bill(whole(*lists), tariff) == [7 + 7000, 0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"meter": OTHER, "unit": 73}, "cannot be added up: their uom are 72 and 73"),
        ({"obis": "0100010801ff"}, "1-0:1.8.0*255 of meter 1EMH0000000001 and the list 1-0:1.8.1*255 of meter"),
        ({"obis": "010001080000"}, "cannot be added up: the same register of all meters is right"),
        (
            {"obis": "0700010000ff", "unit": 42},
            "7-0:1.0.0*255 of meter 1EMH0000000001 cannot be billed with the tariff",
        ),
        ({"obis": "0101010800ff"}, "stages of 1-0:1.8: value groups A, B and D are others"),
        ({"obis": "0100010900ff"}, "the list 1-0:1.9.0*255"),
        ({}, "the list 1-0:1.8.0*255 of meter 1EMH0000000001 is there twice: one list for each meter and register"),
        ({"meter": METER.lower()}, "is there twice"),
    ],
)
def test_lists_that_are_not_the_same_are_not_added_up(shell: Shell, change: dict[str, Any], text: str) -> None:
    err = shell.refusal(whole(listed(day()), listed(day(), **change)))
    assert text in err
    assert "v.xml:1: refused: " in err


def test_a_list_of_another_quantity_is_left_alone(shell: Shell) -> None:
    assert shell.bill(whole(listed(day()), listed(day(), obis="0100020800ff"))) == GOOD


def test_a_register_that_changed_its_scaler_is_one_series(shell: Shell) -> None:
    """Until 12:00 in tenths, then in whole watt hours: nothing between both lists is lost or counted twice."""
    values = day()
    later = [(at, value // 10, status) for at, value, status in values[48:]]
    assert shell.bill(whole(listed(values[:48]), listed(later, scaler=0))) == GOOD
    both = shell.refusal(whole(listed(values[:49]), listed(later, scaler=0)))
    assert "two lists of 1-0:1.8.0*255 of meter 1EMH0000000001 have a reading for 2026-01-10T11:00:00+00:00" in both


def test_the_text_is_in_the_unit_itself_and_the_json_in_steps_of_the_file(shell: Shell) -> None:
    _, out, _ = shell.run(whole(), supplier(DAY, 1))
    assert [line.split() for line in out.splitlines()] == [
        ["1-0:1.8.1*255", "36.0", "Wh"], ["1-0:1.8.2*255", "60.0", "Wh"], ["1-0:1.8.63*255", "0.0", "Wh"],
    ]  # fmt: skip
    for scaler, multiplier, shown in ((-4, 0, "0.0360"), (0, 0, "360"), (1, 0, "3600"), (-1, 3, "36000")):
        values = whole(listed(day(), scaler=scaler, multiplier=multiplier))
        assert shell.run(values, supplier(DAY, 1))[1].split()[1:3] == [shown, "Wh"]
        assert shell.bill(values) == GOOD


# --- readings


@pytest.mark.parametrize("value", [0, 5])
@pytest.mark.parametrize("place", [0, 99])
@pytest.mark.parametrize("late_s", [0, 9])
def test_two_readings_for_one_instant_are_refused(shell: Shell, value: int, place: int, late_s: int) -> None:
    values = day()
    at, there, _ = values[24]
    values.insert(place, (at + timedelta(seconds=late_s), there + value, "0"))
    err = shell.refusal(whole(listed(values)))
    assert "v.xml:1: refused: the list 1-0:1.8.0*255 of meter 1EMH0000000001 has two readings for" in err
    assert "2026-01-10T06:00:00+01:00: " in err
    assert {f"{there} (line 1)", f"{there + value} (line 1)"} <= set(re.findall(r"\d+ \(line 1\)", err))


def test_a_reading_that_may_not_be_billed_gives_way_to_the_good_one(shell: Shell) -> None:
    values = day()
    for place in (0, 99):
        assert shell.bill(whole(listed([*values[:place], (values[24][0], 9_999, "4"), *values[place:]]))) == GOOD


@pytest.mark.parametrize("word", ["0000000000000000", "A000000000000000", "8000000020000000", "2000000020000000"])
def test_a_word_without_its_identification_is_refused_unless_the_other_one_tells(shell: Shell, word: str) -> None:
    err = shell.refusal(whole(listed(with_status(f"<statusFNN>{word}</statusFNN>"))))
    assert f"v.xml:1: statusFNN is {word}, without the bits that are always set" in err
    assert shell.bill(whole(listed(with_status(f"<statusFNN>{word}</statusFNN><statusPTB>0</statusPTB>")))) == GOOD


def test_words_of_the_older_order_are_read_as_such_and_told(shell: Shell) -> None:
    for word, amounts in (("0000010500000004", [350, 590, 20]), ("0000000500000004", GOOD)):
        code, out, err = shell.run(
            whole(listed(with_status(f"<statusFNN>{word}</statusFNN>"))), supplier(DAY, 1), "--json"
        )
        assert code == 0
        assert list(json.loads(out).values()) == amounts
        assert "status words have bit 31 first" in err


def test_the_option_reads_the_older_order_and_then_refuses_the_current_one(shell: Shell) -> None:
    old = whole(listed(with_status("<statusFNN>0000010500000004</statusFNN>")))
    assert shell.bill(old, None, "--status-order", "msb") == [350, 590, 20]
    code, _, err = shell.run(old, supplier(DAY, 1), "--status-order", "lsb")
    assert code == 1
    assert "(--status-order msb)" in err
    new = whole(listed(with_status("<statusFNN>A000000020000000</statusFNN>")))
    code, _, err = shell.run(new, supplier(DAY, 1), "--status-order", "msb")
    assert code == 1
    assert "(--status-order lsb)" in err
    assert shell.bill(new) == GOOD


@pytest.mark.parametrize(
    ("kept", "amounts", "name", "text"),
    [
        (slice(1, None), [350, 600, 0], "begin", "before 2026-01-10T00:15:00+01:00"),
        (slice(None, -1), [350, 600, 0], "end", "after 2026-01-10T23:45:00+01:00"),
    ],
)  # fmt: skip
def test_a_bill_that_a_missing_reading_shortens_is_told(
    shell: Shell, kept: slice, amounts: list[int], name: str, text: str
) -> None:
    values = whole(listed(day()[kept]))
    code, out, err = shell.run(values, supplier(DAY, 1), "--json")
    assert (code, list(json.loads(out).values())) == (0, amounts)
    assert err.startswith("smgw-bench: warning: 1-0:1.8.0*255 of meter 1EMH0000000001 has no usable reading at the ")
    assert f" {name} of the billing period, 2026-01-1" in err
    assert err.endswith(f"T00:00:00+01:00: what was used {text} is not billed\n")
    assert shell.run(values, supplier(DAY, 1))[2] == err


def test_stages_without_a_list_are_told(shell: Shell) -> None:
    tariff = supplier(DAY, 1, stages=[(1, "0100010801ff"), (2, "0100010802ff"), (3, "0100020801ff")])
    _, _, err = shell.run(whole(), tariff)
    assert "warning: the export has no list for the tariff stages of 1-0:2.8, they stay 0" in err


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1" + "0" * 30, "value is 100000000000... with 31 digits, -140737488355328 to 140737488355328 are right"),
        ("140737488355329", "value is 140737488355329, -140737488355328 to"),
        ("1" * 5000, "value is 111111111111... with 5000 digits"),
    ],
)
def test_a_value_that_is_too_long_is_told_so(shell: Shell, value: str, text: str) -> None:
    wrong = whole().replace(b"<espi:value>1000<", f"<espi:value>{value}<".encode())
    assert f"v.xml:1: {text}" in shell.refusal(wrong)


# --- days of 23 and 25 hours


@pytest.mark.parametrize(
    ("date", "seconds", "amounts"), [((2017, 3, 26), 82_800, [320, 600, 0]), ((2017, 10, 29), 90_000, [400, 600, 0])]
)
def test_a_day_of_legal_time_is_billed_whatever_its_length(
    shell: Shell, date: tuple[int, int, int], seconds: int, amounts: list[int]
) -> None:
    begin = datetime(*date, tzinfo=BERLIN)
    tariff = supplier(begin, 1, seconds=seconds)
    assert shell.bill(whole(listed(day(begin), begin)), tariff) == amounts
    short = supplier(begin, 1, seconds=seconds - 900)
    err = shell.refusal(whole(listed(day(begin), begin)), short)
    assert f"s.xml:1: the billing period of {seconds - 900} s is not between one day and 1096" in err
    assert f"one day of legal time has {seconds} s" in err


def test_the_longest_period_counts_days_of_legal_time() -> None:
    """From winter into summer time: 1096 days less an hour."""
    begin = datetime(2024, 3, 1, tzinfo=BERLIN)
    end = begin + timedelta(days=1096)
    seconds = int((end.astimezone(UTC) - begin.astimezone(UTC)).total_seconds())
    assert read_supplier(supplier(begin, 1, seconds=seconds)).end == end
    with pytest.raises(ValueError, match="not between one day and 1096"):
        read_supplier(supplier(begin, 1, seconds=seconds + 900))
