"""The bench's end of the LMN cable: a half-duplex RS-485 bus with the bench's stations on it.

One :class:`BytePort` leads to the gateway, be it a real adapter or the emulated cable. Everybody hears everybody
else and nobody hears himself; two drivers at a time spoil what both send (lmn-wired 1.1).

Who takes the time of the wire
------------------------------
Octets are heard when their last bit is on the wire. Two kinds of port are told apart by `port_paces`:

* The port takes no time (a memory pair without line settings): the bus times both directions. What the gateway
  writes occupies the bus from that moment on; what a station sends reaches the port in one piece at its end.
* The port takes time itself (real adapter, pseudo-terminal, memory pair with line settings): what comes out of it
  has just been on the wire, so it occupies the time before. What a station sends is passed on in groups of
  ``GROUP_OCTETS``, each when it is over on the bus, so that the wire is not paid for twice: the gateway hears
  the end one group (0.17 ms at 921 600 Bd) later than the stations do. A port whose attribute ``whole`` is true, as
  that of a real adapter, gets each transmission in one piece instead, when it is over on the bus: gaps within a frame
  and a driver that lets go between two groups would be worse than a frame's time of delay.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Protocol

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.base import BytePort, LineSettings, PortLost

GATEWAY = "gateway"
"""Name in the evidence of whoever is at the other end of the port."""

GROUP_OCTETS = 16
"""Octets handed at a time to a port that paces; small against a frame, large against the work of a timer."""

_SPOIL = 0x55
_RECENT = 8

Transmit = Callable[[bytes], None]
"""Puts octets on the bus, now or, when the same station is still sending, behind that."""

EVERYBODY: Final = -1
"""Octets that concern everybody."""
NOBODY: Final = -2
"""Octets that concern none of those who are tuned."""

Concern = Callable[[bytes], int]
"""Whom the octets of a transmission concern: those who are tuned to that number, EVERYBODY or NOBODY."""

Evidence = Callable[[float, str, bytes, bool], None]
"""Called at the end of each transmission: ``clock.seconds()`` of its last bit, name of the sender (station name or
``gateway``), octets as they were on the wire, whether a collision spoilt some of them."""


class Station(Protocol):
    """Somebody on the bus.

    Attributes:
        name: for the evidence; one of a kind on its bus.
    """

    name: str

    def receive(self, data: bytes) -> None:
        """Take octets that somebody else sent, at the time of their last bit."""


@dataclass(eq=False)
class _Transmission:
    """Octets under way."""

    source: str
    sent: bytes
    octets: bytearray
    began: float
    ends: float
    spoilt: bool = False
    passed_on: int = 0


@dataclass(eq=False)
class _Place:
    """What the bus knows of one station."""

    station: Station
    number: int
    plugged: bool = True
    tuned: int = EVERYBODY
    free_at: float = 0.0
    waiting: deque[bytes] = field(default_factory=deque)


class Rs485Bus:
    """The medium.

    Which octets come out of two drivers working against each other nobody can say; here each octet touched by a
    collision is certainly wrong, and the rest of the transmission stays as it was.

    Attributes:
        line: rate and framing of the bus.
        on_evidence: told of each transmission; None: nobody listens.
        on_lost: told when the port to the gateway is gone; the stations stay among themselves then.
        collisions: transmissions spoilt so far.
    """

    def __init__(
        self,
        clock: Clock,
        port: BytePort,
        line: LineSettings | None = None,
        *,
        port_paces: bool | None = None,
        on_evidence: Evidence | None = None,
    ) -> None:
        """Take over `port`: its receiver and its `on_lost`.

        Args:
            clock: whose time paces the bus.
            port: leads to the gateway.
            line: of the bus; 921 600 Bd 8N1 unless told.
            port_paces: whether the port takes the time of the wire itself; unless told, a port says so by having
                line settings in an attribute ``line``.
            on_evidence: see the attribute.
        """
        self.line = line or LineSettings()
        self.on_evidence = on_evidence
        self.on_lost: Callable[[PortLost], None] | None = None
        self.collisions = 0
        self._clock = clock
        self._octet_s = self.line.seconds(1)
        self._port: BytePort | None = port
        self._paces = getattr(port, "line", None) is not None if port_paces is None else port_paces
        self._whole = bool(getattr(port, "whole", False))
        self._places: dict[str, _Place] = {}
        self._numbers = itertools.count()
        self._listening: dict[int, list[_Place]] = {EVERYBODY: []}
        self._concern: Concern = _everybody
        self._active: list[_Transmission] = []
        self._recent: deque[_Transmission] = deque(maxlen=_RECENT)
        self._gateway_free_at = 0.0
        port.set_receiver(self._from_port)
        port.on_lost = self._port_lost

    def attach(self, station: Station) -> Transmit:
        """Put `station` on the bus, plugged in. Returns how it transmits. Raises ValueError on a name in use."""
        if station.name == GATEWAY or station.name in self._places:
            raise ValueError(f"there is a {station.name!r} on the bus already, stations need names of their own")
        place = self._places[station.name] = _Place(station, next(self._numbers))
        self._listening[EVERYBODY].append(place)

        def transmit(data: bytes) -> None:
            if self._places.get(place.station.name) is place:
                self._transmit(place, bytes(data))

        return transmit

    def detach(self, station: Station) -> None:
        """Take `station` off the bus for good; what it is sending breaks off. Unknown stations are let pass."""
        place = self._places.get(station.name)
        if place is not None and place.station is station:
            self.plug(station, False)
            del self._places[station.name]
            self._listening[place.tuned].remove(place)

    def plug(self, station: Station, connected: bool = True) -> None:
        """Pull or push the plug of `station`. Out of the socket it neither hears nor is heard; a transmission
        under way ends with the octet that is on the wire. Raises KeyError for a station that is not on the bus."""
        place = self._places[station.name]
        place.plugged = connected
        if not connected:
            place.waiting.clear()
            place.free_at = self._clock.seconds()
            for transmission in [one for one in self._active if one.source == station.name]:
                self._break_off(transmission)

    def tune(self, station: Station, number: int, concern: Concern) -> None:
        """From now on `station` takes only octets that concern `number`, or everybody: it has nothing to do with all
        others, and on a full bus that is most of the work. Back to everything: EVERYBODY.

        Args:
            station: on the bus; unknown ones are let pass.
            number: as `concern` gives it.
            concern: tells whom octets concern; all who are tuned have the same.
        """
        place = self._places.get(station.name)
        if place is None or place.station is not station or place.tuned == number:
            return
        self._concern = concern
        self._listening[place.tuned].remove(place)
        self._listening.setdefault(number, []).append(place)
        place.tuned = number

    def unplug(self, station: Station) -> None:
        """``plug(station, False)``."""
        self.plug(station, False)

    def close(self) -> None:
        """Leave the port alone and close it; stations on the bus are no longer heard. May be called twice."""
        self._active.clear()
        port, self._port = self._port, None
        if port is not None:
            port.set_receiver(None)
            port.on_lost = None
            port.close()

    # --- sending

    def _transmit(self, place: _Place, data: bytes) -> None:
        if not data or not place.plugged:
            return
        now = self._clock.seconds()
        if place.waiting or place.free_at > now:
            place.waiting.append(data)
            if len(place.waiting) == 1:
                self._clock.call_at(place.free_at, self._next_of, place)
            return
        self._start_station(place, data)

    def _next_of(self, place: _Place) -> None:
        if not place.plugged or not place.waiting:
            return
        self._start_station(place, place.waiting.popleft())
        if place.waiting:
            self._clock.call_at(place.free_at, self._next_of, place)

    def _start_station(self, place: _Place, data: bytes) -> None:
        began = max(self._clock.seconds(), place.free_at)
        transmission = self._start(place.station.name, data, began)
        place.free_at = transmission.ends
        self._arm(transmission)

    def _from_port(self, data: bytes) -> None:
        now = self._clock.seconds()
        if self._paces:
            self._finish(self._start(GATEWAY, data, max(now - self.line.seconds(len(data)), self._gateway_free_at)))
            self._gateway_free_at = now
        else:
            transmission = self._start(GATEWAY, data, max(now, self._gateway_free_at))
            self._gateway_free_at = transmission.ends
            self._arm(transmission)

    def _start(self, source: str, data: bytes, began: float) -> _Transmission:
        transmission = _Transmission(source, data, bytearray(data), began, began + self.line.seconds(len(data)))
        for other in self._active:
            if other.source != source:
                self._spoil(transmission, other)
                self._spoil(other, transmission)
        for past in self._recent:
            if past.source != source:
                self._spoil(transmission, past)
        self._active.append(transmission)
        return transmission

    def _spoil(self, victim: _Transmission, other: _Transmission) -> None:
        """Garble the octets of `victim` during which `other` drove the bus too."""
        tolerance = 1e-3  # of an octet: neighbours that touch do not collide
        first = int((other.began - victim.began) / self._octet_s + tolerance)
        end = math.ceil((other.ends - victim.began) / self._octet_s - tolerance)
        first, end = max(first, victim.passed_on), min(end, len(victim.octets))
        if first >= end:
            return
        for index in range(first, end):
            victim.octets[index] = victim.sent[index] ^ _SPOIL
        if not victim.spoilt:
            victim.spoilt = True
            self.collisions += 1

    # --- arriving

    def _arm(self, transmission: _Transmission) -> None:
        whole = len(transmission.octets)
        if self._paces and not self._whole and transmission.source != GATEWAY:
            ready = min(whole, transmission.passed_on + GROUP_OCTETS)
        else:
            ready = whole
        at = transmission.ends if ready == whole else transmission.began + self.line.seconds(ready)
        self._clock.call_at(at, self._progress, transmission, ready)

    def _progress(self, transmission: _Transmission, ready: int) -> None:
        if transmission not in self._active:
            return
        self._pass_on(transmission, ready)
        if ready < len(transmission.octets):
            self._arm(transmission)
        else:
            self._finish(transmission)

    def _pass_on(self, transmission: _Transmission, upto: int) -> None:
        part = bytes(transmission.octets[transmission.passed_on : upto])
        transmission.passed_on = upto
        if transmission.source == GATEWAY or self._port is None or not part:
            return
        try:
            self._port.write(part)
        except BenchError as trouble:  # gone, or an adapter that takes nothing more
            self._port_lost(trouble)

    def _finish(self, transmission: _Transmission) -> None:
        self._active.remove(transmission)
        if self._paces:
            self._recent.append(transmission)
        octets = bytes(transmission.octets)
        if not octets:
            return
        if self.on_evidence is not None:
            self.on_evidence(transmission.ends, transmission.source, octets, transmission.spoilt)
        sending = {one.source for one in self._active}
        for place in self._hearers(octets):
            name = place.station.name
            if place.plugged and name != transmission.source and name not in sending:
                place.station.receive(octets)

    def _hearers(self, octets: bytes) -> list[_Place]:
        """Whom octets concern, in the order in which they came on the bus."""
        number = self._concern(octets)
        if number == EVERYBODY:
            return list(self._places.values())
        chosen = [*self._listening[EVERYBODY], *self._listening.get(number, ())]
        return sorted(chosen, key=attrgetter("number")) if len(chosen) > 1 else chosen

    def _break_off(self, transmission: _Transmission) -> None:
        now = self._clock.seconds()
        on_the_wire = int((now - transmission.began) / self._octet_s)
        del transmission.octets[max(on_the_wire, transmission.passed_on) :]
        transmission.ends = min(now, transmission.ends)
        self._pass_on(transmission, len(transmission.octets))
        self._finish(transmission)

    def _port_lost(self, trouble: BenchError) -> None:
        if self._port is None:
            return
        port, self._port = self._port, None
        if not isinstance(trouble, PortLost):
            port.close()
        if self.on_lost is not None:
            what = "the meters are no longer on the gateway's bus, look at adapter and cable"
            self.on_lost(PortLost(f"{trouble}; {what}"))


def _everybody(_octets: bytes) -> int:
    return EVERYBODY
