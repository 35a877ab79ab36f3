"""The air: one medium, seeded, that many antennas share; what one of them sends, others may hear (lmn-wireless 2.3).

A telegram takes its time on a channel. At its end each antenna that listens on the channel gets it, or does not: too
weak, talked over by another one (unless it is stronger by the capture ratio), asleep, sending itself, lost by chance.
Strength follows from distance alone. Nothing polls: each telegram costs one timer, however many antennas there are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Final

from devices.clock import Clock
from devices.errors import UsageError
from devices.ports.radio import RadioMode, Reception
from devices.wmbus.airtime import MODULATIONS, Channel, airtime
from devices.wmbus.duty_cycle import DutyCycle, DutyExceeded

FROM_METERS: Final = frozenset({RadioMode.S1, RadioMode.T1, RadioMode.C1_A, RadioMode.C1_B})
"""What a gateway or a stick in the place of one hears."""
TO_METERS: Final = frozenset({RadioMode.OTHER_T})
"""What a bidirectional meter hears."""

_GOLDEN_ANGLE: Final = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, slots=True)
class AirSettings:
    """What the air is like. All of it is assumed, but for the shares of the band.

    Attributes:
        loss: share of telegrams that a receiver loses for no reason of its own, 0 to 1.
        duplicates: share of telegrams that a receiver is given twice.
        duplicate_after_s: how much later the second one comes.
        transmit_dbm: power that antennas send with.
        path_loss_1m_db: loss on the first metre; 31.2 is free space at 868.95 MHz.
        path_loss_exponent: how fast strength falls with distance; 2 is free space, 3 a house.
        fading_db: standard deviation of the strength, drawn for each telegram and receiver.
        sensitivity_dbm: what is weaker is not heard.
        capture_db: by how much a telegram must be stronger than all that overlap with it, to be heard nevertheless.
        duty_cycle: share of an hour that a meter may be on the air (EN 13757-4 mode T: 0.1 %).
        duty_cycle_other: the same for who sends to meters, and for mode S.
        duty_window_s: the hour.
    """

    loss: float = 0.0
    duplicates: float = 0.0
    duplicate_after_s: float = 0.02
    transmit_dbm: float = 10.0
    path_loss_1m_db: float = 31.2
    path_loss_exponent: float = 3.0
    fading_db: float = 2.0
    sensitivity_dbm: float = -105.0
    capture_db: float = 6.0
    duty_cycle: float = 0.001
    duty_cycle_other: float = 0.01
    duty_window_s: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("loss", "duplicates", "duty_cycle", "duty_cycle_other"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} of the air cannot be {getattr(self, name)!r}", hint="a share from 0 to 1")
        for name in ("duplicate_after_s", "fading_db", "capture_db", "path_loss_exponent"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} of the air cannot be {getattr(self, name)!r}", hint="a number from 0")
        if not self.duty_window_s > 0:
            raise UsageError(f"duty_window_s of the air cannot be {self.duty_window_s!r}", hint="3600 for an hour")

    def overridden(self, given: dict[str, float]) -> AirSettings:
        """These settings with others by name; UsageError for an unknown name or a value that it cannot have."""
        known = [one.name for one in fields(self)]
        for name in given:
            if name not in known:
                raise UsageError(f"the air has no setting {name!r}", hint=f"there are {', '.join(known)}")
        return replace(self, **given)


class Fate(Enum):
    """What became of a telegram at one receiver."""

    RECEIVED = "received"
    TWICE = "received twice"
    LOST = "lost"
    WEAK = "too weak"
    COLLIDED = "collided"
    DAMAGED = "damaged"
    CUT = "cut off"
    SENDING = "receiver was sending"
    ASLEEP = "receiver was not listening"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A telegram at one receiver.

    Attributes:
        receiver: name of its antenna.
        fate: what became of it there.
        rssi_dbm: its strength there.
    """

    receiver: str
    fate: Fate
    rssi_dbm: float


