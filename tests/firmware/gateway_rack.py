"""A product made up for tests of the core, and a gateway of it on cables in memory.

It is none of the three products; what those do is tested with their own data in test_products.py.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from devices.clock import Clock
from devices.gateway_types.model import GatewayType
from devices.ports.memory import MemoryPort, memory_pair
from devices.ports.radio import Antenna
from firmware.config import GatewayCables, GatewayConfig
from firmware.gateway import EmulatedGateway
from firmware.leds import LedEdge
from firmware.storage.memory import NonVolatileMemory

FRONT = ("PWR", "TLS", "LMC", "wMT")
TOLD = (
    "power_lost", "power_restored", "restart_commanded", "restart", "metering_suspended", "metering_resumed",
    "system_log_wraps", "consumer_log_low", "update_started", "update_done", "update_rolled_back",
    "selftest_passed", "selftest_failed", "selftest_started",
)  # fmt: skip
SOURCE = "wan-core 9.1"
_BEAT = {"blink": {"on": "250 ms", "off": "250 ms"}}
_NOTHING = ("capture", "process", "send", "han", "cls", "wan", "update", "services")

PRODUCT = GatewayType.model_validate(
    {
        "id": "made-up",
        "name": "made up",
        "maker": "nobody",
        "documents": {},
        "device_id_prefix": "E",
        "device_id": "EXYZ0123456789",
        "software": "1.0.0",
        "log_vendor": "XYZ",
        "leds": {
            "lines": {
                line: {"colour": "green", "tells": line, "source": SOURCE}
                for line in (*FRONT, "HAN.link", "CLS.link", "WAN.link")
            },
            "signals": [
                {"means": "led_test", "shows": dict.fromkeys(FRONT, _BEAT), "phase": "together", "source": SOURCE},
                {"means": "initialising", "shows": dict.fromkeys(FRONT, "off"), "source": SOURCE},
                {"means": "services_starting", "shows": {"PWR": _BEAT}, "source": SOURCE},
                {"means": "ready", "shows": {"PWR": "on"}, "source": SOURCE},
                {"means": "meter_addressed", "shows": {"LMC": "on"}, "source": SOURCE},
                {"means": "no_meter", "shows": {"LMC": "off"}, "source": SOURCE},
                {
                    "means": "stopped",
                    "variants": [{"name": "all", "shows": dict.fromkeys(FRONT, _BEAT), "phase": "together"}],
                    "source": SOURCE,
                },
            ],
        },
        "boot": [
            {"phase": "led_test", "duration": "3 s", "leds": "led_test", "source": SOURCE},
            {"phase": "initialising", "duration": "6 s", "leds": "initialising", "source": SOURCE},
            {"phase": "services_starting", "duration": "4 s", "leds": "services_starting", "source": SOURCE},
        ],
        "states": {
            "run": {"name": "run", "text_en": "", "exit": "cause_removed", "source": SOURCE},
            "restricted": {
                "name": "restricted",
                "text_en": "",
                "effects": {"capture": False, "send": False},
                "seen_by": ["metering_suspended"],
                "exit_events": ["metering_resumed"],
                "exit": "cause_removed",
                "source": SOURCE,
            },
            "connectivity_cut": {
                "name": "cut",
                "text_en": "",
                "effects": {"han": False, "cls": False, "dark_sockets": ["HAN", "CLS"]},
                "exit": "cause_removed",
                "source": SOURCE,
            },
            "stopped": {
                "name": "stopped",
                "text_en": "",
                "effects": {**dict.fromkeys(_NOTHING, False), "dark_sockets": ["HAN", "CLS", "WAN"]},
                "leds": "stopped",
                "exit": "none",
                "source": SOURCE,
            },
        },
        "causes": [
            {"cause": cause, "leads_to": state, "source": SOURCE, **more}
            for cause, state, more in (
                ("sync_interval_exceeded", "restricted", {}),
                ("consumer_log_full", "restricted", {}),
                ("calibration_log_full", "stopped", {}),
                ("storage_full", "restricted", {}),
                ("wan_han_not_separated", "connectivity_cut", {}),
                ("storage_integrity", "restricted", {"exit": "administrator"}),
                ("firmware_integrity", "stopped", {"via": "selftest", "exit": "power_cycle_recheck"}),
            )
        ],
        "selftest": {
            "restarts": False,
            "at_start": False,
            "period": "4 h",
            "lock": "600 s",
            "books": ["system"],
            "initiators": ["consumer", "technician"],
            "source": SOURCE,
        },
        "stores": {
            "system": {"when_full": "wrap", "wrap_event": "system_log_wraps", "source": SOURCE},
            "consumer": {
                "when_full": "stop",
                "warnings": [{"free": "10 %", "event": "consumer_log_low"}],
                "source": SOURCE,
            },
            "calibration": {"when_full": "stop", "source": SOURCE},
            "storage": {"when_full": "stop", "full_at_free": "5 %", "source": SOURCE},
        },
        "limits": {"time_invalid_policy": {"value": "stop", "source": SOURCE}},
        "events": [
            {
                "source": SOURCE,
                "events": {
                    name: {
                        "id": number,
                        "level": "warning",
                        "books": ["system", "consumer"],
                        "parameters": ["meter", "code"],
                        "text_en": "meter {meter} tells {code}",
                        "text_de": "Zähler {meter} meldet {code}",
                    }
                    for name, number in (("meter_error", 10033), ("meter_fatal_error", 10037))
                },
            },
            {
                "source": SOURCE,
                "events": {
                    name: {"level": "info", "books": ["system"], "text_en": name, "text_de": name} for name in TOLD
                },
            },
        ],
    }
)
BOOT_S = 13.0
"""Time from mains to ready of that product."""


class Console:
    """The far end of the maintenance port."""

    def __init__(self, clock: Clock, port: MemoryPort) -> None:
        self._clock = clock
        self._port = port
        self._number = 0
        self._received = b""
        self.answers: list[dict[str, Any]] = []
        port.set_receiver(self._take)

    def _take(self, data: bytes) -> None:
        *lines, self._received = (self._received + data).split(b"\n")
        self.answers.extend(json.loads(line) for line in lines)

    async def raw(self, octets: bytes) -> dict[str, Any]:
        """Send octets and wait for the next answer."""
        before = len(self.answers)
        self._port.write(octets)
        for _ in range(200):
            await self._clock.sleep(0.005)
            if len(self.answers) > before:
                return self.answers[-1]
        raise AssertionError(f"no answer to {octets!r}")

    async def ask(self, **request: Any) -> dict[str, Any]:
        """One request."""
        self._number += 1
        answer = await self.raw(json.dumps({"id": self._number, **request}).encode() + b"\n")
        assert answer["id"] == self._number
        return answer

    async def do(self, name: str, **fields: Any) -> dict[str, Any]:
        """A fault that must be accepted."""
        answer = await self.ask(do=name, **fields)
        assert answer["ok"], answer
        return answer

    async def info(self) -> dict[str, Any]:
        return await self.ask(read="info")

    async def events(self, book: str = "system") -> list[str]:
        return [entry["event"] for entry in (await self.ask(read="log", book=book))["entries"]]

    async def rows(self, meter: str | None = None) -> list[dict[str, Any]]:
        request = {} if meter is None else {"meter": meter}
        rows: list[dict[str, Any]] = (await self.ask(read="values", **request))["rows"]
        return rows


class Rack:
    """One gateway and the far ends of its cables."""

    def __init__(
        self,
        clock: Clock,
        gateway_type: Any,
        config: GatewayConfig,
        *,
        memory: NonVolatileMemory | None = None,
        seed: int = 1,
        antenna: Antenna | None = None,
    ) -> None:
        self.clock = clock
        self.lmn = memory_pair(clock, ("gateway LMN", "LMN"))
        self.wan = memory_pair(clock, ("gateway WAN", "WAN"))
        self.han = memory_pair(clock, ("gateway HAN", "HAN"))
        self.port = memory_pair(clock, ("gateway maintenance", "maintenance"))
        cables = GatewayCables(self.lmn[0], self.wan[0], self.han[0], self.port[0], antenna)
        self.memory = memory or NonVolatileMemory()
        self.gateway = EmulatedGateway(gateway_type, clock, cables, self.memory, random.Random(seed), config)
        self.console = Console(clock, self.port[1])
        self.edges: list[LedEdge] = []
        self.gateway.leds.subscribe(self.edges.append)

    def join_networks(self) -> None:
        """A cable from the WAN socket to the HAN socket."""
        self.wan[1].set_receiver(self.han[1].write)
        self.han[1].set_receiver(self.wan[1].write)

    def separate_networks(self) -> None:
        """The cable is out again."""
        self.wan[1].set_receiver(None)
        self.han[1].set_receiver(None)

    async def ready(self, within_s: float = 300.0) -> None:
        """Wait until the gateway is ready."""
        await self.until(lambda: True, within_s, phase="ready")

    async def until(self, condition: Callable[[], bool], within_s: float, **info: Any) -> None:
        """Wait until `condition` holds and the information of the port has these values."""
        end = self.clock.seconds() + within_s
        shown: dict[str, Any] = {}
        while self.clock.seconds() < end:
            shown = await self.console.info()
            if condition() and all(shown.get(name) == value for name, value in info.items()):
                return
            await self.clock.sleep(0.5)
        raise AssertionError(f"not within {within_s} s: {info}, last {shown}")

    def pattern(self, line: str, window_s: float) -> list[tuple[float, bool]]:
        """Edges of a line in the last seconds, relative to the first of them."""
        since = self.clock.seconds() - window_s
        edges = [edge for edge in self.edges if edge.line == line and edge.t >= since]
        return [(round(edge.t - edges[0].t, 6), edge.lit) for edge in edges]

    async def close(self) -> None:
        await self.gateway.close()
        self.memory.close()
