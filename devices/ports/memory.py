"""A cable in memory: two ports, each hearing what the other writes."""

from __future__ import annotations

from collections.abc import Callable

from devices.clock import Clock
from devices.ports.base import LineSettings, PortLost, Receiver
from devices.ports.wire import Wire


class MemoryPort:
    """One end of a cable in memory; made in pairs by :func:`memory_pair`.

    What one `write` takes arrives in one call of the receiver, so the cable may also carry whole Ethernet frames.
    When an end is closed, what it had written still arrives; then the other end is lost.

    Attributes:
        name: of this end, for messages and evidence.
        on_lost: called once when the other end is closed.
        line: how octets stand on the line, None for a cable without pacing.
    """

    def __init__(self, clock: Clock, name: str, line: LineSettings | None) -> None:
        self.name = name
        self.on_lost: Callable[[PortLost], None] | None = None
        self.line = line
        self._receiver: Receiver | None = None
        self._gone: str | None = None
        self._peer: MemoryPort | None = None
        self._wire = Wire(clock, line, self._arrived_there, name=name)

    @property
    def free_at(self) -> float:
        """``clock.seconds()`` at which the last bit written so far has left."""
        return self._wire.free_at

    def write(self, data: bytes) -> None:
        """Send `data` to the other end. Raises PortLost when one of the ends was closed."""
        if self._gone is not None:
            raise PortLost(f"{self.name}: {self._gone}")
        self._wire.send(bytes(data))

    def set_receiver(self, receiver: Receiver | None) -> None:
        """From now on give what arrives to `receiver`; None drops it."""
        self._receiver = receiver

    def close(self) -> None:
        """Let go; the other end is told behind the last octet."""
        if self._gone == _CLOSED:
            return
        self._gone = _CLOSED
        self._receiver = None
        self._wire.after(self._tell_peer)

    def _join(self, peer: MemoryPort) -> None:
        self._peer = peer

    def _arrived_there(self, data: bytes) -> None:
        if self._peer is not None and self._peer._receiver is not None:
            self._peer._receiver(data)

    def _tell_peer(self) -> None:
        peer = self._peer
        if peer is None or peer._gone is not None:
            return
        peer._gone = f"the other end ({self.name}) was closed"
        if peer.on_lost is not None:
            peer.on_lost(PortLost(f"{peer.name}: {peer._gone}"))


_CLOSED = "written to after close"


def memory_pair(
    clock: Clock, names: tuple[str, str] = ("a", "b"), line: LineSettings | None = None
) -> tuple[MemoryPort, MemoryPort]:
    """Two ends of one cable.

    Args:
        clock: whose time paces the line.
        names: of the two ends.
        line: with line settings octets arrive when their last bit is on the wire, each direction by itself;
            without, in the next turn of the loop.
    """
    ends = MemoryPort(clock, names[0], line), MemoryPort(clock, names[1], line)
    ends[0]._join(ends[1])
    ends[1]._join(ends[0])
    return ends
