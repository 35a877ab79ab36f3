"""Times as the interface writes and reads them: XSD dates with ``Z`` or an offset (han 3.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_GIVEN: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?)?(?:(Z)|([+-])(\d\d):(\d\d))?", re.ASCII
)
_FARTHEST_MINUTES: Final = 14 * 60
"""Largest offset of XSD."""


@lru_cache(maxsize=4096)
def written(at_s: int) -> str:
    """``2026-08-14T18:30:00Z``."""
    return datetime.fromtimestamp(at_s, UTC).isoformat()[:19] + "Z"


def without_zone(at_s: int) -> str:
    """As ``smgw-time`` has it, which carries no zone; UTC like all others (assumed)."""
    return written(at_s)[:-1]


def understood(text: str) -> int:
    """Seconds since 1970 of a date, or of a date and time; fractions are cut off, without a zone it is UTC (assumed).

    Raises:
        ValueError: something else.
    """
    found = _GIVEN.fullmatch(text)
    if found is None:
        raise ValueError("no date and time such as 2026-01-31T00:00:00Z")
    year, month, day, hour, minute, second = (int(one or 0) for one in found.groups()[:6])
    ahead = 0
    if found[8] is not None:
        ahead = int(found[9]) * 60 + int(found[10])
        if ahead > _FARTHEST_MINUTES or int(found[10]) > 59:
            raise ValueError("an offset beyond 14:00")
        ahead = -ahead if found[8] == "-" else ahead
    try:
        wall = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return int((wall - timedelta(minutes=ahead)).timestamp())
    except OverflowError:
        raise ValueError("a time beyond the calendar") from None
