"""What the documents leave open about meters on the wired bus: named defaults that a bench file may override.

Each of them is a field of one of the values that stations and links are made with; here they stand together, so that
a bench file can name them and a report can list them (lmn-wired 9).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from devices.errors import UsageError
from devices.meters.discovery import DiscoveryTiming
from devices.meters.wired_station import StationTiming
from devices.protocols.hdlc_link import LinkLimits

_DISCOVERY = ("guard_s", "invite_choices", "invite_unit_s", "slot_s")
_STATION = ("turnaround_s", "processing_s", "between_octets_s", "boot_s")
_LINK = ("max_information", "max_message", "inactivity_s")

WHY: Final[Mapping[str, tuple[str, str]]] = {
    "guard_s": ("lmn-wired 1.5", "earliest answer to a broadcast, from one public meter firmware"),
    "invite_choices": ("lmn-wired 1.5", "random waits on an invitation, from one public meter firmware"),
    "invite_unit_s": ("lmn-wired 1.5", "step of the random wait, from one public meter firmware"),
    "slot_s": ("lmn-wired 1.5", "pitch of the slots, two public programs agree"),
    "turnaround_s": ("lmn-wired 1.7", "no document gives the time between a frame and its answer"),
    "processing_s": ("lmn-wired 4.4", "only the upper limit of 2 s is printed"),
    "between_octets_s": ("lmn-wired 1.7", "no document gives the pause allowed within a frame"),
    "boot_s": ("lmn-wired 9", "no document says how soon a meter listens"),
    "max_information": ("lmn-wired 1.2", "octets in one I frame: 1024 is the buffer of one public meter firmware"),
    "max_message": ("lmn-wired 1.2", "no document limits a segmented message"),
    "inactivity_s": ("lmn-wired 1.7", "no document says when a meter forgets a link"),
}
"""Name of a default -> where the gap is, and why it was assumed."""


@dataclass(frozen=True)
class LmnDefaults:
    """Times in seconds, sizes in octets; meanings in the values that they go into.

    Attributes:
        guard_s, invite_choices, invite_unit_s, slot_s: see DiscoveryTiming.
        turnaround_s, processing_s, between_octets_s, boot_s: see StationTiming.
        max_information, max_message, inactivity_s: see LinkLimits.
    """

    guard_s: float = DiscoveryTiming.guard_s
    invite_choices: int = DiscoveryTiming.invite_choices
    invite_unit_s: float = DiscoveryTiming.invite_unit_s
    slot_s: float = DiscoveryTiming.slot_s
    turnaround_s: float = StationTiming.turnaround_s
    processing_s: float = StationTiming.processing_s
    between_octets_s: float = StationTiming.between_octets_s
    boot_s: float = StationTiming.boot_s
    max_information: int = 1024
    max_message: int = 65_536
    inactivity_s: float = 120.0

    def overridden(self, given: Mapping[str, Any]) -> LmnDefaults:
        """These defaults with others by name; UsageError for an unknown name or a value that is no such number."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        clean: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
                raise UsageError(f"there is no default {name!r} for wired meters", hint=hint)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise UsageError(f"default {name!r} cannot be {value!r}", hint=f"a number such as {known[name]}")
            clean[name] = type(known[name])(value)
        return replace(self, **clean)

    def timing(self) -> StationTiming:
        """How fast a meter is."""
        discovery = DiscoveryTiming(**{name: getattr(self, name) for name in _DISCOVERY})
        return StationTiming(discovery, **{name: getattr(self, name) for name in _STATION})

    def limits(self) -> LinkLimits:
        """Bounds of a meter's links."""
        return LinkLimits(**{name: getattr(self, name) for name in _LINK})

    def assumed(self) -> dict[str, tuple[str, str, str]]:
        """Name -> value, source and reason, for a report."""
        return {f"wired meters: {name}": (str(getattr(self, name)), *why) for name, why in WHY.items()}
