"""Wired meters: discovery, presence, reading, gaps, trouble on the bus (lmn-wired 1, wan-core 7.3, 7.4)."""

from __future__ import annotations

import pytest
from gateway_rack import BOOT_S, PRODUCT, Rack
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock
from devices.protocols.hdlc import FrameKind
from devices.protocols.sml.messages import ListEntry
from devices.protocols.sml.obis import parse_obis
from firmware.config import GatewayConfig, MeterProfile

NUMBER = "1SAG0021061001"


def _config(*numbers: str, **options: object) -> GatewayConfig:
    return GatewayConfig(meters=tuple(MeterProfile(number) for number in numbers), options=options)


async def test_the_first_invitation_is_the_documented_frame_without_information(clock: Clock) -> None:
    """lmn-wired 1.5, source document trace: 7E A009 FE03 0203 13 842A 7E."""
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    heard: list[bytes] = []
    rack.lmn[1].set_receiver(heard.append)
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 1)
    assert heard[0].hex() == "7ea009fe03020313842a7e"
    await rack.close()


async def test_a_meter_gets_its_address_and_lights_lmc(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    bus = SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 1)
    assert rack.gateway.leds.levels()["LMC"]
    assert "meter_address_assigned" in await rack.console.events()
    assert (await rack.console.info())["addressed"] == [bus.meters[0].id.hex()]
    await rack.close()


async def test_invitations_and_presence_checks_come_every_30_s_offset_by_15_s(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    bus = SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 200)
    times = {
        selector: [round(t - BOOT_S, 1) for t, frame in bus.frames if frame.selector == selector] for selector in (1, 2)
    }
    assert times[1] == [0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0]
    assert times[2] == [15.0, 45.0, 75.0, 105.0, 135.0, 165.0, 195.0]
    await rack.close()


async def test_values_are_stored_on_the_grid_with_status_and_all_registers(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    meter.extra = (ListEntry(parse_obis("1-0:16.7.0*255"), unit=27, scaler=0, value=-460, status=0x1C0104),)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(1801)
    rows = await rack.console.rows(NUMBER)
    assert {row["grid_time"] for row in rows} == {"2026-01-05T00:15:00.000Z", "2026-01-05T00:30:00.000Z"}
    first = [(row["obis"], row["value"], row["unit"]) for row in rows[:4]]
    assert first == [
        ("1-0:96.1.0*255", meter.id.hex(), None),
        ("1-0:1.8.0*255", "123456.000", "Wh"),
        ("1-0:96.5.0*255", "1835268", None),
        ("1-0:16.7.0*255", "-460", "W"),
    ]
    assert {row["status"] for row in rows} == {"A000000020803800"}
    assert rows[1]["capture_time"].startswith("2026-01-05T00:15:00.0")
    assert meter.reads == 2
    await rack.close()


async def test_a_meter_without_profile_is_found_but_not_read(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config())
    meter = SmallMeter(NUMBER)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(1000)
    assert rack.gateway.leds.levels()["LMC"]
    assert meter.reads == 0
    await rack.console.do("add_meter_profile", meter=NUMBER, obis=["1.8.0"])
    await clock.sleep(900)
    assert meter.reads == 1
    assert [row["obis"] for row in await rack.console.rows()] == ["1-0:1.8.0*255"]
    await rack.close()


async def test_a_profile_that_was_added_survives_a_power_cut(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config())
    meter = SmallMeter(NUMBER)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("add_meter_profile", meter=NUMBER)
    rack.gateway.power_off()
    rack.gateway.power_on()
    await clock.sleep(1000)
    assert meter.reads == 1
    await rack.close()


async def test_a_silent_meter_loses_its_address_and_comes_back(clock: Clock) -> None:
    """lmn-wired 1.5: silent in the check is dropped; [CASA] 100706; LMC off when none is left."""
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 20)
    meter.silent = True
    await clock.sleep(31)
    assert not rack.gateway.leds.levels()["LMC"]
    assert "meter_unreachable" in await rack.console.events()
    meter.silent = False
    meter.restart()
    await clock.sleep(31)
    assert rack.gateway.leds.levels()["LMC"]
    await rack.close()


async def test_the_address_list_survives_a_power_cut_of_the_gateway(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER, first_address=0x33)
    bus = SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 5)
    rack.gateway.power_off()
    await clock.sleep(5)
    bus.frames.clear()
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 1)
    invitation = next(frame for _, frame in bus.frames if frame.selector == 1)
    assert len(invitation.information) == 32
    assert invitation.information[0] == 0x33
    assert not rack.gateway.leds.levels()["LMC"]  # not before it has answered
    await clock.sleep(15)
    assert rack.gateway.leds.levels()["LMC"]
    events = await rack.console.events()
    assert events.count("meter_address_assigned") == 1
    await rack.close()


async def test_two_meters_that_choose_the_same_address_end_up_with_two(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config())
    meters = [SmallMeter(NUMBER, first_address=0x10), SmallMeter("1SAG0021061002", first_address=0x10)]
    SmallBus(clock, rack.lmn[1], meters)
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 65)
    assert {meter.address for meter in meters} == {0x10, 0x11}
    assert len((await rack.console.info())["addressed"]) == 2
    await rack.close()


