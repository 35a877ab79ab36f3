"""Words of the portal in German and English."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from devices.protocols.trudi.status import Severity
from firmware.han.pages import Language

PORTAL: Final = "CASA-Benutzer-Portal"
_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "portal": (PORTAL, "CASA user portal"),
        "main_menu": ("Hauptmenü", "Main menu"),
        "start": ("Startseite", "Start page"),
        "log": ("Benutzerlog", "User log"),
        "value_lists": ("Messwertliste", "Value lists"),
        "logout": ("Abmelden", "Log out"),
        "language": ("English", "Deutsch"),
        "login": ("Anmeldung", "Login"),
        "with_password": ("Mit Benutzername und Passwort", "With user name and password"),
        "with_certificate": ("Mit TLS-Client-Zertifikat", "With a TLS client certificate"),
        "certificate_hint": (
            "Das Zertifikat muss im Browser eingerichtet sein. Es wird beim Aufbau der Verbindung gewählt.",
            "The certificate must be installed in the browser. It is chosen when the connection is made.",
        ),
        "user": ("Benutzername", "User name"),
        "password": ("Passwort", "Password"),
        "log_in": ("Anmelden", "Log in"),
        "log_in_certificate": ("Mit Zertifikat anmelden", "Log in with certificate"),
        "signature_certificate": ("Signatur-Zertifikat", "Signature certificate"),
        "certificate_use": (
            "Damit lässt sich die Signatur der Messwerte prüfen.",
            "It serves to check the signatures of the values.",
        ),
        "download_certificate": ("Download Signatur-Zertifikat", "Download signature certificate"),
        "download": ("Download", "Download"),
        "wrong": (
            "Die Anmeldung ist fehlgeschlagen: Benutzername oder Passwort stimmt nicht.",
            "The login failed: user name or password is wrong.",
        ),
        "no_certificate": (
            "Die Verbindung trägt kein Zertifikat, mit dem eine Anmeldung möglich ist.",
            "The connection has no certificate that can be used to log in.",
        ),
        "idle": ("Automatisches Abmelden in", "Automatic logout in"),
        "logged_out": ("Sie sind abgemeldet.", "You are logged out."),
        "ended": (
            "Die Sitzung ist zu Ende. Bitte melden Sie sich neu an.",
            "The session is over. Please log in again.",
        ),
        "locked": ("Zugang gesperrt", "Access locked"),
        "locked_text": (
            "Nach zu vielen Fehlversuchen ist der Zugang für alle Letztverbraucher gesperrt.",
            "After too many failed attempts the access of all consumers is locked.",
        ),
        "locked_left": ("Neue Anmeldung möglich in (Minuten:Sekunden)", "Next login possible in (minutes:seconds)"),
        "again": ("Erneut versuchen", "Try again"),
        "system": ("Systeminformationen", "System information"),
        "system_time": ("Systemzeit (CASA)", "System time (CASA)"),
        "time_good": ("Zeit gültig", "time valid"),
        "time_bad": ("Zeit ungültig", "time not valid"),
        "firmware": ("Firmware-Version", "Firmware version"),
        "huid": ("HUID", "HUID"),
        "user_id": ("Benutzer-ID", "User id"),
        "readings": ("Aktuelle Zählerstände", "Current readings"),
        "readings_text": (
            "Alle Zählwerke, die Ihnen zugeordnet sind. Der Link JSON führt zu denselben Daten mit Signatur.",
            "All registers assigned to you. The link JSON leads to the same data with signatures.",
        ),
        "meter": ("Zähler", "Meter"),
        "time": ("Zeitstempel", "Time stamp"),
        "register": ("Register", "Register"),
        "current_value": ("aktueller Wert", "current value"),
        "no_meters": ("Ihnen ist kein Zähler zugeordnet.", "No meter is assigned to you."),
        "no_value": ("Noch kein Messwert", "No value yet"),
        "selftest": ("Selbsttest", "Self-test"),
        "selftest_text": (
            "Prüft den Zustand des Gateways. Möglich ist ein Selbsttest in 24 Stunden.",
            "Checks the state of the gateway. One self-test in 24 hours is possible.",
        ),
        "selftest_order": ("Auslösen", "Start"),
        "selftest_begun": (
            "Der Selbsttest ist angestoßen und kann einige Minuten dauern. Sein Ergebnis steht danach im Benutzerlog.",
            "The self-test has been started and may take some minutes. Its result will be in the user log.",
        ),
        "selftest_wait": (
            "In 24 Stunden ist nur ein Selbsttest möglich, der nächste",
            "Only one self-test is possible in 24 hours, the next",
        ),
        "selftest_not": ("Der Selbsttest konnte nicht beginnen.", "The self-test could not begin."),
        "selftest_free": ("Ein Selbsttest ist jetzt möglich.", "A self-test is possible now."),
        "on": ("am", "on"),
        "at": ("um", "at"),
        "clock": ("Uhr", ""),
        "back": ("Zurück", "Back"),
        "from": ("Von", "From"),
        "until": ("Bis", "Until"),
        "show": ("Anzeigen", "Show"),
        "log_range": ("Zeitbereich", "Time range"),
        "log_table": ("Einträge, die neuesten zuerst", "Entries, the latest first"),
        "log_none": ("In diesem Zeitbereich gibt es keine Einträge.", "There are no entries in this range."),
        "bad_range": (
            "Der Zeitbereich ist ungültig; gezeigt wird der übliche.",
            "The range is not valid; the usual one is shown.",
        ),
        "page": ("Seite", "Page"),
        "pages": ("Seiten", "Pages"),
        "of": ("von", "of"),
        "newer": ("Neuere", "Newer"),
        "older": ("Ältere", "Older"),
        "tafs": ("Ihre Tarifierungsfälle (TAF)", "Your tariff use cases (TAF)"),
        "taf": ("TAF", "TAF"),
        "taf_name": ("Bezeichnung", "Name"),
        "metering_point": ("Zählpunkt", "Metering point"),
        "valid_from": ("Gültig ab", "Valid from"),
        "valid_to": ("Gültig bis", "Valid until"),
        "open_end": ("unbegrenzt", "open"),
        "state": ("Zustand", "State"),
        "ready": ("vorbereitet", "not begun"),
        "running": ("läuft", "running"),
        "archive": ("beendet", "ended"),
        "open": ("Öffnen", "Open"),
        "no_tafs": ("Ihnen ist kein Tarifierungsfall zugeordnet.", "No tariff use case is assigned to you."),
        "periods": ("Abrechnungszeiträume", "Billing periods"),
        "periods_text": (
            "Zeiträume unter einer Woche sind zu mindestens einer Woche zusammengefasst.",
            "Periods below a week are put together until they are at least a week long.",
        ),
        "no_periods": ("Es hat noch kein Zeitraum begonnen.", "No period has begun yet."),
        "period": ("Abrechnungszeitraum", "Billing period"),
        "to": ("bis", "to"),
        "is_running": ("läuft noch", "still running"),
        "registered": ("Registrierzeitpunkt", "Registration time"),
        "sent": ("Versandt", "Sent"),
        "sent_yes": ("versandt", "sent"),
        "sent_no": ("nicht versandt", "not sent"),
        "status": ("Status", "Status"),
        "original_values": ("Messwerte des Zählers", "Values of meter"),
        "derived_values": ("Abgeleitete Werte", "Derived values"),
        "daily_values": ("Tageswerte", "Daily values"),
        "part": ("Gezeigt wird", "Shown is"),
        "none_kept": (
            "In diesem Abschnitt sind keine Messwerte gespeichert.",
            "No values are stored in this part.",
        ),
        "not_found": ("Nicht gefunden", "Not found"),
        "not_found_text": ("Diese Seite gibt es nicht.", "There is no such page."),
        "failed": ("Zurzeit nicht möglich", "Not possible at the moment"),
        "failed_text": ("Bitte versuchen Sie es später noch einmal.", "Please try again later."),
        "bad_request": ("Anfrage nicht möglich", "Request not possible"),
        "bad_request_text": (
            "Diese Anfrage kann nicht bearbeitet werden.",
            "This request cannot be handled.",
        ),
        "lockdown": ("Kein Zugriff", "No access"),
        "lockdown_text": (
            "Zurzeit ist kein Zugriff möglich. Der Gateway-Administrator ist informiert.",
            "No access is possible at present. The gateway administrator has been informed.",
        ),
        "technician": ("Servicetechniker", "Service technician"),
        "system_log": ("System-Log", "System log"),
        "settings": ("Grundeinstellungen", "Basic settings"),
        "technician_only": (
            "Dieser Bereich ist nur mit dem Zertifikat eines Servicetechnikers zugänglich.",
            "This area can only be entered with the certificate of a service technician.",
        ),
        "setting": ("Einstellung", "Setting"),
        "value": ("Wert", "Value"),
        "switched_on": ("ein", "on"),
        "switched_off": ("aus", "off"),
        "not_installed": ("nicht eingerichtet", "not installed"),
        "host_names": ("HAN-Namen", "HAN host names"),
        "han_certificate": ("HAN-Zertifikat SHA-256", "HAN certificate SHA-256"),
        "last_synchronisation": ("Letzte Synchronisation", "Last synchronisation"),
        "state_run": ("Normalbetrieb", "Normal operation"),
        "operating_state": ("Betriebszustand", "Operating state"),
        "linked": ("Verbunden", "Connected"),
        "led_overload": ("LMC zeigt Überlast des Busses", "LMC shows bus overload"),
        "led_time": ("LMC zeigt ungültige Zeit", "LMC shows invalid time"),
    }
)
SEVERITIES: Final[Mapping[Severity, tuple[str, str]]] = MappingProxyType(
    {
        Severity.NONE: ("Ok", "Ok"),
        Severity.WARNING: ("Warnung", "Warning"),
        Severity.TEMPORARY: ("Temporärer Fehler", "Temporary error"),
        Severity.CRITICAL: ("Kritischer Fehler", "Critical error"),
        Severity.FATAL: ("Fataler Fehler", "Fatal error"),
    }
)
MISSING: Final = ("Kein Messwert", "No value")
"""Status of an instant for which nothing was captured."""


def words(language: Language) -> dict[str, str]:
    """All words of a language by name."""
    place = 0 if language == "de" else 1
    return {name: both[place] for name, both in _WORDS.items()}


def chosen(both: tuple[str, str], language: Language) -> str:
    """German or English of a pair."""
    return both[0 if language == "de" else 1]
