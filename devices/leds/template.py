"""One cycle of a repeating pattern as a template, and walking it along the edges that were seen.

Sans-IO and without a clock: edges in, alignment out. A walk tolerates what the field tolerates: edges off by the
jitter, one edge missing, one edge too many. It stops where two such anomalies come too close together, for that is
how another pattern looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from devices.leds.limits import Limits

Level = tuple[float, bool]
"""An edge of one line: seconds, and whether it goes on."""

AnomalyKind = Literal["glitch", "missed", "false"]

_RECOVERY_EDGES = 2
"""Edges that must be where they belong between two anomalies of one stretch."""
_SCATTER_RUNS = 8
"""Runs from which on their scatter says something."""
_PULL = 0.5
"""How far the predicted place of the next edges follows the edge just seen."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An edge that is not what the pattern says.

    Attributes:
        t: seconds.
        kind: ``glitch``: a level too short to be one; ``missed``: no edge where one belongs; ``false``: an edge where
            none belongs.
    """

    t: float
    kind: AnomalyKind


@dataclass(frozen=True, slots=True)
class Template:
    """One cycle: `count` flashes of `on` seconds with `gap` dark between them and `pause` dark behind the last."""

    count: int
    on: float
    gap: float
    pause: float

    @property
    def period(self) -> float:
        """Seconds of one cycle."""
        return self.count * self.on + (self.count - 1) * self.gap + self.pause

    @property
    def durations(self) -> list[float]:
        """Time from each edge of the cycle to the next; even places go on, odd ones go off."""
        return [self.on, self.gap] * (self.count - 1) + [self.on, self.pause]


@dataclass(slots=True)
class Walk:
    """Where a template lies on the edges.

    Attributes:
        template: the cycle.
        matched: (time, place in the cycle, cycle number) of each edge that is where it belongs, in order of time.
        anomalies: what is not, between the first and the last matched edge.
        first, last: index of the first and last matched edge.
        head_fits, tail_fits: whether the walk ran out of edges at that end, rather than into a misfit.
    """

    template: Template
    matched: list[tuple[float, int, int]]
    anomalies: list[Anomaly]
    first: int
    last: int
    head_fits: bool
    tail_fits: bool

    @property
    def start(self) -> float:
        """Time of the first matched edge."""
        return self.matched[0][0]

    @property
    def end(self) -> float:
        """Time of the last matched edge."""
        return self.matched[-1][0]

    @property
    def span(self) -> float:
        """Seconds from the first to the last matched edge."""
        return self.end - self.start

    @property
    def scatter(self) -> float:
        """Mean distance of single runs from the template's, seconds; 0 when there are too few to tell."""
        durations = self.template.durations
        size = len(durations)
        off = [
            abs(b[0] - a[0] - durations[a[1]])
            for a, b in pairwise(self.matched)
            if (a[1] + 1) % size == b[1] and b[2] - a[2] <= 1
        ]
        return sum(off) / len(off) if len(off) >= _SCATTER_RUNS else 0.0

    def overdue(self, until: float, limits: Limits) -> int:
        """How many edges should have come between the last matched edge and `until`; counts to three."""
        durations = self.template.durations
        place, elapsed, at = self.matched[-1][1], until - self.end, 0.0
        for late in range(3):
            at += durations[place]
            if at * (1 + limits.drift) + limits.match_s >= elapsed:
                return late
            place = (place + 1) % len(durations)
        return 3

    def course(self) -> Course:
        """How it goes on behind the last matched edge."""
        return Course(self.template.durations, self.matched[-1][1], self.end)

    def ahead(self, since: float, limits: Limits) -> int:
        """How many edges should have come between `since` and the first matched edge; counts to three."""
        durations = self.template.durations
        place, elapsed, at = self.matched[0][1], self.start - since, 0.0
        for early in range(3):
            place = (place - 1) % len(durations)
            at += durations[place]
            if at * (1 + limits.drift) + limits.match_s >= elapsed:
                return early
        return 3


