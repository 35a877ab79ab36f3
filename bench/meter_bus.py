"""The meters of a case on the bus that they share: played towards a gateway, or themselves the device under test."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

from bench.rig import MeterOnBench, Rig
from bench.scenario.loader import Case
from bench.scenario.models import GivenMeter
from bench.service_bench import ServiceBench
from bench.wires import LmnTrace
from devices.errors import UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.catalogue import make_meter
from devices.meters.defaults import LmnDefaults
from devices.meters.delivery import delivery_key
from devices.meters.model import Plain, Service
from devices.meters.replay_meter import ReplayMeter
from devices.meters.security import MeterSecurity, SecuritySettings
from devices.meters.smarty_bz import LOG_CAPACITY, SmartyBz
from devices.meters.wired_station import WiredStation
from devices.ports.base import BytePort
from devices.protocols.hdlc import Frame, Selector
from devices.protocols.lmn_tls import TlsSettings
from devices.protocols.sml.server_id import device_number, server_id
from devices.rs485.bus import Rs485Bus
from devices.rs485.master import LmnMaster


class MeterBus:
    """Puts the given meters of one case on a bus.

    Args:
        rig: that they become part of.
        case: whose `given` they are.
        folder: for the trace of the bus.
        rng: randomness of the case.
        stack: what has to be closed at the end.
    """

    def __init__(self, rig: Rig, case: Case, folder: Path, rng: random.Random, stack: AsyncExitStack) -> None:
        self._rig, self._case, self._rng, self._stack = rig, case, rng, stack
        self._clock = rig.clock
        wired = rig.bench.wired_lmn
        self._defaults = LmnDefaults().overridden({} if wired is None else wired.assumed)
        self._trace = LmnTrace(rig.clock, folder / "lmn.pcapng")
        stack.callback(self._trace.close)

    def play(self, port: BytePort) -> dict[str, BaseMeter | ReplayMeter]:
        """Put all meters on the bus behind `port`; returns them by name."""
        bus = Rs485Bus(self._clock, port, on_evidence=self._trace)
        self._stack.callback(bus.close)
        meters = {name: self._put(bus, name, given) for name, given in self._case.scenario.given.meters.items()}
        if meters:
            for fact, (value, source, why) in self._defaults.assumed().items():
                self._rig.assume(fact, value, source, why)
        return meters

    def serve(self, own: BytePort, meters_end: BytePort | None) -> ServiceBench:
        """The bench as master behind `own`; the meters are emulated at `meters_end`, or real ones."""
        master = LmnMaster(self._clock, own)
        self._stack.callback(master.close)
        if meters_end is None:
            self._stack.callback(own.close)
            master.frames.on_frame = self._note_frame
            for name, given in self._case.scenario.given.meters.items():
                identity = server_id(given.id or "")
                self._rig.meters[name] = MeterOnBench(identity, None, given, _device(identity))
            return ServiceBench(self._clock, self._rig.timeline, master, {})
        played = self.play(meters_end)
        smarty = {name: meter for name, meter in played.items() if isinstance(meter, SmartyBz)}
        return ServiceBench(self._clock, self._rig.timeline, master, smarty)

    def _note_frame(self, direction: Literal["in", "out"], frame: Frame, octets: bytes) -> None:
        source = "gateway" if direction == "out" else f"address {frame.source:02X}"
        self._trace(self._clock.seconds(), source, octets, False)

    def _put(self, bus: Rs485Bus, name: str, given: GivenMeter) -> BaseMeter | ReplayMeter:
        dump = None if given.dump is None else self._recording(given.dump, name)
        rng = random.Random(self._rng.getrandbits(32))
        meter = self._make(name, given, dump)

        def seen(kind: str, data: dict[str, object]) -> None:
            self._rig.timeline.add("meter", kind, {"meter": name, **data})

        security = self._secure(meter, given, random.Random(rng.getrandbits(32))) if given.secured else None
        station = WiredStation(
            self._clock,
            bus,
            meter if security is None else security,
            rng,
            name=name,
            services=_services(meter, security),
            timing=self._defaults.timing(),
            limits=self._defaults.limits(),
        )
        station.on_event = seen
        if security is not None:
            security.on_event = seen
        if isinstance(meter, SmartyBz):
            meter.on_bus = station.processor
            meter.on_event = seen
        if not given.plugged:
            station.plug(False)
        self._stack.callback(station.close)
        kept = given.model_copy(update={"dump": None if dump is None else str(dump)})
        device = _device(meter.server_id)
        self._rig.meters[name] = MeterOnBench(meter.server_id, station, kept, device, security, meter)
        return meter

    def _make(self, name: str, given: GivenMeter, dump: Path | None) -> BaseMeter | ReplayMeter:
        try:
            return make_meter(
                self._clock,
                given.type,
                id=given.id,
                registers=given.registers,
                load=given.load,
                dump=dump,
                status=given.status,
                at_end="silent",
                folder=self._case.source.file.parent,
                log_capacity=given.log_capacity or LOG_CAPACITY,
            )
        except UsageError:
            raise
        except ValueError as error:
            place = self._case.source.place(("given", "meters", name))
            raise UsageError(f"meter {name!r}: {error}", place=place) from None

    def _secure(self, meter: BaseMeter | ReplayMeter, given: GivenMeter, rng: random.Random) -> MeterSecurity:
        key = delivery_key(meter.server_id) if given.key is None else bytes.fromhex(given.key)
        settings = SecuritySettings(tls=TlsSettings(suites=(int(given.suite, 16),)))
        return MeterSecurity(self._clock, meter, key, rng, settings)

    def _recording(self, dump: str, name: str) -> Path:
        path = (self._case.source.file.parent / dump).resolve()
        if not path.exists():
            place = self._case.source.place(("given", "meters", name, "dump"))
            raise UsageError(f"the recording {dump!r} of meter {name!r} is not there", place=place)
        return path


def _services(meter: BaseMeter | ReplayMeter, security: MeterSecurity | None) -> dict[int, Service]:
    """What answers on the selectors of the meter's station."""
    clear: dict[int, Service] = {int(Selector.COSEM_CLEAR): Plain(meter.answer)}
    services = clear if security is None else security.services()
    return services | meter.services() if isinstance(meter, SmartyBz) else services


def _device(identity: bytes) -> str:
    """The number of a meter where it stands for exactly these octets, else the octets (older ids begin with 09)."""
    try:
        number = device_number(identity)
        return number if server_id(number) == identity else identity.hex().upper()
    except ValueError:
        return identity.hex().upper()
