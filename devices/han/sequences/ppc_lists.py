"""Programs that read a PPC's lists: TR, the library's and the extractor's exports, TRuDI (han 2.4, 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from devices.han.sequences.cms_files import extracted, first_column, meter_profile
from devices.han.sequences.ppc_markup import (
    FORM,
    PATH,
    SELECT_METER,
    SELECT_TARIFF,
    by_id,
    first,
    listed,
    meter_in,
    options,
    parsed,
    post,
    row_value,
    session_of,
    text_of,
    the,
    time_of,
    tokens,
    written_rows,
)
from devices.han.sequences.visit import BoundReached, Findings, NothingThere, Told, Visit, must
from devices.han.times import LOCAL, local_text

NEAR: Final = timedelta(minutes=7)
PAGES: Final = 60
"""The bench's own bound for a list; it is no fault of a gateway to have more."""
LEAST_VERSIONS: Final = {"smgw-bootstream": 24052, "smgw-services": 25334}
"""Older ones the transparency software refuses (han 2.1)."""
TAF_WORDS: Final = ("TAF1 ", "TAF2 ", "TAF7 ", "TAF9 ", "TAF10 ", "TAF13 ", "TAF14 ")
"""How it wants the label TAF-Typ to begin (han 2.3)."""
RECENT: Final = timedelta(days=2)
PERIOD_IDS: Final = "//tr[@id='table_tarification_line']//input[@name='ttid']/@value"


async def history(visit: Visit, day: date | None = None) -> Findings:
    """TR: a new handshake for each request; mid of showMeterValuesForm; one page of the day and the next 15 minutes.

    Args:
        day: in local time; None: yesterday.
    """
    day = day or visit.now.astimezone(LOCAL).date() - timedelta(days=1)
    begin = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local time without zone

    async def ask(action: str, token: str | None, **fields: str) -> str:
        visit.digest.challenge = {}
        return await post(visit, action, token, **fields)

    answer = await visit.ask("GET", PATH)
    session_of(answer)
    page = await ask("meterform", tokens(text_of("login", answer))[0])
    mid, label = first("option of the meter", options(page, SELECT_METER))
    page = await ask("showMeterValuesForm", tokens(page)[0], mid=mid)
    hidden = "//form[@name='input_metervalues']//input[@name='mid'][@type='hidden']/@value"
    fresh = first("input_metervalues, mid", parsed("showMeterValuesForm", page).xpath(hidden))
    token = tokens(page)[0]
    span = {"from": f"{begin:%Y-%m-%d 00:00:00}", "to": f"{begin + timedelta(days=1):%Y-%m-%d 00:15:00}"}
    page = await ask("showMeterValues", token, mid=fresh, **span)
    rows = written_rows(page)
    await ask("logout", token)
    if not rows:
        raise NothingThere(f"no value of {day}")
    for boundary in (begin + timedelta(seconds=1), begin + timedelta(days=1, seconds=1)):
        if not any(abs(row[0] - boundary) <= NEAR for row in rows):
            raise NothingThere(f"no value within 7 minutes of {boundary}")
    return Findings(listed(rows, meter_in(label)), {"rows": rows, "mids": (mid, fresh)})


async def _export(visit: Visit, action: str, **fields: str) -> tuple[bytes, str]:
    """A file, and the name it comes with."""
    answer = await visit.ask("POST", PATH, FORM, urlencode({"action": action, **fields}).encode())
    must(answer.status == 200, action, f"status {answer.status}, not 200")
    return answer.body, answer.headers.get("content-disposition", "")


def _span(visit: Visit, begin: datetime | None, end: datetime | None) -> dict[str, str]:
    return {"from": local_text(begin or visit.now - RECENT), "to": local_text(end or visit.now)}


async def library_exports(visit: Visit, begin: datetime | None = None, end: datetime | None = None) -> Findings:
    """LIB when it is configured: exportMeterProfile of each meter, which reads it (60 s), and exportMeterValues.

    It knows the register of the first captured object only, so that is what it tells (han 6).
    """
    session_of(await visit.ask("GET", PATH))
    visit.cookies["Cookie"] = visit.cookies["session"]
    found: list[Told] = []
    registers: dict[str, tuple[str, ...]] = {}
    for mid, label in options(await post(visit, "meterform"), SELECT_METER):
        profile, _ = await _export(visit, "exportMeterProfile", mid=mid)
        device, registers[label] = meter_profile(profile)
        must(device == meter_in(label), "device_identifier", f"{device} in the profile of {label}")
        octets, _ = await _export(visit, "exportMeterValues", mid=mid, **_span(visit, begin, end))
        found += first_column(octets)
    await post(visit, "logout")
    if not found:
        raise NothingThere("no value in the exports")
    return Findings(tuple(found), {"registers": registers})


