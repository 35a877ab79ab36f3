"""A file for the transparency software out of what a consumer reads at the home interface (han 5.1 to 5.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from devices.han.assumed import NO_SUPPLIER
from devices.han.content import DeviceInfo, HanCertificate, HanContract, LogEntry, Reading, Value
from devices.han.errors import Refused
from devices.han.times import raster
from devices.protocols.certificates import common_name, read_der
from devices.protocols.sml.obis import parse_obis
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
from devices.protocols.trudi.rules import LONGEST_SPAN, Query, clean
from devices.protocols.trudi.status import Severity, severity_of_word

if TYPE_CHECKING:
    from devices.han.client import HanClient

EXPORTED: Final = frozenset((1, 2, 6, 7))
"""Use cases with values for the software; of others it lists the contract only (han 5.1)."""
WITH_ORIGINALS: Final = frozenset((1, 2, 7))
WITH_DERIVED: Final = frozenset((1, 2))
DAILY: Final = 6
LONGEST_DAILY: Final = timedelta(days=42)
"""So many daily values TAF-6 has (han 5.6)."""
UOM: Final[Mapping[int, int]] = {
    13: 42, 14: 42, 15: 125, 16: 125, 25: 31, 27: 38, 28: 61, 29: 63, 30: 72, 31: 71, 32: 73, 33: 5, 35: 29, 44: 33,
}  # fmt: skip
"""COSEM unit -> espi:uom."""
NO_QUANTITY: Final = frozenset((0, 94, 96, 97, 98, 99))
"""Value groups C of what is not measured, such as the status word of a meter."""
_KINDS: Final[Mapping[int, int]] = {1: 0, 4: 5, 5: 6, 6: 5, 7: 1, 8: 2, 9: 2}
"""Value group A -> espi:kind."""
_LEVELS: Final = {one.name: one for one in LogLevel}
_CERT_TYPES: Final = {"signature": CertType.SIGNATURE, "sub_ca": CertType.SUB_CA, "tls": CertType.HAN}


@dataclass(frozen=True, slots=True)
class Span:
    """What is exported: both instants belong to it; `closed`: the billing period is over."""

    begin: datetime
    end: datetime
    closed: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was read for one contract.

    Attributes:
        contract, span, device, certificates, log: as read.
        originals: readings of its meters.
        derived: derived or daily values.
    """

    contract: HanContract
    span: Span
    device: DeviceInfo
    certificates: tuple[HanCertificate, ...]
    originals: tuple[Reading, ...]
    derived: tuple[Reading, ...]
    log: tuple[LogEntry, ...]


def span_of(contract: HanContract, now: datetime) -> Span:
    """The newest billing period that is over, or else what there has been of the contract so far."""
    over = [one for one in contract.periods if one.end is not None and one.end <= now]
    if over and contract.taf in WITH_DERIVED:
        newest = max(over, key=lambda one: one.begin)
        assert newest.end is not None
        return Span(newest.begin, newest.end, True)
    begin = contract.begin or now - timedelta(days=40)
    if contract.taf == DAILY:
        begin = max(begin, now - LONGEST_DAILY)
    begin = max(begin, now - LONGEST_SPAN)
    end = now if contract.end is None else min(now, contract.end)
    return Span(begin, end.replace(microsecond=0), contract.end is not None and contract.end <= now)


async def fetch(client: HanClient, contract: HanContract, span: Span) -> Fetched:
    """Read all that the file needs. Raises HanError; Refused for a use case without values, and for too long a span."""
    if contract.taf not in EXPORTED:
        raise Refused(f"contract {contract.id} is one of TAF-{contract.taf}, which has no values for the software", 404)
    if span.end - span.begin > LONGEST_SPAN:
        days = (span.end - span.begin).days
        raise Refused(f"a file has at most {LONGEST_SPAN.days} days (han 5.2), these are {days}: ask for less", 400)
    device = await client.device()
    contract = await client.with_profile(contract)
    originals: tuple[Reading, ...] = ()
    derived: tuple[Reading, ...] = ()
    if contract.taf in WITH_ORIGINALS:
        originals = await client.signed(contract, span.begin, span.end)
    if contract.taf in WITH_DERIVED:
        derived = await client.derived(contract, span.begin, span.end)
    if contract.taf == DAILY:
        derived = await client.daily(contract, span.begin, span.end)
    log = await client.log(span.begin, span.end + timedelta(seconds=1))
    return Fetched(contract, span, device, await client.certificates(), originals, derived, log)


def content(fetched: Fetched, user: str) -> tuple[GatewayExport, Query]:
    """The file's content, and what was asked for, by which it is checked.

    Args:
        fetched: what was read.
        user: name of the login, where the gateway does not tell the consumer's id.
    """
    contract, span = fetched.contract, fetched.span
    certificates = tuple(_certificates(fetched.certificates))
    signed = any(one.kind is CertType.SIGNATURE for one in certificates)
    lists = tuple(_lists(fetched, signed=signed))
    gateway = Gateway(
        id=fetched.device.id or _named(fetched.certificates) or "unknown",
        firmware=fetched.device.firmware or "unknown",
        certificates=tuple(one.id for one in certificates),
        components=tuple(FirmwareComponent(one.name, one.version, one.checksum) for one in fetched.device.components),
    )
    export = GatewayExport(
        usage_point=contract.metering_point or contract.id,
        kind=_KINDS.get(_medium(fetched), 0),
        customer=(contract.consumer or fetched.device.consumer or user).removesuffix(".sm"),
        supplier=contract.supplier or NO_SUPPLIER,
        gateway=gateway,
        certificates=certificates,
        tariff=contract.name or contract.id,
        lists=lists,
        log=tuple(_log(fetched.log)),
        taf_profile=contract.profile,
        generator="smgw-bench",
    )
    return export, Query(contract.taf, span.begin, span.end, span.closed)


