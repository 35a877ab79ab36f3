"""LED signals as a laboratory sees them: edges of a pattern, each a little off, now and then one missing or false."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from devices.leds.pattern import Blink, Burst, Off, On

Steady = Off | On
Repeating = Blink | Burst
Edges = list[tuple[float, bool]]

KNOWN: dict[str, Steady | Repeating] = {
    "off": Off(),
    "on": On(),
    "50 ms beat (CONEXA B-3)": Blink(0.1, 0.5),
    "125 ms pulses (CONEXA B-3)": Blink(0.25, 0.5),
    "250 ms pulses (CONEXA B-3), 0.5 s period (PPC 2.4, CASA 2.3.2)": Blink(0.5, 0.5),
    "500 ms pulses (CONEXA B-3), 1 s (PPC 2.4.4)": Blink(1.0, 0.5),
    "signal 25 % (PPC 2.4.5)": Blink(2.0, 0.25),
    "signal 50 % (PPC 2.4.5)": Blink(2.0, 0.5),
    "signal 75 % (PPC 2.4.5)": Blink(2.0, 0.75),
    "heartbeat (CASA 2.3.2)": Burst(2, 0.1, 0.1, 1.5),
    "status 1 x (PPC 2.4.4)": Burst(1, 0.1, 0.1, 2.0),
    "status 2 x (PPC 2.4.4)": Burst(2, 0.1, 0.1, 2.0),
    "status 3 x (PPC 2.4.4)": Burst(3, 0.1, 0.1, 2.0),
    "status 4 x (PPC 2.4.4)": Burst(4, 0.1, 0.1, 2.0),
    "status 5 x (PPC 2.4.4)": Burst(5, 0.1, 0.1, 2.0),
    "status 6 x (PPC 2.4.6)": Burst(6, 0.1, 0.1, 2.0),
    "status 7 x (PPC 2.4.6)": Burst(7, 0.1, 0.1, 2.0),
    "fault 8 x (PPC 4.7)": Burst(8, 0.1, 0.1, 2.0),
}

ANOMALIES = ("none", "missed", "repeated", "glitch", "false")


def edges_of(pattern: Steady | Repeating, start: float, end: float, phase: float = 0.0) -> Edges:
    """Ideal edges of `pattern` in the window; `phase` 0..1 is where in its cycle it is at `start`."""
    if isinstance(pattern, Off | On):
        return []
    assert pattern.period_s is not None
    begin = start - phase * pattern.period_s
    found: Edges = []
    while begin < end:
        for rise, fall in flashes_of(pattern):
            found += [(begin + rise, True), (begin + fall, False)]
        begin += pattern.period_s
    return [edge for edge in found if start < edge[0] < end]


def flashes_of(pattern: Repeating) -> list[tuple[float, float]]:
    """When the flashes of one cycle begin and end, seconds from its start."""
    if isinstance(pattern, Blink):
        assert pattern.period_s is not None and pattern.duty is not None
        return [(0.0, pattern.period_s * pattern.duty)]
    assert pattern.count and pattern.on_s and pattern.gap_s
    pitch = pattern.on_s + pattern.gap_s
    return [(i * pitch, i * pitch + pattern.on_s) for i in range(pattern.count)]


def lit_at(pattern: Steady | Repeating, phase: float) -> bool:
    """Whether the pattern is lit at this place of its cycle."""
    if isinstance(pattern, Off | On):
        return isinstance(pattern, On)
    assert pattern.period_s is not None
    return any(rise <= phase * pattern.period_s < fall for rise, fall in flashes_of(pattern))


@dataclass
class Disturbance:
    """What happens to edges between the LED and the analyser, seeded.

    Attributes:
        rng: source of all chance.
        jitter_s: each edge is off by up to this, evenly distributed.
        anomaly: kind of the one missed or false edge in each ten seconds.
    """

    rng: random.Random
    jitter_s: float = 0.0
    anomaly: str = "none"
    done: list[float] = field(default_factory=list)

    def apply(self, edges: Edges, start: float, end: float, initial: bool) -> Edges:
        """The edges as they arrive."""
        seen = [(t + self.rng.uniform(-self.jitter_s, self.jitter_s), lit) for t, lit in edges]
        seen = sorted(edge for edge in seen if start <= edge[0] <= end)
        begin = start
        while self.anomaly != "none" and begin < end:
            self._disturb(seen, begin, min(begin + 10.0, end), initial)
            begin += 10.0
        return sorted(seen, key=lambda edge: edge[0])

    def _disturb(self, seen: Edges, begin: float, end: float, initial: bool) -> None:
        t = self.rng.uniform(begin, end)
        before = [lit for when, lit in seen if when <= t]
        level = before[-1] if before else initial
        self.done.append(t)
        _ANOMALY[self.anomaly](self.rng, seen, begin, end, t, level)
        seen.sort(key=lambda edge: edge[0])


def _missed(rng: random.Random, seen: Edges, begin: float, end: float, _t: float, _level: bool) -> None:
    here = [edge for edge in seen if begin <= edge[0] < end]
    if here:
        seen.remove(rng.choice(here))


def _repeated(_rng: random.Random, seen: Edges, _begin: float, _end: float, t: float, level: bool) -> None:
    seen.append((t, level))


def _glitch(rng: random.Random, seen: Edges, _begin: float, end: float, t: float, level: bool) -> None:
    seen.append((t, not level))
    seen.append((min(end, t + rng.uniform(0.0005, 0.015)), level))


def _false(_rng: random.Random, seen: Edges, _begin: float, _end: float, t: float, level: bool) -> None:
    seen.append((t, not level))


_ANOMALY: dict[str, Callable[[random.Random, Edges, float, float, float, bool], None]] = {
    "missed": _missed,
    "repeated": _repeated,
    "glitch": _glitch,
    "false": _false,
}
