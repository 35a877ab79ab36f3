"""Steps about contracts: orders of the administrator, derived values, deliveries to market participants."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from bench import contract_orders
from bench.contract_oracle import Kind
from bench.expect import Condition, Look, Outcome, Truth
from bench.scenario.contract_models import GivenContract, Instant, derived_registers, full_obis
from bench.steps.base import ExpectingStep
from bench.steps.contract_checks import (
    POLL_S,
    AgreesWithTariff,
    Balanced,
    EntryCount,
    OnSchedule,
    RegistersShow,
    Selection,
    Signed,
    check_figures,
    parse_figure,
    shown,
)
from bench.steps.counting import Counted
from bench.verdict import Verdict
from devices.errors import UsageError
from devices.maintenance import Refused

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario

Mark = Literal["not_for_billing", "fatal", "time_invalid", "warning", "missing", "tampered", "radio_error", "threshold"]
State = Literal["ready", "running", "terminated", "archive"]
_RULE: Final = re.compile(r"(?:V(?:[1-9]|1[0-4])|use case|any)\Z")
_STATUS: Final = re.compile(r"[45]\d\d\Z")


def unknown_contract(name: str, scenario: Scenario) -> list[str]:
    """A complaint when `scenario` has no contract of this name."""
    if name in scenario.given.contracts:
        return []
    known = ", ".join(scenario.given.contracts) or "none is given"
    return [f"there is no contract {name!r} under given.contracts ({known})"]


def lacking(
    name: str, codes: Iterable[str], scenario: Scenario, registers: Callable[[GivenContract], frozenset[str]]
) -> list[str]:
    """A complaint when a register is none of a contract, nor of one that it is changed into."""
    steps = [step for step in scenario.all_steps() if isinstance(step, ContractStep)]
    names = {name, *(step.into for step in steps if step.change == name and step.into is not None)}
    there = frozenset[str]().union(*(registers(scenario.given.contracts[one]) for one in names))
    known = ", ".join(sorted(there)) or "none"
    return [
        f"contract {name!r} has no register {code} to look at ({known})"
        for code in codes
        if full_obis(code) not in there
    ][:1]


def _parse_refusal(value: Any) -> str:
    text = str(value)
    if not _RULE.match(text) and not _STATUS.match(text):
        raise ValueError(f"{text!r} is no refusal: write a rule such as V7, 'use case', a status such as 409, or any")
    return text


Refusal = Annotated[
    str,
    BeforeValidator(_parse_refusal),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["V7", "use case", 409, "any"]}),
]
"""Why an order must be refused: the rule, ``use case``, the status, or for whatever reason."""


@dataclass(frozen=True)
class _InState:
    """A contract is in a state of its life."""

    contract: str
    state: str
    settle_s: float = 0.0
    polled: bool = True

    def sentence(self) -> str:
        return f"the profile of contract {self.contract} is {self.state}"

    async def look(self, rig: Rig) -> Look:
        wanted = contract_orders.profile_id(rig, self.contract)
        listed = (await rig.maintenance.read("profiles"))["profiles"]
        found = next((one["state"] for one in listed if one["id"] == wanted), "not there")
        return Look(Truth.YES if found == self.state else Truth.NO, f"it is {found}", rig.clock.seconds() + POLL_S)


class ContractStep(ExpectingStep):
    """Let the administrator do something with a contract, and expect that the gateway takes or refuses it.

    Attributes:
        install, delete: contract.
        end: contract that ends at another instant (`at`).
        change: contract that becomes what another one says (`into`).
        order_reading: contract of TAF-6; a reading of `day` for `participant`.
        demand: contract of TAF-9 or 10 whose present values are ordered.
        of: contract whose `state` is expected.
        at: last instant, local legal time; ``open``: none.
        into: contract.
        day: local date.
        participant: who gets it.
        state: ready, running, terminated, archive.
        refused: the gateway must refuse it: rule such as V7, ``use case``, status such as 409, or ``any``.
        answer: status of the refusal, beside a rule.
    """

    key: ClassVar[str] = "contract"
    doc: ClassVar[str] = "install, end, change or delete a contract, or order its values"
    base_needs: ClassVar[frozenset[str]] = frozenset({"back_office"})

    install: str | None = None
    delete: str | None = None
    end: str | None = None
    change: str | None = None
    order_reading: str | None = None
    demand: str | None = None
    of: str | None = None
    at: Instant | Literal["open"] | None = None
    into: str | None = None
    day: str | None = None
    participant: str | None = None
    state: State | None = None
    refused: Refusal | None = None
    answer: int | None = Field(default=None, ge=400, le=599)

    @model_validator(mode="after")
    def _one_thing(self) -> ContractStep:
        said = [name for name in _DEEDS if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"say exactly one of {', '.join(_DEEDS)}")
        wanted = _WITH.get(said[0], ())
        for name in ("at", "into", "day", "participant", "state"):
            if (getattr(self, name) is not None) != (name in wanted):
                raise ValueError(
                    f"{name!r} belongs to {said[0]!r}" if name in wanted else f"{said[0]!r} has no {name!r}"
                )
        if said[0] == "of" and self.refused is not None:
            raise ValueError("a state is not refused")
        if said[0] != "of" and (self.within is not None or self.hold is not None):
            raise ValueError("an order is answered at once: 'within' and 'for' do not belong here")
        if self.answer is not None and (self.refused is None or not _RULE.match(self.refused)):
            raise ValueError("'answer' stands beside a rule, such as {refused: V7, answer: 400}")
        return self

    @field_validator("day")
    @classmethod
    def _date(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                date.fromisoformat(value)
            except ValueError:
                raise ValueError(f"{value!r} is no day: write it like 2026-03-29") from None
        return value

    @property
    def deed(self) -> str:
        """Which of the things it is."""
        return next(name for name in _DEEDS if getattr(self, name) is not None)

    @property
    def contract(self) -> str:
        """The contract that it is about."""
        return str(getattr(self, self.deed))

    @property
    def watchable(self) -> bool:
        return self.of is not None

    def check(self, scenario: Scenario) -> list[str]:
        problems = unknown_contract(self.contract, scenario)
        if self.into is not None:
            problems += unknown_contract(self.into, scenario)
        if problems:
            return problems
        taf = scenario.given.contracts[self.contract].taf
        if self.order_reading is not None and taf != 6:
            problems.append(f"contract {self.contract!r} is of TAF-{taf}: a reading on demand is of TAF-6")
        if self.demand is not None and taf not in (9, 10, 14):
            problems.append(f"contract {self.contract!r} is of TAF-{taf}: present values are of TAF-9, 10 and 14")
        return problems

    def condition(self) -> Condition:
        assert self.of is not None and self.state is not None
        return _InState(self.of, self.state)

    def sentence(self) -> str:
        if self.of is not None:
            return super().sentence()
        name = self.contract
        end = "is left open" if self.at == "open" else "" if self.at is None else f"is {shown(self.at)}"
        text = {
            "install": f"installs contract {name}",
            "delete": f"deletes contract {name}",
            "end": f"orders that the end of contract {name} {end}",
            "change": f"changes contract {name} into {self.into}",
            "order_reading": f"orders a reading of {self.day} of contract {name} for {self.participant}",
            "demand": f"orders the present values of contract {name}",
        }[self.deed]
        return f"The administrator {text}; {self._expected()}."

    def _expected(self) -> str:
        if self.refused is None:
            return "the gateway accepts it"
        if self.refused == "any":
            return "the gateway refuses it"
        status = "" if self.answer is None else f" with {self.answer}"
        rule = _STATUS.match(self.refused) is None
        what = f"by rule {self.refused}" if rule and self.refused != "use case" else f"with {self.refused}"
        if self.refused == "use case":
            what = "for its use case"
        return f"the gateway refuses it {what}{status}"

    async def run(self, rig: Rig) -> Outcome:
        if self.of is not None:
            return await super().run(rig)
        expected = self._expected()
        try:
            answer = await self._order(rig)
        except Refused as refusal:
            seen = str(refusal.answer.get("error") or refusal)
            rig.timeline.add("wan", "contract_refused", {"contract": self.contract, "answer": seen})
            if self.refused is not None and self._meant(refusal.answer):
                return Outcome(Verdict.PASS, expected, f"refused: {seen}")
            return Outcome(Verdict.FAIL, expected, f"refused: {seen}", f"the gateway refused it: {seen}")
        seen = f"accepted ({answer['status']})" if "status" in answer else "accepted"
        if self.refused is not None:
            return Outcome(Verdict.FAIL, expected, seen, "the gateway did not refuse it")
        return Outcome(Verdict.PASS, expected, seen)

    def _meant(self, answer: dict[str, Any]) -> bool:
        """Whether a refusal is for the reason that is expected."""
        if self.refused == "any":
            return True
        if _STATUS.match(self.refused or ""):
            return str(answer.get("status")) == self.refused
        found = [one for one in answer.get("findings", ()) if one["rule"] == self.refused]
        return any(self.answer in (None, one["answer"]) for one in found)

    def _order(self, rig: Rig) -> Coroutine[Any, Any, dict[str, Any]]:
        name = self.contract
        if self.end is not None:
            return contract_orders.end_at(rig, name, None if self.at == "open" else self.at)
        if self.into is not None:
            return contract_orders.change(rig, name, self.into)
        if self.day is not None:
            return contract_orders.order_reading(rig, name, date.fromisoformat(self.day), self.participant or "")
        plain: dict[str, Callable[[Rig, str], Coroutine[Any, Any, dict[str, Any]]]] = {
            "install": contract_orders.install,
            "delete": contract_orders.delete,
            "demand": contract_orders.demand,
        }
        return plain[self.deed](rig, name)


_DEEDS: Final = ("install", "delete", "end", "change", "order_reading", "demand", "of")
_WITH: Final = {"end": ("at",), "change": ("into",), "order_reading": ("day", "participant"), "of": ("state",)}
"""Deed -> the further fields that it needs."""


class DerivedStep(ExpectingStep):
    """Expect what the gateway has derived for a contract.

    Attributes:
        contract: name under ``given.contracts``.
        registers: register -> what the newest entry shows: ``1.2 kWh`` (met by what rounds to it; zero by zero alone),
            ``[1.1 kWh, 1.3 kWh]``, ``none``.
        count: at how many instants there are entries.
        missing: at how many instants an entry has no value.
        balanced: at every instant the stages and register 63 add up to the rise of the total (TAF-2), or the total
            rises by what its meters have counted (TAF-1).
        agree_with: ``load``: the energy by the scenario's load in the local hours of each stage; ``readings``: what the
            scenario's own tariff makes of the stored readings, exactly; ``calendar``: entries at exactly the instants
            that it gives.
        signatures: every signature verifies.
        entries: only entries of this kind: first, last, switch, billing, daily (with registers, count, missing).
        at: only entries of this instant, local legal time.
        marked: only entries with this mark.
        meter: whose register, where several have it (with registers).
    """

    key: ClassVar[str] = "derived"
    doc: ClassVar[str] = "expect what the gateway has derived for a contract"
    base_needs: ClassVar[frozenset[str]] = frozenset({"records"})

    contract: str
    registers: dict[str, Any] | None = None
    count: Counted | None = None
    missing: Counted | None = None
    balanced: Literal[True] | None = None
    agree_with: Literal["load", "readings", "calendar"] | None = None
    signatures: Literal["valid"] | None = None
    entries: Kind | None = None
    at: Instant | None = None
    marked: Mark | None = None
    meter: str | None = None

    @field_validator("registers")
    @classmethod
    def _figures(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        check_figures(value or {})
        if value is not None and not value:
            raise ValueError("say what a register shows, such as {1.8.1: 1.2 kWh}")
        return value

    @model_validator(mode="after")
    def _one_thing(self) -> DerivedStep:
        said = [name for name in _EXPECTED if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"say exactly one of {', '.join(_EXPECTED)}")
        narrowed = [name for name in ("entries", "at", "marked") if getattr(self, name) is not None]
        if narrowed and said[0] not in ("registers", "count", "missing"):
            raise ValueError(f"{narrowed[0]!r} belongs to 'registers', 'count' or 'missing'")
        if self.meter is not None and self.registers is None:
            raise ValueError("'meter' belongs to 'registers'")
        counted = self.count or self.missing
        if counted is not None and counted.least == 0 and self.within is not None:
            raise ValueError(f"{counted} within a time is so at once: wait first, or use 'for'")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        problems = unknown_contract(self.contract, scenario)
        if problems:
            return problems
        given = scenario.given.contracts[self.contract]
        if self.balanced and given.taf not in (1, 2):
            problems.append(f"contract {self.contract!r} is of TAF-{given.taf}: only TAF-1 and TAF-2 have a total")
        if self.agree_with is not None and given.taf not in (1, 2, 6):
            problems.append(f"contract {self.contract!r} of TAF-{given.taf} has no derived entries to agree with it")
        if self.meter is not None and self.meter not in given.meters:
            problems.append(f"contract {self.contract!r} has no meter {self.meter!r} ({', '.join(given.meters)})")
        if self.entries == "switch" and given.taf != 2:
            problems.append(f"contract {self.contract!r} is of TAF-{given.taf}: only TAF-2 has switches")
        if self.agree_with == "load":
            problems += self._without_load(scenario)
        return problems + lacking(self.contract, self.registers or {}, scenario, derived_registers)

    def _without_load(self, scenario: Scenario) -> list[str]:
        from bench.flow import read_load
        from bench.steps.value_checks import kinds_of

        for meter, obis, _ in scenario.given.contracts[self.contract].terms:
            given = scenario.given.meters.get(meter) or scenario.given.radio_meters.get(meter)
            if given is None:
                return []
            if given.load is None or obis not in {full_obis(code) for code in given.registers}:
                return [f"meter {meter!r} has no 'load' and no start of register {obis}"]
            try:
                read_load(given.load, kinds_of(given)[1])
            except UsageError as error:
                return [str(error)]
        return []

    def condition(self) -> Condition:
        selection = Selection(self.entries, self.at, self.marked)
        if self.registers is not None:
            figures = tuple((code, parse_figure(written)) for code, written in self.registers.items())
            return RegistersShow(self.contract, figures, selection, self.meter)
        if self.balanced:
            return Balanced(self.contract)
        if self.signatures is not None:
            return Signed(self.contract)
        if self.agree_with == "calendar":
            return OnSchedule(self.contract)
        if self.agree_with is not None:
            return AgreesWithTariff(self.contract, self.agree_with == "load")
        if self.missing is not None:
            return EntryCount(self.contract, self.missing, selection, missing=True)
        assert self.count is not None
        return EntryCount(self.contract, self.count, selection)


_EXPECTED: Final = ("registers", "count", "missing", "balanced", "agree_with", "signatures")
