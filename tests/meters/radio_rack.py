"""A gateway's ear in the air, and radio meters around it."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from radio_judge import Judged, judge

from devices.clock import Clock
from devices.meters.load_profile import LoadProfile, stepped
from devices.meters.radio.meter import RadioMeter
from devices.meters.radio.plan import RadioMeterPlan, plan_for
from devices.ports.radio import RadioMode, Reception
from devices.protocols.mbus.records import Record, decode_records
from devices.wmbus.air import TO_METERS, Air, AirSettings

NUMBERS = {
    "electricity": "1ELS0187654321",
    "gas": "7ELS3312345678",
    "water": "8QDS1612345678",
    "heat": "6KAM0455667788",
}
MAIN = {"electricity": "1-0:1.8.0", "gas": "7-0:3.1.0", "water": "8-0:1.0.0", "heat": "6-0:1.0.0"}
KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")


class RadioRack:
    """The air, what the gateway's antenna took in, and what meters told of themselves."""

    def __init__(self, clock: Clock, seed: int = 1, **settings: float) -> None:
        self.clock = clock
        self.seed = seed
        self.air = Air(clock, random.Random(seed), AirSettings(fading_db=0).overridden(settings))
        self.gateway = self.air.antenna("gateway", distance_m=0)
        self.gateway.on_reception = self._take
        self.heard: list[Reception] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.answer: Callable[[Reception], None] | None = None

    def meter(self, kind: str = "electricity", rate: int | str = 480, **options: Any) -> RadioMeter:
        """A meter of `kind` with a constant load in W or l/h, not started."""
        number = options.pop("number", NUMBERS.get(kind))
        distance_m = options.pop("distance_m", 10)
        plan = plan_for(kind, number, **{"key": KEY, "registers": {MAIN.get(kind, ""): Decimal(100)}, **options})
        return self.put(plan, stepped([(0, rate)]), distance_m)

    def put(self, plan: RadioMeterPlan, load: LoadProfile, distance_m: float = 10) -> RadioMeter:
        """A meter of this plan, not started."""
        hears = frozenset[RadioMode]() if plan.access is None else TO_METERS
        antenna = self.air.antenna(plan.number, distance_m=distance_m, hears=hears)
        rng = random.Random(f"{self.seed} {plan.number}")
        return RadioMeter(plan, self.clock, rng, antenna, load, on_event=self._told)

    async def next(self, within_s: float = 1800) -> bytes:
        """The next telegram that the gateway hears."""
        return (await self.several(1, within_s))[0]

    async def several(self, count: int, within_s: float = 86_400) -> list[bytes]:
        """The next telegrams that the gateway hears."""
        known = len(self.heard)
        until = self.clock.seconds() + within_s
        while len(self.heard) < known + count:
            assert self.clock.seconds() < until, f"{len(self.heard) - known} telegrams within {within_s} s"
            await self.clock.sleep(0.1)
        return [one.telegram for one in self.heard[known:]]

    def happened(self, event: str) -> list[dict[str, object]]:
        """What meters told of one kind."""
        return [details for kind, details in self.events if kind == event]

    def _take(self, reception: Reception) -> None:
        self.heard.append(reception)
        if self.answer is not None:
            self.answer(reception)

    def _told(self, kind: str, details: dict[str, object]) -> None:
        self.events.append((kind, details))


def read(telegram: bytes, key: bytes = KEY) -> tuple[Judged, tuple[Record, ...]]:
    """A telegram as the independent judge opens it, and its records."""
    judged = judge(telegram, key)
    contents = decode_records(judged.plain)
    assert contents.trouble == ""
    return judged, contents.records


def value_of(records: tuple[Record, ...], quantity: str, *, storage: int = 0) -> Any:
    """The value of the first record of a quantity."""
    return next(one.value for one in records if one.quantity == quantity and one.storage == storage)
