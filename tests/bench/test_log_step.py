"""The `log` step says what the log holds in place of what was asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.expect import Truth
from bench.steps.counting import Count
from bench.steps.logs import BookHolds, LogCondition


def entry(code: int, event: str = "metering_warning", sub: int = 1) -> dict[str, Any]:
    return {"event": event, "id": 19006, "sub_id": sub, "level": "warning", "time": "t", "parameters": {"code": code}}


def rig_with(*entries: dict[str, Any]) -> Any:
    async def log(_: str) -> list[dict[str, Any]]:
        return list(entries)

    return SimpleNamespace(
        gateway_type=SimpleNamespace(event=lambda _: SimpleNamespace(assumed=(), id=19006)),
        records=SimpleNamespace(log=log),
        clock=SimpleNamespace(seconds=lambda: 0.0),
    )


async def seen(rig: Any, code: int = 999999, number: str | None = None) -> tuple[Truth, str]:
    look = await LogCondition("system", "metering_warning", Count(1, None), {"code": code}, number).look(rig)
    return look.truth, look.seen


async def test_other_codes_of_the_same_event_are_named_and_counted() -> None:
    rig = rig_with(entry(103118), entry(103106), entry(103118), entry(999999, "power_on"))
    assert await seen(rig) == (Truth.NO, "metering_warning only with 2 x code 103118, 1 x code 103106")


async def test_another_number_is_named() -> None:
    what = await seen(rig_with(entry(103106, sub=2)), 103106, "19006/1")
    assert what == (Truth.NO, "metering_warning only with 1 x code 103106 and number 19006/2")


async def test_many_kinds_are_cut_short() -> None:
    truth, text = await seen(rig_with(*(entry(code) for code in range(7))))
    assert truth is Truth.NO
    assert text.count(" x ") == 5
    assert text.endswith(", and 2 others")


@pytest.mark.parametrize("others", [(), (entry(1, "power_on"),)])
async def test_without_any_entry_of_the_event_there_is_none(others: tuple[dict[str, Any], ...]) -> None:
    assert await seen(rig_with(*others)) == (Truth.NO, "no entry metering_warning")


async def test_what_was_asked_for_is_found_among_others() -> None:
    truth, text = await seen(rig_with(entry(103118), entry(103106)), 103106)
    assert truth is Truth.YES
    assert text.startswith("1 x metering_warning (id 19006/1")


@pytest.mark.parametrize(
    ("carried", "wanted", "truth"),
    [
        ({"deviation_s": "26.000"}, "26 s", Truth.YES),
        ({"deviation_s": "-26.4"}, "26 s", Truth.YES),
        ({"deviation_s": 26.0}, "-26 s", Truth.YES),
        ({"deviation_s": "26.000"}, "26.000", Truth.YES),
        ({"deviation_s": "0.000"}, "26 s", Truth.NO),
        ({"deviation_s": "26.6"}, "26 s", Truth.NO),
        ({"deviation_s": "26"}, "26 ms", Truth.NO),
        ({"deviation_s": "nonsense"}, "26 s", Truth.NO),
        ({}, "26 s", Truth.NO),
    ],
)
async def test_a_duration_that_an_entry_carries_is_met_by_about_as_many_seconds(
    carried: dict[str, Any], wanted: str, truth: Truth
) -> None:
    rig = rig_with({**entry(0), "parameters": carried})
    condition = LogCondition("system", "metering_warning", Count(1, None), {"deviation_s": wanted})
    assert (await condition.look(rig)).truth is truth


async def test_all_entries_of_a_log_can_be_counted() -> None:
    rig = rig_with(entry(1), entry(2, "power_on"))
    assert (await BookHolds("system", Count(2, 2)).look(rig)).truth is Truth.YES
    assert (await BookHolds("system", Count(3, None)).look(rig)).truth is Truth.NO
