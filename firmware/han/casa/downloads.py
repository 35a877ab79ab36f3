"""A billing period as a file or as JSON, made while it is sent ([CASA] 7.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from firmware.han.casa import values
from firmware.han.casa.formats import stamp
from firmware.han.casa.look import Look
from firmware.han.casa.periods import ShownPeriod
from firmware.han.casa.streams import encoded, listed
from firmware.han.casa.tables import Table, csv_head, csv_rows, parts, tables
from firmware.han.view import ConsumerView, HanContract


def csv_of(
    view: ConsumerView, contract: HanContract, period: ShownPeriod, now_s: float, look: Look
) -> Iterator[list[tuple[str, ...]]]:
    """The lines of a file with all tables; those of the period's parts are one where they have the same columns.

    Some at a time, or none: behind each others may get their turn.
    """
    words, language = look.words, look.language
    heads = (words["time"], words["registered"], words["sent"], words["status"])
    pieces = parts(contract, period, now_s)
    names: dict[tuple[str, str, tuple[str, ...]], None] = {}
    for part in pieces:
        found = tables(view, contract, part, language)
        names |= dict.fromkeys(_name(one) for one in found if one.columns or one.rows)
        yield []
    for name in names:
        kind, of, columns = name
        yield [(words[f"{kind}_values"], of), csv_head(columns, heads)]
        for part in pieces:
            for one in tables(view, contract, part, language, only=(kind, of)):
                if _name(one) == name:
                    yield list(csv_rows(one, (words["sent_yes"], words["sent_no"])))


def _name(one: Table) -> tuple[str, str, tuple[str, ...]]:
    return one.kind, one.of, one.columns


def json_of(view: ConsumerView, contract: HanContract, period: ShownPeriod) -> Iterator[str]:
    """The text of an object with the original and derived values of a period, piece by piece."""
    head = {"taf_identifier": contract.id, "start": stamp(period.begin_s), "end": stamp(period.end_s)}
    yield f'{encoded(head)[:-1]},"origin":{{'
    begin_s, before = period.begin_s + 1, ""
    for meter in dict.fromkeys(meter for meter, _ in contract.contract.registers):
        yield f"{before}{encoded(meter.lower())}:"
        yield from listed(_originals(view, contract, meter, begin_s, period.end_s))
        before = ","
    yield '},"derived":'
    yield from listed(values.derived_lines(view.derived(contract.id, begin_s, period.end_s), extended=True))
    yield "}"


def _originals(
    view: ConsumerView, contract: HanContract, meter: str, begin_s: int, end_s: int
) -> Iterator[dict[str, Any]]:
    wanted = {obis for each, obis in contract.contract.registers if each == meter}
    for one in view.originals(meter, begin_s, end_s):
        if not one.gap:
            kept = tuple(entry for entry in one.entries if entry.obis in wanted)
            yield values.extended_reading(replace(one, entries=kept))
