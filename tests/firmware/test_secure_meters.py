"""Pairing, sessions and keys of wired meters as the gateway keeps them (lmn-wired 3, wan-core 5.3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from gateway_rack import BOOT_S
from secure_rack import CLEAR, NUMBER, SYM, TLS, SecureRack, profile

from devices.clock import Clock
from devices.errors import UsageError
from devices.gateway_types import load
from devices.meters.delivery import delivery_key
from devices.meters.security import SecuritySettings
from devices.protocols.lmn_certificate import read_certificate
from devices.protocols.lmn_tls import TlsSettings
from firmware.config import GatewayConfig, MeterProfile
from firmware.storage.memory import setting_statement

PPC, CASA, CONEXA = (load(name) for name in ("ppc", "casa", "conexa"))


def named(entries: list[dict[str, object]], event: str) -> list[dict[str, object]]:
    return [one for one in entries if one["event"] == event]


async def test_a_delivered_meter_is_paired_and_read_through_tls_only(clock: Clock) -> None:
    """lmn-wired 6: addressed, linked, paired, secured, reading; after pairing nothing is asked in the clear (3.1)."""
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured(BOOT_S + 2)
    await clock.sleep(1)
    shown = await rack.shown()
    assert (shown["state"], shown["security"], shown["suite"]) == ("secured", "tls", "C023")
    await clock.sleep(950)
    assert (await rack.shown())["state"] == "reading"
    rows = await rack.console.rows()
    assert [row["gap"] for row in rows].count(False) == len(rows) > 0
    assert rack.meter.count("request", selector=CLEAR) == 0
    assert rack.meter.count("paired") == rack.meter.count("secured") == 1
    await rack.close()


async def test_the_pairing_is_logged_as_the_document_names_it(clock: Clock) -> None:
    """[PPC] 10: 10175 address, 10198 certificate, 10186 keys exchanged; the key itself is not in the log."""
    rack = SecureRack(clock, gateway_type=PPC)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(2)
    log = await rack.log()
    assert [one["id"] for one in log if one["id"] in {10175, 10186, 10198, 10214}] == [10175, 10198, 10186]
    assert "meter_paired" in [one["event"] for one in log]
    assert rack.meter.security.key.hex() not in str(log)
    assert delivery_key(rack.meter.security.server_id).hex() not in str(log)
    await rack.close()


async def test_certificates_are_as_the_rules_want_them(clock: Clock) -> None:
    """wan-core 5.3: at most 600 octets, <id>.sm, seven years, brainpoolP256r1."""
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured()
    sym = rack.meter.security.sym
    assert sym.identity is not None and sym.gateway_certificate is not None
    meter, own = read_certificate(sym.identity.certificate), read_certificate(sym.gateway_certificate)
    for one, name in ((meter, f"{NUMBER}.sm"), (own, "ESBE0000000001.sm")):
        assert (one.name, one.curve, one.violations) == (name, "brainpoolP256r1", ())
        assert timedelta(days=7 * 365 - 1) < one.not_after - clock.now() <= timedelta(days=7 * 365)
        assert one.not_before < clock.now() - timedelta(hours=23)
    await rack.close()


@pytest.mark.parametrize("suite", [0xC023, 0xC024, 0xC02B, 0xC02C])
@pytest.mark.parametrize("curve", ["P-256", "brainpoolP512r1"])
async def test_all_suites_and_other_curves_are_spoken(clock: Clock, suite: int, curve: str) -> None:
    settings = SecuritySettings(tls=TlsSettings(suites=(suite,)))
    rack = SecureRack(clock, settings=settings, lmn_certificate_curve=curve)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(1)
    assert (await rack.shown())["suite"] == f"{suite:04X}"
    await rack.close()


async def test_the_operational_key_is_made_from_octets_that_the_gateway_wrote(clock: Clock) -> None:
    """lmn-wired 3.2: M' = CMAC(M, Z1), written over TLS after the first pairing."""
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(1)
    assert rack.meter.count("key") == 1
    assert rack.meter.security.key != rack.meter.security.initial_key
    stored = rack.memory.setting(f"lmn_meter {rack.meter.security.server_id.hex()}")
    assert stored["operational"] == rack.meter.security.key.hex()
    assert stored["offered"] is None
    await rack.close()


async def test_the_operational_key_can_be_switched_off(clock: Clock) -> None:
    rack = SecureRack(clock, lmn_operational_key=False)
    rack.gateway.power_on()
    await clock.sleep(1000)
    assert rack.meter.security.key == rack.meter.security.initial_key
    assert rack.meter.count("key") == 0
    assert (await rack.shown())["state"] == "reading"
    await rack.close()


