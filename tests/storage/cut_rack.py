"""A gateway with a busy morning, mains that fails at any instant of it, and what must hold then.

The story from 00:10: start, first synchronisation, a meter is read, an evaluation profile switches stages, a second
meter gets its profile, a self-test, a system log that wraps, an update with its restart. The meters' energy is a
function of the quarter of an hour, so that runs with and without cuts can be compared value by value.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from gateway_rack import Rack
from small_meter import SmallBus, SmallMeter
from taf_parts import profile as tariff_profile

from devices.backoffice.time_server import TimeServer
from devices.clock import Clock
from devices.gateway_types import load
from firmware.checks import broken_settings
from firmware.config import GatewayConfig, MeterProfile
from firmware.logs.book import INSERT_ENTRY
from firmware.logs.stored import from_database
from firmware.logs.verifier import verify_logs
from firmware.metering.derived import broken as broken_derived
from firmware.metering.derived import read as read_derived
from firmware.metering.tariffs.calendar import Calendar
from firmware.metering.values import broken_readings, octets_to_sign
from firmware.metering.values import read as read_values
from firmware.security.module import SecurityModule
from firmware.storage.memory import NonVolatileMemory, Statement, digest

FIRST, SECOND = "1SAG0021061001", "1EMH0005975894"
BEGIN = datetime(2026, 1, 5, 0, 10, tzinfo=UTC)
END = datetime(2026, 1, 5, 1, 17, tzinfo=UTC)
GRID_S = 900
_TABLES = ("reading", "entry", "derived", "log", "setting", "image", "sent", "waiting", "evaluation")
_KEYS = {"reading": 2, "entry": 3, "derived": 3, "log": 3, "setting": 1, "image": 1, "sent": 1, "evaluation": 1}
_HARDWARE = ("register", "secret", "fault")

Rows = dict[str, set[tuple[Any, ...]]]


def rows_of(memory: NonVolatileMemory) -> Rows:
    """All that the firmware has stored, by table."""
    return {table: set(memory.query(f"SELECT * FROM {table}")) for table in _TABLES}


def serialised(memory: NonVolatileMemory) -> bytes:
    """The database file as it lies in the memory."""
    octets: bytes = memory._db.serialize()
    return octets


class WatchedMemory(NonVolatileMemory):
    """Notes when each commit of the firmware ended, and what was stored by then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ends: list[float] = []
        self.durable: Rows | None = None
        self.statements: list[list[Statement]] = []
        self.watch_rows = False
        super().__init__()

    def commit(self, statements: Iterable[Statement]) -> None:
        done = list(statements)
        super().commit(done)
        self.statements.append(done)
        if not all(any(f" {table} " in sql for table in _HARDWARE) for sql, _ in done):
            self.ends.append(self._clock.seconds())
            if self.watch_rows:
                self.durable = rows_of(self)


class Counting(SmallMeter):
    """Its energy grows by one kilowatt hour at every quarter of an hour, and stays the same in between."""

    def __init__(self, clock: Clock, number: str, **more: Any) -> None:
        super().__init__(number, **more)
        self._clock = clock

    def _file(self) -> bytes:
        quarters = int((self._clock.now() - BEGIN + timedelta(minutes=10)).total_seconds()) // GRID_S
        self.energy = 1_000_000_000 + quarters * 1_000_000
        return super()._file()


def evaluation() -> Any:
    """TAF-2 with a stage for each of the quarters from 00:30 UTC on."""
    calendar = Calendar.daily((time(1, 30), 2), (time(1, 45), 1), (time(2), 2), default=1)
    return tariff_profile(2, int(datetime(2026, 1, 5, 0, 15, tzinfo=UTC).timestamp()), calendar=calendar)


@dataclass
class Acknowledged:
    """What somebody outside was told, and how to see that it is so."""

    what: str
    holds: Callable[[NonVolatileMemory], bool]


