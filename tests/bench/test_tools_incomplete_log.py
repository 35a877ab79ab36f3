"""Logs as they are printed in [BZ] 5.2: digits of keys and signatures got lost, and what is left is never called OK."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.cli import main
from devices.protocols.update_log import Check
from devices.protocols.update_log_file import SLIP, Incomplete, UpdateLogTextError, parse_log
from devices.protocols.update_log_verify import examine

KEY = (
    "82FF258D7D484D9A11FE2D7F4AA7C37E762CF3B99FC381555873165708AD6E7F"
    "E9A7FF9B3F8B27A9501E54E15AAFF8EB9EB92E472C4474A61342862A97A89C31"
)
STATUS = (
    "8A475E9D04974ED90E14E94E833B09710915489AC44652790E10CAC2137C11C8A21A28C2E7A4391A4183F9604E98E2AD47D56434892FAC1EE1C88"
    "A913B7EA9F"
)
"""As printed in [BZ] 5.2.4: 127 digits."""
ENTRIES = (
    "2890245B367060AEF47C937A6A58107FAD057E3AFF9B22EF902DB5A23CA1814F"
    "C4F4E428D1FE05EFA308F8B6BC5B7750EECD088182BA1AA363A70EF1E21E9D50"
)
LOG = f"""PC-Name: P7900099
Benutzer: MIBE
Auslesezeit: 2024-03-12T10:01:58

Zähler-Id: 1SAG0021061001
LMN-Id: 0A015341470001415D89
Public-Key: {KEY}
Firmware-Ver.: ENSO-MME V2.0

---LOGBUCH STATUS-----
Anzahl Logbucheinträge: 1
Logbuch voll: NEIN

Signatur-Bytes für Logbuchstatus:
{STATUS}
Prüfung Statussignatur: OK

---LOGBUCH EINTRÄGE-----
1 Sekundenindex 282 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V2.0 CRC 0x564c

Signatur-Bytes für Logbucheinträge:
{ENTRIES}
Prüfung Eintragssignatur: OK
"""
PRINTED = """PUBLIC-KEY:
PUBLIC-KEY (mit Trennzeichen): Prüfung des öffentlichen Schlüssels: übersprungen

PC-Name: P7900009
Benutzer: HIEE
Auslesezeit: 2024-03-19T10:59:32

SERIENNUMMER: 15400021061001
SERVER-ID: 0A015341478001415D89
PUBLIC-KEY: 82FF258D7D48409A11FE2D7F4AA7C37E762CF3B99FC3B1555873165708AD6E7F\
E9A7FF903F8827A9501E54E15AAFF8E89E92E472C4474A61342862A97A89C31
FIRMWARE VER.: EMS0-HWE V99.99

---LOGBUCH STATUS---
Anzahl Logbucheinträge: 1
Logbuch voll: NEIN

Signatur-Bytes für Logbuchstatus:
989111AE57F3229BB6C32904C7527614E5CFE2A019A48D033F19211F28AC5AE0\
258DFBC39B0705F0015F737AED015FAA09641ED238FCA1072AF07BAFDC9EE77A
Prüfung Statussignatur: OK

---LOGBUCH EINTRÄGE---
1 SekundenIndex 200 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V99.99 CRC 0x4751

Signatur-Bytes für Logbucheinträge:
1EB40C26A1AB45F9A8D83ABA429CE773154EA6DC4ACAD8859068C678AD461E9203C6CF21444280E808AAEE6D1A0412A988031642B7E6737C3F \
F0B226A71B77
Prüfung Eintragungssignatur: OK
"""
"""The block of [BZ] 5.2.6 as it is printed: 127 digits of the key, 126 of the second signature."""


def saved(folder: Path, text: str) -> str:
    path = folder / "log.txt"
    path.write_text(text, "utf-8")
    return str(path)


def test_a_signature_of_127_digits_is_named_and_cannot_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, LOG)
    assert main(["updatelog", "verify", path, "--key", KEY, "--lang", "en"]) == 1
    out = capsys.readouterr().out
    reason = r"\(the signature of the log status has 127 digits instead of 128, line 14\)"
    assert re.search(rf"cannot be checked +form of the status signature {reason}", out)
    assert re.search(rf"cannot be checked +status signature {reason}", out)
    assert re.search(r"OK +key of the type plate", out), "the rest is checked as ever"
    assert re.search(r"OK +form of the entries signature", out)
    assert "Verdict: cannot be decided, so not trusted (signatures cannot be verified)" in out
    assert main(["updatelog", "verify", path]) == 1
    assert "(die Signatur des Logbuchstatus hat 127 statt 128 Ziffern, Zeile 14)" in capsys.readouterr().out


def test_the_printed_log_of_the_manual_is_read_and_nothing_of_it_is_called_ok_that_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["updatelog", "verify", saved(tmp_path, PRINTED), "--key", KEY, "--json"]) == 1
    judged = json.loads(capsys.readouterr().out)
    assert judged["checks"] == {"key": "skipped", "status": "impossible", "entries": "impossible"}
    assert (judged["trust"], judged["undecided"]) == ("not trusted", True)
    assert judged["incomplete"] == [
        {"field": "public_key", "line": 10, "digits": 127, "wanted": 128},
        {"field": "entries_signature", "line": 24, "digits": 126, "wanted": 128},
    ]
    assert judged["entries"][0]["version"] == "V99.99"


@pytest.mark.parametrize("lost", [1, SLIP])
@pytest.mark.parametrize("whole", [KEY, STATUS + "0", ENTRIES])
def test_whichever_block_lost_digits_the_log_is_never_trusted(whole: str, lost: int) -> None:
    text = LOG.replace(STATUS, STATUS + "0").replace(whole, whole[:-lost])
    saved_log = parse_log(text)
    assert [one.digits for one in saved_log.incomplete] == [128 - lost]
    checks = examine(saved_log, bytes.fromhex(KEY)).checks
    assert Check.OK not in (checks.status, checks.entries)


def test_a_digit_too_many_is_told_as_well() -> None:
    assert parse_log(LOG.replace(STATUS, STATUS + "00")).incomplete == (Incomplete("status_signature", 14, 129),)


def test_a_block_that_lost_more_than_a_few_digits_is_no_signature() -> None:
    with pytest.raises(UpdateLogTextError, match="119 hexadecimal digits instead of 128"):
        parse_log(LOG.replace(ENTRIES, ENTRIES[: -SLIP - 1]))


def test_a_whole_and_an_incomplete_signature_contradict_each_other() -> None:
    with pytest.raises(UpdateLogTextError, match="twice, with two values"):
        parse_log(LOG + f"\nSignatur-Bytes für Logbuchstatus:\n{STATUS}0\n")


def test_the_key_of_the_meter_counts_and_not_that_of_the_window() -> None:
    assert parse_log(f"PUBLIC-KEY: {KEY[:-1]}\n{LOG}").incomplete == (Incomplete("status_signature", 15, 127),)
    assert parse_log(f"PUBLIC-KEY: {KEY}\n" + LOG.replace(KEY, KEY[:-1])).public_key is None


def test_a_log_that_is_incomplete_cannot_be_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["updatelog", "print", "--lang", "en", saved(tmp_path, LOG)]) == 2
    error = capsys.readouterr().err
    assert (
        "log.txt:14" in error and "127 hexadecimal digits instead of 128 (it can be verified, but not printed)" in error
    )
