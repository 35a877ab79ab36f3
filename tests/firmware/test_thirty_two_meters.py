"""Many meters on one bus: all are found, paired and read, and none takes the time of another (lmn-wired 1.5)."""

from __future__ import annotations

from typing import Any

from secure_rack import NUMBER, SecureRack, profile

from devices.clock import Clock
from devices.protocols.sml.server_id import device_number
from firmware.config import MeterProfile

NUMBERS = tuple(f"1EMH00000010{n:02d}" for n in range(32))


def gaps(rows: list[dict[str, Any]], since: str = "") -> int:
    """Instants without a value, from a time of day on."""
    return sum(row["gap"] and row["grid_time"][11:] >= since for row in rows)


async def test_as_many_meters_as_slots_are_found_paired_and_read(clock: Clock) -> None:
    rack = SecureRack(clock, *NUMBERS)
    rack.gateway.power_on()
    await rack.secured(800)
    await clock.sleep(2000 - clock.seconds())
    assert all(one.count("paired") == one.count("secured") == 1 for one in rack.meters)
    assert len({one.station.address for one in rack.meters}) == 32
    for number in NUMBERS:
        rows = await rack.console.rows(number)
        assert {row["grid_time"][11:16] for row in rows} == {"00:15", "00:30"}
        assert not gaps(rows)
    states = {one["state"] for one in (await rack.console.info())["meters"]}
    assert states == {"reading"}
    await rack.close()


async def test_pairing_costs_no_reading(clock: Clock) -> None:
    """New certificates for all are ordered a moment before a grid instant: the readings come first."""
    rack = SecureRack(clock, *NUMBERS)
    rack.gateway.power_on()
    await rack.secured(800)
    await clock.sleep(1798.5 - clock.seconds())
    await rack.console.ask(do="renew_certificate")
    await clock.sleep(1800.2 - clock.seconds())
    begun = sum(one.count("paired") for one in rack.meters) - 32
    assert 0 < begun < 16
    await clock.sleep(60)
    assert all(one.count("paired") == 2 for one in rack.meters)
    rows = [row for row in await rack.console.rows() if row["obis"] == "1-0:1.8.0*255" and "T00:30" in row["grid_time"]]
    assert len(rows) == 32
    assert max(row["capture_time"] for row in rows) < "2026-01-05T00:30:03"
    await rack.close()


async def test_slow_and_broken_meters_take_nothing_from_the_others(clock: Clock) -> None:
    """lmn-wired 6: RNR for ever, silence on links, a wrong key, no TLS; all bounded."""
    profiles = (*map(profile, NUMBERS[:7]), profile(NUMBERS[7], key=bytes(16)))
    rack = SecureRack(clock, *NUMBERS[:8], profiles=profiles, registration_period_s=60, receive_window_share=0.15)
    rack.gateway.power_on()
    await clock.sleep(115)
    rack.meters[0].station.fault("rnr_forever")
    rack.meters[1].station.fault("silence", on="link")
    rack.meters[2].security.fault("no_tls")
    rack.meters[2].station.restart()
    rack.meters[3].station.fault("segmented")
    await clock.sleep(600)
    for good in NUMBERS[4:7]:
        assert not gaps(await rack.console.rows(good), "00:02")
    for bad in (*NUMBERS[:4], NUMBERS[7]):
        assert gaps(await rack.console.rows(bad)) >= 9
    await rack.close()


async def test_slow_meters_in_the_clear_take_nothing_from_the_others(clock: Clock) -> None:
    profiles = tuple(MeterProfile(number) for number in NUMBERS[:6])
    rack = SecureRack(clock, *NUMBERS[:6], profiles=profiles, registration_period_s=60, receive_window_share=0.15)
    rack.gateway.power_on()
    await clock.sleep(115)
    for one in rack.meters[:3]:
        one.station.fault("rnr_forever")
    await clock.sleep(300)
    for number in NUMBERS[:6]:
        assert bool(gaps(await rack.console.rows(number), "00:02")) == (number in NUMBERS[:3])
    await rack.close()


async def test_meters_with_and_without_security_share_a_bus(clock: Clock) -> None:
    other = "1EMH0005975894"
    rack = SecureRack(clock, NUMBER, other, profiles=(profile(), MeterProfile(other)))
    rack.gateway.power_on()
    await clock.sleep(1000)
    for number in (NUMBER, other):
        assert not gaps(await rack.console.rows(number))
    assert device_number(rack.meters[1].security.server_id) == other
    assert [one.count("paired") for one in rack.meters] == [1, 0]
    await rack.close()
