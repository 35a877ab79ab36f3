"""Faults of radio meters: what each does to a telegram, and what a receiver by TR-03116-3 makes of it."""

from __future__ import annotations

import random

import pytest
from radio_judge import judge
from radio_rack import KEY, NUMBERS, RadioRack

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.radio.faults import CHECKSUM, COUNTER, DECRYPTION, FAULTS, SYNTAX, make_fault
from devices.meters.radio.meter import RadioMeter
from devices.meters.radio.plan import Protection, plan_for
from devices.ports.radio import RadioMode, Reception
from devices.protocols.mbus.records import decode_records
from devices.wmbus.air import Fate, Transmission

MEDIUM_1 = "9315214365870102"


class Receiver:
    """A receiver that follows TR-03116-3 7.3 and notes a number for each telegram: 0 for one that it accepts."""

    def __init__(self, mode: int, strict: bool = True) -> None:
        self.mode = mode
        self.strict = strict
        self.last = 0

    def take(self, telegram: bytes) -> int:
        if telegram[2:10].hex() != MEDIUM_1:
            return -1
        judged = judge(telegram, KEY)
        if judged.ci == 0xB7 or (self.strict and judged.mode != self.mode):
            return SYNTAX
        if judged.counter >= 0 and judged.counter <= self.last:
            return COUNTER
        if not judged.genuine:
            return {7: CHECKSUM, 10: CHECKSUM, -1: CHECKSUM}.get(judged.mode, DECRYPTION)
        self.last = max(self.last, judged.counter)
        contents = decode_records(judged.plain)
        return SYNTAX if contents.trouble and not contents.records else 0


MODES = {Protection.PROFILE_A: 5, Protection.PROFILE_B: 7, Protection.PROFILE_D: 10, Protection.ELL: -1}


async def outcomes(rack: RadioRack, meter: RadioMeter, count: int) -> list[int]:
    receiver = Receiver(MODES[meter.plan.protection])
    meter.start()
    return [receiver.take(one) for one in await rack.several(count)]


@pytest.mark.parametrize("protection", list(MODES))
@pytest.mark.parametrize(
    "name", ["wrong_key", "wrong_mac", "counter_back", "forged_counter", "unknown_syntax", "wrong_mode", "replay"]
)
async def test_a_fault_has_the_event_that_the_catalogue_promises(
    clock: Clock, name: str, protection: Protection
) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(protection=protection, counter=100)
    needs = FAULTS[name].needs
    if needs and protection not in needs:
        with pytest.raises(UsageError, match=f"fault {name} does nothing with"):
            meter.fault(name)
        return
    meter.start()
    receiver = Receiver(MODES[protection])
    good = [receiver.take(one) for one in await rack.several(2)]
    meter.fault(name, 2)
    bad = [receiver.take(one) for one in await rack.several(2)]
    after = [receiver.take(one) for one in await rack.several(2)]
    assert good == after == [0, 0]
    event = FAULTS[name].events.get(protection)
    if name == "wrong_mode" and protection is not Protection.PROFILE_B and event is None:
        event = SYNTAX
    assert bad == [event or 0] * 2
    assert [one["kind"] for one in rack.happened("fault")] == [name] * 2


@pytest.mark.parametrize("where", ["records", "ci"])
async def test_an_unknown_syntax_may_be_of_records_or_of_the_ci_field(clock: Clock, where: str) -> None:
    rack = RadioRack(clock)
    meter = rack.meter()
    meter.fault("unknown_syntax", where=where)
    assert await outcomes(rack, meter, 3) == [SYNTAX] * 3
    assert (rack.heard[-1].telegram[10:11] == b"\xb7") == (where == "ci")


