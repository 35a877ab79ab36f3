"""What a use case gives: derived entries, deletions and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from firmware.metering.status_word import StatusWord
from firmware.metering.tariffs.readings import Amount, amount_of, word_of


class Kind(StrEnum):
    """Why there is an entry."""

    FIRST = "first"
    """Reading at the begin of the validity."""
    LAST = "last"
    """Reading at its end."""
    SWITCH = "switch"
    """Reading at a change of the tariff stage."""
    BILLING = "billing"
    """Reading at the end of a billing period, which is the begin of the next."""
    DAILY = "daily"
    """Reading at local midnight, TAF-6."""
    PERIOD = "period"
    """Reading of the load profile, TAF-7."""
    SAMPLE = "sample"
    """Measured value, TAF-9, 10 and 14."""
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Derived:
    """An entry of a derived list.

    Attributes:
        kind: why it is there.
        at_s: instant of the grid for which it holds, seconds since 1970.
        register: OBIS code, value group E is the tariff stage; 0 the total, 63 the error register.
        amount: None: there is no value, the status says so with bit 13.
        status: status word.
        unit: COSEM unit code, None: not known.
        meter: of whom it is, the pseudonym in place of the meter; empty: a sum.
        stage: stage that holds from `at_s` on, at the end of the validity the one that held up to it; TAF-2.
    """

    kind: Kind
    at_s: int
    register: str
    amount: Amount | None
    status: StatusWord
    unit: int | None = None
    meter: str = ""
    stage: int | None = None

    def plain(self) -> list[Any]:
        """As plain data."""
        amount = None if self.amount is None else self.amount.plain()
        return [str(self.kind), self.at_s, self.register, amount, str(self.status), self.unit, self.meter, self.stage]


def derived_of(plain: list[Any]) -> Derived:
    """An entry from what `Derived.plain` gave."""
    kind, at_s, register, amount, status, unit, meter, stage = plain
    return Derived(Kind(kind), at_s, register, amount_of(amount), word_of(status), unit, meter, stage)


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be logged, under its neutral name."""

    name: str
    at_s: int
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deletion:
    """Derived entries of this profile from before an instant are to be deleted, and the deletion logged."""

    before_s: int


class Cause(StrEnum):
    """What triggered a delivery."""

    DEMAND = "demand"
    PERIODIC = "periodic"
    THRESHOLD = "threshold"
    EACH = "each"
    FIRST = "first"
    """The first reading of the validity of TAF-1, 2 and 7."""
    LAST = "last"
    """The last one, with all that was not sent before."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Values to be sent.

    Attributes:
        number: by which the sender says what became of it.
        cause: what triggered it.
        at_s: the instant of that.
        values: what to send, in the order of time.
        lost: samples that found no room or did not outlive a power cut, since the last delivery.
        span: first and last instant of what to send out of the list of its profile, in place of `values`; None: these.
    """

    number: int
    cause: Cause
    at_s: int
    values: tuple[Derived, ...]
    lost: int = 0
    span: tuple[int, int] | None = None

    @property
    def bounds(self) -> tuple[int, int]:
        """First and last instant of what it brings."""
        if self.span is not None:
            return self.span
        instants = [one.at_s for one in self.values]
        return min(instants), max(instants)


Output = Derived | Event | Deletion | Delivery
