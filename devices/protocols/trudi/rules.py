"""Rules that a gateway's export keeps, those of the schema and those beyond it (han 5.2, 5.3, 5.5).

The schema says little: nearly every element may be missing. These are the rules by which the transparency software
refuses a file, and the sizes that the schema sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Final

from devices.protocols.certificates import read_der
from devices.protocols.trudi.content import (
    ExportedLogEntry,
    GatewayExport,
    IntervalBlock,
    IntervalReading,
    MeterReading,
    ReadingType,
)

LONGEST_SPAN: Final = timedelta(days=1096)
"""Longest span that one export may be asked for."""
LEAST_LISTS: Final = {1: 2, 2: 5}
"""Use case -> MeterReadings that a closed period has at least."""
KINDS: Final = frozenset((0, 1, 2, 4, 5, 6, 7, 8))
"""espi:kind: electricity, gas, water, pressure, heat, cold, communication, time."""
UNITS: Final = frozenset((0, 5, 29, 31, 33, 38, 42, 61, 63, 65, 67, 69, 71, 72, 73, 106, 119, 122, 125, 128, 129))
"""espi:uom that the transparency software takes."""
MULTIPLIERS: Final = frozenset((-6, -3, 0, 1, 2, 3, 6, 9))
"""espi:powerOfTenMultiplier that it takes."""
MOST_FINDINGS: Final = 50
_LONGEST: Final = {
    "usagePointId": 256, "customerId": 64, "invoicingPartyId": 64, "smgwId": 32, "FirmwareVersion": 64, "name": 64,
    "version": 256, "checksum": 256, "tariffName": 256, "meterId": 64, "meterReadingId": 256,
    "qualifiedLogicalName": 256, "statusVendor": 256, "text": 16_384, "vendorId": 32, "GeneratorVersion": 256,
}  # fmt: skip
"""Characters that the schema allows."""
_MAY_BE_EMPTY: Final = frozenset(("version", "checksum", "statusVendor", "text", "vendorId", "GeneratorVersion"))
_VALUE: Final = 1 << 47
_U32: Final = 1 << 32
_OBIS: Final = re.compile(r"[0-9A-Fa-f]{12}")
_STATUS: Final = re.compile(r"[0-9A-Fa-f]{16}")
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


@dataclass(frozen=True, slots=True)
class Query:
    """What an export was asked for.

    Attributes:
        use_case: number of the TAF.
        begin, end: span, None: not limited.
        closed: the billing period has ended.
    """

    use_case: int
    begin: datetime | None = None
    end: datetime | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken.

    Attributes:
        where: element, with the list and the instant that it belongs to.
        text: what is wrong.
    """

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def findings(export: GatewayExport, query: Query | None = None) -> list[Finding]:
    """What is wrong with an export, at most `MOST_FINDINGS`; empty: it may be written."""
    return list(islice(_all(export, query), MOST_FINDINGS))


def clean(text: str) -> str:
    """A text with the characters that XML cannot hold replaced."""
    return _NO_XML.sub("\ufffd", text)


def _all(export: GatewayExport, query: Query | None) -> Iterator[Finding]:
    yield from _head(export)
    yield from _certificates(export)
    for entry in export.log:
        yield from _log_entry(entry)
    if not export.lists:
        yield Finding("UsagePoint", "there is no MeterReading")
    ids = [one.id for one in export.lists]
    for twice in sorted({one for one in ids if ids.count(one) > 1}):
        yield Finding("meterReadingId", f"{twice!r} is used more than once")
    known = frozenset(one.id for one in export.certificates)
    for values in export.lists:
        yield from _list(values, known, query)
    if query is not None:
        yield from _of_query(export, query)


def _text(name: str, text: str, where: str = "") -> Iterator[Finding]:
    place = f"{where} {name}".strip()
    if not text.strip() and name not in _MAY_BE_EMPTY:
        yield Finding(place, "it is empty")
    if len(text) > _LONGEST[name]:
        yield Finding(place, f"it has {len(text)} characters, at most {_LONGEST[name]} are allowed")
    if _NO_XML.search(text):
        yield Finding(place, "it has characters that XML cannot hold")


