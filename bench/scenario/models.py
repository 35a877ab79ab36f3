"""What a scenario file may say. Texts with ``{name}`` are filled from ``parameters`` before these models see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from bench.han_models import GivenHan
from bench.products import ALL, METERS
from bench.quantity import Duration
from bench.scenario.contract_models import GivenContract, GivenParticipant
from bench.scenario.meter_models import GivenMeter
from bench.scenario.mistakes import UnknownWord
from bench.scenario.radio_models import GivenAir, GivenRadioMeter
from bench.steps import REGISTRY, Step
from bench.steps.base import ExpectingStep
from bench.written import Written

CAPABILITIES = {
    "power": "the mains can be switched",
    "leds": "the four LEDs are seen",
    "wired_lmn": "meters can be played on the wired metrological bus",
    "wireless_lmn": "meters can be played on the air",
    "time_server": "the gateway takes its time from the bench",
    "patch_field": "the gateway's Ethernet sockets end in a patch field",
    "back_office": "the bench acts as the gateway's administrator",
    "records": "the gateway's logs and stored values can be read",
    "internal_logs": "system and calibration log can be read, and the parameters of entries",
    "han": "a user of the gateway's home interface is known to the bench",
    "han_users": "the administrator can introduce further users of the home interface",
    "han_selftest": "self-tests may be ordered at the home interface (gateway.han.self_test: allowed)",
    "han_wrong_logins": "wrong logins may be tried, which locks consumers out (gateway.han.wrong_logins: allowed)",
    "reference_meter": "a reference instrument measures the mains",
    "service_adapter": "an adapter on a meter's bus takes the place of the gateway",
    "emulated_meter": "the meter under test is emulated, so that test firmware and faults can be brought into it",
    "emulated": "the gateway is emulated, so that faults can be made inside it",
}
"""What a bench can do, by the name under which scenarios need it."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


class GivenGateway(Written):
    """In what state the gateway is when the scenario begins.

    Attributes:
        lifecycle: ``operational``: it knows the given meters; ``delivered``: it knows none.
        options: other values for facts that the documents leave open, by the name of the default; emulated only.
    """

    lifecycle: Literal["delivered", "operational"] = "operational"
    options: dict[str, Any] = Field(default_factory=dict)


class GivenTimeServer(Written):
    """The time server at the begin."""

    server: Literal["on", "off"] = "on"


class Given(Written):
    """What is so before the first step.

    Attributes:
        time: instant at which the scenario begins (virtual time only).
        gateway: the gateway.
        meters: name -> wired meter.
        radio_meters: name -> meter on the air.
        contracts: name -> contract that a step may have installed.
        participants: name -> market participant; those that only contracts name are known to the gateway.
        air: what lies between them and the gateway.
        time_server: the bench's time server.
        han: users of the home interface, and whose meters it is about.
    """

    time: datetime | None = None
    gateway: GivenGateway = GivenGateway()
    meters: dict[str, GivenMeter] = Field(default_factory=dict)
    radio_meters: dict[str, GivenRadioMeter] = Field(default_factory=dict)
    contracts: dict[str, GivenContract] = Field(default_factory=dict)
    participants: dict[str, GivenParticipant] = Field(default_factory=dict)
    air: GivenAir = GivenAir()
    time_server: GivenTimeServer = GivenTimeServer()
    han: GivenHan = GivenHan()

    @field_validator("meters")
    @classmethod
    def _different(cls, value: dict[str, GivenMeter]) -> dict[str, GivenMeter]:
        first: dict[str, str] = {}
        for name, meter in value.items():
            if meter.id is None:
                continue
            other = first.setdefault(meter.id.upper(), name)
            if other != name:
                raise ValueError(f"{name!r} and {other!r} have the same id {meter.id}: each meter has its own")
        return value

    @model_validator(mode="after")
    def _names_apart(self) -> Given:
        both = sorted(set(self.meters) & set(self.radio_meters))
        if both:
            raise ValueError(f"{both[0]!r} stands under meters and under radio_meters: each meter has its own name")
        first: dict[str, str] = {}
        for name, meter in self.radio_meters.items():
            other = first.setdefault(meter.id.upper(), name)
            if other != name:
                raise ValueError(f"{name!r} and {other!r} have the same id {meter.id}: each meter has its own")
        if (self.air.other_meters or self.air.loss or self.air.duplicates) and not self.radio_meters:
            raise ValueError("'air' says something of radio meters, and none is given")
        return self

    @field_validator("time")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("the time needs a zone: write it like 2026-01-05T00:00:00Z")
        return value


def _one_key(value: Any) -> tuple[str, Any]:
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value.items()))
    if isinstance(value, str):
        raise ValueError(f"{value!r} is not a step: write it like 'power: on'")
    raise ValueError("a step is one word and its details, such as 'power: on'; begin each step with its own dash")


