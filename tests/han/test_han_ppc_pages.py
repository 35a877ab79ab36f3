"""What PPC's portal shows: values, spans of time, log, German and English (han 2.2, 2.3)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from han_ppc_clients import PATH, Browser, options, row_value
from han_ppc_rack import PASSWORDS, PROFILES, REALM, Ppc, login, ppc, tariff
from han_ppc_visits import GERMAN, alice, bob, every_page, shown
from lxml import html

from devices.gateway_types import load
from devices.protocols.http_digest import SHA_256, ha1
from firmware.han.ppc.wording import read_time

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


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
        assert row_value(profile, "Reading interval") == "900" and "Current values" in profile
        german = every_page(one, "de")["showMeterProfile"]
        assert row_value(german, "Ausleseintervall") == "900" and "Aktuelle Werte" in german
        foreign = alice(host, port).request("GET", headers={"Accept-Language": "en-GB,en;q=0.9"})
        assert "Abmelden" in foreign.text, "programs read the German words, whatever they accept"

    await gateway.outside(look)


async def test_a_form_asks_for_a_language_as_a_link_does(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        one = alice(host, port)
        for target, text, language in (
            (f"{PATH}?lang=en", "", "en"), (PATH, "action=swversions", "en"),
            (f"{PATH}?lang=de", "action=swversions", "de"), (PATH, "action=swversions", "de"),
            (f"{PATH}?lang=en", "action=meterform", "en"), (f"{PATH}?lang=xx", "action=meterform", "en"),
            (f"{PATH}?lang=de", "", "de"), (f"{PATH}?action=meterform&lang=en", "", "en"),
        ):  # fmt: skip
            answer = one.request("POST", text, target=target, headers=FORM)
            assert html.fromstring(answer.text).get("lang") == language, (target, text)
        assert sum(len(answer.all("Set-Cookie")) for answer in one.answers) == 1, "one login"

    await gateway.outside(look)


async def test_daily_values_are_kept_for_six_weeks() -> None:
    """Han 5.6; others as long as the options say, but no daily value longer than derived values at all."""

    def look(host: str, port: int) -> dict[str, str]:
        one = alice(host, port)
        one.login()
        tariffs = options(one.post("tariffform").text, "tarifform_select_profile")
        return {
            name: str(row_value(one.post("showTariffProfile", tid=tid).text, "Vorhaltezeit (Tage)"))
            for tid, name in tariffs
        }

    profiles = (*PROFILES, tariff(6, begin="2026-03-27T23:00:00Z"))
    async with ppc(profiles=profiles, retention_original_days=500, retention_derived_days=900) as gateway:
        found = await gateway.outside(look)
    assert found == {"TAF1_OCT_B+E": "900", "TAF2_OCT_B+E": "900", "TAF6_OCT_B+E": "42", "TAF7_OCT_B+E": "500"}
    for days, kept in ((30, "30"), (0, "42")):
        async with ppc(profiles=profiles, retention_derived_days=days) as gateway:
            assert (await gateway.outside(look))["TAF6_OCT_B+E"] == kept


def test_no_message_of_a_success_has_the_word_by_which_programs_know_a_failure() -> None:
    """Han 2.1, 2.4: it is looked for anywhere in a page."""
    good = [one for one in load("ppc").events.values() if one.level == "info"]
    assert len(good) > 50
    assert not [one.text_de for one in good if "fehler" in one.text_de.lower()]


async def test_whoever_asks_for_english_reads_no_german(gateway: Ppc) -> None:
    def look(host: str, port: int) -> dict[str, str]:
        one = alice(host, port)
        found = every_page(one, "en")
        tid = options(found["tariffform"], "tarifform_select_profile")[1][0]
        periods = one.post("showTarification", tid=tid).text
        found |= {"periods": periods, "problem": one.post("format").text, "time": one.post("log", **{"from": "x"}).text}
        found["none"] = one.post("log", **{"from": "2020-01-01", "to": "2020-01-02"}).text
        found["foreign"] = one.post("showMeterProfile", mid="0").text
        found["out"] = one.post("logout").text
        wrong = Browser(host, port, "alice", "wrong")
        found["wrong"] = wrong.request("GET", target=f"{PATH}?lang=en").text
        return found

    german = await gateway.outside(lambda host, port: every_page(alice(host, port)))
    assert all(GERMAN.search(shown(text)) for text in german.values()), "German is recognised"
    for name, text in (await gateway.outside(look)).items():
        assert html.fromstring(text).get("lang") == "en", name
        found = GERMAN.search(shown(text))
        assert found is None, (name, found)


async def test_the_log_tells_in_words_why_a_login_was_refused(gateway: Ppc) -> None:
    """[PPC] 9, 10228: the word by which the gateway keeps it is no text."""

    def look(host: str, port: int) -> tuple[str, str, bytes]:
        Browser(host, port, "alice", "wrong").login()
        one = alice(host, port)
        one.login()
        german = one.post("log").text
        exported = one.post("exportLogData").body
        one.request("GET", target=f"{PATH}?lang=en")
        return german, one.post("log").text, exported

    await gateway.outside(lambda host, port: Browser(host, port, "alice", "wrong").login())
    await gateway.clock.sleep(1)
    german, english, exported = await gateway.outside(look)
    assert "Beanstandungen: Benutzername oder Passwort falsch" in german and "password" not in shown(german)
    assert "wrong user name or password" in english and "errors: password" not in english
    assert b"Benutzername oder Passwort falsch" in exported and b">password<" not in exported


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-03-29 01:59:59", "2026-03-29 00:59:59", "2026-03-29 00:59:59"),
        ("2026-03-29 02:00:00", "2026-03-29 01:00:00", "2026-03-29 01:00:00"),
        ("2026-03-29 02:30:00", "2026-03-29 01:00:00", "2026-03-29 01:00:00"),
        ("2026-03-29 02:59:59", "2026-03-29 01:00:00", "2026-03-29 01:00:00"),
        ("2026-03-29 03:00:00", "2026-03-29 01:00:00", "2026-03-29 01:00:00"),
        ("2025-10-26 01:59:59", "2025-10-25 23:59:59", "2025-10-25 23:59:59"),
        ("2025-10-26 02:30:00", "2025-10-26 00:30:00", "2025-10-26 01:30:00"),
        ("2025-10-26 03:00:00", "2025-10-26 02:00:00", "2025-10-26 02:00:00"),
        ("2026-03-29", "2026-03-28 23:00:00", "2026-03-29 21:59:59"),
        ("2025-10-26", "2025-10-25 22:00:00", "2025-10-26 22:59:59"),
    ],
)
def test_times_that_are_left_out_or_come_twice_have_their_instants(text: str, begin: str, end: str) -> None:
    """In March the next instant that there is; in October the first to begin with, the second to end with."""
    found = [datetime.fromtimestamp(read_time(text, end=one), UTC) for one in (False, True)]
    assert [one.strftime("%Y-%m-%d %H:%M:%S") for one in found] == [begin, end]


async def test_spans_in_the_hours_of_both_changes_show_what_was_there(gateway: Ppc) -> None:
    def look(host: str, port: int) -> list[list[str]]:
        one = alice(host, port)
        one.login()
        mid = options(one.post("meterform").text, "meterform_select_meter")[0][0]
        found = []
        for begin, end in (
            ("2026-03-29 01:40:00", "2026-03-29 02:30:00"),
            ("2026-03-29 02:10:00", "2026-03-29 03:20:00"),
            ("2026-03-29 02:10:00", "2026-03-29 02:20:00"),
            ("2025-10-26 02:30:00", "2025-10-26 02:20:00"),
        ):
            text = one.post("showMeterValues", mid=mid, **{"from": begin, "to": end}).text
            found.append([at[11:16] for at in re.findall(r"_col_timestamp'[^>]*>([^<]*)<", text)])
        return found

    assert await gateway.outside(look) == [["01:45"], ["03:15", "03:00"], [], ["02:15", "02:00", "02:45", "02:30"]]


async def test_the_communication_profile_shows_how_somebody_can_log_in() -> None:
    """A digest of SHA-256 that the profile has as well is of no use at a PPC, which asks for MD5 (han 2.1)."""
    both = ha1("alice", REALM, PASSWORDS["alice"]) + ha1("alice", REALM, PASSWORDS["alice"], SHA_256)
    others = tuple(one for one in PROFILES if one["id"] != "han-alice")
    async with ppc(profiles=(*others, login("alice", password_digest=both))) as gateway:

        def look(host: str, port: int) -> list[str | None]:
            one, other = alice(host, port), bob(host, port)
            one.login()
            other.login()
            assert b"SHA-256" not in one.post("exportCommProfile").body.split(b"</khw:container>")[0]
            return [row_value(each.post("commprofile").text, "Anmeldung") for each in (one, other)]

        assert await gateway.outside(look) == ["Passwort (Digest), Zertifikat (TLS)", "Passwort (Digest)"]
