"""Reads timeline and excerpts of one stored case; long files are kept as lines and decoded when asked for."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.report.stored_json import MAX_JSON, Json, as_mapping, as_mappings, as_number, as_text

_HEAD = re.compile(r'\{"n":(\d{1,15}),"t":(-?\d{1,15}(?:\.\d{1,12})?),"source":"([^"\\]{1,40})"')


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event of a stored timeline, see ``bench.timeline.Event``."""

    n: int
    t: float
    source: str
    kind: str
    data: Json


@dataclass(frozen=True, slots=True)
class StoredTimeline:
    """The events of one case. Lines are kept and decoded when asked for: traces are long, excerpts short.

    Attributes:
        stamps: source -> bench seconds of its events, in order.
        end: the latest bench seconds in the file; 0 of nothing.
        damage: what could not be read, in words.
    """

    stamps: Mapping[str, list[float]] = field(default_factory=dict)
    end: float = 0.0
    damage: tuple[str, ...] = ()
    _lines: Mapping[str, list[str]] = field(default_factory=dict)

    def event(self, source: str, index: int) -> StoredEvent:
        """The event of `source` with the place `index` in ``stamps[source]``."""
        try:
            raw = json.loads(self._lines[source][index])
        except (ValueError, RecursionError):
            raw = {}
        raw = as_mapping(raw)
        return StoredEvent(
            int(as_number(raw.get("n")) or 0),
            self.stamps[source][index],
            source,
            as_text(raw.get("kind")),
            as_mapping(raw.get("data")),
        )

    def events(self, source: str) -> Iterable[StoredEvent]:
        """All events of `source`, in order."""
        return (self.event(source, index) for index in range(len(self.stamps.get(source, ()))))


def read_timeline(path: Path, sources: frozenset[str]) -> StoredTimeline:
    """The events of `sources` in ``timeline.jsonl``; an absent file is an empty timeline with a word on it."""
    stamps: defaultdict[str, list[float]] = defaultdict(list)
    lines: defaultdict[str, list[str]] = defaultdict(list)
    damage: list[str] = []
    end = 0.0
    number = 0
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                head = _HEAD.match(line)
                if not line.endswith("}\n") or head is None:
                    parsed = _odd_line(line)
                    if parsed is None:
                        damage.append(f"{path.name}: line {number} is torn and was left out")
                        continue
                    t, source = parsed
                else:
                    t, source = float(head[2]), head[3]
                end = max(end, t)
                if source in sources:
                    stamps[source].append(t)
                    lines[source].append(line)
    except FileNotFoundError:
        damage.append(f"{path.name} is missing")
    except OSError as error:
        damage.append(f"{path.name} cannot be read: {error.strerror}")
    return StoredTimeline(stamps, end, _bounded(damage), lines)


def _odd_line(line: str) -> tuple[float, str] | None:
    """Time and source of a line that is not written as the timeline writes; None when it is torn."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    return as_number(raw.get("t")) or 0.0, as_text(raw.get("source"))


def _bounded(damage: list[str], limit: int = 5) -> tuple[str, ...]:
    if len(damage) <= limit:
        return tuple(damage)
    return (*damage[:limit], f"and {len(damage) - limit} more such lines")


def read_rows(path: Path, inner: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of ``logs.json`` or ``values.json``: a list of rows, or lists of rows by name (book, meter).

    Args:
        path: the file; an absent or damaged one gives no rows.
        inner: names of keys that may wrap the whole; other keys are put into the rows as ``group``.
    """
    if not path.is_file() or path.stat().st_size > MAX_JSON:
        return []
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    for name in inner:
        if isinstance(value, dict) and isinstance(value.get(name), dict | list):
            value = value[name]
    if isinstance(value, dict):
        groups = [(group, rows) for group, rows in value.items() if isinstance(rows, list)]
        return [{"group": group, **row} for group, rows in groups for row in rows if isinstance(row, dict)]
    return [dict(row) for row in as_mappings(value)]
