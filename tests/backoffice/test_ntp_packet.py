"""The NTP header and its time stamps, against the figures that RFC 5905 prints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.ntp import Leap, Mode, NtpError, NtpPacket, from_timestamp, to_timestamp

# RFC 5905, figure 4 "Interesting Historic NTP Dates": date, era, seconds in the era.
HISTORIC = [
    (datetime(1582, 10, 15, tzinfo=UTC), -3, 2_874_597_888),
    (datetime(1899, 12, 31, tzinfo=UTC), -1, 4_294_880_896),
    (datetime(1970, 1, 1, tzinfo=UTC), 0, 2_208_988_800),
    (datetime(1972, 1, 1, tzinfo=UTC), 0, 2_272_060_800),
    (datetime(1999, 12, 31, tzinfo=UTC), 0, 3_155_587_200),
    (datetime(2036, 2, 8, tzinfo=UTC), 1, 63_104),
]


@pytest.mark.parametrize(("date", "era", "seconds"), HISTORIC)
def test_dates_have_the_time_stamps_of_rfc_5905(date: datetime, era: int, seconds: int) -> None:
    assert to_timestamp(date) == seconds << 32
    assert from_timestamp(seconds << 32, near=date + timedelta(days=365 * 30)) == date
    assert from_timestamp(seconds << 32, near=date - timedelta(days=365 * 30)) == date
    assert (date - datetime(1900, 1, 1, tzinfo=UTC)) // timedelta(seconds=1 << 32) == era


def test_without_a_hint_the_era_is_that_of_rfc_4330() -> None:
    assert from_timestamp(1 << 63) == datetime(1968, 1, 20, 3, 14, 8, tzinfo=UTC)
    assert from_timestamp(63_104 << 32) == datetime(2036, 2, 8, tzinfo=UTC)


def test_the_turn_of_the_era_is_not_taken_for_unknown() -> None:
    turn = datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC)
    assert to_timestamp(turn) == 1
    assert from_timestamp(1) == turn
    assert from_timestamp(0) is None


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_microseconds_survive_exactly(t: datetime) -> None:
    assert from_timestamp(to_timestamp(t)) == t


def test_half_a_second_is_the_highest_bit_of_the_fraction() -> None:
    assert to_timestamp(datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)) & 0xFFFFFFFF == 1 << 31


def test_a_header_has_the_layout_of_rfc_5905_figure_8() -> None:
    octets = bytes.fromhex(
        "24 02 06 e9 00000100 fffffff0".replace(" ", "")[:16]
        + "00000200"
        + "0a000001"
        + "e1 00 00 00 80 00 00 00".replace(" ", "")
        + "e1000001 00000000 e1000002 00000000 e1000003 40000000".replace(" ", "")
    )
    packet = NtpPacket(
        leap=Leap.NONE,
        version=4,
        mode=Mode.SERVER,
        stratum=2,
        poll=6,
        precision=-23,
        root_delay=0x100,
        root_dispersion=0x200,
        reference_id=bytes((10, 0, 0, 1)),
        reference=0xE100000080000000,
        origin=0xE100000100000000,
        receive=0xE100000200000000,
        transmit=0xE100000340000000,
    )
    assert packet.to_bytes() == octets
    assert NtpPacket.from_bytes(octets) == packet


@given(st.binary(min_size=48, max_size=48))
def test_every_header_of_48_octets_is_kept_bit_by_bit(octets: bytes) -> None:
    assert NtpPacket.from_bytes(octets).to_bytes() == octets


@pytest.mark.parametrize("length", [0, 1, 47, 49, 68])
def test_other_lengths_are_an_error(length: int) -> None:
    with pytest.raises(NtpError, match=f"{length} octets instead of 48"):
        NtpPacket.from_bytes(bytes(length))


def test_values_that_do_not_fit_are_an_error() -> None:
    for wrong in ({"version": 8}, {"stratum": 256}, {"reference_id": b"GPS"}, {"poll": 200}):
        with pytest.raises(NtpError):
            NtpPacket(**wrong).to_bytes()
