"""The call sequences of han 2.4 that concern PPC's portal, each written from the sheet."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from han_ppc_clients import PATH, Browser, options, row_value, tokens
from han_ppc_rack import EXPORT, IMPORT, METER, NOW, PASSWORDS, Ppc, counted, ppc
from lxml import html

BERLIN = ZoneInfo("Europe/Berlin")
LATEST = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)


@pytest.fixture
async def gateway() -> AsyncIterator[Ppc]:
    async with ppc() as found:
        yield found


def alice(host: str, port: int) -> Browser:
    return Browser(host, port, "alice", PASSWORDS["alice"])


def shown(value: int) -> str:
    return f"{value / 10_000:.4f}"


def by_id(element: html.HtmlElement, name: str) -> html.HtmlElement | None:
    found = element.xpath(f".//*[@id='{name}']")
    return found[0] if found else None


def rows_of(text: str) -> list[html.HtmlElement]:
    """Rows of ``table#metervalue`` that have a register."""
    (table,) = html.fromstring(text).xpath("//table[@id='metervalue']")
    return [row for row in table.xpath(".//tr") if by_id(row, "table_metervalues_col_obis") is not None]


def test_values_are_those_of_the_sheet() -> None:
    assert shown(7_249_204) == "724.9204"


def _home_assistant(host: str, port: int) -> tuple[dict[str, tuple[str, str]], str]:
    """HA built-in: GET, meterform, showMeterProfile of the first option, logout; one digest object per poll."""
    one = alice(host, port)
    first = one.login()
    assert one.cookies.keys() == {"session"}
    token = html.fromstring(first.text).xpath("//input")[0].get("value")  # find_all("input")[0]
    one.cookies["Cookie"] = one.cookies["session"]  # the odd second cookie of this client
    listed = html.fromstring(one.request("POST", f"tkn={token}&action=meterform").text)
    firmware = by_id(listed, "div_fwversion").text_content().strip()  # type: ignore[union-attr]
    (select,) = listed.xpath("//*[@id='meterform_select_meter']")
    mid = select[0].get("value")  # findChild
    profile = one.request("POST", f"tkn={token}&action=showMeterProfile&mid={mid}")
    found: dict[str, tuple[str, str]] = {}
    time = ""
    for row in rows_of(profile.text):
        stamp = by_id(row, "table_metervalues_col_timestamp")
        if stamp is not None:  # an empty cell would end in strptime(None)
            time = str(datetime.strptime(stamp.text, "%Y-%m-%d %H:%M:%S"))  # noqa: DTZ007 - local time
        obis, value = (by_id(row, f"table_metervalues_col_{name}") for name in ("obis", "wert"))
        assert obis is not None and value is not None and not len(obis) and not len(value)  # `.string` needs one node
        found[obis.text] = (value.text, time)
    assert one.request("POST", f"tkn={token}&action=logout").status == 200
    return found, firmware


async def test_home_assistant_reads_poll_after_poll(gateway: Ppc) -> None:
    for _ in range(3):
        found, firmware = await gateway.outside(_home_assistant)
        assert found == {
            "1-0:1.8.0": (shown(counted(LATEST)), "2026-03-30 12:00:01"),
            "1-0:2.8.0": (shown(counted(LATEST, EXPORT)), "2026-03-30 12:00:01"),
        }
        assert re.fullmatch(r"\d{5}-\d{5}", firmware)
        await gateway.clock.sleep(900)


def _library(host: str, port: int) -> tuple[list[str], list[tuple[str, ...]]]:
    """LIB: GET, meterform, showMeterProfile, swversions, logout; no ``tkn`` at all, an extra cookie."""
    one = alice(host, port)
    one.login()
    one.cookies["Cookie"] = one.cookies["session"]
    listed = one.post("meterform")
    names = [label for _, label in options(listed.text, "meterform_select_meter")]
    mid = options(listed.text, "meterform_select_meter")[0][0]
    assert len(rows_of(one.post("showMeterProfile", mid=mid).text)) == 2
    versions = html.fromstring(one.post("swversions").text).xpath("//tr")[1:]  # all rows of the page but the first
    cells = [tuple(cell.text_content().strip() for cell in row.xpath("./td")) for row in versions]
    one.post("logout")
    return names, [row for row in cells if len(row) == 3]


