"""The update log as people read it: on the screen ([BZ] 5.2.4) and on paper ([BZ] 5.2.6), in German and English.

The German labels are those of the maker's tool; the English ones are this bench's own, no document prints any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from devices.protocols.key_label import grouped
from devices.protocols.update_log import Check, Event, LogChecks, Trust, UpdateLog, UpdateLogEntry

Language = Literal["de", "en"]

NO_VERSION: Final = "n.A."
"""Printed for the version of a failed attempt."""
OWN_LAYOUT: Final = "UL1"
"""Name of the signed octets of this bench, see update_log; marks a saved log whose signatures can be verified."""

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("Logbuch", "Log"),
    "label_key": ("PUBLIC-KEY", "PUBLIC KEY"),
    "grouped_key": ("Public-Key (mit Trennzeichen)", "Public key (with separators)"),
    "key_check": ("Prüfung des öffentlichen Schlüssels", "Check of the public key"),
    "pc_name": ("PC-Name", "PC name"),
    "user": ("Benutzer", "User"),
    "read_at": ("Auslesezeit", "Read at"),
    "number": ("Zähler-Id", "Meter id"),
    "server_id": ("LMN-Id", "LMN id"),
    "public_key": ("Public-Key", "Public key"),
    "firmware": ("Firmware-Ver.", "Firmware ver."),
    "print_number": ("SERIENNUMMER", "SERIAL NUMBER"),
    "print_server_id": ("SERVER-ID", "SERVER ID"),
    "print_public_key": ("PUBLIC-KEY", "PUBLIC KEY"),
    "print_firmware": ("FIRMWARE VER.", "FIRMWARE VER."),
    "print_grouped_key": ("PUBLIC-KEY (mit Trennzeichen)", "PUBLIC KEY (with separators)"),
    "status_section": ("LOGBUCH STATUS", "LOG STATUS"),
    "count": ("Anzahl Logbucheinträge", "Number of log entries"),
    "full": ("Logbuch voll", "Log full"),
    "status_signature": ("Signatur-Bytes für Logbuchstatus", "Signature bytes of log status"),
    "status_check": ("Prüfung Statussignatur", "Check of status signature"),
    "entries_section": ("LOGBUCH EINTRÄGE", "LOG ENTRIES"),
    "entries_signature": ("Signatur-Bytes für Logbucheinträge", "Signature bytes of log entries"),
    "entries_check": ("Prüfung Eintragssignatur", "Check of entries signature"),
    "layout": ("Signierte Oktette", "Signed octets"),
    "verdict": ("Bewertung", "Verdict"),
}
"""Label -> German, English."""

ENTRY_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "second_index": ("Sekundenindex", "Second index"),
    "event": ("Event-Typ", "Event type"),
    "register_1_8_0": ("Register_1.8.0", "Register_1.8.0"),
    "register_2_8_0": ("Register_2.8.0", "Register_2.8.0"),
    "version": ("Version", "Version"),
    "crc": ("CRC", "CRC"),
}
"""Field of an entry -> German, English; in the order of the line."""

YES_NO: Final[Mapping[bool, tuple[str, str]]] = {True: ("JA", "YES"), False: ("NEIN", "NO")}

CHECK_WORDS: Final[Mapping[Check, tuple[str, str]]] = {
    Check.OK: ("OK", "OK"),
    Check.NOK: ("NOK", "NOK"),
    Check.SKIPPED: ("übersprungen", "skipped"),
    Check.NONE: ("entfällt", "not applicable"),
    Check.IMPOSSIBLE: ("nicht prüfbar", "cannot be checked"),
}

TRUST_WORDS: Final[Mapping[Trust, tuple[str, str]]] = {
    Trust.TRUSTED: ("vertrauenswürdig", "trusted"),
    Trust.NOT_TRUSTED: ("nicht vertrauenswürdig", "not trusted"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A log with the circumstances of its reading.

    Attributes:
        number: device number of the meter, such as 1SAG0021061001.
        firmware: what runs in the meter, such as ENSO-MME V2.0.
        log: as read.
        checks: of the log.
        pc_name, user: who read it.
        read_at: when, local time; printed without its zone.
        label: key from the type plate, None when that was skipped.
    """

    number: str
    firmware: str
    log: UpdateLog
    checks: LogChecks
    pc_name: str
    user: str
    read_at: datetime
    label: bytes | None = None