async def test_a_flipped_bit_is_noticed_by_the_mac(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter()
    meter.fault("flip_bit")
    assert await outcomes(rack, meter, 20) == [CHECKSUM] * 20
    meter.clear_faults()
    meter.fault("flip_bit", bit=3)
    sent = await rack.next()
    assert meter.last_sent is not None
    assert sent == meter.last_sent.telegram


async def test_a_damaged_telegram_reaches_nobody(clock: Clock) -> None:
    rack = RadioRack(clock)
    seen: list[Transmission] = []
    rack.air.on_air = seen.append
    meter = rack.meter()
    meter.start()
    meter.fault("wrong_crc", 3)
    await clock.sleep(90 * 5.2)
    assert [one.arrivals[0].fate for one in seen] == [Fate.DAMAGED] * 3 + [Fate.RECEIVED] * (len(seen) - 3)


async def test_a_real_antenna_cannot_damage_what_it_sends(clock: Clock) -> None:
    class Stick:
        on_reception = None

        def send(self, telegram: bytes, mode: RadioMode) -> float:
            return len(telegram) * 1e-4

        def detach(self) -> None: ...

    meter = RadioMeter(plan_for("gas", NUMBERS["gas"]), clock, random.Random(1), Stick())
    with pytest.raises(UsageError, match="cannot do wrong_crc"):
        meter.fault("wrong_crc")
    meter.close()


async def test_silence_costs_counters_but_no_airtime(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter()
    meter.start()
    before = judge(await rack.next(), KEY).counter
    meter.fault("silence", 5)
    assert judge(await rack.next(), KEY).counter == before + 6
    assert meter.last_sent is not None
    assert meter.last_sent.struck == ()


async def test_a_duplicate_comes_a_moment_later(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter()
    meter.fault("duplicate", 1, gap_s=0.25)
    meter.start()
    first, second, third = await rack.several(3)
    assert first == second != third
    assert rack.heard[1].at_s - rack.heard[0].at_s == pytest.approx(0.25)
    receiver = Receiver(7)
    assert [receiver.take(one) for one in (first, second, third)] == [0, COUNTER, 0]


async def test_a_replay_is_the_very_telegram_of_before(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter()
    meter.start()
    meter.fault("replay", back=3)
    first = await rack.several(6)
    assert first[3:] == [first[0]] * 3, "what a replay replaces is not sent later"
    meter.clear_faults("replay")
    assert judge(await rack.next(), KEY).counter == judge(first[0], KEY).counter + 6


async def test_counters_jump_for_good(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(counter=1)
    meter.fault("counter_jump", 1, by=5000)
    meter.start()
    assert [judge(one, KEY).counter for one in await rack.several(3)] == [5001, 5002, 5003]


async def test_another_meters_id_goes_with_the_own_key(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter()
    meter.fault("other_meters_id", 1)
    meter.fault("other_meters_id", 1, number="7ELS3312345678")
    meter.start()
    telegram = await rack.next()
    assert telegram[2:10].hex() == "9315785634123303"
    assert judge(telegram, KEY).genuine
    meter.fault("other_meters_id", 1)
    assert (await rack.next())[2:10].hex() == "9315224365870102"


@pytest.mark.parametrize(
    ("name", "status"), [("low_battery", 0x04), ("permanent_error", 0x08), ("temporary_error", 0x10), ("abnormal", 3)]
)
async def test_errors_stand_in_the_status_byte(clock: Clock, name: str, status: int) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(status=0x40)
    meter.fault(name, 1)
    meter.start()
    first, second = await rack.several(2)
    assert [judge(first, KEY).status, judge(second, KEY).status] == [0x40 | status, 0x40]
    assert judge(first, KEY).genuine


async def test_stale_values_stand_still_in_good_telegrams(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(rate=100_000)
    meter.start()
    meter.fault("stale", 3)
    told = []
    for telegram in await rack.several(5):
        judged = judge(telegram, KEY)
        assert judged.genuine
        told.append(next(one.value for one in decode_records(judged.plain).records if one.quantity == "energy"))
    assert told[0] == told[1] == told[2] == 100
    assert told[2] < told[3] < told[4]


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("wrong_kay", {}, "did you mean 'wrong_key'"),
        ("wrong_key", {"times": 0}, "cannot strike 0 times"),
        ("wrong_key", {"key": "12"}, "32 hex digits"),
        ("replay", {"back": 0}, "from 1 to 64"),
        ("replay", {"bakc": 1}, "did you mean 'back'"),
        ("silence", {"by": 1}, "it has none"),
        ("wrong_mode", {"mode": 7}, "0 or 5"),
        ("other_meters_id", {"number": "nobody"}, "is no number of a radio meter"),
        ("unknown_syntax", {"where": "tail"}, "records, ci"),
    ],
)
def test_faults_that_cannot_be_are_refused_in_words(name: str, options: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        make_fault(name, **options)  # type: ignore[arg-type]


def test_every_fault_says_what_it_does_and_what_becomes_of_it() -> None:
    for kind in FAULTS.values():
        assert kind.sentence
        assert kind.effect
        assert (kind.draft, kind.sending, kind.freezes) != (None, None, False)
        assert set(kind.events.values()) <= {DECRYPTION, CHECKSUM, COUNTER, SYNTAX}


async def test_the_same_seed_gives_the_same_octets(clock: Clock) -> None:
    runs: list[list[bytes]] = []
    for seed in (5, 5, 6):
        rack = RadioRack(clock, seed, loss=0.2, duplicates=0.1)
        began: float = clock.seconds()
        meter = rack.meter(zone="UTC", records=("energy", "power"), compact=False, protection=Protection.PROFILE_B)
        meter.fault("flip_bit")
        meter.start()
        heard: list[Reception] = rack.heard
        await clock.sleep(9000)
        runs.append([one.telegram + repr(round(one.at_s - began, 5)).encode() for one in heard])
        meter.close()
    assert runs[0] == runs[1] != runs[2]
