"""``signedprofile``: an evaluation profile as XML in a signed CMS message (han 4.2, 5.2, 6).

The sheet knows the root of such objects, ``taf01:object`` or ``taf07:object``, and the message around it. What is in
it is assumed: the fields that the contract has as JSON, each under its name, and its registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from firmware.han.casa.contracts import contract
from firmware.han.desk import HanDesk
from firmware.han.sealing import sealed_profile
from firmware.han.view import HanContract
from firmware.metering.signed_octets import logical_name
from firmware.profiles.kinds import logical_name as object_name

_SPACE: Final = "urn:k461-dke-de:taf{:02d}-1"
_VARYING: Final = frozenset(("active_tariff",))
"""Field that says something of the moment and not of the profile."""


def signed_profile(desk: HanDesk, one: HanContract) -> bytes | None:
    """The message, DER; None while it is not made, which takes some minutes from the begin of the contract."""
    ready_s = desk.options.han_casa_profile_ready_s
    return sealed_profile(desk, one.contract, ready_s, lambda: content_of(one))


def content_of(one: HanContract) -> bytes:
    """The XML of a profile."""
    evaluation = one.profile.evaluation
    space = _SPACE.format(evaluation.use_case)
    register_namespace(f"taf{evaluation.use_case:02d}", space)
    root = Element(f"{{{space}}}object", {"id": object_name(evaluation) or f"{one.id}.sm"})
    attributes = SubElement(root, f"{{{space}}}attributes")
    for name, told in _fields(contract(one, evaluation.begin_s)):
        SubElement(attributes, f"{{{space}}}{name}").text = told
    registers = SubElement(attributes, f"{{{space}}}capture_objects")
    for term in evaluation.terms:
        name = logical_name(term.source.obis, term.source.meter)
        SubElement(registers, f"{{{space}}}capture_object", {"sign": str(term.sign)}).text = name
    body: bytes = tostring(root, encoding="UTF-8", xml_declaration=False)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body


def _fields(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in told.items():
        if name in _VARYING or value is None:
            continue
        found += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
    return found
