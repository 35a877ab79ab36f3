"""The printed log, written and read again, by this bench and by the maker's tool ([BZ] 5.2.4, 5.2.6)."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from smarty_words import ENTRIES, ENTRIES_SIGNATURE, KEY, MAKERS_LOG, STATUS_SIGNATURE

from devices.protocols.p256 import SigningKey
from devices.protocols.update_log import Check, Event, Trust, UpdateLog, UpdateLogEntry, UpdateLogStatus, check_log
from devices.protocols.update_log_file import LARGEST_FILE, SavedLog, UpdateLogTextError, parse_log
from devices.protocols.update_log_text import (
    Language,
    Reading,
    entry_text,
    printout_text,
    saved_text,
    screen_text,
    verdict_text,
)
from devices.protocols.update_log_verify import POINTS, Examination, examine

SERVER = bytes.fromhex("0A015341470001415D89")
SIGNER = SigningKey.generate(random.Random(7))
FAILED = UpdateLogEntry(2, 300, Event.FAILED, 12, 3)
LOG = UpdateLog.signed(SERVER, SIGNER, True, (UpdateLogEntry(1, 282, Event.SUCCEEDED, 10, 2, "V99.99", 0x4751), FAILED))


def reading(log: UpdateLog = LOG, label: bytes | None = SIGNER.public) -> Reading:
    when = datetime(2024, 3, 12, 10, 1, 58, 999)  # noqa: DTZ001 (the maker prints local time without its zone)
    checks = check_log(log, label)
    return Reading("1SAG0021061001", "ENSO-MME V99.99", log, checks, "P7900099", "MIBE", when, label)


def makers_reading() -> Reading:
    saved = parse_log(MAKERS_LOG)
    log = UpdateLog(SERVER, KEY, saved.status, STATUS_SIGNATURE, saved.entries, ENTRIES_SIGNATURE)
    checks = replace(check_log(log, KEY), status=Check.OK, entries=Check.OK)
    return replace(reading(log, KEY), firmware="ENSO-MME V2.0", checks=checks)


# --- printing


def test_the_screen_is_laid_out_as_in_the_manual() -> None:
    text = screen_text(makers_reading())
    assert text == f"PUBLIC-KEY: {KEY.hex().upper()}\n\n{MAKERS_LOG.replace('82FF 258d', '82ff 258d')}"


def test_the_printout_is_laid_out_as_in_the_manual() -> None:
    lines = printout_text(reading(label=None)).splitlines()
    assert lines[:18] == [
        "Logbuch",
        "PUBLIC-KEY:",
        "PUBLIC-KEY (mit Trennzeichen):",
        "Prüfung des öffentlichen Schlüssels: übersprungen",
        "",
        "PC-Name: P7900099",
        "Benutzer: MIBE",
        "Auslesezeit: 2024-03-12T10:01:58",
        "",
        "SERIENNUMMER: 1SAG0021061001",
        "SERVER-ID: 0A015341470001415D89",
        f"PUBLIC-KEY: {SIGNER.public.hex().upper()}",
        "FIRMWARE VER.: ENSO-MME V99.99",
        "",
        "---LOGBUCH STATUS---",
        "Anzahl Logbucheinträge: 2",
        "Logbuch voll: JA",
        "",
    ]


def test_a_failed_attempt_prints_no_version_and_check_0() -> None:
    assert entry_text(FAILED) == (
        "2 Sekundenindex 300 s Event-Typ 0 Register_1.8.0 12 Wh Register_2.8.0 3 Wh Version n.A. CRC 0"
    )
    assert entry_text(FAILED, "en") == (
        "2 Second index 300 s Event type 0 Register_1.8.0 12 Wh Register_2.8.0 3 Wh Version n.A. CRC 0"
    )


def test_the_verdict_is_one_line() -> None:
    assert verdict_text(reading().checks) == "Bewertung: vertrauenswürdig"
    assert verdict_text(reading(label=None).checks, "en") == "Verdict: not trusted"


def test_an_empty_log_prints_neither_entries_signature_nor_its_check() -> None:
    text = screen_text(reading(UpdateLog.signed(SERVER, SIGNER, False, ())))
    assert text.endswith("---LOGBUCH EINTRÄGE-----\n")
    assert parse_log(text).entries == ()


# --- reading what was printed


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("printed", [screen_text, printout_text, saved_text])
@pytest.mark.parametrize("label", [SIGNER.public, None])
def test_what_is_printed_can_be_read_again(printed: object, language: Language, label: bytes | None) -> None:
    assert callable(printed)
    saved = parse_log(printed(reading(label=label), language).encode())
    assert (saved.status, saved.status_signature) == (LOG.status, LOG.status_signature)
    assert (saved.entries, saved.entries_signature) == (LOG.entries, LOG.entries_signature)
    assert (saved.public_key, saved.server_id, saved.number) == (SIGNER.public, SERVER, "1SAG0021061001")
    assert (saved.pc_name, saved.user, saved.read_at) == ("P7900099", "MIBE", "2024-03-12T10:01:58")
    assert saved.firmware == "ENSO-MME V99.99"
    assert (saved.key_check, saved.status_check, saved.entries_check) == (
        Check.SKIPPED if label is None else Check.OK,
        Check.OK,
        Check.OK,
    )
    assert saved.layout == ("UL1" if printed is saved_text else "")


MAKERS = SavedLog(
    UpdateLogStatus(4, False),
    STATUS_SIGNATURE,
    tuple(
        UpdateLogEntry(number, second, Event.SUCCEEDED, 0, 0, version, crc)
        for number, second, version, crc in (
            (1, 282, "V99.99", 0x4751),
            (2, 461, "V2.0", 0x564C),
            (3, 1631, "V99.99", 0x4751),
            (4, 2864, "V2.0", 0x564C),
        )
    ),
    ENTRIES_SIGNATURE,
    KEY,
    KEY,
    SERVER,
    "1SAG0021061001",
    "ENSO-MME V2.0",
    "P7900099",
    "MIBE",
    "2024-03-12T10:01:58",
    Check.OK,
    Check.OK,
    Check.OK,
)


@pytest.mark.parametrize(
    "data",
    [
        MAKERS_LOG,
        MAKERS_LOG.encode(),
        b"\xef\xbb\xbf" + MAKERS_LOG.encode(),
        MAKERS_LOG.encode("cp1252"),
        MAKERS_LOG.encode("utf-16"),
        MAKERS_LOG.replace("\n", "\r\n").encode("cp1252"),
        MAKERS_LOG.replace("\n", "\r").encode(),
        MAKERS_LOG.replace("\n", "\n\n"),
        MAKERS_LOG.replace(" ", "   "),
        MAKERS_LOG.replace("\n", "   \n   "),
        MAKERS_LOG.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("Ä", "AE"),
        MAKERS_LOG.replace("ä", "a").replace("ö", "o").replace("ü", "u").replace("Ä", "A"),
        MAKERS_LOG.replace("ä", "\ufffd").replace("ö", "\ufffd").replace("ü", "\ufffd").replace("Ä", "\ufffd"),
        MAKERS_LOG.replace(": OK", ": **OK**"),
        MAKERS_LOG.replace("Eintragssignatur", "Eintragungssignatur").replace("Sekundenindex", "SekundenIndex"),
        MAKERS_LOG.replace("STATUS-----", "STATUS---").replace("EINTRÄGE-----", "EINTRÄGE"),
        MAKERS_LOG.replace("Zähler-Id", "SERIENNUMMER").replace("LMN-Id", "SERVER-ID"),
        MAKERS_LOG.replace("LMN-Id", "LW-Id").replace("Public-Key: ", "PUBLIC-KEY:\n"),
        MAKERS_LOG.replace("Logbuchstatus:\n", "Logbuchstatus: ").replace("B5A23CA1", "B5A2 3CA1"),
        "Logbuch\nBitte scannen Sie den QR-Code ...\n" + KEY.hex() + "\n\nPUBLIC-KEY:\n" + MAKERS_LOG,
        MAKERS_LOG.replace("Schlüssels: OK", "Schlüssels OK"),
        f"```\n{MAKERS_LOG}```\n",
    ],
)
def test_a_log_of_the_makers_tool_is_read_whatever_befell_its_form(data: str | bytes) -> None:
    assert parse_log(data) == MAKERS


def test_the_two_examples_of_5_1_alone_are_a_log() -> None:
    text = (
        "---LOGBUCH STATUS-----\nAnzahl Logbucheinträge: 4\nLogbuch voll: NEIN\n\nSignatur-Bytes für Logbuchstatus:\n"
        f"{STATUS_SIGNATURE.hex()}\n---LOGBUCH EINTRÄGE-----\n{ENTRIES}\nSignatur-Bytes für Logbucheinträge:\n"
        f"{ENTRIES_SIGNATURE.hex()}"
    )
    saved = parse_log(text)
    assert saved == SavedLog(MAKERS.status, STATUS_SIGNATURE, MAKERS.entries, ENTRIES_SIGNATURE)


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "reason"),
    [
        ("einträge: 4", "einträge: vier", 18, "Anzahl Logbucheinträge", "'vier' is no number of entries"),
        ("einträge: 4", "einträge: 70000", 18, "Anzahl Logbucheinträge", "0 to 65535"),
        ("voll: NEIN", "voll: VIELLEICHT", 19, "Logbuch voll", "VIELLEICHT"),
        ("BA475E9D04974ED90", "", 21, "Signatur-Bytes für Logbuchstatus", "111 hexadecimal digits instead of 128"),
        ("BA475E9D", "BA475E9G", 21, "Signatur-Bytes für Logbuchstatus", "'G' at digit 8"),
        ("LMN-Id: 0A", "LMN-Id: OA", 13, "LMN-Id", "'O' at digit 1"),
        ("461 s", "461", 27, "entry 2", "Sekundenindex: a number of seconds"),
        ("461 s Event-Typ 1", "461 s Event-Typ 2", 27, "entry 2", "Event-Typ: 0 or 1"),
        ("V99.99 CRC 0x4751\n2", "V99.99 CRC 0x47G1\n2", 26, "entry 1", "CRC: 0 or a check"),
        ("V99.99 CRC 0x4751\n2", "V99.99\n2", 26, "entry 1", "Version: a version"),
        ("2 Sekundenindex", "2 Sekundenzahl", 27, "entry 2", "Sekundenindex: the label is missing"),
        ("2 Sekundenindex", "Z Sekundenindex", 27, "entry 2", "running number"),
        ("282 s", "99999999999 s", 26, "entry 1", "Sekundenindex: a number"),
        ("Logbuch voll: NEIN\n", "", 32, "Logbuch voll", "missing"),
        ("Logbuch voll: NEIN\n", "Logbuch voll: NEIN\nLogbuch voll: JA\n", 20, "Logbuch voll", "twice"),
        ("---LOGBUCH EINTRÄGE", "---LOGBUCH STATUS", 25, "LOGBUCH STATUS", "twice"),
        ("---LOGBUCH EINTRÄGE", "---TAGEBUCH", 25, "part", "no known part"),
    ],
)
def test_a_wrong_value_is_told_with_line_and_field(old: str, new: str, line: int, field: str, reason: str) -> None:
    text = MAKERS_LOG.replace(old, new, 1)
    with pytest.raises(UpdateLogTextError, match=reason) as error:
        parse_log(text)
    assert (error.value.field, error.value.line) == (field, line)


def test_a_missing_signature_of_entries_is_no_empty_log() -> None:
    with pytest.raises(UpdateLogTextError, match="Logbucheinträge: this is missing"):
        parse_log(MAKERS_LOG[: MAKERS_LOG.index("\nSignatur-Bytes für Logbucheinträge")])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "missing"),
        (b"\x81\x8d", "octet 81 is no character"),
        (b"\xff\xfe\x00", "no character"),
        ("x" * 1001, "1001 characters in a line"),
        (b"x" * (LARGEST_FILE + 1), "no update log"),
    ],
)
def test_what_is_no_log_at_all_is_refused(data: str | bytes, reason: str) -> None:
    with pytest.raises(UpdateLogTextError, match=reason):
        parse_log(data)


@settings(max_examples=300)
@given(st.data())
def test_a_log_with_any_piece_changed_is_read_or_refused_in_one_way(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(MAKERS_LOG)))
    end = data.draw(st.integers(start, min(len(MAKERS_LOG), start + 60)))
    piece = data.draw(st.text(max_size=20) | st.sampled_from(["\n", "---", ":", "CRC", "0x", "n.A.", "LOG ENTRIES"]))
    try:
        parse_log(MAKERS_LOG[:start] + piece + MAKERS_LOG[end:])
    except UpdateLogTextError as error:
        assert 0 <= error.line <= MAKERS_LOG.count("\n") + piece.count("\n") + piece.count("\r") + 1
        assert error.field


@given(st.binary(max_size=400) | st.text(max_size=400))
@example(b"\xfe\xff\xd8\x00")
def test_any_file_is_read_or_refused_in_one_way(data: bytes | str) -> None:
    try:
        parse_log(data)
    except UpdateLogTextError as error:
        assert 0 <= error.offset <= len(data)


values = st.builds(
    UpdateLogEntry,
    st.integers(0, 0xFFFF),
    st.integers(0, 2**32 - 1),
    st.sampled_from(Event),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.from_regex(r"(V[0-9]{1,3}\.[0-9]{1,3})?", fullmatch=True),
    st.integers(0, 0xFFFF),
)


@given(st.lists(values, max_size=5), st.booleans(), st.sampled_from(["de", "en"]))
def test_every_log_can_be_saved_and_read(entries: list[UpdateLogEntry], full: bool, language: Language) -> None:
    log = UpdateLog.signed(SERVER, SIGNER, full, entries)
    saved = parse_log(saved_text(reading(log), language))
    assert (saved.status, saved.entries) == (log.status, tuple(entries))
    assert examine(saved, SIGNER.public).checks.trust is Trust.TRUSTED


# --- what can be checked of it


def points(examination: Examination) -> dict[str, Check]:
    return {point.topic: point.check for point in examination.points}


def test_a_log_of_the_makers_tool_cannot_be_checked_and_is_never_called_right_or_wrong() -> None:
    examination = examine(parse_log(MAKERS_LOG), KEY)
    assert points(examination) == {
        "label": Check.OK,
        "curve": Check.OK,
        "renderings": Check.OK,
        "identity": Check.OK,
        "status_form": Check.OK,
        "entries_form": Check.OK,
        "status": Check.IMPOSSIBLE,
        "entries": Check.IMPOSSIBLE,
    }
    assert examination.checks.trust is Trust.NOT_TRUSTED
    assert "not known" in examination.points[-1].reason(german=False)
    assert [finding.kind for finding in examination.findings] == ["downgrade", "downgrade"]
    assert list(POINTS) == [point.topic for point in examination.points]


@pytest.mark.parametrize(
    ("old", "new", "topic"),
    [
        ("BA475E9D", "8A475E9D", "status_form"),
        ("902DB5A2", "902D85A2", "entries_form"),
        ("1415D89", "1415D09", "identity"),
        ("1SAG00", "15A000", "identity"),
        ("9EB92E47", "9E892E47", "curve"),
        ("9eb9 2e47", "9e89 2e47", "renderings"),
    ],
)
def test_the_slips_in_the_manual_are_found(old: str, new: str, topic: str) -> None:
    found = points(examine(parse_log(MAKERS_LOG.replace(old, new))))
    assert found[topic] is Check.NOK


def test_a_log_saved_by_this_bench_is_verified() -> None:
    saved = parse_log(saved_text(reading()))
    assert examine(saved, SIGNER.public).checks == reading().checks
    assert examine(saved, None).checks.trust is Trust.NOT_TRUSTED
    changed = replace(saved, entries=(replace(saved.entries[0], second_index=5), saved.entries[1]))
    assert points(examine(changed, SIGNER.public))["entries"] is Check.NOK


def test_without_the_name_of_the_signed_octets_a_changed_log_is_not_ok_either() -> None:
    saved = parse_log(screen_text(reading()).replace("Sekundenindex 282 s", "Sekundenindex 283 s"))
    examination = examine(saved, SIGNER.public)
    assert (points(examination)["status"], points(examination)["entries"]) == (Check.OK, Check.IMPOSSIBLE)
    assert examination.checks.trust is Trust.NOT_TRUSTED


def test_a_log_without_a_key_cannot_be_compared_with_the_label() -> None:
    saved = replace(parse_log(MAKERS_LOG), public_key=None, grouped_key=None)
    assert points(examine(saved, KEY))["label"] is Check.NOK
    assert points(examine(saved))["label"] is Check.SKIPPED
