"""Labels, numbers and times as PPC's pages write them (han 2.2, 2.3).

Labels that clients look for have the entities of real pages; `english` has them for those who ask for English.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from devices.protocols.http_digest import MD5
from devices.protocols.sml.units import unit_name
from firmware.han.desk import HanDesk
from firmware.han.pages import Language
from firmware.han.ppc.english import told
from firmware.han.reasons import message
from firmware.han.users import HanUser
from firmware.logs.book import LogEntry
from firmware.metering.status_word import GatewayBit
from firmware.metering.tariffs.readings import severity, word_of
from firmware.metering.values import Value

LOCAL: Final = ZoneInfo("Europe/Berlin")
BOOTSTREAM: Final = "smgw-bootstream"
SERVICES: Final = "smgw-services"
UNLIMITED: Final = "unbegrenzt"
RUNNING: Final = "laufend"
NO_DATA: Final = "Keine Daten vorhanden."
EXPIRED: Final = "Sitzung abgelaufen"
FORBIDDEN: Final = "Unerlaubter Zugriff"
LOGIN_FAILED: Final = "Anmeldung fehlgeschlagen"
LEVELS: Final[Mapping[str, str]] = MappingProxyType(
    {"info": "INFO", "warning": "WARNING", "error": "ERROR", "fatal": "FATAL"}
)
OUTCOMES: Final[Mapping[str, str]] = MappingProxyType({"success": "erfolgreich", "failure": "fehlgeschlagen"})
USE_CASES: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "TAF1 Datensparsamer Tarif",
        2: "TAF2 Zeitvariabler Tarif",
        6: "TAF6 Ablesung von Messwerten im Bedarfsfall",
        7: "TAF7 Zählerstandsgangmessung",
        9: "TAF9 Abruf der Ist-Einspeisung",
        10: "TAF10 Abruf von Netzzustandsdaten",
        14: "TAF14 Hochfrequente Messwertbereitstellung für Mehrwertdienste",
    }
)
"""Names of [PPC] 1.3 behind the beginnings that clients expect (han 2.3)."""
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199
VALID, INVALID, ABSENT = 1, 2, 3
REFUSED: Final[Mapping[int, str]] = MappingProxyType(
    {
        404: "Diese Seite gibt es nicht",
        405: "So kann diese Seite nicht aufgerufen werden",
        413: "Die Anfrage ist zu lang",
    }
)
REFUSED_OTHERWISE: Final = "Die Anfrage kann nicht beantwortet werden"
"""What is said where no page answers, by status."""
_VALIDITY_WORDS: Final[Mapping[int, str]] = MappingProxyType(
    {VALID: "gültig", INVALID: "ungültig", ABSENT: "nicht vorhanden"}
)
"""Assumed: the sheet knows that words occur, and not which."""
EXPORT_STATUS: Final[Mapping[int, int]] = MappingProxyType({VALID: 0, ABSENT: 3, INVALID: 4})
"""Validity -> status in an export (han 6)."""
_THOUSANDS: Final = frozenset((30, 31, 32))
"""Units of energy, which are shown in thousands."""
_OBIS: Final = re.compile(r"(\d+)-(\d+):(\d+)\.(\d+)\.(\d+)\*(\d+)")
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T+](\d\d):(\d\d)(?::(\d\d))?)?")
_MEASURES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "1-1.8": ("Wirkenergie Bezug", "Active energy import"),
        "1-2.8": ("Wirkenergie Lieferung", "Active energy export"),
        "1-3.8": ("Blindenergie Bezug", "Reactive energy import"),
        "1-4.8": ("Blindenergie Lieferung", "Reactive energy export"),
        "1-1.7": ("Wirkleistung Bezug", "Active power import"),
        "1-2.7": ("Wirkleistung Lieferung", "Active power export"),
        "1-16.7": ("Wirkleistung", "Active power"),
        "1-31.7": ("Strom L1", "Current L1"),
        "1-51.7": ("Strom L2", "Current L2"),
        "1-71.7": ("Strom L3", "Current L3"),
        "1-32.7": ("Spannung L1", "Voltage L1"),
        "1-52.7": ("Spannung L2", "Voltage L2"),
        "1-72.7": ("Spannung L3", "Voltage L3"),
        "1-14.7": ("Frequenz", "Frequency"),
        "7-3.0": ("Volumen", "Volume"),
        "8-1.0": ("Volumen", "Volume"),
        "9-1.0": ("Volumen", "Volume"),
        "6-1.0": ("Wärmemenge", "Heat"),
    }
)
MEDIA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "electricity": "Elektrizität",
        "heat_cost": "Heizkosten",
        "cooling": "Kälte",
        "heat": "Wärme",
        "gas": "Gas",
        "cold_water": "Kaltwasser",
        "warm_water": "Warmwasser",
        "other": "Sonstiges",
    }
)
LINKS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "wired_tls": ("TLS", "SML"),
        "wired_symmetric": ("SYM", "SML"),
        "wired_clear": ("HDLC", "SML"),
        "radio": ("wMBus", "M-Bus"),
    }
)
"""Way to the meter -> type of communication and of protocol."""


class Label:
    """Labels that clients look for."""

    METER_ID: Final = Markup("Z&auml;hler-ID")
    METER_ADDRESS: Final = Markup("Z&auml;hleradresse")
    USAGE_POINT: Final = Markup("Z&auml;hlpunktbezeichnung")
    RECEIVER: Final = Markup("Profilname Empf&auml;nger")


def shown_time(at_s: float) -> str:
    """``2026-01-05 13:00:01``, local time without offset."""
    return datetime.fromtimestamp(int(at_s), LOCAL).isoformat(" ")[:19]


def read_time(text: str, *, end: bool = False) -> int:
    """The instant of ``YYYY-MM-DD HH:MM:SS`` or of a day alone, seconds since 1970.

    A time that the clocks leave out in March is the next one that there is, 03:00:00. One that comes twice in October
    is the first of the two when it begins a span and the second when it ends one, so that a span has both (han 2.3).

    Args:
        text: local time.
        end: it ends a span: a day means its last second.

    Raises:
        ValueError: no such time.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time")
    year, month, day = (int(one) for one in found.groups()[:3])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"the year is {year}")
    at = time(23, 59, 59) if end else time()
    if found[4] is not None:
        at = time(int(found[4]), int(found[5]), int(found[6] or 0))
    wall = datetime.combine(date(year, month, day), at)
    first_s, second_s = (int(wall.replace(tzinfo=LOCAL, fold=fold).timestamp()) for fold in (0, 1))
    if second_s < first_s:  # left out: read by the offset behind the change, and by that before it
        behind = datetime.fromtimestamp(first_s, LOCAL).utcoffset()
        seconds = range(second_s, first_s)
        change = bisect_left(seconds, 1, key=lambda at_s: datetime.fromtimestamp(at_s, LOCAL).utcoffset() == behind)
        return second_s + change
    return second_s if end else first_s


