"""Profiles as plain data, both ways, and whatever else somebody sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openssl_pki import Pki
from profile_parts import METER, Shelf, gas, meter, peer, person, proxy, tariff

from firmware.config import MeterProfile
from firmware.profiles.forms import container_of, masked, plain_of, profile_of
from firmware.profiles.kinds import Kind, SensorProfile, TariffProfile, logical_name
from firmware.profiles.meters import active
from firmware.profiles.plain import PlainDataError

THRESHOLD = {"meter": METER, "obis": "1-0:16.7.0*255", "limit": "-230.50", "over": False, "hysteresis": "1E+2"}
SENDING = {"on_demand": True, "every_s": 900, "thresholds": [THRESHOLD], "aggregates": ["minimum", "mean"]}


def every_kind(pki: Pki) -> list[dict[str, Any]]:
    """Profiles with every field."""
    special = [{"month": 12, "day": 24, "profile": "day"}, {"year": 2026, "month": 5, "day": 1, "profile": "day"}]
    table = tariff(2)["calendar"] | {"special_days": special}
    terms = [{"meter": METER, "obis": "1-0:1.8.0*255", "sign": -1}, {"meter": METER, "obis": "1-0:2.8.0*255"}]
    return [
        meter(period_s=900, active=False, key="00" * 16, certificate=pki.hex("cls"), transformer_factor="40.5"),
        gas(),
        tariff(2, calendar=table, terms=terms, end="2026-12-31T23:00:00+00:00", usage_point="DE1", tariff="T"),
        tariff(9, sending=SENDING),
        peer(pki, "GWA", sni="gwa.example", suite="ECKAEG_AES_256_CBCCMAC", max_idle_s=60, session_s=3600),
        peer(pki, "NTP"),
        person(),
        person(role="technician", authentication="certificate", certificate=pki.hex("cls"), password_digest=None),
        proxy(pki, hks=5, cls_address={"host": "2001:db8::7", "port": 443}, enabled=False, sni="x"),
    ]


def test_plain_data_of_a_profile_give_the_same_plain_data(pki: Pki) -> None:
    for given_plain in every_kind(pki):
        plain = plain_of(profile_of(given_plain))
        assert plain_of(profile_of(json.loads(json.dumps(plain)))) == plain
        for name, value in given_plain.items():
            if name not in ("terms", "calendar", "sending", "billing", "end"):
                assert plain[name] == value, name


def test_a_profile_without_a_switch_table_is_equal_after_the_way_there_and_back(pki: Pki) -> None:
    for given_plain in every_kind(pki):
        one = profile_of(given_plain)
        if isinstance(one, TariffProfile) and one.evaluation.calendar is not None:
            continue
        assert profile_of(plain_of(one)) == one


def test_a_threshold_keeps_its_exact_value() -> None:
    one = profile_of(tariff(9, sending=SENDING))
    assert isinstance(one, TariffProfile)
    threshold = one.evaluation.sending.thresholds[0]
    assert (threshold.limit.plain(), threshold.hysteresis.plain()) == ([-23050, -2], [1, 2])
    assert plain_of(one)["sending"]["thresholds"][0]["limit"] == "-230.50"


def test_every_kind_can_be_left_to_its_defaults_but_for_what_it_needs() -> None:
    for kind in Kind:
        with pytest.raises(PlainDataError, match=r"profile\.id: it is missing|profile\.\w+: it is missing"):
            profile_of({"kind": str(kind)})


@pytest.mark.parametrize(
    "given_meter",
    [
        MeterProfile(METER),
        MeterProfile(METER, ("1-0:1.8.0*255",), "consumer-2", "mine", bytes(16)),
        MeterProfile(METER, key=bytes(16), security="clear"),
        MeterProfile("7ELS0031234567", key=bytes(16), radio=True, period_s=900),
        MeterProfile("0A0153414700014155D8"),
    ],
)
def test_meters_of_a_configuration_are_read_as_before(given_meter: MeterProfile) -> None:
    assert active(SensorProfile.of(given_meter).read_as) == active(given_meter)
    plain = plain_of(SensorProfile.of(given_meter))
    again = profile_of(plain)
    assert isinstance(again, SensorProfile)
    assert active(again.read_as) == active(given_meter)


@pytest.mark.parametrize(
    ("use_case", "name"),
    [(1, "01005e318021.taf1.sm"), (7, "01005e318027.taf7.sm"), (10, "01005e31803f.taf10.sm"), (9, None), (14, None)],
)
def test_names_of_tariff_objects_are_those_that_are_known(use_case: int, name: str | None) -> None:
    one = profile_of(tariff(use_case))
    assert isinstance(one, TariffProfile)
    assert logical_name(one.evaluation) == name


def test_secrets_are_masked_when_read() -> None:
    assert masked(plain_of(profile_of(gas())))["key"] == "masked"
    assert masked(plain_of(profile_of(meter())))["key"] is None
    assert masked(plain_of(profile_of(person())))["password_digest"] == "masked"
    assert "0000000000000000" not in repr(profile_of(gas()))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_anything_else_is_refused_in_words(data: Any) -> None:
    with pytest.raises(PlainDataError):
        container_of(data)


PLAINS = [meter(), gas(), tariff(1), tariff(2), tariff(9, sending=SENDING), person()]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_field_replaced_by_anything_is_taken_or_refused_in_words(data: st.DataObject) -> None:
    plain = dict(data.draw(st.sampled_from(PLAINS)))
    plain[data.draw(st.sampled_from([*plain, "more"]))] = data.draw(ANYTHING)
    try:
        found = profile_of(plain)
    except PlainDataError as error:
        assert error.field.startswith("profile")
        assert error.hint
    else:
        assert profile_of(plain_of(found)).id == found.id


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_rules_have_an_answer_to_everything_that_has_the_form(data: st.DataObject) -> None:
    from firmware.profiles.rules import View, change_findings, install_findings

    plain = dict(data.draw(st.sampled_from(PLAINS)))
    numbers = st.integers(min_value=-5, max_value=100_000)
    texts = st.text(alphabet="ab.-_*:018 ", max_size=70)
    instants = st.datetimes().map(lambda one: one.replace(microsecond=0).isoformat() + "Z")
    plain[data.draw(st.sampled_from(sorted(plain)))] = data.draw(
        numbers | texts | instants | st.lists(numbers, max_size=3) | st.lists(texts, max_size=3)
    )
    try:
        found = profile_of(plain)
    except PlainDataError:
        return
    view = _view({})
    assert all(one.reason and one.answer in (400, 409, 422) for one in install_findings([found], view))
    assert isinstance(view, View)
    assert all(one.reason for one in change_findings([found], _view({found.id: found})))


def _view(profiles: dict[str, Any]) -> Any:
    from firmware.profiles.rules import Limits, Progress, View
    from firmware.profiles.trust import Trust

    return View(
        profiles, frozenset(), frozenset(("consumer-1",)), lambda name: Progress(),
        Trust((), (), frozenset(("brainpoolP256r1",)), None), 1_767_571_200, Limits(),
    )  # fmt: skip


def test_a_long_order_is_refused_before_it_is_worked_on(shelf: Shelf) -> None:
    answer = shelf.store.install({"profiles": [meter()] * 5000})
    assert answer.status == 400
    assert len(answer.findings[0].reason) < 300
