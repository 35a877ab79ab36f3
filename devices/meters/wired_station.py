"""A meter's station on the wired bus: HDLC secondary, from the first invite to the answered list (lmn-wired 1).

It hears what the bus carries, lets :class:`Discovery` find its address, keeps one link per protocol selector and hands
what comes over a link to a service, for selector 3 the meter itself. Everything that it sends goes through
:meth:`Voice.send`, where faults of `wire_faults` strike.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.discovery import Discovery
from devices.meters.model import Claimant, Meter, Plain, Service, services_of
from devices.meters.station_hearing import concerned, whole
from devices.meters.station_settings import EVENTS, Busy, Manners, OnEvent, StationTiming
from devices.meters.station_voice import Timers, Voice
from devices.meters.wire_faults import WireFault, WireFaults, make_fault
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
    Step,
    Unexpected,
)
from devices.protocols.hdlc_secondary import SecondaryLink
from devices.rs485.bus import EVERYBODY, NOBODY, Rs485Bus

__all__ = ["EVENTS", "Busy", "OnEvent", "StationTiming", "WiredStation"]

STANDARD_SELECTORS = range(1, 9)
"""Selectors that the LMN knows; frames for others are not answered (lmn-wired 1.4)."""

_DM = Control(FrameKind.DM)
_UI = Control(FrameKind.UI)


class WiredStation:
    """HDLC secondary of one meter; attaches itself to the bus.

    Attributes:
        name: on the bus and in the evidence.
        meter: what it speaks for.
        on_event: told what happens, see EVENTS; None: nobody listens.
        busy: how it answers while it works.
        powered, plugged: as last switched by `power`, `plug`.
        rng: as given.
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
        manners: Manners | None = None,
        record_status: int = 0,
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
            services: selector to what answers there; unless told, the meter on selector 3 (COSEM in the clear) and
                what it brings along in a method ``services``.
            timing: see StationTiming.
            limits: bounds of its links.
            busy: see Busy.
            manners: see Manners.
            record_status: last two octets of its record, by which it finds itself in lists as well.
        """
        self.name = name or meter.server_id.hex()
        self.meter = meter
        self.on_event: OnEvent | None = None
        self.busy = busy
        self.powered = powered
        self.plugged = True
        self.rng = rng
        self._clock = clock
        self._bus = bus
        given = services_of(meter) if services is None else services
        self._services: dict[int, Service] = {
            selector: Plain(one) if callable(one) else one for selector, one in given.items()
        }
        self._timing = timing or StationTiming()
        self._limits = limits or LinkLimits()
        self._manners = manners or Manners()
        self._discovery = Discovery(meter.server_id, meter.sensor_id, rng, self._timing.discovery, status=record_status)
        self._discovery.address = address
        self._listed = False
        self._listening = powered
        self._reader = FrameReader()
        self._in_pieces = False
        self._heard_at = 0.0
        self._links: dict[int, SecondaryLink] = {}
        self._requests: dict[int, deque[tuple[float, bytes]]] = {}
        self._timers = Timers(clock)
        self._faults = WireFaults(self, self._struck)
        self._voice = Voice(clock, bus, bus.attach(self), self._faults, self.name)
        self._tune()
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
            self._timers.later("boot", self._timing.boot_s, self._listen)

    def restart(self) -> None:
        """Off and on again at once."""
        self.power(False)
        self.power(True)

    def processor(self, running: bool) -> None:
        """The meter's processor that speaks on the bus stops, or has booted: address and links are gone, mains and
        metrology are not touched. Nothing happens without mains."""
        if self.powered:
            self._forget()
            self._listening = running

    def plug(self, connected: bool) -> None:
        """Pull or push the bus cable; the meter keeps running and keeps its address."""
        if connected != self.plugged:
            self.plugged = self._voice.plugged = connected
            self._bus.plug(self, connected)
            self._event("plug", connected=connected)

    @property
    def silent(self) -> bool:
        """Whether it hears but says nothing; may be set."""
        return self._voice.silent

    @silent.setter
    def silent(self, on: bool) -> None:
        if on != self._voice.silent:
            self._voice.silent = on
            self._event("silent", on=on)

    def close(self) -> None:
        """Leave the bus for good."""
        self.powered = False
        self._forget()
        self.clear_faults()
        self._bus.detach(self)

    # --- faults

    @property
    def faults(self) -> tuple[WireFault, ...]:
        """Faults that are set and still strike."""
        return self._faults.active

    def fault(self, kind: str, times: int | None = None, **values: object) -> WireFault:
        """Set a fault of `wire_faults.FAULTS`, beside those that are set.

        Args:
            kind: its name there.
            times: how many frames it strikes before the wire is good again; None: until `clear_faults`.
            values: its parameters, and ``on``: which frames it strikes.

        Raises UsageError for an unknown kind, parameter or value, and for what this meter cannot do.
        """
        fault = make_fault(kind, times, **values)
        if fault.values.get("where") == "list" and self._claimant() is None:
            raise UsageError(f"{self.name} can tell no other id in its answers", hint="where: record")
        self._faults.set(fault)
        return fault

    def clear_faults(self, kind: str | None = None) -> None:
        """The wire is good again, or this one fault is gone; frames that are late already still come."""
        self._faults.clear(kind)
        if not self._faults.active:
            self._voice.talked_over_no_more()

    def _struck(self, fault: str, frame: str, done: int, left: int | None) -> None:
        self._event("fault", fault=fault, frame=frame, done=done, left=left)

    def _claimant(self) -> Claimant | None:
        """The meter itself, behind its security, when it can tell another id."""
        meter: object = getattr(self.meter, "meter", self.meter)
        return meter if isinstance(meter, Claimant) else None

    # what a fault may ask of the station: `wire_strikes.Speaker`

    @property
    def slot_s(self) -> float:
        """Pitch of the slots of a presence check."""
        return self._timing.discovery.slot_s

    @property
    def server_id(self) -> bytes:
        """Of the meter."""
        return self.meter.server_id

    @property
    def others(self) -> tuple[int, ...]:
        """Addresses of other meters in the gateway's last list."""
        return self._discovery.others

    def adopt(self, address: int) -> None:
        """Listen to another address, whosever it is, until a list says otherwise."""
        if address != self.address:
            self._discovery.address = address
            self._tune()
            self._drop_links("the address has changed")
            self._event("addressed", address=address, slot=self.slot, listed=self._listed)

    def wire_s(self, octets: int) -> float:
        """How long so many octets take on the bus."""
        return self._bus.line.seconds(octets)

    def restart_in(self, seconds: float) -> None:
        """Restart after this time, unless the mains are off then."""
        self._clock.call_later(seconds, self._restart_if_on)

    def _restart_if_on(self) -> None:
        if self.powered:
            self.restart()

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
                self._tune()
        frame = None if self._in_pieces else whole(data)
        if frame is not None:
            self._frame(frame)
            return
        self._in_pieces = True
        self._heard_at = self._clock.seconds()
        self._tune()
        self._take(self._reader.feed(data))

    def _tune(self) -> None:
        """In the midst of something it needs all octets; otherwise whole frames to itself and to all, no others."""
        address = NOBODY if self.address is None else self.address
        self._bus.tune(self, EVERYBODY if self._in_pieces else address, concerned)

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
        self._voice.cancel("discovery")
        self._listed = self._discovery.listed
        if self.address != address_before:
            self._tune()
            self._drop_links("the address has changed")
        if self.address is None:
            if address_before is not None:
                self._event("address_lost")
            return
        if (self.address, self._listed) != (address_before, listed_before):
            self._event("addressed", address=self.address, slot=self.slot, listed=self._listed)
        if after_s is not None and frame.control.poll:
            answer = Frame(GATEWAY, self.address, frame.selector, _UI, self._discovery.record)
            self._voice.send(answer, after_s, "discovery")

    # --- links

    def _linked(self, frame: Frame) -> None:
        selector = frame.selector
        if not self._served(selector):
            self._links.pop(selector, None)
            self._drop_work(selector)
            if selector in STANDARD_SELECTORS and frame.control.poll:
                answer = Frame(GATEWAY, frame.destination, selector, _DM)
                self._voice.send(answer, self._timing.turnaround_s, "answer")
            return
        link = self._links.get(selector)
        if link is None:
            link = self._links[selector] = SecondaryLink(
                frame.destination,
                selector,
                self._limits,
                disconnect_answer=self._manners.to_disconnect,
                unknown_answer=self._manners.to_unknown,
            )
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
        if step.frames:
            self._voice.reply(step.frames, self._timing.turnaround_s)
        for event in step.events:
            match event:
                case Connected():
                    link.busy = False
                    self._drop_work(link.selector)
                    self._services[link.selector].opened()
                    self._event("connected", selector=link.selector)
                case Disconnected(reason) | Rejected(reason):
                    link.busy = False
                    self._drop_work(link.selector)
                    self._event("disconnected", selector=link.selector, reason=reason)
                case Information(data):
                    self._event("request", selector=link.selector, octets=len(data))
                    self._put_work(link, data)
                case Unexpected(_, reason):
                    self._event("unexpected", selector=link.selector, reason=reason)
                case _:
                    pass
        if step.timer is not None:
            self._timers.later(f"inactivity {link.selector}", step.timer, self._inactive, link)

    def _put_work(self, link: SecondaryLink, data: bytes) -> None:
        """Work on a message `processing_s` from now, behind those that came before: all of them are acknowledged."""
        requests = self._requests.setdefault(link.selector, deque())
        requests.append((self._clock.seconds() + self._timing.processing_s, data))
        if len(requests) == 1:
            self._timers.later(f"work {link.selector}", self._timing.processing_s, self._work, link)

    def _drop_work(self, selector: int) -> None:
        self._requests.pop(selector, None)
        self._timers.cancel(f"work {selector}")

    def _work(self, link: SecondaryLink) -> None:
        requests = self._requests[link.selector]
        _, data = requests.popleft()
        if requests:
            wait_s = max(0.0, requests[0][0] - self._clock.seconds())
            self._timers.later(f"work {link.selector}", wait_s, self._work, link)
        answer = self._answer(link.selector, data)
        link.busy = bool(requests)
        if not answer:
            return
        try:
            link.send(answer)
        except HdlcError as problem:
            self._event("unexpected", selector=link.selector, reason=f"no way to answer: {problem}")
            return
        self._event("answer", selector=link.selector, octets=len(answer))

    def _answer(self, selector: int, data: bytes) -> bytes:
        service, meter = self._services[selector], self._claimant()
        claim = self._faults.claim(self.server_id) if self._faults.active else None
        if claim is None or meter is None:
            return service.message(data)
        claimed, count = claim
        before, meter.claimed_id = meter.requests, claimed
        try:
            return service.message(data)
        finally:
            meter.claimed_id = None
            if meter.requests > before:
                count()

    def _inactive(self, link: SecondaryLink) -> None:
        self._follow(link, link.timeout())

    def _drop_links(self, reason: str) -> None:
        for selector in self._links:
            self._drop_work(selector)
            self._timers.cancel(f"inactivity {selector}")
            self._event("disconnected", selector=selector, reason=reason)
        self._links.clear()
        self._voice.cancel("answer")
        self._voice.cancel_rest()

    def _listen(self) -> None:
        self._listening = True

    def _forget(self) -> None:
        self._timers.clear()
        self._voice.forget()
        self._requests.clear()
        self._listening = False
        self._links.clear()
        self._discovery.forget()
        self._listed = False
        self._reader = FrameReader()
        self._in_pieces = False
        self._tune()

    def _event(self, kind: str, **details: object) -> None:
        if self.on_event is not None:
            self.on_event(kind, details)
