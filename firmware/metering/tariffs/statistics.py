"""Minimum, maximum and mean of samples, exactly; angles around the full turn (wan-core 7.6, TAF-9 and 10)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from firmware.metering.status_word import StatusWord
from firmware.metering.tariffs.profile import Aggregate
from firmware.metering.tariffs.readings import Amount, amount_of, united, word_of

DEGREE: Final = 8
"""COSEM unit of an angle."""
_TURN: Final = Amount(360)


class Window:
    """The samples of one register in a span.

    An angle is taken to be the one of its turns that is nearest to the first sample, so 359° and 1° have the mean 0°.
    """

    def __init__(self) -> None:
        self.count = 0
        self.unit: int | None = None
        self.status = StatusWord()
        self._first: Amount | None = None
        self._least: Amount | None = None
        self._most: Amount | None = None
        self._sum = Amount(0)

    def add(self, sample: Amount, unit: int | None, status: StatusWord) -> None:
        """One more sample; `status` is the united one of all of them then."""
        if self._first is None or self._least is None or self._most is None:
            self.count, self.unit, self.status = 1, unit, status
            self._first = self._least = self._most = self._sum = sample
            return
        self.status = united((self.status, status))
        if self.unit == DEGREE:
            sample = _nearest(sample, self._first)
        self.count += 1
        self._least = min(self._least, sample)
        self._most = max(self._most, sample)
        self._sum += sample

    def value(self, aggregate: Aggregate) -> Amount | None:
        """None without samples. A mean is rounded to the scaler of the samples, half to even."""
        if self._least is None or self._most is None:
            return None
        if aggregate is Aggregate.MEAN:
            found = Amount(round(Fraction(self._sum.value, self.count)), self._sum.scaler)
        else:
            found = self._least if aggregate is Aggregate.MINIMUM else self._most
        return _within_a_turn(found) if self.unit == DEGREE else found

    def state(self) -> list[Any]:
        """As plain data."""
        parts = [self._first, self._least, self._most, self._sum]
        return [self.count, self.unit, str(self.status), *(None if one is None else one.plain() for one in parts)]

    def restore(self, state: list[Any]) -> None:
        """Go on where `state` was taken."""
        self.count, self.unit, self.status = state[0], state[1], word_of(state[2])
        self._first, self._least, self._most = (amount_of(one) for one in state[3:6])
        self._sum = amount_of(state[6]) or Amount(0)


def _nearest(sample: Amount, to: Amount) -> Amount:
    scaler = min(sample.scaler, to.scaler, 0)
    turn, value, middle = _TURN.scaled(scaler), sample.scaled(scaler), to.scaled(scaler)
    return Amount((value - middle + turn // 2) % turn - turn // 2 + middle, scaler)


def _within_a_turn(angle: Amount) -> Amount:
    scaler = min(angle.scaler, 0)
    return Amount(angle.scaled(scaler) % _TURN.scaled(scaler), scaler)
