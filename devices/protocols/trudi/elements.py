"""Elements of the files of the transparency software: which may stand in which (han 5.2, 5.4).

The schema has more; the software takes a file with any other for wrong, and what it would not understand must not be
left out of a bill silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_PARTS = {
    "UsagePoints": "GeneratorVersion UsagePoint",
    "UsagePoint": (
        "espi:ServiceCategory usagePointId Customer InvoicingParty SMGW VendorConfig Certificate tariffName"
        " AnalysisProfile LogEntry MeterReading"
    ),
    "espi:ServiceCategory": "espi:kind",
    "Customer": "customerId",
    "InvoicingParty": "invoicingPartyId",
    "SMGW": "certId smgwId FirmwareVersion FirmwareComponent",
    "FirmwareComponent": "name version checksum",
    "VendorConfig": "tafProfile",
    "Certificate": "certId certType parentCertId certContent",
    "AnalysisProfile": "tariffUseCase tariffId billingPeriod TariffStage defaultTariffNumber TariffChangeTrigger",
    "billingPeriod": "duration start",
    "TariffStage": "tariffNumber description obisCode",
    "TariffChangeTrigger": "TimeTrigger",
    "TimeTrigger": "DayProfile SpecialDayProfile",
    "DayProfile": "dayId DayTimeProfile",
    "DayTimeProfile": "startTime tariffNumber",
    "startTime": "hour minute second hundreds",
    "SpecialDayProfile": "specialDayDate dayId",
    "specialDayDate": "year month day_of_month",
    "LogEntry": "recordNumber LogEvent",
    "LogEvent": (
        "evidence type level text outcome secondsIndex subjectIdentity timestamp destination userIdentity"
        " eventKindVendor"
    ),
    "type": "eventId eventSubId vendorId",
    "MeterReading": "Meter meterReadingId ReadingType IntervalBlock",
    "Meter": "meterId",
    "ReadingType": ("espi:powerOfTenMultiplier espi:uom scaler obisCode qualifiedLogicalName measurementPeriod"),
    "IntervalBlock": "interval IntervalReading",
    "interval": "duration start",
    "IntervalReading": (
        "espi:value timePeriod targetTime measurementTimeMeter certId meterSig signature statusFNN statusPTB"
        " statusVendor"
    ),
    "timePeriod": "duration start",
}
PARTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {name: frozenset(parts.split()) for name, parts in _PARTS.items()}
)
"""Element -> elements in it; ``espi:`` marks the namespace of ESPI, others are of AR 2418-6. Others hold only text."""
