"""What all emulated sticks share: a port that can be pulled out and put back, an antenna, faults."""

from __future__ import annotations

import contextlib
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import ClassVar, Final

from devices.clock import Clock
from devices.ports.base import BytePort, LineSettings
from devices.ports.pty import PtyPort
from devices.ports.radio import Antenna, RadioMode, Reception
from devices.ports.wire import PortCongested
from devices.wmbus.pause import Pause

ANSWER_S: Final = 0.005
"""How long the stick thinks (assumed)."""
SLOW_S: Final = 3.0
"""The same with Fault.SLOW."""
SILENCE_S: Final = 0.05
"""A pause in what the host sends that ends a message cut short (assumed)."""
_LONGEST_NOISE: Final = 24
_QUIET_DBM: Final = -70.0
"""Told where a reception says no strength."""
FROM_METERS: Final = frozenset({RadioMode.T1, RadioMode.C1_A, RadioMode.C1_B})


class Fault(Enum):
    """What can be wrong with a stick, as long as it is in `EmulatedStick.faults`.

    Which ones a scenario wants at a given time is its own affair; pulling out is `EmulatedStick.pull_out`.
    """

    SILENT = "silent"
    """Says nothing, whatever is asked or heard."""
    GARBAGE = "garbage"
    """Octets that mean nothing before each message."""
    HALF = "half message"
    """Each message breaks off in the middle."""
    CHECKSUM = "wrong checksum"
    """An octet of each message is not what it was."""
    SLOW = "slow"
    """Answers seconds later."""
    FIRMWARE = "wrong firmware"
    """Firmware that cannot do what a driver wants; each stick in its own way."""


class EmulatedStick(ABC):
    """One stick between a serial line and an antenna.

    Attributes:
        line: how octets stand on its serial line.
        faults: what is wrong with it.
        delivered: telegrams given to the host.
        sent: telegrams sent for the host.
    """

    line: ClassVar[LineSettings]

    def __init__(self, clock: Clock, port: BytePort, antenna: Antenna, rng: random.Random | None = None) -> None:
        """Plug it in.

        Args:
            clock: of the running loop.
            port: its end of the serial line.
            antenna: its place on the air.
            rng: makes garbage; the same octets each time without.
        """
        self.faults: set[Fault] = set()
        self.delivered = 0
        self.sent = 0
        self._clock = clock
        self._antenna = antenna
        self._rng = rng or random.Random(0)
        self._port: BytePort | None = None
        self._pause = Pause(clock, SILENCE_S, self._host_paused)
        self._power = 0
        self._thoughts: deque[tuple[float, bytes]] = deque()
        self.plug_in(port)

    # --- what a stick adds

    @abstractmethod
    def _start(self) -> None:
        """Power is on: everything that is not kept for good is as delivered."""

    @abstractmethod
    def _host_said(self, octets: bytes) -> None:
        """Octets from the host."""

    def _host_paused(self) -> None:  # noqa: B027 - a stick that reads lines does not care
        """The host has been silent for a while."""

    @abstractmethod
    def _hears(self) -> frozenset[RadioMode]:
        """What it listens to at present."""

    @abstractmethod
    def _tell(self, reception: Reception, strength_dbm: float) -> bytes:
        """What the host is told of a telegram; empty: nothing."""

    # --- the cable

    def plug_in(self, port: BytePort) -> None:
        """Put it into a socket: it starts."""
        self._power += 1
        self._thoughts.clear()
        self._port = port
        port.set_receiver(self._received)
        self._antenna.on_reception = self._heard
        self._start()

    def pull_out(self) -> None:
        """Pull it: the host loses the port, the air is not heard any more; may be called twice."""
        self._power += 1
        self._pause.stop()
        self._antenna.on_reception = None
        port, self._port = self._port, None
        if port is not None:
            port.close()

    close = pull_out

    @property
    def plugged(self) -> bool:
        """Whether it is in a socket."""
        return self._port is not None

    def garbage(self, octets: bytes) -> None:
        """Put octets on the line that mean nothing, once."""
        self._write(octets)

    # --- for sticks

    def _say(self, octets: bytes) -> None:
        """Put a message on the line, or what the faults leave of it."""
        if Fault.SILENT in self.faults or not octets:
            return
        if Fault.CHECKSUM in self.faults:
            place = len(octets) * 2 // 3
            octets = octets[:place] + bytes((octets[place] ^ 0x04,)) + octets[place + 1 :]
        if Fault.HALF in self.faults:
            octets = octets[: max(1, len(octets) // 2)]
        if Fault.GARBAGE in self.faults:
            octets = self._rng.randbytes(self._rng.randint(1, _LONGEST_NOISE)) + octets
        thinks = SLOW_S if Fault.SLOW in self.faults else ANSWER_S
        due = max(self._clock.seconds() + thinks, self._thoughts[-1][0] if self._thoughts else 0.0)
        self._thoughts.append((due, octets))
        if len(self._thoughts) == 1:
            self._later(thinks, self._speak)

    def _speak(self) -> None:
        # One timer for the first only: timers with equal deadlines are not first in, first out in asyncio.
        _, octets = self._thoughts.popleft()
        if self._thoughts:
            self._later(max(0.0, self._thoughts[0][0] - self._clock.seconds()), self._speak)
        self._write(octets)

    def _later(self, seconds: float, work: Callable[..., None], *arguments: object) -> None:
        """Do `work` in so many seconds, unless power goes before."""
        power = self._power

        def due() -> None:
            if power == self._power:
                work(*arguments)

        self._clock.call_later(seconds, due)

    def _write(self, octets: bytes) -> None:
        if self._port is not None:
            with contextlib.suppress(PortCongested):  # nobody reads: a real stick's octets are lost, too
                self._port.write(octets)

    def _transmit(self, telegram: bytes, mode: RadioMode) -> bool:
        """Send a stripped telegram; False when it is none, or the radio is busy."""
        try:
            self._antenna.send(telegram, mode)
        except ValueError:
            return False
        self.sent += 1
        return True

    # --- both ends

    def _received(self, octets: bytes) -> None:
        if isinstance(self._port, PtyPort) and self._port.baudrate_set() != self.line.baudrate:
            return  # at another speed nothing that makes sense arrives
        self._pause.touch()
        self._host_said(octets)

    def _heard(self, reception: Reception) -> None:
        if reception.mode not in self._hears() or self._port is None:
            return
        strength = _QUIET_DBM if reception.rssi_dbm is None else reception.rssi_dbm
        octets = self._tell(reception, strength)
        if octets:
            self.delivered += 1
            self._say(octets)
