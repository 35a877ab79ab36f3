"""`smgw-bench updatelog`: read, verify, print ([BZ] 5.2; lmn-wired 5.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from meter_tools import LABEL, Person, emulated

from bench.cli import main
from bench.tools import emulated_bus
from bench.tools.trace import COLUMNS
from bench.tools.update_meter import UpdateOptions, update
from bench.tools.updatelog import ReadOptions, read, verify
from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.smarty_bz import SmartyBz
from devices.protocols.app_image import Version, build_image
from devices.protocols.key_label import grouped
from devices.protocols.p256 import SigningKey
from devices.protocols.update_log_file import parse_log

OTHER_KEY = SigningKey.named("another meter").public
MAKERS_KEY = (
    "82FF258D7D484D9A11FE2D7F4AA7C37E762CF3B99FC381555873165708AD6E7F"
    "E9A7FF9B3F8B27A9501E54E15AAFF8EB9EB92E472C4474A61342862A97A89C31"
)
"""On P-256 in exactly this reading of [BZ] 5.2.4 (lmn-wired 5.4)."""
MAKERS_LOG = f"""Public-Key (mit Trennzeichen):
{chr(10).join(grouped(bytes.fromhex(MAKERS_KEY)))}
Prüfung des öffentlichen Schlüssels: OK

PC-Name: P7900099
Benutzer: MIBE
Auslesezeit: 2024-03-12T10:01:58

Zähler-Id: 1SAG0021061001
LMN-Id: 0A015341470001415D89
Public-Key: {MAKERS_KEY}
Firmware-Ver.: ENSO-MME V2.0

---LOGBUCH STATUS-----
Anzahl Logbucheinträge: 4
Logbuch voll: NEIN

Signatur-Bytes für Logbuchstatus:
BA475E9D04974ED90DE14E94E833B09710915489AC44652790E10CAC2137C11C\
8A21A28C2E7A4391A4183F9604E98E2AD47D56434892FAC1EE1C88A913B7EA9F
Prüfung Statussignatur: OK

---LOGBUCH EINTRÄGE-----
1 Sekundenindex 282 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V99.99 CRC 0x4751
2 Sekundenindex 461 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V2.0 CRC 0x564c
3 Sekundenindex 1631 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V99.99 CRC 0x4751
4 Sekundenindex 2864 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V2.0 CRC 0x564c

