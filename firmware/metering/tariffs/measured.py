"""TAF-9, 10 and 14: measured values, sent when something triggers it, never billed (wan-core 7.6).

TAF-9 and 10 send the present values, periodically with minimum, maximum and mean of the span; TAF-14 sends all values
that were not sent yet, and with periodic sending what is left at the end of the validity. The host hands a delivery
over and says with `delivered` or `failed` what became of it. A limit triggers once when a sample passes it, and again
only after one came back by the hysteresis, so a value that trembles around the limit makes no storm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import replace
from typing import Any

from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.entries import Cause, Delivery, Derived, Kind, Output, derived_of
from firmware.metering.tariffs.errors import TariffError
from firmware.metering.tariffs.profile import Aggregate, EvaluationProfile
from firmware.metering.tariffs.readings import NO_VALUE, Point, Source, severity, with_bits
from firmware.metering.tariffs.rows import Row
from firmware.metering.tariffs.statistics import Window
from firmware.metering.tariffs.use_case import UseCase

_KINDS = {Aggregate.MINIMUM: Kind.MINIMUM, Aggregate.MAXIMUM: Kind.MAXIMUM, Aggregate.MEAN: Kind.MEAN}


class Measured(UseCase):
    """Samples, what is made of them, and when they are sent."""

    def __init__(self, profile: EvaluationProfile) -> None:
        super().__init__(profile)
        self._keeps_all = profile.use_case == 14
        self._armed = [True] * len(profile.sending.thresholds)
        self._windows = [Window() for _ in profile.terms]
        self._present: tuple[Derived, ...] = ()
        self._unsent: deque[tuple[Derived, int]] = deque()
        """Samples of TAF-14 with the number of the delivery that they are in, 0: none."""
        self._dropped: dict[int, int] = {}
        """Number of a delivery under way -> how many of its samples were dropped for want of room meanwhile."""
        self._number = 0
        self._lost = 0

    @property
    def unsent(self) -> tuple[Derived, ...]:
        """Samples of TAF-14 that no delivery has brought to its receiver yet."""
        return tuple(one for one, _ in self._unsent)

    @property
    def under_way(self) -> tuple[int, ...]:
        """Deliveries of TAF-14 of which nobody has said yet what became of them, as after a power cut."""
        return tuple(sorted({owner for _, owner in self._unsent if owner} | set(self._dropped)))

    @property
    def present(self) -> dict[tuple[str, str], Derived]:
        """The newest sample of each register, by meter and OBIS code; empty before the first."""
        sources = (one.source for one in self.profile.terms)
        return {(one.meter, one.obis): value for one, value in zip(sources, self._present, strict=False)}

    def demand(self, now_s: int) -> Delivery:
        """The present values on the administrator's order.

        Raises:
            TariffError: the profile has no such trigger, or there is no value yet.
        """
        if not self.profile.sending.on_demand:
            raise TariffError(f"evaluation profile {self.profile.name} sends nothing on demand")
        if not self._present:
            raise TariffError(f"evaluation profile {self.profile.name} has no value yet")
        return self._deliver(Cause.DEMAND, now_s, self._present)

    def delivered(self, number: int) -> None:
        """A delivery has reached its receiver."""
        self._dropped.pop(number, None)
        self._unsent = deque(one for one in self._unsent if one[1] != number)

    def failed(self, number: int) -> None:
        """A delivery was given up: its samples are unsent again and go with the next one."""
        self._lost += self._dropped.pop(number, 0)
        self._unsent = deque((one, 0 if owner == number else owner) for one, owner in self._unsent)

    def skip_to(self, now_s: int, waiting: Container[int] = ()) -> list[Output]:
        """Go on after a time without power: nothing was sampled up to and with `now_s`, and nobody was at work.

        Deliveries under way that are not among those `waiting` were not delivered. Their samples and the others that
        were not sent are kept, or lost and counted, as the profile says.
        """
        for number in self.under_way:
            if number not in waiting:
                self.failed(number)
        if not self.profile.sending.persistent:
            self._lost += len(self._unsent)
            self._unsent.clear()
            self._present = ()
            self._windows = [Window() for _ in self.profile.terms]
        ended = self.ended
        self._rows.skip(now_s)
        found: list[Output] = []
        if not self._started and self.decided_s >= self.profile.begin_s:
            found.append(self._start(self.profile.begin_s))
        if self.ended and not ended and self.profile.end_s is not None:
            if self._unsent and self.profile.sending.every_s is not None:
                found.append(self._deliver(Cause.PERIODIC, now_s, self._hand_over()))
            found.append(self._end(self.profile.end_s))
        return found

    def _row(self, row: Row, edge: Kind | None, found: list[Output]) -> None:
        sending = self.profile.sending
        self._present = tuple(self._sample(point) for point in row.points)
        for window, point in zip(self._windows, row.points, strict=True):
            if point.amount is not None and severity(point.status).usable:
                window.add(point.amount, point.unit, point.status)
        if self._keeps_all:
            self._keep()
        passed = self._passed(row)
        periodic = sending.every_s is not None and (
            row.at_s % sending.every_s == 0 or (self._keeps_all and edge is Kind.LAST)
        )
        causes = [
            cause
            for cause, wanted in (
                (Cause.THRESHOLD, passed),
                (Cause.PERIODIC, periodic),
                (Cause.EACH, sending.each),
            )
            if wanted
        ]
        for cause in causes:
            values = self._hand_over() if self._keeps_all else self._present
            if cause is Cause.PERIODIC:
                values += self._aggregates(row.at_s)
            if values:
                found.append(self._deliver(cause, row.at_s, values))

    def _sample(self, point: Point) -> Derived:
        bits = [GatewayBit.NOT_FOR_BILLING]
        if point.amount is None:
            bits.append(GatewayBit.NO_VALUE)
        status = with_bits(point.status, *bits)
        source = point.source
        return Derived(Kind.SAMPLE, point.at_s, source.obis, point.amount, status, point.unit, self._named(source))

    def _named(self, source: Source) -> str:
        return self.profile.pseudonym if self.profile.pseudonymised else source.meter

    def _passed(self, row: Row) -> bool:
        """Whether a limit is passed anew."""
        said = {point.source: point for point in row.points}
        found = False
        for number, threshold in enumerate(self.profile.sending.thresholds):
            point = said.get(threshold.source)
            if point is None or point.amount is None or not severity(point.status).usable:
                continue
            if self._armed[number]:
                if threshold.passed(point.amount):
                    self._armed[number] = False
                    found = True
            elif threshold.back(point.amount):
                self._armed[number] = True
        return found

    def _keep(self) -> None:
        self._unsent.extend((one, 0) for one in self._present)
        while len(self._unsent) > self.profile.sending.capacity:
            _, owner = self._unsent.popleft()
            if owner:
                self._dropped[owner] = self._dropped.get(owner, 0) + 1
            else:
                self._lost += 1

    def _hand_over(self) -> tuple[Derived, ...]:
        """All samples that are in no delivery, for the next one."""
        values = tuple(one for one, owner in self._unsent if not owner)
        number = self._number + 1
        self._unsent = deque((one, owner or number) for one, owner in self._unsent)
        return values

    def _aggregates(self, at_s: int) -> tuple[Derived, ...]:
        """What is made of the span that ends now; the next one begins."""
        found = []
        for term, window in zip(self.profile.terms, self._windows, strict=True):
            for aggregate in self.profile.sending.aggregates:
                value = window.value(aggregate)
                status = with_bits(NO_VALUE if value is None else window.status, GatewayBit.NOT_FOR_BILLING)
                source = term.source
                found.append(
                    Derived(_KINDS[aggregate], at_s, source.obis, value, status, window.unit, self._named(source))
                )
        self._windows = [Window() for _ in self.profile.terms]
        return tuple(found)

    def _deliver(self, cause: Cause, at_s: int, values: tuple[Derived, ...]) -> Delivery:
        if cause is Cause.THRESHOLD:
            values = tuple(replace(one, status=with_bits(one.status, GatewayBit.THRESHOLD)) for one in values)
        self._number += 1
        lost, self._lost = self._lost, 0
        return Delivery(self._number, cause, at_s, values, lost)

    def _own_state(self) -> Any:
        state: dict[str, Any] = {"armed": list(self._armed), "number": self._number}
        if not self.profile.sending.persistent:
            return state
        return state | {
            "windows": [one.state() for one in self._windows],
            "present": [one.plain() for one in self._present],
            "unsent": [[one.plain(), owner] for one, owner in self._unsent],
            "dropped": [list(one) for one in self._dropped.items()],
            "lost": self._lost,
        }

    def _own_restore(self, state: Any) -> None:
        self._armed, self._number = list(state["armed"]), state["number"]
        if "unsent" not in state:
            return
        for window, kept in zip(self._windows, state["windows"], strict=True):
            window.restore(kept)
        self._present = tuple(derived_of(one) for one in state["present"])
        self._unsent = deque((derived_of(one), owner) for one, owner in state["unsent"])
        self._dropped, self._lost = dict(state["dropped"]), state["lost"]
