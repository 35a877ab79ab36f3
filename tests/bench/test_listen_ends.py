"""How `smgw-bench listen` and `air` end: by time, by signal, with the last line of a file, or for want of a stick."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.tools.air import AirOptions, play
from bench.tools.listen import ListenOptions, listen
from bench.tools.screen import Screen
from bench.tools.stick_port import StickOptions
from devices.clock import Clock, wall_seconds
from devices.errors import BenchError, UsageError
from devices.ports.base import LineSettings
from devices.ports.pty import pty_pair
from devices.ports.radio import RadioMode, Reception
from devices.wmbus.emulated.base import Fault
from devices.wmbus.emulated.im871a import EmulatedIm871a

GAS = "2e4493157856341233037a2a0020255923c95aaa26d1b2e7493b013ec4a6f6d3529b520edff0ea6defc99d6d69ebf3"
LINE = f"T1;1;1;2019-04-03 19:00:42.000;97;148;12345678;0x{GAS}"
COMMAND = [sys.executable, "-m", "bench.cli"]


class NoAir:
    """Nobody sends."""

    on_reception: Callable[[Reception], None] | None = None

    def send(self, telegram: bytes, mode: RadioMode) -> float:
        return 0.0

    def detach(self) -> None:
        """Nothing to let go of."""


async def heard(clock: Clock, port: str, *, for_s: float | None = None, kind: str = "rtl_wmbus") -> tuple[int, str]:
    out = io.StringIO()
    options = ListenOptions(StickOptions(kind, port), None, True, for_s)
    code = await listen(clock, options, Screen("en", io.StringIO(), quiet=True), out)
    return code, out.getvalue()


# --- files in place of a pipe


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
async def test_a_file_is_read_to_its_last_line_whether_or_not_that_is_ended(
    clock: Clock, tmp_path: Path, end: str
) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes("\n".join(["# tuned", LINE, LINE, LINE]).encode() + end.encode())
    code, out = await heard(clock, str(file))
    assert code == 0
    assert [json.loads(line)["meter"] for line in out.splitlines()] == ["7ELS3312345678"] * 3


async def test_an_empty_file_and_the_null_device_have_nothing_to_say(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert await heard(clock, str(tmp_path / "empty")) == (0, "")
    assert await heard(clock, os.devnull) == (0, "")


async def test_a_file_is_no_stick(clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text(LINE)
    with pytest.raises(BenchError, match="is a file, no stick"):
        await heard(clock, str(file), kind="im871a")
    with pytest.raises(UsageError, match=r"is a file and cannot be asked what it is .*--stick rtl_wmbus"):
        await heard(clock, str(file), kind="auto")


def test_standard_input_may_be_a_file(tmp_path: Path) -> None:
    """smgw-bench listen --stick rtl_wmbus --port - < file, in real time: epoll takes no files."""
    file = tmp_path / "lines.txt"
    file.write_text(f"{LINE}\n{LINE}")
    for given, telegrams in ((file, 2), (Path(os.devnull), 0)):
        with given.open("rb") as standard_input:
            done = subprocess.run(
                [*COMMAND, "listen", "--stick", "rtl_wmbus", "--port", "-", "--json"],
                stdin=standard_input,
                capture_output=True,
                timeout=60,
                check=False,
            )
        assert (done.returncode, done.stderr) == (0, b"")
        assert len(done.stdout.splitlines()) == telegrams


async def test_a_line_may_come_in_pieces_long_after_each_other(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program whose output is buffered writes whenever its buffer is full."""
    reading, writing = os.pipe()
    monkeypatch.setattr(os, "dup", lambda _: reading)
    work = asyncio.ensure_future(heard(clock, "-"))
    for piece in (LINE[:50], LINE[50:] + "\n" + LINE[:20], LINE[20:]):
        os.write(writing, piece.encode())
        await clock.sleep(30)
    os.close(writing)
    code, out = await work
    assert (code, len(out.splitlines())) == (0, 2)


# --- a stick that is gone


async def test_a_stick_that_is_gone_when_the_time_is_over_is_trouble(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    far, path = pty_pair(clock, LineSettings(57_600))
    stick = EmulatedIm871a(clock, far, NoAir())
    clock.call_later(5, stick.pull_out)
    with pytest.raises(BenchError, match="is gone"):
        await heard(clock, path, for_s=20, kind="im871a")
    assert capsys.readouterr().err.count("stick in trouble") == 1


async def test_a_stick_that_is_back_in_time_is_no_trouble(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    far, path = pty_pair(clock, LineSettings(57_600))
    stick = EmulatedIm871a(clock, far, NoAir())
    clock.call_later(30, stick.faults.add, Fault.SILENT)
    clock.call_later(70, stick.faults.clear)
    assert await heard(clock, path, for_s=100, kind="im871a") == (0, "")
    told = capsys.readouterr().err
    assert "stick in trouble" in told
    assert "the stick is back" in told
    far.close()


async def test_the_time_counts_from_the_start_also_while_the_stick_is_looked_for(clock: Clock) -> None:
    far, path = pty_pair(clock)
    begin = clock.seconds()
    with pytest.raises(BenchError, match="the time was over before a stick was found"):
        await heard(clock, path, for_s=1, kind="auto")
    with pytest.raises(BenchError, match="the time was over before a stick was found"):
        await play(clock, AirOptions(StickOptions("auto", path), for_s=1), Screen("en", io.StringIO()))
    assert clock.seconds() - begin <= 2.1
    far.close()


# --- signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_it_at_once_with_its_code(clock: Clock, number: int, code: int) -> None:
    clock.call_later(5, os.kill, os.getpid(), number)
    assert (await heard(clock, "emulated", kind="im871a"))[0] == code
    said = io.StringIO()
    clock.call_later(5, os.kill, os.getpid(), number)
    assert await play(clock, AirOptions(StickOptions("im871a", "pty")), Screen("en", said)) == code
    assert said.getvalue().endswith("ended\n")
    far, path = pty_pair(clock)
    clock.call_later(0.7, os.kill, os.getpid(), number)
    begin = clock.seconds()
    assert await heard(clock, path, kind="auto") == (code, "")
    assert clock.seconds() - begin < 1, "while the stick is looked for"
    far.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_nobody_answers_ends_the_command(number: signal.Signals, code: int) -> None:
    far, near = os.openpty()
    begin = wall_seconds()
    process = subprocess.Popen(
        [*COMMAND, "listen", "--port", os.ttyname(near)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    sent = wall_seconds()
    assert process.wait(60) == code
    assert wall_seconds() - sent < 3, f"it was started {sent - begin:.1f} s before"
    process.stdout.close()
    os.close(far)
    os.close(near)
