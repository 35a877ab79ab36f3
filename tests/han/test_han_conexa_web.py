"""The pages of an emulated CONEXA for browsers ([CONEXA] E-4), by cookie and digest or certificate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from han_conexa_rig import (
    OTHER,
    OTHER_PASSWORD,
    TECHNICIAN,
    USER,
    Answer,
    Bench,
    Digest,
    bench,
    client_certificate,
    container,
)
from lxml import html

from devices.gateway_types import load
from firmware.han.conexa.texts import STATES, WORDS
from firmware.storage.memory import NonVolatileMemory

HOME = f"/smgw/web/{USER}.sm"
SERVICE = f"/smgw/srv/{TECHNICIAN}.sm"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Browser:
    """Keeps a cookie and the last challenge, and sends both with every request, as browsers do."""

    def __init__(self, conexa: Bench, digest: Digest | None = None, certificate: Path | None = None) -> None:
        self.conexa = conexa
        self.digest = digest
        self.certificate = certificate
        self.cookie = ""
        self.prompts = 0
        self.page: html.HtmlElement | None = None
        self.token = ""

    async def get(self, target: str) -> Answer:
        """A page, redirects followed."""
        return await self._to("GET", target, None)

    async def press(self, button: str, token: str | None = None) -> Answer:
        """A button of the page that is shown."""
        assert self.page is not None
        (form,) = self.page.xpath(f"//form[.//button[@id='{button}']]")
        (sent,) = form.xpath(".//input[@name='token']/@value")
        return await self._to("POST", form.get("action"), f"token={sent if token is None else token}".encode())

    async def _to(self, method: str, target: str, body: bytes | None) -> Answer:
        for _ in range(5):
            answer = await self._once(method, target, body)
            if answer.status != 303:
                break
            method, target, body = "GET", answer.headers["location"], None
        if answer.body.startswith(b"<!DOCTYPE html>"):
            self.page = html.document_fromstring(answer.body.decode())
        return answer

    async def _once(self, method: str, target: str, body: bytes | None) -> Answer:
        headers = dict(FORM) if body is not None else {}
        if self.cookie:
            headers["Cookie"] = self.cookie
        for attempt in range(2):
            if self.digest is not None and self.digest.challenge:
                headers["Authorization"] = self.digest.header(method, target)
            answer = await self.conexa.ask(method, target, headers, body, self.certificate)
            if "set-cookie" in answer.headers:
                self.cookie = answer.headers["set-cookie"].split(";")[0]
            if answer.status != 401 or self.digest is None or attempt:
                return answer
            self.prompts += "stale=true" not in answer.headers["www-authenticate"]
            self.digest.learn(answer.headers["www-authenticate"])
        return answer

    def text(self, path: str) -> str:
        """What stands at a place of the page."""
        assert self.page is not None
        (found,) = self.page.xpath(path)
        return str(found.text_content()).strip()


@pytest.fixture
def browser(conexa: Bench) -> Browser:
    return Browser(conexa, Digest())


async def test_the_bare_address_leads_to_the_home_page_of_whoever_logs_in(browser: Browser) -> None:
    answer = await browser.get("/")
    assert (answer.status, browser.text("//h1")) == (200, "Startseite")
    assert browser.text("//code[@id='smgw_id']") == "ETHE0300004261"
    assert browser.text("//*[@id='smgw_version']") == "3.0"
    assert browser.text("//*[@id='smgw_state']") == "Normalbetrieb"
    assert [browser.text(f"//*[@id='menu_{one}']") for one in ("home", "selftest", "logout")] == [
        "Startseite", "SMGW-Selbsttest", "Abmelden"
    ]  # fmt: skip
    assert browser.prompts == 1
    await browser.conexa.stored()
    assert browser.conexa.log().count("consumer_logged_in") == 1


async def test_the_cookie_is_for_this_device_and_for_tls_only(conexa: Bench) -> None:
    browser = Browser(conexa, Digest())
    first = await browser._once("GET", "/", None)
    given = first.headers["set-cookie"].lower()
    assert all(word in given for word in ("secure", "httponly", "samesite=strict", "path=/"))
    assert re.match(r"smgw_session=[0-9a-f]{32};", given)


async def test_pages_load_nothing_and_stay_with_themselves(browser: Browser) -> None:
    answer = await browser.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert browser.page is not None
    assert browser.page.xpath("//@src | //link/@href") == []


async def test_pages_speak_german_and_english(browser: Browser) -> None:
    await browser.get("/")
    for lang, title in (("en", "Home"), ("de", "Startseite")):
        await browser.get(f"{HOME}?lang={lang}")
        assert browser.page is not None
        assert (browser.page.get("lang"), browser.text("//h1")) == (lang, title)
    await browser.get(f"{HOME}?lang=en")
    await browser.press("menu_selftest")
    assert browser.text("//h1") == "SMGW self-test"


async def test_the_english_page_names_the_state_in_english(browser: Browser) -> None:
    await browser.get("/")
    for lang, name in (("en", "Normal operation"), ("de", "Normalbetrieb")):
        await browser.get(f"{HOME}?lang={lang}")
        assert browser.text("//*[@id='smgw_state']") == name


def test_each_state_has_an_english_name() -> None:
    names = {neutral: STATES.get(neutral, one.name) for neutral, one in load("conexa").states.items()}
    assert names == {
        "off": "off", "run": "Normal operation", "restricted": "Secure State Application",
        "connectivity_cut": "Secure State Connectivity", "stopped": "Secure State Boot",
        "boot_loop": "Cyclic restart of the system",
    }  # fmt: skip


def test_both_languages_have_the_same_words() -> None:
    assert set(WORDS["de"]) == set(WORDS["en"])


async def test_a_self_test_is_started_by_its_button_and_counts_down(browser: Browser) -> None:
    await browser.get("/")
    await browser.press("menu_selftest")
    assert browser.text("//p[@id='note']") == "Selbsttest wurde gestartet"
    assert browser.page is not None
    (left,) = browser.page.xpath("//*[@id='countdown']/@data-seconds")
    assert 590 <= int(left) <= 600
    assert re.fullmatch(r"(9:5\d|10:00)", browser.text("//*[@id='countdown']"))
    await browser.press("menu_selftest")
    assert "nicht gestartet" in browser.text("//p[@id='note']")
    assert browser.conexa.log().count("selftest_started") == 1
    assert (await browser.conexa.call("self-test")).status == 403
    browser.conexa.clock.forward(300)
    await browser.get(f"{HOME}/selftest")
    (left,) = browser.page.xpath("//*[@id='countdown']/@data-seconds")
    assert 290 <= int(left) <= 300
    browser.conexa.clock.forward(301)
    await browser.get(f"{HOME}/selftest")
    assert browser.page.xpath("//*[@id='free']")


async def test_a_self_test_of_a_program_locks_the_button_too(browser: Browser) -> None:
    assert (await browser.conexa.call("self-test")).status == 200
    await browser.get("/")
    await browser.press("menu_selftest")
    assert "nicht gestartet" in browser.text("//p[@id='note']")


async def test_a_right_that_was_taken_away_is_gone_from_a_session_too(browser: Browser) -> None:
    await browser.get("/")
    session = browser.conexa.gateway._session
    assert session is not None
    less = {"rights": ["consumer_log"]}
    kept = [one for one in container()["profiles"] if one.get("user") == USER]
    assert len(kept) == 2
    assert session.profiles.change([one | less for one in kept]).good
    await browser.press("menu_selftest")
    assert browser.text("//p[@id='note']") == WORDS["de"]["not_allowed"]
    await browser.conexa.stored()
    assert browser.conexa.log().count("selftest_started") == 0
    assert browser.conexa.log().count("consumer_logged_in") == 1


async def test_a_form_without_its_token_does_nothing(browser: Browser) -> None:
    for token in ("", "0" * 32, "x"):
        await browser.get("/")
        assert (await browser.press("menu_selftest", token)).status == 403
    assert "selftest_started" not in browser.conexa.log()


async def test_who_has_logged_out_has_to_log_in_anew(browser: Browser) -> None:
    await browser.get("/")
    old = browser.cookie
    await browser.press("menu_logout")
    assert browser.text("//h1") == "Abmelden erfolgreich"
    assert browser.prompts == 1
    await browser.conexa.stored()
    assert browser.conexa.log()[-1] == "consumer_logged_out"
    browser.cookie = old
    await browser.get(HOME)
    assert (browser.text("//h1"), browser.prompts) == ("Startseite", 2)


async def test_ten_minutes_without_a_request_end_a_session(browser: Browser) -> None:
    await browser.get("/")
    browser.conexa.clock.forward(590)
    await browser.get(HOME)
    assert browser.prompts == 1
    browser.conexa.clock.forward(595)
    await browser.get(HOME)
    assert browser.prompts == 1, "a nonce that has run out is replaced without the person"
    browser.conexa.clock.forward(605)
    await browser.get(HOME)
    assert (browser.prompts, browser.text("//h1")) == (2, "Startseite")


async def test_a_session_lasts_48_hours_at_most(stored_conexa: NonVolatileMemory) -> None:
    async with bench(stored_conexa, han_session_s=1500.0) as conexa:
        browser = Browser(conexa, Digest())
        await browser.get("/")
        for _ in range(4):
            conexa.clock.forward(370)
            await browser.get(HOME)
        assert browser.prompts == 1
        conexa.clock.forward(30)
        await browser.get(HOME)
        assert browser.prompts == 2


async def test_a_stolen_cookie_alone_is_worth_nothing(browser: Browser) -> None:
    await browser.get("/")
    thief = Browser(browser.conexa, None)
    thief.cookie = browser.cookie
    assert (await thief.get(HOME)).status == 401
    other = Browser(browser.conexa, Digest(OTHER, OTHER_PASSWORD))
    other.cookie = browser.cookie
    await other.get(HOME)
    assert USER not in html.tostring(other.page).decode()


async def test_pages_of_another_user_do_not_exist(browser: Browser) -> None:
    await browser.get("/")
    for path in (f"/smgw/web/{OTHER}.sm", f"/smgw/srv/{USER}.sm", SERVICE, f"/smgw/srv/{USER}.sm/log"):
        assert (await browser.get(path)).status == 404


async def test_who_gives_up_sees_a_page_and_how_long_he_is_locked_out(conexa: Bench) -> None:
    browser = Browser(conexa, None)
    answer = await browser.get("/")
    assert (answer.status, browser.text("//h1")) == (401, "Anmeldung erforderlich")
    for _ in range(5):
        await conexa.call("smgw-info", Digest(password="falsch"))
    await browser.get("/")
    assert re.fullmatch(r"(4:5\d|5:00)", browser.text("//*[@id='countdown']"))
    right = Browser(conexa, Digest())
    assert (await right.get("/")).status == 401


async def test_a_certificate_logs_in_without_a_question(conexa: Bench, tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_bytes(client_certificate(USER)[1])
    browser = Browser(conexa, None, file)
    assert (await browser.get("/")).status == 200
    assert browser.text("//h1") == "Startseite"
    await browser.press("menu_logout")
    assert browser.text("//h1") == "Abmelden erfolgreich"


async def test_a_technician_sees_the_system_log_and_no_consumer_pages(conexa: Bench, tmp_path: Path) -> None:
    file = tmp_path / "client.pem"
    file.write_bytes(client_certificate(TECHNICIAN)[1])
    browser = Browser(conexa, None, file)
    assert (await browser.get("/")).status == 200
    assert browser.text("//h1") == "Diagnose"
    session = conexa.gateway._session
    assert session is not None
    for _ in range(60):
        session.control.event("time_restored")
    await conexa.stored()
    await browser.get(f"{SERVICE}/log")
    assert browser.page is not None
    assert len(browser.page.xpath("//table[@id='system_log']/tbody/tr")) == 50
    newest = int(browser.page.xpath("//table[@id='system_log']/tbody/tr[1]/td[1]/text()")[0])
    await browser.get(browser.page.xpath("//a[@rel='next']/@href")[0])
    assert int(browser.page.xpath("//table[@id='system_log']/tbody/tr[1]/td[1]/text()")[0]) == newest - 50
    for strange in ("0", "-1", "x", "99999999", "٣"):
        assert (
            await browser.get(f"{SERVICE}/log?page={strange.encode().hex() if strange == '٣' else strange}")
        ).status == 200
    for lang, words in (("de", "Zeit"), ("en", "time")):
        await browser.get(f"{SERVICE}/log?lang={lang}")
        assert words in browser.text("//table[@id='system_log']/tbody/tr[2]/td[5]").split()
    assert (await browser.get(HOME)).status == 404
    texts = [one.event for one in session.control.journal.books["system", ""].read()]
    assert "technician_logged_in" in texts
