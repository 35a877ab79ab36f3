"""Link layer of wM-Bus: addresses, CRC, frame formats, on the octets of OMS Annex N."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.mbus.control import c_name, to_meter
from devices.protocols.mbus.crc import crc
from devices.protocols.mbus.errors import FrameError, MbusError
from devices.protocols.mbus.link import (
    Address,
    FrameFormat,
    LinkFrame,
    air_octets,
    decode_link,
    dress,
    encode_link,
    octets_after_l,
    strip,
)

STRIPPED = bytes.fromhex(
    "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3"
)
FORMAT_A = bytes.fromhex(
    "2E449315785634123303 3363 7A2A0020255923C95AAA26D1B2E7493B C2AD 013EC4A6F6D3529B520EDFF0EA6DEFC9 55B2"
    "9D6D69EBF3 EC8A"
)
FORMAT_B = bytes.fromhex(
    "30449315785634123303 7A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3 B853"
)
FORMS = {FrameFormat.STRIPPED: STRIPPED, FrameFormat.A: FORMAT_A, FrameFormat.B: FORMAT_B}
GAS = Address("ELS", "12345678", 0x33, 0x03)

addresses = st.builds(Address.from_link, st.binary(min_size=8, max_size=8))
bodies = st.binary(max_size=246)


def test_the_crc_of_the_nine_digits_is_as_published() -> None:
    """lmn-wireless 2.1"""
    assert crc(b"123456789") == 0xC2B7


@pytest.mark.parametrize("form", FORMS)
def test_the_gas_meter_of_annex_n_is_read_and_written_in_every_format(form: FrameFormat) -> None:
    """lmn-wireless 2.1"""
    frame = decode_link(FORMS[form], form)
    assert (frame.c, frame.address) == (0x44, GAS)
    assert frame.body == STRIPPED[10:]
    assert encode_link(frame, form) == FORMS[form]
    assert strip(FORMS[form], form) == STRIPPED
    assert dress(STRIPPED, form) == FORMS[form]
    assert air_octets(STRIPPED, form) == len(FORMS[form])
    assert octets_after_l(FORMS[form][0], form) == len(FORMS[form]) - 1


@pytest.mark.parametrize(("letters", "octets"), [("ELS", "9315"), ("KAM", "2D2C"), ("QDS", "9344"), ("CEN", "AE0C")])
def test_manufacturers_are_coded_as_published(letters: str, octets: str) -> None:
    """lmn-wireless 2.1"""
    address = Address(letters, "00000000", 0, 0)
    assert address.link_octets()[:2].hex().upper() == octets
    assert Address.from_link(address.link_octets()) == address


def test_a_long_header_swaps_id_and_manufacturer() -> None:
    """lmn-wireless 7, trap 3"""
    assert GAS.link_octets().hex() == "9315785634123303"
    assert GAS.header_octets().hex() == "7856341293153303"
    assert Address.from_header(GAS.header_octets()) == GAS


def test_bit_15_of_the_manufacturer_is_no_part_of_the_letters() -> None:
    local = Address.from_link(bytes.fromhex("9395785634123303"))
    assert local == Address("ELS", "12345678", 0x33, 0x03, local_only=True)
    assert local.link_octets().hex() == "9395785634123303"


def test_ids_of_real_devices_have_digits_beyond_nine() -> None:
    """lmn-wireless 7, trap 7"""
    assert Address.from_link(bytes.fromhex("24238B06204790 60".replace(" ", ""))).id == "4720068B"


@pytest.mark.parametrize(
    "address",
    [
        Address("EL", "12345678", 1, 1),
        Address("els", "12345678", 1, 1),
        Address("ELS", "1234567", 1, 1),
        Address("ELS", "1234567a", 1, 1),
        Address("ELS", "１２３４５６７８", 1, 1),
        Address("ELS", "12345678", 256, 1),
        Address("ELS", "12345678", 1, -1),
    ],
)
def test_addresses_that_cannot_be_sent_are_refused(address: Address) -> None:
    with pytest.raises(FrameError):
        address.link_octets()


@pytest.mark.parametrize("form", [FrameFormat.A, FrameFormat.B])
def test_every_flipped_bit_is_noticed(form: FrameFormat) -> None:
    octets = FORMS[form]
    for bit in range(8 * len(octets)):
        damaged = bytearray(octets)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FrameError) as caught:
            decode_link(bytes(damaged), form)
        assert caught.value.offset is not None


@pytest.mark.parametrize("form", FORMS)
def test_frames_that_are_cut_or_too_long_are_refused(form: FrameFormat) -> None:
    for size in range(len(FORMS[form])):
        with pytest.raises(FrameError):
            decode_link(FORMS[form][:size], form)
    with pytest.raises(FrameError):
        decode_link(FORMS[form] + b"\0", form)


def test_format_b_takes_a_second_crc_above_128_octets() -> None:
    """lmn-wireless 2.1: at octets 126 and 127, over the 126 in front of it; one at the end over the rest."""
    one = encode_link(LinkFrame(0x44, GAS, bytes(128 - 10 - 2)), FrameFormat.B)
    assert (len(one), one[0]) == (128, 127)
    assert one[126:] == crc(one[:126]).to_bytes(2, "big")
    two = encode_link(LinkFrame(0x44, GAS, bytes(129 - 10 - 2)), FrameFormat.B)
    assert (len(two), two[0]) == (131, 130)
    assert two[126:128] == crc(two[:126]).to_bytes(2, "big")
    assert two[129:] == crc(two[128:129]).to_bytes(2, "big")


def test_what_is_too_long_for_its_format_is_refused() -> None:
    longest = LinkFrame(0x44, GAS, bytes(246))
    assert len(encode_link(longest)) == 256
    assert len(encode_link(longest, FrameFormat.A)) == 256 + 2 * 17
    with pytest.raises(FrameError):
        encode_link(longest, FrameFormat.B)
    assert len(encode_link(LinkFrame(0x44, GAS, bytes(242)), FrameFormat.B)) == 256
    for wrong in (LinkFrame(0x44, GAS, bytes(247)), LinkFrame(256, GAS)):
        with pytest.raises(FrameError):
            encode_link(wrong)


@given(st.integers(0, 255), addresses, bodies, st.sampled_from(FrameFormat))
def test_every_frame_comes_back(c: int, address: Address, body: bytes, form: FrameFormat) -> None:
    frame = LinkFrame(c, address, body[:242])
    octets = encode_link(frame, form)
    assert decode_link(octets, form) == frame
    assert len(octets) == air_octets(encode_link(frame), form)
    assert octets_after_l(octets[0], form) == len(octets) - 1


@given(st.binary(max_size=300), st.sampled_from(FrameFormat))
def test_octets_of_any_kind_are_a_frame_or_an_error(octets: bytes, form: FrameFormat) -> None:
    try:
        frame = decode_link(octets, form)
    except MbusError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= len(octets)
    else:
        assert encode_link(frame) == strip(octets, form)


def test_c_fields_have_their_names_and_directions() -> None:
    """lmn-wireless 2.2, 2.5"""
    names = {0x44: "SND-NR", 0x46: "SND-IR", 0x18: "RSP-UD", 0x21: "NACK", 0x7B: "REQ-UD2", 0x99: "C 99"}
    assert {c: c_name(c) for c in names} == names
    assert [to_meter(c, 0x7A) for c in (0x44, 0x08, 0x01, 0x5B, 0x06)] == [False, False, False, True, True]
    assert [to_meter(0x00, ci) for ci in (0x80, 0x8A, 0x8B, None)] == [True, False, False, False]
