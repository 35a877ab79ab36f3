"""How a wired meter behaves on its bus beside what the protocol says, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from devices.meters.discovery import DiscoveryTiming
from devices.protocols.hdlc import FrameKind

OnEvent = Callable[[str, dict[str, object]], None]
"""Told what happens at the station: kind and details, see `EVENTS`."""

EVENTS: Final = {
    "addressed": "has an address: address, slot, listed (False: chosen itself, the gateway's list does not say so yet)",
    "address_lost": "has no address any more",
    "connected": "the gateway opened a link: selector",
    "disconnected": "a link ended: selector, reason",
    "request": "a whole message came: selector, octets",
    "answer": "the answer to it is ready to be polled: selector, octets",
    "unexpected": "a frame without a place: selector, reason",
    "power": "mains: on",
    "plug": "bus cable: connected",
    "silent": "keeps silent from now on, or speaks again: on",
    "fault": "a fault on the wire struck: fault, frame (or list), done (strikes so far), left (None: without end)",
}
"""Kinds of events, with their meaning and details."""


@dataclass(frozen=True)
class StationTiming:
    """How fast a meter is.

    Attributes:
        discovery: waits after broadcasts.
        turnaround_s: from the last bit of a frame to the first of its answer (assumed; the gateway waits 200 ms).
        processing_s: from a whole request to an answer that can be polled (assumed; 2 s are the limit, lmn-wired 4.4).
        between_octets_s: longest pause within a frame (assumed, lmn-wired 1.7).
    """

    discovery: DiscoveryTiming = field(default_factory=DiscoveryTiming)
    turnaround_s: float = 0.001
    processing_s: float = 0.005
    between_octets_s: float = 0.025
    boot_s: float = 0.5
    """From mains on until the station listens (assumed)."""


class Busy(Enum):
    """How a meter answers while it works on a request (lmn-wired 1.7)."""

    READY = "rr"
    """RR, as the Sagemcom meter."""
    FIRST_NOT_READY = "rnr first"
    """RNR to the request, then RR until the answer is there, as one public meter firmware."""
    NOT_READY = "rnr"
    """RNR until the answer is there."""


@dataclass(frozen=True)
class Manners:
    """What a meter answers where the standard and one public meter firmware differ (lmn-wired 1.7).

    Attributes:
        to_disconnect: to DISC, UA or DM.
        to_unknown: to a control octet that the LMN does not know, FRMR or DM.
    """

    to_disconnect: FrameKind = FrameKind.UA
    to_unknown: FrameKind = FrameKind.FRMR


PUBLIC_FIRMWARE: Final = Manners(FrameKind.DM, FrameKind.DM)
"""The manners of that firmware; with `Busy.FIRST_NOT_READY` it is complete."""
