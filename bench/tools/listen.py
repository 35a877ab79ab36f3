"""`smgw-bench listen`: what radio meters say, through a stick: a live table, or a line for each telegram."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from bench.quantity import printable, text_of
from bench.tools.connection import EMULATED
from bench.tools.emulated_air import DEMONSTRATION, EmulatedAir
from bench.tools.heard_meters import HeardMeter, HeardMeters, HeardTelegram
from bench.tools.radio_keys import RadioKeys, read_keys
from bench.tools.screen import Screen
from bench.tools.stick_guard import Ended, ended_by
from bench.tools.stick_port import AUTO, StickOptions, opened_stick
from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.ports.base import BytePort
from devices.ports.memory import memory_pair
from devices.wmbus.kinds import STICKS, comes_to_its_end
from devices.wmbus.stick import StickDriver

if TYPE_CHECKING:
    from rich.table import Table

REFRESH_S: Final = 0.5
"""Between two pictures of the table."""
_COLUMNS: Final = ("meter", "kind", "count", "last", "interval", "rssi", "mode", "security", "values")
_RIGHT: Final = ("count", "last", "interval", "rssi")
_WRAPPED: Final = ("kind", "security", "values")
_LEAST_WIDTH: Final = 9


@dataclass(frozen=True)
class ListenOptions:
    """What `smgw-bench listen` was asked.

    Attributes:
        stick: through which stick; port ``emulated``: one in this program, among emulated meters.
        keys: file of keys, see `radio_keys`.
        json: a line of JSON for each telegram.
        for_s: how long; None: until it is stopped.
    """

    stick: StickOptions
    keys: Path | None = None
    json: bool = False
    for_s: float | None = None


async def listen(clock: Clock, options: ListenOptions, screen: Screen, out: TextIO | None = None) -> int:
    """Listen until SIGINT, SIGTERM or the end of the time, which begins at once; returns the exit code 0, 130 or 143.

    Raises UsageError and BenchError for what does not work from the start, BenchError for a stick that stays away or
    is not there at the end.
    """
    out = out or sys.stdout
    keys = RadioKeys() if options.keys is None else read_keys(options.keys)
    heard = HeardMeters(clock, keys)
    end = Ended(options.stick.port, screen, piped=comes_to_its_end(options.stick.port))

    async def work() -> None:
        stick: StickDriver[Any] | None = None
        try:
            async with _stick(clock, options.stick, screen, heard) as stick:
                end.watch(stick)
                stick.on_frame = lambda reception: end.guard(heard.take, reception)
                screen.say("listening", what=stick.receive.value.upper())
                async with _view(clock, options, screen, heard, stick, out):
                    await end.future
        finally:
            if stick is not None:
                screen.say(
                    "heard_summary",
                    telegrams=heard.telegrams,
                    meters=len(heard.meters),
                    noise=stick.noise,
                    spoilt=heard.spoilt,
                )

    return await ended_by(clock, options.for_s, work(), end.missing)


@asynccontextmanager
async def _stick(
    clock: Clock, options: StickOptions, screen: Screen, heard: HeardMeters
) -> AsyncIterator[StickDriver[Any]]:
    if options.port != EMULATED:
        async with opened_stick(clock, options, screen) as stick:
            yield stick
        return
    if options.kind == AUTO:
        raise UsageError("an emulated stick has to be of some kind", hint=f"--stick {next(iter(STICKS))}")
    screen.say("air_emulated")
    air = EmulatedAir(clock)
    try:
        for name, given in DEMONSTRATION.items():
            air.add(name, given)
            key = air.key_of(name)
            if key is not None:
                heard.keys.add(given.id, key)
        near, far = memory_pair(clock, (EMULATED, "stick"), STICKS[options.kind].line)
        emulated = air.stick(options.kind, far)
        air.start()
        ends: list[BytePort] = [near]

        def once(_: int) -> BytePort:
            if not ends:
                raise BenchError("the emulated stick has only one end")
            return ends.pop()

        async with opened_stick(clock, options, screen, once) as stick:
            yield stick
        emulated.close()
    finally:
        air.close()


# --- what is shown


@asynccontextmanager
async def _view(
    clock: Clock, options: ListenOptions, screen: Screen, heard: HeardMeters, stick: StickDriver[Any], out: TextIO
) -> AsyncIterator[None]:
    if options.json:
        heard.on_telegram = lambda telegram: _print(telegram.as_json(stick.kind), out)
        yield
    elif not out.isatty():
        heard.on_telegram = lambda telegram: _print(telegram_line(telegram, screen), out)
        yield
    else:
        async with _table(clock, screen, heard, out):
            yield


def _print(line: str, out: TextIO) -> None:
    out.write(line + "\n")
    out.flush()


@asynccontextmanager
async def _table(clock: Clock, screen: Screen, heard: HeardMeters, out: TextIO) -> AsyncIterator[None]:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=out), auto_refresh=False) as live:

        async def refresh() -> None:
            while True:
                live.update(table_of(heard, clock.seconds(), screen), refresh=True)
                await clock.sleep(REFRESH_S)

        task = asyncio.ensure_future(refresh())
        try:
            yield
        finally:
            task.cancel()
            live.update(table_of(heard, clock.seconds(), screen), refresh=True)


def table_of(heard: HeardMeters, now_s: float, screen: Screen) -> Table:
    """The meters heard so far, in the order in which they came."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in _COLUMNS:
        justify: Literal["left", "right"] = "right" if name in _RIGHT else "left"
        wraps = name in _WRAPPED
        least = _LEAST_WIDTH if wraps else None
        table.add_column(screen.word(f"column_{name}"), justify=justify, no_wrap=not wraps, min_width=least)
    for meter in heard.meters.values():
        style = "red" if meter.trouble else None
        last = f"{max(0.0, now_s - meter.last_s):.0f} s"
        table.add_row(*(Text(printable(cell)) for cell in _cells(meter, last, screen)), style=style)
    return table


def _cells(meter: HeardMeter, last: str, screen: Screen) -> tuple[str, ...]:
    interval = "" if meter.interval_s is None else f"{meter.interval_s:.1f} s"
    rssi = "" if meter.rssi_dbm is None else f"{meter.rssi_dbm:.0f}"
    values = ", ".join(meter.values) if meter.values else meter.trouble
    kind = kind_of(meter, screen)
    return meter.number, kind, str(meter.count), last, interval, rssi, meter.mode or "?", meter.security, values


def kind_of(meter: HeardMeter, screen: Screen) -> str:
    """What it measures, in words."""
    return screen.word(f"medium_{meter.number[0]}", type=f"{meter.address.type:02X}")


def telegram_line(telegram: HeardTelegram, screen: Screen) -> str:
    """A telegram for people, where no table can be shown."""
    at = f"{telegram.at.astimezone():%H:%M:%S.%f}"[:-3]
    reception, meter = telegram.reception, telegram.meter
    if meter is None:
        octets = reception.telegram.hex().upper()
        return f"{at} {screen.word('no_telegram', text=printable(telegram.trouble))}: {octets}"
    rssi = "" if meter.rssi_dbm is None else f"{meter.rssi_dbm:.0f} dBm"
    every = "" if meter.interval_s is None else text_of(round(meter.interval_s, 1))
    mode = meter.mode or "?"
    parts = (meter.number, kind_of(meter, screen), f"#{meter.count}", every, rssi, mode, meter.security)
    values = "; ".join((*meter.values, *((meter.trouble,) if meter.trouble else ())))
    return printable(f"{at} {'  '.join(filter(None, (*parts, values)))}")