@dataclass
class Story:
    """One run of the story.

    Attributes:
        acknowledged: in their order.
    """

    product: str
    rack: Rack
    acknowledged: list[Acknowledged] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return self.rack.clock

    async def until(self, minute: float) -> None:
        """Wait until so many minutes after midnight."""
        await self.clock.sleep_until((minute - 10) * 60)

    def evaluate(self) -> None:
        """The evaluation profile is in force while the firmware runs."""
        session = self.rack.gateway._session
        assert session is not None
        if not session.metering.evaluation.profiles:
            session.metering.evaluate(evaluation())

    async def told(self, what: str, holds: Callable[[NonVolatileMemory], bool], name: str, **fields: Any) -> None:
        """An order through the port; once it is answered it counts as acknowledged."""
        answer = await self.rack.console.ask(do=name, **fields)
        if answer["ok"]:
            self.acknowledged.append(Acknowledged(what, holds))

    async def run(self) -> None:
        """All orders in their time."""
        rack = self.rack
        rack.gateway.power_on()
        await rack.ready()
        self.evaluate()
        await self.until(16)
        await self.told("profile of the second meter", _has_profile, "add_meter_profile", meter=SECOND)
        await self.until(31)
        await self.told("self-test", _tested, "selftest", initiator="administrator")
        await self.until(33)
        await rack.ready()
        self.evaluate()
        await self.told("filled log", lambda memory: True, "fill_log", book="system", to=0.95)
        await self.until(46)
        await rack.console.ask(do="install_update", ok=True, version="2.0.0")
        await self.until(50)
        await rack.ready()
        self.evaluate()
        await self.clock.sleep_until((END - BEGIN).total_seconds())


def _logged(memory: NonVolatileMemory, event: str) -> list[Any]:
    """Numbers of the entries of the system log that ever told `event`, of those too that the book has let go."""
    assert isinstance(memory, WatchedMemory)
    rows = [row for done in memory.statements for sql, row in done if sql == INSERT_ENTRY]
    return [row[2] for row in rows if row[0] == "system" and row[5] == event]


def _tested(memory: NonVolatileMemory) -> bool:
    assert isinstance(memory, WatchedMemory)
    rows = [row for done in memory.statements for sql, row in done if sql == INSERT_ENTRY]
    return any(row[5] == "selftest_passed" for row in rows) and memory.setting("selftest_pending") is None


def _has_profile(memory: NonVolatileMemory) -> bool:
    return any(SECOND in row[0] for row in memory.query("SELECT value FROM setting"))


async def make(product: str, clock: Clock, server: TimeServer) -> Story:
    """A gateway at the begin of the story, without mains."""
    data = load(product)
    options = {"invite_interval_s": 120, "presence_offset_s": 60, "system_log_capacity": 60}
    config = GatewayConfig(
        device_id=data.device_id, meters=(MeterProfile(FIRST),), options=options, time_server=server.address
    )
    rack = Rack(clock, data, config, memory=WatchedMemory(clock))
    SmallBus(clock, rack.lmn[1], [Counting(clock, FIRST), Counting(clock, SECOND, first_address=0x22)])
    return Story(product, rack)


@dataclass(frozen=True)
class Uncut:
    """The run without a cut.

    Attributes:
        ends: of the firmware's commits, in seconds.
        rows: what was stored at its end.
        statements: of all commits, those of the factory and of hardware too.
        events: messages in the logs, those that the wrapping book let go too.
    """

    ends: tuple[float, ...]
    rows: Rows
    statements: list[list[Statement]]
    events: frozenset[str]


async def uncut(product: str) -> Uncut:
    """The story without a cut."""
    clock = Clock(asyncio.get_running_loop(), BEGIN)
    async with TimeServer(clock) as server:
        story = await make(product, clock, server)
        memory = story.rack.memory
        assert isinstance(memory, WatchedMemory)
        factory = len(memory.ends)
        await story.run()
        rows, ends = rows_of(memory), tuple(memory.ends[factory:])
        assert sound(memory) == []
        assert _same_world(memory, await story.rack.console.info()) == []
        events = frozenset(row[5] for done in memory.statements for sql, row in done if sql == INSERT_ENTRY)
        statements = list(memory.statements)
        await story.rack.close()
    return Uncut(ends, rows, statements, events)


