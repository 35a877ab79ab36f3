"""Reads the pages of the PPC's consumer interface (han 2.3): by ids and labels, with either quotes and old typos."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lxml import etree, html

from devices.han.content import Value
from devices.han.errors import NotUnderstood
from devices.han.times import LOCAL, plain
from devices.protocols.sml.obis import format_obis, parse_obis

_UNITS: Final[Mapping[str, tuple[int, int]]] = {
    "Wh": (30, 0), "kWh": (30, 3), "MWh": (30, 6), "W": (27, 0), "kW": (27, 3), "varh": (32, 0), "kvarh": (32, 3),
    "VAh": (31, 0), "var": (29, 0), "VA": (28, 0), "V": (35, 0), "A": (33, 0), "Hz": (44, 0), "°": (8, 0),
    "deg": (8, 0), "m³": (13, 0), "m3": (13, 0), "": (0, 0), "J": (0, 0),
}  # fmt: skip
"""Printed unit -> DLMS code and power of ten."""
_ABSENT: Final = frozenset(("3", "nicht vorhanden", "not present"))
_INVALID: Final = frozenset(("2", "ungültig", "nicht valide", "invalid", "nein"))
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_REMAINING: Final = re.compile(r"(\d+)\s*Minute\w*(?:\D{1,12}?(\d+)\s*Sekunde)?|(\d+)\s*Sekunde", re.IGNORECASE)
_SESSION: Final = re.compile(r"\s*sessionid=([^&\s]+)&")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_STATUS: Final = re.compile(r"[0-9A-Fa-f]{16}")
_PREFIX: Final = re.compile(r"table_[a-z]+_col_")


@dataclass(frozen=True, slots=True)
class ValueRow:
    """A row of a table of values.

    Attributes:
        time: local time, None: the same as in the row before.
        valid: None: not told.
        value: None: the row has none.
        name: of the register, in words.
        status: 16 hexadecimal digits, or empty.
    """

    time: datetime | None
    valid: bool | None
    value: Value | None
    name: str = ""
    status: str = ""


class Page:
    """A page.

    Args:
        body: octets as they came.
        what: action that it answers, for messages.
    """

    def __init__(self, body: bytes, what: str) -> None:
        self.what = what
        written = body.decode("utf-8", "replace")
        match = _SESSION.match(written)
        self.old_session = "" if match is None else match[1]
        """Session id that old firmware writes in front of the page."""
        written = written if match is None else written[match.end() :]
        self.empty = not written.strip()
        try:
            self._root = html.document_fromstring(written or "<html></html>")
        except (etree.ParserError, ValueError):
            self._root = html.document_fromstring("<html></html>")
        self.text = " ".join(_text(self._root).split())

    # --- what is on every page

    @property
    def token(self) -> str:
        """The hidden field ``tkn``, empty without one."""
        return next((one.get("value") or "" for one in self._root.iter("input") if one.get("name") == "tkn"), "")

    @property
    def versions(self) -> str:
        """``00861-34788``, empty without."""
        found = self._by_id("div_fwversion")
        match = re.search(r"\d+-\d+", "" if found is None else _text(found))
        return "" if match is None else match[0]

    def synchronised(self) -> datetime | None:
        """When the clock was last set."""
        return self._after("Letzte Synchronisation")

    def now(self) -> datetime | None:
        """The gateway's time, where the page tells it."""
        found = self._by_id("div_timestamp")
        before = "" if found is None else _text(found).partition("Letzte Synchronisation")[0]
        match = _TIME.search(before)
        return None if match is None else _page_time(match[0])

    def _after(self, label: str) -> datetime | None:
        found = self._by_id("div_timestamp")
        text = "" if found is None else _text(found)
        match = _TIME.search(text, max(0, text.find(label)))
        return (
            None
            if label not in text or match is None
            else plain("div_timestamp", match[0]).replace(tzinfo=LOCAL).astimezone(UTC)
        )

    @property
    def failed(self) -> bool:
        """Whether a login has failed."""
        return "Anmeldung fehlgeschlagen" in self.text

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self.empty or any(words in self.text for words in ("Sitzung abgelaufen", "Unerlaubter Zugriff"))

    @property
    def remaining_s(self) -> int | None:
        """For how long nobody gets in, None: not told."""
        match = _REMAINING.search(self.text)
        if match is None:
            return None
        return int(match[3]) if match[3] else int(match[1]) * 60 + int(match[2] or 0)

    @property
    def no_data(self) -> bool:
        """Whether it says that there is nothing."""
        return "Keine Daten vorhanden" in self.text

    @property
    def too_many(self) -> bool:
        """Whether it says that more than 1000 entries were found."""
        return "00 erlaubt" in self.text

    def has(self, ident: str) -> bool:
        """Whether there is an element of that id."""
        return self._by_id(ident) is not None

    # --- forms

    def options(self, ident: str) -> list[tuple[str, str]]:
        """Value and text of the options of a choice. Raises NotUnderstood when there is no such choice."""
        found = self._by_id(ident)
        if found is None:
            raise NotUnderstood(f"{self.what}: {ident}", "there is no such choice")
        return [(one.get("value") or "", _text(one).strip()) for one in found.iter("option")]

    def hidden(self, name: str) -> str:
        """The value of a hidden field. Raises NotUnderstood."""
        for one in self._root.iter("input"):
            if one.get("name") == name:
                return one.get("value") or ""
        raise NotUnderstood(f"{self.what}: {name}", "there is no such field")

    # --- tables

    def labels(self) -> dict[str, str]:
        """Label -> value of all rows with two cells."""
        found: dict[str, str] = {}
        for row in self._root.iter("tr"):
            cells = [_text(cell).strip() for cell in row if cell.tag in ("td", "th")]
            if len(cells) == 2:
                found.setdefault(cells[0].rstrip(":").strip(), cells[1])
        return found

    def three(self) -> Iterator[tuple[str, str, str]]:
        """Rows of three cells, headings left out."""
        for row in self._root.iter("tr"):
            cells = [_text(cell).strip() for cell in row if cell.tag == "td"]
            if len(cells) == 3:
                yield cells[0], cells[1], cells[2]

    def rows(self, prefix: str) -> Iterator[tuple[dict[str, str], Any]]:
        """Rows whose id begins with `prefix`: end of the cell's id -> its text; and the row itself."""
        for row in self._root.iter("tr"):
            if (row.get("id") or "").startswith(prefix):
                yield _cells(row), row

    def column(self, suffix: str) -> list[str]:
        """The texts of all cells whose id ends so."""
        return [_text(one).strip() for one in self._root.iter("td") if (one.get("id") or "").endswith(f"_col_{suffix}")]

    def values(self) -> list[ValueRow]:
        """The rows of the table of values, in their order. Raises NotUnderstood."""
        table = self._by_id("metervalue")
        if table is None:
            if self.no_data:
                return []
            raise NotUnderstood(f"{self.what}: metervalue", "there is no such table")
        found = []
        for row in table.iter("tr"):
            cells = _cells(row)
            if "wert" in cells or "obis" in cells:
                found.append(_value_row(self.what, cells))
        return found

    def _by_id(self, ident: str) -> Any:
        return next((one for one in self._root.iter() if one.get("id") == ident), None)


