"""SML coding, transport and messages: what the standard allows, what meters do besides, what must not harm."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.crc import x25
from devices.protocols.sml import tlv
from devices.protocols.sml.bodies import SCHEMAS
from devices.protocols.sml.entries import read_entry, write_entry
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.messages import (
    ATTENTION_NUMBERS,
    Attention,
    Body,
    CloseRequest,
    CloseResponse,
    GetListRequest,
    GetListResponse,
    GetProcParameterRequest,
    GetProcParameterResponse,
    ListEntry,
    Message,
    OpenRequest,
    OpenResponse,
    ParameterTree,
    Raw,
    SetProcParameterRequest,
    SmlTime,
    TimeKind,
    UnknownBody,
    attention_code,
    attention_number,
    cosem_attribute,
    cosem_name,
    decode_messages,
    encode_message,
    encode_messages,
    read_messages,
)
from devices.protocols.sml.transport import (
    ESCAPE,
    START,
    FileReader,
    SmlFile,
    decode_file,
    encode_file,
    split_raw,
)

SERVER = bytes.fromhex("0a01484c590200 0d6be6")

octets = st.binary(max_size=70)
some_octets = st.binary(min_size=1, max_size=70)
maybe = st.none() | some_octets
times = st.builds(SmlTime, st.sampled_from([TimeKind.SECOND_INDEX, TimeKind.TIMESTAMP]), st.integers(0, 2**32 - 1)) | (
    st.builds(SmlTime, st.just(TimeKind.LOCAL), st.integers(0, 2**32 - 1), st.integers(-720, 840), st.integers(-60, 60))
)
numbers = st.integers(-(2**63), 2**64 - 1)
values = st.none() | some_octets | numbers | st.booleans()
list_entries = st.builds(
    ListEntry,
    obis=st.binary(min_size=6, max_size=6),
    status=st.none() | st.integers(0, 2**64 - 1),
    val_time=st.none() | times,
    unit=st.none() | st.integers(0, 255),
    scaler=st.none() | st.integers(-128, 127),
    value=values,
    signature=maybe,
)
trees = st.recursive(
    st.builds(ParameterTree, name=octets, value=values | times),
    lambda children: st.builds(
        ParameterTree, name=octets, value=values, children=st.lists(children, max_size=3).map(tuple)
    ),
    max_leaves=6,
)
paths = st.lists(octets, max_size=4).map(tuple)
version = st.none() | st.integers(0, 255)
bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(OpenRequest, octets, octets, maybe, maybe, maybe, maybe, version),
    st.builds(OpenResponse, octets, octets, maybe, st.none() | times, maybe, version),
    st.builds(CloseRequest, maybe),
    st.builds(CloseResponse, maybe),
    st.builds(GetListRequest, octets, maybe, maybe, maybe, maybe),
    st.builds(
        GetListResponse,
        octets,
        st.lists(list_entries, max_size=20).map(tuple),
        maybe,
        maybe,
        st.none() | times,
        maybe,
        st.none() | times,
    ),
    st.builds(GetProcParameterRequest, paths, maybe, maybe, maybe, maybe),
    st.builds(GetProcParameterResponse, octets, paths, trees),
    st.builds(SetProcParameterRequest, paths, trees, maybe, maybe, maybe),
    st.builds(Attention, octets, octets, maybe, st.none() | trees),
    st.builds(
        UnknownBody, st.integers(0x0B00, 0xFF00), st.none() | octets.map(lambda o: Raw(tlv.write_octets(o + b"!")))
    ),
)
messages = st.builds(
    Message, octets, st.integers(0, 255), st.integers(0, 255), bodies, tag_octets=st.sampled_from([2, 4])
)


def sealed(body: bytes, head: bytes = bytes.fromhex("760501020304 6200 6200")) -> bytes:
    """A message with `body` (the list of tag and content) and a right CRC."""
    start = head + body
    return start + b"\x63" + x25(start).to_bytes(2, "little") + b"\x00"


@given(st.lists(messages, max_size=4))
def test_every_message_comes_back_as_it_was_written(sent: list[Message]) -> None:
    payload = encode_messages(sent)
    assert decode_messages(payload) == sent
    again = decode_messages(payload)
    assert encode_messages(again) == payload
    assert decode_file(encode_file(payload)).messages == tuple(sent)


@given(
    st.binary(max_size=40) | st.lists(st.sampled_from([b"\x1b", b"\x1a", b"\x01", b"\0"]), max_size=40).map(b"".join)
)
def test_every_payload_survives_the_escape(payload: bytes) -> None:
    """lmn-wired 4.1: 1B1B1B1B within the payload is doubled; 1A and 01 behind it must not fool the reader."""
    raw = encode_file(payload)
    assert len(raw) % 4 == 0
    reader = FileReader()
    found = [one for octet in raw for one in reader.feed(bytes((octet,)))]
    assert [one.raw for one in found if isinstance(one, SmlFile)] == [raw]
    assert len(found) == 1
    assert split_raw(b"\x1b" + raw + raw[:-1]) == [raw]
    fill = raw[-3]
    inside = raw[8:-8].replace(ESCAPE + ESCAPE, ESCAPE)
    assert inside[: len(inside) - fill] == payload


def test_a_number_with_1b1b1b1b_in_it_is_read_from_a_file() -> None:
    entry = ListEntry(bytes(6), value=0x1B1B1B1B1B1B1B1B)
    file = decode_file(encode_file(encode_messages([Message(b"\x1b" * 5, 0, 0, GetListResponse(SERVER, (entry,)))])))
    assert isinstance(file.messages[0].body, GetListResponse)
    assert file.messages[0].body.val_list == (entry,)


@pytest.mark.parametrize("piece", [b"", b"\x00", START, START + bytes(8), ESCAPE * 40])
def test_what_is_no_file_is_refused(piece: bytes) -> None:
    with pytest.raises(SmlError):
        decode_file(piece)


def test_filling_of_more_than_three_octets_is_an_error() -> None:
    head = START + bytes(8) + ESCAPE + b"\x1a\x04"
    [error] = FileReader().feed(head + x25(head).to_bytes(2, "little"))
    assert isinstance(error, SmlError)
    assert "filling" in error.reason


def test_tags_of_two_and_of_four_octets_are_read() -> None:
    """lmn-wired 4.1."""
    for tag, width in (("630201", 2), ("6500000201", 4)):
        [message] = decode_messages(sealed(bytes.fromhex("72" + tag + "7101")))
        assert message.body == CloseResponse()
        assert message.tag_octets == width
        assert encode_message(message) == sealed(bytes.fromhex("72" + tag + "7101"))


@pytest.mark.parametrize(
    ("coded", "value"),
    [
        ("5380ff", -32513),
        ("52ff", -1),
        ("54000001", 1),
        ("56ffffffffff", -1),
        ("6201", 1),
        ("64010203", 0x010203),
        ("69ffffffffffffffff", 2**64 - 1),
        ("4200", False),
        ("42ff", True),
        ("01", None),
        ("0448 4c59", b"HLY"),
    ],
)
def test_numbers_of_any_width_are_read_and_keep_it(coded: str, value: object) -> None:
    """Shortened numbers: sign-extended, 1 to 8 octets (lmn-wired 4.1)."""
    wire = bytes.fromhex("77070100010800ff0101621e52ff" + coded + "01")
    entry, behind = read_entry(wire, 0)
    assert behind == len(wire)
    assert entry.value == value
    assert type(entry.value) is type(value)
    if coded != "42ff":
        assert write_entry(entry) == wire


def test_a_changed_value_keeps_type_and_width_unless_it_does_not_fit() -> None:
    from dataclasses import replace

    entry, _ = read_entry(bytes.fromhex("77070100010800ff0101621e52ff6400000101"), 0)
    assert write_entry(replace(entry, value=2)).hex().endswith("6400000201")
    assert write_entry(replace(entry, value=2**24)).hex().endswith("650100000001")
    assert write_entry(replace(entry, value=-1)).hex().endswith("54ffffff01")


def test_length_fields_of_several_octets_are_read() -> None:
    """Nibbles concatenate; the length counts the TL octets but for lists (lmn-wired 4.1)."""
    assert tlv.read_octets(b"\x83\x02" + bytes(48), 0) == (bytes(48), 50)
    assert tlv.read_octets(b"\x80\x05abc", 0) == (b"abc", 5)
    assert tlv.read_list(b"\xf1\x00" + b"\x01" * 16, 0) == (16, 2)
    assert tlv.write_octets(bytes(14))[0] == 0x0F
    assert tlv.write_octets(bytes(15))[:2].hex() == "8101"
    assert tlv.write_list(*[b"\x01"] * 16)[:2].hex() == "f100"


def test_time_is_read_as_a_list_and_as_a_bare_number() -> None:
    """lmn-wired 4.1."""
    for coded, time in (
        ("72620165000000ff", SmlTime(TimeKind.SECOND_INDEX, 255)),
        ("65000000ff", SmlTime(TimeKind.SECOND_INDEX, 255)),
        ("7262016200", SmlTime(TimeKind.SECOND_INDEX, 0)),
        ("72620265000000ff", SmlTime(TimeKind.TIMESTAMP, 255)),
        ("7262037365000000ff53003c53003c", SmlTime(TimeKind.LOCAL, 255, 60, 60)),
    ):
        wire = bytes.fromhex("77070100010800ff01" + coded + "621e52ff550000000101")
        entry, _ = read_entry(wire, 0)
        assert entry.val_time == time
        assert write_entry(entry) == wire


def test_a_value_that_is_a_list_is_kept_as_it_came() -> None:
    wire = bytes.fromhex("77070100010800ff010101017262016501020304 01")
    entry, _ = read_entry(wire, 0)
    assert isinstance(entry.value, Raw)
    assert entry.value.tree == [1, 0x01020304]
    assert entry.number is None
    assert write_entry(entry) == wire


def test_numbers_are_exact_to_the_last_digit() -> None:
    """DESIGN: Decimal or integers with scaler for energy, never float."""
    assert ListEntry(bytes(6), scaler=-1, value=23559290).number == Decimal("2355929.0")
    assert str(ListEntry(bytes(6), scaler=-1, value=23559290).number) == "2355929.0"
    assert ListEntry(bytes(6), scaler=3, value=-5).number == Decimal(-5000)
    assert ListEntry(bytes(6), scaler=-6, value=2**64 - 1).number == Decimal("18446744073709.551615")
    assert ListEntry(bytes(6), value=7).number == 7
    assert ListEntry(bytes(6), value=True).number is None
    assert ListEntry(bytes(6), value=b"x").number is None


def test_messages_of_unknown_type_are_kept_as_they_came() -> None:
    wire = sealed(bytes.fromhex("72 630b01 73 0341aa 4201 6200"))
    [message] = decode_messages(wire)
    assert isinstance(message.body, UnknownBody)
    assert message.body.tag == 0x0B01
    assert message.body.content is not None
    assert message.body.content.tree == [b"\x41\xaa", True, 0]
    assert encode_message(message) == wire


def test_a_known_type_that_is_built_otherwise_is_kept_and_reported() -> None:
    wire = sealed(bytes.fromhex("72 630201 72 01 01"))
    [message], [error] = read_messages(wire)
    assert isinstance(message.body, UnknownBody)
    assert message.body.tag == 0x0201
    assert "elements" in error.reason
    assert encode_message(message) == wire


def test_errors_of_a_message_leave_the_others_alone() -> None:
    good = encode_message(Message(b"1", 0, 0, CloseResponse()))
    bad = good[:-3] + bytes((good[-3] ^ 1,)) + good[-2:]
    found, errors = read_messages(good + bad + good + b"\x00\x00")
    assert len(found) == 2
    assert [error.offset for error in errors] == [len(good) + len(good) - 4]
    with pytest.raises(SmlError, match="CRC"):
        decode_messages(bad)


def test_missing_end_marks_are_errors() -> None:
    good = encode_message(Message(b"1", 0, 0, CloseResponse()))
    found, errors = read_messages(good[:-1] + good)
    assert found == ()
    assert "end mark" in errors[0].reason


@pytest.mark.parametrize(
    "wire",
    [
        "ff7f" * 3,
        "f" * 40,
        "7f" * 60,
        "71" * 400,
        "76" + "00" * 8,
        "7605010203046200620072630701 77 01 01 01 01 ff0f0f0f 00000000",
        "7605010203046200620072630701770101010101ffffffff0f",
    ],
)
def test_hostile_counts_end_at_once(wire: str) -> None:
    """A huge count with elements of no length once took a naive reader 515 MB (feasibility 12)."""
    _, errors = read_messages(bytes.fromhex(wire))
    assert errors


@given(st.binary(max_size=300))
def test_any_octets_give_messages_or_errors(payload: bytes) -> None:
    found, errors = read_messages(payload)
    assert len(found) + len(errors) <= len(payload)
    for read in (tlv.read_tree, tlv.read_raw, tlv.read_octets, tlv.read_optional_unsigned, read_entry):
        try:
            _, behind = read(payload, 0)
        except SmlError as problem:
            assert 0 <= problem.offset <= len(payload)
        else:
            assert 0 < behind <= len(payload)


@given(st.sampled_from(sorted(SCHEMAS)), st.binary(max_size=120))
def test_any_octets_behind_a_known_type_give_messages_or_errors(tag: int, content: bytes) -> None:
    read_messages(bytes.fromhex("76026162006200 7263") + tag.to_bytes(2, "big") + content)


@given(messages, st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_bit_never_goes_unseen(message: Message, place: int, flip: int) -> None:
    wire = bytearray(encode_message(message))
    wire[place % (len(wire) - 1)] ^= flip
    found, errors = read_messages(bytes(wire))
    assert errors or not found or found == (message,)


@given(st.lists(st.binary(max_size=50) | st.just(START) | st.just(ESCAPE), max_size=12))
def test_any_stream_gives_files_or_errors_and_the_next_file_is_found(pieces: list[bytes]) -> None:
    reader = FileReader(max_file=200)
    for piece in pieces:
        for one in reader.feed(piece):
            assert isinstance(one, SmlFile | SmlError)
        assert len(reader._buffer) <= 200
    reader.idle()
    good = encode_file(encode_messages([Message(b"1", 0, 0, CloseResponse())]))
    assert decode_file(good) in reader.feed(b"\0" * 8 + good)


def test_attention_numbers_have_names() -> None:
    """lmn-wired 4.2."""
    assert attention_number(0xFE03).hex() == "8181c7c7fe03"
    assert attention_code(bytes.fromhex("8181c7c7fd00")) == 0xFD00
    assert attention_code(b"\0" * 6) is None
    assert ATTENTION_NUMBERS[0xFD00] == "done"


def test_cosem_names_are_built_as_in_the_capture() -> None:
    """lmn-wired 4.3."""
    assert cosem_name(bytes.fromhex("0100600500ff"), 1, 0).hex() == "0100600500ff000100"
    assert cosem_attribute(2).hex() == "0002"
    with pytest.raises(SmlError):
        cosem_name(b"", 1)
    with pytest.raises(SmlError):
        cosem_attribute(70000)


@pytest.mark.parametrize(
    "body",
    [
        GetListResponse(SERVER, (ListEntry(bytes(6), unit=256),)),
        GetListResponse(SERVER, (ListEntry(bytes(6), scaler=200),)),
        GetListResponse(SERVER, (ListEntry(bytes(6), value=2**64),)),
        GetListResponse(SERVER, (ListEntry(bytes(6), status=-1),)),
        OpenResponse(b"1", "text"),  # type: ignore[arg-type]
    ],
)
def test_values_without_room_are_refused_when_written(body: Body) -> None:
    with pytest.raises(SmlError):
        encode_message(Message(b"1", 0, 0, body))
