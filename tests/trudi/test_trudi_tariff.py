"""Registers of TAF-1 and TAF-2 from the files of the transparency software (han 5.3 to 5.6)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trudi_files import EXAMPLES, export, reading, supplier, value_list

from bench.cli import main
from devices.protocols.trudi.errors import FormatError, TariffError, TrudiError
from devices.protocols.trudi.export import read_export
from devices.protocols.trudi.status import Severity, severity_of_word
from devices.protocols.trudi.supplier import read_supplier
from devices.protocols.trudi.tariff import registers_of

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)


def quarters(begin: datetime, end: datetime, step: int = 10) -> list[tuple[datetime, int]]:
    """Readings every 15 minutes of real time, both ends included, each `step` more than the one before."""
    found, at, value = [], begin.astimezone(UTC), 0
    while at <= end.astimezone(UTC):
        found.append((at.astimezone(BERLIN), value))
        at, value = at + QUARTER, value + step
    return found


def registers(values: list[tuple[datetime, int]], tariff: bytes) -> dict[str, int]:
    return registers_of(
        read_export(export(value_list(reading(at, value) for at, value in values))), read_supplier(tariff)
    )


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the published examples are not beside the repository")
@pytest.mark.parametrize(
    ("values", "wanted"),
    [("result_single_day.xml", [360, 600, 0]), ("result_single_day_2h-gap.xml", [310, 560, 90])],
)
def test_the_published_examples_give_the_published_registers(
    values: str, wanted: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["tariff", str(EXAMPLES / values), str(EXAMPLES / "supplier_single_day.xml"), "--json"])
    assert code == 0
    assert json.loads(capsys.readouterr().out) == dict(
        zip(("1-0:1.8.1*255", "1-0:1.8.2*255", "1-0:1.8.63*255"), wanted, strict=True)
    )


@pytest.mark.parametrize(
    ("day", "wanted"),
    [((2017, 3, 26), [320, 600, 0]), ((2017, 10, 29), [400, 600, 0]), ((2017, 11, 4), [360, 600, 0])],
)
def test_switches_are_at_local_time_on_days_of_23_and_25_hours(day: tuple[int, int, int], wanted: list[int]) -> None:
    """The hour that comes twice belongs to the same stage both times; the day is 10 Wh longer for each quarter."""
    begin = local(*day)
    end = begin + timedelta(days=1)
    seconds = int((end.astimezone(UTC) - begin.astimezone(UTC)).total_seconds())
    tariff = supplier(begin, 1, seconds=seconds)
    assert list(registers(quarters(begin, end), tariff).values()) == wanted


def test_a_gap_inside_a_stage_loses_nothing_and_one_across_a_switch_goes_to_the_error_register() -> None:
    begin = local(2026, 1, 10)
    every = quarters(begin, begin + timedelta(days=1))
    inside = [one for one in every if not 8 <= one[0].hour < 11]
    across = [one for one in every if not (one[0].hour == 5 or (one[0].hour == 6 and one[0].minute < 30))]
    tariff = supplier(begin, 1)
    assert list(registers(inside, tariff).values()) == [360, 600, 0]
    assert list(registers(across, tariff).values()) == [310, 580, 70]


def test_a_gap_over_a_whole_stage_goes_to_the_error_register() -> None:
    begin = local(2026, 1, 10)
    every = quarters(begin, begin + timedelta(days=1))
    few = [one for one in every if one[0].hour < 5 or one[0].hour >= 22 or one[0].day == 11]
    found = registers(few, supplier(begin, 1))
    assert sum(found.values()) == 960
    assert found["1-0:1.8.2*255"] == 0


@pytest.mark.parametrize("grave", ["<statusPTB>3</statusPTB>", "<statusFNN>A002000020000000</statusFNN>"])
def test_a_reading_that_may_not_be_billed_counts_as_missing(grave: str) -> None:
    begin = local(2026, 1, 10)
    lines = []
    for at, value in quarters(begin, begin + timedelta(days=1)):
        bad = (at.hour, at.minute) == (6, 0)
        lines.append(reading(at, value, grave if bad else "<statusFNN>A000000020000000</statusFNN>"))
    found = registers_of(read_export(export(value_list(lines))), read_supplier(supplier(begin, 1)))
    assert list(found.values()) == [350, 590, 20]


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("A000000020000000", 0),
        ("A004000020000000", 2),
        ("A002000020000000", 3),
        ("A084000020000000", 4),
        ("A008000020000000", 1),
        ("a040000020000000", 3),
        ("A000000020004000", 4),
        ("A000000020400000", 3),
    ],
)
def test_the_status_word_is_read_as_current_trudi_reads_it(word: str, severity: int) -> None:
    assert severity_of_word(word) == severity


def test_the_older_order_of_bits_can_be_asked_for() -> None:
    assert severity_of_word("0000010500100504", "msb") == Severity.FATAL
    assert severity_of_word("0000000500000004", "msb") == Severity.NONE


def test_readings_a_little_beside_their_instant_count_for_it_and_the_target_time_wins() -> None:
    begin = local(2026, 1, 10)
    lines = []
    for number, (at, value) in enumerate(quarters(begin, begin + timedelta(days=1))):
        if number % 3 == 0:
            lines.append(reading(at + timedelta(seconds=9 if number else 0), value))
        elif number % 3 == 1:
            lines.append(reading(at - timedelta(seconds=9), value))
        else:
            lines.append(reading(at + timedelta(minutes=4), value, target=at))
    found = registers_of(read_export(export(value_list(lines))), read_supplier(supplier(begin, 1)))
    assert sum(found.values()) >= 950
    late = [reading(at + timedelta(seconds=10), value) for at, value in quarters(begin, begin + timedelta(days=1))]
    with pytest.raises(TariffError, match="fewer than two"):
        registers_of(read_export(export(value_list(late))), read_supplier(supplier(begin, 1)))


def test_a_day_without_a_calendar_entry_is_refused() -> None:
    begin = local(2026, 1, 10)
    tariff = supplier(begin, 3, skip=[date(2026, 1, 11)])
    with pytest.raises(TariffError, match="2026-01-11 has no calendar entry"):
        registers(quarters(begin, begin + timedelta(days=3)), tariff)


def test_a_month_of_taf_1_is_its_end_less_its_begin() -> None:
    begin, end = local(2026, 3, 1), local(2026, 4, 1)
    seconds = int((end.astimezone(UTC) - begin.astimezone(UTC)).total_seconds())
    only = supplier(begin, 31, [(0, 0, 1)], use_case=1, seconds=seconds, stages=[(1, "0100010801ff")])
    assert registers([(begin, 1000), (end, 30800)], only)["1-0:1.8.1*255"] == 29800


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"begin": local(2026, 3, 2)}, "first of a month"),
        ({"seconds": 20 * 86_400}, "1, 2, 3, 6 or 12 months"),
        ({"stages": [(1, "0100010801ff"), (2, "0100010802ff")]}, "one tariff stage per list"),
        ({"skip": [date(2026, 1, 5)]}, "2026-01-05 has no entry"),
    ],
)
def test_taf_1_is_refused_when_its_rules_are_broken(change: dict[str, object], reason: str) -> None:
    wanted: dict[str, object] = {
        "begin": local(2026, 1, 1), "days": 31, "use_case": 1, "switches": [(0, 0, 1)], "stages": [(1, "0100010801ff")],
    } | change  # fmt: skip
    tariff = supplier(**wanted)  # type: ignore[arg-type]
    with pytest.raises(TariffError, match=reason):
        registers([(local(2026, 1, 1), 0), (local(2026, 2, 1), 5)], tariff)


def test_taf_1_needs_usable_readings_exactly_at_both_ends() -> None:
    begin = local(2026, 1, 1)
    tariff = supplier(begin, 31, [(0, 0, 1)], use_case=1, stages=[(1, "0100010801ff")])
    with pytest.raises(TariffError, match="no usable reading at 2026-02-01"):
        registers([(begin, 0), (local(2026, 1, 31), 5)], tariff)


@pytest.mark.parametrize("use_case", [6, 7])
def test_other_use_cases_are_refused(use_case: int) -> None:
    begin = local(2026, 1, 10)
    with pytest.raises(TariffError, match=f"TAF-{use_case}"):
        registers(quarters(begin, begin + timedelta(days=1)), supplier(begin, 1, use_case=use_case))


def test_files_that_do_not_belong_together_are_refused() -> None:
    begin = local(2026, 1, 10)
    other = supplier(begin, 1).replace(b"ESBE0000000001", b"ETHE0000000001")
    with pytest.raises(TariffError, match="smgwId"):
        registers(quarters(begin, begin + timedelta(days=1)), other)
    same = supplier(begin, 1).replace(b"ESBE0000000001", b"esbe0000000001")
    assert sum(registers(quarters(begin, begin + timedelta(days=1)), same).values()) == 960


def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin = local(2026, 1, 10)
    values, tariff = tmp_path / "values.xml", tmp_path / "supplier.xml"
    broken = export(value_list([reading(begin, 1)])).replace(b"<espi:value>", b"\n<espi:value>x")
    values.write_bytes(broken)
    tariff.write_bytes(supplier(begin, 1))
    assert main(["tariff", str(values), str(tariff)]) == 1
    assert "values.xml:2: value is 'x1', an integer is right" in capsys.readouterr().err
    assert main(["tariff", str(tmp_path / "none.xml"), str(tariff)]) == 2
    values.write_bytes(
        b'<!DOCTYPE a [<!ENTITY b "c">]><UsagePoints xmlns="http://vde.de/AR_2418-6.xsd">&b;</UsagePoints>'
    )
    assert main(["tariff", str(values), str(tariff)]) == 1


@given(st.binary(max_size=400))
def test_nothing_but_the_own_errors_comes_out_whatever_the_octets(octets: bytes) -> None:
    for read in (read_export, read_supplier):
        with pytest.raises(TrudiError):
            read(octets)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=97, max_size=97),
    st.lists(st.tuples(st.integers(0, 95), st.integers(1, 2)), max_size=6),
)
def test_the_stages_and_the_error_register_sum_up_to_the_rise_of_the_total(
    steps: list[tuple[int, bool]], changes: list[tuple[int, int]]
) -> None:
    begin = local(2026, 1, 10)
    values, value = [], 0
    for number, (step, there) in enumerate(steps):
        value += step
        if there or number in (0, 96):
            values.append((begin + number * QUARTER, value))
    switches = {0: 1} | dict(changes)
    tariff = supplier(begin, 1, [(slot // 4, slot % 4 * 15, number) for slot, number in sorted(switches.items())])
    assert sum(registers(values, tariff).values()) == values[-1][1] - values[0][1]


def test_a_format_error_is_told_for_a_double_day_id() -> None:
    begin = local(2026, 1, 10)
    octets = supplier(begin, 1)
    start, end = octets.index(b"<DayProfile>"), octets.index(b"</DayProfile>") + len(b"</DayProfile>")
    with pytest.raises(FormatError, match="two day profiles"):
        read_supplier(octets[:end] + octets[start:end] + octets[end:])
