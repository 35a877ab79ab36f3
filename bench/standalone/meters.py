"""The meters of a stand-alone gateway: on a bus and in the air, or in virtual time asked without either.

What a meter shows follows from the instant at which it began to count alone. So the meters of a run go on where those
of the run before were, also where that was killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bench.emulation import DirectMeter
from bench.played_meter import make_given
from bench.standalone.data_dir import DataFolder
from bench.standalone.plan import Plan
from bench.tools.emulated_bus import EmulatedBus
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.meters.base_meter import BaseMeter
from devices.meters.wired_station import WiredStation
from devices.ports.base import BytePort
from devices.ports.radio import Antenna

if TYPE_CHECKING:
    from devices.meters.radio.meter import RadioMeter

BEGAN_S: Final = 0.0
"""When they began to count: the clock's zero is the gateway's origin."""
TURN_S: Final = 3600
"""In virtual time a radio meter sends once in each of these spans; a compact profile covers more, and the grid of those
without is wider."""


class Meters:
    """Meters on a bus and in the air, in real time; close them when done.

    Args:
        clock: whose zero is the gateway's origin.
        plan: which ones.
        folder: where wired ones keep keys.
        port: the meters' end of the bus.

    Raises:
        UsageError: a meter that cannot be, with its place.

    Attributes:
        antenna: the gateway's; None: there are no radio meters.
        stations: wired meters' ends of the bus, by name.
        radio: radio meters by name.
    """

    def __init__(self, clock: Clock, plan: Plan, folder: DataFolder, port: BytePort) -> None:
        self._stack = ExitStack()
        try:
            self._bus = EmulatedBus(clock, port, defaults=plan.defaults)
            self._stack.callback(self._bus.close)
            self._bus.on_trouble = self._trouble
            for name, given in plan.wired.items():
                try:
                    self._bus.add(name, given, folder=plan.meters_folder, state=folder.meters, since_s=BEGAN_S)
                except UsageError as error:
                    raise _placed(error, plan, name) from None
            self.stations: Mapping[str, WiredStation] = self._bus.stations
            self.antenna, self.radio = _air(clock, plan, self._stack)
            for meter in self.radio.values():
                meter.start()
        except BaseException:
            self._stack.close()
            raise
        self.broken: BenchError | None = None

    def _trouble(self, error: BenchError) -> None:
        self.broken = error

    def close(self) -> None:
        """Take them away. Raises BenchError when one could not keep its state."""
        self._stack.close()


class DirectMeters:
    """Meters that are asked without a bus, in virtual time; radio meters send no more than is needed.

    Args:
        clock: as for `Meters`.
        plan: which ones.

    Raises:
        UsageError: a meter that cannot be, with its place.

    Attributes:
        direct: number -> wired meter, as the gateway asks it.
        antenna: the gateway's; None: there are no radio meters.
    """

    def __init__(self, clock: Clock, plan: Plan) -> None:
        self._clock = clock
        self._stack = ExitStack()
        self.direct: dict[str, DirectMeter] = {}
        for name, given in plan.wired.items():
            try:
                meter = make_given(clock, given, plan.defaults, folder=plan.meters_folder)
            except UsageError as error:
                raise _placed(error, plan, name) from None
            except ValueError as error:
                raise _placed(UsageError(f"meter {name!r}: {error}"), plan, name) from None
            assert isinstance(meter, BaseMeter)  # recordings are refused with the file
            meter.metrology.ran_since(BEGAN_S)
            self.direct[plan.numbers[name]] = meter.entries
        self.antenna, self._radio = _air(clock, plan, self._stack)
        self._turns = [asyncio.ensure_future(self._send(meter)) for meter in self._radio.values()]

    async def _send(self, meter: RadioMeter) -> None:
        """Soon after the begin of each span it sends, once."""
        while True:
            meter.start()
            before = meter.sent
            while meter.sent == before:
                await self._clock.sleep(0.5)
            meter.stop()
            now_s = self._clock.now().timestamp()
            await self._clock.sleep(TURN_S - now_s % TURN_S)

    def close(self) -> None:
        """Take them away."""
        for turn in self._turns:
            turn.cancel()
        self._stack.close()


def _air(clock: Clock, plan: Plan, stack: ExitStack) -> tuple[Antenna | None, dict[str, RadioMeter]]:
    if not plan.radio:
        return None, {}
    from bench.tools.emulated_air import EmulatedAir

    air = EmulatedAir(clock)
    stack.callback(air.close)
    antenna = air.air.antenna("gateway", distance_m=0)
    for name, given in plan.radio.items():
        try:
            air.add(name, given, folder=plan.meters_folder)
        except UsageError as error:
            raise _placed(error, plan, name) from None
        air.meters[name].measured.metrology.ran_since(BEGAN_S)
    return antenna, {name: meter for name, meter in air.meters.items() if plan.radio[name].sending}


def _placed(error: UsageError, plan: Plan, name: str) -> UsageError:
    place = error.place or plan.place_of_meter(name)
    return UsageError(error.message, place=place, hint=error.hint)
