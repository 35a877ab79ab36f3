"""Steps about deliveries: what waits for market participants, and what they do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from bench import contract_orders
from bench.expect import Condition, Look, Outcome, Truth
from bench.scenario.contract_models import full_obis, sent_registers
from bench.steps.base import ExpectingStep
from bench.steps.contract_checks import POLL_S, STATUS_MARKS, Figure, bit, check_figures, parse_figure
from bench.steps.contracts import Mark, lacking, unknown_contract
from bench.steps.counting import Count, Counted
from bench.verdict import Verdict

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario


@dataclass(frozen=True)
class _Deliveries:
    """So many deliveries wait for market participants, and each is as it should be."""

    step: DeliveryStep
    settle_s: float = 0.0
    polled: bool = True

    def sentence(self) -> str:
        step = self.step
        if step.sent is not None:
            return f"the list of what was sent holds {step.sent.of('entry', 'entries')} of contract {step.contract}"
        count = step.count or Count(1, None)
        kinds = "" if step.cause is None else f" for the cause {step.cause}"
        text = f"{count.of('delivery', 'deliveries')} of contract {step.contract}{kinds} wait"
        text += "s" if count.most == 1 else ""
        text += "" if step.participant is None else f" for {step.participant}"
        told = [] if step.values is None else [step.values.of("value", "values")]
        told += [] if step.lost is None else [f"{step.lost} lost"]
        told += [] if step.marked is None else [f"all marked {step.marked.replace('_', ' ')}"]
        told += [] if step.named is None else [f"all under the name {step.named}"]
        kind = "" if step.kind is None else f"the {step.kind} of "
        told += [f"{kind}{code} {figure.text}" for code, figure in step.figures]
        return text + (f", with {', '.join(told)}" if told else "")

    async def look(self, rig: Rig) -> Look:
        step, again = self.step, rig.clock.seconds() + POLL_S
        profile = contract_orders.profile_id(rig, step.contract)
        if step.sent is not None:
            rows = (await rig.maintenance.read("sent", profile=profile))["rows"]
            if step.cause is not None:
                rows = [row for row in rows if row["cause"] == step.cause]
            if step.participant is not None:
                rows = [row for row in rows if row["recipient"] == step.participant]
            return Look(Truth.YES if len(rows) in step.sent else Truth.NO, f"{len(rows)} entries", again)
        found = (await rig.maintenance.read("deliveries", profile=profile))["deliveries"]
        if step.cause is not None:
            found = [one for one in found if one["cause"] == step.cause]
        if step.participant is not None:
            found = [one for one in found if one["participant"] == step.participant]
        sizes = [len(one["values"]) for one in found]
        seen = f"{len(found)} of {', '.join(map(str, sizes[:8]))} values" if found else "none"
        if len(found) not in (step.count or Count(1, None)):
            return Look(Truth.NO, seen, again)
        wrong = next((text for one in found if (text := self._wrong(rig, one))), "")
        return Look(Truth.NO if wrong else Truth.YES, wrong or seen, again)

    def _wrong(self, rig: Rig, delivery: dict[str, Any]) -> str:
        """What is not as it should be in a delivery; empty when nothing is."""
        step, values = self.step, delivery["values"]
        of = f"in the delivery of {delivery['time']}"
        if step.values is not None and len(values) not in step.values:
            return f"{len(values)} values {of}"
        if step.lost is not None and delivery["lost"] not in step.lost:
            return f"{delivery['lost']} lost {of}"
        if step.named is not None:
            name = rig.meter_id(step.named) if step.named in rig.meters else step.named
            other = next((one["meter"] for one in values if one["meter"] != name), None)
            if other is not None:
                return f"a value under the name {other or 'none'!r} {of}"
        if step.marked is not None and not all(bit(one, STATUS_MARKS[step.marked]) for one in values):
            return f"a value that is not marked {step.marked.replace('_', ' ')} {of}"
        for code, figure in step.figures:
            named = [one for one in values if one["register"] == full_obis(code)]
            if step.kind is not None:
                named = [one for one in named if one["kind"] == step.kind]
            if not named:
                return f"no {code} {of}"
            if named[-1] not in figure:
                return f"{code} = {named[-1]['value']} {named[-1]['unit']} {of}"
        return ""


class DeliveryStep(ExpectingStep):
    """Expect what waits for market participants, or let them take or refuse it.

    Attributes:
        contract: name under ``given.contracts``.
        cause: what triggered it: demand, periodic, threshold, each; first or last reading of TAF-1, 2 or 7.
        count: how many wait (default: at least one).
        values: how many values each of them has.
        lost: how many values it tells to be lost.
        marked: what every value carries.
        named: under which name its values go: the pseudonym, or a meter of the scenario.
        kind: which values `registers` means: sample, minimum, maximum, mean, daily, first, last.
        registers: register -> figure of the newest of them.
        participant: only those for this one.
        sent: how many entries the list of what was sent holds.
        take: the participants take the oldest so many, or ``all``.
        refuse: they cannot be reached: the oldest so many, or ``all``, are given up.
    """

    key: ClassVar[str] = "delivery"
    doc: ClassVar[str] = "expect what waits for market participants, or let them take or refuse it"
    base_needs: ClassVar[frozenset[str]] = frozenset({"emulated"})

    contract: str
    cause: Literal["demand", "periodic", "threshold", "each", "first", "last"] | None = None
    count: Counted | None = None
    values: Counted | None = None
    lost: Counted | None = None
    marked: Mark | None = None
    named: str | None = None
    kind: Literal["sample", "minimum", "maximum", "mean", "daily", "first", "last"] | None = None
    registers: dict[str, Any] = Field(default_factory=dict)
    participant: str | None = None
    sent: Counted | None = None
    take: Literal["all"] | Annotated[int, Field(ge=1)] | None = None
    refuse: Literal["all"] | Annotated[int, Field(ge=1)] | None = None

    @field_validator("registers")
    @classmethod
    def _figures(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_figures(value)
        return value

    @model_validator(mode="after")
    def _one_thing(self) -> DeliveryStep:
        if self.take is not None and self.refuse is not None:
            raise ValueError("say either 'take' or 'refuse'")
        if self._acts:
            said = self.model_fields_set - {"contract", "take", "refuse"}
            if said:
                raise ValueError(f"'take' and 'refuse' stand alone: leave {min(said)!r} away")
        if self.sent is not None and self.model_fields_set - {
            "contract",
            "sent",
            "cause",
            "participant",
            "within",
            "hold",
        }:
            raise ValueError("'sent' stands with 'cause' and 'participant' only")
        counted = self.count if self.sent is None else self.sent
        if counted is not None and counted.least == 0 and self.within is not None:
            raise ValueError(f"{counted} within a time is so at once: wait first, or use 'for'")
        return self

    @property
    def _acts(self) -> bool:
        return self.take is not None or self.refuse is not None

    @property
    def judges(self) -> bool:
        return not self._acts

    @property
    def watchable(self) -> bool:
        return not self._acts

    @property
    def figures(self) -> tuple[tuple[str, Figure], ...]:
        """What registers must show."""
        return tuple((code, parse_figure(written)) for code, written in self.registers.items())

    def check(self, scenario: Scenario) -> list[str]:
        problems = unknown_contract(self.contract, scenario)
        if not problems and self.participant is not None:
            recipients = scenario.given.contracts[self.contract].recipients
            if self.participant not in recipients:
                told = ", ".join(recipients) or "none"
                problems.append(f"contract {self.contract!r} has no recipient {self.participant!r} ({told})")
        return problems or lacking(self.contract, self.registers, scenario, sent_registers)

    def condition(self) -> Condition:
        return _Deliveries(self)

    def sentence(self) -> str:
        if not self._acts:
            return super().sentence()
        much = self.take if self.take is not None else self.refuse
        what = (
            "all deliveries"
            if much == "all"
            else f"the oldest {much} deliveries"
            if much != 1
            else "the oldest delivery"
        )
        verb = "take" if self.take is not None else "cannot be reached with"
        return f"The market participants {verb} {what} of contract {self.contract}."

    async def run(self, rig: Rig) -> Outcome:
        if not self._acts:
            return await super().run(rig)
        much = self.take if self.take is not None else self.refuse
        order = "take_deliveries" if self.take is not None else "refuse_deliveries"
        fields: dict[str, Any] = {"profile": contract_orders.profile_id(rig, self.contract)}
        if much != "all":
            fields["count"] = much
        done = (await rig.maintenance.do(order, **fields))["deliveries"]
        rig.timeline.add("wan", order, {"contract": self.contract, "count": len(done)})
        if not done:
            return Outcome(Verdict.FAIL, "something waits", "nothing", "nothing waits for a market participant")
        return Outcome(Verdict.NONE, seen=f"{len(done)} deliveries")
