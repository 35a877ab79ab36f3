"""What was missed in a restricted state says so: gaps have the gateway's bits of their own instant (wan-core 7.3)."""

from __future__ import annotations

from typing import Any

from gateway_rack import Rack
from hand_made_telegrams import KEY, POWER, HandAntenna
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock
from devices.gateway_types import load
from devices.protocols.trudi.status import Severity, severity_of_word
from firmware.config import GatewayConfig, MeterProfile

NUMBER = "1SAG0021061001"


def _rack(clock: Clock, product: str, **options: Any) -> Rack:
    rack = Rack(clock, load(product), GatewayConfig(meters=(MeterProfile(NUMBER),), options=options))
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    return rack


async def _words(rack: Rack, meter: str = NUMBER) -> dict[str, str]:
    return {row["grid_time"][11:16]: row["status"][:8] for row in await rack.console.rows(meter) if row["gap"]}


async def test_gaps_of_a_component_that_does_not_start_have_bit_8_and_not_what_came_later(clock: Clock) -> None:
    """Three hours without metering, then a warning of the storage: the gaps are fatal and know no warning."""
    rack = _rack(clock, "ppc", component_restart_delay_s=3 * 3600.0)
    await clock.sleep(1000)
    await rack.console.do("component_fails", component="metering", restartable=True)
    await clock.sleep(3 * 3600 - 60)
    await rack.console.do("fill_storage", to=0.75)
    await clock.sleep(900)
    words = await _words(rack)
    assert list(words)[:2] == ["00:30", "00:45"]
    assert len(words) == 12
    assert set(words.values()) == {"A0840000"}
    assert severity_of_word(words["00:30"] + "20000000") is Severity.FATAL
    await rack.close()


async def test_a_power_cut_in_the_span_takes_nothing_away_and_adds_nothing(clock: Clock) -> None:
    """Restricted from 00:20 to the cut at 01:20 and again from 02:10 to 03:05; no power in between."""
    rack = _rack(clock, "ppc")
    await clock.sleep(20 * 60)
    await rack.console.do("expire_certificate", which="lmn")
    await clock.sleep(3600)
    rack.gateway.power_off()
    await clock.sleep(50 * 60)
    rack.gateway.power_on()
    await clock.sleep(55 * 60)
    await rack.console.do("renew_certificate", which="lmn")
    await clock.sleep(1)
    words = await _words(rack)
    assert [one for one, word in words.items() if word == "A0040000"] == ["01:30", "01:45", "02:00"]
    assert [one for one, word in words.items() if word == "A0840000"] == [
        "00:30", "00:45", "01:00", "01:15", "02:15", "02:30", "02:45", "03:00",
    ]  # fmt: skip
    assert len(words) == 11
    await rack.close()


async def test_gaps_of_a_radio_meter_have_the_marks_of_their_instants_as_well(clock: Clock) -> None:
    """They are made long after their instants: its silence is waited out first."""
    meters = (MeterProfile(POWER, key=KEY, radio=True, period_s=900),)
    options = {"radio_unheard_patience_s": 1800.0}
    rack = Rack(clock, load("ppc"), GatewayConfig(meters=meters, options=options), antenna=HandAntenna())
    rack.gateway.power_on()
    await clock.sleep(1000)
    await rack.console.do("expire_certificate", which="lmn")
    await clock.sleep(1000)
    await rack.console.do("renew_certificate", which="lmn")
    await clock.sleep(3600)
    words = await _words(rack, POWER)
    assert words == {"00:15": "A0044000", "00:30": "A0844000", "00:45": "A0044000", "01:00": "A0044000"}
    await rack.close()
