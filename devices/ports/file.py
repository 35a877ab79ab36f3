"""A file in place of a port: what a program wrote is read as if it came just now, until the end of the file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from devices.errors import BenchError
from devices.ports.base import PortLost, Receiver

_READ_SIZE = 65_536


class FilePort:
    """Octets of a regular file, or of ``/dev/null``, which no event loop can watch; begins with a receiver.

    Attributes:
        name: for messages and evidence.
        on_lost: called once at the end of the file.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        """Take over an open descriptor."""
        self.name = name
        self.on_lost: Callable[[PortLost], None] | None = None
        self._descriptor: int | None = descriptor
        self._receiver: Receiver | None = None
        self._turn: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Raises BenchError: nobody reads it."""
        raise BenchError(f"{self.name} is a file, no stick: only what rtl_wmbus wrote can be read from one")

    def set_receiver(self, receiver: Receiver | None) -> None:
        """From now on give what the file holds to `receiver`, a piece in each turn of the loop; None: wait."""
        self._receiver = receiver
        if receiver is not None and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._read)

    def close(self) -> None:
        """Let go; may be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        self._receiver = None
        if self._turn is not None:
            self._turn.cancel()
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _read(self) -> None:
        self._turn = None
        if self._descriptor is None or self._receiver is None:
            return
        try:
            octets = os.read(self._descriptor, _READ_SIZE)
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        if not octets:
            self._end("the file has ended")
            return
        self._turn = asyncio.get_running_loop().call_soon(self._read)
        self._receiver(octets)

    def _end(self, reason: str) -> None:
        told = self.on_lost
        self.close()
        if told is not None:
            told(PortLost(f"{self.name}: {reason}"))


def is_file(path: str | Path | int) -> bool:
    """Whether `path`, or an open descriptor, is read to its end at once: a regular file or the null device."""
    try:
        found = os.fstat(path) if isinstance(path, int) else Path(path).stat()
        null = Path(os.devnull).stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) or (stat.S_ISCHR(found.st_mode) and found.st_rdev == null.st_rdev)
