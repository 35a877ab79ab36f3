"""What FRMR says and what SNRM and UA negotiate (lmn-wired 1.7), judged by answers of DLMS meters."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.hdlc import HdlcError
from devices.protocols.hdlc_fields import FrameReject, LinkParameters, RejectCause

DLMS = Path(__file__).parents[1] / "vectors" / "hdlc" / "dlms_frames.txt"
BLOCKS = [bytes.fromhex(line.split()[2])[9:-3] for line in DLMS.read_text().splitlines() if line.startswith("UA")]

sizes = st.none() | st.integers(1, 0xFFFF_FFFF)
windows = st.none() | st.integers(1, 7)
parameters = st.builds(LinkParameters, sizes, sizes, windows, windows)


@pytest.mark.parametrize(
    ("block", "said"),
    [(BLOCKS[0], LinkParameters(0x9A, 0x9A, 1, 1)), (BLOCKS[1], LinkParameters(0x3F2, 0x3F2, 1, 1))],
    ids=["one octet", "two octets"],
)
def test_what_meters_negotiate_is_read_and_written_octet_for_octet(block: bytes, said: LinkParameters) -> None:
    """The UA of the dlms-cosem tests and one of a Kamstrup meter (lmn-wired 7)."""
    assert LinkParameters.from_bytes(block) == said
    assert said.to_bytes() == block


def test_the_block_is_that_of_the_fact_sheet() -> None:
    """lmn-wired 1.7: 81 80 12, then 05 01, 06 01, 07 04 and 08 04."""
    assert LinkParameters(0x80, 0x80, 1, 1).to_bytes().hex() == "818012050180060180070400000001080400000001"


@given(parameters)
def test_every_block_comes_back_as_it_was_written(said: LinkParameters) -> None:
    assert LinkParameters.from_bytes(said.to_bytes()) == said


def test_a_block_may_leave_out_values_and_have_others() -> None:
    assert LinkParameters.from_bytes(bytes.fromhex("818000")) == LinkParameters()
    block = bytes.fromhex("81800b 0602 0100 0902 0001 0801 07".replace(" ", ""))
    assert LinkParameters.from_bytes(block) == LinkParameters(None, 0x100, None, 7)


@pytest.mark.parametrize(
    ("block", "offset", "reason"),
    [
        ("", 0, "begins with 81 80"),
        ("8080", 0, "begins with 81 80"),
        ("818005050180", 2, "says 5 octets, here are 3"),
        ("81800105", 4, "does not have 1 to 4"),
        ("8180020500", 4, "does not have 1 to 4"),
        ("818003050280", 4, "does not have 1 to 4"),
        ("81800705050000000001", 4, "does not have 1 to 4"),
        ("818003050100", 5, "parameter 5 cannot be 0"),
        ("818003070108", 5, "parameter 7 cannot be 8"),
        ("818006050180050180", 6, "parameter 5 is there twice"),
    ],
)
def test_a_block_that_makes_no_sense_is_refused_where_it_makes_none(block: str, offset: int, reason: str) -> None:
    with pytest.raises(HdlcError, match=reason) as problem:
        LinkParameters.from_bytes(bytes.fromhex(block))
    assert problem.value.offset == offset


@pytest.mark.parametrize("wrong", [LinkParameters(0), LinkParameters(1 << 32), LinkParameters(window_sent=8)])
def test_values_without_room_are_not_written(wrong: LinkParameters) -> None:
    with pytest.raises(HdlcError, match="cannot be"):
        wrong.to_bytes()


def test_an_end_does_what_both_can() -> None:
    own, other = LinkParameters(1024, 512, 7, 3), LinkParameters(600, 128, None, 2)
    assert own.within(other) == LinkParameters(128, 512, 2, 3)
    assert LinkParameters().within(LinkParameters()) == LinkParameters()


@given(parameters, parameters)
def test_what_one_may_send_the_other_takes(own: LinkParameters, other: LinkParameters) -> None:
    here, there = own.within(other), other.within(own)
    assert (here.information_sent, here.window_sent) == (there.information_received, there.window_received)
    assert (here.information_received, here.window_received) == (there.information_sent, there.window_sent)


def test_frmr_has_the_layout_of_the_standard() -> None:
    """Control octet; NR, C/R, NS, 0; then 0000 z y x w: RR with NR=5 while 1 is next, 2 awaited."""
    field = FrameReject(0xB1, 1, 2, RejectCause.BAD_NUMBER)
    assert field.to_bytes().hex() == "b14208"
    assert str(field) == "RR NR=5: bad number"
    answer = FrameReject(0xBF, 7, 7, RejectCause.UNKNOWN_CONTROL | RejectCause.FORBIDDEN_INFORMATION, response=True)
    assert answer.to_bytes().hex() == "bffe03"
    assert str(answer) == "unknown control octet BF: unknown control, forbidden information"
    assert str(FrameReject(0x10)) == "I NS=0 NR=0: no cause given"


@given(st.integers(0, 255), st.integers(0, 7), st.integers(0, 7), st.integers(0, 15), st.booleans())
def test_every_frmr_comes_back_as_it_was_written(control: int, ns: int, nr: int, cause: int, response: bool) -> None:
    field = FrameReject(control, ns, nr, RejectCause(cause), response)
    assert FrameReject.from_bytes(field.to_bytes()) == field
    assert str(field)


@pytest.mark.parametrize(("octets", "offset"), [("", 0), ("b142", 2), ("b1420800", 4), ("b14308", 1), ("b14210", 2)])
def test_what_is_no_frmr_field_is_refused(octets: str, offset: int) -> None:
    with pytest.raises(HdlcError) as problem:
        FrameReject.from_bytes(bytes.fromhex(octets))
    assert problem.value.offset == offset


@pytest.mark.parametrize("wrong", [FrameReject(256), FrameReject(0, 8), FrameReject(0, 0, -1)])
def test_an_frmr_without_room_is_not_written(wrong: FrameReject) -> None:
    with pytest.raises(HdlcError, match="too large"):
        wrong.to_bytes()


@given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda rest: bytes((0x81, 0x80, len(rest))) + rest))
def test_any_octets_are_a_field_or_an_hdlc_error(octets: bytes) -> None:
    for read in (FrameReject.from_bytes, LinkParameters.from_bytes):
        try:
            read(octets)
        except HdlcError as problem:
            assert 0 <= problem.offset <= len(octets)
