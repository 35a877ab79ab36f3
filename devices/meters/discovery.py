"""How a meter gets its HDLC address on the bus: it chooses one itself and the gateway's list confirms it.

Sans-IO: the gateway's list in, when to answer out (lmn-wired 1.5). A meter follows the list in three ways:

* found by its ids (octets 2 to 31 of its record): it adopts the listed address and slot;
* not found on an invite: it chooses an address and answers with its own record;
* not found, and its address is listed for somebody else: it gives the address up (assumed; two new meters may have
  chosen the same one, and the list can name only one of them).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from devices.protocols.hdlc import (
    FIRST_METER,
    LAST_METER,
    NO_STATION,
    RECORD_LENGTH,
    HdlcError,
    StationRecord,
)


@dataclass(frozen=True)
class DiscoveryTiming:
    """When a meter speaks after a broadcast, from the last bit of it (lmn-wired 1.5, step 3).

    Attributes:
        guard_s: earliest answer.
        invite_choices: on an invite it waits ``guard_s`` and a random whole number of `invite_unit_s` below this.
        invite_unit_s: unit of the random wait.
        slot_s: pitch of the slots of a presence check.
    """

    guard_s: float = 0.005
    invite_choices: int = 10
    invite_unit_s: float = 0.001
    slot_s: float = 0.010


class Discovery:
    """A meter's side of address assignment and presence check.

    Attributes:
        address: HDLC address, None while it has none.
        slot: slot of the presence check, 1-based; 0: none.
        listed: whether the last list that came had this meter.
    """

    def __init__(
        self,
        device_id: bytes,
        sensor_id: bytes,
        rng: random.Random,
        timing: DiscoveryTiming | None = None,
        *,
        status: int = 0,
    ) -> None:
        self.address: int | None = None
        self.slot = 0
        self.listed = False
        self._ids = StationRecord(NO_STATION, 0, device_id, sensor_id, status).ids
        self._rng = rng
        self._timing = timing or DiscoveryTiming()
        self._list = b""

    @property
    def others(self) -> tuple[int, ...]:
        """Addresses of other meters in the last list."""
        starts = range(0, len(self._list), RECORD_LENGTH)
        return tuple(
            self._list[start] for start in starts if self._list[start + 2 : start + RECORD_LENGTH] != self._ids
        )

    @property
    def record(self) -> bytes:
        """The meter's own record of 32 octets; address 0 while it has none."""
        return bytes((self.address or NO_STATION, self.slot)) + self._ids

    def forget(self) -> None:
        """Start anew without an address, as after a restart."""
        self.address = None
        self.slot = 0
        self.listed = False
        self._list = b""

    def invited(self, listed: bytes) -> float | None:
        """Take an invite with the gateway's list, 32 octets for each meter on it.

        Returns in how many seconds to answer, None: not at all. Raises HdlcError for a part of a record.
        """
        if self._follow(listed):
            return None
        self.address = self._choose(listed)
        self.slot = 0
        return self._timing.guard_s + self._rng.randrange(self._timing.invite_choices) * self._timing.invite_unit_s

    def checked(self, listed: bytes) -> float | None:
        """Take a presence check. Returns in how many seconds to answer, None: not at all. Raises as `invited`."""
        if not self._follow(listed) or self.slot < 1:
            return None
        return self._timing.guard_s + (self.slot - 1) * self._timing.slot_s

    def _follow(self, listed: bytes) -> bool:
        if len(listed) % RECORD_LENGTH:
            raise HdlcError(f"{len(listed)} octets are no whole number of station records", len(listed))
        self._list = listed
        for start in range(0, len(listed), RECORD_LENGTH):
            if listed[start + 2 : start + RECORD_LENGTH] == self._ids:
                self.address, self.slot = listed[start], listed[start + 1]
                self.listed = True
                return True
        self.listed = False
        if self.address is not None and self.address in listed[::RECORD_LENGTH]:
            self.address, self.slot = None, 0
        return False

    def _choose(self, listed: bytes) -> int:
        taken = listed[::RECORD_LENGTH]
        if taken and FIRST_METER <= taken[0] + 1 <= LAST_METER and taken[0] + 1 not in taken:
            return taken[0] + 1
        free = [address for address in range(FIRST_METER, LAST_METER + 1) if address not in taken]
        return self._rng.choice(free) if free else LAST_METER
