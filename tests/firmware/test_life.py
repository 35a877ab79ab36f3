"""Power, boot, restart and what survives them; logs and their chain; determinism."""

from __future__ import annotations

import itertools
import random

import pytest
from gateway_rack import BOOT_S, FRONT, PRODUCT, Rack
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock, run
from devices.errors import UsageError
from firmware.config import GatewayConfig, MeterProfile, options_from
from firmware.storage.memory import NonVolatileMemory

NUMBER = "1SAG0021061001"


async def test_boot_phases_by_their_edges(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig())
    rack.gateway.power_on()
    await clock.sleep(BOOT_S + 1)
    edges = [(edge.t, edge.lit) for edge in rack.edges if edge.line == "PWR"]
    assert [t for t, _ in edges[:13]] == pytest.approx([*(n * 0.25 for n in range(12)), 9.0])
    assert edges[-1] == (pytest.approx(BOOT_S), True)
    tls = [edge.t for edge in rack.edges if edge.line == "TLS"]
    assert tls == pytest.approx([n * 0.25 for n in range(12)])
    assert all(a[1] != b[1] for a, b in itertools.pairwise(edges))
    await rack.close()


@pytest.mark.parametrize("at", [0.0, 0.1, 0.25, 2.9, 3.0, 5.0, 9.0, 9.005, 9.01, 12.9, 13.0, 13.005, 13.4, 14.0])
async def test_a_cut_at_any_instant_of_the_boot_leaves_darkness_and_a_good_memory(clock: Clock, at: float) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig())
    rack.gateway.power_on()
    await clock.sleep(at)
    rack.gateway.power_off()
    assert not any(rack.gateway.leds.levels().values())
    told = len(rack.edges)
    await clock.sleep(60)
    assert len(rack.edges) == told
    rack.gateway.power_on()
    await rack.ready(BOOT_S + 2)
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


async def test_mains_on_twice_and_off_twice_is_harmless(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig())
    for _ in range(2):
        rack.gateway.power_on()
    await rack.ready()
    for _ in range(2):
        rack.gateway.power_off()
    await rack.close()


async def test_many_cuts_in_quick_succession(clock: Clock, rng: random.Random) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig(meters=(MeterProfile(NUMBER),)))
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    for _ in range(200):
        rack.gateway.power_on()
        await clock.sleep(rng.choice((0.001, 0.3, 5.0, 9.01, 14.0, 40.0)) * rng.random())
        rack.gateway.power_off()
        await clock.sleep(rng.random())
    rack.gateway.power_on()
    await rack.ready()
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


async def test_the_clock_goes_on_through_a_cut(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig())
    rack.gateway.power_on()
    await rack.ready()
    rack.gateway.power_off()
    await clock.sleep(3600)
    rack.gateway.power_on()
    await rack.ready()
    info = await rack.console.info()
    assert info["time"][:16] == clock.now().isoformat()[:16]
    assert info["time_state"] == "from_rtc"
    assert "power_lost" in await rack.console.events()
    await rack.close()


async def test_off_for_longer_than_the_reserve_the_time_is_unknown(clock: Clock) -> None:
    """wan-core 7.5 T0."""
    rack = Rack(clock, PRODUCT, GatewayConfig())
    rack.gateway.power_on()
    await rack.ready()
    rack.gateway.power_off()
    await clock.sleep(49 * 3600)
    rack.gateway.power_on()
    await rack.ready()
    assert (await rack.console.info())["time_state"] == "unknown"
    await rack.close()


async def test_a_clock_that_lost_the_time_does_not_begin_before_what_is_stored(clock: Clock) -> None:
    """wan-core 7.5 T0: nothing is captured for an instant that has its value already."""
    rack = Rack(clock, PRODUCT, GatewayConfig(meters=(MeterProfile(NUMBER),)))
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await clock.sleep(2000)
    newest = max(row["capture_time"] for row in (await rack.console.ask(read="values"))["rows"])
    rack.gateway.power_off()
    await clock.sleep(49 * 3600)
    rack.gateway.power_on()
    await rack.ready()
    info = await rack.console.info()
    assert info["time_state"] == "unknown"
    assert info["time"] >= newest
    await rack.close()


