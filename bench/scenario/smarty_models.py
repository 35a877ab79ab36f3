"""What a scenario file may say of a SMARTY BZ-PLUS v2 beside what all wired meters have: update log and firmware."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from bench.quantity import ENERGY, parse
from bench.written import Written

if TYPE_CHECKING:
    from devices.protocols.update_log import UpdateLogEntry

_VERSION = re.compile(r"V?(\d{1,3})\.(\d{1,3})\Z")
_CRC = re.compile(r"0x([0-9A-Fa-f]{1,4})\Z")


def _version(value: Any) -> Any:
    match = _VERSION.match(str(value))
    if match is None or any(int(part) > 255 for part in match.groups()):
        raise ValueError(f"{value!r} is no version: write it like V2.0")
    return f"V{int(match[1])}.{int(match[2])}"


def _crc(value: Any) -> Any:
    match = _CRC.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no check of a firmware: write it like 0x564c")
    return int(match[1], 16)


FirmwareVersion = Annotated[
    str, BeforeValidator(_version), WithJsonSchema({"type": "string", "pattern": r"^V?\d{1,3}\.\d{1,3}$"})
]
FirmwareCheck = Annotated[
    int,
    BeforeValidator(_crc),
    WithJsonSchema(  # an editor reads 0x564c as a number, the bench as it is written
        {
            "anyOf": [
                {"type": "string", "pattern": "^0x[0-9A-Fa-f]{1,4}$"},
                {"type": "integer", "minimum": 0, "maximum": 0xFFFF},
            ]
        }
    ),
]


class GivenEntry(Written):
    """An entry that is in the update log from the begin, in the order in which they stand there.

    Attributes:
        event: succeeded or failed.
        second_index: of the meter at the event.
        drawn: register 1.8.0 at the event, as ``12 kWh`` (written ``1.8.0``).
        fed: register 2.8.0 (written ``2.8.0``).
        version: of the firmware that runs after a success.
        crc: its check, as ``0x564c``.
    """

    event: Literal["succeeded", "failed"]
    second_index: int = Field(ge=0, le=0xFFFF_FFFF)
    drawn: str = Field(default="0 Wh", alias="1.8.0")
    fed: str = Field(default="0 Wh", alias="2.8.0")
    version: FirmwareVersion | None = None
    crc: FirmwareCheck | None = None

    @field_validator("drawn", "fed")
    @classmethod
    def _energy(cls, value: str) -> str:
        if not 0 <= parse(value, ENERGY) < 2**64 or parse(value, ENERGY) % 1:
            raise ValueError(f"{value!r} is no energy that the log can hold: whole Wh from 0 on")
        return value

    @model_validator(mode="after")
    def _fits(self) -> GivenEntry:
        succeeded = self.event == "succeeded"
        if succeeded != (self.version is not None) or (self.crc is not None and not succeeded):
            raise ValueError("an update that succeeded has a 'version' and may have a 'crc', one that failed has none")
        return self


def entries_of(given: Sequence[GivenEntry], crc: int) -> tuple[UpdateLogEntry, ...]:
    """The entries as the meter holds them; `crc` for those that say none."""
    from devices.protocols.update_log import Event, UpdateLogEntry

    return tuple(
        UpdateLogEntry(
            number,
            one.second_index,
            Event.SUCCEEDED if one.event == "succeeded" else Event.FAILED,
            int(parse(one.drawn, ENERGY)),
            int(parse(one.fed, ENERGY)),
            one.version or "",
            (crc if one.crc is None else one.crc) if one.version else 0,
        )
        for number, one in enumerate(given, 1)
    )
