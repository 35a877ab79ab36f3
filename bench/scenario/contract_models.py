"""What a scenario says of contracts: tariff use cases with their registers, spans, switch tables and triggers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from bench.quantity import Duration
from bench.register_units import amount_of, parse_quantity
from bench.written import Written
from devices.protocols.sml.obis import format_obis, parse_obis

LOCAL: Final = ZoneInfo("Europe/Berlin")
"""Legal time of the contracts."""
CONSUMER: Final = "consumer-1"
"""Whose contract it is unless told; the consumer whom the gateway knows from the begin."""
PERIOD: Final = timedelta(minutes=15)
"""Registration period unless the contract or its meters say otherwise."""
TOTAL_STAGE: Final = 0
ERROR_STAGE: Final = 63
"""Registers of TAF-2 beside those of its stages: the total, and what nobody knows the stage of (han 5.6)."""
SAMPLED: Final = frozenset((9, 10, 14))
"""Use cases of measured values, which may have a pseudonym and triggers."""

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_LOCAL: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2})(?::00)?\Z")
_BILLING: Final = re.compile(r"(\d{1,4})\s*(day|week|month|year)s?\Z")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\Z")
_DATE: Final = re.compile(r"(?:(\d{4})-)?(\d{2})-(\d{2})\Z")


def parse_instant(value: Any) -> datetime:
    """An instant: local legal time such as ``2026-03-28 00:00``, or one with its zone."""
    if isinstance(value, datetime):
        return value
    text = str(value).strip()
    match = _LOCAL.match(text)
    try:
        if match is None:
            found = datetime.fromisoformat(text)
        else:
            found = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=LOCAL)
    except ValueError:
        raise ValueError(f"{text!r} is no instant: write it like 2026-03-28 00:00, in local legal time") from None
    if found.tzinfo is None:
        raise ValueError(f"{text!r} is no instant: write it like 2026-03-28 00:00, in local legal time")
    later = found.replace(fold=1)
    if match is not None and found.utcoffset() != later.utcoffset():
        if later.timestamp() > found.timestamp():
            raise ValueError(f"{text} comes twice that day: write {text[:10]}T{match[2]}+02:00, or +01:00")
        raise ValueError(f"{text} does not exist: the clock is put forward that day")
    return found


Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant),
    WithJsonSchema({"type": "string", "examples": ["2026-03-28 00:00", "2026-10-25T02:30+01:00"]}),
]


def full_obis(text: str) -> str:
    """``1-0:1.8.0*255`` of ``1.8.0``."""
    return format_obis(parse_obis(text))


def staged(register: str, stage: int) -> str:
    """The register of the same quantity for a tariff stage, value group E."""
    code = bytearray(parse_obis(register))
    code[4] = stage
    return format_obis(bytes(code))


def parse_clock(text: str) -> time:
    """A local time of the day such as ``06:15``."""
    match = _CLOCK.match(str(text))
    if match is None:
        raise ValueError(f'{str(text)!r} is no time of the day: write it like "06:15"')
    return time(int(match[1]), int(match[2]))


def parse_date(text: str) -> tuple[int | None, int, int]:
    """Year, None for every year, month and day of ``2026-05-01`` or ``12-25``."""
    match = _DATE.match(str(text))
    if match is None:
        raise ValueError(f"{str(text)!r} is no date: write it like 2026-05-01, or 12-25 for every year")
    year, month, day = None if match[1] is None else int(match[1]), int(match[2]), int(match[3])
    try:
        date(2000 if year is None else year, month, day)
    except ValueError:
        raise ValueError(f"there is no {text}") from None
    return year, month, day


Text = Annotated[str, BeforeValidator(str)]
"""A text; what a file holds as a number is one as well, so that what it lacks can be told."""
Switches = dict[str, int]
"""Local time of the day -> the stage that holds from then on."""


def check_switches(value: Switches) -> Switches:
    """The same; ValueError for what is no table of a day."""
    if not value:
        raise ValueError('a day has at least one switch, such as {"00:00": 2}')
    for text in value:
        parse_clock(text)
    return value


class GivenSeason(Written):
    """A part of the year.

    Attributes:
        begin: month and day of every year, such as 04-01.
        week: day profiles from Monday to Sunday.
    """

    begin: str
    week: tuple[str, ...]

    @field_validator("begin")
    @classmethod
    def _begin(cls, value: str) -> str:
        if parse_date(value)[0] is not None:
            raise ValueError("a season begins every year: write it like 04-01")
        return value


class GivenCalendar(Written):
    """A switch table.

    Attributes:
        days: name -> local time -> stage.
        week: day profiles from Monday to Sunday, all the year.
        seasons: name -> season, in place of `week`.
        special_days: date, with or without year -> day profile.
        default: stage of what the table leaves open.
    """

    days: dict[str, Switches]
    week: tuple[str, ...] = ()
    seasons: dict[str, GivenSeason] = Field(default_factory=dict)
    special_days: dict[str, str] = Field(default_factory=dict)
    default: int | None = None

    @field_validator("days")
    @classmethod
    def _days(cls, value: dict[str, Switches]) -> dict[str, Switches]:
        for switches in value.values():
            check_switches(switches)
        return value

    @field_validator("special_days")
    @classmethod
    def _special(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value:
            parse_date(text)
        return value

    @model_validator(mode="after")
    def _one_year(self) -> GivenCalendar:
        if self.week and self.seasons:
            raise ValueError("say either 'week', for all the year, or 'seasons'")
        return self

    @property
    def plain(self) -> dict[str, Any]:
        """As the gateway takes it."""
        seasons = self.seasons or ({"year": GivenSeason(begin="01-01", week=self.week)} if self.week else {})
        return {
            "days": [
                {"name": name, "switches": [{"at": at, "stage": stage} for at, stage in switches.items()]}
                for name, switches in self.days.items()
            ],
            "weeks": [{"name": name, "days": list(season.week)} for name, season in seasons.items()],
            "seasons": [
                {"name": name, "month": parse_date(season.begin)[1], "day": parse_date(season.begin)[2], "week": name}
                for name, season in seasons.items()
            ],
            "special_days": [
                dict(zip(("year", "month", "day"), parse_date(text), strict=True)) | {"profile": profile}
                for text, profile in self.special_days.items()
            ],
            "default": self.default,
        }

    @property
    def stages(self) -> frozenset[int]:
        """All stages that it names."""
        named = {stage for switches in self.days.values() for stage in switches.values()}
        return frozenset(named if self.default is None else named | {self.default})


class GivenSending(Written):
    """What lets the gateway send measured values, TAF-9, 10 and 14, or with `every` or `each` lists of TAF-1, 2 and 7.

    Attributes:
        on_demand: an order of the administrator.
        every: periodically.
        over: register -> limit that triggers when it is passed; ``hysteresis``: how far back it must come.
        under: the same downwards.
        each: every sample at once.
        aggregates: what periodic sending adds.
        capacity: samples that are kept.
        persistent: samples outlive a power cut.
    """

    on_demand: bool = False
    every: Duration | None = None
    over: dict[str, Text] = Field(default_factory=dict)
    under: dict[str, Text] = Field(default_factory=dict)
    each: bool = False
    aggregates: tuple[str, ...] = ()
    capacity: int | None = Field(default=None, ge=0, le=1_000_000)
    persistent: bool | None = None

    @field_validator("over", "under")
    @classmethod
    def _limits(cls, value: dict[str, str]) -> dict[str, str]:
        if set(value) == {"hysteresis"}:
            raise ValueError("a hysteresis needs its limit, such as {16.7.0: 5 kW, hysteresis: 500 W}")
        back = parse_quantity(value["hysteresis"])[1] if "hysteresis" in value else None
        for name, limit in value.items():
            if name == "hysteresis":
                continue
            unit = amount_of(name, limit)[1]
            if back not in (None, unit):
                raise ValueError(f"the hysteresis is in {back}, the limit of {name} in {unit}")
        return value

    @field_validator("aggregates")
    @classmethod
    def _aggregates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one not in ("minimum", "maximum", "mean"):
                raise ValueError(f"{one!r} is none of minimum, maximum, mean")
        return value


def _registers(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not value:
        raise ValueError("say which registers of which meters: {house: 1.8.0}")
    found: dict[str, tuple[str, ...]] = {}
    for meter, written in value.items():
        codes = tuple(str(one) for one in (written if isinstance(written, list | tuple) else [written]))
        for code in codes:
            parse_obis(code.removeprefix("-"))
        found[str(meter)] = codes
    return found


class GivenContract(Written):
    """A contract: an evaluation profile and what it says beyond.

    Attributes:
        taf: number of the tariff use case.
        meters: meter -> register, or several; with ``-`` before it a register is taken off.
        begin: first instant of its validity, local legal time.
        end: last instant; none: open.
        billing: billing period, such as ``1 month``.
        switches: local time -> stage, when all days are alike.
        calendar: switch table, when they are not.
        stages: tariff stages; unless told, those of the switch table.
        period: registration period, sampling period of TAF-9, 10 and 14; unless told, that of its meters.
        consumer: whose it is.
        recipients: market participants who get its values.
        pseudonym: stands for the meter in what is sent.
        pseudonymised: false: the contract does without the pseudonym.
        billing_relevant: whether values may be billed; unless told, those of TAF-1, 2, 6 and 7.
        send: triggers of TAF-9, 10 and 14.
        id: name of its profile in the gateway; unless told, the contract's.
    """

    taf: int = Field(ge=0, le=255)
    meters: Annotated[
        dict[str, tuple[str, ...]],
        BeforeValidator(_registers),
        WithJsonSchema(
            {
                "type": "object",
                "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                "examples": [{"house": "1.8.0", "roof": "-2.8.0"}],
            }
        ),
    ]
    begin: Instant
    end: Instant | None = None
    billing: str | None = None
    switches: Switches | None = None
    calendar: GivenCalendar | None = None
    stages: tuple[int, ...] | None = None
    period: Duration | None = None
    consumer: str = CONSUMER
    recipients: tuple[str, ...] = ()
    pseudonym: str | None = None
    pseudonymised: bool = True
    billing_relevant: bool | None = None
    send: GivenSending | None = None
    id: str | None = None

    @field_validator("billing")
    @classmethod
    def _billing(cls, value: str | None) -> str | None:
        if value is not None and not _BILLING.match(value):
            raise ValueError(f"{value!r} is no billing period: write it like '1 month' or '14 days'")
        return value

    @field_validator("switches")
    @classmethod
    def _switches(cls, value: Switches | None) -> Switches | None:
        return None if value is None else check_switches(value)

    @field_validator("recipients")
    @classmethod
    def _recipients(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not _NAME.match(one):
                raise ValueError(f"{one!r} is no name: letters, digits, '.', '-' and '_'")
        return value

    @model_validator(mode="after")
    def _one_table(self) -> GivenContract:
        if self.switches is not None and self.calendar is not None:
            raise ValueError("say either 'switches', when all days are alike, or 'calendar'")
        return self

    @property
    def table(self) -> GivenCalendar | None:
        """The switch table, also when all days are alike."""
        if self.switches is None:
            return self.calendar
        first = self.switches.get("00:00", next(iter(self.switches.values())))
        return GivenCalendar(days={"day": self.switches}, week=("day",) * 7, default=first)

    @property
    def terms(self) -> list[tuple[str, str, int]]:
        """Meter, OBIS code and sign of each register."""
        return [
            (meter, full_obis(code.removeprefix("-")), -1 if code.startswith("-") else 1)
            for meter, codes in self.meters.items()
            for code in codes
        ]

    @property
    def billing_period(self) -> tuple[int, str] | None:
        """Number and ``day`` or ``month``."""
        if self.billing is None:
            return None
        match = _BILLING.match(self.billing)
        assert match is not None
        number, unit = int(match[1]), match[2]
        return {"week": (number * 7, "day"), "year": (number * 12, "month")}.get(unit, (number, unit))

    def period_with(self, of_meters: list[timedelta | None]) -> timedelta:
        """The registration period, given what its meters say."""
        if self.period is not None:
            return self.period
        said = [one for one in of_meters if one is not None]
        return max(said, default=PERIOD)

    def plain(self, name: str, devices: dict[str, str], period: timedelta) -> dict[str, Any]:
        """As the gateway takes it.

        Args:
            name: of the contract.
            devices: name of a meter in the scenario -> its number.
            period: registration period.
        """
        table = self.table
        stages = self.stages
        if stages is None:
            stages = tuple(sorted(table.stages)) if table is not None else ()
        billing = self.billing_period
        relevant = self.taf not in SAMPLED if self.billing_relevant is None else self.billing_relevant
        told: dict[str, Any] = {
            "kind": "evaluation",
            "id": self.id or name,
            "use_case": self.taf,
            "terms": [{"meter": devices[meter], "obis": obis, "sign": sign} for meter, obis, sign in self.terms],
            "consumer": self.consumer,
            "begin": self.begin.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "recipients": list(self.recipients),
            "period_s": int(period.total_seconds()),
            "billing": None if billing is None else {"count": billing[0], "unit": billing[1]},
            "stages": list(stages),
            "calendar": None if table is None else table.plain,
            "pseudonymised": self.pseudonymised,
            "billing_relevant": relevant,
        }
        if self.pseudonym is not None:
            told["pseudonym"] = self.pseudonym
        if self.send is not None:
            told["sending"] = self._plain_sending(self.send, devices)
        return told

    def _plain_sending(self, send: GivenSending, devices: dict[str, str]) -> dict[str, Any]:
        told: dict[str, Any] = {
            "on_demand": send.on_demand,
            "every_s": None if send.every is None else int(send.every.total_seconds()),
            "thresholds": [
                {**self.source(code, devices), "over": over, "limit": limit, "hysteresis": back}
                for over, limits in ((True, send.over), (False, send.under))
                for code, limit, back in _limits_of(limits)
            ],
            "each": send.each,
            "aggregates": list(send.aggregates),
        }
        if send.capacity is not None:
            told["capacity"] = send.capacity
        if send.persistent is not None:
            told["persistent"] = send.persistent
        return told

    def source(self, code: str, devices: dict[str, str]) -> dict[str, str]:
        """Whose register a limit is for: the meter of the contract that has it, else the first one."""
        wanted = full_obis(code)
        having = [meter for meter, obis, _ in self.terms if obis == wanted]
        meter = having[0] if having else next(iter(self.meters))
        return {"meter": devices[meter], "obis": wanted}


class GivenParticipant(Written):
    """A market participant.

    Attributes:
        known: whether the gateway has a communication profile of his when a contract names him.
    """

    known: bool = True


def _limits_of(limits: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    back = parse_quantity(limits["hysteresis"])[0] if "hysteresis" in limits else Decimal(0)
    for code, limit in limits.items():
        if code != "hysteresis":
            yield code, format(parse_quantity(limit)[0], "f"), format(back, "f")


def derived_registers(given: GivenContract) -> frozenset[str]:
    """Registers of its derived entries; those of a sum go by the name of its first term."""
    first = given.terms[0][1]
    if given.taf == 1:
        return frozenset((first,))
    if given.taf == 2:
        named = given.table.stages if given.table is not None else ()
        stages = given.stages if given.stages is not None else named
        return frozenset(staged(first, stage) for stage in (TOTAL_STAGE, *stages, ERROR_STAGE))
    return frozenset(obis for _, obis, _ in given.terms) if given.taf == 6 else frozenset()


def sent_registers(given: GivenContract) -> frozenset[str]:
    """Registers that may be sent to its recipients: what is read, and what is derived."""
    return derived_registers(given) | {obis for _, obis, _ in given.terms}


def contract_mistakes(contracts: dict[str, GivenContract], meters: set[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with contracts among the meters of a scenario: the field, below given.contracts, and why."""
    known = ", ".join(sorted(meters)) or "none is given"
    for name, one in contracts.items():
        if not _NAME.match(name):
            yield (name,), f"the contract {name!r} has no name of letters, digits, '.', '-' and '_'"
        for meter in one.meters:
            if meter not in meters:
                yield (name, "meters", meter), f"there is no meter {meter!r} under given.meters ({known})"
        table = one.table
        if table is None:
            continue
        for where, days in _days_named(table):
            for day in days:
                if day not in table.days:
                    yield (name, "calendar", *where), f"there is no day profile {day!r} ({', '.join(table.days)})"
            if where[-1] == "week" and len(days) != 7:
                yield (name, "calendar", *where), f"a week has seven days, from Monday to Sunday, not {len(days)}"


def _days_named(table: GivenCalendar) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    if table.week:
        yield ("week",), table.week
    for name, season in table.seasons.items():
        yield ("seasons", name, "week"), season.week
    for text, day in table.special_days.items():
        yield ("special_days", text), (day,)
