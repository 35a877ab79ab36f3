"""Usage points: a consumer's contracts as programs see them, each with databases of channels (han 3.2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from devices.errors import UsageError
from firmware.config import Options
from firmware.han.view import ConsumerView, HanContract
from firmware.metering.derived import DerivedEntry
from firmware.metering.signed_octets import logical_name
from firmware.metering.tariffs.entries import Kind
from firmware.metering.tariffs.profile import MEASURED
from firmware.metering.tariffs.readings import ERROR_STAGE, TOTAL, groups, staged

ORIGIN: Final = "origin"
DERIVED: Final = "derived"
CALCULATED: Final = "calculated"
DAILY: Final = "daily"
DATABASES: Final = (ORIGIN, DERIVED, CALCULATED, DAILY)
FOR_EVER: Final = 1 << 40
"""An instant after all others, seconds since 1970."""
_DAILY_CASE: Final = 6
_OF_PERIODS: Final = frozenset((Kind.FIRST, Kind.LAST, Kind.BILLING, Kind.SWITCH))
_OF_DAYS: Final = frozenset((Kind.FIRST, Kind.DAILY, Kind.LAST))
"""All that TAF-6 keeps: its first value is that of the first midnight, or of the begin inside a day."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One list of values.

    Attributes:
        code: OBIS code in 12 hexadecimal digits.
        obis: ``1-0:1.8.0*255``.
        owner: meter, or for what the gateway works out the contract; lower case.
        meter: its number as stored; empty for what the gateway works out.
        contract: whose derived values they are; empty for original ones.
    """

    code: str
    obis: str
    owner: str
    meter: str = ""
    contract: str = ""

    @property
    def logical_name(self) -> str:
        """``0100010800ff.1lgz0067558611.sm``."""
        return f"{self.code}.{self.owner}.sm"

    def is_named(self, text: str) -> bool:
        """Whether a caller means it: by its code, or by its whole name."""
        return text.lower() in (self.code, self.logical_name)


@dataclass(frozen=True, slots=True)
class Point:
    """A usage point.

    Attributes:
        id: ``01005e318021.taf1-1.sm``.
        contract: the contract.
        daily: one of TAF-6: itself; another: the contracts of TAF-6 over the same registers, whose values are its daily
            ones: a reading on demand belongs to a contract of another use case (han 5.1).
    """

    id: str
    contract: HanContract
    daily: tuple[HanContract, ...]

    @property
    def use_case(self) -> int:
        """Number of the TAF."""
        return self.contract.contract.use_case

    @property
    def stored(self) -> bool:
        """Whether its values are kept; those of TAF-9, 10 and 14 can be read while they are present (han 3.4)."""
        return self.use_case not in MEASURED

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases that it has."""
        own: dict[int, tuple[str, ...]] = {1: (ORIGIN, DERIVED), 2: (ORIGIN, DERIVED, CALCULATED), 6: (DAILY,)}
        found = own.get(self.use_case, (ORIGIN,))
        return (*found, DAILY) if self.daily and DAILY not in found else found

    def channels(self, database: str) -> tuple[Channel, ...]:
        """The channels of a database, none of one that it does not have."""
        if database not in self.databases:
            return ()
        if database == ORIGIN:
            registers = dict.fromkeys(self.contract.contract.registers)
            return tuple(_channel(obis, meter, meter=meter) for meter, obis in registers)
        if database == DAILY:
            return tuple(
                _channel(obis, one.id, meter=meter, contract=one.id)
                for one in self.daily
                for meter, obis in dict.fromkeys(one.contract.registers)
                if (meter, obis) in self.contract.contract.registers
            )
        return tuple(_channel(obis, self.contract.id, contract=self.contract.id) for obis in self._worked_out(database))

    def _worked_out(self, database: str) -> tuple[str, ...]:
        """TAF-1 has the total, TAF-2 the total and, calculated, one register for each stage and that of errors."""
        evaluation = self.contract.profile.evaluation
        obis = self.contract.contract.registers[0][1]
        if self.use_case == 1:
            return (obis,)
        if database == DERIVED:
            return (staged(obis, TOTAL),)
        return tuple(staged(obis, one) for one in sorted((*evaluation.stages, ERROR_STAGE)))

    def within(self, begin_s: int, end_s: int) -> tuple[int, int]:
        """A span as far as the contract reaches: before and after it the values are somebody else's business."""
        contract = self.contract.contract
        return max(begin_s, contract.begin_s), end_s if contract.end_s is None else min(end_s, contract.end_s)


