"""Reading XML of the schema: elements with their line, exactly one or none, text as numbers and instants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from lxml import etree

from devices.protocols.trudi.errors import FormatError

AR: Final = "http://vde.de/AR_2418-6.xsd"
ESPI: Final = "http://naesb.org/espi"
LONGEST_FILE: Final = 64_000_000
"""Octets of a file; three years of quarter hours of three registers stay below."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,30}\Z", re.ASCII)


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
        """What stands in it, without space around."""
        return (self._node.text or "").strip()

    def number(self) -> int:
        """Its text as an integer."""
        if not _INTEGER.match(self.text):
            raise FormatError(f"{self.name} is {self.text[:40]!r}, an integer is right", self.line, self.name)
        return int(self.text)

    def instant(self) -> datetime:
        """Its text as an instant with zone (RFC 3339)."""
        if not _INSTANT.match(self.text):
            reason = f"{self.name} is {self.text[:40]!r}, an instant with zone is right, as 2026-01-01T00:00:00+01:00"
            raise FormatError(reason, self.line, self.name)
        try:
            return datetime.fromisoformat(self.text)
        except ValueError as error:
            raise FormatError(f"{self.name} is {self.text[:40]!r}: {error}", self.line, self.name) from None


def text_of(parent: Element, name: str) -> str:
    """Text of an optional child, empty when there is none."""
    found = parent.maybe(name)
    return "" if found is None else found.text


def read_root(octets: bytes) -> Element:
    """The usage point of a file. Raises FormatError for what is no such XML; entities are not followed."""
    if len(octets) > LONGEST_FILE:
        raise FormatError(f"the file has {len(octets)} octets, at most {LONGEST_FILE} are read")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise FormatError(f"this is no XML: {error.msg}", error.lineno) from None
    if root is None or etree.QName(root).localname != "UsagePoints" or etree.QName(root).namespace != AR:
        raise FormatError("the file does not begin with UsagePoints of AR 2418-6", None if root is None else 1)
    if root.getroottree().docinfo.internalDTD is not None:
        raise FormatError("the file brings its own document type, which is not read", 1)
    return Element(root).one("UsagePoint")
