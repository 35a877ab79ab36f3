"""A tap: listens on a byte port in both directions without disturbing it."""

from __future__ import annotations

from collections.abc import Callable

from devices.clock import Clock
from devices.ports.base import BytePort, Direction, LineSettings, PortLost, Receiver

Recorder = Callable[[float, Direction, bytes], None]
"""Called with ``clock.seconds()``, the direction as seen by the holder of the port, and the octets."""


class TappedPort:
    """A byte port that tells a recorder everything that passes; made by :func:`tap`.

    What is written is recorded when it is handed to the port, what is received when it has arrived; octets that
    nobody receives are recorded all the same.

    Attributes:
        name: of the port tapped.
        on_lost: called once when the port tapped is lost.
        line: of the port tapped, None when it has no line of its own.
    """

    def __init__(self, clock: Clock, port: BytePort, recorder: Recorder) -> None:
        self.name = port.name
        self.on_lost: Callable[[PortLost], None] | None = port.on_lost
        self.line: LineSettings | None = getattr(port, "line", None)
        self._clock = clock
        self._port = port
        self._recorder = recorder
        self._receiver: Receiver | None = None
        port.set_receiver(self._received)
        port.on_lost = self._lost

    def write(self, data: bytes) -> None:
        """Send `data` and record it as ``out``; what the port refuses is not recorded."""
        self._port.write(data)
        self._recorder(self._clock.seconds(), "out", bytes(data))

    def set_receiver(self, receiver: Receiver | None) -> None:
        """From now on give what arrives to `receiver`; None drops it, but it is still recorded."""
        self._receiver = receiver

    def close(self) -> None:
        """Close the port tapped."""
        self._receiver = None
        self._port.close()

    def _received(self, data: bytes) -> None:
        self._recorder(self._clock.seconds(), "in", data)
        if self._receiver is not None:
            self._receiver(data)

    def _lost(self, lost: PortLost) -> None:
        if self.on_lost is not None:
            self.on_lost(lost)


def tap(clock: Clock, port: BytePort, recorder: Recorder) -> TappedPort:
    """Put `recorder` between `port` and whoever uses it; from now on use what is returned instead of `port`."""
    return TappedPort(clock, port, recorder)