async def test_the_library_reads_versions_without_a_token(gateway: Ppc) -> None:
    names, versions = await gateway.outside(_library)
    assert names == [f"01005e318002.{METER.lower()}.sm"]
    assert [row[0] for row in versions] == ["smgw-bootstream", "smgw-services"]
    assert int(versions[0][1]) >= 24052 and int(versions[1][1]) >= 25334
    assert all(re.fullmatch(r"[0-9a-f]{64}", row[2]) for row in versions)


def _node_red(host: str, port: int) -> dict[str, str]:
    """NR: unauthenticated GET, then one nonce with nc 1, 2, 3; the first ``set-cookie``; no logout."""
    one = alice(host, port)
    assert one.raw("GET", PATH, None, {}).status == 401
    challenge = one.answers[-1].header("WWW-Authenticate") or ""
    assert re.fullmatch(
        r'Digest realm="SmartMeterGateway",qop="auth",algorithm="MD5",nonce="[0-9a-f]{32}",opaque="[0-9a-f]{32}"',
        challenge,
    )
    one.digest.learn(challenge)
    first = one.request("GET")
    assert "Fehler" not in first.text and "Willkommen" in first.text
    one.cookies = dict([first.all("set-cookie")[0].split(";")[0].split("=")])  # type: ignore[arg-type]
    parent = html.fromstring(first.text).xpath("//*[@id='button_menu_zaehler']")[0].getparent()
    token, action = (parent.xpath(f".//input[@name='{name}']")[0].get("value") for name in ("tkn", "action"))
    listed = html.fromstring(one.request("POST", f"tkn={token}&action={action}").text)
    found = [one for one in listed.xpath("//*[@id='meterform_select_meter']")[0] if METER.lower() in one.text]
    mid = found[0].get("value")
    token = listed.xpath("//*[@id='form_meterform']//input[@name='tkn']")[0].get("value")
    profile = one.request("POST", f"tkn={token}&action=showMeterProfile&mid={mid}")
    assert one.digest.count == 3
    assert [answer.status for answer in one.answers] == [401, 200, 200, 200]
    document = html.fromstring(profile.text)
    # .content > table:nth-of-type(2) > tr > td:nth-of-type(2); the rows are the table's own children
    cells = document.xpath("//*[contains(concat(' ',@class,' '),' content ')]/table[2]/tr/td[2]")
    assert "<tbody" not in profile.text
    return {
        "meterid": cells[0].text_content(),
        "updateinterval": cells[6].text_content(),
        **{
            name: document.xpath(f"//*[@id='table_metervalues_col_{name}']")[0].text_content()
            for name in ("wert", "einheit", "timestamp", "istvalide", "obis")
        },
    }


async def test_node_red_reads_with_one_nonce(gateway: Ppc) -> None:
    for _ in range(2):
        assert await gateway.outside(_node_red) == {
            "meterid": f"{METER.lower()}.sm",
            "updateinterval": "900",
            "wert": shown(counted(LATEST)),
            "einheit": "kWh",
            "timestamp": "2026-03-30 12:00:01",
            "istvalide": "1",
            "obis": "1-0:1.8.0",
        }
        await gateway.clock.sleep(60)


def _history(host: str, port: int, day: datetime) -> list[tuple[str, str, str]]:
    """TR: a new handshake for each request; mid of showMeterValuesForm; one page of the day and the next 15 minutes."""
    one = alice(host, port)

    def ask(**fields: str) -> str:
        one.digest.challenge = {}
        answer = one.post(fields.pop("action"), token, **fields)
        return answer.text

    token = tokens(one.login().text)[0]
    listed = ask(action="meterform")
    token = tokens(listed)[0]
    mid = options(listed, "meterform_select_meter")[0][0]
    form = ask(action="showMeterValuesForm", mid=mid)
    token = tokens(form)[0]
    (fresh,) = html.fromstring(form).xpath(
        "//form[@name='input_metervalues']//input[@name='mid'][@type='hidden']/@value"
    )
    assert fresh != mid
    until = (day + timedelta(days=1)).strftime("%Y-%m-%d 00:15:00")
    page = ask(action="showMeterValues", mid=fresh, **{"from": day.strftime("%Y-%m-%d 00:00:00"), "to": until})
    found, time = [], ""
    for row in rows_of(page):
        stamp = by_id(row, "table_metervalues_col_timestamp")
        time = stamp.text_content().strip() if stamp is not None else time
        obis, value = (by_id(row, f"table_metervalues_col_{name}").text_content() for name in ("obis", "wert"))  # type: ignore[union-attr]
        if obis:
            found.append((time, obis, value))
    ask(action="logout")
    return found


