"""Finds messages in a stream of octets, whatever the framing: starts anywhere, goes on behind damage, keeps little."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

NOISE_KEPT: Final = 32
"""Octets of a noise that are kept for a person to look at."""
_PIECE: Final = 512
"""Octets taken in at a time, so that the buffer stays small whatever comes."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A telegram that the stick took off the air.

    Attributes:
        telegram: stripped octets, first L, no link CRCs.
        rssi_dbm: strength, None: the stick does not say.
        stamp: the stick's own time stamp as it counts, None: it sends none.
        mode: T1, C1, C1A, C1B or S1, empty: the stick does not say.
    """

    telegram: bytes
    rssi_dbm: float | None = None
    stamp: int | None = None
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Noise:
    """Octets that belong to no message.

    Attributes:
        reason: why, of the first of them.
        count: how many there are.
        octets: the first of them, at most NOISE_KEPT.
    """

    reason: str
    count: int
    octets: bytes


M = TypeVar("M")

CUT: Final = "a message that ends in the middle"


class Scanner(ABC, Generic[M]):
    """Octets in, messages and noise out. A framing says in `_look` what begins at a place."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    @property
    def waiting(self) -> int:
        """Octets of a message that is not whole yet."""
        return len(self._waiting)

    def feed(self, octets: bytes) -> list[M | Noise]:
        """What is whole with these octets; never raises."""
        events: list[M | Noise] = []
        for start in range(0, len(octets), _PIECE):
            self._waiting += octets[start : start + _PIECE]
            self._read(events, last=False)
        return events

    def silence(self) -> list[M | Noise]:
        """Nothing came for longer than a message may pause: what waits is none, but may hide one."""
        events: list[M | Noise] = []
        self._read(events, last=True)
        return events

    def end(self) -> list[M | Noise]:
        """Nothing more will come, ever. Half a message stays half of one."""
        return []

    def clear(self) -> None:
        """Forget what waits, as when the line was opened anew."""
        self._waiting.clear()

    @abstractmethod
    def _look(self, octets: bytes, start: int) -> tuple[int, M | str | None]:
        """What begins at `start`: its size and the message; or how many octets to skip and why (nothing: they are
        no noise); or None, when more is needed."""

    def _read(self, events: list[M | Noise], *, last: bool) -> None:
        octets, position = bytes(self._waiting), 0
        noise_at, reason = -1, ""
        while position < len(octets):
            size, found = self._look(octets, position)
            if found is None:
                if not last:
                    break
                size, found = 1, CUT
            if isinstance(found, str):
                if found and noise_at < 0:
                    noise_at, reason = position, found
            else:
                if noise_at >= 0:
                    events.append(_noise(octets[noise_at:position], reason))
                    noise_at = -1
                events.append(found)
            position += size
        if noise_at >= 0:
            events.append(_noise(octets[noise_at:position], reason))
        del self._waiting[:position]


def _noise(octets: bytes, reason: str) -> Noise:
    return Noise(reason, len(octets), octets[:NOISE_KEPT])


class LineScanner(Scanner[M], ABC):
    """Lines of text, ended by LF, CR or both; a subclass says in `_line` what one means."""

    longest = 1024
    """Octets of a line at most."""

    @abstractmethod
    def _line(self, text: str) -> M | str:
        """What a line means, or why it is noise; empty: it is none."""

    def end(self) -> list[M | Noise]:
        """Nothing more will come, ever: what waits is the last line, though nothing ends it."""
        return [*self.feed(b"\n"), *self.silence()] if self._waiting else []

    def _look(self, octets: bytes, start: int) -> tuple[int, M | str | None]:
        ends = [place for place in (octets.find(b"\n", start), octets.find(b"\r", start)) if place >= 0]
        if not ends:
            size = len(octets) - start
            return (size, "a line without end") if size > self.longest else (0, None)
        size = min(ends) - start + 1
        if size == 1:
            return 1, ""
        return size, self._line(octets[start : start + size - 1].decode("latin-1"))
