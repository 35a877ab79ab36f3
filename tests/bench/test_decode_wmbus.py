"""`smgw-bench decode wmbus`: telegrams of radio meters explained, on other people's octets."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cli import main
from bench.decode.wmbus import MAX_LINE, Request, answer_line
from bench.decode.wmbus_reading import FORMS, TelegramReader
from devices.protocols.mbus import wired
from devices.protocols.mbus.errors import FrameError

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "tests" / "vectors" / "wmbus" / "published.txt"
ROWS = [line.split() for line in PUBLISHED.read_text().splitlines() if not line.startswith("#")]
COLLECTION = ROOT.parent / "shared" / "data" / "wmbus" / "telegrams.jsonl"
FORM, KEY, TELEGRAM = ROWS[0]
MODE_7 = ROWS[6]

COMPACT = "21442D2C776655441B168D2079CC8C3A20F4307912C40DFF00002F4E00003D010203"
"""A compact frame of a water meter of the public data set, already in the clear; its format is well known."""

Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    code = main(["decode", "wmbus", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def explained(capsys: Captured, *arguments: str) -> dict[str, Any]:
    code, out, err = run(capsys, "--json", *arguments)
    assert (code, out.count("\n"), err) == (0, 1, "")
    told: dict[str, Any] = json.loads(out, parse_float=Decimal)
    return told


def answers(*lines: object) -> list[dict[str, Any]]:
    reader = TelegramReader()
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return [
        json.loads(answer_line(reader, text.encode(), number, Request(b""), as_json=True)[0])
        for number, text in enumerate(texts, 1)
    ]


def fed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_the_gas_meter_of_annex_n_is_explained(capsys: Captured) -> None:
    """lmn-wireless 3: 28504.27 m3, 2008-05-31 23:50, error flags 0."""
    told = explained(capsys, "--key", KEY, TELEGRAM)
    assert (told["security"], told["state"], told["trouble"]) == ("mode5", "decrypted", "")
    link = {"c": "44", "manufacturer": "ELS", "id": "12345678", "version": 51, "type": 3}
    assert told["link"].items() >= link.items()
    assert told["header"].items() >= {"ci": "7A", "header": "short", "acc": 42, "status": "00", "cf": "2520"}.items()
    assert [(row["value"], row["unit"]) for row in told["records"]] == [
        (Decimal("28504.27"), "m3"),
        ("2008-05-31 23:50", None),
        (0, None),
    ]
    assert told["records"][0].items() >= {"dib": "0C", "vib": "14", "func": "inst", "storage": 0, "tariff": 0}.items()
    assert "mac_valid" not in told
    assert told["manufacturer_data"] is None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[2][:12]}")
def test_every_published_telegram_is_read_with_its_key_alone(row: list[str], capsys: Captured) -> None:
    told = explained(capsys, "--key", row[1], row[2])
    assert told["state"] == "decrypted"
    assert told["records"]
    assert told["link"]["format"] == row[0]


def test_a_mac_that_is_there_is_judged(capsys: Captured) -> None:
    """lmn-wireless 3, mode 7."""
    told = explained(capsys, "--key", MODE_7[1], MODE_7[2])
    assert (told["security"], told["mac_valid"], told["counter"]) == ("mode7", True, 2739)
    assert told["records"][0]["value"] == Decimal("28504.27")
    wrong = MODE_7[2][:-2] + "00"
    code, out, err = run(capsys, "--json", "--key", MODE_7[1], wrong)
    told = json.loads(out)
    assert (code, told["mac_valid"], told["records"], told["state"]) == (0, False, [], "failed")
    assert told["trouble"]
    assert told["trouble"] in err


def test_without_key_the_trouble_says_so(capsys: Captured) -> None:
    code, out, err = run(capsys, "--json", TELEGRAM)
    told = json.loads(out)
    assert (code, told["state"], told["records"]) == (0, "encrypted", [])
    assert "key" in told["trouble"]
    assert "key" in err


def test_a_wrong_key_is_told(capsys: Captured) -> None:
    code, out, _ = run(capsys, "--json", "--key", "00" * 16, TELEGRAM)
    told = json.loads(out)
    assert (code, told["state"], told["records"]) == (0, "failed", [])
    assert told["trouble"]


def test_a_payload_that_is_already_in_clear_is_read_and_said_to_be(capsys: Captured) -> None:
    """A replay aid for recordings that somebody decrypted (lmn-wireless 7, trap 2)."""
    clear = TELEGRAM[:30] + "2F2F0C1427048502046D32371F1502FD1700002F2F2F2F2F2F2F2F2F2F2F2F2F"
    told = explained(capsys, clear)
    assert (told["security"], told["state"], len(told["records"])) == ("mode5", "already in clear", 3)
    assert "already in clear" in told["note"]
    code, out, _ = run(capsys, "--json", "--key", KEY, clear)
    assert (code, json.loads(out)["state"]) == (0, "failed")


def test_two_last_octets_prove_no_check_sequence(capsys: Captured) -> None:
    """lmn-wireless 7, trap 1: a stripped telegram whose end looks like the CRC of format B is not cut."""
    from devices.protocols.mbus.crc import crc

    body = bytes.fromhex("449315785634123303 7A2A000000 04130000".replace(" ", ""))
    head = bytes((len(body) + 2,)) + body
    told = explained(capsys, (head + crc(head).to_bytes(2, "big")).hex())
    assert told["link"]["format"] == "stripped"
    assert len(told["records"]) == 1


def test_the_frame_format_may_be_told(capsys: Captured) -> None:
    for form, key, telegram in ROWS[:3]:
        assert len(explained(capsys, "--format", form, "--key", key, telegram)["records"]) == 3
    code, _, err = run(capsys, "--format", "a", "--key", KEY, TELEGRAM)
    assert (code, err.startswith("smgw-bench: octet ")) == (1, True)


def test_long_frames_of_the_wired_bus_are_read(capsys: Captured) -> None:
    body = bytes.fromhex("7278563412931533032A000000041327000000")
    frame = wired.WiredFrame(0x08, 5, body).to_bytes()
    told = explained(capsys, frame.hex())
    assert told["link"].items() >= {"format": "wired", "c": "08", "address": 5}.items()
    assert told["header"].items() >= {"id": "12345678", "mfct": "ELS", "version": 51, "type": 3}.items()
    assert told["records"][0]["value"] == Decimal("0.039")
    for damaged, what in ((frame[:-2], "cut"), (frame[:-2] + b"\0\x16", "checksum"), (frame[:-1] + b"\x17", "ends")):
        [answer] = answers({"hex": damaged.hex()})
        assert what in answer["trouble"]
        assert len(answer["records"]) == 1


def test_wired_frames_that_are_none_are_refused() -> None:
    for octets in ("", "6803", "6803046808", "6803036872", "6901016908"):
        with pytest.raises(FrameError):
            wired.decode_wired(bytes.fromhex(octets))
    with pytest.raises(FrameError):
        wired.WiredFrame(8, 1, bytes(254)).to_bytes()


def test_a_radio_telegram_of_104_octets_is_no_long_frame() -> None:
    octets = bytes.fromhex("68444468") + bytes(101)
    assert not wired.is_wired(octets)
    assert wired.is_wired(octets[:80])


def test_a_compact_frame_is_read_with_the_format_of_an_earlier_line() -> None:
    full = "1A44931578563412330378" + "0202D20402152E16022A34232F2F2F2F"
    full = f"{len(full) // 2 - 1:02X}{full[2:]}"
    compact = "44931578563412330379313B42A6D2042E163423"
    compact = f"{len(compact) // 2:02X}{compact}"
    before, _, after = answers({"hex": compact}, {"hex": full}, {"hex": compact})
    assert "unknown" in before["trouble"]
    assert before["records"] == []
    assert [row["vib"] for row in after["records"]] == ["02", "15", "2A"]
    assert after["trouble"] == ""


def test_a_compact_frame_of_a_well_known_format_is_read() -> None:
    [answer] = answers({"hex": COMPACT})
    assert [row["value"] for row in answer["records"]] == [0, 20.015, 0.317, 2, 3]


def test_a_stream_is_answered_line_by_line_and_goes_on_after_bad_ones(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        json.dumps({"id": "a", "hex": TELEGRAM, "key": KEY}),
        "",
        "{not json",
        '{"hex": 5}',
        '["hex"]',
        json.dumps({"id": 7, "hex": TELEGRAM[:-3]}),
        json.dumps({"hex": TELEGRAM[:-4], "key": KEY}),
        json.dumps({"hex": TELEGRAM, "key": "12"}),
        json.dumps({"hex": TELEGRAM, "key": "zz"}),
        json.dumps({"hex": TELEGRAM, "form": "c"}),
        '{"hex": "' + "00" * MAX_LINE + '"}',
        "[" * 60_000,
        "2E44zz",
        "2E44",
        TELEGRAM,
        json.dumps({"id": "b", "hex": TELEGRAM, "key": KEY, "frame_format": "crc-stripped"}),
    ]
    fed(monkeypatch, "\n".join(lines))
    code, out, err = run(capsys, "--json", "-")
    told = [json.loads(line) for line in out.splitlines()]
    assert (code, err, len(told)) == (0, "", len(lines) - 1)
    assert [("error" in answer, answer.get("id")) for answer in told[:1] + told[-1:]] == [(False, "a"), (False, "b")]
    assert ["error" in answer for answer in told[1:-2]] == [True] * 12
    assert told[-2]["state"] == "encrypted"
    assert told[4] == {"id": 7, "error": "the hexadecimal text ends within an octet", "offset": 45, "line": 6}
    assert "longer than" in told[9]["error"]


def test_each_answer_is_flushed_at_once() -> None:
    """A program that waits for its answer before it asks again must get it."""
    command = [sys.executable, "-m", "bench.cli", "decode", "wmbus", "--json", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": ""}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in range(3):
            process.stdin.write(json.dumps({"id": name, "hex": TELEGRAM, "key": KEY}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == name
        process.stdin.close()
        assert process.wait() == 0


def test_a_file_of_telegrams_is_read_too(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "telegrams.txt"
    path.write_text(f"{TELEGRAM}\n{TELEGRAM}\n")
    code, out, _ = run(capsys, "--json", "--key", KEY, str(path))
    assert (code, len(out.splitlines())) == (0, 2)


@pytest.mark.parametrize(
    ("what", "offset"), [("2E4493", 0), ("2E449", 2), ("2E44GG", 2), ("0x2E44-9", 2), (TELEGRAM[:60], 0), ("00", 0)]
)
def test_a_damaged_telegram_is_exit_code_1_with_its_octet(what: str, offset: int, capsys: Captured) -> None:
    code, out, err = run(capsys, "--json", what)
    told = json.loads(out)
    assert (code, "error" in told) == (1, True)
    assert err.startswith("smgw-bench: octet ")
    if offset:
        assert told["offset"] == offset


@pytest.mark.parametrize(
    "arguments",
    [["no/such.file"], ["--key", "12", TELEGRAM], ["--key", "xx", TELEGRAM], ["--format", "c", TELEGRAM], ["hello"]],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], capsys: Captured) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("smgw-bench: ")


def test_no_input_is_exit_code_2(capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fed(monkeypatch, "\n\n")
    assert run(capsys, "-")[0] == 2
    empty = tmp_path / "empty"
    empty.touch()
    assert run(capsys, str(empty))[0] == 2


def test_a_stream_without_a_telegram_is_exit_code_1(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    fed(monkeypatch, "nothing\n")
    code, out, err = run(capsys)
    assert (code, out) == (1, "line 1, octet 0: 'n' is no hexadecimal digit\n")
    assert err == "smgw-bench: standard input: no telegram in its 1 lines\n"


def test_people_get_a_table(capsys: Captured) -> None:
    code, out, _ = run(capsys, "--key", MODE_7[1], MODE_7[2])
    assert code == 0
    assert "manufacturer ELS, id 12345678" in out
    assert "mode7, decrypted, MAC right" in out
    assert [word for word in ("volume", "28504.27", "m3", "2008-05-31 23:50", "error_flags") if word not in out] == []


def test_the_table_shows_storage_phases_profiles_and_tails(capsys: Captured) -> None:
    apl = (
        "84046D002A4F3184040387D612008D04831F0A520FFA000401FF00F500"
        "0AFDC9FC0231021213000004FB82F53CCA0100000DFD0A0361620002FF2C6400"
        "0413FF"
    )
    body = f"44931578563412330378{apl}"
    code, out, err = run(capsys, f"{len(body) // 2:02X}{body}")
    assert code == 0
    for words in ("2026-01-15 10:15:00", "1234.817", "storage 8", "L2", "maximum", "backward", "45.8"):
        assert words in out
    assert "not read  0413FF" in out
    assert "trouble" in out
    assert "is cut" in err


def test_corrected_values_stand_beside_stored_ones() -> None:
    """The data set gives the factor as `vife_multiplier` and leaves the value alone."""
    body = "4493157856341233037804FB82F53CCA010000041300000080"
    [answer] = answers({"hex": f"{len(body) // 2:02X}{body}"})
    energy, volume = answer["records"]
    assert (energy["value"], energy["vife_multiplier"], energy["corrected_value"]) == (458, 0.1, 45.8)
    assert (volume["value"], volume["invalid"]) == (-2147483.648, True)


@pytest.mark.skipif(not COLLECTION.is_file(), reason="the collection of telegrams does not lie beside the repository")
def test_the_whole_collection_reads_as_two_other_decoders_agreed() -> None:
    """331 telegrams with nothing but octets and key; what has no second opinion may differ, and is named."""
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks.wmbus_agreement import differences
        from benchmarks.wmbus_data import telegrams
    finally:
        sys.path.remove(str(ROOT))
    lines = telegrams(COLLECTION)
    given_answers = answers(*({"hex": line["hex"], "key": line["key"]} for line in lines))
    found = [
        (line["id"], text)
        for line, answer in zip(lines, given_answers, strict=True)
        for text, excused in differences(line, answer)
        if not excused
    ]
    assert found == []
    assert len(lines) == 331


@given(st.binary(max_size=200), st.sampled_from([None, *sorted(FORMS)]))
def test_any_octets_get_an_answer(octets: bytes, form: str | None) -> None:
    for text in ({"hex": octets.hex(), "form": form}, {"hex": octets.hex(), "key": KEY}):
        [answer] = answers({name: value for name, value in text.items() if value is not None})
        assert ("error" in answer) != ("records" in answer)


@given(st.binary(max_size=60))
def test_any_line_gets_an_answer(line: bytes) -> None:
    text, good = answer_line(TelegramReader(), line, 1, Request(b""), as_json=True)
    assert good != ("error" in json.loads(text))
