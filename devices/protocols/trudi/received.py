"""Rules of an export that was read: what the transparency software refuses beyond its schema (han 5.2).

Rules that depend on what a gateway was asked for (number of lists, span) are those of the writer, `rules`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Final

from devices.protocols.certificates import read_der
from devices.protocols.trudi.errors import FormatError
from devices.protocols.trudi.export import Export, ValueList
from devices.protocols.trudi.rules import KINDS, MULTIPLIERS, UNITS

QUARTER_S: Final = 900
TOLERANCE_SHARE: Final = 0.01
"""How far beside its instant a reading may be captured, as a share of the registration period (han 5.5)."""


def tolerance(period_s: int | None) -> timedelta:
    """How far beside its instant a reading of a list may be captured; the period is at least a quarter of an hour."""
    return timedelta(seconds=TOLERANCE_SHARE * max(period_s or 0, QUARTER_S))


def check(export: Export) -> tuple[str, ...]:
    """What is odd about an export though it may be worked with.

    A certificate that is none is odd only: published examples have such, and no register depends on it.

    Raises:
        FormatError: a rule is broken, with the line.
    """
    _check_head(export)
    _check_certificates(export)
    for values in export.lists:
        _check_list(values)
    return (*_odd_certificates(export), *_older_words(export))


def _older_words(export: Export) -> Iterator[str]:
    older = [one.line for each in export.lists for one in each.readings if one.older_word]
    if older:
        where = f"the first in line {older[0]}"
        yield f"{len(older)} status words have bit 31 first, as older software reads them ({where})"


def _check_head(export: Export) -> None:
    for name, text in (
        ("usagePointId", export.usage_point),
        ("customerId", export.customer),
        ("invoicingPartyId", export.supplier),
        ("smgwId", export.gateway),
        ("tariffName", export.tariff),
    ):
        if not text:
            raise FormatError(f"{name} is missing or empty", export.line, name)
    if export.kind not in KINDS:
        known = ", ".join(map(str, sorted(KINDS)))
        raise FormatError(f"kind is {export.kind}, {known} are right", export.line, "kind")
    if not export.lists:
        raise FormatError("there is no MeterReading", export.line, "MeterReading")


def _check_certificates(export: Export) -> None:
    told, there = sorted(export.gateway_certificates), sorted(one.id for one in export.certificates)
    if not told:
        raise FormatError("SMGW has no certId, at least one is right", export.line, "certId")
    if not there:
        raise FormatError("there is no Certificate, at least one is right", export.line, "Certificate")
    if told != there:
        line = export.certificates[0].line
        raise FormatError(f"SMGW names the certIds {told}, the certificates have {there}", line, "certId")
    if len(set(there)) != len(there):
        raise FormatError(f"two certificates have the same certId: {there}", export.certificates[0].line, "certId")


def _odd_certificates(export: Export) -> Iterator[str]:
    for one in export.certificates:
        try:
            read_der(_der(one.der))
        except ValueError:
            yield f"the certificate {one.id} is no X.509 certificate, so no signature can be checked with it"


def _der(content: bytes) -> bytes:
    """The first certificate: the software takes DER, and gateways have sent PEM and bare Base64 as well (TRuDI)."""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    text = content.partition(begin)[2].partition(end)[0] if begin in content else content
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError:
        return content


def _check_list(values: ValueList) -> None:
    where = f"the list {values.register} of meter {values.meter}"
    code = "".join(f"{group:02x}" for group in values.register.groups)
    name = values.logical_name
    formed = len(name.split(".")) > 2 and name.lower().endswith(".sm")
    # A published example names another stage in a derived list; only original ones are billed.
    if not formed or (values.original and not name.lower().startswith(f"{code}.")):
        reason = f"qualifiedLogicalName of {where} is {name[:80]!r}, {code}.<meter or TAF>.sm is right"
        raise FormatError(reason, values.line, "qualifiedLogicalName")
    if values.unit not in UNITS:
        reason = f"uom of {where} is {values.unit}, which is no unit that the transparency software knows"
        raise FormatError(reason, values.line, "uom")
    if values.multiplier not in MULTIPLIERS:
        known = ", ".join(map(str, sorted(MULTIPLIERS)))
        reason = f"powerOfTenMultiplier of {where} is {values.multiplier}, {known} are right"
        raise FormatError(reason, values.line, "powerOfTenMultiplier")
    if not values.blocks:
        raise FormatError(f"{where} has no IntervalBlock", values.line, "IntervalBlock")
    _check_blocks(values, where)


def _check_blocks(values: ValueList, where: str) -> None:
    for block in values.blocks:
        if not block.count:
            raise FormatError(f"an IntervalBlock of {where} has no IntervalReading", block.line, "IntervalBlock")
    ordered = sorted(values.blocks, key=lambda one: one.begin)
    for before, after in pairwise(ordered):
        if before.end != after.begin:
            what = "there is a gap between" if before.end < after.begin else "there is an overlap of"
            reason = f"{what} two blocks of {where}: one ends at {before.end.isoformat()}, the next begins at"
            raise FormatError(f"{reason} {after.begin.isoformat()}", after.line, "IntervalBlock")
    if not values.original:
        return
    beside = tolerance(values.period_s)
    for block in values.blocks:
        low, high = block.begin - beside, block.end + beside
        for one in values.readings[block.first : block.first + block.count]:
            if not low <= one.at <= high and (one.target is None or not low <= one.target <= high):
                span = f"{block.begin.isoformat()} and {block.duration_s} s"
                reason = f"a reading of {where} was captured at {one.at.isoformat()}, outside its block, {span}"
                raise FormatError(reason, one.line, "timePeriod")
