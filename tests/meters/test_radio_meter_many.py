"""Many radio meters in one air: cheap enough, polite enough, and the same for the same seed."""

from __future__ import annotations

import hashlib
import time
from decimal import Decimal

from radio_rack import RadioRack, read, value_of

from devices.clock import Clock
from devices.meters.radio.meter import RadioMeter
from devices.wmbus.air import Fate, Transmission

HUNDRED = 100
LEAST_SPEED = 500
"""Virtual seconds per second; a hundred meters reach several thousand on an idle machine."""


def a_hundred(rack: RadioRack) -> list[RadioMeter]:
    numbers = [f"1ELS01{number:08d}" for number in range(HUNDRED)]
    return [rack.meter(number=one, distance_m=3 + place / 2) for place, one in enumerate(numbers)]


async def test_a_hundred_meters_every_90_s_are_cheap_and_mostly_heard(clock: Clock) -> None:
    rack = RadioRack(clock)
    seen: list[Transmission] = []
    rack.air.on_air = seen.append
    for meter in a_hundred(rack):
        meter.start()
    began = time.process_time()
    await clock.sleep(2 * 3600)
    took = time.process_time() - began
    assert 2 * 3600 / took > LEAST_SPEED
    assert len(seen) > HUNDRED * 2 * 3600 / 95
    fates = [one.arrivals[0].fate for one in seen]
    assert set(fates) == {Fate.RECEIVED, Fate.COLLIDED}
    assert 0.95 < fates.count(Fate.RECEIVED) / len(fates) < 1, "now and then two collide"
    assert rack.air.exceeded == [], "90 s and a short telegram keep within 0.1 %"


async def test_who_sends_every_five_seconds_takes_too_much_of_the_band(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(interval_s=5)
    meter.start()
    await clock.sleep(3600)
    assert [one.sender for one in rack.air.exceeded] == ["1ELS0187654321"]


async def test_the_same_seed_gives_the_same_telegrams_of_all_meters(clock: Clock) -> None:
    runs: list[tuple[int, str]] = []
    for _ in range(2):
        rack = RadioRack(clock, seed=3, loss=0.1, duplicates=0.05)
        meters = a_hundred(rack)
        for meter in meters:
            meter.start()
        await clock.sleep(900)
        digest = hashlib.sha256(b"".join(one.telegram[:16] for one in rack.heard)).hexdigest()
        runs.append((len(rack.heard), digest))
        for meter in meters:
            meter.close()
        await clock.sleep(-clock.seconds() % 3600)
    assert runs[0] == runs[1]


async def test_a_day_of_values_agrees_to_the_last_place(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter("gas", "333.3")
    meter.start()
    await clock.sleep(86_400)
    for reception in rack.heard[::50]:
        _, records = read(reception.telegram)
        sent_at = reception.at_s - 0.05
        flown = Decimal("333.3") * Decimal(sent_at) / 3_600_000
        assert 0 <= Decimal(100) + flown - value_of(records, "volume") < Decimal("0.011")
