"""Steps that read the reference instrument in the gateway's mains."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from pydantic import field_validator

from bench.expect import Condition, Look, Measurement, Truth
from bench.steps.base import ExpectingStep

if TYPE_CHECKING:
    from bench.rig import Rig

POLL_S = 1.0
"""Seconds between two readings of the instrument while something is waited for."""


@dataclass(frozen=True)
class Reads:
    """The instrument shows a quantity within limits."""

    quantity: str
    least: Decimal
    most: Decimal
    settle_s: float = 0.0

    def sentence(self) -> str:
        return f"the reference instrument shows a {self.quantity} from {self.least} to {self.most}"

    async def look(self, rig: Rig) -> Look:
        reading = await rig.reference_meter.read(self.quantity)
        good = self.least <= reading.value <= self.most
        limit = f"{self.least} to {self.most} {reading.unit}"
        # The instrument's own uncertainty belongs to its calibration record, which this bench does not know yet.
        figure = Measurement(self.quantity, float(reading.value), reading.unit, None, limit, reading.t)
        seen = f"{self.quantity} {reading.value} {reading.unit}"
        return Look(Truth.YES if good else Truth.NO, seen, rig.clock.seconds() + POLL_S, (figure,))


class ReferenceStep(ExpectingStep):
    """Expect a reading of the reference instrument.

    Attributes:
        quantity: voltage, current, power, frequency, energy_import or energy_export.
        between: smallest and largest right value, in the unit of the instrument (V, A, W, Hz, Wh).
    """

    key: ClassVar[str] = "reference"
    doc: ClassVar[str] = "expect a reading of the reference instrument in the mains"
    base_needs: ClassVar[frozenset[str]] = frozenset({"reference_meter"})

    quantity: str
    between: tuple[Decimal, Decimal]

    @field_validator("between")
    @classmethod
    def _order(cls, value: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
        if value[0] > value[1]:
            raise ValueError("the smaller value comes first")
        return value

    def condition(self) -> Condition:
        return Reads(self.quantity, *self.between)
