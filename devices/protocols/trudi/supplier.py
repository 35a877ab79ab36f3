"""The supplier's tariff file, IF_Lieferant_TRuDI (han 5.4): stages, day profiles, which day has which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from devices.protocols.trudi.errors import FormatError
from devices.protocols.trudi.export import Register, register_of
from devices.protocols.trudi.xml import ESPI, Element, read_root, text_of

ERROR_STAGE = 63
"""Value group E of the error register."""
MOST_STAGES = 20
"""Tariff stages of a file, the error register not counted."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A tariff stage.

    Attributes:
        number: tariffNumber, to which the day profiles point.
        description: its name.
        register: where it is summed up.
    """

    number: int
    description: str
    register: Register


@dataclass(frozen=True, slots=True)
class DayProfile:
    """Which stage holds from which time of the day on.

    Attributes:
        id: dayId.
        switches: start and tariff number, by start.
        line: where it stands.
    """

    id: str
    switches: tuple[tuple[time, int], ...]
    line: int | None

    def stage_at(self, moment: time) -> int | None:
        """The tariff number at a local time of the day, None before the first start."""
        found = None
        for start, number in self.switches:
            if start > moment:
                break
            found = number
        return found

    @property
    def numbers(self) -> frozenset[int]:
        """All tariff numbers of the day."""
        return frozenset(number for _, number in self.switches)


@dataclass(frozen=True, slots=True)
class SupplierFile:
    """A supplier's file.

    Attributes:
        usage_point, kind, supplier, gateway, tariff: whom it is for; must agree with the export.
        use_case: tariffUseCase, 1, 2, 6 or 7.
        begin: of the billing period.
        end: of the billing period.
        stages: tariff stages.
        default: defaultTariffNumber.
        profiles: dayId -> day profile.
        days: date -> dayIds; several when consumption and feed-in have a calendar each.
    """

    usage_point: str
    kind: int
    supplier: str
    gateway: str
    tariff: str
    use_case: int
    begin: datetime
    end: datetime
    stages: tuple[Stage, ...]
    default: int | None
    profiles: Mapping[str, DayProfile]
    days: Mapping[date, tuple[str, ...]]

    def profiles_for(self, register: Register) -> frozenset[str]:
        """The dayIds whose tariff numbers all belong to stages of the same quantity."""
        numbers = {one.number for one in self.stages if one.register.c == register.c}
        return frozenset(name for name, profile in self.profiles.items() if profile.numbers <= numbers)


def read_supplier(octets: bytes) -> SupplierFile:
    """Read a supplier's file. Raises FormatError with line and element for what is none."""
    point = read_root(octets)
    analysis = point.one("AnalysisProfile")
    period = analysis.one("billingPeriod")
    begin, duration = period.one("start"), period.one("duration")
    seconds = duration.number()
    if not 86_400 <= seconds <= 1096 * 86_400:
        reason = f"the billing period of {seconds} s is not between one day and 1096"
        raise FormatError(reason, duration.line, "duration")
    stages = tuple(_stage(one) for one in analysis.all("TariffStage"))
    _check_stages(analysis, stages)
    use_case = analysis.one("tariffUseCase")
    if use_case.number() not in (1, 2, 6, 7):
        raise FormatError(f"tariffUseCase is {use_case.text}, 1, 2, 6 or 7 are right", use_case.line, use_case.name)
    default = analysis.maybe("defaultTariffNumber")
    trigger = analysis.maybe("TariffChangeTrigger")
    times = None if trigger is None else trigger.maybe("TimeTrigger")
    profiles = {} if times is None else _profiles(times)
    party = point.maybe("InvoicingParty")
    return SupplierFile(
        usage_point=point.one("usagePointId").text,
        kind=point.one("ServiceCategory", ESPI).one("kind", ESPI).number(),
        supplier="" if party is None else text_of(party, "invoicingPartyId"),
        gateway=point.one("SMGW").one("smgwId").text,
        tariff=point.one("tariffName").text,
        use_case=use_case.number(),
        begin=begin.instant(),
        end=begin.instant() + timedelta(seconds=seconds),
        stages=stages,
        default=None if default is None else default.number(),
        profiles=profiles,
        days={} if times is None else _days(times, profiles),
    )


def _stage(element: Element) -> Stage:
    return Stage(
        element.one("tariffNumber").number(), text_of(element, "description"), register_of(element.one("obisCode"))
    )


def _check_stages(analysis: Element, stages: tuple[Stage, ...]) -> None:
    billed = [one for one in stages if one.register.e != ERROR_STAGE]
    if not billed:
        raise FormatError("the file has no tariff stage", analysis.line, "TariffStage")
    if len(billed) > MOST_STAGES:
        raise FormatError(f"the file has {len(billed)} tariff stages, at most {MOST_STAGES} are right", analysis.line)
    numbers = [one.number for one in billed]
    double = next((number for number in numbers if numbers.count(number) > 1), None)
    if double is not None:
        raise FormatError(f"two tariff stages have the number {double}", analysis.line, "tariffNumber")


def _profiles(times: Element) -> dict[str, DayProfile]:
    found: dict[str, DayProfile] = {}
    for element in times.all("DayProfile"):
        name = element.one("dayId").text
        if name in found:
            raise FormatError(f"two day profiles have the dayId {name!r}", element.line, "dayId")
        entries = element.all("DayTimeProfile")
        switches = [(_start(one.one("startTime")), one.one("tariffNumber").number()) for one in entries]
        if not switches:
            raise FormatError(f"the day profile {name!r} is empty", element.line, "DayTimeProfile")
        found[name] = DayProfile(name, tuple(sorted(switches, key=lambda one: one[0])), element.line)
    return found


def _start(element: Element) -> time:
    parts = {name: element.maybe(name) for name in ("hour", "minute", "second", "hundredths")}
    numbers = {name: 0 if part is None else part.number() for name, part in parts.items()}
    try:
        start = time(numbers["hour"], numbers["minute"], numbers["second"])
    except ValueError as error:
        raise FormatError(f"startTime is no time of a day: {error}", element.line, element.name) from None
    if start.minute % 15 or start.second or numbers["hundredths"]:
        raise FormatError(f"startTime {start} is no multiple of 15 min", element.line, element.name)
    return start


def _days(times: Element, profiles: Mapping[str, DayProfile]) -> dict[date, tuple[str, ...]]:
    found: dict[date, tuple[str, ...]] = {}
    for element in times.all("SpecialDayProfile"):
        day_element, name = element.one("specialDayDate"), element.one("dayId")
        if name.text not in profiles:
            raise FormatError(f"there is no day profile with the dayId {name.text!r}", name.line, "dayId")
        try:
            day = date(
                day_element.one("year").number(),
                day_element.one("month").number(),
                day_element.one("day_of_month").number(),
            )
        except (ValueError, OverflowError) as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"specialDayDate is no date: {error}", day_element.line, day_element.name) from None
        if name.text in found.get(day, ()):
            raise FormatError(f"{day} is given twice with the dayId {name.text!r}", element.line, element.name)
        found[day] = (*found.get(day, ()), name.text)
    return found