Signatur-Bytes für Logbucheinträge:
2890245B367060AEF47C937A6A58107FAD057E3AFF9B22EF902DB5A23CA1814F\
C4F4E428D1FE05EFA308F8B6BC5B7750EECD088182BA1AA363A70EF1E21E9D50
Prüfung Eintragssignatur: OK
"""
"""The example of [BZ] 5.1 and 5.2.4, with the corrected key; the entries signature as printed in 5.1."""
FORGED = "7. Sekundenindex 90 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V9.9 CRC 0x1234"


@contextmanager
def faulty_meter(monkeypatch: pytest.MonkeyPatch, fault: str) -> Iterator[None]:
    """The emulated meter shows `fault`."""
    plain = emulated_bus.EmulatedBus.add

    def add(self: emulated_bus.EmulatedBus, name: str, *args: object, **kwargs: object) -> None:
        plain(self, name, *args, **kwargs)  # type: ignore[arg-type]
        meter = self.meters[name]
        assert isinstance(meter, SmartyBz)
        meter.provoke(fault)

    with monkeypatch.context() as patch:
        patch.setattr(emulated_bus.EmulatedBus, "add", add)
        yield


async def log_with_an_entry(clock: Clock, folder: Path) -> Path:
    """State of an emulated meter that was updated once."""
    image = folder / "v21.bin"
    image.write_bytes(build_image(bytes(300), Version(2, 1)))
    with Person() as person:
        assert await update(clock, emulated(folder / "meter"), UpdateOptions(image, yes=True), person.screen) == 0
    return folder / "meter"


async def test_an_empty_log_of_a_meter_with_the_right_key_is_trusted(clock: Clock) -> None:
    """[BZ] 5.2.5: for an empty log the check of the entries falls away."""
    with Person() as person:
        assert await read(clock, emulated(), ReadOptions(label=LABEL), person.screen) == 0
    assert "SERIENNUMMER: 1SAG0021061001" in person.seen
    assert "FIRMWARE VER.: ENSO-MME V2.0" in person.seen
    assert "Anzahl Logbucheinträge: 0" in person.seen
    assert "Bewertung: vertrauenswürdig" in person.seen
    assert "EMULIERTER ZÄHLER" in person.seen.splitlines()[0]


async def test_the_log_is_shown_in_english_too(clock: Clock, tmp_path: Path) -> None:
    state = await log_with_an_entry(clock, tmp_path)
    with Person("en") as person:
        assert await read(clock, emulated(state), ReadOptions("en", LABEL), person.screen) == 0
    assert re.search(r"^1 Second index \d+ s Event type 1 .* Version V2\.1 CRC 0x", person.seen, re.MULTILINE)
    assert "Verdict: trusted" in person.seen
    assert "EMULATED METER" in person.seen.splitlines()[0]
    assert not re.search("[äöüß]", person.seen)


async def test_a_foreign_key_keeps_the_log_shut(clock: Clock) -> None:
    """[BZ] 5.2.4: the log is read and shown when both keys are equal."""
    with Person() as person:
        assert await read(clock, emulated(), ReadOptions(label=OTHER_KEY), person.screen) == 1
    assert "Prüfung des öffentlichen Schlüssels: NOK" in person.seen
    assert "LOGBUCH STATUS" not in person.seen


async def test_without_the_type_plate_the_log_is_read_but_not_trusted(clock: Clock) -> None:
    with Person() as person:
        assert await read(clock, emulated(), ReadOptions(skip_key_check=True), person.screen) == 1
    assert "Prüfung des öffentlichen Schlüssels: übersprungen" in person.seen
    assert "Prüfung Statussignatur: OK" in person.seen
    assert "nicht vertrauenswürdig" in person.seen


@pytest.mark.parametrize(
    ("typed", "code", "shown"),
    [
        (("AC" + LABEL.hex(),), 0, "Schlüssels: OK"),
        (("(01)1SAG0021061001 AC" + LABEL.hex().upper() + " XY77",), 0, "Schlüssels: OK"),
        (("not a key", LABEL.hex()), 0, "Das ist kein Schlüssel"),
        (("",), 1, "Schlüssels: übersprungen"),
    ],
)
async def test_the_key_is_asked_for_typed_scanned_or_skipped(
    clock: Clock, typed: tuple[str, ...], code: int, shown: str
) -> None:
    """[BZ] 5.2.3 (A) to (C) and the hint on skipping; a leading AC marks the key."""
    with Person(answers=typed) as person:
        assert await read(clock, emulated(), ReadOptions(), person.screen) == code
    assert "Bitte scannen Sie" in person.seen
    assert shown in person.seen


async def test_three_times_no_key_ends_it(clock: Clock) -> None:
    with Person(answers=("a", "b", "c")) as person, pytest.raises(UsageError, match="three times no key"):
        await read(clock, emulated(), ReadOptions(), person.screen)


async def test_nobody_to_ask_is_wrong_use_before_the_port_is_opened(clock: Clock) -> None:
    with Person(terminal=False) as person, pytest.raises(UsageError, match=r"--key, --scan or --skip-key-check"):
        await read(clock, emulated(), ReadOptions(), person.screen)
    assert person.seen == ""


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("status_signature_wrong", "Prüfung Statussignatur: NOK"),
        ("entries_signature_wrong", "Prüfung Eintragssignatur: NOK"),
        ("other_key", "Prüfung des öffentlichen Schlüssels: NOK"),
        ("wrong_signing_key", "Prüfung Eintragssignatur: NOK"),
    ],
)
async def test_every_wrong_signature_is_named_and_costs_the_trust(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, expected: str
) -> None:
    state = await log_with_an_entry(clock, tmp_path)
    with faulty_meter(monkeypatch, fault), Person() as person:
        assert await read(clock, emulated(state), ReadOptions(label=LABEL), person.screen) == 1
    assert expected in person.seen


async def test_everything_is_saved_and_says_that_it_was_emulated(clock: Clock, tmp_path: Path) -> None:
    state = await log_with_an_entry(clock, tmp_path)
    single = {name: tmp_path / "single" / name for name in ("log", "hdlc", "trace")}
    with Person() as person:
        options = replace(ReadOptions(label=LABEL, folder=tmp_path / "all"), **single)
        assert await read(clock, emulated(state), options, person.screen) == 0
    files = {path.name.split("_")[-1]: path for path in (tmp_path / "all").iterdir()}
    assert {"log.txt", "hdlc.txt", "trace.txt", "print.txt", "print.html"} < set(files)
    for path in [*files.values(), *single.values()]:
        text = path.read_text("utf-8")
        assert "EMULIERTER ZÄHLER" in text or json.loads(text)["emulated"] is True
        assert f"gespeichert: {path}" in person.seen
    assert parse_log(files["log.txt"].read_bytes()).entries[0].version == "V2.1"


async def test_the_trace_has_the_columns_of_the_makers_window(clock: Clock, tmp_path: Path) -> None:
    """[BZ] 5.2.1; the invitation is row 1 there, the question for the identity row 5."""
    with Person() as person:
        options = ReadOptions(label=LABEL, expert=True, hdlc=tmp_path / "hdlc.txt", trace=tmp_path / "trace.txt")
        await read(clock, emulated(), options, person.screen)
    rows = [line.split("\t") for line in (tmp_path / "hdlc.txt").read_text("utf-8").splitlines()[2:]]
    assert tuple(rows[0]) == COLUMNS
    assert rows[1][2:] == ["UI", "7E", "A009", "FE03", "0203", "13", "842A", "", "", "7E"]
    assert rows[2][2:6] == ["UI", "7E", "A02B", "0203"]
    assert len(rows[2][9]) == 64
    assert next(row for row in rows if row[9] == "000311EDAC")[10] == "7340"
    assert re.fullmatch(r"\d\d\.\d\d\.\d\d\.\d{3}", rows[1][1])
    assert all(len(row) == len(COLUMNS) for row in rows)
    assert re.search(r"^1 +\d\d\.\d\d\.\d\d\.\d{3} +UI +7E +A009 +FE03 +0203 +13 +842A +7E$", person.seen, re.MULTILINE)
    octets = (tmp_path / "trace.txt").read_text("utf-8").splitlines()[2]
    assert octets.endswith(" -> 7EA009FE03020313842A7E")


# --- saved logs


def saved(folder: Path, text: str) -> Path:
    path = folder / "log.txt"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("language", ["de", "en"])
async def test_a_saved_log_is_trusted_with_the_key_of_the_plate_only(
    clock: Clock, tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = await log_with_an_entry(clock, tmp_path)
    log = tmp_path / "log.txt"
    with Person(language) as person:  # type: ignore[arg-type]
        await read(clock, emulated(state), ReadOptions(language, LABEL, log=log), person.screen)  # type: ignore[arg-type]
    assert main(["updatelog", "verify", str(log), "--key", LABEL.hex()]) == 0
    assert "Bewertung: vertrauenswürdig" in capsys.readouterr().out
    assert main(["updatelog", "verify", str(log), "--lang", "en"]) == 1
    assert "Verdict: cannot be decided, so not trusted (key not verified)" in capsys.readouterr().out
    assert main(["updatelog", "verify", str(log), "--key", OTHER_KEY.hex()]) == 1
    assert "Bewertung: nicht vertrauenswürdig" in capsys.readouterr().out
    log.write_text(log.read_text("utf-8").replace(" Wh", "1 Wh", 1), "utf-8")
    assert main(["updatelog", "verify", str(log), "--key", LABEL.hex(), "--json"]) == 1
    judged = json.loads(capsys.readouterr().out)
    assert judged["checks"] == {"key": "ok", "status": "ok", "entries": "nok"}
    assert judged["claims"]["entries"] == "ok", "what the file says of itself is not believed"
    assert judged["not_a_meter"] is True


@pytest.mark.parametrize("more", ["entry", "words", "log"])
async def test_what_stands_behind_the_end_of_a_log_is_refused(
    clock: Clock, tmp_path: Path, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No signature covers it, and whoever prints the file would read it as part of the log."""
    state = await log_with_an_entry(clock, tmp_path)
    log = tmp_path / "log.txt"
    with Person("en") as person:
        await read(clock, emulated(state), ReadOptions("en", LABEL, log=log), person.screen)
    good = log.read_text("utf-8")
    log.write_text(good + "\n \n", "utf-8")
    assert main(["updatelog", "verify", str(log), "--key", LABEL.hex()]) == 0, "empty lines say nothing"
    capsys.readouterr()
    log.write_text(good + {"entry": FORGED, "words": "good for the next calibration", "log": good}[more], "utf-8")
    assert main(["updatelog", "verify", "--lang", "en", str(log), "--key", LABEL.hex()]) == 2
    told = capsys.readouterr()
    assert f"line {len(good.splitlines()) + 1}, " in told.err
    assert "stands behind the end of the log, where no signature covers it" in told.err
    assert "trusted" not in told.out
    assert main(["updatelog", "verify", str(log)]) == 2
    assert "steht hinter dem Ende des Logbuchs" in capsys.readouterr().err


