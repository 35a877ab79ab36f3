"""The three products: start, LEDs, every cause of an operating state with its effects and its way out.

wan-core 9; [PPC] 2.4, 2.6, 4.4, 6.1; [CONEXA] B-3, D; [CASA] 2.3.2, 8.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from gateway_rack import FRONT, Rack
from small_meter import SmallBus, SmallMeter

from devices.clock import Clock
from devices.gateway_types import load
from firmware.config import GatewayConfig, MeterProfile

NUMBER = "1SAG0021061001"
PRODUCTS = ("ppc", "conexa", "casa")


def _rack(clock: Clock, product: str, **options: Any) -> Rack:
    data = load(product)
    config = GatewayConfig(device_id=data.device_id, meters=(MeterProfile(NUMBER),), options=options)
    return Rack(clock, data, config)


async def _running(clock: Clock, product: str, **options: Any) -> tuple[Rack, SmallMeter]:
    rack = _rack(clock, product, **options)
    meter = SmallMeter(NUMBER)
    SmallBus(clock, rack.lmn[1], [meter])
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(1)
    return rack, meter


def _edges(rack: Rack, line: str, since: float, until: float) -> list[float]:
    return [round(edge.t - since, 6) for edge in rack.edges if edge.line == line and since <= edge.t < until]


# --- start


async def test_ppc_starts_with_all_four_together_for_3_s_then_pwr_with_a_period_of_half_a_second(clock: Clock) -> None:
    """[PPC] 2.4."""
    rack = _rack(clock, "ppc")
    rack.gateway.power_on()
    await clock.sleep(60)
    times = {line: _edges(rack, line, 0, 3.001) for line in FRONT}
    assert times["PWR"] == times["TLS"] == times["LMC"] == times["wMT"]
    assert len(times["PWR"]) >= 4
    assert _edges(rack, "TLS", 3.001, 60) == []
    power = [edge for edge in rack.edges if edge.line == "PWR" and edge.t > 3.001]
    blinking = [edge.t for edge in power if edge.lit][:10]
    assert [round(b - a, 6) for a, b in itertools.pairwise(blinking)] == [0.5] * 9
    assert power[-1].lit
    await rack.close()


@pytest.mark.parametrize(("product", "pulse"), [("conexa", 0.5), ("casa", None)])
async def test_the_others_start_dark_then_blink_then_light_pwr(clock: Clock, product: str, pulse: float | None) -> None:
    """[CONEXA] B-3: pulses of 500 ms; [CASA] 2.3.2."""
    rack = _rack(clock, product)
    rack.gateway.power_on()
    await clock.sleep(120)
    power = [edge for edge in rack.edges if edge.line == "PWR"]
    assert power[0].t > 1.0
    assert power[-1].lit
    assert len(power) > 5
    if pulse is not None:
        assert round(power[1].t - power[0].t, 6) == pulse
    assert {edge.line for edge in rack.edges} & {"TLS", "wMT"} == set()
    await rack.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_cut_in_every_boot_phase_is_survived(clock: Clock, product: str) -> None:
    rack = _rack(clock, product)
    data = load(product)
    begin = 0.0
    for phase in data.boot:
        for share in (0.0, 0.5, 0.999):
            rack.gateway.power_on()
            await clock.sleep(begin + share * phase.duration_s)
            rack.gateway.power_off()
            assert not any(rack.gateway.leds.levels().values())
            await clock.sleep(1)
        begin += phase.duration_s
    rack.gateway.power_on()
    await rack.ready()
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_in_normal_operation_pwr_is_lit_and_values_are_captured(clock: Clock, product: str) -> None:
    rack, meter = await _running(clock, product)
    await clock.sleep(1800)
    levels = rack.gateway.leds.levels()
    assert levels["PWR"]
    assert levels["LMC"] is (product != "conexa")  # CONEXA waits for the time of its administrator as well
    assert meter.reads == 2
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


# --- causes

CAUSES: list[tuple[str, str, dict[str, Any], str]] = [
    ("ppc", "fill_log", {"book": "consumer", "to": 1.0}, "restricted"),
    ("ppc", "fill_storage", {"to": 1.0}, "restricted"),
    ("ppc", "expire_certificate", {"which": "lmn"}, "restricted"),
    ("ppc", "component_fails", {"component": "metering", "restartable": True}, "restricted"),
    ("ppc", "fill_log", {"book": "calibration", "to": 1.0}, "minimal"),
    ("ppc", "violation", {"variant": "pwr_tls"}, "stopped"),
    ("conexa", "fill_log", {"book": "consumer", "to": 1.0}, "stopped"),
    ("conexa", "fill_log", {"book": "calibration", "to": 1.0}, "stopped"),
    ("conexa", "fill_storage", {"to": 0.95}, "restricted"),
    ("casa", "fill_storage", {"to": 0.95}, "restricted"),
]
WORKS = {  # state -> (values captured, services run)
    "restricted": (False, True),
    "minimal": (False, True),
    "stopped": (False, False),
}


@pytest.mark.parametrize(("product", "fault", "fields", "state"), CAUSES)
async def test_a_cause_leads_to_its_state_with_its_effects(
    clock: Clock, product: str, fault: str, fields: dict[str, Any], state: str
) -> None:
    rack, meter = await _running(clock, product, component_restart_delay_s=2000, consumer_log_capacity=500)
    await rack.console.do(fault, **fields)
    await clock.sleep(1)
    assert (await rack.console.info())["state"] == state
    before = meter.reads
    await clock.sleep(1000)
    captured, services = WORKS[state]
    assert (meter.reads > before) is captured
    definition = load(product).state(state)
    levels = rack.gateway.leds.levels()
    for socket in definition.effects.dark_sockets:
        assert not levels.get(f"{socket}.link", False)
    if services:
        assert levels["HAN.link"] if "HAN.link" in levels and not definition.effects.dark_sockets else True
    events = await rack.console.events()
    if state != "stopped" and product != "conexa":
        assert set(definition.seen_by) & set(events)
    await rack.close()


EXITS: list[tuple[str, tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]] = [
    ("ppc", ("fill_storage", {"to": 1.0}), ("fill_storage", {"to": 0.1})),
    ("ppc", ("expire_certificate", {"which": "lmn"}), ("renew_certificate", {"which": "lmn"})),
    ("conexa", ("fill_storage", {"to": 0.95}), ("fill_storage", {"to": 0.1})),
]


@pytest.mark.parametrize(("product", "begin", "end"), EXITS)
async def test_a_state_ends_with_its_cause_and_metering_goes_on(
    clock: Clock, product: str, begin: tuple[str, dict[str, Any]], end: tuple[str, dict[str, Any]]
) -> None:
    rack, meter = await _running(clock, product)
    await rack.console.do(begin[0], **begin[1])
    assert (await rack.console.info())["state"] == "restricted"
    await rack.console.do(end[0], **end[1])
    assert (await rack.console.info())["state"] == "run"
    await clock.sleep(1000)
    assert meter.reads == 1
    events = await rack.console.events()
    assert events.index("metering_suspended") < events.index("metering_resumed")
    await rack.close()


async def test_a_component_that_can_be_restarted_brings_metering_back(clock: Clock) -> None:
    """[PPC] 2.6 and messages 10155, 10156, 10260, 10261."""
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("component_fails", component="metering", restartable=True)
    await clock.sleep(15)
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    ids = [entry["id"] for entry in entries]
    assert ids[-4:] == [10155, 10260, 10156, 10261]
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


async def test_a_component_that_cannot_be_restarted_stops_the_device_for_good(clock: Clock) -> None:
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("component_fails", component="metering", restartable=False, variant="pwr_lmc")
    await clock.sleep(40)
    for _ in range(2):
        assert (await rack.console.info())["state"] == "stopped"
        levels = rack.gateway.leds.levels()
        assert levels["TLS"] is False
        assert rack.pattern("PWR", 5) == rack.pattern("LMC", 5)
        assert len(rack.pattern("PWR", 5)) >= 19
        rack.gateway.power_off()
        await clock.sleep(5)
        rack.gateway.power_on()
        await clock.sleep(120)
    await rack.close()


VARIANTS = {
    "pwr_tls": {"PWR", "TLS"},
    "pwr_lmc": {"PWR", "LMC"},
    "pwr_tls_lmc": {"PWR", "TLS", "LMC"},
    "pwr_wmt": {"PWR", "wMT"},
    "all": set(FRONT),
}


@pytest.mark.parametrize("variant", VARIANTS)
async def test_each_violation_pattern_of_ppc(clock: Clock, variant: str) -> None:
    """[PPC] 2.4."""
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("violation", variant=variant)
    await clock.sleep(10)
    moving = {line for line in FRONT if rack.pattern(line, 5)}
    assert moving == VARIANTS[variant]
    since = clock.seconds() - 5
    assert len({tuple(edge.t for edge in rack.edges if edge.line == line and edge.t > since) for line in moving}) == 1
    await rack.close()


async def test_pwr_and_wmt_may_also_alternate(clock: Clock) -> None:
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("violation", variant="pwr_wmt", phase="alternating")
    await clock.sleep(1)
    for _ in range(20):
        await clock.sleep(0.125)
        levels = rack.gateway.leds.levels()
        assert levels["PWR"] != levels["wMT"]
    await rack.close()


@pytest.mark.parametrize(("persistent", "state"), [(False, "run"), (True, "stopped")])
async def test_a_power_cycle_checks_a_violation_again(clock: Clock, persistent: bool, state: str) -> None:
    """[PPC] 6.1."""
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("violation", persistent=persistent)
    assert (await rack.console.info())["state"] == "stopped"
    rack.gateway.power_off()
    await clock.sleep(5)
    rack.gateway.power_on()
    await clock.sleep(60)
    assert (await rack.console.info())["state"] == state
    await rack.close()


async def test_the_minimal_state_of_ppc_has_no_way_out(clock: Clock) -> None:
    """[PPC] 2.6."""
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("fill_log", book="calibration", to=1.0)
    assert (await rack.console.ask(do="install_update", ok=True, version="3"))["ok"] is False
    await rack.console.do("fill_log", book="calibration", to=0.1)
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.ready()
    assert (await rack.console.info())["state"] == "minimal"
    refused = await rack.console.ask(do="clear_cause", cause="calibration_log_full")
    assert "no way out" in refused["error"]
    await rack.close()


@pytest.mark.parametrize("product", ["ppc", "conexa"])
async def test_damaged_firmware_stops_the_device_at_the_next_start(clock: Clock, product: str) -> None:
    rack, _ = await _running(clock, product)
    await rack.console.do("flip_bit", of="firmware")
    rack.gateway.power_off()
    rack.gateway.power_on()
    await clock.sleep(120)
    assert (await rack.console.info())["state"] == "stopped"
    moving = {line for line in FRONT if rack.pattern(line, 3)}
    assert moving == (set(FRONT) if product == "conexa" else {"PWR", "TLS"})
    await rack.close()


async def test_conexa_beats_all_four_at_50_ms_in_secure_state_boot(clock: Clock) -> None:
    """[CONEXA] B-3, D-2.1."""
    rack = _rack(clock, "conexa")
    await rack.console.do("corrupt_kernel")
    rack.gateway.power_on()
    await clock.sleep(60)
    for line in FRONT:
        edges = [edge.t for edge in rack.edges if edge.line == line][-40:]
        assert [round(b - a, 6) for a, b in itertools.pairwise(edges)] == [0.05] * 39
    await rack.close()


async def test_conexa_beats_pwr_alone_at_50_ms_in_secure_state_application(clock: Clock) -> None:
    rack, _ = await _running(clock, "conexa")
    await rack.console.do("fill_storage", to=0.95)
    await clock.sleep(10)
    edges = [edge.t for edge in rack.edges if edge.line == "PWR"][-40:]
    assert [round(b - a, 6) for a, b in itertools.pairwise(edges)] == [0.05] * 39
    assert not rack.pattern("TLS", 5)
    await rack.close()


async def test_conexa_restarts_again_and_again_when_its_checks_fail(clock: Clock) -> None:
    """[CONEXA] D-2.4."""
    rack = _rack(clock, "conexa")
    await rack.console.do("boot_check_fails", times=3)
    rack.gateway.power_on()
    await clock.sleep(130)
    assert (await rack.console.info())["state"] in ("boot", "boot_loop", "off")
    await rack.ready()
    assert (await rack.console.info())["state"] == "run"
    await rack.close()


@pytest.mark.parametrize(("days", "state"), [(29, "run"), (31, "stopped")])
async def test_conexa_bears_a_bad_inactive_partition_for_30_days(clock: Clock, days: int, state: str) -> None:
    """[CONEXA] D-2.1."""
    rack = _rack(clock, "conexa", rtc_reserve_s=1e7)
    rack.gateway.power_on()
    await rack.ready()
    await rack.console.do("flip_bit", of="update_partition")
    for pause in (10.0, days * 86_400.0):
        rack.gateway.power_off()
        await clock.sleep(pause)
        rack.gateway.power_on()
        await clock.sleep(60)
    assert (await rack.console.info())["state"] == state
    await rack.close()


async def test_conexa_wants_the_expected_version(clock: Clock) -> None:
    rack, _ = await _running(clock, "conexa")
    await rack.console.do("software_version_differs")
    rack.gateway.power_off()
    rack.gateway.power_on()
    await clock.sleep(60)
    assert (await rack.console.info())["state"] == "stopped"
    await rack.close()


@pytest.mark.parametrize("product", ["conexa", "casa"])
async def test_joined_networks(clock: Clock, product: str) -> None:
    """[CONEXA] D-2.3: HAN and CLS off, the rest goes on; [CASA] 900137: soft lock-down."""
    rack, _ = await _running(clock, product, separation_test_interval_s=60)
    rack.join_networks()
    await clock.sleep(70)
    state = (await rack.console.info())["state"]
    assert state == {"conexa": "connectivity_cut", "casa": "restricted"}[product]
    levels = rack.gateway.leds.levels()
    if product == "conexa":
        assert not levels["HAN.link"]
        assert not levels["CLS.link"]
        assert levels["PWR"]
    rack.separate_networks()
    await clock.sleep(70)
    after = (await rack.console.info())["state"]
    assert after == {"conexa": "run", "casa": "restricted"}[product]
    await rack.close()


async def test_conexa_shows_at_its_sockets_whether_a_cable_is_plugged_in(clock: Clock) -> None:
    """[CONEXA] D-2.3: an unplugged cable looks like a socket that is switched off."""
    rack, _ = await _running(clock, "conexa")
    rack.gateway.link("HAN", False)
    await clock.sleep(1)
    levels = rack.gateway.leds.levels()
    assert not levels["HAN.link"]
    assert levels["CLS.link"]
    rack.gateway.power_off()
    rack.gateway.link("HAN", True)
    rack.gateway.power_on()
    assert not rack.gateway.leds.levels()["HAN.link"]
    await rack.ready()
    await clock.sleep(1)
    assert rack.gateway.leds.levels()["HAN.link"]
    await rack.close()


@pytest.mark.parametrize("of", ["firmware", "kernel"])
async def test_ppc_stops_with_damaged_software(clock: Clock, of: str) -> None:
    """[PPC] 4.4: the secure start checks the components."""
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("flip_bit", of=of)
    rack.gateway.power_off()
    rack.gateway.power_on()
    await clock.sleep(60)
    assert (await rack.console.info())["state"] == "stopped"
    await rack.close()


async def test_a_severe_finding_of_ppc_is_found_again_at_every_start(clock: Clock) -> None:
    """[PPC] 4.4, 6.1: every start runs the checks; only an ordered test logs its result."""
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("hardware_change")
    for _ in range(2):
        rack.gateway.power_off()
        rack.gateway.power_on()
        await clock.sleep(60)
        assert (await rack.console.info())["state"] == "stopped"
    assert "10065/None" not in await _ids(rack)
    await rack.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_without_synchronisation_for_the_maximum_time_metering_stops_or_marks(clock: Clock, product: str) -> None:
    """wan-core 7.5, 9.2: Theben 36 h, PPC marks by default, EMH stops."""
    rack, meter = await _running(clock, product)
    await clock.sleep(36.5 * 3600)
    assert (await rack.console.info())["time_state"] == "invalid"
    assert (await rack.console.info())["state"] == "restricted"
    before = meter.reads
    await clock.sleep(1800)
    if load(product).limit("time_invalid_policy").value == "mark":
        assert meter.reads == before + 2
        last = (await rack.console.rows())[-1]
        assert last["status"].startswith("A0")
        assert int(last["status"], 16) >> (63 - 9) & 1
    else:
        assert meter.reads == before
    await rack.close()


# --- self-test


async def test_the_self_test_of_ppc_restarts_it_and_tells_the_result_afterwards(clock: Clock) -> None:
    """[PPC] 4.4 and messages 10063, 10064."""
    rack, _ = await _running(clock, "ppc")
    assert (await rack.console.do("selftest", initiator="technician"))["accepted"]
    await clock.sleep(0.5)
    assert not rack.gateway.leds.levels()["PWR"]
    await rack.ready()
    await clock.sleep(1)
    ids = [entry["id"] for entry in (await rack.console.ask(read="log", book="system"))["entries"]]
    assert ids.index(10063) < ids.index(10064)
    await rack.close()


@pytest.mark.parametrize(("product", "lock_s"), [("conexa", 600), ("casa", 86_400)])
async def test_the_self_test_of_the_others_is_locked_for_a_while(clock: Clock, product: str, lock_s: float) -> None:
    """han 3.4: 600 s; han 4.1: once in 24 h."""
    rack, _ = await _running(clock, product)
    assert (await rack.console.do("selftest", initiator="consumer"))["accepted"]
    assert (await rack.console.do("selftest", initiator="consumer"))["accepted"] is False
    await clock.sleep(lock_s - 60)
    assert (await rack.console.do("selftest", initiator="consumer"))["accepted"] is False
    await clock.sleep(61)
    assert (await rack.console.do("selftest", initiator="consumer"))["accepted"]
    events = await rack.console.events("consumer")
    assert "selftest_passed" in events
    await rack.close()


async def test_the_update_of_ppc_blinks_pwr_tls_and_wmt_together(clock: Clock) -> None:
    """[PPC] 2.4."""
    rack, _ = await _running(clock, "ppc")
    await rack.console.do("install_update", version="3.0")
    await clock.sleep(20)
    assert (await rack.console.info())["state"] == "updating"
    assert {line for line in FRONT if rack.pattern(line, 5)} == {"PWR", "TLS", "wMT"}
    assert rack.pattern("PWR", 5) == rack.pattern("TLS", 5) == rack.pattern("wMT", 5)
    await clock.sleep(60)
    await rack.ready()
    assert (await rack.console.info())["software"] == "3.0"
    await rack.close()


# --- CASA


async def _ids(rack: Rack, book: str = "system") -> list[str]:
    entries = (await rack.console.ask(read="log", book=book))["entries"]
    return [f"{entry['id']}/{entry['sub_id']}" for entry in entries]


async def test_casa_reports_damaged_firmware_restarts_and_locks_hard_when_it_is_found_again(clock: Clock) -> None:
    """[CASA] 8, 9.3.7: E19001/1, E4294948285, then the Hard Lock-Down Mode for good."""
    rack, _ = await _running(clock, "casa", integrity_check_interval_s=60)
    await rack.console.do("flip_bit", of="firmware")
    await clock.sleep(61)
    ids = await _ids(rack)
    assert ids.index("19001/1") < ids.index("4294948285/0")
    await clock.sleep(60)
    for _ in range(2):
        assert (await rack.console.info())["state"] == "stopped"
        patterns = [rack.pattern(line, 5) for line in FRONT]
        assert len(patterns[0]) >= 9
        assert patterns == [patterns[0]] * 4
        rack.gateway.power_off()
        await clock.sleep(5)
        rack.gateway.power_on()
        await clock.sleep(60)
    await rack.close()


@pytest.mark.parametrize(
    ("fault", "fields"),
    [("hardware_change", {}), ("flip_bit", {"of": "database"}), ("flip_bit", {"of": "log"})],
)
async def test_casa_locks_softly_after_a_failed_self_test_until_the_administrator_has_looked(
    clock: Clock, fault: str, fields: dict[str, Any]
) -> None:
    """[CASA] 8: heartbeat on PWR, no values; a power cycle does not end it."""
    rack, meter = await _running(clock, "casa")
    await clock.sleep(1000)
    await rack.console.do(fault, **fields)
    await rack.console.do("selftest", initiator="consumer")
    await clock.sleep(10)
    assert (await rack.console.info())["state"] == "restricted"
    assert "15001/1" in await _ids(rack)
    spans = [round(b[0] - a[0], 3) for a, b in itertools.pairwise(rack.pattern("PWR", 6))]
    assert set(spans) == {0.1, 1.2}
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.ready()
    info = await rack.console.info()
    assert info["state"] == "restricted"
    reads = meter.reads
    await clock.sleep(1000)
    assert meter.reads == reads
    for cause in info["causes"]:
        await rack.console.do("clear_cause", cause=cause)
    assert (await rack.console.info())["state"] == "run"
    assert "19006/0" in await _ids(rack)
    await rack.close()


async def test_casa_shows_an_overloaded_bus_and_an_invalid_time_on_lmc(clock: Clock) -> None:
    """[CASA] 2.3.2, both optional."""
    rack, _ = await _running(clock, "casa")
    await rack.console.do("overload_bus", on=True)
    await clock.sleep(10)
    assert {round(b[0] - a[0], 3) for a, b in itertools.pairwise(rack.pattern("LMC", 6))} == {0.1, 1.2}
    await rack.console.do("overload_bus", on=False)
    await clock.sleep(10)
    assert rack.pattern("LMC", 5) == []
    rack.gateway.power_off()
    await clock.sleep(49 * 3600)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(40)
    assert {round(b[0] - a[0], 3) for a, b in itertools.pairwise(rack.pattern("LMC", 5))} == {0.25}
    assert "13001/1" in await _ids(rack)
    await rack.close()


async def test_casa_names_bus_trouble_by_its_fault_codes(clock: Clock) -> None:
    """[CASA] 9.4: 103118 no answer, 100706 connection is built up anew."""
    rack, meter = await _running(clock, "casa")
    await clock.sleep(800)
    meter.deaf_to_links = True
    await clock.sleep(150)
    meter.silent = True
    await clock.sleep(60)
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    codes = {entry["parameters"].get("code") for entry in entries}
    assert {103118, 100706} <= codes
    await rack.close()


async def test_ppc_names_a_wrong_checksum_by_its_message(clock: Clock) -> None:
    """[PPC] 10: 10263."""
    rack, meter = await _running(clock, "ppc")
    meter.garble = 1
    await clock.sleep(1000)
    assert 10263 in [entry["id"] for entry in (await rack.console.ask(read="log", book="system"))["entries"]]
    await rack.close()


async def test_casa_drops_only_consumer_entries_older_than_15_months(clock: Clock) -> None:
    """[CASA] 9.3.7, fault 1400523: without such entries metering stops."""
    rack, _ = await _running(clock, "casa")
    await rack.console.do("fill_log", book="consumer", to=1.0)
    assert (await rack.console.info())["state"] == "restricted"
    entries = (await rack.console.ask(read="log", book="system"))["entries"]
    assert [entry["parameters"]["code"] for entry in entries if entry["id"] == 4294948286] == [1400523]
    await rack.close()


# --- events of the start


@pytest.mark.parametrize(
    ("product", "book", "wanted"),
    [
        ("ppc", "system", ["10172/None", "10000/None", "10004/None", "10008/None", "10173/None", "30300/None"]),
        ("casa", "consumer", ["6001/0", "4294954294/0", "19004/0"]),
        ("conexa", "system", ["19013/0"]),
    ],
)
async def test_messages_of_a_start_after_a_power_cut(clock: Clock, product: str, book: str, wanted: list[str]) -> None:
    rack, _ = await _running(clock, product)
    rack.gateway.power_off()
    await clock.sleep(10)
    before = len(await _ids(rack, book))
    rack.gateway.power_on()
    await rack.ready()
    ids = (await _ids(rack, book))[before:]
    assert [one for one in ids if one in wanted] == wanted
    await rack.close()
