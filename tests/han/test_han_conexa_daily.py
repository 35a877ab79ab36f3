"""The database daily of an emulated CONEXA: all that TAF-6 keeps, also the values of its begin and its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from han_conexa_calls import MIDNIGHTS, channels, richer_memory, seconds
from han_conexa_rig import EXPORT, IMPORT, Bench, bench, value_at

from firmware.storage.memory import NonVolatileMemory

SPAN = {"fromtime": "2026-03-26T00:00:00Z", "totime": "2026-03-30T10:00:00Z"}
POINT = "01005e318026.{}.sm"


@pytest.fixture(scope="module")
def memory() -> NonVolatileMemory:
    return richer_memory()


@pytest.fixture
async def conexa(memory: NonVolatileMemory) -> AsyncIterator[Bench]:
    async with bench(memory) as one:
        yield one


async def test_the_first_midnight_of_a_contract_has_its_value(conexa: Bench) -> None:
    (found,) = (await channels(conexa, POINT.format("at-midnight"), "daily", **SPAN)).values()
    assert [(one["target-time"], one["value"]) for one in found] == [
        (at, str(value_at(seconds(at)))) for at in MIDNIGHTS
    ]  # fmt: skip


async def test_each_register_has_the_values_of_a_begin_and_an_end_inside_a_day(conexa: Bench) -> None:
    found = await channels(conexa, POINT.format("in-a-day"), "daily", **SPAN)
    times = ["2026-03-27T10:00:00Z", *MIDNIGHTS[:2], "2026-03-29T12:00:00Z"]
    for code, obis in (("0100010800ff", IMPORT), ("0100020800ff", EXPORT)):
        values = [(one["target-time"], one["value"]) for one in found[code]]
        assert values == [(at, str(value_at(seconds(at), obis))) for at in times]


async def test_a_contract_that_has_its_first_value_only_has_a_newest_one(conexa: Bench) -> None:
    (found,) = (await channels(conexa, POINT.format("one-day"), "daily", **{"last-reading": True})).values()
    assert [(one["target-time"], one["owner-number"]) for one in found] == [(MIDNIGHTS[-1], "one-day.sm")]
