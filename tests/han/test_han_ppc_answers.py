"""PPC's portal: headers, what every page has, senseless requests, `curl` (han 2.1 to 2.3, 7)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from han_ppc_clients import PATH, options, row_value, tokens
from han_ppc_rack import PASSWORDS, Ppc, ppc
from han_ppc_visits import alice, every_page
from lxml import html


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


async def test_headers_are_those_of_the_sheet(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        one = alice(host, port)
        for answer in (one.login(), one.answers[0], one.post("meterform"), one.post("no such action")):
            for name, value in {
                "Content-type": "text/html; charset=utf-8",
                "Cache-Control": "max-age=0, must-revalidate, no-cache, no-store",
                "Pragma": "no-cache",
                "Expires": "0",
                "X-FRAME-OPTIONS": "deny",
                "X-Content-Type-Options": "nosniff",
                "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
                "Server": "SmartMeterGateway",
            }.items():
                assert answer.all(name) == [value]
            assert answer.header("X-XSS-Protection")
        assert re.fullmatch(r"session=[0-9a-f]{32};secure;HttpOnly", one.answers[1].all("Set-Cookie")[0])
        assert [len(answer.all("Set-Cookie")) for answer in one.answers] == [0, 1, 0, 0]

    await gateway.outside(look)


@pytest.mark.parametrize("language", ["", "de", "en"])
async def test_good_pages_have_head_foot_token_and_no_word_of_failure(gateway: Ppc, language: str) -> None:
    await gateway.outside(lambda host, port: alice(host, port).login())
    await gateway.clock.sleep(1)  # until it is in the log
    found = await gateway.outside(lambda host, port: every_page(alice(host, port), language))
    assert ("Consumer alice has logged in" if language == "en" else "Anmeldung des Letztverbrauchers") in found["log"]
    for name, text in found.items():
        assert "Fehler" not in text, name
        document = html.fromstring(text)
        assert document.get("lang") == (language or "de")
        assert document.xpath("//input")[0].get("name") == "tkn"
        assert document.xpath("//p[@id='div_fwversion']")[0].text == "25456-25471"
        (stamp,) = document.xpath("//p[@id='div_timestamp']")
        words = "Last synchronisation" if language == "en" else "Letzte Synchronisation"
        assert re.fullmatch(rf"2026-03-30 12:0\d:\d\d \({words}: 2026-03-30 11:30:00\)", stamp.text)
        assert '="' not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL), "attributes are in single quotes"
        assert len(document.xpath("//h1")) == 1
        assert all(one.get("value") for one in document.xpath("//input[@type='submit'] | //input[@name='tkn']")), name
        assert not document.xpath("//@onclick | //script | //link | //img"), "nothing is loaded, nothing runs"
        for field in document.xpath("//select | //input[@type='text']"):
            assert document.xpath(f"//label[@for='{field.get('id')}']"), "each field has a label"
    welcome = "Welcome" if language == "en" else "Willkommen"
    assert f"<h1 id='headline_willkommen'>{welcome}</h1>" in found["login"]
    assert ("Log out" in found["login"]) is (language == "en")


async def test_other_paths_and_methods_are_refused(gateway: Ppc) -> None:
    def look(host: str, port: int) -> list[int]:
        one = alice(host, port)
        one.login()
        found = [one.request("GET", target=path).status for path in ("/", "/cgi-bin/", f"{PATH}/x", "/../etc/passwd")]
        return [*found, one.request("PUT").status, one.request("DELETE").status, one.request("HEAD").status]

    assert await gateway.outside(look) == [404, 404, 404, 404, 405, 405, 405]


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "german", "english"),
    [
        ("GET", "/", None, 404, "Diese Seite gibt es nicht", "There is no such page"),
        ("PUT", PATH, "", 405, "So kann diese Seite nicht aufgerufen werden", "This page cannot be called like that"),
        ("POST", PATH, "a" * 70_000, 413, "Die Anfrage ist zu lang", "The request is too long"),
        ("POST", f"{PATH}?", "a=1", 417, "Die Anfrage kann nicht beantwortet werden", "The request cannot be answered"),
    ],
)
@pytest.mark.parametrize("language", ["de", "en"])
async def test_refusals_have_the_headers_and_words_of_the_product(
    gateway: Ppc, method: str, target: str, body: str | None, status: int, german: str, english: str, language: str
) -> None:
    def look(host: str, port: int) -> None:
        asked = f"{target}{'' if target.endswith('?') else '?'}lang={language}"
        headers = {"Expect": "a-miracle"} if status == 417 else {}
        answer = alice(host, port).raw(method, asked, body, headers)
        assert (answer.status, answer.header("Content-Length")) == (status, str(len(answer.body)))
        assert answer.all("Server") == ["SmartMeterGateway"]
        assert answer.all("X-FRAME-OPTIONS") == ["deny"]
        assert answer.all("Content-type") == ["text/html; charset=utf-8"]
        said = html.document_fromstring(answer.text).xpath("//p[@role='alert']")
        assert [one.text_content() for one in said] == [german if language == "de" else english]
        told = (answer.text + " ".join(value for _, value in answer.headers)).lower()
        assert not any(one in told for one in ("aiohttp", "python", "text/plain", "maximum request body", "not found"))

    await gateway.outside(look)


async def test_senseless_requests_do_not_bring_it_down(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        one = alice(host, port)
        one.login()
        for body in ("", "a" * 60_000, "&" * 1000, "=" * 100, "%ff%fe=%00", "action=%00", "action=meterform&" * 200):
            assert one.request("POST", body).status == 200
        for page in ("0", "-1", "99999999999999999999", "1e3", "x", "²"):
            assert one.post("log", page=page).status == 200
        mid = options(one.post("meterform").text, "meterform_select_meter")[0][0]
        for name in ("0001-01-01", "1970-01-01", "2199-12-31 23:59:59", "9999-12-31 23:59:59"):
            for field in ("from", "to"):
                assert one.post("showMeterValues", mid=mid, **{field: name}).status == 200
        assert one.post("showMeterValues", mid="' OR 1=1 --").status == 200
        assert one.request("GET", target=f"{PATH}?action=meterform&action=log").status == 200
        assert one.request("POST", "action=meterform", headers={"Cookie": "session=" + "é" * 50}).status == 200

    await gateway.outside(look)
    assert (await gateway.rack.console.info())["phase"] == "ready"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl command")
async def test_curl_works_as_a_person_would_try_it(gateway: Ppc, tmp_path: Path) -> None:
    """A form without a login before: the answer brings the cookie, as published shell scripts rely on."""

    def curl(host: str, port: int, *words: str) -> str:
        command = ["curl", "--silent", "--insecure", "--digest", "--user", f"alice:{PASSWORDS['alice']}", *words]
        done = subprocess.run([*command, f"https://{host}:{port}{PATH}"], capture_output=True, timeout=30, check=True)
        return done.stdout.decode()

    jar = str(tmp_path / "jar")
    listed = await gateway.outside(curl, "--data", "action=meterform", "--cookie-jar", jar)
    mid = options(listed, "meterform_select_meter")[0][0]
    form = ["--cookie", jar, "--data", f"action=showMeterProfile&mid={mid}&tkn={tokens(listed)[0]}"]
    assert row_value(await gateway.outside(curl, *form), "Kommunikationstyp") == "HDLC"
