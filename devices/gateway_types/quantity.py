"""Quantities as the gateway types write them: ``250 ms``, ``36 h``, ``3 %``."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_WRITTEN = re.compile(r"(\d+(?:\.\d+)?) ?([a-z%]+)\Z")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: Any) -> float:
    """Seconds of a duration such as ``250 ms``; ValueError says what would be right."""
    if isinstance(value, float):
        return value
    match = _WRITTEN.match(str(value))
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f"{value!r} is not a duration: write a number and {', '.join(_SECONDS)}, such as '250 ms'")
    return round(float(match[1]) * _SECONDS[match[2]], 9)


def share(value: Any) -> float:
    """Share 0..1 of a percentage such as ``3 %``; ValueError says what would be right."""
    if isinstance(value, float):
        return value
    match = _WRITTEN.match(str(value))
    if match is None or match[2] != "%" or float(match[1]) > 100.0:
        raise ValueError(f"{value!r} is not a share: write a percentage from 0 % to 100 %, such as '3 %'")
    return round(float(match[1]) / 100.0, 9)


def quantity(value: Any) -> tuple[Any, str]:
    """A limit's value in base units, and its unit: ``s``, ``1`` (share), or empty for counts and words."""
    if not isinstance(value, str):
        return value, ""
    match = _WRITTEN.match(value)
    if match is None:
        return value, ""
    if match[2] == "%":
        return share(value), "1"
    return seconds(value), "s"


Seconds = Annotated[float, BeforeValidator(seconds)]
"""Duration; text with a unit in files, seconds in the program."""

Share = Annotated[float, BeforeValidator(share)]
"""Part of a whole; percentage in files, 0..1 in the program."""
