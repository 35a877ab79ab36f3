"""Billing periods as the portal lists them: short ones are put together until they are a week long ([CASA] 7.5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from firmware.han.view import BillingSpan, HanContract
from firmware.metering.tariffs.local_time import DAY_S, first_of_month, local, midnight

WEEK_S: Final = 7 * DAY_S
MOST_MONTHS: Final = 1200


@dataclass(frozen=True, slots=True)
class ShownPeriod:
    """A line of the list.

    Attributes:
        begin_s: instant at which it begins; the value of this instant is that of the period before.
        end_s: its last instant.
        running: whether it is not over.
    """

    begin_s: int
    end_s: int
    running: bool


def shown_periods(contract: HanContract, spans: Iterable[BillingSpan], now_s: float) -> tuple[ShownPeriod, ...]:
    """The periods of a contract, the latest first. Without billing periods it is told by months (assumed)."""
    listed = _months if contract.profile.evaluation.billing is None else _merged
    return tuple(reversed(listed(spans, int(now_s))))


def _merged(spans: Iterable[BillingSpan], now_s: int) -> list[ShownPeriod]:
    found: list[ShownPeriod] = []
    short: ShownPeriod | None = None
    for span in spans:
        end_s = now_s if span.end_s is None else span.end_s
        one = ShownPeriod(span.begin_s, end_s, span.end_s is None or end_s > now_s)
        is_long = one.end_s - one.begin_s >= WEEK_S
        if short is not None and not is_long:
            one = ShownPeriod(short.begin_s, one.end_s, one.running)
        elif short is not None:
            found.append(short)
        short = None
        if one.end_s - one.begin_s >= WEEK_S:
            found.append(one)
        else:
            short = one
    if short is not None:
        found.append(short)
    return found


def _months(spans: Iterable[BillingSpan], now_s: int) -> list[ShownPeriod]:
    found: list[ShownPeriod] = []
    for span in spans:
        last_s = now_s if span.end_s is None else min(span.end_s, now_s)
        begin_s = span.begin_s
        while begin_s < last_s and len(found) < MOST_MONTHS:
            next_s = midnight(first_of_month(local(begin_s).date(), 1))
            end_s = next_s if span.end_s is None else min(next_s, span.end_s)
            found.append(ShownPeriod(begin_s, end_s, end_s > now_s))
            begin_s = end_s
    return found