def screen_text(reading: Reading, language: Language = "de") -> str:
    """The block of [BZ] 5.2.4, lines ended by a line feed."""
    word, log = _Speaker(language), reading.log
    lines = [
        word.line("label_key", _hex(log.public_key)),
        "",
        word.line("grouped_key"),
        *grouped(log.public_key),
        word.line("key_check", word.check(reading.checks.key)),
        "",
        *_circumstances(word, reading),
        "",
        word.line("number", reading.number),
        word.line("server_id", _hex(log.server_id)),
        word.line("public_key", _hex(log.public_key)),
        word.line("firmware", reading.firmware),
        "",
        *_log(word, reading, "-----"),
    ]
    return "\n".join(lines) + "\n"


def printout_text(reading: Reading, language: Language = "de") -> str:
    """The page of [BZ] 5.2.6: the key of the type plate first, empty when skipped; lines ended by a line feed."""
    word, log = _Speaker(language), reading.log
    lines = [
        word["title"],
        word.line("label_key", _hex(reading.label or b"")),
        word.line("print_grouped_key"),
        *(grouped(reading.label) if reading.label else ()),
        word.line("key_check", word.check(reading.checks.key)),
        "",
        *_circumstances(word, reading),
        "",
        word.line("print_number", reading.number),
        word.line("print_server_id", _hex(log.server_id)),
        word.line("print_public_key", _hex(log.public_key)),
        word.line("print_firmware", reading.firmware),
        "",
        *_log(word, reading, "---"),
    ]
    return "\n".join(lines) + "\n"


def saved_text(reading: Reading, language: Language = "de") -> str:
    """What is saved as a file: the screen, and behind it the name of the signed octets so that it can be verified."""
    return screen_text(reading, language) + "\n" + _Speaker(language).line("layout", OWN_LAYOUT) + "\n"


def verdict_text(checks: LogChecks, language: Language = "de") -> str:
    """The verdict as a line without its end."""
    word = _Speaker(language)
    return word.line("verdict", TRUST_WORDS[checks.trust][word.column])


def entry_text(entry: UpdateLogEntry, language: Language = "de") -> str:
    """One line of the log without its end."""
    failed = entry.event is Event.FAILED and not entry.version
    values = {
        "second_index": f"{entry.second_index} s",
        "event": f"{int(entry.event)}",
        "register_1_8_0": f"{entry.register_1_8_0} Wh",
        "register_2_8_0": f"{entry.register_2_8_0} Wh",
        "version": entry.version or NO_VERSION,
        "crc": "0" if failed and not entry.crc else f"0x{entry.crc:04x}",
    }
    column = _COLUMN[language]
    return " ".join([str(entry.number), *(f"{ENTRY_WORDS[name][column]} {value}" for name, value in values.items())])


_COLUMN: Final[Mapping[Language, int]] = {"de": 0, "en": 1}


class _Speaker:
    """Labels in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.column = _COLUMN[language]

    def __getitem__(self, name: str) -> str:
        return WORDS[name][self.column]

    def line(self, name: str, value: str = "") -> str:
        return f"{self[name]}: {value}".rstrip()

    def check(self, check: Check) -> str:
        return CHECK_WORDS[check][self.column]


def _circumstances(word: _Speaker, reading: Reading) -> list[str]:
    read_at = reading.read_at.replace(tzinfo=None, microsecond=0).isoformat()
    return [word.line("pc_name", reading.pc_name), word.line("user", reading.user), word.line("read_at", read_at)]


def _log(word: _Speaker, reading: Reading, rule: str) -> list[str]:
    log = reading.log
    lines = [
        f"---{word['status_section']}{rule}",
        word.line("count", str(log.status.count)),
        word.line("full", YES_NO[log.status.full][word.column]),
        "",
        word.line("status_signature"),
        _hex(log.status_signature),
        word.line("status_check", word.check(reading.checks.status)),
        "",
        f"---{word['entries_section']}{rule}",
        *(entry_text(entry, word.language) for entry in log.entries),
    ]
    if reading.checks.entries is not Check.NONE:
        lines += [
            "",
            word.line("entries_signature"),
            _hex(log.entries_signature),
            word.line("entries_check", word.check(reading.checks.entries)),
        ]
    return lines


def _hex(octets: bytes) -> str:
    return octets.hex().upper()
