"""What derived values can be checked for: figures, number, balance, the scenario's own tariff, signatures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from bench import contract_orders
from bench.contract_oracle import Credit, Reading, Table, credited, entries
from bench.expect import Look, Truth
from bench.flow import read_load
from bench.quantity import text_of
from bench.register_units import check_unit, parse_quantity
from bench.scenario.contract_models import ERROR_STAGE, LOCAL, full_obis, staged
from bench.scenario.radio_models import GivenRadioMeter
from bench.steps.counting import Count
from bench.steps.value_checks import CLOCK_S, LATENCY_S, MARKS, FollowsLoad, kinds_of
from bench.value_signatures import public_key, verifies
from devices.protocols.sml.obis import parse_obis

if TYPE_CHECKING:
    from bench.rig import Rig

POLL_S: Final = 60.0
"""Seconds between two readings of derived values while something is waited for."""
SELDOM_S: Final = 6 * 3600.0
"""The same for what reads all values anew."""
SETTLED: Final = timedelta(seconds=45)
"""How long after an instant its entry must be there (assumed: the receive window of an hour is 36 s, wan-core 7.4)."""
STATUS_MARKS: Final = {**MARKS, "threshold": 16}
"""Mark -> its bit in the gateway word of the status (wan-core 7.3)."""
_UNUSABLE: Final = (8, 9, 14)
"""Bits of the gateway word with which a value counts as missing (han 5.3)."""
_UNUSABLE_OF_METER: Final = (9, 10, 17)
_RADIO: Final = 17


def bit(row: dict[str, Any], number: int) -> bool:
    """A bit of the status; 0 is the leftmost one of the text form."""
    return bool(int(row["status"], 16) >> (63 - number) & 1)


def usable(row: dict[str, Any]) -> bool:
    """Whether a value may be billed (han 5.3); the half of a radio meter has a layout of its own."""
    if row["value"] is None or any(bit(row, one) for one in _UNUSABLE):
        return False
    return bit(row, _RADIO) or not any(bit(row, 32 + one) for one in _UNUSABLE_OF_METER)


def instant(text: str) -> datetime:
    """An instant as rows have it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def shown(at: datetime) -> str:
    """An instant for people, in local legal time."""
    return f"{at.astimezone(LOCAL):%Y-%m-%d %H:%M} ({at.astimezone(UTC):%H:%M} UTC)"


@dataclass(frozen=True)
class Figure:
    """What a register must show.

    Attributes:
        least, most: in the base unit; None: there must be no value.
        unit: base unit.
        text: as it is written.
    """

    least: Decimal | None
    most: Decimal | None
    unit: str
    text: str

    def __contains__(self, row: object) -> bool:
        assert isinstance(row, dict)
        if self.least is None or self.most is None or row["value"] is None:
            return self.least is None and row["value"] is None
        return row["unit"] == self.unit and self.least <= Decimal(row["value"]) <= self.most


def check_figures(registers: dict[str, Any]) -> None:
    """ValueError unless each register is one, and what it must show a figure of what it counts."""
    for code, written in registers.items():
        parse_obis(code)
        for one in written if isinstance(written, list | tuple) else (written,):
            if one != "none":
                check_unit(code, one)
        parse_figure(written)


def parse_figure(value: Any) -> Figure:
    """``1.2 kWh``: met by what rounds to it, zero only by zero itself; ``[1.1 kWh, 1.3 kWh]``; ``none``."""
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise ValueError("two bounds are right, such as [1.1 kWh, 1.3 kWh]")
        (least, unit), (most, other) = parse_quantity(value[0]), parse_quantity(value[1])
        if unit != other or least > most:
            raise ValueError(f"{value[0]} to {value[1]} is no span")
        return Figure(least, most, unit, f"{value[0]} to {value[1]}")
    text = str(value).strip()
    if text == "none":
        return Figure(None, None, "", "no value")
    amount, unit = parse_quantity(text)
    if not amount:
        return Figure(amount, amount, unit, text)
    written = Decimal(text.split()[0]) if " " in text else amount
    exponent = written.as_tuple().exponent
    assert isinstance(exponent, int)
    half = abs(amount / written) * Decimal(5).scaleb(exponent - 1) if written else Decimal(0)
    return Figure(amount - half, amount + half, unit, text)


