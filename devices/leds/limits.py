"""Every number that the LED analyser decides by, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the analyser takes for granted about edges and patterns.

    All are defaults of the bench (assumed); they follow from the patterns of the three products and from edges that
    may be off by 10 ms each, with one missed or false edge in ten seconds.

    Attributes:
        jitter_s: how far an edge may be from where it should be, either side, seconds.
        drift: share of a time by which it may differ from cycle to cycle on top of the jitter.
        glitch_s: debounce: a level held shorter than this is no level. Shorter than the shortest known pulse with
            jitter (50 ms - 2 * 10 ms).
        steady_s: a LED that keeps its level this long is steady. Longer than the longest pause of a known pattern
            (1.9 s, one flash in 2 s, [PPC] 2.4.4).
        min_cycles: cycles that must have been seen before a repetition is believed: the first and the last matched
            edge are at least ``min_cycles - 1`` periods apart.
        max_flashes: flashes in the largest burst ([PPC] 4.7).
        burst_cycle_s: flashes that follow each other faster than this may belong to a burst; a blink that fast is
            believed only when it is longer than the largest burst.
        pause_factor: the pause of a burst is at least so many times the gap between its flashes.
        pause_margin_s: and so much longer at least: four edges with jitter lie between, and the usual values are
            taken of few.
        anomalies_per_s: missed or false edges that a reading may contain, beside one that is always allowed.
        max_edges_per_s: more than this is no pattern of a LED and is not looked into; the fastest has 20.
        phase: two lines are together, or alternating, when their phase is this close to 0, or 0.5, of a period.
    """

    jitter_s: float = 0.010
    drift: float = 0.02
    glitch_s: float = 0.020
    steady_s: float = 2.5
    min_cycles: int = 3
    max_flashes: int = 8
    burst_cycle_s: float = 0.3
    pause_factor: float = 2.0
    pause_margin_s: float = 0.08
    anomalies_per_s: float = 0.1
    max_edges_per_s: float = 60.0
    phase: float = 0.125

    @property
    def outage_s(self) -> float:
        """The longest false level of a LED that must be steady: the shortest known pulse less its two jitters, and one.

        What lasts longer a device may have shown; what is shorter, a disturbed line shows (assumed).
        """
        return self.glitch_s + self.jitter_s

    @property
    def scatter_s(self) -> float:
        """How far runs may be from their usual length on average: 0.67 jitters when edges are off evenly."""
        return 1.25 * self.jitter_s

    @property
    def match_s(self) -> float:
        """How far an edge may be from the place that its predecessors predict: its jitter, theirs, and rounding."""
        return 3.0 * self.jitter_s

    def allowed_anomalies(self, span_s: float) -> int:
        """Missed or false edges that a reading over `span_s` may contain."""
        return 1 + int(span_s * self.anomalies_per_s)


DEFAULT_LIMITS = Limits()
