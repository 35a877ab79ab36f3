"""The rig of one case: every device of the bench opened, the cables laid, everything seen put on the timeline."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.config import BenchFile
from bench.han_access import HanAccess
from bench.recorded import Expected, read_expected
from bench.records import Records
from bench.scenario.meter_models import GivenMeter
from bench.scenario.models import Scenario
from bench.scenario.radio_models import GivenRadioMeter
from bench.service_bench import ServiceBench
from bench.timeline import Timeline
from devices.backoffice.time_server import TimeServer
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.gateway_types.model import GatewayType
from devices.leds.watch import LedWatch
from devices.maintenance import MaintenancePort
from devices.meters.base_meter import BaseMeter
from devices.meters.replay_meter import ReplayMeter
from devices.meters.security import MeterSecurity
from devices.meters.wired_station import WiredStation
from devices.network.patch_field import PatchField
from devices.power.energy_meter import ModbusEnergyMeter
from devices.power.mains import Mains
from devices.protocols.key_label import parse_key

if TYPE_CHECKING:
    from devices.meters.radio.meter import RadioMeter
    from devices.wmbus.air import Air
    from devices.wmbus.emulated.base import EmulatedStick

D = TypeVar("D")


class Violated(Exception):
    """A monitor was violated: the case ends here."""


class Missing(BenchError):
    """A step asked for equipment that this bench does not have."""


@dataclass
class MeterOnBench:
    """A meter that the bench plays, or a real one that is the device under test.

    Attributes:
        server_id: by which it is known on the bus.
        played: its end of the bus; None: a real meter.
        given: what the scenario says of it.
        device: its number, or server id in hex where it has none.
        security: its keys, certificates and sessions; None: it is read in the clear.
        meter: the emulated meter itself; None: a real one.
    """

    server_id: bytes
    played: WiredStation | None
    given: GivenMeter
    device: str
    security: MeterSecurity | None = None
    meter: BaseMeter | ReplayMeter | None = None


@dataclass
class RadioMeterOnBench:
    """A meter that the bench plays on the air.

    Attributes:
        meter: the emulated meter itself.
        given: what the scenario says of it.
        device: its number.
        key: key of its telegrams, 16 octets; None: they are not encrypted.
    """

    meter: RadioMeter
    given: GivenRadioMeter
    device: str
    key: bytes | None


class Rig:
    """What the steps of one case work with.

    Attributes:
        clock: the laboratory's clock.
        timeline: everything seen.
        scenario: what is run.
        folder: of the case's evidence.
        gateway_type: what the manuals say of the gateway under test; there is none when a meter is tested.
        capabilities: what this bench can do.
        remembered: stored values that steps keep for later steps, by the name of the moment and the meter.
        violated: monitors that were violated, in words.
        assumed: facts that this case relied on without certainty: name -> (value, source, why).
    """

    def __init__(
        self,
        clock: Clock,
        timeline: Timeline,
        scenario: Scenario,
        product: GatewayType | None,
        bench: BenchFile,
        folder: Path = Path(),
    ) -> None:
        self.clock = clock
        self.timeline = timeline
        self.scenario = scenario
        self._product = product
        self.folder = folder
        self.bench = bench
        self.capabilities = bench.capabilities()
        self.remembered: dict[tuple[str, str], Any] = {}
        self.violated: list[str] = []
        self.assumed: dict[str, tuple[str, str, str]] = {}
        self.meters: dict[str, MeterOnBench] = {}
        self.radio_meters: dict[str, RadioMeterOnBench] = {}
        self.fitted_air: Air | None = None
        self.fitted_stick: EmulatedStick | None = None
        self._violation = asyncio.Event()
        timeline.on_trouble = self._violation.set
        self.fitted_mains: Mains | None = None
        self.fitted_leds: LedWatch | None = None
        self.fitted_time_server: TimeServer | None = None
        self.fitted_patch_field: PatchField | None = None
        self.fitted_maintenance: MaintenancePort | None = None
        self.fitted_records: Records | None = None
        self.fitted_han: HanAccess | None = None
        self.fitted_reference: ModbusEnergyMeter | None = None
        self.fitted_service: ServiceBench | None = None

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
    def service_bench(self) -> ServiceBench:
        return _there(self.fitted_service, "adapter in a gateway's place")

    @property
    def han(self) -> HanAccess:
        return _there(self.fitted_han, "user of the gateway's home interface")

    @property
    def records(self) -> Records:
        return _there(self.fitted_records, "way to read logs and stored values")

    def told(self) -> dict[str, str]:
        """What the gateway told of itself at its home interface, and where values were read; empty without one."""
        if self.fitted_han is None or not self.fitted_han.told:
            return {}
        source = "home interface" if self.fitted_maintenance is None else "home interface and maintenance port"
        return {**self.fitted_han.told, "values and logs from": source}

    def station(self, meter: str) -> WiredStation:
        """The meter's end of the bus."""
        return _there(self.meters[meter].played, f"emulated meter {meter!r}, it is a real one")

    def server_id(self, meter: str) -> bytes:
        """The octets by which the meter is known on its bus."""
        return self.meters[meter].server_id

    def label_key(self, meter: str) -> bytes:
        """The public key on the meter's type plate, X|Y."""
        emulated = self.service_bench.emulated.get(meter)
        if emulated is not None:
            return emulated.label_key
        written = self.meters[meter].given.label_key
        if written is None:
            where = "label_key under service_adapter.meter in the bench file"
            raise UsageError(f"the key on the label of meter {meter!r} is unknown", hint=where)
        return parse_key(written)

    def meter_id(self, meter: str) -> str:
        """The number by which the gateway knows the meter, a wired or a radio one."""
        radio = self.radio_meters.get(meter)
        return self.meters[meter].device if radio is None else radio.device

    def given_meter(self, meter: str) -> GivenMeter | GivenRadioMeter:
        """What the scenario says of a meter, a wired or a radio one."""
        radio = self.radio_meters.get(meter)
        return self.meters[meter].given if radio is None else radio.given

    def radio_meter(self, meter: str) -> RadioMeter:
        """The emulated radio meter."""
        return self.radio_meters[meter].meter

    def pull_stick(self) -> None:
        """Pull the emulated stick out that sends for the radio meters."""
        _there(self.fitted_stick, "emulated radio stick").pull_out()

    def change_air(self, *, loss: float | None = None, duplicates: float | None = None) -> None:
        """Let more or fewer telegrams get lost or come twice, shares from 0 to 1; None: as before."""
        _there(self.fitted_air, "emulated air").change(loss=loss, duplicates=duplicates)

    def base_meter(self, meter: str) -> BaseMeter:
        """The emulated meter itself."""
        emulated = self.meters[meter].meter
        if not isinstance(emulated, BaseMeter):
            raise UsageError(f"meter {meter!r} is no emulated base meter")
        return emulated

    def security(self, meter: str) -> MeterSecurity:
        """Keys, certificates and sessions of the meter."""
        security = self.meters[meter].security
        if security is None:
            raise UsageError(f"meter {meter!r} is read in the clear", hint="'security: tls' under given.meters")
        return security

    def key_in_profile(self, meter: str) -> bytes | None:
        """The key that the gateway is told; None: it is to read the meter in the clear."""
        if meter in self.radio_meters:
            radio = self.radio_meters[meter]
            written = radio.given.key_in_profile
            return radio.key if written is None else bytes.fromhex(written)
        on_bench = self.meters[meter]
        if on_bench.security is None:
            return None
        told = on_bench.given.key_in_profile
        return on_bench.security.initial_key if told is None else bytes.fromhex(told)

    def recording(self, meter: str) -> tuple[Expected, ...]:
        """What an independent program read in the recording that the meter replays."""
        given = self.meters[meter].given
        dump = Path(given.dump or "")
        path = (
            Path(given.expected) if given.expected else dump.with_name(dump.name.removesuffix(".bin") + ".expected.txt")
        )
        return read_expected(path)

    async def install_meter_profile(self, meter: str, key: bytes | None = None) -> None:
        """Let the administrator install a profile for the meter; `key`: another one than ``given`` says."""
        self.assume(
            "administrator",
            "maintenance port",
            "bench",
            "the meter profile was handed to the emulated gateway directly, not over its WAN",
        )
        told = self._told_of(meter)
        if key is not None:
            told["key"] = key.hex()
        await self.maintenance.do("add_meter_profile", meter=self.meter_id(meter), **told)
        self.timeline.add("wan", "profile_installed", {"meter": meter})

    def _told_of(self, meter: str) -> dict[str, Any]:
        """What a meter profile tells the gateway besides the meter's number."""
        radio = self.radio_meters.get(meter)
        if radio is None:
            key = self.key_in_profile(meter)
            return {} if key is None else {"key": key.hex(), "security": "tls"}
        told: dict[str, Any] = {"radio": True}
        key = self.key_in_profile(meter)
        if key is not None:
            told["key"] = key.hex()
        if radio.given.registration_period is not None:
            told["period_s"] = int(radio.given.registration_period.total_seconds())
        return told

    async def order_crypto_reset(self, meter: str) -> None:
        """Let the administrator order the gateway to put the meter back to its initial key."""
        self.assume(
            "administrator",
            "maintenance port",
            "bench",
            "the order was handed to the emulated gateway directly, not over its WAN",
        )
        await self.maintenance.do("crypto_reset", meter=self.meter_id(meter))
        self.timeline.add("wan", "crypto_reset_ordered", {"meter": meter})

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
        """Raise Violated when a monitor was violated, BenchError when the evidence can no longer be written."""
        self.timeline.raise_trouble()
        if self.violated:
            raise Violated(self.violated[0])


def _there(device: D | None, what: str) -> D:
    if device is None:
        raise Missing(f"this bench has no {what}")
    return device
