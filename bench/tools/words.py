"""What the tools for meters say, in German and English; those for radio meters have a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.tools.radio_words import RADIO_WORDS

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "emulated": (
        "EMULIERTER ZÄHLER: alles Folgende stammt von einem Programm, nicht von einem Zähler",
        "EMULATED METER: everything below comes from a program, not from a meter",
    ),
    "pseudo": (
        "PSEUDO-TERMINAL: am anderen Ende ist ein Programm, kein Zähler",
        "PSEUDO-TERMINAL: at the other end is a program, not a meter",
    ),
    "assumed": (
        "Befehle außer 11 und 12 sind Annahmen: ein echter Zähler versteht sie vielleicht nicht",
        "commands other than 11 and 12 are assumed: a real meter may not understand them",
    ),
    "note": ("Hinweis: {text}", "note: {text}"),
    "trouble": ("gestört: {text}", "disturbed: {text}"),
    "search": ("Suche Zähler an {port} ...", "looking for meters at {port} ..."),
    "meter": ("HDLC ADRESSE: {address}", "HDLC ADDRESS: {address}"),
    "number": ("SERIENNUMMER: {number}", "SERIAL NUMBER: {number}"),
    "server_id": ("SERVER-ID: {server_id}", "SERVER ID: {server_id}"),
    "firmware": ("FIRMWARE VER.: {firmware}", "FIRMWARE VER.: {firmware}"),
    "enter_key": (
        "Bitte scannen Sie den 2D-Code des Zählers oder tragen Sie den Public-Key ein (leer = überspringen):",
        "Please scan the 2D code of the meter or enter its public key (empty = skip):",
    ),
    "bad_key": (
        "Das ist kein Schlüssel: gebraucht werden 128 hexadezimale Ziffern, in einem Scan hinter AC",
        "this is no key: {reason}",
    ),
    "plate": (
        "Auf seinem Typenschild stünde der Public-Key {key}",
        "its type plate would say: public key {key}",
    ),
    "key_of_meter": ("Public-Key des Zählers:", "public key of the meter:"),
    "key_differs": (
        "Der Schlüssel vom Typenschild ist nicht der des Zählers: das Logbuch wird nicht angezeigt",
        "the key of the type plate is not that of the meter: the log is not shown",
    ),
    "key_check": ("Prüfung des öffentlichen Schlüssels: {result}", "Check of the public key: {result}"),
    "saved": ("gespeichert: {path}", "saved: {path}"),
    "findings": ("Auffälligkeiten (unabhängig von der Bewertung):", "findings (apart from the verdict):"),
    "sending": ("Übertrage Firmware", "transferring firmware"),
    "old_version": ("Firmware-Stand im Zähler: {version}", "firmware in the meter: {version}"),
    "new_version": ("Neuer Firmware-Stand: {version}", "new firmware: {version}"),
    "image": (
        "Firmware-Datei: {file}, Version {version}, {size} Oktette",
        "image: {file}, version {version}, {size} octets",
    ),
    "checking": ("Der Zähler prüft ...", "the meter checks ..."),
    "undamaged": ("vollständig und unbeschädigt", "complete and undamaged"),
    "suits": ("für den Zählertyp geeignet", "suits the type of the meter"),
    "signed": ("korrekt signiert", "correctly signed"),
    "newer": ("höher als der laufende Stand", "higher than what runs"),
    "activate": ("Neue Firmware {version} aktivieren? (ja/nein)", "activate the new firmware {version}? (yes/no)"),
    "refused_no": (
        "Abgebrochen: der Zähler arbeitet weiterhin mit dem alten Firmware-Stand",
        "aborted: the meter keeps working with the old firmware",
    ),
    "rejected": (
        "Der Zähler lehnt die Firmware ab; der alte Stand läuft weiter",
        "the meter rejects the firmware; the old one keeps running",
    ),
    "installing": ("Installiere ...", "installing ..."),
    "install_failed": (
        "Die Installation ist fehlgeschlagen; der alte Stand läuft weiter",
        "the installation failed; the old firmware keeps running",
    ),
    "wrong_version": (
        "Der Zähler meldet nach der Installation {version}, erwartet war {expected}",
        "after the installation the meter says {version}, {expected} was expected",
    ),
    "success": ("Der Update-Vorgang ist erfolgreich abgeschlossen.", "the update was completed successfully."),
    "new_entries": ("Neu im Update-Logbuch:", "new in the update log:"),
    "no_new_entry": ("Im Update-Logbuch steht kein neuer Eintrag", "there is no new entry in the update log"),
    "log_signature": (
        "Signaturen des Logbuchs: Status {status}, Einträge {entries}",
        "signatures of the log: status {status}, entries {entries}",
    ),
    "log_unreadable": ("Das Logbuch ist danach nicht lesbar: {reason}", "the log cannot be read afterwards: {reason}"),
    "interrupted": ("Unterbrochen: dem Zähler wird abgesagt", "interrupted: the meter is told to forget the image"),
    "interrupted_late": (
        "Unterbrochen: die Installation läuft im Zähler zu Ende; danach das Logbuch lesen",
        "interrupted: the meter completes the installation by itself; read its log afterwards",
    ),
    "from_file": ("aus der Datei {file}", "from the file {file}"),
    "file_claims": (
        "In der Datei steht (nicht nachgeprüft): Schlüssel {key}, Status {status}, Einträge {entries}",
        "the file claims (not verified): key {key}, status {status}, entries {entries}",
    ),
    "claims_nothing": ("nichts", "nothing"),
    "what_is_checked": ("Geprüft wurde:", "what was checked:"),
    "undecidable": (
        "Bewertung: nicht entscheidbar, also nicht vertrauenswürdig ({why})",
        "Verdict: cannot be decided, so not trusted ({why})",
    ),
    "why_signatures": ("Signaturen nicht prüfbar", "signatures cannot be verified"),
    "why_key": ("Schlüssel nicht geprüft", "key not verified"),
    "printed_claims": (
        "Die Prüfergebnisse oben stammen von diesem Programm, nicht aus der Datei",
        "the results above are those of this program, not of the file",
    ),
    "bus_pty": (
        "Bus: {path} (Pseudo-Terminal, {baudrate} Bd)",
        "bus: {path} (pseudo-terminal, {baudrate} Bd)",
    ),
    "bus_adapter": (
        "Bus: {port} ({baudrate} Bd, Richtung {direction})",
        "bus: {port} ({baudrate} Bd, direction {direction})",
    ),
    "running": ("läuft; Strg-C beendet", "running; Ctrl-C ends it"),
    "ended": ("beendet", "ended"),
    "introduced": (
        "{name}: {number}, Server-Id {server_id}, {what}",
        "{name}: {number}, server id {server_id}, {what}",
    ),
    "initial_key": ("{name}: Initialschlüssel {key}", "{name}: initial key {key}"),
    "public_key_of": ("{name}: Public-Key {key}", "{name}: public key {key}"),
    "kind_base_meter": ("FNN-Basiszähler irgendeines Herstellers", "FNN base meter of any maker"),
    "kind_replay": ("spielt den Mitschnitt eines echten Zählers ab", "plays a dump of a real meter"),
    "kind_noise": ("spielt Oktette ohne SML ab, also Rauschen", "plays octets without SML, which is noise"),
    "kind_smarty_bz_plus_v2": (
        "SMARTY BZ-PLUS v2 mit Firmware {firmware}",
        "SMARTY BZ-PLUS v2 with firmware {firmware}",
    ),
    "selector_1": ("TLS", "TLS"),
    "selector_3": ("SML im Klartext", "clear SML"),
    "selector_6": ("SYM", "SYM"),
    "selector_112": ("Dienstprotokoll", "service protocol"),
    "selector_other": ("Selektor {number}", "selector {number}"),
    "event_addressed_listed": ("hat Adresse {address}, bestätigt", "has address {address}, confirmed"),
    "event_addressed_chosen": ("hat Adresse {address}, selbst gewählt", "has address {address}, chosen"),
    "event_address_lost": ("hat seine Adresse verloren", "has lost its address"),
    "event_connected": ("Verbindung eröffnet, {selector}", "link opened, {selector}"),
    "event_disconnected": ("Verbindung beendet, {selector}: {reason}", "link ended, {selector}: {reason}"),
    "event_request": ("Anfrage von {octets} Oktetten, {selector}", "request of {octets} octets, {selector}"),
    "event_answer": ("Antwort von {octets} Oktetten, {selector}", "answer of {octets} octets, {selector}"),
    "event_unexpected": ("unerwartet: {reason}", "unexpected: {reason}"),
    "event_paired": ("gepaart", "paired"),
    "event_pairing_refused": ("Paarung abgelehnt: {reason}", "pairing refused: {reason}"),
    "event_secured": ("TLS-Sitzung steht", "TLS session stands"),
    "event_tls_failed": ("TLS fehlgeschlagen: {reason}", "TLS failed: {reason}"),
    "event_tls_closed": ("TLS-Sitzung beendet: {reason}", "TLS session ended: {reason}"),
    "event_key": ("hat einen Betriebsschlüssel", "has an operational key"),
    "event_crypto_reset": ("Krypto-Reset", "crypto reset"),
    "event_stage": ("Update: {stage}", "update: {stage}"),
    "event_logged": ("neu im Update-Logbuch: {entry}", "new in the update log: {entry}"),
    "event_application_runs": ("Applikation läuft", "application runs"),
    "event_application_stopped": (
        "Applikation für die Installation angehalten",
        "application stopped for installation",
    ),
    "stage_idle": ("nichts im Gange", "idle"),
    "stage_receiving": ("Übertragung", "receiving"),
    "stage_checking": ("Prüfung", "checking"),
    "stage_confirm": ("wartet auf Bestätigung", "confirm"),
    "stage_rejected": ("abgelehnt", "rejected"),
    "stage_installing": ("Installation", "installing"),
    "stage_done": ("fertig", "done"),
    "stage_failed": ("fehlgeschlagen", "failed"),
    **RADIO_WORDS,
}
"""Sentence -> German, English; braces are filled in."""