def short_obis(obis: str) -> str:
    """``1-0:1.8.0`` of ``1-0:1.8.0*255``."""
    return obis.removesuffix("*255")


def hex_obis(obis: str) -> str:
    """``0100010800ff``. Raises ValueError for what is no OBIS code."""
    found = _OBIS.fullmatch(obis)
    if found is None:
        raise ValueError(f"{obis!r} is no OBIS code")
    return "".join(f"{int(one):02x}" for one in found.groups())


def measure(obis: str, language: Language = "de") -> str:
    """What a register measures; its code when that has no name here."""
    found = _OBIS.fullmatch(obis)
    if found is None:
        return obis
    names = _MEASURES.get(f"{found[1]}-{found[3]}.{found[4]}")
    return short_obis(obis) if names is None else names[0 if language == "de" else 1]


def row_name(obis: str, language: Language = "de") -> str:
    """The name in a row of values. Programs make names of their own of all but its last word, which of energies is
    "Zählerstand" (OH); the rest is assumed."""
    name = measure(obis, language)
    found = _OBIS.fullmatch(obis)
    if found is None or found[4] != "8":
        return name
    return f"{name} {'Zählerstand' if language == 'de' else 'reading'}"


def number(value: Value, scaler: int | None, unit: int | None) -> tuple[str, str]:
    """A value and its unit as shown; energy in kWh, ``724.9204`` (han 2.3). Empty without a value."""
    power = scaler or 0
    name = "" if unit is None else unit_name(unit)
    if unit in _THOUSANDS:
        power, name = power - 3, f"k{name}"
    if value is None or isinstance(value, bool):
        return ("" if value is None else str(int(value))), name
    if isinstance(value, bytes):
        return value.hex(), name
    return format(Decimal(value).scaleb(power), "f"), name


def validity(status: str, *, value: bool = True) -> int:
    """Whether a value with this status word is valid, invalid or not there."""
    word = word_of(status)
    if not value or word.has(GatewayBit.NO_VALUE):
        return ABSENT
    return VALID if severity(word).usable else INVALID


def validity_word(code: int, language: Language) -> str:
    """In a word."""
    return told(_VALIDITY_WORDS[code], language)


def validity_shown(code: int, language: Language, *, words: bool) -> str:
    """In the column "istvalide"."""
    return validity_word(code, language) if words else str(code)


def digests(user: HanUser) -> tuple[str, ...]:
    """Algorithms by which a user logs in with a password: those PPC takes of what he has (han 2.1)."""
    return tuple(one for one in (MD5,) if one in user.digests)


def versions(desk: HanDesk) -> tuple[tuple[str, str, str], ...]:
    """Component, number and checksum of the two parts of the software (han 2.2)."""
    found = {one.name: one for one in desk.components()}
    usual = {"kernel": desk.options.han_ppc_bootstream, "firmware": desk.options.han_ppc_services}
    names = {"kernel": BOOTSTREAM, "firmware": SERVICES}
    return tuple(
        (names[part], _stream(one.version, desk.product.software, usual[part]), one.checksum)
        for part in ("kernel", "firmware")
        if (one := found.get(part)) is not None
    )


def footer_version(desk: HanDesk) -> str:
    """``25456-25471``: bootstream and services ([PPC] 3.2.2)."""
    return "-".join(number for _, number, _ in versions(desk))


def _stream(version: str, delivered: str, usual: str) -> str:
    """Five digits of a version: the usual ones as delivered, those of the version itself, else made of it (assumed)."""
    if version == delivered:
        return usual
    if re.fullmatch(r"\d{5}", version):
        return version
    return f"{(int(usual) + 1 + zlib.crc32(version.encode()) % 9000) % 100_000:05d}"


def numbered_message(desk: HanDesk, entry: LogEntry, language: Language) -> str:
    """The same with its five-digit id directly in front (han 2.5)."""
    return f"{'' if entry.vendor_id is None else entry.vendor_id}{message(desk.product, entry, language)}"
