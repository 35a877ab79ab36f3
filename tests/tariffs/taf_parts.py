"""Profiles, readings and calendars for the tests of the tariff engine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from firmware.metering.status_word import GatewayBit, StatusWord
from firmware.metering.tariffs.calendar import Calendar
from firmware.metering.tariffs.engine import use_case
from firmware.metering.tariffs.entries import Derived, Event, Output
from firmware.metering.tariffs.profile import BillingPeriod, EvaluationProfile, Term
from firmware.metering.tariffs.readings import NO_VALUE, Amount, Point, Source, with_bits
from firmware.metering.tariffs.use_case import UseCase

BERLIN = ZoneInfo("Europe/Berlin")
A, B = Source("1SAG0021061001", "1-0:1.8.0*255"), Source("1EMH0000000002", "1-0:1.8.0*255")
QUARTER = 900
GOOD = StatusWord()
TIME_INVALID = with_bits(GOOD, GatewayBit.TIME_INVALID)
WH, DEGREE, WATT = 30, 8, 27
DAY_AND_NIGHT = Calendar.daily((time(0), 1), (time(6), 2), (time(21), 1), default=1)


def at(*parts: int, fold: int = 0) -> int:
    """The instant of a local time."""
    return int(datetime(*parts, tzinfo=BERLIN, fold=fold).timestamp())


def utc(*parts: int) -> int:
    """The instant of a time in UTC."""
    return int(datetime(*parts, tzinfo=UTC).timestamp())


def profile(use_case: int, begin_s: int, end_s: int | None = None, *terms: Term, **fields: Any) -> EvaluationProfile:
    """A profile that makes sense; `fields` change it."""
    by_case: dict[int, dict[str, Any]] = {
        1: {"billing": BillingPeriod(1)},
        2: {"stages": (1, 2), "calendar": DAY_AND_NIGHT},
    }
    made = EvaluationProfile(
        name=f"taf{use_case}", use_case=use_case, terms=terms or (Term(A),), consumer="home", begin_s=begin_s,
        end_s=end_s, recipients=("supplier",), **by_case.get(use_case, {}),
    )  # fmt: skip
    return replace(made, **fields)


def point(at_s: int, value: int | None, source: Source = A, status: StatusWord = GOOD, unit: int = WH) -> Point:
    """A reading of one register; None: nothing was read."""
    if value is None:
        return Point(source, at_s, None, NO_VALUE)
    return Point(source, at_s, Amount(value, -1), status, unit)


def grid(begin_s: int, end_s: int, step: int = 10, source: Source = A, period_s: int = QUARTER) -> Iterator[Point]:
    """A reading at each instant, both ends included, each `step` more than the one before."""
    for number, at_s in enumerate(range(begin_s, end_s + 1, period_s)):
        yield point(at_s, number * step, source)


def run(case: UseCase, points: Iterable[Point]) -> list[Output]:
    """All that follows from readings."""
    return [one for each in points for one in case.take(each)]


def entries(outputs: Iterable[Output], register: str = "") -> list[Derived]:
    """The derived entries, all or those of one register."""
    return [one for one in outputs if isinstance(one, Derived) and (not register or one.register == register)]


def events(outputs: Iterable[Output], name: str) -> list[Event]:
    """The events of a name."""
    return [one for one in outputs if isinstance(one, Event) and one.name == name]


def values(found: Iterable[Derived]) -> list[int | None]:
    """The numbers of entries."""
    return [None if one.amount is None else one.amount.value for one in found]


def restarted(case: UseCase, original: EvaluationProfile) -> UseCase:
    """The same use case after its state went through a file."""
    return use_case(original, json.loads(json.dumps(case.state())))


def registers(case: UseCase) -> list[int]:
    """The registers of TAF-2 in their order, the error register last."""
    return [amount.value for amount in case.registers().values()]  # type: ignore[attr-defined]
