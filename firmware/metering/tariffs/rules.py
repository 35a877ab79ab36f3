"""Whether an evaluation profile makes sense: the rules V1 to V14 as far as they concern it (wan-core 6.2, 6.4.3).

V1 (the XML), V11 (meters of the device), V12 (certificates) and V14 (the signer) are not about evaluation profiles or
not about their content; they are decided where these things are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from firmware.metering.tariffs.calendar import Calendar
from firmware.metering.tariffs.errors import TariffError
from firmware.metering.tariffs.findings import Finding
from firmware.metering.tariffs.local_time import DAY_S, DEFAULT_PERIOD_S, local, midnight, shown, utc
from firmware.metering.tariffs.measured_rules import measured_findings
from firmware.metering.tariffs.profile import MEASURED, REGISTERED, SENDS_LISTS, EvaluationProfile
from firmware.metering.tariffs.readings import ERROR_STAGE, groups
from firmware.metering.tariffs.refused import SUPPORTED, refusal

MOST_ID: Final = 63
MOST_STAGES: Final = 20
"""Tariff stages of a profile, the error register not counted (han 5.4)."""
MONTHS_OF_TAF1: Final = (1, 2, 3, 6, 12)
MOST_LISTS_OF_TAF1: Final = 3
SUMMED: Final = frozenset((1, 2))
"""Use cases that add their registers up."""
CHANGEABLE: Final = frozenset(("recipients", "end_s"))
"""Fields that may change while a profile is running (wan-core 6.4.3.3)."""
LEGALLY_RELEVANT: Final = frozenset(
    ("terms", "begin_s", "end_s", "period_s", "billing", "stages", "calendar", "billing_relevant", "use_case")
)
"""Fields whose change goes to the calibration log with old and new value (V13)."""
_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Known:
    """What a profile may refer to, and which names are taken.

    Attributes:
        registers: number of a meter -> OBIS codes that its profile keeps; empty set: all.
        consumers: names.
        recipients: names of communication profiles of market participants.
        profiles: names of the other evaluation profiles.
        supported: use cases of the gateway.
    """

    registers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    consumers: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    profiles: frozenset[str] = frozenset()
    supported: frozenset[int] = SUPPORTED


@dataclass(frozen=True, slots=True)
class Change:
    """A field that changed, for the calibration log (V13)."""

    field: str
    old: str
    new: str


def findings(profile: EvaluationProfile, known: Known, now_s: int) -> list[Finding]:
    """What is wrong with a new profile; empty: nothing. A use case that the gateway lacks is told alone."""
    refused = refusal(profile.use_case, known.supported)
    if refused is not None:
        return [Finding("use case", refused.answer, refused.reason)]
    spans = list(_span(profile, now_s))
    found = [*_ids(profile, known), *_references(profile, known), *_terms(profile), *spans]
    if not any(one.rule == "V6" for one in spans):
        found += _BY_USE_CASE.get(profile.use_case, _nothing)(profile)
    if profile.use_case in MEASURED:
        found += measured_findings(profile)
    if profile.use_case in SENDS_LISTS:
        found += _lists_sent(profile)
    return found


def change_findings(
    old: EvaluationProfile, new: EvaluationProfile, known: Known, now_s: int, decided_s: int | None
) -> list[Finding]:
    """What is wrong with a change of a profile; `decided_s`: up to where it was evaluated, None: it has not begun."""
    if decided_s is None or decided_s < old.begin_s:
        return findings(new, known, now_s)
    found = [
        Finding("V5", 409, f"{name} of evaluation profile {old.name} may not change while it is running")
        for name in changed_fields(old, new)
        if name not in CHANGEABLE
    ]
    found += _references(new, known)
    if new.end_s != old.end_s:
        if new.end_s is not None and new.end_s <= decided_s:
            found.append(Finding("V5", 400, f"the end {utc(new.end_s)} is past, evaluated up to {utc(decided_s)}"))
        found += [one for one in _span(new, new.begin_s) if one not in found]
        if new.use_case in REGISTERED:
            found += _BY_USE_CASE.get(new.use_case, _nothing)(new)
    return found


def changed_fields(old: EvaluationProfile, new: EvaluationProfile) -> list[str]:
    """Names of the fields that differ."""
    return [one.name for one in fields(EvaluationProfile) if getattr(old, one.name) != getattr(new, one.name)]


def deletion_finding(profile: EvaluationProfile, decided_s: int | None, *, ended: bool) -> Finding | None:
    """Why a profile may not be deleted: it is running (V4, wan-core 6.4.3.5)."""
    if ended or decided_s is None or decided_s < profile.begin_s:
        return None
    return Finding("V4", 409, f"evaluation profile {profile.name} is running; end it before it is deleted")


def referring(
    profiles: Iterable[EvaluationProfile], *, meter: str = "", consumer: str = "", recipient: str = ""
) -> list[str]:
    """Names of the profiles that refer to a meter, a consumer or a recipient, which so may not be deleted (V4)."""
    return [
        one.name
        for one in profiles
        if (meter and any(source.meter == meter for source in one.sources))
        or (consumer and one.consumer == consumer)
        or (recipient and recipient in one.recipients)
    ]


def _nothing(profile: EvaluationProfile) -> Iterator[Finding]:
    yield from ()


def _ids(profile: EvaluationProfile, known: Known) -> Iterator[Finding]:
    if len(profile.name) > MOST_ID:
        yield Finding("V2", 400, f"the id has {len(profile.name)} characters, at most {MOST_ID} are right")
    elif not _ID.fullmatch(profile.name):
        yield Finding("V2", 400, f"the id {profile.name!r} is not made of letters, digits, '.', '-' and '_'")
    if profile.name in known.profiles:
        yield Finding("V2", 409, f"there is an evaluation profile {profile.name} already")


def _references(profile: EvaluationProfile, known: Known) -> Iterator[Finding]:
    for source in profile.sources:
        kept = known.registers.get(source.meter)
        if kept is None:
            yield Finding("V3", 409, f"there is no meter profile of meter {source.meter}")
        elif kept and source.obis not in kept:
            yield Finding("V3", 409, f"the profile of meter {source.meter} does not keep the register {source.obis}")
    if profile.consumer not in known.consumers:
        yield Finding("V3", 409, f"there is no consumer {profile.consumer!r}")
    for recipient in profile.recipients:
        if recipient not in known.recipients:
            yield Finding("V3", 409, f"there is no communication profile {recipient!r}")


def _terms(profile: EvaluationProfile) -> Iterator[Finding]:
    if not profile.terms:
        yield Finding("V3", 400, "the profile names no register")
    for source in profile.sources:
        try:
            groups(source.obis)
        except TariffError as error:
            yield Finding("V2", 400, str(error))
        if profile.sources.count(source) > 1:
            yield Finding("V2", 400, f"{source} is named more than once")
            return
    if profile.use_case in SUMMED:
        yield from _alike(profile)


def _alike(profile: EvaluationProfile) -> Iterator[Finding]:
    """Registers that are added up count the same medium in the same way (value groups A and D)."""
    try:
        kinds = {(groups(one.obis)[0], groups(one.obis)[3]) for one in profile.sources}
    except TariffError:
        return
    if len(kinds) > 1:
        names = ", ".join(one.obis for one in profile.sources)
        yield Finding(f"V{6 + profile.use_case}", 400, f"{names} do not add up: they are of different kinds")


def _span(profile: EvaluationProfile, now_s: int) -> Iterator[Finding]:
    """V5 and V6."""
    period_s = profile.period_s
    if period_s <= 0:
        yield Finding("V6", 400, f"a registration period of {period_s} s makes no sense")
        return
    if profile.use_case in REGISTERED and (period_s % DEFAULT_PERIOD_S or DAY_S % period_s):
        reason = f"the registration period is {period_s} s; multiples of 15 min that divide a day are right"
        yield Finding("V6", 400, reason)
        return
    end_s = profile.end_s
    if end_s is not None and end_s <= profile.begin_s:
        yield Finding("V5", 400, f"the end {utc(end_s)} is not after the begin {utc(profile.begin_s)}")
    if profile.begin_s < now_s - period_s:
        yield Finding("V5", 400, f"the begin {utc(profile.begin_s)} is more than a registration period ago")
    for what, at_s in (("begin", profile.begin_s), ("end", end_s)):
        if at_s is not None and at_s % period_s:
            yield Finding("V5", 400, f"the {what} {utc(at_s)} is no multiple of the period of {period_s} s")


def _billed(profile: EvaluationProfile) -> Iterator[Finding]:
    """What TAF-1 and 2 have in common: ends of billing periods are instants of the grid."""
    rule = f"V{6 + profile.use_case}"
    if profile.billing is None:
        return
    if profile.billing.count < 1:
        yield Finding(rule, 400, f"a billing period of {profile.billing.count} {profile.billing.unit}s makes no sense")
    elif not _midnights_on_grid(profile):
        yield Finding("V5", 400, f"local midnight is no multiple of the registration period of {profile.period_s} s")


def _midnights_on_grid(profile: EvaluationProfile) -> bool:
    days = (local(profile.begin_s).date().replace(month=month, day=1) for month in (1, 7))
    return all(midnight(day) % profile.period_s == 0 for day in days)


def _taf1(profile: EvaluationProfile) -> Iterator[Finding]:
    """V7."""
    if len(profile.stages) > 1 or profile.calendar is not None:
        yield Finding("V7", 400, "TAF-1 has a single tariff stage and no switch table")
    if len(profile.terms) > MOST_LISTS_OF_TAF1:
        yield Finding("V7", 400, f"TAF-1 takes at most {MOST_LISTS_OF_TAF1} registers, not {len(profile.terms)}")
    billing = profile.billing
    if billing is None or billing.unit != "month" or billing.count not in MONTHS_OF_TAF1:
        told = "none" if billing is None else f"{billing.count} {billing.unit}s"
        yield Finding("V7", 400, f"the billing period of TAF-1 is 1, 2, 3, 6 or 12 months, not {told}")
        return
    yield from _billed(profile)
    for what, at_s in (("begins", profile.begin_s), ("ends", profile.end_s)):
        if at_s is not None and at_s != midnight(local(at_s).date().replace(day=1)):
            yield Finding("V7", 400, f"TAF-1 {what} on the first of a month at 00:00, not on {shown(at_s)}")
            return
    if profile.end_s is not None and billing.next_after(profile.end_s - 1, profile.begin_s) != profile.end_s:
        yield Finding("V7", 400, f"the end {shown(profile.end_s)} is inside a billing period")


def _taf2(profile: EvaluationProfile) -> Iterator[Finding]:
    """V8."""
    yield from _billed(profile)
    stages = [one for one in profile.stages if one != ERROR_STAGE]
    if len(set(stages)) != len(stages):
        yield Finding("V8", 400, "a tariff stage is named more than once")
    if not 2 <= len(set(stages)) <= MOST_STAGES:
        yield Finding("V8", 400, f"TAF-2 has 2 to {MOST_STAGES} tariff stages, not {len(set(stages))}")
    for stage in stages:
        if not 1 <= stage < ERROR_STAGE:
            yield Finding("V8", 400, f"there is no tariff stage {stage}; 0 is the total, 63 the error register")
    if profile.calendar is None:
        yield Finding("V8", 400, "TAF-2 needs a switch table")
        return
    yield from _table(profile, profile.calendar, frozenset(stages))


def _table(profile: EvaluationProfile, calendar: Calendar, stages: frozenset[int]) -> Iterator[Finding]:
    for stage in sorted(calendar.stages - stages):
        what = "the default stage" if stage == calendar.default else "the switch table names stage"
        yield Finding("V8", 400, f"{what} {stage}, which the profile does not have")
    if calendar.default is None:
        yield Finding("V8", 400, "the switch table has no default stage")
    if not calendar.gap_free:
        late = next(one for one in calendar.days if one.switches[0][0].hour or one.switches[0][0].minute)
        start = late.switches[0][0]
        yield Finding("V8", 400, f"the switch table has a gap: day profile {late.name!r} begins at {start:%H:%M}")
    day = calendar.first_day_without_entry(profile.begin_s, profile.end_s)
    if day is not None:
        yield Finding("V8", 400, f"the switch table has a gap: no entry for {day}")
    for one in calendar.days:
        for start, _ in one.switches:
            for month in (1, 7):
                wall = midnight(local(profile.begin_s).date().replace(month=month, day=1))
                at_s = wall + start.hour * 3600 + start.minute * 60
                if at_s % profile.period_s:
                    reason = f"day profile {one.name!r} switches at {start:%H:%M}, which is no registration instant"
                    yield Finding("V8", 400, f"{reason} with a period of {profile.period_s} s")
                    return


def _lists_sent(profile: EvaluationProfile) -> Iterator[Finding]:
    """Lists go at fixed times: there is nothing in them that passes a limit."""
    sending, rule = profile.sending, {1: "V7", 2: "V8"}.get(profile.use_case, "V6")
    if sending.on_demand or sending.thresholds or sending.aggregates:
        yield Finding(rule, 400, f"TAF-{profile.use_case} sends its list periodically or each entry at once")
    if sending.every_s is not None and sending.every_s % profile.period_s:
        reason = f"is no multiple of the registration period of {profile.period_s} s"
        yield Finding(rule, 400, f"the sending period of {sending.every_s} s {reason}")


def _taf6(profile: EvaluationProfile) -> Iterator[Finding]:
    if not _midnights_on_grid(profile):
        yield Finding("V6", 400, f"local midnight is no multiple of the registration period of {profile.period_s} s")


_BY_USE_CASE: Final[Mapping[int, Callable[[EvaluationProfile], Iterator[Finding]]]] = {1: _taf1, 2: _taf2, 6: _taf6}
