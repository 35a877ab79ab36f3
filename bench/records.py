"""The gateway's logs and stored values, as far as this bench can read them.

The way in is the maintenance port of an emulated gateway, or the home interface of a real one, which shows a consumer
his own log and values; both offer the same two calls, so scenarios do not change.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from bench.han_assumptions import KEPT_DAYS
from devices.errors import BenchError
from devices.gateway_types.model import GatewayType
from devices.maintenance import MaintenancePort

if TYPE_CHECKING:
    from bench.han_access import HanAccess
    from devices.han.content import LogEntry

BOOKS = ("system", "calibration", "consumer")


class Records:
    """Reads logs and stored values through the maintenance port.

    What was read is kept until something else can have been written: `forget` drops it.
    """

    def __init__(self, maintenance: MaintenancePort) -> None:
        self._maintenance = maintenance

    async def log(self, book: str, consumer: str | None = None) -> list[dict[str, Any]]:
        """All entries of a log in their order: number, time, event, id, sub_id, level, parameters, text.

        Args:
            book: system, calibration or consumer.
            consumer: whose consumer log, None: the first consumer's.
        """
        request = {} if consumer is None else {"consumer": consumer}
        answer = await self._maintenance.read("log", book=book, **request)
        entries: list[dict[str, Any]] = answer["entries"]
        return entries

    async def values(self, meter: str | None = None, *, attributes: bool = False) -> list[dict[str, Any]]:
        """Stored values in their order: meter, obis, value, unit, grid_time, capture_time, status.

        Args:
            meter: number of the meter, None for all.
            attributes: also what is no number with a unit (octet strings, bare numbers).
        """
        request = {} if meter is None else {"meter": meter}
        rows: list[dict[str, Any]] = (await self._maintenance.read("values", **request))["rows"]
        return rows if attributes else [row for row in rows if row["unit"] is not None or row["value"] is None]

    async def signed_values(self, meter: str) -> dict[str, Any]:
        """Stored values of a meter with their signatures: ``rows``; ``key`` and ``curve`` that these name.

        A row is one of `values`, with kind, scaler, unit_code and signature.
        """
        return await self._maintenance.read("values", meter=meter, signatures=True)

    async def derived(self, profile: str) -> dict[str, Any]:
        """Derived entries of an evaluation profile by time: ``rows``; ``key`` and ``curve`` that their signatures name.

        A row has kind, time, register, meter, value, counts, scaler, unit, unit_code, status, stage, capture_time,
        signature.
        """
        return await self._maintenance.read("derived", profile=profile)

    async def info(self) -> dict[str, Any]:
        """Identity and state of the emulated gateway."""
        return await self._maintenance.read("info")


KEPT: Final = timedelta(days=KEPT_DAYS)
"""How far back values are read at a home interface; a PPC is slow to give more (han 2.1)."""


def event_names(product: GatewayType, entry: LogEntry) -> tuple[str, ...]:
    """Neutral names that an entry may have: by its number, or where it has none by the words of an emulated gateway."""
    if entry.event:
        return product.events_numbered(entry.event, entry.sub_event)
    return tuple(name for name, words in _words(product) if words.fullmatch(entry.text))


@lru_cache(maxsize=8)
def _patterns(product_id: str, texts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, re.compile(_PLACE.sub(".*", re.escape(text)), re.DOTALL)) for name, text in texts)


def _words(product: GatewayType) -> tuple[tuple[str, re.Pattern[str]], ...]:
    texts = [(name, text) for name, event in product.events.items() if "consumer" in event.books
             for text in (event.text_en, event.text_de)]  # fmt: skip
    return _patterns(product.id, tuple(texts))


_PLACE: Final = re.compile(r"\\\{\w+\\\}")
"""A place in the text of an event, behind `re.escape`."""


class HanRecords(Records):
    """Reads the consumer's log and values as the home interface shows them.

    Args:
        access: the bench's user there.
        product: tells events by their numbers.
    """

    def __init__(self, access: HanAccess, product: GatewayType) -> None:
        self._access = access
        self._product = product

    async def log(self, book: str, consumer: str | None = None) -> list[dict[str, Any]]:
        """All entries of the consumer's log; an entry whose number has several names has all of them in ``events``."""
        if book != "consumer":
            raise BenchError(f"a consumer cannot read the {book} log at the home interface")
        client = await self._access.client(consumer)
        self._access.used("log")
        found = []
        for number, one in enumerate(await client.log(), 1):
            names = event_names(self._product, one)
            found.append(
                {
                    "number": one.number or number,
                    "time": one.at.isoformat(),
                    "event": names[0] if names else "",
                    "events": names,
                    "id": one.event,
                    "sub_id": one.sub_event,
                    "level": one.level.lower(),
                    "parameters": {},
                    "text": one.text,
                }
            )
        return found

    async def values(self, meter: str | None = None, *, attributes: bool = False) -> list[dict[str, Any]]:
        """Original values of the last 40 days in their order, as `Records.values` has them."""
        client = await self._access.client()
        self._access.used("records", "list")
        now = (await client.device()).time or self._access.now()
        rows = []
        for one in await client.meters():
            if meter is not None and one.lower() != meter.lower():
                continue
            for reading in await client.originals(one, now - KEPT, now + timedelta(days=1)):
                common = {
                    "meter": meter or one,
                    "grid_time": reading.instant.isoformat(),
                    "capture_time": reading.at.isoformat(),
                    "status": reading.status,
                }
                rows += [
                    {**common, "obis": value.obis, "value": str(value.exact), "unit": value.symbol or None}
                    for value in reading.values
                ]
        return rows

    async def signed_values(self, meter: str) -> dict[str, Any]:
        """Not to be had in this form."""
        raise BenchError(
            f"values of {meter} with the keys of their signatures are read through the maintenance port only"
        )

    async def derived(self, profile: str) -> dict[str, Any]:
        """Not to be had in this form."""
        raise BenchError(f"derived entries of {profile} with their keys are read through the maintenance port only")

    async def info(self) -> dict[str, Any]:
        """What the gateway told of itself."""
        return dict(self._access.told)
