"""How long a telegram is on the air, and on which channel: chips of EN 13757-4 by mode (lmn-wireless 2.1, 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from devices.ports.radio import RadioMode
from devices.protocols.mbus.link import FrameFormat, air_octets


class Channel(Enum):
    """Who sends on the same channel disturbs each other."""

    MHZ_868_30 = "868.30 MHz"
    MHZ_868_95 = "868.95 MHz"


@dataclass(frozen=True, slots=True)
class Modulation:
    """How one mode puts a telegram on the air.

    Attributes:
        channel: where.
        chips_per_s: chip rate.
        chips_per_octet: 12 with 3 of 6, 16 with Manchester, 8 without coding.
        frame: chips before and behind the octets: preamble, sync, trailer.
        form: where the CRCs are.
    """

    channel: Channel
    chips_per_s: int
    chips_per_octet: int
    frame: int
    form: FrameFormat = FrameFormat.A


MODULATIONS: Final[dict[RadioMode, Modulation]] = {
    RadioMode.S1: Modulation(Channel.MHZ_868_30, 32_768, 16, 2 * 279 + 18 + 2),
    RadioMode.T1: Modulation(Channel.MHZ_868_95, 100_000, 12, 2 * 19 + 10 + 2),
    RadioMode.C1_A: Modulation(Channel.MHZ_868_95, 100_000, 8, 32 + 32),
    RadioMode.C1_B: Modulation(Channel.MHZ_868_95, 100_000, 8, 32 + 32, FrameFormat.B),
    RadioMode.OTHER_T: Modulation(Channel.MHZ_868_30, 32_768, 16, 2 * 15 + 18 + 2),
}
"""Preamble of S1 (279 times 01), of C (32 chips) and of the way to the meter (15 times 01) are assumed, and so is a
trailer of two chips for coded modes."""


def octets_on_air(telegram: bytes, mode: RadioMode) -> int:
    """Octets from L to the last CRC that a stripped telegram has in `mode`; FrameError for what is no telegram."""
    return air_octets(telegram, MODULATIONS[mode].form)


def airtime(telegram: bytes, mode: RadioMode) -> float:
    """Seconds that a stripped telegram takes in `mode`; FrameError, a ValueError, for what is none."""
    how = MODULATIONS[mode]
    return (octets_on_air(telegram, mode) * how.chips_per_octet + how.frame) / how.chips_per_s
