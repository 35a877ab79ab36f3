"""The portal's pages as programs read them: by ids, labels, and regular expressions (han 2.3)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from lxml import etree, html

from devices.han.content import RawAnswer
from devices.han.errors import NotUnderstood
from devices.han.sequences.visit import NothingThere, Told, Visit, code_of, must, number_of
from devices.han.times import nearest, rising

PATH: Final = "/cgi-bin/hanservice.cgi"
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
SELECT_METER: Final = "meterform_select_meter"
SELECT_TARIFF: Final = "tarifform_select_profile"
_LABEL: Final = re.compile(r"[0-9a-f]{12}\.([0-9a-z]+)\.sm")


def text_of(what: str, answer: RawAnswer) -> str:
    """The page of an answer of status 200. Raises NotUnderstood for another status and for an empty page."""
    must(answer.status == 200, what, f"status {answer.status}, not 200")
    must(bool(answer.body.strip()), what, "an empty page")
    return answer.text


def parsed(what: str, text: str) -> html.HtmlElement:
    """The page as a tree."""
    try:
        return html.fromstring(text)
    except (etree.ParserError, ValueError):
        raise NotUnderstood(what, "no HTML") from None


async def post(visit: Visit, action: str, token: str | None = None, **fields: str) -> str:
    """A form, and the page that answers it."""
    sent = ({} if token is None else {"tkn": token}) | {"action": action} | fields
    return text_of(action, await visit.ask("POST", PATH, FORM, urlencode(sent).encode()))


def session_of(answer: RawAnswer) -> None:
    """Programs hold one cookie, and it is called session. Raises NotUnderstood."""
    names = [value.split("=")[0] for name, value in answer.fields if name == "set-cookie"]
    must(names == ["session"], "login", f"sets the cookies {', '.join(names) or 'none'}, not session alone")


def by_id(element: html.HtmlElement, name: str) -> html.HtmlElement | None:
    """The first element of that id."""
    found = element.xpath(".//*[@id=$name]", name=name)
    return found[0] if found else None


def the(element: html.HtmlElement, name: str) -> html.HtmlElement:
    """The element of that id. Raises NotUnderstood."""
    found = by_id(element, name)
    if found is None:
        raise NotUnderstood(name, "no element of this id")
    return found


def first(what: str, found: Any) -> Any:
    """The first of what an expression finds. Raises NotUnderstood without any."""
    must(bool(found), what, "not there")
    return found[0]


def tokens(text: str) -> list[str]:
    """Values of the hidden ``tkn``."""
    found = re.findall(r"<input[^>]*name='tkn'[^>]*value='([^']+)'", text)
    must(bool(found), "tkn", "no hidden input of this name")
    return found


def options(text: str, select: str) -> list[tuple[str, str]]:
    """Value and text of the options of a select, by regular expressions as LU does."""
    found = re.search(rf"""id=["']{select}["'][\s\S]*?</select>""", text)
    if found is None:
        if "Keine Daten vorhanden" in text:
            raise NothingThere(f"the page has nothing to choose in {select}")
        raise NotUnderstood(select, "no select of this id")
    return re.findall(r"""<option\b[^>]*\bvalue=["']([^"']*)["'][^>]*>([^<]*)<""", found[0])


def row_value(text: str, label: str) -> str | None:
    """The value beside a label, by the row form of han 2.3."""
    found = re.search(rf"<tr>\s*<td\b[^>]*>{re.escape(label)}</td>\s*<td\b[^>]*>([^<]*)</td>\s*</tr>", text)
    return None if found is None else found[1]


def meter_in(label: str) -> str:
    """Number of the meter in the text of an option, ``01005e318002.1lgz0072999211.sm``."""
    found = _LABEL.fullmatch(label.strip())
    if found is None:
        raise NotUnderstood("option of the meter", f"{label[:60]!r} is nothing like 01005e318002.1lgz0072999211.sm")
    return found[1]


def rows_of(text: str) -> list[html.HtmlElement]:
    """Rows of ``table#metervalue`` that have a register; a gap has none."""
    table = the(parsed("page of values", text), "metervalue")
    rows = table.xpath(".//tr[td]")
    found = [row for row in rows if by_id(row, "table_metervalues_col_obis") is not None]
    must(len(found) == len(rows), "table_metervalues_col_obis", "a row without this cell")
    return found


def time_of(written: str) -> datetime:
    """A local time as these programs read it. Raises NotUnderstood."""
    try:
        return datetime.strptime(written, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - local time without zone
    except ValueError:
        raise NotUnderstood("table_metervalues_col_timestamp", f"{written[:40]!r} is no local time") from None


def only_text(row: html.HtmlElement, name: str) -> str:
    """The text of a cell that must hold nothing else, as ``.string`` asks (han 2.3); empty: nothing."""
    cell = the(row, f"table_metervalues_col_{name}")
    must(not len(cell), f"table_metervalues_col_{name}", "more than one text in the cell")
    return (cell.text or "").strip()


def written_rows(text: str) -> list[tuple[datetime, str, str, str]]:
    """Local time, register, value and unit of all rows that have one, in the page's order.

    The time stands in the first row of each reading only; the others have no such cell, or an empty one.
    """
    found, time = list[tuple[datetime, str, str, str]](), ""
    for row in rows_of(text):
        stamp = by_id(row, "table_metervalues_col_timestamp")
        time = (stamp.text_content().strip() if stamp is not None else "") or time
        obis = only_text(row, "obis")
        if obis:
            value, unit = only_text(row, "wert"), only_text(row, "einheit")
            if value:
                found.append((time_of(time), obis, value, unit))
    return found


def current(text: str, meter: str, now: datetime) -> tuple[Told, ...]:
    """Current values of a page. Raises NothingThere without any."""
    found = tuple(
        Told(meter, code_of("obis", obis), number_of("wert", value), unit, nearest(time, now))
        for time, obis, value, unit in written_rows(text)
    )
    if not found:
        raise NothingThere(f"no current value of meter {meter}")
    return found


def listed(rows: list[tuple[datetime, str, str, str]], meter: str) -> tuple[Told, ...]:
    """Values of lists, newest first, with both passes of an hour that comes twice told apart by their order.

    A row without a value tells nothing but counts for the order.
    """
    found: list[Told] = []
    for code in dict.fromkeys(obis for _, obis, _, _ in rows):
        own = [row for row in reversed(rows) if row[1] == code]
        times = rising(row[0] for row in own)
        found += [
            Told(meter, code_of("obis", code), number_of("wert", value), unit, at)
            for at, (_, _, value, unit) in zip(times, own, strict=True)
            if value
        ]
    return tuple(found)
