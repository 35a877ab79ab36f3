"""Each rule of an export beyond the schema, broken by itself (han 5.2, 5.3, 5.5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from trudi_export_files import BEGIN, METER, OBIS, QUARTER, block, certificate, content, reading, values

from devices.protocols.trudi.content import (
    CertType,
    ExportedCertificate,
    FirmwareComponent,
    Gateway,
    GatewayExport,
    MeterReading,
)
from devices.protocols.trudi.rules import MOST_FINDINGS, Query, clean, findings


def told(export: GatewayExport, query: Query | None = None) -> list[str]:
    return [str(one) for one in findings(export, query)]


def one_reading(**changes: Any) -> GatewayExport:
    return content(values(blocks=(block(readings=(reading(0, **changes),)),)))


def of_type(**changes: Any) -> GatewayExport:
    return content(replace(values(), type=replace(values().type, **changes)))


def with_gateway(**changes: Any) -> GatewayExport:
    return content(gateway=replace(content().gateway, **changes))


def derived(stage: int, **changes: Any) -> MeterReading:
    return values(f"01000108{stage:02x}ff", "taf2", **changes)


TWO = (
    ExportedCertificate(1, CertType.SIGNATURE, certificate(), 2),
    ExportedCertificate(2, CertType.SUB_CA, certificate()),
)


def test_a_good_export_breaks_no_rule() -> None:
    assert told(content(), Query(7, BEGIN, BEGIN + timedelta(days=1096), closed=True)) == []
    both = content(certificates=TWO, gateway=replace(content().gateway, certificates=(2, 1)))
    assert told(both) == []


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (content(usage_point=""), "usagePointId: it is empty"),
        (content(usage_point="x" * 257), "usagePointId: it has 257 characters, at most 256"),
        (content(customer="x" * 65), "customerId: it has 65 characters, at most 64"),
        (content(supplier=" "), "invoicingPartyId: it is empty"),
        (content(tariff=""), "tariffName: it is empty"),
        (content(tariff="a\x00b"), "tariffName: it has characters that XML cannot hold"),
        (content(kind=3), "kind: 3 is no kind of service"),
        (with_gateway(id="x" * 33), "smgwId: it has 33 characters, at most 32"),
        (with_gateway(firmware=""), "FirmwareVersion: it is empty"),
        (with_gateway(components=(FirmwareComponent("OS"),)), "'OS' has neither version nor checksum"),
        (with_gateway(certificates=()), "SMGW: there is no certId"),
        (with_gateway(certificates=(1, 2)), "certId: SMGW names [1, 2], the certificates are [1]"),
        (with_gateway(certificates=(2,)), "certId: SMGW names [2], the certificates are [1]"),
        (content(certificates=()), "UsagePoint: there is no Certificate"),
        (content(certificates=(TWO[0], replace(TWO[1], id=1))), "two certificates have the same"),
        (content(certificates=(TWO[0],)), "parentCertId: there is no certificate 2"),
        (content(certificates=(replace(TWO[1], id=1, der=b"\x30\x01"),)), "the certificate 1 cannot be read"),
        (content(lists=()), "UsagePoint: there is no MeterReading"),
        (content(values(), values()), "meterReadingId: '0100010800ff.1SAG0021061001' is used more than once"),
        (content(values(blocks=())), "there is no IntervalBlock"),
        (content(values(blocks=(block(readings=()),))), "a block has no reading"),
        (content(values(blocks=(block(), block(first=8)))), "there is a gap between two blocks"),
        (content(values(blocks=(block(), block(first=2)))), "two blocks overlap"),
        (content(values(blocks=(block(start=datetime(2026, 1, 1)),))), "has no zone"),  # noqa: DTZ001
        (content(values(blocks=(block(duration_s=-1),))), "-1 s does not fit"),
        (of_type(obis="0100010800"), "obisCode: '0100010800' is not twelve hexadecimal digits"),
        (of_type(logical_name=f"{OBIS}.{METER}"), "qualifiedLogicalName: it is not"),
        (of_type(logical_name=f"0100020800ff.{METER}.sm"), "qualifiedLogicalName: it is not"),
        (of_type(unit=30), "uom: 30 is no unit"),
        (of_type(multiplier=-1), "powerOfTenMultiplier: -1 is none"),
        (of_type(scaler=128), "scaler: 128 is not"),
        (of_type(period_s=0), "measurementPeriod: 0 s is none"),
        (one_reading(value=(1 << 47) + 1), "does not fit into 48 bits"),
        (one_reading(at=datetime(2026, 1, 1)), "timePeriod: 2026-01-01T00:00:00 has no zone"),  # noqa: DTZ001
        (one_reading(at=BEGIN + timedelta(microseconds=5)), "is no whole second"),
        (one_reading(target=BEGIN + timedelta(microseconds=5)), "is no whole second"),
        (one_reading(status="", severity=None), "it has neither statusFNN nor statusPTB"),
        (one_reading(status="A0"), "'A0' is not 16 hexadecimal digits"),
        (one_reading(severity=5), "statusPTB: 5 is not 0 to 4"),
        (one_reading(severity=5, certificate=None), "statusPTB: 5 is not 0 to 4"),
        (one_reading(vendor_status="x" * 257), "statusVendor: it has 257 characters"),
        (one_reading(certificate=3), "certId: there is no certificate 3"),
        (one_reading(certificate=None), "no certId says by which certificate"),
        (content(log=(replace(next(iter(content().log)), number=-1),)), "recordNumber: -1 does not fit"),
        (content(log=(replace(next(iter(content().log)), text="x" * 16_385),)), "text: it has 16385 characters"),
        (content(log=(replace(next(iter(content().log)), at=datetime(2026, 1, 1)),)), "has no zone"),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_each_broken_rule_is_found(broken: GatewayExport, text: str) -> None:
    assert any(text in one for one in told(broken)), told(broken)


def test_a_closed_period_has_its_number_of_lists() -> None:
    one, two = content(values()), content(values(), derived(0))
    assert told(one, Query(1, closed=True)) == [
        "UsagePoint: TAF-1 of a closed period has at least 2 MeterReadings, there are 1"
    ]
    assert told(two, Query(1, closed=True)) == []
    assert told(one, Query(1)) == [], "an open period may have fewer"
    five = content(values(), *(derived(stage) for stage in (0, 1, 2, 63)))
    assert told(five, Query(2, closed=True)) == []
    assert (
        "at least 5 MeterReadings, there are 4" in told(replace(five, lists=five.lists[1:]), Query(2, closed=True))[0]
    )


def test_the_span_is_no_longer_than_three_years() -> None:
    assert told(content(), Query(7, BEGIN, BEGIN + timedelta(days=1096))) == []
    assert "1096.01 days" in told(content(), Query(7, BEGIN, BEGIN + timedelta(days=1096, seconds=900)))[0]
    assert "ends before it begins" in told(content(), Query(7, BEGIN, BEGIN - QUARTER))[0]


def test_derived_lists_of_taf_2_are_equally_long() -> None:
    longer = derived(2, blocks=(block(duration_s=4000),))
    assert "not equally long: 2701 s and 4000 s" in told(content(derived(1), longer), Query(2))[0]
    assert told(content(values(blocks=(block(5),)), derived(1), derived(2)), Query(2)) == []
    in_two = derived(2, blocks=(block(2, duration_s=1800), block(2, first=2)))
    assert told(content(derived(1), in_two), Query(2)) == [], "the length of a list is that of all its blocks"


def test_taf_7_has_original_lists_with_every_capture_inside_its_block() -> None:
    assert "TAF-7 has lists of original readings only" in told(content(derived(1)), Query(7))[0]
    short = content(values(blocks=(block(duration_s=2700),)))
    assert "2026-01-01T00:45:01+00:00: it is outside its block" in told(short, Query(7))[0]
    assert told(short, Query(6)) == [], "only TAF-7 is checked for that"


def test_no_more_than_some_findings_are_told() -> None:
    bad = tuple(reading(0, status="x", severity=9) for _ in range(1000))
    assert len(findings(content(values(blocks=(block(readings=bad),))))) == MOST_FINDINGS


def test_texts_are_cleaned_of_what_xml_cannot_hold() -> None:
    assert clean("a\x00b\ufffec\td\u00e4\U0001f600") == "a\ufffdb\ufffdc\td\u00e4\U0001f600"


def test_a_gateway_without_components_is_good() -> None:
    assert told(content(gateway=Gateway("EMHX0012345678", "1", (1,)))) == []
