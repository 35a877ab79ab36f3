"""A step about what the terminals of an emulated meter see of the mains: lost phases, voltage, frequency, angles."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.expect import Outcome
from bench.quantity import ANGLE, FREQUENCY, VOLTAGE, Kind, parse
from bench.steps.base import Step
from bench.steps.lmn import unknown_meter
from bench.verdict import Verdict

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario

Phase = Literal["L1", "L2", "L3"]


def _thousandths(kind: Kind, most: int) -> Any:
    """A quantity from zero to `most` in thousandths of its base unit."""

    def read(value: Any) -> int:
        found = parse(value, kind) * 1000
        if not 0 <= found <= most * 1000 or found != int(found):
            raise ValueError(f"{value!r} is no {kind.name} of mains: 0 to {most} {kind.base}, in thousandths")
        return int(found)

    return Annotated[int, BeforeValidator(read), WithJsonSchema({"type": "string", "examples": [kind.example]})]


_Voltage: Any = _thousandths(VOLTAGE, 500)
_Frequency: Any = _thousandths(FREQUENCY, 100)
_Angle: Any = _thousandths(ANGLE, 360)


class SupplyStep(Step):
    """Change the mains at a meter.

    Attributes:
        meter: name under ``given.meters``.
        phases: which of L1, L2, L3 carry voltage from now on; the load goes on on them.
        voltage: of all phases that carry one.
        frequency: of the mains.
        current_angle: from the voltage of a phase to its current, ``0 deg`` to ``360 deg``.
    """

    key: ClassVar[str] = "supply"
    doc: ClassVar[str] = "take phases away from a meter, or change voltage, frequency or angle at it"
    base_needs: ClassVar[frozenset[str]] = frozenset({"wired_lmn"})

    meter: str
    phases: tuple[Phase, ...] | None = Field(default=None, min_length=1)
    voltage: _Voltage | None = None
    frequency: _Frequency | None = None
    current_angle: _Angle | None = None

    @model_validator(mode="after")
    def _something(self) -> SupplyStep:
        if self.phases is None and self.voltage is None and self.frequency is None and self.current_angle is None:
            raise ValueError("say what shall change: phases, voltage, frequency or current_angle")
        if self.phases is not None and len(set(self.phases)) != len(self.phases):
            raise ValueError("each phase once")
        return self

    def check(self, scenario: Scenario) -> list[str]:
        problems = unknown_meter(self.meter, scenario)
        if not problems and scenario.given.meters[self.meter].type == "replay":
            problems.append(f"meter {self.meter!r} is a recording, which has no mains")
        return problems

    def sentence(self) -> str:
        told = []
        if self.phases is not None:
            lost = [one for one in ("L1", "L2", "L3") if one not in self.phases]
            told.append(f"has lost {' and '.join(lost)}" if lost else "has all three phases")
        if self.voltage is not None:
            told.append(f"sees {_plain(self.voltage)} V")
        if self.frequency is not None:
            told.append(f"sees {_plain(self.frequency)} Hz")
        if self.current_angle is not None:
            told.append(f"sees currents {_plain(self.current_angle)} degrees from their voltages")
        return f"From now on meter {self.meter} {' and '.join(told)}."

    async def run(self, rig: Rig) -> Outcome:
        metrology = rig.base_meter(self.meter).metrology
        if self.phases is not None:
            metrology.phases = tuple(sorted(int(one[1]) for one in self.phases))
        grid = metrology.grid
        if self.voltage is not None:
            grid = replace(grid, millivolts=(self.voltage, self.voltage, self.voltage))
        if self.frequency is not None:
            grid = replace(grid, millihertz=self.frequency)
        if self.current_angle is not None:
            grid = replace(grid, current_angle=self.current_angle % 360_000)
        metrology.grid = grid
        changed = self.model_dump(exclude_none=True, mode="json")
        rig.timeline.add("meter", "supply", changed)
        return Outcome(Verdict.NONE)


def _plain(thousandths: int) -> str:
    return format((Decimal(thousandths) / 1000).normalize(), "f")