@dataclass(frozen=True, slots=True)
class Transmission:
    """A telegram that was on the air.

    Attributes:
        at_s: when it began, seconds of the clock.
        airtime_s: how long it took.
        sender: name of its antenna.
        mode: how it was sent.
        telegram: stripped octets, as they were meant.
        arrivals: one for each antenna that can hear the mode, but the sender.
    """

    at_s: float
    airtime_s: float
    sender: str
    mode: RadioMode
    telegram: bytes
    arrivals: tuple[Arrival, ...]

    @property
    def heard(self) -> bool:
        """Whether anybody received it."""
        return any(one.fate in (Fate.RECEIVED, Fate.TWICE) for one in self.arrivals)


@dataclass(eq=False, slots=True)
class _Flight:
    """A telegram on its way."""

    sender: AirAntenna
    mode: RadioMode
    telegram: bytes
    begin_s: float
    end_s: float
    damaged: bool
    cut: bool = False
    rssi: dict[AirAntenna, float] = field(default_factory=dict)
    others: list[_Flight] = field(default_factory=list)


class AirAntenna:
    """One radio in the air; see `devices.ports.radio.Antenna`. Half duplex: while it sends it is deaf.

    Attributes:
        name: in evidence.
        position: metres east and north of the middle of the air.
        hears: modes that it can receive.
    """

    def __init__(self, air: Air, name: str, position: tuple[float, float], hears: frozenset[RadioMode]) -> None:
        self.name = name
        self.position = position
        self.hears = hears
        self._air = air
        self._callback: Callable[[Reception], None] | None = None
        self._listening_since = math.inf
        self._sent_until = -math.inf
        self._attached = True

    @property
    def on_reception(self) -> Callable[[Reception], None] | None:
        """Called for each telegram taken in whole; None: the receiver is off. Who switches it on in the middle of a
        telegram does not get that."""
        return self._callback

    @on_reception.setter
    def on_reception(self, callback: Callable[[Reception], None] | None) -> None:
        if callback is None:
            self._listening_since = math.inf
        elif self._callback is None:
            self._listening_since = self._air.now_s()
        self._callback = callback

    def send(self, telegram: bytes, mode: RadioMode) -> float:
        """Begin to send a stripped telegram; returns seconds on the air.

        Raises ValueError for what is no telegram, and while it is still sending; UsageError once it is detached.
        """
        return self._air.launch(self, telegram, mode, damaged=False)

    def send_damaged(self, telegram: bytes, mode: RadioMode) -> float:
        """As send, but a bit falls over on the way to everybody: no receiver finds the CRC right."""
        return self._air.launch(self, telegram, mode, damaged=True)

    def detach(self) -> None:
        """Off the air: what it is sending is cut off, nothing is received or sent any more."""
        self.on_reception = None
        if self._attached:
            self._attached = False
            self._air.remove(self)

    @property
    def attached(self) -> bool:
        """Whether it is on the air."""
        return self._attached

    @property
    def sending(self) -> bool:
        """Whether it is sending at present."""
        return self._air.now_s() < self._sent_until

    def deaf_in(self, flight: _Flight) -> bool:
        """Whether it was sending itself during some part of a flight that ends now."""
        return self._sent_until > flight.begin_s

    def awake_for(self, flight: _Flight) -> bool:
        """Whether it has listened since the flight began."""
        return self._listening_since <= flight.begin_s

    def takes(self, reception: Reception) -> None:
        """Hand a telegram over to who listens."""
        if self._callback is not None:
            self._callback(reception)

    def busy_until(self, end_s: float) -> None:
        """It is sending until `end_s`."""
        self._sent_until = end_s


