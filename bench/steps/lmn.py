"""Steps on the wired metrological bus: what the meters saw of the gateway, and what is done to their wires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from bench.expect import Condition, Look, Outcome, Truth
from bench.steps.base import ExpectingStep, Step
from bench.steps.counting import Count, Counted
from bench.verdict import Verdict

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario


def unknown_meter(name: str, scenario: Scenario) -> list[str]:
    """A complaint when `scenario` has no meter of this name."""
    if name in scenario.given.meters:
        return []
    known = ", ".join(scenario.given.meters) or "none is given"
    return [f"there is no meter {name!r} under given.meters ({known})"]


@dataclass(frozen=True)
class _Addressed:
    meter: str
    wanted: bool
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} {'has' if self.wanted else 'has no'} HDLC address from the gateway"

    async def look(self, rig: Rig) -> Look:
        station = rig.station(self.meter)
        address = station.address if station.listed else None
        seen = "no address known to the gateway" if address is None else f"address 0x{address:02X}"
        return Look(Truth.YES if (address is not None) == self.wanted else Truth.NO, seen)


@dataclass(frozen=True)
class _PlayedOut:
    meter: str
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} has played its whole recording"

    async def look(self, rig: Rig) -> Look:
        played, total = rig.station(self.meter).meter.progress  # type: ignore[attr-defined]
        return Look(Truth.YES if played >= total else Truth.NO, f"{played} of {total} recorded answers played")


@dataclass(frozen=True)
class _ReadCount:
    meter: str
    count: Count
    since: float
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"meter {self.meter} answers {self.count.of('request', 'requests')} for its registers"

    async def look(self, rig: Rig) -> Look:
        number = len(rig.timeline.select("meter", "answer", since=self.since, meter=self.meter))
        times = "once" if number == 1 else f"{number} times"
        return Look(Truth.YES if number in self.count else Truth.NO, f"read {times}")


class LmnStep(ExpectingStep):
    """Expect what a meter saw on the bus, or change its wires.

    Attributes:
        meter: name under ``given.meters``.
        addressed: whether the gateway has listed the meter with its HDLC address.
        read: how often its registers were read since this step began.
        played: whether a replaying meter has given all that it has recorded.
        plugged: connect it to the bus or disconnect it.
        power: switch the meter's own supply.
        silent: let it hear but not answer.
    """

    key: ClassVar[str] = "lmn"
    doc: ClassVar[str] = "expect what a wired meter saw, or unplug, power or silence it"
    base_needs: ClassVar[frozenset[str]] = frozenset({"wired_lmn"})

    meter: str
    addressed: bool | None = None
    read: Counted | None = None
    played: Literal[True] | None = None
    plugged: bool | None = None
    power: Literal["on", "off"] | None = None
    silent: bool | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> LmnStep:
        said = [
            name
            for name in ("addressed", "read", "played", "plugged", "power", "silent")
            if getattr(self, name) is not None
        ]
        if len(said) != 1:
            raise ValueError("say exactly one of addressed, read, played, plugged, power, silent")
        if self.read is not None and self.read.most is not None and self.within is None:
            raise ValueError(f"'read: {self.read}' needs 'within': for so long the requests are counted")
        if self._acts and (self.within is not None or self.hold is not None):
            raise ValueError(f"{said[0]} happens at once: 'within' and 'for' do not belong here")
        return self

    @property
    def watchable(self) -> bool:
        return self.addressed is not None

    @property
    def _acts(self) -> bool:
        return self.plugged is not None or self.power is not None or self.silent is not None

    def check(self, scenario: Scenario) -> list[str]:
        problems = unknown_meter(self.meter, scenario)
        if not problems and self.played and scenario.given.meters[self.meter].dump is None:
            problems.append(f"meter {self.meter!r} replays no dump")
        return problems

    def condition(self) -> Condition:
        if self.addressed is not None:
            return _Addressed(self.meter, self.addressed)
        if self.played is not None:
            return _PlayedOut(self.meter)
        assert self.read is not None
        return _ReadCount(self.meter, self.read, 0.0)

    @property
    def judges(self) -> bool:
        return not self._acts

    def sentence(self) -> str:
        if self.plugged is not None:
            return (
                f"{'Plug' if self.plugged else 'Unplug'} meter {self.meter} {'into' if self.plugged else 'from'} bus."
            )
        if self.power is not None:
            return f"Switch the supply of meter {self.meter} {self.power}."
        if self.silent is not None:
            return f"From now on meter {self.meter} {'does not answer' if self.silent else 'answers again'}."
        return super().sentence()

    async def run(self, rig: Rig) -> Outcome:
        if not self._acts:
            if self.read is not None:
                return await _expect_reads(self, rig)
            return await super().run(rig)
        station = rig.station(self.meter)
        if self.plugged is not None:
            station.plug(self.plugged)
        if self.power is not None:
            station.power(self.power == "on")
        if self.silent is not None:
            station.silent = self.silent
        rig.timeline.add(
            "meter", "wires", {"meter": self.meter, **self.model_dump(exclude_none=True, exclude={"meter"})}
        )
        return Outcome(Verdict.NONE)


async def _expect_reads(step: LmnStep, rig: Rig) -> Outcome:
    """Count from the begin of this step; an upper bound is judged when the time is up, not before."""
    from bench.expect import expect

    assert step.read is not None
    condition = _ReadCount(step.meter, step.read, rig.clock.seconds())
    within = 0.0 if step.within is None else step.within.total_seconds()
    if step.read.most is not None:
        await rig.sleep_until(rig.clock.seconds() + within)
        within = 0.0
    hold = None if step.hold is None else step.hold.total_seconds()
    return await expect(rig, condition, within=within, hold=hold)


class BackOfficeStep(Step):
    """What the administrator does with the gateway.

    Attributes:
        install_profile: kind of profile.
        meter: the meter that it is about (written ``for``).
    """

    key: ClassVar[str] = "back_office"
    doc: ClassVar[str] = "act as the gateway's administrator"
    base_needs: ClassVar[frozenset[str]] = frozenset({"back_office"})

    install_profile: Literal["meter"]
    meter: str = Field(alias="for")

    def check(self, scenario: Scenario) -> list[str]:
        return unknown_meter(self.meter, scenario)

    def sentence(self) -> str:
        return f"The administrator installs a meter profile for {self.meter}."

    async def run(self, rig: Rig) -> Outcome:
        await rig.install_meter_profile(self.meter)
        return Outcome(Verdict.NONE, seen="profile accepted")
