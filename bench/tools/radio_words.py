"""What the tools for radio meters say, in German and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RADIO_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "air_emulated": (
        "EMULIERTE LUFT: Zähler und Empfänger sind Programme",
        "EMULATED AIR: meters and receiver are programs",
    ),
    "looking": ("Suche den Stick an {port} ...", "looking for the stick at {port} ..."),
    "stick": ("Stick: {identity} an {port}, {baudrate} Bd", "stick: {identity} at {port}, {baudrate} Bd"),
    "stick_program": ("Empfänger: {identity} an {port}", "receiver: {identity} at {port}"),
    "stick_trouble": ("Stick gestört: {text}", "stick in trouble: {text}"),
    "stick_back": ("Stick wieder da", "the stick is back"),
    "listening": ("empfange {what}; Strg-C beendet", "listening to {what}; Ctrl-C ends it"),
    "stick_pty": (
        "Emulierter {stick}: {path} (Pseudo-Terminal, {baudrate} Bd)",
        "emulated {stick}: {path} (pseudo-terminal, {baudrate} Bd)",
    ),
    "on_the_air": ("{name}: {number}, {what}, alle {interval}", "{name}: {number}, {what}, every {interval}"),
    "key_of": ("{name}: Schlüssel {key}", "{name}: key {key}"),
    "air_sent": ("gesendet: {number}, {octets} Oktette, {mode}", "sent: {number}, {octets} octets, {mode}"),
    "not_sent": ("nicht gesendet: {text}", "not sent: {text}"),
    "heard_summary": (
        "Telegramme: {telegrams}, Zähler: {meters}, unlesbar: {spoilt}, Oktette ohne Sinn: {noise}",
        "telegrams: {telegrams}, meters: {meters}, no telegrams: {spoilt}, octets without sense: {noise}",
    ),
    "column_meter": ("Zähler", "meter"),
    "column_kind": ("Art", "kind"),
    "column_count": ("Anzahl", "count"),
    "column_last": ("zuletzt", "last"),
    "column_interval": ("Abstand", "interval"),
    "column_rssi": ("dBm", "dBm"),
    "column_mode": ("Modus", "mode"),
    "column_security": ("Schutz", "security"),
    "column_values": ("Werte", "values"),
    "medium_1": ("Strom", "electricity"),
    "medium_4": ("Heizkosten", "heat cost"),
    "medium_5": ("Kälte", "cooling"),
    "medium_6": ("Wärme", "heat"),
    "medium_7": ("Gas", "gas"),
    "medium_8": ("Kaltwasser", "cold water"),
    "medium_9": ("Warmwasser", "warm water"),
    "medium_0": ("Typ {type}", "type {type}"),
    "no_telegram": ("kein Telegramm: {text}", "no telegram: {text}"),
}
"""Sentence -> German, English; braces are filled in."""
