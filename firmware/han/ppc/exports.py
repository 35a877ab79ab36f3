"""What PPC's portal hands out as files: XML in a signed CMS message (han 6).

Namespaces, names, ids and the literal prefixes are those that programs search for. Of meter profile, tariff profile and
communication profile only what the sheet shows is known; the rest of their content is assumed, and so are the
namespaces ``...:taf01-1`` and ``...:kaf_han_wan_container-1``, made after those that are known.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from firmware.han.desk import HanDesk
from firmware.han.ppc import wording
from firmware.han.ppc.rows import numbers, shown_s
from firmware.han.reasons import in_words
from firmware.han.sealing import sealed
from firmware.han.users import HanUser
from firmware.han.view import HanContract
from firmware.logs.book import LogEntry
from firmware.metering.signed_octets import whole_second
from firmware.metering.values import Entry, Reading
from firmware.profiles.kinds import SensorProfile, logical_name

GENERIC: Final = "urn:k461-dke-de:profile_generic-1"
EXTENSION: Final = "urn:k461-dke-de:extension-1"
CONTAINER: Final = "urn:k461-dke-de:kaf_lmn_container-1"
DEVICE: Final = "urn:k461-dke-de:abstract_device_setup-1"
DEVICE_LMN: Final = "urn:k461-dke-de:abstract_device_lmn_setup-1"
SENSOR: Final = "urn:k461-dke-de:e_meter_sensor_setup-1"
COMMUNICATION: Final = "urn:k461-dke-de:kaf_han_wan_container-1"
VALUES_NAME: Final = "01005e31803c"
PROFILE_NAME: Final = "01005e318002"
"""First parts of the logical names of a meter's values and of its profile."""
LOG_NAME: Final = "0000636203ff"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_GENERIC_HEAD: Final = f'xmlns:ns1="{GENERIC}" xmlns:ns2="{EXTENSION}"'
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLACE: Final = re.compile(r"{(\w+)}")
_BREATH: Final = 500
"""Readings after which others get a turn."""


def export(desk: HanDesk, xml: str) -> bytes:
    """The CMS message around an export, signed at this moment."""
    return sealed(desk, xml.encode(), desk.now_s())


async def values(desk: HanDesk, meter: str, readings: Sequence[Reading]) -> str:
    """Values of a meter, one column per register, the newest first; others get a turn now and then.

    Args:
        desk: whose public key goes with each signature.
        meter: its number.
        readings: the oldest first; gaps have an entry without value in each column.
    """
    found: list[tuple[Reading, dict[str, Entry]]] = []
    codes: dict[str, None] = {}
    for at, one in enumerate(reversed(readings), 1):
        entries: dict[str, Entry] = {}
        for entry in numbers(one):
            entries.setdefault(entry.obis, entry)
        found.append((one, entries))
        if not at % _BREATH:
            await asyncio.sleep(0)
    for _, entries in reversed(found):
        codes.update(dict.fromkeys(entries))
    key = desk.signer.public_point.hex()
    name = meter.lower()
    objects = "".join(_capture_object(at, code, name) for at, code in enumerate(codes, 1))
    columns = "".join([await _column(at, code, found, key) for at, code in enumerate(codes, 1)])
    own = f"{VALUES_NAME}.{name}.sm"
    return (
        f'{_HEAD}<ns1:object {_GENERIC_HEAD} class_id="7" class_version="1" id={quoteattr(own)}>'
        f'<ns1:attributes count="3"><ns2:logical_name id="1">{escape(own)}</ns2:logical_name>'
        f'<ns1:capture_objects count="{len(codes)}" id="2">{objects}</ns1:capture_objects>'
        f'<ns1:buffer id="3"><ns1:simple_data count="{len(codes)}">{columns}</ns1:simple_data></ns1:buffer>'
        "</ns1:attributes></ns1:object>"
    )


def _capture_object(at: int, code: str, meter: str) -> str:
    name = f"{wording.hex_obis(code)}.{escape(meter)}.sm"
    return (
        f'<ns1:capture_object id="{at}"><ns2:logical_name>{name}</ns2:logical_name>'
        "<ns1:class_id>32822</ns1:class_id><ns1:class_version>1</ns1:class_version>"
        "<ns1:attr_reference>0</ns1:attr_reference><ns1:index_reference>0</ns1:index_reference></ns1:capture_object>"
    )