async def test_a_restart_on_command_keeps_the_log_and_comes_back(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig())
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("restart")
    await clock.sleep(0.5)
    assert not any(rack.gateway.leds.levels().values())
    await rack.ready()
    events = await rack.console.events()
    assert "restart_commanded" in events
    assert events.count("gateway_started") == 2
    assert "power_lost" not in events
    await rack.close()


async def test_base_software_missing_leaves_all_leds_dark(clock: Clock) -> None:
    """[PPC] 2.4."""
    rack = Rack(clock, PRODUCT, GatewayConfig())
    await rack.console.do("base_software_missing")
    rack.gateway.power_on()
    await clock.sleep(3600)
    assert rack.edges == []
    await rack.console.do("mend", fault="base_software_missing")
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.ready()
    await rack.close()


async def test_joined_networks_are_detected_by_the_probe_and_separated_again(clock: Clock) -> None:
    """[CONEXA] D-2.3: HAN and CLS are switched off, the rest goes on."""
    rack = Rack(clock, PRODUCT, GatewayConfig(options={"separation_test_interval_s": 60}))
    rack.gateway.power_on()
    await rack.ready()
    assert rack.gateway.leds.levels()["HAN.link"]
    rack.join_networks()
    await clock.sleep(61)
    assert (await rack.console.info())["state"] == "connectivity_cut"
    levels = rack.gateway.leds.levels()
    assert (levels["HAN.link"], levels["CLS.link"], levels["WAN.link"]) == (False, False, True)
    rack.separate_networks()
    await clock.sleep(61)
    assert (await rack.console.info())["state"] == "run"
    assert rack.gateway.leds.levels()["HAN.link"]
    await rack.close()


@pytest.mark.parametrize(
    ("what", "state"), [("firmware", "stopped"), ("log", "restricted"), ("database", "restricted")]
)
async def test_a_flipped_bit_is_found_by_the_self_test(clock: Clock, what: str, state: str) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig(meters=(MeterProfile(NUMBER),)))
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    rack.gateway.power_on()
    await clock.sleep(1000)
    await rack.console.do("flip_bit", of=what)
    assert (await rack.console.info())["state"] == "run"
    assert (await rack.console.do("selftest", initiator="technician"))["accepted"]
    assert (await rack.console.info())["state"] == state
    await rack.close()


async def test_a_self_test_is_locked_for_a_while(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig())
    rack.gateway.power_on()
    await rack.ready()
    assert (await rack.console.do("selftest", initiator="consumer"))["accepted"]
    refused = await rack.console.do("selftest", initiator="consumer")
    assert refused["accepted"] is False
    assert "possible at" in refused["reason"]
    await clock.sleep(600)
    assert (await rack.console.do("selftest", initiator="consumer"))["accepted"]
    await rack.close()


async def test_the_system_log_wraps_and_its_chain_stays_whole(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig(options={"system_log_capacity": 200}))
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("fill_log", book="system", to=1.0)
    for _ in range(30):
        await rack.console.ask(do="selftest", initiator="technician")
        await clock.sleep(700)
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    assert len(entries) <= 200
    assert entries[0]["number"] > 1
    assert "system_log_wraps" in [entry["event"] for entry in entries]
    assert (await rack.console.info())["state"] == "run"  # the self-test found the chain in order
    await rack.close()


async def test_a_full_consumer_log_stops_metering_until_there_is_room(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig(options={"consumer_log_capacity": 500}))
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("fill_log", book="consumer", to=0.95)
    assert "consumer_log_low" in await rack.console.events()
    await rack.console.do("fill_log", book="consumer", to=1.0)
    assert (await rack.console.info())["state"] == "restricted"
    await rack.console.do("fill_log", book="consumer", to=0.2)
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


