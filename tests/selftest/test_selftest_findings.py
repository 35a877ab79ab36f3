"""Every check of the self-test finds its defect, names it, and draws what the product's manual says of it.

wan-core 9.2; [PPC] 2.6, 4.4, 10; [CONEXA] D-2; [CASA] 8, 9.3.5, 4.2.4.
"""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest
from gateway_rack import Rack
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock
from devices.gateway_types import load
from firmware.checks import Finding, derived_check
from firmware.config import GatewayConfig, MeterProfile, Options
from firmware.metering.derived import DerivedEntry
from firmware.metering.derived import store as store_derived
from firmware.metering.tariffs.entries import Derived, Kind
from firmware.metering.tariffs.readings import Amount, word_of
from firmware.selftest import CHECKS
from firmware.storage.memory import NonVolatileMemory, digest, setting_statement

NUMBER = "1SAG0021061001"
PRODUCTS = ("ppc", "conexa", "casa")
NAMES = {*CHECKS, "logs", "value_signatures", "real_time_clock", "separation"}


class Bench:
    """A gateway that has read a meter for three minutes."""

    def __init__(self, clock: Clock, product: str) -> None:
        data = load(product)
        options = {"registration_period_s": 60, "integrity_check_interval_s": 86_400}
        config = GatewayConfig(device_id=data.device_id, meters=(MeterProfile(NUMBER),), options=options)
        self.product = product
        self.rack = Rack(clock, data, config)
        SmallBus(clock, self.rack.lmn[1], [SmallMeter(NUMBER)])

    async def start(self) -> None:
        self.rack.gateway.power_on()
        await self.rack.ready()
        await self.rack.clock.sleep(180)

    async def selftest(self) -> dict[str, Any]:
        """Order it and wait until it is over, restart included; gives its result."""
        before = (await self.rack.console.ask(read="selftest"))["result"]
        answer = await self.rack.console.do("selftest", initiator="administrator")
        assert answer["accepted"], answer
        for _ in range(600):
            await self.rack.clock.sleep(0.5)
            result: dict[str, Any] | None = (await self.rack.console.ask(read="selftest"))["result"]
            if result is not None and result != before:
                return result
        raise AssertionError("the self-test gave no result")

    async def close(self) -> None:
        await self.rack.close()


async def _bench(clock: Clock, product: str) -> Bench:
    bench = Bench(clock, product)
    await bench.start()
    return bench


def _bad(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in result["checks"] if not one["good"]}


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_sound_gateway_passes_all_of_them(clock: Clock, product: str) -> None:
    bench = await _bench(clock, product)
    result = await bench.selftest()
    assert result["good"]
    assert result["initiator"] == "administrator"
    names = {one["name"] for one in result["checks"]}
    assert names == (NAMES - {"separation"} if product == "ppc" else NAMES)  # PPC tests while it starts
    await bench.close()


