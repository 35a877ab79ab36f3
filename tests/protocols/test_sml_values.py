"""Values as what they mean: quantities, status words with named bits, scaler and unit of a COSEM register."""

from __future__ import annotations

from decimal import Decimal

import pytest

from devices.protocols.sml import SmlError
from devices.protocols.sml.entries import ListEntry, SmlTime, TimeKind, read_entry
from devices.protocols.sml.messages import ATTENTION_NUMBERS, attention_number, attention_text
from devices.protocols.sml.obis import parse_obis
from devices.protocols.sml.status import STATUS_BITS, is_base_meter_status, status_bits
from devices.protocols.sml.tlv import Raw
from devices.protocols.sml.values import (
    Quantity,
    ScalerUnit,
    StatusValue,
    TimestampedValue,
    list_value,
    scaler_unit_value,
    typed_value,
)


def test_a_number_is_a_quantity_with_its_unit() -> None:
    value = typed_value(ListEntry(parse_obis("1.8.0"), unit=30, scaler=-1, value=23559290))
    assert value == Quantity(Decimal("2355929.0"), "Wh")
    assert str(value) == "2355929.0 Wh"
    assert str(typed_value(ListEntry(parse_obis("1.8.0"), unit=30, scaler=3, value=5))) == "5000 Wh"


def test_octets_and_booleans_stay_what_they_are() -> None:
    assert typed_value(ListEntry(parse_obis("96.50.1*1"), unit=30, value=b"HLY")) == b"HLY"
    assert typed_value(ListEntry(parse_obis("96.50.1*1"), value=True)) is True
    assert typed_value(ListEntry(parse_obis("96.50.1*1"))) is None


def test_the_status_word_names_its_bits() -> None:
    """lmn-wired 4.4: 1C0104 from a three-phase dump."""
    value = typed_value(ListEntry(parse_obis("96.5.0"), value=0x1C0104))
    assert isinstance(value, StatusValue)
    assert value.bits == ("base meter", "load above start-up", "voltage on L1", "voltage on L2", "voltage on L3")
    assert status_bits(1 << 25 | 1 << 17 | 4) == ("base meter", "fatal error", "bit 25")


def test_older_status_words_have_other_bits_and_get_no_names() -> None:
    """lmn-wired 4.4: 00010180 of an EDL meter."""
    assert not is_base_meter_status(0x00010180)
    assert status_bits(0x00010180) == ("bit 7", "bit 8", "bit 16")


def test_the_names_are_those_of_the_emulated_meter() -> None:
    from devices.meters.status_word import StatusWord

    assert set(STATUS_BITS) == {bit.bit_length() - 1 for bit in StatusWord}


def test_scaler_and_unit_of_a_register_are_read_and_written() -> None:
    """SML 1.05: list type 3, COSEM value 1."""
    raw = scaler_unit_value(-1, 30)
    assert raw.octets.hex() == "72620372620172" + "52ff621e"
    assert list_value(raw) == ScalerUnit(-1, 30)
    with pytest.raises(SmlError):
        scaler_unit_value(0, 256)


def test_times_and_values_with_times_are_read_from_lists() -> None:
    index = SmlTime(TimeKind.SECOND_INDEX, 5)
    assert list_value(Raw(bytes.fromhex("726201 7262016500000005"))) == index
    assert list_value(Raw(bytes.fromhex("726202 73 7262016500000005 630104 5207"))) == TimestampedValue(index, 0x104, 7)


@pytest.mark.parametrize("octets", ["7101", "726209 01", "726203 726202 7252ff621e", "726203 726201 71621e"])
def test_other_lists_stay_as_they_came(octets: str) -> None:
    raw = Raw(bytes.fromhex(octets))
    assert list_value(raw) is raw
    assert typed_value(ListEntry(bytes(6), value=raw)) is raw


def test_a_scaler_that_would_fill_all_memory_is_an_error() -> None:
    """Ten to the 2^40 has a terabyte of digits."""
    coded = "77070100010800ff 0101 621e 590000010000000000 5201 01"
    with pytest.raises(SmlError, match="scaler"):
        read_entry(bytes.fromhex(coded), 0)
    entry, _ = read_entry(bytes.fromhex(coded.replace("590000010000000000", "53ffff")), 0)
    assert entry.number == Decimal("0.1")


def test_attention_numbers_have_words() -> None:
    """lmn-wired 4.2."""
    assert attention_text(attention_number(0xFE0E)) == "unknown OBIS code"
    assert attention_text(bytes.fromhex("8181c7c7e000")) == "attention 8181c7c7e000"
    assert attention_text(b"") == "attention "
    assert len(set(ATTENTION_NUMBERS.values())) == len(ATTENTION_NUMBERS)
