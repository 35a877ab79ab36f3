"""The supplier's tariff file, IF_Lieferant_TRuDI (han 5.4): stages, day profiles, which day has which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from devices.protocols.trudi.errors import FormatError
from devices.protocols.trudi.export import Register, register_of
from devices.protocols.trudi.xml import ESPI, Element, read_root, text_of

LOCAL = ZoneInfo("Europe/Berlin")
"""Legal time, in which days and switch times are."""
QUARTER = timedelta(minutes=15)
ERROR_STAGE = 63
"""Value group E of the error register."""
MOST_STAGES = 20
"""Tariff stages of a file, the error register not counted."""
MOST_DAYS = 1096
"""Days of a billing period."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_U16 = (1 << 16) - 1
_U32 = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Stage:
    """A tariff stage.

    Attributes:
        number: tariffNumber, to which the day profiles point.
        description: its name.
        register: where it is summed up.
        line: where it stands.
    """

    number: int
    description: str
    register: Register
    line: int | None = None


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
        day_lines: date -> where its last entry stands.
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
    day_lines: Mapping[date, int | None] = field(default_factory=dict)

    def stages_for(self, register: Register) -> tuple[Stage, ...]:
        """The stages of the same quantity, value groups A to D."""
        return tuple(one for one in self.stages if one.register.quantity == register.quantity)

    def error_register(self, register: Register) -> Register:
        """Where goes what belongs to no stage; a file need not name it (han 5.6)."""
        stages = self.stages_for(register)
        named = [one.register for one in stages if one.register.e == ERROR_STAGE]
        return named[0] if named else (stages[0].register if stages else register).stage(ERROR_STAGE)

    def profiles_for(self, register: Register) -> frozenset[str]:
        """The dayIds whose tariff numbers all belong to stages of the same quantity."""
        numbers = {one.number for one in self.stages_for(register)}
        return frozenset(name for name, profile in self.profiles.items() if profile.numbers <= numbers)


def read_supplier(octets: bytes) -> SupplierFile:
    """Read a supplier's file. Raises FormatError with line and element for what is none, or contradicts itself."""
    point = read_root(octets)
    if point.has("MeterReading") and not point.has("AnalysisProfile"):
        reason = "this is a gateway's export, not a supplier's file: it has MeterReadings and no AnalysisProfile"
        raise FormatError(f"{reason} (are the two files swapped?)", point.line, "MeterReading")
    analysis = point.one("AnalysisProfile")
    begin, end = _period(analysis.one("billingPeriod"))
    stages = tuple(_stage(one) for one in analysis.all("TariffStage"))
    _check_stages(analysis, stages)
    use_case = analysis.one("tariffUseCase")
    if use_case.number() not in (1, 2, 6, 7):
        raise FormatError(f"tariffUseCase is {use_case.text}, 1, 2, 6 or 7 are right", use_case.line, use_case.name)
    numbers = frozenset(one.number for one in stages)
    default = analysis.maybe("defaultTariffNumber")
    if default is not None:
        _known_stage(default, numbers)
    trigger = analysis.maybe("TariffChangeTrigger")
    times = None if trigger is None else trigger.maybe("TimeTrigger")
    if times is None and use_case.number() in (1, 2):
        reason = "there is no TariffChangeTrigger with a TimeTrigger, so no day has a tariff stage"
        raise FormatError(reason, analysis.line, "TimeTrigger")
    profiles = {} if times is None else _profiles(times, numbers)
    days, day_lines = ({}, {}) if times is None else _days(times, profiles)
    party = point.maybe("InvoicingParty")
    return SupplierFile(
        usage_point=point.one("usagePointId").text,
        kind=point.one("ServiceCategory", ESPI).one("kind", ESPI).number(),
        supplier="" if party is None else text_of(party, "invoicingPartyId"),
        gateway=point.one("SMGW").one("smgwId").text,
        tariff=point.one("tariffName").text,
        use_case=use_case.number(),
        begin=begin,
        end=end,
        stages=stages,
        default=None if default is None else default.number(),
        profiles=profiles,
        days=days,
        day_lines=day_lines,
    )


def _period(period: Element) -> tuple[datetime, datetime]:
    """Begin and end: on quarters of an hour, at least a day of legal time; one of them has 23 hours."""
    start, duration = period.one("start"), period.one("duration")
    begin = start.instant()
    if (begin - _EPOCH) % QUARTER:
        reason = f"the billing period begins at {begin.isoformat()}, a full quarter of an hour is right"
        raise FormatError(reason, start.line, start.name)
    seconds = duration.number(0, _U32)
    end = begin.astimezone(UTC) + timedelta(seconds=seconds)
    local = begin.astimezone(LOCAL)
    shortest, longest = ((local + timedelta(days=days)).astimezone(UTC) for days in (1, MOST_DAYS))
    if not shortest <= end <= longest:
        reason = f"the billing period of {seconds} s is not between one day and {MOST_DAYS} (from {begin.isoformat()}"
        least = int((shortest - begin).total_seconds())
        raise FormatError(f"{reason} on, one day of legal time has {least} s)", duration.line, duration.name)
    if (end - _EPOCH) % QUARTER:
        told = end.astimezone(begin.tzinfo).isoformat()
        reason = f"the billing period ends at {told}, a full quarter of an hour is right"
        raise FormatError(reason, duration.line, duration.name)
    return begin, end.astimezone(begin.tzinfo)


