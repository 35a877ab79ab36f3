"""Steps that judge the LEDs: one LED's pattern, several together, or a documented meaning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.expect import Condition, Look, Measurement, Truth
from bench.patterns import WrittenPattern, parse_written, pattern_of
from bench.quantity import Duration, text_of
from bench.steps.base import ExpectingStep
from devices.leds.groups import Relation
from devices.leds.pattern import Blink, Match, Off, On, matches
from devices.leds.reading import Reading

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

LINES = ("PWR", "TLS", "LMC", "wMT")


@dataclass(frozen=True)
class LinesShow:
    """Each of some LEDs shows a pattern, and they keep a phase to each other."""

    patterns: tuple[tuple[str, WrittenPattern], ...]
    phase: str | None = None
    settle_s: float = 12.0

    def sentence(self) -> str:
        lines = " and ".join(f"{line} is {pattern}" for line, pattern in self.patterns)
        return f"{lines}, {self.phase}" if self.phase else lines

    async def look(self, rig: Rig) -> Look:
        return look_at_lines(rig, [(line, pattern.fits) for line, pattern in self.patterns], self.phase)


Judge = Callable[[Reading], Match]


def look_at_lines(rig: Rig, wanted: Sequence[tuple[str, Judge]], phase: str | None, *, least_s: float = 0.0) -> Look:
    """Look at each LED with its judge, then at their phase.

    Args:
        phase: together, alternating, either, or None when it does not matter.
        least_s: the patterns must have lasted this long before the answer is yes.
    """
    now = rig.clock.seconds()
    readings: dict[str, Reading] = {}
    matches: list[Match] = []
    for line, judge in wanted:
        readings[line] = reading = rig.leds.reading(line, now)
        matches.append(judge(reading))
        if matches[-1] is Match.NO:  # nothing but a change of this LED can change the answer
            return Look(Truth.NO, _seen(readings), rig.leds.next_check(line, now))
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
        return Look(truth, seen, again)
    if least_s:
        # What blinks because the mains is cut again and again is no pattern of the gateway.
        powered = rig.timeline.latest.get(("power", "on"))
        since = max(reading.start for reading in readings.values())
        ripe = max(since, powered.t if powered is not None else 0.0) + least_s
        if now < ripe:
            return Look(Truth.UNDECIDED, seen, ripe)
    return Look(truth, seen, again, tuple(_figures(readings, now)))


def _seen(readings: Mapping[str, Reading]) -> str:
    return ", ".join(f"{line} {reading.pattern}" for line, reading in readings.items())


def _figures(readings: Mapping[str, Reading], now: float) -> Iterator[Measurement]:
    for line, reading in readings.items():
        for figure in reading.figures:
            value, uncertainty = round(figure.value, 6), _rounded(figure.uncertainty)
            yield Measurement(f"{line} {figure.name}", value, figure.unit, uncertainty, None, now)


def _rounded(uncertainty: float | None) -> float | None:
    """An uncertainty is stated with two digits; time stamps are not finer than a microsecond."""
    return None if uncertainty is None else max(float(f"{uncertainty:.2g}"), 1e-6)


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


@dataclass(frozen=True)
class AlarmShown:
    """The LEDs show any pattern that the manual calls an alarm."""

    settle_s: float = 12.0

    def sentence(self) -> str:
        return "the LEDs show an alarm"

    async def look(self, rig: Rig) -> Look:
        return look_at_meanings(rig, [signal for signal in rig.gateway_type.signals if signal.alarm])


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
    return Look(truth, (undecided or looks)[0].seen, again)


def _look_at_signal(rig: Rig, signal: Signal) -> Iterator[Look]:
    """One look for each form of a signal whose LEDs this bench sees."""
    if signal.assumed:
        what = ", ".join(signal.assumed)
        rig.assume(
            f"LED pattern {signal.means}", f"{what} not judged", signal.source, "no document gives these figures"
        )
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
    return Look(truth, f"{look.seen} (it may be {meaning})", other.again_at or look.again_at)


def judges_of(rig: Rig, signal: Signal) -> Iterator[tuple[list[tuple[str, Judge]], str | None]]:
    """For each form of a signal: the LEDs that this bench sees with their judges, and the phase."""
    for form in signal.forms:
        wanted = [
            (line, _judge(pattern, signal.assumed)) for line, pattern in form.shows.items() if line in rig.leds.lines
        ]
        if wanted:
            yield wanted, form.phase


@dataclass(frozen=True)
class Lasted:
    """The LEDs have shown something that is over now, and it lasted from `least_s` to `most_s`.

    It is looked for since the mains came back, at most as far back as edges are kept.

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
        now = rig.clock.seconds()
        again = rig.leds.next_check(None, now)
        spans = [(wanted, span) for wanted in self._forms(rig) if (span := _last_ended(rig, wanted)) is not None]
        if not spans:
            return Look(Truth.NO, "it was not seen, or is not over", again)
        wanted, (begin, end) = max(spans, key=lambda one: one[1][1])
        limit = f"{text_of(self.least_s)} to {text_of(self.most_s)}"
        name = f"duration on {' '.join(line for line, _ in wanted)}"
        figure = Measurement(name, round(end - begin, 6), "s", None, limit, now)
        good = self.least_s <= end - begin <= self.most_s
        seen = f"it lasted {text_of(round(end - begin, 3))}"
        return Look(Truth.YES if good else Truth.NO, seen, again, (figure,))

    def _forms(self, rig: Rig) -> list[Sequence[tuple[str, Judge]]]:
        if isinstance(self.shown, LinesShow):
            return [[(line, pattern.fits) for line, pattern in self.shown.patterns]]
        signals = rig.gateway_type.signals_for(self.shown.meaning)
        return [wanted for signal in signals for wanted, _ in judges_of(rig, signal)]


