"""Steps that wait, and that make the time server of the bench behave or misbehave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from bench.expect import Condition, Look, Outcome, Truth
from bench.quantity import Duration, Offset, text_of
from bench.steps.base import ExpectingStep, Step, passed_by
from bench.steps.counting import Count, Counted
from bench.verdict import Verdict
from devices.protocols.ntp import Leap, Mode

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario


class WaitStep(Step):
    """Let time pass while all monitors go on watching.

    Attributes:
        span: how long.
        until: or until this instant, UTC.
    """

    key: ClassVar[str] = "wait"
    shorthand: ClassVar[str | None] = "span"
    doc: ClassVar[str] = "let time pass"

    span: Duration | None = Field(default=None, alias="for")
    until: datetime | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> WaitStep:
        if (self.span is None) == (self.until is None):
            raise ValueError("say how long to wait, or {until: INSTANT}")
        if self.until is not None and self.until.tzinfo is None:
            raise ValueError("'until' needs a time zone: write it like 2026-01-05T00:07:30Z")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        return [] if self.until is None else passed_by(scenario, self, self.until)

    def earliest_end(self, begin: datetime) -> datetime:
        return begin + self.span if self.span is not None else max(begin, self.until or begin)

    def sentence(self) -> str:
        if self.span is not None:
            return f"Wait {text_of(self.span)}."
        return f"Wait until {self.until:%Y-%m-%d %H:%M:%S} UTC."

    async def run(self, rig: Rig) -> Outcome:
        if self.span is not None:
            await rig.sleep_until(rig.clock.seconds() + self.span.total_seconds())
        elif self.until is not None:
            target = (self.until - rig.clock.start).total_seconds()
            if target < rig.clock.seconds():
                return Outcome(Verdict.ERROR, reason=f"{self.until:%Y-%m-%d %H:%M:%S} UTC had already passed")
            await rig.sleep_until(target)
        return Outcome(Verdict.NONE)


class TimeStep(Step):
    """Change what the time server of the bench does.

    Attributes:
        server: whether it answers.
        offset: how far its time is ahead of true time (negative: behind).
        stratum: stratum that it claims; 16 is unsynchronised.
        leap: leap indicator; 3 is alarm.
        delay: how long it takes to answer.
        origin: whether its answers repeat what the request transmitted.
        version: NTP version of its answers.
        mode: mode of its answers; 4 is server.
    """

    key: ClassVar[str] = "time"
    doc: ClassVar[str] = "switch the time server on or off, or let it tell a wrong time"
    base_needs: ClassVar[frozenset[str]] = frozenset({"time_server"})

    server: Literal["on", "off"] | None = None
    offset: Offset | None = None
    stratum: int | None = Field(default=None, ge=0, le=16)
    leap: int | None = Field(default=None, ge=0, le=3)
    delay: Duration | None = None
    origin: Literal["right", "wrong"] | None = None
    version: int | None = Field(default=None, ge=0, le=7)
    mode: int | None = Field(default=None, ge=0, le=7)

    @model_validator(mode="after")
    def _something(self) -> TimeStep:
        said = (
            self.server, self.offset, self.stratum, self.leap, self.delay, self.origin, self.version, self.mode,
        )  # fmt: skip
        if all(one is None for one in said):
            raise ValueError("say what shall change: server, offset, stratum, leap, delay, origin, version or mode")
        return self

    def sentence(self) -> str:
        parts = []
        if self.server is not None:
            parts.append("answers" if self.server == "on" else "is silent")
        if self.offset is not None:
            parts.append(_offset_words(self.offset))
        if self.stratum is not None:
            parts.append(f"claims stratum {self.stratum}")
        if self.leap is not None:
            parts.append(f"sets the leap indicator to {self.leap}")
        if self.delay is not None:
            parts.append(f"answers after {text_of(self.delay)}" if self.delay else "answers at once")
        if self.origin is not None:
            parts.append(f"repeats the {self.origin} origin")
        if self.version is not None:
            parts.append(f"answers in version {self.version}")
        if self.mode is not None:
            parts.append(f"answers in mode {self.mode}")
        return f"From now on the time server {' and '.join(parts)}."

    async def run(self, rig: Rig) -> Outcome:
        server = rig.time_server
        if self.server is not None:
            server.answering = self.server == "on"
        if self.offset is not None:
            server.offset = self.offset
        if self.stratum is not None:
            server.stratum = self.stratum
        if self.leap is not None:
            server.leap = Leap(self.leap)
        if self.delay is not None:
            server.answer_after_s = self.delay.total_seconds()
        if self.origin is not None:
            server.origin_as_asked = self.origin == "right"
        if self.version is not None:
            server.version = self.version
        if self.mode is not None:
            server.mode = Mode(self.mode)
        changed = self.model_dump(exclude_none=True, mode="json")
        rig.timeline.add("time", "server", changed)
        return Outcome(Verdict.NONE)


@dataclass(frozen=True)
class Asked:
    """The gateway has asked the time server so often since the server was changed last, or since the begin."""

    count: Count
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"the gateway has asked the time server {self.count.of('time', 'times')} since it tells its present time"

    async def look(self, rig: Rig) -> Look:
        changed = rig.timeline.latest.get(("time", "server"))
        since = 0 if changed is None else changed.n
        asked = [event for event in rig.timeline.select("time", "asked") if event.n > since and event.data["answered"]]
        seen = f"asked {len(asked)} times" + (f", last at {asked[-1].t:.3f} s" if asked else "")
        return Look(Truth.YES if len(asked) in self.count else Truth.NO, seen)


class TimeServerStep(ExpectingStep):
    """Expect that the gateway asks the time server and is answered.

    Attributes:
        asked: how often since the last `time` step, or since the begin.
    """

    key: ClassVar[str] = "time_server"
    doc: ClassVar[str] = "expect that the gateway asks for the time"
    base_needs: ClassVar[frozenset[str]] = frozenset({"time_server"})

    asked: Counted

    def condition(self) -> Condition:
        return Asked(self.asked)


def _offset_words(offset: timedelta) -> str:
    if not offset:
        return "tells true time"
    side = "ahead of" if offset > timedelta(0) else "behind"
    return f"is {text_of(abs(offset))} {side} true time"
