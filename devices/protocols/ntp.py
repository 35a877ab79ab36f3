"""NTP version 4: the packet header of 48 octets and its time stamps (RFC 5905, chapters 6 and 7.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

PACKET_OCTETS = 48
"""Without extension fields and message authentication code."""

ERA_0 = datetime(1900, 1, 1, tzinfo=UTC)
_ERA = timedelta(seconds=1 << 32)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_LAYOUT = struct.Struct(">BBbbiI4sQQQQ")


class NtpError(ValueError):
    """Octets that are no NTP header.

    Attributes:
        offset: of the octet that is wrong or missing.
    """

    def __init__(self, reason: str, offset: int) -> None:
        self.offset = offset
        super().__init__(f"{reason} (at octet {offset})")


class Leap(IntEnum):
    """What happens at the end of the month (RFC 5905, figure 9)."""

    NONE = 0
    INSERT = 1
    DELETE = 2
    UNSYNCHRONISED = 3


class Mode(IntEnum):
    """Who speaks (RFC 5905, figure 10)."""

    RESERVED = 0
    SYMMETRIC_ACTIVE = 1
    SYMMETRIC_PASSIVE = 2
    CLIENT = 3
    SERVER = 4
    BROADCAST = 5
    CONTROL = 6
    PRIVATE = 7


@dataclass(frozen=True, slots=True)
class NtpPacket:
    """The header. Time stamps stay 64 bit numbers, so that an origin can be compared exactly.

    Attributes:
        leap: leap second warning; UNSYNCHRONISED from a server that does not know the time.
        version: 0 to 7, now 4.
        mode: who speaks.
        stratum: 0 unspecified, 1 primary, 2 to 15 secondary, 16 unsynchronised.
        poll: binary logarithm of the interval in seconds, -128 to 127.
        precision: binary logarithm of the resolution of the clock in seconds.
        root_delay: round trip to the primary, in 2**-16 s, signed.
        root_dispersion: in 2**-16 s.
        reference_id: four octets: upstream address, name of a primary source, or kiss code.
        reference: when the clock was set last.
        origin: transmit time stamp of the request, as it came.
        receive: when the request arrived.
        transmit: when this packet left.
    """

    leap: Leap = Leap.NONE
    version: int = 4
    mode: Mode = Mode.CLIENT
    stratum: int = 0
    poll: int = 0
    precision: int = 0
    root_delay: int = 0
    root_dispersion: int = 0
    reference_id: bytes = bytes(4)
    reference: int = 0
    origin: int = 0
    receive: int = 0
    transmit: int = 0

    def to_bytes(self) -> bytes:
        """The 48 octets. Raises NtpError for a value that does not fit its field."""
        if not 0 <= self.version <= 7:
            raise NtpError(f"version {self.version} does not fit three bits", 0)
        if len(self.reference_id) != 4:
            raise NtpError(f"a reference id has 4 octets, not {len(self.reference_id)}", 12)
        try:
            return _LAYOUT.pack(
                self.leap << 6 | self.version << 3 | self.mode,
                self.stratum,
                self.poll,
                self.precision,
                self.root_delay,
                self.root_dispersion,
                self.reference_id,
                self.reference,
                self.origin,
                self.receive,
                self.transmit,
            )
        except struct.error as error:
            raise NtpError(f"a value does not fit its field: {error}", 1) from error

    @classmethod
    def from_bytes(cls, data: bytes) -> NtpPacket:
        """Read a header of exactly 48 octets. Raises NtpError."""
        if len(data) != PACKET_OCTETS:
            raise NtpError(f"{len(data)} octets instead of {PACKET_OCTETS}", min(len(data), PACKET_OCTETS))
        first, *rest = _LAYOUT.unpack(data)
        return cls(Leap(first >> 6), first >> 3 & 7, Mode(first & 7), *rest)


def to_timestamp(t: datetime) -> int:
    """The 64 bit time stamp of an aware datetime: 32 bits of seconds in its era, 32 bits of fraction.

    Zero means "unknown" on the wire; the one instant of each era that would be zero becomes the next fraction.
    """
    seconds, rest = divmod(t - ERA_0, _SECOND)
    fraction = ((rest // _MICROSECOND << 32) + 500_000) // 1_000_000
    return ((seconds << 32) + fraction) % (1 << 64) or 1


def from_timestamp(stamp: int, near: datetime | None = None) -> datetime | None:
    """UTC rounded to microseconds, None for the time stamp 0 ("unknown").

    Args:
        stamp: the 64 bit number.
        near: an instant less than 68 years away, which tells the era; without one, the era is taken so that the
            result lies between 1968-01-20 and 2104-02-26 (RFC 4330, chapter 3).
    """
    if stamp == 0:
        return None
    seconds, fraction = stamp >> 32, stamp & 0xFFFFFFFF
    microseconds = (fraction * 1_000_000 + (1 << 31)) >> 32
    t = ERA_0 + timedelta(seconds=seconds, microseconds=microseconds)
    if near is None:
        return t if seconds >> 31 else t + _ERA
    return t + _ERA * ((near - t + _ERA / 2) // _ERA)
