"""`smgw-bench update-meter` and `app-image` ([BZ] 6.2; lmn-wired 5.5)."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from meter_tools import LABEL, Person, emulated

from bench.cli import main
from bench.tools import emulated_bus
from bench.tools.connection import Way
from bench.tools.update_meter import ANSWER_WITHIN_S, UpdateOptions, read_image, update
from bench.tools.updatelog import ReadOptions, read
from devices.clock import Clock
from devices.errors import DeviceError, UsageError
from devices.meters.smarty_bz import SmartyBz
from devices.ports.base import LineSettings, PortLost
from devices.ports.pty import pty_pair
from devices.protocols.app_image import Version, build_image
from devices.protocols.p256 import SigningKey
from devices.protocols.smarty_update import Stage
from devices.rs485.adapter import AdapterSettings
from devices.rs485.smarty_client import MeterRefused


class Kept:
    """Catches the emulated meter that a tool plays against."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[SmartyBz], None] | None = None) -> None:
        self.meters: list[SmartyBz] = []
        plain = emulated_bus.EmulatedBus.add

        def add(bus: emulated_bus.EmulatedBus, name: str, *args: object, **kwargs: object) -> None:
            plain(bus, name, *args, **kwargs)  # type: ignore[arg-type]
            meter = bus.meters[name]
            assert isinstance(meter, SmartyBz)
            self.meters.append(meter)
            if prepare is not None:
                prepare(meter)

        monkeypatch.setattr(emulated_bus.EmulatedBus, "add", add)

    @property
    def meter(self) -> SmartyBz:
        return self.meters[-1]

    @property
    def stage(self) -> Stage:
        return self.meter.metrology_cpu.progress.stage


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    return Kept(monkeypatch)


def image(folder: Path, version: tuple[int, int] = (2, 1), **how: object) -> Path:
    path = folder / "image.bin"
    path.write_bytes(build_image(bytes((*version, *range(248))) * 8, Version(*version), **how))  # type: ignore[arg-type]
    return path


async def test_yes_installs_and_shows_version_and_log_entry(clock: Clock, tmp_path: Path, kept: Kept) -> None:
    with Person(answers=("ja",)) as person:
        assert await update(clock, emulated(), UpdateOptions(image(tmp_path)), person.screen) == 0
    seen = person.seen
    told = [
        "Firmware-Stand im Zähler: ENSO-MME V2.0",
        "OK  vollständig und unbeschädigt",
        "OK  für den Zählertyp geeignet",
        "OK  korrekt signiert",
        "Neue Firmware V2.1 aktivieren?",
        "Installiere ...",
        "Neuer Firmware-Stand: ENSO-MME V2.1",
        "Neu im Update-Logbuch:",
        "Signaturen des Logbuchs: Status OK, Einträge OK",
        "Der Update-Vorgang ist erfolgreich abgeschlossen.",
    ]
    places = [seen.index(text) for text in told]
    assert places == sorted(places)
    assert re.search(r"^  1 Sekundenindex \d+ s Event-Typ 1 .* Version V2\.1 CRC 0x", seen, re.MULTILINE)
    assert "100%" in seen
    assert kept.meter.firmware == "ENSO-MME V2.1"


@pytest.mark.parametrize("answers", [("nein",), ("N",), ("vielleicht", "", "hm")])
async def test_no_aborts_without_a_log_entry(
    clock: Clock, tmp_path: Path, kept: Kept, answers: tuple[str, ...]
) -> None:
    """[BZ] 6.2.3: after "Nein" the meter keeps working with the old firmware."""
    with Person(answers=answers) as person:
        assert await update(clock, emulated(), UpdateOptions(image(tmp_path)), person.screen) == 1
    assert "Abgebrochen: der Zähler arbeitet weiterhin mit dem alten Firmware-Stand" in person.seen
    assert kept.meter.firmware == "ENSO-MME V2.0"
    assert kept.stage is Stage.IDLE
    assert kept.meter.metrology_cpu.log().status.count == 0


async def test_silence_counts_as_no_and_the_link_lives_until_then(clock: Clock, tmp_path: Path, kept: Kept) -> None:
    """A meter forgets a link after 120 s of silence (assumed); the question stands longer."""
    with Person("en") as person:
        assert await update(clock, emulated(), UpdateOptions(image(tmp_path)), person.screen) == 1
    assert clock.seconds() > ANSWER_WITHIN_S
    assert "aborted: the meter keeps working with the old firmware" in person.seen
    assert kept.stage is Stage.IDLE


