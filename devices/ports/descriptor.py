"""A byte port on a file descriptor of the operating system, read and written by the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
from collections.abc import Callable

from devices.ports.base import PortLost, Receiver
from devices.ports.wire import QUEUE_LIMIT, PortCongested

_READ_SIZE = 65_536
_EMPTY_READS = 8
"""How many reads in a row may bring nothing although the descriptor was ready, before the port counts as lost."""
_CLOSED = "written to after close"
_REASONS = {
    errno.EIO: "the other end or the adapter is gone",
    errno.ENXIO: "the adapter is gone",
    errno.ENODEV: "the adapter was unplugged",
    errno.EBADF: "the descriptor was closed",
}


class DescriptorPort:
    """Octets through a terminal descriptor; the base of pseudo-terminals and serial lines.

    Reading starts at once, so that what arrives before a receiver is set does not appear later as if it were new.

    Attributes:
        name: for messages and evidence.
        on_lost: called once when the far end or the adapter goes away.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self.on_lost: Callable[[PortLost], None] | None = None
        self._descriptor = descriptor
        self._receiver: Receiver | None = None
        self._gone: str | None = None
        self._unsent = bytearray()
        self._empty_reads = 0
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._readable)

    def write(self, data: bytes) -> None:
        """Send `data`; what the descriptor does not take at once waits in a queue.

        Raises:
            PortLost: the port was closed or lost.
            PortCongested: more than QUEUE_LIMIT octets wait.
        """
        if self._gone is not None:
            raise PortLost(f"{self.name}: {self._gone}")
        if len(self._unsent) + len(data) > QUEUE_LIMIT:
            raise PortCongested(f"{self.name}: {len(self._unsent)} octets wait already, the limit is {QUEUE_LIMIT}")
        if self._unsent:
            self._unsent += data
            return
        taken = self._put(data)
        if taken < len(data) and self._gone is None:
            self._unsent += data[taken:]
            self._loop.add_writer(self._descriptor, self._writable)

    def set_receiver(self, receiver: Receiver | None) -> None:
        """From now on give what arrives to `receiver`; None drops it."""
        self._receiver = receiver

    def close(self) -> None:
        """Let go; octets that still wait are dropped."""
        if self._gone is None:
            self._release(_CLOSED)
        self._gone = _CLOSED

    def _received(self, data: bytes) -> None:
        if self._receiver is not None:
            self._receiver(data)

    def _close_descriptor(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def _put(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._descriptor, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            # Told in the next turn of the loop: nobody expects on_lost from inside a write.
            self._loop.call_soon(self._lose, _reason(error))
            return len(data)

    def _writable(self) -> None:
        taken = self._put(self._unsent)
        del self._unsent[:taken]
        if not self._unsent and self._gone is None:
            self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(_reason(error))
            return
        if data:
            self._empty_reads = 0
            self._received(data)
            return
        self._empty_reads += 1
        if self._hung_up() or self._empty_reads >= _EMPTY_READS:
            self._lose("the other end or the adapter is gone")

    def _hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))

    def _release(self, gone: str) -> None:
        self._gone = gone
        self._receiver = None
        self._unsent.clear()
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        self._close_descriptor()

    def _lose(self, reason: str) -> None:
        if self._gone is not None:
            return
        self._release(reason)
        if self.on_lost is not None:
            self.on_lost(PortLost(f"{self.name}: {reason}"))


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, error.strerror or str(error))
