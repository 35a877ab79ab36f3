"""Emulated meters on a bus of their own, without a scenario: for a real port, a pseudo-terminal or a tool."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Final

from bench.scenario.models import GivenMeter
from bench.tools.connection import id_of
from bench.tools.meter_state import MeterState
from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.catalogue import REPLAY, SMARTY, make_meter, make_profile, make_registers, status_bit
from devices.meters.delivery import delivery_key
from devices.meters.model import Service
from devices.meters.replay_meter import ReplayMeter
from devices.meters.security import MeterSecurity, SecuritySettings
from devices.meters.smarty_bz import SmartyBz
from devices.meters.wired_station import WiredStation
from devices.ports.base import BytePort
from devices.ports.memory import memory_pair
from devices.protocols.lmn_tls import TlsSettings
from devices.protocols.sml import SmlError
from devices.rs485.bus import Rs485Bus

DEMONSTRATION: Final = GivenMeter(type="smarty_bz_plus_v2", id="1SAG0021061001", load="500 W")
"""The meter that a tool plays against when no port is at hand: the id of the maker's own example."""

Told = Callable[[str, str, dict[str, object]], None]
"""Name of the meter, kind of event, details."""


class EmulatedBus:
    """A bus with emulated meters; close it when done.

    Attributes:
        stations: by name.
        meters: by name; behind their stations.
        keys: initial key of each meter that can be paired, by name.
    """

    def __init__(self, clock: Clock, port: BytePort, *, seed: int | None = None, told: Told | None = None) -> None:
        """Take over `port`.

        Args:
            clock: of the running loop.
            port: leads to the gateway or tool.
            seed: of what the meters draw; None: from the operating system.
            told: what happens to the meters.
        """
        self.bus = Rs485Bus(clock, port)
        self.stations: dict[str, WiredStation] = {}
        self.meters: dict[str, BaseMeter | ReplayMeter] = {}
        self.keys: dict[str, bytes] = {}
        self._clock = clock
        self._rng = random.Random(seed)
        self._told = told
        self._states: list[MeterState] = []

    def add(
        self,
        name: str,
        given: GivenMeter,
        *,
        folder: Path = Path(),
        state: Path | None = None,
        allow_downgrade: bool = False,
    ) -> None:
        """Put a meter on the bus, powered, and plugged in unless it says otherwise.

        Args:
            name: of one kind on this bus.
            given: what a scenario would say of it.
            folder: where file names in it begin.
            state: folder in which it keeps what survives a restart of this program; None: nothing does.
            allow_downgrade: it takes lower firmware versions, if it takes any.

        Raises UsageError for what is not possible, BenchError for a state that cannot be written.
        """
        kept = None if state is None or given.type == REPLAY else MeterState(state, _identity(given))
        meter = self._meter(given, folder, 0 if kept is None else kept.second_index, allow_downgrade)
        services: dict[int, Service] = {}
        security = None
        if not isinstance(meter, ReplayMeter):
            self.keys[name] = delivery_key(meter.server_id) if given.key is None else bytes.fromhex(given.key)
            settings = SecuritySettings(tls=TlsSettings(suites=(int(given.suite, 16),)))
            rng = random.Random(self._rng.getrandbits(64))
            security = MeterSecurity(self._clock, meter, self.keys[name], rng, settings)
            services |= security.services()
        if isinstance(meter, SmartyBz):
            services |= meter.services()
        station = WiredStation(
            self._clock,
            self.bus,
            security or meter,
            random.Random(self._rng.getrandbits(64)),
            name=name,
            services=services or None,
        )
        if kept is not None and not isinstance(meter, ReplayMeter):
            kept.attach(meter, security)
            self._states.append(kept)
        tell = self._teller(name, kept)
        station.on_event = tell
        if security is not None:
            security.on_event = tell
        if isinstance(meter, SmartyBz):
            meter.on_event = tell
            meter.on_bus = station.processor
        if not given.plugged:
            station.plug(False)
        self.stations[name], self.meters[name] = station, meter

    def close(self) -> None:
        """Keep what survives, and let go of meters and port."""
        with ExitStack() as stack:
            stack.callback(self.bus.close)
            for station in self.stations.values():
                stack.callback(station.close)
            for state in self._states:
                stack.callback(state.save)

    def _meter(
        self, given: GivenMeter, folder: Path, second_index: int, allow_downgrade: bool
    ) -> BaseMeter | ReplayMeter:
        if given.type != SMARTY:
            return make_meter(
                self._clock,
                given.type,
                id=given.id,
                registers=given.registers,
                load=given.load,
                dump=given.dump,
                status=given.status,
                second_index=second_index,
                folder=folder,
            )
        identity = _identity(given)
        if identity[2:5] != b"SAG":
            raise UsageError(f"a {SMARTY} is made by SAG, not by {identity[2:5]!r}", hint="an id as 1SAG0021061001")
        try:
            meter = SmartyBz(
                self._clock,
                identity,
                make_registers(given.registers),
                make_profile(given.load, self._clock, folder),
                allow_downgrade=allow_downgrade,
                second_index=second_index,
            )
        except SmlError as problem:
            raise UsageError(f"no SMARTY has the id {given.id!r}: {problem}", hint="an id as 1SAG0021061001") from None
        for name in given.status:
            meter.metrology.fault(status_bit(name))
        return meter

    def _teller(self, name: str, kept: MeterState | None) -> Callable[[str, dict[str, object]], None]:
        def tell(kind: str, details: dict[str, object]) -> None:
            if kept is not None and kind in MeterState.WORTH_SAVING:
                kept.save()
            if self._told is not None:
                self._told(name, kind, details)

        return tell


def demonstration(
    clock: Clock, state: Path | None, stack: AsyncExitStack, *, allow_downgrade: bool
) -> tuple[BytePort, bytes]:
    """The tool's end of a cable to DEMONSTRATION, and the key on that meter's type plate."""
    tool, meters = memory_pair(clock, ("emulated meter", "LMN"))
    bus = EmulatedBus(clock, meters)
    stack.callback(bus.close)
    bus.add("meter", DEMONSTRATION, state=state, allow_downgrade=allow_downgrade)
    meter = bus.meters["meter"]
    assert isinstance(meter, SmartyBz)
    return tool, meter.label_key


def _identity(given: GivenMeter) -> bytes:
    assert given.id is not None, "only a replay has none"
    return id_of(given.id)
