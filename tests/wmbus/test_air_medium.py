"""The air between radios: time on the air, who hears whom, collisions, chance, the share of the band."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from devices.clock import Clock
from devices.errors import UsageError
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.wmbus.air import TO_METERS, Air, AirAntenna, AirSettings, Fate, Transmission
from devices.wmbus.airtime import airtime, octets_on_air
from devices.wmbus.duty_cycle import DutyExceeded

ANNEX_N = bytes.fromhex(
    "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3"
)
"""Gas meter of OMS annex N, stripped (lmn-wireless 2.1)."""
STILL = AirSettings(fading_db=0)


def a_telegram(number: int, octets: int = 40) -> bytes:
    body = b"\x44\x93\x15" + number.to_bytes(4, "little") + b"\x33\x03\x7a"
    body += bytes(octets - 1 - len(body))
    return bytes((len(body),)) + body


class Ear:
    """Keeps what an antenna takes in."""

    def __init__(self, antenna: Antenna) -> None:
        self.heard: list[Reception] = []
        antenna.on_reception = self.heard.append

    @property
    def telegrams(self) -> list[bytes]:
        return [one.telegram for one in self.heard]


class Witness:
    """Keeps every transmission."""

    def __init__(self, air: Air) -> None:
        self.seen: list[Transmission] = []
        air.on_air = self.seen.append

    def fates(self, receiver: str) -> list[Fate]:
        return [one.fate for seen in self.seen for one in seen.arrivals if one.receiver == receiver]


def an_air(clock: Clock, rng: random.Random, **settings: float) -> tuple[Air, AirAntenna, Ear, Witness]:
    air = Air(clock, rng, STILL.overridden(settings))
    gateway = air.antenna("gateway", distance_m=0)
    return air, gateway, Ear(gateway), Witness(air)


def test_airtime_of_the_annex_n_telegram_is_that_of_its_chips() -> None:
    assert octets_on_air(ANNEX_N, RadioMode.T1) == 55
    assert octets_on_air(ANNEX_N, RadioMode.C1_A) == 55
    assert octets_on_air(ANNEX_N, RadioMode.C1_B) == 49
    assert airtime(ANNEX_N, RadioMode.T1) == pytest.approx((12 * 55 + 48 + 2) * 10e-6)
    assert airtime(ANNEX_N, RadioMode.C1_B) == pytest.approx((8 * 49 + 64) * 10e-6)
    assert airtime(ANNEX_N, RadioMode.S1) > airtime(ANNEX_N, RadioMode.T1) > airtime(ANNEX_N, RadioMode.C1_A)


@pytest.mark.parametrize(("total", "on_air"), [(126, 128), (127, 131), (252, 256)])
def test_long_telegrams_of_format_b_have_a_second_crc(total: int, on_air: int) -> None:
    assert octets_on_air(a_telegram(1, total), RadioMode.C1_B) == on_air


@pytest.mark.parametrize(
    ("telegram", "why"),
    [
        (b"", "are too few for a frame"),
        (ANNEX_N[:-1], "L says 46 octets, 45 follow it"),
        (b"\x05\x44abcd", "are too few for a frame"),
    ],
)
async def test_what_is_no_telegram_is_not_sent(clock: Clock, rng: random.Random, telegram: bytes, why: str) -> None:
    air, *_ = an_air(clock, rng)
    with pytest.raises(ValueError, match=why):
        air.antenna("meter").send(telegram, RadioMode.T1)
    with pytest.raises(ValueError, match="too long for format B"):
        air.antenna("other").send(a_telegram(1, 256), RadioMode.C1_B)


async def test_a_telegram_comes_in_when_its_last_chip_does(clock: Clock, rng: random.Random) -> None:
    air, _, ear, _ = an_air(clock, rng)
    meter = air.antenna("meter", distance_m=10)
    took = meter.send(ANNEX_N, RadioMode.T1)
    await clock.sleep(took - 0.0001)
    assert ear.heard == []
    await clock.sleep(0.001)
    assert ear.heard == [Reception(pytest.approx(took), ANNEX_N, RadioMode.T1, -51.2)]


async def test_strength_falls_with_distance_until_nothing_is_heard(clock: Clock, rng: random.Random) -> None:
    air, _, ear, witness = an_air(clock, rng)
    for number, metres in enumerate((1, 10, 100, 1000, 2000)):
        air.antenna(f"meter {number}", distance_m=metres).send(a_telegram(number), RadioMode.T1)
        await clock.sleep(1)
    assert [one.rssi_dbm for one in ear.heard] == [-21.2, -51.2, -81.2]
    assert witness.fates("gateway") == [Fate.RECEIVED] * 3 + [Fate.WEAK] * 2


async def test_two_alike_at_the_same_time_destroy_each_other(clock: Clock, rng: random.Random) -> None:
    air, _, ear, witness = an_air(clock, rng)
    first, second = air.antenna("first", distance_m=10), air.antenna("second", distance_m=11)
    took = first.send(a_telegram(1), RadioMode.T1)
    await clock.sleep(took * 0.9)
    second.send(a_telegram(2), RadioMode.C1_A)
    await clock.sleep(1)
    assert ear.heard == []
    assert witness.fates("gateway") == [Fate.COLLIDED, Fate.COLLIDED]


async def test_the_stronger_one_is_captured_where_it_is_stronger(clock: Clock, rng: random.Random) -> None:
    air, _, ear, witness = an_air(clock, rng)
    far_end = air.antenna("far end", position=(200, 0))
    Ear(far_end)
    near = air.antenna("near", position=(10, 0))
    far = air.antenna("far", position=(190, 0))
    near.send(a_telegram(1), RadioMode.T1)
    far.send(a_telegram(2), RadioMode.T1)
    await clock.sleep(1)
    assert ear.telegrams == [a_telegram(1)]
    assert witness.fates("gateway") == [Fate.RECEIVED, Fate.COLLIDED]
    assert witness.fates("far end") == [Fate.COLLIDED, Fate.RECEIVED]


async def test_one_behind_the_other_or_on_another_channel_does_no_harm(clock: Clock, rng: random.Random) -> None:
    air, _, ear, _ = an_air(clock, rng)
    first, second, third = (air.antenna(f"meter {number}") for number in range(3))
    took = first.send(a_telegram(1), RadioMode.T1)
    third.send(a_telegram(3), RadioMode.S1)
    await clock.sleep_until(took)
    second.send(a_telegram(2), RadioMode.T1)
    await clock.sleep(1)
    assert sorted(ear.telegrams) == [a_telegram(1), a_telegram(2), a_telegram(3)]


async def test_who_sends_is_deaf_and_who_wakes_up_too_late_missed_it(clock: Clock, rng: random.Random) -> None:
    air, gateway, ear, witness = an_air(clock, rng)
    meter = air.antenna("meter", hears=TO_METERS)
    gateway.send(a_telegram(9), RadioMode.OTHER_T)
    meter.send(a_telegram(1), RadioMode.T1)
    await clock.sleep(0.001)
    late = Ear(meter)
    await clock.sleep(1)
    assert ear.heard == late.heard == []
    assert witness.fates("gateway") == [Fate.SENDING]
    assert witness.fates("meter") == [Fate.ASLEEP]


async def test_a_gateway_hears_no_gateway_and_a_meter_no_meter(clock: Clock, rng: random.Random) -> None:
    air, gateway, ear, witness = an_air(clock, rng)
    meter, other = air.antenna("meter", hears=TO_METERS), air.antenna("other", hears=TO_METERS)
    ears = [Ear(meter), Ear(other)]
    gateway.send(a_telegram(9), RadioMode.OTHER_T)
    await clock.sleep(1)
    meter.send(a_telegram(1), RadioMode.T1)
    await clock.sleep(1)
    assert [one.telegrams for one in ears] == [[a_telegram(9)], [a_telegram(9)]]
    assert ear.telegrams == [a_telegram(1)]
    assert [[one.receiver for one in seen.arrivals] for seen in witness.seen] == [["meter", "other"], ["gateway"]]


async def test_damaged_and_cut_telegrams_come_to_nobody(clock: Clock, rng: random.Random) -> None:
    air, _, ear, witness = an_air(clock, rng)
    meter, other = air.antenna("meter"), air.antenna("other")
    meter.send_damaged(a_telegram(1), RadioMode.T1)
    await clock.sleep(1)
    other.send(a_telegram(2), RadioMode.T1)
    other.detach()
    await clock.sleep(1)
    assert ear.heard == []
    assert witness.fates("gateway") == [Fate.DAMAGED, Fate.CUT]
    with pytest.raises(UsageError, match="no longer on the air"):
        other.send(a_telegram(2), RadioMode.T1)


async def test_nobody_sends_two_telegrams_at_a_time(clock: Clock, rng: random.Random) -> None:
    air, *_ = an_air(clock, rng)
    meter = air.antenna("meter")
    meter.send(a_telegram(1), RadioMode.T1)
    with pytest.raises(ValueError, match="still sending"):
        meter.send(a_telegram(1), RadioMode.T1)


async def send_all(clock: Clock, antenna: Antenna, telegrams: Iterable[bytes], every_s: float = 1.0) -> None:
    for telegram in telegrams:
        antenna.send(telegram, RadioMode.T1)
        await clock.sleep(every_s)


async def test_loss_and_duplicates_are_as_frequent_as_told(clock: Clock, rng: random.Random) -> None:
    air, _, ear, witness = an_air(clock, rng, loss=0.2, duplicates=0.1)
    await send_all(clock, air.antenna("meter"), [a_telegram(number) for number in range(2000)])
    fates = witness.fates("gateway")
    assert 0.17 < fates.count(Fate.LOST) / 2000 < 0.23
    assert 0.06 < fates.count(Fate.TWICE) / 2000 < 0.10
    assert len(ear.heard) == fates.count(Fate.RECEIVED) + 2 * fates.count(Fate.TWICE)
    air.change(loss=0.0, duplicates=1.0)
    ear.heard.clear()
    await send_all(clock, air.antenna("another meter"), [a_telegram(1)])
    assert ear.telegrams == [a_telegram(1)] * 2
    assert ear.heard[1].at_s - ear.heard[0].at_s == pytest.approx(0.02)


async def test_the_same_seed_gives_the_same_fates(clock: Clock) -> None:
    runs = []
    for _ in range(2):
        air, _, ear, witness = an_air(clock, random.Random(7), loss=0.3, fading_db=8, duplicates=0.2)
        await send_all(clock, air.antenna("meter", distance_m=250), [a_telegram(number) for number in range(200)])
        runs.append((witness.fates("gateway"), [one.rssi_dbm for one in ear.heard]))
    assert runs[0] == runs[1]
    assert set(runs[0][0]) == {Fate.RECEIVED, Fate.TWICE, Fate.LOST, Fate.WEAK}


async def test_who_takes_more_than_a_thousandth_of_the_hour_is_reported_once(clock: Clock, rng: random.Random) -> None:
    air, *_ = an_air(clock, rng)
    told: list[DutyExceeded] = []
    air.on_duty_exceeded = told.append
    telegram = a_telegram(1, 240)
    fits = int(3.6 / airtime(telegram, RadioMode.T1))
    await send_all(clock, air.antenna("polite"), [telegram] * fits)
    assert told == []
    assert air.duty("polite") == pytest.approx(0.001, rel=0.02)
    await send_all(clock, air.antenna("rude"), [telegram] * (fits + 5))
    assert [(one.sender, one.limit) for one in told] == [("rude", 0.001)]
    assert air.exceeded == told
    assert str(told[0]).startswith("rude was on the air for 0.10")
    await clock.sleep(3600)
    assert air.duty("rude") == 0


async def test_settings_that_cannot_be_are_refused_in_words(clock: Clock, rng: random.Random) -> None:
    with pytest.raises(UsageError, match=r"loss of the air cannot be 1\.5"):
        AirSettings(loss=1.5)
    with pytest.raises(UsageError, match="the air has no setting 'los'"):
        AirSettings().overridden({"los": 0.1})
    air, *_ = an_air(clock, rng)
    with pytest.raises(UsageError, match=r"cannot be -0\.1"):
        air.change(duplicates=-0.1)
    with pytest.raises(UsageError, match="there is an antenna 'gateway' already"):
        air.antenna("gateway")
    with pytest.raises(UsageError, match="cannot be -3 m away"):
        air.antenna("meter", distance_m=-3)
