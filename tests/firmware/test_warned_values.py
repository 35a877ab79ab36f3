"""Values are marked with bit 12 while a log or the storage runs low, and no longer (wan-core 7.3, 8.3)."""

from __future__ import annotations

import pytest
from gateway_rack import Rack
from hand_made_telegrams import KEY, POWER, POWER_ADDRESS, HandAntenna, mode7
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock
from devices.gateway_types import load
from devices.protocols.trudi.status import Severity, severity_of_word
from firmware.config import GatewayConfig, MeterProfile

NUMBER = "1SAG0021061001"
PERIOD_S = 60
WARNING = 1 << (63 - 12)
PRODUCTS = ("ppc", "conexa", "casa")
ROOM = {"calibration_log_capacity": 100, "consumer_log_capacity": 1000, "system_log_capacity": 1000,
        "storage_capacity_octets": 10_000_000, "signature_curve": "secp256r1"}  # fmt: skip


async def _ready(clock: Clock, product: str, *meters: MeterProfile, antenna: HandAntenna | None = None) -> Rack:
    given = {"registration_period_s": PERIOD_S, "sync_warn_after_s": 1e8, "sync_max_interval_s": 1e8, **ROOM}
    config = GatewayConfig(meters=meters or (MeterProfile(NUMBER),), options=given)
    rack = Rack(clock, load(product), config, antenna=antenna)
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(2 * PERIOD_S)
    return rack


async def _word(rack: Rack, meter: str = NUMBER) -> int:
    """Status word of the next value of a meter."""
    await rack.clock.sleep(PERIOD_S)
    row = (await rack.console.rows(meter))[-1]
    assert not row["gap"]
    return int(row["status"], 16)


async def _warned(rack: Rack, usual: int) -> bool:
    """Whether the next value has bit 12 and is otherwise as usual."""
    word = await _word(rack)
    assert word & ~WARNING == usual
    assert severity_of_word(f"{word:016X}") is (Severity.WARNING if word & WARNING else Severity.NONE)
    return bool(word & WARNING)


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("book", ["calibration", "consumer"])
async def test_a_log_with_less_than_a_tenth_left_marks_values_until_there_is_room(
    clock: Clock, product: str, book: str
) -> None:
    """Exactly a tenth is not less. Entries of the last minutes may not be dropped, so they count."""
    rack = await _ready(clock, product)
    usual = await _word(rack)
    assert not usual & WARNING
    for to, warned in ((0.9, False), (0.97, True), (0.5, False), (0.97, True), (0.1, False)):
        await rack.console.do("fill_log", book=book, to=to)
        assert await _warned(rack, usual) is warned, to
    await rack.close()


@pytest.mark.parametrize(("entries", "warned"), [(90, False), (91, True)])
async def test_one_entry_makes_the_difference(clock: Clock, entries: int, warned: bool) -> None:
    rack = await _ready(clock, "casa")
    usual = await _word(rack)
    await rack.console.do("fill_log", book="calibration", to=entries / 100)
    assert await _warned(rack, usual) is warned
    await rack.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_log_that_wraps_is_never_a_warning(clock: Clock, product: str) -> None:
    rack = await _ready(clock, product)
    usual = await _word(rack)
    for to in (0.97, 1.0):
        await rack.console.do("fill_log", book="system", to=to)
        assert not await _warned(rack, usual)
    await rack.close()


async def test_storage_below_the_first_step_of_ppc_marks_values_until_there_is_room(clock: Clock) -> None:
    """[PPC] 10: 10257 at 30 percent, 10258 at 20."""
    rack = await _ready(clock, "ppc")
    usual = await _word(rack)
    for to, warned in ((0.69, False), (0.71, True), (0.85, True), (0.75, True), (0.69, False), (0.71, True)):
        await rack.console.do("fill_storage", to=to)
        assert await _warned(rack, usual) is warned, to
    await rack.close()


@pytest.mark.parametrize("product", ["conexa", "casa"])
async def test_where_no_step_is_named_storage_is_no_warning_before_it_stops_metering(
    clock: Clock, product: str
) -> None:
    rack = await _ready(clock, product)
    usual = await _word(rack)
    await rack.console.do("fill_storage", to=0.89)
    assert not await _warned(rack, usual)
    await rack.close()


async def test_each_warning_holds_for_itself_over_a_power_cut_too(clock: Clock) -> None:
    rack = await _ready(clock, "ppc")
    usual = await _word(rack)
    await rack.console.do("fill_log", book="calibration", to=0.97)
    await rack.console.do("fill_storage", to=0.75)
    await rack.console.do("fill_log", book="calibration", to=0.1)
    assert await _warned(rack, usual)
    rack.gateway.power_off()
    await clock.sleep(5)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(2 * PERIOD_S)
    assert await _warned(rack, usual)
    await rack.console.do("fill_storage", to=0.1)
    assert not await _warned(rack, usual)
    await rack.close()


async def test_values_and_gaps_of_radio_meters_are_marked_as_well(clock: Clock) -> None:
    profile = MeterProfile(POWER, key=KEY, radio=True, period_s=900)
    antenna = HandAntenna()
    rack = await _ready(clock, "ppc", profile, antenna=antenna)
    energy = b"\x04\x03" + (123_456).to_bytes(4, "little")
    for quarter, to, heard in ((1, 0.1, True), (2, 0.97, True), (3, 0.97, False), (4, 0.1, True)):
        await rack.console.do("fill_log", book="consumer", to=to)
        await clock.sleep(quarter * 900 + 1 - clock.seconds())
        if heard:
            antenna.say(mode7(energy, quarter, address=POWER_ADDRESS))
        await clock.sleep(30)
    rows = await rack.console.rows(POWER)
    shown = [(row["gap"], bool(int(row["status"], 16) & WARNING)) for row in rows]
    assert shown == [(False, False), (False, True), (True, True), (False, False)]
    await rack.close()