def _head(export: GatewayExport) -> Iterator[Finding]:
    for name, text in (
        ("usagePointId", export.usage_point),
        ("customerId", export.customer),
        ("invoicingPartyId", export.supplier),
        ("smgwId", export.gateway.id),
        ("FirmwareVersion", export.gateway.firmware),
        ("tariffName", export.tariff),
        ("GeneratorVersion", export.generator),
    ):
        yield from _text(name, text)
    if export.kind not in KINDS:
        yield Finding("kind", f"{export.kind} is no kind of service")
    for part in export.gateway.components:
        yield from _text("name", part.name, "FirmwareComponent")
        yield from _text("version", part.version, "FirmwareComponent")
        yield from _text("checksum", part.checksum, "FirmwareComponent")
        if not part.version and not part.checksum:
            yield Finding("FirmwareComponent", f"{part.name!r} has neither version nor checksum")


def _certificates(export: GatewayExport) -> Iterator[Finding]:
    told, there = export.gateway.certificates, [one.id for one in export.certificates]
    if not told:
        yield Finding("SMGW", "there is no certId")
    if not there:
        yield Finding("UsagePoint", "there is no Certificate")
    if sorted(told) != sorted(there):
        yield Finding("certId", f"SMGW names {sorted(told)}, the certificates are {sorted(there)}")
    if len(set(there)) != len(there):
        yield Finding("certId", "two certificates have the same")
    for one in export.certificates:
        if not 0 <= one.id <= 255:
            yield Finding("certId", f"{one.id} is not 0 to 255")
        if one.parent is not None and one.parent not in there:
            yield Finding("parentCertId", f"there is no certificate {one.parent}")
        try:
            read_der(one.der)
        except ValueError:
            yield Finding("certContent", f"the certificate {one.id} cannot be read")


def _log_entry(entry: ExportedLogEntry) -> Iterator[Finding]:
    where = f"LogEntry {entry.number}"
    yield from _text("text", entry.text, where)
    yield from _text("vendorId", entry.vendor, where)
    yield from _instant(entry.at, f"{where} timestamp")
    for name, number in (
        ("recordNumber", entry.number),
        ("eventId", entry.event),
        ("eventSubId", entry.sub_event),
    ):
        if number is not None and not 0 <= number < _U32:
            yield Finding(f"{where} {name}", f"{number} does not fit into 32 bits")


def _list(values: MeterReading, certificates: frozenset[int], query: Query | None) -> Iterator[Finding]:
    where = f"MeterReading {values.type.logical_name}"
    yield from _text("meterId", values.meter, where)
    yield from _text("meterReadingId", values.id, where)
    yield from _reading_type(values.type, where)
    if not values.blocks:
        yield Finding(where, "there is no IntervalBlock")
    for block in values.blocks:
        yield from _block(block, where, certificates, inside=query is not None and query.use_case == 7)
    blocks = sorted((one for one in values.blocks if _measurable(one)), key=lambda one: one.start)
    for before, after in pairwise(blocks):
        if before.end < after.start:
            yield Finding(where, f"there is a gap between two blocks, {before.end} to {after.start}")
        elif before.end > after.start:
            yield Finding(where, f"two blocks overlap, {after.start} to {before.end}")


def _reading_type(kind: ReadingType, where: str) -> Iterator[Finding]:
    yield from _text("qualifiedLogicalName", kind.logical_name, where)
    if not _OBIS.fullmatch(kind.obis):
        yield Finding(f"{where} obisCode", f"{kind.obis!r} is not twelve hexadecimal digits")
    if not kind.logical_name.lower().startswith(f"{kind.obis.lower()}.") or not kind.logical_name.endswith(".sm"):
        yield Finding(f"{where} qualifiedLogicalName", f"it is not {kind.obis}.<meter or TAF>.sm")
    if kind.unit not in UNITS:
        yield Finding(f"{where} uom", f"{kind.unit} is no unit that the transparency software knows")
    if kind.multiplier not in MULTIPLIERS:
        yield Finding(f"{where} powerOfTenMultiplier", f"{kind.multiplier} is none that it knows")
    if kind.scaler is not None and not -128 <= kind.scaler <= 127:
        yield Finding(f"{where} scaler", f"{kind.scaler} is not -128 to 127")
    if kind.period_s is not None and not 0 < kind.period_s < _U32:
        yield Finding(f"{where} measurementPeriod", f"{kind.period_s} s is none")