async def extractor(visit: Visit, begin: datetime | None = None, end: datetime | None = None) -> Findings:
    """CMS: the file that a person saves from the portal, read without ASN.1."""
    answer = await visit.ask("GET", PATH)
    session_of(answer)
    page = await post(visit, "meterform", tokens(text_of("login", answer))[0])
    found: list[Told] = []
    for mid, label in options(page, SELECT_METER):
        form = await post(visit, "showMeterValuesForm", tokens(page)[0], mid=mid)
        token = tokens(form)[0]
        span = _span(visit, begin, end)
        octets, name = await _export(visit, "exportMeterValues", tkn=token, mid=mid, **span)
        wanted = f"{meter_in(label)}.sm_data.xml.cms"
        must(f'filename="{wanted}"' in name, "Content-Disposition", f"{name[:80]!r} does not name {wanted}")
        found += extracted(octets)
    await post(visit, "logout", tokens(page)[0])
    if not found:
        raise NothingThere("no value in the exports")
    return Findings(tuple(found))


async def transparency(visit: Visit, begin: datetime | None = None, end: datetime | None = None) -> Findings:
    """TRuDI: versions, contracts, the billing periods that the span touches with all of their registers, values and log
    of the span, logout; each list with all its pages, of which BoundReached is raised for more than `PAGES`.

    Told are the values, and of registers those of the whole meter (cost stage 0), which are metered values as well.
    """
    answer = await visit.ask("GET", PATH)
    session_of(answer)
    token = tokens(text_of("login", answer))[0]
    span = _span(visit, begin, end)
    more: dict[str, Any] = {}
    found: list[Told] = []
    versions = parsed("swversions", await post(visit, "swversions", token))
    cells = [[cell.text_content().strip() for cell in row.xpath("./td")] for row in versions.xpath("//tr")]
    components = {row[0]: row[1] for row in cells if len(row) == 3}
    for name, least in LEAST_VERSIONS.items():
        version = components.get(name, "")
        must(version.isdecimal() and int(version) >= least, name, f"version {version or 'none'}, {least} is the least")
    for tid, label in options(await post(visit, "tariffform", token), SELECT_TARIFF):
        profile = await post(visit, "showTariffProfile", token, tid=tid)
        case = row_value(profile, "TAF-Typ") or ""
        must(case.startswith(TAF_WORDS), "TAF-Typ", f"{case[:30]!r} begins with no use case that is known")
        domain = the(parsed("showTariffProfile", profile), "table_tafvalues_col_domain").text_content().strip()
        pages = await _paged(visit, "showTarification", "tarification", token, tid=tid, **span)
        more[label] = [(case,), *_rows(pages, "tarification", ("periodbegin", "periodend", "status"))]
        more[f"{label} registers"] = []
        for ttid in [one for text in pages for one in parsed("showTarification", text).xpath(PERIOD_IDS)]:
            registers = await _register_rows(visit, token, ttid)
            more[f"{label} registers"] += registers
            found += _whole(registers, domain.removesuffix(".sm").lower())
    more["pages"] = {}
    for mid, label in options(await post(visit, "meterform", token), SELECT_METER):
        pages = await _paged(visit, "showMeterValues", "metervalues", token, mid=mid, **span)
        rows = [written_rows(text) for text in pages]
        more["pages"][label] = [len(one) for one in rows]
        found += listed([row for one in rows for row in one], meter_in(label))
    until = local_text(visit.now + timedelta(days=1))  # so that this visit's own login is among it
    pages = await _paged(visit, "log", "logs", token, **span | {"to": until})
    more["log"] = _rows(pages, "logs", ("zeit", "loglevel", "logid", "outcome"), line="table_log_line")
    must(bool(more["log"]), "table_log_line", "the log has no entry, not even that of the login")
    await post(visit, "logout", token)
    if not found:
        raise NothingThere("no value in the span")
    return Findings(tuple(found), more)


async def _register_rows(visit: Visit, token: str, ttid: str) -> list[tuple[str, ...]]:
    columns = ("qualitaet", "wert", "einheit", "obis", "kostenstufe", "sollzeitpunkt")
    return _rows(
        await _paged(visit, "showTarificationRegister", "tafregister", token, ttid=ttid), "tafregister", columns
    )


def _whole(rows: list[tuple[str, ...]], meter: str) -> tuple[Told, ...]:
    """Values of the whole meter in a billing period; one that has not begun to count has none."""
    own = [(time_of(time), obis, value, unit) for _, value, unit, obis, stage, time in rows if stage == "0"]
    return tuple(replace(one, at=None, instant=one.at) for one in listed(own, meter))


def _rows(pages: list[str], table: str, columns: tuple[str, ...], line: str = "") -> list[tuple[str, ...]]:
    """Cells of all rows of a table; its name is in all ids (han 2.3), but for the log's rows."""
    line = line or f"table_{table}_line"
    rows = [row for text in pages for row in parsed(line, text).xpath("//tr[@id=$line]", line=line)]
    return [tuple(the(row, f"table_{table}_col_{one}").text_content().strip() for one in columns) for row in rows]


async def _paged(visit: Visit, action: str, table: str, token: str, **fields: str) -> list[str]:
    """All pages of a list. Raises BoundReached when there is one behind the last that is fetched."""
    pages: list[str] = []
    for number in range(1, PAGES + 1):
        pages.append(await post(visit, action, token, page=str(number), **fields))
        if by_id(parsed(action, pages[-1]), f"table_{table}_button_nextpage") is None:
            return pages
    raise BoundReached(f"{action} has more than {PAGES} pages; the bench fetches no more")
