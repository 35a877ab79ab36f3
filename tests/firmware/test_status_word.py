"""Text form of the combined status word (wan-core 7.3, lmn-wired 4.4)."""

from __future__ import annotations

import pytest

from firmware.metering.registration import STATUS_REGISTER, status_register
from firmware.metering.status_word import GatewayBit, MeterBit, StatusWord, combined
from firmware.metering.values import Entry


def test_the_lowest_legal_word_of_a_wired_meter() -> None:
    assert str(StatusWord()) == "A000000020000000"
    assert str(combined(frozenset(), 0x04)) == "A000000020000000"


def test_without_a_status_register_only_the_type_mark_is_set() -> None:
    assert str(combined(frozenset(), None)) == "A000000020000000"


def test_a_register_of_an_older_layout_says_nothing() -> None:
    """EDL meters have 0x00010180: bit 2 is not set."""
    assert str(combined(frozenset(), 0x00010180)) == "A000000020000000"


def test_bits_count_from_the_left() -> None:
    """Holley DTZ541 sends 1C0104: bits 2, 8, 18, 19, 20."""
    word = combined(frozenset(), 0x1C0104)
    assert str(word) == "A000000020803800"
    assert word.has(MeterBit.ACTIVE_POWER)
    assert not word.has(MeterBit.FATAL_ERROR)


@pytest.mark.parametrize(
    ("bit", "text"),
    [
        (GatewayBit.FATAL, "A0800000"),
        (GatewayBit.TIME_INVALID, "A0400000"),
        (GatewayBit.WARNING, "A0080000"),
        (GatewayBit.NO_VALUE, "A0040000"),
        (GatewayBit.NOT_FOR_BILLING, "E0000000"),
        (GatewayBit.METER_TAMPERED, "A0020000"),
        (GatewayBit.RADIO_METER_ERROR, "A0010000"),
        (GatewayBit.THRESHOLD, "A0008000"),
        (GatewayBit.RADIO, "A0004000"),
    ],
)
def test_gateway_bits(bit: GatewayBit, text: str) -> None:
    """wan-core 7.3, upper table."""
    assert str(combined(frozenset({bit}), None)) == text + "20000000"


@pytest.mark.parametrize("meter_bit", [9, 10])
def test_tamper_at_the_meter_sets_bit_14_of_the_gateway(meter_bit: int) -> None:
    word = combined(frozenset(), 0x04 | 1 << meter_bit)
    assert word.has(GatewayBit.METER_TAMPERED)
    assert str(word).startswith("A0020000")


@pytest.mark.parametrize(
    ("name", "number", "text"),
    [
        ("ACTIVE_POWER", 8, "20800000"),
        ("MAGNETIC_TAMPER", 9, "20400000"),
        ("MECHANICAL_TAMPER", 10, "20200000"),
        ("SUPPLY_TOTAL", 11, "20100000"),
        ("SUPPLY_L1", 12, "20080000"),
        ("SUPPLY_L2", 13, "20040000"),
        ("SUPPLY_L3", 14, "20020000"),
        ("PHASE_ROTATION", 15, "20010000"),
        ("BACKSTOP", 16, "20008000"),
        ("FATAL_ERROR", 17, "20004000"),
        ("VOLTAGE_L1", 18, "20002000"),
        ("VOLTAGE_L2", 19, "20001000"),
        ("VOLTAGE_L3", 20, "20000800"),
    ],
)
def test_meter_bits(name: str, number: int, text: str) -> None:
    """wan-core 7.3, lower table: bit n of the meter's register weighs 2**n and stands n places from the left."""
    bit = MeterBit[name]
    word = combined(frozenset(), 0x04 | 1 << number)
    assert bit == number
    assert word.has(bit)
    assert str(word)[8:] == text


def test_without_a_status_register_the_status_beside_the_first_energy_register_counts() -> None:
    """lmn-wired 4.4: 1-0:96.5.0*255, else what stands beside a billing register; that of the power says nothing."""
    power = Entry("1-0:16.7.0*255", 460, 0, 27, status=0x020104)
    energy = Entry("1-0:2.8.0*255", 1, -1, 30, status=0x1C0104)
    tariff = Entry("1-0:2.8.1*255", 1, -1, 30, status=0x040104)
    assert status_register((power, Entry("1-0:1.8.0*255", 1, -1, 30), energy, tariff)) == 0x1C0104
    assert status_register((power,)) is None
    assert status_register((energy, Entry(STATUS_REGISTER, 0x080104))) == 0x080104
    assert status_register((energy, Entry(STATUS_REGISTER, bytes.fromhex("00100104")))) == 0x100104
