"""The meters of a case on the bus that they share: played towards a gateway, or themselves the device under test."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

from bench.assumptions import note_assumed, note_protocol
from bench.played_meter import make_given, put_on_bus
from bench.rig import MeterOnBench, Rig
from bench.scenario.loader import Case
from bench.scenario.meter_models import GivenMeter
from bench.service_bench import ServiceBench
from bench.wires import LmnTrace
from devices.errors import UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.catalogue import identity_of
from devices.meters.defaults import LmnDefaults
from devices.meters.replay_meter import ReplayMeter
from devices.meters.smarty_bz import SmartyBz
from devices.ports.base import BytePort
from devices.protocols.hdlc import Frame
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
        self._defaults = LmnDefaults().overridden(rig.bench.assumed_of_meters())
        self._trace = LmnTrace(rig.clock, folder / "lmn.pcapng")
        stack.callback(self._trace.close)

    def play(self, port: BytePort) -> dict[str, BaseMeter | ReplayMeter]:
        """Put all meters on the bus behind `port`; returns them by name."""
        bus = Rs485Bus(self._clock, port, on_evidence=self._trace)
        bus.on_lost = self._rig.timeline.fail  # else the gateway would be blamed for meters that it cannot reach
        self._stack.callback(bus.close)
        meters = {name: self._put(bus, name, given) for name, given in self._case.scenario.given.meters.items()}
        if meters:
            note_assumed(self._rig, self._defaults, self._case.scenario.given.meters)
        return meters

    def serve(self, own: BytePort, meters_end: BytePort | None) -> ServiceBench:
        """The bench as master behind `own`; the meters are emulated at `meters_end`, or real ones."""
        master = LmnMaster(self._clock, own)
        self._stack.callback(master.close)
        if meters_end is None:
            self._stack.callback(own.close)
            master.frames.on_frame = self._note_frame
            for name, given in self._case.scenario.given.meters.items():
                real = self._real(given)
                identity = identity_of(real.id) or b""
                self._rig.meters[name] = MeterOnBench(identity, None, real, _device(identity))
            note_protocol(self._rig, self._defaults)
            order = self._defaults.inner_check()
            return ServiceBench(self._clock, self._rig.timeline, master, {}, crc_order=order)
        played = self.play(meters_end)
        smarty = {name: meter for name, meter in played.items() if isinstance(meter, SmartyBz)}
        return ServiceBench(self._clock, self._rig.timeline, master, smarty, crc_order=self._defaults.inner_check())

    def _real(self, given: GivenMeter) -> GivenMeter:
        """What is known of the real meter: what the bench file says goes before what the scenario says."""
        adapter = self._rig.bench.service_adapter
        known = None if adapter is None else adapter.meter
        if known is None or len(self._case.scenario.given.meters) != 1:
            return given
        return given.model_copy(update=known.model_dump(exclude_none=True))

    def _note_frame(self, direction: Literal["in", "out"], frame: Frame, octets: bytes) -> None:
        source = "gateway" if direction == "out" else f"address {frame.source:02X}"
        self._trace(self._clock.seconds(), source, octets, False)

    def _put(self, bus: Rs485Bus, name: str, given: GivenMeter) -> BaseMeter | ReplayMeter:
        dump = None if given.dump is None else self._recording(given.dump, name)
        rng = random.Random(self._rng.getrandbits(32))
        meter = self._make(name, given, dump)
        played = put_on_bus(self._clock, bus, name, meter, given, self._defaults, rng)
        self._stack.callback(played.station.close)

        def seen(kind: str, data: dict[str, object]) -> None:
            self._rig.timeline.add("meter", kind, {"meter": name, **data})

        played.begin(seen, plugged=given.plugged)
        kept = given.model_copy(update={"dump": None if dump is None else str(dump)})
        device = _device(meter.server_id)
        self._rig.meters[name] = MeterOnBench(meter.server_id, played.station, kept, device, played.security, meter)
        return meter

    def _make(self, name: str, given: GivenMeter, dump: Path | None) -> BaseMeter | ReplayMeter:
        folder = self._case.source.file.parent
        try:
            return make_given(self._clock, given, self._defaults, folder=folder, dump=dump, at_end="silent")
        except UsageError:
            raise
        except ValueError as error:
            place = self._case.source.place(("given", "meters", name))
            raise UsageError(f"meter {name!r}: {error}", place=place) from None

    def _recording(self, dump: str, name: str) -> Path:
        path = (self._case.source.file.parent / dump).resolve()
        if not path.exists():
            place = self._case.source.place(("given", "meters", name, "dump"))
            raise UsageError(f"the recording {dump!r} of meter {name!r} is not there", place=place)
        return path


def _device(identity: bytes) -> str:
    """The number of a meter where it stands for exactly these octets, else the octets (older ids begin with 09)."""
    try:
        number = device_number(identity)
        return number if server_id(number) == identity else identity.hex().upper()
    except ValueError:
        return identity.hex().upper()
