"""What each product logs of each fault on the wire, and that all of them pass (lmn-wired 6, [CASA] 9.4, [PPC] 10)."""

from __future__ import annotations

from typing import Any

import pytest
from secure_rack import NUMBER, SecureRack

from devices.clock import Clock
from devices.gateway_types import load
from devices.meters.wire_faults import FAULTS

OTHER = "1EMH0005975894"

UNDECODABLE, UNEXPECTED, NO_ANSWER, NOT_READY, TIMEOUT, LOST, TLS = (
    103106, 103117, 103118, 103190, 103191, 100706, 103165,
)  # fmt: skip

EXPECTED: dict[str, set[int]] = {
    "duplicate_address": {UNEXPECTED, LOST},
    "foreign_address": {UNEXPECTED, NO_ANSWER},
    "late_answer": {UNEXPECTED, LOST},
    "out_of_slot": {UNEXPECTED, LOST},
    "collision": {UNDECODABLE, LOST},
    "wrong_id": {UNEXPECTED, LOST},
    "rnr_forever": {NOT_READY},
    "silence": {LOST},
    "flipped_hcs": {UNDECODABLE, LOST},
    "flipped_fcs": {UNDECODABLE, LOST},
    "flipped_information": {UNDECODABLE, TIMEOUT},
    "wrong_nr": {UNEXPECTED},
    "wrong_ns": {UNEXPECTED},
    "segmented": {TIMEOUT, TLS},
    "length_lie": {UNDECODABLE, LOST},
    "cut_frame": {UNDECODABLE, LOST},
    "no_closing_flag": {LOST},
    "wrong_selector": {UNEXPECTED, NO_ANSWER},
    "unknown_control": {UNDECODABLE, NO_ANSWER},
    "frmr": {UNEXPECTED},
    "dm": {UNEXPECTED},
    "ua_unasked": {UNEXPECTED},
    "restart_in_session": {NO_ANSWER},
    "noise": {UNDECODABLE},
    "double_answer": {UNEXPECTED},
    "slow_octets": {LOST},
}
"""Fault -> codes that a gateway with codes has in its log after five minutes of it."""

GOOD_ALL_THE_SAME = {"noise", "double_answer"}
"""Faults that cost no value."""

NOW_AND_THEN = {"out_of_slot", "slow_octets"}
"""Faults with which the meter is found and lost in turn, so that some instants are read."""

NUMBERS_OF_PPC = {"meter_checksum_invalid": 10263, "meter_pairing_failed": 10214, "meter_data_undecryptable": 10262}


async def suffered(clock: Clock, kind: str, product: str) -> tuple[SecureRack, list[dict[str, Any]]]:
    """A gateway with two meters of which the first has had the fault for five minutes, and what was logged of it."""
    options: dict[str, object] = {"registration_period_s": 60, "receive_window_share": 0.15, "sync_max_interval_s": 1e8}
    rack = SecureRack(clock, NUMBER, OTHER, gateway_type=load(product), **options)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(10)
    before = {book: len(await rack.log(book)) for book in ("system", "consumer")}
    rack.meter.station.fault(kind)
    await clock.sleep(300)
    entries = [one for book, held in before.items() for one in (await rack.log(book))[held:]]
    return rack, entries


def test_every_fault_of_the_catalogue_is_looked_at() -> None:
    assert set(EXPECTED) == set(FAULTS)


@pytest.mark.parametrize("kind", EXPECTED)
async def test_a_fault_is_logged_and_passes(clock: Clock, kind: str) -> None:
    """CASA has a code for each; when the wire is good again the meter is read again."""
    rack, entries = await suffered(clock, kind, "casa")
    codes = {one["parameters"].get("code") for one in entries}
    assert EXPECTED[kind] <= codes
    rows = await rack.console.rows(NUMBER)
    assert kind in NOW_AND_THEN or any(row["gap"] for row in rows) == (kind not in GOOD_ALL_THE_SAME)
    rack.meter.station.clear_faults()
    await clock.sleep(400)
    states = {one["meter"]: one["state"] for one in (await rack.console.info())["meters"] if one["meter"]}
    assert states == {NUMBER: "reading", OTHER: "reading"}
    assert not (await rack.console.rows(NUMBER))[-1]["gap"]
    await rack.close()


@pytest.mark.parametrize("kind", ["flipped_fcs", "segmented", "silence", "rnr_forever", "wrong_nr"])
async def test_the_ppc_tells_it_by_its_own_messages(clock: Clock, kind: str) -> None:
    """[PPC] 10: 10263 for checksums, 10214 for pairing; what has no message there has one without a number."""
    rack, entries = await suffered(clock, kind, "ppc")
    events = {one["event"]: one["id"] for one in entries}
    assert all(events[event] == number for event, number in NUMBERS_OF_PPC.items() if event in events)
    wanted = {
        "flipped_fcs": "meter_checksum_invalid",
        "segmented": "meter_pairing_failed",
        "silence": "meter_unreachable",
        "rnr_forever": "hdlc_not_ready",
        "wrong_nr": "hdlc_unexpected",
    }
    assert wanted[kind] in events
    await rack.close()


async def test_lmc_goes_off_with_the_last_meter_and_stays_on_with_one(clock: Clock) -> None:
    """wan-core 9.3."""
    rack = SecureRack(clock, NUMBER, OTHER)
    rack.gateway.power_on()
    await rack.secured()
    rack.meters[0].station.fault("silence")
    await clock.sleep(31)
    assert rack.gateway.leds.levels()["LMC"]
    rack.meters[1].station.fault("flipped_fcs")
    await clock.sleep(31)
    assert not rack.gateway.leds.levels()["LMC"]
    await rack.close()


async def test_an_address_that_no_meter_may_have_is_not_given(clock: Clock) -> None:
    """lmn-wired 1.4: 03 to 7E."""
    rack = SecureRack(clock, NUMBER, OTHER)
    rack.meter.station.fault("duplicate_address", address=2)
    rack.gateway.power_on()
    await clock.sleep(100)
    assert (await rack.console.info())["addressed"] == [rack.meters[1].security.server_id.hex()]
    assert "hdlc_unexpected" in await rack.console.events()
    rack.meter.station.clear_faults()
    await rack.secured(90)
    await rack.close()


async def test_two_meters_that_choose_the_same_free_address_are_no_trouble(clock: Clock) -> None:
    """lmn-wired 1.5: they choose by chance; only an address of the list they were told is a wrong one."""
    rack = SecureRack(clock, NUMBER, OTHER)
    for one in rack.meters:
        one.station.fault("duplicate_address", 1, address=0x21)
    rack.gateway.power_on()
    await rack.secured(120)
    assert "hdlc_unexpected" not in await rack.console.events()
    await rack.close()
