"""CASA's user portal: login, start page, user log, value lists, self-test ([CASA] 7.2 to 7.5; han 4.1), over TLS."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession
from han_casa_rack import END, HUID, PASSWORDS, Casa, casa, certified, json_of, person
from lxml import html

from devices.clock import Clock


@pytest.fixture
async def gateway(clock: Clock) -> AsyncIterator[Casa]:
    async with casa(clock) as found:
        yield found


async def page(answer: ClientResponse, status: int = 200) -> Any:
    """The tree of a page, which must be one that loads nothing and cannot be framed."""
    text = await answer.text()
    assert (answer.status, answer.content_type) == (status, "text/html"), text[:500]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    tree = html.fromstring(text)
    _is_accessible(tree)
    return tree


def _is_accessible(tree: Any) -> None:
    """Language, one heading of the first order, labels, heads of tables, names of regions; no style of its own."""
    assert tree.get("lang") in ("de", "en")
    assert tree.xpath("//title/text()")[0].strip()
    assert len(tree.xpath("//h1")) == 1
    for one in tree.xpath("//input[not(@type='hidden')]"):
        assert tree.xpath(f"//label[@for='{one.get('id')}']"), html.tostring(one)
    for table in tree.xpath("//table"):
        assert table.xpath(".//thead//th[@scope='col']")
    for one in tree.xpath("//*[@tabindex='0']"):
        assert one.get("aria-label") or one.get("aria-labelledby")
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert set(tree.xpath("//@aria-labelledby")) <= set(ids)
    assert not tree.xpath("//*[@style or @onclick]")


def words(tree: Any) -> str:
    return " ".join(tree.text_content().split())


async def log_in(client: ClientSession, user: str = "alice", password: str = "") -> Any:
    form = {"user": user, "password": password or PASSWORDS[user]}
    async with client.post("/login", data=form, allow_redirects=True) as answer:
        return await page(answer)


def token(tree: Any) -> str:
    return str(tree.xpath("//form[@action='/logout']/input[@name='token']/@value")[0])


async def test_the_start_page_shows_what_the_handbook_shows(gateway: Casa) -> None:
    """[CASA] 7.2, figure 12: time, firmware, HUID, user, registers by hex code in German notation."""
    async with gateway.client() as client:
        async with client.get("/") as answer:
            tree = await page(answer)
            assert tree.xpath("//input[@name='password']/@type") == ["password"]
            assert tree.xpath("//form[@action='/login/certificate']")
            assert "/download/certificate.pem" in tree.xpath("//a/@href")
        tree = await log_in(client)
        facts = dict(zip(tree.xpath("//dt/text()"), (words(one) for one in tree.xpath("//dd")), strict=True))
        assert facts["HUID"] == HUID
        assert facts["Firmware-Version"] == "31000000__X026f"
        assert facts["Benutzer-ID"] == "alice"
        assert re.fullmatch(r"2026-01-05 01:1\d:\d\d ✓ Zeit gültig", facts["Systemzeit (CASA)"]), facts
        tables = tree.xpath("//table")
        assert [words(one.xpath("./caption")[0]) for one in tables] == ["1emh0012345678 JSON", "1emh0012345679 JSON"]
        rows = [[words(cell) for cell in row.xpath("./*")] for row in tables[0].xpath("./tbody/tr")]
        assert rows == [
            ["2026-01-05 01:00:01", "0100010800ff", "26.296,807800 kWh"],
            ["2026-01-05 01:00:01", "0100020800ff", "0,471100 kWh"],
        ]
        async with client.get(tree.xpath("//caption/a/@href")[0]) as answer:
            told = await json_of(answer)
            assert told["values"][0]["value"] == "262968078"
        assert tree.xpath("//nav//*[@aria-current='page']/text()") == ["Startseite"]


async def test_the_portal_speaks_english_too(gateway: Casa) -> None:
    async with gateway.client() as client:
        async with client.get("/", headers={"Accept-Language": "en-GB,de;q=0.5"}) as answer:
            tree = await page(answer)
            assert tree.get("lang") == "en"
            assert "User name" in words(tree)
        async with client.get("/", params={"lang": "en"}) as answer:
            await page(answer)
        assert "Current readings" in words(await log_in(client))  # the choice is kept
        async with client.get("/start?lang=de") as answer:
            assert "Aktuelle Zählerstände" in words(await page(answer))


async def test_english_pages_have_english_numbers_and_files_the_same_as_ever(gateway: Casa) -> None:
    """Han 4.1 has the German notation of the pages that the handbook shows."""
    async with gateway.client() as client:
        await log_in(client)
        files = []
        for language, shown in (("de", ("26.296,807800", "0,471100")), ("en", ("26,296.807800", "0.471100"))):
            async with client.get(f"/start?lang={language}") as answer:
                tree = await page(answer)
            assert [words(one) for one in tree.xpath("//table[1]//td[@class='number']")][:2] == [
                f"{one} kWh" for one in shown
            ]
            async with client.get("/values/taf7-alice") as answer:
                link = (await page(answer)).xpath("//main//li/a/@href")[0]
            async with client.get(link) as answer:
                cells = (await page(answer)).xpath("//tbody/tr[1]/td[@class='number']/text()")
            assert tuple(cells) == shown
            async with client.get("/values/taf1-alice") as answer:
                derived = (await page(answer)).xpath("//main//li/a/@href")[1]
            async with client.get(derived) as answer:
                cells = (await page(answer)).xpath("//h2[contains(., 'taf1-alice')]/following::td[@class='number'][1]")
            assert re.fullmatch(r"\d\d\.\d{3},\d{6}" if language == "de" else r"\d\d,\d{3}\.\d{6}", words(cells[0]))
            async with client.get(f"{link}/csv") as answer:
                text = (await answer.read()).decode("utf-8-sig")
            files.append([row[2:4] for row in csv.reader(io.StringIO(text), delimiter=";")][2:])
        assert files[0] == files[1] and files[0][0] == ["26.296,807800", "0,471100"]


async def test_a_wrong_password_is_refused_and_logged(gateway: Casa) -> None:
    async with gateway.client() as client:
        async with client.post("/login", data={"user": "alice", "password": "guess"}) as answer:
            tree = await page(answer, 403)
            assert "fehlgeschlagen" in words(tree)
        async with client.get("/start") as answer:
            assert (await page(answer)).xpath("//input[@name='password']")
    assert (5001, 1) in await gateway.events()
    assert (5001, 0) not in await gateway.events()


async def test_cookies_are_for_this_site_and_https_alone(gateway: Casa) -> None:
    form = {"user": "alice", "password": PASSWORDS["alice"]}
    async with gateway.client() as client, client.post("/login", data=form, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/start")
        cookie = answer.headers["Set-Cookie"]
    assert re.match(r"casa_session=[0-9a-f]{32};", cookie)
    assert {"Secure", "HttpOnly", "SameSite=Strict"} <= {one.strip() for one in cookie.split(";")}


async def test_a_certificate_logs_in_and_is_logged(gateway: Casa, tmp_path: Path) -> None:
    pem = person("alice").pem(tmp_path, "alice")
    async with gateway.client(certificate=pem) as client:
        async with client.post("/login/certificate") as answer:
            assert "alice" in words(await page(answer))
        async with client.get("/json/metering/origin") as answer:
            assert len(await json_of(answer)) == 2
    assert (5002, 0) in await gateway.events()


async def test_without_a_certificate_there_is_no_login_by_certificate(gateway: Casa, tmp_path: Path) -> None:
    async with gateway.client() as client, client.post("/login/certificate") as answer:
        assert "kein Zertifikat" in words(await page(answer, 403))
    pem = person("old", 1).pem(tmp_path, "old")  # it ran out weeks ago
    async with gateway.client(certificate=pem) as client, client.post("/login/certificate") as answer:
        await page(answer, 403)
    assert (5002, 1) in await gateway.events(owner="old")


async def test_ten_minutes_without_a_request_log_out(clock: Clock, gateway: Casa) -> None:
    """[CASA] 7.2."""
    async with gateway.client() as client:
        tree = await log_in(client)
        assert tree.xpath("//footer//*[@role='timer']/@data-seconds") == ["601"]
        for _ in range(3):
            await clock.sleep(590)
            async with client.get("/log") as answer:
                assert (await page(answer)).xpath("//table")
        await clock.sleep(601)
        async with client.get("/log") as answer:
            assert "Sitzung ist zu Ende" in words(await page(answer))
        async with client.get("/json/metering/origin") as answer:
            assert answer.status == 401


async def test_logging_out_needs_the_forms_token_and_ends_the_session(gateway: Casa) -> None:
    async with gateway.client() as client:
        tree = await log_in(client)
        kept = {one.key: one.value for one in client.cookie_jar}
        async with client.post("/logout", data={"token": "0" * 32}) as answer:
            await page(answer, 403)
        async with client.post("/logout", data={"token": token(tree)}) as answer:
            assert "abgemeldet" in words(await page(answer))
    async with gateway.client() as thief, thief.get("/start", cookies=kept) as answer:
        assert (await page(answer)).xpath("//input[@name='password']")


async def test_too_many_failures_lock_the_portal_for_everybody(clock: Clock, gateway: Casa) -> None:
    """[CASA] 7.2, also for those who are in."""
    async with gateway.client() as inside, gateway.client() as client:
        await log_in(inside)
        for _ in range(5):
            async with client.post("/login", data={"user": "nobody", "password": "x"}) as answer:
                assert answer.status == 403
        async with client.post("/login", data={"user": "alice", "password": PASSWORDS["alice"]}) as answer:
            tree = await page(answer, 403)
            assert 290 <= int(tree.xpath("//@data-seconds")[0]) <= 301
        async with inside.get("/start") as answer:
            assert "gesperrt" in words(await page(answer, 403))
        await clock.sleep(302)
        async with inside.get("/start") as answer:
            assert "Aktuelle Zählerstände" in words(await page(answer))
        await log_in(client)


async def test_a_restart_forgets_the_lock(clock: Clock, gateway: Casa) -> None:
    """Assumed: [CASA] 6 tells how long it lasts, no manual what a restart does to it."""
    async with gateway.client() as client:
        for _ in range(5):
            async with client.post("/login", data={"user": "nobody", "password": "x"}) as answer:
                assert answer.status == 403
        async with client.post("/login", data={"user": "alice", "password": PASSWORDS["alice"]}) as answer:
            assert answer.status == 403
    gateway.rack.gateway.power_off()
    gateway.rack.gateway.power_on()
    await gateway.rack.ready()
    await clock.sleep(1)
    async with gateway.client() as client:
        await log_in(client)


async def test_the_log_is_a_table_with_ranges_pages_and_a_file(gateway: Casa) -> None:
    """[CASA] 7.3 and figure 18."""
    async with gateway.client() as client:
        for _ in range(60):
            async with client.get("/") as answer:
                await answer.read()
            gateway.rack.gateway._session.control.event("selftest_passed", consumer="alice")  # type: ignore[union-attr]
        tree = await log_in(client)
        await gateway.rack.clock.sleep(1)
        async with client.get("/log") as answer:
            tree = await page(answer)
        heads = ["ID", "Timestamp", "Level", "Priority", "Category", "Message", "Status"]
        assert tree.xpath("//thead//th/text()") == heads
        rows = [[words(cell) for cell in row.xpath("./*")] for row in tree.xpath("//tbody/tr")]
        assert len(rows) == 50
        assert rows[0][2:] == [
            "INFO",
            "1",
            "han",
            "Letztverbraucher alice ist am HAN mit Passwort angemeldet.",
            "Erfolgreich",
        ]
        assert rows[1][2:5] == ["INFO", "1", "flc"]
        assert re.fullmatch(r"2026-01-05T01:1\d:\d\d\+01:00", rows[0][1])
        async with client.get(tree.xpath("//a[@rel='next']/@href")[0]) as answer:
            older = await page(answer)
        assert int(older.xpath("//tbody/tr[1]/td[1]/text()")[0]) == int(rows[-1][0]) - 1
        async with client.get("/log?from=2020-01-01&to=2020-01-31") as answer:
            assert "keine Einträge" in words(await page(answer))
        for wrong in (
            "from=x",
            "from=2026-02-30",
            "from=2026-01-05&to=2026-01-01",
            "to=99999-01-01",
            "from=1500-01-01",
        ):
            async with client.get(f"/log?{wrong}") as answer:
                assert "ungültig" in words(await page(answer))
        async with client.get("/log.csv") as answer:
            assert answer.content_type == "text/csv"
            assert 'filename="eemh0009264154-alice-log.csv"' in answer.headers["Content-Disposition"]
            lines = list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig")), delimiter=";"))
        assert lines[0] == heads
        assert lines[1] == rows[0]


async def test_a_name_that_is_a_formula_does_no_harm(gateway: Casa) -> None:
    """What somebody types as user name stands in the log of nobody, and in files behind an apostrophe."""
    evil = '=HYPERLINK("http://x")<script>alert(1)</script>'
    gateway.rack.gateway._session.control.event("consumer_logged_in", consumer="alice", user=evil)  # type: ignore[union-attr]
    async with gateway.client() as client:
        await gateway.rack.clock.sleep(1)
        async with client.post("/login", data={"user": evil, "password": "x"}) as answer:
            assert "<script>alert" not in await answer.text()
        await log_in(client)
        async with client.get("/log") as answer:
            text = await answer.text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


async def test_value_lists_lead_from_use_case_to_period_to_table(gateway: Casa) -> None:
    """[CASA] 7.5 and figure 21."""
    async with gateway.client() as client:
        await log_in(client)
        async with client.get("/values") as answer:
            tree = await page(answer)
        assert tree.xpath("//tbody/tr/th/text()") == ["TAF-1", "TAF-2", "TAF-6", "TAF-7"]
        link = tree.xpath("//tbody/tr[th='TAF-7']//a/@href")[0]
        async with client.get(link) as answer:
            tree = await page(answer)
        periods = [words(one) for one in tree.xpath("//main//li/a")]
        assert periods == ["2026-01-01 00:00:01 bis 2026-02-01 00:00:00", "2025-12-01 00:00:01 bis 2026-01-01 00:00:00"]
        links = tree.xpath("//main//li/a/@href")
        async with client.get(links[0]) as answer:
            tree = await page(answer)
        heads = [words(one) for one in tree.xpath("//table[1]//thead//th")]
        assert heads == [
            "Zeitstempel",
            "Registrierzeitpunkt",
            "0100010800ff (kWh)",
            "0100020800ff (kWh)",
            "Versandt",
            "Status",
        ]
        first = [words(one) for one in tree.xpath("//tbody/tr[1]/td")]
        assert first == ["2026-01-05 01:00:00", "2026-01-05 01:00:01", "26.296,807800", "0,471100", "–", "Ok"]
        assert len(tree.xpath("//tbody/tr")) == 4 * 96 + 4  # the value of the first instant is that of December
        async with client.get(links[1]) as answer:
            tree = await page(answer)
        assert len(tree.xpath("//tbody/tr")) == 672
        assert words(tree.xpath("//main//nav")[0]).startswith("Seite 1 von 5")
        async with client.get(links[1] + "?page=2") as answer:
            text = await answer.text()
        assert "2025-12-24 13:00:00" in text
        assert "Kein Messwert" in text


async def test_a_period_is_a_file_and_json_too(gateway: Casa) -> None:
    async with gateway.client() as client:
        await log_in(client)
        async with client.get("/values/taf7-alice") as answer:
            link = (await page(answer)).xpath("//main//li/a/@href")[1]
        async with client.get(f"{link}/csv") as answer:
            lines = list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig")), delimiter=";"))
        async with client.get(f"{link}/json") as answer:
            told = await json_of(answer)
    assert lines[0] == ["Messwerte des Zählers", "1emh0012345678"]
    assert lines[1][2:4] == ["0100010800ff (kWh)", "0100020800ff (kWh)"]
    assert len(lines) == 2 + 31 * 96
    assert lines[2][0] == "2026-01-01 00:00:00"
    assert lines[-1][0] == "2025-12-01 00:15:00"
    assert len(told["origin"]["1emh0012345678"]) == 31 * 96 - 1
    assert (told["start"], told["end"]) == ("2025-12-01T00:00:00+01:00", "2026-01-01T00:00:00+01:00")


async def test_periods_below_a_week_are_put_together(gateway: Casa) -> None:
    """[CASA] 7.5: the use case has periods of a day, from the first of December on."""
    async with gateway.client() as client:
        await log_in(client)
        async with client.get("/values/taf2-alice") as answer:
            tree = await page(answer)
    shown = [words(one) for one in tree.xpath("//main//li/a")]
    assert shown[-1] == "2025-12-01 00:00:01 bis 2025-12-08 00:00:00"
    assert shown[-2] == "2025-12-08 00:00:01 bis 2025-12-15 00:00:00"
    assert shown[0] == "2026-01-05 00:00:01 bis 2026-01-06 00:00:00"
    assert len(shown) == 6


async def test_a_neighbours_contract_is_not_there(gateway: Casa) -> None:
    async with gateway.client() as client:
        await log_in(client)
        for path in (
            "/values/taf7-bob",
            "/values/taf7-bob/1764543600",
            "/values/taf7-bob/1764543600/csv",
            "/values/no",
        ):
            async with client.get(path) as answer:
                await page(answer, 404)
        async with client.get("/values/taf7-alice/1") as answer:
            await page(answer, 404)


async def test_the_self_test_runs_once_in_24_hours(clock: Clock, gateway: Casa) -> None:
    """[CASA] 7.4: the result is in the user log; ordered again, the page says when it is possible."""
    async with gateway.client() as client:
        tree = await log_in(client)
        mark = token(tree)
        async with client.post("/selftest", data={}) as answer:
            await page(answer, 403)
        async with client.post("/selftest", data={"token": mark}) as answer:
            assert "Benutzerlog" in words((await page(answer)).xpath("//main")[0])
        assert [one for one in await gateway.events() if one[0] in (15001, 15002)] == [(15002, 0), (15001, 0)]
        async with client.post("/selftest", data={"token": mark}) as answer:
            shown = words((await page(answer, 403)).xpath("//main//strong")[0])
        assert re.fullmatch(r"2026-01-06 um 01:1\d:\d\d Uhr", shown)
        assert (15002, 1) in await gateway.events()
        async with client.get("/start") as answer:
            assert shown.removesuffix(" Uhr") in words(await page(answer))
    await clock.sleep(24 * 3600)
    async with gateway.client("alice") as program, program.post("/selftest", data={"action": "selftest"}) as answer:
        await page(answer)


async def test_a_page_of_another_host_orders_no_self_test(gateway: Casa) -> None:
    """Browsers add the digest of a user by themselves."""
    async with gateway.client("alice") as client:
        for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            async with client.get("/json/conlogbook/0") as answer:
                assert answer.status == 200
            async with client.post("/selftest", data={}, headers=foreign) as answer:
                assert answer.status == 403
            assert not {15001, 15002} & {number for number, _ in await gateway.events()}
        own = {"Sec-Fetch-Site": "same-origin", "Origin": gateway.base}
        async with client.post("/selftest", data={}, headers=own) as answer:
            await page(answer)


async def test_the_service_of_technicians_needs_their_certificate(gateway: Casa, tmp_path: Path) -> None:
    """[CASA] 5.1, 6.2: system log and basic settings; no password, no certificate of a consumer."""
    tess, alice = person("tess").pem(tmp_path, "tess"), person("alice").pem(tmp_path, "alice")
    for paths in (None, alice):
        async with gateway.client(certificate=paths) as client:
            for path in ("/service", "/service/log.csv", "/service/settings"):
                async with client.get(path) as answer:
                    await page(answer, 403)
    async with gateway.client(certificate=tess) as client:
        async with client.get("/service") as answer:
            tree = await page(answer)
        assert "Die Firmware ist hochgelaufen." in words(tree)
        assert "alice" not in words(tree)
        async with client.get("/service/log.csv") as answer:
            assert answer.content_type == "text/csv"
        async with client.get("/service/settings") as answer:
            told = words(await page(answer))
        assert "smgw.local, eemh0009264154.local" in told
        assert "BetriebszustandNormalbetrieb" in told and "Zeit gültig" in told and "System time" not in told
        async with client.get("/service/settings?lang=en") as answer:
            told = words(await page(answer))
        assert "Operating stateNormal operation" in told and "Betriebszustand" not in told
        async with client.get("/json/metering/origin") as answer:
            assert answer.status == 401
        async with client.get("/start") as answer:
            assert (await page(answer)).xpath("//input[@name='password']")
        async with client.post("/login/certificate") as answer:
            await page(answer, 403)
    await gateway.rack.clock.sleep(1)
    system = await gateway.rack.console.ask(read="log", book="system")
    assert [one["event"] for one in system["entries"]].count("technician_logged_in") == 1


async def test_in_soft_lock_down_there_is_one_page_that_says_so(gateway: Casa, tmp_path: Path) -> None:
    """[CASA] 7.6: no login is possible and nothing can be read, by nobody."""
    async with gateway.client() as client:
        await log_in(client)
        await gateway.rack.console.do("fill_storage", to=0.95)
        await gateway.rack.clock.sleep(1)
        pem = person("tess").pem(tmp_path, "tess")
        async with gateway.client("alice") as program, gateway.client(certificate=pem) as technician:
            for who in (client, program, technician):
                for path in ("/", "/start", "/log", "/json/metering/origin", "/service", "/download/certificate.pem"):
                    async with who.get(path) as answer:
                        tree = await page(answer, 503)
                        assert "kein Zugriff möglich" in words(tree)
                        assert "Administrator" in words(tree)
                        assert not tree.xpath("//form")
            async with client.post("/login", data={"user": "alice", "password": PASSWORDS["alice"]}) as answer:
                await page(answer, 503)


async def test_in_hard_lock_down_nothing_answers(clock: Clock) -> None:
    """[CASA] 8: the firmware is found broken, the device restarts, finds it again and stops."""
    async with casa(clock, integrity_check_interval_s=60.0) as gateway:
        assert gateway.rack.gateway.han_address is not None
        await gateway.rack.console.do("flip_bit", of="firmware")
        await gateway.rack.until(lambda: True, 400, state="stopped")
        assert gateway.rack.gateway.han_address is None


async def test_rights_of_a_profile_are_kept_to(gateway: Casa, tmp_path: Path) -> None:
    limited = certified("carol") | {"rights": ["consumer_log"]}
    await gateway.rack.console.do("install_profile", profile=limited)
    async with gateway.client(certificate=person("carol").pem(tmp_path, "carol")) as client:
        async with client.post("/login/certificate") as answer:
            tree = await page(answer)
        assert not tree.xpath("//table")
        async with client.get("/log") as answer:
            await page(answer)
        async with client.get("/values") as answer:
            await page(answer, 403)
        async with client.post("/selftest", data={"token": token(tree)}) as answer:
            await page(answer, 403)
        for path, status in (
            ("/json/conlogbook/0", 200),
            ("/json/metering/origin", 403),
            ("/json/metering/derived", 403),
            ("/json/systeminformations", 200),
        ):
            async with client.get(path) as answer:
                assert answer.status == status, path


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join(b"a=1" for _ in range(30)), b"user=%ff&password=%00"])
async def test_forms_that_are_none_are_refused(gateway: Casa, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with gateway.client() as client, client.post("/login", data=body, headers=headers) as answer:
        assert answer.status in (400, 403)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with gateway.client() as client, client.post("/login", data=body, headers=headers) as answer:
        assert answer.status == 400


async def test_what_a_market_participant_has_got_is_marked_as_sent(gateway: Casa) -> None:
    """[CASA] 7.5: the column Versandt."""
    row = (1, "taf7-alice", "emt", "periodic", int(END.timestamp()) - 1800, int(END.timestamp()) - 900, 2, 0, b"\x00")
    gateway.rack.memory.commit([("INSERT INTO sent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)])
    async with gateway.client() as client:
        await log_in(client)
        async with client.get("/values/taf7-alice") as answer:
            link = (await page(answer)).xpath("//main//li/a/@href")[0]
        async with client.get(link) as answer:
            tree = await page(answer)
    marks = [words(one.xpath("./td")[-2]) for one in tree.xpath("//tbody/tr")][:4]
    assert marks == ["–", "✓", "✓", "–"]
