"""The export of a contract's values for the transparency software, out of a gateway's memory (han 5.2).

TAF-1 and TAF-2 give the original lists of their registers and the derived lists, TAF-6 the daily values, TAF-7 the
original lists. Instants without a value are not in the file: the software counts what is missing as gaps, and takes no
reading without a value. Readings are fetched piece by piece, so an export of years needs no more memory than one of a
month.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from devices.errors import DeviceError, UsageError
from devices.protocols.trudi.content import (
    SIGNATURE_CERTIFICATE,
    CertType,
    ExportedCertificate,
    ExportedLogEntry,
    FirmwareComponent,
    Gateway,
    GatewayExport,
    IntervalBlock,
    IntervalReading,
    LogLevel,
    LogOutcome,
    MeterReading,
    ReadingType,
)
from devices.protocols.trudi.errors import ExportRefused
from devices.protocols.trudi.rules import Query, clean
from devices.protocols.trudi.status import Severity
from devices.protocols.trudi.writer import write
from firmware.metering.contracts import Contract, contracts
from firmware.metering.signed_octets import logical_name, signed_octets
from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.readings import severity, word_of
from firmware.metering.trudi_wishes import Wishes
from firmware.security.certificates import SUB_CA, certificate
from firmware.security.module import GW_WAN_SIG, verify
from firmware.storage.memory import NonVolatileMemory

EXPORTED: Final = frozenset((1, 2, 6, 7))
"""Use cases whose values are exported; of the others the software only lists the contract (han 5.1)."""
WITH_ORIGINALS: Final = frozenset((1, 2, 7))
WITH_DERIVED: Final = frozenset((1, 2, 6))
UOM: Final[Mapping[int, int]] = MappingProxyType(
    {13: 42, 14: 42, 15: 125, 16: 125, 25: 31, 27: 38, 28: 61, 29: 63, 30: 72, 31: 71, 32: 73, 33: 5, 35: 29, 44: 33}
)
"""COSEM unit -> espi:uom; corrected and plain volumes have the same."""
NO_UNIT: Final = 0
PIECE_S: Final = 16 * 86_400
"""Span that is fetched from the memory at once."""
_LEVELS: Final = {one.name.lower(): one for one in LogLevel}
_US: Final = 1_000_000
_U32: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A stored value.

    Attributes:
        value: integer, times 10**scaler of its list.
        status: combined status word, 16 hexadecimal digits.
        grid_s: instant of the grid.
        capture_us: when it was captured.
        signature: r || s.
    """

    value: int
    status: str
    grid_s: int
    capture_us: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        octets: size of the file.
        lists: number of value lists.
        values: number of values.
        begin_s, end_s: instants of the first and the last.
        without_value: instants and registers of the span that have no number and are not in the file.
    """

    octets: int
    lists: int
    values: int
    begin_s: int
    end_s: int
    without_value: int


def contract_named(memory: NonVolatileMemory, name: str) -> Contract:
    """A contract by name. Raises UsageError when there is none, or none with values for the software."""
    known = contracts(memory)
    found = known.get(name)
    if found is None:
        hint = f"there are: {', '.join(sorted(known))}" if known else "this gateway has no contracts"
        raise UsageError(f"the gateway has no contract {name!r}", hint=hint)
    if found.use_case not in EXPORTED:
        taken = ", ".join(f"TAF-{one}" for one in sorted(EXPORTED))
        raise UsageError(f"contract {name} is one of TAF-{found.use_case}", hint=f"values are exported of {taken}")
    return found


def export_contract(memory: NonVolatileMemory, name: str, wishes: Wishes, sink: Callable[[], BinaryIO]) -> Exported:
    """Write the values of a contract.

    Args:
        memory: of the gateway.
        name: of the contract.
        wishes: span and names.
        sink: gives what is written to; called only when there are values.

    Raises:
        UsageError: no such contract, no values, or rules of the file's format that they break.
        DeviceError: a value does not fit its signature; nothing was written.
    """
    contract = contract_named(memory, name)
    if wishes.begin_s is not None and wishes.end_s is not None and wishes.end_s < wishes.begin_s:
        raise UsageError(f"the span ends before it begins: {_told(wishes.begin_s)} to {_told(wishes.end_s)}")
    begin_s, end_s, captures = _span(memory, contract, wishes)
    query = Query(contract.use_case, _utc(begin_s), _utc(end_s), _closed(contract, wishes, end_s))
    lists = _Lists(memory, contract, begin_s, end_s, captures)
    content = _content(memory, contract, wishes, lists.all())
    _check_signatures(content, lists)
    try:
        octets = write(replace(content, log=_Log(memory, contract.consumer, begin_s, end_s)), sink(), query)
    except ExportRefused as error:
        raise UsageError(f"the values of contract {name} do not make a TRuDI file: {error}") from None
    return Exported(octets, len(content.lists), lists.count, begin_s, end_s, lists.without_value())


def _check_signatures(content: GatewayExport, lists: _Lists) -> None:
    """Every value fits its signature, by the certificate that stands in the same file (wan-core 7.2).

    A certificate without a key that could be used is left to the rules of the format.
    """
    try:
        key = x509.load_der_x509_certificate(content.certificates[0].der).public_key()
    except ValueError:
        return
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return
    wrong = [name for name, octets, signature in lists.signed() if not verify(key, octets, signature)]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise DeviceError(f"nothing is exported: the signature of a stored value does not fit: {wrong[0]}{more}")


def _content(
    memory: NonVolatileMemory, contract: Contract, wishes: Wishes, lists: tuple[MeterReading, ...]
) -> GatewayExport:
    certificates = _certificates(memory)
    return GatewayExport(
        usage_point=wishes.usage_point or contract.usage_point,
        kind=contract.kind,
        customer=contract.consumer.removesuffix(".sm"),
        supplier=wishes.supplier or contract.supplier,
        gateway=_gateway(memory, tuple(one.id for one in certificates)),
        certificates=certificates,
        tariff=wishes.tariff or contract.tariff,
        lists=lists,
        generator="smgw-bench",
    )


def _gateway(memory: NonVolatileMemory, ids: tuple[int, ...]) -> Gateway:
    parts = []
    for slot in ("firmware", "kernel"):
        stored = memory.image(slot)
        if stored is not None:
            parts.append(FirmwareComponent(slot, stored[0], stored[2].hex()))
    version = parts[0].version if parts else "unknown"
    return Gateway(str(memory.setting("hardware", "")), version, ids, tuple(parts))


def _certificates(memory: NonVolatileMemory) -> tuple[ExportedCertificate, ...]:
    """The one of the signatures and its Sub-CA; the format has no place for a root, which a judge must know himself."""
    own, sub = certificate(memory, GW_WAN_SIG), certificate(memory, SUB_CA)
    return (
        ExportedCertificate(SIGNATURE_CERTIFICATE, CertType.SIGNATURE, own.der, 2),
        ExportedCertificate(2, CertType.SUB_CA, sub.der),
    )


def _span(memory: NonVolatileMemory, contract: Contract, wishes: Wishes) -> tuple[int, int, tuple[int, int]]:
    """First and last instant that have values, within what is wished and valid, and the outermost captures."""
    low = max(contract.begin_s, -(1 << 62) if wishes.begin_s is None else wishes.begin_s)
    high = min(*((1 << 62) if one is None else one for one in (contract.end_s, wishes.end_s)))
    wished = _bounds(memory, contract, low, high)
    if wished is None:
        there = _bounds(memory, contract, -(1 << 62), 1 << 62)
        if there is None:
            raise UsageError(f"contract {contract.name} has no values yet")
        within = f"there are values from {_told(there[0])} to {_told(there[1])}"
        spans = (("from", wishes.begin_s), ("to", wishes.end_s))
        asked = " ".join(f"{word} {_told(at)}" for word, at in spans if at is not None)
        raise UsageError(f"contract {contract.name} has no values {asked or 'of its validity'}", hint=within)
    first, last, capture_low, capture_high = wished
    # What was asked for is the span of the file, as far as the contract reaches; else it is that of the values.
    begin_s = first if wishes.begin_s is None else low
    end_s = last if wishes.end_s is None else high
    return begin_s, end_s, (capture_low, capture_high)


def _bounds(memory: NonVolatileMemory, contract: Contract, low: int, high: int) -> tuple[int, int, int, int] | None:
    """First and last instant with a value, first and last capture, microseconds; None without values."""
    found: list[tuple[int, int, int, int]] = []
    if contract.use_case in WITH_ORIGINALS:
        sql = (
            "SELECT MIN(grid_s), MAX(grid_s), MIN(capture_us), MAX(capture_us) FROM reading"
            " WHERE meter = ? AND grid_s BETWEEN ? AND ? AND capture_us IS NOT NULL"
        )
        for meter in dict.fromkeys(meter for meter, _ in contract.registers):
            found += memory.query(sql, (meter, low, high))
    if contract.use_case in WITH_DERIVED:
        sql = (
            "SELECT MIN(at_s), MAX(at_s), MIN(capture_us), MAX(capture_us) FROM derived"
            " WHERE profile = ? AND at_s BETWEEN ? AND ? AND value IS NOT NULL AND capture_us IS NOT NULL"
        )
        found += memory.query(sql, (contract.name, low, high))
    found = [one for one in found if one[0] is not None]
    if not found:
        return None
    firsts, lasts, early, late = zip(*found, strict=True)
    return min(firsts), max(lasts), min(early), max(late)


def _closed(contract: Contract, wishes: Wishes, end_s: int) -> bool:
    """Whether the period that is exported has ended: an end was asked for, or the contract's own is reached."""
    return wishes.end_s is not None or (contract.end_s is not None and end_s >= contract.end_s)


