"""How two or more LEDs stand to each other: together, alternating, unrelated."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import combinations

from devices.leds.limits import DEFAULT_LIMITS, Limits
from devices.leds.pattern import Blink, Burst, Doubt, Flash, Match, Off, On, Pulsed, Tolerance, Undecided, matches
from devices.leds.reading import Figure, Reading


class Relation(Enum):
    """How lines stand to each other."""

    TOGETHER = "together"
    ALTERNATING = "alternating"
    UNRELATED = "unrelated"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Group:
    """How some lines stand to each other.

    Attributes:
        relation: of all of them; alternating only for two, three or more are together or not.
        lines: their names.
        figures: phase of each pair in shares of the period (0: together, 0.5: alternating), with one standard
            deviation.
        why: for people, when unrelated or undecided.
    """

    relation: Relation
    lines: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        text = f"{', '.join(self.lines)} {self.relation.value}"
        return f"{text}: {self.why}" if self.why else text


_SAME = Tolerance(relative=0.05, absolute_s=0.012, duty=0.12)
_MIN_PAIRS = 3


def relate(readings: Mapping[str, Reading], limits: Limits = DEFAULT_LIMITS) -> Group:
    """How the lines stand to each other in the time that all their readings cover.

    Lines that are steady are together when they show the same, else unrelated. Lines that repeat must have the same
    cycle, and a phase that stays where it is.

    Args:
        readings: line -> what it shows (`waveform.newest` or `analyse`), two or more (ValueError otherwise).
        limits: how close to 0 or 0.5 the phase must be.
    """
    lines = tuple(readings)
    if len(lines) < 2:
        raise ValueError("a group has at least two lines")
    open_lines = [line for line in lines if isinstance(readings[line].pattern, Undecided)]
    relations: list[Relation] = []
    figures: list[Figure] = []
    reasons: list[str] = []
    for a, b in combinations(lines, 2):
        if a in open_lines or b in open_lines:
            continue
        relation, figure, why = _pair(a, readings[a], b, readings[b], limits)
        relations.append(relation)
        if figure is not None:
            figures.append(figure)
        if why:
            reasons.append(why)
    relation = _all(relations, len(lines))
    if open_lines and relation is not Relation.UNRELATED:
        reasons = [f"{line} is {readings[line].pattern}" for line in open_lines]
        relation = Relation.UNDECIDED
    return Group(relation, lines, tuple(figures), "; ".join(reasons))


def _all(relations: Sequence[Relation], lines: int) -> Relation:
    """What pairs make of a group."""
    if not relations:
        return Relation.UNDECIDED
    if Relation.UNRELATED in relations:
        return Relation.UNRELATED
    if Relation.UNDECIDED in relations:
        return Relation.UNDECIDED
    if lines == 2:
        return relations[0]
    return Relation.TOGETHER if all(one is Relation.TOGETHER for one in relations) else Relation.UNRELATED


def _pair(a: str, one: Reading, b: str, two: Reading, limits: Limits) -> tuple[Relation, Figure | None, str]:
    first, second = one.pattern, two.pattern
    if isinstance(first, Off | On) and isinstance(second, Off | On):
        return (Relation.TOGETHER if first == second else Relation.UNRELATED), None, ""
    if isinstance(first, Pulsed) and isinstance(second, Pulsed):
        first, second = first.blink, second.blink
    if isinstance(first, Flash) and isinstance(second, Flash):
        return _flashes(a, one, b, two, limits)
    if not isinstance(first, Blink | Burst) or not isinstance(second, Blink | Burst):
        return Relation.UNRELATED, None, f"{a} is {first}, {b} is {second}"
    doubt = Doubt(
        math.hypot(one.doubt.period_s, two.doubt.period_s),
        math.hypot(one.doubt.on_s, two.doubt.on_s),
        math.hypot(one.doubt.gap_s, two.doubt.gap_s),
        math.hypot(one.doubt.duty, two.doubt.duty),
    )
    if matches(first, second, _SAME, doubt) is Match.NO:
        return Relation.UNRELATED, None, f"{a} is {first}, {b} is {second}"
    return _phase(a, one, b, two, first, limits)


def _flashes(a: str, one: Reading, b: str, two: Reading, limits: Limits) -> tuple[Relation, Figure | None, str]:
    rise_a, rise_b = (reading.cycles[0] if reading.cycles else reading.start for reading in (one, two))
    near = abs(rise_a - rise_b) <= limits.match_s and matches(one.pattern, two.pattern) is Match.YES
    return (Relation.TOGETHER if near else Relation.UNRELATED), None, "" if near else f"{a} and {b} flash apart"


def _offsets(ours: Sequence[float], theirs: Sequence[float], period: float) -> list[float]:
    """Phase of each of our cycles to their nearest one, in shares of the period, -0.5..0.5."""
    found = []
    for t in ours:
        i = bisect_left(theirs, t)
        near = [theirs[j] for j in (i - 1, i) if 0 <= j < len(theirs)]
        best = min(near, key=lambda other: abs(other - t), default=None)
        if best is not None and abs(best - t) <= 0.75 * period:
            found.append((best - t) / period)
    return found


def _circular(phases: Sequence[float]) -> tuple[float, float]:
    """Mean direction (-0.5..0.5) and standard deviation of the mean of phases in shares of a turn."""
    x = sum(math.cos(2 * math.pi * phase) for phase in phases) / len(phases)
    y = sum(math.sin(2 * math.pi * phase) for phase in phases) / len(phases)
    length = min(1.0, max(1e-9, math.hypot(x, y)))
    spread = math.sqrt(-2 * math.log(length)) / (2 * math.pi)
    return math.atan2(y, x) / (2 * math.pi), spread / math.sqrt(len(phases))


def _phase(
    a: str, one: Reading, b: str, two: Reading, pattern: Blink | Burst, limits: Limits
) -> tuple[Relation, Figure | None, str]:
    period = pattern.period_s or 1.0
    phases = _offsets(one.cycles, two.cycles, period)
    if len(phases) < _MIN_PAIRS:
        return Relation.UNDECIDED, None, f"{a} and {b} have too few cycles in common"
    mean, deviation = _circular(phases)
    deviation = max(deviation, limits.jitter_s / period / len(phases))
    figure = Figure(f"phase {a} to {b}", mean, "1", deviation)
    half = len(phases) // 2
    if half >= _MIN_PAIRS:
        (early, early_sd), (late, late_sd) = _circular(phases[:half]), _circular(phases[half:])
        moved = abs((late - early + 0.5) % 1.0 - 0.5)
        if moved > limits.phase + 2 * (early_sd + late_sd):
            return Relation.UNRELATED, figure, f"the phase of {a} and {b} wanders"
    for distance, relation in ((abs(mean), Relation.TOGETHER), (0.5 - abs(mean), Relation.ALTERNATING)):
        if distance + 2 * deviation <= limits.phase:
            return relation, figure, ""
        if distance - 2 * deviation <= limits.phase:
            return Relation.UNDECIDED, figure, f"the phase of {a} and {b} is {mean:.2f} ± {deviation:.2f}"
    return Relation.UNRELATED, figure, f"the phase of {a} and {b} is {mean:.2f} of the period"
