"""The gateway's LEDs: signals with priorities, each a waveform played at absolute deadlines.

Several signals may claim a line; the one with the highest priority shows. An operating state therefore covers
the TLS and LMC signals for as long as it lasts and uncovers them when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from devices.clock import Clock
from devices.ports.led_lines import EdgeListener, EdgeListeners, LedEdge


@dataclass(frozen=True)
class Waveform:
    """What a group of LEDs does, as steps that hold for a time.

    Attributes:
        lines: LEDs that the waveform drives; those not lit in a step are dark in it.
        steps: duration in seconds (> 0) and the lines lit during it; the last step of a waveform that does not
            repeat stays.
        repeats: whether it starts again after the last step.
    """

    lines: frozenset[str]
    steps: tuple[tuple[float, frozenset[str]], ...]
    repeats: bool = True


def constant(lines: Iterable[str], *, lit: bool) -> Waveform:
    """All `lines` on, or all off, for as long as the signal stands."""
    group = frozenset(lines)
    return Waveform(group, ((1.0, group if lit else frozenset()),), repeats=False)


def blinking(lines: Iterable[str], on_s: float, off_s: float) -> Waveform:
    """All `lines` together: `on_s` seconds on, `off_s` seconds off, again and again."""
    group = frozenset(lines)
    return Waveform(group, ((on_s, group), (off_s, frozenset())))


def alternating(first: Iterable[str], second: Iterable[str], half_s: float) -> Waveform:
    """`first` and `second` lit in turn, `half_s` seconds each."""
    one, other = frozenset(first), frozenset(second)
    return Waveform(one | other, ((half_s, one), (half_s, other)))


def heartbeat(lines: Iterable[str], durations_s: Iterable[float]) -> Waveform:
    """All `lines` together through `durations_s`, lit in the first, dark in the second, lit in the third ..."""
    group = frozenset(lines)
    steps = tuple((span, frozenset() if index % 2 else group) for index, span in enumerate(durations_s))
    return Waveform(group, steps)


class _Playing:
    """One signal being shown: its waveform, where it stands, its next deadline."""

    def __init__(self, waveform: Waveform, priority: int, order: int, started: float) -> None:
        self.waveform = waveform
        self.rank = (priority, order)
        self.index = 0
        self.deadline = started
        self.handle: asyncio.TimerHandle | None = None

    @property
    def lit(self) -> frozenset[str]:
        return self.waveform.steps[self.index][1]


class LedPanel:
    """The LEDs of one gateway; fulfils `devices.ports.led_lines.LedSource`.

    It outlives power cuts, as the soldered parts do; `dark` is what the loss of the supply does to it.

    Attributes:
        lines: the LEDs in the order in which edges of one instant are told.
    """

    def __init__(self, clock: Clock, lines: Iterable[str]) -> None:
        self.lines: tuple[str, ...] = tuple(lines)
        self._clock = clock
        self._levels = dict.fromkeys(self.lines, False)
        self._wanted = dict(self._levels)
        self._telling = False
        self._signals: dict[str, _Playing] = {}
        self._winner: dict[str, _Playing | None] = dict.fromkeys(self.lines, None)
        self._listeners = EdgeListeners()
        self._order = 0

    def levels(self) -> dict[str, bool]:
        """Which LEDs are lit now."""
        return dict(self._levels)

    def subscribe(self, listener: EdgeListener) -> Callable[[], None]:
        """Call `listener` with every LedEdge from now on; returns the function that ends it."""
        return self._listeners.subscribe(listener)

    def close(self) -> None:
        """No edge is told any more; may be called twice."""
        self._listeners.clear()
        self.dark()

    def show(self, name: str, waveform: Waveform, *, priority: int) -> None:
        """Start signal `name` now, from its first step; a signal of that name is replaced.

        A waveform that is already running under that name with that priority goes on undisturbed.
        """
        old = self._signals.get(name)
        if old is not None:
            if old.waveform == waveform and old.rank[0] == priority:
                return
            self._stop(old)
        self._order += 1
        playing = _Playing(waveform, priority, self._order, self._clock.seconds())
        self._signals[name] = playing
        self._arm(playing)
        self._settle()

    def hide(self, name: str) -> None:
        """End signal `name`; unknown names are fine."""
        playing = self._signals.pop(name, None)
        if playing is not None:
            self._stop(playing)
            self._settle()

    def dark(self) -> None:
        """All signals end and all LEDs go off in the same instant, at once."""
        for playing in self._signals.values():
            self._stop(playing)
        self._signals.clear()
        self._settle()
        self._tell()

    def _stop(self, playing: _Playing) -> None:
        if playing.handle is not None:
            playing.handle.cancel()
            playing.handle = None

    def _arm(self, playing: _Playing) -> None:
        last = playing.index == len(playing.waveform.steps) - 1
        if last and not playing.waveform.repeats:
            return
        playing.deadline += playing.waveform.steps[playing.index][0]
        playing.handle = self._clock.call_at(playing.deadline, self._step, playing)

    def _step(self, playing: _Playing) -> None:
        playing.index = (playing.index + 1) % len(playing.waveform.steps)
        self._arm(playing)
        for line in self.lines:
            if self._winner[line] is playing:
                self._wanted[line] = line in playing.lit
        self._tell_soon()

    def _settle(self) -> None:
        for line in self.lines:
            claims = [one for one in self._signals.values() if line in one.waveform.lines]
            winner = max(claims, key=lambda one: one.rank, default=None)
            self._winner[line] = winner
            self._wanted[line] = winner is not None and line in winner.lit
        self._tell_soon()

    def _tell_soon(self) -> None:
        """Tell the edges when all that is due at this instant has had its say: no pulse of no length.

        A task that is woken by a timer of this instant runs one turn of the loop after the timer.
        """
        if not self._telling:
            self._telling = True
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._tell)

    def _tell(self) -> None:
        self._telling = False
        now = self._clock.seconds()
        for line in self.lines:
            lit = self._wanted[line]
            if self._levels[line] == lit:
                continue
            self._levels[line] = lit
            self._listeners.tell(LedEdge(now, line, lit))
