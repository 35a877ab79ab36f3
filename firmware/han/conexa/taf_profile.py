"""``taf-profile``: an evaluation profile as XML in a signed CMS message (han 3.2, 6).

Of the XML the sheet gives the root, ``taf01:object`` or ``taf07:object``, and the way objects are named; what is in it
is assumed: the fields of the profile, each under its plain name.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree import ElementTree

from firmware.han.conexa.points import Point
from firmware.han.desk import HanDesk
from firmware.han.sealing import sealed_profile
from firmware.profiles.forms import plain_of

_SPACE: Final = "urn:k461-dke-de:taf{:02d}-1"


def signed_profile(desk: HanDesk, point: Point) -> bytes:
    """The message, DER; empty while it is not made yet, some minutes after the contract's begin."""
    ready_s = desk.options.han_conexa_profile_ready_s
    return sealed_profile(desk, point.contract.contract, ready_s, lambda: content_of(point)) or b""


def content_of(point: Point) -> bytes:
    """The XML of a profile."""
    number = point.use_case
    space = _SPACE.format(number)
    ElementTree.register_namespace(f"taf{number:02d}", space)
    root = ElementTree.Element(f"{{{space}}}object", {"id": point.id})
    attributes = ElementTree.SubElement(root, f"{{{space}}}attributes")
    ElementTree.SubElement(attributes, f"{{{space}}}logical_name").text = point.id
    _add(attributes, space, plain_of(point.contract.profile))
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + bytes(ElementTree.tostring(root, encoding="UTF-8"))


def _add(parent: ElementTree.Element, space: str, plain: Any) -> None:
    """Objects become elements, lists elements of the same name, everything else text; what is null is left out."""
    if isinstance(plain, dict):
        for name, value in plain.items():
            for one in value if isinstance(value, list) else (value,):
                if one is not None:
                    _add(ElementTree.SubElement(parent, f"{{{space}}}{name}"), space, one)
    elif isinstance(plain, list):
        for one in plain:
            _add(ElementTree.SubElement(parent, f"{{{space}}}item"), space, one)
    else:
        parent.text = str(plain).lower() if isinstance(plain, bool) else str(plain)