async def test_nobody_to_ask_and_no_yes_is_refused_before_anything_is_sent(
    clock: Clock, tmp_path: Path, kept: Kept
) -> None:
    with Person(terminal=False) as person, pytest.raises(UsageError, match="--yes activates it unasked"):
        await update(clock, emulated(), UpdateOptions(image(tmp_path)), person.screen)
    assert kept.meters == []


async def test_without_a_terminal_progress_is_a_few_plain_lines(clock: Clock, tmp_path: Path) -> None:
    with Person("en", terminal=False) as person:
        assert await update(clock, emulated(), UpdateOptions(image(tmp_path), yes=True), person.screen) == 0
    lines = [line for line in person.seen.splitlines() if line.startswith("transferring firmware")]
    assert [re.sub(r" \(.*", "", line) for line in lines][0::4] == [
        "transferring firmware:   0 %",
        "transferring firmware: 100 %",
    ]
    assert len(lines) == 5
    assert "\x1b" not in person.seen


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "a file of 0 octets is no firmware"),
        (b"MZ this is something else", "no image of application firmware"),
        (build_image(bytes(100), Version(2, 1))[:-1], "the image is not complete: 99 of 100 octets"),
        (build_image(bytes(100), Version(2, 1))[:60], "the header alone has 114"),
    ],
)
def test_a_wrong_file_is_not_sent(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "image.bin"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=expected):
        read_image(UpdateOptions(path))


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ({"maker": SigningKey.named("somebody")}, "korrekt signiert"),
        ({"meter_type": "OTHER"}, "für den Zählertyp geeignet"),
    ],
)
async def test_an_image_that_fails_a_check_is_rejected_and_logged_as_failure(
    clock: Clock, tmp_path: Path, kept: Kept, how: dict[str, object], wrong: str
) -> None:
    with Person() as person:
        assert await update(clock, emulated(), UpdateOptions(image(tmp_path, **how), yes=True), person.screen) == 1
    assert f"NOK {wrong}" in person.seen
    assert "Der Zähler lehnt die Firmware ab" in person.seen
    assert re.search(r"^  1 Sekundenindex \d+ s Event-Typ 0 .* Version n\.A\. CRC 0$", person.seen, re.MULTILINE)
    assert kept.meter.firmware == "ENSO-MME V2.0"


async def test_what_the_tool_would_refuse_the_meter_judges_with_unchecked(
    clock: Clock, tmp_path: Path, kept: Kept
) -> None:
    path = tmp_path / "image.bin"
    path.write_bytes(build_image(bytes(100), Version(2, 1))[:-1])
    with Person() as person:
        assert await update(clock, emulated(), UpdateOptions(path, yes=True, unchecked=True), person.screen) == 1
    assert "NOK vollständig und unbeschädigt" in person.seen
    assert kept.meter.metrology_cpu.log().status.count == 1


@pytest.mark.parametrize(("allowed", "runs"), [(False, "V2.0"), (True, "V1.9")])
async def test_a_version_that_is_not_higher_needs_the_switch(
    clock: Clock, tmp_path: Path, kept: Kept, allowed: bool, runs: str
) -> None:
    """[BZ] 6.1: only a higher version can be loaded."""
    options = UpdateOptions(image(tmp_path, (1, 9)), yes=True, allow_downgrade=allowed)
    with Person() as person:
        if allowed:
            assert await update(clock, emulated(allow_downgrade=True), options, person.screen) == 0
        else:
            with pytest.raises(UsageError, match=r"V1\.9 is not higher than V2\.0"):
                await update(clock, emulated(), options, person.screen)
    assert kept.meter.firmware == f"ENSO-MME {runs}"


async def test_the_meter_has_the_last_word_on_a_lower_version(clock: Clock, tmp_path: Path, kept: Kept) -> None:
    options = UpdateOptions(image(tmp_path, (1, 9)), yes=True, allow_downgrade=True)
    with Person() as person:
        assert await update(clock, emulated(), options, person.screen) == 1
    assert "NOK höher als der laufende Stand" in person.seen


