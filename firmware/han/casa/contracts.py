"""Contracts and their billing periods as JSON (han 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from firmware.han.casa.formats import stamp
from firmware.han.view import BillingSpan, HanContract
from firmware.metering.tariffs.errors import CalendarError

BILLED: Final = frozenset((1, 2))
"""Use cases with billing periods (han 5.1)."""


def contract(one: HanContract, now_s: float) -> dict[str, Any]:
    """A contract; its end is null when it is open."""
    evaluation = one.profile.evaluation
    return {
        "active_tariff": active_tariff(one, now_s),
        "capture_period": evaluation.period_s,
        "emt_channel_name": evaluation.recipients[0] if evaluation.recipients else one.contract.supplier,
        "metering_point_id": one.contract.usage_point,
        "sensor_domains": list(dict.fromkeys(source.meter.lower() for source in evaluation.sources)),
        "taf_identifier": one.id,
        "taf_name": one.contract.tariff,
        "taf_type": f"TAF-{evaluation.use_case}",
        "validity_end": None if evaluation.end_s is None else stamp(evaluation.end_s),
        "validity_start": stamp(evaluation.begin_s),
    }


def active_tariff(one: HanContract, now_s: float) -> int:
    """The stage that holds now; 0, the total register, without stages and before the begin (assumed)."""
    evaluation = one.profile.evaluation
    if now_s < evaluation.begin_s:
        return 0
    if evaluation.calendar is not None and one.state == "running":
        try:
            return evaluation.calendar.stage_at(int(now_s))
        except CalendarError:
            return 0
    return evaluation.stages[0] if len(evaluation.stages) == 1 else 0


def billing_spans(one: HanContract, spans: Iterable[BillingSpan]) -> tuple[BillingSpan, ...]:
    """The billing periods that are numbered, the oldest is 0 (assumed); none for use cases without."""
    return tuple(spans) if one.profile.evaluation.use_case in BILLED else ()


def billing_period(span: BillingSpan) -> dict[str, Any]:
    """A billing period; its end is null when it is open."""
    return {"end": None if span.end_s is None else stamp(span.end_s), "start": stamp(span.begin_s)}
