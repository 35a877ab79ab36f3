"""A meter's station on the wired bus: HDLC secondary, from the first invite to the answered list (lmn-wired 1).

It hears what the bus carries, lets :class:`Discovery` find its address, keeps one link per protocol selector and hands
what comes over a link to a service, for selector 3 the meter itself. Everything that it sends goes through
:meth:`WiredStation._send`, so that whoever wants to make faults on the wire has one place for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final

from devices.clock import Clock
from devices.meters.discovery import Discovery, DiscoveryTiming
from devices.meters.model import Meter, Plain, Service
from devices.protocols.hdlc import (
    ALL_STATIONS,
    GATEWAY,
    Control,
    Frame,
    FrameKind,
    FrameReader,
    HdlcError,
    Selector,
)
from devices.protocols.hdlc_link import (
    Connected,
    Disconnected,
    Information,
    LinkLimits,
    Rejected,
    SecondaryLink,
    Step,
    Unexpected,
)
from devices.rs485.bus import Rs485Bus

OnEvent = Callable[[str, dict[str, object]], None]
"""Told what happens at the station: kind and details, see `EVENTS`."""

EVENTS: Final = {
    "addressed": "has an address: address, slot, listed (False: chosen itself, the gateway's list does not say so yet)",
    "address_lost": "has no address any more",
    "connected": "the gateway opened a link: selector",
    "disconnected": "a link ended: selector, reason",
    "request": "a whole message came: selector, octets",
    "answer": "the answer to it is ready to be polled: selector, octets",
    "unexpected": "a frame without a place: selector, reason",
    "power": "mains: on",
    "plug": "bus cable: connected",
    "silent": "keeps silent from now on, or speaks again: on",
}
"""Kinds of events, with their meaning and details."""

STANDARD_SELECTORS = range(1, 9)
"""Selectors that the LMN knows; frames for others are not answered (lmn-wired 1.4)."""

_DM = Control(FrameKind.DM)
_UI = Control(FrameKind.UI)


@dataclass(frozen=True)
class StationTiming:
    """How fast a meter is.

    Attributes:
        discovery: waits after broadcasts.
        turnaround_s: from the last bit of a frame to the first of its answer (assumed; the gateway waits 200 ms).
        processing_s: from a whole request to an answer that can be polled (assumed; 2 s are the limit, lmn-wired 4.4).
        between_octets_s: longest pause within a frame (assumed, lmn-wired 1.7).
    """

    discovery: DiscoveryTiming = field(default_factory=DiscoveryTiming)
    turnaround_s: float = 0.001
    processing_s: float = 0.005
    between_octets_s: float = 0.025
    boot_s: float = 0.5
    """From mains on until the station listens (assumed)."""


class Busy(Enum):
    """How a meter answers while it works on a request (lmn-wired 1.7)."""

    READY = "rr"
    """RR, as the Sagemcom meter."""
    FIRST_NOT_READY = "rnr first"
    """RNR to the request, then RR until the answer is there, as one public meter firmware."""
    NOT_READY = "rnr"
    """RNR until the answer is there."""


class WiredStation:
    """HDLC secondary of one meter; attaches itself to the bus.

    Attributes:
        name: on the bus and in the evidence.
        meter: what it speaks for.
        on_event: told what happens, see EVENTS; None: nobody listens.
        busy: how it answers while it works.
        powered, plugged: as last switched by `power`, `plug`.
    """

    def __init__(
        self,
        clock: Clock,
        bus: Rs485Bus,
        meter: Meter,
        rng: random.Random,
        address: int | None = None,
        powered: bool = True,
        *,
        name: str | None = None,
        services: Mapping[int, Service | Callable[[bytes], bytes]] | None = None,
        timing: StationTiming | None = None,
        limits: LinkLimits | None = None,
        busy: Busy = Busy.READY,
    ) -> None:
        """Make a station and put it on `bus`, plugged in.

        Args:
            clock: the laboratory's.
            bus: the medium.
            meter: its `power` follows that of the station.
            rng: for the address and the wait on an invite.
            address: one that it has from the start; None: it has to be invited.
            powered: whether it has mains; the meter is switched accordingly.
            name: unless told, the server id in hex.
            services: selector to what answers there; unless told, the meter on selector 3 (COSEM in the clear).
            timing: see StationTiming.
            limits: bounds of its links.
            busy: see Busy.
        """
        self.name = name or meter.server_id.hex()
        self.meter = meter
        self.on_event: OnEvent | None = None
        self.busy = busy
        self.powered = powered
        self.plugged = True
        self._silent = False
        self._clock = clock
        self._bus = bus
        given = {int(Selector.COSEM_CLEAR): meter.answer} if services is None else services
        self._services: dict[int, Service] = {
            selector: Plain(one) if callable(one) else one for selector, one in given.items()
        }
        self._timing = timing or StationTiming()
        self._limits = limits or LinkLimits()
        self._discovery = Discovery(meter.server_id, meter.sensor_id, rng, self._timing.discovery)
        self._discovery.address = address
        self._listed = False
        self._listening = powered
        self._reader = FrameReader()
        self._in_pieces = False
        self._heard_at = 0.0
        self._links: dict[int, SecondaryLink] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._transmit = bus.attach(self)
        meter.power(powered)

    @property
    def address(self) -> int | None:
        """HDLC address, None while it has none."""
        return self._discovery.address

    @property
    def slot(self) -> int:
        """Slot of the presence check, 0 for none."""
        return self._discovery.slot

    @property
    def listed(self) -> bool:
        """Whether the gateway's last list had this meter."""
        return self._listed

    def power(self, on: bool) -> None:
        """Mains on or off, for station and meter. Without it address, links and answers under way are gone."""
        if on == self.powered:
            return
        self.powered = on
        self.meter.power(on)
        self._event("power", on=on)
        self._forget()
        if on:
            self._later("boot", self._timing.boot_s, self._listen)

    def restart(self) -> None:
        """Off and on again at once."""
        self.power(False)
        self.power(True)

    def plug(self, connected: bool) -> None:
        """Pull or push the bus cable; the meter keeps running and keeps its address."""
        if connected != self.plugged:
            self.plugged = connected
            self._bus.plug(self, connected)
            self._event("plug", connected=connected)

    @property
    def silent(self) -> bool:
        """Whether it hears but says nothing; may be set."""
        return self._silent

    @silent.setter
    def silent(self, on: bool) -> None:
        if on != self._silent:
            self._silent = on
            self._event("silent", on=on)

    def close(self) -> None:
        """Leave the bus for good."""
        self.powered = False
        self._forget()
        self._bus.detach(self)

    # --- hearing

    def receive(self, data: bytes) -> None:
        """Take octets from the bus."""
        if not self._listening:
            return
        if self._in_pieces:
            began = self._clock.seconds() - self._bus.line.seconds(len(data))
            if began - self._heard_at > self._timing.between_octets_s:
                self._take(self._reader.idle())
                self._in_pieces = False
        frame = None if self._in_pieces else _whole(data)
        if frame is not None:
            self._frame(frame)
            return
        self._in_pieces = True
        self._heard_at = self._clock.seconds()
        self._take(self._reader.feed(data))

    def _take(self, found: list[Frame | HdlcError]) -> None:
        for one in found:
            if isinstance(one, Frame):
                self._frame(one)

    def _frame(self, frame: Frame) -> None:
        if frame.source != GATEWAY:
            return
        if frame.destination == ALL_STATIONS:
            if frame.control.kind is FrameKind.UI:
                self._broadcast(frame)
        elif frame.destination == self.address and frame.control.kind is not FrameKind.UI:
            self._linked(frame)

    # --- addressing

    def _broadcast(self, frame: Frame) -> None:
        follow = {Selector.ADDRESSING: self._discovery.invited, Selector.PRESENCE: self._discovery.checked}
        listed_before, address_before = self._listed, self.address
        try:
            after_s = follow[Selector(frame.selector)](frame.information)
        except (KeyError, ValueError) as problem:
            self._event("unexpected", selector=frame.selector, reason=f"broadcast without sense: {problem}")
            return
        self._cancel("discovery")
        self._listed = self._discovery.listed
        if self.address != address_before:
            self._drop_links("the address has changed")
        if self.address is None:
            if address_before is not None:
                self._event("address_lost")
            return
        if (self.address, self._listed) != (address_before, listed_before):
            self._event("addressed", address=self.address, slot=self.slot, listed=self._listed)
        if after_s is not None and frame.control.poll:
            answer = Frame(GATEWAY, self.address, frame.selector, _UI, self._discovery.record)
            self._send(answer, after_s, "discovery")

    # --- links

    def _linked(self, frame: Frame) -> None:
        selector = frame.selector
        if not self._served(selector):
            self._links.pop(selector, None)
            self._cancel(f"work {selector}")
            if selector in STANDARD_SELECTORS and frame.control.poll:
                self._send(Frame(GATEWAY, frame.destination, selector, _DM), self._timing.turnaround_s, "answer")
            return
        link = self._links.get(selector)
        if link is None:
            link = self._links[selector] = SecondaryLink(frame.destination, selector, self._limits)
        if self.busy is Busy.FIRST_NOT_READY:
            link.busy = frame.control.kind is FrameKind.I
        elif self.busy is Busy.NOT_READY and frame.control.kind is FrameKind.I and not frame.segmented:
            link.busy = True
        self._follow(link, link.receive(frame))

    def _served(self, selector: int) -> bool:
        """Whether something answers on `selector`; a service may be closed for a while by its own `available`."""
        service = self._services.get(selector)
        return service is not None and bool(getattr(service, "available", True))

    def _follow(self, link: SecondaryLink, step: Step) -> None:
        for frame in step.frames:
            self._send(frame, self._timing.turnaround_s, "answer")
        for event in step.events:
            match event:
                case Connected():
                    link.busy = False
                    self._cancel(f"work {link.selector}")
                    self._services[link.selector].opened()
                    self._event("connected", selector=link.selector)
                case Disconnected(reason) | Rejected(reason):
                    link.busy = False
                    self._cancel(f"work {link.selector}")
                    self._event("disconnected", selector=link.selector, reason=reason)
                case Information(data):
                    self._event("request", selector=link.selector, octets=len(data))
                    self._later(f"work {link.selector}", self._timing.processing_s, self._work, link, data)
                case Unexpected(_, reason):
                    self._event("unexpected", selector=link.selector, reason=reason)
                case _:
                    pass
        if step.timer is not None:
            self._later(f"inactivity {link.selector}", step.timer, self._inactive, link)

    def _work(self, link: SecondaryLink, data: bytes) -> None:
        answer = self._services[link.selector].message(data)
        link.busy = False
        if not answer:
            return
        try:
            link.send(answer)
        except HdlcError as problem:
            self._event("unexpected", selector=link.selector, reason=f"no way to answer: {problem}")
            return
        self._event("answer", selector=link.selector, octets=len(answer))

    def _inactive(self, link: SecondaryLink) -> None:
        self._follow(link, link.timeout())

    def _drop_links(self, reason: str) -> None:
        for selector in self._links:
            self._cancel(f"work {selector}")
            self._cancel(f"inactivity {selector}")
            self._event("disconnected", selector=selector, reason=reason)
        self._links.clear()
        self._cancel("answer")

    # --- speaking

    def _send(self, frame: Frame, after_s: float, purpose: str) -> None:
        """Everything that the station says goes through here; a later answer to the same purpose replaces it."""
        self._later(purpose, after_s, self._speak, frame.to_bytes())

    def _speak(self, octets: bytes) -> None:
        if not self._silent:
            self._transmit(octets)

    def _later(self, purpose: str, after_s: float, callback: Callable[..., None], *what: object) -> None:
        self._cancel(purpose)
        self._timers[purpose] = self._clock.call_later(after_s, callback, *what)

    def _cancel(self, purpose: str) -> None:
        timer = self._timers.pop(purpose, None)
        if timer is not None:
            timer.cancel()

    def _listen(self) -> None:
        self._listening = True

    def _forget(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._listening = False
        self._links.clear()
        self._discovery.forget()
        self._listed = False
        self._reader = FrameReader()
        self._in_pieces = False

    def _event(self, kind: str, **details: object) -> None:
        if self.on_event is not None:
            self.on_event(kind, details)


@lru_cache(maxsize=64)
def _whole(data: bytes) -> Frame | None:
    """The frame that `data` is exactly; the stations of a bus hear the same octets and share the work."""
    try:
        return Frame.from_bytes(data)
    except HdlcError:
        return None