def _medium(fetched: Fetched) -> int:
    for one in (*fetched.originals, *fetched.derived):
        for value in one.values:
            return parse_obis(value.obis)[0]
    return 1


def _certificates(found: Sequence[HanCertificate]) -> Iterator[ExportedCertificate]:
    """Signature first, as certId 1, then those above it; that of the home interface last."""
    order = {"signature": 0, "sub_ca": 1, "tls": 2}
    ranked = sorted((one for one in dict.fromkeys(found) if one.der), key=lambda one: order[one.kind])
    subs = [number for number, one in enumerate(ranked, SIGNATURE_CERTIFICATE) if one.kind == "sub_ca"]
    for number, one in enumerate(ranked, SIGNATURE_CERTIFICATE):
        parent = subs[0] if one.kind == "signature" and subs else None
        yield ExportedCertificate(number, _CERT_TYPES[one.kind], one.der, parent)


def _named(found: Sequence[HanCertificate]) -> str:
    """The gateway's number in its certificate: ``EPPC0210495730.SMGW``."""
    for one in found:
        if one.kind == "signature":
            with suppress(ValueError):  # one that is none names nobody
                if name := common_name(read_der(one.der)):
                    return name.removesuffix(".SMGW").lower()
    return ""


def _lists(fetched: Fetched, *, signed: bool) -> Iterator[MeterReading]:
    contract = fetched.contract
    stages = {_group(value.obis) for one in fetched.derived for value in one.values}
    wanted = {(meter.lower(), obis) for meter, obis in contract.registers}
    instants = [at for one in (*fetched.originals, *fetched.derived) for at in (one.at, one.instant)]
    begin = min([fetched.span.begin, *instants])
    end = max([fetched.span.end, *instants])
    block = (begin, int((end - begin).total_seconds()))
    for (meter, obis), pairs in _by_register(fetched.originals).items():
        if (wanted and (meter.lower(), obis) not in wanted) or (not wanted and stages and _group(obis) not in stages):
            continue
        yield from _register(meter, meter, obis, pairs, block, contract.capture_s, signed=signed)
    owner = _middle(contract.id)
    for (_, obis), pairs in _by_register(fetched.derived).items():
        shown = contract.meters[0] if contract.meters else owner
        yield from _register(shown, owner, obis, pairs, block, None, signed=signed)


_Pairs = list[tuple[Reading, Value]]


def _by_register(readings: Sequence[Reading]) -> dict[tuple[str, str], _Pairs]:
    found: dict[tuple[str, str], _Pairs] = {}
    for one in readings:
        for value in one.values:
            if value.unit not in UOM and parse_obis(value.obis)[2] in NO_QUANTITY:
                continue
            found.setdefault((one.meter, value.obis), []).append((one, value))
    return dict(sorted(found.items()))


def _register(
    meter: str,
    owner: str,
    obis: str,
    pairs: _Pairs,
    block: tuple[datetime, int],
    period_s: int | None,
    *,
    signed: bool,
) -> Iterator[MeterReading]:
    """The list of a register, one for each unit that it had."""
    code = parse_obis(obis).hex()
    by_unit: dict[int, _Pairs] = {}
    for pair in pairs:
        by_unit.setdefault(pair[1].unit, []).append(pair)
    for number, (unit, some) in enumerate(by_unit.items()):
        scaler = min(value.scaler for _, value in some)
        readings = tuple(_reading(one, value, scaler, period_s, signed=signed) for one, value in some)
        name = f"{code}.{owner}.sm"
        kind = ReadingType(code, name, UOM.get(unit, 0), scaler, period_s=period_s)
        blocks = (IntervalBlock(block[0], block[1], readings),)
        yield MeterReading(meter, name if not number else f"{name}.{number}", kind, blocks)


def _reading(one: Reading, value: Value, scaler: int, period_s: int | None, *, signed: bool) -> IntervalReading:
    same = value.scaler == scaler
    return IntervalReading(
        value=value.number * 10 ** (value.scaler - scaler),
        at=one.at.replace(microsecond=0),
        status=one.status.upper(),  # as in the software's own examples; products write small letters
        severity=_severity(one),
        target=one.target or raster(one.at, period_s),
        certificate=SIGNATURE_CERTIFICATE if value.signature and signed and same else None,
        signature=value.signature if signed and same else b"",
    )


def _severity(one: Reading) -> Severity:
    if one.status:
        return severity_of_word(one.status)
    return Severity.CRITICAL if one.valid is False else Severity.NONE


def _group(obis: str) -> tuple[int, int]:
    octets = parse_obis(obis)
    return octets[2], octets[3]


def _middle(name: str) -> str:
    """``taf1-1`` of ``01005e318021.taf1-1.sm``."""
    parts = name.split(".")
    return parts[1] if len(parts) == 3 and parts[2] == "sm" else name


def _log(entries: Sequence[LogEntry]) -> Iterator[ExportedLogEntry]:
    for number, one in enumerate(entries, 1):
        outcome = (
            LogOutcome.EXTENSION if one.success is None else LogOutcome.SUCCESS if one.success else LogOutcome.FAILURE
        )
        event = one.event if one.event is not None and 0 <= one.event < 1 << 32 else None
        yield ExportedLogEntry(
            number=number if one.number is None else one.number,
            at=one.at.replace(microsecond=0),
            level=_LEVELS.get(one.level.upper(), LogLevel.EXTENSION),
            outcome=outcome,
            text=clean(one.text)[:16_384],
            event=event,
            sub_event=one.sub_event if event is not None and one.sub_event is not None and one.sub_event >= 0 else None,
            vendor=one.vendor[:32],
        )
