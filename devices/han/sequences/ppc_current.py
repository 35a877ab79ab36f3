"""Programs that read a PPC's current values: HA both ways, NR, LU, OH (han 2.4)."""

from __future__ import annotations

import re
from typing import Final

from devices.han.errors import NotUnderstood
from devices.han.sequences.ppc_markup import (
    FORM,
    PATH,
    SELECT_METER,
    SELECT_TARIFF,
    by_id,
    current,
    first,
    meter_in,
    options,
    parsed,
    post,
    row_value,
    rows_of,
    session_of,
    text_of,
    the,
    time_of,
    tokens,
)
from devices.han.sequences.visit import Findings, NothingThere, Told, Visit, code_of, must, number_of
from devices.han.times import LOCAL, nearest

METER_LABELS: Final = (
    "Z&auml;hler-ID", "Name", "Beschreibung", "Kommunikationstyp", "Protokoll-Typ", "Protokoll-Version",
    "Ausleseintervall", "Abfrageversuche", "Z&auml;hleradresse", "Medium",
)  # fmt: skip
TARIFF_LABELS: Final = (
    "TAF-Typ", "Profilname", "Profilname Empf&auml;nger", "Profil-ID", "Alias", "Z&auml;hlpunktbezeichnung",
    "Abrechnungsperiode (sek.)", "Registerperiode (sek.)", "Vorhaltezeit (Tage)", "Beginn Validierungsperiode",
    "Ende Validierungsperiode", "Tarifstufen", "Tag Beginn",
)  # fmt: skip


async def home_assistant(visit: Visit) -> Findings:
    """HA built-in: GET, meterform, showMeterProfile of the first option, logout; one digest object per poll."""
    answer = await visit.ask("GET", PATH)
    session_of(answer)
    token = first("input", parsed("start page", text_of("login", answer)).xpath("//input")).get("value")
    visit.cookies["Cookie"] = visit.cookies["session"]  # the odd second cookie of this client

    async def ask(body: str) -> str:
        return text_of(body.split("action=")[1], await visit.ask("POST", PATH, None, f"tkn={token}&{body}".encode()))

    listed = parsed("meterform", await ask("action=meterform"))
    firmware = the(listed, "div_fwversion").text_content().strip()
    must(re.fullmatch(r"\d{5}-\d{5}", firmware) is not None, "div_fwversion", f"{firmware[:30]!r} is no version")
    select = the(listed, SELECT_METER)
    option = first("option", select.xpath("./option"))
    found = current(
        await ask(f"action=showMeterProfile&mid={option.get('value')}"), meter_in(option.text or ""), visit.now
    )
    await ask("action=logout")
    return Findings(found, {"firmware": firmware})


async def library(visit: Visit) -> Findings:
    """HA with the library: GET, meterform, showMeterProfile, swversions, logout; no ``tkn`` at all, an extra cookie."""
    answer = await visit.ask("GET", PATH)
    session_of(answer)
    text_of("login", answer)
    visit.cookies["Cookie"] = visit.cookies["session"]
    names = options(await post(visit, "meterform"), SELECT_METER)
    mid, label = first("option of the meter", names)
    found = current(await post(visit, "showMeterProfile", mid=mid), meter_in(label), visit.now)
    page = parsed("swversions", await post(visit, "swversions"))
    cells = [tuple(cell.text_content().strip() for cell in row.xpath("./td")) for row in page.xpath("//tr")[1:]]
    versions = [row for row in cells if len(row) == 3]
    must(bool(versions), "swversions", "no row of exactly three cells")
    await post(visit, "logout")
    return Findings(found, {"names": [label for _, label in names], "versions": versions})


async def node_red(visit: Visit) -> Findings:
    """NR: unauthenticated GET, then one nonce with nc 1, 2, 3; the first ``set-cookie``; no logout."""
    asked = await visit.send("GET", PATH)
    must(asked.status == 401, "GET without a login", f"status {asked.status}, not 401")
    visit.digest.learn(asked)

    async def once(method: str, body: bytes | None = None) -> str:
        headers = {"Authorization": visit.digest.header(method, PATH)}
        answer = await visit.send(method, PATH, headers, body)
        if method == "GET":
            cookie = first("set-cookie", [value for name, value in answer.fields if name == "set-cookie"])
            cookie_name, _, session = cookie.split(";")[0].partition("=")
            must(cookie_name == "session" and session != "", "set-cookie", "its first entry is not the session")
            visit.cookies = {cookie_name: session}
        text = text_of(f"{method} with nc {visit.digest.count}", answer)
        must("Fehler" not in text, "page", "it has the word Fehler")
        return text

    start = parsed("start page", await once("GET"))
    parent = the(start, "button_menu_zaehler").getparent()
    token, action = (first(name, parent.xpath(".//input[@name=$n]", n=name)).get("value") for name in ("tkn", "action"))
    listed = parsed("meterform", await once("POST", f"tkn={token}&action={action}".encode()))
    option = first("option of the meter", the(listed, SELECT_METER).xpath("./option"))
    token = first("tkn of form_meterform", the(listed, "form_meterform").xpath(".//input[@name='tkn']")).get("value")
    body = f"tkn={token}&action=showMeterProfile&mid={option.get('value')}"
    text = await once("POST", body.encode())
    page = parsed("showMeterProfile", text)
    # .content > table:nth-of-type(2) > tr > td:nth-of-type(2); the rows must be the table's own children
    cells = page.xpath("//*[contains(concat(' ',@class,' '),' content ')]/table[2]/tr/td[2]")
    must("<tbody" not in text and len(cells) > 6, ".content > table:nth-of-type(2) > tr > td", "not there")
    told = {
        "meterid": cells[0].text_content().strip(),
        "updateinterval": cells[6].text_content().strip(),
        **{
            name: the(page, f"table_metervalues_col_{name}").text_content().strip()
            for name in ("wert", "einheit", "timestamp", "istvalide", "obis")
        },
    }
    must(told["updateinterval"].isdecimal(), "Ausleseintervall", f"{told['updateinterval'][:30]!r} is no number")
    at = nearest(time_of(told["timestamp"]), visit.now)
    meter = told["meterid"].removesuffix(".sm").lower()
    value = number_of("wert", told["wert"])
    return Findings((Told(meter, code_of("obis", told["obis"]), value, told["einheit"], at),), told)


