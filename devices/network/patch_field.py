"""A patch field: the gateway's Ethernet sockets on one side, one separate network each on the other.

Each port carries whole Ethernet frames, one per write (a cable in memory keeps them apart). As delivered every
socket goes to the network of its own name and the networks are apart, so nothing passes from one socket to another:
the separation that a gateway must keep. Wrong cabling is made here, outside the gateway.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from devices.clock import Clock
from devices.errors import UsageError
from devices.ports.base import BytePort, PortLost, Receiver

ChangeKind = Literal["joined", "separated", "swapped", "plugged", "unplugged"]


@dataclass(frozen=True, slots=True)
class CablingChange:
    """Somebody changed the cabling.

    Attributes:
        t: ``clock.seconds()``.
        kind: what was done.
        names: networks (joined, separated) or sockets (swapped, plugged, unplugged).
    """

    t: float
    kind: ChangeKind
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FrameSeen:
    """A frame came out of a socket.

    Attributes:
        t: ``clock.seconds()``.
        socket: that sent it.
        network: that its cable goes to.
        forwarded_to: sockets that were handed the frame; empty when it was dropped, as it should be.
        data: the frame, from the destination address on, without preamble and check sequence.
    """

    t: float
    socket: str
    network: str
    forwarded_to: tuple[str, ...]
    data: bytes


class PatchField:
    """Where the cables of the gateway's sockets end.

    Attributes:
        on_change: called for every change of the cabling (evidence).
        on_frame: called for every frame out of a plugged socket (evidence).
        on_link: called with socket and state when a cable is plugged or pulled; a byte port has no link of its own.
    """

    def __init__(
        self,
        clock: Clock,
        sockets: Mapping[str, BytePort],
        *,
        on_change: Callable[[CablingChange], None] | None = None,
        on_frame: Callable[[FrameSeen], None] | None = None,
        on_link: Callable[[str, bool], None] | None = None,
    ) -> None:
        self.on_change = on_change
        self.on_frame = on_frame
        self.on_link = on_link
        self._clock = clock
        self._ports = dict(sockets)
        self._network_of = {name: name for name in sockets}
        self._plugged = set(sockets)
        self._joined: set[frozenset[str]] = set()
        self._listeners: dict[str, Receiver] = {}
        for name, port in sockets.items():
            port.set_receiver(lambda frame, name=name: self._frame(name, frame))  # type: ignore[misc]

    def network_of(self, socket: str) -> str:
        """The network that the cable of `socket` goes to."""
        return self._network_of[self._known(socket)]

    def join(self, first: str, second: str) -> None:
        """Put a wrong patch cable between two networks: frames pass from the one to the other."""
        pair = frozenset((self._known(first), self._known(second)))
        if len(pair) == 1:
            raise UsageError(f"network {first} cannot be joined with itself")
        if pair not in self._joined:
            self._joined.add(pair)
            self._changed("joined", first, second)

    def separate(self, *names: str) -> None:
        """Take wrong patch cables out: those between the networks named, or all of them."""
        chosen = {self._known(name) for name in names} or set(self._ports)
        for pair in sorted(self._joined, key=sorted):
            if pair <= chosen:
                self._joined.discard(pair)
                self._changed("separated", *sorted(pair))

    def swap(self, first: str, second: str) -> None:
        """Exchange the cables of two sockets; a second time puts them right again."""
        one, other = self._known(first), self._known(second)
        if one == other:
            raise UsageError(f"the cable of {first} cannot be exchanged with itself")
        self._network_of[one], self._network_of[other] = self._network_of[other], self._network_of[one]
        self._changed("swapped", first, second)

    def plugged(self, socket: str, plugged: bool) -> None:
        """Pull the cable of `socket` or put it back."""
        if plugged == (self._known(socket) in self._plugged):
            return
        if plugged:
            self._plugged.add(socket)
        else:
            self._plugged.discard(socket)
        self._changed("plugged" if plugged else "unplugged", socket)
        if self.on_link is not None:
            self.on_link(socket, plugged)

    def listen(self, network: str, receiver: Receiver | None) -> None:
        """Give the frames that reach `network` to `receiver`, as a host there would hear them."""
        if receiver is None:
            self._listeners.pop(self._known(network), None)
        else:
            self._listeners[self._known(network)] = receiver

    def send(self, network: str, frame: bytes) -> None:
        """Send `frame` as a host in `network` would."""
        self._deliver(self._reached(self._known(network)), frame)

    def close(self) -> None:
        """Let go of the cables; the ports stay with whoever opened them."""
        for port in self._ports.values():
            port.set_receiver(None)

    def _frame(self, socket: str, frame: bytes) -> None:
        if socket not in self._plugged:
            return
        network = self._network_of[socket]
        targets = tuple(name for name in self._reached(network) if name != socket)
        if self.on_frame is not None:
            self.on_frame(FrameSeen(self._clock.seconds(), socket, network, targets, frame))
        for name in sorted(self._joined_with(network)):
            if name in self._listeners:
                self._listeners[name](frame)
        self._deliver(targets, frame)

    def _deliver(self, sockets: Iterable[str], frame: bytes) -> None:
        for name in sockets:
            with contextlib.suppress(PortLost):  # a device that is gone hears nothing
                self._ports[name].write(frame)

    def _joined_with(self, network: str) -> set[str]:
        reached = {network}
        for _ in self._joined:  # as many rounds as there are cables reach every network there is
            reached |= {name for pair in self._joined if pair & reached for name in pair}
        return reached

    def _reached(self, network: str) -> list[str]:
        networks = self._joined_with(network)
        return sorted(name for name in self._plugged if self._network_of[name] in networks)

    def _known(self, name: str) -> str:
        if name not in self._ports:
            close = difflib.get_close_matches(name, self._ports, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]}?" if close else None
            raise UsageError(f"the patch field has no {name!r}, only {', '.join(self._ports)}", hint=hint)
        return name

    def _changed(self, kind: ChangeKind, *names: str) -> None:
        if self.on_change is not None:
            self.on_change(CablingChange(self._clock.seconds(), kind, names))
