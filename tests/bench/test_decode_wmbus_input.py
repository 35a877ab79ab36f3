"""`smgw-bench decode wmbus` on what receivers write, on binary files, on pieces of messages and on odd CI fields."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.decode.wmbus import Request, answer_line
from bench.decode.wmbus_reading import TelegramReader
from bench.decode.wmbus_text import reading_lines
from devices.protocols.mbus.afl import split
from devices.protocols.mbus.link import Address, FrameFormat, dress
from devices.protocols.mbus.telegram_plan import TelegramPlan, frame_of, message_of
from devices.protocols.wmbus_sticks.cul import telegram_line

GAS = bytes.fromhex("2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3")
KEY = "0102030405060708090A0B0C0D0E0F11"
"""OMS Annex N (lmn-wireless 2.1, 3)."""
RTL = f"T1;1;1;2019-04-03 19:00:42.000;97;148;12345678;0x{GAS.hex()}"
WIRED = bytes.fromhex("680F0F6808017278563412931533032A000000A216")

Captured = pytest.CaptureFixture[str]


def read_file(file: Path, capsys: Captured, *options: str) -> tuple[int, list[dict[str, Any]], str]:
    code = main(["decode", "wmbus", "--json", *options, str(file)])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def answer(line: str, reader: TelegramReader | None = None, key: str | None = None) -> dict[str, Any]:
    request = Request(b"", None if key is None else bytes.fromhex(key))
    told: dict[str, Any] = json.loads(
        answer_line(reader or TelegramReader(), line.encode(), 1, request, as_json=True)[0]
    )
    return told


# --- what receivers write


@pytest.mark.parametrize(
    "line",
    [
        RTL,
        RTL.replace("T1;", "C1;"),
        telegram_line(GAS, "T1", -64.0),
        telegram_line(GAS, "T1", None),
        telegram_line(GAS, "C1B", -64.0),
        f"2020-08-10 20:40:47,,,Wireless-MBus,,12345678,,,CRC,,,,{GAS.hex()},,,",
        f"2020-08-10 20:40:47,,,Wireless-MBus,,12345678,,,CRC,,,,{dress(GAS, FrameFormat.A).hex()},,,",
        f"0x{GAS.hex()}",
    ],
)
def test_lines_of_receivers_are_read(line: str, tmp_path: Path, capsys: Captured) -> None:
    """lmn-wireless 5.5"""
    file = tmp_path / "lines.txt"
    file.write_text(line + "\r\n")
    code, (told,), err = read_file(file, capsys, "--key", KEY)
    assert (code, err, told["state"]) == (0, "", "decrypted")
    assert told["records"][0]["value"] == 28504.27
    assert main(["decode", "wmbus", "--key", KEY, line]) == 0, "as an argument, too"
    assert "28504.27" in capsys.readouterr().out


def test_two_telegrams_in_a_line_of_rtl_wmbus_are_two_answers(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "lines.txt"
    file.write_text(f"{RTL};0x{GAS.hex()}\n")
    code, told, _ = read_file(file, capsys, "--key", KEY)
    assert (code, [one["state"] for one in told]) == (0, ["decrypted", "decrypted"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (RTL.replace("T1;1;", "T1;0;"), "received with errors"),
        (RTL.replace("T1;1;1;", "T1;1;0;"), "wrong 3-of-6 symbols"),
        (telegram_line(GAS, "T1", -64.0).replace("4493", "4494"), "damaged telegram"),
        ("bY2E", "L 2E|a telegram of"),
        ("1,Wireless-MBus,12,34", "0 columns that could be a telegram"),
        ("00000000: 2e44 9315 7856 3412 3303 7a2a 0020 2559  .D..xV4.3.z*. %Y", "xxd -p"),
        ("00000000  2e 44 93 15 78 56 34 12  33 03 7a 2a 00 20 25 59  |.D..xV4.3.z*. %Y|", "xxd -p"),
    ],
)
def test_what_is_damaged_or_ambiguous_is_refused_with_a_reason(line: str, reason: str) -> None:
    assert any(one in answer(line)["error"] for one in reason.split("|"))


def test_a_telegram_wrapped_over_lines_is_refused_with_a_hint(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "wrapped.txt"
    file.write_text("\n".join(GAS.hex()[start : start + 32] for start in range(0, len(GAS) * 2, 32)))
    code, told, err = read_file(file, capsys)
    assert code == 1
    assert all("error" in one for one in told)
    assert "together they are one of 47 octets: write it on one line" in err


# --- binary files


@pytest.mark.parametrize(
    ("octets", "formats"),
    [
        (GAS, ["stripped"]),
        (dress(GAS, FrameFormat.A), ["a"]),
        (GAS * 2 + dress(GAS, FrameFormat.A) + WIRED + GAS, ["stripped", "stripped", "a", "wired", "stripped"]),
    ],
)
def test_binary_frames_are_read(octets: bytes, formats: list[str], tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "frames.bin"
    file.write_bytes(octets)
    code, told, _ = read_file(file, capsys, "--key", KEY)
    assert (code, [one["link"]["format"] for one in told]) == (0, formats)
    assert [one["records"][0]["value"] for one in told if one["link"]["format"] != "wired"] == [28504.27] * (
        len(formats) - formats.count("wired")
    )


def test_binary_frames_through_standard_input(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GAS * 3)))
    assert main(["decode", "wmbus", "--json", "--key", KEY, "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_binary_octets_that_are_no_frames_name_the_place(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "frames.bin"
    file.write_bytes(GAS + GAS[:20])
    code, _, err = read_file(file, capsys)
    assert code == 1
    assert "octet 47: taken for binary frames, but L 2E announces 46 octets, 19 follow" in err


# --- messages in pieces


PLAN = TelegramPlan(
    0x44,
    Address("ELS", "12345678", 0x33, 3),
    bytes.fromhex("0C1427048502046D32371F1502FD170000"),
    profile="B",
    key=bytes.fromhex(KEY),
    counter=7,
)
PIECES = [frame_of(PLAN, *piece).hex() for piece in split(*message_of(PLAN), 30)]


def test_pieces_of_a_message_are_put_together_in_a_stream() -> None:
    reader = TelegramReader()
    assert len(PIECES) >= 2
    for number, piece in enumerate(PIECES[:-1], 1):
        told = answer(piece, reader, KEY)
        assert told["trouble"] == f"piece {number} of a message, more must follow"
        assert told["records"] == []
    told = answer(PIECES[-1], reader, KEY)
    assert (told["state"], told["mac_valid"], told["trouble"]) == ("decrypted", True, "")
    assert told["note"] == f"put together from {len(PIECES)} pieces"
    assert told["records"][0]["value"] == 28504.27


def test_a_piece_without_those_before_it_is_not_read() -> None:
    told = answer(PIECES[-1], None, KEY)
    assert (told["records"], told["state"]) == ([], "encrypted")
    assert "in place of the first piece" in told["trouble"]


def test_pieces_of_two_meters_do_not_mix() -> None:
    other = replace(PLAN, address=Address("ELS", "87654321", 0x33, 3))
    others = [frame_of(other, *piece).hex() for piece in split(*message_of(other), 30)]
    reader = TelegramReader()
    told = [answer(piece, reader, KEY) for pair in zip(PIECES, others, strict=True) for piece in pair]
    assert [one["state"] for one in told[-2:]] == ["decrypted", "decrypted"]


# --- odd CI fields


def telegram(rest: str) -> str:
    body = "44EE4D813929271608" + rest
    return f"{len(body) // 2:02X}{body}"


@pytest.mark.parametrize(
    ("rest", "octets", "word"),
    [
        ("FF0102", "0102", "not known here"),
        ("B80102", "0102", "not known here"),
        ("0105", "05", "not known here"),
        ("6E0100000007", "07", "application error"),
        ("7005", "05", "application error"),
        ("7108", "08", "alarm"),
        ("C3112233445566778801000000AA", "AA", "security information transfer"),
        ("7931", "31", "compact frame is cut"),
    ],
)
def test_what_is_behind_a_ci_field_that_is_not_read_is_kept_and_told(rest: str, octets: str, word: str) -> None:
    told = answer(telegram(rest))
    assert told["not_read"] == octets
    assert word in told["trouble"]
    assert f"not read  {octets}" in reading_lines(TelegramReader().read(bytes.fromhex(telegram(rest))))


@pytest.mark.parametrize("ci", ["A0", "A2", "B7"])
def test_behind_a_makers_ci_field_all_is_the_makers(ci: str) -> None:
    told = answer(telegram(ci + "010203"))
    assert (told["manufacturer_data"], told["trouble"], "not_read" in told) == ("010203", "", False)


def test_a_transport_layer_alone_is_no_trouble() -> None:
    assert answer(telegram("8A01000000"))["trouble"] == ""


# --- text


def test_long_data_is_folded_and_nothing_is_lost() -> None:
    raw = bytes(range(100)).hex().upper()
    body = f"4493157856341233037804130100000006130100000000000DFD3B{0xE0 + 15:02X}{raw[:30]}"
    lines = reading_lines(TelegramReader().read(bytes.fromhex(f"{len(body) // 2:02X}{body}")))
    assert any(raw[:30] in line for line in lines)
    assert all(len(line) <= 160 for line in lines)
