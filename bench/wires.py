"""The cables of the rig that carry octets: metrological bus, maintenance port, and the trace kept of the bus."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from bench.bench_parts import ServiceAdapter, WiredLmn
from bench.timeline import Timeline
from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.base import BytePort, Direction, LineSettings
from devices.ports.memory import memory_pair
from devices.ports.pcapng import PcapngWriter
from devices.ports.pty import pty_pair
from devices.ports.serial import open_serial
from devices.rs485.adapter import AdapterPort, open_adapter

Cable = Literal["memory", "pty"]


def cable(clock: Clock, kind: Cable, name: str, line: LineSettings | None) -> tuple[BytePort, BytePort]:
    """A cable between bench and emulated gateway: the bench's end and the gateway's end."""
    if kind == "memory":
        return memory_pair(clock, (name, f"gateway {name}"), line)
    bench_end, path = pty_pair(clock, line, name=name)
    return bench_end, open_serial(path, line or LineSettings(), name=f"gateway {name}")


def lmn_port(clock: Clock, lmn: WiredLmn, *, emulated: bool) -> tuple[BytePort, BytePort | None]:
    """The bench's end of the metrological bus, and the emulated gateway's end where there is one."""
    line = LineSettings(lmn.baudrate)
    if lmn.port in ("memory", "pty"):
        if not emulated:
            raise BenchError(f"the bus of a real gateway needs an adapter, not {lmn.port!r}")
        # In memory the bus itself keeps the wire's time, in both directions; a pseudo-terminal keeps its own.
        return cable(clock, "pty", "LMN", line) if lmn.port == "pty" else cable(clock, "memory", "LMN", None)
    return open_adapter(clock, lmn.settings(), name="LMN"), None


def service_port(clock: Clock, adapter: ServiceAdapter) -> tuple[BytePort, BytePort | None]:
    """The bench's end of the meter's bus, and the emulated meters' end where they are emulated."""
    line = LineSettings(adapter.baudrate)
    if adapter.port == "memory":
        return memory_pair(clock, ("service adapter", "meter bus"))
    if adapter.port == "pty":
        return cable(clock, "pty", "service adapter", line)
    return open_adapter(clock, adapter.settings(), name="service adapter"), None


def note_spoilt_echoes(port: BytePort, timeline: Timeline) -> None:
    """Have an adapter that hears itself tell the timeline when it heard something else: two spoke at once."""

    def note(text: str) -> None:
        timeline.add("note", "spoilt_echo", {"text": text})

    if isinstance(port, AdapterPort):
        port.on_spoilt_echo = note


class LmnTrace:
    """Keeps everything that was heard on the metrological bus, as pcapng."""

    def __init__(self, clock: Clock, path: Path) -> None:
        self._clock = clock
        self._writer = PcapngWriter(path, interfaces=("LMN",))
        self.octets = 0

    def __call__(self, t: float, source: str, data: bytes, garbled: bool) -> None:
        """Evidence of the bus: one transmission."""
        direction: Direction = "in" if source == "gateway" else "out"
        moment = self._clock.start + timedelta(microseconds=round(t * 1e6))
        self._writer.write(moment, data, direction, comment=f"{source}, garbled" if garbled else None)
        self.octets += len(data)

    def close(self) -> None:
        """End the file."""
        self._writer.close()