async def test_a_missing_value_becomes_a_gap_with_bit_13_and_no_invented_value(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(850)
    meter.deaf_to_links = True
    await clock.sleep(100)
    rows = await rack.console.rows()
    assert [(row["gap"], row["value"], row["status"]) for row in rows] == [(True, None, "A004000020000000")]
    assert "hdlc_no_answer" in await rack.console.events()
    await rack.close()


async def test_a_meter_that_is_busy_for_a_while_is_read_all_the_same(clock: Clock) -> None:
    """lmn-wired 1.7: RNR first, then the answer."""
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    meter.busy_polls = 10
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(950)
    assert [row["gap"] for row in await rack.console.rows()] == [False, False, False]
    await rack.close()


async def test_a_meter_that_is_busy_for_ever_is_told_apart_from_a_silent_one(clock: Clock) -> None:
    """[CASA] 103190 not ready, 103191 timeout."""
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    meter.busy_polls = 100_000
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(950)
    events = await rack.console.events()
    assert "hdlc_not_ready" in events
    assert [row["gap"] for row in await rack.console.rows()] == [True]
    await rack.close()


async def test_a_frame_with_a_wrong_checksum_is_logged_and_repeated(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    meter.garble = 1
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(950)
    assert "hdlc_undecodable" in await rack.console.events()
    assert [row["gap"] for row in await rack.console.rows()] == [False, False, False]
    await rack.close()


async def test_frames_that_nobody_waits_for_are_logged(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    bus = SmallBus(clock, rack.lmn[1], [])
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 5)
    bus.noise(bytes.fromhex("7ea00902032103738f667e"))  # not even a good frame
    from devices.protocols.hdlc import Control, Frame

    bus.noise(Frame(1, 0x44, 3, Control(FrameKind.UA)).to_bytes())
    await clock.sleep(1)
    assert "hdlc_unexpected" in await rack.console.events()
    await rack.close()


async def test_a_meter_that_answers_with_another_id_is_not_stored(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    meter.other_id = SmallMeter("1EMH0005975894").id
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(950)
    assert [row["gap"] for row in await rack.console.rows()] == [True]
    assert "meter_id_mismatch" in await rack.console.events()
    await rack.close()


@pytest.mark.parametrize(
    ("status", "event", "word"),
    [
        (0x1C0104 | 1 << 17, "meter_fatal_error", "A000000020807800"),
        (0x1C0104 | 1 << 10, "meter_error", "A002000020A03800"),
    ],
)
async def test_status_bits_of_a_meter_are_told_once(clock: Clock, status: int, event: str, word: str) -> None:
    """wan-core 7.3: bit 17 is fatal, bits 9 and 10 are tampering and set the gateway's bit 14."""
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    meter.status = status
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(4000)
    assert (await rack.console.rows())[0]["status"] == word
    assert (await rack.console.events("consumer")).count(event) == 1
    await rack.close()


async def test_gaps_of_the_time_without_power_are_entered_up_to_a_bound(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER, gap_fill_limit=5))
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await clock.sleep(1000)
    rack.gateway.power_off()
    await clock.sleep(3 * 900)
    rack.gateway.power_on()
    await clock.sleep(950)
    kinds = {row["grid_time"][11:16]: row["gap"] for row in await rack.console.rows()}
    assert kinds == {"00:15": False, "00:30": True, "00:45": True, "01:00": True, "01:15": False}
    rack.gateway.power_off()
    await clock.sleep(30 * 900)
    rack.gateway.power_on()
    await rack.ready()
    rows = await rack.console.rows()
    assert sum(row["gap"] for row in rows) == 3 + 5
    await rack.close()


@pytest.mark.parametrize("cut_at", [900.0 + n * 0.0037 for n in range(16)])
async def test_cuts_around_a_registration_lose_nothing_stored_and_double_nothing(clock: Clock, cut_at: float) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await clock.sleep(cut_at)
    rack.gateway.power_off()
    kept = rack.memory.query("SELECT meter, grid_s, status FROM reading")
    await clock.sleep(20)
    rack.gateway.power_on()
    await clock.sleep(2 * 900)
    rows = rack.memory.query("SELECT meter, grid_s, status FROM reading ORDER BY grid_s")
    assert set(kept) <= set(rows)
    assert len({row[1] for row in rows}) == len(rows)
    assert all(row[1] % 900 == 0 for row in rows)
    await rack.close()


async def test_a_clock_that_is_set_back_does_not_register_an_instant_twice(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(905)
    await rack.console.do("set_rtc", offset_s=-20)
    await clock.sleep(60)
    assert meter.reads == 1
    await rack.console.do("set_rtc", offset_s=1800)
    await clock.sleep(900)
    grids = [row["grid_time"][11:16] for row in await rack.console.rows() if row["obis"] in (None, "1-0:1.8.0*255")]
    assert grids == ["00:15", "00:30", "00:45", "01:00"]
    await rack.close()


async def test_octets_in_groups_as_on_a_serial_line_make_the_same_readings(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    bus = SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    whole = bus._send

    def in_groups(delay: float, octets: bytes) -> None:
        for start in range(0, len(octets), 16):
            whole(delay + start * 1e-5, octets[start : start + 16])

    bus._send = in_groups  # type: ignore[method-assign]
    rack.gateway.power_on()
    await clock.sleep(950)
    assert len(await rack.console.rows()) == 3
    await rack.close()


async def test_metering_stops_in_the_restricted_state_and_gaps_tell_so(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, _config(NUMBER))
    meter = SmallMeter(NUMBER)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(1000)
    await rack.console.do("fill_storage", to=1.0)
    assert (await rack.console.info())["state"] == "restricted"
    await clock.sleep(1800)
    assert meter.reads == 1
    await rack.console.do("fill_storage", to=0.1)
    assert (await rack.console.info())["state"] == "run"
    await clock.sleep(900)
    gaps = [row["gap"] for row in await rack.console.rows() if row["obis"] in (None, "1-0:1.8.0*255")]
    assert gaps == [False, True, True, False]
    events = await rack.console.events()
    assert events.index("metering_suspended") < events.index("metering_resumed")
    await rack.close()
