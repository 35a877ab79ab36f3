"""Reads the PPC's signed exports: CMS around XML (han 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lxml import etree

from devices.han.content import Reading, Value
from devices.han.errors import NotUnderstood
from devices.han.fields import register
from devices.han.times import zoned
from devices.protocols import cms

ABSENT: Final = 3
INVALID: Final = 4
"""Words of the entries' status: 0 valid, 3 not present, 4 invalid (han 6)."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An export.

    Attributes:
        readings: its values, oldest first; none in a profile.
        certificates: those in the CMS, DER.
        xml: what is signed.
        cms: the container as it came.
    """

    readings: tuple[Reading, ...]
    certificates: tuple[bytes, ...]
    xml: bytes
    cms: bytes


def read_values(octets: bytes, meter: str, begin: datetime | None, end: datetime | None) -> Exported:
    """Read an export, its values cut to the span.

    Raises:
        NotUnderstood: no CMS, a signature of it that does not fit, or XML that makes no sense.
    """
    try:
        signed = cms.read(octets)
    except cms.CmsError as error:
        raise NotUnderstood("export", f"no CMS: {error}") from None
    try:
        signed.verify()
    except cms.CmsError as error:
        raise NotUnderstood("export", f"its signature: {error}") from None
    try:
        root = etree.fromstring(
            signed.content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
        )
    except etree.XMLSyntaxError as error:
        raise NotUnderstood("export", f"no XML: {error}") from None
    found: dict[datetime, list[tuple[str, Value | None, bool]]] = {}
    names = [_logical(one) for one in _all(root, "capture_object")]
    for number, column in enumerate(_all(root, "column")):
        if number >= len(names):
            raise NotUnderstood("export column", "there are more columns than captured objects")
        for entry in _all(column, "entry_gateway_signed"):
            at, value, valid = _entry(names[number], entry)
            found.setdefault(at, []).append((names[number], value, valid))
    readings = tuple(
        Reading(
            meter=meter,
            at=at,
            target=None,
            values=tuple(value for _, value, _ in found[at] if value is not None),
            valid=all(valid for _, _, valid in found[at]),
        )
        for at in sorted(found)
        if (begin is None or at >= begin) and (end is None or at <= end)
    )
    return Exported(readings, signed.certificates, signed.content, octets)


def _entry(name: str, entry: Any) -> tuple[datetime, Value | None, bool]:
    at = zoned("export capture_time", _one(entry, "capture_time"))
    status = int(_one(entry, "unsigned") or 0)
    number = _one(entry, "long64")
    if number is None or status == ABSENT:
        return at.astimezone(UTC), None, False
    try:
        value = Value(
            name,
            int(number),
            int(_one(entry, "scaler") or 0),
            int(_one(entry, "unit") or 0),
            bytes.fromhex(_one(entry, "smgw_signature") or "")[:64],
        )
    except ValueError:
        raise NotUnderstood("export entry", f"no whole number or no hex in the entry of {at.isoformat()}") from None
    return at.astimezone(UTC), value, status != INVALID


def _logical(element: Any) -> str:
    return register("export logical_name", _one(element, "logical_name") or "")


def _all(element: Any, name: str) -> list[Any]:
    return [one for one in element.iter() if isinstance(one.tag, str) and etree.QName(one).localname == name]


def _one(element: Any, name: str) -> str | None:
    return next((str(one.text or "").strip() for one in _all(element, name)), None)
