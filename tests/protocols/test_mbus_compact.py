"""Compact frames and compact profiles: the examples of the standard both ways, and what is damaged."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.mbus import plans
from devices.protocols.mbus.compact_frame import (
    MAX_FORMATS,
    WELL_KNOWN,
    FormatCache,
    compact,
    expand,
    format_frame,
    full_crc,
    signature,
    unfold,
)
from devices.protocols.mbus.compact_profile import (
    Mode,
    ProfilePlan,
    ProfileValue,
    Spacing,
    SpacingUnit,
    encode_profile,
    profile_values,
    read_profile,
)
from devices.protocols.mbus.dif import Coding
from devices.protocols.mbus.errors import MbusError, RecordError
from devices.protocols.mbus.plans import Place
from devices.protocols.mbus.records import decode_records, encode_records

FULL = bytes.fromhex("0202D20402152E16022A3423")
COMPACT = bytes.fromhex("313B42A6D2042E163423")
FORMAT = bytes.fromhex("08313B02020215022A")


def at(*when: int) -> datetime:
    return datetime(*when)  # type: ignore[arg-type,misc]  # noqa: DTZ001 - meters name no zone


def values(octets: str) -> list[ProfileValue]:
    return profile_values(decode_records(bytes.fromhex(octets)).records)


def pairs(octets: str) -> list[tuple[datetime | None, object]]:
    return [(value.time, value.value) for value in values(octets)]


def test_the_compact_frame_of_the_standard_is_made_whole_and_made_again() -> None:
    """lmn-wireless 4.7."""
    cache = FormatCache()
    assert cache.learn(FULL)
    assert not cache.learn(FULL)
    found = unfold(COMPACT, cache)
    assert (found.apl, found.signature, found.whole) == (FULL, 0x3B31, True)
    assert expand(COMPACT, cache) == FULL
    assert signature(FULL) == 0x3B31
    assert compact(FULL) == COMPACT
    assert full_crc(FULL) == 0xA642


def test_a_format_frame_teaches_as_a_full_frame_does() -> None:
    """lmn-wireless 4.7."""
    assert format_frame(FULL) == FORMAT
    cache = FormatCache()
    assert cache.learn_format(FORMAT)
    assert expand(COMPACT, cache) == FULL


def test_a_format_that_nobody_told_is_named() -> None:
    with pytest.raises(RecordError, match="3B31 is unknown"):
        unfold(COMPACT, FormatCache())
    assert expand(COMPACT, FormatCache()) is None


def test_a_wrong_full_crc_is_told_or_refused() -> None:
    cache = FormatCache()
    cache.learn(FULL)
    damaged = COMPACT[:-1] + b"\x00"
    assert not unfold(damaged, cache).whole
    with pytest.raises(RecordError, match="full CRC"):
        expand(damaged, cache)


def test_formats_outlive_a_power_cut() -> None:
    """lmn-wireless trap 8."""
    cache = FormatCache()
    cache.learn(FULL)
    again = FormatCache()
    for form in cache.formats():
        assert again.add(form)
    assert again.lookup(0x3B31) == bytes.fromhex("02020215022A")


def test_the_formats_of_kamstrup_meters_are_known_beforehand() -> None:
    """A telegram of the public data set; its full CRC is right."""
    apl = bytes.fromhex("EDA8E475710009190000091900007F16")
    found = unfold(apl, FormatCache())
    assert found.whole
    assert [str(record.value) for record in decode_records(found.apl).records] == ["113", "6.409", "6.409", "127", "22"]
    assert all(FormatCache().lookup(signature_of) for signature_of in (0xA8ED, 0xC412, 0x61EB, 0xD2F7, 0xDD34))
    assert len(WELL_KNOWN) == len(FormatCache()._known)


def test_a_compact_frame_behind_2f2f_and_in_front_of_fillers_is_read() -> None:
    cache = FormatCache()
    cache.learn(FULL)
    assert expand(b"\x2f\x2f" + COMPACT + b"\x2f\x2f", cache) == FULL + b"\x2f\x2f"


def test_data_of_variable_length_belongs_to_the_data() -> None:
    full = bytes.fromhex("0DFD0A036364650113")
    full += b"\x07"
    cache = FormatCache()
    cache.learn(full)
    assert expand(compact(full), cache) == full


@pytest.mark.parametrize("octets", ["", "31", "313B42A6", "313B42A6D204", "2F2F313B"])
def test_a_compact_frame_that_is_cut_says_so(octets: str) -> None:
    cache = FormatCache()
    cache.learn(FULL)
    with pytest.raises(RecordError, match="cut"):
        expand(bytes.fromhex(octets), cache)


@pytest.mark.parametrize("octets", ["", "08", "08313B0202", "09313B02020215022A", "08323B02020215022A", "0131", "03"])
def test_a_format_frame_that_is_wrong_is_refused(octets: str) -> None:
    with pytest.raises(RecordError):
        FormatCache().learn_format(bytes.fromhex(octets))


def test_frames_without_format_teach_nothing() -> None:
    cache = FormatCache()
    assert [cache.learn(bytes.fromhex(octets)) for octets in ("", "0413", "0F01", "0113050F01")] == [False] * 4
    for octets in ("", "0413", "0113050F01"):
        with pytest.raises(RecordError):
            compact(bytes.fromhex(octets))


def test_the_cache_is_bounded() -> None:
    cache = FormatCache()
    for storage in range(MAX_FORMATS + 10):
        cache.learn(plans.energy_wh(1, Place(storage=storage)).to_bytes())
    assert len(cache.formats()) == MAX_FORMATS


@given(st.binary(max_size=60))
def test_any_octets_expand_or_are_refused(octets: bytes) -> None:
    cache = FormatCache()
    cache.learn(FULL)
    for given_octets in (octets, COMPACT[:2] + octets, bytes.fromhex("EDA8") + octets):
        try:
            expand(given_octets, cache)
            cache.learn_format(octets)
        except MbusError:
            continue


def test_the_forward_profile_of_the_standard_reads_as_printed() -> None:
    """lmn-wireless 4.6: hourly from 12300.0 m3 at 2010-01-01 00:00."""
    found = values("84046D002041118B04150030128D04951F056901030211")
    assert [(value.time, value.value) for value in found] == [
        (at(2010, 1, 1, 1), Decimal("12300.3")),
        (at(2010, 1, 1, 2), Decimal("12300.5")),
        (at(2010, 1, 1, 3), Decimal("12301.6")),
    ]
    assert {(value.unit, value.record.quantity, value.modifiers) for value in found} == {("m3", "volume", ())}


def test_the_inverse_profile_of_the_standard_reads_as_printed() -> None:
    """lmn-wireless 4.6: the base is the youngest; oldest first in the result."""
    assert pairs("84046D002341118B04151630128D049513056901110203") == [
        (at(2010, 1, 1, 0), Decimal("12300.0")),
        (at(2010, 1, 1, 1), Decimal("12300.3")),
        (at(2010, 1, 1, 2), Decimal("12300.5")),
    ]


def test_the_register_profile_of_the_standard_has_monthly_values() -> None:
    """lmn-wireless 4.6; the base time is ours, no base value is needed for absolute ones."""
    base = "849081006D00208C11"
    assert pairs(base + "8D90810083" + "1E0A34FEA0860100D0FB0100") == [
        (at(2012, 2, 12), Decimal(100)),
        (at(2012, 3, 12), Decimal(130)),
    ]


def test_the_quarter_hour_load_profile_reads_and_is_written_octet_for_octet() -> None:
    """lmn-wireless 4.6: 1234567 Wh at 2026-01-15 10:00, then +250, +260, +255, +245 Wh."""
    octets = "84046D002A4F3184040387D612008D04831F0A520FFA000401FF00F500"
    readings = [1234567, 1234817, 1235077, 1235332, 1235577]
    start = at(2026, 1, 15, 10)
    wanted = [(start + timedelta(minutes=15 * n), Decimal(wh) / 1000) for n, wh in enumerate(readings)][1:]
    assert pairs(octets) == wanted
    plan = ProfilePlan(b"\x03", Spacing.of(timedelta(minutes=15)))
    assert encode_records(encode_profile(plan, start, readings)).hex().upper() == octets


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", [0x13, 0x1E, 0x1F])
def test_every_kind_of_profile_reads_as_it_was_written(mode: Mode, kind: int) -> None:
    rising = [1000, 1010, 1030, 1060]
    readings = rising[::-1] if (mode is Mode.DECREMENTS) != (kind == 0x13) else rising
    plan = ProfilePlan(b"\x84\x3c", Spacing(SpacingUnit.HOUR, 1), Coding.INT16, mode, kind, storage=32, tariff=2)
    octets = encode_records(encode_profile(plan, at(2026, 3, 1), readings))
    found = profile_values(decode_records(octets).records)
    ordered = found[::-1] if kind == 0x13 else found
    assert [value.value for value in ordered] == [Decimal(wh) / 100 for wh in readings[1:]]
    step = timedelta(hours=-1 if kind == 0x13 else 1)
    assert [value.time for value in ordered] == [at(2026, 3, 1) + step * n for n in (1, 2, 3)]
    assert {(value.record.tariff, value.modifiers) for value in found} == {(2, ("backward",))}


@pytest.mark.parametrize(
    ("spacing", "base", "steps", "wanted"),
    [
        (Spacing(SpacingUnit.SECOND, 250), at(2026, 1, 1), 2, at(2026, 1, 1, 0, 8, 20)),
        (Spacing(SpacingUnit.DAY, 2), at(2026, 1, 1), -1, at(2025, 12, 30)),
        (Spacing(SpacingUnit.DAY, 254), at(2026, 1, 31), 1, at(2026, 2, 28)),
        (Spacing(SpacingUnit.DAY, 254), at(2026, 2, 28), 1, at(2026, 3, 31)),
        (Spacing(SpacingUnit.DAY, 254), at(2026, 3, 1), -3, at(2025, 12, 1)),
        (Spacing(SpacingUnit.HOUR, 254), at(2026, 11, 30), 1, at(2027, 2, 28)),
        (Spacing(SpacingUnit.MINUTE, 254), at(2026, 1, 1), 1, at(2026, 7, 1)),
        (Spacing(SpacingUnit.DAY, 253), at(2026, 1, 15), 1, at(2026, 1, 31)),
        (Spacing(SpacingUnit.DAY, 253), at(2026, 1, 31), 1, at(2026, 2, 15)),
        (Spacing(SpacingUnit.DAY, 253), at(2026, 1, 1), 3, at(2026, 2, 16)),
    ],
)
def test_spacings_follow_the_calendar(spacing: Spacing, base: datetime, steps: int, wanted: datetime) -> None:
    """lmn-wireless 4.6; a month from the last day leads to the last day (assumed)."""
    assert spacing.step(base, steps) == wanted


def test_an_array_has_no_times() -> None:
    assert [value.time for value in values("84046D002A4F3184040387D612008D04831F0652000100FFFF")] == [None]


def test_an_illegal_value_ends_an_incremental_profile() -> None:
    """lmn-wireless 4.6; in absolute mode it is a gap."""
    assert len(values("84046D002A4F3184040387D612008D04831F0A520FFA00FFFFFF00F500")) == 1
    assert [value for _, value in pairs("84046D002A4F318D04831F06120F01000080")] == [Decimal("0.001"), None]


def test_the_profile_of_a_real_meter_is_all_gaps() -> None:
    """A Qundis heat cost allocator of the public data set, months without value."""
    base = "82046C812A8B046E620000"
    found = values(base + "8D04EE132C3BFE" + "FF" * 42)
    assert {value.value for value in found} <= {None}


@pytest.mark.parametrize(
    "octets",
    [
        "8D04831F0A520FFA000401FF00F500",
        "84046D002A4F318D04831F0A520FFA000401FF00F500",
        "84046DFFFFFFFF84040387D612008D04831F0A520FFA000401FF00F500",
        "84046D002A4F3184040387D612008D04831F0A52FBFA000401FF00F500",
        "84046D002A4F3184040387D612008D04831F0A5D0FFA000401FF00F500",
        "84046D002A4F3184040387D612008D04831F015D",
        "84046D002A4F3184040387D612008404831F01020304",
    ],
)
def test_a_profile_without_what_it_needs_gives_no_values_and_says_why(octets: str) -> None:
    records = decode_records(bytes.fromhex(octets)).records
    assert profile_values(records) == []
    with pytest.raises(RecordError):
        read_profile(records[-1], records)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(seconds=251), timedelta(days=251), timedelta(hours=-1)])
def test_a_spacing_that_no_octet_holds_is_refused(length: timedelta) -> None:
    with pytest.raises(RecordError):
        Spacing.of(length)


def test_profiles_that_do_not_fit_are_refused() -> None:
    plan = ProfilePlan(b"\x03", Spacing(SpacingUnit.HOUR, 1))
    for readings in ([], [5, 1], [0, 70000], list(range(200))):
        with pytest.raises(RecordError):
            encode_profile(plan, date(2026, 1, 1), readings)


@given(st.binary(max_size=60), st.sampled_from(["8D04831F", "8D049513", "8D04EE1E"]))
def test_any_profile_reads_without_an_error(octets: bytes, head: str) -> None:
    base = bytes.fromhex("84046D002A4F3184040387D612008B04150030128B046E620000")
    records = decode_records(base + bytes.fromhex(head) + bytes((len(octets),)) + octets).records
    assert len(profile_values(records)) <= len(octets)
