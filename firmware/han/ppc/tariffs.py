"""Tariff profiles, their billing periods and derived registers (han 2.2, 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from firmware.config import Options
from firmware.han.pages import Language
from firmware.han.ppc import answers, exports, wording
from firmware.han.ppc.call import Call
from firmware.han.ppc.rows import shown_s
from firmware.han.ppc.wording import Label
from firmware.han.view import BillingSpan, HanContract
from firmware.metering.derived import DerivedEntry
from firmware.metering.tariffs.local_time import DEFAULT_PERIOD_S
from firmware.metering.tariffs.readings import groups
from firmware.metering.tariffs.taf6 import KEPT_DAYS
from firmware.metering.values import Reading
from firmware.profiles.kinds import logical_name

TID: Final = "tid"
TTID: Final = "ttid"
_CHOOSE, _PERIODS = "", "periods"
_FROM_ORIGINALS: Final = frozenset((7,))
"""Use cases whose list is that of the original values."""
_ON_DEMAND: Final = 6
"""Use case whose daily values are kept for a time of their own (han 5.6)."""
_LATE_S: Final = 86_400
"""How much further than a period without an end its values are looked for."""


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A row of ``table#tafregister``.

    Attributes:
        quality: validity in a word.
        value, unit: as shown.
        obis: ``1-0:1.8.1``.
        stage: tariff stage.
        sign: signature in hex.
        captured: when it was captured.
        nominal: instant that it is for.
    """

    quality: str
    value: str
    unit: str
    obis: str
    stage: str
    sign: str
    captured: str
    nominal: str


def _contract(call: Call) -> HanContract | None:
    """The contract whose ``tid`` was sent."""
    known = {one.id: one for one in call.view.contracts()}
    name = call.session.named(TID, call.form.get("tid", ""), known, (_CHOOSE, _PERIODS))
    return None if name is None else known[name]


def _unknown(call: Call) -> web.Response:
    return call.problem(wording.FORBIDDEN, "There is no tariff of yours by this id, or it is of an earlier session.")


def _seconds(periods: tuple[BillingSpan, ...]) -> str:
    """Length of the running billing period; 0 when there is none."""
    ended = [one for one in periods if one.end_s is not None]
    return str(ended[-1].end_s - ended[-1].begin_s) if ended and ended[-1].end_s is not None else "0"


def _end(call: Call, end_s: int | None) -> str:
    return call.told(wording.UNLIMITED) if end_s is None else wording.shown_time(end_s)


def _kept_days(options: Options, use_case: int) -> float:
    """How long the values of a use case are kept, days; 0: for ever."""
    if use_case in _FROM_ORIGINALS:
        return options.retention_original_days
    days = options.retention_derived_days
    return min(days or KEPT_DAYS, KEPT_DAYS) if use_case == _ON_DEMAND else days


async def choose(call: Call) -> web.Response:
    """The list of tariff profiles."""
    options = [(call.session.handle(TID, one.id), one.contract.tariff) for one in call.view.contracts()]
    return call.page("tariffform.html", call.text("Tarife", "Tariffs"), options=options)


async def profile(call: Call) -> web.Response:
    """What a tariff profile says."""
    found = _contract(call)
    if found is None:
        return _unknown(call)
    evaluation, terms = found.profile.evaluation, found.contract
    billed = evaluation.billing is not None
    facts = [
        ("TAF-Typ", call.told(wording.USE_CASES.get(evaluation.use_case, f"TAF{evaluation.use_case} "))),
        ("Profilname", terms.tariff),
        (Label.RECEIVER, ", ".join(evaluation.recipients) or terms.supplier),
        ("Profil-ID", logical_name(evaluation) or f"{evaluation.name}.sm"),
        ("Alias", evaluation.name),
        (Label.USAGE_POINT, terms.usage_point),
        ("Abrechnungsperiode (sek.)", _seconds(call.view.periods(found.id)) if billed else "0"),
        ("Registerperiode (sek.)", str(evaluation.period_s or DEFAULT_PERIOD_S)),
        ("Vorhaltezeit (Tage)", f"{_kept_days(call.desk.options, evaluation.use_case):.0f}"),
        ("Beginn Validierungsperiode", wording.shown_time(terms.begin_s)),
        ("Ende Validierungsperiode", _end(call, terms.end_s)),
        ("Tarifstufen", str(len(evaluation.stages) or 1)),
        ("Tag Beginn", "00:00:00"),
    ]
    sources = [
        (wording.short_obis(code), wording.measure(code, call.session.language), f"{meter.lower()}.sm")
        for meter, code in terms.registers
    ]
    deliveries = [
        (f"{to}.sm", wording.short_obis(code))
        for to in evaluation.recipients or (terms.supplier,)
        for _, code in terms.registers
    ]
    return call.page(
        "tariffprofile.html",
        call.text("Tarifprofil", "Tariff profile"),
        facts=call.facts(facts),
        name=terms.tariff,
        tid=call.session.handle(TID, found.id),
        sources=sources,
        deliveries=deliveries,
    )