async def test_a_full_calibration_log_stays_full_after_a_power_cut(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig())
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("fill_log", book="calibration", to=1.0)
    for _ in range(2):
        assert (await rack.console.info())["state"] == "stopped"
        assert rack.gateway.leds.levels()["HAN.link"] is False
        rack.gateway.power_off()
        await clock.sleep(10)
        rack.gateway.power_on()
        await clock.sleep(BOOT_S + 2)
    await rack.close()


@pytest.mark.parametrize(("cut_after", "version"), [(30.0, "1.0.0"), (59.9, "1.0.0"), (61.5, "2.0.0"), (None, "2.0.0")])
async def test_a_cut_during_the_install_phase_leaves_the_old_version(
    clock: Clock, cut_after: float | None, version: str
) -> None:
    """wan-core 10, F6."""
    rack = Rack(clock, PRODUCT, GatewayConfig())
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("install_update", version="2.0.0")
    await clock.sleep(cut_after or 70)
    if cut_after is not None:
        rack.gateway.power_off()
        await clock.sleep(5)
        rack.gateway.power_on()
    await rack.ready()
    assert (await rack.console.info())["software"] == version
    told = {"1.0.0": "update_rolled_back", "2.0.0": "update_done"}[version]
    assert told in await rack.console.events()
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


def _one_run(seed: int) -> tuple[bytes, list[tuple[float, str, bool]]]:
    async def main() -> tuple[bytes, list[tuple[float, str, bool]]]:
        import asyncio

        clock = Clock(asyncio.get_running_loop())
        memory = NonVolatileMemory()
        rack = Rack(clock, PRODUCT, GatewayConfig(meters=(MeterProfile(NUMBER),)), memory=memory, seed=seed)
        SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
        rack.gateway.power_on()
        await clock.sleep(1000)
        await rack.console.do("flip_bit", of="firmware")
        rack.gateway.power_off()
        await clock.sleep(100)
        rack.gateway.power_on()
        await clock.sleep(2000)
        await rack.gateway.close()
        dump = memory.dump()
        memory.close()
        return dump, [(edge.t, edge.line, edge.lit) for edge in rack.edges]

    return run(main(), virtual=True)


def test_the_same_seed_gives_the_same_memory_and_the_same_edges() -> None:
    assert _one_run(1) == _one_run(1)
    assert _one_run(1)[0] != _one_run(2)[0]


def test_options_are_checked_by_name_and_kind() -> None:
    assert options_from({"read_patience_s": 5}).read_patience_s == 5.0
    with pytest.raises(UsageError, match="did you mean 'receive_window_share'"):
        options_from({"recieve_window_share": 5})
    with pytest.raises(UsageError, match="cannot be 'long'"):
        options_from({"receive_window_share": "long"})
    with pytest.raises(UsageError, match="cannot be True"):
        options_from({"slot_count": True})


def test_the_front_has_four_leds() -> None:
    assert PRODUCT.lines[:4] == FRONT


@pytest.mark.asyncio(loop_factories=["real"])
async def test_it_runs_in_real_time_too(clock: Clock) -> None:
    rack = Rack(clock, PRODUCT, GatewayConfig(meters=(MeterProfile(NUMBER),), options={"registration_period_s": 1}))
    SmallBus(clock, rack.lmn[1], [SmallMeter(NUMBER)])
    await rack.console.do("mend")
    rack.gateway.power_on()
    await clock.sleep(0.6)
    assert len(rack.edges) >= 12
    rack.gateway.power_off()
    assert not any(rack.gateway.leds.levels().values())
    await rack.close()


@pytest.mark.parametrize(("policy", "reads"), [("mark", 2), ("stop", 0)])
async def test_the_policy_for_invalid_time_can_be_overridden(clock: Clock, policy: str, reads: int) -> None:
    """wan-core 7.5: the documents contradict each other, so it is a switch."""
    options = {"sync_max_interval_s": 100, "sync_warn_after_s": 50, "time_invalid_policy": policy}
    rack = Rack(clock, PRODUCT, GatewayConfig(meters=(MeterProfile(NUMBER),), options=options))
    meter = SmallMeter(NUMBER)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await clock.sleep(1850)
    assert (await rack.console.info())["state"] == "restricted"
    assert meter.reads == reads
    await rack.close()
