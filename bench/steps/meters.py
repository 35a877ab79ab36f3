"""Steps at a wired meter itself: faults on its wire and in its security, tampering, a reset by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from bench.expect import Outcome
from bench.quantity import TIME, parse
from bench.steps.base import Step, fault_sentence, mistakes_of
from bench.steps.lmn import unknown_meter
from bench.verdict import Verdict

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario


class MeterFaultStep(Step):
    """Let a meter misbehave on its wire or in its security, or behave again.

    The parameters of a fault stand beside it, durations with their unit:
    ``meter_fault: {meter: house, kind: late_answer, by: 300 ms}``.

    Attributes:
        meter: name under ``given.meters``.
        kind: a fault of the wire (`devices.meters.wire_faults.FAULTS`) or of the security
            (`devices.meters.security_faults.SECURITY_FAULTS`); ``none``: all of them end.
        times: how many frames or occasions it strikes; unless told, until it is cleared.
        strikes: which frames a fault of the wire strikes, such as ``I``, ``discovery``.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    key: ClassVar[str] = "meter_fault"
    doc: ClassVar[str] = "let a meter misbehave on its wire or in its security"
    base_needs: ClassVar[frozenset[str]] = frozenset({"wired_lmn"})

    meter: str
    kind: str
    times: int | None = Field(default=None, ge=1)
    strikes: str | list[str] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the fault, durations in seconds under the name with ``_s``."""
        plain: dict[str, Any] = {}
        for name, value in (self.model_extra or {}).items():
            if isinstance(value, str) and value[:1] in "0123456789+-." and not name.endswith("id"):
                plain[f"{name}_s"] = float(parse(value, TIME))
            else:
                plain[name] = float(value) if isinstance(value, Decimal) else value
        if self.strikes is not None:
            plain["on"] = self.strikes
        return plain

    def check(self, scenario: Scenario) -> list[str]:
        from devices.meters.security_faults import SECURITY_FAULTS, SecurityFaults
        from devices.meters.wire_faults import FAULTS, make_fault

        problems = unknown_meter(self.meter, scenario)
        if problems or self.kind == "none":
            return problems
        if self.kind in SECURITY_FAULTS:
            problems = mistakes_of(lambda: SecurityFaults().set(self.kind, self.times, **self.parameters))
            if not problems and not scenario.given.meters[self.meter].secured:
                problems = [f"meter {self.meter!r} is read in the clear: give it 'security: tls'"]
            return problems
        if self.kind in FAULTS:
            return mistakes_of(lambda: make_fault(self.kind, self.times, **self.parameters))
        known = ", ".join((*FAULTS, *SECURITY_FAULTS))
        return [f"there is no fault {self.kind!r} of a meter; there are {known}, and none"]

    def sentence(self) -> str:
        from devices.meters.security_faults import SECURITY_FAULTS
        from devices.meters.wire_faults import FAULTS

        if self.kind == "none":
            return f"From now on meter {self.meter} behaves as it should."
        what = FAULTS[self.kind].sentence if self.kind in FAULTS else SECURITY_FAULTS.get(self.kind, self.kind)
        return fault_sentence(f"Meter {self.meter}", what, self.model_extra or {}, self.times)

    async def run(self, rig: Rig) -> Outcome:
        from devices.meters.security_faults import SECURITY_FAULTS

        if self.kind == "none":
            rig.station(self.meter).clear_faults()
            if rig.meters[self.meter].security is not None:
                rig.security(self.meter).clear_faults()
        elif self.kind in SECURITY_FAULTS:
            rig.security(self.meter).fault(self.kind, self.times, **self.parameters)
        else:
            rig.station(self.meter).fault(self.kind, self.times, **self.parameters)
        rig.timeline.add("meter", "fault_set", {"meter": self.meter, "kind": self.kind, "times": self.times})
        return Outcome(Verdict.NONE)


class TamperStep(Step):
    """Do something to a meter that its status word tells: exactly one of these.

    Attributes:
        meter: name under ``given.meters``.
        magnet: hold a magnet to it, or take it away.
        cover: open its cover, which it remembers for 24 h.
        error: let it have a fatal or a temporary error, or none.
        crypto_reset: put it back to its initial key by hand.
    """

    key: ClassVar[str] = "tamper"
    doc: ClassVar[str] = "tamper with a meter, or give it an error"
    base_needs: ClassVar[frozenset[str]] = frozenset({"wired_lmn"})

    meter: str
    magnet: Literal["on", "off"] | None = None
    cover: Literal["open"] | None = None
    error: Literal["fatal", "temporary", "none"] | None = None
    crypto_reset: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> TamperStep:
        said = self.model_dump(exclude_none=True, exclude={"meter"})
        if len(said) != 1:
            raise ValueError("say exactly one of magnet, cover, error, crypto_reset")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        problems = unknown_meter(self.meter, scenario)
        if not problems and scenario.given.meters[self.meter].type == "replay":
            problems.append(f"meter {self.meter!r} is a recording, which nobody can tamper with")
        return problems

    def sentence(self) -> str:
        if self.magnet is not None:
            return f"{'Hold a magnet to' if self.magnet == 'on' else 'Take the magnet away from'} meter {self.meter}."
        if self.cover is not None:
            return f"Open the cover of meter {self.meter}."
        if self.crypto_reset:
            return f"Put meter {self.meter} back to its initial key, at the meter."
        return f"Meter {self.meter} has {'no' if self.error == 'none' else f'a {self.error}'} error from now on."

    async def run(self, rig: Rig) -> Outcome:
        if self.crypto_reset:
            done = rig.security(self.meter).crypto_reset()
            seen = "done" if done else "the meter refuses: the time for it is over"
            return Outcome(Verdict.NONE if done else Verdict.ERROR, seen=seen, reason="" if done else seen)
        meter = rig.base_meter(self.meter)
        if self.magnet is not None:
            meter.magnet(self.magnet == "on")
        elif self.cover is not None:
            meter.open_cover()
        else:
            meter.fatal(self.error == "fatal")
            meter.temporary(self.error == "temporary")
        done_to = self.model_dump(exclude_none=True, exclude={"meter"})
        rig.timeline.add("meter", "tampered", {"meter": self.meter, **done_to})
        return Outcome(Verdict.NONE)
