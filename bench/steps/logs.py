"""Steps that read the gateway's three logs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.expect import Condition, Look, Truth
from bench.quantity import TIME, parse
from bench.steps.base import ExpectingStep
from bench.steps.counting import Count, Counted
from devices.errors import UsageError

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario

POLL_S = 1.0
"""Seconds between two readings of a log while an entry is waited for."""

NEAR_S: Final = Decimal("0.5")
"""How far a duration that an entry carries may be from the one that is expected (assumed: what a clock drifts between
two synchronisations, and what the bench is late). The sign is left out: no document says from where it is counted."""
_SECONDS: Final = {"_s": Decimal(1), "_ms": Decimal("1e-3")}
"""End of the name of a parameter -> seconds in one count of it."""
_SHOWN = 5
"""Kinds of other entries that are told where the one that was asked for is missing."""


@dataclass(frozen=True)
class LogCondition:
    """An entry stands in a log.

    Attributes:
        book: system, calibration or consumer.
        event: neutral name of the event.
        count: how many entries there must be.
        parameters: what they must carry.
        number: the product's number, ``10064`` or ``15002/1``; None: any.
        consumer: whose consumer log; None: the first consumer's.
    """

    book: str
    event: str
    count: Count
    parameters: dict[str, Any] = field(default_factory=dict)
    number: str | None = None
    consumer: str | None = None
    settle_s: float = 0.0
    polled: bool = True

    def sentence(self) -> str:
        whose = "" if self.consumer is None else f" of {self.consumer}"
        text = f"the {self.book} log{whose} holds {self.count.of('entry', 'entries')} {self.event}"
        if self.number is not None:
            text += f" (number {self.number})"
        if self.parameters:
            text += " with " + ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        return text

    async def look(self, rig: Rig) -> Look:
        event = rig.gateway_type.event(self.event)
        if event.assumed or event.id is None:
            what = ", ".join(event.assumed) or "id"
            rig.assume(f"log event {self.event}", what, event.source, event.note or "no document gives its number")
        whose = () if self.consumer is None else (self.consumer,)
        alike = [
            one
            for one in await rig.records.log(self.book, *whose)
            if self.event in (one["event"], *one.get("events", ()))
        ]
        entries = [entry for entry in alike if self._meant(entry)]
        truth = Truth.YES if len(entries) in self.count else Truth.NO
        seen = self._seen(entries) if entries else self._others(alike)
        return Look(truth, seen, rig.clock.seconds() + POLL_S)

    def _meant(self, entry: dict[str, Any]) -> bool:
        if self.number not in (None, _number_of(entry)):
            return False
        carried = entry.get("parameters") or {}
        return all(_carries(name, carried.get(name), value) for name, value in self.parameters.items())

    def _seen(self, entries: Sequence[dict[str, Any]]) -> str:
        first = entries[0]
        number = _number_of(first)
        number = "no documented id" if number is None else f"id {number}"
        return f"{len(entries)} x {self.event} ({number}, {first.get('level')}), first at {first.get('time')}"

    def _others(self, alike: Sequence[dict[str, Any]]) -> str:
        """That no entry is meant, and what those of the same event have in place of what was asked for."""
        kinds = Counter(self._asked_for(entry) for entry in alike)
        if not kinds:
            return f"no entry {self.event}"
        listed = ", ".join(f"{count} x {what}" for what, count in kinds.most_common(_SHOWN))
        more = f", and {len(kinds) - _SHOWN} others" if len(kinds) > _SHOWN else ""
        return f"{self.event} only with {listed}{more}"

    def _asked_for(self, entry: dict[str, Any]) -> str:
        carried = entry.get("parameters") or {}
        told = [f"{name} {carried.get(name, 'missing')}" for name in self.parameters]
        if self.number is not None:
            told.append(f"number {_number_of(entry) or 'missing'}")
        return " and ".join(told)


@dataclass(frozen=True)
class BookHolds:
    """A log holds so many entries, whatever they say."""

    book: str
    count: Count
    consumer: str | None = None
    settle_s: float = 0.0
    polled: bool = True

    def sentence(self) -> str:
        whose = "" if self.consumer is None else f" of {self.consumer}"
        return f"the {self.book} log{whose} holds {self.count.of('entry', 'entries')}"

    async def look(self, rig: Rig) -> Look:
        whose = () if self.consumer is None else (self.consumer,)
        held = len(await rig.records.log(self.book, *whose))
        return Look(Truth.YES if held in self.count else Truth.NO, f"{held} entries", rig.clock.seconds() + POLL_S)


def _carries(name: str, carried: Any, wanted: Any) -> bool:
    """Whether a parameter is what is wanted; a duration such as ``26 s`` is met by as many seconds, give or take."""
    if str(carried) == str(wanted):
        return True
    unit = next((factor for ending, factor in _SECONDS.items() if name.endswith(ending)), None)
    if unit is None or carried is None:
        return False
    try:
        return abs(abs(Decimal(str(carried)) * unit) - abs(parse(wanted, TIME))) <= NEAR_S
    except (ValueError, ArithmeticError):
        return False


def _number_of(entry: dict[str, Any]) -> str | None:
    """The product's number of an entry as people write it, with its sub number; None when it has none."""
    ident, sub = entry.get("id"), entry.get("sub_id")
    return None if ident is None else f"{ident}" if sub is None else f"{ident}/{sub}"


