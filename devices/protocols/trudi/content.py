"""What a gateway's export holds, as it is handed to the writer (han 5.2); `export` has what a reader needs of it.

Readings may come from anywhere, but they must come again when asked again: they are gone through once for the rules and
once for the file. So an export of three years need not be in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from devices.protocols.trudi.status import Severity

SIGNATURE_CERTIFICATE: Final = 1
"""certId of the certificate that values are signed with (han 5.2)."""


class CertType(IntEnum):
    """What a certificate of the export is for."""

    SIGNATURE = 1
    SUB_CA = 2
    HAN = 3


class LogLevel(IntEnum):
    """Levels of log events."""

    INFO = 1
    WARNING = 2
    ERROR = 3
    FATAL = 4
    EXTENSION = 5


class LogOutcome(IntEnum):
    """Outcomes of log events."""

    SUCCESS = 0
    FAILURE = 1
    EXTENSION = 2


@dataclass(frozen=True, slots=True)
class FirmwareComponent:
    """A part of the gateway's software; version or checksum may be empty, not both."""

    name: str
    version: str = ""
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The element SMGW.

    Attributes:
        id: number of the gateway.
        firmware: version of its software.
        certificates: certIds that belong to it.
        components: parts of its software.
    """

    id: str
    firmware: str
    certificates: tuple[int, ...]
    components: tuple[FirmwareComponent, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportedCertificate:
    """A certificate.

    Attributes:
        id: certId, 0 to 255.
        kind: certType.
        der: certContent.
        parent: certId of the one that signed it, None: not in the file.
    """

    id: int
    kind: CertType
    der: bytes
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class ExportedLogEntry:
    """An entry of the consumer's log.

    Attributes:
        number: recordNumber.
        at: timestamp.
        level, outcome: of its event.
        text: message.
        event: eventId, None: none that fits.
        sub_event: eventSubId.
        vendor: vendorId.
    """

    number: int
    at: datetime
    level: LogLevel
    outcome: LogOutcome
    text: str
    event: int | None = None
    sub_event: int | None = None
    vendor: str = ""


@dataclass(frozen=True, slots=True)
class IntervalReading:
    """A value of a list.

    Attributes:
        value: integer, times 10**scaler of its list.
        at: capture time, whole seconds.
        status: statusFNN, 16 hexadecimal digits, bit 0 first; empty: only `severity` is known.
        severity: statusPTB, None: not given.
        target: nominal instant.
        certificate: certId of the certificate that `signature` fits.
        signature: of the gateway, r || s.
        meter_time: when the meter measured it, by the meter's clock.
        meter_signature: of the meter.
        vendor_status: status word that was signed, where `status` does not hold it.
    """

    value: int
    at: datetime
    status: str = ""
    severity: Severity | None = None
    target: datetime | None = None
    certificate: int | None = None
    signature: bytes = b""
    meter_time: datetime | None = None
    meter_signature: bytes = b""
    vendor_status: str = ""


@dataclass(frozen=True, slots=True)
class IntervalBlock:
    """A span of a list.

    Attributes:
        start: its begin.
        duration_s: its length.
        readings: in the order of time; can be gone through more than once.
    """

    start: datetime
    duration_s: int
    readings: Iterable[IntervalReading]

    @property
    def end(self) -> datetime:
        """Its end, which belongs to it."""
        return self.start + timedelta(seconds=self.duration_s)


@dataclass(frozen=True, slots=True)
class ReadingType:
    """What the values of a list are.

    Attributes:
        obis: obisCode, 12 hexadecimal digits.
        logical_name: ``<obis>.<meter id>.sm`` of an original list, ``<obis>.<TAF id>.sm`` of a derived one.
        unit: espi:uom, 72 for Wh.
        scaler: power of ten of the values, None: not given.
        multiplier: espi:powerOfTenMultiplier.
        period_s: measurementPeriod, None: not given.
    """

    obis: str
    logical_name: str
    unit: int
    scaler: int | None = None
    multiplier: int = 0
    period_s: int | None = None


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A list of values.

    Attributes:
        meter: meterId, as printed on the meter.
        id: meterReadingId.
        type: what its values are.
        blocks: spans, in the order of time.
    """

    meter: str
    id: str
    type: ReadingType
    blocks: tuple[IntervalBlock, ...]

    @property
    def original(self) -> bool:
        """Whether TRuDI takes it for a list of original readings; it compares letter by letter."""
        parts = self.type.logical_name.split(".")
        return len(parts) == 3 and parts[1] == self.meter


@dataclass(frozen=True, slots=True)
class GatewayExport:
    """A gateway's export.

    Attributes:
        usage_point: usagePointId, the metering point.
        kind: espi:kind, 0 for electricity.
        customer: customerId, the consumer's logical device without ``.sm``.
        supplier: invoicingPartyId.
        gateway: the gateway.
        certificates: its certificates.
        tariff: tariffName.
        lists: values.
        log: consumer's log; can be gone through more than once.
        taf_profile: the signed profile, CMS in DER; empty: not given.
        generator: GeneratorVersion, empty: not given.
    """

    usage_point: str
    kind: int
    customer: str
    supplier: str
    gateway: Gateway
    certificates: tuple[ExportedCertificate, ...]
    tariff: str
    lists: tuple[MeterReading, ...]
    log: Iterable[ExportedLogEntry] = ()
    taf_profile: bytes = b""
    generator: str = ""
