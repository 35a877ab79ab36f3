"""TAF-1, the data-sparing tariff: one stage, one reading per billing period (wan-core 7.6)."""

from __future__ import annotations

from typing import Any

from firmware.metering.tariffs.entries import Derived, Event, Kind, Output
from firmware.metering.tariffs.errors import ProfileError
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.rows import Row
from firmware.metering.tariffs.sums import Sum
from firmware.metering.tariffs.use_case import UseCase


class Taf1(UseCase):
    """Readings of the total at the begin, at the end of each billing period, at the end."""

    def __init__(self, profile: EvaluationProfile) -> None:
        super().__init__(profile)
        if profile.billing is None:
            raise ProfileError(f"evaluation profile {profile.name} of TAF-1 has no billing period")
        self._billing = profile.billing
        self._due_s = self._billing.next_after(profile.begin_s, profile.begin_s)
        self._sum = Sum(profile.terms)

    def _row(self, row: Row, edge: Kind | None, found: list[Output]) -> None:
        events: list[Event] = []
        total = self._sum.total(row, events)
        found += events
        kind = edge
        if row.at_s >= self._due_s:
            kind = edge or Kind.BILLING
            self._due_s = self._billing.next_after(row.at_s, self.profile.begin_s)
        if kind is not None:
            register = self.profile.terms[0].source.obis
            found.append(Derived(kind, row.at_s, register, total.amount, total.status, total.unit))

    def _own_state(self) -> Any:
        return {"due_s": self._due_s, "counters": self._sum.counters.state()}

    def _own_restore(self, state: Any) -> None:
        self._due_s = state["due_s"]
        self._sum.counters.restore(state["counters"])
