"""A gateway of the made-up product with emulated meters that are paired and read through TLS."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from gateway_rack import PRODUCT, Rack

from devices.clock import Clock
from devices.meters.base_meter import BaseMeter
from devices.meters.delivery import delivery_key
from devices.meters.security import MeterSecurity, SecuritySettings
from devices.meters.wired_station import WiredStation
from devices.protocols.hdlc_link import LinkLimits
from devices.protocols.sml.server_id import server_id
from devices.rs485.bus import Rs485Bus
from firmware.config import GatewayConfig, MeterProfile
from firmware.storage.memory import NonVolatileMemory

NUMBER = "1SAG0021061001"
TLS, CLEAR, SYM = 1, 3, 6


def profile(number: str = NUMBER, **more: Any) -> MeterProfile:
    """A profile with the key that the meter was delivered with."""
    return MeterProfile(number, **{"key": delivery_key(server_id(number)), **more})


class SecureMeter:
    """A base meter with its security and its station, and what happened to it."""

    def __init__(
        self,
        clock: Clock,
        bus: Rs485Bus,
        number: str,
        settings: SecuritySettings | None = None,
        limits: LinkLimits | None = None,
    ) -> None:
        self.number = number
        meter = BaseMeter(clock, number)
        rng = random.Random(number)
        self.security = MeterSecurity(clock, meter, delivery_key(meter.server_id), rng, settings)
        self.events: list[tuple[float, str, dict[str, object]]] = []
        self.station = WiredStation(clock, bus, self.security, rng, services=self.security.services(), limits=limits)

        def seen(kind: str, details: dict[str, object]) -> None:
            self.events.append((clock.seconds(), kind, details))

        self.station.on_event = self.security.on_event = seen

    def count(self, kind: str, **details: object) -> int:
        """How often something happened."""
        return sum(
            one == kind and all(told.get(name) == value for name, value in details.items())
            for _, one, told in self.events
        )


class SecureRack(Rack):
    """Gateway, bus, meters."""

    def __init__(
        self,
        clock: Clock,
        *numbers: str,
        gateway_type: Any = PRODUCT,
        profiles: tuple[MeterProfile, ...] | None = None,
        memory: NonVolatileMemory | None = None,
        settings: SecuritySettings | None = None,
        limits: LinkLimits | None = None,
        **options: object,
    ) -> None:
        numbers = numbers or (NUMBER,)
        meters = tuple(map(profile, numbers)) if profiles is None else profiles
        super().__init__(clock, gateway_type, GatewayConfig(meters=meters, options=options), memory=memory)
        self.bus = Rs485Bus(clock, self.lmn[1])
        self.meters = [SecureMeter(clock, self.bus, number, settings, limits) for number in numbers]

    @property
    def meter(self) -> SecureMeter:
        """The first of them."""
        return self.meters[0]

    async def shown(self, number: str = NUMBER) -> dict[str, Any]:
        """What the maintenance port shows of a meter."""
        meters: list[dict[str, Any]] = (await self.console.info())["meters"]
        return next(one for one in meters if one["meter"] == number)

    async def wait_for(self, what: Callable[[], bool | Awaitable[bool]], within_s: float) -> None:
        """Wait until something is so."""
        end = self.clock.seconds() + within_s
        while self.clock.seconds() < end:
            found = what()
            if found if isinstance(found, bool) else await found:
                return
            await self.clock.sleep(0.1)
        raise AssertionError(f"not within {within_s} s")

    async def secured(self, within_s: float = 120.0) -> None:
        """Wait until all meters have a session."""
        await self.wait_for(lambda: all(one.security.secured for one in self.meters), within_s)

    async def log(self, book: str = "system") -> list[dict[str, Any]]:
        """The entries of a book."""
        entries: list[dict[str, Any]] = (await self.console.ask(read="log", book=book))["entries"]
        return entries