async def lutarym(visit: Visit) -> Findings:
    """LU: GET, meterform, showMeterProfile per meter, tariffform, showTariffProfile per profile, logout."""
    answer = await visit.ask("GET", PATH)
    session_of(answer)
    token = tokens(text_of("login", answer))[0]
    found: list[Told] = []
    meters: dict[str, dict[str, str]] = {}
    for mid, label in options(await post(visit, "meterform", token), SELECT_METER):
        text = await post(visit, "showMeterProfile", token, mid=mid)
        meters[label] = {name: _beside(text, name) for name in METER_LABELS}
        lines = re.findall(r"""<tr\b[^>]*\bid=["']table_metervalues_line\d+["'][^>]*>[\s\S]*?</tr>""", text)
        must(len(lines) == len(rows_of(text)), "table_metervalues_line", "not every row has such an id")
        signs = [re.search(r"""id=["']table_metervalues_col_sign["'][^>]*>([^<]*)<""", line) for line in lines]
        must(all(signs), "table_metervalues_col_sign", "not there")
        meters[label]["signs"] = " ".join(one[1] for one in signs if one is not None)
        synced = re.search(r"Letzte\s+Synchronisation:\s*([0-9]{4}-[0-9]{2}-[0-9]{2}\s+[0-9:]{8})", text)
        if synced is None:
            raise NotUnderstood("Letzte Synchronisation", "not there")
        meters[label]["synced"] = synced[1]
        found += current(text, meter_in(label), visit.now)
    tariffs: dict[str, dict[str, str]] = {}
    for tid, label in options(await post(visit, "tariffform", token), SELECT_TARIFF):
        text = await post(visit, "showTariffProfile", token, tid=tid)
        tariffs[label] = {name: _beside(text, name) for name in TARIFF_LABELS}
        names = [f"table_tafvalues_col_{name}" for name in ("obis", "messgroesse", "domain")]
        for name in [*names, *(f"table_supplyconfigs_col_{name}" for name in ("domain2", "obis"))]:
            cell = re.search(rf"""id=["']{name}["'][^>]*>([^<]*)<""", text)
            if cell is None:
                raise NotUnderstood(name, "no element of this id")
            tariffs[label][name] = cell[1]
    await post(visit, "logout", token)
    if not found:
        raise NothingThere("the user sees no meter")
    return Findings(tuple(found), {"meters": meters, "tariffs": tariffs})


def _beside(text: str, label: str) -> str:
    found = row_value(text, label)
    if not found:
        raise NotUnderstood(f"label {label}", "no row of the form <tr><td>label</td><td>value</td></tr>")
    return found


async def open_hab(visit: Visit) -> Findings:
    """OH: GET, meterform, showMeterValues with the day alone as both bounds; the set-cookie value goes back verbatim,
    forms as plain text. It takes the first row of each number, which is of the newest reading."""
    answer = await visit.ask("GET", PATH)
    session_of(answer)
    cookie = answer.headers["set-cookie"]
    must(re.fullmatch(r"session=[0-9a-f]+;secure;HttpOnly", cookie) is not None, "set-cookie", "another form")
    visit.cookies = {}
    headers = FORM | {"Cookie": cookie, "Content-Type": "text/plain;charset=UTF-8"}

    async def ask(body: str) -> str:
        return text_of("page", await visit.ask("POST", PATH, headers, body.encode()))

    text = await ask(f"tkn={tokens(text_of('login', answer))[0]}&action=meterform")
    option = first("select[name=mid]", parsed("meterform", text).xpath("//select[@name='mid']/option"))
    today = visit.now.astimezone(LOCAL).strftime("%Y-%m-%d")
    body = f"tkn={tokens(text)[0]}&mid={option.get('value')}&action=showMeterValues&from={today}&to={today}"
    page = parsed("showMeterValues", await ask(body))
    meter, time = meter_in(option.text or ""), ""
    found: dict[str, Told] = {}
    the(page, "metervalue")
    for number in range(1, 11):  # the first row of each number, until one is not there
        row = by_id(page, f"table_metervalues_line{number}")
        if row is None:
            break
        cell = {one.get("id", ""): one.text_content().strip() for one in row}
        time = cell.get("table_metervalues_col_timestamp") or time
        for column in ("name", "wert", "einheit", "obis"):
            must(f"table_metervalues_col_{column}" in cell, f"table_metervalues_col_{column}", "no element of this id")
        name = cell["table_metervalues_col_name"]
        channel = name.rpartition(" ")[0] or name  # without its last word, which has umlauts
        if re.fullmatch("[A-Za-z ]+", channel) is None:
            continue  # it makes no channel
        must(channel not in found, "table_metervalues_col_name", f"{channel!r} comes twice")
        value = number_of("wert", cell["table_metervalues_col_wert"])
        obis = code_of("obis", cell["table_metervalues_col_obis"])
        at = nearest(time_of(time), visit.now)
        found[channel] = Told(meter, obis, value, cell["table_metervalues_col_einheit"], at)
    if not found:
        raise NothingThere("no value of today")
    return Findings(tuple(found.values()))
