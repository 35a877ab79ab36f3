"""Reads fields out of JSON answers, and names the field when it is not what it must be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from devices.han.content import RawAnswer
from devices.han.errors import NotUnderstood
from devices.protocols.sml.obis import format_obis

_OBIS: Final = re.compile(r"([0-9a-fA-F]{12})(?:\.(.+?))?(?:\.sm)?")
_MAX_DIGITS: Final = 40


def read_json(answer: RawAnswer, what: str) -> Any:
    """The JSON of an answer. Raises NotUnderstood."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        kind = answer.headers.get("content-type", "no type")
        raise NotUnderstood(what, f"no JSON in an answer of {len(answer.body)} octets ({kind})") from None


def mapping(what: str, value: object) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise NotUnderstood(what, f"no object, but {_shown(value)}")
    return cast("Mapping[str, Any]", value)


def part(what: str, value: object, name: str) -> Any:
    """A field of an object."""
    found = mapping(what, value)
    if name not in found:
        raise NotUnderstood(f"{what}.{name}", "it is missing")
    return found[name]


def rows(what: str, value: object) -> list[Any]:
    """A list, or the one list in an object around it."""
    if isinstance(value, dict):
        lists = [one for one in value.values() if isinstance(one, list)]
        if len(lists) == 1:
            return lists[0]
    if not isinstance(value, list):
        raise NotUnderstood(what, f"no list, but {_shown(value)}")
    return value


def objects(what: str, value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a list with the place of each."""
    for number, one in enumerate(rows(what, value)):
        yield f"{what}[{number}]", mapping(f"{what}[{number}]", one)


def text(what: str, value: object) -> str:
    """A text; null is an empty one, a number is written."""
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        raise NotUnderstood(what, f"no text, but {_shown(value)}")
    return str(value)


def whole(what: str, value: object) -> int:
    """A whole number, as a number or as a text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and re.fullmatch(r"\s*[+-]?\d+\s*", value, re.ASCII):
        return int(value)
    raise NotUnderstood(what, f"no whole number, but {_shown(value)}")


def octets(what: str, value: object) -> bytes:
    """Octets in hex; null and an empty text are none."""
    written = text(what, value)
    try:
        return bytes.fromhex(written)
    except ValueError:
        raise NotUnderstood(what, "no hexadecimal digits") from None


def register(what: str, value: object) -> str:
    """A register out of ``0100010800ff`` or ``0100010800ff.<meter>.sm``, as ``1-0:1.8.0*255``."""
    match = _OBIS.fullmatch(text(what, value))
    if match is None:
        raise NotUnderstood(what, f"{_shown(value)} is no register like 0100010800ff")
    return format_obis(bytes.fromhex(match[1]))


def is_register(name: str) -> bool:
    """Whether a name is that of a register."""
    return _OBIS.fullmatch(name) is not None


def bare(domain: str) -> str:
    """A logical device without ``.sm``."""
    return domain.removesuffix(".sm")


def _shown(value: object) -> str:
    return repr(value)[:60]
