"""The bench's own tariff against the figures of others: TRuDI's test data (han 5.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bench.contract_oracle import QUARTER, Credit, Reading, Table, credited, entries
from bench.scenario.contract_models import LOCAL, GivenCalendar, GivenContract
from devices.protocols.trudi.export import read_export
from devices.protocols.trudi.supplier import SupplierFile, read_supplier

VECTORS = Path(__file__).parents[1] / "vectors" / "trudi"
TRUDI_DAY = {"00:00": 1, "06:00": 2, "21:00": 1}
"""Stages of TRuDI's days of 23 and 25 hours."""


def wall(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=LOCAL, fold=fold).astimezone(UTC)


def exact(at: datetime, value: int) -> Reading:
    return Reading(at.astimezone(UTC), Decimal(value), Decimal(value))


def calendar_of(supplier: SupplierFile) -> GivenCalendar:
    return GivenCalendar(
        days={one.id: {f"{at:%H:%M}": stage for at, stage in one.switches} for one in supplier.profiles.values()},
        special_days={day.isoformat(): names[0] for day, names in supplier.days.items()},
        default=supplier.default,
    )


def figures(found: dict[int, Credit], stages: tuple[int, ...] = (1, 2, 63)) -> list[int]:
    assert all(one.least == one.most for one in found.values())
    return [int(found[stage].least) for stage in stages]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("result_single_day.xml", [360, 600, 0]), ("result_single_day_2h-gap.xml", [310, 560, 90])],
)
def test_the_published_files_give_the_published_registers(name: str, wanted: list[int]) -> None:
    supplier = read_supplier((VECTORS / "supplier_single_day.xml").read_bytes())
    (values,) = read_export((VECTORS / name).read_bytes()).lists
    readings = [
        exact(datetime.fromtimestamp(round((one.target or one.at).timestamp() / 900) * 900, UTC), one.value)
        for one in values.readings
        if one.severity < 3
    ]
    end = supplier.end.astimezone(UTC)
    assert figures(credited(Table(calendar_of(supplier)), (1, 2), readings, [end])[end]) == wanted


def of_the_long_day(number: int) -> int:
    """TRuDI's total of 2017-10-29: the hour that comes twice has small steps."""
    slow = (72, 74, 76, 78, 81, 83, 85, 87)
    return number * 10 if number < 8 else slow[number - 8] if number < 16 else (number - 4) * 10


@pytest.mark.parametrize(
    ("begin", "quarters", "total", "wanted"),
    [
        (wall(2017, 3, 26), 92, lambda number: number * 10, [320, 600, 0]),
        (wall(2017, 10, 29), 100, of_the_long_day, [360, 600, 0]),
    ],
)
def test_the_published_days_of_23_and_25_hours(begin, quarters, total, wanted) -> None:  # type: ignore[no-untyped-def]
    """TRuDI: TestSingleDay_WinterToSummerTime, TestSingleDay_SummerToWinterTime."""
    table = Table(GivenCalendar(days={"1": TRUDI_DAY}, week=("1",) * 7))
    readings = [exact(begin + number * QUARTER, total(number)) for number in range(quarters + 1)]
    end = readings[-1].at
    assert figures(credited(table, (1, 2), readings, [end])[end]) == wanted


def test_doubt_counts_only_where_it_separates_two_stages() -> None:
    table = Table(GivenCalendar(days={"1": {"00:00": 1, "06:00": 2}}, week=("1",) * 7))
    begin = wall(2026, 1, 5, 4)
    readings = [
        Reading(begin + number * QUARTER, Decimal(number * 10 - 1), Decimal(number * 10)) for number in range(17)
    ]
    end = readings[-1].at
    found = credited(table, (1, 2), readings, [end])[end]
    assert found[1] == Credit(Decimal(79), Decimal(81))
    assert found[2] == Credit(Decimal(79), Decimal(81))
    assert Decimal(80) in found[1] and Decimal("81.1") not in found[1]


def test_a_special_day_of_its_year_goes_before_every_year_and_both_before_the_season() -> None:
    table = Table(
        GivenCalendar.model_validate(
            {
                "days": {"a": {"00:00": 1}, "b": {"00:00": 2}, "c": {"00:00": 3}, "d": {"00:00": 4}},
                "seasons": {
                    "warm": {"begin": "04-01", "week": ["a"] * 7},
                    "cold": {"begin": "10-01", "week": ["b"] * 7},
                },
                "special_days": {"05-01": "c", "2026-05-01": "d", "2028-02-29": "c"},
            }
        )
    )
    days = ((2026, 5, 1), (2027, 5, 1), (2026, 3, 31), (2026, 4, 1), (2028, 2, 29), (2028, 3, 1), (2026, 12, 31))
    assert [table.stage_at(wall(*day, 12)) for day in days] == [4, 3, 2, 1, 3, 2, 2]


def test_a_day_of_which_the_table_says_nothing_is_told() -> None:
    table = Table(GivenCalendar(days={"a": {"00:00": 1}}, special_days={"2026-01-05": "a"}))
    assert table.stage_at(wall(2026, 1, 5)) == 1
    with pytest.raises(LookupError, match="2026-01-06"):
        table.stage_at(wall(2026, 1, 6))


def contract(**fields: object) -> GivenContract:
    return GivenContract.model_validate({"meters": {"m": "1.8.0"}, **fields})


def test_entries_of_a_billed_contract_stand_at_the_first_of_each_month() -> None:
    given = contract(taf=1, begin="2026-01-01 00:00", billing="2 months", end="2026-05-01 00:00")
    assert entries(given, given.end, wall(2026, 12, 1)) == {
        wall(2026, 1, 1): "first",
        wall(2026, 3, 1): "billing",
        wall(2026, 5, 1): "last",
    }
    assert list(entries(given, None, wall(2026, 5, 31)).values()) == ["first", "billing", "billing"]


def test_entries_of_a_day_of_25_hours_switch_as_often_as_the_clock_on_the_wall() -> None:
    given = contract(taf=2, begin="2026-10-25 00:00", switches={"00:00": 2, "02:30": 1, "04:00": 2})
    found = entries(given, None, wall(2026, 10, 25, 12))
    assert [at for at, kind in found.items() if kind == "switch"] == [
        wall(2026, 10, 25, 2, 30),
        wall(2026, 10, 25, 2, 30) + timedelta(minutes=30),
        wall(2026, 10, 25, 2, 30, fold=1),
        wall(2026, 10, 25, 4),
    ]


def test_daily_entries_are_at_local_midnight() -> None:
    given = contract(taf=6, begin="2026-03-28 12:00")
    assert list(entries(given, None, wall(2026, 3, 30, 1)).items()) == [
        (wall(2026, 3, 28, 12), "first"),
        (wall(2026, 3, 29), "daily"),
        (wall(2026, 3, 30), "daily"),
    ]
