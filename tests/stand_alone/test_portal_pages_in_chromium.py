"""All pages of PPC and CASA in a real Chromium: on a telephone, in print, German and English."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browser, page, readable
from playwright.sync_api import Browser, Page
from running import Running, running

TELEPHONE = 360
CONSUMER = "/cgi-bin/hanservice.cgi"
TECHNICIAN = "/cgi-bin/hanservicetech.cgi"
SENT = """([path, fields]) => {
  const form = Object.assign(document.createElement('form'), {method: 'post', action: path});
  for (const [name, value] of Object.entries(fields))
    form.append(Object.assign(document.createElement('input'), {type: 'hidden', name, value}));
  document.body.append(form);
  form.submit();
}"""
CUT = """[...document.querySelectorAll('td, th, dd')].filter(
  cell => cell.scrollWidth > cell.clientWidth + 1 && getComputedStyle(cell).display !== 'none').map(cell => cell.id)"""
WIDER_THAN_PAPER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
HIDDEN = "[...document.querySelectorAll('td.number')].filter(one => one.getBoundingClientRect().right > 361).length"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    made: dict[str, Running] = {}
    folders = {product: tmp_path_factory.mktemp(product) for product in ("casa", "ppc")}
    with (
        running("casa", folders["casa"], "--history", "2h") as made["casa"],
        running("ppc", folders["ppc"], "--history", "2h") as made["ppc"],
    ):
        yield made


def is_good(one: Page, name: str, language: str) -> None:
    """Axe is content, a telephone and a sheet of paper show all of it, and nothing is cut off.

    The other language has the same elements, with other words: for these a telephone is narrow enough.
    """
    assert one.evaluate("document.documentElement.lang") == language, name
    if language == "de":
        readable(one)
    one.set_viewport_size({"width": TELEPHONE, "height": 740})
    assert one.evaluate("document.documentElement.scrollWidth") <= TELEPHONE, name
    assert one.evaluate(CUT) == [], name
    if language != "de":
        return
    one.set_viewport_size({"width": 700, "height": 990})  # A4 without its margins
    one.emulate_media(media="print")
    assert not one.evaluate(WIDER_THAN_PAPER), f"{name} is wider than paper"
    assert one.evaluate(CUT) == [], f"{name} is cut in print"
    one.emulate_media(media="screen")
    one.set_viewport_size({"width": 1280, "height": 720})


def posted(one: Page, path: str, fields: dict[str, str]) -> None:
    with one.expect_navigation():
        one.evaluate(SENT, [path, fields])


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_of_ppc(chrome: Browser, gateways: dict[str, Running], language: str) -> None:
    gateway = gateways["ppc"]
    with page(chrome, gateway, password=gateway.password()) as one:
        one.goto(f"{gateway.base}{CONSUMER}?lang={language}")
        is_good(one, "welcome", language)

        def look(action: str, **fields: str) -> None:
            token = one.locator("input[name=tkn]").first.get_attribute("value") or ""
            posted(one, CONSUMER, {"tkn": token, "action": action, **fields})
            is_good(one, action, language)

        look("meterform")
        mid = one.locator("#meterform_select_meter option").first.get_attribute("value") or ""
        look("showMeterProfile", mid=mid)
        one.set_viewport_size({"width": TELEPHONE, "height": 740})
        assert one.locator("#metervalue td.number").count() and not one.evaluate(HIDDEN), "the value is in sight"
        look("showMeterValuesForm", mid=mid)
        look("showMeterValues", mid=mid)
        signature = one.locator("td.sign").first
        assert len(signature.inner_text()) == 128
        look("tariffform")
        for tid in one.locator("#tarifform_select_profile option").evaluate_all("all => all.map(one => one.value)"):
            look("showTariffProfile", tid=tid)
            look("showTarification", tid=tid)
            ttid = one.locator("input[name=ttid]")
            if ttid.count():
                look("showTarificationRegister", ttid=ttid.first.get_attribute("value") or "")
        for action in ("log", "commprofile", "swversions", "selftestform", "nonsense", "logout"):
            look(action)


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_of_ppc_for_technicians(chrome: Browser, gateways: dict[str, Running], language: str) -> None:
    gateway = gateways["ppc"]
    told = next(one for one in gateway.told["users"] if one["role"] == "technician")
    shown = {"origin": gateway.base, "certPath": told["certificate"], "keyPath": told["key"]}
    with page(chrome, gateway, client_certificates=[shown]) as one:
        one.goto(f"{gateway.base}{TECHNICIAN}?lang={language}")
        is_good(one, "start", language)
        session = one.locator("input[name=session]").first.get_attribute("value") or ""
        span = {"from": "2020-01-01", "to": "2199-01-01"}
        for action, fields in (("logs", {}), ("showLogs", span), ("systeminfo", {}), ("showLogs", {}), ("logout", {})):
            posted(one, TECHNICIAN, {"session": session, "action": action, **fields})
            is_good(one, action, language)


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_of_casa(chrome: Browser, gateways: dict[str, Running], language: str) -> None:
    gateway = gateways["casa"]
    with page(chrome, gateway) as one:
        one.goto(f"{gateway.base}/?lang={language}")
        is_good(one, "login", language)
        one.locator("#user").fill("consumer-1")
        one.locator("#password").fill(gateway.password())
        one.locator("form[action='/login'] button").click()
        one.locator("nav").first.wait_for()
        is_good(one, "start", language)
        one.set_viewport_size({"width": TELEPHONE, "height": 740})
        assert one.locator("td.number").count() and not one.evaluate(HIDDEN), "the value is in sight"
        paths = ["/log", "/values", "/nonsense"]
        one.goto(f"{gateway.base}/values")
        links = "all => all.map(one => one.getAttribute('href'))"
        for contract in one.locator("main table a").evaluate_all(links):
            one.goto(f"{gateway.base}{contract}")
            paths += [contract, *one.locator("main ul a").evaluate_all(links)[:1]]
        for path in paths:
            one.goto(f"{gateway.base}{path}")
            is_good(one, path, language)
    told = next(one for one in gateway.told["users"] if one["role"] == "technician")
    shown = {"origin": gateway.base, "certPath": told["certificate"], "keyPath": told["key"]}
    with page(chrome, gateway, client_certificates=[shown]) as one:
        for path in ("/service", "/service/settings"):
            one.goto(f"{gateway.base}{path}?lang={language}")
            is_good(one, path, language)


def test_paper_of_ppc_has_whole_signatures(chrome: Browser, gateways: dict[str, Running], tmp_path: Path) -> None:
    """Each digit has its place on the paper: the cells are as wide as their text, and nothing hides what is over."""
    gateway = gateways["ppc"]
    with page(chrome, gateway, password=gateway.password()) as one:
        one.goto(f"{gateway.base}{CONSUMER}")
        one.locator("#button_menu_zaehler").click()
        one.locator("#form_meterform_button_zaehlerprofil").click()
        one.locator("td.sign").first.wait_for()
        one.emulate_media(media="print")
        one.set_viewport_size({"width": 700, "height": 990})
        for cell in one.locator("td.sign").all():
            seen = cell.evaluate(
                "c => { const r = document.createRange(); r.selectNodeContents(c); const b = c.getBoundingClientRect();"
                "return [...r.getClientRects()].every(o => o.left >= b.left && o.right <= b.right + 1) &&"
                "getComputedStyle(c).textOverflow === 'clip' }"
            )
            assert seen
        assert one.pdf(format="A4").startswith(b"%PDF-")
