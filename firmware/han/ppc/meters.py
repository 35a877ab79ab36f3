"""Meters: their profiles, current values, stored values, exports (han 2.2, 2.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from aiohttp import web
from markupsafe import Markup

from firmware.han import pages
from firmware.han.pages import Language
from firmware.han.ppc import answers, exports, wording
from firmware.han.ppc.call import Call
from firmware.han.ppc.english import told
from firmware.han.ppc.rows import Columns, between, newest_first, numbers, value_rows
from firmware.han.ppc.wording import Label
from firmware.metering.tariffs.local_time import DEFAULT_PERIOD_S
from firmware.metering.values import Reading
from firmware.profiles.kinds import Link, Medium, SensorProfile

MID: Final = "mid"
_CHOOSE, _VALUES = "", "values"
_ATTEMPTS: Final = 3
"""How often a meter is asked, as the profile shows it (assumed)."""
_VERSIONS: Final = {"SML": "1.04", "M-Bus": "13757-3"}
_BREATH: Final = 1000
"""Readings after which others get a turn."""


def label_of(meter: str) -> str:
    """``01005e318002.1lgz0072999211.sm``: how a meter is called in lists (han 2.1)."""
    return f"{exports.PROFILE_NAME}.{meter.lower()}.sm"


def _handle(call: Call, meter: str, purpose: str = _CHOOSE) -> str:
    return call.session.handle(MID, meter, purpose)


def _meter(call: Call) -> SensorProfile | None:
    """The meter whose ``mid`` was sent."""
    known = {one.meter: one for one in call.view.meters()}
    name = call.session.named(MID, call.form.get("mid", ""), known, (_CHOOSE, _VALUES))
    return None if name is None else known[name]


def _unknown(call: Call) -> web.Response:
    return call.problem(wording.FORBIDDEN, "There is no meter of yours by this id, or it is of an earlier session.")


def _span(call: Call) -> tuple[int, int] | web.Response:
    """``from`` and ``to``; without them the last day."""
    found, now_s = call.span(), int(call.desk.now_s())
    if isinstance(found, web.Response):
        return found
    begin_s, end_s = found
    return now_s - 86_400 if begin_s is None else begin_s, now_s if end_s is None else end_s


async def choose(call: Call) -> web.Response:
    """The list of meters."""
    options = [(_handle(call, one.meter), label_of(one.meter)) for one in call.view.meters()]
    return call.page("meterform.html", call.text("Zähler", "Meters"), options=options)


async def profile(call: Call) -> web.Response:
    """What is known of a meter, and its current values."""
    found = _meter(call)
    if found is None:
        return _unknown(call)
    latest, language = call.view.latest(found.meter), call.session.language
    return call.page(
        "meterprofile.html",
        _title(language),
        facts=_facts(found.id, found.meter, found.medium, found.link, found.period_s or DEFAULT_PERIOD_S, language),
        label=label_of(found.meter),
        mid=_handle(call, found.meter),
        values=latest is not None,
        table=_current(latest, Columns.of(call.desk.options, language)),
    )


def _title(language: Language) -> str:
    return "Zählerprofil" if language == "de" else "Meter profile"


@lru_cache(maxsize=256)
def _facts(name: str, meter: str, medium: Medium, link: Link, period_s: int, language: Language) -> Markup:
    """The table of what is known of a meter: programs ask for it with each look at its values."""
    way, protocol = wording.LINKS[link]
    facts = [
        (Label.METER_ID, f"{meter.lower()}.sm"),
        ("Name", name),
        ("Beschreibung", told(wording.MEDIA[medium], language)),
        ("Kommunikationstyp", way),
        ("Protokoll-Typ", protocol),
        ("Protokoll-Version", _VERSIONS[protocol]),
        ("Ausleseintervall", str(period_s)),
        ("Abfrageversuche", str(_ATTEMPTS)),
        (Label.METER_ADDRESS, meter.lower()),
        ("Medium", told(wording.MEDIA[medium], language)),
    ]
    rows = [(told(label, language), value) for label, value in facts]
    return pages.part(answers.PRODUCT, "parts.html", "facts", rows, _title(language))


@lru_cache(maxsize=64)
def _current(reading: Reading | None, columns: Columns) -> Markup:
    """The table of a reading: until the next one all who look see the same."""
    rows = value_rows([] if reading is None else [reading], columns)
    return pages.part(answers.PRODUCT, "valuetable.html", "table", rows, columns)


async def values_form(call: Call) -> web.Response:
    """Where the span of values is chosen; it has a fresh ``mid``."""
    found = _meter(call)
    if found is None:
        return _unknown(call)
    now_s = call.desk.now_s()
    return call.page(
        "metervaluesform.html",
        call.text("Zählerstand", "Meter readings"),
        label=label_of(found.meter),
        mid=_handle(call, found.meter, _VALUES),
        since=f"{wording.shown_time(now_s)[:10]} 00:00:00",
        until=wording.shown_time(now_s),
    )


async def values(call: Call) -> web.Response:
    """Stored values of a span, the newest first, page by page."""
    found = _meter(call)
    if found is None:
        return _unknown(call)
    span = _span(call)
    if isinstance(span, web.Response):
        return span
    size, number = call.desk.options.han_ppc_values_page, call.number
    columns = Columns.of(call.desk.options, call.session.language)
    stream = newest_first(call.view, found.meter, *span, call.desk.now_s())
    readings = await _taken(stream, (number - 1) * size, size + 1)
    return call.page(
        "metervalues.html",
        call.text("Zählerstand", "Meter readings"),
        label=label_of(found.meter),
        mid=_handle(call, found.meter, _VALUES),
        since=wording.shown_time(span[0]),
        until=wording.shown_time(span[1]),
        number=number,
        more=len(readings) > size,
        rows=value_rows(readings[:size], columns),
        columns=columns,
    )


async def _taken(stream: Iterator[Reading], skip: int, most: int | None) -> list[Reading]:
    """Some of a stream; others get a turn now and then."""
    found: list[Reading] = []
    for at, one in enumerate(stream):
        if at % _BREATH == _BREATH - 1:
            await asyncio.sleep(0)
        if at >= skip:
            found.append(one)
        if most is not None and len(found) >= most:
            break
    return found


async def export_values(call: Call) -> web.Response:
    """Stored values of a span as a file."""
    found = _meter(call)
    if found is None:
        return _unknown(call)
    span = _span(call)
    if isinstance(span, web.Response):
        return span
    readings = await _taken(between(call.view, found.meter, *span), 0, None)
    limit = call.desk.options.han_ppc_export_limit
    if not any(one.entries for one in readings):
        return answers.html(f"{call.told(wording.NO_DATA)}\n")
    if limit and len(readings) > limit:
        return answers.html(too_many(call, len(readings), limit))
    xml = await exports.values(call.desk, found.meter, readings)
    return answers.file(exports.export(call.desk, xml), f"{found.meter.lower()}.sm_data.xml.cms")


def too_many(call: Call, found: int, most: int) -> Markup:
    """What is said when a span holds more records than one export may, with the words that clients look for."""
    return Markup(
        f"The span holds {found} records. Only {most} are allowed. Ask for a shorter one.\n"
        if call.session.language == "en"
        else f"Die Abfrage liefert {found} Datens&auml;tze zur&uuml;ck. Es sind nur {most} erlaubt. "
        "Schr&auml;nken Sie die Abfrageparameter ein.\n"
    )


async def export_profile(call: Call) -> web.Response:
    """A meter's profile as a file."""
    found = _meter(call)
    if found is None:
        return _unknown(call)
    allowed = call.view.registers(found.meter)
    latest = call.view.latest(found.meter)
    kept = found.registers or (() if latest is None else tuple(one.obis for one in numbers(latest)))
    shown = [one for one in kept if allowed is None or one in allowed]
    xml = exports.meter_profile(found, shown, found.period_s or DEFAULT_PERIOD_S)
    return answers.file(exports.export(call.desk, xml), f"{found.meter.lower()}.sm_profile.xml.cms")
