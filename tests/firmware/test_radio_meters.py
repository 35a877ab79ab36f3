"""Radio meters at a gateway: what is believed, what is stored, what is told. The telegrams are put together by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from gateway_rack import Rack
from hand_made_telegrams import (
    ANNEX_N,
    GAS,
    GAS_ADDRESS,
    KEY,
    POWER,
    POWER_ADDRESS,
    HandAntenna,
    gas_volume,
    mode0,
    mode5,
    mode7,
    profile_15_minutes,
    type_f,
)

from devices.clock import Clock
from devices.errors import UsageError
from devices.gateway_types import load
from devices.ports.radio import RadioMode, Reception
from devices.protocols.mbus.afl import split
from devices.protocols.mbus.ell import Ell, Session, with_pcrc
from devices.protocols.mbus.link import Address
from devices.protocols.mbus.security import ell_crypt
from devices.protocols.mbus.telegram_plan import TelegramPlan, encode, frame_of, message_of
from firmware.config import GatewayConfig, MeterProfile
from firmware.storage.memory import NonVolatileMemory

NOT_FOR_BILLING, NO_VALUE, RADIO_ERROR, RADIO = (1 << (63 - bit) for bit in (1, 13, 15, 17))
MASK = 0xFFFFFFFFFFFFFFFF
RADIO_EVENTS = (
    "meter_data_undecryptable",
    "meter_checksum_invalid",
    "meter_counter_unexpected",
    "meter_telegram_rejected",
)
GAS_REGISTER = "7-0:3.1.0*255"


async def _rack(
    clock: Clock, product: str = "ppc", *, memory: NonVolatileMemory | None = None, **options: Any
) -> tuple[Rack, HandAntenna]:
    antenna = HandAntenna()
    meters = (MeterProfile(GAS, key=KEY, radio=True), MeterProfile(POWER, key=KEY, radio=True, period_s=900))
    config = GatewayConfig(meters=meters, options=options)
    rack = Rack(clock, load(product), config, memory=memory, antenna=antenna)
    rack.gateway.power_on()
    await rack.ready()
    return rack, antenna


async def _events(rack: Rack) -> list[tuple[str, int | None]]:
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    return [(one["event"], one["id"]) for one in entries if one["event"] in RADIO_EVENTS]


async def _counter(rack: Rack, meter: str = GAS) -> int | None:
    shown = (await rack.console.info())["radio_meters"]
    counter: int | None = next(one["counter"] for one in shown if one["meter"] == meter)
    return counter


def test_the_telegrams_of_these_tests_are_those_of_the_published_example() -> None:
    records = bytes.fromhex("0C1427048502046D32371F1502FD170000")
    assert mode7(records, 2739) == ANNEX_N


async def test_the_published_telegram_is_stored_with_its_register_and_the_radio_bit(clock: Clock) -> None:
    rack, antenna = await _rack(clock, radio_period_s=900)
    await clock.sleep(900 - clock.seconds() + 5)
    antenna.say(ANNEX_N)
    rows = await rack.console.rows(GAS)
    assert [(row["obis"], row["value"], row["unit"]) for row in rows] == [(GAS_REGISTER, "28504.27", "m³")]
    assert rows[0]["status"] == "A000400000000000"
    assert await _counter(rack) == 2739
    await rack.close()


@pytest.mark.parametrize("counter", [2739, 2738, 1, 0])
async def test_only_a_greater_counter_is_believed(clock: Clock, counter: int) -> None:
    rack, antenna = await _rack(clock)
    antenna.say(ANNEX_N)
    antenna.say(mode7(gas_volume(1), counter))
    assert await _events(rack) == [("meter_counter_unexpected", 10264)]
    assert await _counter(rack) == 2739
    antenna.say(mode7(gas_volume(2), 2740))
    assert await _counter(rack) == 2740
    await rack.close()


@pytest.mark.parametrize("told", [False, True])
async def test_ppc_tells_each_telegram_that_it_believes_where_it_is_set_up_to(clock: Clock, told: bool) -> None:
    """[PPC] 10: 10164; no other product has it."""
    for product, number in (("ppc", 10164), ("casa", None)):
        rack, antenna = await _rack(clock, product, log_meter_packets=told)
        antenna.say(mode7(gas_volume(1), 1))
        antenna.say(mode7(gas_volume(2), 2, spoil_mac=True))
        antenna.say(mode7(gas_volume(3), 3))
        packets = []
        for book in ("system", "consumer", "calibration"):
            entries = (await rack.console.ask(read="log", book=book))["entries"]
            packets += [
                (book, one["id"], one["parameters"]) for one in entries if one["event"] == "meter_packet_received"
            ]
        assert packets == [("system", number, {"meter": GAS})] * (2 if told and number else 0)
        await rack.close()


async def test_a_forged_telegram_does_not_lock_the_meter_out(clock: Clock) -> None:
    """The counter is taken over after the MAC was found right (lmn-wireless 7)."""
    rack, antenna = await _rack(clock)
    antenna.say(mode7(gas_volume(1), 10))
    antenna.say(mode7(gas_volume(1), 0xFFFFFFFF, spoil_mac=True))
    assert await _events(rack) == [("meter_checksum_invalid", 10263)]
    antenna.say(mode7(gas_volume(1), 11))
    assert await _counter(rack) == 11
    await rack.close()


async def test_a_mac_of_four_octets_is_too_short(clock: Clock) -> None:
    """TR-03116-3 table 19 allows 64 bits at least."""
    rack, antenna = await _rack(clock)
    antenna.say(mode7(gas_volume(1), 10, short_mac=True))
    assert await _events(rack) == [("meter_checksum_invalid", 10263)]
    assert await _counter(rack) is None
    await rack.close()


async def test_a_message_in_pieces_counts_when_the_last_one_is_there(clock: Clock) -> None:
    rack, antenna = await _rack(clock, radio_period_s=900)
    await clock.sleep(900 - clock.seconds() + 5)
    plan = TelegramPlan(0x44, Address.from_link(GAS_ADDRESS), gas_volume(5000), profile="B", key=KEY, counter=7)
    afl, message = message_of(plan)
    pieces = [frame_of(plan, layer, piece) for layer, piece in split(afl, message, 20)]
    assert len(pieces) > 1
    for piece in pieces[:-1]:
        antenna.say(piece)
        assert await _counter(rack) is None
    antenna.say(pieces[-1])
    assert await _counter(rack) == 7
    rows = await rack.console.rows(GAS)
    assert [row["value"] for row in rows] == ["5.000"]
    await rack.close()


async def test_a_wrong_key_shows_as_a_wrong_mac(clock: Clock) -> None:
    rack, antenna = await _rack(clock)
    antenna.say(mode7(gas_volume(1), 10, key=bytes(16)))
    assert await _events(rack) == [("meter_checksum_invalid", 10263)]
    assert await _counter(rack) is None
    await rack.close()


async def test_a_wrong_key_of_mode_5_cannot_be_decrypted(clock: Clock) -> None:
    rack, antenna = await _rack(clock, radio_weak_modes="accept")
    antenna.say(mode5(gas_volume(1), key=bytes(16)))
    assert await _events(rack) == [("meter_data_undecryptable", 10262)]
    await rack.close()


@pytest.mark.parametrize("weak", [mode0(gas_volume(7)), mode5(gas_volume(7))])
async def test_telegrams_without_mac_and_counter_are_refused_unless_the_gateway_is_told_otherwise(
    clock: Clock, weak: bytes
) -> None:
    stored = {}
    for rule in ("refuse", "mark", "accept"):
        rack, antenna = await _rack(clock, radio_weak_modes=rule, radio_period_s=900)
        await clock.sleep(900 - clock.seconds() % 900 + 5)
        antenna.say(weak)
        rows = [row for row in await rack.console.rows(GAS) if not row["gap"]]
        stored[rule] = [(row["value"], bool(int(row["status"], 16) & NOT_FOR_BILLING)) for row in rows]
        told = await _events(rack)
        assert told == ([("meter_telegram_rejected", 10274)] if rule == "refuse" else [])
        await rack.close()
    assert stored == {"refuse": [], "mark": [("0.007", True)], "accept": [("0.007", False)]}


async def test_a_counter_survives_a_power_cut(clock: Clock) -> None:
    memory = NonVolatileMemory()
    rack, antenna = await _rack(clock, memory=memory)
    antenna.say(ANNEX_N)
    await clock.sleep(0.1)
    rack.gateway.power_off()
    await clock.sleep(5)
    rack.gateway.power_on()
    await rack.ready()
    assert await _counter(rack) == 2739
    antenna.say(ANNEX_N)
    assert await _events(rack) == [("meter_counter_unexpected", 10264)]
    await rack.close()


async def test_a_stored_counter_is_at_most_as_old_as_it_may_be(clock: Clock) -> None:
    rack, antenna = await _rack(clock, radio_counter_store_interval_s=3600.0)
    for minute in range(150):
        antenna.say(mode7(gas_volume(1), 100 + minute))
        await clock.sleep(60)
    rack.gateway.power_off()
    await clock.sleep(1)
    rack.gateway.power_on()
    await rack.ready()
    counter = await _counter(rack)
    assert counter is not None and 249 - 60 <= counter < 249
    await rack.close()


async def test_a_new_key_lets_the_counter_begin_anew(clock: Clock) -> None:
    rack, antenna = await _rack(clock)
    antenna.say(ANNEX_N)
    other = bytes(range(16, 32))
    await rack.console.do("add_meter_profile", meter=GAS, key=other.hex(), radio=True)
    antenna.say(mode7(gas_volume(1), 1, key=other))
    assert await _counter(rack) == 1
    await rack.close()


async def test_without_a_compact_profile_the_first_telegram_within_the_window_counts(clock: Clock) -> None:
    """1 % of the period after the instant for electricity, else a gap with bit 13."""
    rack, antenna = await _rack(clock)
    energy = b"\x04\x03" + (123_456).to_bytes(4, "little")
    for counter, (instant, late) in enumerate(((900, 4.0), (1800, 8.9), (2700, 9.5), (3600, 1.0))):
        await clock.sleep(instant + late - clock.seconds())
        antenna.say(mode7(energy, counter + 1, address=POWER_ADDRESS))
    rows = await rack.console.rows(POWER)
    assert [(row["grid_time"][11:16], row["gap"]) for row in rows] == [
        ("00:15", False),
        ("00:30", False),
        ("00:45", True),
        ("01:00", False),
    ]
    assert {(row["value"], row["unit"]) for row in rows if not row["gap"]} == {("123456", "Wh")}
    assert {bool(int(row["status"], 16) & NO_VALUE) for row in rows if row["gap"]} == {True}
    assert {int(row["status"], 16) & RADIO for row in rows} == {RADIO}
    await rack.close()


async def test_a_compact_profile_fills_every_quarter_of_an_hour_and_makes_up_for_lost_telegrams(clock: Clock) -> None:
    """lmn-wireless 4.6: the first element stands one spacing after the base time."""
    rack, antenna = await _rack(clock)
    start = clock.start
    values: dict[str, str] = {}
    for quarter in range(8, 24):
        await clock.sleep(quarter * 900 + 60 - clock.seconds())
        if 12 <= quarter < 15 or 17 <= quarter < 23:  # lost: three telegrams can be made up for, six cannot
            continue
        base = start + timedelta(seconds=(quarter - 4) * 900)
        steps = tuple(100 + step for step in range(quarter - 3, quarter + 1))
        total = 1_000_000 + sum(100 + step for step in range(quarter - 3))
        told = profile_15_minutes(total, type_f(base.year, base.month, base.day, base.hour, base.minute), steps)
        antenna.say(mode7(told, quarter, address=POWER_ADDRESS))
        values[f"{base:%H:%M}"] = str(total)
        for step in range(quarter - 3, quarter + 1):
            total += 100 + step
            values[f"{start + timedelta(seconds=step * 900):%H:%M}"] = str(total)
    rows = await rack.console.rows(POWER)
    quarters = [f"{step // 4:02d}:{step % 4 * 15:02d}" for step in range(1, 24)]
    assert [row["grid_time"][11:16] for row in rows] == quarters
    for row in rows:
        instant = row["grid_time"][11:16]
        assert row["gap"] is (instant not in values)
        if instant in values:
            assert (row["obis"], row["value"]) == ("1-0:1.8.0*255", values[instant])
            assert row["capture_time"] == row["grid_time"]
    assert sum(row["gap"] for row in rows) == 3 + 2
    await rack.close()


async def test_the_meters_error_flags_and_status_stand_in_the_second_half_of_the_status_word(clock: Clock) -> None:
    """EF1, EF2, EF3, then the status octet of the header (wan-core 7.3)."""
    rack, antenna = await _rack(clock, radio_period_s=900)
    await clock.sleep(900 - clock.seconds() + 5)
    antenna.say(mode7(gas_volume(5) + b"\x03\xfd\x17\x11\x22\x33", 1, status=0x08))
    (row,) = await rack.console.rows(GAS)
    status = int(row["status"], 16)
    assert status & 0xFFFFFFFF == 0x11223308
    assert status & RADIO_ERROR
    assert "meter_fatal_error" in await rack.console.events()
    await rack.close()


async def test_telegrams_of_unknown_meters_are_left_alone(clock: Clock) -> None:
    rack, antenna = await _rack(clock)
    stranger = bytes.fromhex("9315785634123404")
    antenna.say(mode7(gas_volume(1), 1, address=stranger))
    antenna.say(b"\x05nonsense")
    antenna.say(b"")
    assert await _events(rack) == []
    await rack.close()


async def test_a_silent_meter_gets_gaps_and_is_told_once(clock: Clock) -> None:
    rack, antenna = await _rack(clock, product="casa")
    antenna.say(mode7(b"\x04\x03\x01\x02\x03\x04", 1, address=POWER_ADDRESS))
    await clock.sleep(6 * 3600)
    rows = await rack.console.rows(POWER)
    assert len(rows) in (23, 24)
    assert all(row["gap"] for row in rows)
    events = await rack.console.events()
    assert events.count("meter_unreachable") == 2  # one for each meter
    await rack.close()


async def test_the_radio_led_flashes_for_a_packet(clock: Clock) -> None:
    """[PPC] 2.4 at most 250 ms; [CONEXA] B-3 500 ms, 250 ms more or less."""
    for product, least, most in (("ppc", 0.0, 0.25), ("conexa", 0.25, 0.75), ("casa", 0.0, 0.5)):
        rack, antenna = await _rack(clock, product)
        await clock.sleep(10)
        rack.edges.clear()
        antenna.say(ANNEX_N)
        await clock.sleep(3)
        edges = [edge for edge in rack.edges if edge.line == "wMT"]
        assert [edge.lit for edge in edges] == [True, False]
        assert least < edges[1].t - edges[0].t <= most
        await rack.close()


async def test_a_failed_radio_module_hears_nothing_and_casa_tells_its_code(clock: Clock) -> None:
    rack, antenna = await _rack(clock, "casa")
    answer = await rack.console.do("radio_module_fails", defect="port_closed")
    assert answer["code"] == 200701
    antenna.say(ANNEX_N)
    assert await _counter(rack) is None
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    assert any("200701" in str(one["parameters"]) for one in entries)
    await rack.console.do("mend", fault="radio_module")
    antenna.say(ANNEX_N)
    assert await _counter(rack) == 2739
    await rack.close()


async def test_a_counter_is_stored_in_time_although_no_telegram_follows(clock: Clock) -> None:
    """TR-03116-3 7.3: at most 12 h old, whenever the mains fails."""
    rack, antenna = await _rack(clock, radio_counter_store_interval_s=43_200.0)
    antenna.say(mode7(gas_volume(1), 1))
    await clock.sleep(11 * 3600)
    antenna.say(mode7(gas_volume(2), 2))
    await clock.sleep(12 * 3600 + 1)
    rack.gateway.power_off()
    await clock.sleep(1)
    rack.gateway.power_on()
    await rack.ready()
    assert await _counter(rack) == 2
    await rack.close()


async def test_a_counter_may_not_wait_longer_than_12_hours(clock: Clock) -> None:
    with pytest.raises(UsageError, match=r"'radio_counter_store_interval_s' cannot be 43201.*12 h"):
        await _rack(clock, radio_counter_store_interval_s=43_201.0)


async def test_what_somebody_says_to_the_meter_changes_nothing(clock: Clock) -> None:
    """TR-03116-3 7.1: gateway and meter count each on its own."""
    rack, antenna = await _rack(clock)
    address = Address("ELS", "12345678", 0x33, 3)
    order = TelegramPlan(0x53, address, b"\x04\x13\x01\x00\x00\x00", ci=0x5A, profile="B", key=KEY, counter=0x7FFFFFFF)
    antenna.say(encode(order))
    assert await _counter(rack) is None
    antenna.say(ANNEX_N)
    assert await _counter(rack) == 2739
    assert await _events(rack) == []
    await rack.close()


async def test_a_c_field_that_no_meter_sends_is_refused(clock: Clock) -> None:
    rack, antenna = await _rack(clock)
    antenna.say(mode7(gas_volume(1), 1, c=0x77))
    assert await _counter(rack) is None
    assert await _events(rack) == [("meter_telegram_rejected", 10274)]
    await rack.close()


async def test_values_that_are_not_encrypted_are_refused_though_their_mac_is_right(clock: Clock) -> None:
    """TR-03116-3 7.3: always encrypted first, then MACed."""
    rack, antenna = await _rack(clock)
    antenna.say(mode7(gas_volume(7), 5, in_clear=True))
    assert await _counter(rack) is None
    assert await _events(rack) == [("meter_telegram_rejected", 10274)]
    await rack.close()


async def test_an_old_key_that_comes_back_finds_its_counter_again(clock: Clock) -> None:
    """TR-03116-3 7.1: only a new key lets the counter begin anew."""
    rack, antenna = await _rack(clock)
    antenna.say(ANNEX_N)
    other = bytes(range(16, 32))
    await rack.console.do("add_meter_profile", meter=GAS, key=other.hex(), radio=True)
    assert await _counter(rack) is None
    antenna.say(mode7(gas_volume(1), 1, key=other))
    await rack.console.do("add_meter_profile", meter=GAS, key=KEY.hex(), radio=True)
    antenna.say(ANNEX_N)
    assert await _events(rack) == [("meter_counter_unexpected", 10264)]
    assert await _counter(rack) == 2739
    await rack.close()


async def test_without_compact_profile_values_of_less_than_two_hours_are_not_for_billing(clock: Clock) -> None:
    """lmn-wireless 1: TAF1, TAF2 from 120 min on, TAF6."""
    energy = b"\x04\x03" + (123_456).to_bytes(4, "little")
    for least, marked in ((7200, True), (900, False)):
        rack, antenna = await _rack(clock, radio_period_s=least)
        await clock.sleep(900 - clock.seconds() % 900 + 4)
        antenna.say(mode7(energy, 1, address=POWER_ADDRESS))
        (row,) = [row for row in await rack.console.rows(POWER) if not row["gap"]]
        assert bool(int(row["status"], 16) & NOT_FOR_BILLING) is marked
        await rack.close()


async def test_a_gateway_that_was_switched_off_answers_nobody(clock: Clock) -> None:
    """lmn-wireless 2.4: a slow meter is answered after a second."""
    for off in (False, True):
        rack, antenna = await _rack(clock)
        address = Address("ELS", "12345678", 0x33, 3)
        call = TelegramPlan(0x46, address, gas_volume(1), profile="B", key=KEY, counter=9, ell=Ell(0x84, 5))
        antenna.on_reception(Reception(clock.seconds(), encode(call), RadioMode.C1_A, -60.0))  # type: ignore[misc]
        if off:
            rack.gateway.power_off()
        await clock.sleep(2)
        assert len(antenna.sent) == (0 if off else 1)
        if not off:
            await rack.close()


async def test_a_counter_inside_the_extended_link_layers_encryption_counts_as_well(clock: Clock) -> None:
    rack, antenna = await _rack(clock, radio_weak_modes="accept", radio_period_s=900)
    inner = mode7(gas_volume(5), 77)[13:]  # from the AFL on
    ell = Ell(0x20, 5, session=Session(1))
    octets = ell_crypt(KEY, Address("ELS", "12345678", 0x33, 3), ell, with_pcrc(inner))
    body = b"\x44" + GAS_ADDRESS + ell.to_bytes() + octets
    for _ in range(2):
        antenna.say(bytes((len(body),)) + body)
    assert await _counter(rack) == 77
    assert await _events(rack) == [("meter_counter_unexpected", 10264)]
    await rack.close()


async def test_a_telegram_without_values_does_not_end_the_compact_profile(clock: Clock) -> None:
    """After a restart the first one heard may be a mere status: no instant is stepped over for it."""
    memory = NonVolatileMemory()
    rack, antenna = await _rack(clock, memory=memory)
    counter = 0

    def told(quarters: int, count: int) -> bytes:
        nonlocal counter
        counter += 1
        first = clock.start + timedelta(seconds=900 * (quarters - count))
        steps = (250,) * count
        moment = type_f(first.year, first.month, first.day, first.hour, first.minute)
        return mode7(profile_15_minutes(1000, moment, steps), counter, address=POWER_ADDRESS)

    await clock.sleep(9 * 900 + 30 - clock.seconds())
    antenna.say(told(9, 8))
    await clock.sleep(0.5)
    rack.gateway.power_off()
    await clock.sleep(60)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(16 * 900 + 30 - clock.seconds())
    counter += 1
    antenna.say(mode7(b"\x02\xfd\x17\x00\x00", counter, address=POWER_ADDRESS))
    await clock.sleep(30)
    antenna.say(told(16, 8))
    rows = [row for row in await rack.console.rows(POWER) if row["grid_time"][11:16] >= "02:15"]
    assert [(row["grid_time"][11:16], row["gap"]) for row in rows] == [
        (f"{quarter // 4:02d}:{quarter % 4 * 15:02d}", False) for quarter in range(9, 17)
    ]
    await rack.close()
