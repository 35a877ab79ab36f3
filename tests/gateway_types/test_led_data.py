"""What the LEDs show, after the manuals and wan-core 9.3."""

from __future__ import annotations

import pytest

from devices import gateway_types
from devices.errors import UsageError
from devices.gateway_types.model import MEANINGS, PatternSpec, Signal

FRONT = ("PWR", "TLS", "LMC", "wMT")


def only(product: str, meaning: str) -> Signal:
    signals = gateway_types.load(product).signals_for(meaning)
    assert len(signals) == 1
    return signals[0]


def blink(on_s: float, off_s: float) -> PatternSpec:
    return PatternSpec(kind="blink", on_s=on_s, off_s=off_s)


ON, OFF = PatternSpec(kind="on"), PatternSpec(kind="off")


@pytest.mark.parametrize("name", gateway_types.names())
def test_the_four_status_leds_come_first_and_have_the_colours_of_the_manual(name: str) -> None:
    product = gateway_types.load(name)
    assert product.lines[:4] == FRONT
    colours = [product.leds.lines[line].colour for line in FRONT]
    assert colours == ["green"] * 3 + ["green" if name == "ppc" else "blue"]


def test_ppc_flashes_all_four_together_for_three_seconds_then_all_are_dark() -> None:
    """[PPC] 2.4"""
    test = only("ppc", "led_test")
    assert set(test.shows) == set(FRONT) and len(set(test.shows.values())) == 1
    assert (test.phase, test.lasts_s) == ("together", 3.0)
    assert "period" in test.assumed and "lasts" not in test.assumed
    assert only("ppc", "initialising").shows == dict.fromkeys(FRONT, OFF)
    assert [phase.phase for phase in gateway_types.load("ppc").boot] == [
        "led_test",
        "initialising",
        "services_starting",
    ]


@pytest.mark.parametrize(
    ("name", "on_s", "assumed"),
    [("ppc", 0.25, {"duty"}), ("conexa", 0.5, {"duty"}), ("casa", 0.5, {"period", "duty"})],
)
def test_pwr_blinks_while_the_services_start(name: str, on_s: float, assumed: set[str]) -> None:
    """Period of 0.5 s [PPC] 2.4, pulse width of 500 ms [CONEXA] B-3, no figure in [CASA] 2.3.2."""
    signal = only(name, "services_starting")
    assert signal.shows["PWR"] == blink(on_s, on_s)
    assert set(signal.assumed) == assumed


@pytest.mark.parametrize("name", gateway_types.names())
def test_a_ready_gateway_has_pwr_steady_and_no_alarm(name: str) -> None:
    assert only(name, "ready").shows == {"PWR": ON}
    assert not only(name, "ready").alarm
    assert only(name, "channel_up").shows == {"TLS": ON}
    assert only(name, "channel_down").shows == {"TLS": OFF}
    assert only(name, "meter_addressed").shows == {"LMC": ON}
    assert only(name, "no_meter").shows == {"LMC": OFF}


def test_ppc_shows_a_violation_in_five_ways() -> None:
    """[PPC] 2.4: the moving LEDs of each, and how they stand to each other."""
    signal = only("ppc", "stopped")
    moving = {
        form.name: ({line for line, spec in form.shows.items() if spec.kind == "blink"}, form.phase)
        for form in signal.forms
    }
    assert moving == {
        "pwr_tls": ({"PWR", "TLS"}, "together"),
        "pwr_lmc": ({"PWR", "LMC"}, "together"),
        "pwr_tls_lmc": ({"PWR", "TLS", "LMC"}, "together"),
        "pwr_wmt": ({"PWR", "wMT"}, "either"),
        "all": (set(FRONT), "together"),
    }
    assert signal.alarm


def test_the_update_of_ppc_is_none_of_its_violations() -> None:
    """[PPC] 2.4, the trap of wan-core 9.3: PWR, TLS and wMT blink together."""
    update = only("ppc", "updating")
    moving = {line for line, spec in update.shows.items() if spec.kind == "blink"}
    assert (moving, update.phase, update.alarm) == ({"PWR", "TLS", "wMT"}, "together", False)
    for form in only("ppc", "stopped").forms:
        assert {line for line, spec in form.shows.items() if spec.kind == "blink"} != moving
        assert set(form.shows) == set(FRONT)


def test_ppc_has_no_led_for_the_restricted_and_the_minimal_state() -> None:
    """[PPC] 2.6: they are seen by the log and by the dead HAN interface."""
    product = gateway_types.load("ppc")
    assert product.patterns_for("restricted") == product.patterns_for("minimal") == []
    assert product.signals_for("restricted") == []
    assert product.state("restricted").seen_by == ("metering_suspended",)
    assert product.event("metering_suspended").id == 10260


def test_conexa_beats_with_50_ms() -> None:
    """[CONEXA] B-3: PWR in Secure State Application, all four in Secure State Boot."""
    assert only("conexa", "restricted").shows == {"PWR": blink(0.05, 0.05)}
    assert only("conexa", "restricted").unlike == ("stopped",)
    assert only("conexa", "stopped").shows == dict.fromkeys(FRONT, blink(0.05, 0.05))


