"""`smgw-bench meter`: emulated meters on a real adapter or a pseudo-terminal, in real time, until they are stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError

from bench.scenario.mistakes import translate
from bench.scenario.models import GivenMeter
from bench.scenario.source import read
from bench.tools.connection import name_of
from bench.tools.emulated_bus import DEMONSTRATION, EmulatedBus
from bench.tools.screen import Screen
from bench.written import Written
from devices.clock import Clock
from devices.errors import Place, UsageError, UsageErrors
from devices.meters.catalogue import DEFAULT_IDENTITY, KINDS, REPLAY, SMARTY
from devices.meters.smarty_bz import SmartyBz
from devices.ports.base import BytePort, LineSettings
from devices.ports.pty import pty_pair
from devices.protocols.update_log import UpdateLogEntry
from devices.protocols.update_log_text import entry_text
from devices.rs485.adapter import AdapterSettings, adapter_notes, open_adapter

PTY: Final = "pty"
"""Port that stands for a new pseudo-terminal."""


class MetersFile(Written):
    """A file of meters, written as in a scenario's ``given``.

    Attributes:
        meters: name -> meter.
    """

    meters: Annotated[dict[str, GivenMeter], Field(min_length=1)]


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


def given_meters(options: MeterOptions) -> dict[str, GivenMeter]:
    """The meters that are meant. Raises UsageError."""
    single = {"type": options.type, "id": options.id, "load": options.load}
    said = {name: value for name, value in single.items() if value is not None}
    if options.file is None:
        if options.type == REPLAY:
            raise UsageError("a replay needs a dump", hint="write it into a file for --meters")
        if not said:
            return {"meter": DEMONSTRATION}
        if options.id is None:
            said["id"] = DEFAULT_IDENTITY[options.type or SMARTY]
        said.setdefault("type", "smarty_bz_plus_v2" if "SAG" in said["id"].upper() else "base_meter")
        try:
            return {"meter": GivenMeter.model_validate(said)}
        except ValidationError as error:
            raise UsageError("; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())) from None
    if said:
        raise UsageError(f"--meters and --{next(iter(said))} together", hint="write it into the file")
    source = read(options.file)
    if not isinstance(source.data, dict):
        raise UsageError("the file holds no mapping", place=Place(options.file, 1), hint="it begins with 'meters:'")
    try:
        return MetersFile.model_validate(source.data).meters
    except ValidationError as error:
        raise UsageErrors(list(translate(error, source, MetersFile))) from None


async def serve(clock: Clock, options: MeterOptions, screen: Screen) -> int:
    """Run the meters until SIGINT or SIGTERM; returns the exit code 0.

    Raises PortLost when the adapter is pulled, UsageError and BenchError for what does not work from the start.
    """
    meters = given_meters(options)
    with ExitStack() as stack:
        port = _open(clock, options.adapter, screen)
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end_with(error: Exception) -> None:
            if not lost.done():
                lost.set_exception(error)

        bus = EmulatedBus(clock, port, seed=options.seed, told=_Told(clock, screen, end_with))
        stack.callback(bus.close)
        bus.bus.on_lost = end_with
        folder = Path() if options.file is None else options.file.parent
        for name, given in meters.items():
            bus.add(name, given, folder=folder, state=options.state)
            _introduce(name, KINDS[given.type], bus, screen)
        screen.line("running; Ctrl-C ends it")
        stop = _stopped(stack)
        await asyncio.wait([lost, stop], return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            stop.cancel()
            lost.result()
        lost.cancel()
    screen.line("ended")
    return 0


def _open(clock: Clock, adapter: AdapterSettings, screen: Screen) -> BytePort:
    if adapter.port == PTY:
        pty, path = pty_pair(clock, LineSettings(adapter.baudrate), name="LMN")
        screen.line(f"bus: {path} (pseudo-terminal, {adapter.baudrate} Bd)")
        return pty
    port = open_adapter(clock, adapter, name="LMN")
    screen.line(f"bus: {adapter.port} ({adapter.baudrate} Bd, direction {adapter.direction})")
    for note in adapter_notes(adapter.port):
        screen.line(f"note: {note}")
    return port


def _introduce(name: str, kind: str, bus: EmulatedBus, screen: Screen) -> None:
    meter = bus.meters[name]
    number = name_of(meter.server_id)
    what = f"SMARTY BZ-PLUS v2 with firmware {meter.firmware}" if isinstance(meter, SmartyBz) else kind
    screen.line(f"{name}: {number}, server id {meter.server_id.hex().upper()}, {what}")
    if name in bus.keys:
        screen.line(f"{name}: initial key {bus.keys[name].hex().upper()}")
    if isinstance(meter, SmartyBz):
        screen.line(f"{name}: public key {meter.label_key.hex().upper()}")


def _stopped(stack: ExitStack) -> asyncio.Future[None]:
    """Done when somebody wants the end."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not stop.done():
            stop.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
        stack.callback(loop.remove_signal_handler, number)
    return stop


class _Told:
    """Prints what happens to the meters."""

    def __init__(self, clock: Clock, screen: Screen, broken: Callable[[Exception], None]) -> None:
        self._clock = clock
        self._screen = screen
        self._broken = broken

    def __call__(self, name: str, kind: str, details: dict[str, object]) -> None:
        say = _SENTENCES.get(kind)
        if say is None:
            return
        try:
            self._screen.line(f"{self._clock.now().astimezone():%H:%M:%S.%f}"[:-3] + f" {name}: {say(details)}")
        except OSError as error:  # whoever read this has gone, as in `| head`
            self._broken(error)


def _selector(details: dict[str, object]) -> str:
    number = details["selector"]
    assert isinstance(number, int)
    return _SELECTORS.get(number, f"selector {number:02X}")


def _entry(details: dict[str, object]) -> str:
    entry = details["entry"]
    assert isinstance(entry, UpdateLogEntry)
    return f"new in the update log: {entry_text(entry, 'en')}"


def _addressed(details: dict[str, object]) -> str:
    return f"has address {details['address']:02X}" + (", confirmed" if details["listed"] else ", chosen")


_SELECTORS: Final = {1: "TLS", 3: "clear SML", 6: "SYM", 0x70: "service protocol"}
_SENTENCES: Final[Mapping[str, Callable[[dict[str, object]], str]]] = {
    "addressed": _addressed,
    "address_lost": lambda _: "has lost its address",
    "connected": lambda details: f"link opened, {_selector(details)}",
    "disconnected": lambda details: f"link ended, {_selector(details)}: {details['reason']}",
    "request": lambda details: f"request of {details['octets']} octets, {_selector(details)}",
    "answer": lambda details: f"answer of {details['octets']} octets, {_selector(details)}",
    "unexpected": lambda details: f"unexpected: {details['reason']}",
    "paired": lambda _: "paired",
    "pairing_refused": lambda details: f"pairing refused: {details['reason']}",
    "secured": lambda _: "TLS session stands",
    "tls_failed": lambda details: f"TLS failed: {details['reason']}",
    "tls_closed": lambda details: f"TLS session ended: {details['reason']}",
    "key": lambda _: "has an operational key",
    "crypto_reset": lambda _: "crypto reset",
    "stage": lambda details: f"update: {details['stage']}",
    "logged": _entry,
    "application": lambda details: "application runs" if details["running"] else "application stopped for installation",
}
