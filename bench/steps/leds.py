"""Steps that judge the LEDs: one LED's pattern, several together, or a documented meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from bench.expect import Condition, Look, Measurement, Truth
from bench.patterns import WrittenPattern, parse_written, pattern_of
from bench.steps.base import ExpectingStep
from devices.leds.groups import Relation
from devices.leds.pattern import Match, matches
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
    readings = {line: rig.leds.reading(line, now) for line, _ in wanted}
    matches = [judge(readings[line]) for line, judge in wanted]
    seen = ", ".join(f"{line} {reading.pattern}" for line, reading in readings.items())
    checks = [rig.leds.next_check(line, now) for line in readings]
    again = min((check for check in checks if check is not None), default=None)
    if Match.NO not in matches and phase is not None and len(readings) > 1:
        group = rig.leds.group(tuple(readings), now)
        matches.append(_phase_match(group.relation, phase))
        seen += f", {group.relation.value}"
    truth = _truth(matches)
    if truth is Truth.YES and least_s:
        ripe = max(reading.start for reading in readings.values()) + least_s
        if now < ripe:
            return Look(Truth.UNDECIDED, seen, ripe)
    figures = tuple(
        Measurement(f"{line} {figure.name}", round(figure.value, 6), figure.unit, figure.uncertainty, None, now)
        for line, reading in readings.items()
        for figure in reading.figures
    )
    return Look(truth, seen, again, figures)


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
    looks = []
    for signal in signals:
        if signal.assumed:
            what = ", ".join(signal.assumed)
            rig.assume(f"LED pattern {signal.means}", what, signal.source, "the document gives no figures for it")
        least_s = 0.0 if signal.lasts_s is not None else LIMITED_FACTOR * longest_limited(rig.gateway_type, signal)
        for form in signal.forms:
            wanted = [(line, _judge(pattern)) for line, pattern in form.shows.items() if line in rig.leds.lines]
            if not wanted:
                continue
            look = look_at_lines(rig, wanted, form.phase, least_s=least_s)
            if look.truth is Truth.YES:
                return Look(Truth.YES, f"{signal.means}: {look.seen}", look.again_at, look.measurements)
            looks.append(look)
    if not looks:
        return Look(Truth.NO, "this product has no LED pattern for it")
    again = min((look.again_at for look in looks if look.again_at is not None), default=None)
    undecided = [look for look in looks if look.truth is Truth.UNDECIDED]
    if undecided:
        return Look(Truth.UNDECIDED, undecided[0].seen, again)
    return Look(Truth.NO, looks[0].seen, again)


LIMITED_FACTOR = 1.5
"""A blink that goes on for ever is believed once it has lasted so many times as long as any limited one."""


def longest_limited(product: GatewayType, signal: Signal) -> float:
    """Seconds of the longest blink for a limited time (LED test, wake-up) that uses a LED which `signal` blinks."""
    blinking = {
        line for form in signal.forms for line, pattern in form.shows.items() if pattern.kind not in ("on", "off")
    }
    limited = [other.lasts_s for other in product.signals if other.lasts_s is not None and blinking & other.lines]
    return max(limited, default=0.0)


def _judge(spec: PatternSpec) -> Judge:
    pattern = pattern_of(spec)
    return lambda reading: matches(reading.pattern, pattern, doubt=reading.doubt)


class LedsStep(ExpectingStep):
    """Expect patterns of single LEDs, a documented meaning, or an alarm.

    Attributes:
        shows: vendor-neutral meaning, such as starting, ready, restricted, stopped; ``alarm`` is any alarm.
        pwr: pattern of the LED PWR; the other three likewise.
        phase: how the named LEDs stand to each other: together, alternating or either.
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
    phase: str | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> LedsStep:
        if (self.shows is None) == (not self._patterns):
            raise ValueError("say either 'shows: MEANING' or patterns of single LEDs, such as {PWR: on}")
        if self.phase is not None and (
            len(self._patterns) < 2 or self.phase not in ("together", "alternating", "either")
        ):
            raise ValueError("'phase' is together, alternating or either, of two or more LEDs")
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
        if self.shows is not None:
            return MeaningShown(self.shows)
        return LinesShow(self._patterns, self.phase)
