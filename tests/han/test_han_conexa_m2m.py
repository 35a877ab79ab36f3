"""The interface for programs of an emulated CONEXA over TLS: paths, status codes, fields and limits of han 3."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from han_conexa_rig import (
    BEGIN,
    EXPORT,
    HOLE_S,
    JSON,
    METER,
    NOW,
    OTHER,
    OTHER_PASSWORD,
    PASSWORD,
    POWER,
    TECHNICIAN,
    USER,
    Bench,
    Digest,
    bench,
    client_certificate,
    container,
    store_reading,
    stored_memory,
    value_at,
)
from lxml import etree

from devices.errors import UsageError
from firmware.config import Options
from firmware.gateway import EmulatedGateway
from firmware.han.conexa.points import codes_of
from firmware.han.conexa.times import understood
from firmware.metering.status_word import StatusWord
from firmware.metering.tariffs.entries import Derived, Kind
from firmware.metering.tariffs.readings import Amount
from firmware.selftest import LAST
from firmware.storage.memory import NonVolatileMemory

ROOT = "/smgw/m2m"
MINE = f"{ROOT}/{USER}.sm/json"
TAF1, TAF2, TAF6, TAF7 = (
    f"01005e3180{code}.taf{taf}-1.sm" for code, taf in (("21", 1), ("22", 2), ("26", 6), ("27", 7))
)
TAF10, TAF14 = "01005e31803f.taf10-1.sm", "01005e31802e.taf14-1.sm"
FOREIGN = "01005e318027.taf7-2.sm"
CHALLENGE = re.compile(
    r'Digest realm="[^"]+",qop="auth",algorithm="([^"]+)",nonce="[0-9a-f]{32}",opaque="[0-9a-f]{32}"'
)


@pytest.fixture(scope="module")
def memory() -> NonVolatileMemory:
    return stored_memory()


@pytest.fixture
async def conexa(memory: NonVolatileMemory) -> AsyncIterator[Bench]:
    async with bench(memory) as one:
        yield one


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def zulu(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def channels(
    conexa: Bench, point: str, database: str = "origin", **parameters: Any
) -> dict[str, list[dict[str, Any]]]:
    answer = await conexa.call("readings", **{"usage-point-id": point, "database": database, **parameters})
    assert answer.status == 200, answer.body
    result = answer.json["readings"]
    found = {one["obis"]: one["readings"] for one in result["channels"]}
    assert result["records"] == str(sum(map(len, found.values())))
    return found


# --- transport


async def test_an_unknown_caller_gets_a_challenge_and_nothing_else(conexa: Bench) -> None:
    for method, target in (("GET", ROOT), ("POST", ROOT), ("POST", MINE)):
        answer = await conexa.ask(method, target, JSON, b"{}" if method == "POST" else None)
        found = CHALLENGE.fullmatch(answer.headers["www-authenticate"])
        assert (answer.status, answer.body) == (401, b"")
        assert found is not None and found[1] == "MD5"
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [ROOT, ROOT + "/"])
async def test_a_known_caller_is_sent_to_his_own_path(conexa: Bench, method: str, path: str) -> None:
    answer = await conexa.signed(method, path, Digest(), JSON, b'{"method":"smgw-info"}' if method == "POST" else None)
    assert (answer.status, answer.headers["location"]) == (307, MINE)
    assert "set-cookie" not in answer.headers


async def test_the_printed_form_of_the_path_can_be_had_and_is_always_taken(memory: NonVolatileMemory) -> None:
    async with bench(memory, han_conexa_user_suffix="") as conexa:
        answer = await conexa.signed("GET", ROOT, Digest(), JSON)
        assert answer.headers["location"] == f"{ROOT}/{USER}/json"
        for path in (MINE, f"{ROOT}/{USER}/json"):
            answer = await conexa.signed("POST", path, Digest(), JSON, b'{"method":"smgw-info"}')
            assert answer.status == 200


@pytest.mark.parametrize("path", [f"{ROOT}/{OTHER}.sm/json", f"{ROOT}/ETHE0300004261.sm/json", f"{ROOT}/x/y"])
async def test_another_path_does_not_exist(conexa: Bench, path: str) -> None:
    answer = await conexa.signed("POST", path, Digest(), JSON, b'{"method":"smgw-info"}')
    assert answer.status == 404
    assert OTHER.encode() not in answer.body


async def test_other_methods_of_http_are_not_allowed(conexa: Bench) -> None:
    for method, path, allowed in (("GET", MINE, "POST"), ("PUT", MINE, "POST"), ("DELETE", ROOT, "GET, POST")):
        answer = await conexa.signed(method, path, Digest(), JSON)
        assert (answer.status, answer.headers["allow"]) == (405, allowed)


async def test_the_header_content_type_is_demanded_even_in_a_get(conexa: Bench) -> None:
    digest = Digest()
    for method, path in (("GET", ROOT), ("POST", MINE)):
        for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": ""}):
            answer = await conexa.signed(method, path, digest, headers, b"{}" if method == "POST" else None)
            assert answer.status == 400, (method, headers)


async def test_a_parameter_of_the_content_type_is_refused_on_request_only(memory: NonVolatileMemory) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    for plain, status in ((False, 200), (True, 400)):
        async with bench(memory, han_conexa_plain_content_type=plain) as conexa:
            answer = await conexa.signed("POST", MINE, Digest(), headers, b'{"method":"smgw-info"}')
            assert answer.status == status


async def test_bodies_in_pieces_fail(memory: NonVolatileMemory) -> None:
    body = b'16\r\n{"method":"smgw-info"}\r\n0\r\n\r\n'
    for taken, status in ((False, 400), (True, 200)):
        async with bench(memory, han_conexa_chunked=taken) as conexa:
            digest = Digest()
            await conexa.signed("GET", ROOT, digest, JSON)
            headers = {**JSON, "Transfer-Encoding": "chunked", "Authorization": digest.header("POST", MINE)}
            answer = await conexa.ask("POST", MINE, headers, body, length=False)
            assert answer.status == status


SENSELESS = [
    b"", b"{", b"[]", b"1", b'"smgw-info"', b"\xff", b"{}", b'{"method":1}', b'{"method":"other"}', b'{"method":null}',
    b"[" * 50_000, b'{"method":"log","count":' + b"9" * 6000 + b"}", b'{"method":"log","count":NaN}',
    b'{"method":"log","fromtime":"2026-01-01T00:00:00+99:00"}',
]  # fmt: skip


async def test_a_body_that_makes_no_sense_is_a_bad_request(conexa: Bench) -> None:
    digest = Digest()
    for body in SENSELESS:
        answer = await conexa.signed("POST", MINE, digest, JSON, body)
        assert (answer.status, set(answer.json)) == (400, {"error", "version"}), body[:60]


async def test_a_body_that_is_too_long_is_not_read(conexa: Bench) -> None:
    answer = await conexa.signed("POST", MINE, Digest(), JSON, b" " * 2_000_000)
    assert answer.status in (400, 413)


async def test_a_wrong_password_is_logged_and_not_answered(conexa: Bench) -> None:
    for digest in (Digest(password="falsch"), Digest(user="nobody"), Digest(user=OTHER, password=PASSWORD)):
        assert (await conexa.call("smgw-info", digest)).status == 401
    await conexa.stored()
    assert conexa.log().count("password_login_refused") == 1
    assert conexa.log(OTHER).count("password_login_refused") == 1


async def test_a_signature_of_another_path_or_method_does_not_count(conexa: Bench) -> None:
    digest = Digest()
    await conexa.signed("GET", ROOT, digest, JSON)
    for header in (digest.header("POST", ROOT), digest.header("GET", MINE)):
        answer = await conexa.ask("POST", MINE, {**JSON, "Authorization": header}, b'{"method":"smgw-info"}')
        assert answer.status == 401


async def test_the_nonce_of_a_get_serves_for_a_post(conexa: Bench) -> None:
    digest = Digest()
    await conexa.signed("GET", ROOT, digest, JSON)
    first = digest.challenge["nonce"]
    assert (await conexa.call("smgw-info", digest)).status == 200
    assert (digest.challenge["nonce"], digest.count) == (first, 2)


async def test_a_login_is_logged_once_for_a_nonce(conexa: Bench) -> None:
    digest = Digest()
    for _ in range(3):
        assert (await conexa.call("smgw-info", digest)).status == 200
    await conexa.stored()
    assert conexa.log().count("consumer_logged_in") == 1
    await conexa.call("smgw-info", Digest())
    await conexa.stored()
    assert conexa.log().count("consumer_logged_in") == 2
    assert "consumer_logged_in" not in conexa.log(OTHER)


async def test_an_old_nonce_can_be_replaced_without_the_person(conexa: Bench) -> None:
    digest = Digest()
    assert (await conexa.call("smgw-info", digest)).status == 200
    conexa.clock.forward(700)
    answer = await conexa.ask("POST", MINE, {**JSON, "Authorization": digest.header("POST", MINE)}, b"{}")
    assert (answer.status, "stale=true" in answer.headers["www-authenticate"]) == (401, True)


@pytest.mark.parametrize(
    ("option", "announced", "answers"),
    [("MD5", "MD5", {"MD5": 200}), ("SHA-256", "SHA-256", {"SHA-256": 200, "MD5": 401}),
     ("announced", "SHA-256", {"MD5": 200, "SHA-256": 401})],
)  # fmt: skip
async def test_what_is_announced_and_what_is_taken_can_differ(
    memory: NonVolatileMemory, option: str, announced: str, answers: dict[str, int]
) -> None:
    async with bench(memory, han_conexa_challenge=option) as conexa:
        for algorithm, status in answers.items():
            digest = Digest(force_md5=algorithm == "MD5")
            answer = await conexa.call("smgw-info", digest)
            assert (answer.status, digest.challenge["algorithm"]) == (status, announced)
            assert bool(answer.body) == (status == 200)


async def test_a_client_certificate_takes_the_place_of_the_password(conexa: Bench, tmp_path: Path) -> None:
    for name in (USER, TECHNICIAN, "stranger"):
        (tmp_path / name).write_bytes(client_certificate(name)[1])
    answer = await conexa.ask("GET", ROOT, JSON, certificate=tmp_path / USER)
    assert (answer.status, answer.headers["location"]) == (307, MINE)
    answer = await conexa.ask("POST", MINE, JSON, b'{"method":"user-info"}', tmp_path / USER)
    assert answer.status == 200
    answer = await conexa.ask("GET", ROOT, JSON, certificate=tmp_path / TECHNICIAN)
    assert answer.status == 401


async def test_a_refused_certificate_is_in_the_log(conexa: Bench, tmp_path: Path) -> None:
    (tmp_path / USER).write_bytes(client_certificate(USER)[1])
    session, before = conexa.gateway._session, len(conexa.log())
    assert session is not None
    for _ in range(5):
        assert (await conexa.call("smgw-info", Digest(password="falsch"))).status == 401
    for _ in range(3):  # clients show it with each request
        assert (await conexa.ask("GET", ROOT, JSON, certificate=tmp_path / USER)).status == 401
    assert conexa.log()[before:].count("certificate_login_refused") == 1
    conexa.clock.forward(301)
    assert (await conexa.ask("GET", ROOT, JSON, certificate=tmp_path / USER)).status == 307
    session.own.now = lambda: datetime(2027, 1, 2, tzinfo=UTC)  # type: ignore[method-assign]
    assert (await conexa.ask("GET", ROOT, JSON, certificate=tmp_path / USER)).status == 401
    assert conexa.log()[before:].count("certificate_login_refused") == 2


FOREIGN_PAGE = (
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
    {"Origin": "null"}, {"Origin": "https://evil.example", "Sec-Fetch-Site": "none"},
)  # fmt: skip


async def test_a_page_of_another_host_orders_no_self_test(conexa: Bench) -> None:
    digest, body = Digest(), b'{"method":"self-test"}'
    for foreign in FOREIGN_PAGE:
        answer = await conexa.signed("POST", MINE, digest, JSON | foreign, body)
        assert (answer.status, "another host" in answer.json["error"]) == (403, True), foreign
    own = {"Sec-Fetch-Site": "same-origin", "Origin": f"https://127.0.0.1:{conexa.port}"}
    assert (await conexa.signed("POST", MINE, digest, JSON | own, body)).status == 200


def test_an_option_that_is_written_wrongly_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="han_conexa_point_codes"):
        codes_of(Options(han_conexa_point_codes="1:2"))


@pytest.mark.parametrize(
    ("text", "meant"),
    [("2026-03-29T01:00:00Z", "2026-03-29T01:00:00+00:00"), ("2026-03-29T03:00:00+02:00", "2026-03-29T01:00:00+00:00"),
     ("2026-03-28T20:00:00.5-05:00", "2026-03-29T01:00:00+00:00"), ("2026-03-29", "2026-03-29T00:00:00+00:00")],
)  # fmt: skip
def test_times_have_their_zone(text: str, meant: str) -> None:
    assert understood(text) == seconds(meant)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-02-30", "2026-01-01T24:00:00Z", "0001-01-01T00:00:00+14:00", "٢٠٢٦-01-01"]
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        understood(text)


# --- smgw-info, user-info, usage-point-info


async def test_smgw_info_has_every_field(conexa: Bench) -> None:
    whole = (await conexa.call("smgw-info")).json
    assert set(whole) == {"elapsed-time", "method", "smgw-info", "version"}
    assert (whole["method"], whole["version"]) == ("smgw-info", "1.3.0")
    assert re.fullmatch(r"\d+ miliseconds", whole["elapsed-time"])
    info = whole["smgw-info"]
    assert set(info) == {"certificates", "firmware-info", "smgw-id", "smgw-state", "smgw-time"}
    assert (info["smgw-id"], info["smgw-state"]) == ("ethe0300004261", "a0000000")
    assert set(info["firmware-info"]) == {"component", "hash", "version"}
    assert re.fullmatch("[0-9a-f]{64}", info["firmware-info"]["hash"])
    assert abs(seconds(info["smgw-time"] + "Z") - NOW.timestamp()) < 120
    tls = x509.load_pem_x509_certificate(bytes.fromhex(info["certificates"]["han"]["tls"]))
    key = tls.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp384r1"
    (seal,) = info["certificates"]["wan"]
    assert seal["cert-index"] == "0"
    sub = x509.load_der_x509_certificate(bytes.fromhex(seal["sub-ca"]))
    x509.load_der_x509_certificate(bytes.fromhex(seal["sig"])).verify_directly_issued_by(sub)


async def test_the_certificate_that_is_told_is_that_of_the_connection(conexa: Bench) -> None:
    info = (await conexa.call("smgw-info")).json["smgw-info"]
    der = x509.load_pem_x509_certificate(bytes.fromhex(info["certificates"]["han"]["tls"])).fingerprint(SHA256())
    assert der.hex() == conexa.gateway.han_fingerprint


async def test_user_info_lists_the_contracts_of_this_user_alone(conexa: Bench) -> None:
    points = (await conexa.call("user-info")).json["user-info"]["usage-points"]
    assert [one["usage-point-id"] for one in points] == [
        TAF1, TAF2, TAF6, TAF7, TAF10, TAF14, "01005e318027.taf7-later.sm"
    ]  # fmt: skip
    for one in points:
        assert set(one) == {
            "billing-Periods", "capture-time", "delivery-id", "start-time", "end-time", "meter", "metering-point-id",
            "on-demand-profile-configured", "taf-number", "taf-state", "usage-point-id", "usage-point-name",
        }  # fmt: skip
        assert one["meter"] == [{"meter-id": f"{METER.lower()}.sm"}]
        texts = [one[name] for name in set(one) - {"meter", "billing-Periods"}]
        assert all(isinstance(text, str) for text in texts)
    first = points[0]
    assert first["billing-Periods"] == [
        {"start-time": "2026-01-31T23:00:00Z", "end-time": "2026-02-28T23:00:00Z"},
        {"start-time": "2026-02-28T23:00:00Z", "end-time": "2026-03-31T22:00:00Z"},
    ]
    assert (first["taf-number"], first["taf-state"], first["end-time"]) == ("1", "running", "")
    assert (points[-1]["taf-state"], points[-1]["billing-Periods"]) == ("ready", [])
    others = (await conexa.call("user-info", Digest(OTHER, OTHER_PASSWORD))).json["user-info"]["usage-points"]
    assert [one["usage-point-id"] for one in others] == [FOREIGN]


@pytest.mark.parametrize(
    ("point", "databases"),
    [(TAF1, ["origin", "derived", "daily"]), (TAF2, ["origin", "derived", "calculated", "daily"]), (TAF6, ["daily"]),
     (TAF7, ["origin", "daily"]), (TAF10, ["origin"])],
)  # fmt: skip
async def test_each_use_case_has_its_databases(conexa: Bench, point: str, databases: list[str]) -> None:
    info = (await conexa.call("usage-point-info", **{"usage-point-id": point})).json["usage-point-info"]
    assert set(info) == {
        "databases", "emts", "taf-profile", "transparency-bit", "usage-point-id", "usage-point-name"
    }  # fmt: skip
    assert [one["database"] for one in info["databases"]] == databases
    assert all(set(channel) == {"obis", "scaler", "unit"} for one in info["databases"] for channel in one["channels"])
    for database in ("origin", "derived", "calculated", "daily"):
        answer = await conexa.call("usage-point-info", **{"usage-point-id": point, "database": database})
        assert answer.status == (200 if database in databases else 400)
        if answer.status == 200:
            assert [one["database"] for one in answer.json["usage-point-info"]["databases"]] == [database]


async def test_calculated_registers_are_those_of_the_stages_and_of_errors(conexa: Bench) -> None:
    info = (await conexa.call("usage-point-info", **{"usage-point-id": TAF2, "database": "calculated"})).json
    (database,) = info["usage-point-info"]["databases"]
    assert database["channels"] == [
        {"obis": f"01000108{stage}ff", "scaler": "-1", "unit": "30"} for stage in ("01", "02", "3f")
    ]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
async def test_openssl_verifies_the_signed_profile(conexa: Bench, tmp_path: Path) -> None:
    info = (await conexa.call("usage-point-info", **{"usage-point-id": TAF7})).json["usage-point-info"]
    message, content = tmp_path / "profile.cms", tmp_path / "profile.xml"
    message.write_bytes(bytes.fromhex(info["taf-profile"]))
    words = ["openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", message, "-out", content, "-binary"]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    root = etree.parse(str(content)).getroot()
    assert (root.prefix, etree.QName(root).localname, root.get("id")) == ("taf07", "object", TAF7)
    again = (await conexa.call("usage-point-info", **{"usage-point-id": TAF7})).json["usage-point-info"]
    assert again["taf-profile"] == info["taf-profile"]


async def test_the_signed_profile_takes_its_time(memory: NonVolatileMemory) -> None:
    since_begin = (NOW - BEGIN).total_seconds()
    async with bench(memory, han_conexa_profile_ready_s=since_begin + 300) as conexa:
        for left, there in ((True, False), (False, True)):
            info = (await conexa.call("usage-point-info", **{"usage-point-id": TAF7})).json["usage-point-info"]
            assert bool(info["taf-profile"]) is there
            if left:
                conexa.clock.forward(300)


async def test_a_point_that_is_none_of_his_is_a_bad_request(conexa: Bench) -> None:
    digest = Digest()
    for method in ("usage-point-info", "readings"):
        for given in ({}, {"usage-point-id": FOREIGN}, {"usage-point-id": "taf7-1"}, {"usage-point-id": 7}):
            answer = await conexa.call(method, digest, **given, **{"last-reading": True})
            assert answer.status == 400
            assert b"fremd" not in answer.body


# --- readings


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
    memory: NonVolatileMemory, option: int, scaler: str, factor: int, rest: int
) -> None:
    async with bench(memory, han_conexa_energy_scaler=option) as conexa:
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


async def test_the_name_of_a_channel_can_be_the_long_one(memory: NonVolatileMemory) -> None:
    async with bench(memory, han_conexa_long_obis=True, han_conexa_version="1.2.0") as conexa:
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


async def test_measured_values_are_not_stored_and_can_be_read_while_they_are_there(memory: NonVolatileMemory) -> None:
    sample = Derived(Kind.SAMPLE, int(NOW.timestamp()), POWER, Amount(2305, -1), StatusWord(), 27, "p-1")

    def started(gateway: EmulatedGateway) -> None:
        assert gateway._session is not None
        gateway._session.han.present = lambda profile: {(METER, POWER): sample} if profile == "taf10-1" else {}

    async with bench(memory, started) as conexa:
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


# --- log


async def test_log_entries_have_every_field(conexa: Bench) -> None:
    result = (await conexa.call("log")).json["log"]
    assert result["records"] == str(len(result["entries"]))
    for one in result["entries"]:
        assert set(one) == {
            "event-id", "event-sub-id", "index", "level", "message", "outcome", "subject-identity", "time",
            "user-identity", "vendor-id", "version",
        }  # fmt: skip
        assert all(isinstance(value, str) for value in one.values())
    marks = [one for one in result["entries"] if one["event-id"] == "19013"]
    assert {(one["vendor-id"], one["event-sub-id"]) for one in marks} == {("THE", "0")}
    assert [one["index"] for one in result["entries"]] == [str(at + 1) for at in range(len(result["entries"]))]


PARTS = {"fromtime": "2026-02-01T00:00:00Z", "totime": "2026-04-01T00:00:00Z", "fromindex": "2", "count": "1"}
ALLOWED = ["", "fromtime", "totime", "fromtime totime", "fromindex", "count", "fromindex count", "fromtime count",
           "fromtime totime count"]  # fmt: skip


async def test_only_some_parameters_of_the_log_go_together(conexa: Bench) -> None:
    digest = Digest()
    for chosen in range(16):
        names = [name for at, name in enumerate(PARTS) if chosen >> at & 1]
        answer = await conexa.call("log", digest, **{name: PARTS[name] for name in names})
        allowed = sorted(names) in [sorted(one.split()) for one in ALLOWED]
        assert answer.status == (200 if allowed else 400), names


async def test_the_log_can_be_narrowed(conexa: Bench) -> None:
    digest = Digest()

    async def indices(**parameters: Any) -> list[int]:
        answer = await conexa.call("log", digest, **parameters)
        assert answer.status == 200
        return [int(one["index"]) for one in answer.json["log"]["entries"]]

    await indices()
    await conexa.stored()
    whole = await indices()
    assert await indices(fromindex=3) == whole[2:]
    assert await indices(fromindex="3", count=2) == [3, 4]
    assert await indices(count="1") == [1]
    entries = (await conexa.call("log", digest)).json["log"]["entries"]
    third = entries[2]["time"]
    earlier = [int(one["index"]) for one in entries if one["time"] < third]
    assert await indices(totime=third) == earlier
    assert min(await indices(fromtime=third)) == 3


async def test_more_than_1500_entries_cannot_be_asked_for(conexa: Bench) -> None:
    digest = Digest()
    for count in (0, 1501, "1501", "", "many", -1, 1.5, True, [1]):
        assert (await conexa.call("log", digest, count=count)).status == 400, count
    assert (await conexa.call("log", digest, count=1500)).status == 200


async def test_no_more_than_1500_entries_are_given(memory: NonVolatileMemory) -> None:
    async with bench(memory, consumer_log_capacity=5000) as conexa:
        assert conexa.gateway._session is not None
        for _ in range(1600):
            conexa.gateway._session.control.event("selftest_passed", consumer=USER)
        await conexa.stored()
        result = (await conexa.call("log")).json["log"]
        assert (result["records"], result["entries"][0]["index"]) == ("1500", "1")
        rest = (await conexa.call("log", fromindex=1501)).json["log"]
        assert rest["entries"][0]["index"] == "1501"


async def test_words_of_the_log_can_be_numbers(memory: NonVolatileMemory) -> None:
    async with bench(memory, han_conexa_log_numbers=True) as conexa:
        entries = (await conexa.call("log")).json["log"]["entries"]
        assert {(one["level"], one["outcome"]) for one in entries} == {("1", "0")}


# --- self-test and states


async def test_a_self_test_locks_the_next_for_600_seconds(conexa: Bench) -> None:
    before = len(conexa.log())
    answer = await conexa.call("self-test")
    assert (answer.status, set(answer.json)) == (200, {"elapsed-time", "method", "version"})
    assert conexa.log()[before:].count("selftest_passed") == 1
    assert (await conexa.call("self-test")).status == 403
    assert (await conexa.call("self-test", Digest(OTHER, OTHER_PASSWORD))).status == 403
    assert (await conexa.call("smgw-info")).status == 200
    conexa.clock.forward(590)
    assert (await conexa.call("self-test")).status == 403
    conexa.clock.forward(11)
    assert (await conexa.call("self-test")).status == 200


async def test_a_self_test_goes_on_when_its_client_leaves(memory: NonVolatileMemory) -> None:
    async with bench(memory, separation_wait_s=0.3) as conexa:
        digest = Digest()
        assert (await conexa.call("smgw-info", digest)).status == 200
        session, before = conexa.gateway._session, len(conexa.log())
        assert session is not None
        begun = session.unit.memory.setting(LAST)
        body = b'{"method":"self-test"}'
        lines = [
            f"POST {MINE} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}",
            f"Authorization: {digest.header('POST', MINE)}", "", "",
        ]  # fmt: skip
        _, writer = await asyncio.open_connection("127.0.0.1", conexa.port, ssl=conexa.context())
        writer.write("\r\n".join(lines).encode() + body)
        for _ in range(400):
            if session.unit.memory.setting(LAST) != begun:
                break
            await asyncio.sleep(0.005)
        writer.transport.abort()
        assert "selftest_passed" not in conexa.log()[before:]
        for _ in range(200):
            await asyncio.sleep(0.02)
            if "selftest_passed" in conexa.log()[before:]:
                break
        await conexa.stored()
        assert conexa.log()[before:].count("selftest_passed") == 1
        assert session.selftest.result is not None
        assert session.selftest.result["initiator"] == "consumer"


async def test_the_socket_is_dead_while_networks_are_not_separated(conexa: Bench) -> None:
    session = conexa.gateway._session
    assert session is not None
    session.control.cause("wan_han_not_separated", via="selftest")
    assert (session.control.states.state, conexa.gateway.han_address) == ("connectivity_cut", None)
    session.control.cleared("wan_han_not_separated")
    for _ in range(200):
        if conexa.gateway.han_address is not None:
            break
        await conexa.clock.sleep(0.01)
    assert (await conexa.call("smgw-info")).status == 200


async def test_an_invalid_time_shows_in_the_state(conexa: Bench) -> None:
    session = conexa.gateway._session
    assert session is not None
    session.han._time.state = type(session.time.state).INVALID  # type: ignore[attr-defined]
    info = (await conexa.call("smgw-info")).json["smgw-info"]
    assert info["smgw-state"] == "a0400000"


async def test_many_wrong_passwords_lock_consumers_out(conexa: Bench) -> None:
    for _ in range(5):
        assert (await conexa.call("smgw-info", Digest(password="falsch"))).status == 401
    assert (await conexa.call("smgw-info")).status == 401
    conexa.clock.forward(301)
    assert (await conexa.call("smgw-info")).status == 200


async def test_rights_that_are_not_given_are_refused(conexa: Bench) -> None:
    session = conexa.gateway._session
    assert session is not None
    entry = session.profiles._entries[f"han-{OTHER}"]
    session.profiles._entries[f"han-{OTHER}"] = type(entry)(
        entry.number,
        type(entry.profile)(
            **{name: getattr(entry.profile, name) for name in entry.profile.__slots__} | {"rights": ("values",)}
        ),
    )
    digest = Digest(OTHER, OTHER_PASSWORD)
    assert (await conexa.call("self-test", digest)).status == 403
    assert (await conexa.call("log", digest)).status == 403
    assert (await conexa.call("readings", digest, **{"usage-point-id": FOREIGN, "last-reading": True})).status == 200
