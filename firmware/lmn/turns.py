"""Whose turn it is: when each wired meter wants to be attended, worked out anew only where something has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from firmware.lmn.meter import WiredMeter
from firmware.own_clock import OwnClock, to_us


class Turns:
    """The next instant of each meter.

    An instant that is kept may be too early, never too late: whoever makes a meter wait less says so with `changed`,
    and when the gateway's clock passes an instant at which a certificate counts otherwise, all are worked out anew.
    While the time is not known that is so at every look.

    Args:
        own: the gateway's clock.
        meters: on the bus or lost.
        due: when a meter wants to be attended, in seconds of the laboratory's clock; infinity: never.
        until: when the certificates that count for a meter stand otherwise next; None: never.
    """

    def __init__(
        self,
        own: OwnClock,
        meters: Mapping[bytes, WiredMeter],
        due: Callable[[WiredMeter], float],
        until: Callable[[WiredMeter], datetime | None],
    ) -> None:
        self._own = own
        self._meters = meters
        self._due = due
        self._until = until
        self._dues: dict[WiredMeter, float] = {}
        self._changed: set[WiredMeter] = set()
        self._all = True
        self._until_us: float = 0

    def changed(self, meter: WiredMeter | None = None) -> None:
        """Something has changed of `meter`, or of what counts for all of them."""
        if meter is None:
            self._all = True
        else:
            self._changed.add(meter)

    def next(self) -> tuple[WiredMeter | None, float]:
        """The meter whose turn comes first, of several the one that was known first, and when; None: no meter."""
        known = self._own.known
        if self._all or not known or len(self._dues) != len(self._meters) or self._own.now_us() >= self._until_us:
            self._until_us = float("inf")
            self._dues = {meter: self._look(meter) for meter in self._meters.values()}
            self._all = not known
        else:
            for meter in self._changed:
                self._dues[meter] = self._look(meter)
        self._changed.clear()
        first = min(self._dues, key=self._dues.__getitem__, default=None)
        return first, float("inf") if first is None else self._dues[first]

    def _look(self, meter: WiredMeter) -> float:
        until = self._until(meter)
        if until is not None:
            self._until_us = min(self._until_us, to_us(until))
        return self._due(meter)
