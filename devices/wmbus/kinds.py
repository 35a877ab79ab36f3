"""The sticks by the names that commands and bench files use, and their ports."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from devices.clock import Clock
from devices.errors import BenchError, UsageError
from devices.ports.base import BytePort, LineSettings
from devices.ports.descriptor import DescriptorPort
from devices.ports.file import FilePort, is_file
from devices.ports.serial import open_serial
from devices.wmbus.amb8465 import Amb8465Stick
from devices.wmbus.cul import CulStick
from devices.wmbus.im871a import Im871aStick
from devices.wmbus.iu891a import Iu891aStick
from devices.wmbus.rc1180 import Rc1180Stick
from devices.wmbus.rtl_wmbus import RtlWmbusStick
from devices.wmbus.stick import PortFactory, Receive, Reopening, StickDriver

STICKS: Final[dict[str, type[StickDriver[Any]]]] = {
    one.kind: one for one in (Im871aStick, Iu891aStick, Amb8465Stick, Rc1180Stick, CulStick, RtlWmbusStick)
}
"""Kind -> driver."""
STANDARD_INPUT: Final = "-"
"""Port that stands for what is piped into this program."""


def make_stick(
    clock: Clock,
    kind: str,
    open_port: PortFactory,
    *,
    receive: Receive | None = None,
    transparent: bool = False,
    reopening: Reopening | None = None,
) -> StickDriver[Any]:
    """A driver, not yet opened.

    Args:
        clock: of the running loop.
        kind: see STICKS.
        open_port: opens its port.
        receive: what to listen to; None: what is usual for it.
        transparent: of an AMB8465, see there.
        reopening: how a lost port is opened again.

    Raises UsageError for an unknown kind, or what this one cannot do.
    """
    if kind not in STICKS:
        raise UsageError(f"there is no stick {kind!r}", hint=f"there are {', '.join(STICKS)}")
    if kind == Amb8465Stick.kind:
        return Amb8465Stick(clock, open_port, receive=receive, transparent=transparent, reopening=reopening)
    if transparent:
        raise UsageError(f"{STICKS[kind].title} has no transparent mode", hint="only the AMB8465 has two modes")
    return STICKS[kind](clock, open_port, receive=receive, reopening=reopening)


def port_at(path: str | Path) -> Callable[[int], BytePort]:
    """Opens `path` at a speed, as often as it is called: a serial line, a pipe with a name, a file, or ``-``."""

    def open_at(baudrate: int) -> BytePort:
        if str(path) == STANDARD_INPUT:
            return _standard_input()
        if is_file(path):
            try:
                return FilePort(os.open(path, os.O_RDONLY), str(path))
            except OSError as error:
                raise BenchError(f"{path} cannot be read: {error.strerror}") from error
        if Path(path).is_fifo():
            try:
                return DescriptorPort(os.open(path, os.O_RDONLY | os.O_NONBLOCK), str(path))
            except OSError as error:
                raise BenchError(f"pipe {path} cannot be opened: {error.strerror}") from error
        return open_serial(path, LineSettings(baudrate), name=str(path))

    return open_at


def comes_to_its_end(path: str | Path) -> bool:
    """Whether what comes through `path` has an end that is no trouble: a file, or what is piped into this program."""
    return str(path) == STANDARD_INPUT or is_file(path)


def _standard_input() -> BytePort:
    try:
        own = os.dup(0)
    except OSError as error:
        raise BenchError("standard input is closed: name a file, or let a program write into a pipe") from error
    return FilePort(own, "standard input") if is_file(own) else DescriptorPort(own, "standard input")
