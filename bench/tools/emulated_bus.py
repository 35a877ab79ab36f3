"""Emulated meters on a bus of their own, without a scenario: for a real port, a pseudo-terminal or a tool."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Final

from bench.played_meter import make_given, put_on_bus
from bench.scenario.meter_models import GivenMeter
from bench.tools.meter_ids import id_of
from bench.tools.meter_state import MeterState
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.catalogue import REPLAY
from devices.meters.defaults import LmnDefaults
from devices.meters.replay_meter import ReplayMeter
from devices.meters.smarty_bz import SmartyBz
from devices.meters.wired_station import WiredStation
from devices.ports.base import BytePort
from devices.ports.memory import memory_pair
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
        on_trouble: told when a meter cannot keep its state any more; None: `close` raises it.
    """

    def __init__(
        self,
        clock: Clock,
        port: BytePort,
        *,
        seed: int | None = None,
        told: Told | None = None,
        defaults: LmnDefaults | None = None,
    ) -> None:
        """Take over `port`.

        Args:
            clock: of the running loop.
            port: leads to the gateway or tool.
            seed: of what the meters draw; None: from the operating system.
            told: what happens to the meters.
            defaults: what the documents leave open about them.
        """
        self.bus = Rs485Bus(clock, port)
        self.stations: dict[str, WiredStation] = {}
        self.meters: dict[str, BaseMeter | ReplayMeter] = {}
        self.keys: dict[str, bytes] = {}
        self._clock = clock
        self._rng = random.Random(seed)
        self._told = told
        self.on_trouble: Callable[[BenchError], None] | None = None
        self._defaults = defaults or LmnDefaults()
        self._trouble: BenchError | None = None
        self._states: list[MeterState] = []

    def add(
        self,
        name: str,
        given: GivenMeter,
        *,
        folder: Path = Path(),
        state: Path | None = None,
        since_s: float | None = None,
    ) -> None:
        """Put a meter on the bus, powered, and plugged in unless it says otherwise.

        Args:
            name: of one kind on this bus.
            given: what a scenario would say of it.
            folder: where file names in it begin.
            state: folder in which it keeps what survives a restart of this program; None: nothing does.
            since_s: instant of the clock since which it has been measuring, whatever `state` says of its registers;
                None: it goes on where that says, or begins now.

        Raises UsageError for what is not possible, BenchError for a state that cannot be written.
        """
        kept = None
        if state is not None and given.type != REPLAY:
            kept = MeterState(state, id_of(given.id or ""))
            self._states.append(kept)
        second_index = 0 if kept is None or since_s is not None else kept.second_index
        try:
            meter = make_given(self._clock, given, self._defaults, folder=folder, second_index=second_index)
        except UsageError:
            raise
        except ValueError as problem:
            raise UsageError(f"meter {name!r}: {problem}") from problem
        if since_s is not None and not isinstance(meter, ReplayMeter):
            meter.metrology.ran_since(since_s)
        rng = random.Random(self._rng.getrandbits(64))
        played = put_on_bus(self._clock, self.bus, name, meter, given, self._defaults, rng)
        self.stations[name], self.meters[name] = played.station, meter
        if played.key is not None:
            self.keys[name] = played.key
        if kept is not None and not isinstance(meter, ReplayMeter):
            kept.attach(meter, played.security, registers=since_s is None)
        played.begin(self._teller(name, kept), plugged=given.plugged)

    def close(self) -> None:
        """Keep what survives, and let go of meters and port. Raises BenchError when a state could not be kept."""
        with ExitStack() as stack:
            stack.callback(self._raise_trouble)
            stack.callback(self.bus.close)
            for station in self.stations.values():
                stack.callback(station.close)
            for state in self._states:
                stack.callback(state.release)
                stack.callback(state.save)

    def _raise_trouble(self) -> None:
        if self._trouble is not None and self.on_trouble is None:
            raise self._trouble

    def _teller(self, name: str, kept: MeterState | None) -> Callable[[str, dict[str, object]], None]:
        def tell(kind: str, details: dict[str, object]) -> None:
            if kept is not None and kind in MeterState.WORTH_SAVING:
                self._keep(kept)
            if self._told is not None:
                self._told(name, kind, details)

        return tell

    def _keep(self, state: MeterState) -> None:
        """Save, in the middle of a meter's work: that goes on, and whoever runs the bus is told what went wrong."""
        try:
            state.save()
        except BenchError as trouble:
            self._trouble = self._trouble or trouble
            if self.on_trouble is not None:
                self.on_trouble(trouble)


def demonstration(
    clock: Clock, state: Path | None, stack: AsyncExitStack, *, allow_downgrade: bool
) -> tuple[BytePort, bytes]:
    """The tool's end of a cable to DEMONSTRATION, and the key on that meter's type plate."""
    tool, meters = memory_pair(clock, ("emulated meter", "LMN"))
    bus = EmulatedBus(clock, meters)
    stack.callback(bus.close)
    bus.add("meter", DEMONSTRATION.model_copy(update={"allow_downgrade": allow_downgrade}), state=state)
    meter = bus.meters["meter"]
    assert isinstance(meter, SmartyBz)
    return tool, meter.label_key
