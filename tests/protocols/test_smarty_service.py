"""The service protocol against what the maker's trace shows (lmn-wired 2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.protocols.hdlc import Frame, Selector
from devices.protocols.smarty_service import (
    COMMANDS,
    MAX_DATA,
    REFUSALS,
    SELECTOR,
    Answer,
    Command,
    CrcOrder,
    MeterIdentity,
    Refusal,
    Refused,
    Request,
    SmartyError,
)
from devices.protocols.smarty_update import (
    BLOCK_OCTETS,
    ImageChecks,
    Progress,
    Stage,
    Verdict,
    block_data,
    read_begin,
    read_block,
)

NUMBER = "1SAG0021061001"


@pytest.mark.parametrize(
    ("command", "message", "control", "hcs", "fcs"),
    [(0x11, "000311EDAC", "10", "50EA", "7340"), (0x12, "000312DF37", "32", "40E8", "5F00")],
)
def test_the_two_requests_of_the_trace(command: int, message: str, control: str, hcs: str, fcs: str) -> None:
    assert Request(command).to_bytes() == bytes.fromhex(message)
    row = bytes.fromhex(f"7E A010 CCE1 02E1 {control} {hcs} {message} {fcs} 7E")
    frame = Frame.from_bytes(row)
    assert (frame.selector, frame.information) == (SELECTOR, bytes.fromhex(message))
    assert frame.to_bytes() == row
    assert Request.from_bytes(frame.information) == Request(command)


def test_the_selector_is_that_of_the_bus() -> None:
    assert Selector(SELECTOR) == 0x70


def test_the_identity_has_the_length_of_row_8() -> None:
    answer = Answer(Command.IDENTITY, MeterIdentity(NUMBER).to_bytes()).to_bytes()
    assert answer[:5] == bytes.fromhex("80 1C 11 44 4E"), "row 8 begins like that"
    assert len(answer) == 30, "30 octets of information in a frame of 29 hex"
    assert MeterIdentity.from_bytes(Answer.from_bytes(answer).data) == MeterIdentity(NUMBER)


@pytest.mark.parametrize(
    "data",
    [
        b"DN" + bytes(23),
        b"DNT" + bytes(range(0x80, 0x96)),
        b"DNX" + NUMBER.encode() + b"BZPLUSV2",
        b"DNTSomething else     V2\0",
        b"DNT" + NUMBER.encode() + b"\x01BZPLUS2",
    ],
)
def test_an_identity_with_other_contents_is_kept_as_it_came(data: bytes) -> None:
    """The trace shows 25 octets that begin with DN, and no more (lmn-wired 2)."""
    identity = MeterIdentity.from_bytes(data)
    assert (identity.number, identity.meter_type, identity.raw) == ("", "", data)
    assert identity.to_bytes() == data


@pytest.mark.parametrize(("data", "reason"), [(b"DNT" + bytes(21), "24 octets"), (b"EN" + bytes(23), "begins with DN")])
def test_an_identity_of_another_length_or_begin_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(SmartyError, match=reason):
        MeterIdentity.from_bytes(data)


def test_the_version_has_the_length_of_row_12() -> None:
    answer = Answer(Command.FIRMWARE_VERSION, b"ENSO-MME V2.0").to_bytes()
    assert answer[:5] == bytes.fromhex("80 10 12 45 4E")
    assert len(answer) == 18


def test_the_inner_check_can_be_switched_to_low_octet_first() -> None:
    message = Request(0x11).to_bytes(CrcOrder.LOW_FIRST)
    assert message == bytes.fromhex("000311ACED")
    assert Request.from_bytes(message, CrcOrder.LOW_FIRST).command == Command.IDENTITY
    with pytest.raises(SmartyError, match="inner check"):
        Request.from_bytes(message)


def test_only_the_two_commands_of_the_trace_are_not_assumed() -> None:
    assert set(COMMANDS) == set(Command)
    assert {command for command, facts in COMMANDS.items() if not facts.assumed} == {0x11, 0x12}
    assert set(REFUSALS) == set(Refusal)


@pytest.mark.parametrize(
    ("message", "reason", "offset"),
    [
        ("", "0 octets", 0),
        ("0003", "2 octets", 2),
        ("800311EDAC", "begins with 00", 0),
        ("000411EDAC", "length 4", 1),
        ("000311EDAD", "check", 3),
        ("000311EDAC00", "length 3", 1),
    ],
)
def test_a_damaged_request_is_told_with_its_place(message: str, reason: str, offset: int) -> None:
    with pytest.raises(SmartyError, match=reason) as error:
        Request.from_bytes(bytes.fromhex(message))
    assert error.value.offset == offset


def test_more_data_than_the_length_counts_is_refused() -> None:
    assert len(Request(0x32, bytes(MAX_DATA)).to_bytes()) == 257
    with pytest.raises(SmartyError, match="253 octets of data"):
        Request(0x32, bytes(MAX_DATA + 1)).to_bytes()


def test_a_refusal_travels_as_an_answer() -> None:
    refused = Refused(Command.UPDATE_BLOCK, Refusal.WRONG_OFFSET, 4960)
    answer = Answer.from_bytes(refused.to_answer().to_bytes())
    assert answer.refused == refused
    assert str(refused) == "command 32: the block does not follow the last one"
    assert Answer(Command.IDENTITY).refused is None


def test_progress_and_blocks_travel_whole() -> None:
    checks = ImageChecks(Verdict.OK, Verdict.NOK, Verdict.OK, Verdict.NOT_CHECKED)
    progress = Progress(Stage.REJECTED, 5000, 70_000, checks, (99, 99))
    assert Progress.from_bytes(progress.to_bytes()) == progress
    assert checks.failed == ("suits",)
    assert not checks.good
    assert read_block(block_data(248, b"abc")) == (248, b"abc")
    assert len(block_data(0, bytes(BLOCK_OCTETS))) == MAX_DATA
    for wrong in (b"", bytes(BLOCK_OCTETS + 1)):
        with pytest.raises(SmartyError):
            block_data(0, wrong)


READERS = {
    "request": Request.from_bytes,
    "answer": lambda data: Answer.from_bytes(data).refused,
    "identity": MeterIdentity.from_bytes,
    "progress": Progress.from_bytes,
    "refusal": Refused.from_bytes,
    "begin": read_begin,
    "block": read_block,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@given(data=st.binary(max_size=300))
def test_any_octets_are_read_or_refused_in_one_way(reader: object, data: bytes) -> None:
    assert callable(reader)
    try:
        reader(data)
    except SmartyError as error:
        assert 0 <= error.offset <= len(data)


@given(st.integers(0, 255), st.binary(max_size=MAX_DATA), st.sampled_from(CrcOrder))
def test_every_message_comes_back(command: int, data: bytes, order: CrcOrder) -> None:
    for kind in (Request, Answer):
        message = kind(command, data)
        assert kind.from_bytes(message.to_bytes(order), order) == message


@given(st.binary(max_size=40), st.integers(0, 44), st.integers(1, 255))
def test_no_single_wrong_octet_goes_unseen(data: bytes, place: int, wrong: int) -> None:
    message = bytearray(Request(0x32, data).to_bytes())
    message[place % len(message)] ^= wrong
    with pytest.raises(SmartyError):
        Request.from_bytes(bytes(message))
