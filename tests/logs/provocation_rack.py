"""A gateway on cables in memory with an antenna, one meter and a maintenance port."""

from __future__ import annotations

import json
import random
from typing import Any

from devices.clock import Clock
from devices.gateway_types.model import GatewayType
from devices.ports.memory import MemoryPort, memory_pair
from firmware.config import GatewayCables, GatewayConfig, MeterProfile
from firmware.gateway import EmulatedGateway
from firmware.storage.memory import NonVolatileMemory


class Console:
    """The far end of the maintenance port."""

    def __init__(self, clock: Clock, port: MemoryPort) -> None:
        self._clock = clock
        self._port = port
        self._rest = b""
        self._answers: list[dict[str, Any]] = []
        port.set_receiver(self._take)

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._answers.extend(json.loads(line) for line in lines)

    async def ask(self, **request: Any) -> dict[str, Any]:
        """One request and its answer."""
        self._port.write(json.dumps({"id": 1, **request}).encode() + b"\n")
        for _ in range(3000):
            await self._clock.sleep(0.01)
            if self._answers:
                return self._answers.pop(0)
        raise AssertionError(f"no answer to {request}")

    async def info(self) -> dict[str, Any]:
        return await self.ask(read="info")


class Plugged:
    """The gateway and the far ends of its cables."""

    def __init__(self, clock: Clock, product: GatewayType, memory: NonVolatileMemory, config: GatewayConfig) -> None:
        self._clock = clock
        self.memory = memory
        self.ports = {name: memory_pair(clock, (f"gateway {name}", name)) for name in ("LMN", "WAN", "HAN", "port")}
        ends = [self.ports[name][0] for name in ("LMN", "WAN", "HAN", "port")]
        self.gateway = EmulatedGateway(product, clock, GatewayCables(*ends), memory, random.Random(1), config)
        self.console = Console(clock, self.ports["port"][1])

    async def ready(self, within_s: float = 300.0) -> None:
        """Wait until the gateway is ready."""
        end = self._clock.seconds() + within_s
        while (await self.console.info())["phase"] != "ready":
            assert self._clock.seconds() < end, "the gateway does not get ready"
            await self._clock.sleep(1)

    async def close(self) -> None:
        await self.gateway.close()
        self.memory.close()


def plugged_in(
    clock: Clock,
    product: GatewayType,
    *,
    memory: NonVolatileMemory | None = None,
    config: GatewayConfig | None = None,
) -> Plugged:
    """A gateway of that product, without power yet."""
    meters = (MeterProfile("1ESY0123456789", radio=True),)
    return Plugged(clock, product, memory or NonVolatileMemory(), config or GatewayConfig(meters=meters))