def debounce(edges: Sequence[Level], initial: bool | None, limits: Limits) -> tuple[list[Level], list[Anomaly]]:
    """Take out levels that are too short to be levels: the edge to them and the edge back."""
    kept: list[Level] = []
    glitches: list[Anomaly] = []
    for edge in edges:
        if kept and edge[0] - kept[-1][0] < limits.glitch_s and edge[1] != kept[-1][1]:
            before = kept[-2][1] if len(kept) > 1 else initial
            if before == edge[1]:
                glitches.append(Anomaly(kept.pop()[0], "glitch"))
                continue
        kept.append(edge)
    return kept, glitches


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def propose(edges: Sequence[Level], limits: Limits) -> list[Template]:
    """Templates that the run lengths between `edges` suggest, the likeliest first.

    Only runs between an edge and the opposite one count: two edges of the same level hide where the run ended. Runs
    at the borders of a window are cut off and are none.
    """
    lit_runs = [b[0] - a[0] for a, b in pairwise(edges) if a[1] and not b[1]]
    dark_runs = sorted(b[0] - a[0] for a, b in pairwise(edges) if b[1] and not a[1])
    if not lit_runs or not dark_runs:
        return []
    on = _median(lit_runs)
    found = [Template(1, on, on, _median(dark_runs))]
    found.extend(_one_flash_by_period(edges, on))
    for i in range(1, len(dark_runs)):
        low, high = dark_runs[i - 1], dark_runs[i]
        if high < low * 1.3 or high - low < 2 * limits.jitter_s:
            continue
        gap, pause = _median(dark_runs[:i]), _median(dark_runs[i:])
        if pause >= limits.pause_factor * gap and pause - gap >= limits.pause_margin_s:
            found.extend(_bursts(edges, on, gap, pause, limits))
    return found


def _one_flash_by_period(edges: Sequence[Level], on: float) -> list[Template]:
    """The blink whose period is the usual distance between edges of the same direction."""
    steps = [
        b - a for lit in (True, False) for times in [[t for t, up in edges if up == lit]] for a, b in pairwise(times)
    ]
    if not steps:
        return []
    period = _median(steps)
    return [Template(1, on, on, period - on)] if period > on else []