async def test_a_session_outlives_presence_checks_and_quiet_hours(clock: Clock) -> None:
    """A meter forgets a link after 120 s (lmn-wired 1.7): the gateway polls it in between."""
    rack = SecureRack(clock, registration_period_s=3600)
    rack.gateway.power_on()
    await clock.sleep(7300)
    assert rack.meter.count("secured") == 1
    assert rack.meter.count("request", selector=TLS) == 2 + 1 + 2  # handshake, key, readings
    await rack.close()


async def test_without_keeping_links_alive_each_reading_has_its_handshake(clock: Clock) -> None:
    rack = SecureRack(clock, lmn_keepalive_s=0)
    rack.gateway.power_on()
    await clock.sleep(1900)
    assert rack.meter.count("secured") == 3
    assert rack.meter.count("paired") == 1
    assert not any(row["gap"] for row in await rack.console.rows())
    await rack.close()


@pytest.mark.parametrize("options", [{"lmn_session_days": 0.02}, {"lmn_session_octets": 4000}])
async def test_a_session_that_has_reached_its_limit_is_replaced(clock: Clock, options: dict[str, object]) -> None:
    """lmn-wired 3.1: 31 days or 5 MB, here less."""
    rack = SecureRack(clock, **options)
    rack.gateway.power_on()
    await clock.sleep(10 * 900)
    assert 2 <= rack.meter.count("secured") <= 10
    assert rack.meter.count("paired") == 1
    assert not any(row["gap"] for row in await rack.console.rows())
    await rack.close()


async def test_a_paired_meter_is_not_paired_again_after_a_restart_of_either_end(clock: Clock) -> None:
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(2)
    rack.gateway.power_off()
    await clock.sleep(30)
    rack.gateway.power_on()
    await rack.ready()
    await rack.wait_for(lambda: rack.meter.count("secured") == 2, 60)
    rack.meter.station.restart()
    await rack.wait_for(lambda: rack.meter.count("secured") == 3, 180)
    assert rack.meter.count("paired") == 1
    await rack.close()


async def test_a_lost_meter_is_unknown_and_comes_back_without_pairing(clock: Clock) -> None:
    """[CASA] 100706, lmn-wired 6."""
    rack = SecureRack(clock, gateway_type=CASA)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(2)
    rack.meter.station.plug(False)
    await clock.sleep(31)
    assert (await rack.shown())["state"] == "unknown"
    assert named(await rack.log(), "meter_unreachable")[0]["parameters"]["code"] == 100706  # type: ignore[index]
    rack.meter.station.plug(True)
    await rack.wait_for(lambda: rack.meter.count("secured") == 2, 90)
    assert rack.meter.count("paired") == 1
    await rack.close()


async def test_with_a_wrong_key_there_is_no_pairing_and_no_reading_in_the_clear(clock: Clock) -> None:
    """[PPC] 10: 10214 with a reason; retries become rare."""
    wrong = (profile(key=bytes(16)),)
    rack = SecureRack(clock, profiles=wrong, gateway_type=PPC)
    rack.gateway.power_on()
    await clock.sleep(2000)
    failed = named(await rack.log(), "meter_pairing_failed")
    assert 4 <= len(failed) <= 6
    assert failed[0]["id"] == 10214
    assert "wrong key" in str(failed[0]["text"])
    assert len(named(await rack.log(), "meter_certificate_created")) == 1
    assert all(row["gap"] for row in await rack.console.rows())
    assert rack.meter.count("request", selector=CLEAR) == 0
    await rack.close()


async def test_without_a_key_a_meter_is_not_paired(clock: Clock) -> None:
    rack = SecureRack(clock, profiles=(MeterProfile(NUMBER, security="tls"),), gateway_type=PPC)
    rack.gateway.power_on()
    await clock.sleep(100)
    assert "no initial key" in str(named(await rack.log(), "meter_pairing_failed")[0]["text"])
    assert rack.meter.count("request", selector=SYM) == 0
    await rack.close()


async def test_a_profile_without_key_means_reading_in_the_clear(clock: Clock) -> None:
    """lmn-wired 3.1: before pairing data may be read in the clear; nothing is paired for which there is no key."""
    rack = SecureRack(clock, profiles=(MeterProfile(NUMBER),))
    rack.gateway.power_on()
    await clock.sleep(1000)
    assert (await rack.shown())["security"] == "clear"
    assert (await rack.shown())["state"] == "reading"
    assert rack.meter.count("paired") == 0
    await rack.close()


