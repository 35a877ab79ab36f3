"""Log entries as JSON and as the portal's table shows them (han 4.2, [CASA] 7.3, 7.4)."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, Final

from firmware.han.casa.formats import stamp_us
from firmware.han.pages import Language
from firmware.han.reasons import message
from firmware.logs.book import LogEntry
from firmware.product import Product

COLUMNS: Final = ("ID", "Timestamp", "Level", "Priority", "Category", "Message", "Status")
"""Headings of the table and of the CSV file ([CASA] 7.4)."""
PRIORITIES: Final = MappingProxyType({"info": 1, "warning": 2, "error": 3, "fatal": 4})
"""Level -> priority; that of info is printed ([CASA] 7.4), the others follow."""
_CATEGORIES: Final = ((1000, "lmn"), (5000, "han"), (6000, "ops"), (13000, "tim"), (15000, "flc"), (16000, "emt"),
                      (19000, "sys"), (20000, "prf"), (21000, "taf"))  # fmt: skip
"""From which event number on which category, in the order of [CASA] 9.3; of all only ``flc`` is printed."""
OTHER: Final = "sys"
_STATUS: Final = MappingProxyType(
    {
        ("de", "success"): "Erfolgreich",
        ("de", "failure"): "Fehlgeschlagen",
        ("en", "success"): "Successful",
        ("en", "failure"): "Failed",
    }
)


def entry_json(product: Product, one: LogEntry) -> dict[str, Any]:
    """An entry; each is told for itself, so its repetition is 0 (assumed)."""
    return {
        "level": one.level.upper(),
        "outcome": one.outcome.upper(),
        "recordnumber": one.number,
        "repetition": 0,
        "text": message(product, one, "de"),
        "timestamp": stamp_us(one.time_us),
    }


def category(one: LogEntry) -> str:
    """Of what an entry tells; vendor numbers count like the documented ones around them."""
    number = one.vendor_id if one.vendor_id is not None else 0
    if number > 1 << 31:  # numbers of the maker are documented ones, counted down from 2**32
        number = (1 << 32) - number
    found = OTHER
    for least, name in _CATEGORIES:
        if number >= least:
            found = name
    return found


def rows(product: Product, entries: Iterable[LogEntry], language: Language) -> list[tuple[str, ...]]:
    """Lines of the table, as texts in the order of `COLUMNS`."""
    return [
        (
            str(one.number),
            str(stamp_us(one.time_us)),
            one.level.upper(),
            str(PRIORITIES.get(one.level, 1)),
            category(one),
            message(product, one, language),
            _STATUS[language, "success" if one.outcome == "success" else "failure"],
        )
        for one in entries
    ]
