"""What can be checked of a saved log, and what cannot ([BZ] 5.2.5, lmn-wired 5.4).

What the maker's meters sign is unknown, so the signatures of a log that the maker's tool saved can be shown neither
right nor wrong. Their form can: half of all damaged signatures have an r that belongs to no point of the curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from devices.protocols.p256 import key_problem, signature_problem
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.server_id import device_number
from devices.protocols.update_log import Check, LogChecks, check_entries, check_key, check_status
from devices.protocols.update_log_file import SavedLog
from devices.protocols.update_log_findings import Finding, findings
from devices.protocols.update_log_text import OWN_LAYOUT

POINTS: Final[Mapping[str, tuple[str, str]]] = {
    "label": ("Schlüssel des Typenschilds", "key of the type plate"),
    "curve": ("Schlüssel liegt auf P-256", "key is on P-256"),
    "renderings": ("beide Darstellungen des Schlüssels gleich", "both renderings of the key agree"),
    "identity": ("Zähler-Id und LMN-Id gehören zusammen", "meter id and LMN id belong together"),
    "status_form": ("Form der Statussignatur", "form of the status signature"),
    "entries_form": ("Form der Eintragssignatur", "form of the entries signature"),
    "status": ("Statussignatur", "status signature"),
    "entries": ("Eintragssignatur", "entries signature"),
}
"""What is looked at, in this order -> German, English."""

_UNKNOWN: Final = (
    "welche Oktette der Zähler signiert, ist nicht bekannt",
    "which octets the meter signs is not known",
)
_NOT_THERE: Final = ("steht nicht in der Datei", "is not in the file")
_SILENT: Final = ("", "")
FIELD_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "public_key": ("der Public-Key", "the public key"),
    "grouped_key": ("der Public-Key mit Trennzeichen", "the public key with separators"),
    "status_signature": ("die Signatur des Logbuchstatus", "the signature of the log status"),
    "entries_signature": ("die Signatur der Logbucheinträge", "the signature of the log entries"),
}
"""What may be incomplete -> German, English."""


@dataclass(frozen=True, slots=True)
class Point:
    """One thing looked at.

    Attributes:
        topic: key of POINTS.
        check: result.
        reasons: why, in German and English; empty when there is nothing to say.
    """

    topic: str
    check: Check
    reasons: tuple[str, str] = _SILENT

    def text(self, *, german: bool = True) -> str:
        """What was looked at, without the result."""
        return POINTS[self.topic][0 if german else 1]

    def reason(self, *, german: bool = True) -> str:
        """Why, as a sentence without its stop; may be empty."""
        return self.reasons[0 if german else 1]


@dataclass(frozen=True, slots=True)
class Examination:
    """All that can be said of a saved log.

    Attributes:
        checks: the three that trust depends on.
        points: each thing looked at, the three included.
        findings: where the log contradicts itself, apart from trust.
    """

    checks: LogChecks
    points: tuple[Point, ...]
    findings: tuple[Finding, ...]


def examine(saved: SavedLog, label: bytes | None = None) -> Examination:
    """Check what can be checked.

    Args:
        saved: as the text tells it.
        label: key from the type plate, 64 octets; None: the comparison is skipped.
    """
    points = tuple(look(saved, label) for look in _LOOKS)
    result = {point.topic: point.check for point in points}
    return Examination(
        LogChecks(result["label"], result["status"], result["entries"]),
        points,
        findings(saved.status, saved.entries, saved.firmware or None),
    )


def _digits(saved: SavedLog, field: str) -> tuple[str, str] | None:
    """Why `field` cannot be checked, when it has a wrong number of digits."""
    lack = saved.lacks(field)
    if lack is None:
        return None
    german, english = FIELD_WORDS[field]
    return (
        f"{german} hat {lack.digits} statt {lack.wanted} Ziffern, Zeile {lack.line}",
        f"{english} has {lack.digits} digits instead of {lack.wanted}, line {lack.line}",
    )


def _label(saved: SavedLog, label: bytes | None) -> Point:
    lack = _digits(saved, "public_key")
    if lack is not None:
        return Point("label", Check.SKIPPED, lack)  # there is nothing that a label could be compared with
    if saved.public_key is None:
        return Point("label", Check.SKIPPED if label is None else Check.NOK, _NOT_THERE)
    return Point("label", check_key(label, saved.public_key))


def _curve(saved: SavedLog, _: bytes | None) -> Point:
    key = saved.public_key or saved.grouped_key
    if key is None:
        lack = _digits(saved, "public_key") or _digits(saved, "grouped_key")
        return Point("curve", Check.IMPOSSIBLE, lack or _NOT_THERE)
    problem = key_problem(key)
    if problem is None:
        return Point("curve", Check.OK)
    return Point("curve", Check.NOK, ("der Schlüssel ist kein Punkt der Kurve P-256", problem))


def _renderings(saved: SavedLog, _: bytes | None) -> Point:
    if saved.public_key is None or saved.grouped_key is None:
        lack = _digits(saved, "public_key") or _digits(saved, "grouped_key")
        return Point("renderings", Check.IMPOSSIBLE, lack or _NOT_THERE)
    return Point("renderings", Check.OK if saved.public_key == saved.grouped_key else Check.NOK)


def _identity(saved: SavedLog, _: bytes | None) -> Point:
    if saved.server_id is None or not saved.number:
        return Point("identity", Check.IMPOSSIBLE, _NOT_THERE)
    try:
        number = device_number(saved.server_id)
    except SmlError as problem:
        return Point("identity", Check.NOK, ("die LMN-Id ist keine Server-Id", str(problem)))
    if number == saved.number.replace(" ", ""):
        return Point("identity", Check.OK)
    return Point(
        "identity", Check.NOK, (f"zur LMN-Id gehört {number}, nicht {saved.number}", f"the LMN id is that of {number}")
    )


def _form(topic: str, saved: SavedLog, field: str, signature: bytes) -> Point:
    lack = _digits(saved, field)
    if lack is not None:
        return Point(topic, Check.IMPOSSIBLE, lack)
    problem = signature_problem(signature)
    if problem is None:
        return Point(topic, Check.OK)
    return Point(topic, Check.NOK, ("das ist keine Signatur auf P-256, ganz gleich worüber", problem))


def _status_form(saved: SavedLog, _: bytes | None) -> Point:
    return _form("status_form", saved, "status_signature", saved.status_signature)


def _entries_form(saved: SavedLog, _: bytes | None) -> Point:
    if not saved.entries_signature and saved.lacks("entries_signature") is None:
        return Point("entries_form", Check.NONE)
    return _form("entries_form", saved, "entries_signature", saved.entries_signature)


def _status(saved: SavedLog, _: bytes | None) -> Point:
    return _signature(
        "status",
        saved,
        saved.status_signature,
        lambda key, server: check_status(key, server, saved.status, saved.status_signature),
    )


def _entries(saved: SavedLog, _: bytes | None) -> Point:
    if saved.status.count == 0 and not saved.entries:
        return Point("entries", Check.NONE)
    return _signature(
        "entries",
        saved,
        saved.entries_signature,
        lambda key, server: check_entries(key, server, saved.entries, saved.entries_signature),
    )


def _signature(topic: str, saved: SavedLog, signature: bytes, look: Callable[[bytes, bytes], Check]) -> Point:
    """OK is only ever said for a signature that was verified; NOK only where the signed octets are known, or where the
    octets are no signature at all."""
    lack = _digits(saved, f"{topic}_signature")
    if lack is not None:
        return Point(topic, Check.IMPOSSIBLE, lack)
    if signature_problem(signature) is not None:
        return Point(topic, Check.NOK, ("die Form ist falsch", "its form is wrong"))
    if saved.server_id is None or saved.public_key is None:
        return Point(topic, Check.IMPOSSIBLE, _digits(saved, "public_key") or _NOT_THERE)
    if look(saved.public_key, saved.server_id) is Check.OK:
        return Point(topic, Check.OK)
    return Point(topic, Check.NOK) if saved.layout == OWN_LAYOUT else Point(topic, Check.IMPOSSIBLE, _UNKNOWN)


_LOOKS: Final[tuple[Callable[[SavedLog, bytes | None], Point], ...]] = (
    _label,
    _curve,
    _renderings,
    _identity,
    _status_form,
    _entries_form,
    _status,
    _entries,
)
