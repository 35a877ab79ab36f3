"""The rig of one case: every device of the bench opened, the cables laid, everything seen put on the timeline."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.config import BenchFile
from bench.recorded import Expected, read_expected
from bench.records import Records
from bench.scenario.models import GivenMeter, Scenario
from bench.timeline import Timeline
from devices.backoffice.time_server import TimeServer
from devices.clock import Clock
from devices.errors import BenchError
from devices.gateway_types.model import GatewayType
from devices.leds.watch import LedWatch
from devices.maintenance import MaintenancePort
from devices.meters.wired_station import WiredStation
from devices.network.patch_field import PatchField
from devices.power.energy_meter import ModbusEnergyMeter
from devices.power.mains import Mains

D = TypeVar("D")


class Violated(Exception):
    """A monitor was violated: the case ends here."""


class Missing(BenchError):
    """A step asked for equipment that this bench does not have."""


@dataclass
class MeterOnBench:
    """A meter that the bench plays.

    Attributes:
        station: its end of the bus.
        given: what the scenario says of it.
        device: its number, or server id in hex where it has none.
    """

    station: WiredStation
    given: GivenMeter
    device: str


class Rig:
    """What the steps of one case work with.

    Attributes:
        clock: the laboratory's clock.
        timeline: everything seen.
        scenario: what is run.
        gateway_type: what the manuals say of the gateway under test; there is none when a meter is tested.
        capabilities: what this bench can do.
        remembered: values that steps keep for later steps.
        violated: monitors that were violated, in words.
        assumed: facts that this case relied on without certainty: name -> (value, source, why).
    """

    def __init__(
        self, clock: Clock, timeline: Timeline, scenario: Scenario, product: GatewayType | None, bench: BenchFile
    ) -> None:
        self.clock = clock
        self.timeline = timeline
        self.scenario = scenario
        self._product = product
        self.bench = bench
        self.capabilities = bench.capabilities()
        self.remembered: dict[str, Any] = {}
        self.violated: list[str] = []
        self.assumed: dict[str, tuple[str, str, str]] = {}
        self.meters: dict[str, MeterOnBench] = {}
        self._violation = asyncio.Event()
        self.fitted_mains: Mains | None = None
        self.fitted_leds: LedWatch | None = None
        self.fitted_time_server: TimeServer | None = None
        self.fitted_patch_field: PatchField | None = None
        self.fitted_maintenance: MaintenancePort | None = None
        self.fitted_records: Records | None = None
        self.fitted_reference: ModbusEnergyMeter | None = None

    @property
    def gateway_type(self) -> GatewayType:
        return _there(self._product, "gateway under test, it tests a meter")

    @property
    def mains(self) -> Mains:
        return _there(self.fitted_mains, "relay in the gateway's mains")

    @property
    def leds(self) -> LedWatch:
        return _there(self.fitted_leds, "LED sensing")

    @property
    def time_server(self) -> TimeServer:
        return _there(self.fitted_time_server, "time server")

    @property
    def patch_field(self) -> PatchField:
        return _there(self.fitted_patch_field, "patch field")

    @property
    def maintenance(self) -> MaintenancePort:
        return _there(self.fitted_maintenance, "maintenance port (the gateway is real)")

    @property
    def reference_meter(self) -> ModbusEnergyMeter:
        return _there(self.fitted_reference, "reference instrument")

    @property
    def records(self) -> Records:
        return _there(self.fitted_records, "way to read logs and stored values")

    def station(self, meter: str) -> WiredStation:
        """The meter's end of the bus."""
        return self.meters[meter].station

    def meter_id(self, meter: str) -> str:
        """The number by which the gateway knows the meter."""
        return self.meters[meter].device

    def recording(self, meter: str) -> tuple[Expected, ...]:
        """What an independent program read in the recording that the meter replays."""
        given = self.meters[meter].given
        dump = Path(given.dump or "")
        path = (
            Path(given.expected) if given.expected else dump.with_name(dump.name.removesuffix(".bin") + ".expected.txt")
        )
        return read_expected(path)

    async def install_meter_profile(self, meter: str) -> None:
        """Let the administrator install a profile for the meter."""
        self.assume(
            "administrator",
            "maintenance port",
            "bench",
            "the meter profile was handed to the emulated gateway directly, not over its WAN",
        )
        await self.maintenance.do("add_meter_profile", meter=self.meter_id(meter))
        self.timeline.add("wan", "profile_installed", {"meter": meter})

    def assume(self, name: str, value: object, source: str, why: str) -> None:
        """Note a fact that this case relies on without certainty; it stands in the report."""
        self.assumed.setdefault(name, (str(value), source, why))

    async def sleep_until(self, seconds: float) -> None:
        """Wait until the clock shows `seconds`; ends early with Violated when a monitor is violated."""
        delay = seconds - self.clock.seconds()
        if delay > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._violation.wait()
        self.raise_if_violated()

    def violate(self, text: str) -> None:
        """A monitor was violated."""
        self.violated.append(text)
        self._violation.set()
        self.timeline.add("verdict", "monitor_violated", {"text": text})

    def raise_if_violated(self) -> None:
        """Raise Violated when a monitor was violated."""
        if self.violated:
            raise Violated(self.violated[0])


def _there(device: D | None, what: str) -> D:
    if device is None:
        raise Missing(f"this bench has no {what}")
    return device