def _parse_number(value: Any) -> str:
    text = str(value)
    if not _NUMBER.match(text):
        raise ValueError(f"{value!r} is no event number: write it like 10064, 15002/1 or THE.19013.0")
    return text


_NUMBER = re.compile(r"(\d+(/\d+)?|[A-Z]+\.\d+\.\d+)\Z")
EventNumber = Annotated[
    str,
    BeforeValidator(_parse_number),
    WithJsonSchema({"type": ["string", "integer"], "examples": [10064, "15002/1", "THE.19013.0"]}),
]


class LogStep(ExpectingStep):
    """Expect entries in a log.

    Attributes:
        book: which of the three logs.
        has: neutral name of an event that must be there.
        has_not: neutral name of an event that must not be there.
        count: how many (default: at least one).
        entries: how many entries of any event there must be.
        parameters: what the entry must carry.
        number: the product's own number that it must have, such as 10064 or 15002/1.
        consumer: whose consumer log (default: the first consumer's).
    """

    key: ClassVar[str] = "log"
    doc: ClassVar[str] = "expect an entry in the system, calibration or consumer log"
    base_needs: ClassVar[frozenset[str]] = frozenset({"records"})

    book: Literal["system", "calibration", "consumer"]
    has: str | None = None
    has_not: str | None = None
    count: Counted | None = None
    entries: Counted | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    number: EventNumber | None = None
    consumer: str | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> LogStep:
        if self.consumer is not None and self.book != "consumer":
            raise ValueError(f"the {self.book} log is nobody's own: leave 'consumer' away")
        if sum(one is not None for one in (self.has, self.has_not, self.entries)) != 1:
            raise ValueError("say either 'has: EVENT', 'has_not: EVENT' or 'entries: COUNT'")
        if self.entries is not None and (self.count is not None or self.parameters or self.number is not None):
            raise ValueError("'entries' counts all of a log: 'count', 'parameters' and 'number' do not belong here")
        if self.has_not is not None and self.count is not None:
            raise ValueError("'count' belongs to 'has'")
        if self.has_not is not None and self.within is not None:
            raise ValueError("'has_not' within a time is so at once: wait first, use 'for', or watch with 'never'")
        return self

    def needs(self) -> frozenset[str]:
        """A home interface shows a consumer's own log, and no parameters of its entries."""
        inner = self.book != "consumer" or self.parameters
        return self.base_needs | {"internal_logs"} if inner else self.base_needs

    def check(self, scenario: Scenario) -> list[str]:
        from bench.products import gateway_type

        problems = []
        for name in scenario.gateways if self.entries is None else ():
            product = gateway_type(name)
            try:
                event = product.event(self.has or self.has_not or "")
            except UsageError as error:
                problems.append(str(error))
                continue
            unknown = sorted(set(self.parameters) - set(event.parameters)) if self.has_not else []
            if unknown:
                problems.append(f"{self.has_not} of {name} carries no {unknown[0]!r}, so it cannot be found by it")
        return problems[:1]

    def condition(self) -> Condition:
        if self.entries is not None:
            return BookHolds(self.book, self.entries, self.consumer)
        if self.has_not is not None:
            return LogCondition(self.book, self.has_not, Count(0, 0), self.parameters, self.number, self.consumer)
        assert self.has is not None
        count = self.count or Count(1, None)
        return LogCondition(self.book, self.has, count, self.parameters, self.number, self.consumer)
