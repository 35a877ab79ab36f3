"""The metering core by itself in virtual time: registration, lists, use cases, signatures, storage and logs.

Everything is the gateway's own code but for the meters, which answer by a function call, and the services around it
(bus, radio, time server), which a long simulation does without.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devices.clock import Clock
from devices.gateway_types.model import GatewayType
from devices.ports.memory import memory_pair
from firmware.config import GatewayCables, GatewayConfig, options_from
from firmware.control import Control
from firmware.leds import LedPanel
from firmware.metering.contracts import contract_of, contract_statement
from firmware.metering.core import MeteringCore
from firmware.metering.evaluation import Evaluation
from firmware.metering.registration import ActiveProfile
from firmware.metering.signing import SignAhead, SignAtOnce, Signer
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.values import Entry
from firmware.own_clock import OwnClock, RealTimeClock, to_us
from firmware.product import Product
from firmware.security.module import SecurityModule
from firmware.storage.memory import NonVolatileMemory
from firmware.storage.writer import StorageWriter
from firmware.unit import Unit

Answer = Callable[[int], Sequence[tuple[str, int, int, int]]]
"""What a meter says at an instant, microseconds since 1970: OBIS code, value, scaler, COSEM unit."""


@dataclass(frozen=True)
class Simulated:
    """What a simulation made.

    Attributes:
        values: original and derived values, gaps included.
        signatures: made for them.
        state: operating state at the end.
        stopped_s: when metering stopped, seconds since 1970; None: it went on to the end.
        logs: book -> share of its room that is taken, 0 to 1; of the fullest consumer log.
    """

    values: int
    signatures: int
    state: str
    stopped_s: int | None
    logs: Mapping[str, float]


class Simulation:
    """A gateway reduced to its metering core.

    Args:
        product: whose rules and log messages hold.
        clock: virtual time.
        memory: where everything is stored.
        rng: makes the keys of a new memory.
        meters: number -> what it answers.
        profiles: evaluation profiles.
        sign_ahead: threads that sign beside the firmware; 0: it signs itself, many instants in a row; None: each
            instant at once.
        options: overrides of fields of `firmware.config.Options`.
    """

    def __init__(
        self,
        product: GatewayType,
        clock: Clock,
        memory: NonVolatileMemory,
        rng: random.Random,
        meters: Mapping[str, Answer],
        profiles: Sequence[EvaluationProfile],
        *,
        sign_ahead: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        chosen = options_from(options or {})
        kind = Product(product)
        cables = GatewayCables(
            memory_pair(clock)[0], memory_pair(clock)[0], memory_pair(clock)[0], memory_pair(clock)[0]
        )
        config = GatewayConfig(device_id=product.device_id, options=options or {})
        panel = LedPanel(clock, kind.lines)
        rtc = RealTimeClock(clock, memory, 0.0, kind.number("clock_reserve", 48 * 3600.0))
        unit = Unit(clock, kind, memory, cables, panel, rng, rtc, config, chosen)
        unit.leave_factory()
        self._clock = clock
        self._capacity = chosen.storage_capacity_octets
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._meters = meters
        self._own = OwnClock(clock, 0.0, to_us(clock.now()))
        self._writer = StorageWriter(clock, memory, chosen.storage_write_time_s)
        self._control = Control(unit, self._own, self._writer)
        self._control.on_state = self._state_changed
        self._stopped_s: int | None = None
        security = SecurityModule(memory)
        self._signer: Signer = SignAtOnce(security.sign) if sign_ahead is None else SignAhead(security.sign, sign_ahead)
        self._core = MeteringCore(
            unit, self._control, self._own, self._writer, security, self._signer, self._read, self._spawn
        )
        self._core.registration.read_now = self._read_now
        for number in meters:
            self._core.registration.add(ActiveProfile(number, number.encode(), frozenset(), "consumer-1"))
        for profile in profiles:
            self._core.evaluate(profile)
        memory.commit([contract_statement(contract_of(profile)) for profile in profiles])

    @property
    def evaluation(self) -> Evaluation:
        """The use cases."""
        return self._core.evaluation

    @property
    def used_octets(self) -> int:
        """Room that the core counts as taken."""
        return round(self._core.room.used * self._capacity)

    async def run(self, seconds: float) -> Simulated:
        """Run so many seconds of virtual time, then store what is left."""
        self._core.room.begin()
        self._core.start()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._callback_failed)
        over = loop.create_future()
        end = self._clock.call_later(seconds, over.set_result, None)
        try:
            await self._unless_failed(over)
            while self._tasks:
                await self._unless_failed(*self._tasks)
            self._signer.flush()
            await self._writer.flush()
        finally:
            end.cancel()
            self._core.stop()
            for task in self._tasks:
                task.cancel()
            self._signer.close()
        logs: dict[str, float] = {}
        for (name, _), book in self._control.journal.books.items():
            logs[name] = max(logs.get(name, 0.0), book.count / book.capacity)
        state = self._control.states.state
        return Simulated(self._core.lists.made, self._signer.made, state, self._stopped_s, logs)

    def _state_changed(self, old: str, new: str) -> None:
        if self._stopped_s is None and not self._control.may_capture():
            self._stopped_s = self._own.now_us() // 1_000_000

    async def _unless_failed(self, *awaited: asyncio.Future[Any]) -> None:
        """Wait for one of them. Raises what has failed meanwhile."""
        await asyncio.wait((*awaited, self._failed), return_when=asyncio.FIRST_COMPLETED)
        if self._failed.done():
            self._failed.result()

    def _callback_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception) and not self._failed.done():
            self._failed.set_exception(error)

    async def _read(self, profile: ActiveProfile, left_s: float) -> tuple[Entry, ...]:
        return self._read_now(profile, left_s)

    def _read_now(self, profile: ActiveProfile, left_s: float) -> tuple[Entry, ...]:
        return tuple([Entry(*one) for one in self._meters[profile.meter](self._own.now_us())])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)
