"""Instants as the products write them: with zone, and in local time without one (PPC)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from devices.han.content import LOCAL_ZONE
from devices.han.errors import NotUnderstood

LOCAL: Final = ZoneInfo(LOCAL_ZONE)
_PLAIN: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:[.,]\d+)?")
TOLERANCE: Final = 0.01
"""Share of the period by which a capture may miss its instant (han 5.5)."""
LONGEST_RASTER_S: Final = 3600
"""Longer periods follow the wall clock, so that they have no raster in UTC."""


def zoned(field: str, written: object) -> datetime:
    """An instant with zone, or Unix seconds, or without zone: gateway's local time. Raises NotUnderstood."""
    if isinstance(written, bool) or written is None:
        raise NotUnderstood(field, f"{written!r} is no instant")
    try:
        if isinstance(written, int | float):
            return datetime.fromtimestamp(written, UTC)
        text = str(written).strip()
        if text.isdecimal():
            return datetime.fromtimestamp(int(text), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise NotUnderstood(field, f"{str(written)[:40]!r} is no instant") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=LOCAL)).astimezone(UTC)


def maybe(field: str, written: object) -> datetime | None:
    """As `zoned`; None for nothing, an empty text, and ``unbegrenzt``."""
    if written is None or str(written).strip().lower() in ("", "unbegrenzt", "unlimited", "null"):
        return None
    return zoned(field, written)


def plain(field: str, text: str) -> datetime:
    """A local time as it is written, naive. Raises NotUnderstood."""
    match = _PLAIN.fullmatch(text.strip())
    if match is None:
        raise NotUnderstood(field, f"{text[:40]!r} is no time like 2026-01-31 00:15:00")
    try:
        return datetime.fromisoformat(f"{match[1]} {match[2]}")
    except ValueError:
        raise NotUnderstood(field, f"{text[:40]!r} does not exist") from None


def rising(times: Iterable[datetime], since: datetime | None = None) -> list[datetime]:
    """Local times without zone, oldest first, as instants.

    An hour that comes twice is told apart by the order: a time that would not rise belongs to the second pass. `since`
    is a bound below all of them; where only one pass is there and nothing tells which, it is the first.
    """
    found: list[datetime] = []
    last = since
    for naive in times:
        at = naive.replace(tzinfo=LOCAL, fold=0).astimezone(UTC)
        second = naive.replace(tzinfo=LOCAL, fold=1).astimezone(UTC)
        if last is not None and second > at and (at < last if not found else at <= last):
            at = second
        found.append(at)
        last = at
    return found


def nearest(naive: datetime, to: datetime) -> datetime:
    """A local time without zone as that instant which is nearest to another one."""
    both = [naive.replace(tzinfo=LOCAL, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(both, key=lambda one: abs(one - to))


def raster(at: datetime, period_s: int | None) -> datetime | None:
    """The instant of the raster that a capture belongs to, None outside the tolerance (han 5.5)."""
    if period_s is None or period_s > LONGEST_RASTER_S:
        return None
    seconds = at.timestamp()
    near = round(seconds / period_s) * period_s
    return datetime.fromtimestamp(near, UTC) if abs(seconds - near) <= period_s * TOLERANCE else None


def local_text(at: datetime) -> str:
    """``YYYY-MM-DD HH:MM:SS`` in local time."""
    return at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")


def utc_text(at: datetime) -> str:
    """``2026-01-31T00:15:00Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def windows(begin: datetime, end: datetime, longest: timedelta) -> list[tuple[datetime, datetime]]:
    """The span in pieces of at most `longest`, each from the end of the one before."""
    found = []
    while True:
        until = min(end, begin + longest)
        found.append((begin, until))
        if until >= end:
            return found
        begin = until


def months_back(now: datetime, begin: datetime, end: datetime) -> range:
    """Which months, counted back from that of `now` in local time, the span touches; newest first."""
    here = _month(now)
    first, last = here - _month(min(end, now)), here - _month(begin)
    return range(max(0, first), max(0, last) + 1)


def _month(at: datetime) -> int:
    local = at.astimezone(LOCAL)
    return local.year * 12 + local.month
