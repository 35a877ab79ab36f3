"""A bus in memory with meters on it, and a master at its end."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.model import Meter, Service
from devices.meters.smarty_bz import SmartyBz
from devices.meters.wired_station import Busy, WiredStation
from devices.ports.memory import memory_pair
from devices.ports.tap import tap
from devices.protocols.sml.server_id import device_number
from devices.rs485.bus import Rs485Bus
from devices.rs485.master import LmnMaster


class LmnBus:
    """Meters on a bus, and the bench as their master.

    Attributes:
        wire: direction and octets of everything at the master's port.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        near, self.far = memory_pair(clock, ("adapter", "meters"))
        self.wire: list[tuple[str, bytes]] = []
        self.bus = Rs485Bus(clock, self.far)
        self.port = tap(clock, near, lambda _, direction, data: self.wire.append((direction, data)))
        self.master = LmnMaster(clock, self.port)
        self.stations: list[WiredStation] = []

    def add(
        self,
        meter: Meter,
        *,
        services: Mapping[int, Service | Callable[[bytes], bytes]] | None = None,
        busy: Busy = Busy.READY,
    ) -> WiredStation:
        rng = random.Random(1000 + len(self.stations))
        station = WiredStation(self.clock, self.bus, meter, rng, services=services, busy=busy)
        self.stations.append(station)
        return station

    def base_meter(self, number: str = "1EMH0005975894", **station: object) -> WiredStation:
        return self.add(BaseMeter(self.clock, number), **station)  # type: ignore[arg-type]

    def smarty(self, number: str = "1SAG0021061001", **values: object) -> tuple[SmartyBz, WiredStation]:
        meter = SmartyBz(self.clock, number, **values)  # type: ignore[arg-type]
        station = self.add(meter, services=meter.services())
        meter.on_bus = station.processor
        return meter, station

    async def numbers(self) -> list[str]:
        return [device_number(one.server_id) for one in await self.master.discover()]
