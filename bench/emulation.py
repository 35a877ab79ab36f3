"""The composition root: plugs an emulated gateway onto the bench's cables.

This is the one module of the bench that imports the firmware. Behind it the bench knows an emulated gateway as it
knows a real one: by its cables.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from devices.clock import Clock
from devices.gateway_types.model import GatewayType
from devices.ports.base import BytePort
from devices.ports.led_lines import LedSource
from firmware.config import GatewayCables, GatewayConfig, MeterProfile
from firmware.gateway import EmulatedGateway
from firmware.storage.memory import NonVolatileMemory


@dataclass(frozen=True)
class Sockets:
    """The gateway's ends of the cables, as the bench has laid them."""

    lmn: BytePort
    wan: BytePort
    han: BytePort
    maintenance: BytePort


@dataclass(frozen=True)
class KnownMeter:
    """A meter that the gateway has a profile for from the begin.

    Attributes:
        device: number after DIN 43863-5, or server id in hex.
        registration_period_s: grid of its readings, None for the gateway's default.
    """

    device: str
    registration_period_s: int | None = None


class EmulatedGatewayPlug:
    """An emulated gateway, as far as its cables show it.

    Attributes:
        leds: its LEDs.
        device_id: number printed on its case.
    """

    def __init__(
        self,
        clock: Clock,
        product: GatewayType,
        sockets: Sockets,
        *,
        time_server: tuple[str, int] | None,
        meters: Sequence[KnownMeter],
        lifecycle: Literal["delivered", "operational"],
        options: Mapping[str, Any],
        rng: random.Random,
    ) -> None:
        self.device_id = product.device_id
        config = GatewayConfig(
            device_id=self.device_id,
            time_server=time_server,
            meters=tuple(MeterProfile(meter.device) for meter in meters),
            options={**_periods(meters), **_plain(options)},
            lifecycle=lifecycle,
        )
        cables = GatewayCables(sockets.lmn, sockets.wan, sockets.han, sockets.maintenance)
        self._memory = NonVolatileMemory()
        self._gateway = EmulatedGateway(product, clock, cables, self._memory, rng, config)
        self.leds: LedSource = self._gateway.leds

    def mains(self, on: bool) -> None:
        """The contact in the gateway's mains closes or opens."""
        if on:
            self._gateway.power_on()
        else:
            self._gateway.power_off()

    def link(self, socket: str, plugged: bool) -> None:
        """A cable was plugged into one of its Ethernet sockets, or pulled."""
        self._gateway.link(socket, plugged)

    async def close(self) -> None:
        """Take the gateway off the bench."""
        await self._gateway.close()
        self._memory.close()


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers with decimals come exact out of a scenario file; the gateway's options are floats."""
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in options.items()}


def _periods(meters: Sequence[KnownMeter]) -> dict[str, Any]:
    """The emulated gateway has one registration grid for all meters."""
    periods = {meter.registration_period_s for meter in meters if meter.registration_period_s is not None}
    return {"registration_period_s": min(periods)} if periods else {}
