"""One antenna for many meters: each has its own way to send and hear, the radio behind it is one (a stick)."""

from __future__ import annotations

from collections.abc import Callable

from devices.ports.radio import Antenna, RadioMode, Reception


class SharedAntenna:
    """Splits one antenna up. What it hears, all parts hear; what they send goes out in the order in which they send it.

    Args:
        antenna: the one.
    """

    def __init__(self, antenna: Antenna) -> None:
        self._antenna = antenna
        self._parts: list[AntennaPart] = []
        antenna.on_reception = self._heard

    def part(self) -> AntennaPart:
        """One more way to the antenna."""
        part = AntennaPart(self._antenna, self._parts.remove)
        self._parts.append(part)
        return part

    def _heard(self, reception: Reception) -> None:
        for part in tuple(self._parts):
            if part.on_reception is not None:
                part.on_reception(reception)


class AntennaPart:
    """See `devices.ports.radio.Antenna`; taking it off the air leaves the other parts there.

    Attributes:
        on_reception: called with what the antenna hears.
    """

    def __init__(self, antenna: Antenna, leave: Callable[[AntennaPart], None]) -> None:
        self.on_reception: Callable[[Reception], None] | None = None
        self._antenna = antenna
        self._leave: Callable[[AntennaPart], None] | None = leave

    def send(self, telegram: bytes, mode: RadioMode) -> float:
        """Begin to send a stripped telegram; returns seconds on the air. Raises ValueError for what is none."""
        return self._antenna.send(telegram, mode)

    def detach(self) -> None:
        """Hear nothing more; may be called twice."""
        self.on_reception = None
        leave, self._leave = self._leave, None
        if leave is not None:
            leave(self)
