"""Sessions of PPC's portal: one for each user, nonces, tokens and ids, pages of other hosts (han 2.1)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from han_ppc_clients import PATH, Browser, options, tokens
from han_ppc_rack import METER, Ppc, ppc
from han_ppc_visits import alice, bob


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


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
        for language, told in (("de", "Systemlogbuch, das der Service-Techniker"), ("en", "system log afterwards")):
            one.request("GET", target=f"{PATH}?lang={language}")
            assert told in one.post("selftestform").text
        assert "system log afterwards" in (told := one.post("selftest").text) and "Self-test OK" in told
        return one

    one = await gateway.outside(order)
    await gateway.clock.sleep(2)
    assert (await gateway.rack.console.info())["phase"] != "ready"
    await gateway.rack.ready()
    await gateway.clock.sleep(5)
    numbers = [number for number, _ in await gateway.events("system")]
    assert numbers.index(10063) < numbers.index(10064)
    assert not {10063, 10064} & {number for number, _ in await gateway.events()}, "the consumer's log has no result"
    one.host, one.port = gateway.address
    assert "Sitzung abgelaufen" in (await gateway.outside(lambda *_: one.post("meterform"))).text
    assert "Willkommen" in (await gateway.outside(lambda *_: one.login())).text


FOREIGN_PAGES = ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"})
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_a_page_of_another_host_takes_nobodys_session(gateway: Ppc) -> None:
    """A browser adds the digest by itself, so a foreign form or picture would log in and end the session."""

    def look(host: str, port: int) -> None:
        for foreign in FOREIGN_PAGES:
            for method, body in (("GET", None), ("POST", ""), ("POST", "action=meterform")):
                one, other = alice(host, port), alice(host, port)
                one.login()
                answer = other.request(method, body, headers=FORM | foreign)
                assert "Unerlaubter Zugriff" in answer.text and not answer.all("Set-Cookie"), (foreign, method, body)
                assert METER.lower() in one.post("meterform").text, "the session goes on"
                one.post("logout")

    await gateway.outside(look)


async def test_a_link_from_elsewhere_leads_to_a_login_when_nobody_is_logged_in(gateway: Ppc) -> None:
    def look(host: str, port: int) -> None:
        for foreign in FOREIGN_PAGES:
            one = alice(host, port)
            assert "Unerlaubter Zugriff" in one.request("POST", "", headers=FORM | foreign).text
            assert "Willkommen" in one.request("GET", headers=foreign).text
            one.post("logout")
        own = alice(host, port)
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": f"https://{host}:{port}"}
        assert "meterform_select_meter" in own.request("POST", "action=meterform", headers=FORM | headers).text

    await gateway.outside(look)
