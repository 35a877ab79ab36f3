"""The schema of the transparency software, exports made up for tests, and published ones as content."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree

from devices.protocols.sm_pki import make_root
from devices.protocols.trudi.content import (
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
from devices.protocols.trudi.status import Severity

VECTORS = Path(__file__).parents[1] / "vectors" / "trudi"
AR, ESPI = "{http://vde.de/AR_2418-6.xsd}", "{http://naesb.org/espi}"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
METER = "1SAG0021061001"
OBIS = "0100010800ff"
GOOD = "A000000020000000"


class _Local(etree.Resolver):  # type: ignore[misc]
    def resolve(self, url: str | None, public_id: str | None, context: Any) -> Any:
        """The one schema that is imported by an address on the internet."""
        if url is not None and url.endswith("/xml.xsd"):
            return self.resolve_filename(str(VECTORS / "xml.xsd"), context)
        return None


@lru_cache(maxsize=1)
def schema() -> Any:
    """AR 2418-6, version 1.4."""
    parser = etree.XMLParser()
    parser.resolvers.add(_Local())
    return etree.XMLSchema(etree.parse(str(VECTORS / "AR_2418-6.xsd"), parser))


def assert_valid(octets: bytes) -> Any:
    """The root of a file that the schema takes."""
    root = etree.fromstring(octets)
    schema().assertValid(root)
    return root


@lru_cache(maxsize=1)
def certificate() -> bytes:
    """Any certificate."""
    return make_root(random.Random(1), BEGIN).der


def reading(number: int, **changes: Any) -> IntervalReading:
    """A reading of quarter hour `number`, captured a second late."""
    at = BEGIN + number * QUARTER
    plain = IntervalReading(
        100 + number, at + timedelta(seconds=1), GOOD, Severity.NONE, at, certificate=1, signature=bytes(range(64))
    )
    return replace(plain, **changes)


def block(count: int = 4, first: int = 0, **changes: Any) -> IntervalBlock:
    """A block of quarter hours that reaches to the last capture."""
    readings = tuple(reading(number) for number in range(first, first + count))
    duration = int((readings[-1].at - (BEGIN + first * QUARTER)).total_seconds())
    return replace(IntervalBlock(BEGIN + first * QUARTER, duration, readings), **changes)


def values(obis: str = OBIS, owner: str = METER, blocks: tuple[IntervalBlock, ...] | None = None) -> MeterReading:
    """A list; one of original readings unless another owner is given."""
    kind = ReadingType(obis, f"{obis}.{owner}.sm", 72, scaler=-1, period_s=900)
    return MeterReading(METER, f"{obis}.{owner}", kind, (block(),) if blocks is None else blocks)


def content(*lists: MeterReading, **changes: Any) -> GatewayExport:
    """A whole export with all elements that may stand in one."""
    entry = ExportedLogEntry(7, BEGIN, LogLevel.WARNING, LogOutcome.FAILURE, "a < b & c", 4294946295, 3, "EMH")
    plain = GatewayExport(
        usage_point="DE0000000000000000000000000000001",
        kind=0,
        customer="consumer-1",
        supplier="9900000000001",
        gateway=Gateway("EMHX0012345678", "v1.2.3", (1,), (FirmwareComponent("OS", "1.2.0", "ab12"),)),
        certificates=(ExportedCertificate(1, CertType.SIGNATURE, certificate()),),
        tariff="Tarif & mehr",
        lists=lists or (values(),),
        log=(entry,),
        taf_profile=b"\x30\x00",
        generator="tests",
    )
    return replace(plain, **changes)


def published(path: Path) -> GatewayExport:
    """A published export as content, read element by element and by nothing of this project."""
    point = etree.parse(str(path)).getroot().find(f"{AR}UsagePoint")
    gateway = point.find(f"{AR}SMGW")
    return GatewayExport(
        usage_point=point.findtext(f"{AR}usagePointId"),
        kind=int(point.findtext(f"{ESPI}ServiceCategory/{ESPI}kind")),
        customer=point.findtext(f"{AR}Customer/{AR}customerId"),
        supplier=point.findtext(f"{AR}InvoicingParty/{AR}invoicingPartyId"),
        gateway=Gateway(
            gateway.findtext(f"{AR}smgwId"),
            gateway.findtext(f"{AR}FirmwareVersion") or "added by the test",
            tuple(int(one.text) for one in gateway.findall(f"{AR}certId")),
            tuple(
                FirmwareComponent(
                    one.findtext(f"{AR}name"),
                    one.findtext(f"{AR}version", default=""),
                    one.findtext(f"{AR}checksum", default=""),
                )
                for one in gateway.findall(f"{AR}FirmwareComponent")
            ),
        ),
        certificates=tuple(
            ExportedCertificate(
                int(one.findtext(f"{AR}certId")),
                CertType(int(one.findtext(f"{AR}certType"))),
                bytes.fromhex(one.findtext(f"{AR}certContent")),
            )
            for one in point.findall(f"{AR}Certificate")
        ),
        tariff=point.findtext(f"{AR}tariffName"),
        lists=tuple(_published_list(one) for one in point.findall(f"{AR}MeterReading")),
        log=tuple(
            ExportedLogEntry(
                int(one.findtext(f"{AR}recordNumber")),
                datetime.fromisoformat(one.findtext(f"{AR}LogEvent/{AR}timestamp")),
                LogLevel(int(one.findtext(f"{AR}LogEvent/{AR}level"))),
                LogOutcome(int(one.findtext(f"{AR}LogEvent/{AR}outcome"))),
                one.findtext(f"{AR}LogEvent/{AR}text"),
            )
            for one in point.findall(f"{AR}LogEntry")
            if one.find(f"{AR}recordNumber") is not None
        ),
        taf_profile=bytes.fromhex(point.findtext(f"{AR}VendorConfig/{AR}tafProfile", default="")),
    )


def _published_list(one: Any) -> MeterReading:
    kind = one.find(f"{AR}ReadingType")
    scaler, period = kind.findtext(f"{AR}scaler"), kind.findtext(f"{AR}measurementPeriod")
    return MeterReading(
        one.findtext(f"{AR}Meter/{AR}meterId"),
        one.findtext(f"{AR}meterReadingId"),
        ReadingType(
            kind.findtext(f"{AR}obisCode"),
            kind.findtext(f"{AR}qualifiedLogicalName"),
            int(kind.findtext(f"{ESPI}uom")),
            None if scaler is None else int(scaler),
            int(kind.findtext(f"{ESPI}powerOfTenMultiplier")),
            None if period is None else int(period),
        ),
        tuple(
            IntervalBlock(
                datetime.fromisoformat(part.findtext(f"{AR}interval/{AR}start")),
                int(part.findtext(f"{AR}interval/{AR}duration")),
                tuple(_published_reading(single) for single in part.findall(f"{AR}IntervalReading")),
            )
            for part in one.findall(f"{AR}IntervalBlock")
        ),
    )


def _published_reading(one: Any) -> IntervalReading:
    target, meter = one.findtext(f"{AR}targetTime"), one.findtext(f"{AR}measurementTimeMeter")
    grade = one.findtext(f"{AR}statusPTB")
    return IntervalReading(
        int(one.findtext(f"{ESPI}value")),
        datetime.fromisoformat(one.findtext(f"{AR}timePeriod/{AR}start")),
        one.findtext(f"{AR}statusFNN", default=""),
        None if grade is None else Severity(int(grade)),
        None if target is None else datetime.fromisoformat(target),
        certificate=None,
        signature=bytes.fromhex(one.findtext(f"{AR}signature", default="")),
        meter_time=None if meter is None else datetime.fromisoformat(meter),
    )


def leaves(octets: bytes) -> list[tuple[str, str]]:
    """Every element of a file in its order: name and text, hexadecimal digits in lower case, comments left out."""
    parser = etree.XMLParser(remove_comments=True, remove_blank_text=True)
    return [
        (one.tag, _same(one.tag, (one.text or "").strip()))
        for one in etree.fromstring(octets, parser).iter(etree.Element)
    ]


def _same(tag: str, text: str) -> str:
    hexadecimal = ("signature", "certContent", "tafProfile")
    return text.lower() if tag.removeprefix(AR) in hexadecimal else text
