"""`smgw-bench meter` speaks German and English, by the words that the other tools use."""

from __future__ import annotations

import asyncio
import string
from io import StringIO
from pathlib import Path

import pytest

from bench.cli import main
from bench.scenario.models import GivenMeter
from bench.tools.emulated_bus import EmulatedBus
from bench.tools.meters import MeterOptions, _introduce, event_text, serve
from bench.tools.screen import Language, Screen
from bench.tools.words import WORDS
from devices.clock import Clock
from devices.meters import security, smarty_metrology, station_settings
from devices.meters.catalogue import KINDS
from devices.ports.base import PortLost
from devices.ports.memory import memory_pair
from devices.ports.pty import pty_pair
from devices.protocols.smarty_update import Stage
from devices.protocols.update_log import Event, UpdateLogEntry
from devices.rs485.adapter import AdapterSettings

ENTRY = UpdateLogEntry(1, 282, Event.SUCCEEDED, 5, 0, "V2.1", 0x564C)


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_say_the_same_things() -> None:
    odd = {name for name, (german, english) in WORDS.items() if fields(german) != fields(english)}
    assert odd == {"bad_key"}, "only the reason for a bad key is in English alone"


def test_every_kind_of_meter_and_every_stage_has_its_words() -> None:
    assert {f"kind_{kind}" for kind in KINDS} | {f"stage_{stage.name.lower()}" for stage in Stage} <= set(WORDS)


def test_every_event_with_words_is_one_that_meters_report() -> None:
    reported = {*station_settings.EVENTS, *security.EVENTS, *smarty_metrology.EVENTS}
    said = {name.removeprefix("event_") for name in WORDS if name.startswith("event_")}
    assert {name for name in said if not any(name.startswith(kind) for kind in reported)} == set()


@pytest.mark.parametrize(
    ("kind", "details", "german", "english"),
    [
        (
            "addressed",
            {"address": 0x5A, "slot": 1, "listed": False},
            "hat Adresse 5A, selbst gewählt",
            "has address 5A, chosen",
        ),
        (
            "addressed",
            {"address": 2, "slot": 1, "listed": True},
            "hat Adresse 02, bestätigt",
            "has address 02, confirmed",
        ),
        ("connected", {"selector": 0x70}, "Verbindung eröffnet, Dienstprotokoll", "link opened, service protocol"),
        ("connected", {"selector": 0x7A}, "Verbindung eröffnet, Selektor 7A", "link opened, selector 7A"),
        ("stage", {"stage": "installing", "failed": ()}, "Update: Installation", "update: installing"),
        ("application", {"running": True}, "Applikation läuft", "application runs"),
        ("secured", {"suite": 0xC023}, "TLS-Sitzung steht", "TLS session stands"),
    ],
)
def test_an_event_is_told_in_the_language_that_was_asked_for(
    kind: str, details: dict[str, object], german: str, english: str
) -> None:
    assert event_text(kind, details, Screen("de", StringIO())) == german
    assert event_text(kind, details, Screen("en", StringIO())) == english


def test_what_is_not_worth_a_line_is_not_told() -> None:
    assert event_text("power", {"on": True}, Screen("de", StringIO())) is None


def test_an_entry_of_the_log_is_told_as_the_log_reader_prints_it() -> None:
    assert event_text("logged", {"entry": ENTRY}, Screen("de", StringIO())) == (
        "neu im Update-Logbuch: 1 Sekundenindex 282 s Event-Typ 1 Register_1.8.0 5 Wh Register_2.8.0 0 Wh "
        "Version V2.1 CRC 0x564c"
    )


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", ("Server-Id 0A015341470001415D89, SMARTY BZ-PLUS v2 mit Firmware", "Initialschlüssel", "Public-Key")),
        ("en", ("server id 0A015341470001415D89, SMARTY BZ-PLUS v2 with firmware", "initial key", "public key")),
    ],
)
async def test_a_meter_is_introduced_in_either_language(
    clock: Clock, language: Language, words: tuple[str, ...]
) -> None:
    out = StringIO()
    bus = EmulatedBus(clock, memory_pair(clock)[0], seed=1)
    bus.add("one", GivenMeter(type="smarty_bz_plus_v2", id="1SAG0021061001"))
    _introduce("one", "smarty_bz_plus_v2", bus, Screen(language, out))
    assert all(word in out.getvalue() for word in words)
    bus.close()


async def test_the_whole_tool_speaks_german(clock: Clock) -> None:
    adapter, path = pty_pair(clock, name="adapter")
    out = StringIO()
    task = asyncio.ensure_future(serve(clock, MeterOptions(AdapterSettings(path)), Screen("de", out)))
    while "läuft; Strg-C beendet" not in out.getvalue():
        assert not task.done(), task.exception()
        await clock.sleep(0.01)
    adapter.close()
    with pytest.raises(PortLost):
        await asyncio.wait_for(task, 5)
    assert out.getvalue().startswith(f"Bus: {path} (921600 Bd, Richtung auto)")


def test_another_language_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["meter", "--port", "pty", "--language", "fr", "--state", str(tmp_path)])
    assert ended.value.code == 2
    assert "invalid choice: 'fr'" in capsys.readouterr().err


async def test_a_meter_in_the_clear_has_no_initial_key(clock: Clock) -> None:
    bus = EmulatedBus(clock, memory_pair(clock)[0], seed=1)
    bus.add("one", GivenMeter(id="1EMH0005975894", security="clear"))
    assert bus.keys == {}
    bus.close()


async def test_a_file_says_how_large_the_log_of_a_meter_is(clock: Clock) -> None:
    bus = EmulatedBus(clock, memory_pair(clock)[0], seed=1)
    bus.add("one", GivenMeter(type="smarty_bz_plus_v2", id="1SAG0021061001", log_capacity=2))
    assert bus.meters["one"].metrology_cpu.store.capacity == 2  # type: ignore[union-attr]
    bus.close()
