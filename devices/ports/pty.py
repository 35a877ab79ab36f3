"""Pseudo-terminals: the emulated other end of a serial line that a driver, or any program, opens by its path."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import tty

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.base import LineSettings, PortLost
from devices.ports.descriptor import DescriptorPort
from devices.ports.wire import Wire

_BAUDRATES: dict[int, int] = {
    value: int(name[1:]) for name, value in vars(termios).items() if name[0] == "B" and name[1:].isdigit()
}
"""Speed constants of this platform's termios -> bits per second."""


_FRAME = 2048
"""Octets that a burst of the other side may have and still arrive as one piece."""

_HELD = 1 << 16
"""Octets of the other side that may be on the line before no more are taken from it."""


class PtyPort(DescriptorPort):
    """The emulator's end of a pseudo-terminal; made by :func:`pty_pair`.

    A pseudo-terminal passes octets at once, whatever speed is set. This end therefore keeps the line's time in both
    directions: what it writes leaves when the last bit would be on the wire, and what the other side writes is
    handed to the receiver when its last bit would have arrived (feasibility 3).

    The other side may be closed and opened again at will: this end keeps the line up, as an adapter that stays
    plugged in. It is therefore never lost.

    Attributes:
        path: of the terminal to be opened by the other side; differs from run to run, so keep it out of evidence.
        line: how octets stand on the line, None for no pacing.
    """

    def __init__(self, clock: Clock, master: int, slave: int, name: str, line: LineSettings | None) -> None:
        super().__init__(master, name)
        self.path = os.ttyname(slave)
        self.line = line
        self._slave = slave
        self._outward = Wire(clock, line, self._leave, name=name)
        self._inward = Wire(clock, line, super()._received, name=name, merge=_FRAME)

    def write(self, data: bytes) -> None:
        """Send `data` at the pace of the line. Raises PortLost after `close`, PortCongested beyond the queue."""
        if self._gone is not None:
            raise PortLost(f"{self.name}: {self._gone}")
        if self.line is None:
            self._leave(data)
        else:
            self._outward.send(bytes(data))

    def baudrate_set(self) -> int | None:
        """Bits per second that the other side has set, None when it is no standard speed.

        Parity and character size cannot be seen: the pseudo-terminal driver forces 8 bits without parity.
        """
        return _BAUDRATES.get(termios.tcgetattr(self._slave)[5])

    def close(self) -> None:
        """Take the line down: the other side is lost. Octets not yet on the wire are dropped."""
        if self._gone is None:
            self._outward.cut()
            self._inward.cut()
        super().close()

    def _leave(self, data: bytes) -> None:
        super().write(data)
        # The kernel hands octets over in a work queue; polling the terminal itself waits for that, so that
        # virtual time does not jump past what is already written.
        poll = select.poll()
        poll.register(self._slave, select.POLLIN)
        poll.poll(0)

    def _received(self, data: bytes) -> None:
        if self.line is None:
            super()._received(data)
        else:
            self._inward.send(data)
            if self._inward.queued > _HELD:  # whoever writes faster than the line waits, as at a real one
                self._loop.remove_reader(self._descriptor)
                self._inward.after(self._read_on)

    def _read_on(self) -> None:
        if self._gone is None:
            self._loop.add_reader(self._descriptor, self._readable)

    def _close_descriptor(self) -> None:
        super()._close_descriptor()
        with contextlib.suppress(OSError):
            os.close(self._slave)


def pty_pair(clock: Clock, line: LineSettings | None = None, *, name: str = "pty") -> tuple[PtyPort, str]:
    """A pseudo-terminal in raw mode: the emulator's end, and the path at which the other side opens it.

    Raises BenchError when the system has none left.
    """
    try:
        master, slave = os.openpty()
    except OSError as error:
        raise BenchError(f"{name}: no pseudo-terminal to be had ({error.strerror})") from error
    tty.setraw(slave)
    port = PtyPort(clock, master, slave, name, line)
    return port, port.path
