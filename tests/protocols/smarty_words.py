"""What [BZ] and lmn-wired 5.4 print of the update log, once and for all tests."""

from __future__ import annotations

KEY = bytes.fromhex(
    "82FF258D7D484D9A11FE2D7F4AA7C37E762CF3B99FC381555873165708AD6E7F"
    "E9A7FF9B3F8B27A9501E54E15AAFF8EB9EB92E472C4474A61342862A97A89C31"
)
"""lmn-wired 5.4: the key as printed with separators, proven to be on P-256."""
STATUS_SIGNATURE = bytes.fromhex(
    "BA475E9D04974ED90DE14E94E833B09710915489AC44652790E10CAC2137C11C"
    "8A21A28C2E7A4391A4183F9604E98E2AD47D56434892FAC1EE1C88A913B7EA9F"
)
"""[BZ] 5.1."""
ENTRIES_SIGNATURE = bytes.fromhex(
    "2890245B367060AEF47C937A6A58107FAD057E3AFF9B22EF902DB5A23CA1814F"
    "C4F4E428D1FE05EFA308F8B6BC5B7750EECD088182BA1AA363A70EF1E21E9D50"
)
"""[BZ] 5.1."""

ENTRIES = """\
1 Sekundenindex 282 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V99.99 CRC 0x4751
2 Sekundenindex 461 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V2.0 CRC 0x564c
3 Sekundenindex 1631 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V99.99 CRC 0x4751
4 Sekundenindex 2864 s Event-Typ 1 Register_1.8.0 0 Wh Register_2.8.0 0 Wh Version V2.0 CRC 0x564c
"""

MAKERS_LOG = f"""\
Public-Key (mit Trennzeichen):
82FF 258d 7d48 4d9a 11fe 2d7f 4aa7 c37e
762c f3b9 9fc3 8155 5873 1657 08ad 6e7f
e9a7 ff9b 3f8b 27a9 501e 54e1 5aaf f8eb
9eb9 2e47 2c44 74a6 1342 862a 97a8 9c31
Prüfung des öffentlichen Schlüssels: OK

PC-Name: P7900099
Benutzer: MIBE
Auslesezeit: 2024-03-12T10:01:58

Zähler-Id: 1SAG0021061001
LMN-Id: 0A015341470001415D89
Public-Key: {KEY.hex().upper()}
Firmware-Ver.: ENSO-MME V2.0

---LOGBUCH STATUS-----
Anzahl Logbucheinträge: 4
Logbuch voll: NEIN

Signatur-Bytes für Logbuchstatus:
{STATUS_SIGNATURE.hex().upper()}
Prüfung Statussignatur: OK

---LOGBUCH EINTRÄGE-----
{ENTRIES}
Signatur-Bytes für Logbucheinträge:
{ENTRIES_SIGNATURE.hex().upper()}
Prüfung Eintragssignatur: OK
"""
"""The block of [BZ] 5.2.4 with its OCR slips mended by lmn-wired 4.5, 5.4 and by [BZ] 5.1."""
