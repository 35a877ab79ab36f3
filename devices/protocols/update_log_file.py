"""Reads a log that was saved or copied as text, by the maker's tool or by this bench ([BZ] 5.2.4, 5.2.6).

Forgiving in form (encoding, line ends, white space, emphasis, umlauts lost or spelled out, both sets of labels, both
languages), strict in values: what is wrong is an error with line and field, never a guess. Only a key or a signature
that has lost a few digits, as in the print of [BZ] 5.2.4, is told as incomplete: the rest of the log can still be read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devices.protocols.p256 import OCTETS
from devices.protocols.update_log import (
    MAX_ENTRIES,
    SERVER_ID_OCTETS,
    Check,
    Event,
    UpdateLogEntry,
    UpdateLogError,
    UpdateLogStatus,
)
from devices.protocols.update_log_text import CHECK_WORDS, ENTRY_WORDS, WORDS, YES_NO

LARGEST_FILE: Final = 8 << 20
"""Octets: 65 535 entries take 7 MB."""
LONGEST_LINE: Final = 1000
"""Characters: an entry takes 150, a signature 128."""


SLIP: Final = 8
"""Digits that a key or signature may have too few or too many and still be one that suffered on the way."""


class UpdateLogTextError(UpdateLogError):
    """A text that is no update log.

    Attributes:
        line: number of the line, from 1; 0 for the file as a whole.
        field: what was read there, as in the maker's tool.
        offset: of the line's first character, or of the octet that is no character.
    """

    def __init__(self, reason: str, line: int, field: str, offset: int = 0) -> None:
        self.line = line
        self.field = field
        super().__init__(f"line {line}, {field}: {reason}" if line else f"{field}: {reason}", offset)


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A key or signature with too few or too many digits; what it was cannot be told.

    Attributes:
        field: public_key, grouped_key, status_signature or entries_signature.
        line: where it stands, from 1.
        digits: how many it has.
        wanted: how many it should have.
    """

    field: str
    line: int
    digits: int
    wanted: int = 2 * OCTETS


class _WrongLength(UpdateLogError):
    """So many digits are not what is wanted."""

    def __init__(self, digits: int, wanted: int) -> None:
        self.digits = digits
        self.wanted = wanted
        super().__init__(f"{digits} hexadecimal digits instead of {wanted}")


@dataclass(frozen=True, slots=True)
class SavedLog:
    """A log as its text tells it; nothing of it is checked.

    Attributes:
        status, status_signature: the status and its 64 octets; empty when they are incomplete.
        entries, entries_signature: the entries and their 64 octets; empty when there are none or they are incomplete.
        public_key: that the meter sent, 64 octets; None when the text has none.
        grouped_key: the key printed with separators, None when there is none.
        server_id: 10 octets, None when the text has none.
        number, firmware, pc_name, user, read_at: as printed, empty when the text has none.
        key_check, status_check, entries_check: what the program that saved it claims; None when it claims nothing.
        layout: name of the signed octets; empty for the maker's, which are unknown.
        incomplete: keys and signatures with a wrong number of digits.
    """

    status: UpdateLogStatus
    status_signature: bytes
    entries: tuple[UpdateLogEntry, ...] = ()
    entries_signature: bytes = b""
    public_key: bytes | None = None
    grouped_key: bytes | None = None
    server_id: bytes | None = None
    number: str = ""
    firmware: str = ""
    pc_name: str = ""
    user: str = ""
    read_at: str = ""
    key_check: Check | None = None
    status_check: Check | None = None
    entries_check: Check | None = None
    layout: str = ""
    incomplete: tuple[Incomplete, ...] = ()

    def lacks(self, field: str) -> Incomplete | None:
        """What is known of `field` when it is incomplete."""
        return next((one for one in self.incomplete if one.field == field), None)


def parse_log(data: bytes | str) -> SavedLog:
    """Read a saved log. Raises UpdateLogTextError."""
    if len(data) > LARGEST_FILE:
        raise UpdateLogTextError(f"{len(data)} octets are no update log", 0, "file", LARGEST_FILE)
    text = _decoded(data) if isinstance(data, bytes) else data.removeprefix("\ufeff")
    reader = _Reader()
    parts = re.split(r"(\r\n|\r|\n)", text)
    offset = 0
    for number, (line, end) in enumerate(zip(parts[::2], [*parts[1::2], ""], strict=True), 1):
        reader.line(number, offset, line)
        offset += len(line) + len(end)
    return reader.result()


