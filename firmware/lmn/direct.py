"""Wired meters asked without a bus: what they say comes in the same instant.

So a span of time that is over is filled in: the gateway runs in virtual time, and registers, evaluates, signs and
stores as always; only the exchange on the bus, which takes most of the work, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware.config import DirectMeter
from firmware.lmn.list_reading import entry_of
from firmware.metering.registration import ActiveProfile
from firmware.metering.values import Entry


class DirectLine:
    """Reads meters that answer by a function call.

    Args:
        meters: by number.
    """

    def __init__(self, meters: Mapping[str, DirectMeter]) -> None:
        self._meters = meters

    async def read(self, profile: ActiveProfile, within_s: float) -> tuple[Entry, ...] | None:
        """The list of the meter that belongs to `profile`; None when there is no such meter."""
        meter = self._meters.get(profile.meter)
        return None if meter is None else tuple(entry_of(one) for one in meter())
