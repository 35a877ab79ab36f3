"""A gateway's export as written: the schema takes it, its order is that of published files, our reader reads it."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trudi_export_files import (
    AR,
    BEGIN,
    ESPI,
    METER,
    OBIS,
    QUARTER,
    VECTORS,
    assert_valid,
    block,
    certificate,
    content,
    leaves,
    published,
    reading,
    values,
)

from devices.protocols.trudi.content import IntervalBlock, IntervalReading
from devices.protocols.trudi.errors import ExportRefused
from devices.protocols.trudi.export import read_export
from devices.protocols.trudi.rules import Query, clean, findings
from devices.protocols.trudi.status import Severity
from devices.protocols.trudi.supplier import read_supplier
from devices.protocols.trudi.tariff import registers_of
from devices.protocols.trudi.writer import instant, to_bytes, write


def test_the_schema_takes_an_export_with_everything_that_it_may_hold() -> None:
    full = reading(1, meter_time=BEGIN, meter_signature=b"\1\2", vendor_status="as signed")
    octets = to_bytes(content(values(blocks=(block(readings=(reading(0), full)),))))
    root = assert_valid(octets)
    names = [one.tag.replace(AR, "").replace(ESPI, "espi:") for one in root.iter(f"{AR}IntervalReading").__next__()]
    assert names[:3] == ["espi:value", "timePeriod", "targetTime"]
    assert [one.tag.replace(AR, "") for one in list(root.iter(f"{AR}IntervalReading"))[1]] == [
        f"{ESPI}value", "timePeriod", "targetTime", "measurementTimeMeter", "certId", "meterSig", "signature",
        "statusFNN", "statusPTB", "statusVendor",
    ]  # fmt: skip
    assert root.findtext(f".//{AR}tariffName") == "Tarif & mehr"
    assert root.findtext(f".//{AR}text") == "a < b & c"


def test_without_what_may_be_missing_the_schema_takes_it_too() -> None:
    bare = replace(reading(0), severity=None, target=None, certificate=None, signature=b"")
    least = content(
        replace(values(blocks=(block(readings=(bare,)),)), type=replace(values().type, scaler=None, period_s=None)),
        log=(), taf_profile=b"", generator="",
    )  # fmt: skip
    root = assert_valid(to_bytes(least))
    for absent in ("scaler", "measurementPeriod", "targetTime", "signature", "statusPTB", "LogEntry", "VendorConfig"):
        assert root.find(f".//{AR}{absent}") is None


@pytest.mark.parametrize("name", ["result_single_day.xml"])
def test_a_published_export_written_again_is_the_same_element_by_element(name: str) -> None:
    given = published(VECTORS / name)
    written = [one for one in leaves(to_bytes(given)) if one != (f"{AR}FirmwareVersion", "added by the test")]
    assert written == leaves((VECTORS / name).read_bytes())


def test_the_commented_example_of_the_adapter_documentation_comes_out_the_same() -> None:
    """Its certificate is a place holder, its lists share one id, a log entry is empty, a name and a code differ."""
    path = VECTORS / "IF_Adapter_TRuDI_v1.4_data.xml"
    given = published(path)
    assert {one.where.split()[-1] for one in findings(given)} >= {"certContent", "meterReadingId", "signature"}
    mended = replace(
        given,
        certificates=(replace(given.certificates[0], der=certificate()),),
        lists=tuple(
            replace(
                one,
                id=f"{one.id}-{number}",
                type=replace(one.type, obis=one.type.logical_name[:12]),
                blocks=tuple(
                    replace(part, readings=tuple(map(_with_certificate, part.readings))) for part in one.blocks
                ),
            )
            for number, one in enumerate(given.lists)
        ),
    )
    octets = to_bytes(mended, Query(2, closed=True))
    assert_valid(octets)
    left_out = {f"{AR}{name}" for name in ("meterReadingId", "certContent", "certId", "obisCode")}

    def comparable(file: bytes) -> list[tuple[str, str]]:
        return [one for one in leaves(file) if one[0] not in left_out]

    wanted = comparable(path.read_bytes())
    empty = max(n for n, one in enumerate(wanted) if one[0] == f"{AR}LogEntry")
    assert wanted.pop(empty) == (f"{AR}LogEntry", "")
    assert comparable(octets) == wanted


def _with_certificate(one: IntervalReading) -> IntervalReading:
    return replace(one, certificate=1) if one.signature else one


def test_our_reader_and_the_published_tariff_give_the_published_registers_from_what_was_written() -> None:
    export = read_export(to_bytes(published(VECTORS / "result_single_day.xml")))
    registers = registers_of(export, read_supplier((VECTORS / "supplier_single_day.xml").read_bytes()))
    assert registers == {"1-0:1.8.1*255": 360, "1-0:1.8.2*255": 600, "1-0:1.8.63*255": 0}


@given(
    st.lists(
        st.tuples(st.integers(-(1 << 47), 1 << 47), st.sampled_from(["A000000020000000", "A004000020000000"])),
        min_size=1,
        max_size=8,
    ),
    st.integers(-6, 3),
    st.text(min_size=1, max_size=30),
)
def test_what_is_written_is_what_is_read(entries: list[tuple[int, str]], scaler: int, tariff: str) -> None:
    tariff = clean(tariff).strip() or "x"
    tariff = " ".join(tariff.split()) or "x"
    readings = tuple(reading(n, value=value, status=status) for n, (value, status) in enumerate(entries))
    whole = content(
        replace(values(blocks=(block(len(entries), readings=readings),)), type=replace(values().type, scaler=scaler)),
        tariff=tariff,
    )
    octets = to_bytes(whole)
    assert_valid(octets)
    read = read_export(octets)
    assert read.tariff == tariff
    (back,) = read.lists
    assert back.original
    assert (back.scaler, back.unit, back.period_s) == (scaler, 72, 900)
    assert [(one.value, one.at, one.target, one.signature) for one in back.readings] == [
        (one.value, one.at, one.target, one.signature.hex()) for one in readings
    ]


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 7, 1, 12, 0, 1, tzinfo=UTC), "2026-07-01T12:00:01Z"),
        (datetime(2026, 7, 1, 14, 0, 1, tzinfo=timezone(timedelta(hours=2))), "2026-07-01T14:00:01+02:00"),
        (datetime(2026, 7, 1, 12, 0, 1, tzinfo=timezone(timedelta(0))), "2026-07-01T12:00:01Z"),
    ],
)
def test_instants_are_written_with_their_zone(moment: datetime, text: str) -> None:
    assert instant(moment) == text


def test_nothing_is_written_of_an_export_that_breaks_a_rule() -> None:
    sink = io.BytesIO()
    with pytest.raises(ExportRefused, match="usagePointId: it is empty") as refused:
        write(content(usage_point=" ", customer=""), sink)
    assert len(refused.value.findings) == 2
    assert sink.getvalue() == b""


class _Forty:
    """Forty days of quarter hours, made as they are asked for."""

    def __iter__(self) -> Iterator[IntervalReading]:
        for number in range(40 * 96):
            at = BEGIN + number * QUARTER
            yield IntervalReading(number, at, "A000000020000000", Severity.NONE, at, 1, b"\x5a" * 64)


class _Counter(io.RawIOBase):
    def __init__(self) -> None:
        super().__init__()
        self.octets = 0

    def write(self, octets: object) -> int:
        size = len(octets)  # type: ignore[arg-type]
        self.octets += size
        return size


def test_forty_days_of_eight_meters_are_written_without_being_held() -> None:
    span = IntervalBlock(BEGIN, 40 * 86_400, _Forty())
    lists = tuple(
        replace(values(owner=f"1SAG{number:010}", blocks=(span,)), meter=f"1SAG{number:010}") for number in range(8)
    )
    assert len({one.type.logical_name for one in lists}) == 8
    whole, sink = content(*lists), _Counter()
    tracemalloc.start()
    octets = write(whole, sink, Query(7, BEGIN, BEGIN + timedelta(days=40)))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert octets == sink.octets > 8 * 3840 * 400
    assert peak < 6_000_000


def test_the_names_of_lists_tell_original_ones_from_derived_ones() -> None:
    assert values().original
    assert not values(owner="taf2").original
    assert not values(owner=METER.lower()).original, "the software compares letter by letter"
    assert values().type.logical_name == f"{OBIS}.{METER}.sm"
