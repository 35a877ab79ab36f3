"""The technician's pages of PPC ([PPC] 4, 6.2; han 2.5)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from han_ppc_clients import TECH_PATH, Browser, row_value
from han_ppc_rack import DEVICE, Ppc, person, ppc
from han_ppc_visits import GERMAN, alice, shown
from lxml import html


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


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


async def test_the_technicians_pages_are_english_for_whoever_asks(gateway: Ppc, tmp_path: Path) -> None:
    pem = person("tess").pem(tmp_path)

    def look(host: str, port: int) -> dict[str, str]:
        one = Browser(host, port, certificate=pem)
        start = one.request("GET", target=f"{TECH_PATH}?lang=en").text
        session = re.findall(r"name='session' value='([0-9a-f]+)'", start)[0]
        found = {"start": start}
        for target, language in ((f"{TECH_PATH}?lang=de", "de"), (TECH_PATH, "de"), (f"{TECH_PATH}?lang=en", "en")):
            text = one.request("POST", f"action=logs&session={session}", target=target).text
            assert html.fromstring(text).get("lang") == language
        span = "&from=2026-03-30&to=2026-03-31"
        for name in ("logs", f"showLogs{span}", "showLogs", "showLogs&from=x&to=y", "systeminfo", "format", "logout"):
            found[name] = one.request("POST", f"action={name}&session={session}", target=TECH_PATH).text
        found["over"] = one.request("POST", "action=logs&session=0", target=f"{TECH_PATH}?lang=en").text
        found["none"] = one.request("POST", "action=logs", target=f"{TECH_PATH}?lang=en").text
        return found

    for name, text in (await gateway.outside(look)).items():
        assert html.fromstring(text).get("lang") == "en", name
        found = GERMAN.search(shown(text))
        assert found is None, (name, found)
