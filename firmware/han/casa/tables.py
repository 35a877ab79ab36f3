"""The tables of a billing period: original, derived and daily values, part by part ([CASA] 7.5)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from firmware.han.casa.formats import hex_code, shown_unit, shown_value
from firmware.han.casa.periods import WEEK_S, ShownPeriod
from firmware.han.casa.texts import MISSING, SEVERITIES, chosen
from firmware.han.casa.values import is_number
from firmware.han.pages import Language, shown_local
from firmware.han.view import ConsumerView, HanContract
from firmware.metering.derived import DerivedEntry
from firmware.metering.tariffs.readings import severity, word_of
from firmware.metering.values import Reading

MOST_ROWS: Final = 700
"""Instants of a meter that one page shows at most: a week of quarter hours."""
WITH_ORIGINALS: Final = frozenset((1, 2, 7))
"""Use cases whose original values are listed, as the export for the transparency software has them (han 5.1)."""
DAILY: Final = 6

Column = tuple[str, int | None]
"""Hex code of a register and its COSEM unit."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line: instants in seconds since 1970, values in the order of the columns, empty where there is none."""

    at_s: int
    captured_s: int | None
    values: tuple[str, ...]
    sent: bool
    status: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        kind: ``original``, ``derived`` or ``daily``.
        of: meter or contract.
        columns: headings, ``0100010800ff (kWh)``.
        rows: the latest first.
    """

    kind: str
    of: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a period that one page shows; the value of `begin_s` belongs to the part before."""

    begin_s: int
    end_s: int


def parts(contract: HanContract, period: ShownPeriod, now_s: float) -> tuple[Part, ...]:
    """The parts of a period, the latest first, at least one."""
    length_s = min(WEEK_S, MOST_ROWS * max(1, contract.contract.period_s))
    end_s = max(period.begin_s, min(period.end_s, int(now_s)))
    found = []
    while end_s > period.begin_s:
        begin_s = max(period.begin_s, end_s - length_s)
        found.append(Part(begin_s, end_s))
        end_s = begin_s
    return tuple(found) or (Part(period.begin_s, period.begin_s),)


def tables(
    view: ConsumerView,
    contract: HanContract,
    part: Part,
    language: Language,
    only: tuple[str, str] | None = None,
    notation: Language = "de",
) -> list[Table]:
    """What a contract has between `begin_s`, not included, and `end_s`; `only`: the table of this kind and name.

    Files have the German notation of numbers in either language, pages that of theirs.
    """
    found = []
    use_case = contract.profile.evaluation.use_case
    sent = _Sent(view.sent(contract.id))
    kind = "daily" if use_case == DAILY else "derived"
    if only in (None, (kind, contract.id)):
        entries = list(view.derived(contract.id, part.begin_s + 1, part.end_s))
        if entries:
            found.append(_derived(kind, contract.id, entries, sent, language, notation))
    if use_case in WITH_ORIGINALS:
        for meter in dict.fromkeys(meter for meter, _ in contract.contract.registers):
            if only not in (None, ("original", meter.lower())):
                continue
            wanted = {obis for each, obis in contract.contract.registers if each == meter}
            readings = list(view.originals(meter, part.begin_s + 1, part.end_s))
            found.append(_original(meter, readings, wanted, sent, language, notation))
    return found


def _original(
    meter: str,
    readings: Iterable[Reading],
    wanted: Collection[str],
    sent: _Sent,
    language: Language,
    notation: Language,
) -> Table:
    columns: dict[Column, None] = {}
    found: list[tuple[Reading, dict[Column, str]]] = []
    for one in readings:
        cells = {}
        for entry in one.entries:
            if entry.obis in wanted and is_number(entry):
                column = (hex_code(entry.obis), entry.unit)
                columns[column] = None
                cells[column] = shown_value(entry.value, entry.scaler, entry.unit, notation)  # type: ignore[arg-type]
        found.append((one, cells))
    lines = [
        Row(
            one.grid_s,
            None if one.capture_us is None else one.capture_us // 1_000_000,
            tuple(cells.get(column, "") for column in columns),
            one.grid_s in sent,
            _status(one.status, language) if cells else chosen(MISSING, language),
        )
        for one, cells in reversed(found)
    ]
    return Table("original", meter.lower(), _headings(columns), tuple(lines))


def _derived(
    kind: str, name: str, entries: Iterable[DerivedEntry], sent: _Sent, language: Language, notation: Language
) -> Table:
    columns: dict[Column, None] = {}
    lines: dict[tuple[int, str], tuple[int | None, dict[Column, str]]] = {}
    for one in entries:
        what = one.derived
        column = (hex_code(what.register), what.unit)
        captured_s = None if one.capture_us is None else one.capture_us // 1_000_000
        cells = lines.setdefault((what.at_s, str(what.status)), (captured_s, {}))[1]
        columns[column] = None
        if what.amount is not None:
            cells[column] = shown_value(what.amount.value, what.amount.scaler, what.unit, notation)
    found = [
        Row(
            at_s,
            captured_s,
            tuple(cells.get(column, "") for column in columns),
            at_s in sent,
            _status(status, language) if cells else chosen(MISSING, language),
        )
        for (at_s, status), (captured_s, cells) in reversed(lines.items())
    ]
    return Table(kind, name, _headings(columns), tuple(found))


def _headings(columns: Iterable[Column]) -> tuple[str, ...]:
    return tuple(f"{code} ({shown_unit(unit)})" if shown_unit(unit) else code for code, unit in columns)


class _Sent:
    """Instants that lie in one of the deliveries, both bounds included; asked in the time of a bisection.

    Args:
        spans: first and last instant of each delivery.
    """

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        for begin_s, end_s in sorted(spans):
            if self._ends and begin_s <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end_s)
            else:
                self._begins.append(begin_s)
                self._ends.append(end_s)

    def __contains__(self, at_s: int) -> bool:
        place = bisect_right(self._begins, at_s) - 1
        return place >= 0 and at_s <= self._ends[place]


def _status(word: str, language: Language) -> str:
    return chosen(SEVERITIES[severity(word_of(word))], language)


def csv_head(columns: Sequence[str], heads: tuple[str, str, str, str]) -> tuple[str, ...]:
    """The headings of a table in a file; `heads` are those of time, registration, sent and status."""
    return (heads[0], heads[1], *columns, heads[2], heads[3])


def csv_rows(table: Table, yes_no: tuple[str, str]) -> Iterator[tuple[str, ...]]:
    """The rows of a table as lines of a file."""
    for row in table.rows:
        captured = "" if row.captured_s is None else shown_local(row.captured_s)
        yield (shown_local(row.at_s), captured, *row.values, yes_no[0] if row.sent else yes_no[1], row.status)
