"""The method ``log``: the consumer's log, by time or by number (han 3.2)."""

from __future__ import annotations

from typing import Any, Final

from devices.errors import UsageError
from firmware.config import Options
from firmware.han.conexa.body import Parameters, bad
from firmware.han.conexa.scaling import Scaling
from firmware.han.conexa.times import written
from firmware.han.desk import HanDesk
from firmware.han.pages import Language
from firmware.han.reasons import message
from firmware.han.view import ConsumerView
from firmware.logs.book import LogEntry

MOST: Final = 1500
"""Entries of one answer."""
_MOST_INDEX: Final = 10**12
_ALLOWED: Final = tuple(
    frozenset(one.split())
    for one in (
        "",
        "fromtime",
        "totime",
        "fromtime totime",
        "fromindex",
        "count",
        "fromindex count",
        "fromtime count",
        "fromtime totime count",
    )
)
"""Which parameters go together."""
_LEVELS: Final = {"info": "1", "warning": "2", "error": "3", "fatal": "4"}
_OUTCOMES: Final = {"success": "0", "failure": "1"}


def log(desk: HanDesk, scaling: Scaling, view: ConsumerView, parameters: Parameters) -> dict[str, Any]:
    """Entries from ``fromtime`` on and before ``totime``, or from number ``fromindex`` on, the oldest first."""
    if parameters.names("fromtime", "totime", "fromindex", "count") not in _ALLOWED:
        raise bad("these parameters do not go together")
    begin_s, end_s = parameters.instant("fromtime"), parameters.instant("totime")
    index = parameters.number("fromindex", 0, _MOST_INDEX)
    count = parameters.number("count", 1, MOST)
    if begin_s is not None and end_s is not None and end_s < begin_s:
        raise bad("totime is before fromtime")
    found = view.log(
        since=None if index is None else index - 1, begin_s=begin_s, end_s=end_s, count=MOST if count is None else count
    )
    entries = [_entry(desk, view, one) for one in found.entries]
    return {"log": {"entries": entries, "records": str(len(entries))}}


def log_language(options: Options) -> Language:
    """The language of messages. Raises UsageError: the option is written wrongly."""
    wanted = options.han_conexa_log_language
    if wanted == "de":
        return "de"
    if wanted == "en":
        return "en"
    raise UsageError(f"CONEXA has no log messages in {wanted!r}", hint="han_conexa_log_language: de or en")


def _entry(desk: HanDesk, view: ConsumerView, one: LogEntry) -> dict[str, str]:
    numbers = desk.options.han_conexa_log_numbers
    return {
        "event-id": str(one.vendor_id or 0),
        "event-sub-id": str(one.sub_id or 0),
        "index": str(one.number),
        "level": _LEVELS.get(one.level, "5") if numbers else one.level.upper(),
        "message": message(desk.product, one, log_language(desk.options)),
        "outcome": _OUTCOMES.get(one.outcome, "2") if numbers else one.outcome.upper(),
        "subject-identity": f"{desk.device_id.lower()}.sm",
        "time": written(one.time_us // 1_000_000),
        "user-identity": f"{view.user.id.removesuffix('.sm')}.sm",
        "vendor-id": desk.product.data.log_vendor,
        "version": "1",
    }
