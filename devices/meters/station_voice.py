"""What a meter's station says on the bus, and when: answers, windows of frames, and what faults make of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from devices.clock import Clock
from devices.meters.station_hearing import Alien
from devices.meters.wire_faults import WireFaults
from devices.meters.wire_strikes import Saying
from devices.protocols.hdlc import Frame
from devices.rs485.bus import Rs485Bus, Transmit


class Timers:
    """Timers by what they are for; a later one for the same purpose replaces the one before."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def later(self, purpose: str, after_s: float, callback: Callable[..., None], *what: object) -> None:
        """Call back in so many seconds, unless it is cancelled before."""
        self.cancel(purpose)
        self._timers[purpose] = self._clock.call_later(after_s, self._due, purpose, callback, *what)

    def cancel(self, purpose: str) -> None:
        """Nothing happens for this purpose any more."""
        timer = self._timers.pop(purpose, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Nothing happens any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _due(self, purpose: str, callback: Callable[..., None], *what: object) -> None:
        del self._timers[purpose]
        callback(*what)


class Voice:
    """The station's way onto the bus.

    Args:
        clock: the laboratory's.
        bus: the medium.
        transmit: puts octets of the station on it.
        faults: have their way with what it says.
        name: of the station.

    Attributes:
        silent: whether it says nothing, not even what it began to.
        plugged: whether its cable is in; else nobody talks over it.
    """

    def __init__(self, clock: Clock, bus: Rs485Bus, transmit: Transmit, faults: WireFaults, name: str) -> None:
        self.silent = False
        self.plugged = True
        self._bus = bus
        self._transmit = transmit
        self._faults = faults
        self._name = name
        self._timers = Timers(clock)
        self._numbers = itertools.count()
        self._alien: Alien | None = None
        self._rest = 0

    def reply(self, frames: tuple[Frame, ...], after_s: float) -> None:
        """Answer with one frame, or with a window of them, one right behind the other."""
        self.cancel_rest()
        self.send(frames[0], after_s, "answer")
        for place, (frame, before) in enumerate(zip(frames[1:], frames, strict=False), 1):
            after_s += self._bus.line.seconds(len(before.to_bytes()))
            self.send(frame, after_s, f"answer {place}")
        self._rest = len(frames) - 1

    def cancel_rest(self) -> None:
        """What is left of a window behind its first frame is not said any more."""
        while self._rest:
            self.cancel(f"answer {self._rest}")
            self._rest -= 1

    def send(self, frame: Frame, after_s: float, purpose: str) -> None:
        """Everything that the station says goes through here; a later answer to the same purpose replaces it, unless
        a fault had its way with it."""
        sayings = None if self.silent or not self._faults.active else self._faults.spoken(frame, after_s)
        if sayings is None:
            self._timers.later(purpose, after_s, self._speak, frame.to_bytes())
            return
        self.cancel(purpose)
        for saying in sayings:
            self._timers.later(f"fault {next(self._numbers)}", saying.after_s, self._misspeak, saying)

    def cancel(self, purpose: str) -> None:
        """What was to be said for this purpose is not."""
        self._timers.cancel(purpose)

    def forget(self) -> None:
        """Nothing of what was to be said is."""
        self._timers.clear()

    def talked_over_no_more(self) -> None:
        """Who talked over it leaves the bus."""
        if self._alien is not None:
            self._bus.detach(self._alien)
            self._alien = None

    def _speak(self, octets: bytes) -> None:
        if not self.silent:
            self._transmit(octets)

    def _misspeak(self, saying: Saying) -> None:
        if not saying.alien:
            self._speak(saying.octets)
        elif self.plugged:
            if self._alien is None:
                self._alien = Alien(f"{self._name}, talked over")
                self._alien.transmit = self._bus.attach(self._alien)
            self._alien.transmit(saying.octets)