@pytest.mark.parametrize(
    ("day", "quarters"), [("2026-03-28", 96), ("2026-03-29", 92), ("2025-10-26", 100)], ids=["gap", "spring", "autumn"]
)
async def test_the_history_has_every_quarter_hour_of_the_day(gateway: Ppc, day: str, quarters: int) -> None:
    """Han 2.3, 5.5: 92 and 100 quarter hours on the days of the change, both passes of the repeated hour listed."""
    begin = datetime.fromisoformat(day)
    rows = await gateway.outside(_history, begin)
    own = [(time, value) for time, obis, value in rows if obis == "1-0:1.8.0"]
    within = [time for time, _ in own if time.startswith(day)]
    assert len(within) == quarters - (1 if day == "2026-03-28" else 0)  # one instant has no value there
    wanted = []
    at = datetime(begin.year, begin.month, begin.day, tzinfo=BERLIN).astimezone(UTC)
    while at.astimezone(BERLIN).date() == begin.date():
        wanted.append(at)
        at += timedelta(minutes=15)
    assert len(wanted) == quarters
    wanted.append(at)
    expected = [
        ((one + timedelta(seconds=1)).astimezone(BERLIN).strftime("%Y-%m-%d %H:%M:%S"), shown(counted(one)))
        for one in reversed(wanted)
        if one != datetime(2026, 3, 28, 12, tzinfo=UTC)
    ]
    assert own == expected
    for boundary in (begin + timedelta(seconds=1), begin + timedelta(days=1, seconds=1)):
        times = [datetime.fromisoformat(time) for time, _ in own]
        assert any(abs(time - boundary) <= timedelta(minutes=7) for time in times)


def _lutarym(host: str, port: int) -> tuple[dict[str, str | None], dict[str, dict[str, str | None]]]:
    """LU: GET, meterform, showMeterProfile per meter, tariffform, showTariffProfile per profile, logout."""
    one = alice(host, port)
    token = tokens(one.login().text)[0]
    meters: dict[str, str | None] = {}
    for mid, label in options(one.post("meterform", token).text, "meterform_select_meter"):
        text = one.post("showMeterProfile", token, mid=mid).text
        meters["option"] = label
        for name in (
            "Z&auml;hler-ID", "Name", "Beschreibung", "Kommunikationstyp", "Protokoll-Typ", "Protokoll-Version",
            "Ausleseintervall", "Abfrageversuche", "Z&auml;hleradresse", "Medium",
        ):  # fmt: skip
            meters[name] = row_value(text, name)
        lines = re.findall(r"""<tr\b[^>]*\bid=["']table_metervalues_line\d+["'][^>]*>[\s\S]*?</tr>""", text)
        signs = [re.search(r"""id=["']table_metervalues_col_sign["'][^>]*>([^<]*)<""", line) for line in lines]
        assert len(lines) == 2 and all(found is not None and len(found[1]) == 128 for found in signs)
        synced = re.search(r"Letzte\s+Synchronisation:\s*([0-9]{4}-[0-9]{2}-[0-9]{2}\s+[0-9:]{8})", text)
        meters["synced"] = None if synced is None else synced[1]
    tariffs: dict[str, dict[str, str | None]] = {}
    for tid, label in options(one.post("tariffform", token).text, "tarifform_select_profile"):
        text = one.post("showTariffProfile", token, tid=tid).text
        names = (
            "TAF-Typ", "Profilname", "Profilname Empf&auml;nger", "Profil-ID", "Alias", "Z&auml;hlpunktbezeichnung",
            "Abrechnungsperiode (sek.)", "Registerperiode (sek.)", "Vorhaltezeit (Tage)", "Beginn Validierungsperiode",
            "Ende Validierungsperiode", "Tarifstufen", "Tag Beginn",
        )  # fmt: skip
        tariffs[label] = {name: row_value(text, name) for name in names}
        for name in ("obis", "messgroesse", "domain"):
            found = re.search(rf"""id=["']table_tafvalues_col_{name}["'][^>]*>([^<]*)<""", text)
            tariffs[label][name] = None if found is None else found[1]
        assert re.search(r"id='table_supplyconfigs_col_domain2'", text)
        assert re.search(r"id='table_supplyconfigs_col_obis'", text)
    one.post("logout", token)
    return meters, tariffs


