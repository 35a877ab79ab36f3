"""Finds out which stick sits on a port: one after the other is asked in its own language, at its own speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devices.clock import Clock, Deadline
from devices.errors import BenchError
from devices.ports.base import BytePort
from devices.wmbus.kinds import STICKS
from devices.wmbus.stick import StickRefused, StickSilent

PROBE_ORDER: Final = ("im871a", "iu891a", "amb8465", "rc1180", "cul")
"""Questions with check sequences first, those that a wrong stick could take for something else last."""
PROBE_S: Final = 1.5
"""How long one stick is asked for."""
ALL_S: Final = PROBE_S * len(PROBE_ORDER) + 0.5
"""How long the search takes at most."""


@dataclass(frozen=True, slots=True)
class Found:
    """A stick that answered.

    Attributes:
        kind: see `devices.wmbus.kinds.STICKS`.
        identity: what it says of itself.
        baudrate: at which it answered.
    """

    kind: str
    identity: str
    baudrate: int


async def find_stick(clock: Clock, open_at: Callable[[int], BytePort], deadline: Deadline, port: str) -> Found:
    """Ask who sits on a port; the port is closed again.

    Args:
        clock: of the running loop.
        open_at: opens the port at a speed.
        deadline: for all of them; ALL_S is enough.
        port: its name, for messages.

    Raises BenchError when the port cannot be opened or is lost, or when nobody answers.
    """
    tried = []
    for kind in PROBE_ORDER:
        if deadline.passed:
            break
        driver = STICKS[kind]
        baudrate = driver.line.baudrate

        def open_port(baudrate: int = baudrate) -> BytePort:
            return open_at(baudrate)

        stick = driver(clock, open_port, watch_s=None)
        try:
            identity = await stick.probe(clock.deadline(min(PROBE_S, deadline.remaining)))
        except (StickSilent, StickRefused):
            came = f"{stick.noise} octets of something else" if stick.noise else "nothing"
            tried.append(f"{driver.title} at {baudrate} Bd: {came}")
        else:
            return Found(kind, identity, baudrate)
    raise BenchError(
        f"{port}: no wM-Bus stick answers ({'; '.join(tried)}); right would be one of {', '.join(PROBE_ORDER)}. "
        "A program's output is never asked: name rtl_wmbus yourself"
    )
