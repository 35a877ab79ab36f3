"""What a scenario, or a file of meters, says of a meter on the wired bus."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from bench.quantity import POWER, Duration, parse
from bench.scenario.smarty_models import FirmwareCheck, FirmwareVersion, GivenEntry
from bench.written import Written
from devices.errors import UsageError
from devices.meters.catalogue import make_registers
from devices.protocols.sml.obis import parse_obis
from devices.protocols.sml.server_id import server_id

DEFAULT_SECURITY = "tls"
"""How meters are read when a file does not say."""
_KEY = re.compile(r"[0-9A-Fa-f]{32}\Z")
_SERVER_ID = re.compile(r"(?:[0-9A-Fa-f]{2}){6,14}\Z")
_NUMBER_AND_UNIT = re.compile(r"[+-]?\d+(\.\d+)?\s*[^\d\s.]+\Z")


class GivenMeter(Written):
    """One meter on the wired bus.

    Attributes:
        type: base_meter, smarty_bz_plus_v2 or replay.
        id: number after DIN 43863-5, such as 1SAG0021061001.
        registers: OBIS code -> value with unit at the begin.
        load: power drawn, such as ``500 W`` (negative: fed in); pairs of time and power; ``{day: [24 powers]}``; a
            CSV file beside the scenario.
        status: status bits that are set: fatal, magnet, cover_opened ...
        dump: recording that a replay meter plays, beside the scenario file or in a folder of recordings.
        expected: what an independent program read in it (default: the dump's name with .expected.txt).
        profile: whether the gateway knows the meter from the begin.
        plugged: whether it is on the bus from the begin.
        registration_period: how often the gateway stores its registers.
        security: ``tls``: it is paired and read through TLS; ``clear``: it is read in the clear (a replay always is).
        key: its initial key, 32 hex digits; made from its id unless given.
        key_in_profile: the initial key that the gateway is told, when that is another one.
        suite: cipher suite that it prefers, as C023; it takes all of the LMN's.
        log_capacity: entries that fit into the update log of an emulated SMARTY BZ-PLUS v2.
        update_log: entries that are in it from the begin, signed by the meter.
        firmware: version that runs in it from the begin; unless given, that of the last success in `update_log`.
        firmware_crc: check of that firmware, as ``0x564c``.
        allow_downgrade: it takes lower versions too.
        label_key: public key on the type plate of a real one, 128 hex digits.
    """

    type: Literal["base_meter", "smarty_bz_plus_v2", "replay"] = "base_meter"
    id: str | None = None
    registers: dict[str, Annotated[str, BeforeValidator(str)]] = Field(default_factory=dict)
    load: str | list[Any] | dict[str, list[Any]] | None = None
    status: tuple[str, ...] = ()
    dump: str | None = None
    expected: str | None = None
    profile: bool = True
    plugged: bool = True
    registration_period: Duration | None = None
    security: Literal["tls", "clear"] | None = None
    key: str | None = None
    key_in_profile: str | None = None
    suite: Literal["C023", "C024", "C02B", "C02C"] = "C023"
    log_capacity: int | None = Field(default=None, ge=1, le=1000)
    update_log: tuple[GivenEntry, ...] = Field(default=(), max_length=1000)
    firmware: FirmwareVersion | None = None
    firmware_crc: FirmwareCheck | None = None
    allow_downgrade: bool | None = None
    label_key: str | None = None

    @property
    def secured(self) -> bool:
        """Whether the meter takes part in pairing and TLS."""
        return (self.security or DEFAULT_SECURITY) == "tls" and self.type != "replay"

    @property
    def made_up(self) -> tuple[str, ...]:
        """What is said of its update log and firmware that only an emulated meter can be made to have."""
        words = ("log_capacity", "update_log", "firmware", "firmware_crc", "allow_downgrade")
        return tuple(name for name in words if getattr(self, name) not in (None, ()))

    @field_validator("key", "key_in_profile")
    @classmethod
    def _hex_key(cls, value: str | None) -> str | None:
        if value is not None and not _KEY.match(value):
            raise ValueError("an initial key has 32 hex digits")
        return value

    @field_validator("suite", mode="before")
    @classmethod
    def _suite(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("id")
    @classmethod
    def _number(cls, value: str | None) -> str | None:
        if value is not None and not _SERVER_ID.match(value):
            server_id(value)
        return value

    @field_validator("registers")
    @classmethod
    def _registers(cls, value: dict[str, str]) -> dict[str, str]:
        for code, begin in value.items():
            parse_obis(code)
            if begin.startswith("-"):
                raise ValueError(f"register {code} begins at {begin!r}: a register counts up from zero")
            if begin != "load" and not _NUMBER_AND_UNIT.match(begin):
                raise ValueError(f"register {code} begins at {begin!r}: write it like '12345.6 kWh'")
        try:
            make_registers(value)
        except UsageError as error:
            raise ValueError(f"{error.message} ({error.hint})" if error.hint else error.message) from None
        return value

    @field_validator("load")
    @classmethod
    def _load(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.endswith(".csv"):
            parse(value, POWER)
        return value

    @model_validator(mode="after")
    def _fits(self) -> GivenMeter:
        if (self.type == "replay") != (self.dump is not None):
            raise ValueError("a meter of type replay needs a 'dump', and no other type has one")
        if self.type != "replay" and self.id is None:
            raise ValueError("the meter needs an 'id', such as 1SAG0021061001")
        if self.type != "smarty_bz_plus_v2" and (self.made_up or self.label_key is not None):
            raise ValueError("only a smarty_bz_plus_v2 has an update log")
        if self.log_capacity is not None and len(self.update_log) > self.log_capacity:
            raise ValueError(f"{len(self.update_log)} entries do not fit into a log for {self.log_capacity}")
        if self.type == "replay" and self.security == "tls":
            raise ValueError("a recording is replayed in the clear: leave 'security' away")
        if not self.secured and (self.key is not None or self.key_in_profile is not None):
            raise ValueError("only a meter with 'security: tls' has a key")
        if not self.secured and "suite" in self.model_fields_set:
            raise ValueError("only a meter with 'security: tls' has a 'suite'")
        if self.type == "replay" and (self.registers or self.load is not None):
            raise ValueError("a replay meter has the registers of its dump: leave 'registers' and 'load' away")
        return self
