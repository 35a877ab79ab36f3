"""Plain evaluation profiles of one register, for simulations and demonstrations."""

from __future__ import annotations

from datetime import time
from typing import Final

from firmware.metering.tariffs.calendar import Calendar
from firmware.metering.tariffs.profile import BillingPeriod, EvaluationProfile, Term
from firmware.metering.tariffs.readings import Source

HIGH: Final = 1
LOW: Final = 2


def standard_profile(
    use_case: int, meter: str, obis: str, consumer: str, begin_s: int, end_s: int | None
) -> EvaluationProfile:
    """A profile of one register: TAF-1 and 2 billed by the month, TAF-2 with stage 1 from 6 to 22 h, else stage 2.

    Args:
        use_case: 1, 2, 6 or 7.
        meter: its number, of which the profile gets its name.
        obis: register.
        consumer: whose it is.
        begin_s: first instant; for TAF-1 and 2 the begin of a local month.
        end_s: last instant, None: open.
    """
    table = Calendar.daily((time(), LOW), (time(6), HIGH), (time(22), LOW), default=LOW)
    return EvaluationProfile(
        name=f"taf{use_case}-{meter.lower()}",
        use_case=use_case,
        terms=(Term(Source(meter, obis)),),
        consumer=consumer,
        begin_s=begin_s,
        end_s=end_s,
        billing=BillingPeriod(1) if use_case in (1, 2) else None,
        stages={1: (HIGH,), 2: (HIGH, LOW)}.get(use_case, ()),
        calendar=table if use_case == 2 else None,
        billing_relevant=True,
    )
