"""What an emulated CONEXA answers where nothing answers: its own words, nothing of the software beneath (han 3.1)."""

from __future__ import annotations

import asyncio

import pytest
from han_conexa_calls import MINE, ROOT
from han_conexa_rig import JSON, PASSWORD, USER, Answer, Bench, Digest
from lxml import html

from firmware.han.conexa.texts import WORDS

LEAKS = ("aiohttp", "python", "not found", "method not allowed", "too large", "maximum request body", "expect:",
         "text/plain", "traceback")  # fmt: skip
"""What the web server's own answers have in them, its header Server included."""
LONG = b" " * 70_000


def plain(answer: Answer) -> Answer:
    """The answer, which must have its length and nothing of the web server in it."""
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    told = " ".join((*answer.headers.values(), answer.body.decode())).lower()
    assert [one for one in LEAKS if one in told] == []
    return answer


PROGRAMS = [
    ("GET", f"{ROOT}/x/y", None, 404), ("POST", f"{ROOT}/{USER}.sm/xml", b"{}", 404), ("PUT", ROOT, b"{}", 405),
    ("GET", MINE, None, 405), ("POST", f"{ROOT}/x/json", b"{}", 404), ("POST", MINE, LONG, 413),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status"), PROGRAMS)
async def test_programs_get_a_reason_in_json(
    conexa: Bench, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = plain(await conexa.signed(method, path, Digest(), JSON, body))
    assert (answer.status, set(answer.json), answer.json["version"]) == (status, {"error", "version"}, "1.3.0")
    assert answer.json["error"]


BROWSERS = [
    ("GET", "/favicon.ico", None, 404), ("GET", "/smgw", None, 404), ("GET", "//evil.example/x", None, 404),
    ("GET", f"/smgw/m2m-{USER}", None, 404), ("POST", "/", b"a=1", 405), ("DELETE", "/smgw/web/x.sm", None, 405),
    ("POST", "/smgw/web/x.sm/logout", LONG, 413),
]  # fmt: skip


@pytest.mark.parametrize("lang", ["de", "en"])
@pytest.mark.parametrize(("method", "path", "body", "status"), BROWSERS)
async def test_browsers_get_a_page_in_their_language(
    conexa: Bench, method: str, path: str, body: bytes | None, status: int, lang: str
) -> None:
    answer = plain(await conexa.ask(method, path, {"Accept-Language": lang}, body))
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = html.document_fromstring(answer.body.decode())
    assert page.get("lang") == lang
    (said,) = page.xpath("//*[@id='refusal']")
    assert said.text_content() == WORDS["de" if lang == "de" else "en"][f"refused_{status}"]
    assert {link.split("?")[0] for link in page.xpath("//a/@href")} == {"#content", "/"}


async def test_a_405_names_the_methods_that_there_are(conexa: Bench) -> None:
    answer = await conexa.ask("POST", "/smgw/logged-out", None, b"")
    assert (answer.status, answer.headers["allow"]) == (405, "GET,HEAD")


async def test_a_form_without_its_token_gets_a_page(conexa: Bench) -> None:
    digest = Digest()
    first = await conexa.signed("GET", "/", digest)
    headers = {"Cookie": first.headers["set-cookie"].split(";")[0], "Content-Type": "application/x-www-form-urlencoded"}
    answer = plain(await conexa.signed("POST", first.headers["location"] + "/logout", digest, headers, b"token=1"))
    assert answer.status == 403
    assert WORDS["de"]["refused_403"] in answer.body.decode()


async def test_the_head_of_an_unknown_page_has_no_body(conexa: Bench) -> None:
    answer = await conexa.ask("HEAD", "/nothing")
    assert (answer.status, answer.body) == (404, b"")
    assert (await conexa.ask("GET", "/nothing")).status == 404  # the connection goes on


@pytest.mark.parametrize("path", ["/", MINE])
async def test_an_expectation_that_nobody_knows_is_refused_in_own_words(conexa: Bench, path: str) -> None:
    answer = plain(await conexa.ask("POST", path, {**JSON, "Expect": "a-miracle"}, b"{}"))
    assert answer.status == 417


async def test_a_failure_of_the_gateway_says_nothing_of_it(conexa: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError("secret place")

    monkeypatch.setattr("firmware.han.conexa.m2m.call_of", failing)
    answer = plain(await conexa.signed("POST", MINE, Digest(), JSON, b"{}"))
    assert (answer.status, set(answer.json)) == (500, {"error", "version"})
    assert b"secret" not in answer.body
    conexa.gateway.crashes.clear()


@pytest.mark.parametrize(
    "octets", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nA" + b"a" * 9000]
)
async def test_what_is_no_request_gets_no_word_of_the_server(conexa: Bench, octets: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", conexa.port, ssl=conexa.context())
    writer.write(octets)
    told = (await asyncio.wait_for(reader.read(), 20)).decode().lower()
    writer.close()
    assert told.split()[1] == "400"
    assert not any(one in told for one in ("aiohttp", "python", "traceback", PASSWORD))