def derived_values(view: ConsumerView, channel: Channel, begin_s: int, end_s: int) -> Iterator[DerivedEntry]:
    """The derived values of a channel that have one, both bounds included, the oldest first."""
    for one in view.derived(channel.contract, begin_s, end_s):
        what = one.derived
        if what.register != channel.obis or what.amount is None:
            continue
        wanted = what.kind in _OF_PERIODS
        if channel.meter:  # the daily values of one meter
            wanted = what.kind in _OF_DAYS and what.meter in (channel.meter, "")
        if wanted:
            yield one


def last_derived(view: ConsumerView, channel: Channel, point: Point, now_s: int) -> DerivedEntry | None:
    """The newest derived value of a channel; looked for in ever longer spans, as mostly it is a recent one."""
    begin_s, end_s = point.within(-FOR_EVER, FOR_EVER)
    until_s = min(end_s, now_s)
    for days in (2, 40, 400, None):
        since_s = begin_s if days is None else max(begin_s, until_s - days * 86_400)
        newest = next(iter(deque(derived_values(view, channel, since_s, end_s), maxlen=1)), None)
        if newest is not None or since_s <= begin_s:
            return newest
    return None


class Points:
    """The usage points of one consumer.

    Args:
        view: what he may see.
        options: the codes of use cases in names.
    """

    def __init__(self, view: ConsumerView, options: Options) -> None:
        self._contracts = view.contracts()
        self._codes = codes_of(options)

    def all(self) -> tuple[Point, ...]:
        """All of them in the order of installation; contracts whose use case has no code are left out."""
        return tuple(self._point(one) for one in self._contracts if one.contract.use_case in self._codes)

    def named(self, text: str) -> Point | None:
        """One by its id; None when he has none of that id."""
        return next((one for one in self.all() if one.id == text), None)

    def _point(self, one: HanContract) -> Point:
        registers = frozenset(one.contract.registers)
        daily: tuple[HanContract, ...] = (one,)
        if one.contract.use_case != _DAILY_CASE:
            others = (other for other in self._contracts if other.contract.use_case == _DAILY_CASE)
            daily = tuple(other for other in others if registers & frozenset(other.contract.registers))
        return Point(f"01005e3180{self._codes[one.contract.use_case]}.{one.id}.sm", one, daily)


def codes_of(options: Options) -> dict[int, str]:
    """Use case -> the last octet of the object's name.

    Raises:
        UsageError: the option is written wrongly.
    """
    found: dict[int, str] = {}
    for part in options.han_conexa_point_codes.split():
        number, _, code = part.partition(":")
        if not number.isdigit() or len(code) != 2 or not set(code) <= set("0123456789abcdef"):
            raise UsageError(f"{part!r} in han_conexa_point_codes", hint="use case and two hexadecimal digits, 7:27")
        found[int(number)] = code
    return found


def _channel(obis: str, owner: str, meter: str = "", contract: str = "") -> Channel:
    code = logical_name(obis, "").split(".", 1)[0]
    return Channel(code, obis, owner.lower(), meter, contract)


def energy(obis: str) -> bool:
    """Whether a register counts energy of electricity."""
    a, _, _, d, _, _ = groups(obis)
    return a == 1 and d == 8