def _block(block: IntervalBlock, where: str, certificates: frozenset[int], *, inside: bool) -> Iterator[Finding]:
    yield from _instant(block.start, f"{where} interval start")
    if not 0 <= block.duration_s < _U32:
        yield Finding(f"{where} interval duration", f"{block.duration_s} s does not fit into 32 bits")
    if not _measurable(block):
        return
    begin, end, count = block.start, block.end, 0
    for reading in block.readings:
        count += 1
        if _plain(reading, certificates) and begin <= reading.at <= end:
            continue
        place = f"{where} {reading.at.isoformat()}"
        yield from _reading(reading, place, certificates)
        if inside and reading.at.tzinfo is not None and not begin <= reading.at <= end:
            yield Finding(place, f"it is outside its block, {begin.isoformat()} to {end.isoformat()}")
    if not count:
        yield Finding(where, "a block has no reading")


def _measurable(block: IntervalBlock) -> bool:
    """Whether it has a begin and an end at all."""
    return block.start.tzinfo is not None and 0 <= block.duration_s < _U32


def _plain(one: IntervalReading, certificates: frozenset[int]) -> bool:
    """Whether nothing can be wrong with a reading: the quick way for nearly all of them."""
    return (
        -_VALUE <= one.value <= _VALUE
        and one.at.tzinfo is not None
        and not one.at.microsecond
        and one.target is not None
        and one.target.tzinfo is not None
        and not one.target.microsecond
        and one.meter_time is None
        and not one.vendor_status
        and one.certificate in certificates
        and (one.severity is None or 0 <= one.severity <= 4)
        and _STATUS.fullmatch(one.status) is not None
    )


def _reading(one: IntervalReading, where: str, certificates: frozenset[int]) -> Iterator[Finding]:
    if not -_VALUE <= one.value <= _VALUE:
        yield Finding(f"{where} value", f"{one.value} does not fit into 48 bits")
    for name, moment in (
        ("timePeriod", one.at),
        ("targetTime", one.target),
        ("measurementTimeMeter", one.meter_time),
    ):
        if moment is not None:
            yield from _instant(moment, f"{where} {name}")
    if not one.status and one.severity is None:
        yield Finding(where, "it has neither statusFNN nor statusPTB")
    if one.status and not _STATUS.fullmatch(one.status):
        yield Finding(f"{where} statusFNN", f"{one.status[:40]!r} is not 16 hexadecimal digits")
    if one.severity is not None and not 0 <= one.severity <= 4:
        yield Finding(f"{where} statusPTB", f"{one.severity} is not 0 to 4")
    yield from _text("statusVendor", one.vendor_status, where)
    if one.certificate is not None and one.certificate not in certificates:
        yield Finding(f"{where} certId", f"there is no certificate {one.certificate}")
    if one.signature and one.certificate is None:
        yield Finding(f"{where} signature", "no certId says by which certificate it was made")


def _instant(moment: datetime, where: str) -> Iterator[Finding]:
    if moment.tzinfo is None:
        yield Finding(where, f"{moment.isoformat()} has no zone")
    if moment.microsecond:
        yield Finding(where, f"{moment.isoformat()} is no whole second")


def _of_query(export: GatewayExport, query: Query) -> Iterator[Finding]:
    least = LEAST_LISTS.get(query.use_case, 0)
    if query.closed and len(export.lists) < least:
        count = len(export.lists)
        text = f"TAF-{query.use_case} of a closed period has at least {least} MeterReadings, there are {count}"
        yield Finding("UsagePoint", text)
    if query.begin is not None and query.end is not None:
        if query.end < query.begin:
            yield Finding("UsagePoint", f"the span ends before it begins, {query.begin} to {query.end}")
        elif query.end - query.begin > LONGEST_SPAN:
            days = (query.end - query.begin) / timedelta(days=1)
            yield Finding("UsagePoint", f"the span has {days:g} days, at most {LONGEST_SPAN.days} are allowed")
    if query.use_case == 7:
        for values in export.lists:
            if not values.original:
                yield Finding(f"MeterReading {values.type.logical_name}", "TAF-7 has lists of original readings only")
    if query.use_case == 2:
        derived = [one for one in export.lists if not one.original]
        spans = {_length(one) for one in derived if one.blocks and all(map(_measurable, one.blocks))}
        if len(spans) > 1:
            told = " and ".join(f"{one:g} s" for one in sorted(spans))
            yield Finding("MeterReading", f"the derived lists of TAF-2 are not equally long: {told}")


def _length(values: MeterReading) -> float:
    """Seconds from the begin of the first block to the end of the last."""
    blocks: Iterable[IntervalBlock] = values.blocks
    begin = min(one.start for one in blocks)
    return (max(one.end for one in blocks) - begin).total_seconds()
