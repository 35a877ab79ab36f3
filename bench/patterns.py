"""LED patterns as people write them in scenarios and as gateway types hold them, and whether what is seen fits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bench.quantity import parse_duration, text_of
from devices.gateway_types.model import PatternSpec
from devices.leds.pattern import Blink, Burst, Flash, Match, Off, On, Pattern, matches
from devices.leds.reading import Reading

WORDS: dict[str, Pattern] = {"on": On(), "off": Off(), "heartbeat": Burst(2), "blinking": Blink(None, None)}


@dataclass(frozen=True)
class WrittenPattern:
    """What a scenario asks of one LED.

    Attributes:
        text: as written.
        pattern: what must be seen; None in it means that any value will do.
    """

    text: str
    pattern: Pattern

    def __str__(self) -> str:
        return self.text

    def fits(self, reading: Reading) -> Match:
        """Whether what is seen is what is asked."""
        return matches(reading.pattern, self.pattern, doubt=reading.doubt)


def parse_written(value: Any) -> WrittenPattern:
    """Read ``on``, ``off``, ``heartbeat``, ``blinking``, ``blinking 500 ms`` (period) or ``{on: T, off: T}``."""
    if isinstance(value, WrittenPattern):
        return value
    if isinstance(value, dict) and set(value) == {"on", "off"}:
        on_s, off_s = (parse_duration(value[name]).total_seconds() for name in ("on", "off"))
        if on_s <= 0 or off_s <= 0:
            raise ValueError("a LED that blinks is on for some time and off for some time")
        text = f"blinking, {text_of(on_s)} on and {text_of(off_s)} off"
        return WrittenPattern(text, Blink(on_s + off_s, on_s / (on_s + off_s)))
    text = str(value)
    if text in WORDS:
        return WrittenPattern(text, WORDS[text])
    if text.startswith("blinking "):
        period = parse_duration(text.removeprefix("blinking ")).total_seconds()
        return WrittenPattern(f"blinking with a period of {text_of(period)}", Blink(period, 0.5))
    raise ValueError(f"{value!r} is no LED pattern: write {', '.join(WORDS)}, 'blinking 500 ms' or {{on: T, off: T}}")


def pattern_of(spec: PatternSpec, assumed: Collection[str] = ()) -> Pattern:
    """The pattern that a gateway type describes; figures that are `assumed` may be anything."""

    def known(name: str, value: float | None) -> float | None:
        return None if name in assumed else value

    match spec.kind:
        case "off":
            return Off()
        case "on":
            return On()
        case "blink":
            on_s, off_s = spec.on_s or 0.0, spec.off_s or 0.0
            return Blink(known("period", on_s + off_s), known("duty", on_s / (on_s + off_s)))
        case "burst" | "heartbeat":
            return Burst(spec.count, known("on", spec.on_s), known("gap", spec.gap_s), known("period", spec.period_s))
        case "flash":
            return Flash(None, spec.min_s, known("max", spec.max_s))
