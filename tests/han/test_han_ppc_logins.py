"""Logins at PPC's portal: who gets in, who is refused, what the log says (han 2.1)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from han_ppc_clients import Browser, options
from han_ppc_rack import FOREIGN, METER, PROFILES, SUPPLY, Ppc, login, person, ppc
from han_ppc_visits import alice, bob, every_page


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


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
