"""Dumps of real meters: the registers are those that libsml's program printed, the octets come back when written."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import pytest
from sml_dumps import VECTORS, dumps, entries, expected, printed

from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.messages import (
    GetProcParameterResponse,
    OpenResponse,
    cosem_attribute,
    cosem_name,
    encode_message,
    encode_messages,
    read_messages,
)
from devices.protocols.sml.obis import parse_obis
from devices.protocols.sml.transport import ESCAPE, FileReader, SmlFile, decode_file, encode_file, split_raw

DUMPS = dumps()
CAPTURE_B = bytes.fromhex((VECTORS / "capture_b.hex").read_text())


def files_of(dump: Path) -> list[SmlFile]:
    return [one for one in FileReader().feed(dump.read_bytes()) if isinstance(one, SmlFile)]


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_registers_are_those_that_libsml_printed(dump: Path) -> None:
    registers = [entry for file in files_of(dump) for entry in entries(file)]
    wanted = expected(dump)
    shown = [printed(entry, row[1]) if entry and row else (entry, row) for entry, row in zip_longest(registers, wanted)]
    assert shown == wanted


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_real_files_are_written_again_octet_for_octet(dump: Path) -> None:
    for file in files_of(dump):
        assert file.errors == ()
        assert [encode_message(message) in file.raw for message in file.messages] == [True] * len(file.messages)
        assert encode_file(encode_messages(file.messages)) == file.raw


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_pieces_of_any_size_give_the_same_files(dump: Path, size: int) -> None:
    octets = dump.read_bytes()
    reader = FileReader()
    found = [one for start in range(0, len(octets), size) for one in reader.feed(octets[start : start + size])]
    assert [one for one in found if isinstance(one, SmlFile)] == files_of(dump)


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_raw_files_are_cut_out_whole(dump: Path) -> None:
    octets = dump.read_bytes()
    files = split_raw(octets)
    assert [file.raw for file in files_of(dump)] == files
    assert all(file in octets for file in files)


def test_a_dump_without_a_whole_file_gives_errors_only() -> None:
    """DZG_DVS-7420 mtr1_error: no file in it comes to its end (lmn-wired 7)."""
    found = FileReader().feed((VECTORS / "DZG_DVS-7420.2V.G2_mtr1_error.bin").read_bytes())
    assert found
    assert all(isinstance(one, SmlError) for one in found)


def test_capture_b_answers_the_status_word_as_a_cosem_object() -> None:
    """lmn-wired 4.3 and 7."""
    file = decode_file(CAPTURE_B)
    assert file.errors == ()
    opening, answer, _ = (message.body for message in file.messages)
    assert isinstance(opening, OpenResponse)
    assert opening.client_id == b"ES-HDLC-Br"
    assert isinstance(answer, GetProcParameterResponse)
    name = cosem_name(parse_obis("96.5.0"), 1)
    assert answer.path == (name, cosem_attribute(2))
    assert answer.tree.name == name
    assert answer.tree.children[0].value == 0
    assert encode_file(encode_messages(file.messages)) == CAPTURE_B


GOOD = next(path for path in DUMPS if path.stem == "HOLLEY_DTZ541-BDBA_with_PIN").read_bytes()
FIRST, SECOND = split_raw(GOOD)


def test_a_damaged_file_is_an_error_with_its_offset_and_the_next_file_is_read() -> None:
    damaged = bytearray(FIRST)
    damaged[60] ^= 4
    found = FileReader().feed(b"\xff\xff" + bytes(damaged) + SECOND)
    assert [type(one) for one in found] == [SmlError, SmlError, SmlFile]
    assert isinstance(found[1], SmlError)
    assert found[1].reason == "the CRC of the file is wrong"
    assert found[1].offset == 2 + len(FIRST) - 2
    assert found[1].raw == bytes(damaged)


def test_a_cut_file_ends_where_the_next_begins() -> None:
    found = FileReader().feed(FIRST[:100] + SECOND)
    assert [type(one) for one in found] == [SmlError, SmlFile]
    assert isinstance(found[0], SmlError)
    assert found[0].offset == 100


def test_silence_gives_up_an_unfinished_file() -> None:
    reader = FileReader()
    assert reader.feed(FIRST[:100]) == []
    assert [type(one) for one in reader.idle()] == [SmlError]
    assert [type(one) for one in reader.feed(SECOND)] == [SmlFile]


def test_a_file_without_end_is_given_up_at_the_bound() -> None:
    reader = FileReader(max_file=1000)
    found = reader.feed(FIRST[:8] + bytes(5000))
    assert isinstance(found[0], SmlError)
    assert "1000" in found[0].reason
    assert len(reader._buffer) < 8
    assert [type(one) for one in reader.feed(SECOND)][-1] is SmlFile


def test_a_damaged_message_in_a_sound_file_costs_that_message_only() -> None:
    payload = bytearray(FIRST[8:-8].replace(ESCAPE + ESCAPE, ESCAPE))
    place = payload.find(b"HLY")
    payload[place] ^= 1
    [file] = FileReader().feed(encode_file(bytes(payload)))
    assert isinstance(file, SmlFile)
    assert len(file.messages) == 2
    assert [error.reason for error in file.errors] == ["the CRC of the message is wrong"]
    messages, errors = read_messages(bytes(payload))
    assert (messages, len(errors)) == (file.messages, 1)
