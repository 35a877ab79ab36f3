"""The radio cable: what an antenna socket gives and takes, wM-Bus telegrams as octets (lmn-wireless 2).

A telegram on this cable is stripped: L and everything after it, without link CRCs, L as in frame format A. What a
receiver could not check (a damaged CRC, a collision) does not come out of the socket, as with a real radio module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class RadioMode(Enum):
    """How a telegram is sent (EN 13757-4; lmn-wireless 2.3).

    S1: 868.30 MHz, Manchester. T1: 868.95 MHz, 3 of 6, frame format A. C1_A, C1_B: 868.95 MHz, NRZ, format A or B.
    OTHER_T: from the gateway to a meter in T2 or C2.
    """

    S1 = "S1"
    T1 = "T1"
    C1_A = "C1A"
    C1_B = "C1B"
    OTHER_T = "T2-other"


@dataclass(frozen=True, slots=True)
class Reception:
    """One telegram that a receiver took in whole.

    Attributes:
        at_s: when its last chip came in, seconds of the clock.
        telegram: stripped octets, first L.
        mode: how it was sent.
        rssi_dbm: strength at the receiver, None: the receiver does not say.
    """

    at_s: float
    telegram: bytes
    mode: RadioMode
    rssi_dbm: float | None = None


class Antenna(Protocol):
    """One radio's place on the air; both ways, as an antenna socket is."""

    on_reception: Callable[[Reception], None] | None
    """Called for each telegram taken in; None: nobody listens."""

    def send(self, telegram: bytes, mode: RadioMode) -> float:
        """Begin to send a stripped telegram; returns seconds on the air. Raises ValueError for what is none."""

    def detach(self) -> None:
        """Take the radio off the air: nothing is received or sent any more."""
