"""The combined status word of a value, 64 bits (wan-core 7.3).

Bits count from the left of the text form, as in a COSEM bit string: bit 0 is the most significant bit of the first
hexadecimal digit. The first 32 bits are the gateway's, the last 32 the meter's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache


class GatewayBit(IntEnum):
    """Bits of the gateway's half (wan-core 7.3).

    RADIO: the source is a radio meter, else a wired one. THRESHOLD: the value is sent because a limit was passed.
    """

    TYPE_0 = 0
    NOT_FOR_BILLING = 1
    TYPE_2 = 2
    FATAL = 8
    TIME_INVALID = 9
    WARNING = 12
    NO_VALUE = 13
    METER_TAMPERED = 14
    RADIO_METER_ERROR = 15
    THRESHOLD = 16
    RADIO = 17


class MeterBit(IntEnum):
    """Bits of a base meter's half (wan-core 7.3, lmn-wired 4.4).

    SUPPLY: the active power flows out of the installation (direction -A), in total or in one phase.
    PHASE_ROTATION: the phases do not follow each other as L1, L2, L3.
    """

    BASE_METER = 2
    ACTIVE_POWER = 8
    MAGNETIC_TAMPER = 9
    MECHANICAL_TAMPER = 10
    SUPPLY_TOTAL = 11
    SUPPLY_L1 = 12
    SUPPLY_L2 = 13
    SUPPLY_L3 = 14
    PHASE_ROTATION = 15
    BACKSTOP = 16
    FATAL_ERROR = 17
    VOLTAGE_L1 = 18
    VOLTAGE_L2 = 19
    VOLTAGE_L3 = 20


def _mask(bit: int) -> int:
    return 1 << (31 - bit)


_GATEWAY_TYPE = _mask(GatewayBit.TYPE_0) | _mask(GatewayBit.TYPE_2)
_METER_TYPE = _mask(MeterBit.BASE_METER)
_ABNORMAL = 0b11
"""Bits 1 and 0 of a radio meter's status: abnormal condition or alarm."""
PERMANENT_ERROR = 1 << 3
"""Bit of a radio meter's status: an error that stays."""


@dataclass(frozen=True, slots=True)
class StatusWord:
    """Both halves, each as a 32 bit integer whose most significant bit is bit 0.

    Attributes:
        gateway: bits 0 and 2 are always set.
        meter: bit 2 is set for a base meter.
    """

    gateway: int = _GATEWAY_TYPE
    meter: int = _METER_TYPE

    def __str__(self) -> str:
        return _text(self.gateway, self.meter)

    def has(self, bit: GatewayBit | MeterBit) -> bool:
        """Whether a bit is set."""
        half = self.gateway if isinstance(bit, GatewayBit) else self.meter
        return bool(half & _mask(bit))


@lru_cache(maxsize=1024)
def _text(gateway: int, meter: int) -> str:
    return f"{gateway:08X}{meter:08X}"


@lru_cache(maxsize=1024)
def meter_half(register: int | None) -> int:
    """The meter's half from its status register 1-0:96.5.0*255, where bit n weighs 2**n.

    A register without the type mark of a base meter (bit 2) has another layout and says nothing here; then, and
    without a register, only the type mark is set.
    """
    if register is None or not register >> MeterBit.BASE_METER & 1:
        return _METER_TYPE
    return int(f"{register & 0xFFFFFFFF:032b}"[::-1], 2)


def combined_radio(bits: frozenset[GatewayBit], error_flags: bytes = b"", status: int = 0) -> StatusWord:
    """The word for a value of a radio meter (wan-core 7.3).

    Args:
        bits: what the gateway has to say; bit 17, the source, is set here.
        error_flags: the meter's error flags EF1 to EF3 as they were sent, first octet EF1; further ones do not fit.
        status: status octet of the telegram's header (lmn-wireless 2.8).
    """
    flags = error_flags[:3].ljust(3, b"\0")
    gateway = _GATEWAY_TYPE | _mask(GatewayBit.RADIO)
    for bit in bits:
        gateway |= _mask(bit)
    if status & 0b11 == _ABNORMAL or status & PERMANENT_ERROR:
        gateway |= _mask(GatewayBit.RADIO_METER_ERROR)
    return StatusWord(gateway, int.from_bytes(flags + bytes((status & 0xFF,)), "big"))


@lru_cache(maxsize=1024)
def combined(bits: frozenset[GatewayBit], register: int | None) -> StatusWord:
    """The word for a value: `bits` are what the gateway has to say, `register` what the meter said.

    Tamper bits of the meter set the gateway's bit 14 as well.
    """
    meter = meter_half(register)
    gateway = _GATEWAY_TYPE
    for bit in bits:
        gateway |= _mask(bit)
    if meter & (_mask(MeterBit.MAGNETIC_TAMPER) | _mask(MeterBit.MECHANICAL_TAMPER)):
        gateway |= _mask(GatewayBit.METER_TAMPERED)
    return StatusWord(gateway, meter)
