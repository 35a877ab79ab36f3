"""LEDs through the lines of a GPIO chip: libgpiod 2 (optional extra ``gpio``), time stamps by the kernel.

The kernel stamps each edge when it happens, so the bench's own load does not show in the figures; what the kernel had
to drop is noticed by gaps in its numbering, and the levels are then read back.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from devices.clock import Clock
from devices.errors import BenchError
from devices.ports.led_lines import EdgeListener, EdgeListeners, LedEdge

Bias = Literal["as_is", "pull_up", "pull_down", "disabled"]

EVENT_BUFFER = 1024
"""Edges that the kernel keeps until they are read (assumed): 12 s of four LEDs in the fastest known pattern."""
_INSTALL = "pip install 'smgw-bench[gpio]'"


class EdgeRequest(Protocol):
    """What is used of ``gpiod.LineRequest``."""

    @property
    def fd(self) -> int:
        """Readable when there are edges."""

    def read_edge_events(self, max_events: int | None = None) -> Sequence[Any]:
        """Edges with event_type, timestamp_ns, line_offset, line_seqno; waits when there are none."""

    def get_values(self, lines: Iterable[int | str] | None = None) -> Sequence[Any]:
        """Levels of `lines`, in that order."""

    def release(self) -> None:
        """Let go of the lines."""


def _gpiod() -> Any:
    try:
        return importlib.import_module("gpiod")
    except ImportError as error:
        raise BenchError(f"LEDs on GPIO lines need libgpiod 2 for Python: {_INSTALL}") from error


def find_chips() -> dict[str, str]:
    """The GPIO chips of this computer: path -> what it is. Empty when there are none or gpiod is missing."""
    gpiod = _gpiod()
    chips = {}
    for path in sorted(Path("/dev").glob("gpiochip*")):
        try:
            with gpiod.Chip(str(path)) as chip:
                info = chip.get_info()
                chips[str(path)] = f"{info.label}, {info.num_lines} lines"
        except OSError as error:
            chips[str(path)] = error.strerror or str(error)
    return chips


def _chip_error(path: str, error: OSError) -> BenchError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return BenchError(f"{path} may not be opened by this user: let the user be in the group that owns it (gpio)")
    chips = ", ".join(f"{name} ({what})" for name, what in find_chips().items())
    return BenchError(f"there is no GPIO chip {path}; this computer has {chips or 'none'}")


def _line_names(chip: Any) -> str:
    names = []
    for offset in range(min(chip.get_info().num_lines, 64)):
        info = chip.get_line_info(offset)
        names.append(f"{offset} {info.name!r}" if info.name else str(offset))
    return ", ".join(names)


def _resolve(chip: Any, path: str, lines: Mapping[str, int | str]) -> dict[int, str]:
    """Offsets of the lines on the chip -> LED."""
    found: dict[int, str] = {}
    for led, line in lines.items():
        try:
            offset = int(chip.line_offset_from_id(line))
            info = chip.get_line_info(offset)
        except (OSError, ValueError) as error:
            raise BenchError(f"{path} has no line {line!r} for {led}; it has: {_line_names(chip)}") from error
        if info.used:
            raise BenchError(f"line {line!r} of {path} for {led} is in use by {info.consumer or 'the kernel'!r}")
        if offset in found:
            raise BenchError(f"line {line!r} of {path} is named for both {found[offset]} and {led}")
        found[offset] = led
    return found


def _request(
    path: str, lines: Mapping[str, int | str], settings: Mapping[str, Any], buffer: int
) -> tuple[EdgeRequest, dict[int, str]]:
    """Open the chip and ask the kernel for edges of `lines`."""
    gpiod = _gpiod()
    try:
        chip = gpiod.Chip(path)
    except OSError as error:
        raise _chip_error(path, error) from error
    line = importlib.import_module("gpiod.line")
    with chip:
        offsets = _resolve(chip, path, lines)
        wanted = gpiod.LineSettings(
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.BOTH,
            event_clock=line.Clock.MONOTONIC,
            bias=getattr(line.Bias, str(settings["bias"]).upper()),
            active_low=settings["active_low"],
            debounce_period=timedelta(seconds=settings["debounce_s"]),
        )
        try:
            request: EdgeRequest = chip.request_lines(
                {tuple(offsets): wanted}, consumer="smgw-bench", event_buffer_size=buffer
            )
        except OSError as error:
            what = ", ".join(f"{led} on line {offset}" for offset, led in offsets.items())
            reason = f"{error.strerror or error}"
            if error.errno in (errno.ENXIO, errno.ENOTSUP, errno.EINVAL):
                reason += "; the chip may have no interrupts for edges, or not this bias"
            raise BenchError(f"{path} does not give edges of {what}: {reason}") from error
    return request, offsets


class GpioLeds:
    """A LedSource on GPIO lines. The lines are held from making to `close`.

    Attributes:
        lines: names of the LEDs.
        lost: why nothing comes any more (an adapter was unplugged); None while all is well.
    """

    def __init__(
        self,
        clock: Clock,
        chip: str,
        lines: Mapping[str, int | str],
        *,
        active_low: bool = False,
        debounce_s: float = 0.0,
        bias: Bias = "as_is",
        event_buffer: int = EVENT_BUFFER,
        on_note: Callable[[str], None] | None = None,
        request: EdgeRequest | None = None,
    ) -> None:
        """Take hold of the lines; the running loop reads their edges from now on.

        Args:
            clock: the bench's clock, in real time.
            chip: ``/dev/gpiochip0`` or ``gpiochip0``.
            lines: LED -> offset or name of its line.
            active_low: a lit LED pulls the line down.
            debounce_s: levels shorter than this are suppressed by the kernel, which delays every edge by it, and
                rounds to its tick; 0 leaves it to the analyser, which is the more exact way.
            bias: pull resistor in the chip.
            event_buffer: edges that the kernel keeps until they are read.
            on_note: told about lost edges and lost chips.
            request: lines that are already held, instead of `chip`; `lines` are then offsets.

        Raises:
            BenchError: no gpiod, no such chip, no such line, line in use, no edges on this chip, virtual time.
        """
        if clock.virtual:
            raise BenchError("LEDs on GPIO lines need a bench in real time: they do not wait for jumping time")
        self.lines: tuple[str, ...] = tuple(lines)
        self._chip = chip if "/" in chip else f"/dev/{chip}"
        if request is None:
            settings = {"active_low": active_low, "bias": bias, "debounce_s": debounce_s}
            request, offsets = _request(self._chip, lines, settings, event_buffer)
        else:
            offsets = {int(offset): led for led, offset in lines.items()}
        self.lost: BenchError | None = None
        self._request: EdgeRequest | None = request
        self._offsets = offsets
        self._numbers: dict[int, int] = {}
        self._listeners = EdgeListeners()
        self._on_note = on_note
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        # asyncio's loop and the kernel's event clock both count CLOCK_MONOTONIC
        self._zero = self._loop.time() - clock.seconds()
        self._levels = self._read_levels(request)
        self._loop.add_reader(request.fd, self._readable)

    def _read_levels(self, request: EdgeRequest) -> dict[str, bool]:
        offsets = list(self._offsets)
        values = request.get_values(offsets)
        return {self._offsets[at]: value.name == "ACTIVE" for at, value in zip(offsets, values, strict=True)}

    def _readable(self) -> None:
        """Edges are waiting: give them out; where numbers are missing, read the levels back."""
        request = self._request
        if request is None:
            return
        try:
            events = request.read_edge_events()
            dropped = sum(self._take(event) for event in events)
            if dropped:
                self._resynchronise(request, dropped)
        except OSError as error:
            self._lose(error)

    def _take(self, event: Any) -> int:
        """Give out one edge; returns how many edges of its line the kernel dropped before it."""
        offset = event.line_offset
        before = self._numbers.get(offset, 0)
        self._numbers[offset] = event.line_seqno
        led = self._offsets.get(offset)
        if led is not None:
            self._give(LedEdge(event.timestamp_ns / 1e9 - self._zero, led, event.event_type.name == "RISING_EDGE"))
        return max(0, int(event.line_seqno) - before - 1)

    def _give(self, edge: LedEdge) -> None:
        self._levels[edge.line] = edge.lit
        self._listeners.tell(edge)

    def _resynchronise(self, request: EdgeRequest, dropped: int) -> None:
        mended = []
        for led, lit in self._read_levels(request).items():
            if self._levels[led] != lit:
                mended.append(led)
                self._give(LedEdge(self._clock.seconds(), led, lit))
        note = f"{self._chip}: {dropped} LED edge{'s' if dropped > 1 else ''} came too fast and were dropped"
        self._note(f"{note}; level read back for {', '.join(mended)}" if mended else note)

    def _note(self, text: str) -> None:
        if self._on_note is not None:
            self._on_note(text)

    def _lose(self, error: OSError) -> None:
        self.lost = BenchError(f"{self._chip} is gone: {error.strerror or error}; no LED is seen any more")
        self._let_go()
        self._note(str(self.lost))

    def levels(self) -> dict[str, bool]:
        """Which LEDs are lit, read from the lines now. Raises BenchError when the chip is gone."""
        if self._request is not None:
            try:
                return self._read_levels(self._request)
            except OSError as error:
                self._lose(error)
        if self.lost is not None:
            raise self.lost
        return dict(self._levels)

    def subscribe(self, listener: EdgeListener) -> Callable[[], None]:
        """Call `listener` for every edge from now on; returns the function that ends it."""
        return self._listeners.subscribe(listener)

    def _let_go(self) -> None:
        request, self._request = self._request, None
        if request is None:
            return
        self._loop.remove_reader(request.fd)
        with suppress(OSError):  # the chip is gone, and with it the request
            request.release()

    def close(self) -> None:
        """Let go of the lines; may be called twice."""
        self._let_go()
        self._listeners.clear()
