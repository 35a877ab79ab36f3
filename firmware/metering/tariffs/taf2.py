"""TAF-2, the time-variable tariff: what is used is credited to the stage that held meanwhile (wan-core 7.6, han 5.6).

Registers begin with nothing when validity begins and only add up. What passed between two usable readings goes to the
stage that held all that time; with a switch in between nobody knows where it belongs: it goes to the error register,
E = 63. So the stages and the error register together are always what the total has risen by. At the begin, at each
switch, at the end of each billing period and at the end there is an entry of every register; where the total has no
usable value at that instant the registers have none either. What goes to the error register is told.
"""

from __future__ import annotations

from typing import Any

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.calendar import Segment
from firmware.metering.tariffs.entries import Derived, Event, Kind, Output
from firmware.metering.tariffs.errors import ProfileError
from firmware.metering.tariffs.local_time import utc
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.readings import ERROR_STAGE, TOTAL, Amount, amount_of, staged, with_bits
from firmware.metering.tariffs.rows import Row
from firmware.metering.tariffs.sums import Sum, Total
from firmware.metering.tariffs.use_case import UseCase


class Taf2(UseCase):
    """Registers of the stages, the error register and the total."""

    def __init__(self, profile: EvaluationProfile) -> None:
        super().__init__(profile)
        if profile.calendar is None:
            raise ProfileError(f"evaluation profile {profile.name} of TAF-2 has no switch table")
        self._calendar = profile.calendar
        self._check_covered(profile.end_s)
        self._due_s = None if profile.billing is None else profile.billing.next_after(profile.begin_s, profile.begin_s)
        self._sum = Sum(profile.terms)
        self._obis = profile.terms[0].source.obis
        self._segment: Segment | None = None
        self._last: Amount | None = None
        self._last_s = profile.begin_s
        self._unit: int | None = None
        self._not_for_billing = False
        self._amounts: dict[int, Amount] = {stage: Amount(0) for stage in (*profile.stages, ERROR_STAGE)}

    @property
    def stage(self) -> int | None:
        """The stage that holds, None before the first reading."""
        return None if self._segment is None else self._segment.stage

    def registers(self) -> dict[str, Amount]:
        """OBIS code -> what is credited so far, for each stage and the error register."""
        return {staged(self._obis, stage): amount for stage, amount in sorted(self._amounts.items())}

    def end_at(self, end_s: int | None) -> list[Output]:
        """As `UseCase.end_at`; refused as well when the switch table does not reach that far."""
        self._check_covered(end_s)
        return super().end_at(end_s)

    def _check_covered(self, end_s: int | None) -> None:
        day = self._calendar.first_day_without_entry(self.profile.begin_s, end_s)
        if day is not None:
            raise ProfileError(f"the switch table of evaluation profile {self.profile.name} has no entry for {day}")

    def _row(self, row: Row, edge: Kind | None, found: list[Output]) -> None:
        events: list[Event] = []
        total = self._sum.total(row, events)
        found += events
        if total.usable:
            self._credit(total, found)
        before, kind = self._segment, edge
        if self._due_s is not None and self.profile.billing is not None and row.at_s >= self._due_s:
            kind = edge or Kind.BILLING
            self._due_s = self.profile.billing.next_after(row.at_s, self.profile.begin_s)
        if before is None or (row.at_s >= before.end_s and edge is not Kind.LAST):
            self._segment = self._calendar.segment_at(row.at_s)
            if before is not None and self._segment.stage != before.stage:
                kind = kind or Kind.SWITCH
                found.append(self._switched(row.at_s, before.stage, self._segment.stage))
        if kind is not None:
            self._enter(kind, total, found)

    def _credit(self, total: Total, found: list[Output]) -> None:
        """Add what has passed since the last usable reading."""
        if total.amount is None:
            return
        self._not_for_billing |= total.status.has(GatewayBit.NOT_FOR_BILLING)
        self._unit = total.unit if self._unit is None else self._unit
        if self._last is None:
            self._amounts = {stage: Amount(0, total.amount.scaler) for stage in self._amounts}
        else:
            stage, rise = self._stage_since(self._last_s, total.at_s), total.amount - self._last
            self._amounts[stage] = self._amounts.get(stage, Amount(0)) + rise
            if stage == ERROR_STAGE and rise.value:
                found.append(self._unassigned(total.at_s, rise))
        self._last, self._last_s = total.amount, total.at_s

    def _stage_since(self, since_s: int, until_s: int) -> int:
        segment = self._segment
        if segment is not None and segment.begin_s <= since_s and until_s <= segment.end_s:
            return segment.stage
        stages = self._calendar.stages_between(since_s, until_s)
        return stages.pop() if len(stages) == 1 else ERROR_STAGE

    def _enter(self, kind: Kind, total: Total, found: list[Output]) -> None:
        """One entry of every register; all lists are equally long."""
        stage = self.stage
        status = total.status if total.usable else with_bits(total.status, GatewayBit.NO_VALUE)
        if self._not_for_billing:
            status = with_bits(status, GatewayBit.NOT_FOR_BILLING)
        register, unit = staged(self._obis, TOTAL), total.unit if total.unit is not None else self._unit
        found.append(Derived(kind, total.at_s, register, total.amount, total.status, unit, "", stage))
        for number, amount in sorted(self._amounts.items()):
            shown = amount if total.usable else None
            found.append(Derived(kind, total.at_s, staged(self._obis, number), shown, status, unit, "", stage))

    def _switched(self, at_s: int, before: int, stage: int) -> Event:
        told = {"profile": self.profile.name, "time": utc(at_s), "old_level": before, "level": stage}
        return Event("tariff_level_changed", at_s, told)

    def _unassigned(self, at_s: int, rise: Amount) -> Event:
        told = {
            "profile": self.profile.name, "register": staged(self._obis, ERROR_STAGE), "amount": str(rise),
            "since": utc(self._last_s), "time": utc(at_s),
        }  # fmt: skip
        return Event("error_register_credited", at_s, told)

    def _own_state(self) -> Any:
        segment = self._segment
        return {
            "due_s": self._due_s,
            "counters": self._sum.counters.state(),
            "segment": None if segment is None else [segment.begin_s, segment.end_s, segment.stage],
            "last": None if self._last is None else self._last.plain(),
            "last_s": self._last_s,
            "unit": self._unit,
            "not_for_billing": self._not_for_billing,
            "amounts": [[stage, amount.plain()] for stage, amount in self._amounts.items()],
        }

    def _own_restore(self, state: Any) -> None:
        self._due_s = state["due_s"]
        self._sum.counters.restore(state["counters"])
        self._segment = None if state["segment"] is None else Segment(*state["segment"])
        self._last, self._last_s = amount_of(state["last"]), state["last_s"]
        self._unit, self._not_for_billing = state["unit"], state["not_for_billing"]
        self._amounts = {stage: Amount(*amount) for stage, amount in state["amounts"]}
