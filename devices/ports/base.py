"""What every byte pipe offers, whatever carries it: serial line, pseudo-terminal, TCP, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from devices.errors import BenchError

Receiver = Callable[[bytes], None]
"""Called with octets as they arrive, at least one at a time."""

Direction = Literal["in", "out"]
"""Seen from the holder of the port: ``in`` was received, ``out`` was written."""


class PortLost(BenchError):
    """The far end or the adapter is gone: unplugged, closed, reset."""


@dataclass(frozen=True)
class LineSettings:
    """How octets stand on an asynchronous serial line.

    Attributes:
        baudrate: bits per second.
        data_bits: 5 to 8.
        parity: N(one), E(ven), O(dd).
        stop_bits: 1 or 2.
    """

    baudrate: int = 921_600
    data_bits: int = 8
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1

    def seconds(self, octets: int) -> float:
        """Time that `octets` take on the wire, start, parity and stop bits included."""
        bits = 1 + self.data_bits + (self.parity != "N") + self.stop_bits
        return octets * bits / self.baudrate


class BytePort(Protocol):
    """One end of a byte pipe. All calls come from the thread of the event loop.

    Attributes:
        name: for messages and evidence; holds nothing that changes from run to run (no /dev/pts number).
        on_lost: called once when the far end goes away without `close`; None: nobody cares.
    """

    name: str
    on_lost: Callable[[PortLost], None] | None

    def write(self, data: bytes) -> None:
        """Send `data`; it is queued and paced as the line demands.

        Raises PortLost on a closed port, `wire.PortCongested` (a BenchError) when the bounded queue is full.
        """

    def set_receiver(self, receiver: Receiver | None) -> None:
        """From now on give what arrives to `receiver`; None drops it."""

    def close(self) -> None:
        """Let go; may be called twice."""
