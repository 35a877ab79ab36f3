"""What radio meters of each kind say, and when they say it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from radio_judge import judge
from radio_rack import KEY, MAIN, NUMBERS, RadioRack, read, value_of

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.radio.contents import RECORDS
from devices.meters.radio.plan import CompactProfile, ProfileKind, Protection, RadioMeterPlan, plan_for
from devices.ports.radio import RadioMode
from devices.protocols.mbus.compact_frame import FormatCache, expand
from devices.protocols.mbus.compact_profile import profile_values
from devices.protocols.mbus.records import decode_records

QUARTER, HOUR = 900, 3600


@pytest.mark.parametrize(
    ("kind", "rate", "quantity", "grown"),
    [
        ("electricity", 480, "energy", Decimal("0.480")),
        ("gas", 600, "volume", Decimal("0.60")),
        ("water", 100, "volume", Decimal("0.100")),
        ("heat", 4000, "energy", Decimal(4)),
    ],
)
async def test_a_meter_tells_what_has_flowed_through_it(
    clock: Clock, kind: str, rate: int, quantity: str, grown: Decimal
) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(kind, rate)
    meter.start()
    await clock.sleep(HOUR)
    assert meter.reading(MAIN[kind]) == 100 + grown
    _, records = read(await rack.next())
    told = value_of(records, quantity)
    assert 100 + grown <= told <= meter.reading(MAIN[kind])
    assert meter.last_sent is not None
    assert meter.last_sent.values[MAIN[kind]] == told
    assert value_of(records, "error_flags") == 0


async def test_the_registers_are_cut_never_rounded_up(clock: Clock) -> None:
    meter = RadioRack(clock).meter("gas", 1, registers={"7-0:3.1.0*255": Decimal("28504.27")})
    await clock.sleep(10 * HOUR - 1)
    assert meter.reading("7-0:3.1.0") == Decimal("28504.27")
    await clock.sleep(1)
    assert meter.reading("7-0:3.1.0*255") == Decimal("28504.28")


async def test_every_record_of_the_list_can_be_read(clock: Clock) -> None:
    rack = RadioRack(clock)
    for kind in NUMBERS:
        for names in batched(RECORDS, 13):
            meter = rack.meter(kind, 700, protection=Protection.NONE, records=names, compact=False)
            meter.start()
            contents = decode_records(judge(await rack.next(), KEY).plain)
            assert contents.trouble == ""
            assert all(one.quantity and not one.invalid for one in contents.records)
            meter.close()


def batched(names: Iterable[str], size: int) -> list[tuple[str, ...]]:
    listed = tuple(names)
    return [listed[start : start + size] for start in range(0, len(listed), size)]


async def test_an_electricity_meter_tells_phases_directions_and_tariffs(clock: Clock) -> None:
    rack = RadioRack(clock)
    names = ("energy", "energy_exported", "energy_tariffs", "power_exported", "voltages", "currents", "frequency")
    meter = rack.meter(rate=-6900, records=names, compact=False, registers={"1-0:2.8.0": Decimal(5)})
    meter.measured.metrology.switch_tariff(2)
    meter.start()
    await clock.sleep(HOUR)
    _, records = read(await rack.next())
    told = [(one.quantity, one.tariff, one.modifiers, one.value) for one in records]
    exported = meter.last_sent.values["1-0:2.8.0"] if meter.last_sent else None
    assert exported is not None
    assert exported > Decimal("11.9")
    assert told[:2] == [("energy", 0, (), 0), ("energy", 0, ("backward",), exported)]
    assert [one[1] for one in told[2:6]] == [1, 1, 2, 2]
    assert told[5][3] == exported - 5
    assert ("power", 0, ("backward",), Decimal("6.9")) in told
    assert [one[3] for one in told if one[0] == "voltage"] == [Decimal("230.0")] * 3
    assert [one[3] for one in told if one[0] == "current"] == [Decimal("10.000")] * 3
    assert told[-1][3] == Decimal("50.00")


async def test_a_heat_meter_tells_the_water_that_carried_the_heat(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter("heat", 34_890, flow_c=Decimal(70), return_c=Decimal(40))
    await clock.sleep(HOUR)
    assert meter.reading("6-0:1.0.0") == Decimal(134)
    assert meter.reading("6-0:2.0.0") == Decimal("1.00"), "1.163 kWh per m3 and kelvin, at 30 K"
    meter.start()
    _, records = read(await rack.next())
    assert value_of(records, "volume_flow") == Decimal("1.000")
    assert value_of(records, "flow_temperature") == Decimal("70.0")
    assert value_of(records, "return_temperature") == Decimal("40.0")


async def test_the_due_day_is_the_first_of_the_month(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter("water", 100)
    meter.start()
    _, records = read(await rack.next())
    assert value_of(records, "date", storage=1).isoformat() == "2026-01-01"
    assert value_of(records, "volume", storage=1) == 100
    meter.stop()
    await clock.sleep(30 * 86_400)
    meter.start()
    _, records = read(await rack.next())
    assert value_of(records, "date", storage=1).isoformat() == "2026-02-01"
    assert value_of(records, "volume", storage=1) == 100 + Decimal("0.1") * 24 * 27


@pytest.mark.parametrize("kind", list(ProfileKind))
async def test_the_compact_profile_tells_each_quarter_of_an_hour(clock: Clock, kind: ProfileKind) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(profile=CompactProfile(QUARTER, 4, kind))
    await clock.sleep(3 * HOUR + 1)
    meter.start()
    _, records = read(await rack.next())
    found = profile_values(records)
    expected = (
        [(2, 15), (2, 30), (2, 45), (3, 0)] if kind is not ProfileKind.INVERSE else [(2, 0), (2, 15), (2, 30), (2, 45)]
    )
    times = [datetime(2026, 1, 5, hour, minute) for hour, minute in expected]  # noqa: DTZ001 - a meter names no zone
    assert [one.time for one in found] == times
    true = dict(meter.readings("1-0:1.8.0"))
    assert [one.value for one in found] == [true[one.replace(tzinfo=UTC)] for one in times]
    assert found[-1].value == 100 + Decimal("0.12") * (times[-1].hour * 4 + times[-1].minute // 15)


async def test_a_profile_begins_anew_behind_a_gap(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter()
    await clock.sleep(2 * HOUR + 60)
    meter.power_off()
    await clock.sleep(HOUR)
    meter.power_on()
    await clock.sleep(HOUR)
    meter.start()
    _, records = read(await rack.next())
    assert [f"{one.time:%H:%M}" for one in profile_values(records)] == ["03:30", "03:45", "04:00"]
    assert meter.reading("1-0:1.8.0") < Decimal("101.5"), "nothing is counted without mains"


async def test_a_gas_meter_counts_on_without_battery_and_tells_hours(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter("gas", 1000)
    meter.power_off()
    await clock.sleep(HOUR)
    assert meter.reading("7-0:3.1.0") == 101
    meter.power_on()
    await clock.sleep(4 * HOUR)
    meter.start()
    _, records = read(await rack.next())
    assert [(f"{one.time:%H}", one.value) for one in profile_values(records)][-1] == ("05", 105)


async def test_compact_frames_follow_a_full_one_and_say_the_same(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(full_every=4)
    meter.start()
    formats = FormatCache(())
    frames = []
    for telegram in await rack.several(9):
        judged = judge(telegram, KEY)
        frames.append(judged.ci)
        apl = judged.plain.strip(b"\x2f") if judged.ci == 0x7A else judged.plain
        if judged.ci == 0x7A:
            formats.learn(apl)
        else:
            expanded = expand(apl, formats)
            assert expanded is not None
            assert {one.quantity for one in decode_records(expanded).records} >= {"energy", "power"}
    assert frames == [0x7A, 0x7B, 0x7B, 0x7B] * 2 + [0x7A]


async def test_the_interval_follows_from_the_access_number(clock: Clock) -> None:
    rack = RadioRack(clock)
    meter = rack.meter(interval_s=90, access_number=0)
    meter.start()
    await clock.sleep(90 * 300)
    gaps = [after.at_s - before.at_s for before, after in pairwise(rack.heard)]
    numbers = [judge(one.telegram, KEY).access_number for one in rack.heard]
    assert numbers[:3] == [0, 1, 2]
    assert numbers[255:258] == [255, 0, 1]
    foreseen = [90 * (1 + 0.03 * (abs(number - 128) - 64) / 64) for number in numbers[:-1]]
    assert gaps == pytest.approx(foreseen, abs=0.01)
    assert 87.2 < min(gaps) < 87.4
    assert 92.6 < max(gaps) < 92.8


async def test_an_asynchronous_meter_draws_its_intervals(clock: Clock) -> None:
    rack = RadioRack(clock)
    rack.meter(interval_s=90, synchronous=False, jitter=0.1).start()
    await clock.sleep(90 * 200)
    gaps = [after.at_s - before.at_s for before, after in pairwise(rack.heard)]
    assert 81 < min(gaps) < 84
    assert 96 < max(gaps) < 99


@pytest.mark.parametrize("mode", [RadioMode.T1, RadioMode.C1_A, RadioMode.C1_B, RadioMode.S1])
async def test_a_meter_sends_in_its_mode(clock: Clock, mode: RadioMode) -> None:
    rack = RadioRack(clock)
    rack.meter(mode=mode).start()
    await rack.next()
    assert rack.heard[0].mode is mode


async def test_the_meters_clock_may_be_wrong_and_in_another_zone(clock: Clock) -> None:
    rack = RadioRack(clock)
    rack.meter(zone="Europe/Berlin", clock_offset_s=600.0).start()
    _, records = read(await rack.next())
    said = value_of(records, "datetime").replace(tzinfo=UTC)
    assert 0 <= (said - clock.now()).total_seconds() - 3600 + 60 - 600 <= 60


async def test_maker_data_and_a_count_of_telegrams_go_along(clock: Clock) -> None:
    rack = RadioRack(clock)
    rack.meter(records=("volume", "message_counter", "battery_days"), kind="gas", counter=77, compact=False,
               manufacturer_tail=bytes.fromhex("0102")).start()  # fmt: skip
    contents = decode_records(read_with_tail(await rack.next()))
    assert [one.value for one in contents.records][1:] == [77, 3650]
    assert contents.manufacturer_data.startswith(bytes.fromhex("0102"))


def read_with_tail(telegram: bytes) -> bytes:
    return judge(telegram, KEY).plain


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"kind": "steam", "number": "7ELS3312345678"}, "there is no radio meter of kind 'steam'"),
        ({"number": "7ELS331234567"}, "is no number of a radio meter"),
        ({"number": "8ELS3312345678"}, "is no gas meter"),
        ({"key": b"short"}, "has 5 octets"),
        ({"interval_s": 0.1}, "interval_s of 7ELS3312345678 cannot be 0.1"),
        ({"counter": 0}, "counter of 7ELS3312345678 cannot be 0"),
        ({"mode": RadioMode.OTHER_T}, "cannot send as its partner does"),
        ({"full_every": 3, "manufacturer_tail": b"x"}, "hold records alone"),
        ({"clear_records": ("time",)}, "only mode 5 leaves records"),
        ({"no_header": True}, "needs a header"),
        ({"adapter": "7ELS3399999999", "protection": Protection.ELL}, "with a long header"),
        ({"zone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"records": ("volume", "voltages", "time_seconds") * 8}, "telegrams of 7ELS3312345678 get too long"),
        ({"profile": CompactProfile(900, 120)}, "telegrams of 7ELS3312345678 get too long"),
        ({"records": ("volume", "colour")}, "has no record 'colour'"),
        ({"registers": {"7-0:9.9.9": Decimal(1)}}, "has no register 7-0:9.9.9"),
        ({"registers": {"7-0:3.1.0": Decimal(-1)}}, "cannot begin at -1"),
    ],
)
async def test_plans_that_cannot_be_are_refused_in_words(clock: Clock, options: dict[str, object], why: str) -> None:
    rack = RadioRack(clock)
    with pytest.raises(UsageError, match=why):
        rack.meter(**{"kind": "gas", **options})  # type: ignore[arg-type]


async def test_registers_that_there_are_not_are_refused_in_words(clock: Clock) -> None:
    with pytest.raises(UsageError, match=r"has no register 1-0:9\.8\.0"):
        RadioRack(clock).meter().reading("1-0:9.8.0")


def test_a_meter_without_a_key_has_one_of_its_own() -> None:
    first, second = (plan_for("gas", number) for number in ("7ELS3312345678", "7ELS3312345679"))
    assert isinstance(first, RadioMeterPlan)
    assert len(first.key_octets) == 16
    assert first.key_octets == plan_for("gas", "7ELS3312345678").key_octets != second.key_octets
