"""The method readings of an emulated CONEXA: databases, spans, scalers, signatures (han 3.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from han_conexa_calls import FOREIGN, TAF1, TAF2, TAF6, TAF7, TAF10, TAF14, channels, seconds, zulu
from han_conexa_rig import (
    BEGIN,
    EXPORT,
    HOLE_S,
    METER,
    NOW,
    OTHER,
    OTHER_PASSWORD,
    PASSWORD,
    POWER,
    USER,
    Bench,
    Digest,
    bench,
    container,
    store_reading,
    value_at,
)

from firmware.gateway import EmulatedGateway
from firmware.metering.status_word import StatusWord
from firmware.metering.tariffs.entries import Derived, Kind
from firmware.metering.tariffs.readings import Amount
from firmware.storage.memory import NonVolatileMemory


@pytest.mark.parametrize("wish", [True, "true"])
async def test_the_last_reading_may_be_asked_for_with_a_flag_or_a_text(conexa: Bench, wish: object) -> None:
    found = await channels(conexa, TAF7, **{"last-reading": wish})
    assert {obis: len(one) for obis, one in found.items()} == {"0100010800ff": 1, "0100020800ff": 1}
    (newest,) = found["0100010800ff"]
    at_s = int(NOW.timestamp()) // 900 * 900
    assert newest["value"] == str(value_at(at_s))
    assert newest["target-time"] == "2026-03-30T10:00:00Z"
    assert newest["capture-time"] == "2026-03-30T09:59:57Z"


async def test_a_reading_has_every_field_and_its_status_the_least_bit_first(conexa: Bench) -> None:
    answer = await conexa.call(
        "readings", Digest(OTHER, OTHER_PASSWORD), **{"usage-point-id": FOREIGN, "last-reading": True}
    )
    (channel,) = answer.json["readings"]["channels"]
    (one,) = channel["readings"]
    assert set(channel) == {"obis", "readings"}
    assert set(one) == {
        "capture-time", "cosem-status", "meter-status", "smgw-status", "owner-number", "signature", "target-time",
        "value",
    }  # fmt: skip
    assert (one["cosem-status"], one["smgw-status"], one["meter-status"]) == (
        "a0000000208c3800", "a0000000", "208c3800"
    )  # fmt: skip
    assert one["owner-number"] == "1emh0000000002.sm"
    assert re.fullmatch("[0-9a-f]{128}", one["signature"])
    assert all(isinstance(value, str) for value in one.values())


@pytest.mark.parametrize(("user", "password", "point"), [(USER, PASSWORD, TAF7), (OTHER, OTHER_PASSWORD, FOREIGN)])
async def test_the_signature_of_a_value_can_be_checked_from_answers_alone(
    conexa: Bench, user: str, password: str, point: str
) -> None:
    digest = Digest(user, password)
    info = (await conexa.call("smgw-info", digest)).json["smgw-info"]
    key = x509.load_der_x509_certificate(bytes.fromhex(info["certificates"]["wan"][0]["sig"])).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    wish = {"usage-point-id": point, "database": "origin", "last-reading": True}
    (one,) = (await conexa.call("readings", digest, **wish)).json["readings"]["channels"][0]["readings"]
    raw = bytes.fromhex(one["signature"])
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    name, status = f"0100010800ff.{one['owner-number']}", one["cosem-status"].upper()
    for value, good in ((one["value"], True), (one["value"] + "0", False)):
        octets = f"smgw-value-1\n{name}\n{status}\n{one['capture-time']}\n{value}\n-1\n30\n".encode()
        try:
            key.verify(der, octets, ec.ECDSA(SHA256()))
        except InvalidSignature:
            assert not good
        else:
            assert good


@pytest.mark.parametrize(
    ("option", "scaler", "factor", "rest"), [(-1, "-1", 1, 0), (1, "-3", 100, 57), (-4, "-4", 1000, 570)]
)
async def test_energies_are_told_in_tenths_of_a_watt_hour_whatever_the_meter_counts(
    stored_conexa: NonVolatileMemory, option: int, scaler: str, factor: int, rest: int
) -> None:
    async with bench(stored_conexa, han_conexa_energy_scaler=option) as conexa:
        digest = Digest(OTHER, OTHER_PASSWORD)
        info = (await conexa.call("usage-point-info", digest, **{"usage-point-id": FOREIGN})).json["usage-point-info"]
        assert info["databases"][0]["channels"] == [{"obis": "0100010800ff", "scaler": scaler, "unit": "30"}]
        wish = {"usage-point-id": FOREIGN, "last-reading": True}
        (channel,) = (await conexa.call("readings", digest, **wish)).json["readings"]["channels"]
        at_s = int(NOW.timestamp()) // 900 * 900
        assert [one["value"] for one in channel["readings"]] == [str(value_at(at_s) * factor + rest)]


async def test_from_is_behind_and_to_is_included(conexa: Bench) -> None:
    found = await channels(conexa, TAF7, fromtime="2026-03-30T08:00:00Z", totime="2026-03-30T09:00:00Z")
    times = [one["target-time"] for one in found["0100010800ff"]]
    assert times == [f"2026-03-30T{at}:00Z" for at in ("08:15", "08:30", "08:45", "09:00")]
    assert [one["value"] for one in found["0100020800ff"]] == [str(value_at(seconds(at), EXPORT)) for at in times]


async def test_offsets_mean_the_same_instants(conexa: Bench) -> None:
    one = await channels(conexa, TAF7, fromtime="2026-03-30T08:00:00Z", totime="2026-03-30T09:00:00Z")
    other = await channels(conexa, TAF7, fromtime="2026-03-30T10:00:00+02:00", totime="2026-03-30T11:00:00+02:00")
    assert one == other


async def test_the_day_of_the_clock_change_has_92_quarter_hours(conexa: Bench) -> None:
    found = await channels(conexa, TAF1, fromtime="2026-03-29T00:00:00+01:00", totime="2026-03-30T00:00:00+02:00")
    assert len(found["0100010800ff"]) == 92


async def test_a_reading_that_was_missed_is_missing(conexa: Bench) -> None:
    hole = datetime.fromtimestamp(HOLE_S, UTC)
    span = {"fromtime": zulu(hole - timedelta(minutes=30)), "totime": zulu(hole + timedelta(minutes=15))}
    found = await channels(conexa, TAF7, **span)
    assert [one["target-time"] for one in found["0100010800ff"]] == [
        zulu(hole - timedelta(minutes=15)), zulu(hole + timedelta(minutes=15))
    ]  # fmt: skip


SPANS: list[tuple[dict[str, Any], int]] = [
    ({"fromtime": "2026-02-01T00:00:00Z", "totime": "2026-03-04T00:00:00Z"}, 200),
    ({"fromtime": "2026-02-01T00:00:00Z", "totime": "2026-03-04T00:00:01Z"}, 400),
    ({"fromtime": "2026-03-04T00:00:00Z", "totime": "2026-03-03T00:00:00Z"}, 400),
    ({"fromtime": "2026-02-01T00:00:00Z"}, 400),
    ({"fromtime": "2026-03-20T00:00:00Z"}, 200),
    ({"totime": "2026-03-03T00:00:00Z"}, 200),
    ({}, 400),
    ({"last-reading": "false"}, 400),
    ({"last-reading": "maybe"}, 400),
    ({"last-reading": 1}, 400),
    ({"fromtime": "yesterday", "totime": "2026-03-03T00:00:00Z"}, 400),
    ({"fromtime": 5, "totime": 6}, 400),
    ({"last-reading": True, "database": "calculated"}, 400),
    ({"last-reading": True, "database": "all"}, 400),
    ({"last-reading": True, "channels": "0100010800ff"}, 400),
    ({"last-reading": True, "channels": [{}]}, 400),
    ({"last-reading": True, "channels": [{"channel": "0100090900ff"}]}, 200),
]


async def test_spans_and_parameters_have_their_limits(conexa: Bench) -> None:
    digest = Digest()
    for span, status in SPANS:
        answer = await conexa.call("readings", digest, **{"usage-point-id": TAF7, **span})
        assert answer.status == status, span


async def test_channels_can_be_chosen(conexa: Bench) -> None:
    for name in ("0100020800ff", "0100020800FF", f"0100020800ff.{METER.lower()}.sm"):
        found = await channels(conexa, TAF7, channels=[{"channel": name}], **{"last-reading": True})
        assert {code: len(one) for code, one in found.items()} == {"0100020800ff": 1}


async def test_the_name_of_a_channel_can_be_the_long_one(stored_conexa: NonVolatileMemory) -> None:
    async with bench(stored_conexa, han_conexa_long_obis=True, han_conexa_version="1.2.0") as conexa:
        found = await channels(conexa, TAF7, **{"last-reading": True})
        assert set(found) == {f"0100010800ff.{METER.lower()}.sm", f"0100020800ff.{METER.lower()}.sm"}
        assert (await conexa.call("smgw-info")).json["version"] == "1.2.0"


async def test_derived_values_of_taf_1_are_those_of_its_periods(conexa: Bench) -> None:
    found = await channels(conexa, TAF1, "derived", fromtime="2026-01-31T22:00:00Z", totime="2026-03-01T00:00:00Z")
    (total,) = found.values()
    assert [(one["target-time"], one["value"]) for one in total] == [
        (zulu(at), str(value_at(int(at.timestamp())))) for at in (BEGIN, datetime(2026, 2, 28, 23, tzinfo=UTC))
    ]
    assert {one["owner-number"] for one in total} == {"taf1-1.sm"}


async def test_the_stages_of_taf_2_add_up_to_its_total(conexa: Bench) -> None:
    span = {"fromtime": "2026-03-01T00:00:00Z", "totime": "2026-03-30T00:00:00Z"}
    total = (await channels(conexa, TAF2, "derived", **span))["0100010800ff"]
    stages = await channels(conexa, TAF2, "calculated", **span)
    assert [len(one) for one in stages.values()] == [len(total)] * 3
    for at, whole in enumerate(total):
        credited = sum(int(one[at]["value"]) for one in stages.values())
        assert credited == int(whole["value"]) - value_at(int(BEGIN.timestamp()))


@pytest.mark.parametrize("point", [TAF1, TAF2, TAF6, TAF7])
async def test_daily_values_are_those_of_local_midnight(conexa: Bench, point: str) -> None:
    found = await channels(conexa, point, "daily", fromtime="2026-03-27T00:00:00Z", totime="2026-03-30T10:00:00Z")
    assert [one["target-time"] for one in found["0100010800ff"]] == [
        "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"
    ]  # fmt: skip


async def test_measured_values_are_not_stored_and_can_be_read(
    stored_conexa: NonVolatileMemory,
) -> None:
    sample = Derived(Kind.SAMPLE, int(NOW.timestamp()), POWER, Amount(2305, -1), StatusWord(), 27, "p-1")

    def started(gateway: EmulatedGateway) -> None:
        assert gateway._session is not None
        gateway._session.han.present = lambda profile: {(METER, POWER): sample} if profile == "taf10-1" else {}

    async with bench(stored_conexa, started) as conexa:
        found = await channels(conexa, TAF10, **{"last-reading": True})
        (one,) = found["0100100700ff"]
        assert (one["value"], one["signature"], one["target-time"]) == ("2305", None, zulu(NOW))
        assert await channels(conexa, TAF14, **{"last-reading": True}) == {"0100100700ff": []}
        for point in (TAF10, TAF14):
            span = {"fromtime": "2026-03-29T00:00:00Z", "totime": "2026-03-30T10:15:00Z"}
            assert await channels(conexa, point, **span) == {"0100100700ff": []}


async def test_values_after_the_end_of_a_contract_are_somebody_elses(conexa: Bench) -> None:
    session = conexa.gateway._session
    assert session is not None
    (contract,) = (one for one in container()["profiles"] if one["id"] == "taf7-1")
    answer = session.profiles.change({"profiles": [{**contract, "end": "2026-03-30T10:15:00Z"}]})
    assert answer.status == 204, answer
    at_s = int(datetime(2026, 3, 30, 10, 15, tzinfo=UTC).timestamp())
    for later_s in (at_s, at_s + 900):
        store_reading(session.unit.memory, METER, later_s)
    conexa.clock.forward(2400)
    span = {"fromtime": "2026-03-30T10:00:00Z", "totime": "2026-03-30T11:00:00Z"}
    for wish in (span, {"last-reading": True}):
        found = await channels(conexa, TAF7, **wish)
        assert [one["target-time"] for one in found["0100010800ff"]] == ["2026-03-30T10:15:00Z"]
    found = await channels(conexa, TAF1, **span)
    assert len(found["0100010800ff"]) == 2