async def _column(at: int, code: str, readings: Iterable[tuple[Reading, Mapping[str, Entry]]], key: str) -> str:
    entries: list[str] = []
    for place, (one, by_code) in enumerate(readings, 1):
        if not place % _BREATH:
            await asyncio.sleep(0)
        found = by_code.get(code)
        if found is None and not one.gap:
            continue
        value = None if found is None or isinstance(found.value, bytes) else found.value
        status = wording.EXPORT_STATUS[wording.validity(one.status, value=value is not None)]
        signature = one.signature if found is None else found.signature
        parts = []
        if value is not None:
            parts.append(f"<ns2:value><ns2:long64>{value}</ns2:long64></ns2:value>")
        if found is not None:
            parts.append(f"<ns2:scaler>{found.scaler or 0}</ns2:scaler><ns2:unit>{found.unit or 255}</ns2:unit>")
        parts.append(f"<ns2:status><ns2:unsigned>{status}</ns2:unsigned></ns2:status>")
        parts.append(f"<ns2:capture_time>{whole_second(shown_s(one) * 1_000_000)}</ns2:capture_time>")
        if signature is not None:
            parts.append(f"<ns2:smgw_signature>{signature.hex()}{key}</ns2:smgw_signature>")
        content = "".join(parts)
        entries.append(f'<ns1:entry_gateway_signed id="{len(entries) + 1}">{content}</ns1:entry_gateway_signed>')
    return f'<ns1:column count="{len(entries)}" id="{at}">{"".join(entries)}</ns1:column>'


def log(desk: HanDesk, entries: Iterable[LogEntry]) -> str:
    """A consumer's log, the oldest first; the text is a comment with ``[places]``, followed by what fills them."""
    own = f"{LOG_NAME}.{desk.device_id.lower()}.sm"
    found = [_entry(desk, at, one) for at, one in enumerate(entries, 1)]
    return (
        f'{_HEAD}<ns1:object {_GENERIC_HEAD} class_id="7" class_version="1" id={quoteattr(own)}>'
        f'<ns1:attributes count="2"><ns2:logical_name id="1">{escape(own)}</ns2:logical_name>'
        f'<ns1:buffer id="3"><ns1:logbook count="{len(found)}">{"".join(found)}</ns1:logbook></ns1:buffer>'
        "</ns1:attributes></ns1:object>"
    )


def _entry(desk: HanDesk, at: int, one: LogEntry) -> str:
    event = desk.product.data.events.get(one.event)
    template = one.text if event is None else event.text_de
    names = [] if event is None else _PLACE.findall(template)
    comment = re.sub("--+", "-", _clean(_PLACE.sub(r"[\1]", template))).rstrip("-")
    parameters = in_words(one.parameters, "de")
    filled = [escape(_clean(str(parameters.get(name, "")))) for name in names]
    told = "".join(
        f'<ns2:message_extension id="{place}">{text}</ns2:message_extension>' for place, text in enumerate(filled, 1)
    )
    number = f"{one.vendor_id}" if one.vendor_id is not None else ""
    outcome = "SUCCESS" if one.outcome == "success" else "FAILURE"
    return (
        f'<ns1:entry id="{at}"><ns2:record_number>{one.number}</ns2:record_number><ns2:event>'
        f"<ns2:type><ns2:event_id>{number}</ns2:event_id></ns2:type>"
        f"<ns2:level>{wording.LEVELS[one.level]}</ns2:level><ns2:outcome>{outcome}</ns2:outcome>"
        f"<ns2:timestamp>{whole_second(one.time_us)}</ns2:timestamp>"
        f'<ns2:message_extensions count="{len(names)}"><!--{comment}-->{told}</ns2:message_extensions>'
        "</ns2:event></ns1:entry>"
    )


