"""`smgw-bench meter`: emulated meters on a pseudo-terminal or an adapter, seen with somebody else's eyes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
import serial

from bench.cli import main
from bench.tools.meters import MeterOptions, given_meters, serve
from bench.tools.screen import Screen
from devices.clock import Clock
from devices.errors import UsageError
from devices.ports.base import PortLost
from devices.ports.pty import pty_pair
from devices.protocols.crc import x25
from devices.rs485.adapter import AdapterSettings

INVITE = bytes.fromhex("7EA009FE03020313842A7E")
"""[BZ] 5.2.1 row 1: all stations, selector 1, nobody is on the list."""


class Running:
    """A process that runs meters, and its pseudo-terminal."""

    def __init__(self, process: subprocess.Popen[str], port: str, said: list[str]) -> None:
        self.process, self.port, self.said = process, port, said

    def end(self, number: int) -> tuple[int, str]:
        """Exit code and all that it said."""
        os.kill(self.process.pid, number)
        out, _ = self.process.communicate(timeout=30)
        return self.process.returncode, "".join(self.said) + out


@contextmanager
def meters(*arguments: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "bench.cli", "meter", "--port", "pty", "--seed", "1", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said: list[str] = []
        until = time.monotonic() + 60
        for line in process.stdout:
            said.append(line)
            assert time.monotonic() < until
            if line.startswith("running"):
                break
        assert said[-1].startswith("running"), "".join(said)
        yield Running(process, said[0].split()[1], said)
    finally:
        process.kill()
        process.communicate(timeout=30)


def exchange(line: serial.Serial, frame: bytes) -> bytes:
    """What comes to `frame`, by the length in its own format field."""
    line.write(frame)
    head = line.read(3)
    assert len(head) == 3, "no answer"
    return head + line.read(((head[1] << 8 | head[2]) & 0x7FF) - 1)


def hand_made(destination: int, selector: int, control: int, information: bytes = b"") -> bytes:
    """A frame after lmn-wired 1.2, made without the code under test but for its CRC."""
    length = 11 + len(information) if information else 9
    body = bytes(
        (0xA0 | length >> 8, length & 0xFF, destination << 1, selector << 1 | 1, 2, selector << 1 | 1, control)
    )
    body += x25(body).to_bytes(2, "little")
    if information:
        body += information
        body += x25(body).to_bytes(2, "little")
    return b"\x7e" + body + b"\x7e"


def test_a_foreign_master_invites_connects_and_asks_for_the_identity() -> None:
    """The dialogue of [BZ] 5.2.1 with pyserial and octets by hand."""
    with meters() as running, serial.Serial(running.port, 921_600, timeout=5) as line:
        answer = exchange(line, INVITE)
        assert answer[:6] == bytes.fromhex("7EA02B0203") + answer[5:6]
        address = answer[5] >> 1
        record = answer[10:-3]
        assert len(record) == 32
        assert record[:2] == bytes((address, 0))
        assert record[2:12].hex().upper() == "0A015341470001415D89"
        assert exchange(line, hand_made(address, 0x70, 0x93))[7] == 0x73, "SNRM is answered with UA"
        assert exchange(line, hand_made(address, 0x70, 0x10, bytes.fromhex("000311EDAC")))[7] == 0x31, "RR first"
        for _ in range(100):
            frame = exchange(line, hand_made(address, 0x70, 0x11))
            if frame[7] == 0x30:
                break
        assert frame[1:3] == bytes.fromhex("A029"), "30 octets of information as in row 8"
        assert frame[10:14] == bytes.fromhex("801C1144")
        assert frame[13:15] == b"DN"
        code, said = running.end(signal.SIGTERM)
    assert code == 0
    for text in (
        f"has address {address:02X}, chosen",
        "link opened, service protocol",
        "request of 5 octets, service protocol",
        "answer of 30 octets, service protocol",
        "ended",
    ):
        assert text in said


def test_the_tools_find_the_meters_through_the_terminal_and_several_have_to_be_chosen_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "meters.yaml"
    file.write_text(
        "meters:\n  one: {type: smarty_bz_plus_v2, id: 1SAG0021061001}\n"
        "  two: {type: base_meter, id: 1EMH0005975894, load: 1 kW}\n",
        "utf-8",
    )
    with meters("--meters", str(file)) as running:
        read = ["updatelog", "read", "--port", running.port, "--skip-key-check"]
        assert main([*read, "--lang", "en"]) == 2
        error = capsys.readouterr().err
        assert "several meters answer: " in error
        assert "1SAG0021061001 at address" in error
        assert "1EMH0005975894 at address" in error
        assert main([*read, "--id", "1SAG0021061001"]) == 1
        out = capsys.readouterr().out
        assert "PSEUDO-TERMINAL: am anderen Ende ist ein Programm, kein Zähler" in out
        assert "Prüfung Statussignatur: OK" in out
        assert main([*read, "--id", "0A01454D4800005B2F56"]) == 1, "a base meter has no update log"
        code, said = running.end(signal.SIGINT)
    assert code == 0
    assert "two: 1EMH0005975894, server id 0A01454D4800005B2F56, FNN base meter" in said


def test_a_log_survives_the_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(b"no firmware")
    state = str(tmp_path / "state")
    with meters("--state", state) as running:
        update = ["update-meter", "--port", running.port, "--yes", "--lang", "en", "--unchecked", str(image)]
        assert main(update) == 1
        assert "NOK complete and undamaged" in capsys.readouterr().out
        _, said = running.end(signal.SIGTERM)
    assert "new in the update log: 1 Second index" in said
    with meters("--state", state) as running:
        assert main(["updatelog", "read", "--port", running.port, "--skip-key-check"]) == 1
    out = capsys.readouterr().out
    assert "Anzahl Logbucheinträge: 1" in out
    assert "Event-Typ 0" in out


async def _served(clock: Clock, path: str) -> tuple[asyncio.Task[int], StringIO]:
    out = StringIO()
    task = asyncio.ensure_future(serve(clock, MeterOptions(AdapterSettings(path)), Screen("en", out)))
    while "running" not in out.getvalue():
        assert not task.done(), task.exception()
        await clock.sleep(0.01)
    return task, out


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
async def test_a_pulled_adapter_ends_it_with_one_message(clock: Clock) -> None:
    far, path = pty_pair(clock, name="socket")
    task, _ = await _served(clock, path)
    far.write(INVITE)
    await clock.sleep(0.05)
    far.close()
    with pytest.raises(PortLost, match="LMN: "):
        await asyncio.wait_for(task, 5)


def test_a_pulled_adapter_gives_exit_code_3_and_one_line() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    command = [sys.executable, "-m", "bench.cli", "meter", "--port", os.ttyname(slave)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(slave)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("running"):
            break
    os.close(master)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 3
    assert error.startswith("smgw-bench: bench trouble: LMN: ")
    assert len(error.strip().splitlines()) == 1


def options(**values: object) -> MeterOptions:
    return MeterOptions(AdapterSettings("pty"), **values)  # type: ignore[arg-type]


def test_without_a_word_it_is_the_meter_of_the_makers_example() -> None:
    (meter,) = given_meters(options()).given.values()
    assert (meter.type, meter.id) == ("smarty_bz_plus_v2", "1SAG0021061001")


@pytest.mark.parametrize(
    ("values", "kind", "number"),
    [
        ({"id": "1EMH0005975894"}, "base_meter", "1EMH0005975894"),
        ({"id": "1SAG0000000007"}, "smarty_bz_plus_v2", "1SAG0000000007"),
        ({"type": "base_meter"}, "base_meter", "1EMH0005975894"),
        ({"load": "2 kW"}, "smarty_bz_plus_v2", "1SAG0021061001"),
    ],
)
def test_a_single_meter_is_given_by_options(values: dict[str, str], kind: str, number: str) -> None:
    (meter,) = given_meters(options(**values)).given.values()
    assert (meter.type, meter.id) == (kind, number)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"id": "nonsense"}, "no device number"),
        ({"load": "much"}, "much"),
        ({"file": Path("x.yaml"), "id": "1SAG0000000007"}, "--meters and --id together"),
        ({"file": Path("nowhere.yaml")}, "nowhere.yaml: cannot be read"),
        ({"type": "replay"}, "a replay needs a dump"),
    ],
)
def test_what_makes_no_sense_is_wrong_use(values: dict[str, object], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        given_meters(options(**values))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("meters: {}", r"meters.yaml:1"),
        ("- 1", "holds no mapping"),
        (
            "meters:\n  a: {id: 1SAG0021061001, lod: 1 W}",
            r"meters.yaml:2:.*unknown key 'lod' \(did you mean 'load'\?\)",
        ),
        ("metres: 1", "did you mean 'meters'"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "meters.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=expected):
        given_meters(options(file=file))