def _page_time(text: str) -> datetime:
    return plain("div_timestamp", text).replace(tzinfo=LOCAL).astimezone(UTC)


def field_in(row: Any, name: str) -> str:
    """The value of a field inside a row, or of the button of that name; empty without."""
    for one in row.iter("input", "button"):
        if one.get("name") == name:
            return str(one.get("value") or "")
    return ""


def full_code(what: str, text: str) -> str:
    """``1-0:1.8.0*255`` of a printed or hexadecimal code, whatever stands behind it. Raises NotUnderstood."""
    written = text.strip().removesuffix(".sm")
    try:
        if re.fullmatch(r"[0-9A-Fa-f]{12}", written[:12]):
            return format_obis(bytes.fromhex(written[:12]))
        return format_obis(parse_obis(written))
    except ValueError:
        raise NotUnderstood(f"{what}: obis", f"{text[:40]!r} is no register") from None


def value_of(what: str, obis: str, number: str, unit: str, sign: str = "") -> Value:
    """A printed value, exactly. Raises NotUnderstood."""
    if unit not in _UNITS:
        raise NotUnderstood(f"{what}: einheit", f"{unit[:20]!r} is no known unit")
    code, ten = _UNITS[unit]
    try:
        exact = Decimal(number if len(number) <= 40 else "none")
    except InvalidOperation:
        raise NotUnderstood(f"{what}: wert", f"{number[:40]!r} is no number") from None
    exponent = exact.as_tuple().exponent
    if not isinstance(exponent, int):
        raise NotUnderstood(f"{what}: wert", f"{number} is no number")
    return Value(full_code(what, obis), int(exact.scaleb(-exponent)), exponent + ten, code, _signature(sign))


def _signature(text: str) -> bytes:
    """r || s; the signer's public key, which may come behind it, left out."""
    return bytes.fromhex(text)[:64] if _HEX.fullmatch(text) and len(text) in (128, 256) else b""


def _value_row(what: str, cells: Mapping[str, str]) -> ValueRow:
    told, valid = cells.get("timestamp", ""), cells.get("istvalide", "").strip().lower()
    value = None
    if cells.get("wert") and valid not in _ABSENT:
        value = value_of(what, cells.get("obis", ""), cells["wert"], cells.get("einheit", ""), cells.get("sign", ""))
    status = cells.get("status", "")
    return ValueRow(
        time=plain(f"{what}: timestamp", told) if told else None,
        valid=None if not valid else valid not in _INVALID | _ABSENT,
        value=value,
        name=cells.get("name", ""),
        status=status if _STATUS.fullmatch(status) else "",
    )


def _cells(row: Any) -> dict[str, str]:
    """End of the id -> text of the cells of a row; ids of old firmware are misspelt (han 2.3)."""
    found = {}
    for cell in row:
        ident = cell.get("id") or ""
        match = _PREFIX.match(ident)
        if cell.tag == "td" and match is not None:
            found[ident[match.end() :]] = _text(cell).strip()
    return found


def _text(element: Any) -> str:
    """All text of an element that is shown."""
    shown = element.xpath(".//text()[not(ancestor::style or ancestor::script)]")
    return "".join(shown).replace("\xa0", " ")
