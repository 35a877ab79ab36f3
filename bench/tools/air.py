"""`smgw-bench air`: emulated radio meters, sent into the real air by a stick, or heard by an emulated stick on a
pseudo-terminal that any program may open; in real time, until it is stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from bench.quantity import text_of
from bench.scenario.mistakes import translate
from bench.scenario.radio_models import GivenRadioMeter
from bench.scenario.source import read
from bench.tools.emulated_air import DEMONSTRATION, EmulatedAir
from bench.tools.screen import Screen
from bench.tools.stick_guard import Ended, ended_by
from bench.tools.stick_port import AUTO, StickOptions, opened_stick
from bench.written import Written
from devices.clock import Clock
from devices.errors import Place, UsageError, UsageErrors
from devices.ports.pty import pty_pair
from devices.ports.radio import RadioMode
from devices.protocols.mbus.link import decode_link
from devices.wmbus.kinds import STICKS
from devices.wmbus.rc1180 import Rc1180Stick
from devices.wmbus.stick import Receive
from devices.wmbus.stick_antenna import StickAntenna

PTY: Final = "pty"
"""Port that stands for a new pseudo-terminal with an emulated stick at it."""
_ADDRESS_S: Final = 5.0


class RadioMetersFile(Written):
    """A file of radio meters, written as in a scenario's ``given``.

    Attributes:
        radio_meters: name -> meter.
    """

    radio_meters: Annotated[dict[str, GivenRadioMeter], Field(min_length=1)]


@dataclass(frozen=True)
class AirOptions:
    """What `smgw-bench air` was asked.

    Attributes:
        stick: which stick sends; port ``pty``: an emulated one hears, for another program.
        meters: file of meters; None: DEMONSTRATION.
        for_s: how long; None: until it is stopped.
        seed: of what meters and air draw, None: from the operating system.
        show_keys: tell the keys of the meters, for whoever shall read them.
    """

    stick: StickOptions
    meters: Path | None = None
    for_s: float | None = None
    seed: int | None = None
    show_keys: bool = True


def given_radio_meters(path: Path | None) -> Mapping[str, GivenRadioMeter]:
    """The meters that are meant. Raises UsageError."""
    if path is None:
        return DEMONSTRATION
    source = read(path)
    if not isinstance(source.data, dict):
        raise UsageError("the file holds no mapping", place=Place(path, 1), hint="it begins with 'radio_meters:'")
    try:
        meters = RadioMetersFile.model_validate(source.data).radio_meters
    except ValidationError as error:
        raise UsageErrors(list(translate(error, source, RadioMetersFile))) from None
    first: dict[str, str] = {}
    for name, meter in meters.items():
        other = first.setdefault(meter.id.upper(), name)
        if other != name:
            place = source.place(("radio_meters", name, "id"))
            raise UsageError(f"{name!r} has the id {meter.id} of {other!r}", place=place, hint="each has its own")
    return meters


async def play(clock: Clock, options: AirOptions, screen: Screen) -> int:
    """Play the meters until SIGINT, SIGTERM or the end of the time, which begins at once; returns the exit code 0,
    130 or 143.

    Raises UsageError and BenchError for what does not work from the start, BenchError for a stick that stays away or
    is not there at the end.
    """
    meters = given_radio_meters(options.meters)
    end = Ended(options.stick.port, screen)
    if options.stick.port == PTY:
        code = await ended_by(clock, options.for_s, _heard_by_emulated(clock, options, meters, screen), lambda: None)
    else:
        work = _sent_by_stick(clock, options, meters, screen, end)
        code = await ended_by(clock, options.for_s, work, end.missing)
    screen.say("ended")
    return code


async def _heard_by_emulated(
    clock: Clock, options: AirOptions, meters: Mapping[str, GivenRadioMeter], screen: Screen
) -> None:
    kind = options.stick.kind
    if kind == AUTO:
        raise UsageError("an emulated stick has to be of some kind", hint=f"--stick {next(iter(STICKS))}")
    with ExitStack() as stack:
        air = EmulatedAir(clock, seed=options.seed, told=_Told(clock, screen))
        stack.callback(air.close)
        _add(air, meters, options, screen)
        line = STICKS[kind].line
        port, path = pty_pair(clock, line, name=kind)
        stack.callback(port.close)
        stick = air.stick(kind, port)
        stack.callback(stick.close)
        screen.say("stick_pty", stick=STICKS[kind].title, path=path, baudrate=line.baudrate)
        air.start()
        screen.say("running")
        await asyncio.get_running_loop().create_future()


async def _sent_by_stick(
    clock: Clock, options: AirOptions, meters: Mapping[str, GivenRadioMeter], screen: Screen, end: Ended
) -> None:
    hears = any(given.bidirectional for given in meters.values())
    chosen = options.stick
    if chosen.receive is None and not hears:
        chosen = StickOptions(chosen.kind, chosen.port, chosen.baudrate, Receive.NOTHING, chosen.transparent)
    with ExitStack() as stack:
        async with opened_stick(clock, chosen, screen) as stick:
            end.watch(stick)
            antenna = StickAntenna(stick)
            stack.callback(antenna.detach)
            antenna.on_trouble = lambda error: screen.say("not_sent", text=error)
            antenna.on_sent = lambda telegram, mode: end.guard(_say_sent, telegram, mode, screen)
            air = EmulatedAir(clock, seed=options.seed)
            stack.callback(air.close)
            for name, given in meters.items():
                air.add(name, given, folder=_folder(options), antenna=antenna)
            _introduce(air, meters, options, screen)
            if isinstance(stick, Rc1180Stick):
                if len(air.plans) > 1:
                    raise UsageError("an RC1180 sends as one meter only", hint="leave one meter in the file")
                (plan,) = air.plans.values()
                await stick.set_address(plan.address.link_octets(), clock.deadline(_ADDRESS_S))
            air.start()
            screen.say("running")
            await end.future


def _folder(options: AirOptions) -> Path:
    return Path() if options.meters is None else options.meters.parent


def _add(air: EmulatedAir, meters: Mapping[str, GivenRadioMeter], options: AirOptions, screen: Screen) -> None:
    for name, given in meters.items():
        air.add(name, given, folder=_folder(options))
    _introduce(air, meters, options, screen)


def _introduce(air: EmulatedAir, meters: Mapping[str, GivenRadioMeter], options: AirOptions, screen: Screen) -> None:
    for name, plan in air.plans.items():
        counter = f", counter from {plan.counter}" if plan.protection.counts else ""
        what = f"{meters[name].kind}, {plan.protection.value}, {plan.mode.value}{counter}"
        screen.say("on_the_air", name=name, number=plan.number, what=what, interval=text_of(plan.interval_s))
        key = air.key_of(name)
        if options.show_keys and key is not None:
            screen.say("key_of", name=name, key=key.hex().upper())


def _say_sent(telegram: bytes, mode: RadioMode, screen: Screen) -> None:
    address = decode_link(telegram).address
    screen.say("air_sent", number=f"{address.manufacturer} {address.id}", octets=len(telegram), mode=mode.value)


class _Told:
    """Prints what the meters do."""

    def __init__(self, clock: Clock, screen: Screen) -> None:
        self._clock = clock
        self._screen = screen

    def __call__(self, name: str, kind: str, details: Mapping[str, Any]) -> None:
        at = f"{self._clock.now().astimezone():%H:%M:%S.%f}"[:-3]
        said = ", ".join(f"{key} {value}" for key, value in details.items() if isinstance(value, int | str | float))
        self._screen.line(f"{at} {name}: {kind}{', ' + said if said else ''}")
