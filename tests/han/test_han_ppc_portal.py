"""PPC's portal: logins, sessions, tokens, refusals, pages in two languages, self-test (han 2.1 to 2.3, 7)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from han_ppc_clients import PATH, TECH_PATH, Browser, options, row_value, tokens
from han_ppc_rack import DEVICE, FOREIGN, METER, PASSWORDS, PROFILES, SUPPLY, Ppc, login, person, ppc
from lxml import html

ACTIONS = (
    "welcomePage", "meterform", "showMeterProfile", "showMeterValuesForm", "showMeterValues", "tariffform",
    "showTariffProfile", "showTarificationForm", "showTarification", "showTarificationRegister", "commprofile", "log",
    "swversions", "selftestform",
)  # fmt: skip


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


def alice(host: str, port: int) -> Browser:
    return Browser(host, port, "alice", PASSWORDS["alice"])


def bob(host: str, port: int) -> Browser:
    return Browser(host, port, "bob", PASSWORDS["bob"])


def every_page(one: Browser, language: str = "") -> dict[str, str]:
    """All good pages of the portal, each asked for with what it needs."""
    target = f"{PATH}?lang={language}" if language else PATH
    first = one.request("GET", target=target)
    token = tokens(first.text)[0]
    found = {"login": first.text}
    mid = options(one.post("meterform", token).text, "meterform_select_meter")[0][0]
    tid = options(one.post("tariffform", token).text, "tarifform_select_profile")[0][0]
    ttid = re.findall(r"name='ttid' value='([0-9a-f]+)'", one.post("showTarification", token, tid=tid).text)[0]
    for action in ACTIONS:
        found[action] = one.post(action, token, mid=mid, tid=tid, ttid=ttid).text
    return found


# --- answers


async def test_a_page_of_another_host_orders_no_self_test(gateway: Ppc) -> None:
    """A browser adds digest and cookie by itself, the token it does not know."""

    def order(host: str, port: int) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            for logged_in in (True, False):  # without a session it is a login, whose token is not looked at
                for body in ("action=selftest", f"action=selftest&tkn={'0' * 64}"):
                    one = alice(host, port)
                    if logged_in:
                        one.login()
                    answer = one.request("POST", body, headers=form | foreign)
                    assert "Unerlaubter Zugriff" in answer.text, (foreign, body)
        one = alice(host, port)
        token = tokens(one.login().text)[0]
        body = f"action=selftest&tkn={token}"
        assert "Selbsttest OK" in one.request("POST", body, headers=form | {"Origin": "null"}).text

    await gateway.outside(order)
    numbers = [number for number, _ in await gateway.events("system")]
    assert 10063 not in numbers
    await gateway.clock.sleep(2)
    await gateway.rack.ready()
    await gateway.clock.sleep(5)
    numbers = [number for number, _ in await gateway.events("system")]
    assert numbers.count(10063) == 1


async def test_a_refused_certificate_is_in_the_log(gateway: Ppc, tmp_path: Path) -> None:
    pem = person("alice").pem(tmp_path)

    def refused(host: str, port: int) -> None:
        for _ in range(5):
            Browser(host, port, "alice", "wrong").login()
        for _ in range(3):
            assert "Anmeldung fehlgeschlagen" in Browser(host, port, certificate=pem).login().text

    before = await gateway.logins()
    await gateway.outside(refused)
    assert (await gateway.logins())[len(before) :] == ["failure"] * 6


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
    found = await gateway.outside(lambda host, port: every_page(alice(host, port), language))
    for name, text in found.items():
        if name != "log":  # what was logged may tell of failures
            assert "Fehler" not in text, name
        document = html.fromstring(text)
        assert document.get("lang") == (language or "de")
        assert document.xpath("//input")[0].get("name") == "tkn"
        assert document.xpath("//p[@id='div_fwversion']")[0].text == "25456-25471"
        (stamp,) = document.xpath("//p[@id='div_timestamp']")
        assert stamp.text == "2026-03-30 12:07:14 (Letzte Synchronisation: 2026-03-30 11:30:00)" or re.fullmatch(
            r"2026-03-30 12:0\d:\d\d \(Letzte Synchronisation: 2026-03-30 11:30:00\)", stamp.text
        )
        assert '="' not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL), "attributes are in single quotes"
        assert len(document.xpath("//h1")) == 1
        assert all(one.get("value") for one in document.xpath("//input[@type='submit'] | //input[@name='tkn']")), name
        assert not document.xpath("//@onclick | //script | //link | //img"), "nothing is loaded, nothing runs"
        for field in document.xpath("//select | //input[@type='text']"):
            assert document.xpath(f"//label[@for='{field.get('id')}']"), "each field has a label"
    assert "<h1 id='headline_willkommen'>Willkommen</h1>" in found["login"]
    assert ("Log out" in found["login"]) is (language == "en")


async def test_other_paths_and_methods_are_refused(gateway: Ppc) -> None:
    def look(host: str, port: int) -> list[int]:
        one = alice(host, port)
        one.login()
        found = [one.request("GET", target=path).status for path in ("/", "/cgi-bin/", f"{PATH}/x", "/../etc/passwd")]
        return [*found, one.request("PUT").status, one.request("DELETE").status, one.request("HEAD").status]

    assert await gateway.outside(look) == [404, 404, 404, 404, 405, 405, 405]


# --- who it is


async def test_without_digest_nothing_is_shown_even_with_the_cookie(gateway: Ppc) -> None:
    """Han 2.1: the digest is needed on every request in addition to the cookie; a stolen cookie is worth nothing."""

    def look(host: str, port: int) -> None:
        one = alice(host, port)
        one.login()
        thief = Browser(host, port)
        thief.cookies = dict(one.cookies)
        assert thief.post("meterform").status == 401
        assert thief.answers[-1].body == b""
        other = bob(host, port)
        other.cookies = dict(one.cookies)
        text = other.post("meterform").text
        assert "Unerlaubter Zugriff" in text and METER.lower() not in text and FOREIGN.lower() not in text
        assert METER.lower() in one.post("meterform").text

    await gateway.outside(look)


async def test_a_wrong_password_gives_a_page_without_cookie_and_a_log_entry(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        one = Browser(host, port, "alice", "wrong")
        answer = one.login()
        assert (answer.status, answer.all("Set-Cookie")) == (200, [])
        assert "Fehler" in answer.text and "Anmeldung fehlgeschlagen" in answer.text
        assert Browser(host, port, "nobody", "x").login().text.count("Anmeldung fehlgeschlagen") >= 1

    await gateway.outside(look)
    assert await gateway.logins() == ["failure"]


async def test_after_five_failures_nobody_gets_in_for_five_minutes(gateway: Ppc) -> None:
    """Han 2.1, 7: 200 without cookie, with the minutes and seconds that remain."""

    def fail(host: str, port: int) -> None:
        for _ in range(5):
            Browser(host, port, "alice", "wrong").login()

    def left(host: str, port: int) -> tuple[int, int] | None:
        answer = alice(host, port).login()
        assert answer.status == 200
        if answer.all("Set-Cookie"):
            return None
        assert "Fehler" in answer.text and "Anmeldung fehlgeschlagen" in answer.text
        found = re.search(r"(\d+) Minuten und (\d+) Sekunden", answer.text)
        assert found is not None
        return int(found[1]), int(found[2])

    await gateway.outside(fail)
    assert await gateway.outside(left) in ((5, 0), (4, 59))
    await gateway.clock.sleep(200)
    assert await gateway.outside(left) in ((1, 40), (1, 39))
    await gateway.clock.sleep(110)
    assert await gateway.outside(left) is None
    assert (10061, "success") in await gateway.events("system")


async def test_a_consumer_logs_in_with_a_certificate_alone(gateway: Ppc, tmp_path: Path) -> None:
    pem = person("alice").pem(tmp_path)

    def look(host: str, port: int) -> None:
        one = Browser(host, port, certificate=pem)
        assert one.login().status == 200 and one.cookies["session"]
        assert METER.lower() in one.post("meterform").text

    await gateway.outside(look)
    assert await gateway.logins() == ["success"]


async def test_the_technicians_certificate_is_none_of_a_consumer(gateway: Ppc, tmp_path: Path) -> None:
    pem = person("tess").pem(tmp_path)
    assert (await gateway.outside(lambda host, port: Browser(host, port, certificate=pem).login())).status == 401


# --- sessions


async def test_a_second_login_ends_the_first_session(gateway: Ppc) -> None:
    """Han 2.1: one session per user; the nonce of the first gives an empty page, a fresh one says why."""

    def look(host: str, port: int) -> None:
        first, second = alice(host, port), alice(host, port)
        first.login()
        second.login()
        answer = first.post("meterform")
        assert (answer.status, answer.body, answer.all("Set-Cookie")) == (200, b"", [])
        again = first.post("meterform")  # 401 with a fresh nonce, and then
        assert [one.status for one in first.answers[-2:]] == [401, 200]
        assert "stale=true" in (first.answers[-2].header("WWW-Authenticate") or "")
        assert "Sitzung abgelaufen" in again.text and "Fehler" in again.text
        assert METER.lower() in second.post("meterform").text
        assert first.login().all("Set-Cookie"), "logging in again helps"

    await gateway.outside(look)


async def test_a_nonce_from_before_the_logout_gives_an_empty_page(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        one = alice(host, port)
        one.login()
        one.post("logout")
        empty = one.login()
        assert (empty.status, empty.body) == (200, b"")
        assert "Willkommen" in one.login().text

    await gateway.outside(look)


async def test_a_session_ends_when_nothing_is_asked_for_ten_minutes(gateway: Ppc) -> None:
    one = await gateway.outside(alice)
    await gateway.outside(lambda *_: one.login())
    for _ in range(3):
        await gateway.clock.sleep(500)
        assert METER.lower() in (await gateway.outside(lambda *_: one.post("meterform"))).text
    await gateway.clock.sleep(700)
    assert "Sitzung abgelaufen" in (await gateway.outside(lambda *_: one.post("meterform"))).text


async def test_ids_change_with_the_session_and_are_nobody_elses(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        seen = set()
        one = alice(host, port)
        for _ in range(3):
            one.login()
            ((mid, label),) = options(one.post("meterform").text, "meterform_select_meter")
            assert re.fullmatch("[0-9a-f]{32}", mid)
            seen.add(mid)
        assert len(seen) == 3 and label == f"01005e318002.{METER.lower()}.sm"
        old = min(seen - {mid})
        for action in ("showMeterProfile", "showMeterValues", "exportMeterValues", "exportMeterProfile"):
            assert "Unerlaubter Zugriff" in one.post(action, mid=old).text
            assert "Unerlaubter Zugriff" in one.post(action).text
        other = bob(host, port)
        other.login()
        assert "Unerlaubter Zugriff" in other.post("showMeterProfile", mid=mid).text
        for action in ("showTariffProfile", "showTarification", "showTarificationRegister", "exportTariffProfile"):
            assert "Unerlaubter Zugriff" in other.post(action, tid=mid, ttid=mid).text

    await gateway.outside(look)


async def test_a_token_may_be_missing_and_may_not_be_wrong(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        one, other = alice(host, port), bob(host, port)
        token, foreign = tokens(one.login().text)[0], tokens(other.login().text)[0]
        assert token != foreign and re.fullmatch("[0-9a-f]{64}", token)
        for good in (None, token):
            assert "meterform_select_meter" in one.post("meterform", good).text
        for bad in ("", "0", foreign, f"{token}0"):
            text = one.post("meterform", bad).text
            assert "Unerlaubter Zugriff" in text and "meterform_select_meter" not in text

    await gateway.outside(look)


async def test_consumers_see_their_own_alone(gateway: Ppc) -> None:
    """Bob owns a meter, and a contract over one direction of another: he sees that one register (han 1)."""

    def look(host: str, port: int) -> None:
        one = bob(host, port)
        pages = every_page(one)
        listed = {label: mid for mid, label in options(pages["meterform"], "meterform_select_meter")}
        assert listed.keys() == {f"01005e318002.{name.lower()}.sm" for name in (SUPPLY, FOREIGN)}
        text = one.post("showMeterProfile", mid=listed[f"01005e318002.{SUPPLY.lower()}.sm"]).text
        assert re.findall(r"id='table_metervalues_col_obis'>([^<]*)<", text) == ["1-0:1.8.0"]
        assert not any(METER.lower() in page for page in pages.values())
        assert [label for _, label in options(pages["tariffform"], "tarifform_select_profile")] == ["TAF7_OCT_B+E"]

    await gateway.outside(look)


async def test_rights_of_the_profile_are_kept() -> None:
    profiles = tuple(one for one in PROFILES if one["id"] != "han-alice")
    async with ppc(profiles=(*profiles, login("alice", rights=["values"]))) as gateway:

        def look(host: str, port: int) -> None:
            one = alice(host, port)
            one.login()
            assert "meterform_select_meter" in one.post("meterform").text
            for action in ("tariffform", "log", "exportLogData", "selftest"):
                assert "Unerlaubter Zugriff" in one.post(action).text

        await gateway.outside(look)


# --- what is shown


async def test_a_gap_and_an_unusable_value_are_told(gateway: Ppc) -> None:
    def look(host: str, port: int) -> list[tuple[str, str, str]]:
        one = alice(host, port)
        one.login()
        mid = options(one.post("meterform").text, "meterform_select_meter")[0][0]
        span = {"from": "2026-03-28 13:00:00", "to": "2026-03-28 14:00:01"}
        rows = html.fromstring(one.post("showMeterValues", mid=mid, **span).text).xpath("//table[@id='metervalue']//tr")
        return [
            tuple(
                cell[0].text_content() if (cell := row.xpath(f"./td[@id='table_metervalues_col_{name}']")) else "-"
                for name in ("timestamp", "istvalide", "obis")
            )
            for row in rows[1:]
        ]  # type: ignore[misc]

    rows = await gateway.outside(look)
    assert rows[:2] == [("2026-03-28 14:00:01", "2", "1-0:1.8.0"), ("-", "2", "1-0:2.8.0")]
    assert rows[2] == ("2026-03-28 13:45:01", "1", "1-0:1.8.0")
    assert rows[-1] == ("2026-03-28 13:00:00", "3", "")


@pytest.mark.parametrize("text", ["2026-13-01", "gestern", "2026-03-28 25:00:00", "<script>", "9" * 300])
async def test_a_senseless_time_is_refused_and_not_executed(gateway: Ppc, text: str) -> None:
    def look(host: str, port: int) -> None:
        one = alice(host, port)
        one.login()
        mid = options(one.post("meterform").text, "meterform_select_meter")[0][0]
        for action in ("showMeterValues", "exportMeterValues", "log", "exportLogData"):
            answer = one.post(action, mid=mid, **{"from": text})
            assert answer.status == 200 and "Ungültige Zeitangabe" in answer.text and "<script>" not in answer.text

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


async def test_an_empty_span_of_the_log_says_so_behind_its_page(gateway: Ppc) -> None:
    """Han 2.2: the heading ends "Seite 1", followed by "Keine Daten vorhanden."."""

    def look(host: str, port: int) -> tuple[str, str]:
        one = alice(host, port)
        one.login()
        span = {"from": "2020-01-01 00:00:00", "to": "2020-01-02 00:00:00"}
        return one.post("log", **span).text, one.post("exportLogData", **span).text

    page, export = await gateway.outside(look)
    content = html.fromstring(page).xpath("//main")[0].text_content()
    assert re.search(r"Seite 1\s+Keine Daten vorhanden\.", content)
    assert export.strip() == "Keine Daten vorhanden."


async def test_the_language_changes_within_the_session(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        one = alice(host, port)
        one.login()
        cookie = dict(one.cookies)
        english = one.request("GET", target=f"{PATH}?lang=en")
        assert one.cookies == cookie and "Log out" in english.text
        profile = every_page(one, "en")["showMeterProfile"]
        assert row_value(profile, "Ausleseintervall") == "900", "what clients look for stays German"
        assert "Current values" in profile
        foreign = alice(host, port).request("GET", headers={"Accept-Language": "en-GB,en;q=0.9"})
        assert "Log out" in foreign.text

    await gateway.outside(look)


async def test_old_firmware_puts_the_session_before_the_page() -> None:
    async with ppc(han_ppc_session="body", han_ppc_old_columns=True, han_ppc_validity="words") as gateway:

        def look(host: str, port: int) -> None:
            one = alice(host, port)
            answer = one.login()
            assert answer.all("Set-Cookie") == []
            found = re.match(r"sessionid=([0-9a-f]{32})&", answer.text)
            assert found is not None
            listed = one.post("meterform", sessionid=found[1])
            assert not listed.text.startswith("sessionid=")
            mid = options(listed.text, "meterform_select_meter")[0][0]
            text = one.post("showMeterProfile", sessionid=found[1], mid=mid).text
            assert "table_metervaleus_col_obis" in text and "table_metervalues_col_obis" not in text
            assert re.findall(r"id='table_metervalues_col_istvalide'>([^<]*)<", text) == ["gültig"] * 2

        await gateway.outside(look)


async def test_a_self_test_confirms_at_once_and_restarts(gateway: Ppc) -> None:
    """Han 2.2, [PPC] 4.4: the page, the restart, then the result in the system log; sessions are gone with it."""

    def order(host: str, port: int) -> Browser:
        one = alice(host, port)
        one.login()
        assert "Selbsttest OK" in one.post("selftest").text
        return one

    one = await gateway.outside(order)
    await gateway.clock.sleep(2)
    assert (await gateway.rack.console.info())["phase"] != "ready"
    await gateway.rack.ready()
    await gateway.clock.sleep(5)
    numbers = [number for number, _ in await gateway.events("system")]
    assert numbers.index(10063) < numbers.index(10064)
    one.host, one.port = gateway.address
    assert "Sitzung abgelaufen" in (await gateway.outside(lambda *_: one.post("meterform"))).text
    assert "Willkommen" in (await gateway.outside(lambda *_: one.login())).text


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


# --- technician


async def test_the_technician_reads_the_system_log_in_tens(gateway: Ppc, tmp_path: Path) -> None:
    """[PPC] 4.2, han 2.5: ten entries on a page, the id directly in front of the text, levels and outcomes."""
    pem = person("tess").pem(tmp_path)
    await gateway.outside(lambda host, port: Browser(host, port, certificate=pem).request("GET", target=TECH_PATH))
    await gateway.clock.sleep(1)  # what is logged is stored in the gateway's own time

    def look(host: str, port: int) -> None:
        one = Browser(host, port, certificate=pem)
        start = one.request("GET", target=TECH_PATH)
        assert one.cookies == {}
        menu = html.fromstring(start.text).xpath("//nav//input[@type='submit']/@value")
        assert menu == ["Logs", "Systeminformationen", "Selbsttest", "Abmelden"]
        session = re.findall(r"name='session' value='([0-9a-f]+)'", start.text)[0]

        def ask(action: str, **fields: str) -> str:
            body = "&".join(
                f"{name}={value}" for name, value in {"action": action, "session": session, **fields}.items()
            )
            return one.request("POST", body, target=TECH_PATH).text

        assert "Anzeigen" in ask("logs")
        span = {"from": "2026-03-30 00:00:00", "to": "2026-03-30 23:59:59"}
        first = ask("showLogs", **span)
        assert "Von 2026-03-30 00:00:00 bis 2026-03-30 23:59:59, Seite 1" in first
        rows = [
            [cell.text_content() for cell in row.xpath("./td")]
            for row in html.fromstring(first).xpath("//table[@id='logs']//tr")[1:]
        ]
        assert len(rows) == 10
        assert all(re.match(r"\d{5}[^\d ]", row[2]) for row in rows), "the id is directly in front"
        assert [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=True)
        pages = [ask("showLogs", page=str(number), **span) for number in range(1, 12)]
        assert "10174Servicetechniker tess" in "".join(pages)
        assert {row[3] for row in rows} <= {"erfolgreich", "fehlgeschlagen"}
        assert "button_forward" in first and "button_back" not in first
        second = ask("showLogs", page="2", **span)
        assert "Seite 2" in second and "button_back" in second
        system = ask("systeminfo")
        assert row_value(system, "SMGW Id") == f"{DEVICE.lower()}.sm"
        assert html.fromstring(system).xpath("//p[@id='div_fwversion']")[0].text == "25456-25471"
        for action, fields, error in (
            ("showLogs", {}, "Keine Daten vorhanden."),
            ("showLogs", {"from": "2020-01-01", "to": "2020-01-02"}, "Keine Einträge vorhanden"),
            ("showLogs", {"from": "soon", "to": "2020-01-02"}, "Ungültige Zeitangabe soon"),
            ("showLogs", {"from": "2020-01-01", "to": "later"}, "Ungültige Zeitangabe later"),
            ("format", {}, "Unbekannte Aktion format"),
        ):
            assert error in ask(action, **fields)
        assert "Invalide Session" in one.request("POST", "action=logs", target=TECH_PATH).text
        again = "Sie müssen das Fenster schließen und sich erneut anmelden"
        assert again in one.request("POST", "action=logs&session=0", target=TECH_PATH).text
        ask("logout")
        assert again in ask("logs")

    await gateway.outside(look)


async def test_without_the_right_certificate_there_are_no_technicians_pages(gateway: Ppc, tmp_path: Path) -> None:
    pem = person("alice").pem(tmp_path)

    def look(host: str, port: int) -> None:
        for one in (Browser(host, port), Browser(host, port, certificate=pem), alice(host, port)):
            answer = one.request("GET", target=TECH_PATH)
            assert answer.status == 403 and "erneut anmelden" in answer.text and "Logs" not in answer.text

    await gateway.outside(look)


async def test_a_technician_orders_a_self_test(gateway: Ppc, tmp_path: Path) -> None:
    pem = person("tess").pem(tmp_path)

    def order(host: str, port: int) -> str:
        one = Browser(host, port, certificate=pem)
        session = re.findall(r"name='session' value='([0-9a-f]+)'", one.request("GET", target=TECH_PATH).text)[0]
        return one.request("POST", f"action=selftest&session={session}", target=TECH_PATH).text

    assert "Selbsttest OK" in await gateway.outside(order)
    await gateway.clock.sleep(2)
    await gateway.rack.ready()
    await gateway.clock.sleep(5)
    assert {10174, 10063, 10064} <= {number for number, _ in await gateway.events("system")}
