"""An evaluation profile: what one use case derives from which registers, for how long, for whom (wan-core 6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, Literal

from firmware.metering.tariffs.calendar import Calendar
from firmware.metering.tariffs.local_time import DEFAULT_PERIOD_S, first_of_month, local, midnight
from firmware.metering.tariffs.readings import Amount, Source

REGISTERED: Final = frozenset((1, 2, 6, 7))
"""Use cases that are billed or kept from registered values."""
MEASURED: Final = frozenset((9, 10, 14))
"""Use cases of measured values that are never billed."""
SENDS_LISTS: Final = frozenset((1, 2, 7))
"""Use cases whose lists can be sent at fixed times (wan-core 7.6); TAF-6 goes on a justified order only."""


@dataclass(frozen=True, slots=True)
class Term:
    """A register in a sum.

    Attributes:
        source: which register of which meter.
        sign: 1 it is added, -1 it is taken off.
    """

    source: Source
    sign: Literal[1, -1] = 1


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """How long a billing period is, in local time.

    Months end on the first of a month at 00:00, counted from the month in which the validity begins; days end at 00:00.
    """

    count: int
    unit: Literal["month", "day"] = "month"

    def next_after(self, at_s: int, begin_s: int) -> int:
        """The first end of a period after an instant, when validity began at `begin_s`."""
        first, now = local(begin_s).date(), local(at_s).date()
        if self.unit == "day":
            number = (now - first).days // self.count
            found = midnight(self._day(first, number))
            while found <= at_s:
                number += 1
                found = midnight(self._day(first, number))
            return found
        number = ((now.year - first.year) * 12 + now.month - first.month) // self.count
        found = midnight(first_of_month(first, number * self.count))
        while found <= at_s:
            number += 1
            found = midnight(first_of_month(first, number * self.count))
        return found

    def _day(self, first: date, number: int) -> date:
        return first + timedelta(days=number * self.count)


class Aggregate(StrEnum):
    """What can be made of the samples of a span (wan-core 7.6, TAF-9 and 10)."""

    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit that triggers sending.

    Attributes:
        source: whose samples are compared.
        limit: in the unit of the register.
        over: True it triggers above the limit, False below.
        hysteresis: how far back a sample must be before it can trigger again, not negative.
    """

    source: Source
    limit: Amount
    over: bool = True
    hysteresis: Amount = Amount(0)  # noqa: RUF009 - a frozen value

    def passed(self, sample: Amount) -> bool:
        """Whether a sample is beyond the limit."""
        return self.limit < sample if self.over else sample < self.limit

    def back(self, sample: Amount) -> bool:
        """Whether a sample is so far back that the next passing counts."""
        if self.over:
            return not self.limit - self.hysteresis < sample
        return not sample < self.limit + self.hysteresis


@dataclass(frozen=True, slots=True)
class Sending:
    """What triggers sending of measured values; `every_s` and `each` also that of the lists of TAF-1, 2 and 7.

    Attributes:
        on_demand: an order of the administrator.
        every_s: periodic, on multiples of so many seconds; None: not.
        thresholds: limits.
        each: ad hoc, every sample, or every entry of a list, at once.
        aggregates: what periodic sending adds, over the samples since the last periodic instant.
        capacity: samples that are kept for sending; the oldest are lost first.
        persistent: False: samples do not outlive a power cut, as with CONEXA ([CONEXA] E-5.7).
    """

    on_demand: bool = False
    every_s: int | None = None
    thresholds: tuple[Threshold, ...] = ()
    each: bool = False
    aggregates: tuple[Aggregate, ...] = ()
    capacity: int = 10_000
    persistent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationProfile:
    """An evaluation profile. `rules.findings` says whether it makes sense.

    Attributes:
        name: its id.
        use_case: number of the TAF.
        terms: registers; TAF-1 and 2 add them up, the others keep each for itself.
        consumer: whose it is.
        recipients: names of communication profiles.
        begin_s: first instant of its validity.
        end_s: last instant, None: open.
        period_s: registration period; sampling period of TAF-9, 10 and 14.
        billing: billing period, TAF-1 and 2.
        stages: tariff stages, value group E of their registers.
        calendar: switch table of TAF-2.
        pseudonym: stands for the meter in what TAF-9, 10 and 14 send.
        pseudonymised: False: the contract does without the pseudonym.
        billing_relevant: whether values may be billed.
        sending: triggers of TAF-9, 10 and 14.
    """

    name: str
    use_case: int
    terms: tuple[Term, ...]
    consumer: str
    begin_s: int
    end_s: int | None = None
    recipients: tuple[str, ...] = ()
    period_s: int = DEFAULT_PERIOD_S
    billing: BillingPeriod | None = None
    stages: tuple[int, ...] = ()
    calendar: Calendar | None = None
    pseudonym: str = ""
    pseudonymised: bool = True
    billing_relevant: bool = False
    sending: Sending = field(default_factory=Sending)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Its registers."""
        return tuple(one.source for one in self.terms)
