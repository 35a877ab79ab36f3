"""LEDs of an emulated device: whoever sets them decides, everybody who watches gets edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from devices.ports.led_lines import EdgeListener, EdgeListeners, LedEdge


class EmulatedLeds:
    """A LedSource that is set by a program.

    Attributes:
        lines: names of the LEDs.
    """

    def __init__(self, clock_seconds: Callable[[], float], lines: Iterable[str], *, lit: bool = False) -> None:
        """Make LEDs that all show `lit`; `clock_seconds` stamps the edges (``Clock.seconds``)."""
        self.lines: tuple[str, ...] = tuple(lines)
        if len(set(self.lines)) != len(self.lines):
            raise ValueError(f"LED names must differ: {', '.join(self.lines)}")
        self._clock_seconds = clock_seconds
        self._levels = dict.fromkeys(self.lines, lit)
        self._listeners = EdgeListeners()

    def levels(self) -> dict[str, bool]:
        """Which LEDs are lit now."""
        return dict(self._levels)

    def set(self, line: str, lit: bool) -> None:
        """Switch one LED; nothing happens when it already shows that. KeyError for an unknown name."""
        if self._levels[line] == lit:
            return
        self._levels[line] = lit
        edge = LedEdge(self._clock_seconds(), line, lit)
        self._listeners.tell(edge)

    def subscribe(self, listener: EdgeListener) -> Callable[[], None]:
        """Call `listener` for every edge from now on; returns the function that ends it."""
        return self._listeners.subscribe(listener)

    def close(self) -> None:
        """Nobody is told anything any more."""
        self._listeners.clear()
