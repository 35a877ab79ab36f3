"""The interface for programs of an emulated CONEXA over TLS: paths, headers, logins, bodies (han 3.1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from han_conexa_calls import MINE, ROOT, seconds
from han_conexa_rig import (
    JSON,
    OTHER,
    PASSWORD,
    TECHNICIAN,
    USER,
    Bench,
    Digest,
    bench,
    client_certificate,
)

from devices.errors import UsageError
from firmware.config import Options
from firmware.han.conexa.points import codes_of
from firmware.han.conexa.times import understood
from firmware.storage.memory import NonVolatileMemory

CHALLENGE = re.compile(
    r'Digest realm="[^"]+",qop="auth",algorithm="([^"]+)",nonce="[0-9a-f]{32}",opaque="[0-9a-f]{32}"'
)


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


async def test_the_printed_form_of_the_path_can_be_had_and_is_always_taken(stored_conexa: NonVolatileMemory) -> None:
    async with bench(stored_conexa, han_conexa_user_suffix="") as conexa:
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


async def test_a_parameter_of_the_content_type_is_refused_on_request_only(stored_conexa: NonVolatileMemory) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    for plain, status in ((False, 200), (True, 400)):
        async with bench(stored_conexa, han_conexa_plain_content_type=plain) as conexa:
            answer = await conexa.signed("POST", MINE, Digest(), headers, b'{"method":"smgw-info"}')
            assert answer.status == status


async def test_bodies_in_pieces_fail(stored_conexa: NonVolatileMemory) -> None:
    body = b'16\r\n{"method":"smgw-info"}\r\n0\r\n\r\n'
    for taken, status in ((False, 400), (True, 200)):
        async with bench(stored_conexa, han_conexa_chunked=taken) as conexa:
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
    stored_conexa: NonVolatileMemory, option: str, announced: str, answers: dict[str, int]
) -> None:
    async with bench(stored_conexa, han_conexa_challenge=option) as conexa:
        for algorithm, status in answers.items():
            digest = Digest(force_md5=algorithm == "MD5")
            answer = await conexa.call("smgw-info", digest)
            assert (answer.status, digest.challenge["algorithm"]) == (status, announced)
            assert bool(answer.body) == (status == 200)


async def test_an_algorithm_that_is_not_meant_has_an_empty_answer(
    stored_conexa: NonVolatileMemory,
) -> None:
    """It is no wrong password: nobody is locked out by it (han 3.1)."""
    async with bench(stored_conexa, han_conexa_challenge="announced", han_conexa_unmeant_status=200) as conexa:
        for _ in range(7):
            answer = await conexa.call("smgw-info", Digest())
            assert (answer.status, answer.body) == (200, b"")
        assert "consumer_login_failed" not in conexa.log()
        assert (await conexa.call("smgw-info", Digest(force_md5=True))).body
        assert (await conexa.ask("GET", ROOT, JSON)).status == 401, "without any answer it asks"


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
