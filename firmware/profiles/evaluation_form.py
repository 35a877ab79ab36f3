"""Evaluation profiles as plain data, both ways: registers, billing periods, switch tables, triggers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from firmware.metering.tariffs.calendar import Calendar, DayProfile, Season, SpecialDay, Week
from firmware.metering.tariffs.errors import CalendarError
from firmware.metering.tariffs.local_time import DAY_S, DEFAULT_PERIOD_S
from firmware.metering.tariffs.profile import Aggregate, BillingPeriod, EvaluationProfile, Sending, Term, Threshold
from firmware.metering.tariffs.readings import Amount, Source
from firmware.profiles.kinds import TariffProfile
from firmware.profiles.plain import FIRST_YEAR, LAST_YEAR, Fields

LONGEST_ID: Final = 255
_MOST_STAGES: Final = 255
_MOST_EXPONENT: Final = 30
_UNITS: Final[tuple[Any, ...]] = ("month", "day")


def tariff_of(fields: Fields) -> TariffProfile:
    """The evaluation profile of an object. Raises PlainDataError."""
    evaluation = EvaluationProfile(
        name=fields.text("id", most=LONGEST_ID, least=1),
        use_case=fields.whole("use_case", 0, 255),
        terms=fields.each("terms", _term, most=64, least=1),
        consumer=fields.text("consumer", least=1),
        begin_s=fields.instant("begin"),
        end_s=fields.optional("end", fields.instant),
        recipients=fields.texts("recipients", most=16),
        period_s=fields.whole("period_s", 1, 31 * DAY_S, DEFAULT_PERIOD_S),
        billing=fields.optional("billing", lambda name: _billing(fields, name)),
        stages=fields.wholes("stages", 0, _MOST_STAGES, most=64),
        calendar=fields.optional("calendar", lambda name: _calendar(fields, name)),
        pseudonym=fields.text("pseudonym", ""),
        pseudonymised=fields.flag("pseudonymised", True),
        billing_relevant=fields.flag("billing_relevant", False),
        sending=fields.optional("sending", lambda name: _sending(fields, name)) or Sending(),
    )
    return TariffProfile(
        evaluation=evaluation,
        usage_point=fields.text("usage_point", ""),
        supplier=fields.text("supplier", ""),
        tariff=fields.text("tariff", ""),
    )


def plain_tariff(one: TariffProfile) -> dict[str, Any]:
    """An evaluation profile as plain data."""
    profile = one.evaluation
    return plain_evaluation(profile) | {
        "usage_point": one.usage_point,
        "supplier": one.supplier,
        "tariff": one.tariff,
    }


def plain_evaluation(profile: EvaluationProfile) -> dict[str, Any]:
    """The part of it that the tariff engine knows."""
    return {
        "id": profile.name,
        "use_case": profile.use_case,
        "terms": [{**_plain_source(one.source), "sign": one.sign} for one in profile.terms],
        "consumer": profile.consumer,
        "begin": _instant(profile.begin_s),
        "end": None if profile.end_s is None else _instant(profile.end_s),
        "recipients": list(profile.recipients),
        "period_s": profile.period_s,
        "billing": None if profile.billing is None else {"count": profile.billing.count, "unit": profile.billing.unit},
        "stages": list(profile.stages),
        "calendar": None if profile.calendar is None else plain_calendar(profile.calendar),
        "pseudonym": profile.pseudonym,
        "pseudonymised": profile.pseudonymised,
        "billing_relevant": profile.billing_relevant,
        "sending": _plain_sending(profile.sending),
    }


FIELD_NAMES: Final[dict[str, str]] = {"name": "id", "begin_s": "begin", "end_s": "end"}
"""Field of `EvaluationProfile` -> its name in plain data, where it differs."""


def _term(fields: Fields) -> Term:
    return Term(_source(fields), fields.choice("sign", (1, -1), 1))


def _source(fields: Fields) -> Source:
    return Source(fields.text("meter", least=1), fields.text("obis", least=1))


def _plain_source(one: Source) -> dict[str, Any]:
    return {"meter": one.meter, "obis": one.obis}


def _billing(fields: Fields, name: str) -> BillingPeriod:
    inner = fields.inner(name)
    found = BillingPeriod(inner.whole("count", 0, 10_000), inner.choice("unit", _UNITS, "month"))
    inner.end()
    return found


def _instant(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")


# --- switch tables


def _calendar(fields: Fields, name: str) -> Calendar:
    inner = fields.inner(name)
    days = inner.each("days", _day, most=100, least=1)
    weeks = inner.each("weeks", _week, most=60)
    seasons = inner.each("seasons", _season, most=60)
    special = inner.each("special_days", _special, most=400)
    default = inner.optional("default", lambda one: inner.whole(one, 0, _MOST_STAGES))
    inner.end()
    try:
        return Calendar(days, weeks, seasons, special, default)
    except CalendarError as error:
        raise fields.wrong(name, str(error), "a switch table without gaps and contradictions", rule="V8") from None


def _day(fields: Fields) -> DayProfile:
    switches = fields.each("switches", lambda one: (one.clock("at"), one.whole("stage", 0, _MOST_STAGES)), most=96)
    return DayProfile(fields.text("name", least=1), switches)


def _week(fields: Fields) -> Week:
    return Week(fields.text("name", least=1), fields.texts("days", most=7, least=7))


def _season(fields: Fields) -> Season:
    month, day = fields.whole("month", 1, 12), fields.whole("day", 1, 31)
    return Season(fields.text("name", least=1), month, day, fields.text("week", least=1))


def _special(fields: Fields) -> SpecialDay:
    year = fields.optional("year", lambda one: fields.whole(one, FIRST_YEAR, LAST_YEAR))
    return SpecialDay(fields.whole("month", 1, 12), fields.whole("day", 1, 31), fields.text("profile", least=1), year)


def plain_calendar(calendar: Calendar) -> dict[str, Any]:
    """A switch table as plain data; weeks go from Monday to Sunday."""
    return {
        "days": [
            {"name": one.name, "switches": [{"at": f"{at:%H:%M}", "stage": stage} for at, stage in one.switches]}
            for one in calendar.days
        ],
        "weeks": [{"name": one.name, "days": list(one.days)} for one in calendar.weeks],
        "seasons": [
            {"name": one.name, "month": one.month, "day": one.day, "week": one.week} for one in calendar.seasons
        ],
        "special_days": [
            {"year": one.year, "month": one.month, "day": one.day, "profile": one.profile} for one in calendar.special
        ],
        "default": calendar.default,
    }


# --- sending of measured values


def _sending(fields: Fields, name: str) -> Sending:
    inner = fields.inner(name)
    found = Sending(
        on_demand=inner.flag("on_demand", False),
        every_s=inner.optional("every_s", lambda one: inner.whole(one, 1, 31 * DAY_S)),
        thresholds=inner.each("thresholds", _threshold, most=64),
        each=inner.flag("each", False),
        aggregates=tuple(Aggregate(one) for one in inner.choices("aggregates", [str(one) for one in Aggregate])),
        capacity=inner.whole("capacity", 0, 1_000_000, 10_000),
        persistent=inner.flag("persistent", True),
    )
    inner.end()
    return found


def _threshold(fields: Fields) -> Threshold:
    return Threshold(
        _source(fields), _amount(fields, "limit"), fields.flag("over", True), _amount(fields, "hysteresis", "0")
    )


def _amount(fields: Fields, name: str, default: Any = ...) -> Amount:
    found = fields.decimal(name) if default is ... else fields.decimal(name, default)
    sign, digits, exponent = found.as_tuple()
    if not isinstance(exponent, int) or abs(exponent) > _MOST_EXPONENT:
        raise fields.wrong(name, f"it is {found}", f"at most {_MOST_EXPONENT} places")
    value = int("".join(map(str, digits)))
    return Amount(-value if sign else value, exponent)


def _decimal(amount: Amount) -> str:
    digits = tuple(int(one) for one in str(abs(amount.value)))
    return str(Decimal((int(amount.value < 0), digits, amount.scaler)))


def _plain_sending(one: Sending) -> dict[str, Any]:
    return {
        "on_demand": one.on_demand,
        "every_s": one.every_s,
        "thresholds": [
            {
                **_plain_source(each.source),
                "limit": _decimal(each.limit),
                "over": each.over,
                "hysteresis": _decimal(each.hysteresis),
            }
            for each in one.thresholds
        ],
        "each": one.each,
        "aggregates": [str(each) for each in one.aggregates],
        "capacity": one.capacity,
        "persistent": one.persistent,
    }