def test_conexa_tls_tells_building_factory_certificates_and_wake_up() -> None:
    """[CONEXA] B-3: pulses of 250 ms, the same, and 125 ms for three seconds."""
    assert only("conexa", "channel_building").shows == {"TLS": blink(0.25, 0.25)}
    assert only("conexa", "channel_provisional").shows == {"TLS": blink(0.25, 0.25)}
    wake_up = only("conexa", "wake_up")
    assert (wake_up.shows, wake_up.lasts_s) == ({"TLS": blink(0.125, 0.125)}, 3.0)


def test_conexa_cuts_the_leds_of_the_sockets_and_leaves_the_others() -> None:
    """[CONEXA] D-2.3"""
    product = gateway_types.load("conexa")
    (ports_off,) = product.patterns_for("connectivity_cut")
    assert ports_off.lines == {"HAN.link", "HAN.traffic", "CLS.link", "CLS.traffic"}
    assert set(ports_off.shows.values()) == {OFF}
    assert product.state("connectivity_cut").effects.dark_sockets == ("HAN", "CLS")


def test_casa_heartbeat_is_two_flashes_and_a_long_pause() -> None:
    """[CASA] 2.3.2; the figures are assumed (wan-core 9.3)."""
    for meaning, line in (("restricted", "PWR"), ("bus_overload", "LMC")):
        signal = only("casa", meaning)
        spec = signal.shows[line]
        assert (spec.kind, spec.count) == ("heartbeat", 2)
        assert spec.period_s is not None and spec.period_s - spec.lit_s > 5 * (spec.gap_s or 0)
        assert {"period", "on", "gap"} <= set(signal.assumed)


def test_casa_lmc_tells_more_only_if_set_up_so() -> None:
    """[CASA] 2.3.2"""
    signals = gateway_types.load("casa").signals
    assert {signal.means for signal in signals if signal.optional} == {"bus_overload", "time_invalid"}


@pytest.mark.parametrize(
    ("name", "shortest", "longest"), [("ppc", None, 0.25), ("conexa", 0.25, 0.75), ("casa", None, 0.5)]
)
def test_wmt_lights_up_for_a_radio_packet(name: str, shortest: float | None, longest: float) -> None:
    """[PPC] 2.4 at most 250 ms, [CONEXA] B-3 500 ms give or take 250 ms, [CASA] 2.3.2 short."""
    spec = only(name, "radio_packet").shows["wMT"]
    assert (spec.kind, spec.min_s, spec.max_s) == ("flash", shortest, longest)


def test_a_meaning_that_no_product_has_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean 'restricted'"):
        gateway_types.load("ppc").signals_for("restrictd")


@pytest.mark.parametrize("name", gateway_types.names())
def test_alarms_are_the_signals_of_trouble(name: str) -> None:
    alarms = {signal.means for signal in gateway_types.load(name).signals if signal.alarm}
    assert alarms <= {"restricted", "stopped", "bus_overload", "time_invalid"} <= set(MEANINGS)
    assert "stopped" in alarms


def test_ppc_names_every_wan_variant_with_leds_of_its_own() -> None:
    """[PPC] 2.4.1 to 2.4.6"""
    modems = gateway_types.load("ppc").modems
    assert list(modems) == ["eth", "pwe", "bpl", "ghn", "lte", "lte450", "gprs", "cdma"]
    assert {key: set(modem.leds) for key, modem in modems.items() if key in ("bpl", "ghn")} == {
        "bpl": {"COM", "INFO"},
        "ghn": {"COM", "INFO"},
    }
    assert all(set(modems[key].leds) == {"SIGNAL", "RX/TX", "STATUS"} for key in ("lte", "lte450", "gprs", "cdma"))
    for modem in modems.values():
        assert {line for code in modem.codes for line in code.shows} <= set(modem.leds)


def test_ppc_bpl_faults_flash_as_often_as_their_priority() -> None:
    """[PPC] 4.7: the fewer flashes, the higher the priority; one and two mean the same."""
    faults = [code for code in gateway_types.load("ppc").modems["bpl"].codes if code.priority is not None]
    assert [(code.priority, code.shows["INFO"].count) for code in faults] == [(n, n) for n in range(1, 9)]
    assert all(code.shows["COM"].kind == "on" and code.alarm for code in faults)
    assert faults[0].means == faults[1].means
    assert len({code.means for code in faults}) == 7


def test_ppc_gprs_shows_its_signal_strength_as_the_share_of_two_seconds() -> None:
    """[PPC] 2.4.5"""
    codes = gateway_types.load("ppc").modems["gprs"].codes
    lit = {code.percent: code.shows["SIGNAL"] for code in codes if code.percent is not None}
    assert lit == {0: OFF, 25: blink(0.5, 1.5), 50: blink(1.0, 1.0), 75: blink(1.5, 0.5), 100: ON}


@pytest.mark.parametrize(("modem", "counts"), [("lte", 5), ("lte450", 5), ("gprs", 5), ("cdma", 7)])
def test_ppc_mobile_modems_count_their_state_every_two_seconds(modem: str, counts: int) -> None:
    """[PPC] 2.4.4 to 2.4.6: 100 ms on, 100 ms off, repeated every 2 s."""
    codes = gateway_types.load("ppc").modems[modem].codes
    bursts = [code.shows["STATUS"] for code in codes if "STATUS" in code.shows and code.shows["STATUS"].kind == "burst"]
    assert [(one.count, one.on_s, one.gap_s, one.period_s) for one in bursts] == [
        (count, 0.1, 0.1, 2.0) for count in range(1, counts + 1)
    ]
