"""TAF-7, the load profile: the value of each register at each multiple of the registration period (wan-core 7.6).

Values are handed on as they were read, marked ones with their marks. An instant without a value has an entry with
status bit 13; a counter that fell is marked with the warning bit, which its original value has already.
"""

from __future__ import annotations

from typing import Any

from firmware.metering.tariffs.entries import Derived, Event, Kind, Output
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.rows import Row
from firmware.metering.tariffs.sums import Counters
from firmware.metering.tariffs.use_case import UseCase


class Taf7(UseCase):
    """The list of each register.

    Attributes:
        listing: whether it gives the entries; where the list of original readings is the load profile, nobody needs
            them a second time.
    """

    def __init__(self, profile: EvaluationProfile) -> None:
        super().__init__(profile)
        self.listing = True
        self._counters = Counters(profile.terms)

    def _row(self, row: Row, edge: Kind | None, found: list[Output]) -> None:
        kind = edge or Kind.PERIOD
        events: list[Event] = []
        for number, point in enumerate(row.points):
            source, status = point.source, self._counters.read(number, point, events)
            if self.listing:
                found.append(Derived(kind, row.at_s, source.obis, point.amount, status, point.unit, source.meter))
        found += events

    @property
    def _lists_all(self) -> bool:
        return True

    def _own_state(self) -> Any:
        return self._counters.state()

    def _own_restore(self, state: Any) -> None:
        self._counters.restore(state)
