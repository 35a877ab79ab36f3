"""Text form of the combined status word (wan-core 7.3, lmn-wired 4.4)."""

from __future__ import annotations

import pytest

from firmware.metering.status_word import GatewayBit, MeterBit, StatusWord, combined


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
    ],
)
def test_gateway_bits(bit: GatewayBit, text: str) -> None:
    assert str(combined(frozenset({bit}), None)) == text + "20000000"


@pytest.mark.parametrize("meter_bit", [9, 10])
def test_tamper_at_the_meter_sets_bit_14_of_the_gateway(meter_bit: int) -> None:
    word = combined(frozenset(), 0x04 | 1 << meter_bit)
    assert word.has(GatewayBit.METER_TAMPERED)
    assert str(word).startswith("A0020000")
