from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bench.scenario.source import parse, read
from devices.errors import UsageError

HERE = Path("scenario.yaml")


def test_on_and_off_are_words_and_registers_are_no_numbers() -> None:
    source = parse("power: on\nlamp: off\n1.8.0: 12.50\nrate: 1.50\nready: true\ncount: 7\n", HERE)
    assert source.data == {
        "power": "on",
        "lamp": "off",
        "1.8.0": Decimal("12.50"),
        "rate": Decimal("1.50"),
        "ready": True,
        "count": 7,
    }


def test_quoted_text_stays_text() -> None:
    assert parse("a: 'true'\nb: \"7\"\n", HERE).data == {"a": "true", "b": "7"}


def test_every_value_and_key_has_its_line_and_column() -> None:
    source = parse("id: X\nsteps:\n  - power: on\n  - leds: {PWR: on}\n", HERE)
    assert str(source.place(("steps", 1, "leds", "PWR"), of_key=True)) == "scenario.yaml:4:12"
    assert source.line(("steps", 0)) == 3


def test_a_place_that_is_not_there_falls_back_to_what_is_above_it() -> None:
    source = parse("given:\n  meters: {}\n", HERE)
    assert source.place(("given", "meters", "house", "id")).line == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [1, 2\n", r"scenario\.yaml:2:1: not valid YAML"),
        ("a: b: c\n", r"scenario\.yaml:1:5: not valid YAML: mapping values are not allowed"),
        ("a: 1\n\tb: 2\n", "indent with spaces, not with tabs"),
        ("a: 1\na: 2\n", r"scenario\.yaml:2:1: the key 'a' stands here twice"),
        ("? [a]\n: 1\n", "a key must be a word"),
        ("a: &x [*x]\n", "levels deep"),
    ],
)
def test_wrong_yaml_is_one_clear_message_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse(text, HERE)


def test_aliases_cannot_blow_up_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(UsageError, match="more than 100000 values"):
        parse("\n".join(lines), HERE)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"id: \xff\xfe")
    with pytest.raises(UsageError, match="octet 4 is not UTF-8"):
        read(path)
