"""What people get wrong with the tools for meters is one line that names the option or the place, in their language."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from bench.scenario.models import GivenMeter
from bench.tools.emulated_bus import EmulatedBus
from bench.tools.german import in_german
from bench.tools.meter_state import MeterState
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.meters.catalogue import make_meter
from devices.ports.memory import memory_pair

SMARTY = GivenMeter(type="smarty_bz_plus_v2", id="1SAG0021061001")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["meter", "--port", "pty", "--baudrate", "-5"], "--baudrate: '-5' is no rate of 300 to 4000000 Bd"),
        (["meter", "--port", "pty", "--baudrate", "fast"], "--baudrate: 'fast'"),
        (["meter", "--port", ""], "--port: an empty name is no port"),
        (["meter", "--port", "pty", "--id", "nonsense"], "--id: 'nonsense' is no meter id"),
        (["updatelog", "read", "--port", "emulated", "--id", "nonsense"], "--id: 'nonsense' is no meter id"),
        (["updatelog", "read", "--port", "emulated", "--address", "01"], "--address: '01' is no address of a meter"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_opened(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert expected in told.err and told.out == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--port", "emulated"], "--port emulated is for updatelog and update-meter"),
        (["--port", "pty", "--state", __file__], "is a file, a folder is wanted"),
        (["--port", "pty", "--load", "nix"], "--load: 'nix' is not a power"),
    ],
)
def test_a_meter_that_cannot_be_played_is_wrong_use(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["meter", *arguments]) == 2
    told = capsys.readouterr()
    assert expected in told.err and told.out == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("meters: {}", "1:9: 'meters': it must have at least 1 entry, not 0"),
        ("meters:\n  a: {id: 1SAG0021061001, profile: x}", "2:36: 'profile': it must be true or false, not 'x'"),
        ("meters:\n  a: {id: 1SAG0021061001, load: {steps: {}}}", "2:41: 'steps': it must be a list, not a mapping"),
        (
            "meters:\n  a: {id: 1SAG0021061001, load: 5}",
            "it must be a text, a list or a mapping of keys to values, not",
        ),
        ("meters:\n  a: {id: 1SAG0021061001, log_capacity: 0}", "'log_capacity': it must be 1 or more, not '0'"),
        (
            "meters:\n  a: {id: 1SAG0021061001}\n  b: {id: 0A015341470001415D89}",
            "3:11: 'b' and 'a' are the same meter 0A015341470001415D89: each has its own id",
        ),
        (
            "meters:\n  a: {id: 1SAG0021061001, security: clear, suite: C02C}",
            "2:6: 'a': only a meter with 'security: tls' has a 'suite'",
        ),
        ("meters:\n  a: {id: 1SAG0021061001}\nassumed: {slot_ss: 1}", "3:10: 'assumed': there is no default 'slot_ss'"),
        ("meters:\n  a: {type: replay, dump: nope.bin}", "2:6: dump "),
        (
            "meters:\n  a: {id: 1EMH0005975894, registers: {9.9.9: 4 V}}",
            "2:38: 'registers': 9.9.9 is measured in VAh, not in V",
        ),
    ],
)
def test_a_mistake_in_a_file_of_meters_is_one_line_with_its_place(
    tmp_path: Path, text: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "meters.yaml"
    file.write_text(text, "utf-8")
    assert main(["meter", "--port", "pty", "--meters", str(file)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"smgw-bench: {file}:") and expected in line


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["updatelog", "read", "--port", "emulated"], 2, "der Schlüssel vom Typenschild fehlt"),
        (
            ["updatelog", "read", "--port", "emulated", "--key", "AB"],
            2,
            "--key: ein Schlüssel hat 128 hexadezimale Ziffern, dieser hat 2",
        ),
        (["updatelog", "verify", "nowhere.txt"], 2, "nowhere.txt: ist nicht lesbar: Datei oder Ordner gibt es nicht"),
        (
            ["updatelog", "read", "--port", "/dev/nowhere", "--skip-key-check"],
            3,
            "Störung: die serielle Schnittstelle /dev/nowhere gibt es nicht",
        ),
        (["update-meter", "--port", "emulated", __file__], 2, "keine Firmware-Datei: sie beginnt nicht mit SBZI"),
        (
            ["updatelog", "read", "--port", "emulated", "--skip-key-check", "--id", "1SAG0000000001"],
            2,
            "der gewählte Zähler antwortet nicht; es gibt: 1SAG0021061001 an Adresse ",
        ),
    ],
)
def test_errors_are_told_in_german_where_the_tool_speaks_german(
    arguments: list[str], code: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    assert expected in capsys.readouterr().err


def test_what_is_not_known_in_german_stays_as_it_is() -> None:
    assert in_german("a wondrous thing happened") == "a wondrous thing happened"


@pytest.mark.parametrize("kind", ["sml", "hdlc"])
def test_a_closed_standard_input_is_wrong_use(kind: str) -> None:
    command = f"{sys.executable} -m bench.cli decode {kind} - <&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == ("smgw-bench: standard input is closed (name a file, or let a program write into a pipe)\n")


def test_a_tool_without_a_keyboard_asks_nobody() -> None:
    command = f"{sys.executable} -m bench.cli updatelog read --port emulated --lang en <&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nobody can be asked" in done.stderr


def test_the_terminal_of_the_tool_itself_is_no_bus() -> None:
    ours, theirs = pty.openpty()
    path = os.ttyname(theirs)
    for tool in (["meter"], ["updatelog", "read", "--skip-key-check", "--lang", "en"]):
        command = [sys.executable, "-m", "bench.cli", *tool, "--port", path]
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"--port {path} is the terminal of this program itself" in done.stderr
    os.close(ours)
    os.close(theirs)


def test_defaults_in_a_file_of_meters_reach_the_meters(tmp_path: Path) -> None:
    from bench.tools.meters import MeterOptions, given_meters
    from devices.rs485.adapter import AdapterSettings

    file = tmp_path / "meters.yaml"
    file.write_text("meters: {a: {id: 1SAG0021061001}}\nassumed: {turnaround_s: 0.01, slot_s: 0.02}\n", "utf-8")
    meant = given_meters(MeterOptions(AdapterSettings("pty"), file))
    assert (meant.defaults.timing().turnaround_s, meant.defaults.timing().discovery.slot_s) == (0.01, 0.02)


async def test_a_recording_without_sml_is_called_noise(clock: Clock, tmp_path: Path) -> None:
    from io import StringIO

    from bench.tools.meters import _introduce
    from bench.tools.screen import Screen

    (tmp_path / "noise.bin").write_bytes(b"no meter has ever said this")
    bus = EmulatedBus(clock, memory_pair(clock)[0], seed=1)
    bus.add("one", GivenMeter(type="replay", id="1DZG0000000000", dump="noise.bin"), folder=tmp_path)
    out = StringIO()
    _introduce("one", "replay", bus, Screen("en", out))
    assert "plays octets without SML, which is noise" in out.getvalue()
    bus.close()


# --- what survives


def test_a_meter_is_played_from_a_folder_by_one_process_at_a_time(tmp_path: Path) -> None:
    first = MeterState(tmp_path, bytes(10))
    with pytest.raises(BenchError, match=r"is in use: another process plays this meter"):
        MeterState(tmp_path, bytes(10))
    MeterState(tmp_path, bytes(9) + b"\x01").release()
    first.release()
    MeterState(tmp_path, bytes(10)).release()


def test_a_second_index_that_no_meter_has_is_refused(tmp_path: Path, clock: Clock) -> None:
    bus = EmulatedBus(clock, memory_pair(clock)[0], seed=1)
    bus.add("one", SMARTY, state=tmp_path)
    bus.close()
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text("utf-8").replace('"second_index": 0', '"second_index": -5'), "utf-8")
    with pytest.raises(UsageError, match=r"no state of this meter \(no second index: -5\)"):
        MeterState(tmp_path, bytes.fromhex(file.stem))


async def test_a_state_that_can_no_longer_be_kept_is_told_and_the_meter_works_on(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = EmulatedBus(clock, memory_pair(clock)[0], seed=1)
    bus.add("one", SMARTY, state=tmp_path)

    def full(*_: object) -> None:
        raise BenchError("no space left")

    monkeypatch.setattr("bench.tools.meter_state.write_json", full)
    told: list[BenchError] = []
    bus.on_trouble = told.append
    tell = bus.stations["one"]
    meter = bus.meters["one"]
    meter.on_event("stage", {"stage": "receiving", "failed": ()})  # type: ignore[union-attr]
    assert [str(one) for one in told] == ["no space left"]
    assert tell.name == "one"
    with pytest.raises(BenchError, match="no space left"):
        bus.close()


@pytest.mark.parametrize(
    ("register", "right"), [("32.7.0: 5 W", "V"), ("9.8.0: 1 Wh", "VAh"), ("3.7.0: 1 W", "var"), ("91.7.0: 1 V", "A")]
)
def test_a_register_has_the_unit_of_its_code(clock: Clock, register: str, right: str) -> None:
    code, value = register.split(": ")
    with pytest.raises(UsageError, match=f"{code} is measured in {right}, not in"):
        make_meter(clock, "base_meter", registers={code: value})
    assert make_meter(clock, "base_meter", registers={code: f"0 {right}"})