DAMAGE: dict[str, tuple[str, dict[str, Any]]] = {
    "one bit of a value": ("readings", {"do": "flip_bit", "of": "database"}),
    "one bit of a signature": ("readings", {"do": "flip_bit", "of": "signature"}),
    "a forged value": ("value_signatures", {"do": "forge_value"}),
    "one bit of a setting": ("settings", {"do": "flip_bit", "of": "setting"}),
    "one bit of a log": ("logs", {"do": "flip_bit", "of": "log"}),
    "another key": ("signature_key", {"do": "damage_key", "how": "exchanged"}),
    "one bit of the key": ("signature_key", {"do": "damage_key", "how": "corrupt"}),
    "another certificate": ("signature_key", {"do": "damage_certificate", "how": "swapped"}),
    "one bit of the certificate": ("certificate", {"do": "damage_certificate", "how": "corrupt"}),
    "another board": ("hardware", {"do": "hardware_change"}),
    "one bit of the update partition": ("update_partition", {"do": "flip_bit", "of": "update_partition"}),
    "a mute clock chip": ("real_time_clock", {"do": "rtc_fails", "how": "mute"}),
    "a clock chip that stands still": ("real_time_clock", {"do": "rtc_fails", "how": "stopped"}),
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_a_defect_is_found_by_its_check(clock: Clock, name: str) -> None:
    bench = await _bench(clock, "casa")
    check, fault = DAMAGE[name]
    await bench.rack.console.do(fault["do"], **{key: value for key, value in fault.items() if key != "do"})
    await clock.sleep(40)  # a clock that stands still is off by then
    found = _bad(await bench.selftest())
    assert check in found
    assert found[check]["detail"]
    await bench.close()


async def test_a_software_that_was_changed_is_found(clock: Clock) -> None:
    """On CASA the check of the software that goes on all the time does the same; here it is switched off."""
    bench = await _bench(clock, "casa")
    for of, check in (("firmware", "firmware"), ("kernel", "kernel")):
        await bench.rack.console.do("flip_bit", of=of)
        session = bench.rack.gateway._session
        assert session is not None
        assert CHECKS[check](session.unit) is not None
    await bench.close()


@pytest.mark.parametrize(("product", "state"), [("ppc", "stopped"), ("conexa", "boot_loop"), ("casa", "restricted")])
async def test_a_key_that_is_not_the_certified_one_leads_out_of_operation(
    clock: Clock, product: str, state: str
) -> None:
    """PPC stops ([PPC] 4.4), CASA goes into the soft lock-down ([CASA] 8), CONEXA does not get beyond its boot again
    ([CONEXA] D-2.4)."""
    bench = await _bench(clock, product)
    await bench.rack.console.do("damage_key", how="exchanged")
    result = await bench.selftest()
    assert "signature_key" in _bad(result)
    assert not result["good"]
    if product == "conexa":
        await clock.sleep(100)
        starts = len([edge for edge in bench.rack.edges if edge.line == "PWR"])
        await clock.sleep(100)
        assert len([edge for edge in bench.rack.edges if edge.line == "PWR"]) > starts
        assert (await bench.rack.console.info())["phase"] != "ready"
    else:
        info = await bench.rack.console.info()
        assert info["state"] == state
        assert "selftest_critical" in info["causes"]
        assert "selftest_failed" in await bench.rack.console.events("consumer" if product == "casa" else "system")
    await bench.close()


@pytest.mark.parametrize("how", ["exchanged", "corrupt"])
@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_damaged_key_is_found_at_the_next_start_too(clock: Clock, product: str, how: str) -> None:
    bench = await _bench(clock, product)
    bench.rack.gateway.power_off()
    await bench.rack.console.do("damage_key", how=how)
    bench.rack.gateway.power_on()
    await clock.sleep(100)
    info = await bench.rack.console.info()
    assert info["state"] == {"ppc": "stopped", "conexa": "boot", "casa": "restricted"}[product]
    await bench.close()


@pytest.mark.parametrize(("product", "state"), [("ppc", "minimal"), ("conexa", "run"), ("casa", "restricted")])
@pytest.mark.parametrize(
    "fault", [{"do": "forge_value"}, {"do": "flip_bit", "of": "setting"}], ids=["value", "setting"]
)
async def test_what_is_stored_wrongly_leads_where_the_product_says(
    clock: Clock, product: str, state: str, fault: dict[str, Any]
) -> None:
    """wan-core 9.2, database and storage integrity: S5, none, S4."""
    bench = await _bench(clock, product)
    await bench.rack.console.do(fault["do"], **{key: value for key, value in fault.items() if key != "do"})
    assert not (await bench.selftest())["good"]
    assert (await bench.rack.console.info())["state"] == state
    await bench.close()


async def test_a_defect_of_the_clock_chip_is_told_and_changes_nothing(clock: Clock) -> None:
    bench = await _bench(clock, "casa")
    await bench.rack.console.do("rtc_fails", how="mute")
    result = await bench.selftest()
    assert [(name, one["critical"]) for name, one in _bad(result).items()] == [("real_time_clock", False)]
    assert (await bench.rack.console.info())["state"] == "run"
    entries = (await bench.rack.console.ask(read="log", book="consumer"))["entries"]
    assert "selftest_failed" in [one["event"] for one in entries]
    await bench.close()


async def test_the_casa_goes_through_its_values_by_itself(clock: Clock) -> None:
    """[CASA] 4.2.4: an automatic, cyclic check of the stored values."""
    data = load("casa")
    options = {"registration_period_s": 60, "integrity_check_cycle_readings": 20}
    config = GatewayConfig(device_id=data.device_id, meters=(MeterProfile(NUMBER),), options=options)
    rack = Rack(clock, data, config)
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(400)
    oldest = rack.memory.query("SELECT MIN(grid_s) FROM entry WHERE kind = 'int'")[0][0]
    rack.memory.commit([("UPDATE entry SET value = '7' WHERE grid_s = ? AND kind = 'int'", (oldest,))])
    await rack.until(lambda: True, 3 * 300, state="restricted")
    assert "storage_integrity" in (await rack.console.info())["causes"]
    await rack.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_the_result_is_there_without_mains_and_after_a_restart(clock: Clock, product: str) -> None:
    bench = await _bench(clock, product)
    result = await bench.selftest()
    await clock.sleep(1)
    bench.rack.gateway.power_off()
    assert (await bench.rack.console.ask(read="selftest"))["result"] == result
    await bench.close()


async def test_a_damaged_profile_is_found_and_the_others_stay_in_force(clock: Clock) -> None:
    bench = await _bench(clock, "casa")
    await bench.rack.console.do("add_meter_profile", meter="1EMH0005975894")
    await bench.rack.console.do("flip_bit", of="profile")
    assert set(_bad(await bench.selftest())) == {"profiles"}
    await bench.close()


def test_damaged_derived_values_and_states_are_found() -> None:
    memory = NonVolatileMemory()
    unit: Any = SimpleNamespace(memory=memory, options=Options())
    word = word_of("A000000020000000")
    entry = DerivedEntry("taf2", 0, Derived(Kind.FIRST, 900, "1-0:1.8.0*255", Amount(5, 0), word, 30), 900_000_000)
    memory.commit(store_derived([entry], [bytes(64)]))
    state = ("taf2", "{}", digest(b"taf2={}"))
    memory.commit([("INSERT INTO evaluation VALUES (?, ?, ?)", state)])
    assert derived_check(unit) is None
    memory.commit([("UPDATE evaluation SET state = '[]'", ())])
    assert "state of the evaluation profile" in (derived_check(unit) or Finding("", "")).detail
    memory.commit([("UPDATE evaluation SET state = '{}'", ())])
    memory.flip_bit("derived", random.Random(1))
    assert "derived value of taf2" in (derived_check(unit) or Finding("", "")).detail
    memory.close()


def test_a_setting_that_does_not_fit_its_digest_is_not_used() -> None:
    memory = NonVolatileMemory()
    memory.commit([setting_statement("a", {"b": 1})])
    for seed in range(40):
        memory.flip_bit("setting", random.Random(seed))
        assert memory.setting("a", "default") == "default"
        memory.commit([setting_statement("a", {"b": 1})])
    assert memory.setting("a") == {"b": 1}
    memory.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_of_two_orders_at_once_one_is_accepted(clock: Clock, product: str) -> None:
    bench = await _bench(clock, product)
    session = bench.rack.gateway._session
    assert session is not None
    orders = await asyncio.gather(*(session.selftest.order("consumer") for _ in range(3)))
    assert [one.accepted for one in orders] == [True, False, False]
    assert {one.reason for one in orders[1:]} == {"a self-test is under way"}
    await bench.close()