@dataclass(frozen=True)
class _OfContract:
    """What all checks have: the contract, and how its rows are read."""

    contract: str

    @property
    def settle_s(self) -> float:
        return 0.0

    @property
    def polled(self) -> bool:
        return True

    async def rows(self, rig: Rig) -> list[dict[str, Any]]:
        """Its derived rows by time."""
        profile = contract_orders.profile_id(rig, self.contract)
        found: list[dict[str, Any]] = (await rig.records.derived(profile))["rows"]
        return found


@dataclass(frozen=True)
class Selection:
    """Which rows are meant.

    Attributes:
        kind: why there is an entry; None: any.
        at: the instant; None: any.
        marked: what the status must carry; None: anything.
    """

    kind: str | None = None
    at: datetime | None = None
    marked: str | None = None

    def of(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows that are meant."""
        return [
            row
            for row in rows
            if (self.kind is None or row["kind"] == self.kind)
            and (self.at is None or instant(row["time"]) == self.at.astimezone(UTC))
            and (self.marked is None or bit(row, STATUS_MARKS[self.marked]))
        ]

    def sentence(self, noun: str) -> str:
        """``switch entries marked warning of 2026-03-29 02:00``."""
        text = noun if self.kind is None else f"{self.kind} {noun}"
        text += "" if self.marked is None else f" marked {self.marked.replace('_', ' ')}"
        return text + ("" if self.at is None else f" of {shown(self.at)}")


@dataclass(frozen=True)
class RegistersShow(_OfContract):
    """The newest of the meant entries show these figures."""

    registers: tuple[tuple[str, Figure], ...]
    selection: Selection
    meter: str | None = None

    def sentence(self) -> str:
        told = ", ".join(f"{code} = {figure.text}" for code, figure in self.registers)
        what = self.selection.sentence("entries")
        newest = "" if self.selection.at is not None else "newest "
        return f"the {newest}derived {what} of contract {self.contract} show {told}"

    async def look(self, rig: Rig) -> Look:
        rows = self.selection.of(await self.rows(rig))
        if self.meter is not None:
            rows = [row for row in rows if row["meter"] == rig.meter_id(self.meter)]
        again = rig.clock.seconds() + POLL_S
        if not rows:
            return Look(Truth.NO, "there is no such entry", again)
        newest = [row for row in rows if row["time"] == rows[-1]["time"]]
        seen, good = [], True
        for code, figure in self.registers:
            named = [row for row in newest if row["register"] == full_obis(code)]
            if len(named) != 1:
                seen.append(f"{code}: {len(named)} entries")
                good = False
                continue
            row = named[0]
            seen.append(f"{code} = {'no value' if row['value'] is None else row['value'] + ' ' + row['unit']}")
            good &= row in figure
        when = shown(instant(newest[0]["time"]))
        return Look(Truth.YES if good else Truth.NO, f"{', '.join(seen)}, {when}", again)


@dataclass(frozen=True)
class EntryCount(_OfContract):
    """So many instants have entries, or entries without a value."""

    count: Count
    selection: Selection
    missing: bool = False

    def sentence(self) -> str:
        without = " without a value" if self.missing else ""
        what = self.selection.sentence("entries")
        return f"contract {self.contract} has derived {what}{without} at {self.count.of('instant', 'instants')}"

    async def look(self, rig: Rig) -> Look:
        rows = self.selection.of(await self.rows(rig))
        if self.missing:
            rows = [row for row in rows if row["value"] is None]
        times = sorted({row["time"] for row in rows})
        seen = f"{len(times)}" + (f", the last {shown(instant(times[-1]))}" if times else "")
        return Look(Truth.YES if len(times) in self.count else Truth.NO, seen, rig.clock.seconds() + POLL_S)


@dataclass(frozen=True)
class Signed(_OfContract):
    """The signature of every entry verifies over the documented octets."""

    def sentence(self) -> str:
        return f"the signature of every derived entry of contract {self.contract} verifies"

    async def look(self, rig: Rig) -> Look:
        profile = contract_orders.profile_id(rig, self.contract)
        answer = await rig.records.derived(profile)
        rows, again = answer["rows"], rig.clock.seconds() + SELDOM_S
        if not rows:
            return Look(Truth.NO, "there is no entry", again)
        key = public_key(answer["key"], answer["curve"])
        bad = [row for row in rows if not verifies(key, row, profile)]
        if bad:
            first = bad[0]
            seen = f"{len(bad)} of {len(rows)} do not, the first {first['register']} of {first['time']}"
            return Look(Truth.NO, seen, again)
        return Look(Truth.YES, f"{len(rows)} signatures", again)


@dataclass(frozen=True)
class Balanced(_OfContract):
    """At every instant the stages and the error register together are the rise of the total since the begin.

    Without stages, TAF-1: between its entries the total rises by what the original readings rise by. These are read
    only when there is an entry that was not there before.
    """

    _judged: dict[datetime, Decimal] = field(default_factory=dict, compare=False, repr=False)

    def sentence(self) -> str:
        return (
            f"at every instant the stages and the error register of contract {self.contract} add up to what the total "
            "has risen by, or without stages the total to what its meters have counted"
        )

    async def _unstaged(self, rig: Rig) -> Look:
        again = rig.clock.seconds() + SELDOM_S
        totals = {
            instant(row["time"]): Decimal(row["value"]) for row in await self.rows(rig) if row["value"] is not None
        }
        if len(totals) < 2 or totals == self._judged:
            return Look(Truth.YES if totals else Truth.UNDECIDED, f"{len(totals)} instants with values", again)
        counted: list[dict[datetime, Decimal]] = []
        for meter, obis, sign in contract_orders.given_contract(rig, self.contract).terms:
            rows = await rig.records.values(rig.meter_id(meter))
            rows = [one for one in rows if one["obis"] == obis]
            counted.append({instant(one["grid_time"]): sign * Decimal(one["value"]) for one in rows})
        base: tuple[Decimal, Decimal] | None = None
        count = 0
        for at, total in totals.items():
            if any(at not in one for one in counted):
                continue  # the readings of that instant are deleted
            read = sum((one[at] for one in counted), Decimal(0))
            base = (total, read) if base is None else base
            count += 1
            if total - base[0] != read - base[1]:
                rise = total - base[0]
                told = f"{shown(at)}: the total has risen by {rise}, the meters have counted {read - base[1]}"
                return Look(Truth.NO, told, again)
        self._judged.clear()
        self._judged.update(totals)
        return Look(Truth.YES if count else Truth.UNDECIDED, f"{count} instants with readings", again)

    async def look(self, rig: Rig) -> Look:
        if contract_orders.given_contract(rig, self.contract).taf == 1:
            return await self._unstaged(rig)
        again = rig.clock.seconds() + SELDOM_S
        rows = await self.rows(rig)
        base: Decimal | None = None
        count = 0
        for at, registers in _by_instant(rows).items():
            total = registers.pop(0, None)
            values = [one["value"] for one in registers.values()]
            if total is None or ERROR_STAGE not in registers:
                return Look(Truth.NO, f"{shown(at)} lacks the total or the error register", again)
            if None in values:
                if any(one is not None for one in values):
                    return Look(Truth.NO, f"{shown(at)} has a value for some registers only", again)
                continue
            if total["value"] is None:
                return Look(Truth.NO, f"{shown(at)} has stages without a total", again)
            stages = sum(map(Decimal, values), Decimal(0))
            base = Decimal(total["value"]) - stages if base is None else base
            count += 1
            if Decimal(total["value"]) - base != stages:
                rise = Decimal(total["value"]) - base
                return Look(Truth.NO, f"{shown(at)}: {stages} in the registers, the total has risen by {rise}", again)
            if total["kind"] == "first" and stages:
                return Look(Truth.NO, f"the registers begin with {stages}", again)
        return Look(Truth.YES if count else Truth.UNDECIDED, f"{count} instants with values", again)


@dataclass(frozen=True)
class OnSchedule(_OfContract):
    """There are entries at exactly the instants that the scenario's contract names, each for its reason."""

    def sentence(self) -> str:
        return (
            f"contract {self.contract} has derived entries at exactly the begin, the switches, the ends of billing "
            "periods, the days and the end that the scenario's own calendar gives"
        )

    async def look(self, rig: Rig) -> Look:
        again = rig.clock.seconds() + SELDOM_S
        given, now = contract_orders.given_contract(rig, self.contract), rig.clock.now()
        end = contract_orders.end_of(rig, self.contract)
        wanted = entries(given, end, now)
        stored: dict[datetime, set[str]] = defaultdict(set)
        for row in await self.rows(rig):
            stored[instant(row["time"])].add(row["kind"])
        for at, kinds in stored.items():
            if kinds != {wanted.get(at)}:
                seen = f"{shown(at)} has a {' and a '.join(sorted(kinds))} entry, {wanted.get(at, 'none')} is right"
                return Look(Truth.NO, seen, again)
        missing = [at for at in wanted if at not in stored and at <= now - SETTLED]
        if missing:
            return Look(Truth.NO, f"{shown(missing[0])} has no {wanted[missing[0]]} entry", again)
        return Look(Truth.YES, f"{len(stored)} instants", again)


@dataclass(frozen=True)
class _Source:
    """One register of a contract: its rows by instant, and the intervals in which its readings lie."""

    sign: int
    rows: dict[datetime, dict[str, Any]]
    bounds: dict[datetime, tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class AgreesWithTariff(_OfContract):
    """Every derived value is what the scenario's own tariff makes of the readings, or of the load behind them.

    Attributes:
        load: the energy that flowed by the scenario's load; else the stored original readings, exactly.
    """

    load: bool

    def sentence(self) -> str:
        if self.load:
            return (
                f"every derived value of contract {self.contract} is the energy that has flowed by the given load in "
                f"the local hours of its stage (readings up to {text_of(LATENCY_S)} old)"
            )
        return f"every derived value of contract {self.contract} is what its own tariff makes of the original readings"

    async def look(self, rig: Rig) -> Look:
        again = rig.clock.seconds() + SELDOM_S
        given = contract_orders.given_contract(rig, self.contract)
        rows = await self.rows(rig)
        if not rows:
            return Look(Truth.NO, "there is no entry", again)
        sources = [await self._source(rig, *term) for term in given.terms]
        if given.taf == 6:
            trouble = self._each(rows, [(full, one) for (_, full, _), one in zip(given.terms, sources, strict=True)])
        else:
            trouble = self._summed(rig, rows, sources)
        if trouble:
            return Look(Truth.NO, trouble, again)
        return Look(Truth.YES, f"{len(rows)} entries", again)

    async def _source(self, rig: Rig, meter: str, obis: str, sign: int) -> _Source:
        found, bounds = {}, {}
        least: Decimal | None = None
        for row in await rig.records.values(rig.meter_id(meter)):
            if row["obis"] != obis:
                continue
            at = instant(row["grid_time"])
            found[at] = row
            if not usable(row):
                continue
            value = Decimal(row["value"])
            if least is not None and value < least:
                continue  # a counter that falls is not used until it is past its last good value (wan-core 7.4)
            least = value
            bounds[at] = self._flowed(rig, meter, obis, row) if self.load else (value, value)
        return _Source(sign, found, bounds)

    def _flowed(self, rig: Rig, meter: str, obis: str, row: dict[str, Any]) -> tuple[Decimal, Decimal]:
        """Between which figures the reading must lie by the scenario's load."""
        given = rig.given_meter(meter)
        check = FollowsLoad(meter, obis)
        load = read_load(given.load, kinds_of(given)[1])
        captured = instant(row["capture_time"])
        least = check.flowed(rig, load, captured - timedelta(seconds=LATENCY_S + CLOCK_S))
        most = check.flowed(rig, load, captured + timedelta(seconds=CLOCK_S))
        if isinstance(given, GivenRadioMeter):
            least -= Decimal(1).scaleb(row["scaler"] or 0)
        return least, most

    def _each(self, rows: list[dict[str, Any]], sources: list[tuple[str, _Source]]) -> str:
        """Entries of single registers are the readings of their instants."""
        for row in rows:
            at = instant(row["time"])
            alike = [one for obis, one in sources if obis == row["register"] and at in one.rows]
            alike = [one for one in alike if one.rows[at]["meter"] == row["meter"]]
            if not alike:
                if row["value"] is not None:
                    return f"{row['register']} of {shown(at)} has a value, and no reading has one"
                continue
            if row["value"] is None:
                return f"{row['register']} of {shown(at)} has no value, its reading has one"
            read = Decimal(alike[0].rows[at]["value"])
            least, most = alike[0].bounds.get(at, (read, read))
            if not least <= Decimal(row["value"]) <= most:
                return f"{row['register']} of {shown(at)} is {row['value']}, right is {Credit(least, most)}"
        return ""

    def _summed(self, rig: Rig, rows: list[dict[str, Any]], sources: list[_Source]) -> str:
        given = contract_orders.given_contract(rig, self.contract)
        readings = self._totals(rig, sources)
        totals = {one.at: one for one in readings}
        by_instant = _by_instant(rows, staged=given.taf == 2)
        owed: dict[datetime, dict[int, Credit]] = {}
        if given.taf == 2 and given.table is not None:
            stages = given.stages if given.stages is not None else given.table.stages
            owed = credited(Table(given.table), stages, readings, by_instant)
        register = given.terms[0][1]
        for at, registers in by_instant.items():
            total = totals.get(at)
            if total is not None:
                right = {0: Credit(total.least, total.most), **owed.get(at, {})}
                if set(registers) != set(right):
                    return f"{shown(at)} has the registers {sorted(registers)}, right are {sorted(right)}"
            for number, row in registers.items():
                code = staged(register, number) if given.taf == 2 else register
                if row["register"] != code:
                    return f"{shown(at)} has the register {row['register']}, right is {code}"
                if total is None:
                    if row["value"] is not None and (number or usable(row)):
                        return f"{row['register']} of {shown(at)} has a value, and a reading for it is missing"
                elif row["value"] is None or Decimal(row["value"]) not in right[number]:
                    value = "missing" if row["value"] is None else row["value"]
                    return f"{row['register']} of {shown(at)} is {value}, right is {right[number]} Wh"
        return ""

    def _totals(self, rig: Rig, sources: list[_Source]) -> list[Reading]:
        """The totals of the instants at which every register has a usable reading."""
        given = contract_orders.given_contract(rig, self.contract)
        end = contract_orders.end_of(rig, self.contract)
        period = contract_orders.period_of(rig, self.contract)
        found = []
        for at in sorted(sources[0].bounds):
            outside = at < given.begin or (end is not None and at > end)
            if outside or at.timestamp() % period.total_seconds() or any(at not in one.bounds for one in sources):
                continue
            least = most = Decimal(0)
            for one in sources:
                low, high = one.bounds[at]
                least += low if one.sign > 0 else -high
                most += high if one.sign > 0 else -low
            found.append(Reading(at, least, most))
        return found


def _by_instant(rows: Iterable[dict[str, Any]], *, staged: bool = True) -> dict[datetime, dict[int, dict[str, Any]]]:
    """Instant -> number of the register (value group E; 0 where there are no stages) -> row."""
    found: dict[datetime, dict[int, dict[str, Any]]] = {}
    for row in rows:
        number = int(row["register"].split("*")[0].rsplit(".", 1)[1]) if staged else 0
        found.setdefault(instant(row["time"]), {})[number] = row
    return found
