"""Steps that judge the LEDs: one LED's pattern, several together, or a documented meaning."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.expect import Condition, Lapse, Look, Measurement, Truth
from bench.patterns import WrittenPattern, parse_written, pattern_of
from bench.quantity import Duration, text_of
from bench.steps.base import ExpectingStep
from bench.steps.led_evidence import Judge, lapses, may_be_steady, may_repeat, short_of
from devices.leds.groups import Relation
from devices.leds.pattern import Blink, Match, Off, On, Undecided, matches
from devices.leds.reading import Reading
from devices.leds.waveform import segments

if TYPE_CHECKING:
    from bench.rig import Rig
    from bench.scenario.models import Scenario
    from devices.gateway_types.model import GatewayType, PatternSpec, Signal

_PATTERN_SCHEMA = {
    "anyOf": [
        {"enum": ["on", "off", "heartbeat", "blinking"]},
        {"type": "string", "description": "blinking with a period, such as 'blinking 500 ms'"},
        {
            "type": "object",
            "properties": {"on": {"type": "string"}, "off": {"type": "string"}},
            "required": ["on", "off"],
            "additionalProperties": False,
        },
    ]
}
LedPattern = Annotated[WrittenPattern, BeforeValidator(parse_written), WithJsonSchema(_PATTERN_SCHEMA)]


@dataclass(frozen=True)
class LinesShow:
    """Each of some LEDs shows a pattern, and they keep a phase to each other."""

    patterns: tuple[tuple[str, WrittenPattern], ...]
    phase: str | None = None
    settle_s: float = 12.0

    def sentence(self) -> str:
        lines = " and ".join(f"{line} is {pattern}" for line, pattern in self.patterns)
        return f"{lines}, {self.phase}" if self.phase else lines

    @property
    def _wanted(self) -> list[tuple[str, Judge]]:
        return [(line, pattern.fits) for line, pattern in self.patterns]

    async def look(self, rig: Rig) -> Look:
        return look_at_lines(rig, self._wanted, self.phase)

    def lapses(self, rig: Rig, begin: float, end: float) -> list[Lapse]:
        return lapses(rig.leds, [self._wanted], begin, end)

    def unexplained(self, rig: Rig, begin: float, end: float) -> list[Lapse]:
        return [*may_be_steady(rig.leds, self._wanted, begin, end), *may_repeat(rig, self._wanted, self, begin, end)]


def look_at_lines(rig: Rig, wanted: Sequence[tuple[str, Judge]], phase: str | None, *, least_s: float = 0.0) -> Look:
    """Look at each LED with its judge, then at their phase.

    LEDs that the bench does not sense leave the answer undecided, unless the others say no.

    Args:
        phase: together, alternating, either, or None when it does not matter.
        least_s: the patterns must have lasted this long before the answer is yes.
    """
    now = rig.clock.seconds()
    if rig.leds.ends is not None and now > rig.leds.ends + 1e-6:
        return Look(Truth.UNDECIDED, f"the recording was over at {rig.leds.ends:.3f} s", since=rig.leds.ends)
    readings: dict[str, Reading] = {}
    matches: list[Match] = []
    for line, judge in wanted:
        if line not in rig.leds.lines:
            continue
        readings[line] = reading = rig.leds.reading(line, now)
        matches.append(judge(reading))
        if matches[-1] is Match.NO:  # nothing but a change of this LED can change the answer
            return Look(Truth.NO, _seen(readings), rig.leds.next_check(line, now), since=reading.start)
    checks = [rig.leds.next_check(line, now) for line in readings]
    again = min((check for check in checks if check is not None), default=None)
    seen = _seen(readings)
    moving = tuple(line for line, reading in readings.items() if not isinstance(reading.pattern, On | Off))
    if phase is not None and len(moving) > 1:  # steady LEDs have no phase
        group = rig.leds.group(moving, now)
        matches.append(_phase_match(group.relation, phase))
        seen += f", {group.relation.value}"
    truth = _truth(matches)
    if truth is not Truth.YES:
        open_since = [reading.start for reading in readings.values() if isinstance(reading.pattern, Undecided)]
        return Look(truth, seen, again, since=min(open_since, default=now))
    blind = _not_sensed(rig, wanted)
    if blind:
        return Look(Truth.UNDECIDED, f"{seen}; {blind}" if seen else blind, again, since=now)
    fits_since = max(_shown_since(rig, line, reading) for line, reading in readings.items())
    if least_s:
        # What blinks because the mains is cut again and again is no pattern of the gateway.
        powered = rig.timeline.latest.get(("power", "on"))
        since = max(reading.start for reading in readings.values())
        ripe = max(since, powered.t if powered is not None else 0.0) + least_s
        if now < ripe:
            return Look(Truth.UNDECIDED, seen, ripe, since=fits_since)
    return Look(truth, seen, again, tuple(_figures(readings, now)), fits_since)


def _shown_since(rig: Rig, line: str, reading: Reading) -> float:
    if isinstance(reading.pattern, On | Off):
        return rig.leds.steady_since(line, isinstance(reading.pattern, On))
    return reading.start


def _not_sensed(rig: Rig, wanted: Sequence[tuple[str, Judge]]) -> str:
    """Which of the wanted LEDs the bench does not sense, in words; empty when it senses all."""
    lines = [line for line, _ in wanted if line not in rig.leds.lines]
    return f"{', '.join(lines)} {'is' if len(lines) == 1 else 'are'} not sensed on this bench" if lines else ""


def _seen(readings: Mapping[str, Reading]) -> str:
    return ", ".join(f"{line} {_in_words(reading)}" for line, reading in readings.items())


def _in_words(reading: Reading) -> str:
    """What a LED shows; one that moves in no pattern is at least neither on nor off."""
    pattern = reading.pattern
    return f"changing: {pattern.why}" if isinstance(pattern, Undecided) and pattern.moving else str(pattern)


def _figures(readings: Mapping[str, Reading], now: float) -> Iterator[Measurement]:
    for line, reading in readings.items():
        for figure in reading.figures:
            value, uncertainty = as_sure(figure.value, figure.uncertainty)
            yield Measurement(f"{line} {figure.name}", value, figure.unit, uncertainty, None, now)


def as_sure(value: float, uncertainty: float | None) -> tuple[float, float | None]:
    """A figure with no more digits than its uncertainty has, which has two; time stamps end at a microsecond."""
    if uncertainty is None:
        return round(value, 6), None
    told = max(float(f"{uncertainty:.2g}"), 1e-6)
    return round(value, 1 - math.floor(math.log10(told))), told


def _rounded(uncertainty: float) -> float:
    return as_sure(0.0, uncertainty)[1] or 0.0


def _truth(matches: Sequence[Match]) -> Truth:
    if Match.NO in matches:
        return Truth.NO
    return Truth.UNDECIDED if Match.UNDECIDED in matches else Truth.YES


def _phase_match(relation: Relation, phase: str) -> Match:
    if relation is Relation.UNDECIDED:
        return Match.UNDECIDED
    right = (Relation.TOGETHER, Relation.ALTERNATING) if phase == "either" else (Relation(phase),)
    return Match.YES if relation in right else Match.NO


@dataclass(frozen=True)
class MeaningShown:
    """The LEDs show a documented meaning, in any of its documented forms."""

    meaning: str
    settle_s: float = 12.0

    def sentence(self) -> str:
        return f"the LEDs show {self.meaning!r}"

    async def look(self, rig: Rig) -> Look:
        return look_at_meanings(rig, rig.gateway_type.signals_for(self.meaning))

    def lapses(self, rig: Rig, begin: float, end: float) -> list[Lapse]:
        signals = rig.gateway_type.signals_for(self.meaning)
        return lapses(rig.leds, [wanted for signal in signals for wanted, _ in judges_of(rig, signal)], begin, end)

    def unexplained(self, rig: Rig, begin: float, end: float) -> list[Lapse]:
        return short_of(rig, rig.gateway_type.signals_for(self.meaning), begin, end)


@dataclass(frozen=True)
class AlarmShown:
    """The LEDs show any pattern that the manual calls an alarm."""

    settle_s: float = 12.0

    def sentence(self) -> str:
        return "the LEDs show an alarm"

    async def look(self, rig: Rig) -> Look:
        return look_at_meanings(rig, self._alarms(rig))

    def lapses(self, rig: Rig, begin: float, end: float) -> list[Lapse]:
        wanted = [form for signal in self._alarms(rig) for form, _ in judges_of(rig, signal)]
        return lapses(rig.leds, wanted, begin, end)

    def unexplained(self, rig: Rig, begin: float, end: float) -> list[Lapse]:
        return short_of(rig, self._alarms(rig), begin, end)

    @staticmethod
    def _alarms(rig: Rig) -> list[Signal]:
        return [signal for signal in rig.gateway_type.signals if signal.alarm]


def look_at_meanings(rig: Rig, signals: Sequence[Signal]) -> Look:
    """Yes when one of the documented forms is seen, no when none can be, undecided otherwise."""
    looks = [look for signal in signals for look in _look_at_signal(rig, signal)]
    for look in looks:
        if look.truth is Truth.YES:
            return look
    if not looks:
        return Look(Truth.NO, "this product has no LED pattern for it")
    again = min((look.again_at for look in looks if look.again_at is not None), default=None)
    undecided = [look for look in looks if look.truth is Truth.UNDECIDED]
    truth = Truth.UNDECIDED if undecided else Truth.NO
    times = [look.since for look in undecided or looks if look.since is not None]
    since = (min if undecided else max)(times, default=rig.clock.seconds())
    return Look(truth, (undecided or looks)[0].seen, again, since=since)


def _look_at_signal(rig: Rig, signal: Signal) -> Iterator[Look]:
    """One look for each form of a signal."""
    least_s = 0.0 if signal.lasts_s is not None else LIMITED_FACTOR * longest_limited(rig.gateway_type, signal)
    for wanted, phase in judges_of(rig, signal):
        look = look_at_lines(rig, wanted, phase, least_s=least_s)
        if look.truth is Truth.YES:
            look = replace(look, seen=f"{signal.means}: {look.seen}")
            for other in signal.unlike:
                look = _unless(look, look_at_meanings(rig, rig.gateway_type.signals_for(other)), other)
        yield look


def _unless(look: Look, other: Look, meaning: str) -> Look:
    """`look`, unless the LEDs show the `other` meaning, which contains this one."""
    if other.truth is Truth.NO:
        return look
    truth = Truth.NO if other.truth is Truth.YES else Truth.UNDECIDED
    return Look(truth, f"{look.seen} (it may be {meaning})", other.again_at or look.again_at, since=look.since)


def judges_of(rig: Rig, signal: Signal) -> Iterator[tuple[list[tuple[str, Judge]], str | None]]:
    """For each form of a signal: its LEDs with their judges, and the phase. What is assumed of it is noted."""
    if signal.assumed:
        what = ", ".join(signal.assumed)
        rig.assume(
            f"LED pattern {signal.means}", f"{what} not judged", signal.source, "no document gives these figures"
        )
    for form in signal.forms:
        yield [(line, _judge(pattern, signal.assumed)) for line, pattern in form.shows.items()], form.phase


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
            seen += f", with an uncertainty of {text_of(_rounded(doubt))}"
        blind = _not_sensed(rig, wanted)
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
    return "" if any(line in rig.leds.lines for line, _ in wanted) else _not_sensed(rig, wanted)


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


LIMITED_FACTOR = 1.5
"""A blink that goes on for ever is believed once it has lasted so many times as long as any limited one."""


def longest_limited(product: GatewayType, signal: Signal) -> float:
    """Seconds of the longest blink for a limited time (LED test, wake-up) that uses a LED which `signal` blinks."""
    blinking = {
        line for form in signal.forms for line, pattern in form.shows.items() if pattern.kind not in ("on", "off")
    }
    limited = [other.lasts_s for other in product.signals if other.lasts_s is not None and blinking & other.lines]
    return max(limited, default=0.0)


def _judge(spec: PatternSpec, assumed: Sequence[str]) -> Judge:
    pattern = pattern_of(spec, assumed)
    return lambda reading: matches(reading.pattern, pattern, doubt=reading.doubt)


class LedsStep(ExpectingStep):
    """Expect patterns of single LEDs, a documented meaning, or an alarm.

    Attributes:
        shows: vendor-neutral meaning, such as starting, ready, restricted, stopped; ``alarm`` is any alarm.
        pwr: pattern of the LED PWR; the other three likewise.
        phase: how the named LEDs stand to each other: together, alternating or either.
        lasted: it is over, and its duration lay between these two; counted since the mains came back.
    """

    key: ClassVar[str] = "leds"
    shorthand: ClassVar[str | None] = "shows"
    doc: ClassVar[str] = "expect what the LEDs show"
    base_needs: ClassVar[frozenset[str]] = frozenset({"leds"})

    shows: str | None = None
    pwr: LedPattern | None = Field(default=None, alias="PWR")
    tls: LedPattern | None = Field(default=None, alias="TLS")
    lmc: LedPattern | None = Field(default=None, alias="LMC")
    wmt: LedPattern | None = Field(default=None, alias="wMT")
    han_link: LedPattern | None = Field(default=None, alias="HAN.link")
    cls_link: LedPattern | None = Field(default=None, alias="CLS.link")
    wan_link: LedPattern | None = Field(default=None, alias="WAN.link")
    han_traffic: LedPattern | None = Field(default=None, alias="HAN.traffic")
    cls_traffic: LedPattern | None = Field(default=None, alias="CLS.traffic")
    wan_traffic: LedPattern | None = Field(default=None, alias="WAN.traffic")
    phase: str | None = None
    lasted: tuple[Duration, Duration] | None = None

    @property
    def watchable(self) -> bool:
        return self.lasted is None

    @model_validator(mode="after")
    def _one_thing(self) -> LedsStep:
        if (self.shows is None) == (not self._patterns):
            raise ValueError("say either 'shows: MEANING' or patterns of single LEDs, such as {PWR: on}")
        if self.phase is not None and (
            len(self._patterns) < 2 or self.phase not in ("together", "alternating", "either")
        ):
            raise ValueError("'phase' is together, alternating or either, of two or more LEDs")
        bounds = self.lasted
        if bounds is not None and (bounds[0] > bounds[1] or self.hold is not None or self.shows == "alarm"):
            raise ValueError("'lasted' is the shortest and the longest right time of one pattern, without 'for'")
        return self

    @property
    def _patterns(self) -> tuple[tuple[str, WrittenPattern], ...]:
        fields = type(self).model_fields
        named = ((field.alias, getattr(self, name)) for name, field in fields.items() if field.alias and name != "hold")
        return tuple((str(alias), pattern) for alias, pattern in named if pattern is not None)

    def check(self, scenario: Scenario) -> list[str]:
        from bench.products import gateway_type

        products = [gateway_type(name) for name in scenario.gateways]
        if self.shows is None:
            return [
                f"{product.name} has no LED {line!r}: it has {', '.join(product.lines)}"
                for product in products
                for line, _ in self._patterns
                if line not in product.lines
            ]
        if self.shows == "alarm":
            return []
        return [text for product in products for text in self._unknown_meaning(product)][:1]

    def _unknown_meaning(self, product: GatewayType) -> list[str]:
        from devices.errors import UsageError

        try:
            product.signals_for(self.shows or "")
        except UsageError as error:
            if difflib.get_close_matches(self.shows or "", ["alarm"]):
                return [f"unknown meaning {self.shows!r} (did you mean 'alarm'?)"]
            return [str(error)]
        return []

    def condition(self) -> Condition:
        if self.shows == "alarm":
            return AlarmShown()
        shown = LinesShow(self._patterns, self.phase) if self.shows is None else MeaningShown(self.shows)
        if self.lasted is not None:
            return Lasted(shown, *(bound.total_seconds() for bound in self.lasted))
        return shown