async def export_profile(call: Call) -> web.Response:
    """A tariff profile as a file."""
    found = _contract(call)
    if found is None:
        return _unknown(call)
    xml = exports.tariff_profile(found)
    return answers.file(exports.export(call.desk, xml), "tariffprofile.xml.cms")


async def periods_form(call: Call) -> web.Response:
    """Where the span of billing periods is chosen; it has a fresh ``tid``."""
    found = _contract(call)
    if found is None:
        return _unknown(call)
    return call.page(
        "tarificationform.html",
        call.text("Abrechnungsperioden", "Billing periods"),
        name=found.contract.tariff,
        tid=call.session.handle(TID, found.id, _PERIODS),
        since=wording.shown_time(found.contract.begin_s),
        until=wording.shown_time(call.desk.now_s()),
    )


async def periods(call: Call) -> web.Response:
    """Billing periods of a contract, the newest first, page by page."""
    found = _contract(call)
    if found is None:
        return _unknown(call)
    span = call.span()
    if isinstance(span, web.Response):
        return span
    begin_s, end_s = span
    known = [
        one
        for one in call.view.periods(found.id)
        if (end_s is None or one.begin_s <= end_s) and (begin_s is None or one.end_s is None or one.end_s >= begin_s)
    ]
    known.reverse()
    size, number = call.desk.options.han_ppc_register_page, call.number
    shown = known[(number - 1) * size : number * size]
    codes = " ".join(dict.fromkeys(wording.short_obis(code) for _, code in found.contract.registers))
    return call.page(
        "tarification.html",
        call.text("Abrechnungsperioden", "Billing periods"),
        name=found.contract.tariff,
        tid=call.session.handle(TID, found.id, _PERIODS),
        since=call.form.get("from", ""),
        until=call.form.get("to", ""),
        number=number,
        more=len(known) > number * size,
        rows=[
            (
                call.session.handle(TTID, _period_name(found.id, one)),
                codes,
                wording.shown_time(one.begin_s),
                _end(call, one.end_s),
                call.told("abgeschlossen" if one.closed else wording.RUNNING),
            )
            for one in shown
        ],
    )


def _period_name(contract: str, period: BillingSpan) -> str:
    return f"{contract}\n{period.begin_s}"


async def register(call: Call) -> web.Response:
    """Derived registers of a billing period, the newest first, page by page."""
    spans = {
        _period_name(one.id, period): (one, period)
        for one in call.view.contracts()
        for period in call.view.periods(one.id)
    }
    handle = call.form.get("ttid", "")
    name = call.session.named(TTID, handle, spans)
    if name is None:
        return _unknown(call)
    contract, period = spans[name]
    size, number = call.desk.options.han_ppc_register_page, call.number
    rows = _rows(call, contract, period, (number - 1) * size, size + 1)
    return call.page(
        "tafregister.html",
        call.text("Abgeleitete Register", "Derived registers"),
        name=contract.contract.tariff,
        ttid=handle,
        since=wording.shown_time(period.begin_s),
        until=_end(call, period.end_s),
        number=number,
        more=len(rows) > size,
        rows=rows[:size],
    )


def _rows(call: Call, contract: HanContract, period: BillingSpan, first: int, count: int) -> list[RegisterRow]:
    """`count` rows of a period behind the first `first`, the newest first; no others are fetched from the memory."""
    end_s = int(call.desk.now_s()) + _LATE_S if period.end_s is None else period.end_s
    span = (contract.id, period.begin_s, end_s, first, count)
    if contract.profile.evaluation.use_case in _FROM_ORIGINALS:
        return [_original_row(code, one, call.session.language) for code, one in call.view.newest_originals(*span)]
    return [_derived_row(one, call.session.language) for one in call.view.newest_derived(*span)]


def _derived_row(one: DerivedEntry, language: Language) -> RegisterRow:
    what = one.derived
    value, scaler = (None, None) if what.amount is None else (what.amount.value, what.amount.scaler)
    shown, unit = wording.number(value, scaler, what.unit)
    return RegisterRow(
        wording.validity_word(wording.validity(str(what.status), value=value is not None), language),
        shown,
        unit,
        wording.short_obis(what.register),
        str(groups(what.register)[4]),
        one.signature.hex(),
        "" if one.capture_us is None else wording.shown_time(one.capture_us // 1_000_000),
        wording.shown_time(what.at_s),
    )


def _original_row(code: str, one: Reading, language: Language) -> RegisterRow:
    entry = next((entry for entry in one.entries if entry.obis == code), None)
    value = None if entry is None or isinstance(entry.value, bool | bytes) else entry.value
    shown, unit = ("", "") if entry is None else wording.number(value, entry.scaler, entry.unit)
    signature = one.signature if entry is None else entry.signature
    return RegisterRow(
        wording.validity_word(wording.validity(one.status, value=value is not None), language),
        shown,
        unit,
        wording.short_obis(code),
        str(groups(code)[4]),
        "" if signature is None else signature.hex(),
        wording.shown_time(shown_s(one)),
        wording.shown_time(one.grid_s),
    )
