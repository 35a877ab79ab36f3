"""What a log says about itself beside its signatures: whether its parts agree (lmn-wired 5.6).

These findings stand apart from the trust rule: a log can be genuine and odd, or smooth and forged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from devices.protocols.app_image import ImageError, Version
from devices.protocols.update_log import Event, UpdateLogEntry, UpdateLogStatus

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "count": (
        "der Status nennt {0} Einträge, gelesen wurden {1}",
        "the status says {0} entries, {1} were read",
    ),
    "full_but_empty": ("das Logbuch ist leer und voll zugleich", "the log is empty and full at once"),
    "number": ("Eintrag {0} trägt die Nummer {1}", "entry {0} carries the number {1}"),
    "second_index": (
        "Eintrag {0}: der Sekundenindex fällt von {1} auf {2} s",
        "entry {0}: the second index falls from {1} to {2} s",
    ),
    "register_1_8_0": (
        "Eintrag {0}: Register 1.8.0 fällt von {1} auf {2} Wh",
        "entry {0}: register 1.8.0 falls from {1} to {2} Wh",
    ),
    "register_2_8_0": (
        "Eintrag {0}: Register 2.8.0 fällt von {1} auf {2} Wh",
        "entry {0}: register 2.8.0 falls from {1} to {2} Wh",
    ),
    "failure_with_version": (
        "Eintrag {0}: fehlgeschlagen, und doch Version {1} und CRC 0x{2:04x}",
        "entry {0}: failed, and yet version {1} and CRC 0x{2:04x}",
    ),
    "success_without_version": (
        "Eintrag {0}: erfolgreich, aber ohne Version",
        "entry {0}: succeeded, but without a version",
    ),
    "version_crc": (
        "Version {0} hat einmal CRC 0x{1:04x} und einmal 0x{2:04x}",
        "version {0} has CRC 0x{1:04x} once and 0x{2:04x} once",
    ),
    "crc_version": (
        "CRC 0x{0:04x} gehört einmal zu {1} und einmal zu {2}",
        "CRC 0x{0:04x} belongs to {1} once and to {2} once",
    ),
    "running": (
        "zuletzt installiert wurde {0}, der Zähler meldet {1}",
        "installed last was {0}, the meter says {1}",
    ),
    "downgrade": (
        "Eintrag {0}: auf {1} folgt die niedrigere Version {2}",
        "entry {0}: the lower version {2} follows {1}",
    ),
}
"""Kind of a finding -> sentence in German and in English."""

NOTICES: Final = frozenset({"downgrade"})
"""Kinds that contradict a rule of the maker, not the log itself: the maker's own example shows two."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree.

    Attributes:
        kind: key of KINDS.
        values: that go into its sentence.
    """

    kind: str
    values: tuple[int | str, ...]

    @property
    def notice(self) -> bool:
        """Whether it is only worth a look."""
        return self.kind in NOTICES

    def text(self, *, german: bool = True) -> str:
        """As a sentence."""
        return KINDS[self.kind][0 if german else 1].format(*self.values)


def findings(
    status: UpdateLogStatus, entries: Sequence[UpdateLogEntry], firmware: str | None = None
) -> tuple[Finding, ...]:
    """All that does not agree.

    Args:
        status: of the log.
        entries: of the log, as they came.
        firmware: what the meter says that it runs, such as ``ENSO-MME V2.0``; None: unknown.
    """
    found = [finding for check in _CHECKS for finding in check(entries)]
    if status.count != len(entries):
        found.insert(0, Finding("count", (status.count, len(entries))))
    if status.full and not status.count:
        found.insert(0, Finding("full_but_empty", ()))
    installed = [entry.version for entry in entries if entry.event is Event.SUCCEEDED and entry.version]
    if firmware is not None and installed and firmware.split()[-1:] != installed[-1:]:
        found.append(Finding("running", (installed[-1], firmware)))
    return tuple(found)


def _numbers(entries: Sequence[UpdateLogEntry]) -> Iterator[Finding]:
    for place, entry in enumerate(entries, 1):
        if entry.number != place:
            yield Finding("number", (place, entry.number))


def _falling(entries: Sequence[UpdateLogEntry]) -> Iterator[Finding]:
    for before, entry in pairwise(entries):
        for field in ("second_index", "register_1_8_0", "register_2_8_0"):
            was, now = getattr(before, field), getattr(entry, field)
            if now < was:
                yield Finding(field, (entry.number, was, now))


def _versions(entries: Sequence[UpdateLogEntry]) -> Iterator[Finding]:
    for entry in entries:
        if entry.event is Event.FAILED and (entry.version or entry.crc):
            yield Finding("failure_with_version", (entry.number, entry.version or "n.A.", entry.crc))
        if entry.event is Event.SUCCEEDED and not entry.version:
            yield Finding("success_without_version", (entry.number,))


def _pairs(entries: Sequence[UpdateLogEntry]) -> Iterator[Finding]:
    """The same image has the same check; different images have different ones but for one in 65 536."""
    crc_of: dict[str, int] = {}
    version_of: dict[int, str] = {}
    for entry in entries:
        if entry.event is Event.SUCCEEDED and entry.version:
            crc = crc_of.setdefault(entry.version, entry.crc)
            version = version_of.setdefault(entry.crc, entry.version)
            if crc != entry.crc:
                yield Finding("version_crc", (entry.version, crc, entry.crc))
            if version != entry.version:
                yield Finding("crc_version", (entry.crc, version, entry.version))


def _order(entries: Sequence[UpdateLogEntry]) -> Iterator[Finding]:
    installed = [entry for entry in entries if entry.event is Event.SUCCEEDED]
    for before, entry in pairwise(installed):
        try:
            lower = Version.parse(entry.version) < Version.parse(before.version)
        except ImageError:
            continue
        if lower:
            yield Finding("downgrade", (entry.number, before.version, entry.version))


_CHECKS: Final[tuple[Callable[[Sequence[UpdateLogEntry]], Iterator[Finding]], ...]] = (
    _numbers,
    _falling,
    _versions,
    _pairs,
    _order,
)
