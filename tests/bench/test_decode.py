"""`smgw-bench decode`: captured octets explained, on other people's octets."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.decode.contents import TlsRecords
from bench.decode.exact_json import exact_json
from bench.decode.registers import registers
from bench.recorded import read_expected
from devices.protocols.hdlc import (
    ALL_STATIONS,
    GATEWAY,
    SELECTOR_WORDS,
    Control,
    Frame,
    FrameKind,
    Selector,
    StationRecord,
)
from devices.protocols.smarty_service import Command, Refusal, Refused, Request
from devices.protocols.sml.messages import (
    Attention,
    CosemAttribute,
    GetCosemResponse,
    GetListResponse,
    GetProcParameterResponse,
    GetProfileListResponse,
    GetProfilePackResponse,
    ListEntry,
    Message,
    ParameterTree,
    PeriodEntry,
    ProfileHeader,
    ProfilePeriod,
    ProfileValue,
    TupleEntry,
    attention_number,
    cosem_attribute,
    cosem_name,
    encode_message,
    encode_messages,
)
from devices.protocols.sml.obis import parse_obis
from devices.protocols.sml.transport import encode_file, split_raw
from devices.protocols.sml.values import scaler_unit_value
from devices.protocols.sym_message import STEP_WORDS, Step

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
FOLDERS = (ROOT.parent / "shared" / "data" / "sml", VECTORS / "sml", ROOT / "scenarios" / "real_meters" / "recordings")
DUMPS = {dump.name: dump for folder in FOLDERS for dump in sorted(folder.glob("*.bin"))}
HOLLEY = VECTORS / "sml" / "HOLLEY_DTZ541-BDBA_with_PIN.bin"
NOISE = VECTORS / "sml" / "DZG_DVS-7420.2V.G2_mtr1_error.bin"
SERVER = bytes.fromhex("0a01484c5902000d6be6")
DEGREE = "\u00c2\u00b0"
"""How the expected files spell the degree sign: encoded twice."""

Captured = pytest.CaptureFixture[str]


def decoded(kind: str, path: Path | str, capsys: Captured) -> tuple[int, Any, str]:
    code = main(["decode", kind, "--json", str(path)])
    out, err = capsys.readouterr()
    return code, json.loads(out, parse_float=Decimal), err


def fed(monkeypatch: pytest.MonkeyPatch, octets: bytes) -> str:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))
    return "-"


@pytest.mark.parametrize("dump", DUMPS.values(), ids=lambda dump: dump.stem)
def test_every_dump_reads_as_the_independent_program_printed_it(dump: Path, capsys: Captured) -> None:
    """OBIS code, value with all its decimals and unit of every line, in order."""
    code, files, _ = decoded("sml", dump, capsys)
    rows = [(row["obis"], str(row["value"]), row["unit"]) for file in files for row in file]
    expected = read_expected(dump.with_suffix(".expected.txt"))
    assert rows == [(line.obis, line.value, line.unit.replace(DEGREE, "°")) for line in expected]
    assert code == 0


def test_a_recording_of_damaged_files_is_read_to_its_end_and_a_single_damaged_file_is_malformed(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, files, err = decoded("sml", NOISE, capsys)
    assert (code, files) == (0, [])
    assert "octet 227: another file begins within the file" in err
    assert "no whole SML file in 2197 octets, first damage at octet 227" in err
    one = NOISE.read_bytes()[:227]
    code, files, err = decoded("sml", fed(monkeypatch, one), capsys)
    assert (code, files) == (1, [])
    assert "no whole SML file in 227 octets, first damage at octet 227" in err


def test_numbers_in_json_keep_their_decimals(capsys: Captured) -> None:
    main(["decode", "sml", "--json", str(VECTORS / "sml" / "EMH_mME40-AE6AKF0K0.bin")])
    assert '"value": 428900.0, "unit": "Wh"' in capsys.readouterr().out
    assert exact_json([Decimal("5E3"), Decimal("1E-7"), Decimal("18446744073709.551615"), True, None, "°"], 1, 0) == (
        '[5000, 0.0000001, 18446744073709.551615, true, null, "°"]'
    )


def test_registers_come_with_status_in_words(capsys: Captured) -> None:
    _, files, _ = decoded("sml", HOLLEY, capsys)
    energy = next(row for row in files[0] if row["obis"] == "1-0:1.8.0*255")
    assert energy["name"] == "energy +A"
    assert "voltage on L3" in energy["status_bits"]
    assert energy["time"]["kind"] == "second_index"


def test_the_status_word_names_its_bits(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """lmn-wired 4.4."""
    answer = GetListResponse(SERVER, (ListEntry(parse_obis("96.5.0"), value=0x1C0104),))
    file = encode_file(encode_message(Message(b"1", 0, 0, answer)))
    _, [[row]], _ = decoded("sml", fed(monkeypatch, file), capsys)
    assert (row["value"], row["unit"]) == (0x1C0104, "")
    assert row["bits"] == ["base meter", "load above start-up", "voltage on L1", "voltage on L2", "voltage on L3"]
    main(["decode", "sml", fed(monkeypatch, file)])
    assert "status word  001C0104 (base meter, load" in capsys.readouterr().out


def test_damage_goes_to_standard_error_with_its_octet(tmp_path: Path, capsys: Captured) -> None:
    first, second = split_raw(HOLLEY.read_bytes())
    damaged = bytearray(first)
    damaged[60] ^= 4
    path = tmp_path / "dump.bin"
    path.write_bytes(b"\xff" * 9 + bytes(damaged) + second + b"\x1b\x1b")
    code, files, err = decoded("sml", path, capsys)
    assert code == 0
    assert len(files) == 1
    assert [line.partition("octet ")[2] for line in err.splitlines()] == [
        "0: octets outside of a file",
        f"{9 + len(first) - 2}: the CRC of the file is wrong",
        f"{9 + len(first) + len(second)}: octets outside of a file",
    ]


def test_a_damaged_message_is_told_at_its_octet_of_the_dump(tmp_path: Path, capsys: Captured) -> None:
    """Offsets of the payload are turned into those of the dump, though the escape is doubled in between."""
    good = encode_message(Message(b"\x1b" * 4, 0, 0, Attention(SERVER, attention_number(0xFD00))))
    bad = good[:-2] + bytes((good[-2] ^ 1,)) + good[-1:]
    path = tmp_path / "dump.bin"
    path.write_bytes(b"\0\0\0" + encode_file(good + bad))
    code, files, err = decoded("sml", path, capsys)
    assert (code, files) == (0, [[]])
    place = path.read_bytes().rindex(b"\x63" + bad[-3:-1])
    assert f"octet {place}: file 1: the CRC of the message is wrong" in err


def test_input_without_a_whole_file_is_told_with_its_octet(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "short.bin").write_bytes(b"\xa0")
    code, files, err = decoded("sml", tmp_path / "short.bin", capsys)
    assert (code, files) == (1, [])
    assert "octet 0: octets outside of a file" in err


@pytest.mark.parametrize(
    "octets",
    [
        b"00000000: 1b1b 1b1b 0101 0101  ........\n",
        "1b1b1b1b".encode("utf-16"),
        b"# from the meter\n1b 1b 1b 1b\n",
    ],
)
def test_text_that_is_no_hexadecimal_is_called_text(
    octets: bytes, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["decode", "sml", fed(monkeypatch, octets)]) == 1
    err = capsys.readouterr().err
    assert "it looks like text" in err and "'xxd -p'" in err
    assert main(["decode", "sml", fed(monkeypatch, b"\x01\x02\x80")]) == 1
    assert "text" not in capsys.readouterr().err


@pytest.mark.parametrize("seed", [0, 6, 8, 11])
def test_damage_is_told_in_the_order_of_the_octets(
    seed: int, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = random.Random(seed).randbytes(20_000)
    main(["decode", "hdlc", fed(monkeypatch, noise)])
    told = [line.partition("octet ")[2].partition(":")[0] for line in capsys.readouterr().err.splitlines()[:-1]]
    places = [int(place) for place in told if place.isdigit()]
    assert len(places) > 3
    assert places == sorted(places)


@pytest.mark.parametrize(
    "written",
    [
        lambda octets: octets.hex(),
        lambda octets: octets.hex(" ", 2).upper() + "\r\n",
        lambda octets: "\ufeff" + ":".join(f"{octet:02x}" for octet in octets),
        lambda octets: ", ".join(f"0x{octet:02X}" for octet in octets),
        lambda octets: "\n".join(octets.hex()[start : start + 31] for start in range(0, 2 * len(octets), 31)),
    ],
)
def test_hexadecimal_text_is_read_however_it_is_spaced(
    written: Any, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    octets = bytes.fromhex((VECTORS / "sml" / "capture_b.hex").read_text())
    code, files, err = decoded("sml", fed(monkeypatch, written(octets).encode()), capsys)
    assert (code, err) == (0, "")
    assert [(row["obis"], row["value"]) for row in files[0]] == [("1-0:96.5.0*255", 0)]


def test_hexadecimal_text_that_ends_within_an_octet_is_told(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    code, files, err = decoded("sml", fed(monkeypatch, b"1b1b1"), capsys)
    assert (code, files) == (1, [])
    assert "octet 2: the hexadecimal text ends within an octet" in err


def test_people_get_a_table(capsys: Captured) -> None:
    assert main(["decode", "sml", str(HOLLEY)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("file 1, octets 0 to ")
    assert "  GetListResponse          meter 1HLY" in out
    assert "(base meter, load above start-up, voltage on L1" in out


def test_attentions_are_shown_in_words(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Message(b"1", 0, 0, Attention(SERVER, attention_number(0xFE0E), b"no such thing"))
    assert main(["decode", "sml", fed(monkeypatch, encode_file(encode_messages([refusal])))]) == 0
    assert "meter 1HLY0200879590 (0a01484c5902000d6be6), unknown OBIS code" in capsys.readouterr().out


def test_registers_are_found_in_every_kind_of_answer() -> None:
    code = parse_obis("1.8.0")
    factor = scaler_unit_value(-1, 30)
    tree = ParameterTree(
        cosem_name(code, 3),
        children=(ParameterTree(cosem_attribute(2), 42), ParameterTree(cosem_attribute(3), factor)),
    )
    answers = (
        GetProfileListResponse(SERVER, (), (PeriodEntry(code, 30, -1, 42),)),
        GetProfilePackResponse(SERVER, (), (ProfileHeader(code, 30, -1),), (ProfilePeriod((ProfileValue(42),)),)),
        GetProcParameterResponse(SERVER, (), tree),
        GetProcParameterResponse(SERVER, (), ParameterTree(b"x", PeriodEntry(code, 30, -1, 42))),
        GetProcParameterResponse(SERVER, (), ParameterTree(b"x", TupleEntry(SERVER, None, 4, 30, -1, 42))),
        GetCosemResponse(SERVER, code, 3, 0, (CosemAttribute(2, 42), CosemAttribute(3, factor))),
    )
    for answer in answers:
        row = next(registers(answer)).row()
        assert (row["obis"], str(row["value"]), row["unit"]) == ("1-0:1.8.0*255", "4.2", "Wh")


def info_frame(selector: int, information: bytes, *, source: int = GATEWAY, more: bool = False) -> bytes:
    destination = 0x44 if source == GATEWAY else GATEWAY
    return Frame(destination, source, selector, Control(FrameKind.I), information, more).to_bytes()


def contents(octets: bytes, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    code, frames, _ = decoded("hdlc", fed(monkeypatch, octets), capsys)
    assert code == 0
    return [frame["contents"] for frame in frames]


def test_a_captured_frame_is_explained(capsys: Captured) -> None:
    """lmn-wired 7, capture A: TLS ClientHello from the gateway to meter 44."""
    code, [frame], err = decoded("hdlc", VECTORS / "hdlc" / "capture_a.hex", capsys)
    assert (code, err) == (0, "")
    assert (frame["source"], frame["destination"], frame["selector_name"]) == (1, 0x44, "TLS COSEM")
    assert (frame["kind"], frame["ns"], frame["nr"], frame["hcs"], frame["fcs"]) == ("I", 0, 0, "ok", "ok")
    assert frame["contents"] == "TLS: Handshake (ClientHello, 100 octets)"
    assert main(["decode", "hdlc", str(VECTORS / "hdlc" / "capture_a.hex")]) == 0
    line = capsys.readouterr().out
    assert "gateway > 44" in line
    assert "HCS ok, FCS ok  105: 16 03 01" in line


def test_the_invitation_of_the_manual_is_explained(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """lmn-wired 1.5; a damaged frame before it is told at its octet, the shared flag serves both."""
    octets = bytes.fromhex("7EA009FE03020313842B 7EA009FE03020313842A7E A00902E1CCE17340EC7E")
    code, frames, err = decoded("hdlc", fed(monkeypatch, octets), capsys)
    assert code == 0
    assert [(frame["offset"], frame["selector_name"], frame["kind"]) for frame in frames] == [
        (10, "addressing", "UI"),
        (20, "Sagemcom service", "UA"),
    ]
    assert "octet 8: frame check sequence is wrong" in err


def test_station_records_are_named(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    record = StationRecord(0x66, 2, bytes.fromhex("0a015341470001415d89"))
    octets = Frame(ALL_STATIONS, GATEWAY, 2, Control(FrameKind.UI), record.to_bytes()).to_bytes()
    assert contents(octets, capsys, monkeypatch) == ["station 66 slot 2 1SAG0021061001"]


def test_sml_in_segments_is_put_together(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    file = bytes.fromhex((VECTORS / "sml" / "capture_b.hex").read_text())
    octets = info_frame(3, file[:100], more=True) + info_frame(3, file[100:])
    assert contents(octets, capsys, monkeypatch) == [
        "part of a message, 100 octets so far",
        "SML: OpenResponse, GetProcParameterResponse, CloseResponse",
    ]


def test_a_tls_record_over_several_frames_is_followed() -> None:
    records = TlsRecords()
    assert records.feed(bytes.fromhex("160303000a0e000000")) == "TLS: Handshake (ServerHelloDone, 10 octets)"
    assert records.feed(bytes(6) + bytes.fromhex("1403030001011603")) == (
        "TLS: rest of a record, ChangeCipherSpec (1 octets)"
    )
    assert records.feed(bytes.fromhex("0300020000 1503030002 0228")) == (
        "TLS: Handshake (encrypted, 2 octets), Alert (encrypted, 2 octets)"
    )
    assert records.feed(b"7" * 9) == "TLS: no TLS record"
    assert TlsRecords().feed(bytes.fromhex("1503030002 022d")) == "TLS: Alert (fatal certificate_expired, 2 octets)"


def test_pairing_and_service_messages_are_named(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """lmn-wired 3.2 and 2."""
    sym = bytes.fromhex("01 00000019 ffffffff") + bytes(16)
    service = bytes.fromhex("000311edac")
    octets = info_frame(6, sym) + info_frame(0x70, service) + info_frame(6, b"\x82", source=0x44)
    assert contents(octets, capsys, monkeypatch) == [
        "SYM: request 1 (counter), counter FFFFFFFF",
        "service protocol: request, command 11 (identity)",
        "SYM: 1 octets are too few for a header",
    ]


def test_commands_that_the_makers_trace_does_not_show_are_marked(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lmn-wired 2: only 11 and 12 are known, the names of the others are the bench's own."""
    messages = [Request(0x12), Request(Command.LOG_STATUS), Request(0x66)]
    octets = b"".join(info_frame(0x70, message.to_bytes()) for message in messages)
    refused = Refused(Command.UPDATE_BEGIN, Refusal.LOG_FULL).to_answer().to_bytes()
    assert contents(octets + info_frame(0x70, refused, source=0x44), capsys, monkeypatch) == [
        "service protocol: request, command 12 (firmware version)",
        "service protocol: request, command 22 (log status, assumed)",
        "service protocol: request, command 66",
        "service protocol: answer, command 7F (error, assumed)",
    ]


