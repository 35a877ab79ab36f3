"""Data records of M-Bus: other people's octets read, and our own written."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.mbus import plans
from devices.protocols.mbus.data_types import read_real, variable_size, write_number, write_real
from devices.protocols.mbus.dates import (
    read_date,
    summer_time,
    write_date,
    write_date_time,
    write_date_time_seconds,
    write_time,
)
from devices.protocols.mbus.dif import FUNCTIONS, Coding, Dib, read_dib
from devices.protocols.mbus.errors import MbusError, RecordError
from devices.protocols.mbus.layouts import MAX_KEPT, kept
from devices.protocols.mbus.plans import Place
from devices.protocols.mbus.records import Record, decode_records, encode_records

ANNEX_N = bytes.fromhex("2F2F0C1427048502046D32371F1502FD1700002F2F2F2F2F2F2F2F2F2F2F2F2F")
KNX = bytes.fromhex("2F2F0B6E341200426CFE044B6E563402015B19")


def read(text: str) -> tuple[Record, ...]:
    contents = decode_records(bytes.fromhex(text))
    assert not contents.trouble
    return contents.records


def one(text: str) -> Record:
    [record] = read(text)
    return record


def test_the_gas_meter_of_oms_annex_n_reads_as_printed() -> None:
    """lmn-wireless 3: 28504.27 m3, 2008-05-31 23:50, error flags 0."""
    volume, moment, flags = decode_records(ANNEX_N).records
    assert (volume.value, volume.unit, volume.quantity) == (Decimal("28504.27"), "m3", "volume")
    assert moment.value == datetime(2008, 5, 31, 23, 50)  # noqa: DTZ001
    assert (flags.value, flags.unit, flags.quantity) == (0, "", "error_flags")


def test_the_heat_cost_allocator_of_the_knx_annex_reads_as_printed() -> None:
    """lmn-wireless 3: 1234 HCA, 2007-04-30, 23456 HCA, 25 °C."""
    now, day, then, temperature = decode_records(KNX).records
    assert [now.value, day.value, then.value, temperature.value] == [1234, date(2007, 4, 30), 23456, 25]
    assert [now.storage, day.storage, then.storage] == [0, 1, 1]
    assert temperature.unit == "°C"


def test_both_annexes_are_written_octet_for_octet() -> None:
    wanted = [
        plans.volume_m3(2850427, Place(Coding.BCD8), exponent=-2),
        plans.date_time(datetime(2008, 5, 31, 23, 50)),  # noqa: DTZ001
        plans.error_flags(0),
    ]
    assert encode_records(wanted) == ANNEX_N[2:19]
    hca = [
        plans.number(b"\x6e", 1234, Place(Coding.BCD6)),
        plans.day(date(2007, 4, 30), Place(storage=1)),
        plans.number(b"\x6e", 23456, Place(Coding.BCD6, storage=1)),
        plans.flow_temperature(25, Place(Coding.INT8), exponent=0),
    ]
    assert encode_records(hca) == KNX[2:]


def test_what_was_read_can_be_written_again() -> None:
    for octets in (ANNEX_N, KNX):
        assert encode_records(decode_records(octets).records) == octets.replace(b"\x2f", b"")


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("32371F15", datetime(2008, 5, 31, 23, 50)),  # noqa: DTZ001
        ("0C160502", datetime(2000, 2, 5, 22, 12)),  # noqa: DTZ001 - no hundred-year bits, year 0
        ("22484136", datetime(2126, 6, 1, 8, 34)),  # noqa: DTZ001 - wrong hundred-year bits of a real meter
        ("1E5C11DA2140", datetime(2022, 1, 26, 17, 28, 30)),  # noqa: DTZ001
        ("FE04", date(2007, 4, 30)),
        ("1E0F0A", time(10, 15, 30)),
        ("FFFF", None),
        ("0000", None),
        ("E1F1", None),
        ("9C021732", None),
        ("00", None),
    ],
)
def test_dates_read_as_the_fact_sheet_says(octets: str, value: object) -> None:
    """lmn-wireless 4.2, and dates of real telegrams; every year, day 0 and "invalid" are no dates."""
    assert read_date(bytes.fromhex(octets)) == value


def test_dates_are_written_as_they_are_read() -> None:
    moment = datetime(2026, 1, 15, 10, 15, 30)  # noqa: DTZ001
    assert read_date(write_date_time(moment)) == moment.replace(second=0)
    assert read_date(write_date_time_seconds(moment)) == moment
    assert read_date(write_date(moment)) == moment.date()
    assert read_date(write_time(moment.time())) == moment.time()
    assert read_date(write_date_time(moment, invalid=True)) is None
    assert summer_time(write_date_time(moment, summer=True))
    assert not summer_time(write_date_time(moment))
    for write, year in ((write_date, 1980), (write_date_time, 1980), (write_date, 2081), (write_date_time, 2300)):
        with pytest.raises(RecordError):
            write(datetime(year, 1, 1))  # type: ignore[operator]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("octets", "value", "unit"),
    [
        ("0B2D0200F0", "-0.2", "kW"),  # BCD with minus
        ("1444E7FFFFFF", "-1.5", "m3/h"),
        ("014401", "0.06", "m3/h"),
        ("04FB0801000000", "100", "MJ"),
        ("02FB2D8813", "50", "Hz"),
        ("01FB1A32", "5.0", "%"),
        ("02FDC9FC013102", "561", "V"),
        ("0220100E", "1", "h"),
        ("02FD310E00", "0.233333333333333", "h"),
        ("05AEFF03BEA7BF40", "5.9892263", "kW"),
    ],
)
def test_numbers_come_in_the_units_of_the_house(octets: str, value: str, unit: str) -> None:
    """lmn-wireless 4.3, 4.4."""
    record = one(octets)
    assert (record.unit, record.value) == (unit, pytest.approx(Decimal(value), rel=Decimal("1e-6")))


def test_correcting_vife_leave_the_value_and_give_a_corrected_one() -> None:
    """The data set records them as `vife_multiplier`."""
    record = one("04FB82F53CCA010000")
    assert (record.value, record.unit, record.multiplier) == (458, "kvarh", Decimal("0.1"))
    assert record.corrected == Decimal("45.8")
    assert record.modifiers == ("times 10^-1", "backward")
    assert one("04937D01000000").corrected == 1
    assert one("041301000000").corrected == Decimal("0.001")


def test_the_maker_s_vife_say_nothing_to_us() -> None:
    record = one("04A9FF7538960000")
    assert (record.multiplier, record.modifiers, record.vifes) == (None, (), (0x7F, 0x75))


def test_dife_extend_storage_tariff_and_subunit() -> None:
    """lmn-wireless 4.1; octets of real telegrams."""
    assert (one("80C84AFD9308").storage, one("80C84AFD9308").subunit) == (336, 3)
    record = one("878010030000000000000000")
    assert (record.tariff, record.storage, record.subunit) == (4, 0, 0)
    assert one("8201658813").storage == 2


@given(
    st.sampled_from(sorted(set(Coding))),
    st.sampled_from(FUNCTIONS),
    st.integers(0, 2**41 - 1),
    st.integers(0, 2**20 - 1),
    st.integers(0, 2**10 - 1),
)
def test_every_dib_reads_as_it_was_written(
    coding: Coding, function: str, storage: int, tariff: int, subunit: int
) -> None:
    dib = Dib(coding, function, storage, tariff, subunit)
    assert read_dib(dib.to_bytes()) == dib


def test_a_dib_has_no_room_for_more_than_ten_extensions() -> None:
    for dib in (Dib(Coding.INT8, storage=2**41), Dib(Coding.INT8, storage=-1), Dib(Coding.INT8, "average")):
        with pytest.raises(RecordError):
            dib.to_bytes()


@pytest.mark.parametrize(
    ("octets", "stored"),
    [("041300000080", "-2147483.648"), ("8C0413FFFFFFFF", None), ("01FD08FF", "255"), ("05FF3A0000C0FF", None)],
)
def test_an_illegal_number_is_no_value(octets: str, stored: str | None) -> None:
    """lmn-wireless 4.1: the most negative signed, all ones unsigned, all F of BCD; NaN of a real meter."""
    record = decode_records(bytes.fromhex(octets)).records[0]
    assert record.value is None
    assert record.invalid
    assert record.stored == (None if stored is None else Decimal(stored))


def test_flags_may_all_be_set() -> None:
    assert one("02FD17FFFF").value == 0xFFFF


def test_no_data_is_not_invalid() -> None:
    assert (one("0013").value, one("0013").invalid) == (None, False)


def test_text_comes_last_character_first() -> None:
    record = one("0DFD0A126369727463656C452072656469656E686353")
    assert (record.value, record.lvar) == ("Schneider Electric", 0x12)
    plan = plans.text(b"\xfd\x0a", "Schneider Electric")
    assert plan.to_bytes() == record.to_bytes()


@pytest.mark.parametrize(
    ("lvar", "size"),
    [
        *((0, 0), (0xBF, 191), (0xC9, 9), (0xCA, None), (0xD1, 1), (0xDA, None), (0xEB, 11)),
        *((0xF0, 16), (0xF4, 32), (0xF5, 48), (0xF6, 64), (0xF7, None), (0xFF, None)),
    ],
)
def test_lvar_gives_the_size_of_variable_data(lvar: int, size: int | None) -> None:
    """lmn-wireless 4.1."""
    assert variable_size(lvar) == size


def test_variable_bcd_has_a_sign() -> None:
    assert one("0D13C23412").value == Decimal("1.234")
    assert one("0D13D23412").value == Decimal("-1.234")
    assert one("0D7FEB0700000006040C5C7E034E").raw == bytes.fromhex("0700000006040C5C7E034E")


def test_a_variable_binary_number_is_a_number_where_there_is_a_unit() -> None:
    assert one("0D13E3D20400").value == Decimal("1.234")
    assert one("0D13E22EFB").value == Decimal("-1.234")
    assert one("0D13E20080").value is None
    assert one("0D7FEB0700000006040C5C7E034E").value is None


def test_a_date_of_type_m_stays_octets() -> None:
    """Its layout is in no public document; its octets are no text (lmn-wireless 4.2)."""
    record = one("0D6D06010203040506")
    assert (record.value, record.raw) == (None, bytes.fromhex("010203040506"))


def test_a_unit_may_be_text() -> None:
    """Length and characters, last one first; VIFE behind them (lmn-wireless 4.3)."""
    record = one("02FC0348522574D411")
    assert (record.unit, record.value, record.multiplier) == ("%RH", 4564, Decimal("0.01"))
    assert one("027C0348522501 00".replace(" ", "")).value == 1


def test_an_enhanced_identification_is_text() -> None:
    assert one("0779 1292433793443507".replace(" ", "")).value == "37439212QDS3507"
    assert one("0C7942502321").value == "21235042"


def test_manufacturer_data_goes_to_the_end() -> None:
    contents = decode_records(bytes.fromhex("0113050F2F0413"))
    assert len(contents.records) == 1
    assert (contents.manufacturer_data, contents.more_follows) == (bytes.fromhex("2F0413"), False)
    assert decode_records(b"\x1f\x01").more_follows
    assert encode_records(contents.records, manufacturer_data=b"ab") == bytes.fromhex("0113050F6162")
    assert encode_records((), more_follows=True) == b"\x1f"


@pytest.mark.parametrize(
    ("octets", "offset", "records", "cut"),
    [
        ("011305DD2F", 3, 1, False),
        ("FED0", 0, 0, False),
        ("6F1F01", 0, 0, False),
        ("2F2F040321", 2, 0, True),
        ("0D13", 0, 0, True),
        ("0D13FF00", 0, 0, True),
        ("0D1305AA", 0, 0, True),
        ("027C", 0, 0, False),
        ("02FC024142", 0, 0, False),
        ("80" * 12 + "13", 0, 0, False),
    ],
)
def test_damage_ends_the_reading_and_is_told(octets: str, offset: int, records: int, cut: bool) -> None:
    """lmn-wireless trap 7; the first two are tails of real telegrams."""
    contents = decode_records(bytes.fromhex(octets))
    assert contents.trouble
    assert (contents.offset, len(contents.records), contents.cut is not None) == (offset, records, cut)
    assert contents.rest == bytes.fromhex(octets)[offset:]


@given(st.binary(max_size=250))
def test_any_octets_read_without_an_error_and_within_what_is_there(octets: bytes) -> None:
    contents = decode_records(octets)
    for record in contents.records:
        assert record.to_bytes() in octets
        assert record.corrected is None or record.value is not None
        assert record.stored is None or record.raw
    assert len(contents.records) <= len(octets) // 2


def test_the_kept_layouts_are_bounded() -> None:
    kept.clear()
    for high in range(0x80, 0x100):
        for low in range(0x80):
            decode_records(bytes((0x80, 0x00, high, low)))
    assert 0 < len(kept) <= MAX_KEPT


@given(st.sampled_from([coding for coding in Coding if 1 <= coding <= 14 and coding not in (5, 8, 13)]), st.integers())
def test_a_number_fits_and_reads_back_or_is_refused(coding: Coding, number: int) -> None:
    try:
        octets = write_number(coding, number)
    except RecordError:
        return
    record = decode_records(bytes((coding, 0x6E)) + octets).records[0]
    assert record.stored == number


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_reals_are_the_same_32_bit_in_decimal(number: float) -> None:
    found = read_real(write_real(number))
    assert found is not None
    assert write_real(float(found)) == write_real(number)


def test_a_coding_that_holds_no_integers_says_so() -> None:
    for coding in (Coding.REAL32, Coding.VARIABLE, Coding.NONE):
        with pytest.raises(MbusError):
            write_number(coding, 1)


@pytest.mark.parametrize(
    ("plan", "value", "unit", "modifiers"),
    [
        (plans.energy_wh(1234567), "1234.567", "kWh", ()),
        (plans.energy_wh(5, exported=True), "0.005", "kWh", ("backward",)),
        (plans.energy_j(5, exponent=6), "5", "MJ", ()),
        (plans.volume_m3(5, uncorrected=True), "0.005", "m3", ("uncorrected",)),
        (plans.volume_m3(5, at_base_conditions=True), "0.005", "m3", ("at base conditions",)),
        (plans.power_w(-5, exponent=1), "-0.05", "kW", ()),
        (plans.flow_m3h(5), "0.005", "m3/h", ()),
        (plans.return_temperature(505), "50.5", "°C", ()),
        (plans.temperature_difference(105), "10.5", "K", ()),
        (plans.external_temperature(-55), "-5.5", "°C", ()),
        (plans.pressure_bar(1013), "1.013", "bar", ()),
        (plans.voltage_v(2304, phase=2), "230.4", "V", ("L2",)),
        (plans.current_a(-1500, phase=3), "-1.5", "A", ("L3",)),
        (plans.frequency_hz(4998), "49.98", "Hz", ()),
        (plans.reactive_power_kvar(-250), "-0.25", "kvar", ()),
        (plans.message_counter(2**32 - 2), "4294967294", "counter", ()),
        (plans.battery_days(4000), "4000", "d", ()),
        (plans.actuality_seconds(36), "0.01", "h", ()),
        (plans.fabrication_number(12345678), "12345678", "", ()),
    ],
)
def test_plans_of_meters_read_as_they_were_meant(
    plan: plans.RecordPlan, value: str, unit: str, modifiers: tuple[str, ...]
) -> None:
    [record] = decode_records(plan.to_bytes()).records
    assert (record.value, record.unit, record.modifiers) == (Decimal(value), unit, modifiers)


def test_a_power_of_ten_that_no_code_has_is_refused() -> None:
    with pytest.raises(RecordError, match="powers of ten from -3 to 4"):
        plans.energy_wh(1, exponent=5)
    assert decode_records(plans.no_day().to_bytes()).records[0].invalid
