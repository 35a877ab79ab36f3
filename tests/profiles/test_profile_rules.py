"""The rules V1 to V14 (wan-core 6.2), each broken once, with status and log entry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from openssl_pki import Pki
from profile_parts import (
    GAS,
    METER,
    OBIS,
    OTHER_METER,
    Shelf,
    gas,
    meter,
    peer,
    person,
    proxy,
    rules,
    tariff,
)

from devices.clock import Clock
from firmware.profiles import Limits, Progress


def test_a_profile_of_each_kind_is_taken_in_one_piece(clock: Clock, pki: Pki) -> None:
    shelf = Shelf(clock, pki).filled()
    taken = shelf.store.profiles
    assert list(taken) == ["box", "taf1", f"meter-{METER}", "emt", "gwa", "ntp", "han-consumer-2"]
    assert shelf.store.profiles is taken  # by which readers know that nothing has changed
    assert shelf.store.change(person(rights=["values"])).good
    assert shelf.store.profiles is not taken
    assert shelf.store.profiles["han-consumer-2"] != taken["han-consumer-2"]


@pytest.mark.parametrize("use_case", [1, 2, 6, 7, 9, 10, 14])
def test_each_use_case_of_the_gateways_is_taken(shelf: Shelf, use_case: int) -> None:
    registers = [OBIS, "1-0:16.7.0*255"]
    assert shelf.store.install([meter(registers=registers), tariff(use_case)]).status == 201


# --- V1


@pytest.mark.parametrize(
    ("bad", "field", "right"),
    [
        ({"kind": "metre"}, "kind", "one of meter"),
        (meter(registers="1.8.0"), "registers", "a list of"),
        (meter(period="900"), "period", "did you mean 'period_s'?"),
        (meter(period_s="900"), "period_s", "a whole number"),
        (meter(period_s=True), "period_s", "a whole number"),
        (meter(active="yes"), "active", "true or false"),
        (meter(key="xyz"), "key", "hexadecimal digits"),
        (meter(transformer_factor="many"), "transformer_factor", "an exact number"),
        (meter(meter="1" * 64), "meter", "1 to 63 characters"),
        (meter(registers=["1.8.0"] * 101), "registers", "a list of 0 to 100"),
        (tariff(begin="2026-01-01"), "begin", "with its zone"),
        (tariff(begin="9999-12-31T23:59:59Z"), "begin", "2199"),
        (tariff(terms=[]), "terms", "a list of 1 to 64"),
        (tariff(terms=[{"meter": METER}]), "terms[0].obis", "1 to 63 characters"),
        (tariff(billing={"count": 1, "unit": "week"}), "billing.unit", "one of month, day"),
        (person(rights=["values", "values"]), "rights", "each once"),
        (person(password_digest=None), "password_digest", "digest"),
        (person(authentication="certificate"), "certificate", "octets"),
        ([], "profiles", "a list of 1 to 100"),
        (17, "profiles", "a list of 1 to 100"),
        ([meter()] * 101, "profiles", "a list of 1 to 100"),
        ([meter(), {"kind": "proxy", "id": "a"}], "profiles[1].hks", "one of 3, 4, 5"),
    ],
)
def test_v1_what_is_no_profile_is_answered_with_400_and_named(shelf: Shelf, bad: Any, field: str, right: str) -> None:
    answer = shelf.store.install(bad)
    assert (answer.status, rules(answer)) == (400, [("V1", 400)])
    assert field in answer.findings[0].reason
    assert right in answer.findings[0].reason
    assert shelf.names == ["wan_xml_invalid"]  # PPC 10180
    assert shelf.store.profiles == {}


@pytest.mark.parametrize(
    "missing",
    ["tls", "encryption", "signature", "endpoints", "role"],
)
def test_v1_a_market_participant_has_three_certificates_and_an_endpoint(shelf: Shelf, missing: str) -> None:
    plain = peer(shelf.pki)
    del plain[missing]
    assert rules(shelf.store.install(plain)) == [("V1", 400)]


def test_v1_content_that_means_nothing_is_refused(shelf: Shelf) -> None:
    for bad, status in (
        (meter(key="00" * 15), 400),
        (meter(link="wired_tls"), 400),
        (meter(link="wired_symmetric", key="00" * 16), 422),
        (meter(transformer_factor="0"), 400),
        (meter(transformer_factor="0.33333"), 400),
        (meter(transformer_factor="1E+9"), 400),
        (peer(shelf.pki, endpoints=[{"scenario": "management", "host": "a", "port": 1}]), 400),
    ):
        answer = shelf.store.install(bad)
        assert ("V1", status) in rules(answer), bad
        assert answer.status == status


# --- V2


def test_v2_an_id_has_at_most_63_characters(shelf: Shelf) -> None:
    assert shelf.store.install(meter(id="a" * 63)).good
    answer = shelf.store.install(meter(OTHER_METER, id="a" * 64))
    assert rules(answer) == [("V2", 400)]
    assert shelf.names[-1] == "meter_profile_rejected"  # PPC 10218


@pytest.mark.parametrize("name", ["-a", "a b", "a/b", "ä", "a.", "../a", "a:b"])
@pytest.mark.parametrize("make", [meter, tariff, peer, person, proxy])
def test_v2_an_id_is_well_formed(full: Shelf, make: Callable[..., dict[str, Any]], name: str) -> None:
    others = {"meter": OTHER_METER} if make is meter else {}
    if make is proxy:
        others = {"local_server_name": "other"}
    needs_pki = make in (peer, proxy)
    plain = make(full.pki, **others) if needs_pki else make(**others)
    answer = full.store.install(plain | {"id": name})
    assert rules(answer) == [("V2", 400)]


@pytest.mark.parametrize("kind", ["meter", "evaluation", "communication", "proxy"])
def test_v2_an_id_is_unique_among_all_kinds(full: Shelf, kind: str) -> None:
    made = {
        "meter": meter(OTHER_METER),
        "evaluation": tariff(7),
        "communication": peer(full.pki, "EMT"),
        "proxy": proxy(full.pki, local_server_name="x"),
    }
    answer = full.store.install(made[kind] | {"id": "gwa"})
    assert rules(answer) == [("V2", 409)]
    assert full.names == [f"{kind}_profile_rejected"]  # PPC 10217, 10218, 10219, 10270


def test_v2_an_id_is_unique_within_a_container(shelf: Shelf) -> None:
    assert ("V2", 409) in rules(shelf.store.install([meter(), meter(OTHER_METER, id=f"meter-{METER}")]))


def test_v2_a_meter_has_one_profile(full: Shelf) -> None:
    answer = full.store.install(meter(id="another"))
    assert rules(answer) == [("V2", 409)]
    assert f"meter-{METER}" in answer.findings[0].reason


@pytest.mark.parametrize(
    "fields",
    [
        {"meter": "nonsense"},
        {"meter": "1SAG00210610"},
        {"registers": ["1.8"]},
        {"meter": GAS},
        {"meter": "1SAG0021061009", "medium": "gas"},
    ],
)
def test_v2_number_registers_and_medium_of_a_meter_are_well_formed(shelf: Shelf, fields: dict[str, Any]) -> None:
    assert rules(shelf.store.install(meter(id="m") | fields)) == [("V2", 400)]


@pytest.mark.parametrize("name", ["", "A", "a_b", "a" * 64, "a b"])
def test_v2_a_local_server_name_has_1_to_63_of_its_letters(full: Shelf, name: str) -> None:
    answer = full.store.install(proxy(full.pki, id="other", local_server_name=name))
    assert rules(answer) == [("V2", 400)]
    assert full.names == ["proxy_profile_rejected"]  # PPC 10270


def test_v2_a_local_server_name_is_unique(full: Shelf) -> None:
    assert rules(full.store.install(proxy(full.pki, id="other"))) == [("V2", 409)]


# --- V3


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"terms": [{"meter": OTHER_METER, "obis": OBIS}]}, OTHER_METER),
        ({"terms": [{"meter": METER, "obis": "1-0:2.8.0*255"}]}, "1-0:2.8.0*255"),
        ({"consumer": "nobody"}, "nobody"),
        ({"recipients": ["nobody"]}, "nobody"),
        ({"recipients": ["gwa"]}, "gwa"),
    ],
)
def test_v3_what_an_evaluation_profile_refers_to_exists(full: Shelf, fields: dict[str, Any], named: str) -> None:
    answer = full.store.install(tariff(7, **fields))
    assert rules(answer) == [("V3", 409)]
    assert named in answer.findings[0].reason
    assert full.names == ["evaluation_profile_rejected"]  # PPC 10219


@pytest.mark.parametrize("missing", ["nobody", "gwa", "taf1"])
def test_v3_the_peer_of_a_proxy_is_a_market_participant(full: Shelf, missing: str) -> None:
    answer = full.store.install(proxy(full.pki, id="other", local_server_name="x", peer=missing))
    assert rules(answer) == [("V3", 409)]


def test_v3_the_consumer_of_a_meter_exists(shelf: Shelf) -> None:
    assert rules(shelf.store.install(meter(consumer="consumer-2"))) == [("V3", 409)]
    assert shelf.store.install([meter(consumer="consumer-2"), person("consumer-2")]).good


# --- V4


@pytest.mark.parametrize(
    ("name", "by", "event"),
    [
        (f"meter-{METER}", "taf1", "meter_profile_rejected"),
        ("emt", "taf1, box", "communication_profile_rejected"),
    ],
)
def test_v4_what_is_referred_to_stays(full: Shelf, name: str, by: str, event: str) -> None:
    assert full.store.referring(name) == by.split(", ")
    answer = full.store.delete(name)
    assert (answer.status, rules(answer)) == (409, [("V4", 409)])
    assert by in answer.findings[0].reason
    assert full.names == [event]
    assert name in full.store.profiles


def test_v4_without_those_who_refer_it_goes(full: Shelf) -> None:
    for name in ("box", "taf1", "emt", f"meter-{METER}"):
        assert full.store.delete(name).status == 204
    assert list(full.store.profiles) == ["gwa", "ntp", "han-consumer-2"]


def test_v4_the_last_profile_of_an_administrator_stays_and_stays_that(full: Shelf) -> None:
    assert rules(full.store.delete("gwa")) == [("V4", 409)]
    assert ("V4", 409) in rules(full.store.change(peer(full.pki, "EMT", id="gwa")))
    assert full.store.install(peer(full.pki, "GWA", id="gwa-2")).good
    assert full.store.delete("gwa").status == 204


def test_v4_a_consumer_with_meters_stays(shelf: Shelf) -> None:
    assert shelf.store.install([meter(consumer="consumer-2"), person("consumer-2")]).good
    assert rules(shelf.store.delete("han-consumer-2")) == [("V4", 409)]
    assert ("V4", 409) in rules(shelf.store.change(person("consumer-3", id="han-consumer-2")))
    assert shelf.store.install(person("consumer-2", id="phone")).good
    assert shelf.store.delete("han-consumer-2").status == 204


def test_v4_a_running_evaluation_profile_is_ended_before_it_is_deleted(full: Shelf) -> None:
    begin_s = int(datetime(2026, 1, 31, 23, tzinfo=UTC).timestamp())
    full.progress["taf1"] = Progress(begin_s)
    assert rules(full.store.delete("taf1")) == [("V4", 409)]
    full.progress["taf1"] = Progress(begin_s, ended=True)
    assert full.store.delete("taf1").status == 204


def test_v4_a_meter_in_use_is_not_switched_off_nor_loses_registers(full: Shelf) -> None:
    assert rules(full.store.change(meter(active=False))) == [("V4", 409)]
    assert rules(full.store.change(meter(registers=["1-0:2.8.0*255"]))) == [("V3", 409)]
    assert full.store.change(meter(registers=["2.8.0", "1.8.0"])).status == 204


def test_v4_a_factor_stays_while_an_evaluation_profile_reckons_with_it(full: Shelf) -> None:
    """From its first reading to its last one; before and after, and for other meters, it may change (assumed)."""
    begin_s = int(datetime(2026, 1, 31, 23, tzinfo=UTC).timestamp())
    name = f"meter-{METER}"
    for progress in (Progress(begin_s), Progress(begin_s + 86_400)):
        full.progress["taf1"] = progress
        before = full.store.read(name).body
        full.events.clear()
        answer = full.store.change(meter(transformer_factor="40"))
        assert (answer.status, rules(answer)) == (409, [("V4", 409)])
        assert "evaluation profile taf1 reckons with the factor 1" in answer.findings[0].reason
        assert full.names == ["meter_profile_rejected"]  # PPC 10218; nothing goes to the calibration log
        assert full.store.read(name).body == before
        assert full.told == []
        assert full.store.change(meter(transformer_factor="1.0", display_factor="40")).status == 204
        full.told.clear()
    assert full.store.install(meter(OTHER_METER)).good
    assert full.store.change(meter(OTHER_METER, transformer_factor="40")).status == 204
    for factor, progress in (
        ("20", Progress()),
        ("30", Progress(begin_s - 900)),
        ("40", Progress(begin_s, ended=True)),
    ):
        full.progress["taf1"] = progress
        assert full.store.change(meter(transformer_factor=factor)).status == 204
        assert full.store.read(name).body["transformer_factor"] == factor


def test_a_change_of_what_is_not_there_is_404(full: Shelf) -> None:
    assert full.store.change(meter(OTHER_METER)).status == 404
    assert full.store.delete("nobody").status == 404
    assert full.store.read("nobody").status == 404
    assert full.names == []


def test_a_change_keeps_kind_and_meter(full: Shelf) -> None:
    assert rules(full.store.change(tariff(7, id=f"meter-{METER}"))) == [("V2", 409)]
    assert rules(full.store.change(meter(OTHER_METER, id=f"meter-{METER}"))) == [("V2", 409)]


# --- V5 to V10, the tariff rules


@pytest.mark.parametrize(
    ("use_case", "fields", "rule"),
    [
        (7, {"end": "2026-01-01T00:00:00Z"}, "V5"),
        (7, {"begin": "2026-01-04T23:30:00Z"}, "V5"),
        (7, {"begin": "2026-02-01T00:07:00Z"}, "V5"),
        (7, {"period_s": 600}, "V6"),
        (7, {"period_s": 60}, "V6"),
        (1, {"stages": [1, 2]}, "V7"),
        (1, {"billing": {"count": 14, "unit": "day"}}, "V7"),
        (2, {"stages": [1]}, "V8"),
        (2, {"calendar": None}, "V8"),
        (14, {"period_s": 30}, "V9"),
        (9, {"pseudonym": ""}, "V10"),
        (10, {"billing_relevant": True}, "V10"),
        (3, {}, "use case"),
        (15, {}, "use case"),
    ],
)
def test_v5_to_v10_are_those_of_the_tariff_rules(
    shelf: Shelf, use_case: int, fields: dict[str, Any], rule: str
) -> None:
    assert shelf.store.install(meter(registers=[])).good
    answer = shelf.store.install(tariff(use_case, **fields))
    assert (rule, 400) in rules(answer)
    assert answer.status == 400
    assert set(shelf.names[-len(answer.findings) :]) == {"evaluation_profile_rejected"}  # PPC 10219


def test_v8_a_switch_table_with_a_gap_is_no_mistake_of_form(shelf: Shelf) -> None:
    assert shelf.store.install(meter()).good
    table = {
        "days": [{"name": "day", "switches": [{"at": "06:00", "stage": 1}]}],
        "weeks": [{"name": "week", "days": ["day"] * 7}],
        "seasons": [{"name": "year", "month": 1, "day": 1, "week": "week"}],
    }
    answer = shelf.store.install(tariff(2, calendar=table))
    assert rules(answer) == [("V8", 400)]
    assert shelf.names[-1] == "evaluation_profile_rejected"


def test_v6_the_period_fits_that_of_the_meter(shelf: Shelf) -> None:
    register = "7-0:3.0.0*255"
    assert shelf.store.install(gas()).good
    terms = [{"meter": GAS, "obis": register}]
    assert rules(shelf.store.install(tariff(7, terms=terms))) == [("V6", 409)]
    assert shelf.store.install(tariff(7, terms=terms, period_s=3600)).good
    assert rules(shelf.store.change(gas(period_s=7200))) == [("V6", 409)]


def test_v6_wired_meters_have_the_period_of_the_gateway(shelf: Shelf) -> None:
    assert rules(shelf.store.install(meter(period_s=1800))) == [("V6", 400)]
    assert shelf.store.install(meter(period_s=900)).good


# --- V11


def test_v11_no_more_meters_than_there_is_room_for(clock: Clock, pki: Pki) -> None:
    shelf = Shelf(clock, pki, limits=Limits(meters=2))
    assert shelf.store.install([meter(), gas()]).good
    answer = shelf.store.install(meter(OTHER_METER))
    assert (answer.status, rules(answer)) == (409, [("V11", 409)])
    assert shelf.names[-1] == "meter_profile_limit_reached"  # PPC 10197
    assert shelf.store.delete(f"meter-{GAS}").good
    assert shelf.store.install(meter(OTHER_METER)).good


# --- V13


def lawful(shelf: Shelf) -> list[tuple[str, str, str]]:
    """What went to the calibration log: parameter, old value, new value."""
    return [
        (told["parameter"], told["old_value"], told["new_value"])
        for name, told in shelf.events
        if name == "calibrated_parameter_changed"
    ]


def test_v13_a_lawful_change_is_logged_with_both_values(full: Shelf) -> None:
    plain = meter(registers=[OBIS, "1-0:2.8.0*255"], transformer_factor="40", key="00" * 16)
    assert full.store.change(plain).good
    assert lawful(full) == [
        ("registers", f'["{OBIS}"]', f'["{OBIS}","1-0:2.8.0*255"]'),
        ("transformer_factor", "1", "40"),
    ]
    assert "00000000" not in str(full.events)


def test_v13_also_of_evaluation_profiles_and_their_switch_tables(shelf: Shelf) -> None:
    assert shelf.store.install([meter(), tariff(2)]).good
    changed = tariff(2, end="2026-02-28T23:00:00Z")
    changed["calendar"]["default"] = 1
    assert shelf.store.change(changed).good
    told = {name: (old, new) for name, old, new in lawful(shelf)}
    assert told["end"] == ("null", "2026-02-28T23:00:00Z")
    assert '"default":2' in told["calendar"][0]
    assert '"default":1' in told["calendar"][1]
    assert set(told) == {"end", "calendar"}


def test_v13_and_of_the_time_server_but_of_nobody_else(full: Shelf) -> None:
    elsewhere = [{"scenario": "time_sync", "host": "192.0.2.99", "port": 123}]
    assert full.store.change(peer(full.pki, "NTP", endpoints=elsewhere)).good
    assert [name for name, _, _ in lawful(full)] == ["endpoints"]
    full.events.clear()
    elsewhere = [{"scenario": "info_report", "host": "192.0.2.99", "port": 443}]
    assert full.store.change(peer(full.pki, "EMT", endpoints=elsewhere)).good
    assert lawful(full) == []


def test_a_running_evaluation_profile_changes_only_end_and_recipients(shelf: Shelf) -> None:
    assert shelf.store.install([meter(), tariff(2), peer(shelf.pki, "EMT")]).good
    begin_s = int(datetime(2026, 1, 31, 23, tzinfo=UTC).timestamp())
    shelf.progress["taf2"] = Progress(begin_s + 86_400)
    shelf.now = datetime(2026, 2, 2, tzinfo=UTC)
    assert shelf.store.change(tariff(2, recipients=["emt"])).status == 204
    assert rules(shelf.store.change(tariff(2, stages=[1, 2, 3]))) == [("V5", 409)]
    assert ("V5", 400) in rules(shelf.store.change(tariff(2, end="2026-02-01T12:00:00Z")))
    assert shelf.store.change(tariff(2, end="2026-02-28T23:00:00Z")).status == 204


# --- V14


def test_v14_orders_are_signed_by_the_administrator(full: Shelf) -> None:
    good, bad = full.pki.fingerprint("gwa-signature"), full.pki.fingerprint("emt-signature")
    for order in (
        lambda signer: full.store.install(meter(OTHER_METER), signer),
        lambda signer: full.store.change(meter(OTHER_METER, registers=[]), signer),
        lambda signer: full.store.delete(f"meter-{OTHER_METER}", signer),
    ):
        full.events.clear()
        for foreign in (bad, full.pki.fingerprint("gwa-tls"), "", "ab" * 32):
            answer = order(foreign)
            assert (answer.status, rules(answer)) == (422, [("V14", 422)])
            assert full.names[-1] == "signature_invalid"  # PPC 10092
        assert order(good.upper()).good


def test_v14_without_an_administrator_no_signature_is_good(shelf: Shelf) -> None:
    answer = shelf.store.install(meter(), shelf.pki.fingerprint("gwa-signature"))
    assert rules(answer) == [("V14", 422)]


def test_v14_comes_before_everything_else(full: Shelf) -> None:
    assert rules(full.store.install(["nonsense"], "ab" * 32)) == [("V14", 422)]


# --- containers


def test_one_bad_profile_keeps_out_all_of_a_container(shelf: Shelf) -> None:
    answer = shelf.store.install([meter(), gas(), tariff(7, consumer="nobody")])
    assert rules(answer) == [("V3", 409)]
    assert shelf.store.profiles == {}
    assert shelf.told == []


def test_one_bad_change_keeps_out_all_of_a_container(full: Shelf) -> None:
    before = full.store.read(f"meter-{METER}").body
    answer = full.store.change([meter(display_factor="10"), tariff(recipients=["nobody"])])
    assert rules(answer) == [("V3", 409)]
    assert full.store.read(f"meter-{METER}").body == before
    assert full.told == []


def test_an_answer_has_all_that_is_wrong_and_the_log_a_bounded_part_of_it(shelf: Shelf) -> None:
    many = [tariff(7, id=f"taf7-{number}", consumer="nobody") for number in range(60)]
    answer = shelf.store.install(many)
    assert len(answer.findings) == 120
    assert len(shelf.events) == 20
