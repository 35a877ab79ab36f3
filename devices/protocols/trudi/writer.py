"""Writes a gateway's export, IF_Adapter_TRuDI 1.4 (han 5.2): element order of the schema, as a stream.

Only elements are written that the transparency software knows; to it any other is an error.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO, Final
from xml.sax.saxutils import escape

from devices.protocols.trudi.content import (
    ExportedCertificate,
    ExportedLogEntry,
    GatewayExport,
    IntervalBlock,
    IntervalReading,
    MeterReading,
)
from devices.protocols.trudi.errors import ExportRefused
from devices.protocols.trudi.rules import Query, findings
from devices.protocols.trudi.xml import AR, ESPI

_PIECES: Final = 2048
"""Elements that are collected before they are written."""


def write(export: GatewayExport, sink: BinaryIO, query: Query | None = None) -> int:
    """Write an export, but only one that keeps all rules.

    Args:
        export: what to write.
        sink: where; written from its current position on.
        query: what was asked for; further rules follow from it.

    Returns:
        Octets written.

    Raises:
        ExportRefused: a rule is broken; nothing was written.
    """
    broken = findings(export, query)
    if broken:
        raise ExportRefused(broken)
    written = 0
    pieces: list[str] = []
    for piece in _file(export):
        pieces.append(piece)
        if len(pieces) >= _PIECES:
            written += sink.write("".join(pieces).encode())
            pieces.clear()
    return written + sink.write("".join(pieces).encode())


def to_bytes(export: GatewayExport, query: Query | None = None) -> bytes:
    """An export as octets; raises as `write`."""
    sink = io.BytesIO()
    write(export, sink, query)
    return sink.getvalue()


def instant(moment: datetime) -> str:
    """An instant as the file has it: RFC 3339 to the second, with zone."""
    text = moment.isoformat(timespec="seconds")
    return text[:-6] + "Z" if moment.tzinfo is UTC or text.endswith("+00:00") else text


def _leaf(name: str, content: object) -> str:
    return f"<{name}>{escape(str(content))}</{name}>"


def _if(name: str, content: object) -> str:
    """An element, or nothing for None and for empty content."""
    return "" if content is None or content == "" else _leaf(name, content)


def _file(export: GatewayExport) -> Iterator[str]:
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<UsagePoints xmlns="{AR}" xmlns:espi="{ESPI}">\n'
    yield _if("GeneratorVersion", export.generator)
    yield f"<UsagePoint>\n<espi:ServiceCategory><espi:kind>{int(export.kind)}</espi:kind></espi:ServiceCategory>\n"
    yield _leaf("usagePointId", export.usage_point) + "\n"
    yield f"<Customer>{_leaf('customerId', export.customer)}</Customer>\n"
    yield f"<InvoicingParty>{_leaf('invoicingPartyId', export.supplier)}</InvoicingParty>\n"
    yield _gateway(export)
    if export.taf_profile:
        yield f"<VendorConfig><tafProfile>{export.taf_profile.hex()}</tafProfile></VendorConfig>\n"
    for certificate in export.certificates:
        yield _certificate(certificate)
    yield _leaf("tariffName", export.tariff) + "\n"
    for entry in export.log:
        yield _log_entry(entry)
    for values in export.lists:
        yield from _meter_reading(values)
    yield "</UsagePoint>\n</UsagePoints>\n"


def _gateway(export: GatewayExport) -> str:
    gateway = export.gateway
    ids = "".join(_leaf("certId", one) for one in gateway.certificates)
    components = "".join(
        "<FirmwareComponent>"
        + _leaf("name", one.name)
        + _if("version", one.version)
        + _if("checksum", one.checksum)
        + "</FirmwareComponent>"
        for one in gateway.components
    )
    return f"<SMGW>{ids}{_leaf('smgwId', gateway.id)}{_leaf('FirmwareVersion', gateway.firmware)}{components}</SMGW>\n"


def _certificate(certificate: ExportedCertificate) -> str:
    return (
        f"<Certificate>{_leaf('certId', certificate.id)}{_leaf('certType', int(certificate.kind))}"
        f"{_if('parentCertId', certificate.parent)}<certContent>{certificate.der.hex()}</certContent></Certificate>\n"
    )


def _log_entry(entry: ExportedLogEntry) -> str:
    kind = (
        _if("eventId", entry.event)
        + ("" if entry.event is None else _if("eventSubId", entry.sub_event))
        + _if("vendorId", entry.vendor)
    )
    return (
        f"<LogEntry>{_leaf('recordNumber', entry.number)}<LogEvent>{f'<type>{kind}</type>' if kind else ''}"
        f"{_leaf('level', int(entry.level))}{_leaf('text', entry.text)}{_leaf('outcome', int(entry.outcome))}"
        f"{_leaf('timestamp', instant(entry.at))}</LogEvent></LogEntry>\n"
    )


def _meter_reading(values: MeterReading) -> Iterator[str]:
    kind = values.type
    yield (
        f"<MeterReading>\n<Meter>{_leaf('meterId', values.meter)}</Meter>{_leaf('meterReadingId', values.id)}\n"
        f"<ReadingType>{_leaf('espi:powerOfTenMultiplier', kind.multiplier)}{_leaf('espi:uom', kind.unit)}"
        f"{_if('scaler', kind.scaler)}{_leaf('obisCode', kind.obis)}"
        f"{_leaf('qualifiedLogicalName', kind.logical_name)}{_if('measurementPeriod', kind.period_s)}</ReadingType>\n"
    )
    for block in values.blocks:
        yield from _block(block)
    yield "</MeterReading>\n"


def _block(block: IntervalBlock) -> Iterator[str]:
    yield (
        f"<IntervalBlock>\n<interval>{_leaf('duration', block.duration_s)}"
        f"{_leaf('start', instant(block.start))}</interval>\n"
    )
    for reading in block.readings:
        yield _reading(reading)
    yield "</IntervalBlock>\n"


def _reading(one: IntervalReading) -> str:
    """One element on one line; everything in it but the two texts needs no escaping."""
    return (
        f"<IntervalReading><espi:value>{one.value:d}</espi:value>"
        f"<timePeriod><duration>0</duration><start>{instant(one.at)}</start></timePeriod>"
        + ("" if one.target is None else f"<targetTime>{instant(one.target)}</targetTime>")
        + ("" if one.meter_time is None else f"<measurementTimeMeter>{instant(one.meter_time)}</measurementTimeMeter>")
        + ("" if one.certificate is None else f"<certId>{one.certificate:d}</certId>")
        + (f"<meterSig>{one.meter_signature.hex()}</meterSig>" if one.meter_signature else "")
        + (f"<signature>{one.signature.hex()}</signature>" if one.signature else "")
        + _if("statusFNN", one.status)
        + ("" if one.severity is None else f"<statusPTB>{int(one.severity)}</statusPTB>")
        + _if("statusVendor", one.vendor_status)
        + "</IntervalReading>\n"
    )
