"""The comparison with what an independent program printed is strict: every entry, number, unit and octet string."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.recorded import Expected, agreement, printed, read_expected
from devices.errors import BenchError


def row(obis: str, value: str, unit: str | None = None, kind: str = "int") -> dict[str, Any]:
    return {"obis": obis, "value": value, "unit": unit, "kind": kind}


ROWS = [
    row("1-0:96.50.1*1", "454d48", kind="octets"),
    row("1-0:96.1.0*255", "0a01454d480000a1bd34", kind="octets"),
    row("1-0:1.8.0*255", "428896.4", "Wh"),
    row("1-0:81.7.1*255", "120", "deg"),
    row("1-0:96.5.0*255", "1835268"),
]
LINES = [
    Expected("1-0:96.50.1*1", "EMH", ""),
    Expected("1-0:96.1.0*255", "0a 01 45 4d 48 00 00 a1 bd 34 ", ""),
    Expected("1-0:1.8.0*255", "428896.4", "Wh"),
    Expected("1-0:81.7.1*255", "120", "Â°"),
    Expected("1-0:96.5.0*255", "1835268", ""),
]


def test_what_is_the_same_agrees() -> None:
    result = agreement(ROWS, LINES)
    assert (result.agrees, result.compared) == (True, 5)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, {"value": "454d49"}),
        (1, {"value": "0a01454d480000a1bd35"}),
        (1, {"obis": "1-0:96.1.1*255"}),
        (2, {"value": "428896.5"}),
        (2, {"value": "428896.40001"}),
        (2, {"unit": "kWh"}),
        (2, {"unit": None}),
        (3, {"unit": "W"}),
        (4, {"unit": "Wh"}),
        (4, {"value": None}),
    ],
)
def test_any_difference_is_found_at_its_entry(place: int, change: dict[str, Any]) -> None:
    rows = [one | change if index == place else one for index, one in enumerate(ROWS)]
    result = agreement(rows, LINES)
    assert (result.agrees, result.compared) == (False, place)
    assert f"entry {place + 1}" in result.text


@pytest.mark.parametrize("rows", [ROWS[:-1], [*ROWS, ROWS[-1]], []])
def test_nothing_may_be_missing_or_too_many(rows: list[dict[str, Any]]) -> None:
    assert not agreement(rows, LINES).agrees


def test_a_number_is_no_text() -> None:
    assert not agreement([row("1-0:0.0.0*255", "31303031313835")], [Expected("1-0:0.0.0*255", "1001185", "")]).agrees


def test_octets_are_printed_as_libsml_does() -> None:
    """Characters up to the first that is not printable, then hexadecimal octets (recordings/SOURCES.md)."""
    assert printed(b"HAGER") == "HAGER"
    assert printed(bytes.fromhex("2a278dad")) == "*'8d ad "
    assert printed(b"\x0a\x01ISK") == "0a 01 49 53 4b "
    assert printed(b"") == ""


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.expected.txt"
    with pytest.raises(BenchError, match="cannot be read"):
        read_expected(path)
    path.write_bytes(b"1-0:1.8.0*255#1#\xff\n")
    with pytest.raises(BenchError, match="no UTF-8"):
        read_expected(path)
    path.write_text("1-0:1.8.0*255#1\n")
    with pytest.raises(BenchError, match="is not OBIS#value#unit"):
        read_expected(path)
