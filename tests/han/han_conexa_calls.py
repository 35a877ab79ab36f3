"""Calls of the M2M interface as several tests make them, and the names of the rig's usage points."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import cache
from typing import Any

from han_conexa_rig import EXPORT, IMPORT, METER, OTHER, OTHER_METER, USER, Bench, container, contract, make_memory

from firmware.storage.memory import NonVolatileMemory

ROOT = "/smgw/m2m"
MINE = f"{ROOT}/{USER}.sm/json"
TAF1, TAF2, TAF6, TAF7 = (
    f"01005e3180{code}.taf{taf}-1.sm" for code, taf in (("21", 1), ("22", 2), ("26", 6), ("27", 7))
)
TAF10, TAF14 = "01005e31803f.taf10-1.sm", "01005e31802e.taf14-1.sm"
FOREIGN = "01005e318027.taf7-2.sm"

MIDNIGHTS = ("2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")
"""Begins of local days before the gateway of a test is switched on."""


@cache
def richer_memory() -> NonVolatileMemory:
    """A memory with more contracts of TAF-6, and all use cases over the other consumer's meter, which counts finer.

    Not to be called while a loop is running; tests work on copies.
    """
    both = [{"meter": METER, "obis": IMPORT}, {"meter": METER, "obis": EXPORT}]
    known = {one["id"]: one for one in container()["profiles"]}
    finer = {"consumer": OTHER, "terms": [{"meter": OTHER_METER, "obis": IMPORT}]}
    more = [known[f"taf{number}-1"] | finer | {"id": f"fine-{number}"} for number in (1, 2, 6)]
    more += [
        contract(6, "at-midnight", begin=MIDNIGHTS[0]),
        contract(6, "in-a-day", begin="2026-03-27T10:00:00Z", end="2026-03-29T12:00:00Z", terms=both),
        contract(6, "one-day", begin=MIDNIGHTS[-1]),
    ]
    return asyncio.run(make_memory(*more))


def seconds(text: str) -> int:
    """Seconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp())


def zulu(at: datetime) -> str:
    """As the interface writes an instant."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def channels(
    conexa: Bench, point: str, database: str = "origin", **parameters: Any
) -> dict[str, list[dict[str, Any]]]:
    """The readings of consumer 1 by register; `records` has to fit."""
    answer = await conexa.call("readings", **{"usage-point-id": point, "database": database, **parameters})
    assert answer.status == 200, answer.body
    result = answer.json["readings"]
    found = {one["obis"]: one["readings"] for one in result["channels"]}
    assert result["records"] == str(sum(map(len, found.values())))
    return found
