"""What was measured on a LED, with its uncertainty: readings, and how the figures of a repetition are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from devices.leds.limits import Limits
from devices.leds.pattern import Blink, Burst, Doubt, Flash, Pattern, Pulsed
from devices.leds.template import Anomaly, Course, Level, Walk

_EXACT = Doubt()
_RESOLUTION_S = 1e-6
"""Time stamps are written to files in microseconds; no deviation is smaller."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number.

    Attributes:
        name: what was measured.
        value: in `unit`.
        unit: ``s``, ``1``.
        uncertainty: one standard deviation of `value`; None where there is none (counts).
    """

    name: str
    value: float
    unit: str
    uncertainty: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a LED shows in a span of time.

    Attributes:
        pattern: what it shows.
        start, end: the span that is judged, seconds on the clock of the edges.
        figures: what was measured: period, on, off, gap, pause, duty, flashes, cycles, duration.
        doubt: the same uncertainties (one standard deviation) for `pattern.matches`.
        anomalies: edges that were missing, false or glitches, and did not change the judgement.
        edges_used: edges that are where the pattern puts them; for a steady LED, none.
        cycles: times at which cycles began; for the phase to other LEDs.
        due: when the LED will certainly have left this pattern unless another edge comes; None: no edge is expected.
        course: how a repeating pattern goes on (for `continued`).
    """

    pattern: Pattern
    start: float
    end: float
    figures: tuple[Figure, ...] = ()
    doubt: Doubt = _EXACT
    anomalies: tuple[Anomaly, ...] = ()
    edges_used: int = 0
    cycles: tuple[float, ...] = ()
    due: float | None = None
    course: Course | None = field(default=None, repr=False, compare=False)

    def figure(self, name: str) -> Figure | None:
        """The figure of that name, None when it was not measured."""
        return next((figure for figure in self.figures if figure.name == name), None)

    def continued(self, edges: Sequence[Level], end: float, limits: Limits) -> Reading | None:
        """The same reading up to `end`, when `edges` (all that came since) are just those that it expects by then.

        The figures stay those of the reading. None: the edges must be judged anew.
        """
        if self.course is None:
            return None
        course = replace(self.course)
        if not all(course.follow(edge, limits) for edge in edges) or end > course.due(1, limits):
            return None
        return replace(self, end=end, due=course.due(2, limits), course=course)

    def __str__(self) -> str:
        return f"{self.pattern} ({self.start:.3f} s to {self.end:.3f} s)"


def _spread(values: Sequence[float]) -> float:
    """Standard deviation by the median of absolute deviations: outliers do not count."""
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    return 1.4826 * sorted(abs(value - middle) for value in ordered)[len(ordered) // 2]


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Mean of the values near the median, and its standard deviation."""
    ordered = sorted(values)
    middle, spread = ordered[len(ordered) // 2], max(_spread(values), _RESOLUTION_S)
    near = [value for value in values if abs(value - middle) <= 4 * spread]
    return sum(near) / len(near), spread / len(near) ** 0.5


def repeating_reading(found: Walk, start: float, end: float, glitches: Sequence[Anomaly], limits: Limits) -> Reading:
    """Figures of a walk that is believed; one standard deviation each."""
    template, size = found.template, 2 * found.template.count
    runs: dict[str, list[float]] = {"on": [], "gap": [], "pause": []}
    firsts: dict[int, dict[int, float]] = {}
    previous: tuple[float, int, int] | None = None
    for seen in found.matched:
        t, place, cycle = seen
        firsts.setdefault(place, {})[cycle] = t
        if previous is not None and (previous[1] + 1) % size == place and t - previous[0] < template.period:
            name = "on" if place % 2 else "pause" if place == 0 else "gap"
            runs[name].append(t - previous[0])
        previous = seen
    period, period_sd = _period(firsts)
    on, on_sd = _mean(runs["on"]) if runs["on"] else (template.on, limits.jitter_s)
    gap, gap_sd = _mean(runs["gap"]) if runs["gap"] else (template.gap, limits.jitter_s)
    cycles = tuple(t for _, t in sorted(firsts.get(0, {}).items()))
    duty = min(1.0, template.count * on / period)
    duty_sd = (on_sd * template.count + duty * period_sd) / period
    figures = [Figure("period", period, "s", period_sd), Figure("on", on, "s", on_sd)]
    pattern: Blink | Burst = Blink(period, duty)
    if template.count > 1:
        pattern = Burst(template.count, on, gap, period)
        pause = period - template.count * on - (template.count - 1) * gap
        figures.append(Figure("gap", gap, "s", gap_sd))
        figures.append(Figure("pause", pause, "s", period_sd + template.count * (on_sd + gap_sd)))
        figures.append(Figure("flashes", float(template.count), "1"))
    else:
        figures.append(Figure("off", period - on, "s", on_sd + period_sd))
        figures.append(Figure("duty", duty, "1", duty_sd))
    figures.append(Figure("cycles", found.span / period, "1"))
    course = found.course()
    inside = [glitch for glitch in glitches if start <= glitch.t <= end]
    return Reading(
        pattern,
        start,
        end,
        tuple(figures),
        Doubt(period_sd, on_sd, gap_sd, duty_sd),
        tuple(sorted([*found.anomalies, *inside], key=lambda anomaly: anomaly.t)),
        len(found.matched),
        cycles,
        course.due(2, limits),
        course,
    )


def _period(places: dict[int, dict[int, float]]) -> tuple[float, float]:
    """Period and its standard deviation: mean of the slopes of each place of the cycle over the cycle number.

    The deviation is the scatter of single periods by the root of their number: right when each period varies by
    itself, too large when only the edges do.
    """
    slopes: list[float] = []
    weights: list[int] = []
    steps: list[float] = []
    for times in places.values():
        numbers = sorted(times)
        if len(numbers) < 2:
            continue
        slopes.append(_slope(numbers, [times[number] for number in numbers]))
        weights.append(len(numbers) - 1)
        steps.extend((times[b] - times[a]) / (b - a) for a, b in pairwise(numbers))
    value = sum(slope * weight for slope, weight in zip(slopes, weights, strict=True)) / sum(weights)
    return value, max(_spread(steps), _RESOLUTION_S) / max(weights) ** 0.5


def _slope(x: Sequence[int], y: Sequence[float]) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


def pulsed_reading(middle: Reading, start: float, end: float, limits: Limits) -> Reading:
    assert isinstance(middle.pattern, Blink | Burst)
    duration = middle.end - middle.start
    doubt = replace(middle.doubt, duration_s=limits.jitter_s)
    return replace(
        middle,
        pattern=Pulsed(middle.pattern, duration),
        start=start,
        end=end,
        figures=(*middle.figures, Figure("duration", duration, "s", limits.jitter_s)),
        doubt=doubt,
        due=None,
    )


def flash_reading(rise: float, fall: float, limits: Limits) -> Reading:
    on = fall - rise
    return Reading(
        Flash(on),
        rise,
        fall,
        (Figure("on", on, "s", limits.jitter_s),),
        Doubt(on_s=limits.jitter_s),
        edges_used=2,
    )
