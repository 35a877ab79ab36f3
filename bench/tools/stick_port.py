"""How a tool gets to a wM-Bus stick: opens its port, finds out what sits there when it was not told, sets it up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from bench.tools.screen import Screen
from devices.clock import Clock
from devices.errors import UsageError
from devices.ports.base import BytePort
from devices.wmbus.identify import ALL_S, find_stick
from devices.wmbus.kinds import STANDARD_INPUT, STICKS, comes_to_its_end, make_stick, port_at
from devices.wmbus.rtl_wmbus import RtlWmbusStick
from devices.wmbus.stick import Receive, Reopening, StickDriver

AUTO: Final = "auto"
"""Kind that stands for: find out."""
OPEN_S: Final = 10.0
"""How long opening and setting up may take."""


@dataclass(frozen=True, slots=True)
class StickOptions:
    """A stick as a person names it.

    Attributes:
        kind: see `devices.wmbus.kinds.STICKS`, or AUTO.
        port: a serial line, a pipe with a name, a file, or ``-`` for what is piped into this program.
        baudrate: None: the stick's usual one.
        receive: what to listen to; None: what is usual for the stick.
        transparent: an AMB8465 gives its telegrams bare.
    """

    kind: str
    port: str
    baudrate: int | None = None
    receive: Receive | None = None
    transparent: bool = False


@asynccontextmanager
async def opened_stick(
    clock: Clock, options: StickOptions, screen: Screen, open_at: Callable[[int], BytePort] | None = None
) -> AsyncIterator[StickDriver[Any]]:
    """A stick, open and set up; closed at the end.

    Args:
        clock: of the running loop.
        options: which one.
        screen: told what is found and what goes wrong later.
        open_at: opens the port at a speed; None: the one that `options` name.

    Raises UsageError and BenchError for what does not work from the start.
    """
    open_at = open_at or port_at(options.port)
    kind = options.kind
    if kind == AUTO:
        if options.port == STANDARD_INPUT:
            raise UsageError("what is piped in cannot be asked what it is", hint="--stick rtl_wmbus")
        if comes_to_its_end(options.port):
            raise UsageError(f"{options.port} is a file and cannot be asked what it is", hint="--stick rtl_wmbus")
        screen.say("looking", port=options.port)
        kind = (await find_stick(clock, open_at, clock.deadline(ALL_S), options.port)).kind
    baudrate = options.baudrate or STICKS[kind].line.baudrate
    once = Reopening(tries=0) if comes_to_its_end(options.port) else None
    stick = make_stick(
        clock,
        kind,
        lambda: open_at(baudrate),
        receive=options.receive,
        transparent=options.transparent,
        reopening=once,
    )
    try:
        await stick.open(clock.deadline(OPEN_S))
        identity = await stick.identify(clock.deadline(OPEN_S))
        word = "stick_program" if kind == RtlWmbusStick.kind else "stick"
        screen.say(word, identity=identity, port=options.port, baudrate=baudrate)
        yield stick
    finally:
        stick.close()
