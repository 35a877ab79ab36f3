"""A PPC's exports as programs read them: the library by ASN.1, the extractor by literal tags (han 6)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from lxml import etree

from devices.han.content import UNITS
from devices.han.errors import NotUnderstood
from devices.han.fields import register
from devices.han.sequences.visit import Told, must
from devices.protocols import cms

NS: Final = {"p": "urn:k461-dke-de:profile_generic-1", "e": "urn:k461-dke-de:extension-1"}
PROFILE_NS: Final = {
    "klc": "urn:k461-dke-de:kaf_lmn_container-1",
    "adevs": "urn:k461-dke-de:abstract_device_setup-1",
    "ems": "urn:k461-dke-de:e_meter_sensor_setup-1",
}
_ABSENT: Final = "3"


def first_column(octets: bytes) -> list[Told]:
    """What the library reads: the register of the first captured object, and that one's column."""
    try:
        content = cms.read(octets).content
    except cms.CmsError:
        content = _between(octets)
    return next(iter(_columns(content).values()), [])


def extracted(octets: bytes) -> list[Told]:
    """What the extractor reads: from ``<?xml`` to ``</ns1:object>`` literally, columns by their ids."""
    return [one for column in _columns(_between(octets)).values() for one in column]


def meter_profile(octets: bytes) -> tuple[str, tuple[str, ...]]:
    """Number and registers (hex) of the meter in its profile, by the namespaces that the library knows."""
    try:
        content = cms.read(octets).content
    except cms.CmsError as error:
        raise NotUnderstood("exportMeterProfile", f"no CMS: {error}") from None
    root = _xml(content)
    must(root.tag == f"{{{PROFILE_NS['klc']}}}container", "exportMeterProfile", f"the root is {root.tag[:60]}")
    device = root.find(".//klc:e_meter_device_object", PROFILE_NS)
    if device is None:
        raise NotUnderstood("klc:e_meter_device_object", "not there")
    number = device.findtext(".//adevs:device_identifier", "", PROFILE_NS)
    codes = tuple(one.text or "" for one in device.findall(".//ems:values/ems:value", PROFILE_NS))
    must(bool(codes), "ems:values/ems:value", "not there")
    return number.lower().removesuffix(".sm"), codes


def _between(octets: bytes) -> bytes:
    begin, end = octets.find(b"<?xml"), octets.rfind(b"</ns1:object>")
    must(0 <= begin < end, "export", "no octets <?xml ... </ns1:object> in it")
    return octets[begin : end + len(b"</ns1:object>")]


def _xml(content: bytes) -> Any:
    try:
        return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        raise NotUnderstood("export", f"no XML: {error}") from None


def _columns(content: bytes) -> dict[str, list[Told]]:
    root = _xml(content)
    names: dict[str, tuple[str, str]] = {}
    for one in root.findall("p:attributes/p:capture_objects/p:capture_object", NS):
        code, _, meter = one.findtext("e:logical_name", "", NS).partition(".")
        names[one.get("id", "")] = (register("logical_name", code), meter.removesuffix(".sm").lower())
    must(bool(names), "capture_object", "not there")
    found: dict[str, list[Told]] = {}
    for column in root.findall("p:attributes/p:buffer/p:simple_data/p:column", NS):
        number = column.get("id", "")
        must(number in names, "column", f"no captured object has the id {number[:10]!r}")
        code, meter = names[number]
        entries = column.findall("p:entry_gateway_signed", NS)
        must(str(len(entries)) == column.get("count"), "column count", f"{column.get('count')}, not {len(entries)}")
        found[code] = [told for one in entries if (told := _entry(one, code, meter)) is not None]
    must(bool(found), "column", "not there")
    return found


def _entry(entry: Any, code: str, meter: str) -> Told | None:
    status = entry.findtext("e:status/e:unsigned", None, NS)
    must(status is not None, "status", "not there")
    if status == _ABSENT:
        return None
    texts = {name: entry.findtext(f"e:{name}", None, NS) for name in ("scaler", "unit", "capture_time")}
    number = entry.findtext("e:value/e:long64", None, NS)
    try:
        at = datetime.fromisoformat(texts["capture_time"] or "").astimezone(UTC)
        value = Decimal(int(number or "")).scaleb(int(texts["scaler"] or ""))
        unit = UNITS.get(int(texts["unit"] or ""), "")
    except ValueError:
        shown = ", ".join(f"{name} {value}" for name, value in {**texts, "long64": number}.items())
        raise NotUnderstood("entry_gateway_signed", shown[:120]) from None
    return Told(meter, code, value, unit, at)