class Air:
    """One medium. What is drawn comes from `rng` alone: same seed, same fates.

    Attributes:
        settings: as they are now; `change` changes them.
        on_air: told of each transmission when it has ended; None: nobody listens.
        on_duty_exceeded: told when a transmitter has been on the air for too long; None: nobody listens.
        sent: transmissions that have ended so far.
        exceeded: every excess of the duty cycle so far, at most one per transmitter and hour.
    """

    def __init__(self, clock: Clock, rng: random.Random, settings: AirSettings | None = None) -> None:
        self.settings = settings or AirSettings()
        self.on_air: Callable[[Transmission], None] | None = None
        self.on_duty_exceeded: Callable[[DutyExceeded], None] | None = None
        self.sent = 0
        self.exceeded: list[DutyExceeded] = []
        self._clock = clock
        self._rng = rng
        self._antennas: dict[str, AirAntenna] = {}
        self._hearing: dict[RadioMode, list[AirAntenna]] = {mode: [] for mode in RadioMode}
        self._flying: dict[Channel, list[_Flight]] = {channel: [] for channel in Channel}
        self._duty: dict[str, DutyCycle] = {}
        self._path_db: dict[tuple[AirAntenna, AirAntenna], float] = {}

    def antenna(
        self,
        name: str,
        *,
        distance_m: float = 10.0,
        position: tuple[float, float] | None = None,
        hears: Iterable[RadioMode] = FROM_METERS,
    ) -> AirAntenna:
        """Put an antenna up.

        Args:
            name: in evidence; UsageError when there is one of this name.
            distance_m: metres from the middle of the air, in a direction of its own; 0 for the gateway.
            position: metres east and north of the middle, in place of a distance.
            hears: modes that it can receive; TO_METERS for a bidirectional meter, none for one that only sends.
        """
        if name in self._antennas:
            raise UsageError(f"there is an antenna {name!r} already", hint="each antenna has its own name")
        if position is None:
            if not distance_m >= 0:
                raise UsageError(f"antenna {name!r} cannot be {distance_m!r} m away", hint="a distance from 0 m")
            angle = len(self._duty) * _GOLDEN_ANGLE
            position = distance_m * math.cos(angle), distance_m * math.sin(angle)
        antenna = AirAntenna(self, name, position, frozenset(hears))
        self._antennas[name] = antenna
        for mode in RadioMode:
            if mode in antenna.hears:
                self._hearing[mode].append(antenna)
        self._duty[name] = DutyCycle(name, self.settings.duty_cycle, self.settings.duty_window_s)
        return antenna

    def change(self, *, loss: float | None = None, duplicates: float | None = None) -> None:
        """From now on telegrams get lost or come twice more or less often; None: as before. UsageError for no share."""
        self.settings = replace(
            self.settings,
            loss=self.settings.loss if loss is None else loss,
            duplicates=self.settings.duplicates if duplicates is None else duplicates,
        )

    def duty(self, name: str) -> float:
        """Share of the last hour that the antenna `name` was on the air; KeyError when there never was one."""
        return self._duty[name].share(self.now_s())

    def now_s(self) -> float:
        """Seconds of the clock."""
        return self._clock.seconds()

    # --- what antennas call

    def launch(self, sender: AirAntenna, telegram: bytes, mode: RadioMode, *, damaged: bool) -> float:
        """A telegram begins; see AirAntenna.send."""
        if not sender.attached:
            raise UsageError(f"antenna {sender.name!r} is no longer on the air")
        if sender.sending:
            raise ValueError(f"antenna {sender.name!r} is still sending")
        duration = airtime(telegram, mode)
        begin = self.now_s()
        flight = _Flight(sender, mode, telegram, begin, begin + duration, damaged)
        sender.busy_until(flight.end_s)
        on_channel = self._flying[MODULATIONS[mode].channel]
        for other in on_channel:
            if other.end_s <= begin:
                continue
            other.others.append(flight)
            flight.others.append(other)
        on_channel.append(flight)
        for receiver in self._hearing[mode]:
            if receiver is not sender:
                self._strength(flight, receiver)
        self._watch_duty(sender, mode, begin, duration)
        self._clock.call_at(flight.end_s, self._land, flight)
        return duration

    def remove(self, antenna: AirAntenna) -> None:
        """An antenna comes down."""
        del self._antennas[antenna.name]
        for mode in antenna.hears:
            self._hearing[mode].remove(antenna)
        self._path_db = {pair: loss for pair, loss in self._path_db.items() if antenna not in pair}
        for flights in self._flying.values():
            for flight in flights:
                flight.cut = flight.cut or flight.sender is antenna

    # --- on the way

    def _strength(self, flight: _Flight, receiver: AirAntenna) -> float:
        """dBm at a receiver, the same for all of a flight."""
        known = flight.rssi.get(receiver)
        if known is not None:
            return known
        pair = flight.sender, receiver
        path = self._path_db.get(pair)
        if path is None:
            path = self._path_db[pair] = self._path_loss(*pair)
        faded = self.settings.transmit_dbm - path + self.settings.fading_db * self._rng.gauss(0, 1)
        flight.rssi[receiver] = faded
        return faded

    def _path_loss(self, sender: AirAntenna, receiver: AirAntenna) -> float:
        metres = max(1.0, math.dist(sender.position, receiver.position))
        return self.settings.path_loss_1m_db + 10 * self.settings.path_loss_exponent * math.log10(metres)

    def _land(self, flight: _Flight) -> None:
        """The last chip of a telegram."""
        self._flying[MODULATIONS[flight.mode].channel].remove(flight)
        self.sent += 1
        arrivals = []
        for receiver in tuple(self._hearing[flight.mode]):
            if receiver is flight.sender:
                continue
            rssi = self._strength(flight, receiver)
            fate = self._fate(flight, receiver, rssi, self._rng.random(), self._rng.random())
            arrivals.append((receiver, fate, rssi))
        flight.others.clear()
        if self.on_air is not None:
            self.on_air(
                Transmission(
                    flight.begin_s,
                    flight.end_s - flight.begin_s,
                    flight.sender.name,
                    flight.mode,
                    flight.telegram,
                    tuple(Arrival(receiver.name, fate, round(rssi, 1)) for receiver, fate, rssi in arrivals),
                )
            )
        for receiver, fate, rssi in arrivals:
            if fate in (Fate.RECEIVED, Fate.TWICE):
                self._deliver(flight, receiver, rssi, twice=fate is Fate.TWICE)

    def _fate(self, flight: _Flight, receiver: AirAntenna, rssi: float, luck: float, second: float) -> Fate:
        if not receiver.awake_for(flight):
            return Fate.ASLEEP
        if receiver.deaf_in(flight):
            return Fate.SENDING
        if rssi < self.settings.sensitivity_dbm:
            return Fate.WEAK
        if flight.others and rssi < self._noise(flight, receiver) + self.settings.capture_db:
            return Fate.COLLIDED
        if flight.cut:
            return Fate.CUT
        if flight.damaged:
            return Fate.DAMAGED
        if luck < self.settings.loss:
            return Fate.LOST
        return Fate.TWICE if second < self.settings.duplicates else Fate.RECEIVED

    def _noise(self, flight: _Flight, receiver: AirAntenna) -> float:
        """dBm of everything that overlapped with a flight, at a receiver."""
        milliwatts = sum(
            10 ** (self._strength(other, receiver) / 10) for other in flight.others if other.sender is not receiver
        )
        return 10 * math.log10(milliwatts) if milliwatts > 0 else -math.inf

    def _deliver(self, flight: _Flight, receiver: AirAntenna, rssi: float, *, twice: bool) -> None:
        reception = Reception(flight.end_s, flight.telegram, flight.mode, round(rssi, 1))
        receiver.takes(reception)
        if twice:
            again_s = flight.end_s + self.settings.duplicate_after_s
            self._clock.call_at(again_s, receiver.takes, replace(reception, at_s=again_s))

    def _watch_duty(self, sender: AirAntenna, mode: RadioMode, at_s: float, duration: float) -> None:
        duty = self._duty[sender.name]
        fast = MODULATIONS[mode].channel is Channel.MHZ_868_95
        duty.limit = self.settings.duty_cycle if fast else self.settings.duty_cycle_other
        excess = duty.sent(at_s, duration)
        if excess is not None:
            self.exceeded.append(excess)
            if self.on_duty_exceeded is not None:
                self.on_duty_exceeded(excess)
