"""LED lines as edge events: the one form in which emulation, GPIO and recordings deliver what they see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LedEdge:
    """One LED goes on or off.

    Attributes:
        t: seconds on the bench's clock (``Clock.seconds()``), kernel timestamp where there is one.
        line: name of the LED as printed on the device: PWR, TLS, LMC, wMT, HAN.link ...
        lit: True when it goes on.
    """

    t: float
    line: str
    lit: bool


EdgeListener = Callable[[LedEdge], None]


class EdgeListeners:
    """Who wants to be told the edges of a source. A listener may end itself, or add others, while it is told."""

    def __init__(self) -> None:
        self._listeners: list[EdgeListener] = []

    def subscribe(self, listener: EdgeListener) -> Callable[[], None]:
        """Call `listener` with every edge from now on; returns the function that ends it, which may be called twice."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def tell(self, edge: LedEdge) -> None:
        """Call everybody who listens."""
        for listener in tuple(self._listeners):
            listener(edge)

    def clear(self) -> None:
        """Nobody is told anything any more."""
        self._listeners.clear()


class LedSource(Protocol):
    """Where LED edges come from: emulation, GPIO lines, a recording.

    Attributes:
        lines: the LEDs that this source can see.
    """

    lines: tuple[str, ...]

    def levels(self) -> dict[str, bool]:
        """Which LEDs are lit now."""

    def subscribe(self, listener: EdgeListener) -> Callable[[], None]:
        """Call `listener` for every edge from now on; returns the function that ends it."""

    def close(self) -> None:
        """Let go of the lines; may be called twice."""