def meter_profile(profile: SensorProfile, registers: Sequence[str], period_s: int) -> str:
    """A meter's profile.

    Args:
        profile: what is said of the meter.
        registers: OBIS codes that the consumer may see.
        period_s: registration period.
    """
    name = profile.meter.lower()
    own = f"00000000e001.{name}.sm"
    codes = "".join(
        f'<ems:value id="{at}">{wording.hex_obis(code)}</ems:value>' for at, code in enumerate(registers, 1)
    )
    way, _ = wording.LINKS[profile.link]
    return (
        f'{_HEAD}<klc:container xmlns:klc="{CONTAINER}" xmlns:adevs="{DEVICE}" xmlns:adls="{DEVICE_LMN}" '
        f'xmlns:cox="{EXTENSION}" xmlns:ems="{SENSOR}" id={quoteattr(f"00000000e000.{name}.sm")}>'
        f'<klc:e_meter_device_object class_id="32809" class_version="0" id={quoteattr(own)}>'
        f'<ems:attributes count="7"><cox:logical_name id="1">{escape(own)}</cox:logical_name>'
        f'<adevs:device_identifier id="2">{escape(name)}</adevs:device_identifier>'
        f'<adevs:device_type id="3">0</adevs:device_type><adevs:active id="4">{int(profile.active)}</adevs:active>'
        f'<adevs:samplerate id="5">{period_s}</adevs:samplerate><adls:com_type id="7">{way}</adls:com_type>'
        f'<ems:values count="{len(registers)}" id="16">{codes}</ems:values>'
        "</ems:attributes></klc:e_meter_device_object></klc:container>"
    )


def tariff_profile(contract: HanContract) -> str:
    """An evaluation profile, ``taf01:object``, ``taf07:object`` ... by its use case."""
    evaluation, terms = contract.profile.evaluation, contract.contract
    prefix = f"taf{evaluation.use_case:02d}"
    own = logical_name(evaluation) or f"{evaluation.name}.sm"
    sources = "".join(
        f'<{prefix}:source id="{at}">{wording.hex_obis(code)}.{escape(meter.lower())}.sm</{prefix}:source>'
        for at, (meter, code) in enumerate(terms.registers, 1)
    )
    fields = {
        "taf": str(evaluation.use_case),
        "name": terms.tariff,
        "usage_point": terms.usage_point,
        "supplier": terms.supplier,
        "begin": whole_second(terms.begin_s * 1_000_000),
        "end": "" if terms.end_s is None else whole_second(terms.end_s * 1_000_000),
        "period": str(terms.period_s),
        "stages": " ".join(str(one) for one in evaluation.stages),
    }
    told = "".join(f"<{prefix}:{name}>{escape(_clean(text))}</{prefix}:{name}>" for name, text in fields.items())
    return (
        f'{_HEAD}<{prefix}:object xmlns:{prefix}="urn:k461-dke-de:{prefix}-1" xmlns:cox="{EXTENSION}" '
        f"id={quoteattr(own)}><{prefix}:attributes><cox:logical_name>{escape(own)}</cox:logical_name>{told}"
        f'<{prefix}:sources count="{len(terms.registers)}">{sources}</{prefix}:sources>'
        f"</{prefix}:attributes></{prefix}:object>"
    )


def communication_profile(desk: HanDesk, user: HanUser) -> str:
    """The profile by which a consumer logs in, without secrets."""
    ways = [*wording.digests(user), *(f"certificate:{one}" for one in sorted(user.fingerprints))]
    told = "".join(
        f'<khw:authentication id="{at}">{escape(one)}</khw:authentication>' for at, one in enumerate(ways, 1)
    )
    rights = "".join(f'<khw:right id="{at}">{escape(one)}</khw:right>' for at, one in enumerate(user.rights, 1))
    own = f"{_clean(user.id)}.sm"
    return (
        f'{_HEAD}<khw:container xmlns:khw="{COMMUNICATION}" xmlns:cox="{EXTENSION}" id={quoteattr(own)}>'
        f"<khw:object><cox:logical_name>{escape(own)}</cox:logical_name>"
        f"<khw:gateway>{escape(desk.device_id.lower())}.sm</khw:gateway><khw:user>{escape(_clean(user.login))}</khw:user>"
        f"<khw:interface>HAN</khw:interface>{told}{rights}</khw:object></khw:container>"
    )


def _clean(text: str) -> str:
    """Without the characters that XML has none of."""
    return _NO_XML.sub("", text)
