"""HDLC frames of the wired LMN, judged by a vendor's trace, a wire capture and DLMS frames (lmn-wired 1, 2, 7)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.crc import x25
from devices.protocols.hdlc import (
    ALL_STATIONS,
    GATEWAY,
    MAX_INFORMATION,
    Control,
    Frame,
    FrameKind,
    FrameReader,
    HdlcError,
    Selector,
    StationRecord,
    decode_records,
    same_id,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "hdlc"
CAPTURE_A = bytes.fromhex((VECTORS / "capture_a.hex").read_text())

ROWS = [line.split() for line in (VECTORS / "trace.txt").read_text().splitlines() if not line.startswith("#")]

DLMS = [line.split() for line in (VECTORS / "dlms_frames.txt").read_text().splitlines() if not line.startswith("#")]

controls = st.integers(0, 255).map(Control.from_octet)
addresses = st.integers(0, 0x7F)
frames = st.builds(Frame, addresses, addresses, addresses, controls, st.binary(max_size=MAX_INFORMATION), st.booleans())


def test_crc_has_the_check_value_of_the_standard() -> None:
    assert x25(b"123456789") == 0x906E
    assert x25(memoryview(b"123456789")) == x25(bytearray(b"123456789")) == 0x906E


def test_crc_agrees_with_frames_of_dlms() -> None:
    lines = (VECTORS / "dlms.txt").read_text().splitlines()
    for content, check in (line.split() for line in lines if not line.startswith("#")):
        assert x25(bytes.fromhex(content)).to_bytes(2, "little") == bytes.fromhex(check)


@pytest.mark.parametrize(("kind", "header", "octets"), DLMS, ids=[f"{row[0]} {len(row[2]) // 2}" for row in DLMS])
def test_frames_of_dlms_have_our_checks_and_control_octets(kind: str, header: str, octets: str) -> None:
    """DLMS has other addresses, but the same check sequences, control octets and format field (lmn-wired 7)."""
    frame, place = bytes.fromhex(octets), int(header) + 1
    assert Control.from_octet(frame[place - 1]).kind is FrameKind(kind)
    assert x25(frame[1:place]).to_bytes(2, "little") == frame[place : place + 2]
    assert x25(frame[1:-3]).to_bytes(2, "little") == frame[-3:-1]
    assert (frame[1] << 8 | frame[2]) & 0x7FF == len(frame) - 2


@pytest.mark.parametrize(("row", "header", "check", "printed"), ROWS, ids=[f"row {row[0]}" for row in ROWS])
def test_headers_of_the_trace_have_the_printed_check_sequence(row: str, header: str, check: str, printed: str) -> None:
    """[BZ] 5.2.1: seven rows agree in all digits, the others in all but digits that look alike (lmn-wired 2)."""
    assert x25(bytes.fromhex(header)).to_bytes(2, "little").hex().upper() == check
    if row in {"1", "4", "5", "8", "9", "10", "14"}:
        assert check == printed


def frame_of(destination: int, source: int, selector: int, kind: FrameKind, ns: int, nr: int, octets: int) -> Frame:
    return Frame(destination, source, selector, Control(kind, True, ns, nr), bytes(octets))


TRACE = [
    (1, frame_of(ALL_STATIONS, GATEWAY, 1, FrameKind.UI, 0, 0, 0)),
    (2, frame_of(GATEWAY, 0x66, 1, FrameKind.UI, 0, 0, 32)),
    (3, frame_of(0x66, GATEWAY, 0x70, FrameKind.SNRM, 0, 0, 0)),
    (4, frame_of(GATEWAY, 0x66, 0x70, FrameKind.UA, 0, 0, 0)),
    (5, frame_of(0x66, GATEWAY, 0x70, FrameKind.I, 0, 0, 5)),
    (6, frame_of(GATEWAY, 0x66, 0x70, FrameKind.RR, 0, 1, 0)),
    (7, frame_of(0x66, GATEWAY, 0x70, FrameKind.RR, 0, 0, 0)),
    (8, frame_of(GATEWAY, 0x66, 0x70, FrameKind.I, 0, 1, 30)),
    (9, frame_of(0x66, GATEWAY, 0x70, FrameKind.I, 1, 1, 5)),
    (10, frame_of(GATEWAY, 0x66, 0x70, FrameKind.RR, 0, 2, 0)),
    (11, frame_of(0x66, GATEWAY, 0x70, FrameKind.RR, 0, 1, 0)),
    (12, frame_of(GATEWAY, 0x66, 0x70, FrameKind.I, 1, 2, 18)),
    (13, frame_of(0x66, GATEWAY, 0x70, FrameKind.RR, 0, 2, 0)),
    (14, frame_of(GATEWAY, 0x66, 0x70, FrameKind.RR, 0, 2, 0)),
]


@pytest.mark.parametrize(("row", "frame"), TRACE, ids=[f"row {row}" for row, _ in TRACE])
def test_frames_of_the_trace_are_written_with_the_header_of_the_trace(row: int, frame: Frame) -> None:
    header, check = ROWS[row - 1][1:3]
    octets = frame.to_bytes()
    assert octets[1:8].hex().upper() == header
    assert octets[8:10].hex().upper() == check
    assert Frame.from_bytes(octets) == frame


def test_an_invitation_to_nobody_is_the_frame_of_the_trace() -> None:
    """[BZ] 5.2.1 row 1; with an empty list there is no information field (lmn-wired 1.5)."""
    frame = Frame(ALL_STATIONS, GATEWAY, Selector.ADDRESSING, Control(FrameKind.UI))
    assert frame.to_bytes().hex() == "7ea009fe03020313842a7e"


def test_capture_a_is_read_and_written_octet_for_octet() -> None:
    frame = Frame.from_bytes(CAPTURE_A)
    assert (frame.destination, frame.source, frame.selector) == (0x44, GATEWAY, Selector.TLS_COSEM)
    assert frame.control == Control(FrameKind.I, True, 0, 0)
    assert frame.information[:3] == bytes.fromhex("160301")
    assert frame.to_bytes() == CAPTURE_A


@pytest.mark.parametrize(
    ("octet", "control"),
    [
        (0x93, Control(FrameKind.SNRM)),
        (0x73, Control(FrameKind.UA)),
        (0x53, Control(FrameKind.DISC)),
        (0x1F, Control(FrameKind.DM)),
        (0x97, Control(FrameKind.FRMR)),
        (0x13, Control(FrameKind.UI)),
        (0x03, Control(FrameKind.UI, poll=False)),
        (0x52, Control(FrameKind.I, ns=1, nr=2)),
        (0x51, Control(FrameKind.RR, nr=2)),
        (0x35, Control(FrameKind.RNR, nr=1)),
    ],
)
def test_control_octets_are_those_of_the_fact_sheet(octet: int, control: Control) -> None:
    """lmn-wired 1.3."""
    assert control.octet == octet
    assert Control.from_octet(octet) == control


def test_a_damaged_header_and_a_damaged_content_are_told_apart() -> None:
    for place, reason, offset in ((3, "header check", 8), (20, "frame check", len(CAPTURE_A) - 3)):
        octets = bytearray(CAPTURE_A)
        octets[place] ^= 0x10
        with pytest.raises(HdlcError, match=reason) as problem:
            Frame.from_bytes(bytes(octets))
        assert problem.value.offset == offset


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "too few"),
        (b"\x00" + CAPTURE_A[1:], "no opening flag"),
        (b"\x7e\xb0" + CAPTURE_A[2:], "not of type 3"),
        (CAPTURE_A[:-1], "length field"),
        (CAPTURE_A[:-1] + b"\x00", "no closing flag"),
    ],
)
def test_what_is_no_frame_is_refused_with_a_reason(octets: bytes, reason: str) -> None:
    with pytest.raises(HdlcError, match=reason):
        Frame.from_bytes(octets)


def test_values_without_room_are_refused_when_written() -> None:
    ui = Control(FrameKind.UI)
    for frame in (
        Frame(0x80, 1, 1, ui),
        Frame(1, -1, 1, ui),
        Frame(1, 1, 0x80, ui),
        Frame(1, 1, 1, ui, bytes(MAX_INFORMATION + 1)),
        Frame(1, 1, 1, Control(FrameKind.RR, nr=8)),
    ):
        with pytest.raises(HdlcError):
            frame.to_bytes()


def sealed(content: bytes) -> bytes:
    return b"\x7e" + content + x25(content).to_bytes(2, "little") + b"\x7e"


def test_every_control_octet_can_be_read_and_written() -> None:
    """lmn-wired 1.3: 128 of I, 16 each of RR and RNR, 12 without numbers; the others are kept as they came."""
    read = [Control.from_octet(octet) for octet in range(256)]
    assert [control.octet for control in read] == list(range(256))
    assert sum(control.kind is FrameKind.UNKNOWN for control in read) == 256 - 128 - 2 * 16 - 12
    assert all(control.poll == bool(control.octet & 0x10) for control in read)
    for nonsense in (-1, 256):
        with pytest.raises(HdlcError, match="is no octet"):
            Control.from_octet(nonsense)


def test_a_good_frame_with_an_unknown_control_octet_is_a_frame() -> None:
    """lmn-wired 1.7: a meter answers it, so it has to be told from a damaged one. BF would be XID."""
    octets = sealed(bytes.fromhex("A009CC070207BF"))
    (frame,) = FrameReader().feed(octets)
    assert isinstance(frame, Frame)
    assert frame.control == Control(FrameKind.UNKNOWN, True, raw=0xBF)
    assert "BF" in str(frame)
    assert frame.to_bytes() == octets


@pytest.mark.parametrize(("raw", "poll"), [(0x93, True), (0xBF, False), (0x1BF, True), (0, False)])
def test_an_unknown_control_octet_that_is_a_known_one_is_not_written(raw: int, poll: bool) -> None:
    with pytest.raises(HdlcError, match="no unknown control octet"):
        _ = Control(FrameKind.UNKNOWN, poll, raw=raw).octet


def test_frames_with_different_selectors_or_short_addresses_are_refused() -> None:
    with pytest.raises(HdlcError, match="selectors"):
        Frame.from_bytes(sealed(bytes.fromhex("A009FE03020513")))
    with pytest.raises(HdlcError, match="two octets each"):
        Frame.from_bytes(sealed(bytes.fromhex("A009FF03020313")))


def test_one_flag_may_close_and_open() -> None:
    assert len(FrameReader().feed(CAPTURE_A + CAPTURE_A[1:] + CAPTURE_A)) == 3


def test_the_reader_goes_on_behind_a_damaged_frame() -> None:
    """lmn-wired 1.2: on a bad frame scan for the next flag followed by an octet with high nibble A."""
    damaged = bytearray(CAPTURE_A)
    damaged[40] ^= 1
    stream = b"\x00\xff" + CAPTURE_A + bytes(damaged) + CAPTURE_A
    found = FrameReader().feed(stream)
    assert [type(one) for one in found] == [HdlcError, Frame, HdlcError, Frame]
    assert isinstance(found[2], HdlcError)
    assert found[2].offset == 2 + 2 * len(CAPTURE_A) - 3


def test_a_false_length_costs_no_following_frame() -> None:
    liar = bytearray(CAPTURE_A)
    liar[1:3] = b"\xa7\xff"
    reader = FrameReader()
    found = reader.feed(bytes(liar) + CAPTURE_A)
    assert isinstance(found[0], HdlcError)
    assert isinstance(found[-1], Frame)


def test_silence_gives_up_a_cut_frame_and_finds_what_it_hid() -> None:
    whole = Frame(5, 1, 3, Control(FrameKind.I), CAPTURE_A + bytes(600)).to_bytes()
    reader = FrameReader()
    assert reader.feed(whole[:300]) == []
    found = reader.idle()
    assert isinstance(found[0], HdlcError)
    assert found[1] == Frame.from_bytes(CAPTURE_A)
    assert reader.feed(CAPTURE_A) == [Frame.from_bytes(CAPTURE_A)]


def test_a_reader_refuses_frames_longer_than_it_was_told() -> None:
    found = FrameReader(max_frame=100).feed(CAPTURE_A)
    assert isinstance(found[0], HdlcError)
    assert "100" in found[0].reason


@given(frames)
def test_every_frame_comes_back_as_it_was_written(frame: Frame) -> None:
    assert Frame.from_bytes(frame.to_bytes()) == frame


@given(st.lists(frames, max_size=5), st.integers(1, 40))
def test_pieces_of_any_size_give_the_same_frames(sent: list[Frame], size: int) -> None:
    stream = b"".join(frame.to_bytes() for frame in sent)
    reader = FrameReader()
    found = [one for start in range(0, len(stream), size) for one in reader.feed(stream[start : start + size])]
    assert found == sent


@given(st.lists(st.one_of(st.binary(max_size=60), frames.map(Frame.to_bytes)), max_size=6))
def test_any_octets_give_frames_or_errors_and_leave_little_behind(pieces: list[bytes]) -> None:
    reader = FrameReader()
    for piece in pieces:
        assert all(isinstance(one, Frame | HdlcError) for one in reader.feed(piece))
        assert len(reader._buffer) <= 2049
    reader.idle()
    assert len(reader._buffer) <= 1
    assert Frame.from_bytes(CAPTURE_A) in reader.feed(b"\x00" * 4 + CAPTURE_A)


@given(st.binary(max_size=64))
def test_any_octets_are_a_frame_or_an_hdlc_error(octets: bytes) -> None:
    for read in (Frame.from_bytes, StationRecord.from_bytes, decode_records):
        try:
            read(octets)
        except HdlcError as problem:
            assert 0 <= problem.offset <= len(octets) + 8


def test_a_station_record_has_the_layout_of_the_fact_sheet() -> None:
    """lmn-wired 1.5; row 2 of the trace begins with 66 00 0A 01 53."""
    server = bytes.fromhex("0a01534147000141 5d89")
    record = StationRecord(0x66, 0, server, server, 0)
    octets = record.to_bytes()
    assert len(octets) == 32
    assert octets[:5].hex() == "66000a0153"
    assert octets[16:26] == server
    assert decode_records(octets * 3) == [record] * 3
    assert record.ids == octets[2:]


def test_a_record_keeps_ids_of_14_octets() -> None:
    record = StationRecord(3, 1, b"ABCDEFGHIJKLMN", b"")
    assert StationRecord.from_bytes(record.to_bytes()) == record


@pytest.mark.parametrize(
    "octets", [b"1001185", bytes.fromhex("06454d4801027153c8c6"), bytes.fromhex("01a815986480020102")]
)
def test_an_id_of_another_form_is_known_again_behind_its_filling(octets: bytes) -> None:
    """Ids of older meters do not count their octets; a record fills them up (lmn-wired 1.5)."""
    read = StationRecord.from_bytes(StationRecord(3, 1, octets).to_bytes()).device_id
    assert same_id(read, octets) and same_id(octets, read)
    assert not same_id(read, octets[:-1] + b"\xff")


def test_parts_of_a_record_are_refused() -> None:
    with pytest.raises(HdlcError):
        decode_records(bytes(33))
    with pytest.raises(HdlcError):
        StationRecord(3, 1, bytes(15)).to_bytes()
    with pytest.raises(HdlcError):
        StationRecord(0x80, 1, bytes(10)).to_bytes()