@pytest.mark.parametrize(("switch", "word"), [(False, "A"), (True, "E")])
async def test_values_in_the_clear_can_be_marked_as_not_for_billing(clock: Clock, switch: bool, word: str) -> None:
    """lmn-wired 3.1: only data from TLS may be billed; wan-core 7.3: bit 1."""
    numbers = (NUMBER, "1EMH0005975894")
    profiles = (MeterProfile(numbers[0]), profile(numbers[1]))
    rack = SecureRack(clock, *numbers, profiles=profiles, clear_values_not_for_billing=switch)
    rack.gateway.power_on()
    await clock.sleep(1000)
    assert {row["status"][0] for row in await rack.console.rows(numbers[0])} == {word}
    assert {row["status"][0] for row in await rack.console.rows(numbers[1])} == {"A"}
    await rack.close()


# --- TLS that fails


@pytest.mark.parametrize(
    "kind",
    ["wrong_certificate", "expired_certificate", "wrong_key", "suite_not_offered", "no_tls", "tls_cut"],
)
async def test_when_tls_fails_the_meter_is_paired_again(clock: Clock, kind: str) -> None:
    """[CASA] 103165: TLS failed, back to symmetric pairing; then TLS."""
    rack = SecureRack(clock, gateway_type=CASA)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(2)
    rack.meter.security.fault(kind, 1)
    rack.meter.station.plug(False)
    await clock.sleep(31)
    rack.meter.station.plug(True)
    await rack.wait_for(lambda: rack.meter.security.secured and rack.meter.count("paired") == 2, 90)
    codes = [one["parameters"].get("code") for one in named(await rack.log(), "metering_warning")]  # type: ignore[attr-defined]
    assert 103165 in codes
    assert named(await rack.log(), "meter_pairing_failed") == []
    await rack.close()


async def test_a_meter_whose_tls_never_works_is_tried_ever_less_often(clock: Clock) -> None:
    rack = SecureRack(clock, gateway_type=PPC)
    rack.meter.security.fault("no_tls")
    rack.gateway.power_on()
    await clock.sleep(4 * 3600)
    assert rack.meter.count("paired") <= 10
    failed = named(await rack.log(), "meter_pairing_failed")
    assert len(failed) == rack.meter.count("paired")
    rack.meter.security.clear_faults()
    await rack.secured(3700)
    await rack.close()


@pytest.mark.parametrize(
    ("kind", "event", "number"),
    [("wrong_mac", "meter_data_undecryptable", 10262), ("stale_counter", "meter_counter_unexpected", 10264)],
)
async def test_a_pairing_that_the_meter_spoils_is_told_with_what_was_wrong(
    clock: Clock, kind: str, event: str, number: int
) -> None:
    """[PPC] 10: 10262 not decryptable, 10264 another counter than expected, both with 10214."""
    rack = SecureRack(clock, gateway_type=PPC)
    rack.meter.security.fault(kind, 1, step=3)
    rack.gateway.power_on()
    await rack.secured(BOOT_S + 90)
    log = await rack.log()
    assert [one["id"] for one in named(log, event)] == [number]
    assert [one["id"] for one in named(log, "meter_pairing_failed")] == [10214]
    if kind == "stale_counter":
        told = named(log, event)[0]["parameters"]
        assert isinstance(told, dict)
        assert (told["meter"], told["expected"], told["actual"]) == (NUMBER, 4, 2)
    await rack.close()


async def test_a_spoilt_record_costs_the_session_and_not_the_reading(clock: Clock) -> None:
    """[PPC] 10262; the certificates are good, so that a handshake is enough."""
    rack = SecureRack(clock, gateway_type=PPC)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(2)
    rack.meter.security.fault("corrupted_record", 1)
    await clock.sleep(950)
    assert [one["id"] for one in named(await rack.log(), "meter_data_undecryptable")] == [10262]
    assert not any(row["gap"] for row in await rack.console.rows())
    assert (rack.meter.count("secured"), rack.meter.count("paired")) == (2, 1)
    await rack.close()


# --- crypto reset


async def test_a_crypto_reset_puts_both_ends_back_and_pairs_them_again(clock: Clock) -> None:
    """wan-core 1.4, 6.4.2.7."""
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(2)
    before = rack.meter.security.sym.identity
    await rack.console.do("crypto_reset", meter=NUMBER)
    await rack.wait_for(lambda: rack.meter.count("paired") == 2 and rack.meter.security.secured, 30)
    await clock.sleep(1)
    assert rack.meter.count("crypto_reset") == 1
    assert rack.meter.security.sym.identity != before
    assert rack.meter.count("key") == 2
    assert "meter_reset" in await rack.console.events()
    await rack.close()