def _bursts(edges: Sequence[Level], on: float, gap: float, pause: float, limits: Limits) -> list[Template]:
    """Bursts with these times: the counts that are usual between two pauses, by counting and by measuring."""
    border = (gap * pause) ** 0.5
    starts = [i for i in range(1, len(edges)) if edges[i][1] and edges[i][0] - edges[i - 1][0] > border]
    counts: Counter[int] = Counter()
    for a, b in pairwise(starts):
        counts[sum(up for _, up in edges[a:b])] += 2
        counts[round((edges[b][0] - edges[a][0] - pause + gap) / (on + gap))] += 1
    usual = [count for count, _ in counts.most_common(3) if 2 <= count <= limits.max_flashes]
    return [Template(count, on, gap, pause) for count in usual]


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Where an edge belongs.

    Attributes:
        place: of the cycle.
        turn: cycles passed to get there.
        jump: edges of the template to get there; 1: the next one.
        ahead: seconds to get there by the template.
        off: by how much the edge is late.
    """

    place: int
    turn: int
    jump: int
    ahead: float
    off: float


def _meet(waits: Sequence[float], place: int, step: int, passed: float, lit: bool, limits: Limits) -> _Meeting | None:
    """The place of the template next to where an edge is, `passed` seconds from `place`; None when it is at none."""
    match_s, drift, size = limits.match_s, limits.drift, len(waits)
    ahead, turn, best = 0.0, 0, None
    for jump in range(1, size + 2):
        ahead += waits[place]
        place += step
        if place == size:
            place, turn = 0, turn + 1
        elif place < 0:
            place, turn = size - 1, turn - 1
        off, near = passed - ahead, match_s + drift * ahead
        if off < -near:
            break
        if off <= near and (place % 2 == 0) == lit and (best is None or abs(off) < abs(best.off)):
            best = _Meeting(place, turn, jump, ahead, off)
    return best


@dataclass(slots=True)
class _Leg:
    """One direction of a walk.

    Attributes:
        matched: (time, place, cycle, index) of each edge that is where it belongs.
        anomalies: between matched edges.
        complete: it ran out of edges, not into a misfit.
    """

    matched: list[tuple[float, int, int, int]]
    anomalies: list[Anomaly]
    complete: bool = True


def _leg(edges: Sequence[Level], start: int, stop: int, template: Template, step: int, limits: Limits) -> _Leg:
    """Follow the template from the edge `start`, where its cycle begins, to before `stop`, step 1 or -1."""
    durations = template.durations
    waits = durations if step > 0 else durations[-1:] + durations[:-1]
    anchor, place, cycle = edges[start][0], 0, 0
    leg = _Leg([], [])
    fresh: list[Anomaly] = []  # not yet followed by an edge that belongs
    good = _RECOVERY_EDGES
    for index in range(start + step, stop, step):
        t, lit = edges[index]
        meeting = _meet(waits, place, step, (t - anchor) * step, lit, limits)
        missed = 0 if meeting is None else meeting.jump - 1
        same_disturbance = bool(fresh) and abs(t - fresh[-1].t) < limits.glitch_s
        if missed or (meeting is None and not same_disturbance):
            if missed > 1 or good < _RECOVERY_EDGES:
                leg.complete = False
                break
            good = 0
            fresh.append(Anomaly(t, "false") if meeting is None else Anomaly(anchor + step * waits[place], "missed"))
        if meeting is not None:
            place, cycle = meeting.place, cycle + meeting.turn
            anchor += step * (meeting.ahead + _PULL * meeting.off)
            leg.matched.append((t, place, cycle, index))
            leg.anomalies.extend(fresh)
            fresh.clear()
            good += 1
    return leg


def walk(edges: Sequence[Level], lo: int, hi: int, start: int, template: Template, limits: Limits) -> Walk:
    """Lay `template` along ``edges[lo:hi]``, its cycle beginning at the edge `start`, as far as it fits both ways."""
    forward = _leg(edges, start, hi, template, 1, limits)
    backward = _leg(edges, start, lo - 1, template, -1, limits)
    here = (edges[start][0], 0, 0, start)
    all_matched = [*reversed(backward.matched), here, *forward.matched]
    return Walk(
        template,
        [(t, where, cycle) for t, where, cycle, _ in all_matched],
        sorted(backward.anomalies + forward.anomalies, key=lambda anomaly: anomaly.t),
        all_matched[0][3],
        all_matched[-1][3],
        backward.complete,
        forward.complete,
    )


def anchors(
    edges: Sequence[Level], lo: int, hi: int, template: Template, limits: Limits, *, newest: bool, most: int = 3
) -> list[int]:
    """Edges in ``edges[lo:hi]`` at which a cycle clearly begins: behind a pause, before a flash of the right length.

    The first ones, or with `newest` the last ones; at most `most`.
    """
    found = []
    near_pause = limits.match_s + limits.drift * template.pause
    near_on = limits.match_s + limits.drift * template.on
    places = range(max(lo, 1), min(hi, len(edges) - 1))
    for i in reversed(places) if newest else places:
        t, lit = edges[i]
        if not lit or edges[i - 1][1] or edges[i + 1][1]:
            continue
        if abs(t - edges[i - 1][0] - template.pause) > near_pause or abs(edges[i + 1][0] - t - template.on) > near_on:
            continue
        found.append(i)
        if len(found) == most:
            break
    return found


@dataclass(slots=True)
class Course:
    """A pattern that goes on: tells of each further edge whether it comes where the pattern puts it.

    Attributes:
        durations: of the cycle.
        place: of the last edge in the cycle.
        anchor: where that edge belongs.
    """

    durations: list[float]
    place: int
    anchor: float

    def follow(self, edge: Level, limits: Limits) -> bool:
        """Take one more edge; False (and no change) when it is not the next one of the cycle at its time."""
        wait = self.durations[self.place]
        off = edge[0] - self.anchor - wait
        if abs(off) > limits.match_s + limits.drift * wait or edge[1] != (self.place % 2 == 1):
            return False
        self.anchor += wait + _PULL * off
        self.place = (self.place + 1) % len(self.durations)
        return True

    def due(self, edges: int, limits: Limits) -> float:
        """The time at which `edges` further edges are overdue."""
        size = len(self.durations)
        wait = sum(self.durations[(self.place + i) % size] for i in range(edges))
        return self.anchor + wait * (1 + limits.drift) + limits.match_s


def believable(found: Walk, glitches: Sequence[Anomaly], limits: Limits) -> str | None:
    """Why a walk is not yet proof of its pattern, `glitches` having been taken out before; None when it is."""
    template = found.template
    period = template.period
    slack = 2 * limits.jitter_s
    # what is disturbed, or stands next to edges of something else, must be seen longer: it could be chance
    cycles = limits.min_cycles + len(found.anomalies) + (not found.head_fits) + (not found.tail_fits)
    if found.span + slack < (cycles - 1) * period:
        return f"fewer than {cycles} cycles of {period:.3g} s seen"
    # a burst that is still going on may have more flashes: it counts when the next one has begun
    whole = cycles if template.count > 1 else cycles - 1
    if len(found.matched) + len(found.anomalies) < 2 * template.count * whole + 1:
        return f"fewer than {cycles} whole cycles of {period:.3g} s seen"
    if template.count == 1 and period <= limits.burst_cycle_s and template.pause < 2 * limits.burst_cycle_s:
        needed = min((limits.max_flashes + 1) * period, limits.steady_s)
        if found.span + slack < needed:
            return f"fast flashes for less than {needed:.3g} s could be part of a burst"
    if found.scatter > limits.scatter_s + limits.drift * period / (2 * template.count):
        return f"its edges scatter by {found.scatter * 1e3:.0f} ms"
    # one disturbance next to an edge may show as both, so the two are not added
    disturbed = max(len(found.anomalies), sum(found.start <= glitch.t <= found.end for glitch in glitches))
    if disturbed > limits.allowed_anomalies(found.span):
        return f"{disturbed} missed or false edges in {found.span:.3g} s"
    return None
