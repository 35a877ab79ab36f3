"""Local legal time: instants are seconds since 1970 in UTC, days and months are those of the people."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

LOCAL: Final = ZoneInfo("Europe/Berlin")
DAY_S: Final = 86_400
DEFAULT_PERIOD_S: Final = 900
"""Registration period, and the raster of switch times (TRuDI_015, wan-core 7.4)."""


def local(at_s: int) -> datetime:
    """The wall clock at an instant."""
    return datetime.fromtimestamp(at_s, LOCAL)


def instant(wall: datetime) -> int:
    """The instant of an aware time."""
    return int(wall.timestamp())


@lru_cache(maxsize=2048)
def midnight(day: date) -> int:
    """The instant at which a local day begins."""
    return instant(datetime.combine(day, time(), LOCAL))


def is_midnight(at_s: int) -> bool:
    """Whether a local day begins at this instant."""
    return at_s == midnight(local(at_s).date())


def next_midnight(at_s: int) -> int:
    """The first local midnight after an instant."""
    return midnight(local(at_s).date() + timedelta(days=1))


def first_of_month(day: date, months: int) -> date:
    """The first of the month that comes so many months after that of `day`."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def shown(at_s: int) -> str:
    """An instant in words for people: local time with its distance to UTC."""
    return local(at_s).isoformat(sep=" ", timespec="minutes")


def utc(at_s: int) -> str:
    """An instant as logs write it, UTC with Z."""
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
