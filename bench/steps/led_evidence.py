"""What the edges say of a stretch of time that is over, when they are all known.

A reading says what a LED shows now, and is undecided for a moment after each change. Whether a LED showed one thing
*all the time* is judged here afterwards: `lapses` finds where it did not, `unexplained` where it may have shown what
it must never show, too briefly to tell. Every figure of it is in `devices.leds.limits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.expect import Lapse, Truth
from bench.patterns import pattern_of
from bench.quantity import text_of
from devices.leds.pattern import Blink, Burst, Match, Off, On, Undecided, matches
from devices.leds.reading import Reading
from devices.leds.watch import DEFAULT_WINDOW_S, LedWatch, Run

if TYPE_CHECKING:
    from bench.rig import Rig
    from devices.gateway_types.model import Signal

Judge = Callable[[Reading], Match]
Wanted = Sequence[tuple[str, Judge]]


def lapses(watch: LedWatch, forms: Sequence[Wanted], begin: float, end: float) -> list[Lapse]:
    """Where the LEDs showed none of `forms` between `begin` and `end` (bench seconds), in order of time.

    A wrong level up to ``Limits.outage_s`` is tolerated (`Truth.YES`) unless it comes too often; a longer one is
    certain (`Truth.NO`), and so is a pause that no single missed edge explains. What else does not fit the pattern
    cannot be told (`Truth.UNDECIDED`).
    """
    found: list[list[Lapse]] = []
    for wanted in forms:
        of_form = [
            lapse for line, judge in wanted if line in watch.lines for lapse in _of_line(watch, line, judge, begin, end)
        ]
        of_form.sort(key=lambda lapse: lapse.start)
        if not any(lapse.truth is not Truth.YES for lapse in of_form):
            return of_form
        found.append([lapse for lapse in of_form if lapse.truth is not Truth.YES])
    if not found:
        return []
    common = found[0]
    for others in found[1:]:
        common = list(_in_both(common, others, watch.limits.outage_s))
    return common


def _in_both(first: Sequence[Lapse], second: Sequence[Lapse], shortest: float) -> Iterator[Lapse]:
    """What neither of two forms explains."""
    for one in first:
        for other in second:
            start, end = max(one.start, other.start), min(one.end, other.end)
            if end - start > shortest:
                truth = Truth.NO if one.truth is other.truth is Truth.NO else Truth.UNDECIDED
                yield Lapse(start, end, one.what, truth)


def steady_level(judge: Judge) -> bool | None:
    """The level that a LED must keep for `judge` to be content; None: it wants a LED that moves."""
    for pattern, level in ((On(), True), (Off(), False)):
        if judge(Reading(pattern, 0.0, 0.0)) is Match.YES:
            return level
    return None


def _of_line(watch: LedWatch, line: str, judge: Judge, begin: float, end: float) -> Iterable[Lapse]:
    level = steady_level(judge)
    unseen = [
        _wrong(watch, line, Run(max(a, begin), min(b, end), None))
        for a, b in watch.unknown(line)
        if a < end and b > begin
    ]
    if level is None:
        return [*unseen, *_of_moving(watch, line, judge, begin, end)]
    wrong = [_wrong(watch, line, run) for run in watch.runs(line, begin, end) if run.lit != level]
    if wrong and all(lapse.truth is Truth.YES for lapse in wrong):
        before = [run for run in watch.runs(line, begin - DEFAULT_WINDOW_S, begin) if run.lit != level]
        wrong += _too_many([*(_wrong(watch, line, run) for run in before), *wrong], watch)
    return [*unseen, *wrong]


def _wrong(watch: LedWatch, line: str, run: Run) -> Lapse:
    lasted = run.end - run.start
    state = "unknown" if run.lit is None else "on" if run.lit else "off"
    what = f"{line} was {state} for {text_of(round(lasted, 3))} from {run.start:.3f} s"
    if lasted <= watch.limits.outage_s + 1e-9:
        return Lapse(run.start, run.end, what, Truth.YES)
    if run.lit is None:
        return Lapse(run.start, run.end, what, Truth.UNDECIDED)
    if not run.sure:
        return Lapse(run.start, run.end, f"{what}, or less: the edge back was missed", Truth.UNDECIDED)
    return Lapse(run.start, run.end, what, Truth.NO)


def _too_many(found: list[Lapse], watch: LedWatch) -> list[Lapse]:
    """False levels that are each short enough, but come more often than a disturbed line makes them."""
    allowed = watch.limits.allowed_anomalies(DEFAULT_WINDOW_S)
    short = [lapse for lapse in found if lapse.truth is Truth.YES]
    for first, last in zip(short, short[allowed:], strict=False):
        if last.end - first.start <= DEFAULT_WINDOW_S:
            what = f"{last.what}, and {allowed} times before in {DEFAULT_WINDOW_S:g} s"
            return [Lapse(last.start, last.end, what, Truth.NO)]
    return []


def _of_moving(watch: LedWatch, line: str, judge: Judge, begin: float, end: float) -> Iterator[Lapse]:
    reading = watch.reading(line, end)
    if judge(reading) is Match.YES and reading.start <= begin + 1e-6:
        for anomaly in reading.anomalies:
            if begin <= anomaly.t <= end:
                what = "glitch" if anomaly.kind == "glitch" else f"{anomaly.kind} edge"
                yield Lapse(anomaly.t, anomaly.t, f"{line} had a {what} at {anomaly.t:.3f} s", Truth.YES)
        return
    parts = watch.segments(line, end - begin + DEFAULT_WINDOW_S, end)
    fitting = [part for part in parts if judge(part) is Match.YES]
    longest = max((_longest_pause(part, watch) for part in fitting), default=watch.limits.steady_s)
    for place, part in enumerate(parts):
        start, stop = max(part.start, begin), min(part.end, end)
        match = judge(part)
        still_open = isinstance(part.pattern, Undecided) and place == len(parts) - 1
        if match is Match.YES or still_open or stop - start <= watch.limits.outage_s:
            continue
        paused = max((run.end - run.start for run in watch.runs(line, part.start - longest, part.end)), default=0.0)
        truth = Truth.NO if match is Match.NO or paused > longest else Truth.UNDECIDED
        what = f"{line} was {part.pattern} for {text_of(round(stop - start, 3))} from {start:.3f} s"
        if truth is Truth.UNDECIDED:
            what = f"{line} was in no pattern for {text_of(round(stop - start, 3))} from {start:.3f} s"
        elif match is not Match.NO:
            what = f"{line} kept its level for {text_of(round(paused, 3))} after {part.start:.3f} s"
        yield Lapse(start, stop, what, truth)


def _longest_pause(part: Reading, watch: LedWatch) -> float:
    """The longest time without an edge in a pattern that goes on, one edge of it and its return missed."""
    pattern, limits = part.pattern, watch.limits
    if not isinstance(pattern, Blink | Burst) or pattern.period_s is None:
        return limits.steady_s
    if isinstance(pattern, Blink):
        lit = pattern.period_s * (pattern.duty or 0.0)
        run = max(lit, pattern.period_s - lit)
    else:
        count, on, gap = pattern.count or 1, pattern.on_s or 0.0, pattern.gap_s or 0.0
        run = max(on, pattern.period_s - count * on - (count - 1) * gap)
    return (pattern.period_s + run) * (1 + limits.drift) + 2 * limits.match_s


def may_be_steady(watch: LedWatch, wanted: Wanted, begin: float, end: float) -> list[Lapse]:
    """Where LEDs that are wanted steady all had that level, in no other pattern, too briefly to call it steady."""
    shared: list[tuple[float, float]] = [(begin, end)]
    for line, judge in wanted:
        level = steady_level(judge)
        if level is None or line not in watch.lines:
            return []
        parts = watch.segments(line, end - begin + DEFAULT_WINDOW_S, end)
        open_spans = [(part.start, part.end) for part in parts if isinstance(part.pattern, Undecided)]
        runs = [(run.start, run.end) for run in watch.runs(line, begin, end) if run.lit in (level, None)]
        shared = _overlaps(_overlaps(shared, runs), open_spans)
    names = ", ".join(line for line, _ in wanted)
    return [
        Lapse(a, b, f"{names} kept that level for {text_of(round(b - a, 3))} from {a:.3f} s", Truth.UNDECIDED)
        for a, b in shared
        if b - a > watch.limits.outage_s
    ]


def _overlaps(first: Iterable[tuple[float, float]], second: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    later = list(second)
    common = ((max(a, c), min(b, d)) for a, b in first for c, d in later)
    return sorted((a, b) for a, b in common if b > a)


def may_repeat(rig: Rig, wanted: Wanted, means: object, begin: float, end: float) -> list[Lapse]:
    """Where the LEDs went through two cycles of a pattern, too few to be sure of it."""
    spans = _brief(rig.leds, wanted, begin, end)
    return [_brief_lapse(wanted, a, b, getattr(means, "sentence", lambda: str(means))()) for a, b in spans]


def _brief_lapse(wanted: Wanted, a: float, b: float, what: str) -> Lapse:
    lines = ", ".join(line for line, _ in wanted)
    seen = f"for {text_of(round(b - a, 3))} from {a:.3f} s it may have been that {what} ({lines}): too short to tell"
    return Lapse(a, b, seen, Truth.UNDECIDED)


def short_of(rig: Rig, signals: Iterable[Signal], begin: float, end: float) -> list[Lapse]:
    """Where the LEDs may have shown one of `signals`, too briefly to tell, and nothing else explains it.

    Other meanings of the product explain it, and so does switching of the mains in the midst of it.
    """
    chosen = list(signals)
    others = [signal for signal in rig.gateway_type.signals if not signal.alarm and signal not in chosen]
    found = []
    for signal in chosen:
        for wanted in _forms(signal):
            for a, b in _brief(rig.leds, wanted, begin, end):
                if not _switched(rig, a, b) and not any(_explains(rig, other, wanted, a, b) for other in others):
                    found.append(_brief_lapse(wanted, a, b, f"the LEDs show {signal.means!r}"))
    return found


def _forms(signal: Signal) -> Iterator[Wanted]:
    for form in signal.forms:
        patterns = {line: pattern_of(spec, signal.assumed) for line, spec in form.shows.items()}
        yield [
            (line, lambda reading, pattern=pattern: matches(reading.pattern, pattern, doubt=reading.doubt))  # type: ignore[misc]
            for line, pattern in patterns.items()
        ]


def _brief(watch: LedWatch, wanted: Wanted, begin: float, end: float) -> list[tuple[float, float]]:
    """Spans that begin in the stretch, in which each moving LED did two cycles of what is wanted and the others fit."""
    limits = replace(watch.limits, min_cycles=2, burst_cycle_s=0.0)
    shared: list[tuple[float, float]] | None = None
    steady: list[tuple[str, bool]] = []
    for line, judge in wanted:
        if line not in watch.lines:
            continue
        level = steady_level(judge)
        if level is not None:
            steady.append((line, level))
            continue
        parts = watch.segments(line, end - begin + DEFAULT_WINDOW_S, end, limits)
        spans = [(p.start, p.end) for p in parts if isinstance(p.pattern, Blink | Burst) and judge(p) is not Match.NO]
        shared = spans if shared is None else _overlaps(shared, spans)
        if not shared:
            return []
    return [
        (a, b)
        for a, b in shared or ()
        if begin - 1e-6 <= a <= end
        and all(_mostly(watch, line, level, a, b) for line, level in steady)
        and b - a > watch.limits.outage_s
    ]


def _mostly(watch: LedWatch, line: str, level: bool, begin: float, end: float) -> bool:
    wrong = (run.end - run.start for run in watch.runs(line, begin, end) if run.lit not in (level, None))
    return all(lasted <= watch.limits.outage_s for lasted in wrong)


def _switched(rig: Rig, begin: float, end: float) -> bool:
    """Whether the mains was switched in the midst of it."""
    return any(begin <= event.t <= end for event in rig.timeline.select("power", since=begin))


def _explains(rig: Rig, signal: Signal, wanted: Wanted, begin: float, end: float) -> bool:
    """Whether `signal` is the better explanation: it moves the same LEDs, and lasts as long as it should."""
    moving = {line for line, judge in wanted if steady_level(judge) is None}
    for form in _forms(signal):
        own = {line for line, judge in form if steady_level(judge) is None}
        if not moving <= own:
            continue
        for a, b in _brief(rig.leds, form, begin - DEFAULT_WINDOW_S, end + 1e-6):
            period = 0.15 * (b - a) + 1.0
            if (
                a <= begin + 0.5
                and b >= end - 0.5
                and (signal.lasts_s is None or abs(b - a - signal.lasts_s) <= period)
            ):
                return True
    return False
