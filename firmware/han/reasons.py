"""What the log keeps as words of the gateway's own, and the same in German and in English.

Logs keep these words; the home interface puts them into the language in which a message is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from firmware.han.pages import Language
from firmware.logs.book import LogEntry
from firmware.product import Product
from firmware.selftest import NOT_ALLOWED, NOT_BEFORE, UNDER_WAY

WRONG_PASSWORD: Final = "password"
CERTIFICATE_OUTDATED: Final = "the certificate is not valid at this time"
LOCKED_OUT: Final = "locked out"
REASONS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        WRONG_PASSWORD: ("Benutzername oder Passwort falsch", "wrong user name or password"),
        CERTIFICATE_OUTDATED: ("Zertifikat zurzeit nicht gültig", "certificate not valid at this time"),
        LOCKED_OUT: ("Anmeldung gesperrt", "login locked"),
        UNDER_WAY: ("ein Selbsttest läuft schon", UNDER_WAY),
        NOT_BEFORE: ("der nächste ist möglich ab {time}", NOT_BEFORE),
        NOT_ALLOWED: ("{initiator} darf ihn nicht anstoßen", NOT_ALLOWED),
    }
)
"""Why a login or a self-test was refused -> German, English; places are filled as in the reason."""
WORDS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {
        "way": {"password": ("Passwort", "password"), "certificate": ("Zertifikat", "certificate")},
        "initiator": {
            "consumer": ("Letztverbraucher", "consumer"),
            "technician": ("Service-Techniker", "technician"),
            "administrator": ("Administrator", "administrator"),
        },
        "functions": {"none": ("keine", "none")},
        "errors": {"none": ("keine", "none")},
    }
)
"""Place of a message -> what fills it -> German, English."""
_REASON_PLACES: Final = ("error", "errors", "reason")
_PLACE: Final = re.compile(r"\\{(\w+)\\}")
_PATTERNS: Final = tuple(
    (re.compile(_PLACE.sub(r"(?P<\1>\\S+)", re.escape(one))), told) for one, told in REASONS.items()
)


def message(product: Product, entry: LogEntry, language: Language) -> str:
    """The text of a log entry in a language; as it is stored when the product has none for its event."""
    event = product.data.events.get(entry.event)
    return entry.text if event is None else event.text(in_words(entry.parameters, language), language)


def in_words(parameters: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """What fills the places of a message in a language; what is none of these words stays as the log keeps it."""
    return {name: _told(name, value, 0 if language == "de" else 1) for name, value in parameters.items()}


def _told(name: str, value: Any, language: int) -> Any:
    if not isinstance(value, str):
        return value
    found = WORDS.get(name, {}).get(value)
    if found is not None or name not in _REASON_PLACES:
        return value if found is None else found[language]
    for pattern, told in _PATTERNS:
        match = pattern.fullmatch(value)
        if match is not None:
            filled = {place: _told(place, text, language) for place, text in match.groupdict().items()}
            return told[language].format(**filled)
    return value
