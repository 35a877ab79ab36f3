"""Steps that read the gateway's three logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from bench.expect import Condition, Look, Truth
from bench.steps.base import ExpectingStep
from bench.steps.counting import Count, Counted
from devices.errors import UsageError

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario

POLL_S = 1.0
"""Seconds between two readings of a log while an entry is waited for."""


@dataclass(frozen=True)
class LogCondition:
    """An entry stands in a log.

    Attributes:
        book: system, calibration or consumer.
        event: neutral name of the event.
        count: how many entries there must be.
        parameters: what they must carry.
    """

    book: str
    event: str
    count: Count
    parameters: dict[str, Any] = field(default_factory=dict)
    settle_s: float = 0.0

    def sentence(self) -> str:
        text = f"the {self.book} log holds {self.count} {'entry' if self.count.most == 1 else 'entries'} {self.event}"
        if self.parameters:
            text += " with " + ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        return text

    async def look(self, rig: Rig) -> Look:
        entries = [entry for entry in await rig.records.log(self.book) if self._meant(entry)]
        truth = Truth.YES if len(entries) in self.count else Truth.NO
        return Look(truth, self._seen(entries), rig.clock.seconds() + POLL_S)

    def _meant(self, entry: dict[str, Any]) -> bool:
        if entry["event"] != self.event:
            return False
        carried = entry.get("parameters") or {}
        return all(str(carried.get(name)) == str(value) for name, value in self.parameters.items())

    def _seen(self, entries: Sequence[dict[str, Any]]) -> str:
        if not entries:
            return f"no entry {self.event}"
        first = entries[0]
        ident = first.get("id")
        sub = first.get("sub_id")
        number = "no documented id" if ident is None else f"id {ident}" + ("" if sub is None else f"/{sub}")
        return f"{len(entries)} x {self.event} ({number}, {first.get('level')}), first at {first.get('time')}"


class LogStep(ExpectingStep):
    """Expect entries in a log.

    Attributes:
        book: which of the three logs.
        has: neutral name of an event that must be there.
        has_not: neutral name of an event that must not be there.
        count: how many (default: at least one).
        parameters: what the entry must carry.
    """

    key: ClassVar[str] = "log"
    doc: ClassVar[str] = "expect an entry in the system, calibration or consumer log"
    base_needs: ClassVar[frozenset[str]] = frozenset({"records"})

    book: Literal["system", "calibration", "consumer"]
    has: str | None = None
    has_not: str | None = None
    count: Counted | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_thing(self) -> LogStep:
        if (self.has is None) == (self.has_not is None):
            raise ValueError("say either 'has: EVENT' or 'has_not: EVENT'")
        if self.has_not is not None and self.count is not None:
            raise ValueError("'count' belongs to 'has'")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        from bench.products import gateway_type

        problems = []
        for name in scenario.gateways:
            product = gateway_type(name)
            try:
                product.event(self.has or self.has_not or "")
            except UsageError as error:
                problems.append(str(error))
        return problems[:1]

    def condition(self) -> Condition:
        if self.has_not is not None:
            return LogCondition(self.book, self.has_not, Count(0, 0), self.parameters)
        assert self.has is not None
        return LogCondition(self.book, self.has, self.count or Count(1, None), self.parameters)