def _last_ended(rig: Rig, wanted: Sequence[tuple[str, Judge]]) -> tuple[float, float] | None:
    """Begin and end of the last time at which all these LEDs fitted together, None when there was none that is over.

    The dark part of a blink that nothing follows belongs to the blink.
    """
    now = rig.clock.seconds()
    # the contact moved between the command and its confirmation: the earlier of both loses no edge
    starts = [event.data.get("commanded", event.t) for event in rig.timeline.select("power", "on")]
    window = now - (starts[-1] if starts else 0.0)
    shared: list[tuple[float, float]] | None = None
    for line, judge in wanted:
        own = []
        found = rig.leds.segments(line, window)
        for index, reading in enumerate(found):
            follower = found[index + 1] if index + 1 < len(found) else None
            begin, end = reading.start, reading.end if follower is not None else math.inf
            if follower is not None and isinstance(reading.pattern, Blink) and isinstance(follower.pattern, Off):
                end += _dark_part(reading.pattern)
            before = found[index - 1].pattern if index else None
            if isinstance(reading.pattern, Off) and isinstance(before, Blink):
                begin += _dark_part(before)
            if judge(reading) is Match.YES:
                own.append((begin, end))
        shared = own if shared is None else _overlaps(shared, own)
    ended = [span for span in shared or () if span[1] < math.inf]
    return ended[-1] if ended else None


def _dark_part(blink: Blink) -> float:
    return (blink.period_s or 0.0) * (1 - (blink.duty or 0.0))


def _overlaps(first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    common = [(max(a[0], b[0]), min(a[1], b[1])) for a in first for b in second]
    return sorted(span for span in common if span[0] < span[1])


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

        if self.shows is None or self.shows == "alarm":
            return []
        products = [gateway_type(name) for name in scenario.gateways]
        return [text for product in products for text in self._unknown_meaning(product)][:1]

    def _unknown_meaning(self, product: GatewayType) -> list[str]:
        from devices.errors import UsageError

        try:
            product.signals_for(self.shows or "")
        except UsageError as error:
            return [str(error)]
        return []

    def condition(self) -> Condition:
        if self.shows == "alarm":
            return AlarmShown()
        shown = LinesShow(self._patterns, self.phase) if self.shows is None else MeaningShown(self.shows)
        if self.lasted is not None:
            return Lasted(shown, *(bound.total_seconds() for bound in self.lasted))
        return shown