def _parse_step(value: Any) -> Step:
    if isinstance(value, Step):
        return value
    key, details = _one_key(value)
    if key not in REGISTRY:
        raise UnknownWord("step", key, tuple(REGISTRY))
    return REGISTRY[key].model_validate(details)


class Watch(Written):
    """A monitor: what must never, or always, be so.

    Attributes:
        never: a step that expects something; its becoming true is a failure.
        always: a step that expects something; its becoming false is a failure.
    """

    never: Annotated[Any, BeforeValidator(_parse_step)] = None
    always: Annotated[Any, BeforeValidator(_parse_step)] = None

    @model_validator(mode="after")
    def _one_thing(self) -> Watch:
        if (self.never is None) == (self.always is None):
            raise ValueError("say either 'never' or 'always'")
        step = self.step
        if not isinstance(step, ExpectingStep) or not step.watchable:
            raise ValueError(f"{step.key} cannot be watched: it needs an expectation such as leds, gateway or log")
        if step.within is not None or step.hold is not None:
            raise ValueError("a monitor watches all the time: leave 'within' and 'for' away")
        return self

    @property
    def step(self) -> Step:
        """The watched step."""
        step: Step = self.never if self.never is not None else self.always
        return step

    @property
    def expectation(self) -> ExpectingStep:
        """The watched step, which expects something."""
        assert isinstance(self.step, ExpectingStep)
        return self.step


class Scenario(Written):
    """A scenario, for one set of parameters and one or more gateway types.

    Attributes:
        id: short name, unique in the suite.
        title: what happens, in one line.
        purpose: why it is tested.
        verifies: clauses that it verifies, such as ``FNN 6.2`` or ``PPC 2.4``.
        gateways: products that it is meant for.
        device: the meter that is tested in place of a gateway, whose bus the bench's service adapter is plugged into.
        needs: capabilities of the bench (those of its steps are added).
        given: the state before the first step.
        watch: monitors.
        steps: what is done and expected, in order.
        time_limit: bench time after which the case is given up as a bench error.
    """

    id: str
    title: str = Field(min_length=3, max_length=200)
    purpose: str = ""
    verifies: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ALL
    device: str | None = None
    needs: tuple[str, ...] = ()
    given: Given = Given()
    watch: tuple[Watch, ...] = ()
    steps: tuple[Annotated[Any, BeforeValidator(_parse_step)], ...]
    time_limit: Duration | None = None

    @field_validator("id")
    @classmethod
    def _id(cls, value: str) -> str:
        if not _ID.match(value):
            raise ValueError(f"{value!r} is no id: letters, digits, dot, dash and underscore, at most 63 characters")
        return value

    @field_validator("steps")
    @classmethod
    def _steps(cls, value: tuple[Step, ...]) -> tuple[Step, ...]:
        if not value:
            raise ValueError("a scenario has at least one step")
        return value

    @field_validator("gateways")
    @classmethod
    def _gateways(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in ALL:
                raise UnknownWord("gateway", name, ALL)
        if not value or len(set(value)) != len(value):
            raise ValueError("name each gateway type once")
        return value

    @field_validator("device")
    @classmethod
    def _device(cls, value: str | None) -> str | None:
        if value is not None and value not in METERS:
            raise UnknownWord("meter", value, tuple(METERS))
        return value

    @field_validator("needs")
    @classmethod
    def _needs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in CAPABILITIES:
                raise UnknownWord("capability", name, tuple(CAPABILITIES))
        return value

    def all_steps(self) -> Iterator[Step]:
        """The steps in order."""
        yield from self.steps

    @property
    def judges(self) -> bool:
        """Whether anything is expected at all."""
        return bool(self.watch) or any(step.judges for step in self.steps)

    def all_needs(self) -> frozenset[str]:
        """Capabilities that the steps and monitors need, and those that are named."""
        needs = set(self.needs)
        for step in (*self.steps, *(watch.step for watch in self.watch)):
            needs |= step.needs()
        if self.given.han.users:
            needs |= {"han", "han_users"}
        if self.given.han.site == "own":
            return frozenset(needs | {"han"})  # what else is given is for an emulated gateway only
        if self.given.meters and self.device is None:
            needs.add("wired_lmn")
        if self.device is not None and any(meter.made_up for meter in self.given.meters.values()):
            needs.add("emulated_meter")
        if self.given.radio_meters:
            needs.add("wireless_lmn")
        if self.given.gateway.options:
            needs.add("emulated")
        wired = [meter.registration_period for meter in self.given.meters.values()]
        radio = [meter.registration_period for meter in self.given.radio_meters.values()]
        if self.given.gateway.lifecycle == "delivered" or any(period is not None for period in (*wired, *radio)):
            needs.add("back_office")  # on a real gateway the administrator sees to it
        return frozenset(needs)
