"""Files of the transparency software, written by hand after its schema, and the published examples."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT.parent / "shared" / "data" / "trudi" / "examples"
HEAD = (
    '<?xml version="1.0" encoding="utf-8"?><UsagePoints xmlns="http://vde.de/AR_2418-6.xsd" '
    'xmlns:espi="http://naesb.org/espi"><UsagePoint><espi:ServiceCategory><espi:kind>0</espi:kind>'
    "</espi:ServiceCategory><usagePointId>DE1</usagePointId>{customer}<InvoicingParty><invoicingPartyId>S"
    "</invoicingPartyId></InvoicingParty><SMGW>{cert}<smgwId>ESBE0000000001</smgwId></SMGW>"
    "<tariffName>T</tariffName>"
)
TAIL = "</UsagePoint></UsagePoints>"


def reading(at: datetime, value: int, status: str = "<statusPTB>0</statusPTB>", target: datetime | None = None) -> str:
    """One IntervalReading."""
    wanted = "" if target is None else f"<targetTime>{target.isoformat()}</targetTime>"
    return (
        f"<IntervalReading><espi:value>{value}</espi:value><timePeriod><duration>0</duration>"
        f"<start>{at.isoformat()}</start></timePeriod>{wanted}{status}</IntervalReading>"
    )


def value_list(
    readings: Iterable[str],
    obis: str = "0100010800ff",
    meter: str = "0A01454D480000519725",
    *,
    begin: str = "2026-01-01T00:00:00+01:00",
    seconds: int = 86_400,
    unit: int = 72,
    scaler: int = 0,
    multiplier: int = 0,
    name: str = "",
) -> str:
    """One MeterReading of original values in one block."""
    return (
        f"<MeterReading><Meter><meterId>{meter}</meterId></Meter><meterReadingId>{obis}.{meter}.DE1</meterReadingId>"
        f"<ReadingType><espi:powerOfTenMultiplier>{multiplier}</espi:powerOfTenMultiplier><espi:uom>{unit}</espi:uom>"
        f"<scaler>{scaler}</scaler><obisCode>{obis}</obisCode>"
        f"<qualifiedLogicalName>{name or f'{obis}.{meter}.sm'}</qualifiedLogicalName></ReadingType>"
        f"<IntervalBlock><interval><duration>{seconds}</duration><start>{begin}</start></interval>"
        f"{''.join(readings)}</IntervalBlock></MeterReading>"
    )


def export(*lists: str, certificate: bytes = b"") -> bytes:
    """A gateway's export; `certificate`: DER, none without one."""
    head = HEAD.format(customer="<Customer><customerId>c</customerId></Customer>", cert="<certId>1</certId>")
    if certificate:
        whole = f"<Certificate><certId>1</certId><certType>1</certType><certContent>{certificate.hex()}</certContent>"
        head = head.replace("<tariffName>", f"{whole}</Certificate><tariffName>")
    return (head + "".join(lists) + TAIL).encode()


def supplier(
    begin: datetime,
    days: int,
    switches: Iterable[tuple[int, int, int]] = ((0, 0, 1), (6, 0, 2), (21, 0, 1)),
    *,
    use_case: int = 2,
    seconds: int | None = None,
    stages: Iterable[tuple[int, str]] = ((1, "0100010801ff"), (2, "0100010802ff")),
    skip: Iterable[date] = (),
    default: int = 1,
) -> bytes:
    """A supplier's file whose days all have one profile; `switches` are hour, minute, tariff number."""
    times = "".join(
        f"<DayTimeProfile><startTime><hour>{hour}</hour><minute>{minute}</minute></startTime>"
        f"<tariffNumber>{number}</tariffNumber></DayTimeProfile>"
        for hour, minute, number in switches
    )
    calendar = "".join(
        f"<SpecialDayProfile><specialDayDate><year>{day.year}</year><month>{day.month}</month>"
        f"<day_of_month>{day.day}</day_of_month></specialDayDate><dayId>1</dayId></SpecialDayProfile>"
        for day in (begin.date() + timedelta(days=number) for number in range(days))
        if day not in set(skip)
    )
    named = "".join(
        f"<TariffStage><tariffNumber>{number}</tariffNumber><description>{number}</description>"
        f"<obisCode>{obis}</obisCode></TariffStage>"
        for number, obis in stages
    )
    return (
        HEAD.format(customer="", cert="")
        + f"<AnalysisProfile><tariffUseCase>{use_case}</tariffUseCase><tariffId>T</tariffId><billingPeriod>"
        f"<duration>{seconds or days * 86400}</duration><start>{begin.isoformat()}</start></billingPeriod>{named}"
        f"<defaultTariffNumber>{default}</defaultTariffNumber><TariffChangeTrigger><TimeTrigger><DayProfile>"
        f"<dayId>1</dayId>{times}</DayProfile>{calendar}</TimeTrigger></TariffChangeTrigger></AnalysisProfile>" + TAIL
    ).encode()