async def test_an_installation_that_fails_leaves_the_old_firmware_and_says_so(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(monkeypatch, lambda meter: meter.provoke("install_fails"))
    with Person() as person:
        assert await update(clock, emulated(), UpdateOptions(image(tmp_path), yes=True), person.screen) == 1
    assert "Die Installation ist fehlgeschlagen" in person.seen
    assert "Event-Typ 0" in person.seen
    assert "erfolgreich" not in person.seen
    assert kept.meter.firmware == "ENSO-MME V2.0"


async def test_a_full_log_takes_no_update(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[BZ] 5.1: JA = no further entry is possible; an update without an entry must not happen (lmn-wired 5.6)."""

    def fill(meter: SmartyBz) -> None:
        meter.metrology_cpu.store.capacity = 0

    kept = Kept(monkeypatch, fill)
    with Person() as person, pytest.raises(MeterRefused, match="the update log is full"):
        await update(clock, emulated(), UpdateOptions(image(tmp_path), yes=True), person.screen)
    assert kept.meter.firmware == "ENSO-MME V2.0"


async def _stopped_when(clock: Clock, way: Way, path: Path, person: Person, due: Callable[[], bool]) -> None:
    """Press Ctrl-C as soon as `due`."""
    task = asyncio.ensure_future(update(clock, way, UpdateOptions(path, yes=True), person.screen))
    while not due():
        assert not task.done()
        await clock.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("stage", [Stage.RECEIVING, Stage.CHECKING])
async def test_ctrl_c_makes_the_meter_forget_the_image(clock: Clock, tmp_path: Path, kept: Kept, stage: Stage) -> None:
    with Person() as person:
        await _stopped_when(
            clock, emulated(), image(tmp_path), person, lambda: bool(kept.meters) and kept.stage is stage
        )
    assert "Unterbrochen: dem Zähler wird abgesagt" in person.seen
    assert kept.stage is Stage.IDLE
    assert kept.meter.metrology_cpu.log().status.count == 0


async def test_ctrl_c_during_the_installation_is_too_late_and_says_so(clock: Clock, tmp_path: Path, kept: Kept) -> None:
    with Person() as person:
        await _stopped_when(
            clock, emulated(), image(tmp_path), person, lambda: bool(kept.meters) and kept.stage is Stage.INSTALLING
        )
    assert "die Installation läuft im Zähler zu Ende" in person.seen


async def test_a_meter_that_dies_in_mid_transfer_ends_it_in_bounded_time(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(monkeypatch, lambda meter: None)

    def receiving() -> bool:
        return bool(kept.meters) and kept.stage is Stage.RECEIVING

    with Person() as person:
        task = asyncio.ensure_future(update(clock, emulated(), UpdateOptions(image(tmp_path), yes=True), person.screen))
        while not receiving():
            await clock.sleep(0.01)
        kept.meter.application_cpu.running = False
        with pytest.raises(DeviceError):
            await task
    assert clock.seconds() < 60


@pytest.mark.asyncio(loop_factories=["virtual", "real"])
async def test_a_cable_pulled_in_mid_transfer_is_bench_trouble_and_no_hang(clock: Clock, tmp_path: Path) -> None:
    far, path = pty_pair(clock, LineSettings(), name="adapter")
    bus = emulated_bus.EmulatedBus(clock, far, seed=1)
    bus.add("meter", emulated_bus.DEMONSTRATION)
    meter = bus.meters["meter"]
    assert isinstance(meter, SmartyBz)
    with Person() as person:
        options = UpdateOptions(image(tmp_path), yes=True)
        task = asyncio.ensure_future(update(clock, Way(AdapterSettings(path)), options, person.screen))
        while meter.metrology_cpu.progress.stage is not Stage.RECEIVING:
            assert not task.done()
            await clock.sleep(0.01)
        bus.close()
        began = clock.seconds()
        with pytest.raises(PortLost, match="the other end or the adapter is gone"):
            await task
    assert clock.seconds() - began < 5
    assert "PSEUDO-TERMINAL" in person.seen


async def test_the_last_entry_fills_the_log_and_is_shown(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(meter: SmartyBz) -> None:
        meter.metrology_cpu.store.capacity = 1

    Kept(monkeypatch, small)
    way = emulated(tmp_path / "meter")
    with Person() as person:
        assert await update(clock, way, UpdateOptions(image(tmp_path), yes=True), person.screen) == 0
        assert await read(clock, way, ReadOptions(label=LABEL), person.screen) == 0
    assert "Logbuch voll: JA" in person.seen
    with Person() as person, pytest.raises(MeterRefused, match="the update log is full"):
        await update(clock, way, UpdateOptions(image(tmp_path, (2, 2)), yes=True), person.screen)


async def test_the_memory_of_the_emulated_meter_survives_in_its_folder(clock: Clock, tmp_path: Path) -> None:
    for minor in (1, 2):
        with Person() as person:
            options = UpdateOptions(image(tmp_path, (2, minor)), yes=True)
            assert await update(clock, emulated(tmp_path / "meter"), options, person.screen) == 0
    with Person() as person:
        assert await read(clock, emulated(tmp_path / "meter"), ReadOptions(label=LABEL), person.screen) == 0
    assert "Anzahl Logbucheinträge: 2" in person.seen
    assert "Auffälligkeiten" not in person.seen, "second index and registers go on where they were"


async def test_an_update_that_was_killed_in_mid_installation_is_logged_at_the_next_start(
    clock: Clock, tmp_path: Path, kept: Kept
) -> None:
    """Power loss during installation: event 0 on the next boot when the old image runs (lmn-wired 5.6)."""
    with Person() as person:
        await _stopped_when(
            clock,
            emulated(tmp_path / "meter"),
            image(tmp_path),
            person,
            lambda: bool(kept.meters) and kept.stage is Stage.INSTALLING,
        )
        assert await read(clock, emulated(tmp_path / "meter"), ReadOptions(label=LABEL), person.screen) == 0
    assert "Event-Typ 0" in person.seen
    assert "FIRMWARE VER.: ENSO-MME V2.0" in person.seen


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "smgw-bench/meter-state/1"}', '{"schema": 1}'])
async def test_a_damaged_memory_is_named(clock: Clock, tmp_path: Path, text: str) -> None:
    (tmp_path / "0a015341470001415d89.json").write_text(text)
    with Person() as person, pytest.raises(UsageError, match="no state of this meter"):
        await read(clock, emulated(tmp_path), ReadOptions(label=LABEL), person.screen)


# --- the commands


def test_built_images_are_accepted_or_rejected_as_they_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.bin"
    assert main(["app-image", "build", "--version", "2.10", "--out", str(good), "--size", "1000"]) == 0
    out = capsys.readouterr().out
    assert "TEST KEY of smgw-bench, known to everybody" in out
    assert "good for emulated meters only" in out
    again = tmp_path / "again.bin"
    assert main(["app-image", "build", "--version", "2.10", "--out", str(again), "--size", "1000"]) == 0
    assert good.read_bytes() == again.read_bytes(), "same image, same CRC"
    assert main(["app-image", "build", "--version", "two", "--out", str(again)]) == 2
    assert "'two' is no version like V2.0" in capsys.readouterr().err
    assert main(["app-image", "build", "--version", "2.1", "--out", str(tmp_path / "no" / "x.bin")]) == 3


def test_a_script_without_yes_is_refused_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", "update-meter", "--lang", "en", "--port", "emulated", str(image(tmp_path))],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip() == (
        "smgw-bench: nobody can be asked whether to activate the firmware (--yes activates it unasked)"
    )


@pytest.mark.parametrize(
    ("number", "ctrl_c"),
    [(signal.SIGINT, signal.SIG_DFL), (signal.SIGTERM, signal.SIG_DFL), (signal.SIGTERM, signal.SIG_IGN)],
)
def test_ctrl_c_in_a_real_process_ends_with_130_and_no_traceback(
    tmp_path: Path, number: int, ctrl_c: signal.Handlers
) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(build_image(bytes(400_000), Version(2, 1)))
    running = subprocess.Popen(
        [sys.executable, "-m", "bench.cli", "update-meter", "--port", "emulated", "--yes", "--lang", "en", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, ctrl_c),  # noqa: PLW1509 - a background job ignores it
    )
    assert running.stdout is not None
    until = time.monotonic() + 60
    for line in running.stdout:
        assert time.monotonic() < until
        if line.startswith("transferring"):
            break
    os.kill(running.pid, number)
    out, error = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "interrupted: the meter is told to forget the image" in out
    assert error.strip() == "smgw-bench: interrupted"
