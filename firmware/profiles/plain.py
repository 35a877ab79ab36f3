"""Reading plain data (what JSON can say) field by field; mistakes name the field and what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from devices.errors import UsageError

MOST_TEXT: Final = 63
"""Characters of a text that says nothing else."""
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?")
_MISSING: Final = object()
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[Ee][+-]?[0-9]{1,2})?")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
T = TypeVar("T")


class PlainDataError(UsageError):
    """Plain data that are no profile.

    Attributes:
        field: which one, ``profiles[2].endpoints[0].port``.
        rule: which one is broken, V1 unless the mistake is one of content.
    """

    def __init__(self, field: str, mistake: str, right: str, *, rule: str = "V1") -> None:
        super().__init__(f"{field}: {mistake}", hint=right)
        self.field = field
        self.rule = rule


class Fields:
    """The fields of one object; each is taken once, `end` finds those that nobody wanted.

    Args:
        data: the object.
        place: of the object, for mistakes.

    Raises:
        PlainDataError: it is no object; so do all methods for what does not fit.
    """

    def __init__(self, data: Any, place: str) -> None:
        if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
            raise PlainDataError(place, f"this is {_shown(data)}", "an object with names and values")
        self.place = place
        self._data = dict(data)
        self._known: list[str] = []

    def end(self) -> None:
        """Nothing more is wanted."""
        for name in self._data:
            near = difflib.get_close_matches(name, self._known, 1)
            right = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(self._known))}"
            raise PlainDataError(self._at(name[:MOST_TEXT]), "there is no such field", right)

    def wrong(self, name: str, mistake: str, right: str, *, rule: str = "V1") -> PlainDataError:
        """A mistake in a field."""
        return PlainDataError(self._at(name), mistake, right, rule=rule)

    def optional(self, name: str, take: Callable[[str], T]) -> T | None:
        """What `take` makes of a field, None when it is not there or null."""
        if self._data.get(name) is None:
            self._known.append(name)
            self._data.pop(name, None)
            return None
        return take(name)

    # --- values; without a default a field must be there

    def text(self, name: str, default: str | None = None, *, most: int = MOST_TEXT, least: int = 0) -> str:
        """A text; `least` characters at least, `most` at most."""
        right = f"a text of {least} to {most} characters"
        value = self._take(name, default, right)
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise self.wrong(name, f"it is {_shown(value)}", right)
        if any(ord(one) < 0x20 or 0xD800 <= ord(one) <= 0xDFFF for one in value):
            raise self.wrong(name, "it has characters that cannot be shown", right)
        return value

    def choice(self, name: str, choices: Collection[T], default: Any = _MISSING) -> T:
        """One of several values."""
        right = f"one of {', '.join(map(str, choices))}"
        value = self._take(name, default, right)
        for one in choices:
            if type(value) is type(one) and value == one:
                return one
        raise self.wrong(name, f"it is {_shown(value)}", right)

    def whole(self, name: str, least: int, most: int, default: Any = _MISSING) -> int:
        """A whole number within bounds, both included."""
        right = f"a whole number from {least} to {most}"
        value = self._take(name, default, right)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(name, f"it is {_shown(value)}", right)
        return value

    def flag(self, name: str, default: Any = _MISSING) -> bool:
        """True or false."""
        value = self._take(name, default, "true or false")
        if not isinstance(value, bool):
            raise self.wrong(name, f"it is {_shown(value)}", "true or false")
        return value

    def decimal(self, name: str, default: Any = _MISSING) -> Decimal:
        """An exact number, written as a text."""
        right = "an exact number as a text, such as '230.5'"
        value = self._take(name, default, right)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**18 else ""
        if not isinstance(value, str) or len(value) > 40 or not _DECIMAL.fullmatch(value):
            raise self.wrong(name, f"it is {_shown(value)}", right)
        try:
            return Decimal(value)
        except InvalidOperation:
            raise self.wrong(name, f"it is {_shown(value)}", right) from None

    def octets(self, name: str, most: int, default: Any = _MISSING) -> bytes:
        """Octets in hexadecimal digits."""
        right = f"1 to {most} octets in hexadecimal digits"
        value = self._take(name, default, right)
        if not isinstance(value, str) or not 0 < len(value) <= 2 * most:
            raise self.wrong(name, f"it is {_shown(value)}", right)
        try:
            return bytes.fromhex(value)
        except ValueError:
            raise self.wrong(name, f"it is {_shown(value)}", right) from None

    def instant(self, name: str, default: Any = _MISSING) -> int:
        """An instant with its zone, as whole seconds since 1970."""
        right = f"an instant with its zone in whole seconds, {FIRST_YEAR}-01-01T00:00:00Z to {LAST_YEAR}"
        value = self._take(name, default, right)
        try:
            found = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.wrong(name, f"it is {_shown(value)}", right) from None
        if found.tzinfo is None or found.microsecond or not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise self.wrong(name, f"it is {_shown(value)}", right)
        return int(found.astimezone(UTC).timestamp())

    def clock(self, name: str) -> time:
        """A time of the day in hours and minutes."""
        right = "a time of the day such as 06:15"
        value = self._take(name, _MISSING, right)
        match = _TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise self.wrong(name, f"it is {_shown(value)}", right)
        return time(int(match[1]), int(match[2]))

    def host(self, name: str) -> str:
        """A host by name or number."""
        value = self.text(name, most=253, least=1)
        if not _HOST.fullmatch(value):
            raise self.wrong(name, f"it is {_shown(value)}", "a host such as gwa.example or 192.0.2.7 or 2001:db8::7")
        return value

    # --- values of values

    def inner(self, name: str) -> Fields:
        """An object within."""
        return Fields(self._take(name, _MISSING, "an object"), self._at(name))

    def each(self, name: str, make: Callable[[Fields], T], *, most: int, least: int = 0) -> tuple[T, ...]:
        """A list of objects, each of which `make` takes."""
        found = []
        for place, value in self._list(name, most, least):
            one = Fields(value, place)
            found.append(make(one))
            one.end()
        return tuple(found)

    def texts(self, name: str, *, most: int, longest: int = MOST_TEXT, least: int = 0) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self._one(name, most, least, lambda one: one.text("", most=longest, least=1)))

    def choices(self, name: str, choices: Collection[T], *, least: int = 0) -> tuple[T, ...]:
        """A list of some of several values, each once."""
        found = tuple(self._one(name, len(choices), least, lambda one: one.choice("", choices)))
        if len(set(found)) != len(found):
            raise self.wrong(name, "one of them stands there twice", "each once")
        return found

    def wholes(self, name: str, lowest: int, highest: int, *, most: int, least: int = 0) -> tuple[int, ...]:
        """A list of whole numbers."""
        return tuple(self._one(name, most, least, lambda one: one.whole("", lowest, highest)))

    def octet_strings(self, name: str, longest: int, *, most: int) -> tuple[bytes, ...]:
        """A list of octets."""
        return tuple(self._one(name, most, 0, lambda one: one.octets("", longest)))

    def _one(self, name: str, most: int, least: int, make: Callable[[Fields], T]) -> Iterable[T]:
        for place, value in self._list(name, most, least):
            yield make(Fields({"": value}, place))

    def _list(self, name: str, most: int, least: int) -> list[tuple[str, Any]]:
        right = f"a list of {least} to {most}"
        value = self._take(name, [] if least == 0 else _MISSING, right)
        if not isinstance(value, list | tuple):
            raise self.wrong(name, f"it is {_shown(value)}", right)
        if not least <= len(value) <= most:
            raise self.wrong(name, f"it has {len(value)} elements", right)
        return [(f"{self._at(name)}[{number}]", one) for number, one in enumerate(value)]

    def _take(self, name: str, default: Any, right: str) -> Any:
        self._known.append(name)
        value = self._data.pop(name, None)
        if value is not None:
            return value
        if default is _MISSING or default is None:
            raise self.wrong(name, "it is missing", right)
        return default

    def _at(self, name: str) -> str:
        return ".".join(one for one in (self.place, name) if one)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None:
        return "null"
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 48 else f"{text[:44]}... ({len(text)} characters)"
