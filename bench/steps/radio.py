"""Steps about radio meters: what they send, their faults, the air between them and the gateway."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from bench.expect import Condition, Look, Outcome, Truth, expect
from bench.quantity import TIME, Share, parse
from bench.steps.base import ExpectingStep, Step, fault_sentence, mistakes_of
from bench.steps.counting import Count, Counted
from bench.verdict import Verdict

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario


SENSING_S: Final = 0.01
"""How wrong the duration of a flash may be sensed, seconds (assumed)."""


def unknown_radio_meter(name: str, scenario: Scenario) -> list[str]:
    """A complaint when `scenario` has no radio meter of this name."""
    if name in scenario.given.radio_meters:
        return []
    known = ", ".join(scenario.given.radio_meters) or "none is given"
    return [f"there is no meter {name!r} under given.radio_meters ({known})"]


@dataclass(frozen=True)
class _RadioCount:
    """Something happened so and so often to a radio meter since an instant."""

    meter: str | None
    event: str
    what: str
    count: Count
    since: float = 0.0
    settle_s: float = 0.0

    def sentence(self) -> str:
        whose = "there are" if self.meter is None else f"radio meter {self.meter} has"
        return f"{whose} {self.count.of(self.what, self.what + 's')}"

    async def look(self, rig: Rig) -> Look:
        of_one = {} if self.meter is None else {"meter": self.meter}
        number = len(rig.timeline.select("radio", self.event, since=self.since, **of_one))
        return Look(Truth.YES if number in self.count else Truth.NO, f"{number} so far")


@dataclass(frozen=True)
class RadioFlashes:
    """The LED that tells of radio telegrams has flashed, each time as long as the manual says."""

    count: Count
    since: float
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"the LED of the radio shows {self.count.of('flash', 'flashes')} as long as documented"

    async def look(self, rig: Rig) -> Look:
        for signal in rig.gateway_type.signals_for("radio_packet"):
            for form in signal.forms:
                for line, pattern in form.shows.items():
                    return self._flashes(rig, line, pattern.min_s or 0.0, pattern.max_s or math.inf)
        return Look(Truth.NO, f"no LED of a {rig.gateway_type.name} tells of radio telegrams")

    def _flashes(self, rig: Rig, line: str, least_s: float, most_s: float) -> Look:
        if line not in rig.leds.lines:
            return Look(Truth.UNDECIDED, f"{line} is not sensed on this bench")
        spans = self._spans(rig, line)
        wrong = next((span for span in spans if not least_s - SENSING_S <= span <= most_s + SENSING_S), None)
        if wrong is not None:
            return Look(Truth.NO, f"{line} was lit for {wrong * 1000:.0f} ms")
        seen = f"{len(spans)} so far" + (f", the longest of {max(spans) * 1000:.0f} ms" if spans else "")
        return Look(Truth.YES if len(spans) in self.count else Truth.NO, seen)

    def _spans(self, rig: Rig, line: str) -> list[float]:
        """Seconds of each flash that has begun since, and is over."""
        lit_at: float | None = None
        spans = []
        for edge in rig.timeline.select("led", "edge", since=self.since, line=line):
            if edge.data["lit"]:
                lit_at = edge.t
            elif lit_at is not None:
                spans.append(edge.t - lit_at)
                lit_at = None
        return spans


class RadioStep(ExpectingStep):
    """Expect what a radio meter did, or do something to it.

    Attributes:
        meter: name under ``given.radio_meters``.
        flashes: how often the gateway's LED of the radio flashes from now on, each time as long as documented.
        sent: how many telegrams it sent since the case began.
        struck: how many of them a fault spoilt since the case began.
        lost, collided: how many of them did not reach the gateway since the case began, for that reason; without
            ``meter``: of all that are on the air.
        confirmed: how often the gateway confirmed its installation since the case began (bidirectional meters).
        acknowledged: how often the gateway acknowledged its alarm since the case began (bidirectional meters).
        sending: let it send, or be silent.
        power: its own supply; its transmission counter outlives that.
        install: let it announce itself: installation telegrams (SND-IR).
        alarm: let something happen to it: its error flags are set, and it tells so at once (ACC-DMD, or a telegram out
            of turn); false: all is well again.
    """

    key: ClassVar[str] = "radio"
    doc: ClassVar[str] = "expect what a radio meter did, or let it send, be silent or announce itself"
    base_needs: ClassVar[frozenset[str]] = frozenset({"wireless_lmn"})

    meter: str | None = None
    flashes: Counted | None = None
    sent: Counted | None = None
    struck: Counted | None = None
    lost: Counted | None = None
    collided: Counted | None = None
    confirmed: Counted | None = None
    acknowledged: Counted | None = None
    sending: bool | None = None
    power: Literal["on", "off"] | None = None
    install: Literal[True] | None = None
    alarm: bool | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> RadioStep:
        said = [name for name in (*_THINGS, *_DEEDS) if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"say exactly one of {', '.join((*_THINGS, *_DEEDS))}")
        if (self.meter is None and said[0] not in _OF_ALL) or (self.meter is not None and self.flashes is not None):
            raise ValueError("say which 'meter'; only 'flashes' are of none, 'lost' and 'collided' may be of all")
        if self._acts and (self.within is not None or self.hold is not None):
            raise ValueError(f"{said[0]} happens at once: 'within' and 'for' do not belong here")
        return self

    @property
    def _acts(self) -> bool:
        return any(getattr(self, name) is not None for name in _DEEDS)

    @property
    def judges(self) -> bool:
        return not self._acts

    @property
    def watchable(self) -> bool:
        return False

    def needs(self) -> frozenset[str]:
        if self.lost is not None or self.collided is not None:
            return self.base_needs | {"emulated"}
        return self.base_needs | {"leds"} if self.flashes is not None else self.base_needs

    def check(self, scenario: Scenario) -> list[str]:
        if self.meter is None:
            return []
        problems = unknown_radio_meter(self.meter, scenario)
        answered = self.confirmed is not None or self.acknowledged is not None
        if not problems and answered and not scenario.given.radio_meters[self.meter].bidirectional:
            problems.append(f"radio meter {self.meter!r} does not listen: give it 'bidirectional: true'")
        return problems

    def condition(self) -> Condition:
        if self.flashes is not None:
            return RadioFlashes(self.flashes, 0.0)
        for name, (event, what) in _COUNTS.items():
            count = getattr(self, name)
            if count is not None:
                return _RadioCount(self.meter, event, what, count)
        raise TypeError("this step expects nothing")

    def sentence(self) -> str:
        if self.sending is not None:
            return f"From now on radio meter {self.meter} {'sends' if self.sending else 'is silent'}."
        if self.power is not None:
            return f"Switch the supply of radio meter {self.meter} {self.power}."
        if self.install:
            return f"Radio meter {self.meter} announces itself."
        if self.alarm is not None:
            return f"Radio meter {self.meter} {'raises an alarm' if self.alarm else 'is well again'}."
        return super().sentence()

    async def run(self, rig: Rig) -> Outcome:
        if self.flashes is not None:
            within = 0.0 if self.within is None else self.within.total_seconds()
            return await expect(rig, RadioFlashes(self.flashes, rig.clock.seconds()), within=within, hold=None)
        if not self._acts:
            return await super().run(rig)
        assert self.meter is not None
        meter = rig.radio_meter(self.meter)
        if self.sending is not None:
            meter.start() if self.sending else meter.stop()
        elif self.power is not None:
            meter.power_on() if self.power == "on" else meter.power_off()
        elif self.alarm is not None:
            meter.alarm() if self.alarm else meter.clear_alarm()
        else:
            meter.install()
        deed = self.model_dump(exclude_none=True, exclude={"meter"})
        rig.timeline.add("radio", "deed", {"meter": self.meter, **deed})
        return Outcome(Verdict.NONE)


_COUNTS: Final[dict[str, tuple[str, str]]] = {
    "sent": ("telegram", "sent telegram"),
    "struck": ("fault", "spoilt telegram"),
    "lost": ("lost", "lost telegram"),
    "collided": ("collided", "collided telegram"),
    "confirmed": ("confirmed", "confirmed installation"),
    "acknowledged": ("acknowledged", "acknowledged alarm"),
}
"""What can be counted: event of the meter and its name."""
_OF_ALL: Final = frozenset({"flashes", "lost", "collided"})
_THINGS: Final = ("flashes", *_COUNTS)
_DEEDS: Final = ("sending", "power", "install", "alarm")


class RadioFaultStep(Step):
    """Let a radio meter misbehave, or behave again.

    Attributes:
        meter: name under ``given.radio_meters``.
        kind: a fault (`devices.meters.radio.faults.FAULTS`); ``none``: all of them end.
        times: how many telegrams it strikes; unless told, until it is cleared.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    key: ClassVar[str] = "radio_fault"
    doc: ClassVar[str] = "let a radio meter misbehave: wrong key, replay, counter that jumps, damaged telegrams ..."
    base_needs: ClassVar[frozenset[str]] = frozenset({"wireless_lmn"})

    meter: str
    kind: str
    times: int | None = Field(default=None, ge=1)

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the fault, durations in seconds under the name with ``_s``."""
        plain: dict[str, Any] = {}
        for name, value in (self.model_extra or {}).items():
            if isinstance(value, str) and value[:1] in "0123456789+-.":
                plain[f"{name}_s"] = float(parse(value, TIME))
            else:
                plain[name] = int(value) if isinstance(value, Decimal) else value
        return plain

    def check(self, scenario: Scenario) -> list[str]:
        from devices.meters.radio.faults import FAULTS, make_fault

        problems = unknown_radio_meter(self.meter, scenario)
        if problems or self.kind == "none":
            return problems
        if self.kind not in FAULTS:
            return [f"there is no fault {self.kind!r} of a radio meter; there are {', '.join(FAULTS)}, and none"]
        return mistakes_of(lambda: make_fault(self.kind, self.times, **self.parameters))

    def sentence(self) -> str:
        from devices.meters.radio.faults import FAULTS

        if self.kind == "none":
            return f"From now on radio meter {self.meter} behaves as it should."
        what = FAULTS[self.kind].sentence if self.kind in FAULTS else self.kind
        return fault_sentence(f"Radio meter {self.meter}", what, self.model_extra or {}, self.times)

    async def run(self, rig: Rig) -> Outcome:
        meter = rig.radio_meter(self.meter)
        if self.kind == "none":
            meter.clear_faults()
        else:
            meter.fault(self.kind, self.times, **self.parameters)
        rig.timeline.add("radio", "fault_set", {"meter": self.meter, "kind": self.kind, "times": self.times})
        return Outcome(Verdict.NONE)


class StickStep(Step):
    """Do something to the stick that sends for the radio meters.

    Attributes:
        pulled: pull it out; what it does to a run is the bench's trouble, not the gateway's.
    """

    key: ClassVar[str] = "stick"
    doc: ClassVar[str] = "pull the emulated stick out that sends for the radio meters"
    base_needs: ClassVar[frozenset[str]] = frozenset({"wireless_lmn", "emulated"})

    pulled: Literal[True]

    def sentence(self) -> str:
        return "Pull the radio stick out."

    async def run(self, rig: Rig) -> Outcome:
        rig.pull_stick()
        rig.timeline.add("radio", "stick_pulled")
        return Outcome(Verdict.NONE)


class AirStep(Step):
    """Make the air between radio meters and gateway better or worse.

    Attributes:
        loss: share of telegrams that get lost on the way.
        duplicates: share of telegrams that come twice.
    """

    key: ClassVar[str] = "air"
    doc: ClassVar[str] = "make the air between radio meters and gateway better or worse"
    base_needs: ClassVar[frozenset[str]] = frozenset({"wireless_lmn", "emulated"})

    loss: Share | None = None
    duplicates: Share | None = None

    @model_validator(mode="after")
    def _something(self) -> AirStep:
        if self.loss is None and self.duplicates is None:
            raise ValueError("say 'loss' or 'duplicates'")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        return [] if scenario.given.radio_meters else ["no radio meter is given"]

    def sentence(self) -> str:
        said = []
        if self.loss is not None:
            said.append(f"{self.loss:.0%} of the telegrams get lost")
        if self.duplicates is not None:
            said.append(f"{self.duplicates:.0%} come twice")
        return f"From now on {' and '.join(said)}."

    async def run(self, rig: Rig) -> Outcome:
        rig.change_air(loss=self.loss, duplicates=self.duplicates)
        rig.timeline.add("radio", "air", self.model_dump(exclude_none=True))
        return Outcome(Verdict.NONE)
