"""What a scenario file may say of radio meters and of the air between them and the gateway."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from bench.quantity import FLOW, LENGTH, POWER, VOLUME, Duration, Kind, Share, parse, text_of
from bench.written import Written
from devices.meters.radio.kinds import KINDS
from devices.meters.radio.measured import plain_code
from devices.protocols.sml.obis import parse_obis

_NUMBER = re.compile(r"[145-9][A-Z]{3}[0-9A-Fa-f]{10}\Z")
_KEY = re.compile(r"[0-9A-Fa-f]{32}\Z")

RADIO_KINDS = {"electricity": "1", "heat": "6", "gas": "7", "water": "8"}
"""Kind of a radio meter -> first digit of its number (lmn-wireless 1)."""


SHORTEST_INTERVAL, LONGEST_INTERVAL = timedelta(seconds=0.5), timedelta(days=31)
"""Between two telegrams of a meter."""
FARTHEST_M = 5000
_DISTANCE_SCHEMA = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(m|km)\s*$", "examples": ["10 m"]}


def _metres(value: Any) -> Decimal:
    metres = parse(str(value), LENGTH)
    if not 0 < metres <= FARTHEST_M:
        raise ValueError(f"{value!r} is no distance of more than 0 m and up to {FARTHEST_M} m")
    return metres


class GivenRadioMeter(Written):
    """One meter on the air.

    Attributes:
        kind: electricity, gas, water or heat.
        id: its number: medium digit, three letters of the maker, version as two hex digits, eight digits, as
            7ELS3312345678.
        registers: OBIS code -> value with unit at the begin, as ``7-0:3.1.0: 1234.5 m3``.
        load: power or flow, as ``480 W`` or ``0.6 m3/h``; pairs of time and power or flow; ``{day: [24 of them]}``.
        protection: security profile of its telegrams: profile_b (mode 7 with MAC), profile_d (mode 10), profile_a
            (mode 5), ell (AES-CTR in the extended link layer), none.
        key: key of its telegrams, 32 hex digits; made from its id unless given.
        key_in_profile: the key that the gateway is told, when that is another one.
        profile: whether the gateway knows the meter from the begin.
        mode: T1, C1A or C1B.
        interval: nominal time between two telegrams.
        compact: whether its telegrams carry the OMS compact profile.
        bidirectional: whether it listens after it has sent.
        counter: its transmission counter at the begin.
        distance: to the gateway's antenna, as ``10 m``.
        sending: whether it sends from the begin.
        registration_period: how often the gateway stores its values.
    """

    kind: Literal["electricity", "gas", "water", "heat"]
    id: str
    registers: dict[str, Annotated[str, BeforeValidator(str)]] = Field(default_factory=dict)
    load: str | list[Any] | dict[str, list[Any]] | None = None
    protection: Literal["profile_b", "profile_d", "profile_a", "ell", "none"] = "profile_b"
    key: str | None = None
    key_in_profile: str | None = None
    profile: bool = True
    mode: Literal["T1", "C1A", "C1B"] = "T1"
    interval: Duration | None = None
    compact: bool | None = None
    bidirectional: bool = False
    counter: int = Field(default=1, ge=1, le=0xFFFFFFFF)
    distance: Annotated[Decimal, BeforeValidator(_metres), WithJsonSchema(_DISTANCE_SCHEMA)] = Decimal(10)
    sending: bool = True
    registration_period: Duration | None = None

    @property
    def of_volume(self) -> bool:
        """Whether it counts a volume, not an energy."""
        return self.kind in ("gas", "water")

    @property
    def amount(self) -> Kind:
        """What its registers count."""
        from bench.quantity import ENERGY

        return VOLUME if self.of_volume else ENERGY

    @property
    def rate(self) -> Kind:
        """What its load is."""
        return FLOW if self.of_volume else POWER

    @field_validator("id")
    @classmethod
    def _a_number(cls, value: str) -> str:
        plain = value.replace(" ", "")
        if not _NUMBER.match(plain):
            raise ValueError(f"{value!r} is no number of a radio meter: write it like 7ELS3312345678")
        return plain

    @field_validator("interval")
    @classmethod
    def _possible_interval(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and not SHORTEST_INTERVAL <= value <= LONGEST_INTERVAL:
            least, most = text_of(SHORTEST_INTERVAL), text_of(LONGEST_INTERVAL)
            raise ValueError(f"{text_of(value)} is no time between two telegrams: it is {least} to {most}")
        return value

    @field_validator("registers")
    @classmethod
    def _known_registers(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        kind, number = info.data.get("kind"), info.data.get("id")
        if kind is None or number is None or number[0] not in KINDS[kind].media:
            return value  # told elsewhere
        there = KINDS[kind].registers(number[0])
        for code in value:
            if plain_code(code) not in there:
                article = "an" if kind[0] in "aeiou" else "a"
                raise ValueError(f"{article} {kind} meter {number} has no register {code}: it has {', '.join(there)}")
        return value

    @field_validator("key", "key_in_profile")
    @classmethod
    def _hex_key(cls, value: str | None) -> str | None:
        if value is not None and not _KEY.match(value):
            raise ValueError("the key of a radio meter has 32 hex digits")
        return value

    @model_validator(mode="after")
    def _fits(self) -> GivenRadioMeter:
        if self.id[0] != RADIO_KINDS[self.kind] and not (self.kind == "water" and self.id[0] == "9"):
            digit = RADIO_KINDS[self.kind]
            raise ValueError(f"the number of a {self.kind} meter begins with {digit}, not {self.id[0]}")
        for code, begin in self.registers.items():
            parse_obis(code)
            if parse(begin, self.amount) < 0:
                raise ValueError(f"register {code} begins at {begin!r}: a register counts up from zero")
        if isinstance(self.load, str):
            parse(self.load, self.rate)
        if self.protection == "none" and self.key is not None:
            raise ValueError("a meter with 'protection: none' has no key")
        return self


class GivenAir(Written):
    """What lies between radio meters and the gateway.

    Attributes:
        loss: share of telegrams that get lost on the way.
        duplicates: share of telegrams that come twice.
        other_meters: meters nearby that the gateway has no profile for; they take time on the air.
    """

    loss: Share = 0.0
    duplicates: Share = 0.0
    other_meters: int = Field(default=0, ge=0, le=1000)
