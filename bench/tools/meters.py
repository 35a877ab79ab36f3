"""`smgw-bench meter`: emulated meters on a real adapter or a pseudo-terminal, in real time, until they are stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from bench.assumed_values import AssumedOfMeters
from bench.scenario.meter_models import GivenMeter
from bench.scenario.mistakes import translate, wrong_option
from bench.scenario.source import Source, read
from bench.tools.connection import EMULATED, check_terminal
from bench.tools.emulated_bus import DEMONSTRATION, EmulatedBus
from bench.tools.meter_ids import id_of, name_of
from bench.tools.meter_state import check_state
from bench.tools.screen import Screen
from bench.tools.stopping import stopped
from bench.tools.words import WORDS
from bench.written import Written
from devices.clock import Clock
from devices.errors import Place, UsageError, UsageErrors
from devices.meters.catalogue import DEFAULT_IDENTITY, REPLAY, SMARTY
from devices.meters.defaults import LmnDefaults
from devices.meters.replay_meter import ReplayMeter
from devices.meters.smarty_bz import SmartyBz
from devices.ports.base import BytePort, LineSettings
from devices.ports.pty import pty_pair
from devices.protocols.sml.transport import START
from devices.protocols.update_log import UpdateLogEntry
from devices.protocols.update_log_text import entry_text
from devices.rs485.adapter import AdapterSettings, adapter_notes, open_adapter

PTY: Final = "pty"
"""Port that stands for a new pseudo-terminal."""


class MetersFile(Written):
    """A file of meters, written as in a scenario's ``given``.

    Attributes:
        meters: name -> meter.
        assumed: other values for what the documents leave open about meters, as in a bench file.
    """

    meters: Annotated[dict[str, GivenMeter], Field(min_length=1)]
    assumed: AssumedOfMeters = Field(default_factory=dict)


@dataclass(frozen=True)
class MetersMeant:
    """The meters that are to be played.

    Attributes:
        given: by name.
        defaults: what the documents leave open about them.
        source: the file in which they stand; None: they come from options.
    """

    given: dict[str, GivenMeter]
    defaults: LmnDefaults
    source: Source | None = None

    def place(self, name: str) -> Place | None:
        """Where the meter `name` stands."""
        return None if self.source is None else self.source.place(("meters", name))


@dataclass(frozen=True)
class MeterOptions:
    """What `smgw-bench meter` was asked.

    Attributes:
        adapter: port and how it is driven; port ``pty``: a new pseudo-terminal.
        file: meters from here.
        type, id, load: of a single meter instead.
        state: folder in which meters keep what survives.
        seed: of what they draw, None: from the operating system.
    """

    adapter: AdapterSettings
    file: Path | None = None
    type: str | None = None
    id: str | None = None
    load: str | None = None
    state: Path | None = None
    seed: int | None = None

    @property
    def said(self) -> dict[str, str]:
        """What was said of a single meter."""
        single = {"type": self.type, "id": self.id, "load": self.load}
        return {name: value for name, value in single.items() if value is not None}


def given_meters(options: MeterOptions) -> MetersMeant:
    """The meters that are meant. Raises UsageError that names the option, or the place in the file."""
    if options.file is not None:
        return _from_file(options.file, options)
    return MetersMeant(_single(options), LmnDefaults())


def _single(options: MeterOptions) -> dict[str, GivenMeter]:
    said = options.said
    if options.type == REPLAY:
        raise UsageError("a replay needs a dump", hint="write it into a file for --meters")
    if not said:
        return {"meter": DEMONSTRATION}
    if options.id is None:
        said["id"] = DEFAULT_IDENTITY[options.type or SMARTY]
    said.setdefault("type", "smarty_bz_plus_v2" if is_smarty(said["id"]) else "base_meter")
    try:
        return {"meter": GivenMeter.model_validate(said)}
    except ValidationError as error:
        raise UsageErrors([wrong_option(item) for item in error.errors(include_url=False)]) from None


def is_smarty(identity: str) -> bool:
    """Whether a device number, or server id in hex, is that of a meter made by SAG."""
    try:
        return id_of(identity)[2:5] == b"SAG"
    except UsageError:
        return False


def _from_file(file: Path, options: MeterOptions) -> MetersMeant:
    if options.said:
        raise UsageError(f"--meters and --{next(iter(options.said))} together", hint="write it into the file")
    source = read(file)
    if not isinstance(source.data, dict):
        raise UsageError("the file holds no mapping", place=Place(file, 1), hint="it begins with 'meters:'")
    try:
        written = MetersFile.model_validate(source.data)
    except ValidationError as error:
        raise UsageErrors(list(translate(error, source, MetersFile))) from None
    first: dict[bytes, str] = {}
    for name, meter in written.meters.items():
        if meter.id is None:
            continue
        other = first.setdefault(id_of(meter.id), name)
        if other != name:
            text = f"{name!r} and {other!r} are the same meter {meter.id}: each has its own id"
            raise UsageError(text, place=source.place(("meters", name, "id")))
    return MetersMeant(written.meters, LmnDefaults().overridden(written.assumed), source)


async def serve(clock: Clock, options: MeterOptions, screen: Screen) -> int:
    """Run the meters until SIGINT or SIGTERM; returns the exit code 0.

    Raises PortLost when the adapter is pulled, UsageError and BenchError for what does not work from the start.
    """
    check_state(options.state)
    meant = given_meters(options)
    check_port(options.adapter.port)
    with ExitStack() as stack:
        port = _open(clock, options.adapter, screen)
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end_with(error: Exception) -> None:
            if not lost.done():
                lost.set_exception(error)

        told = _Told(clock, screen, end_with)
        bus = EmulatedBus(clock, port, seed=options.seed, told=told, defaults=meant.defaults)
        stack.callback(bus.close)
        bus.bus.on_lost = bus.on_trouble = end_with
        folder = Path() if options.file is None else options.file.parent
        for name, given in meant.given.items():
            try:
                bus.add(name, given, folder=folder, state=options.state)
            except UsageError as error:
                if error.place is not None:
                    raise
                raise UsageError(error.message, place=meant.place(name), hint=error.hint) from None
            _introduce(name, given.type, bus, screen)
        screen.say("running")
        stop = stopped(stack)
        ends: list[asyncio.Future[Any]] = [lost, stop]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            stop.cancel()
            lost.result()
        lost.cancel()
    screen.say("ended")
    return 0


def check_port(port: str) -> None:
    """Raise UsageError for what cannot be a port with a gateway at its other end."""
    if port == EMULATED:
        raise UsageError("--port emulated is for updatelog and update-meter", hint="a new pseudo-terminal is 'pty'")
    check_terminal(port)


def _open(clock: Clock, adapter: AdapterSettings, screen: Screen) -> BytePort:
    if adapter.port == PTY:
        pty, path = pty_pair(clock, LineSettings(adapter.baudrate), name="LMN")
        screen.say("bus_pty", path=path, baudrate=adapter.baudrate)
        return pty
    port = open_adapter(clock, adapter, name="LMN")
    screen.say("bus_adapter", port=adapter.port, baudrate=adapter.baudrate, direction=adapter.direction)
    for note in adapter_notes(adapter.port):
        screen.say("note", text=note)
    return port


def _introduce(name: str, kind: str, bus: EmulatedBus, screen: Screen) -> None:
    meter = bus.meters[name]
    said = {"firmware": meter.firmware} if isinstance(meter, SmartyBz) else {}
    noise = isinstance(meter, ReplayMeter) and not any(START in one for one in meter.files)
    what = screen.word("kind_noise" if noise else f"kind_{kind}", **said)
    number, server_id = name_of(meter.server_id), meter.server_id.hex().upper()
    screen.say("introduced", name=name, number=number, server_id=server_id, what=what)
    if name in bus.keys:
        screen.say("initial_key", name=name, key=bus.keys[name].hex().upper())
    if isinstance(meter, SmartyBz):
        screen.say("public_key_of", name=name, key=meter.label_key.hex().upper())


class _Told:
    """Prints what happens to the meters."""

    def __init__(self, clock: Clock, screen: Screen, broken: Callable[[Exception], None]) -> None:
        self._clock = clock
        self._screen = screen
        self._broken = broken

    def __call__(self, name: str, kind: str, details: dict[str, object]) -> None:
        said = event_text(kind, details, self._screen)
        if said is None:
            return
        try:
            self._screen.line(f"{self._clock.now().astimezone():%H:%M:%S.%f}"[:-3] + f" {name}: {said}")
        except OSError as error:  # whoever read this has gone, as in `| head`
            self._broken(error)


def event_text(kind: str, details: dict[str, object], screen: Screen) -> str | None:
    """What happened, in the language of `screen`; None for what is not worth a line."""
    which = _WHICH.get(kind)
    word = f"event_{kind}" + ("" if which is None else which(details))
    if word not in WORDS:
        return None
    filled = {name: _SAID[name](details[name], screen) if name in _SAID else details[name] for name in details}
    return screen.word(word, **filled)


def _address(value: object, _: Screen) -> str:
    return f"{value:02X}"


def _selector(value: object, screen: Screen) -> str:
    known = f"selector_{value}"
    return screen.word(known) if known in WORDS else screen.word("selector_other", number=f"{value:02X}")


def _stage(value: object, screen: Screen) -> str:
    return screen.word(f"stage_{value}")


def _entry(value: object, screen: Screen) -> str:
    assert isinstance(value, UpdateLogEntry)
    return entry_text(value, screen.language)


_SAID: Final[Mapping[str, Callable[[object, Screen], str]]] = {
    "address": _address,
    "selector": _selector,
    "stage": _stage,
    "entry": _entry,
}
"""Details that are not said as they are."""
_WHICH: Final[Mapping[str, Callable[[dict[str, object]], str]]] = {
    "addressed": lambda details: "_listed" if details["listed"] else "_chosen",
    "application": lambda details: "_runs" if details["running"] else "_stopped",
}
"""Kinds of events with two sentences -> which of them."""
