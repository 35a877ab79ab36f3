"""Steps that cut and restore the gateway's mains."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from bench.expect import Outcome
from bench.quantity import Duration, text_of
from bench.steps.base import Step, passed_by
from bench.verdict import Verdict

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario


class PowerStep(Step):
    """Switch the mains, or cut it for a time, at an instant, repeatedly.

    Attributes:
        state: leave it on or off.
        cut: length of one cut.
        at: instant of the first cut, UTC.
        after: time from now to the first cut.
        times: number of cuts.
        every: time from the begin of one cut to the begin of the next.
    """

    key: ClassVar[str] = "power"
    shorthand: ClassVar[str | None] = "state"
    doc: ClassVar[str] = "switch the gateway's mains on or off, or cut it for a time"
    base_needs: ClassVar[frozenset[str]] = frozenset({"power"})

    state: Literal["on", "off"] | None = None
    cut: Duration | None = None
    at: datetime | None = None
    after: Duration | None = None
    times: int = Field(default=1, ge=1, le=10_000)
    every: Duration | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> PowerStep:
        if (self.state is None) == (self.cut is None):
            raise ValueError("say either on, off, or {cut: TIME}")
        if self.state is not None and (self.at or self.after or self.every or self.times > 1):
            raise ValueError("at, after, times and every belong to a cut")
        if self.at is not None and self.after is not None:
            raise ValueError("give the begin of the cut as 'at' or as 'after', not both")
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("'at' needs a time zone: write it like 2026-01-05T00:07:30Z")
        if self.times > 1 and self.every is None:
            raise ValueError("several cuts need 'every'")
        if self.every is not None and self.cut is not None and self.every <= self.cut:
            raise ValueError("'every' must be longer than the cut, it is the time from begin to begin")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        return [] if self.at is None else passed_by(scenario, self, self.at)

    def earliest_end(self, begin: datetime) -> datetime:
        if self.cut is None:
            return begin
        first = max(begin, self.at) if self.at is not None else begin + (self.after or timedelta())
        return first + (self.times - 1) * (self.every or timedelta()) + self.cut

    def sentence(self) -> str:
        if self.state is not None:
            return f"Switch the mains {self.state}."
        assert self.cut is not None
        text = f"Cut the mains for {text_of(self.cut)}"
        if self.at is not None:
            text += f" at {self.at:%Y-%m-%d %H:%M:%S}{_fraction(self.at)} UTC"
        if self.after is not None:
            text += f", {text_of(self.after)} from now"
        if self.times > 1 and self.every is not None:
            text += f", {self.times} times, every {text_of(self.every)}"
        return text + "."

    async def run(self, rig: Rig) -> Outcome:
        mains = rig.mains
        if self.state is not None:
            await (mains.on() if self.state == "on" else mains.off())
            return Outcome(Verdict.NONE, seen=f"mains {self.state}")
        assert self.cut is not None
        begin = rig.clock.seconds()
        if self.at is not None:
            begin = (self.at - rig.clock.start).total_seconds()
            if begin < rig.clock.seconds():
                late = timedelta(seconds=round(rig.clock.seconds() - begin, 3))
                return Outcome(
                    Verdict.ERROR,
                    reason=f"the instant {self.at:%H:%M:%S} had passed by {text_of(late)} when this step began",
                )
        elif self.after is not None:
            begin += self.after.total_seconds()
        every = 0.0 if self.every is None else self.every.total_seconds()
        for turn in range(self.times):
            await rig.sleep_until(begin + turn * every)
            await mains.off()
            await rig.sleep_until(begin + turn * every + self.cut.total_seconds())
            await mains.on()
        return Outcome(Verdict.NONE, seen=f"mains cut {self.times} times" if self.times > 1 else "mains cut")


def _fraction(instant: datetime) -> str:
    """Decimals of the second, without noughts at the end; nothing for a whole second."""
    return f".{instant.microsecond:06d}".rstrip("0") if instant.microsecond else ""
