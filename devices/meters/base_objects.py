"""What a base meter offers beside its list: the table of its objects (lmn-wired 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from devices.meters.cosem_objects import (
    OCTETS,
    SIGNED_64,
    UNSIGNED_8,
    UNSIGNED_32,
    UNSIGNED_64,
    CosemObject,
    Shape,
)
from devices.meters.event_log import MeterEvent
from devices.meters.grid import GRID_VALUES
from devices.meters.registers import BILLING_SCALER, POWER_SCALER, UNIT_W, UNIT_WH, Register, Source
from devices.meters.sml_service import OUT_OF_RANGE, Refused
from devices.protocols.sml.errors import SmlError
from devices.protocols.sml.messages import Value
from devices.protocols.sml.objects import (
    COVER_DETECTION,
    COVER_EVENTS,
    DEVICE_CLASS,
    DEVICE_ID,
    DEVICE_MAKER,
    DEVICE_VERSION,
    DRAWN,
    DRAWN_1,
    DRAWN_2,
    FED,
    FED_1,
    FED_2,
    IDENTIFICATION,
    INFO_DATASET,
    MAGNET_DETECTION,
    MAGNET_EVENTS,
    MAKER,
    PHASE_POWER,
    PIN_FALLBACK,
    POWER,
    PUBLIC_KEY,
    REGISTER_CLASS,
    SECOND_INDEX,
    SERVER_ID,
    SOFTWARE_0,
    SOFTWARE_1,
    STATUS,
    TWO_TARIFFS,
)
from devices.protocols.sml.server_id import device_number

if TYPE_CHECKING:
    from devices.meters.base_meter import BaseMeter

OFF: Final = 0
ON: Final = 1
RESET: Final = 2
"""What is written to a switch (assumed; the sheet says on, off and reset)."""

STANDARD_REGISTERS: Final = (
    Register(DRAWN, UNIT_WH, BILLING_SCALER, Source.DRAWN, billing=True),
    Register(FED, UNIT_WH, BILLING_SCALER, Source.FED, billing=True),
    Register(POWER, UNIT_W, POWER_SCALER, Source.POWER),
)
"""1.8.0 and 2.8.0 in mWh, 16.7.0 in tenths of a watt, all beginning at zero: what a list shows unless told."""

MORE_REGISTERS: Final = (
    Register(DRAWN_1, UNIT_WH, BILLING_SCALER, Source.DRAWN, billing=True, tariff=1),
    Register(DRAWN_2, UNIT_WH, BILLING_SCALER, Source.DRAWN, billing=True, tariff=2),
    Register(FED_1, UNIT_WH, BILLING_SCALER, Source.FED, billing=True, tariff=1),
    Register(FED_2, UNIT_WH, BILLING_SCALER, Source.FED, billing=True, tariff=2),
    *(Register(obis, UNIT_W, POWER_SCALER, Source.POWER, phase=phase) for phase, obis in enumerate(PHASE_POWER, 1)),
    *(Register(obis, value.unit, value.scaler, Source.GRID) for obis, value in GRID_VALUES.items()),
)
"""Registers that can be asked for one by one; a list shows them when it is told to."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A setting that is on or off.

    Attributes:
        obis: its object.
        on: as the meter is delivered (assumed).
        resets: whether RESET can be written too.
    """

    obis: bytes
    on: bool
    resets: bool = False


SWITCHES: Final = {
    switch.obis: switch
    for switch in (
        Switch(INFO_DATASET, on=False),
        Switch(MAGNET_DETECTION, on=True, resets=True),
        Switch(COVER_DETECTION, on=True, resets=True),
        Switch(TWO_TARIFFS, on=False),
        Switch(PIN_FALLBACK, on=False),
    )
}
"""What can be set up at a base meter."""


@dataclass(frozen=True, slots=True)
class _Row:
    obis: bytes
    shape: Shape
    read: Callable[[BaseMeter], Value]


_DATA: Final = (
    _Row(MAKER, OCTETS, lambda meter: meter.shown_id[2:5]),
    _Row(SERVER_ID, OCTETS, lambda meter: meter.shown_id),
    _Row(DEVICE_ID, OCTETS, lambda meter: meter.shown_id),
    _Row(STATUS, UNSIGNED_32, lambda meter: int(meter.metrology.status())),
    _Row(SECOND_INDEX, UNSIGNED_32, lambda meter: meter.metrology.second_index()),
    _Row(SOFTWARE_0, OCTETS, lambda meter: meter.software[0].encode()),
    _Row(SOFTWARE_1, OCTETS, lambda meter: meter.software[1].encode()),
    _Row(MAGNET_EVENTS, UNSIGNED_32, lambda meter: meter.log.counts[MeterEvent.MAGNET_BEGUN]),
    _Row(COVER_EVENTS, UNSIGNED_32, lambda meter: meter.log.counts[MeterEvent.COVER_OPENED]),
    _Row(PUBLIC_KEY, OCTETS, lambda meter: meter.public_key),
    _Row(IDENTIFICATION, OCTETS, lambda meter: _number(meter.shown_id)),
    _Row(DEVICE_CLASS, OCTETS, lambda _: b"base meter"),
    _Row(DEVICE_MAKER, OCTETS, lambda meter: meter.shown_id[2:5]),
    _Row(DEVICE_VERSION, OCTETS, lambda meter: meter.software[0].encode()),
)
"""Read-only data: code, shape, where it comes from."""


def base_objects(meter: BaseMeter) -> Iterable[CosemObject]:
    """All objects of a base meter; its own registers in place of those that go by the same code."""
    for row in _DATA:
        yield CosemObject(row.obis, row.shape, partial(row.read, meter))
    for obis in SWITCHES:
        yield CosemObject(obis, UNSIGNED_8, partial(_setting, meter, obis), partial(_set, meter, obis))
    registers = {register.obis: register for register in (*STANDARD_REGISTERS, *MORE_REGISTERS, *meter.registers)}
    for register in registers.values():
        yield register_object(meter, register)


def register_object(meter: BaseMeter, register: Register) -> CosemObject:
    """A register as an object of its own."""
    shape = UNSIGNED_64 if register.billing else SIGNED_64
    number = CosemObject(register.obis, shape, lambda: register.value(meter.metrology.reading()))
    return replace(number, class_id=REGISTER_CLASS, scaler=register.scaler, unit=register.unit)


def _number(server_id: bytes) -> bytes:
    try:
        return device_number(server_id).encode()
    except SmlError:  # an id of another house has no number
        return server_id


def _setting(meter: BaseMeter, obis: bytes) -> int:
    return ON if meter.switches[obis] else OFF


def _set(meter: BaseMeter, obis: bytes, value: Value) -> None:
    if value not in (OFF, ON) and not (value == RESET and SWITCHES[obis].resets):
        raise Refused(OUT_OF_RANGE)
    meter.switch(obis, None if value == RESET else value == ON)
