"""A radio meter: measures, sends its telegrams, listens where it can, and misbehaves when it is told to."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol, runtime_checkable

from devices.clock import Clock
from devices.errors import UsageError
from devices.meters.grid import NOMINAL, Grid
from devices.meters.load_profile import LoadProfile, constant
from devices.meters.radio.access import AccessWindow
from devices.meters.radio.calendar import MeterCalendar
from devices.meters.radio.composer import Composed, Composer
from devices.meters.radio.contents import RECORDS
from devices.meters.radio.counter import CounterExhausted
from devices.meters.radio.draft import ACC_DMD, NAMES, RSP_UD, SND_IR, SND_NR, Sending
from devices.meters.radio.encoding import octets_of
from devices.meters.radio.faults import RadioFault, RadioFaults, check_on, make_fault
from devices.meters.radio.measured import Measured, plain_code
from devices.meters.radio.plan import RadioMeterPlan
from devices.ports.radio import Antenna, RadioMode
from devices.protocols.mbus.errors import MbusError
from devices.protocols.mbus.link import Address
from devices.protocols.mbus.telegram import Telegram
from devices.wmbus.airtime import airtime

KEPT_TELEGRAMS: Final = 64
_GAP_S: Final = 0.005
"""Pause of a meter whose antenna is still sending."""

Tell = Callable[[str, dict[str, object]], None]
"""Kind of event, details."""


@runtime_checkable
class DamagingAntenna(Protocol):
    """An antenna in the emulated air: it can send what no receiver takes in whole."""

    def send_damaged(self, telegram: bytes, mode: RadioMode) -> float:
        """As Antenna.send, with a wrong link CRC."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A telegram of a radio meter.

    Attributes:
        at_s: when it was due, seconds of the clock.
        telegram: stripped octets; empty when a fault has swallowed it.
        c: C field.
        frame: full, compact or empty.
        access_number: ACC.
        counter: transmission counter that it told, or the number of the telegram where it tells none.
        values: registers as it told them, in kWh and m3, before a fault did something to its octets.
        struck: faults that did.
    """

    at_s: float
    telegram: bytes
    c: int
    frame: str
    access_number: int
    counter: int
    values: Mapping[str, Decimal] = field(default_factory=dict)
    struck: tuple[str, ...] = ()


class RadioMeter:
    """A radio meter of any kind.

    Attributes:
        plan: what it is like.
        measured: what it has counted.
        faults: those that are set.
        rng: its source of chance.
        last_sent: its last telegram with data; None: none yet.
        sent: telegrams so far, of every kind.
        confirmations: how often a gateway confirmed its installation.
        on_event: told what happens: telegram, fault, confirmed, command, ...; None: nobody listens.
    """

    def __init__(
        self,
        plan: RadioMeterPlan,
        clock: Clock,
        rng: random.Random,
        antenna: Antenna,
        profile: LoadProfile | None = None,
        *,
        grid: Grid = NOMINAL,
        on_event: Tell | None = None,
    ) -> None:
        """Make a meter that measures, but does not send before `start`.

        Args:
            plan: what it is like. UsageError for a record or register that it cannot have.
            clock: the laboratory's.
            rng: its source of chance; nobody else should draw from it.
            antenna: its own.
            profile: its load; of gas and water a watt stands for a litre per hour. None: nothing flows.
            grid: of an electricity meter.
            on_event: see the attribute.
        """
        unknown = [name for name in (*plan.records, *plan.clear_records) if name not in RECORDS]
        if unknown:
            raise UsageError(f"{plan.number} has no record {unknown[0]!r}", hint=f"there are {', '.join(RECORDS)}")
        self.plan = plan
        self.rng = rng
        self.measured = Measured(
            clock,
            profile or constant(0),
            plan.table.registers(plan.number[0]),
            plan.registers,
            spread_k=plan.flow_c - plan.return_c,
            grid=grid,
        )
        self.faults = RadioFaults(self, self._struck)
        self.last_sent: Sent | None = None
        self.sent = 0
        self.confirmations = 0
        self.on_event = on_event
        self._clock = clock
        self._antenna = antenna
        self._address = plan.address
        self._key = plan.key_octets
        self._earlier: deque[bytes] = deque(maxlen=KEPT_TELEGRAMS)
        self._powered = True
        self._started = False
        self._busy_until_s = 0.0
        self._next_s = 0.0
        self._command_counter = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._installing_until_s = 0.0
        self._installing_left = 0
        self._demands_left = 0
        self._window = None if plan.access is None else AccessWindow(plan.access, plan.mode, clock, antenna, self)
        self._calendar = MeterCalendar(plan, clock, self.measured)
        self._composer = Composer(plan, clock, rng, self.measured, self._calendar)
        self._rehearse()
        self._calendar.start()

    # --- what is done to it

    def start(self) -> None:
        """Begin to send, the first time within one interval."""
        if self._started:
            return
        self._started = True
        if self._powered:
            self._begin_sending()

    def stop(self) -> None:
        """Send no more of its own accord; measuring goes on."""
        self._started = False
        self._installing_left = 0
        self._cancel("send", "install", "demand")

    def power_off(self) -> None:
        """Its supply is gone: battery taken out, or mains off. Its memory keeps registers and transmission counter."""
        if not self._powered:
            return
        self._powered = False
        self._fall_silent()
        if self.plan.table.needs_power:
            self.measured.metrology.power(False)
        self._composer.power_lost()
        self._tell("power", on=False)

    def power_on(self) -> None:
        """Its supply is back."""
        if self._powered:
            return
        self._powered = True
        self.measured.metrology.power(True)
        self._composer.power_back()
        self._calendar.start()
        self._tell("power", on=True)
        if self._started:
            self._begin_sending()

    def close(self) -> None:
        """Take it off the air for good; may be called twice."""
        self._fall_silent()
        self._powered = False
        self._antenna.detach()

    def install(self) -> None:
        """Somebody presses its button: it announces itself with SND-IR telegrams, beside those it sends anyway."""
        if not self._powered:
            return
        how = self.plan.installation
        self._installing_left = how.telegrams
        self._installing_until_s = self._clock.seconds() + how.longest_s
        self._install_once()

    def fault(self, name: str, times: int | None = None, **options: Any) -> None:
        """Misbehave: a fault of `devices.meters.radio.faults.FAULTS`; `times` telegrams, or until it is cleared.

        Raises UsageError for what is no fault, and for one that would do nothing on this meter.
        """
        made = make_fault(name, times, **options)
        check_on(made, self.plan)
        if made.kind.on_air and not isinstance(self._antenna, DamagingAntenna):
            raise UsageError(f"the antenna of {self.plan.number} cannot do {name}", hint="only emulated air can")
        self.faults.set(made)
        self.measured.freeze(self.faults.frozen)

    def clear_faults(self, name: str | None = None) -> None:
        """Behave again; None: all faults end, else those of this name."""
        self.faults.clear(name)
        self.measured.freeze(self.faults.frozen)

    def alarm(self, flags: int = 1) -> None:
        """Something happened to it: the flags are set, the status says so, and somebody is told at once.

        A unidirectional meter sends a telegram out of turn; a bidirectional one asks for access until it is
        acknowledged (ACC-DMD).
        """
        self._composer.flags |= flags
        if not self._powered:
            return
        if self.plan.access is None:
            self._send_data(SND_NR)
        else:
            self._demands_left = self.plan.access.demand_retries
            self._demand()

    def clear_alarm(self) -> None:
        """All is well again."""
        self._composer.flags = 0
        self._cancel("demand")

    # --- what it says

    @property
    def address(self) -> Address:
        """Its address."""
        return self._address

    @property
    def key(self) -> bytes:
        """Its key."""
        return self._key

    @property
    def counter(self) -> int:
        """Transmission counter of the last telegram."""
        return self._composer.counter.last

    @property
    def powered(self) -> bool:
        """Whether it has a supply."""
        return self._powered

    @property
    def sending(self) -> bool:
        """Whether it sends of its own accord."""
        return self._started and self._powered

    @property
    def installing(self) -> bool:
        """Whether it announces itself."""
        return self._installing_left > 0 and self._clock.seconds() < self._installing_until_s

    @property
    def status(self) -> int:
        """Its status byte, without faults that are set."""
        return self._composer.status

    @property
    def flags(self) -> int:
        """Its error flags (FD 17)."""
        return self._composer.flags

    def reading(self, register: str) -> Decimal:
        """A register as it is now, cut to what is sent, in kWh or m3: what a telegram of this moment tells.

        Raises UsageError for a register that it does not have.
        """
        try:
            return self.measured.reading(register)
        except KeyError:
            known = ", ".join(self.measured.registers)
            raise UsageError(f"{self.plan.number} has no register {register}", hint=f"there are {known}") from None

    def readings(self, register: str) -> list[tuple[datetime, Decimal]]:
        """Readings on the grid of the compact profile so far, oldest first; UsageError as `reading`."""
        self.reading(register)
        kept = self.measured.readings(plain_code(register))
        return [(datetime.fromtimestamp(at_s, UTC), value) for at_s, value in kept]

    # --- what faults ask of it

    def earlier(self, back: int) -> bytes | None:
        """See `strikes.Sender`."""
        return self._earlier[-back] if back <= len(self._earlier) else None

    def jump(self, by: int) -> int:
        """See `strikes.Sender`."""
        self._composer.counter.jump(by)
        return self._composer.counter.last

    # --- sending

    def _rehearse(self) -> None:
        """Find out now whether its telegrams fit into a frame and its antenna's mode."""
        try:
            airtime(octets_of(self._composer.rehearsed()), self.plan.mode)
        except MbusError as error:
            hint = "fewer records, or fewer values in the compact profile"
            raise UsageError(f"telegrams of {self.plan.number} get too long: {error}", hint=hint) from None

    def _fall_silent(self) -> None:
        self._calendar.stop()
        self._cancel(*tuple(self._timers))
        if self._window is not None:
            self._window.forget()

    def _begin_sending(self) -> None:
        self._next_s = self._clock.seconds() + self.rng.random() * self.plan.interval_s
        self._at("send", self._next_s, self._regular)

    def _regular(self) -> None:
        self._send_data(SND_NR)
        self._next_s += self._interval()
        if self.sending:
            self._at("send", self._next_s, self._regular)

    def _interval(self) -> float:
        nominal, jitter = self.plan.interval_s, self.plan.jitter
        if self.plan.synchronous:
            return nominal * (1 + jitter * (abs(self._composer.access_number - 128) - 64) / 64)
        return nominal * (1 + jitter * (2 * self.rng.random() - 1))

    def _install_once(self) -> None:
        if not self.installing:
            self._installing_left = 0
            return
        self._installing_left -= 1
        self._send_data(SND_IR)
        if self.installing:
            self._at("install", self._clock.seconds() + self.plan.installation.interval_s, self._install_once)

    def _demand(self) -> None:
        if self._demands_left <= 0 or self.plan.access is None:
            return
        self._demands_left -= 1
        telegram = self.answer_empty(ACC_DMD)
        if telegram is not None:
            self._send((Sending(telegram),), anew=True)
        self._at("demand", self._clock.seconds() + self.plan.access.demand_interval_s, self._demand)

    def _send_data(self, c: int) -> None:
        made = self._data(c)
        if made is None:
            return
        draft, values = made.draft, made.values
        struck: list[RadioFault] = []
        draft = self.faults.before(draft, struck)
        telegram = octets_of(draft)
        sendings = self.faults.after(Sending(telegram), draft, struck)
        if not struck:
            self._earlier.append(telegram)
        on_air = sendings[0].telegram if sendings else b""
        names = tuple(fault.name for fault in struck)
        self.last_sent = Sent(
            self._clock.seconds(), on_air, c, draft.frame, draft.access_number, draft.counter, values, names
        )
        self._send(sendings, anew=True)
        if self.on_event is not None and sendings:
            told = {code: str(value) for code, value in values.items()}
            self._tell("telegram", c=NAMES[c], counter=draft.counter, octets=on_air.hex(), values=told)
        if struck:
            self.faults.count(struck)
            self.measured.freeze(self.faults.frozen)

    def _data(self, c: int) -> Composed | None:
        """A telegram with records; None: the counter is at its end."""
        try:
            return self._composer.data(c)
        except CounterExhausted as end:
            self._tell("counter_exhausted", reason=str(end))
            self.stop()
            return None

    def _send(self, sendings: Iterable[Sending], *, anew: bool) -> None:
        for sending in sendings:
            if sending.after_s:
                self._clock.call_later(sending.after_s, self._put, sending, anew)
            else:
                self._put(sending, anew)

    def _put(self, sending: Sending, anew: bool) -> None:
        """On the air, as soon as the antenna is free."""
        now = self._clock.seconds()
        if not self._powered:
            return
        if now < self._busy_until_s:
            self._clock.call_at(self._busy_until_s + _GAP_S, self._put, sending, anew)
            return
        if sending.damaged and isinstance(self._antenna, DamagingAntenna):
            airtime_s = self._antenna.send_damaged(sending.telegram, self.plan.mode)
        else:
            airtime_s = self._antenna.send(sending.telegram, self.plan.mode)
        self.sent += 1
        self._busy_until_s = now + airtime_s
        if self._window is not None and self._composer.opens_window():
            self._window.open(self._busy_until_s, anew=anew)

    # --- being reached

    def put(self, telegram: bytes) -> None:
        """See `access.Reachable`."""
        self._send((Sending(telegram),), anew=False)

    def confirmed(self, by: str) -> None:
        """See `access.Reachable`."""
        self.confirmations += 1
        self._installing_left = 0
        self._cancel("install")
        self._tell("confirmed", by=by)

    def acknowledged(self) -> None:
        """See `access.Reachable`."""
        self._demands_left = 0
        self._cancel("demand")
        self._tell("acknowledged")

    def ended(self) -> None:
        """See `access.Reachable`."""
        self._tell("access_ended")

    def commanded(self, telegram: Telegram) -> bool:
        """See `access.Reachable`; a command counts when its MAC is right and its counter greater than the last."""
        if self.plan.protection.counts:
            counter = telegram.counter
            if telegram.mac_valid is not True or counter is None or counter <= self._command_counter:
                self._tell("command_refused", reason=telegram.trouble or f"counter {counter} is not greater")
                return False
            self._command_counter = counter
        elif telegram.state in ("failed", "encrypted"):
            self._tell("command_refused", reason=telegram.trouble)
            return False
        self._tell("command", apl=telegram.apl.hex())
        return True

    def answer_data(self) -> bytes | None:
        """See `access.Reachable`."""
        made = self._data(RSP_UD)
        return None if made is None else octets_of(made.draft)

    def answer_alarm(self) -> bytes | None:
        """See `access.Reachable`."""
        return self.answer_data() if self.flags else None

    def answer_empty(self, c: int) -> bytes | None:
        """See `access.Reachable`."""
        return octets_of(self._composer.empty(c))

    def tell(self, event: str, **details: object) -> None:
        """See `access.Reachable`."""
        self._tell(event, **details)

    # --- timers and telling

    def _at(self, name: str, at_s: float, callback: Callable[..., None], *args: object) -> None:
        self._cancel(name)
        self._timers[name] = self._clock.call_at(at_s, callback, *args)

    def _cancel(self, *names: str) -> None:
        for name in names:
            timer = self._timers.pop(name, None)
            if timer is not None:
                timer.cancel()

    def _struck(self, name: str, done: int, left: int | None) -> None:
        self._tell("fault", kind=name, done=done, left=left)

    def _tell(self, event: str, **details: object) -> None:
        if self.on_event is not None:
            self.on_event(event, details)
