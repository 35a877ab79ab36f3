"""Reading XML of the schema: elements with their line, exactly one or none, text as numbers, octets and instants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from lxml import etree

from devices.protocols.trudi.elements import PARTS
from devices.protocols.trudi.errors import FormatError, UnreadableError

AR: Final = "http://vde.de/AR_2418-6.xsd"
ESPI: Final = "http://naesb.org/espi"
LONGEST_FILE: Final = 64_000_000
"""Octets of a file; three years of quarter hours of three registers stay below."""
YEARS: Final = range(1970, 2200)
"""Years of instants that are taken; none outside of them can be that of a reading or of a bill."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+\Z", re.ASCII)
_HEXADECIMAL = re.compile(r"([0-9A-Fa-f]{2})+\Z")
_MOST_DIGITS = 30
_INT64 = 1 << 63
_PREFIXES = {f"{{{AR}}}": "", f"{{{ESPI}}}": "espi:"}


class Element:
    """One element of a file.

    Attributes:
        name: its name without namespace.
        line: where it stands.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
        self.name: str = etree.QName(node).localname
        self.line: int | None = node.sourceline

    def all(self, name: str, space: str = AR) -> Iterator[Element]:
        """The children of that name in order."""
        return (Element(child) for child in self._node.iterchildren(f"{{{space}}}{name}"))

    def has(self, name: str) -> bool:
        """Whether there is a child of that name."""
        return next(self.all(name), None) is not None

    def maybe(self, name: str, space: str = AR) -> Element | None:
        """The child of that name, None: there is none. Raises FormatError for several."""
        found = list(self.all(name, space))
        if len(found) > 1:
            raise FormatError(f"{self.name} has {len(found)} elements {name}, one is right", found[1].line, name)
        return found[0] if found else None

    def one(self, name: str, space: str = AR) -> Element:
        """The child of that name. Raises FormatError when there is none or several."""
        found = self.maybe(name, space)
        if found is None:
            raise FormatError(f"{self.name} has no element {name}", self.line, name)
        return found

    @property
    def text(self) -> str:
        """All text in it, without space around; comments and processing instructions are no part of it."""
        return "".join(self._node.itertext(etree.Element)).strip()

    def number(self, least: int = -_INT64, most: int = _INT64 - 1) -> int:
        """Its text as an integer from `least` to `most`."""
        text = self.text
        if not _INTEGER.match(text):
            raise FormatError(f"{self.name} is {text[:40]!r}, an integer is right", self.line, self.name)
        digits = len(text.lstrip("+-").lstrip("0"))
        if digits > _MOST_DIGITS or not least <= (found := int(text)) <= most:
            shown = f"{text[:12]}... with {digits} digits" if digits > _MOST_DIGITS else text
            raise FormatError(f"{self.name} is {shown}, {least} to {most} are right", self.line, self.name)
        return found

    def octets(self) -> bytes:
        """Its text as hexadecimal digits, at least two."""
        text = self.text
        if not _HEXADECIMAL.match(text):
            shown = f"{text[:40]!r}{'...' if len(text) > 40 else ''}"
            raise FormatError(f"{self.name} is {shown}, pairs of hexadecimal digits are right", self.line, self.name)
        return bytes.fromhex(text)

    def instant(self) -> datetime:
        """Its text as an instant with zone (RFC 3339)."""
        text = self.text
        if not _INSTANT.match(text):
            reason = f"{self.name} is {text[:40]!r}, an instant with zone is right, as 2026-01-01T00:00:00+01:00"
            raise FormatError(reason, self.line, self.name)
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise FormatError(f"{self.name} is {text[:40]!r}: {error}", self.line, self.name) from None
        if found.year not in YEARS:
            years = f"a year from {YEARS.start} to {YEARS.stop - 1} is right"
            raise FormatError(f"{self.name} is {text[:40]!r}, {years}", self.line, self.name)
        return found


def text_of(parent: Element, name: str) -> str:
    """Text of an optional child, empty when there is none."""
    found = parent.maybe(name)
    return "" if found is None else found.text


def read_root(octets: bytes) -> Element:
    """The usage point of a file; entities are not followed.

    Raises:
        UnreadableError: no XML at all.
        FormatError: no such file, or elements in it that the transparency software does not know.
    """
    if len(octets) > LONGEST_FILE:
        raise UnreadableError(f"the file has {len(octets)} octets, at most {LONGEST_FILE} are read")
    if not octets.strip():
        raise UnreadableError("the file is empty")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        reason = " ".join(error.msg.split()).replace(" ,", ",")
        raise UnreadableError(f"this is no XML: {reason}", error.lineno) from None
    if root is None or etree.QName(root).localname != "UsagePoints" or etree.QName(root).namespace != AR:
        raise FormatError("the file does not begin with UsagePoints of AR 2418-6", None if root is None else 1)
    if root.getroottree().docinfo.internalDTD is not None:
        raise FormatError("the file brings its own document type, which is not read", 1)
    _check_elements(root)
    return Element(root).one("UsagePoint")


def _check_elements(root: Any) -> None:
    """Every element stands where the software knows it."""
    short: dict[str, str] = {}
    for node in root.iter():
        parts = None
        for child in node:
            if parts is None:
                parts = PARTS.get(_short(node.tag, short), frozenset())
            if _short(child.tag, short) not in parts:
                name, space = etree.QName(child).localname, etree.QName(child).namespace
                known = {one.removeprefix("espi:") for one in parts}
                other = f" of the namespace {space or 'none'}" if name in known else ""
                reason = f"{etree.QName(node).localname} has an element {name}{other}, which is none of this format"
                raise FormatError(reason, child.sourceline, name)


def _short(tag: Any, known: dict[str, str]) -> str:
    """A tag as `PARTS` has it; one of another namespace stays as it is."""
    found = known.get(tag)
    if found is None:
        space, _, name = str(tag).rpartition("}")
        found = known[tag] = _PREFIXES.get(f"{space}}}", f"{space}}}") + name
    return found
