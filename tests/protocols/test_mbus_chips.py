"""Chips of modes T and C: the code of the standard, and a receiver that finds its way back."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.mbus.chips import (
    SYMBOLS,
    Caught,
    ChipMode,
    ChipReceiver,
    encode_chips,
    pack,
    three_of_six,
    unpack,
)
from devices.protocols.mbus.errors import FrameError
from devices.protocols.mbus.link import Address, LinkFrame, encode_link

STRIPPED = bytes.fromhex(
    "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3"
)
telegrams = st.builds(
    lambda body: encode_link(LinkFrame(0x44, Address("ELS", "12345678", 0x33, 3), body)), st.binary(max_size=242)
)
modes = st.sampled_from(ChipMode)


def frames(found: list[Caught | FrameError]) -> list[tuple[bytes, ChipMode]]:
    return [(one.stripped, one.mode) for one in found if isinstance(one, Caught)]


def test_the_code_of_mode_t_is_as_published() -> None:
    """lmn-wireless 2.3"""
    assert pack(three_of_six(bytes.fromhex("2E449315"))).hex().upper() == "3B271C94B359"
    assert len(set(SYMBOLS)) == 16
    assert {symbol.bit_count() for symbol in SYMBOLS} == {3}


def test_the_sync_words_are_as_published() -> None:
    """lmn-wireless 2.3: 543D in mode T; 543D 54CD and 543D 543D in mode C."""
    mode_t = encode_chips(STRIPPED, ChipMode.T)
    assert mode_t[: 2 * 19 + 10] == bytes((0, 1)) * 19 + bytes(map(int, "0000111101"))
    assert mode_t[48:96] == unpack(bytes.fromhex("3B271C94B359"))
    for mode, mark in ((ChipMode.C_A, "543D54CD"), (ChipMode.C_B, "543D543D")):
        chips = encode_chips(STRIPPED, mode)
        at = chips.find(unpack(bytes.fromhex(mark)))
        assert chips[at + 32 : at + 48] == unpack(bytes((STRIPPED[0] + (2 if mode is ChipMode.C_B else 0), 0x44)))


def test_the_time_on_the_air_of_mode_t_is_that_of_the_fact_sheet() -> None:
    """lmn-wireless 2.3: 12n + 48 + trailer chips for n octets with CRCs."""
    assert len(encode_chips(STRIPPED, ChipMode.T, trailer=4)) == 12 * 55 + 48 + 4
    trailer = encode_chips(STRIPPED, ChipMode.T, trailer=8)[-9:]
    assert all(one != other for one, other in pairwise(trailer))


@given(telegrams, modes, st.integers(0, 40))
def test_every_frame_is_found_whatever_stands_around_it(telegram: bytes, mode: ChipMode, noise: int) -> None:
    around = bytes(noise)
    chips = around + encode_chips(telegram, mode) + around
    assert frames(ChipReceiver().feed(chips)) == [(telegram, mode)]


@pytest.mark.parametrize("mode", ChipMode)
def test_chips_may_come_one_by_one(mode: ChipMode) -> None:
    receiver, found = ChipReceiver(), []
    chips = encode_chips(STRIPPED, mode)
    for at in range(len(chips)):
        found += receiver.feed(chips[at : at + 1])
    assert frames(found) == [(STRIPPED, mode)]
    assert [one.offset for one in found] == [chips.find(unpack(b"\x54\x3d"))]


def test_frames_of_both_modes_follow_each_other() -> None:
    """One receiver for C and T together, as the radio modules have (lmn-wireless 5.1)."""
    order = [ChipMode.T, ChipMode.C_B, ChipMode.C_A, ChipMode.T]
    chips = b"".join(encode_chips(STRIPPED, mode) for mode in order)
    assert [mode for _, mode in frames(ChipReceiver().feed(chips))] == order


@pytest.mark.parametrize("mode", ChipMode)
def test_a_damaged_frame_is_told_and_the_next_one_is_found(mode: ChipMode) -> None:
    good = encode_chips(STRIPPED, mode)
    for place in range(80, len(good) - 8, 7):
        damaged = bytearray(good)
        damaged[place] ^= 1
        receiver = ChipReceiver()
        found = receiver.feed(bytes(damaged) + good) + receiver.idle()
        assert frames(found) == [(STRIPPED, mode)]
        assert any(isinstance(one, FrameError) for one in found)


def test_a_false_length_hides_no_frame() -> None:
    """C mode: L 255 is believed until the frame within it has come; then the carrier ends."""
    lure = unpack(bytes.fromhex("543D54CDFF44"))
    receiver = ChipReceiver()
    assert receiver.feed(lure + encode_chips(STRIPPED, ChipMode.T)) == []
    assert frames(receiver.idle()) == [(STRIPPED, ChipMode.T)]


def test_noise_is_not_kept() -> None:
    receiver = ChipReceiver()
    rng = random.Random(20260105)
    for _ in range(200):
        found = receiver.feed(bytes(rng.getrandbits(1) for _ in range(1000)))
        assert all(isinstance(one, FrameError) for one in found)
    assert len(receiver._chips) < 12 * 300


def test_what_is_no_chip_is_refused_before_anything_is_taken() -> None:
    receiver = ChipReceiver()
    with pytest.raises(ValueError, match="chips"):
        receiver.feed(encode_chips(STRIPPED, ChipMode.T) + b"\2")
    assert receiver.idle() == []


@given(st.lists(st.one_of(st.binary(max_size=60).map(unpack), telegrams.map(lambda t: encode_chips(t, ChipMode.T)))))
def test_any_chips_give_frames_or_errors(parts: list[bytes]) -> None:
    receiver = ChipReceiver()
    for part in parts:
        for one in receiver.feed(part):
            assert isinstance(one, Caught | FrameError)
    receiver.idle()


def test_packing_fills_the_last_octet() -> None:
    assert pack(bytes((1, 0, 1))) == b"\xa0"
    assert unpack(b"\xa0\x0f") == bytes.fromhex("01000100000000000000000001010101")