async def test_a_meter_that_is_reset_only_after_a_new_key_gets_one(clock: Clock) -> None:
    """lmn-wired 3.2: only within 120 s of start or rekey."""
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await clock.sleep(1000)
    await rack.console.do("crypto_reset", meter=NUMBER)
    await rack.wait_for(lambda: rack.meter.count("paired") == 2 and rack.meter.security.secured, 30)
    assert rack.meter.count("crypto_reset") == 1
    await rack.close()


async def test_an_order_for_a_meter_that_is_away_is_kept_over_a_power_cut(clock: Clock) -> None:
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured()
    rack.meter.station.plug(False)
    await clock.sleep(40)
    await rack.console.do("crypto_reset", meter=NUMBER)
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.ready()
    rack.meter.station.plug(True)
    await rack.wait_for(lambda: rack.meter.count("crypto_reset") == 1, 120)
    await rack.wait_for(lambda: rack.meter.security.secured, 30)
    await rack.close()


async def test_a_meter_that_was_reset_by_somebody_else_is_paired_with_its_initial_key(clock: Clock) -> None:
    rack = SecureRack(clock)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(2)
    assert rack.meter.security.crypto_reset()
    rack.meter.station.restart()
    await rack.wait_for(lambda: rack.meter.count("paired") == 2 and rack.meter.security.secured, 180)
    await rack.close()


async def test_orders_that_make_no_sense_are_refused(clock: Clock) -> None:
    rack = SecureRack(clock, NUMBER, "1EMH0005975894", profiles=(profile(), MeterProfile("1EMH0005975894")))
    answer = await rack.console.ask(do="crypto_reset", meter=NUMBER)
    assert answer["refused"]
    rack.gateway.power_on()
    await rack.ready()
    for meter in ("1EMH0005975894", "1SAG0000000000"):
        answer = await rack.console.ask(do="crypto_reset", meter=meter)
        assert not answer["ok"] and "refused" not in answer
    await rack.close()


# --- certificates that end


async def test_certificates_are_replaced_in_time_by_pairing_again(clock: Clock) -> None:
    rack = SecureRack(clock, lmn_certificate_days=0.5, registration_period_s=3600)
    rack.gateway.power_on()
    await rack.secured()
    sym = rack.meter.security.sym
    first = sym.gateway_certificate
    await clock.sleep(1.25 * 86_400)
    assert 3 <= rack.meter.count("paired") <= 8
    assert sym.gateway_certificate != first
    assert not any(row["gap"] for row in await rack.console.rows())
    assert "lmn_tls_failed" not in await rack.console.events()
    await rack.close()


@pytest.mark.parametrize("product", [CASA, PPC, CONEXA], ids=["casa", "ppc", "conexa"])
async def test_only_casa_warns_six_months_before_the_end(clock: Clock, product: object) -> None:
    """[CASA] 9.4: 100704 own, 100705 meters; the other documents know no such message."""
    rack = SecureRack(clock, gateway_type=product, lmn_certificate_days=183.2, registration_period_s=3600)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(2 * 3600)

    async def codes() -> list[object]:
        return [one["parameters"].get("code") for one in await rack.log() if one["event"] == "metering_warning"]

    assert not {100704, 100705} & set(await codes())
    await clock.sleep(6 * 3600)
    found = [one for one in await codes() if one in {100704, 100705}]
    assert sorted(found) == ([100704, 100705] if product is CASA else [])  # type: ignore[type-var]
    await rack.close()


async def test_an_expired_certificate_stops_the_ppc_until_the_administrator_renews_it(clock: Clock) -> None:
    """[PPC] 2.6, 10: 10275, restricted operation; a new certificate ends it."""
    rack = SecureRack(clock, gateway_type=PPC, lmn_certificate_days=1.0, lmn_renewal_days=0.0)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(86_400 + 3700)
    info = await rack.console.info()
    assert (info["state"], info["causes"]) == ("restricted", ["lmn_certificate_expired"])
    expired = named(await rack.log(), "lmn_certificate_expired")
    assert [one["id"] for one in expired] == [10275]
    rack.gateway.power_off()
    await clock.sleep(60)
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(100)
    assert (await rack.console.info())["state"] == "restricted"
    assert rack.meter.count("paired") == 1
    await rack.console.do("renew_certificate")
    await rack.wait_for(lambda: rack.meter.count("paired") == 2 and rack.meter.security.secured, 30)
    await clock.sleep(4000)
    assert (await rack.console.info())["state"] == "run"
    assert not (await rack.console.rows())[-1]["gap"]
    await rack.close()


