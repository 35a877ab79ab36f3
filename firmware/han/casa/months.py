"""Months of value lists and logs: counted back from the present one, or named (han 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from firmware.metering.tariffs.local_time import first_of_month, local, midnight

MOST_BACK: Final = 1200
"""Months back that are understood."""
_INDEX: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
_NAMED: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Month:
    """A month of local time.

    Attributes:
        begin_s: its first instant, seconds since 1970.
        end_s: the first instant of the next.
    """

    begin_s: int
    end_s: int


def month_of(text: str, now_s: float) -> Month | None:
    """The month that is so many months back, or is named ``2026-07``; None for other text.

    That the index counts back from the present month is inferred (han 9).
    """
    if _INDEX.fullmatch(text) and int(text) <= MOST_BACK:
        return _month(first_of_month(local(int(now_s)).date(), -int(text)))
    named = _NAMED.fullmatch(text)
    if named is None or not 1900 <= int(named[1]) <= 2999:
        return None
    return _month(date(int(named[1]), int(named[2]), 1))


def _month(first: date) -> Month:
    return Month(midnight(first), midnight(first_of_month(first, 1)))