async def cut(product: str, *cuts: tuple[float, float]) -> list[str]:
    """The story with cuts; gives what is wrong afterwards, nothing when all is well.

    Args:
        product: which.
        cuts: instant in seconds and length of each, in their order.
    """
    clock = Clock(asyncio.get_running_loop(), BEGIN)
    async with TimeServer(clock) as server:
        story = await make(product, clock, server)
        rack, memory = story.rack, story.rack.memory
        assert isinstance(memory, WatchedMemory)
        running, wrong, kept = asyncio.ensure_future(story.run()), [], rows_of(memory)
        for at_s, off_s in cuts:
            await clock.sleep_until(max(clock.seconds(), at_s - 1.0))
            memory.watch_rows, memory.durable = True, rows_of(memory)
            await clock.sleep_until(at_s)
            memory.watch_rows = False
            rack.gateway.power_off()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, AssertionError):
                await running
            wrong += [f"before the restart: {one}" for one in sound(memory)]
            kept = rows_of(memory)
            for table, rows in memory.durable.items():
                if rows != kept[table]:
                    wrong.append(f"{table}: what is there after the cut is not what was committed before it")
            await clock.sleep(off_s)
            rack.gateway.power_on()
        await rack.ready()
        again = Story(product, rack)
        again.evaluate()
        if not any(one.what == "profile of the second meter" for one in story.acknowledged):
            await again.told("profile of the second meter", _has_profile, "add_meter_profile", meter=SECOND)
        end_s = (END - BEGIN).total_seconds()
        while clock.seconds() < end_s:  # a self-test or an update under way may restart the gateway once more
            session = rack.gateway._session
            if session is not None and session.phase == "ready":
                again.evaluate()
            await clock.sleep(20)
        wrong += [f"after the restart: {one}" for one in sound(memory)]
        wrong += [
            f"acknowledged and lost: {one.what}"
            for one in (*story.acknowledged, *again.acknowledged)
            if not one.holds(memory)
        ]
        updated, told = memory.image("firmware"), len(_logged(memory, "update_done"))
        if told != (updated is not None and updated[0] == "2.0.0"):
            wrong.append(f"the update was told {told} times, and {updated and updated[0]} runs")
        begun, ended = _logged(memory, "update_started"), told + len(_logged(memory, "update_rolled_back"))
        if len(begun) != ended:
            wrong.append(f"{len(begun)} updates were begun, what became of {ended} was told")
        if memory.query("SELECT COUNT(*) FROM log_torn")[0][0]:
            wrong.append("a piece of a torn log entry was left lying")
        wrong += _kept(kept, memory)
        wrong += _same_world(memory, await rack.console.info())
        await rack.close()
    return wrong


def sound(memory: NonVolatileMemory) -> list[str]:
    """What is half-done or does not fit its digest, its chain or its signature."""
    wrong = [f"setting {name} does not fit" for name in broken_settings(memory)]
    wrong += [f"reading {one} does not fit" for one in broken_readings(memory, 10_000)]
    wrong += [f"derived {one} does not fit" for one in broken_derived(memory, 10_000)]
    for slot in ("kernel", "firmware", "update_partition"):
        stored = memory.image(slot)
        if stored is None or digest(stored[1]) != stored[2]:
            wrong.append(f"image {slot} does not fit")
    heads = {(row[0], row[1]) for row in memory.query("SELECT meter, grid_s FROM reading")}
    entries = {(row[0], row[1]) for row in memory.query("SELECT meter, grid_s FROM entry")}
    valued = {(row[0], row[1]) for row in memory.query("SELECT meter, grid_s FROM reading WHERE capture_us NOT NULL")}
    if not entries <= heads or valued != entries:
        wrong.append(f"readings and their registers differ: {sorted(valued ^ entries)}")
    wrong += _signatures(memory)
    with contextlib.closing(sqlite3.connect(":memory:")) as copy:
        copy.deserialize(serialised(memory))
        copy.text_factory = bytes
        if memory.query("SELECT COUNT(*) FROM log")[0][0]:
            wrong += [str(one) for one in verify_logs(from_database(copy)).findings]
    return wrong


