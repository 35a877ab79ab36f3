"""Extended link layer, authentication layer and transport layer of wM-Bus, each by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.mbus.afl import CMAC_OCTETS, Afl, Reassembly, decode_afl, split
from devices.protocols.mbus.control import CI_HEADERS
from devices.protocols.mbus.ell import Ell, Session, decode_ell, pcrc_is_right, with_pcrc
from devices.protocols.mbus.errors import LayerError
from devices.protocols.mbus.link import Address
from devices.protocols.mbus.tpl import AES_CCM, Tpl, decode_tpl

RECEIVER = Address("XYZ", "33445566", 0x0A, 0x31)
GAS = Address("ELS", "12345678", 0x33, 0x03)

octet = st.integers(0, 255)
addresses = st.builds(Address.from_link, st.binary(min_size=8, max_size=8))
sessions = st.builds(Session, st.integers(0, (1 << 25) - 1), st.integers(0, 15), st.integers(0, 7))
ells = st.builds(Ell, octet, octet, st.none() | addresses, st.none() | sessions)
kinds = st.sampled_from(sorted(CMAC_OCTETS))


@st.composite
def afls(draw: st.DrawFn) -> Afl:
    kind = draw(kinds)
    mac = draw(st.binary(min_size=CMAC_OCTETS[kind], max_size=CMAC_OCTETS[kind]))
    numbers = [draw(st.none() | st.integers(0, (1 << bits) - 1)) for bits in (16, 32, 16)]
    return Afl(draw(st.integers(0, 7)) << 4 | kind, numbers[0], numbers[1], mac, numbers[2], draw(octet))


# --- extended link layer (lmn-wireless 2.6)


@pytest.mark.parametrize(
    ("octets", "ell"),
    [
        ("8C2075", Ell(0x20, 0x75)),
        ("8D2091D37CAC21", Ell(0x20, 0x91, None, Session(1_755_085, 3, 1))),
        ("8E80753A63665544330A31", Ell(0x80, 0x75, RECEIVER)),
        ("8F80753A63665544330A31D37CAC21", Ell(0x80, 0x75, RECEIVER, Session(1_755_085, 3, 1))),
    ],
)
def test_each_kind_of_extended_link_layer_is_read_and_written(octets: str, ell: Ell) -> None:
    assert decode_ell(bytes.fromhex(octets + "FFFF")) == (ell, len(octets) // 2)
    assert ell.to_bytes().hex().upper() == octets
    assert f"{ell.ci:02X}" == octets[:2]
    for size in range(len(octets) // 2):
        with pytest.raises(LayerError) as caught:
            decode_ell(bytes.fromhex(octets)[:size])
        assert caught.value.offset == size


def test_other_layers_are_no_extended_link_layer() -> None:
    for ci in (0x86, 0x8B, 0x90):
        with pytest.raises(LayerError):
            decode_ell(bytes((ci, 0, 0)))


@given(ells)
def test_every_extended_link_layer_comes_back(ell: Ell) -> None:
    octets = ell.to_bytes()
    assert decode_ell(octets) == (ell, len(octets))


@pytest.mark.parametrize(
    "ell", [Ell(256, 0), Ell(0, -1), Ell(0, 0, None, Session(1 << 25)), Ell(0, 0, None, Session(0, 16))]
)
def test_extended_link_layers_without_room_are_refused(ell: Ell) -> None:
    with pytest.raises(LayerError):
        ell.to_bytes()


def test_the_payload_crc_is_that_of_the_published_telegram() -> None:
    """lmn-wireless 2.6"""
    following = bytes.fromhex("7802FF20710004130819000044130819 0000615B7F616713".replace(" ", ""))
    assert with_pcrc(following)[:2].hex().upper() == "576C"
    assert pcrc_is_right(with_pcrc(following))
    assert not pcrc_is_right(with_pcrc(following) + b"\0")


# --- authentication and fragmentation layer (lmn-wireless 2.7)


def test_the_authentication_layer_of_annex_n_is_read_and_written() -> None:
    """lmn-wireless 3"""
    octets = bytes.fromhex("900F002C25B30A000021924D4F2FB66E01")
    afl, end = decode_afl(octets + b"\x7a")
    assert end == len(octets)
    assert afl == Afl(mcl=0x25, mcr=2739, mac=bytes.fromhex("21924D4F2FB66E01"))
    assert (afl.authentication, afl.fcl, afl.is_fragment, afl.kdf) == (5, 0x2C00, False, None)
    assert afl.mac_input() == bytes.fromhex("25B30A0000")
    assert afl.to_bytes() == octets


@given(afls())
def test_every_authentication_layer_comes_back(afl: Afl) -> None:
    octets = afl.to_bytes()
    assert decode_afl(octets) == (afl, len(octets))
    assert octets[2] | octets[3] << 8 == afl.fcl


def test_key_information_tells_version_derivation_and_number() -> None:
    afl = Afl(ki=0x2A13)
    assert (afl.key_version, afl.kdf, afl.key_id) == (0x2A, 1, 3)
    assert (Afl().key_version, Afl().kdf, Afl().key_id) == (None, None, None)


@pytest.mark.parametrize(
    ("octets", "offset"),
    [
        ("90", 1),
        ("900F", 2),
        ("9001002C", 1),
        ("9002002C", 2),
        ("900F002C25B30A000021924D4F2FB66E", 1),
        ("900E002C25B30A000021924D4F2FB66E", 9),
        ("9010002C25B30A000021924D4F2FB66E0101", 9),
        ("900400202525", 2),
        ("900F002C20B30A000021924D4F2FB66E01", 9),
    ],
)
def test_authentication_layers_that_contradict_themselves_are_refused(octets: str, offset: int) -> None:
    with pytest.raises(LayerError) as caught:
        decode_afl(bytes.fromhex(octets))
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "afl", [Afl(mcl=0x25, mac=bytes(4)), Afl(mcr=1 << 32), Afl(ki=-1), Afl(fragment=256), Afl(mac=bytes(254))]
)
def test_authentication_layers_without_room_are_refused(afl: Afl) -> None:
    with pytest.raises(LayerError):
        afl.to_bytes()


@given(st.binary(max_size=40).map(lambda tail: b"\x90" + tail))
def test_octets_of_any_kind_are_an_authentication_layer_or_an_error(octets: bytes) -> None:
    try:
        afl, end = decode_afl(octets)
    except LayerError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= len(octets)
    else:
        assert decode_afl(afl.to_bytes()) == (afl, end)


# --- messages in pieces

WHOLE = Afl(mcl=0x65, ki=0x0110, mcr=7, mac=bytes(range(8)), ml=100)


@given(st.binary(max_size=700), st.integers(30, 200))
def test_a_message_in_pieces_is_put_together_again(message: bytes, room: int) -> None:
    told = replace(WHOLE, ml=len(message))
    pieces = split(told, message, room)
    reassembly = Reassembly()
    outcomes = []
    for afl, octets in pieces:
        assert len(afl.to_bytes()) + len(octets) <= room
        read, end = decode_afl(afl.to_bytes() + octets)
        assert (read, end) == (afl, len(afl.to_bytes()))
        outcomes.append(reassembly.feed("meter", read, octets))
    assert outcomes[:-1] == [None] * (len(pieces) - 1)
    last = outcomes[-1]
    assert last is not None
    assert last == (told, message)
    assert len(reassembly) == 0


def test_a_piece_that_comes_twice_changes_nothing() -> None:
    """Radio telegrams are repeated, by meters and by repeaters."""
    reassembly = Reassembly()
    pieces = split(WHOLE, bytes(100), 50)
    outcomes = [reassembly.feed("meter", *piece) for piece in pieces[:-1] for _ in (1, 2)]
    assert outcomes == [None] * len(outcomes)
    assert reassembly.feed("meter", *pieces[-1]) is not None
    assert reassembly.feed("meter", *pieces[-1]) is None, "nor the last one, when the message was whole"
    assert [reassembly.feed("meter", *piece) for piece in pieces][-1] is not None, "all of it once more"


def test_a_lost_piece_ends_the_message_and_the_next_message_is_whole() -> None:
    reassembly = Reassembly()
    pieces = split(WHOLE, bytes(100), 50)
    assert len(pieces) > 2
    reassembly.feed("meter", *pieces[0])
    with pytest.raises(LayerError, match="in place of piece 2"):
        reassembly.feed("meter", *pieces[2])
    with pytest.raises(LayerError, match="first piece"):
        reassembly.feed("meter", *pieces[1])
    outcomes = [reassembly.feed("meter", *piece) for piece in pieces]
    assert outcomes[-1] is not None


def test_messages_of_several_meters_may_overlap_but_not_without_bound() -> None:
    reassembly = Reassembly(max_senders=4)
    first, second, *_ = split(WHOLE, bytes(100), 50)
    for sender in range(9):
        reassembly.feed(sender, *first)
    assert len(reassembly) == 4
    reassembly.feed(8, *second)
    with pytest.raises(LayerError):
        reassembly.feed(1, *second)
    reassembly.forget(7)
    assert len(reassembly) == 3


def test_a_message_does_not_grow_beyond_its_length_field_nor_beyond_the_limit() -> None:
    small = Reassembly(max_octets=90)
    first, second, *_ = split(WHOLE, bytes(100), 60)
    small.feed("meter", *first)
    with pytest.raises(LayerError, match="90 are allowed"):
        for number in range(2, 9):
            small.feed("meter", replace(second[0], fragment=number, more=True), second[1])
    with pytest.raises(LayerError, match="3 are allowed"):
        Reassembly().feed("meter", replace(first[0], ml=3), first[1])


def test_a_message_that_is_shorter_than_its_length_field_is_refused() -> None:
    reassembly = Reassembly()
    first, *_, last = split(WHOLE, bytes(100), 60)
    reassembly.feed("meter", *first)
    with pytest.raises(LayerError, match="length field"):
        reassembly.feed("meter", replace(last[0], fragment=2), last[1])


@pytest.mark.parametrize(
    "second", [Afl(mcl=0x25, fragment=2), Afl(mcr=8, fragment=2), Afl(mac=bytes(4), fragment=2), Afl(ki=1, fragment=2)]
)
def test_pieces_that_contradict_each_other_are_refused(second: Afl) -> None:
    reassembly = Reassembly()
    reassembly.feed("meter", replace(WHOLE, mac=b"", fragment=1, more=True), b"abc")
    with pytest.raises(LayerError):
        reassembly.feed("meter", second, b"def")
    assert len(reassembly) == 0


def test_too_small_a_room_and_too_many_pieces_are_refused() -> None:
    with pytest.raises(LayerError, match="too few"):
        split(WHOLE, bytes(100), 13)
    with pytest.raises(LayerError, match="pieces"):
        split(WHOLE, bytes(9000), 20)


# --- transport layer (lmn-wireless 2.8)


@pytest.mark.parametrize(
    ("octets", "tpl"),
    [
        ("78", Tpl(0x78)),
        ("A2", Tpl(0xA2)),
        ("7A2A002025", Tpl(0x7A, "short", None, 0x2A, 0, 0x2520)),
        ("7A75002007" + "10", Tpl(0x7A, "short", None, 0x75, 0, 0x0720, b"\x10")),
        ("7A75002027" + "10B30A0000", Tpl(0x7A, "short", None, 0x75, 0, 0x2720, b"\x10", 2739)),
        ("7A75002027" + "50B30A0000" + "09", Tpl(0x7A, "short", None, 0x75, 0, 0x2720, b"\x50", 2739, 9)),
        ("7A3010FF2A" + "1001" + "8C570E00", Tpl(0x7A, "short", None, 0x30, 0x10, 0x2AFF, b"\x10\x01", 939_916)),
        ("7A30102A0D" + "00", Tpl(0x7A, "short", None, 0x30, 0x10, 0x0D2A, b"\x00")),
        ("727856341293153303" + "7500200710", Tpl(0x72, "long", GAS, 0x75, 0, 0x0720, b"\x10")),
    ],
)
def test_each_header_is_read_and_written(octets: str, tpl: Tpl) -> None:
    message = bytes.fromhex(octets)
    assert decode_tpl(message + b"\x2f\x2f") == (tpl, len(message))
    assert tpl.to_bytes() == message
    for size in range(len(message)):
        with pytest.raises(LayerError) as caught:
            decode_tpl(message[:size])
        assert caught.value.offset == size


def test_the_fields_of_a_configuration_are_told() -> None:
    mode5, _ = decode_tpl(bytes.fromhex("7A2A002025"))
    assert (mode5.mode, mode5.blocks, mode5.kdf, mode5.tag_octets) == (5, 2, 0, 0)
    ccm, _ = decode_tpl(bytes.fromhex("7A3010FF2A10018C570E00"))
    assert (ccm.mode, ccm.encrypted_octets, ccm.kdf, ccm.key_id, ccm.tag_octets) == (AES_CCM, 255, 1, 0, 8)
    assert ccm.associated().hex().upper() == "7A3010FF2A1001"


@pytest.mark.parametrize(
    "tpl",
    [
        Tpl(0x7A),
        Tpl(0x78, "short", None, 1, 0),
        Tpl(0x72, "long", None, 1, 0),
        Tpl(0x7A, "short", None, 256, 0),
        Tpl(0x7A, "short", None, 1, 0, 0x0720),
        Tpl(0x7A, "short", None, 1, 0, 0x0720, b"\x10", 5),
        Tpl(0x7A, "short", None, 1, 0, 0x2720, b"\x10", 1 << 32),
        Tpl(0x7A, "short", None, 1, 0, 0x10000),
        Tpl(256),
    ],
)
def test_headers_that_would_be_read_otherwise_are_refused(tpl: Tpl) -> None:
    with pytest.raises(LayerError):
        tpl.to_bytes()


@given(st.sampled_from(sorted(CI_HEADERS)), st.binary(min_size=20, max_size=20))
def test_every_header_comes_back(ci: int, tail: bytes) -> None:
    tpl, end = decode_tpl(bytes((ci,)) + tail)
    assert tpl.to_bytes() == (bytes((ci,)) + tail)[:end]
