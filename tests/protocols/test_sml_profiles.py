"""Profiles, the elements of parameters, and the COSEM services of SML, in octets written out by hand.

The layouts are those that libsml's headers and Wireshark's dissector give for SML 1.03; no public dump holds them.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.sml import SmlError
from devices.protocols.sml.bodies import SCHEMAS, read_body, write_body
from devices.protocols.sml.messages import (
    ActionCosemRequest,
    ActionCosemResponse,
    Body,
    CosemAttribute,
    GetCosemRequest,
    GetCosemResponse,
    GetProcParameterResponse,
    GetProfileListRequest,
    GetProfileListResponse,
    GetProfilePackRequest,
    GetProfilePackResponse,
    ListEntry,
    Message,
    ParameterTree,
    PeriodEntry,
    ProfileHeader,
    ProfilePeriod,
    ProfileValue,
    SetCosemRequest,
    SetCosemResponse,
    SetProcParameterResponse,
    SmlTime,
    TimeKind,
    TupleEntry,
    UnknownBody,
    decode_messages,
    encode_message,
    read_messages,
)
from devices.protocols.sml.obis import parse_obis
from devices.protocols.sml.periods import TUPLE_ENERGIES

SERVER = "0b0a01484c590200 0d6be6"
EVENT_LOG = "078181c789e1ff"
INDEX_5 = "7262016500000005"
SERVER_ID = bytes.fromhex("0a01484c5902000d6be6")


def read(tag: int, content: str) -> Body:
    octets = bytes.fromhex(content)
    body, behind = read_body(tag, octets, 0)
    assert behind == len(octets)
    assert write_body(body) == octets
    return body


def test_a_profile_is_asked_for_by_path_range_and_objects() -> None:
    """lmn-wired 4.4: the event log is read as a profile list."""
    content = f"79 {SERVER} 01 01 4200 {INDEX_5} 01 71{EVENT_LOG} 72 078181c789e2ff 070100010800ff 01"
    for tag, kind in ((0x0300, GetProfilePackRequest), (0x0400, GetProfileListRequest)):
        body = read(tag, content)
        assert isinstance(body, kind)
        assert body.server_id == SERVER_ID
        assert body.with_raw_data is False
        assert body.begin == SmlTime(TimeKind.SECOND_INDEX, 5)
        assert body.end is None
        assert body.path == (bytes.fromhex("8181c789e1ff"),)
        assert body.objects == (bytes.fromhex("8181c789e2ff"), parse_obis("1.8.0"))
        assert body.details is None


def test_a_profile_list_answers_with_objects_of_one_time() -> None:
    """Status and value keep the width they came with, here shortened to three octets and one."""
    entry = "75 070100010800ff 621e 52ff 5203 01"
    body = read(0x0401, f"79 {SERVER} {INDEX_5} 6500000384 71{EVENT_LOG} {INDEX_5} 641c0104 71 {entry} 01 01")
    assert isinstance(body, GetProfileListResponse)
    assert body.period_s == 900
    assert body.status == 0x1C0104
    [register] = body.entries
    assert register == PeriodEntry(parse_obis("1.8.0"), 30, -1, 3)
    assert register.number == Decimal("0.3")


def test_a_profile_pack_is_a_table() -> None:
    header = "73 070100010800ff 621e 5200"
    line = f"74 {INDEX_5} 6900000000001c0104 72 72 5500000007 01 72 01 0355aa 01"
    body = read(0x0301, f"78 {SERVER} 01 6500000384 71{EVENT_LOG} 72 {header} {header} 71 {line} 01 01")
    assert isinstance(body, GetProfilePackResponse)
    assert body.headers == (ProfileHeader(parse_obis("1.8.0"), 30, 0),) * 2
    cells = (ProfileValue(7), ProfileValue(None, b"\x55\xaa"))
    assert body.periods == (ProfilePeriod(cells, SmlTime(TimeKind.SECOND_INDEX, 5), 0x1C0104),)


def in_tree(choice: int, element: str) -> ParameterTree:
    body = read(0x0501, f"73 {SERVER} 71{EVENT_LOG} 73 {EVENT_LOG} 72 62{choice:02x} {element} 01")
    assert isinstance(body, GetProcParameterResponse)
    return body.tree


def test_a_parameter_may_be_a_period_entry() -> None:
    assert in_tree(2, "75 070100010800ff 621e 52ff 5400002a 01").value == PeriodEntry(parse_obis("1.8.0"), 30, -1, 42)


def test_a_parameter_may_be_a_tuple_of_six_energies() -> None:
    energies = "".join(f"621e 52ff 5900000000000000{number:02x}" for number in range(1, 4))
    more = "".join(f"621e 5200 55000000{number:02x}" for number in range(4, 7))
    value = in_tree(3, f"f107 {SERVER} {INDEX_5} 64000104 {energies} 03aabb {more} 01").value
    assert isinstance(value, TupleEntry)
    assert value.signature_pa_r1_r4 == b"\xaa\xbb"
    assert value.status == 0x104
    assert [(name, str(number), unit) for name, number, unit in value.energies()] == [
        ("pa", "0.1", 30),
        ("r1", "0.2", 30),
        ("r4", "0.3", 30),
        ("ma", "4", 30),
        ("r2", "5", 30),
        ("r3", "6", 30),
    ]


def test_a_parameter_may_be_a_time_or_a_list_entry() -> None:
    assert in_tree(4, INDEX_5).value == SmlTime(TimeKind.SECOND_INDEX, 5)
    assert in_tree(4, "6500000005").value == SmlTime(TimeKind.SECOND_INDEX, 5)
    assert in_tree(5, "77 070100010800ff 01 01 621e 52ff 5302aa 01").value == ListEntry(
        parse_obis("1.8.0"), None, None, 30, -1, 0x2AA
    )


def test_a_choice_that_the_standard_does_not_know_is_kept_as_it_came() -> None:
    tree = in_tree(9, "72 6201 6202")
    assert tree.choice == 9


def test_a_tuple_with_too_few_elements_is_reported_and_kept() -> None:
    body = GetProcParameterResponse(SERVER_ID, (), ParameterTree(b"", TupleEntry(SERVER_ID)))
    wire = encode_message(Message(b"1", 0, 0, body))
    damaged = wire.replace(b"\xf1\x07", b"\xf1\x06").replace(b"\x01" * 20, b"\x01" * 19)
    found, errors = read_messages(damaged)
    assert errors
    assert all(isinstance(message.body, UnknownBody) for message in found)


def test_cosem_services_carry_object_and_attributes() -> None:
    """Types from lmn-wired 4.1, layouts assumed."""
    read_it = read(
        0x0800, f"78 01 {SERVER} 01 01 070100010800ff 530003 5300 00 72 530002 530003".replace("5300 00", "530000")
    )
    assert read_it == GetCosemRequest(parse_obis("1.8.0"), 3, 0, (2, 3), server_id=SERVER_ID)
    answer = read(0x0801, f"76 01 {SERVER} 070100010800ff 530003 530000 71 72 530002 6400002a")
    assert answer == GetCosemResponse(SERVER_ID, parse_obis("1.8.0"), 3, 0, (CosemAttribute(2, 42),))


def test_a_changed_value_that_does_not_fit_is_written_wider() -> None:
    entry = "75 070100010800ff 621e 52ff 5203 01"
    body = read(0x0401, f"79 {SERVER} 01 01 71{EVENT_LOG} 01 6201 71 {entry} 01 01")
    assert isinstance(body, GetProfileListResponse)
    changed = replace(body, status=0x1C0104, entries=(replace(body.entries[0], value=-(2**40)),))
    assert read_body(0x0401, write_body(changed), 0)[0] == changed


def test_every_message_type_of_the_sheet_has_a_coding() -> None:
    """lmn-wired 4.1."""
    pairs = [0x0100 * number + answer for number in range(1, 11) for answer in (0, 1)]
    assert sorted(SCHEMAS) == [*pairs, 0xFF01]


octets = st.binary(max_size=20)
maybe = st.none() | st.binary(min_size=1, max_size=20)
paths = st.lists(octets, max_size=3).map(tuple)
times = st.none() | st.builds(SmlTime, st.sampled_from(TimeKind), st.integers(0, 2**32 - 1))
units = st.none() | st.integers(0, 255)
scalers = st.none() | st.integers(-128, 127)
values = st.none() | st.binary(min_size=1, max_size=9) | st.booleans() | st.integers(-(2**63), 2**64 - 1)
statuses = st.none() | st.integers(0, 2**64 - 1)
seconds = st.none() | st.integers(0, 2**32 - 1)
period_entries = st.builds(PeriodEntry, octets, units, scalers, values, maybe)
tuples = st.builds(
    TupleEntry,
    octets,
    times,
    statuses,
    **{
        f"{part}_{name}": values_of
        for name in TUPLE_ENERGIES
        for part, values_of in (
            ("unit", units),
            ("scaler", scalers),
            ("value", st.none() | st.integers(-(2**63), 2**63 - 1)),
        )
    },
)
list_entries = st.builds(ListEntry, st.binary(min_size=6, max_size=6), unit=units, value=values)
trees = st.builds(ParameterTree, octets, values | times | period_entries | tuples | list_entries)
small = st.integers(-(2**15), 2**15 - 1)
numbers = st.none() | st.lists(small, max_size=3).map(tuple)
attributes = st.lists(st.builds(CosemAttribute, small, values), max_size=3).map(tuple)
range_fields = (
    paths,
    maybe,
    maybe,
    maybe,
    st.none() | st.booleans(),
    times,
    times,
    st.none() | paths,
    st.none() | trees,
)
bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(GetProfilePackRequest, *range_fields),
    st.builds(GetProfileListRequest, *range_fields),
    st.builds(
        GetProfilePackResponse,
        octets,
        paths,
        st.lists(st.builds(ProfileHeader, octets, units, scalers), max_size=3).map(tuple),
        st.lists(
            st.builds(
                ProfilePeriod,
                st.lists(st.builds(ProfileValue, values, maybe), max_size=3).map(tuple),
                times,
                statuses,
                maybe,
            ),
            max_size=3,
        ).map(tuple),
        times,
        seconds,
        maybe,
        maybe,
    ),
    st.builds(
        GetProfileListResponse,
        octets,
        paths,
        st.lists(period_entries, max_size=3).map(tuple),
        times,
        seconds,
        times,
        statuses,
        maybe,
        maybe,
    ),
    st.builds(SetProcParameterResponse, octets, paths, trees),
    st.builds(GetCosemRequest, octets, small, small, numbers, maybe, maybe, maybe, maybe),
    st.builds(GetCosemResponse, octets, octets, small, small, attributes, maybe),
    st.builds(SetCosemRequest, octets, small, small, attributes, maybe, maybe, maybe, maybe),
    st.builds(SetCosemResponse, octets, octets, small, small, numbers, maybe),
    st.builds(ActionCosemRequest, octets, small, small, small, values, maybe, maybe, maybe, maybe),
    st.builds(ActionCosemResponse, octets, octets, small, small, small, values, maybe),
)


@given(bodies)
def test_every_body_comes_back_as_it_was_written(body: Body) -> None:
    wire = encode_message(Message(b"1", 0, 0, body))
    [again] = decode_messages(wire)
    assert again.body == body
    assert encode_message(again) == wire


@pytest.mark.parametrize(
    "body",
    [
        GetProfileListResponse(SERVER_ID, (), (PeriodEntry(bytes(6), unit=256),)),
        GetProfileListResponse(SERVER_ID, (), (), period_s=2**32),
        GetCosemRequest(bytes(6), 2**15),
        GetProfilePackResponse(SERVER_ID, (), (), (ProfilePeriod("no values"),)),  # type: ignore[arg-type]
    ],
)
def test_values_without_room_are_refused_when_written(body: Body) -> None:
    with pytest.raises(SmlError):
        encode_message(Message(b"1", 0, 0, body))