def _signatures(memory: NonVolatileMemory) -> list[str]:
    module, wrong = SecurityModule(memory), []
    for reading in read_values(memory):
        signatures = [reading.signature] if reading.gap else [one.signature for one in reading.entries]
        for octets, signature in zip(octets_to_sign(reading), signatures, strict=True):
            if signature is None or not module.verify(octets, signature):
                wrong.append(f"a value of {reading.meter} at {reading.grid_s} has no good signature")
    wrong += [
        f"a derived value of {one.profile} at {one.derived.at_s} has no good signature"
        for one in read_derived(memory)
        if not module.verify(one.octets, one.signature)
    ]
    return wrong


def _kept(before: Rows, memory: NonVolatileMemory) -> list[str]:
    """Values stored before the cut are there unchanged, and log entries that the wrapping book has not let go."""
    now = rows_of(memory)
    wrong = [
        f"{table}: {len(before[table] - now[table])} rows from before the cut are gone or changed"
        for table in ("reading", "entry", "derived", "sent")
        if not before[table] <= now[table]
    ]
    gone = {(row[0], row[1]): row[2] for row in memory.query("SELECT book, owner, number FROM log_anchor")}
    missing = [row[:3] for row in before["log"] - now["log"] if row[2] > gone.get((row[0], row[1]), 0)]
    if missing:
        wrong.append(f"log: entries from before the cut are gone or changed: {sorted(missing)}")
    return wrong


def _same_world(memory: NonVolatileMemory, info: dict[str, Any]) -> list[str]:
    """What must be as if nothing had happened: the state, the grid, the values, the energy balance."""
    wrong = []
    if info["state"] != "run" or info["time_state"] != "synced" or info["causes"]:
        wrong.append(f"it runs no longer as before: {info}")
    if len(info["addressed"]) != 2:
        wrong.append(f"meters on the bus: {info['addressed']}")
    for meter in (FIRST, SECOND):
        instants = [row[0] for row in memory.query("SELECT grid_s FROM reading WHERE meter = ? ORDER BY 1", (meter,))]
        if not instants or any(b - a != GRID_S for a, b in pairwise(instants)):
            wrong.append(f"the grid of {meter} has holes: {instants}")
        if instants and instants[-1] != int(END.timestamp()) // GRID_S * GRID_S:
            wrong.append(f"the grid of {meter} ends at {instants[-1]}")
    midnight = int((BEGIN - timedelta(minutes=10)).timestamp())
    for grid_s, value in memory.query("SELECT grid_s, value FROM entry WHERE obis = '1-0:1.8.0*255'"):
        if int(value) != 1_000_000_000 + (grid_s - midnight) // GRID_S * 1_000_000:
            wrong.append(f"the value at {grid_s} is {value}")
    return wrong + _balance(memory)


def _balance(memory: NonVolatileMemory) -> list[str]:
    """Sum of the stages and the error register = difference of the total register, at every entry."""
    by_instant: dict[int, dict[str, int]] = {}
    for at_s, register, value in memory.query("SELECT at_s, register, value FROM derived WHERE value NOT NULL"):
        by_instant.setdefault(at_s, {})[register] = int(value)
    if not by_instant:
        return ["nothing was derived"]
    first = by_instant[min(by_instant)]["1-0:1.8.0*255"]
    wrong = []
    for at_s, registers in by_instant.items():
        total = registers.pop("1-0:1.8.0*255", None)
        if total is not None and total - first != sum(registers.values()):
            wrong.append(f"energy balance at {at_s}: {json.dumps(registers)} of {total - first}")
    return wrong


def instants(run: Uncut, rng: random.Random) -> list[float]:
    """For each commit two instants: somewhere while it is written, and right behind its end."""
    return [at for end in run.ends for at in (end - 0.01 * rng.uniform(0.02, 0.98), end + 0.0001)]
