"""Steps that read the metered values which the gateway has stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from bench.expect import Condition, Look, Outcome, Truth
from bench.flow import read_load
from bench.quantity import POWER, Duration, text_of
from bench.recorded import agreement
from bench.register_units import span_of
from bench.steps.base import ExpectingStep, Step
from bench.steps.counting import Count, Counted
from bench.steps.lmn import unknown_meter
from bench.steps.value_checks import FollowsLoad, OnGrid, OriginalsSigned, has_mark
from bench.verdict import Verdict
from devices.errors import UsageError
from devices.protocols.sml.obis import format_obis, parse_obis

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario

POLL_S = 5.0
"""Seconds between two readings of the stored values while something is waited for."""
Mark = Literal[
    "fatal",
    "time_invalid",
    "warning",
    "tampered",
    "meter_fatal",
    "radio_error",
    "radio_permanent",
    "radio_abnormal",
    "radio_flag",
    "not_for_billing",
    "radio",
]
"""What the status of a value may say of it (wan-core 7.3)."""


def is_gap(row: dict[str, Any]) -> bool:
    """Whether a stored row marks a missing value."""
    return has_mark(row, "missing")


def is_meant(row: dict[str, Any], *, gaps: bool, marked: str | None) -> bool:
    """Whether a stored row is a gap, or a value, as wanted, and carries the mark that is wanted."""
    return is_gap(row) == gaps and (marked is None or has_mark(row, marked))


def kind_of(*, gaps: bool, marked: str | None) -> str:
    """What is counted, in words."""
    kind = "gap entries" if gaps else "values"
    return kind if marked is None else f"{kind} marked {marked.replace('_', ' ')}"


def row_key(row: dict[str, Any]) -> tuple[Any, ...]:
    """What identifies a stored value for good: changing any part of it means that a value was lost."""
    return (
        row["meter"],
        row["obis"],
        row["grid_time"],
        row["capture_time"],
        row["value"],
        row["unit"],
        row["status"],
    )


@dataclass(frozen=True)
class ValueCount:
    """So many values of a register are stored."""

    meter: str
    register: str | None
    count: Count
    gaps: bool
    marked: str | None = None
    settle_s: float = 0.0

    def sentence(self) -> str:
        kind = kind_of(gaps=self.gaps, marked=self.marked)
        which = "" if self.register is None else f" of register {self.register}"
        return f"the gateway has stored {self.count} {kind}{which} of meter {self.meter}"

    async def look(self, rig: Rig) -> Look:
        rows = await rig.records.values(rig.meter_id(self.meter))
        rows = [row for row in rows if is_meant(row, gaps=self.gaps, marked=self.marked)]
        if self.register is not None:
            wanted = format_obis(parse_obis(self.register))
            rows = [row for row in rows if row["obis"] == wanted]
        else:
            rows = list({row["grid_time"]: row for row in rows}.values())
        seen = f"{len(rows)} stored" + (f", the last of {rows[-1]['grid_time']}" if rows else "")
        return Look(Truth.YES if len(rows) in self.count else Truth.NO, seen, rig.clock.seconds() + POLL_S)


@dataclass(frozen=True)
class LastValue:
    """The newest value of a register."""

    meter: str
    register: str
    least: Decimal
    most: Decimal
    unit: str
    settle_s: float = 0.0

    def sentence(self) -> str:
        span = f"{self.least} {self.unit}" if self.least == self.most else f"{self.least} to {self.most} {self.unit}"
        return f"the newest stored value of register {self.register} of meter {self.meter} is {span}"

    async def look(self, rig: Rig) -> Look:
        wanted = format_obis(parse_obis(self.register))
        rows = [row for row in await rig.records.values(rig.meter_id(self.meter)) if row["obis"] == wanted]
        rows = [row for row in rows if not is_gap(row)]
        again = rig.clock.seconds() + POLL_S
        if not rows:
            return Look(Truth.NO, "no value stored", again)
        row = rows[-1]
        good = row["unit"] == self.unit and self.least <= Decimal(row["value"]) <= self.most
        return Look(Truth.YES if good else Truth.NO, f"{row['value']} {row['unit']} of {row['capture_time']}", again)


@dataclass(frozen=True)
class AgreesWithRecording:
    """What the gateway stored of a replaying meter is what an independent program read in its recording."""

    meter: str
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"the stored registers of meter {self.meter} agree with what the independent program read"

    async def look(self, rig: Rig) -> Look:
        rows = await rig.records.values(rig.meter_id(self.meter), attributes=True)
        recording = rig.recording(self.meter)
        result = agreement(rows, recording)
        return Look(Truth.YES if result.agrees else Truth.NO, result.text, rig.clock.seconds() + POLL_S)


class ValuesStep(ExpectingStep):
    """Expect what the gateway has stored, or remember it to compare later.

    Attributes:
        meter: name under ``given.meters``.
        obis: OBIS code of a register, short or full (written ``register``).
        count: how many values (of the register; without one: how many registration instants).
        gaps: how many entries that mark a missing value.
        equals: the newest value of the register, such as ``12345.6 kWh`` (with ``register``).
        between: the newest value lies between these two.
        agree_with: ``recording``: compare with the recording that the meter replays; ``load``: every value of the
            register is the energy that the given load makes (of a meter that is never without mains).
        grid: every instant of this registration period stands there exactly once, as a value or as a gap.
        signatures: ``valid``: the signature of every value and every gap verifies.
        marked: count only what carries this mark in its status (with ``count`` or ``gaps``).
        over: count only what is newly stored in so long a time from now on (with ``count`` or ``gaps``).
    """

    key: ClassVar[str] = "values"
    doc: ClassVar[str] = "expect values that the gateway has stored"
    base_needs: ClassVar[frozenset[str]] = frozenset({"records"})

    meter: str
    obis: str | None = Field(default=None, alias="register")
    count: Counted | None = None
    gaps: Counted | None = None
    equals: str | None = None
    between: tuple[str, str] | None = None
    agree_with: Literal["recording", "load"] | None = None
    grid: Duration | None = None
    signatures: Literal["valid"] | None = None
    marked: Mark | None = None
    over: Duration | None = None

    @property
    def watchable(self) -> bool:
        return self.over is None

    @model_validator(mode="after")
    def _one_thing(self) -> ValuesStep:
        kinds = ("count", "gaps", "equals", "between", "agree_with", "grid", "signatures")
        said = [name for name in kinds if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"say exactly one of {', '.join(kinds)}")
        if self.marked is not None and said[0] not in ("count", "gaps"):
            raise ValueError("'marked' belongs to 'count' or 'gaps'")
        if self.agree_with == "load" and self.obis is None:
            raise ValueError("'agree_with: load' needs a 'register', such as 1.8.0")
        if self.over is not None and (said[0] not in ("count", "gaps") or self.within or self.hold or self.obis):
            raise ValueError("'over' belongs to 'count' or 'gaps' of registration instants, and stands alone")
        counted = self.count or self.gaps
        if counted is not None and counted.least == 0 and self.within is not None:
            raise ValueError(f"{counted} within a time is so at once: use 'over', or 'for'")
        if (self.equals or self.between) and self.obis is None:
            raise ValueError(f"'{said[0]}' needs a 'register', such as 1.8.0")
        if self.obis is not None:
            parse_obis(self.obis)
        if self.equals or self.between:
            self._bounds()
        return self

    def _bounds(self) -> tuple[Decimal, Decimal, str]:
        return span_of(self.obis or "", *(self.between or (self.equals, self.equals)))

    def check(self, scenario: Scenario) -> list[str]:
        radio = scenario.given.radio_meters.get(self.meter)
        problems = [] if radio is not None else unknown_meter(self.meter, scenario)
        if problems or self.agree_with is None:
            return problems
        given = scenario.given.meters[self.meter] if radio is None else radio
        if self.agree_with == "recording" and getattr(given, "dump", None) is None:
            problems.append(f"meter {self.meter!r} replays no dump, so there is nothing to agree with")
        if self.agree_with == "load" and (self.obis not in given.registers or given.load is None):
            problems.append(f"meter {self.meter!r} has no 'load' and no start of register {self.obis}")
        if self.agree_with == "load" and not problems:
            try:
                read_load(given.load, POWER if radio is None else radio.rate)
            except UsageError as error:
                problems.append(str(error))
        return problems

    def earliest_end(self, begin: datetime) -> datetime:
        return super().earliest_end(begin) if self.over is None else begin + self.over

    def condition(self) -> Condition:
        if self.agree_with == "recording":
            return AgreesWithRecording(self.meter)
        if self.agree_with == "load":
            return FollowsLoad(self.meter, self.obis or "")
        if self.signatures is not None:
            return OriginalsSigned(self.meter)
        if self.grid is not None:
            return OnGrid(self.meter, self.grid)
        if self.equals or self.between:
            least, most, unit = self._bounds()
            assert self.obis is not None
            return LastValue(self.meter, self.obis, least, most, unit)
        if self.gaps is not None:
            return ValueCount(self.meter, self.obis, self.gaps, gaps=True, marked=self.marked)
        assert self.count is not None
        return ValueCount(self.meter, self.obis, self.count, gaps=False, marked=self.marked)

    def sentence(self) -> str:
        if self.over is None:
            return super().sentence()
        kind = kind_of(gaps=self.gaps is not None, marked=self.marked)
        count = self.count or self.gaps
        return f"Expect that in {text_of(self.over)} the gateway stores {count} new {kind} of meter {self.meter}."

    async def run(self, rig: Rig) -> Outcome:
        if self.over is None:
            return await super().run(rig)
        before = await self._instants(rig)
        await rig.sleep_until(rig.clock.seconds() + self.over.total_seconds())
        new = sorted(await self._instants(rig) - before)
        count = self.count or self.gaps
        assert count is not None
        expected = f"{count} new in {text_of(self.over)}"
        seen = f"{len(new)} new" + (f", the first of {new[0]}" if new else "")
        if len(new) in count:
            return Outcome(Verdict.PASS, expected, seen)
        return Outcome(Verdict.FAIL, expected, seen, f"{seen}, not {count}")

    async def _instants(self, rig: Rig) -> set[str]:
        rows = await rig.records.values(rig.meter_id(self.meter))
        gaps = self.gaps is not None
        return {row["grid_time"] for row in rows if is_meant(row, gaps=gaps, marked=self.marked)}


class RememberStep(Step):
    """Remember all stored values of a meter under a name, or expect that none of them was lost since.

    Attributes:
        meter: name under ``given.meters``.
        values_as: name to remember them by; several meters may share it.
        nothing_lost_since: name under which they were remembered.
    """

    key: ClassVar[str] = "memory"
    doc: ClassVar[str] = "remember the stored values, and later expect that not one of them is lost or changed"
    base_needs: ClassVar[frozenset[str]] = frozenset({"records"})

    meter: str
    values_as: str | None = None
    nothing_lost_since: str | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> RememberStep:
        if (self.values_as is None) == (self.nothing_lost_since is None):
            raise ValueError("say either 'values_as: NAME' or 'nothing_lost_since: NAME'")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        problems = [] if self.meter in scenario.given.radio_meters else unknown_meter(self.meter, scenario)
        name = self.nothing_lost_since
        if name is None:
            return problems
        before = takewhile(lambda step: step is not self, scenario.all_steps())
        of = [step.meter for step in before if isinstance(step, RememberStep) and step.values_as == name]
        if not of:
            problems.append(f"nothing was remembered as {name!r} before")
        elif self.meter not in of:
            problems.append(f"what was remembered as {name!r} before is of meter {of[-1]!r}, not of {self.meter!r}")
        return problems

    @property
    def judges(self) -> bool:
        return self.nothing_lost_since is not None

    def sentence(self) -> str:
        if self.values_as is not None:
            return f"Remember the stored values of meter {self.meter} as {self.values_as!r}."
        since = self.nothing_lost_since
        return f"Expect that not one stored value of meter {self.meter} is lost or changed since {since!r}."

    async def run(self, rig: Rig) -> Outcome:
        rows = [row_key(row) for row in await rig.records.values(rig.meter_id(self.meter))]
        if self.values_as is not None:
            rig.remembered[self.values_as, self.meter] = rows
            return Outcome(Verdict.NONE, seen=f"{len(rows)} values")
        before = rig.remembered[self.nothing_lost_since or "", self.meter]
        lost = [row for row in before if row not in set(rows)]
        expected = f"all {len(before)} values are still there, unchanged"
        if lost:
            return Outcome(Verdict.FAIL, expected, f"{len(lost)} lost", f"{len(lost)} values lost, first: {lost[0]}")
        doubles = len(rows) - len({row[:3] for row in rows})
        if doubles:
            return Outcome(Verdict.FAIL, expected, f"{doubles} doubled", f"{doubles} grid instants stand there twice")
        if not before:
            return Outcome(Verdict.INCONC, expected, "nothing", "there was not one value to lose")
        return Outcome(Verdict.PASS, expected, f"{len(before)} values kept, {len(rows)} now stored")
