"""What was heard of each radio meter: how often, how strong, how protected, its last values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from bench.decode.record_json import number_text
from bench.decode.wmbus_json import reading_json
from bench.decode.wmbus_reading import Reading, TelegramReader
from bench.tools.radio_keys import RadioKeys
from devices.clock import Clock
from devices.meters.radio.identity import number_of
from devices.ports.radio import Reception
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import Address, FrameFormat
from devices.protocols.mbus.telegram import parse
from devices.wmbus.stick import StickReception

VALUES_SHOWN: Final = 2
"""Values of a telegram in a row of the table."""
MOST_METERS: Final = 2000
"""Meters that are kept; those beyond are told one by one, but not counted."""


@dataclass(slots=True)
class HeardMeter:
    """One meter so far.

    Attributes:
        address: its own.
        count: telegrams.
        first_s, last_s: of the first and the latest one, seconds of the clock.
        rssi_dbm: of the latest.
        mode: of the latest; empty: the stick does not say.
        security: of the latest, and whether it could be opened.
        trouble: what was wrong with it.
        values: of the latest that could be read.
    """

    address: Address
    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    rssi_dbm: float | None = None
    mode: str = ""
    security: str = ""
    trouble: str = ""
    values: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """As on the case."""
        return number_of(self.address)

    @property
    def interval_s(self) -> float | None:
        """Between two telegrams on average; None after the first."""
        return (self.last_s - self.first_s) / (self.count - 1) if self.count > 1 else None


@dataclass(frozen=True, slots=True)
class HeardTelegram:
    """One telegram as it was told.

    Attributes:
        reception: as it came.
        at: when, in UTC.
        reading: what it says, None when it is no telegram.
        trouble: why not.
        meter: whose it is.
    """

    reception: Reception
    at: datetime
    reading: Reading | None
    trouble: str
    meter: HeardMeter | None

    def as_json(self, stick: str) -> str:
        """On one line, for programs."""
        reception = self.reception
        known, stamp = True, None
        if isinstance(reception, StickReception):
            known, stamp = reception.mode_known, reception.stamp
        told: dict[str, Any] = {
            "time": self.at.isoformat(timespec="milliseconds"),
            "stick": stick,
            "meter": None if self.meter is None else self.meter.number,
            "mode": reception.mode.value if known else None,
            "rssi_dbm": reception.rssi_dbm,
        }
        if stamp is not None:
            told["stamp"] = stamp
        told["hex"] = reception.telegram.hex().upper()
        if self.reading is None:
            return json.dumps(told | {"trouble": self.trouble}, ensure_ascii=False)
        return f"{json.dumps(told, ensure_ascii=False)[:-1]}, {reading_json(self.reading)[1:]}"


@dataclass
class HeardMeters:
    """All meters so far.

    Attributes:
        clock: of the receptions.
        keys: of meters, for reading.
        on_telegram: told of each telegram; None: nobody listens.
        meters: by address.
        telegrams: how many there were.
        spoilt: how often the stick gave what is no telegram.
    """

    clock: Clock
    keys: RadioKeys = field(default_factory=RadioKeys)
    on_telegram: Callable[[HeardTelegram], None] | None = None
    meters: dict[Address, HeardMeter] = field(default_factory=dict)
    telegrams: int = 0
    spoilt: int = 0

    def __post_init__(self) -> None:
        self._reader = TelegramReader()

    def take(self, reception: Reception) -> HeardTelegram:
        """Count a telegram and read it, as far as its key is known. Never raises, whatever its octets."""
        reading, trouble, meter = None, "", None
        try:
            address = parse(reception.telegram, FrameFormat.STRIPPED).meter
            reading = self._reader.read(reception.telegram, self.keys.of(address), FrameFormat.STRIPPED)
            meter = self._counted(address, reception, reading)
            self.telegrams += 1
        except MbusError as error:
            trouble = str(error)
            self.spoilt += 1
        heard = HeardTelegram(reception, self.clock.now(), reading, trouble, meter)
        if self.on_telegram is not None:
            self.on_telegram(heard)
        return heard

    def _counted(self, address: Address, reception: Reception, reading: Reading) -> HeardMeter:
        meter = self.meters.get(address) or HeardMeter(address, first_s=reception.at_s)
        if len(self.meters) < MOST_METERS:
            self.meters[address] = meter
        meter.count += 1
        meter.last_s = reception.at_s
        meter.rssi_dbm = reception.rssi_dbm
        known = not isinstance(reception, StickReception) or reception.mode_known
        meter.mode = reception.mode.value if known else ""
        meter.security = f"{reading.telegram.security}, {reading.state}"
        meter.trouble = reading.trouble
        meter.values = values_of(reading) or meter.values
        return meter


def values_of(reading: Reading) -> tuple[str, ...]:
    """The first numbers with a unit that a telegram tells."""
    if reading.contents is None:
        return ()
    numbers = (
        f"{number_text(record.value)} {record.unit}"
        for record in reading.contents.records
        if isinstance(record.value, Decimal) and record.unit and not record.invalid and not record.storage
    )
    return tuple(value for value, _ in zip(numbers, range(VALUES_SHOWN), strict=False))
