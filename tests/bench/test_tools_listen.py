"""`smgw-bench listen` and `air`: what is on the air, through sticks, for people and for programs."""

from __future__ import annotations

import asyncio
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.tools.air import AirOptions, given_radio_meters, play
from bench.tools.emulated_air import DEMONSTRATION
from bench.tools.heard_meters import HeardMeters
from bench.tools.listen import ListenOptions, listen, table_of
from bench.tools.radio_arguments import KINDS, MODES
from bench.tools.radio_keys import RadioKeys, read_keys
from bench.tools.screen import Screen
from bench.tools.stick_port import StickOptions
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.ports.base import LineSettings
from devices.ports.pty import pty_pair
from devices.ports.radio import RadioMode, Reception
from devices.protocols.mbus.link import Address
from devices.wmbus.emulated.catalogue import EMULATED
from devices.wmbus.emulated.im871a import EmulatedIm871a
from devices.wmbus.kinds import STICKS
from devices.wmbus.stick import Receive, StickReception

GAS = bytes.fromhex("2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3")
KEY = bytes.fromhex("0102030405060708090A0B0C0D0E0F11")
ANNEX_N = RadioKeys({"7ELS3312345678": KEY})
"""The gas meter of OMS Annex N (lmn-wireless 3)."""


def reception(at_s: float, telegram: bytes = GAS) -> StickReception:
    return StickReception(at_s, telegram, RadioMode.T1, -64.0, 17, mode_known=False)


def run(clock: Clock, stick: StickOptions, *, as_json: bool, for_s: float, keys: Path | None = None) -> Any:
    out, said = io.StringIO(), io.StringIO()
    options = ListenOptions(stick, keys, as_json, for_s)
    return listen(clock, options, Screen("en", said, quiet=as_json), out), out, said


# --- what was heard


async def test_a_meter_is_counted_with_interval_strength_and_values(clock: Clock) -> None:
    """28504.27 m3 (lmn-wireless 3)"""
    heard = HeardMeters(clock, ANNEX_N)
    for at_s in (10.0, 30.0, 50.0):
        heard.take(reception(at_s))
    (meter,) = heard.meters.values()
    assert (meter.number, meter.count, meter.interval_s, meter.rssi_dbm) == ("7ELS3312345678", 3, 20.0, -64.0)
    assert meter.security == "mode5, decrypted"
    assert meter.values == ("28504.27 m3",)
    assert meter.mode == "", "this stick does not say"


async def test_without_key_the_row_says_so(clock: Clock) -> None:
    heard = HeardMeters(clock)
    heard.take(reception(0))
    (meter,) = heard.meters.values()
    assert meter.security == "mode5, encrypted"
    assert "no key" in meter.trouble
    assert meter.values == ()


async def test_a_wrong_key_is_trouble_and_not_the_end(clock: Clock) -> None:
    heard = HeardMeters(clock, RadioKeys({"12345678": bytes(16)}))
    telegram = heard.take(reception(0))
    assert telegram.meter is not None
    assert telegram.meter.security == "mode5, failed"


