"""Reads tables straight out of the text of the manuals, independently of the project's data.

The manuals are not part of the project. They are looked for in the folder that SMGW_BENCH_DOCUMENTS names, or in
``shared/documents`` beside the repository; a manual is recognised by what it says of itself.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest

TITLES = {
    "PPC": "Handbuch für Servicetechniker Smart Meter Gateway",
    "CONEXA": "Handbuch CONEXA 3.0 für den Letztverbraucher",
    "CASA": "Hinweise zum CASA 1.0 und CASA 1.1 - Benutzerhandbuch",
}
_FOLDER = Path(os.environ.get("SMGW_BENCH_DOCUMENTS", Path(__file__).parents[3] / "shared" / "documents"))
_LEVELS = {"INFO": "info", "WARNING": "warning", "ERROR": "error", "FATAL": "fatal"}


@cache
def manual(key: str) -> str:
    """The text of a manual; the calling test is skipped when it is not at hand."""
    for file in sorted(_FOLDER.glob("*.txt")) if _FOLDER.is_dir() else ():
        text = file.read_text(encoding="utf-8")
        if TITLES[key] in text[:8000]:
            return text
    pytest.skip(f"the manual [{key}] is not in {_FOLDER}: set SMGW_BENCH_DOCUMENTS")


def between(text: str, start: str, end: str) -> str:
    """The part between the last line that matches `start` and the first one after it that matches `end`."""
    begin = [found.start() for found in re.finditer(start, text, re.MULTILINE)][-1]
    stop = re.compile(end, re.MULTILINE).search(text, begin + 1)
    return text[begin : stop.start() if stop else len(text)]


def ppc_levels() -> dict[int, tuple[str, str]]:
    """[PPC] 10: id -> level, level when the outcome is failure (the same where the table prints one)."""
    levels: dict[int, tuple[str, str]] = {}
    last = 0
    for line in between(manual("PPC"), r"^10 Anhang: Logmeldungen", r"^11 Anhang").splitlines():
        row = re.match(r"(\d{5})\t(INFO|WARNING|ERROR|FATAL)\t", line)
        if row:
            last = int(row[1])
            assert last not in levels, f"{last} stands twice in the table"
            levels[last] = (_LEVELS[row[2]], _LEVELS[row[2]])
        elif more := re.match(r"\t(INFO|WARNING|ERROR|FATAL) \(bei Status", line):
            levels[last] = (levels[last][0], _LEVELS[more[1]])
    return levels


def ppc_actions() -> dict[int, tuple[str, str, int]]:
    """[PPC] 10: id -> what to do, the same when the outcome is failure, number of places in the text."""
    rows: dict[int, tuple[str, str]] = {}
    last = 0
    for line in between(manual("PPC"), r"^10 Anhang: Logmeldungen", r"^Folgende Nachrichtenparameter").splitlines():
        if row := re.match(r"(\d{5})\t(?:INFO|WARNING|ERROR|FATAL)\t(.*?)\t(.*)$", line):
            last = int(row[1])
            rows[last] = (row[2], row[3])
        elif last and (row := re.match(r"\t(?:(?:WARNING|ERROR) \(bei.*?)?\t(.*?)\t(.*)$", line)):
            rows[last] = (f"{rows[last][0]} {row[1]}", f"{rows[last][1]} {row[2]}")
    found = {}
    for number, (text, action) in rows.items():
        both = re.match(r'Bei Log-Level "INFO": (.*?) Bei Log-Level "[-A-Z ]+": (.*)$', joined_words(action).strip())
        good, bad = (both[1], both[2]) if both else (joined_words(action), joined_words(action))
        found[number] = (_action(good.strip()), _action(bad.strip()), text.count("["))
    return found


def _action(text: str) -> str:
    for words, action in (
        ("häufiger als drei", "inform_administrator_if_often"),
        ("WAN-Kommunikation", "check_wan_connection"),
        ("Wechsel des Zählers", "consider_meter_exchange"),
        ("Falls möglich klären", "clarify_with_administrator"),
        ("informieren Sie den GWA", "inform_administrator"),
        ("Keine Aktion", "none"),
    ):
        if words in text:
            return action
    raise AssertionError(f"an action that is not known: {text!r}")


def casa_places() -> dict[tuple[int, int], int]:
    """[CASA] 9.3: id, sub id -> number of places in the text."""
    part = between(manual("CASA"), r"^9\.3 Protokollierte Ereignisse", r"^9\.4 ")
    rows = re.findall(r"^(\d{4,10})\t(\d)\t\w+\t(.*)$", part, re.MULTILINE)
    return {(int(event), int(sub)): len(set(re.findall(r"\[(\d)\]", text))) for event, sub, text in rows}


def casa_levels() -> dict[tuple[int, int], str]:
    """[CASA] 9.3: id, sub id -> level."""
    part = between(manual("CASA"), r"^9\.3 Protokollierte Ereignisse", r"^9\.4 ")
    rows = re.findall(r"^(\d{4,10})\t(\d)\t(info|warning|error|fatal)\t", part, re.MULTILINE | re.IGNORECASE)
    return {(int(event), int(sub)): level.lower() for event, sub, level in rows}


def casa_sections() -> dict[tuple[int, int], str]:
    """[CASA] 9.3: id, sub id -> section."""
    part = between(manual("CASA"), r"^9\.3 Protokollierte Ereignisse", r"^9\.4 ")
    section, sections = "", {}
    for line in part.splitlines():
        if heading := re.match(r"(9\.3\.\d) ", line):
            section = heading[1]
        elif row := re.match(r"(\d{4,10})\t(\d)\t", line):
            sections[int(row[1]), int(row[2])] = section
    return sections


def casa_faults() -> dict[int, bool]:
    """[CASA] 9.4: fault code -> whether it leads to soft lock-down."""
    part = between(manual("CASA"), r"^9\.4 Herstellerspezifische", r"^9\.5 ")
    rows = re.findall(r"^(\d{6,7})\t[^\t]+\t(x?)$", part, re.MULTILINE)
    assert len({code for code, _ in rows}) == len(rows), "a code stands twice in the table"
    return {int(code): mark == "x" for code, mark in rows}


def joined_words(text: str) -> str:
    """The text in one line, words that the extraction has split put together again."""
    return re.sub(r"\s+", " ", re.sub(r"(\w)- (?=[a-zäöü])", r"\1", re.sub(r"\s+", " ", text)))