async def test_lutarym_finds_every_label(gateway: Ppc) -> None:
    meters, tariffs = await gateway.outside(_lutarym)
    assert all(value for value in meters.values()), meters
    assert meters["option"] == f"01005e318002.{METER.lower()}.sm"
    assert meters["Ausleseintervall"] == "900"
    assert meters["synced"] == "2026-03-30 11:30:00"
    assert sorted(tariffs) == ["TAF1_OCT_B+E", "TAF2_OCT_B+E", "TAF7_OCT_B+E"]
    for label, facts in tariffs.items():
        assert all(value for value in facts.values()), facts
        assert (facts["TAF-Typ"] or "").startswith(f"{label[:4]} ")
        assert facts["Ende Validierungsperiode"] == "unbegrenzt"
        assert facts["Beginn Validierungsperiode"] == "2026-03-01 00:00:00"
        assert facts["domain"] == f"{METER.lower()}.sm"
        assert facts["obis"] == "1-0:1.8.0"
    march = str(31 * 86_400 - 3600)
    assert [tariffs[name]["Abrechnungsperiode (sek.)"] for name in sorted(tariffs)] == [march, march, "0"]


def _open_hab(host: str, port: int) -> dict[str, tuple[str, str, str]]:
    """OH: GET, meterform, showMeterValues with the day alone as both bounds; the set-cookie value goes back verbatim,
    forms without a content type."""
    one = alice(host, port)
    first = one.login()
    cookie = first.header("Set-Cookie") or ""
    assert re.fullmatch(r"session=[0-9a-f]+;secure;HttpOnly", cookie)
    one.cookies = {}
    headers = {"Cookie": cookie, "Content-Type": "text/plain;charset=UTF-8"}
    token = tokens(first.text)[0]
    listed = one.request("POST", f"tkn={token}&action=meterform", headers=headers)
    (mid,) = html.fromstring(listed.text).xpath("//select[@name='mid']/option/@value")
    today = NOW.astimezone(BERLIN).strftime("%Y-%m-%d")
    body = f"tkn={tokens(listed.text)[0]}&mid={mid}&action=showMeterValues&from={today}&to={today}"
    page = html.fromstring(one.request("POST", body, headers=headers).text)
    found, time = {}, ""
    for number in range(1, 11):  # the first row of each number, until one is not there
        for row in page.xpath(f"//tr[@id='table_metervalues_line{number}']")[:1]:
            cell = {one.get("id"): one.text_content() for one in row}
            time = cell.get("table_metervalues_col_timestamp", time)
            channel = cell["table_metervalues_col_name"].rpartition(" ")[0]  # without its last word, which has umlauts
            assert channel not in found and re.fullmatch("[A-Za-z ]+", channel)
            found[channel] = (cell["table_metervalues_col_wert"], cell["table_metervalues_col_einheit"], time)
    return found


async def test_open_hab_reads_the_newest_value_of_each_register(gateway: Ppc) -> None:
    """Its rows are numbered within a reading, so those of older readings do not come after (OH)."""
    assert list((await gateway.outside(_open_hab)).values()) == [
        (shown(counted(LATEST, IMPORT)), "kWh", "2026-03-30 12:00:01"),
        (shown(counted(LATEST, EXPORT)), "kWh", "2026-03-30 12:00:01"),
    ]