@pytest.mark.parametrize(
    "octets", ["", "00", "0944931578563412330", "FF" * 30, GAS[:-1].hex(), "0944931578563412" + "33"]
)
async def test_what_is_no_telegram_is_told_and_counted(clock: Clock, octets: str) -> None:
    octets = octets[: len(octets) // 2 * 2]
    heard = HeardMeters(clock)
    telegram = heard.take(Reception(0.0, bytes.fromhex(octets), RadioMode.T1))
    assert telegram.reading is None
    assert telegram.trouble
    assert json.loads(telegram.as_json("cul"))["trouble"] == telegram.trouble
    assert (heard.telegrams, heard.spoilt, heard.meters) == (0, 1, {})


async def test_a_line_of_json_has_reception_layers_and_records(clock: Clock) -> None:
    told = json.loads(HeardMeters(clock, ANNEX_N).take(reception(0)).as_json("im871a"))
    assert told["meter"] == "7ELS3312345678"
    assert (told["stick"], told["mode"], told["rssi_dbm"], told["stamp"]) == ("im871a", None, -64.0, 17)
    assert told["hex"] == GAS.hex().upper()
    assert told["security"] == "mode5"
    assert (told["records"][0]["value"], told["records"][0]["unit"]) == (28504.27, "m3")


async def test_the_table_has_a_row_for_each_meter(clock: Clock) -> None:
    heard = HeardMeters(clock, ANNEX_N)
    for at_s in (0.0, 20.0):
        heard.take(reception(at_s))
    out = io.StringIO()
    Console(file=out, width=160).print(table_of(heard, 25.0, Screen("de", out)))
    heading, row = (line for line in out.getvalue().splitlines() if "Zähler" in line or "7ELS" in line)
    assert heading.split() == ["Zähler", "Art", "Anzahl", "zuletzt", "Abstand", "dBm", "Modus", "Schutz", "Werte"]
    assert " ".join(row.split()) == "7ELS3312345678 Gas 2 5 s 20.0 s -64 ? mode5, decrypted 28504.27 m3"


# --- keys


def test_keys_are_found_by_number_and_by_digits(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(f"7ELS3312345678: {KEY.hex()}\n87654321: 000102030405060708090a0b0c0d0e0f\n")
    keys = read_keys(file)
    assert keys.of(Address("ELS", "12345678", 0x33, 3)) == KEY
    assert keys.of(Address("HYD", "12345678", 0x33, 3)) is None
    assert keys.of(Address("HYD", "87654321", 1, 7)) == bytes(range(16))


def test_every_mistake_in_a_file_of_keys_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("7ELS3312345678: 0102\nmeter: 000102030405060708090a0b0c0d0e0f\n")
    with pytest.raises(UsageError) as caught:
        read_keys(file)
    assert f"{file}:1:17: the key of 7ELS3312345678 has 32 hexadecimal digits, not 4 of them" in str(caught.value)
    assert f"{file}:2:1: 'meter' is no number of a radio meter" in str(caught.value)
    file.write_text("- 1\n")
    with pytest.raises(UsageError, match="write lines like"):
        read_keys(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7ELS3312345678: ", "has 32 hexadecimal digits, not nothing"),
        (f"7ELS3312345678: {KEY.hex()[:-1]}x", "has 32 hexadecimal digits, not 'X' among them"),
        (f"7ELS3312345678: {KEY.hex()}\n7els3312345678: {'00' * 16}", ":2:1: 7els3312345678 has a key already"),
        (f"7ELS3312345678: {KEY.hex()}\nELS3312345678: {'00' * 16}", "is no number"),
    ],
)
def test_a_file_of_keys_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_keys(file)
    assert message in str(caught.value)


def test_a_key_may_begin_with_0x(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(f"7ELS3312345678: '0x{KEY.hex()}'\n")
    assert read_keys(file).of(Address("ELS", "12345678", 0x33, 3)) == KEY


# --- listening


@pytest.mark.parametrize("kind", STICKS)
async def test_every_emulated_stick_hears_the_emulated_meters(clock: Clock, kind: str) -> None:
    work, out, said = run(clock, StickOptions(kind, "emulated"), as_json=True, for_s=60)
    assert await work == 0
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    wanted = {given.id for name, given in DEMONSTRATION.items() if kind != "cul" or name != "water"}
    assert {one["meter"] for one in told} == wanted
    assert {one["state"] for one in told} == {"decrypted", "plain"}
    assert len(told) >= 15
    assert said.getvalue() == ""


async def test_without_terminal_each_telegram_is_a_line(clock: Clock) -> None:
    work, out, said = run(clock, StickOptions("im871a", "emulated"), as_json=False, for_s=30)
    assert await work == 0
    assert "EMULATED AIR" in said.getvalue()
    assert "listening to C+T" in said.getvalue()
    assert any("7ELS3312345678  gas  #2  5" in line or "#2  4.9 s" in line for line in out.getvalue().splitlines())
    assert said.getvalue().splitlines()[-1].endswith("meters: 3, no telegrams: 0, octets without sense: 0")


async def test_an_emulated_stick_must_be_of_some_kind(clock: Clock) -> None:
    with pytest.raises(UsageError, match=r"has to be of some kind .--stick im871a"):
        await run(clock, StickOptions("auto", "emulated"), as_json=True, for_s=1)[0]


async def test_a_stick_that_is_not_there_is_trouble_of_the_bench(clock: Clock) -> None:
    with pytest.raises(BenchError, match="/dev/ttyUSB99 does not exist"):
        await run(clock, StickOptions("im871a", "/dev/ttyUSB99"), as_json=True, for_s=1)[0]


async def test_a_port_where_nobody_answers_is_named_with_its_path(clock: Clock) -> None:
    far, path = pty_pair(clock)
    with pytest.raises(BenchError, match=f"iM871A at {path}: no answer to a ping"):
        await run(clock, StickOptions("im871a", path), as_json=True, for_s=1)[0]
    with pytest.raises(BenchError, match=f"{path}: no wM-Bus stick answers"):
        await run(clock, StickOptions("auto", path), as_json=True, for_s=10)[0]
    far.close()


async def test_a_stick_pulled_for_good_ends_it_with_trouble(
    clock: Clock, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class NoAir:
        on_reception = None

        def send(self, telegram: bytes, mode: RadioMode) -> float:
            return 0.0

        def detach(self) -> None:
            """Nothing to let go of."""

    far, path = pty_pair(clock, LineSettings(57_600))
    name = tmp_path / "usb-stick"  # as in /dev/serial/by-id: the link goes with the stick
    name.symlink_to(path)
    stick = EmulatedIm871a(clock, far, NoAir())

    def pull() -> None:
        name.unlink()
        stick.pull_out()

    clock.call_later(5, pull)
    with pytest.raises(BenchError, match=r"did not come back in 20 attempts: .*does not exist"):
        await run(clock, StickOptions("im871a", str(name)), as_json=True, for_s=3600)[0]
    assert f"stick in trouble: iM871A at {name} is gone" in capsys.readouterr().err


async def test_lines_through_a_pipe_are_read_to_their_end(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """rtl_wmbus | smgw-bench listen --stick rtl_wmbus --port -"""
    reading, writing = os.pipe()
    line = f"T1;1;1;2019-04-03 19:00:42.000;97;148;12345678;0x{GAS.hex()}\n"
    os.write(writing, (line * 3).encode())
    os.close(writing)
    monkeypatch.setattr(os, "dup", lambda _: reading)
    work, out, _ = run(clock, StickOptions("rtl_wmbus", "-"), as_json=True, for_s=3600)
    assert await work == 0
    assert len(out.getvalue().splitlines()) == 3
    assert clock.seconds() < 60


# --- the air


async def test_meters_on_an_emulated_stick_are_heard_by_another_program(clock: Clock, tmp_path: Path) -> None:
    """`air --port pty` in one program, `listen --stick auto` in the other."""
    file = tmp_path / "meters.yaml"
    file.write_text(
        "radio_meters:\n"
        "  gas: {kind: gas, id: 7ELS3312345678, load: 0.6 m3/h, interval: 5 s, "
        "registers: {'7-0:3.1.0': 28504.27 m3}, key: 0102030405060708090a0b0c0d0e0f11}\n"
    )
    keys = tmp_path / "keys.yaml"
    keys.write_text(f"7ELS3312345678: {KEY.hex()}\n")
    said = io.StringIO()
    air = asyncio.ensure_future(
        play(clock, AirOptions(StickOptions("amb8465", "pty"), file, for_s=90, seed=1), Screen("en", said))
    )
    while "/dev/pts/" not in said.getvalue():
        await clock.sleep(0.1)
    path = next(word for word in said.getvalue().split() if word.startswith("/dev/pts/"))
    work, out, _ = run(clock, StickOptions("auto", path), as_json=True, for_s=40, keys=keys)
    assert await work == 0
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(told) >= 6
    assert {(one["meter"], one["state"], one["mac_valid"]) for one in told} == {("7ELS3312345678", "decrypted", True)}
    assert told[0]["records"][0]["value"] == 28504.27
    assert await air == 0
    assert f"gas: key {KEY.hex().upper()}" in said.getvalue()


@pytest.mark.parametrize("kind", ["im871a", "amb8465", "rc1180"])
async def test_meters_are_sent_by_a_stick(clock: Clock, kind: str, tmp_path: Path) -> None:
    sent: list[tuple[bytes, RadioMode]] = []

    class Socket:
        on_reception = None

        def send(self, telegram: bytes, mode: RadioMode) -> float:
            sent.append((telegram, mode))
            return 0.01

        def detach(self) -> None:
            """Nothing to let go of."""

    far, path = pty_pair(clock, STICKS[kind].line)
    stick = EMULATED[kind](clock, far, Socket())
    file = tmp_path / "meters.yaml"
    file.write_text("radio_meters: {water: {kind: water, id: 8HYD0120261234, interval: 5 s, mode: C1A}}\n")
    said = io.StringIO()
    assert await play(clock, AirOptions(StickOptions(kind, path), file, for_s=60, seed=1), Screen("en", said)) == 0
    assert len(sent) >= 10
    assert {(telegram[2:10].hex(), mode) for telegram, mode in sent} == {("2423341226200107", RadioMode.C1_A)}
    assert "sent: HYD 20261234" in said.getvalue()
    stick.close()


async def test_a_stick_that_only_receives_cannot_play_meters(clock: Clock) -> None:
    far, path = pty_pair(clock)
    said = io.StringIO()
    with pytest.raises(UsageError, match="rtl_wmbus only receives"):
        await play(clock, AirOptions(StickOptions("rtl_wmbus", path), for_s=5), Screen("en", said))
    far.close()


def test_mistakes_in_a_file_of_meters_have_their_places(tmp_path: Path) -> None:
    file = tmp_path / "meters.yaml"
    file.write_text("radio_meters:\n  one: {kind: gas, id: 1ELS3312345678}\n")
    with pytest.raises(UsageError, match=f"{file}:2:.*begins with 7, not 1"):
        given_radio_meters(file)
    file.write_text("meters: {}\n")
    with pytest.raises(UsageError, match="radio_meters"):
        given_radio_meters(file)


def test_the_command_line_knows_all_sticks_and_modes() -> None:
    assert tuple(STICKS) == KINDS
    assert tuple(one.value for one in Receive if one is not Receive.NOTHING) == MODES
