"""The gateway's logs and stored values, as far as this bench can read them.

For now the way in is the maintenance port of an emulated gateway. A real gateway shows them on its home interface;
a bench with such a client offers the same two calls, and scenarios do not change.
"""

from __future__ import annotations

from typing import Any

from devices.maintenance import MaintenancePort

BOOKS = ("system", "calibration", "consumer")


class Records:
    """Reads logs and stored values through the maintenance port.

    What was read is kept until something else can have been written: `forget` drops it.
    """

    def __init__(self, maintenance: MaintenancePort) -> None:
        self._maintenance = maintenance

    async def log(self, book: str) -> list[dict[str, Any]]:
        """All entries of a log in their order: number, time, event, id, sub_id, level, parameters, text."""
        answer = await self._maintenance.read("log", book=book)
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

    async def derived(self, profile: str) -> dict[str, Any]:
        """Derived entries of an evaluation profile by time: ``rows``; ``key`` and ``curve`` that their signatures name.

        A row has kind, time, register, meter, value, counts, scaler, unit, unit_code, status, stage, capture_time,
        signature.
        """
        return await self._maintenance.read("derived", profile=profile)

    async def info(self) -> dict[str, Any]:
        """Identity and state of the emulated gateway."""
        return await self._maintenance.read("info")
