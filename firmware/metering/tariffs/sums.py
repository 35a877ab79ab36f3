"""The total of several registers at one instant: sums and differences (wan-core 7.6, TAF-1 and 2).

What one register lacks the total lacks. A counter that falls is left out and told, and the readings after it are
compared with the last good one, so that nothing is credited twice (wan-core 7.4). Quantities of different units are
not added up: such a total is missing and warned of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firmware.metering.status_word import GatewayBit, StatusWord
from firmware.metering.tariffs.entries import Event
from firmware.metering.tariffs.profile import Term
from firmware.metering.tariffs.readings import Amount, Point, amount_of, counts_up, severity, united, with_bits
from firmware.metering.tariffs.rows import Row


@dataclass(frozen=True, slots=True)
class Total:
    """What the terms amount to at an instant.

    Attributes:
        at_s: instant of the grid.
        amount: None: a term is missing.
        usable: whether it may be billed.
        status: of all terms together; bit 13 when there is no amount.
        unit: of the first term that has one.
    """

    at_s: int
    amount: Amount | None
    usable: bool
    status: StatusWord
    unit: int | None


class Counters:
    """The last good reading of each register, to tell one that falls."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._grows = [counts_up(one.source.obis) for one in terms]
        self._last: list[Amount | None] = [None] * len(self._grows)
        self._fallen = [False] * len(self._grows)

    def fell(self, number: int, point: Point) -> bool:
        """Whether a usable reading is below the last good one; else it is the last good one now."""
        last = self._last[number]
        if self._grows[number] and last is not None and point.amount is not None and point.amount < last:
            return True
        self._last[number] = point.amount
        self._fallen[number] = False
        return False

    def read(self, number: int, point: Point, events: list[Event]) -> StatusWord:
        """The status of a reading that is handed on as it is: bit 13 when there is none, bit 12 when it fell."""
        if point.amount is None:
            return with_bits(point.status, GatewayBit.NO_VALUE)
        if severity(point.status).usable and self.fell(number, point):
            events += self.tell(number, point)
            return with_bits(point.status, GatewayBit.WARNING)
        return point.status

    def tell(self, number: int, point: Point) -> list[Event]:
        """The event of a fall, once until the register is good again."""
        if self._fallen[number]:
            return []
        self._fallen[number] = True
        return [Event("register_fell", point.at_s, {"meter": point.source.meter, "register": point.source.obis})]

    def state(self) -> list[Any]:
        """As plain data."""
        return [[None if one is None else one.plain() for one in self._last], list(self._fallen)]

    def restore(self, state: list[Any]) -> None:
        """Go on where `state` was taken."""
        self._last = [amount_of(one) for one in state[0]]
        self._fallen = list(state[1])


class Sum:
    """Adds up the terms of a profile, instant by instant."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._signs = [one.sign for one in terms]
        self.counters = Counters(terms)

    def total(self, row: Row, events: list[Event]) -> Total:
        """The total of an instant; what is to be logged is added to `events`."""
        words: list[StatusWord] = []
        amount: Amount | None = None
        usable = complete = True
        unit: int | None = None
        warned = False
        for number, point in enumerate(row.points):
            word = point.status
            part = point.amount
            if part is not None and severity(word).usable:
                if self.counters.fell(number, point):
                    events += self.counters.tell(number, point)
                    part, word = None, with_bits(word, GatewayBit.WARNING)
            else:
                usable = False
            if part is None:
                usable = complete = False
                word = with_bits(word, GatewayBit.NO_VALUE)
            else:
                part = part if self._signs[number] > 0 else -part
                amount = part if amount is None else amount + part
                if unit is None:
                    unit = point.unit
                elif point.unit is not None and point.unit != unit:
                    warned, usable, complete = True, False, False
            words.append(word)
        status = united(words)
        if warned:
            status = with_bits(status, GatewayBit.NO_VALUE, GatewayBit.WARNING)
        return Total(row.at_s, amount if complete else None, usable, status, unit)
