"""How a tool gets to one meter: opens the port (or plays against an emulated one), finds the meters, takes one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.tools.meter_ids import id_of, name_of
from bench.tools.screen import Screen
from bench.tools.trace import Trace
from devices.clock import Clock
from devices.errors import UsageError
from devices.ports.base import BytePort
from devices.ports.serial import is_pseudo_terminal
from devices.protocols.smarty_service import FRAME_SIZE, SELECTOR
from devices.rs485.adapter import AdapterPort, AdapterSettings, adapter_notes, open_adapter
from devices.rs485.master import FoundMeter, LmnMaster, MeterSilent, NoMeter
from devices.rs485.smarty_client import SmartyClient

EMULATED: Final = "emulated"
"""Port that stands for an emulated meter in this program."""


@dataclass(frozen=True)
class Way:
    """Which way a tool goes to the meter.

    Attributes:
        adapter: port and how it is driven; port ``emulated``: a meter in this program.
        meter: device number or server id of the one that is meant, None: the only one.
        address: HDLC address of the one that is meant.
        selector: "Frame-SAP" of the maker's tool.
        frame_size: octets of information in a frame.
        state: folder in which an emulated meter keeps what survives.
        allow_downgrade: an emulated meter takes lower versions.
    """

    adapter: AdapterSettings
    meter: str | None = None
    address: int | None = None
    selector: int = SELECTOR
    frame_size: int = FRAME_SIZE
    state: Path | None = None
    allow_downgrade: bool = False

    @property
    def warning(self) -> str | None:
        """Name of the sentence that says that no real meter is at the other end; None for an adapter."""
        if self.adapter.port == EMULATED:
            return "emulated"
        return "pseudo" if is_pseudo_terminal(self.adapter.port) else None


@dataclass
class AtMeter:
    """What a tool has once it is there.

    Attributes:
        clock: of the running loop.
        client: asks the meter.
        meter: as it was found.
        trace: every frame so far.
        emulated: name of the warning, see Way.
        troubles: what was wrong on the bus so far.
    """

    clock: Clock
    client: SmartyClient
    meter: FoundMeter
    trace: Trace
    emulated: str | None
    troubles: list[str] = field(default_factory=list)

    def say_trace(self, screen: Screen) -> None:
        """The expert's window: every frame, and behind them what was no frame."""
        screen.line()
        screen.line(self.trace.shown())
        for trouble in self.troubles:
            screen.say("trouble", text=trouble)

    @property
    def number(self) -> str:
        """Device number of the meter, or its id in hexadecimal digits."""
        return name_of(self.meter.server_id)


@asynccontextmanager
async def at_meter(clock: Clock, way: Way, screen: Screen) -> AsyncIterator[AtMeter]:
    """Open the port, find the meters, connect to the one that is meant; all is closed again, whatever happens.

    Raises:
        UsageError: several meters answer and none is chosen, or the chosen one is not there.
        BenchError: the port cannot be opened, is lost, or nobody answers.
        DeviceError: the meter does not behave.
    """
    async with AsyncExitStack() as stack:
        port = await _open(clock, way, screen, stack)
        trace = Trace(clock)
        master = LmnMaster(clock, port)
        if isinstance(port, AdapterPort):
            port.on_spoilt_echo = master.troubles.append
        stack.callback(master.close)
        master.frames.on_frame = trace.frame
        screen.say("search", port=way.adapter.port)
        found = await master.discover()
        meter = choose(found, way, master.troubles)
        client = SmartyClient(clock, master, meter, selector=way.selector, frame_size=way.frame_size)
        try:
            await stack.enter_async_context(client)
        except MeterSilent as silent:
            raise MeterSilent(silent.kind, f"{silent}; only a SMARTY BZ-PLUS v2 has this service") from silent
        yield AtMeter(clock, client, meter, trace, way.warning, master.troubles)


def check_terminal(port: str) -> None:
    """Raise UsageError for the terminal in which we run: it would be set up as a bus, and stay so."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no terminal, closed, none at all
            if os.path.realpath(port) == os.path.realpath(os.ttyname(stream.fileno())):
                raise UsageError(f"--port {port} is the terminal of this program itself")


async def _open(clock: Clock, way: Way, screen: Screen, stack: AsyncExitStack) -> BytePort:
    if way.warning is not None:
        screen.say(way.warning)
    else:
        screen.say("assumed")
    if way.adapter.port == EMULATED:
        from bench.tools.emulated_bus import demonstration

        tool, key = demonstration(clock, way.state, stack, allow_downgrade=way.allow_downgrade)
        screen.say("plate", key=key.hex().upper())
        return tool
    check_terminal(way.adapter.port)
    for note in adapter_notes(way.adapter.port):
        screen.say("note", text=note)
    port = open_adapter(clock, way.adapter)
    stack.callback(port.close)
    return port


def choose(found: list[FoundMeter], way: Way, troubles: list[str]) -> FoundMeter:
    """The meter that is meant. Raises NoMeter, UsageError."""
    if not found:
        heard = f" ({troubles[-1]})" if troubles else ""
        raise NoMeter(
            f"no meter answers at {way.adapter.port}{heard}: is it supplied, is the gateway unplugged, "
            "are A and B the right way round?"
        )
    left = [meter for meter in found if _meant(meter, way)]
    if len(left) == 1:
        return left[0]
    listed = ", ".join(f"{name_of(meter.server_id)} at address {meter.address:02X}" for meter in found)
    if not left:
        raise UsageError(f"the chosen meter does not answer; there are: {listed}")
    raise UsageError(f"several meters answer: {listed}", hint="choose with --id or --address")


def _meant(meter: FoundMeter, way: Way) -> bool:
    if way.address is not None and meter.address != way.address:
        return False
    return way.meter is None or meter.server_id == id_of(way.meter)
