"""The portals as people see them: a real Chromium logs in, reads, pages, tests, is locked out and logs out.

What axe-core finds wrong for people who do not see or move well fails the test, and so does a page that is wider than
a telephone or whose console says something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser, page, readable
from playwright.sync_api import Browser, Page, expect
from running import Running, running


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """One of each product; each has its folder."""
    made: dict[str, Running] = {}
    folders = {product: tmp_path_factory.mktemp(product) for product in ("casa", "conexa", "ppc")}
    with (
        running("casa", folders["casa"], "--history", "2h") as made["casa"],
        running("conexa", folders["conexa"], "--history", "2h") as made["conexa"],
        running("ppc", folders["ppc"], "--history", "2h", "--fault", "fill_log:book=consumer,to=0.02") as made["ppc"],
    ):
        yield made


def log_in_at_casa(one: Page, gateway: Running, password: str) -> None:
    one.goto(gateway.base)
    one.locator("#user").fill("consumer-1")
    one.locator("input[type=password]").fill(password)
    one.get_by_role("button", name="Anmelden", exact=True).click()


def test_casa_shows_registers_lists_and_log_and_logs_out(chrome: Browser, gateways: dict[str, Running]) -> None:
    gateway = gateways["casa"]
    with page(chrome, gateway) as one:
        one.goto(gateway.base)
        readable(one)
        log_in_at_casa(one, gateway, gateway.password())
        expect(one.get_by_role("heading", name="Startseite")).to_be_visible()
        expect(one.locator("main")).to_contain_text(re.compile(r"0100010800ff"))
        expect(one.locator("main")).to_contain_text(re.compile(r"\d,\d{6}"))
        readable(one)
        one.get_by_role("link", name="Benutzerlog").first.click()
        expect(one.get_by_role("table")).to_be_visible()
        readable(one)
        one.get_by_role("link", name="Messwert").first.click()
        readable(one)
        one.get_by_role("link", name="Öffnen").first.click()
        readable(one)
        one.get_by_role("button", name="Abmelden").click()
        one.goto(f"{gateway.base}/start")
        expect(one.locator("input[type=password]")).to_be_visible()


def test_casa_speaks_english_and_tells_when_the_next_self_test_is_possible(
    chrome: Browser, gateways: dict[str, Running]
) -> None:
    gateway = gateways["casa"]
    with page(chrome, gateway) as one:
        log_in_at_casa(one, gateway, gateway.password())
        one.get_by_role("button", name="Auslösen").click()
        one.get_by_role("link", name="Startseite").first.click()
        one.get_by_role("button", name="Auslösen").click()
        expect(one.locator("main")).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d|\d\d\.\d\d\.\d{4}"))
        readable(one)
        one.get_by_role("link", name="English").click()
        assert one.evaluate("document.documentElement.lang") == "en"
        readable(one)


def test_ppc_shows_values_and_pages_of_the_log_and_logs_out(chrome: Browser, gateways: dict[str, Running]) -> None:
    gateway = gateways["ppc"]
    with page(chrome, gateway, password=gateway.password()) as one:
        one.goto(gateway.told["urls"]["consumer"])
        expect(one.locator("#headline_willkommen")).to_be_visible()
        readable(one)
        one.get_by_role("button", name="Zähler", exact=True).click()
        readable(one)
        one.get_by_role("button", name="Zählerprofil").click()
        expect(one.locator("table#metervalue td", has_text="kWh").first).to_be_visible()
        readable(one)
        one.get_by_role("button", name="Logs").click()
        readable(one)
        first = one.locator("main").inner_text()
        one.locator("#table_logs_button_nextpage").first.click()
        expect(one.locator("main")).to_contain_text("Seite 2")
        assert one.locator("main").inner_text() != first
        one.get_by_role("button", name="Abmelden").click()
        expect(one.locator("#headline_willkommen")).to_have_count(0)


def test_conexa_counts_down_to_the_next_self_test_and_logs_out(chrome: Browser, gateways: dict[str, Running]) -> None:
    gateway = gateways["conexa"]
    with page(chrome, gateway, password=gateway.password()) as one:
        one.goto(gateway.base)
        expect(one.get_by_role("heading", name="Startseite")).to_be_visible()
        readable(one)
        one.get_by_role("button", name="SMGW-Selbsttest").or_(
            one.get_by_role("link", name="SMGW-Selbsttest")
        ).first.click()
        start = one.locator("main").get_by_role("button")
        if start.count():
            start.first.click()
        counter = one.locator("[data-seconds]")
        expect(counter).to_be_visible()
        expect(counter).to_have_text(re.compile(r"^(10:00|9:[0-5]\d)$"))
        shown = counter.inner_text()
        expect(counter).not_to_have_text(shown)
        readable(one)
        one.get_by_role("button", name="Abmelden").or_(one.get_by_role("link", name="Abmelden")).first.click()
        readable(one)


@pytest.mark.parametrize("product", ["casa", "conexa", "ppc"])
def test_a_technician_comes_in_with_his_certificate(
    chrome: Browser, gateways: dict[str, Running], product: str
) -> None:
    gateway = gateways[product]
    told = next(one for one in gateway.told["users"] if one["role"] == "technician")
    shown = {"origin": gateway.base, "certPath": told["certificate"], "keyPath": told["key"]}
    with page(chrome, gateway, client_certificates=[shown]) as one:
        one.goto(gateway.told["urls"]["technician"])
        expect(one.locator("body")).to_contain_text(re.compile(gateway.told["device_id"], re.IGNORECASE))
        expect(one.locator("body")).not_to_contain_text(re.compile("Anmeldung fehlgeschlagen|Unauthorized|Forbidden"))
        readable(one)


def test_the_pages_print_without_menus(chrome: Browser, gateways: dict[str, Running], tmp_path: Path) -> None:
    gateway = gateways["ppc"]
    with page(chrome, gateway, password=gateway.password()) as one:
        one.goto(gateway.told["urls"]["consumer"])
        one.emulate_media(media="print")
        expect(one.get_by_role("button", name="Abmelden")).to_be_hidden()
        expect(one.locator("#headline_willkommen")).to_be_visible()
        assert one.pdf(format="A4").startswith(b"%PDF-")


def test_casa_locks_all_consumers_out_for_five_minutes(chrome: Browser, gateways: dict[str, Running]) -> None:
    gateway = gateways["casa"]
    with page(chrome, gateway) as one:
        for _ in range(5):
            log_in_at_casa(one, gateway, "wrong")
        expect(one.get_by_role("heading", name="Startseite")).to_have_count(0)
        expect(one.locator("main")).to_contain_text(
            re.compile(r"\b[45]\b.*Min|[45]:\d\d|Sperr|gesperrt", re.IGNORECASE)
        )
        readable(one)


def test_ppc_locks_out_and_tells_the_time_that_remains(chrome: Browser, gateways: dict[str, Running]) -> None:
    gateway = gateways["ppc"]
    for _ in range(5):
        with page(chrome, gateway, password="wrong") as one:
            one.goto(gateway.told["urls"]["consumer"])
            expect(one.locator("body")).to_contain_text("Anmeldung fehlgeschlagen")
    with page(chrome, gateway, password=gateway.password()) as one:
        one.goto(gateway.told["urls"]["consumer"])
        expect(one.locator("body")).to_contain_text(re.compile(r"[45] Minute"))
        readable(one)
