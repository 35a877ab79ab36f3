"""OBIS codes: six octets in SML, ``A-B:C.D.E*F`` on paper."""

from __future__ import annotations

import re
from typing import Final

from devices.protocols.sml.errors import SmlError

OBIS_LENGTH: Final = 6
ELECTRICITY: Final = 1
"""Group A when a short code leaves it out (assumed: the bench measures electricity first of all)."""

_SHAPE = re.compile(r"(?:(\d{1,3})-(\d{1,3}):)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\*(\d{1,3}))?", re.ASCII)


def format_obis(code: bytes) -> str:
    """``1-0:1.8.0*255`` for 01 00 01 08 00 FF; raises SmlError unless there are six octets."""
    if len(code) != OBIS_LENGTH:
        raise SmlError(f"an OBIS code has {OBIS_LENGTH} octets, {code.hex()} has {len(code)}", len(code))
    return "{}-{}:{}.{}.{}*{}".format(*code)


def parse_obis(text: str) -> bytes:
    """Six octets for ``1.8.0``, ``1-0:1.8.0`` or ``1-0:1.8.0*255``.

    What is left out reads as A = 1 (electricity), B = 0, F = 255. Raises SmlError for anything else.
    """
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise SmlError(f"{text!r} is no OBIS code like 1.8.0 or 1-0:1.8.0*255")
    groups = [
        int(group) if group is not None else default for group, default in zip(match.groups(), _MISSING, strict=True)
    ]
    if max(groups) > 0xFF:
        raise SmlError(f"{text!r} has a group above 255", match.start())
    return bytes(groups)


_MISSING = (ELECTRICITY, 0, 0, 0, 0, 255)
