"""Rows of values as PPC's tables show them, the newest first (han 2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from firmware.config import Options
from firmware.han.pages import Language
from firmware.han.ppc import wording
from firmware.han.view import ConsumerView
from firmware.metering.values import Entry, Reading

REGISTRATION_S = 900
"""How much later than its instant a reading may have been captured, at most; so far the search goes back."""
_PIECES = 256
"""Instants that are fetched at once."""


@dataclass(frozen=True, slots=True)
class ValueRow:
    """A row of ``table#metervalue``.

    Attributes:
        time: of the reading, in the first row of each reading only.
        rows: how many rows the reading has.
        line: which of them it is, from 1; programs take ``..._line1`` for the first of each reading (OH).
        valid: column "istvalide".
        name: what is measured.
        value: empty without one.
        unit: of the value.
        obis: ``1-0:1.8.0``.
        sign: signature in hex.
        status: validity in a word.
    """

    time: str
    rows: int
    line: int
    valid: str
    name: str
    value: str
    unit: str
    obis: str
    sign: str
    status: str


def shown_s(reading: Reading) -> int:
    """The instant that is shown: when it was captured, of a gap that of the grid."""
    return reading.grid_s if reading.capture_us is None else reading.capture_us // 1_000_000


def between(view: ConsumerView, meter: str, begin_s: int, end_s: int) -> Iterator[Reading]:
    """Readings whose shown instant lies between two, both included, the oldest first."""
    for one in view.originals(meter, begin_s - REGISTRATION_S, end_s):
        if begin_s <= shown_s(one) <= end_s:
            yield one


def newest_first(view: ConsumerView, meter: str, begin_s: int, end_s: int, now_s: float) -> Iterator[Reading]:
    """The same, the newest first, fetched piece by piece from the end, which is `now_s` at the latest."""
    first = next(between(view, meter, begin_s, end_s), None)
    if first is None:
        return
    latest = view.latest(meter)
    span_s = _PIECES * REGISTRATION_S
    known_s = int(now_s) if latest is None else max(int(now_s), shown_s(latest))
    until_s = max(shown_s(first), min(end_s, known_s))
    since_s = max(begin_s, until_s - span_s)
    while True:
        yield from reversed(list(between(view, meter, since_s, until_s)))
        if since_s <= shown_s(first):
            return
        since_s, until_s = max(begin_s, since_s - span_s), since_s - 1


def numbers(reading: Reading) -> list[Entry]:
    """Registers of a reading that are numbers, or have no value; a meter's id is none."""
    return [one for one in reading.entries if one.value is None or type(one.value) is int]


@dataclass(frozen=True, slots=True)
class Columns:
    """How the table of values looks.

    Attributes:
        language: of words.
        words: whether the column "istvalide" has words.
        table_id: ``id`` of the table.
        obis_id: ``id`` of the cells with the OBIS code.
    """

    language: Language
    words: bool
    table_id: str
    obis_id: str

    @classmethod
    def of(cls, options: Options, language: Language) -> Columns:
        """As the options say."""
        obis = "table_metervaleus_col_obis" if options.han_ppc_old_columns else "table_metervalues_col_obis"
        return cls(language, options.han_ppc_validity == "words", options.han_ppc_table_id, obis)


def value_rows(readings: Iterable[Reading], columns: Columns) -> list[ValueRow]:
    """The rows of readings; a gap has one, without value."""
    found, language = [], columns.language
    for one in readings:
        entries, time = numbers(one), wording.shown_time(shown_s(one))
        if one.gap:
            code = wording.ABSENT
            sign = "" if one.signature is None else one.signature.hex()
            valid = wording.validity_shown(code, language, words=columns.words)
            found.append(ValueRow(time, 1, 1, valid, "", "", "", "", sign, wording.validity_word(code, language)))
        for position, entry in enumerate(entries):
            code = wording.validity(one.status, value=entry.value is not None)
            value, unit = wording.number(entry.value, entry.scaler, entry.unit)
            found.append(
                ValueRow(
                    time="" if position else time,
                    rows=len(entries),
                    line=position + 1,
                    valid=wording.validity_shown(code, language, words=columns.words),
                    name=wording.row_name(entry.obis, language),
                    value=value,
                    unit=unit,
                    obis=wording.short_obis(entry.obis),
                    sign="" if entry.signature is None else entry.signature.hex(),
                    status=wording.validity_word(code, language),
                )
            )
    return found
