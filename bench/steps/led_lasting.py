"""What the LEDs have shown and show no more: how long it lasted, as sure as the evidence allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from bench.expect import Look, Measurement, Truth
from bench.quantity import text_of
from bench.steps.led_evidence import Judge
from bench.steps.led_looks import LinesShow, MeaningShown, as_sure, judges_of, not_sensed, rounded
from devices.leds.pattern import Blink, Match, Off
from devices.leds.waveform import segments

if TYPE_CHECKING:
    from bench.rig import Rig


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant at which something began or ended.

    Attributes:
        t: bench seconds.
        doubt_s: how far it may be off, either way, seconds.
        or_earlier: it may have begun before, when nobody watched.
    """

    t: float
    doubt_s: float
    or_earlier: bool = False


Span = tuple[Moment, Moment]
_NEVER = Moment(math.inf, 0.0)


@dataclass(frozen=True)
class Lasted:
    """The LEDs have shown something that is over now, and it lasted from `least_s` to `most_s`.

    It is looked for since the mains came back, or, where the mains was never switched, since the bench watches. A
    duration that is outside of the bounds by no more than its uncertainty is undecided.

    Attributes:
        shown: what they showed, as a look at patterns or at a meaning.
        least_s: shortest right duration, seconds.
        most_s: longest right one.
    """

    shown: LinesShow | MeaningShown
    least_s: float
    most_s: float
    settle_s: float = 12.0

    def sentence(self) -> str:
        return f"{self.shown.sentence()} lasted {text_of(self.least_s)} to {text_of(self.most_s)}"

    async def look(self, rig: Rig) -> Look:
        again = rig.leds.next_check(None, rig.clock.seconds())
        forms = self._forms(rig)
        spans = [(wanted, span) for wanted in forms if (span := _last_ended(rig, wanted)) is not None]
        if spans:
            return self._judged(rig, *max(spans, key=lambda one: one[1][1].t), again)
        blind = next((text for wanted in forms if (text := _all_blind(rig, wanted))), "")
        truth = Truth.UNDECIDED if blind else Truth.NO
        return Look(truth, blind or "it was not seen, or is not over", again, since=rig.clock.seconds())

    def _judged(self, rig: Rig, wanted: Sequence[tuple[str, Judge]], span: Span, again: float | None) -> Look:
        begin, end = span
        lasted, doubt = end.t - begin.t, begin.doubt_s + end.doubt_s
        limit = f"{text_of(self.least_s)} to {text_of(self.most_s)}"
        name = f"duration on {' '.join(line for line, _ in wanted if line in rig.leds.lines)}"
        value, uncertainty = as_sure(lasted, doubt)
        figure = Measurement(name, value, "s", uncertainty, limit, rig.clock.seconds())
        seen = f"it lasted {'at least ' if begin.or_earlier else ''}{text_of(round(lasted, 3))}"
        if begin.or_earlier:
            seen += ", for it was there when the bench began to watch"
        truth = Truth.YES
        if lasted > self.most_s:
            truth = Truth.NO if lasted - doubt > self.most_s else Truth.UNDECIDED
        elif begin.or_earlier:
            truth = Truth.UNDECIDED
        elif lasted < self.least_s:
            truth = Truth.NO if lasted + doubt < self.least_s else Truth.UNDECIDED
        if truth is Truth.UNDECIDED and not begin.or_earlier:
            seen += f", with an uncertainty of {text_of(rounded(doubt))}"
        blind = not_sensed(rig, wanted)
        if blind and (truth is Truth.YES or lasted > self.most_s):  # all of them together: no longer than this
            truth, seen = Truth.UNDECIDED, f"{seen}; {blind}"
        return Look(truth, seen, again, (figure,), end.t)

    def _forms(self, rig: Rig) -> list[Sequence[tuple[str, Judge]]]:
        if isinstance(self.shown, LinesShow):
            return [[(line, pattern.fits) for line, pattern in self.shown.patterns]]
        signals = rig.gateway_type.signals_for(self.shown.meaning)
        return [wanted for signal in signals for wanted, _ in judges_of(rig, signal)]


def _all_blind(rig: Rig, wanted: Sequence[tuple[str, Judge]]) -> str:
    """That none of the wanted LEDs is sensed, in words; empty when one of them is."""
    return "" if any(line in rig.leds.lines for line, _ in wanted) else not_sensed(rig, wanted)


def _back_since(rig: Rig) -> Moment:
    """When the mains came back; without any switching, when watching began.

    The contact moved between the command and its confirmation: the earlier of both loses no edge.
    """
    back: Moment | None = None
    on = False
    for event in rig.timeline.select("power"):
        if event.kind == "on" and not on:
            commanded = float(event.data.get("commanded", event.t))
            back = Moment(commanded, event.t - commanded)
        if event.kind in ("on", "off"):
            on = event.kind == "on"
    return Moment(rig.leds.since, 0.0, or_earlier=True) if back is None else back


def _last_ended(rig: Rig, wanted: Sequence[tuple[str, Judge]]) -> Span | None:
    """The last time at which all these LEDs fitted together, None when there was none that is over."""
    since = _back_since(rig)
    shared: list[Span] | None = None
    for line, judge in wanted:
        if line in rig.leds.lines:
            own = _fitting(rig, line, judge, since)
            shared = own if shared is None else _overlaps(shared, own)
    ended = [span for span in shared or () if span[1].t < math.inf]
    return ended[-1] if ended else None


def _fitting(rig: Rig, line: str, judge: Judge, since: Moment) -> list[Span]:
    """When one LED fitted, by all its edges since then: the timeline keeps them however long a phase lasts.

    The dark part of a blink that nothing follows belongs to the blink.
    """
    jitter = rig.leds.limits.jitter_s
    edges = sorted((event.t, bool(event.data["lit"])) for event in rig.timeline.select("led", "edge", line=line))
    initial = None if edges and edges[0][0] < since.t else rig.leds.first_levels[line]
    found = segments(edges, since.t, max(since.t, rig.clock.seconds()), initial, rig.leds.limits)
    borders = [since, *(Moment(reading.start, jitter) for reading in found[1:]), _NEVER]
    for index, (before, after) in enumerate(pairwise(found), start=1):
        if isinstance(before.pattern, Blink) and isinstance(after.pattern, Off):
            borders[index] = Moment(after.start + _dark_part(before.pattern), 2 * jitter)
    return [
        span
        for reading, span in zip(found, pairwise(borders), strict=True)
        if judge(reading) is Match.YES and span[0].t < span[1].t
    ]


def _dark_part(blink: Blink) -> float:
    return (blink.period_s or 0.0) * (1 - (blink.duty or 0.0))


def _overlaps(first: Sequence[Span], second: Sequence[Span]) -> list[Span]:
    def at(moment: Moment) -> float:
        return moment.t

    common = [(max(a[0], b[0], key=at), min(a[1], b[1], key=at)) for a in first for b in second]
    return sorted((span for span in common if span[0].t < span[1].t), key=lambda span: span[0].t)
