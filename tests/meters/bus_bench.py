"""A bus in memory with stations on it, and a master that says octets made by hand."""

from __future__ import annotations

import random
from typing import Any

from hand_made import cut, frame

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.load_profile import constant
from devices.meters.model import Meter
from devices.meters.wired_station import WiredStation
from devices.ports.base import BytePort
from devices.ports.memory import memory_pair
from devices.rs485.bus import Rs485Bus

SAG = bytes.fromhex("0A01534147000141 5D89")
"""Server id of the manual's meter (lmn-wired 4.5)."""


class Master:
    """The gateway's end of the cable: says octets, notes what comes back and when."""

    def __init__(self, clock: Clock, port: BytePort) -> None:
        self.clock = clock
        self.port = port
        self.heard: list[tuple[float, bytes]] = []
        port.set_receiver(lambda data: self.heard.append((clock.seconds(), data)))

    async def say(self, octets: bytes, wait_s: float = 0.05) -> bytes:
        """What is answered to `octets` within `wait_s`."""
        self.heard.clear()
        self.port.write(octets)
        await self.clock.sleep(wait_s)
        return b"".join(data for _, data in self.heard)


class Bench:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        gateway, port = memory_pair(clock, ("gateway", "bench"))
        self.evidence: list[tuple[float, str, bytes, bool]] = []
        self.bus = Rs485Bus(clock, port, on_evidence=lambda *what: self.evidence.append(what))
        self.master = Master(clock, gateway)
        self.events: list[tuple[str, str, dict[str, object]]] = []

    def station(self, meter: Meter | None = None, *, seed: int = 1, **options: Any) -> WiredStation:
        meter = meter or BaseMeter(self.clock, SAG, profile=constant(3_600_000))
        station = WiredStation(self.clock, self.bus, meter, random.Random(seed), **options)
        station.on_event = lambda kind, data: self.events.append((station.name, kind, data))
        return station

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.events]


async def invite_until_all_are_listed(bench: Bench, meters: int, rounds: int) -> list[bytes]:
    """Invite until so many meters have addresses of their own; gives their records, in the order of their coming."""
    known: list[bytes] = []
    for _ in range(rounds):
        await bench.master.say(frame("FE03020313", b"".join(known)))
        for _, source, octets, spoilt in bench.evidence:
            if source != "gateway" and not spoilt:
                (answer,) = cut(octets)
                entry = answer[10:42]
                if entry[0] not in {one[0] for one in known} and entry[2:] not in {one[2:] for one in known}:
                    known.append(entry)
        bench.evidence.clear()
        if len(known) == meters:
            await bench.master.say(frame("FE03020303", b"".join(known)))
            return known
    raise AssertionError(f"{len(known)} of {meters} meters after {rounds} invites")
