"""`smgw-bench simulate`: the metering core over months in virtual time, measured beside its bare signatures."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from itertools import accumulate
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from bench.emulation import LongRun, bare_signatures, simulate_core
from bench.store import FolderLock
from devices import gateway_types
from devices.clock import run, wall_seconds
from devices.errors import BenchError, UsageError
from devices.gateway_types.model import GatewayType

_SPAN: Final = re.compile(r"(\d{1,4})(h|d|mo|y)")
EARLIEST: Final = date(2020, 1, 1)
LATEST: Final = date(2099, 12, 31)
"""Outside of these days a gateway believes no time (`ntp_earliest`, `ntp_latest` of its options)."""
MEMORY_FILE: Final = "memory.sqlite"
"""The gateway's memory in the folder of a simulation."""
STOPPED: Final = "metering_stopped"
"""Figure that is there only when metering stopped before the end: when, UTC."""
_LOCAL: Final = ZoneInfo("Europe/Berlin")
_ENERGY: Final = "1-0:1.8.0*255"
_WATT_HOUR: Final = 30
_PERIOD_S: Final = 900
_MOST_BEFORE: Final = 4096
"""Nobody wants to wait minutes before a long run begins, in which the speed evens out."""
_HOUR_US: Final = 3_600_000_000
_HOUSEHOLD: Final = (
    180, 150, 140, 135, 140, 190, 420, 610, 480, 390, 360, 430,
    590, 470, 380, 350, 410, 640, 880, 930, 790, 610, 420, 260,
)  # fmt: skip
"""Mean watts in each hour of a day, made up."""


def span_end(text: str, start: date) -> date:
    """The day on which a span such as ``40d``, ``15mo`` or ``1y`` from `start` is over.

    Raises:
        UsageError: another text, nothing at all, or a span in which no gateway has a time.
    """
    match = _SPAN.fullmatch(text)
    if match is None or not int(match[1]):
        raise UsageError(f"--span: {text!r} is no span of time", hint="for example 40d, 15mo or 1y")
    if start < EARLIEST:
        raise UsageError(f"--start: a gateway has no time before {EARLIEST}")
    try:
        end = _end(int(match[1]), match[2], text, start)
    except (ValueError, OverflowError):
        end = date.max
    if end > LATEST:
        raise UsageError(f"--span: a gateway has no time after {LATEST}")
    return end


def _end(count: int, unit: str, text: str, start: date) -> date:
    if unit == "h":
        raise UsageError(f"--span: {text!r} is no whole number of days", hint="for example 1d")
    if unit == "d":
        return date.fromordinal(start.toordinal() + count)
    months = start.year * 12 + start.month - 1 + count * (12 if unit == "y" else 1)
    if start.day > 28:
        raise UsageError("--start: months are counted from one of the first 28 days of a month only")
    return date(months // 12, months % 12 + 1, start.day)


def simulate(
    *,
    gateway: str,
    meters: int,
    span: str,
    tafs: list[int],
    start: date,
    seed: int,
    sign_ahead: int,
    out: Path,
    as_json: bool,
) -> int:
    """Run, print the figures; 0 when it went well, 1 when metering stopped before the end.

    Raises:
        UsageError: what was asked for makes no sense, or `out` holds a simulation already.
    """
    product = gateway_types.load(gateway)
    end = span_end(span, start)
    memory = out / MEMORY_FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be made: {error.strerror}") from error
    lock = FolderLock(out)
    try:
        if memory.exists():
            raise UsageError(f"{memory} exists already", hint="name a new folder, or remove the old simulation")
        with _ended_by_signal():
            figures = _simulated(product, meters, start, end, tafs, seed, sign_ahead, memory)
    finally:
        lock.release()
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        for name, value in figures.items():
            sys.stdout.write(f"{name:>23}  {value}\n")
    stopped = figures.get(STOPPED)
    if stopped is None:
        return 0
    sys.stderr.write(f"metering stopped on {stopped}; why is told by: smgw-bench logs export --data {out}\n")
    return 1


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: nothing half-done stays."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _simulated(
    product: GatewayType,
    meters: int,
    start: date,
    end: date,
    tafs: list[int],
    seed: int,
    sign_ahead: int,
    memory: Path,
) -> dict[str, float | int | str]:
    """Run into a file that gets its name when it is finished; what a killed one left is removed first.

    Bare signatures are timed half before, at most `_MOST_BEFORE`, and half after: processors change their speed.
    """
    unfinished = memory.with_name(f"{memory.name}.part")
    _remove(unfinished)
    plan = LongRun(
        product,
        _meters(meters, _midnight(start)),
        tuple(tafs),
        _midnight(start),
        _midnight(end),
        seed,
        sign_ahead,
        unfinished,
    )
    before = min(_MOST_BEFORE, meters * ((_midnight(end) - _midnight(start)) // _PERIOD_S) // 2)
    bare_s = bare_signatures(before)
    try:
        begin = wall_seconds()
        made = run(simulate_core(plan), virtual=True)
        wall_s = wall_seconds() - begin
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(memory)
    except sqlite3.Error as error:
        raise BenchError(f"{unfinished} cannot be written: {error}") from error
    finally:
        _remove(unfinished)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    after = max(0, made.signatures - before)
    bare_s = (bare_s + bare_signatures(after)) * made.signatures / max(1, before + after)
    octets = memory.stat().st_size
    figures: dict[str, float | int | str] = {
        "gateway": product.id,
        "meters": meters,
        "days": (end - start).days,
        "values": made.values,
        "signatures": made.signatures,
        "wall_s": round(wall_s, 3),
        "bare_signature_s": round(bare_s, 3),
        "ratio": round(wall_s / bare_s, 3) if bare_s else 0.0,
        "peak_rss_mb": round(peak_mb, 1),
        "disk_octets": octets,
        "disk_octets_per_value": round(octets / made.values, 1) if made.values else 0.0,
        "state": made.state,
    }
    figures |= {f"{book}_log_percent": round(100 * share, 1) for book, share in sorted(made.logs.items())}
    if made.stopped_s is not None:
        figures[STOPPED] = f"{datetime.fromtimestamp(made.stopped_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return figures


def _remove(unfinished: Path) -> None:
    for left in unfinished.parent.glob(f"{unfinished.name}*"):
        left.unlink()


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), _LOCAL).timestamp())


def _meters(count: int, begin_s: int) -> dict[str, Callable[[int], Sequence[tuple[str, int, int, int]]]]:
    """Meters with the day curve of a household, each a little larger than the one before."""
    return {f"1SMB00{number:08}": _meter(number, begin_s) for number in range(1, count + 1)}


def _meter(number: int, begin_s: int) -> Callable[[int], Sequence[tuple[str, int, int, int]]]:
    """Energy drawn since the begin in tenths of a watt-hour, exact, with the day curve of local winter time."""
    watts = [one + 7 * number for one in _HOUSEHOLD]
    sums = [0, *accumulate(watts)]
    zero_us, offset = begin_s * 1_000_000, 10_000 * number

    def answer(at_us: int) -> Sequence[tuple[str, int, int, int]]:
        days, rest = divmod(max(0, at_us - zero_us), 24 * _HOUR_US)
        hour, left = divmod(rest, _HOUR_US)
        drawn = ((days * sums[24] + sums[hour]) * _HOUR_US + watts[hour] * left) * 10 // _HOUR_US
        return ((_ENERGY, offset + drawn, -1, _WATT_HOUR),)

    return answer