def _decoded(data: bytes) -> str:
    """The text of the file: by its mark, else UTF-8, else Windows-1252 as the maker's tool may write."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as problem:
            wrong = problem
    raise UpdateLogTextError(f"octet {data[wrong.start]:02x} is no character", 0, "file", wrong.start) from wrong


# --- labels


def _plain(text: str) -> str:
    """Letters and digits in small letters, umlauts without their dots: what a label is compared by."""
    spread = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in spread if sign.isalnum() and sign.isascii())


def _spellings(label: str) -> set[str]:
    """A label with its umlauts kept, spelled out, or lost on the way."""
    small = label.casefold()
    spelled = small.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    lost = re.sub("[äöü]", "", small)
    return {_plain(small), _plain(spelled), _plain(lost)}


_FIELD_OF_LABEL: Final = {
    "print_number": "number",
    "print_server_id": "server_id",
    "print_public_key": "public_key",
    "print_firmware": "firmware",
    "print_grouped_key": "grouped_key",
    "label_key": "public_key",
}
_MORE: Final = {
    "entries_check": ("Prüfung Eintragungssignatur", "Prüfung Eintragsignatur"),
    "number": ("Zähler-ID",),
    "server_id": ("LW-Id",),
    "status_signature": ("Signatur-Bytes für Logbuch-Status",),
    "entries_signature": ("Signatur-Bytes für Logbuch-Einträge",),
}
"""Spellings that occur in [BZ] beside the regular ones."""


def _labels() -> dict[str, str]:
    table = {}
    for name, words in WORDS.items():
        if name == "title":
            continue
        for word in (*words, *_MORE.get(name, ())):
            for spelling in _spellings(word):
                table[spelling] = _FIELD_OF_LABEL.get(name, name)
    return dict(sorted(table.items(), key=lambda item: -len(item[0])))


_LABELS: Final = _labels()
_LONGEST_LABEL: Final = max(map(len, _LABELS))
_SECTIONS: Final = ("status_section", "entries_section")


def _split_label(line: str) -> tuple[str, str] | None:
    """Field and the rest of the line behind its label; None when the line begins with no label."""
    plain, ends = "", []
    for index, sign in enumerate(line):
        part = _plain(sign)
        plain += part
        ends += [index + 1] * len(part)
        if len(plain) > _LONGEST_LABEL or (sign == ":" and plain):
            break
    for label, name in _LABELS.items():
        if plain.startswith(label):
            rest = line[ends[len(label) - 1] :]
            if rest[:1].isalnum():
                continue
            return name, rest.lstrip(").:* \t").rstrip("* \t")
    return None


def _choice(words: Mapping[Any, tuple[str, str]]) -> dict[str, Any]:
    return {spelling: key for key, both in words.items() for word in both for spelling in _spellings(word)}


_YES_NO: Final[dict[str, bool]] = _choice(YES_NO)
_CHECKS: Final[dict[str, Check]] = _choice(CHECK_WORDS)


# --- values


def _hex_of(octets: int) -> Callable[[str], bytes]:
    def read(text: str) -> bytes:
        digits = re.sub(r"[\s:\-]+", "", text)
        foreign = re.search(r"[^0-9A-Fa-f]", digits)
        if foreign:
            raise UpdateLogError(f"{foreign[0]!r} at digit {foreign.start() + 1} is no hexadecimal digit")
        if len(digits) != 2 * octets:
            raise _WrongLength(len(digits), 2 * octets)
        return bytes.fromhex(digits)

    return read


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > MAX_ENTRIES:
        raise UpdateLogError(f"{text!r} is no number of entries, 0 to {MAX_ENTRIES}")
    return int(text)


def _word(words: Mapping[str, Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        found = words.get(_plain(text))
        if found is None:
            raise UpdateLogError(f"{text!r} is none of {', '.join(words)}")
        return found

    return read


_VALUES: Final[Mapping[str, Callable[[str], Any]]] = {
    "grouped_key": _hex_of(OCTETS),
    "public_key": _hex_of(OCTETS),
    "status_signature": _hex_of(OCTETS),
    "entries_signature": _hex_of(OCTETS),
    "server_id": _hex_of(SERVER_ID_OCTETS),
    "count": _count,
    "full": _word(_YES_NO),
    "key_check": _word(_CHECKS),
    "status_check": _word(_CHECKS),
    "entries_check": _word(_CHECKS),
    **dict.fromkeys(
        ("number", "firmware", "pc_name", "user", "read_at", "layout"), lambda text: " ".join(text.split())
    ),
}
_IN_LINES_BELOW: Final = frozenset({"grouped_key", "public_key", "status_signature", "entries_signature"})
"""Fields whose value may stand in the lines below the label."""
_HEX_LINE: Final = re.compile(r"[0-9A-Fa-f][0-9A-Fa-f\s:\-]*")


def _longest_first(words: tuple[str, str]) -> list[str]:
    return sorted(words, key=len, reverse=True)


_ENTRY_PARTS: Final = tuple(
    (
        name,
        re.compile(
            r"\s*(?:"
            + "|".join(r"[\s_\-]*".join(map(re.escape, re.split(r"[\s_\-]+", word))) for word in _longest_first(words))
            + r")\s*:?\s*",
            re.IGNORECASE,
        ),
    )
    for name, words in ENTRY_WORDS.items()
)
_ENTRY_VALUES: Final[Mapping[str, re.Pattern[str]]] = {
    "second_index": re.compile(r"([0-9]{1,10})\s*s\b", re.IGNORECASE),
    "event": re.compile(r"([01])\b"),
    "register_1_8_0": re.compile(r"([0-9]{1,20})\s*Wh\b", re.IGNORECASE),
    "register_2_8_0": re.compile(r"([0-9]{1,20})\s*Wh\b", re.IGNORECASE),
    "version": re.compile(r"(n\s*\.?\s*A\b\s*\.?|[!-~]{1,8})(?=\s)", re.IGNORECASE),
    "crc": re.compile(r"(0x[0-9a-f]{1,4}|0)\s*$", re.IGNORECASE),
}
_ENTRY_SHAPES: Final[Mapping[str, str]] = {
    "second_index": "a number of seconds, as 282 s",
    "event": "0 or 1",
    "register_1_8_0": "an energy, as 0 Wh",
    "register_2_8_0": "an energy, as 0 Wh",
    "version": "a version of up to 8 characters, or n.A.",
    "crc": "0 or a check, as 0x564c",
}


def _entry(line: str) -> UpdateLogEntry:
    """One line of the log. Raises UpdateLogError whose text begins with the field."""
    start = re.match(r"\s*([0-9]{1,5})[.):]?(?=\s)", line)
    if start is None:
        raise UpdateLogError("running number: the line does not begin with one")
    place, found = start.end(), {}
    for name, label in _ENTRY_PARTS:
        shown = ENTRY_WORDS[name][0]
        head = label.match(line, place)
        if head is None:
            raise UpdateLogError(f"{shown}: the label is missing at column {place + 1}")
        value = _ENTRY_VALUES[name].match(line, head.end())
        if value is None:
            raise UpdateLogError(f"{shown}: {_ENTRY_SHAPES[name]} should stand at column {head.end() + 1}")
        found[name], place = value[1], value.end()
    version = "" if _plain(found["version"]) == "na" else found["version"]
    return UpdateLogEntry(
        int(start[1]),
        int(found["second_index"]),
        Event(int(found["event"])),
        int(found["register_1_8_0"]),
        int(found["register_2_8_0"]),
        version,
        int(found["crc"], 16),
    )


def _looks_like_an_entry(line: str) -> bool:
    try:
        _entry(line)
    except UpdateLogError:
        return False
    return True


# --- the text, line by line


@dataclass(slots=True)
class _Below:
    """A value that stands in the lines below its label."""

    name: str
    line: int
    offset: int
    text: list[str] = field(default_factory=list)


class _Reader:
    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        self._incomplete: dict[str, Incomplete] = {}
        self._entries: list[UpdateLogEntry] = []
        self._section = ""
        self._below: _Below | None = None
        self._last = 0

    def line(self, number: int, offset: int, raw: str) -> None:
        if len(raw) > LONGEST_LINE:
            raise UpdateLogTextError(f"{len(raw)} characters in a line", number, "line", offset)
        line = raw.strip().strip("*`").strip()
        if not line:
            return
        if "layout" in self._found:
            problem = f"{_short(line)} stands behind the end of the log, where no signature covers it; take it out"
            raise UpdateLogTextError(problem, number, _shown("layout"), offset)
        self._last = number
        if self._below is not None and _HEX_LINE.fullmatch(line):
            self._below.text.append(line)
            return
        label = _split_label(line)
        if self._below is not None and not (self._below.text or label or line.startswith("---")):
            self._below.text.append(line)  # no other value can stand here; it will be refused with its field
            return
        self._close()
        if line.startswith("---") or (label is not None and label[0] in _SECTIONS):
            self._begin(number, offset, line)
        elif label is not None:
            self._labelled(number, offset, *label)
        elif self._section == "entries_section":
            self._add_entry(number, offset, line)
        elif self._section:
            raise UpdateLogTextError(f"{_short(line)} has no meaning here", number, _shown(self._section), offset)
        elif _looks_like_an_entry(line):
            problem = f"the entry {_short(line)} stands in front of the log; entries belong behind their heading"
            raise UpdateLogTextError(problem, number, _shown("entries_section"), offset)

    def _begin(self, number: int, offset: int, line: str) -> None:
        label = _split_label(line.strip("-* "))
        if label is None or label[0] not in _SECTIONS:
            raise UpdateLogTextError(f"{_short(line)} begins no known part of a log", number, "part", offset)
        if label[0] + "_seen" in self._found:
            raise UpdateLogTextError("this part is there twice; one log in one file", number, _shown(label[0]), offset)
        self._found[label[0] + "_seen"] = True
        self._section = label[0]

    def _labelled(self, number: int, offset: int, name: str, rest: str) -> None:
        if name == "verdict":
            return
        inner = _split_label(rest) if name in _IN_LINES_BELOW else None
        if inner is not None:
            self._labelled(number, offset, *inner)
        elif name in _IN_LINES_BELOW:
            self._below = _Below(name, number, offset, [rest] if rest else [])
        else:
            self._keep(number, offset, name, rest)

    def _add_entry(self, number: int, offset: int, line: str) -> None:
        if "entries_signature" in self._found or "entries_signature" in self._incomplete:
            raise UpdateLogTextError(f"{_short(line)} behind the signature", number, _shown("entries_section"), offset)
        try:
            self._entries.append(_entry(line))
        except UpdateLogError as problem:
            raise UpdateLogTextError(str(problem), number, f"entry {len(self._entries) + 1}", offset) from None

    def _close(self) -> None:
        below, self._below = self._below, None
        if below is None or not below.text:
            return
        self._keep(below.line, below.offset, below.name, "".join(below.text))

    def _keep(self, number: int, offset: int, name: str, text: str) -> None:
        value: Any
        try:
            value = _VALUES[name](text)
        except _WrongLength as problem:
            if name not in _IN_LINES_BELOW or abs(problem.digits - problem.wanted) > SLIP:
                raise UpdateLogTextError(str(problem), number, _shown(name), offset) from None
            value = Incomplete(name, number, problem.digits, problem.wanted)
        except UpdateLogError as problem:
            raise UpdateLogTextError(str(problem), number, _shown(name), offset) from None
        before = self._found.pop(name) if name in self._found else self._incomplete.pop(name, None)
        # The maker's block shows the key twice: first that of the window, then that of the meter, which counts.
        if name != "public_key" and before not in (None, value):
            raise UpdateLogTextError("this is there twice, with two values", number, _shown(name), offset)
        if isinstance(value, Incomplete):
            self._incomplete[name] = value
        else:
            self._found[name] = value

    def result(self) -> SavedLog:
        self._close()
        found = self._found
        needed = ["count", "full", "status_signature", *(["entries_signature"] if self._entries else [])]
        for name in needed:
            if name not in found and name not in self._incomplete:
                raise UpdateLogTextError("this is missing", self._last, _shown(name))
        status = UpdateLogStatus(found.pop("count"), found.pop("full"))
        kept = {name: value for name, value in found.items() if name in _VALUES}
        kept.setdefault("status_signature", b"")
        return SavedLog(status, entries=tuple(self._entries), incomplete=tuple(self._incomplete.values()), **kept)


def _shown(name: str) -> str:
    return WORDS[name][0]


def _short(line: str) -> str:
    return repr(line if len(line) <= 40 else line[:37] + "...")
