"""TAF-6, reading on demand: values of the begin of each day, kept for six weeks (wan-core 7.6).

Days are those of local time. Readings are handed on as they are, marked ones with their marks. They are sent only when
the administrator orders one for a participant of the profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.entries import Deletion, Derived, Event, Kind, Output, derived_of
from firmware.metering.tariffs.local_time import is_midnight, local, midnight, next_midnight
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.readings import Point
from firmware.metering.tariffs.rows import Row
from firmware.metering.tariffs.sums import Counters
from firmware.metering.tariffs.use_case import UseCase

KEPT_DAYS: Final = 42
"""How old a daily value may be; older ones are deleted."""


@dataclass(frozen=True, slots=True)
class OnDemand:
    """The answer to an order of a reading on demand.

    Attributes:
        values: the daily values, one per register; empty when refused.
        events: to be logged.
        refused: why there are none, empty: there are.
    """

    values: tuple[Derived, ...] = ()
    events: tuple[Event, ...] = ()
    refused: str = ""


class Taf6(UseCase):
    """Daily values, each register for itself."""

    def __init__(self, profile: EvaluationProfile) -> None:
        super().__init__(profile)
        self._counters = Counters(profile.terms)
        self._held: dict[Derived, list[Any]] = {}
        """Each value that is kept, with its plain form for the state."""
        self._next_s = next_midnight(profile.begin_s - 1)
        self._forget_s = next_midnight(profile.begin_s)

    @property
    def held(self) -> tuple[Derived, ...]:
        """The values that are not deleted yet, in the order of time."""
        return tuple(self._held)

    def take(self, point: Point) -> list[Output]:
        """As `UseCase.take`; deletes what has become too old, unless the reading's time is not to be trusted."""
        found = super().take(point)
        if not point.status.has(GatewayBit.TIME_INVALID):
            self._forget(point.at_s, found)
        return found

    def advance(self, until_s: int) -> list[Output]:
        """As `UseCase.advance`; deletes what has become too old, also after the end of the validity."""
        found = super().advance(until_s)
        self._forget(until_s, found)
        return found

    def on_demand(self, day: date, participant: str, now_s: int) -> OnDemand:
        """The values of the begin of a local day, for a participant."""
        told = {"day": day.isoformat(), "participant": participant}
        if participant not in self.profile.recipients:
            refused = f"evaluation profile {self.profile.name} does not name the participant {participant!r}"
            return OnDemand((), (Event("on_demand_participant_unknown", now_s, told),), refused)
        ordered = (Event("on_demand_reading_ordered", now_s, told),)
        age = (local(now_s).date() - day).days
        if age < 0:
            return OnDemand((), ordered, f"{day} is still to come")
        if age > KEPT_DAYS:
            return OnDemand((), ordered, f"{day} is {age} days ago, values are kept for {KEPT_DAYS} days")
        values = tuple(one for one in self._held if one.at_s == midnight(day))
        if not values:
            return OnDemand((), ordered, f"evaluation profile {self.profile.name} has no value of {day}")
        return OnDemand(values, ordered)

    def _row(self, row: Row, edge: Kind | None, found: list[Output]) -> None:
        daily = row.at_s >= self._next_s
        if daily:
            self._next_s = next_midnight(row.at_s)
            daily = is_midnight(row.at_s)
        kind = edge or (Kind.DAILY if daily else None)
        events: list[Event] = []
        for number, point in enumerate(row.points):
            status = self._counters.read(number, point, events)
            if kind is not None:
                source = point.source
                one = Derived(kind, row.at_s, source.obis, point.amount, status, point.unit, source.meter)
                found.append(one)
                self._held[one] = one.plain()
        found += events

    def _forget(self, now_s: int, found: list[Output]) -> None:
        if now_s < self._forget_s:
            return
        self._forget_s = next_midnight(now_s)
        before_s = midnight(local(now_s).date() - timedelta(days=KEPT_DAYS))
        kept = {one: plain for one, plain in self._held.items() if one.at_s >= before_s}
        if len(kept) < len(self._held):
            self._held = kept
            found.append(Deletion(before_s))

    def _own_state(self) -> Any:
        return {
            "next_s": self._next_s,
            "forget_s": self._forget_s,
            "counters": self._counters.state(),
            "held": list(self._held.values()),
        }

    def _own_restore(self, state: Any) -> None:
        self._next_s, self._forget_s = state["next_s"], state["forget_s"]
        self._counters.restore(state["counters"])
        self._held = {derived_of(plain): plain for plain in state["held"]}