class _Lists:
    """The value lists of an export.

    Args:
        memory: of the gateway.
        contract: whose values.
        begin_s, end_s: span of the instants, both included.
        captures: first and last capture, microseconds; the blocks reach that far.
    """

    def __init__(
        self, memory: NonVolatileMemory, contract: Contract, begin_s: int, end_s: int, captures: tuple[int, int]
    ) -> None:
        self._memory = memory
        self._contract = contract
        self._begin_s = begin_s
        self._end_s = end_s
        self._block_begin_s = min(begin_s, captures[0] // _US)
        self._block_end_s = max(end_s, captures[1] // _US)
        self._counters: list[_Readings] = []

    @property
    def count(self) -> int:
        """Values of the lists when last gone through."""
        return sum(one.count for one in self._counters)

    def all(self) -> tuple[MeterReading, ...]:
        """All lists of the contract that have a value: the original ones, then the derived ones."""
        found: list[MeterReading] = []
        if self._contract.use_case in WITH_ORIGINALS:
            for meter, obis in dict.fromkeys(self._contract.registers):
                found += self._original(meter, obis)
        if self._contract.use_case in WITH_DERIVED:
            found += self._derived()
        return tuple(found)

    def signed(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Of each value: what it is, the octets that its signature covers, its signature."""
        for one in self._counters:
            yield from one.signed()

    def without_value(self) -> int:
        """Instants and registers without a number: gaps, and registers that a reading does not have."""
        missing = 0
        where = (self._begin_s, self._end_s)
        if self._contract.use_case in WITH_ORIGINALS:
            for meter, obis in dict.fromkeys(self._contract.registers):
                sql = (
                    "SELECT COUNT(*) FROM reading AS r WHERE r.meter = ? AND r.grid_s BETWEEN ? AND ? AND NOT EXISTS ("
                    "SELECT 1 FROM entry AS e WHERE e.meter = r.meter AND e.grid_s = r.grid_s AND e.obis = ?"
                    " AND e.kind = 'int')"
                )
                missing += int(self._memory.query(sql, (meter, *where, obis))[0][0])
        if self._contract.use_case in WITH_DERIVED:
            sql = "SELECT COUNT(*) FROM derived WHERE profile = ? AND at_s BETWEEN ? AND ? AND value IS NULL"
            missing += int(self._memory.query(sql, (self._contract.name, *where))[0][0])
        return missing

    def _original(self, meter: str, obis: str) -> Iterator[MeterReading]:
        """The list of a register; more than one where the meter changed its scaler or unit."""
        where = "meter = ? AND grid_s BETWEEN ? AND ? AND obis = ? AND kind = 'int'"
        kinds = self._memory.query(
            f"SELECT DISTINCT scaler, unit FROM entry WHERE {where} ORDER BY scaler, unit",
            (meter, self._begin_s, self._end_s, obis),
        )
        sql = (
            "SELECT e.value, r.status, r.grid_s, r.capture_us, e.signature FROM entry AS e JOIN reading AS r"
            " ON r.meter = e.meter AND r.grid_s = e.grid_s WHERE e.meter = ? AND e.grid_s >= ? AND e.grid_s < ?"
            " AND e.obis = ? AND e.kind = 'int' AND e.scaler IS ? AND e.unit IS ? AND r.capture_us IS NOT NULL"
            " ORDER BY e.grid_s"
        )
        for number, (scaler, unit) in enumerate(kinds):
            rows = self._rows(sql, (meter,), (obis, scaler, unit))
            yield self._list(meter, obis, meter, scaler, unit, rows, number, self._contract.period_s)

    def _derived(self) -> Iterator[MeterReading]:
        name = self._contract.name
        kinds = self._memory.query(
            "SELECT DISTINCT register, meter, scaler, unit FROM derived WHERE profile = ? AND at_s BETWEEN ? AND ?"
            " AND value IS NOT NULL ORDER BY register, meter, scaler, unit",
            (name, self._begin_s, self._end_s),
        )
        sql = (
            "SELECT value, status, at_s, capture_us, signature FROM derived WHERE profile = ? AND at_s >= ?"
            " AND at_s < ? AND register = ? AND meter = ? AND scaler IS ? AND unit IS ? AND value IS NOT NULL"
            " AND capture_us IS NOT NULL ORDER BY at_s, position"
        )
        used: dict[tuple[str, str], int] = {}
        for register, meter, scaler, unit in kinds:
            number = used[register, meter] = used.get((register, meter), -1) + 1
            rows = self._rows(sql, (name,), (register, meter, scaler, unit))
            shown = meter or self._contract.registers[0][0]
            yield self._list(shown, register, name, scaler, unit, rows, number, None)

    def _rows(self, sql: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> _Readings:
        def fetch(since_s: int, until_s: int) -> list[tuple[Any, ...]]:
            return self._memory.query(sql, (*before, since_s, until_s, *after))

        readings = _Readings(fetch, self._begin_s, self._end_s)
        self._counters.append(readings)
        return readings

    def _list(
        self,
        meter: str,
        obis: str,
        owner: str,
        scaler: int | None,
        unit: int | None,
        rows: _Readings,
        number: int,
        period_s: int | None,
    ) -> MeterReading:
        code = logical_name(obis, owner).split(".", 1)[0]
        if unit is not None and unit not in UOM:
            raise UsageError(
                f"{obis} of meter {meter} has the COSEM unit {unit}, for which the TRuDI format has no code",
                hint="units with a code: energy, power, volume, flow, A, V, Hz",
            )
        kind = ReadingType(
            obis=code,
            logical_name=f"{code}.{owner}.sm",
            unit=NO_UNIT if unit is None else UOM[unit],
            scaler=scaler,
            period_s=period_s,
        )
        more = f".{number + 1}" if number else ""
        rows.covered = (logical_name(obis, owner), scaler, unit)
        block = IntervalBlock(_utc(self._block_begin_s), self._block_end_s - self._block_begin_s, rows)
        return MeterReading(meter, f"{code}.{owner}.{meter}{more}", kind, (block,))


class _Readings:
    """The readings of one list, fetched anew each time that they are gone through.

    Attributes:
        count: how many there were the last time.
        covered: logical name, scaler and unit that their signatures cover.
    """

    def __init__(self, fetch: Callable[[int, int], list[tuple[Any, ...]]], begin_s: int, end_s: int) -> None:
        self._fetch = fetch
        self._begin_s = begin_s
        self._end_s = end_s
        self.count = 0
        self.covered: tuple[str, int | None, int | None] = ("", None, None)

    def __iter__(self) -> Iterator[IntervalReading]:
        self.count = 0
        for row in self._all():
            self.count += 1
            yield reading_of(row)

    def signed(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Of each value: name and instant, signed octets, signature."""
        name, scaler, unit = self.covered
        for row in self._all():
            octets = signed_octets(name, row.status, row.capture_us, row.value, scaler, unit)
            yield f"{name} at {_told(row.grid_s)}", octets, row.signature

    def _all(self) -> Iterator[ExportRow]:
        for since_s in range(self._begin_s, self._end_s + 1, PIECE_S):
            rows = self._fetch(since_s, min(since_s + PIECE_S, self._end_s + 1))
            for value, status, grid_s, capture_us, signature in rows:
                yield ExportRow(int(value), status, grid_s, capture_us, bytes(signature or b""))


def reading_of(row: ExportRow) -> IntervalReading:
    """A stored value as the file has it.

    The word of a radio meter has a layout of its own in its second half, which the software would misread: it goes into
    statusVendor, and the class alone into statusPTB (assumed).
    """
    radio, grade = _graded(row.status)
    return IntervalReading(
        value=row.value,
        at=_utc(row.capture_us // _US),
        status="" if radio else row.status,
        severity=grade,
        target=_utc(row.grid_s),
        certificate=SIGNATURE_CERTIFICATE if row.signature else None,
        signature=row.signature,
        vendor_status=row.status if radio else "",
    )


@lru_cache(maxsize=1024)
def _graded(status: str) -> tuple[bool, Severity]:
    """Whether a word is one of a radio meter, and how grave it is."""
    word = word_of(status)
    return word.has(GatewayBit.RADIO), severity(word)


class _Log:
    """The consumer's log of a span, fetched anew each time that it is gone through."""

    def __init__(self, memory: NonVolatileMemory, consumer: str, begin_s: int, end_s: int) -> None:
        self._memory = memory
        self._where = (consumer, begin_s * _US, (end_s + 1) * _US)

    def __iter__(self) -> Iterator[ExportedLogEntry]:
        sql = (
            "SELECT number, time_us, vendor_id, sub_id, level, outcome, text FROM log WHERE book = 'consumer'"
            " AND owner = ? AND time_us >= ? AND time_us < ? ORDER BY number"
        )
        rows: Iterable[tuple[Any, ...]] = self._memory.query(sql, self._where)
        for number, time_us, event, sub_event, level, outcome, text in rows:
            yield ExportedLogEntry(
                number=number,
                at=_utc(time_us // _US),
                level=_LEVELS.get(level, LogLevel.EXTENSION),
                outcome=LogOutcome.SUCCESS if outcome == "success" else LogOutcome.FAILURE,
                text=clean(text)[:16_384],
                event=_fitting(event),
                sub_event=_fitting(sub_event),
            )


def _fitting(number: int | None) -> int | None:
    return number if number is not None and 0 <= number < _U32 else None


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _told(seconds: int) -> str:
    if not -62_135_596_800 <= seconds <= 253_402_300_799:
        return "ever"
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