async def test_a_clock_that_is_set_past_the_end_is_noticed_at_once(clock: Clock) -> None:
    rack = SecureRack(clock, gateway_type=PPC)
    rack.gateway.power_on()
    await rack.secured()
    await rack.console.do("set_rtc", offset_s=7 * 366 * 86_400)
    await clock.sleep(1)
    assert "lmn_certificate_expired" in (await rack.console.info())["causes"]
    await rack.close()


@pytest.mark.parametrize("product", [CASA, CONEXA], ids=["casa", "conexa"])
async def test_elsewhere_an_expired_certificate_leads_to_a_new_pairing(clock: Clock, product: object) -> None:
    """wan-core 9.2: no operating state; [CASA] 103165."""
    options = {"sync_max_interval_s": 1e6, "time_invalid_policy": "mark"}
    rack = SecureRack(clock, gateway_type=product, lmn_certificate_days=1.0, lmn_renewal_days=0.0, **options)
    rack.gateway.power_on()
    await rack.secured()
    await clock.sleep(86_400 + 7200)
    assert rack.meter.count("paired") == 2
    assert "lmn_certificate_expired" not in await rack.console.events()
    assert rack.meter.security.secured
    await rack.close()


# --- what is kept


async def test_a_profile_with_its_key_survives_a_power_cut(clock: Clock) -> None:
    rack = SecureRack(clock, profiles=())
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(20)
    assert rack.meter.count("paired") == 0
    await rack.console.do("add_meter_profile", meter=NUMBER, key=rack.meter.security.initial_key.hex())
    rack.gateway.power_off()
    rack.gateway.power_on()
    await rack.secured()
    await rack.close()


async def test_a_profile_that_is_added_later_is_paired_at_once(clock: Clock) -> None:
    rack = SecureRack(clock, profiles=())
    rack.gateway.power_on()
    await rack.ready()
    await clock.sleep(20)
    key = rack.meter.security.initial_key.hex()
    await rack.console.do("add_meter_profile", meter=NUMBER, key=key, security="tls")
    await rack.secured(2)
    await rack.close()


async def test_only_a_meter_with_a_whole_server_id_can_be_paired(clock: Clock) -> None:
    """lmn-wired 3.2: ten octets of the id go into the keys."""
    with pytest.raises(UsageError, match="10 octets"):
        SecureRack(clock, profiles=(MeterProfile("0901444E5401", key=bytes(16)),))


@pytest.mark.parametrize("fields", [{"key": "00"}, {"key": "xyz"}, {"security": "none"}])
async def test_a_key_that_is_none_is_refused(clock: Clock, fields: dict[str, str]) -> None:
    rack = SecureRack(clock, profiles=())
    rack.gateway.power_on()
    await rack.ready()
    assert not (await rack.console.ask(do="add_meter_profile", meter=NUMBER, **fields))["ok"]
    await rack.close()


async def test_keys_that_cannot_be_read_any_more_are_made_anew(clock: Clock) -> None:
    rack = SecureRack(clock, lmn_operational_key=False)
    rack.gateway.power_on()
    await rack.secured()
    rack.gateway.power_off()
    name = f"lmn_meter {rack.meter.security.server_id.hex()}"
    rack.memory.commit([setting_statement(name, {"counter": "many"})])
    rack.memory.commit([("UPDATE setting SET value = '{' WHERE name = 'lmn_certificates'", ())])
    rack.gateway.power_on()
    await rack.wait_for(lambda: rack.meter.count("paired") == 2 and rack.meter.security.secured, 60)
    await rack.close()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"lmn_suites": "C009"}, "C009"),
        ({"lmn_certificate_curve": "P-521"}, "P-521"),
        ({"lmn_certificate_days": 0.0}, "0 days"),
    ],
)
def test_options_that_the_lmn_does_not_know_are_refused(clock: Clock, options: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        SecureRack(clock, **options)


def test_a_gateway_configuration_shows_no_key() -> None:
    config = GatewayConfig(meters=(profile(),))
    assert delivery_key(bytes.fromhex("0a015341470001415d89")).hex() not in repr(config)


async def test_the_same_seed_gives_the_same_keys_and_certificates(clock: Clock) -> None:
    """A run can be repeated octet by octet."""
    kept = []
    for _ in range(2):
        rack = SecureRack(clock)
        rack.gateway.power_on()
        await rack.secured()
        await clock.sleep(2)
        sym = rack.meter.security.sym
        assert sym.identity is not None
        kept.append((sym.identity.key, sym.key))
        await rack.close()
    assert kept[0] == kept[1]
