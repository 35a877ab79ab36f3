"""Values of a day, and `smgw-bench tariff` on them, for the tests of what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from trudi_export_files import certificate
from trudi_files import export, reading, supplier, value_list

from bench.cli import main

BERLIN = ZoneInfo("Europe/Berlin")
DAY = datetime(2026, 1, 10, tzinfo=BERLIN)
QUARTER = timedelta(minutes=15)
METER, OTHER = "1EMH0000000001", "1EMH0000000002"
GOOD = [360, 600, 0]
"""Stages 1, 2 and 63 of a day that rises by 10 each quarter of an hour, switched at 06:00 and 21:00."""

Values = list[tuple[datetime, int, str]]


def day(begin: datetime = DAY, step: int = 10, first: int = 1000) -> Values:
    """The quarter hours of a local day, both midnights included: instant, value, statusPTB."""
    at, end = begin.astimezone(UTC), (begin + timedelta(days=1)).astimezone(UTC)
    found: Values = []
    while at <= end:
        found.append((at.astimezone(BERLIN), first + step * len(found), "0"))
        at += QUARTER
    return found


def listed(values: Values, begin: datetime = DAY, meter: str = METER, **changes: Any) -> str:
    """A list of original values in one block of that day."""
    seconds = int(((begin + timedelta(days=1)).astimezone(UTC) - begin.astimezone(UTC)).total_seconds())
    plain: dict[str, Any] = {"meter": meter, "begin": begin.isoformat(), "seconds": seconds, "scaler": -1}
    lines = (
        reading(at, value, status if status.startswith("<") else f"<statusPTB>{status}</statusPTB>")
        for at, value, status in values
    )
    return value_list(lines, **(plain | changes))


def with_status(status: str, number: int = 24) -> Values:
    """The day with another status at 06:00."""
    values = day()
    values[number] = (*values[number][:2], status)
    return values


def whole(*lists: str) -> bytes:
    return export(*(lists or (listed(day()),)), certificate=certificate())


class Shell:
    """The command on two files."""

    def __init__(self, folder: Path, captured: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._captured = captured

    def run(self, values: bytes, tariff: bytes, *words: str) -> tuple[int, str, str]:
        """Exit code, output, errors without the folder's name."""
        (self.folder / "v.xml").write_bytes(values)
        (self.folder / "s.xml").write_bytes(tariff)
        code = main(["tariff", str(self.folder / "v.xml"), str(self.folder / "s.xml"), *words])
        told = self._captured.readouterr()
        return code, told.out, told.err.replace(f"{self.folder}/", "")

    def bill(self, values: bytes, tariff: bytes | None = None, *words: str) -> list[int]:
        """The amounts, with nothing to say about them."""
        code, out, err = self.run(values, supplier(DAY, 1) if tariff is None else tariff, "--json", *words)
        assert (code, err) == (0, "")
        return list(json.loads(out).values())

    def refusal(self, values: bytes, tariff: bytes | None = None, code: int = 1) -> str:
        """The one line of a refusal."""
        found, out, err = self.run(values, supplier(DAY, 1) if tariff is None else tariff)
        assert (found, out) == (code, "")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        return err


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(octets: bytes) -> bytes:
        assert old.encode() in octets
        return octets.replace(old.encode(), new.encode(), 1)

    return change
