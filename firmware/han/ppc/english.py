"""English for what PPC's pages say in German, for those who ask for it.

Programs look for the German words (han 2.2, 2.3), so these are sent unless somebody asks for English.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from firmware.han.pages import Language

_ENGLISH: Final[Mapping[str, str]] = MappingProxyType(
    {
        # messages
        "Fehler": "Error",
        "Keine Daten vorhanden.": "There are no data.",
        "Sitzung abgelaufen": "The session is over",
        "Unerlaubter Zugriff": "Access denied",
        "Anmeldung fehlgeschlagen": "The login failed",
        "Sie müssen das Fenster schließen und sich erneut anmelden": "You have to close the window and log in again",
        "Keine Verbindung zum Persistenzdienst": "No connection to the storage service",
        "Keine Einträge vorhanden": "There are no entries",
        "Invalide Session": "Invalid session",
        "Diese Seite gibt es nicht": "There is no such page",
        "So kann diese Seite nicht aufgerufen werden": "This page cannot be called like that",
        "Die Anfrage ist zu lang": "The request is too long",
        "Die Anfrage kann nicht beantwortet werden": "The request cannot be answered",
        # words in tables
        "unbegrenzt": "unlimited",
        "laufend": "running",
        "abgeschlossen": "closed",
        "erfolgreich": "successful",
        "fehlgeschlagen": "failed",
        "gültig": "valid",
        "ungültig": "invalid",
        "nicht vorhanden": "not present",
        "Elektrizität": "Electricity",
        "Heizkosten": "Heat cost",
        "Kälte": "Cooling",
        "Wärme": "Heat",
        "Kaltwasser": "Cold water",
        "Warmwasser": "Hot water",
        "Sonstiges": "Other",
        "Passwort (Digest)": "Password (digest)",
        "Zertifikat (TLS)": "Certificate (TLS)",
        "TAF1 Datensparsamer Tarif": "TAF1 Data-saving tariff",
        "TAF2 Zeitvariabler Tarif": "TAF2 Time-variable tariff",
        "TAF6 Ablesung von Messwerten im Bedarfsfall": "TAF6 Reading of values on demand",
        "TAF7 Zählerstandsgangmessung": "TAF7 Series of meter readings",
        "TAF9 Abruf der Ist-Einspeisung": "TAF9 Present feed-in",
        "TAF10 Abruf von Netzzustandsdaten": "TAF10 State of the grid",
        "TAF14 Hochfrequente Messwertbereitstellung für Mehrwertdienste": "TAF14 Frequent values for added services",
        # labels of a meter
        "Z&auml;hler-ID": "Meter id",
        "Name": "Name",
        "Beschreibung": "Description",
        "Kommunikationstyp": "Type of communication",
        "Protokoll-Typ": "Type of protocol",
        "Protokoll-Version": "Version of protocol",
        "Ausleseintervall": "Reading interval",
        "Abfrageversuche": "Attempts",
        "Z&auml;hleradresse": "Meter address",
        "Medium": "Medium",
        # labels of a tariff profile
        "TAF-Typ": "Type of TAF",
        "Profilname": "Name of the profile",
        "Profilname Empf&auml;nger": "Receiver",
        "Profil-ID": "Profile id",
        "Alias": "Alias",
        "Z&auml;hlpunktbezeichnung": "Metering point",
        "Abrechnungsperiode (sek.)": "Billing period (s)",
        "Registerperiode (sek.)": "Register period (s)",
        "Vorhaltezeit (Tage)": "Kept for (days)",
        "Beginn Validierungsperiode": "Valid from",
        "Ende Validierungsperiode": "Valid until",
        "Tarifstufen": "Tariff stages",
        "Tag Beginn": "Begin of the day",
        # labels of a communication profile
        "Benutzer-ID": "User id",
        "Benutzername": "User name",
        "Schnittstelle": "Interface",
        "Anmeldung": "Login",
        # the technician's pages
        "Aktuelle Uhrzeit ist": "Present time",
        "Produktbezeichnung": "Product",
        "Leistungsaufnahme": "Power consumption",
        "ca. 3 W": "about 3 W",
        "Nennspannung": "Nominal voltage",
        "Schnittstellen:": "Interfaces:",
        "Überspannungskategorie": "Overvoltage category",
        "Schutzklasse": "Protection class",
        "Schutzart": "Degree of protection",
        "Betriebstemperatur": "Operating temperature",
        "-25 °C bis +55 °C": "-25 °C to +55 °C",
        "Luftfeuchtigkeit": "Humidity",
        "10% - 90% (nicht kondensierend)": "10% - 90% (not condensing)",
        "SMGW Id": "SMGW id",
        "Systeminformationen": "System information",
        "Selbsttest": "Self-test",
        "Abgemeldet": "Logged out",
        "Willkommen": "Welcome",
    }
)


def told(german: str, language: Language) -> str:
    """A text of the pages in a language; what has no English is no word, a number for instance."""
    return german if language == "de" else _ENGLISH.get(german, german)
