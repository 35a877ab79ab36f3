"""Emulated radio meters in an air of their own, without a scenario: for an emulated stick or a real one."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.given_radio import load_of, plan_of
from bench.scenario.radio_models import GivenRadioMeter
from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.radio.counter import LARGEST
from devices.meters.radio.meter import RadioMeter
from devices.meters.radio.plan import Protection, RadioMeterPlan
from devices.ports.base import BytePort
from devices.ports.radio import Antenna, RadioMode
from devices.wmbus.air import FROM_METERS, TO_METERS, Air

if TYPE_CHECKING:
    from devices.wmbus.emulated.base import EmulatedStick

_DEMONSTRATION: Final[dict[str, dict[str, Any]]] = {
    "gas": {
        "kind": "gas",
        "id": "7ELS3312345678",
        "load": "0.6 m3/h",
        "interval": "5 s",
        "registers": {"7-0:3.1.0": "2850.5 m3"},
    },
    "water": {
        "kind": "water",
        "id": "8HYD0120261234",
        "load": "0.1 m3/h",
        "registers": {"8-0:1.0.0": "135.25 m3"},
        "interval": "7 s",
        "mode": "C1A",
        "distance": "25 m",
    },
    "electricity": {
        "kind": "electricity",
        "id": "1EMH0000000042",
        "load": "480 W",
        "registers": {"1-0:1.8.0": "4711.5 kWh"},
        "interval": "8 s",
        "protection": "none",
        "distance": "40 m",
    },
}
DEMONSTRATION: Final[Mapping[str, GivenRadioMeter]] = {
    name: GivenRadioMeter.model_validate(said) for name, said in _DEMONSTRATION.items()
}
"""Meters that a tool plays when none are given, faster than real ones."""

Told = Callable[[str, str, Mapping[str, Any]], None]
"""Name of the meter, kind of event, details."""


COUNTER_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
_COUNTS_PER_S: Final = 4
"""More than a meter ever sends; the 32 bits last until 2054 so."""


def first_counter(clock: Clock) -> int:
    """The transmission counter of the first telegram when nobody says: quarters of seconds since the begin of 2020.

    So no run uses a number again that an earlier one used with the same key, and a gateway that heard the meter before
    believes it (TR-03116-3 7.1: the counter is never reset).
    """
    return max(1, min(LARGEST, int((clock.now() - COUNTER_EPOCH).total_seconds() * _COUNTS_PER_S)))


class EmulatedAir:
    """Meters, and the air between them and whoever hears them; close it when done.

    Attributes:
        meters: by name.
        plans: by name.
        air: between them.
    """

    def __init__(self, clock: Clock, *, seed: int | None = None, told: Told | None = None) -> None:
        """Make it, still empty.

        Args:
            clock: of the running loop.
            seed: of what meters and air draw; None: from the operating system.
            told: what happens to the meters.
        """
        self._clock = clock
        self._rng = random.Random(seed)
        self._told = told
        self.air = Air(clock, self._random())
        self.meters: dict[str, RadioMeter] = {}
        self.plans: dict[str, RadioMeterPlan] = {}

    def add(self, name: str, given: GivenRadioMeter, *, folder: Path = Path(), antenna: Antenna | None = None) -> None:
        """Put a meter up; it begins to send with `start`.

        Args:
            name: unlike the others.
            given: what a scenario would say of it.
            folder: where file names in it begin.
            antenna: what it sends through; None: the air.

        Raises UsageError for what is not possible.
        """
        try:
            plan, load = plan_of(given), load_of(given, self._clock, folder)
            if "counter" not in given.model_fields_set:
                plan = plan.but(counter=first_counter(self._clock))
            if antenna is None:
                hears = TO_METERS if given.bidirectional else frozenset[RadioMode]()
                antenna = self.air.antenna(name, distance_m=float(given.distance), hears=hears)
            meter = RadioMeter(plan, self._clock, self._random(), antenna, load)
        except UsageError as error:
            raise UsageError(f"radio meter {name!r}: {error.message}", place=error.place, hint=error.hint) from None
        if self._told is not None:
            told = self._told

            def tell(kind: str, details: Mapping[str, Any]) -> None:
                told(name, kind, details)

            meter.on_event = tell
        self.meters[name], self.plans[name] = meter, plan

    def start(self) -> None:
        """All meters begin to send."""
        for meter in self.meters.values():
            meter.start()

    def stick(self, kind: str, port: BytePort) -> EmulatedStick:
        """An emulated stick in the middle of the air; it hears the meters."""
        from devices.wmbus.emulated.catalogue import EMULATED

        antenna = self.air.antenna(f"stick {kind}", distance_m=0, hears=FROM_METERS)
        return EMULATED[kind](self._clock, port, antenna, self._random())

    def key_of(self, name: str) -> bytes | None:
        """Key of its telegrams, None when they are in the clear."""
        plan = self.plans[name]
        return None if plan.protection is Protection.NONE else plan.key_octets

    def close(self) -> None:
        """No meter sends any more."""
        for meter in self.meters.values():
            meter.close()

    def _random(self) -> random.Random:
        return random.Random(self._rng.getrandbits(64))