def _trudi(host: str, port: int) -> dict[str, list[tuple[str, ...]]]:
    """TRuDI: versions, contracts, billing periods, registers, values, log, each with all its pages, logout."""
    one = alice(host, port)
    token = tokens(one.login().text)[0]
    found: dict[str, list[tuple[str, ...]]] = {}

    def cells(text: str, line: str, *columns: str) -> list[tuple[str, ...]]:
        rows = html.fromstring(text).xpath(f"//tr[@id='{line}']")
        return [tuple(by_id(row, column).text_content().strip() for column in columns) for row in rows]  # type: ignore[union-attr]

    def paged(action: str, button: str, line: str, *columns: str, **fields: str) -> list[tuple[str, ...]]:
        every: list[tuple[str, ...]] = []
        for page in range(1, 60):
            text = one.post(action, token, page=str(page), **fields).text
            every += cells(text, line, *columns)
            if not html.fromstring(text).xpath(f"//*[@id='{button}']"):
                return every
        raise AssertionError("it never ends")

    one.post("swversions", token)
    for tid, label in options(one.post("tariffform", token).text, "tarifform_select_profile"):
        profile = one.post("showTariffProfile", token, tid=tid).text
        found[label] = [(row_value(profile, "TAF-Typ") or "",)]
        span = {"tid": tid, "from": "2026-03-01 00:00:00", "to": "2026-04-01 00:00:00"}
        text = one.post("showTarification", token, page="1", **span).text
        columns = [f"table_tarification_col_{name}" for name in ("periodbegin", "periodend", "status")]
        found[label] += cells(text, "table_tarification_line", *columns)
        for ttid in html.fromstring(text).xpath("//tr[@id='table_tarification_line']//input[@name='ttid']/@value"):
            columns = [
                f"table_tafregister_col_{name}"
                for name in ("qualitaet", "wert", "einheit", "obis", "kostenstufe", "sollzeitpunkt")
            ]
            button = "table_tafregister_button_nextpage"
            found[f"{label} registers"] = paged(
                "showTarificationRegister", button, "table_tafregister_line", *columns, ttid=ttid
            )
    columns = [f"table_logs_col_{name}" for name in ("zeit", "loglevel", "logid", "outcome")]
    found["log"] = paged("log", "table_logs_button_nextpage", "table_log_line", *columns)
    mid = options(one.post("meterform", token).text, "meterform_select_meter")[0][0]
    span = {"mid": mid, "from": "2025-10-01", "to": "2026-03-31"}
    pages = [one.post("showMeterValues", token, page=str(page), **span).text for page in (1, 2, 3, 4)]
    found["pages"] = [(str(len(rows_of(text))),) for text in pages]
    one.post("logout", token)
    return found


async def test_trudi_walks_through_contracts_pages_and_log(gateway: Ppc) -> None:
    await gateway.outside(lambda host, port: alice(host, port).login())
    await gateway.clock.sleep(1)  # what is logged is stored in the gateway's own time
    found = await gateway.outside(_trudi)
    assert found["TAF2_OCT_B+E"] == [
        ("TAF2 Zeitvariabler Tarif",),
        ("2026-03-01 00:00:00", "2026-04-01 00:00:00", "laufend"),
    ]
    staged = found["TAF2_OCT_B+E registers"]
    assert {row[4] for row in staged} == {"0", "1", "2", "63"}
    assert all(row[3] == f"1-0:1.8.{row[4]}" for row in staged)
    assert [row[5] for row in staged] == sorted((row[5] for row in staged), reverse=True)
    assert staged[0][5] == "2026-03-30 06:00:00"
    by_stage = {row[4]: Decimal(row[1]) for row in staged[:4]}
    at = datetime(2026, 3, 30, 4, tzinfo=UTC)
    assert str(by_stage["0"]) == shown(counted(at))
    rise = counted(at) - counted(datetime(2026, 3, 27, 12, tzinfo=UTC))
    assert str(by_stage["1"] + by_stage["2"] + by_stage["63"]) == shown(rise)
    assert found["TAF7_OCT_B+E"][1] == ("2026-03-01 00:00:00", "unbegrenzt", "laufend")
    registers = found["TAF7_OCT_B+E registers"]
    quarters = int((LATEST - datetime(2026, 3, 27, 12, tzinfo=UTC)) / timedelta(minutes=15)) + 1
    assert len(registers) == 2 * quarters
    assert registers[0] == ("gültig", shown(counted(LATEST)), "kWh", "1-0:1.8.0", "0", "2026-03-30 12:00:00")
    assert ("nicht vorhanden", "", "", "1-0:1.8.0", "0", "2026-03-28 13:00:00") in registers
    assert {row[0] for row in registers} == {"gültig", "ungültig", "nicht vorhanden"}
    logged = found["log"]
    assert ("INFO", "10228", "erfolgreich") in [row[1:] for row in logged]
    assert [row[0] for row in logged] == sorted((row[0] for row in logged), reverse=True)
    assert {row[1] for row in logged} <= {"INFO", "WARNING", "ERROR", "FATAL"}
    # 193 instants in October, 281 in March, two registers each but for the gap: pages of 200 instants, the newest first
    assert found["pages"] == [("399",), ("400",), ("148",), ("0",)]