def _stage(element: Element) -> Stage:
    return Stage(
        element.one("tariffNumber").number(0, _U16),
        text_of(element, "description"),
        register_of(element.one("obisCode")),
        element.line,
    )


def _check_stages(analysis: Element, stages: tuple[Stage, ...]) -> None:
    billed = [one for one in stages if one.register.e != ERROR_STAGE]
    if not billed:
        raise FormatError("the file has no tariff stage", analysis.line, "TariffStage")
    if len(billed) > MOST_STAGES:
        raise FormatError(f"the file has {len(billed)} tariff stages, at most {MOST_STAGES} are right", analysis.line)
    numbers: set[int] = set()
    registers: dict[Register, int] = {}
    for one in stages:
        if one.number in numbers:
            raise FormatError(f"two tariff stages have the number {one.number}", one.line, "tariffNumber")
        if one.register in registers:
            reason = f"the tariff stages {registers[one.register]} and {one.number} have the same obisCode"
            raise FormatError(f"{reason}, {one.register}", one.line, "obisCode")
        if one.register.e == 0:
            reason = f"the tariff stage {one.number} has the obisCode {one.register}, which is that of the total"
            raise FormatError(f"{reason}: a stage has another value group E than 0", one.line, "obisCode")
        numbers.add(one.number)
        registers[one.register] = one.number


def _known_stage(element: Element, known: frozenset[int]) -> int:
    """A tariff number that one of the file's stages has."""
    number = element.number()
    if number not in known:
        there = ", ".join(map(str, sorted(known)))
        reason = f"{element.name} is {number}, but no TariffStage has that number (there are: {there})"
        raise FormatError(reason, element.line, element.name)
    return number


def _profiles(times: Element, known: frozenset[int]) -> dict[str, DayProfile]:
    found: dict[str, DayProfile] = {}
    for element in times.all("DayProfile"):
        name = element.one("dayId").text
        if name in found:
            raise FormatError(f"two day profiles have the dayId {name!r}", element.line, "dayId")
        entries = element.all("DayTimeProfile")
        switches: dict[time, int] = {}
        for one in entries:
            start = _start(one.one("startTime"))
            if start in switches:
                reason = f"the day profile {name!r} has two entries for {start:%H:%M}"
                raise FormatError(reason, one.line, "DayTimeProfile")
            switches[start] = _known_stage(one.one("tariffNumber"), known)
        if not switches:
            raise FormatError(f"the day profile {name!r} is empty", element.line, "DayTimeProfile")
        found[name] = DayProfile(name, tuple(sorted(switches.items())), element.line)
    return found


def _start(element: Element) -> time:
    parts = {name: element.maybe(name) for name in ("hour", "minute", "second", "hundreds")}
    numbers = {name: 0 if part is None else part.number(0, 255) for name, part in parts.items()}
    try:
        start = time(numbers["hour"], numbers["minute"], numbers["second"])
    except ValueError as error:
        raise FormatError(f"startTime is no time of a day: {error}", element.line, element.name) from None
    if start.minute % 15 or start.second or numbers["hundreds"]:
        raise FormatError(f"startTime {start} is no multiple of 15 min", element.line, element.name)
    return start


def _days(
    times: Element, profiles: Mapping[str, DayProfile]
) -> tuple[dict[date, tuple[str, ...]], dict[date, int | None]]:
    """Date -> dayIds, and date -> line."""
    found: dict[date, tuple[str, ...]] = {}
    lines: dict[date, int | None] = {}
    for element in times.all("SpecialDayProfile"):
        day_element, name = element.one("specialDayDate"), element.one("dayId")
        if name.text not in profiles:
            raise FormatError(f"there is no day profile with the dayId {name.text!r}", name.line, "dayId")
        try:
            day = date(
                day_element.one("year").number(0, _U16),
                day_element.one("month").number(0, 255),
                day_element.one("day_of_month").number(0, 255),
            )
        except ValueError as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"specialDayDate is no date: {error}", day_element.line, day_element.name) from None
        if name.text in found.get(day, ()):
            raise FormatError(f"{day} is given twice with the dayId {name.text!r}", element.line, element.name)
        found[day] = (*found.get(day, ()), name.text)
        lines[day] = element.line
    if not found:
        raise FormatError("TimeTrigger has no SpecialDayProfile, each day needs one", times.line, "SpecialDayProfile")
    return found, lines
