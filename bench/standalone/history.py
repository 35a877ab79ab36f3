"""Fills in the values of the last days: the gateway runs through them in virtual time, on the same memory."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from bench.scenario.contract_models import LOCAL
from bench.standalone.data_dir import DataFolder
from bench.standalone.meters import DirectMeters
from bench.standalone.plan import Plan, Profile
from bench.standalone.unit import apply, plugged_in
from bench.tools.stopping import stopped
from devices.clock import Clock, run, wall_now, wall_seconds
from devices.errors import UsageError
from devices.ports.memory import memory_pair

LEAD: Final = timedelta(minutes=5)
"""How long before its first values the gateway is switched on."""
STEP_S: Final = 900.0
"""Virtual seconds between two looks at how far it is."""
CLOSE_S: Final = 0.2
"""So near to the present it ends: what is missing then is less than any grid."""
TELL_S: Final = 0.5
"""Wall seconds between two of its reports."""
LONGEST_DAYS: Final = 800
T = TypeVar("T")
_SPAN: Final = re.compile(r"(\d{1,4})(h|d|w|mo|y)")
_QUICK: Final[dict[str, Any]] = {
    "storage_write_time_s": 0.0,
    "separation_test_interval_s": 86_400.0,
    "integrity_check_interval_s": 86_400.0,
    "integrity_check_readings": 64,
    "integrity_check_cycle_readings": 64,
    "integrity_check_signatures": 2,
    "integrity_check_signatures_at_start": 1,
}
"""Looks at what was stored a moment ago, which nobody can have damaged meanwhile, are few."""


class Stopped(Exception):
    """Somebody wanted the end; `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def begin_of_history(text: str, now: datetime) -> datetime:
    """The local midnight, with ``h`` the hour, at which a history such as ``40d``, ``6h`` or ``2026-10-01`` begins.

    Raises:
        UsageError: another text, nothing, or more than LONGEST_DAYS.
    """
    local = now.astimezone(LOCAL)
    match = _SPAN.fullmatch(text)
    if match is None:
        try:
            begin = datetime.combine(date.fromisoformat(text), time(), LOCAL)
        except ValueError:
            raise _wrong(text, "is no span of time") from None
    else:
        begin = _back(local, int(match[1]), match[2])
    if begin >= local:
        raise _wrong(text, "is nothing, or not past")
    if now - begin > timedelta(days=LONGEST_DAYS):
        raise _wrong(text, f"is more than {LONGEST_DAYS} days")
    return begin


def _wrong(text: str, problem: str) -> UsageError:
    return UsageError(f"--history: {text!r} {problem}", hint="for example 40d, 6h, 2mo, or a day such as 2026-10-01")


def _back(local: datetime, count: int, unit: str) -> datetime:
    if unit == "h":
        hour = datetime.fromtimestamp(local.timestamp() // 3600 * 3600, LOCAL)
        return datetime.fromtimestamp(hour.timestamp() - 3600 * count, LOCAL)
    if unit in ("d", "w"):
        days = count * (7 if unit == "w" else 1)
        return datetime.combine(local.date() - timedelta(days=min(days, 4000)), time(), LOCAL) if days else local
    months = local.year * 12 + local.month - 1 - count * (12 if unit == "y" else 1)
    if not count or months < 12 * 1970:
        return local if not count else datetime(1970, 1, 1, tzinfo=LOCAL)
    year, month = months // 12, months % 12 + 1
    last = (date(months // 12 + (month == 12), month % 12 + 1, 1) - timedelta(days=1)).day
    return datetime.combine(date(year, month, min(local.day, last)), time(), LOCAL)


@dataclass(frozen=True)
class Stretch:
    """A stretch of time until now that a gateway shall have lived through.

    Attributes:
        plan: the gateway.
        folder: its data; knows the origin.
        memory: file that is filled.
        since: where it begins, not before the origin.
        profiles: what the gateway is given when it has started, for the time that it is then.
        tell: called with the share that is done.
        durable: the memory is in use already, so that commits are awaited on the disk.
    """

    plan: Plan
    folder: DataFolder
    memory: Path
    since: datetime
    profiles: Callable[[datetime], Sequence[Profile]]
    tell: Callable[[float], None]
    durable: bool


def fill(stretch: Stretch) -> list[str]:
    """Run through it. Returns what `apply` says.

    Raises:
        Stopped: somebody wanted the end.
        UsageError: the gateway refuses a profile, or a meter cannot be.
    """
    return run(_filled(stretch), virtual=True)


async def _filled(stretch: Stretch) -> list[str]:
    with ExitStack() as stack:
        stop = stopped(stack)
        try:
            return await unless_stopped(_through(stretch), stop)
        finally:
            stop.cancel()


async def unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Future[int]) -> T:
    """The result of `work`, which is broken off when `stop` is done before. Raises Stopped, and what `work` raises."""
    task = asyncio.ensure_future(work)
    await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    raise Stopped(stop.result())


async def _through(stretch: Stretch) -> list[str]:
    folder, plan, since = stretch.folder, stretch.plan, stretch.since
    assert folder.kept is not None
    loop, origin = asyncio.get_running_loop(), folder.kept.origin
    clock = Clock(loop, origin, elapsed_s=(since - origin).total_seconds())
    meters = DirectMeters(clock, plan)
    options = {**plan.options(real_boot=False), **_QUICK}
    lmn = memory_pair(clock)[1]
    begun, told = wall_now(), wall_seconds()
    span_s = max(1.0, (begun - since).total_seconds())
    try:
        async with plugged_in(
            clock, plan, stretch.memory, lmn, meters.antenna, options=options, direct=meters, durable=stretch.durable
        ) as unit:
            await unit.ready()
            left = await apply(unit, folder, stretch.profiles(clock.now()))
            while (missing_s := (wall_now() - clock.now()).total_seconds()) > CLOSE_S:
                await clock.sleep(min(STEP_S, missing_s))
                if wall_seconds() - told > TELL_S:
                    told = wall_seconds()
                    stretch.tell(min(1.0, (clock.now() - since).total_seconds() / span_s))
            await clock.sleep(0.01)  # a reading that has just begun comes to its end
            await unit.plug.settle()
        return left
    finally:
        meters.close()