def test_words_are_there_for_every_selector_and_every_step_of_pairing() -> None:
    assert set(SELECTOR_WORDS) == set(Selector)
    assert set(STEP_WORDS) == set(Step)


def test_a_capture_of_the_bench_is_read(tmp_path: Path, capsys: Captured) -> None:
    from datetime import UTC, datetime

    from devices.ports.pcapng import PcapngWriter

    path = tmp_path / "lmn.pcapng"
    with PcapngWriter(path) as writer:
        writer.write(datetime(2026, 1, 1, tzinfo=UTC), bytes.fromhex("7EA009FE03020313842A7E"), "in", comment="gateway")
    code, [frame], err = decoded("hdlc", path, capsys)
    assert (code, err) == (0, "")
    assert frame["remark"] == "gateway"
    assert main(["decode", "sml", str(path)]) == 2
    assert "pcapng" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:-3])
    assert main(["decode", "hdlc", str(path)]) == 2
    path.write_bytes(bytes.fromhex("0a0d0d0a0c000000") + bytes(8))
    capsys.readouterr()
    assert main(["decode", "hdlc", str(path)]) == 1
    assert "(at octet 0)" in capsys.readouterr().err


def test_frames_that_are_all_damaged_are_told(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    code, frames, err = decoded("hdlc", fed(monkeypatch, b"\x00" + bytes.fromhex("7EA009FE03020313842B7E")), capsys)
    assert (code, frames) == (1, [])
    assert "octet 9: frame check sequence is wrong" in err
    assert "no good HDLC frame in 12 octets, first damage at octet 0" in err


@pytest.mark.parametrize(
    ("octets", "message"), [(None, "No such file"), ("folder", "Is a directory"), (b"", "is empty")]
)
def test_what_cannot_be_read_is_wrong_use(
    octets: bytes | str | None, message: str, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "input"
    if octets == "folder":
        path.mkdir()
    elif isinstance(octets, bytes):
        path.write_bytes(octets)
    for kind in ("sml", "hdlc"):
        assert main(["decode", kind, str(path)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert message in err
        assert len(err.splitlines()) == 1


def test_empty_standard_input_is_wrong_use(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["decode", "sml", fed(monkeypatch, b"")]) == 2
    assert capsys.readouterr().err.startswith("smgw-bench: standard input is empty")


def test_a_closed_pipe_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "bench.cli", "decode", "sml", str(HOLLEY)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
