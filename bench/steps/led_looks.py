"""Looks at the LEDs: patterns of single LEDs, a documented meaning in any of its forms, an alarm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from bench.expect import Lapse, Look, Measurement, Truth
from bench.patterns import WrittenPattern, pattern_of
from bench.steps.led_evidence import Judge, lapses, may_be_steady, may_repeat, short_of
from devices.leds.groups import Relation
from devices.leds.pattern import Match, Off, On, Undecided, matches
from devices.leds.reading import Reading

if TYPE_CHECKING:
    from bench.rig import Rig
    from devices.gateway_types.model import GatewayType, PatternSpec, Signal


LED_EVENTS = frozenset({"led", "power", "note"})
"""Sources of the events that can change what LEDs are said to show."""
LIMITED_FACTOR = 1.5
"""A blink that goes on for ever is believed once it has lasted so many times as long as any limited one."""


@dataclass(frozen=True)
class LinesShow:
    """Each of some LEDs shows a pattern, and they keep a phase to each other."""

    patterns: tuple[tuple[str, WrittenPattern], ...]
    phase: str | None = None
    settle_s: float = 12.0
    depends_on: ClassVar[frozenset[str]] = LED_EVENTS

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
    blind = not_sensed(rig, wanted)
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


def not_sensed(rig: Rig, wanted: Sequence[tuple[str, Judge]]) -> str:
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


def rounded(uncertainty: float) -> float:
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
    depends_on: ClassVar[frozenset[str]] = LED_EVENTS

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
    depends_on: ClassVar[frozenset[str]] = LED_EVENTS

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