def test_a_log_of_the_makers_tool_is_never_called_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the maker's meters sign is unknown (lmn-wired 5.4): neither trusted nor forged can be shown."""
    path = saved(tmp_path, MAKERS_LOG)
    assert main(["updatelog", "verify", str(path), "--key", MAKERS_KEY]) == 1
    out = capsys.readouterr().out
    assert re.search(r"OK +Schlüssel des Typenschilds", out)
    assert re.search(r"OK +Schlüssel liegt auf P-256", out)
    assert re.search(r"nicht prüfbar +Statussignatur \(welche Oktette", out)
    assert re.search(r"nicht prüfbar +Eintragssignatur \(welche Oktette", out)
    assert "In der Datei steht (nicht nachgeprüft): Schlüssel OK, Status OK, Einträge OK" in out
    assert "Bewertung: nicht entscheidbar, also nicht vertrauenswürdig (Signaturen nicht prüfbar)" in out
    assert "auf V99.99 folgt die niedrigere Version V2.0" in out


def test_what_is_no_signature_at_all_is_shown_to_be_wrong_even_in_the_makers_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the reading BA47 of the status signature has a valid r on P-256, 8A47 has not (lmn-wired 5.4)."""
    path = saved(tmp_path, MAKERS_LOG.replace("BA475E9D", "8A475E9D"))
    assert main(["updatelog", "verify", str(path), "--key", MAKERS_KEY]) == 1
    out = capsys.readouterr().out
    assert re.search(r"NOK +Statussignatur", out)
    assert "Bewertung: nicht vertrauenswürdig" in out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Liebe Grüße", "Anzahl Logbucheinträge: this is missing"),
        (
            MAKERS_LOG.replace("Anzahl Logbucheinträge: 4", "Anzahl Logbucheinträge: vier"),
            "log.txt: line 18, Anzahl Logbucheinträge: ",
        ),
        (MAKERS_LOG.replace("BA475E9D04974ED90", ""), "111 hexadecimal digits instead of 128"),
        (f"{FORGED}\n{MAKERS_LOG}", "line 1, LOGBUCH EINTRÄGE: the entry '7. Sekundenindex"),
        (f"{MAKERS_LOG}\n{FORGED}\n", "behind the signature"),
        (f"{MAKERS_LOG}\n{MAKERS_LOG}", "there twice"),
        ('{"number": "1SAG0021061001"}', "this is JSON and not a saved log (give the .txt"),
    ],
)
def test_a_file_that_is_no_log_is_wrong_use_with_line_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    for act in ("verify", "print"):
        assert main(["updatelog", act, "--lang", "en", str(saved(tmp_path, text))]) == 2
        error = capsys.readouterr().err
        assert expected in error
        assert len(error.strip().splitlines()) == 1


def test_a_missing_file_and_a_bad_key_are_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["updatelog", "verify", "--lang", "en", str(tmp_path / "nowhere.txt")]) == 2
    assert "nowhere.txt: cannot be read" in capsys.readouterr().err
    assert main(["updatelog", "verify", "--lang", "en", str(saved(tmp_path, MAKERS_LOG)), "--key", "12AB"]) == 2
    assert "--key: a key has 128 hexadecimal digits, this one has 4" in capsys.readouterr().err


def test_the_printout_has_the_makers_layout_and_our_own_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """[BZ] 5.2.6; printing must not turn a claim of the file into a result."""
    path = saved(tmp_path, MAKERS_LOG)
    assert main(["updatelog", "print", str(path)]) == 0
    page = capsys.readouterr().out
    for line in (
        "PUBLIC-KEY:",
        "Prüfung des öffentlichen Schlüssels: übersprungen",
        "PC-Name: P7900099",
        "Benutzer: MIBE",
        "Auslesezeit: 2024-03-12T10:01:58",
        "SERIENNUMMER: 1SAG0021061001",
        "SERVER-ID: 0A015341470001415D89",
        f"PUBLIC-KEY: {MAKERS_KEY}",
        "FIRMWARE VER.: ENSO-MME V2.0",
        "---LOGBUCH STATUS---",
        "Prüfung Statussignatur: nicht prüfbar",
        "---LOGBUCH EINTRÄGE---",
        "2 Sekundenindex 461 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V2.0 CRC 0x564c",
        "Prüfung Eintragssignatur: nicht prüfbar",
    ):
        assert line in page.splitlines()
    for name in ("page.txt", "page.html"):
        assert main(["updatelog", "print", str(path), "--lang", "en", "--to", str(tmp_path / name)]) == 0
        assert "Check of status signature: cannot be checked" in (tmp_path / name).read_text("utf-8")
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert main(["updatelog", "print", str(path), "--to", str(tmp_path / "page.pdf")]) == 2


def test_the_command_reads_an_emulated_meter_and_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["updatelog", "read", "--port", "emulated", "--scan", f"AC{LABEL.hex()}", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["trust"] == "trusted"
    assert value["emulated"] is True
    assert value["checks"] == {"key": "ok", "status": "ok", "entries": "none"}


def test_a_foreign_key_is_told_to_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["updatelog", "read", "--port", "emulated", "--key", OTHER_KEY.hex(), "--json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert (value["checks"], value["trust"]) == ({"key": "nok"}, "not trusted")
    assert "entries" not in value


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--port", "emulated"], "the key of the type plate is missing and nobody can be asked"),
        (["--port", "emulated", "--key", "1", "--skip-key-check"], "not allowed with argument"),
        (["--port", "emulated", "--skip-key-check", "--id", "1SAG0000000001"], "the chosen meter does not answer"),
        (["--port", "emulated", "--skip-key-check", "--id", "nonsense"], "'nonsense' is no meter id"),
        (["--port", "/dev/null", "--skip-key-check", "--state", "x"], "--state is the memory of an emulated meter"),
        (["--port", "emulated", "--skip-key-check", "--sap", "80"], "no hexadecimal number of 00 to 7F"),
        (["--port", "emulated", "--skip-key-check", "--frame-size", "9999"], "no size of 1 to 2036 octets"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(["updatelog", "read", "--lang", "en", *arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    error = capsys.readouterr().err
    assert expected in error
    assert len(error.strip().splitlines()) == 1


def test_trouble_with_the_port_is_not_the_meters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["updatelog", "read", "--lang", "en", "--port", "/dev/ttyUSB99", "--skip-key-check"]) == 3
    assert "serial port /dev/ttyUSB99 does not exist" in capsys.readouterr().err


def test_another_sap_finds_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["updatelog", "read", "--lang", "en", "--port", "emulated", "--skip-key-check", "--sap", "71"]) == 1
    assert "only a SMARTY BZ-PLUS v2 has this service" in capsys.readouterr().err


def test_verify_judges_from_the_file_alone(tmp_path: Path) -> None:
    with Person(terminal=False) as person:
        assert verify(saved(tmp_path, MAKERS_LOG), None, person.screen) == 1
    assert "Signaturen nicht prüfbar, Schlüssel nicht geprüft" in person.seen
