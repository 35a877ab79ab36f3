"""LED patterns as a product's document describes them, and what they mean."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from devices.gateway_types.parts import Documented, Name, Part
from devices.gateway_types.quantity import Seconds

Kind = Literal["off", "on", "blink", "heartbeat", "burst", "flash"]
Phase = Literal["together", "alternating", "either"]

_FIELDS: dict[str, tuple[str, ...]] = {
    "off": (),
    "on": (),
    "blink": ("on", "off"),
    "heartbeat": ("count", "on", "gap", "period"),
    "burst": ("count", "on", "gap", "period"),
    "flash": ("min", "max"),
}


class PatternSpec(Part):
    """What one LED shows.

    In files ``on``, ``off``, or one key with its figures: ``{blink: {on: 250 ms, off: 250 ms}}``,
    ``{heartbeat: {...}}`` (a burst of two), ``{burst: {count: 3, on: 100 ms, gap: 100 ms, period: 2 s}}``,
    ``{flash: {max: 250 ms}}``.

    Attributes:
        kind: dark; lit; blinking; two short flashes and a pause; a number of flashes and a pause; one flash.
        on_s: how long it is lit each time, seconds.
        off_s: dark time of a blink, seconds.
        count: flashes in a burst.
        gap_s: dark time between flashes of a burst, seconds.
        period_s: from the first flash of a burst to the first of the next, seconds.
        min_s: shortest flash, seconds.
        max_s: longest flash, seconds.
    """

    kind: Kind
    on_s: Annotated[Seconds | None, Field(alias="on")] = None
    off_s: Annotated[Seconds | None, Field(alias="off")] = None
    count: int | None = None
    gap_s: Annotated[Seconds | None, Field(alias="gap")] = None
    period_s: Annotated[Seconds | None, Field(alias="period")] = None
    min_s: Annotated[Seconds | None, Field(alias="min")] = None
    max_s: Annotated[Seconds | None, Field(alias="max")] = None

    @model_validator(mode="before")
    @classmethod
    def _written(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {data: {}}
        if not isinstance(data, dict) or "kind" in data:
            return data
        kind, figures = next(iter(data.items()), ("", None))
        if len(data) != 1 or kind not in _FIELDS or not isinstance(figures, dict):
            raise ValueError(f"a pattern is one of {', '.join(_FIELDS)}, written like {{blink: {{on: 1 s, off: 1 s}}}}")
        unknown = sorted(set(figures) - set(_FIELDS[kind]))
        if unknown:
            raise ValueError(f"{kind} has no {unknown[0]!r}: it has {', '.join(_FIELDS[kind]) or 'no figures'}")
        return {"kind": kind, **({"count": 2} if kind == "heartbeat" else {}), **figures}

    @model_validator(mode="after")
    def _complete(self) -> PatternSpec:
        needed = {"blink": ("on_s", "off_s"), "heartbeat": ("on_s", "gap_s", "period_s", "count")}
        needed["burst"] = needed["heartbeat"]
        missing = [name for name in needed.get(self.kind, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.kind} lacks {missing[0].removesuffix('_s')!r}")
        if self.kind in ("heartbeat", "burst") and self.lit_s >= (self.period_s or 0.0):
            raise ValueError(f"the flashes of the {self.kind} do not fit into its period")
        if any(value is not None and value <= 0 for value in (self.on_s, self.off_s, self.gap_s, self.count)):
            raise ValueError("times and counts of a pattern are more than zero")
        return self

    @property
    def lit_s(self) -> float:
        """From the first lighting up to the last going out of one burst, seconds; 0 for patterns without bursts."""
        count = self.count or 0
        return count * (self.on_s or 0.0) + max(0, count - 1) * (self.gap_s or 0.0)

    def __str__(self) -> str:
        figures = {
            "on": self.on_s,
            "off": self.off_s,
            "gap": self.gap_s,
            "period": self.period_s,
            "min": self.min_s,
            "max": self.max_s,
        }
        told = [] if self.count is None else [f"{self.count} x"]
        told += [f"{name} {value:g} s" for name, value in figures.items() if value is not None]
        return f"{self.kind} ({', '.join(told)})" if told else self.kind


class Variant(Part):
    """One of several patterns with the same meaning.

    Attributes:
        name: by which causes and tests choose it.
        shows: LED -> pattern.
        phase: how the moving LEDs stand to each other.
    """

    name: Name
    shows: dict[str, PatternSpec]
    phase: Phase | None = None


FIGURES = frozenset({"period", "duty", "on", "gap", "max", "others", "lasts"})
"""What may be assumed of a pattern: its figures, and what LEDs do that the document does not name (others)."""


class Signal(Documented):
    """What LEDs show, and what it means.

    `assumed` holds the figures of the patterns that no document states; whoever judges a real device must not judge by
    them.

    Attributes:
        means: neutral meaning.
        shows: LED -> pattern; LEDs that are not named may show anything.
        phase: how the moving LEDs stand to each other; None: nothing is said.
        variants: the forms, where there are several; `shows` is empty then.
        alarm: something is wrong with the device.
        lasts_s: how long it is shown, seconds; None: as long as its reason lasts.
        unlike: meanings that are shown instead when more LEDs do the same; where one of them fits, this does not.
        optional: the device shows it only if it was set up so.
        confidence: stated in the document; our reading of its wording; inferred.
    """

    assumable = FIGURES

    means: Name
    shows: dict[str, PatternSpec] = Field(default_factory=dict)
    phase: Phase | None = None
    variants: tuple[Variant, ...] = ()
    alarm: bool = False
    lasts_s: Annotated[Seconds | None, Field(alias="lasts")] = None
    unlike: tuple[Name, ...] = ()
    optional: bool = False
    confidence: Literal["stated", "reading", "inferred"] = "stated"

    @model_validator(mode="after")
    def _one_form(self) -> Signal:
        if bool(self.shows) == bool(self.variants):
            raise ValueError("a signal has either 'shows' or 'variants'")
        return self

    @cached_property
    def forms(self) -> tuple[Variant, ...]:
        """All its forms; a signal with one form has the variant ``only``."""
        return self.variants or (Variant(name="only", shows=self.shows, phase=self.phase),)

    @cached_property
    def lines(self) -> frozenset[str]:
        """LEDs that any of its forms names."""
        return frozenset(line for form in self.forms for line in form.shows)


class Line(Documented):
    """One LED.

    Attributes:
        colour: as the document says it, in English.
        tells: what it stands for, in our own words.
    """

    colour: str
    tells: str


class ModemCode(Documented):
    """What the LEDs of a built-in modem show, and what it means.

    Attributes:
        means: neutral name.
        text_en: meaning, in our own words.
        shows: LED -> pattern.
        colour: of the LED that changes its colour.
        mode: where the modem has two ways to show the signal strength.
        networks: in which it is shown, empty: in all.
        types: type keys of the devices that show it, empty: all.
        leading: LED colour and number of flashes shown in front of the code, such as ``blue 3``.
        percent: signal strength, 0..100.
        dbm: signal strength.
        priority: of two faults the one with the lower number is shown.
        alarm: something is wrong.
    """

    assumable = FIGURES

    means: Name
    text_en: str
    shows: dict[str, PatternSpec] = Field(default_factory=dict)
    colour: str | None = None
    mode: Literal["extended", "simplified"] | None = None
    networks: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    leading: str | None = None
    percent: int | None = None
    dbm: str | None = None
    priority: int | None = None
    alarm: bool = False


class Modem(Documented):
    """A WAN variant of a product and the LEDs that it has in addition.

    Attributes:
        name: as the document calls it.
        leds: LED -> what it is.
        grades: colours of the signal strength, best first.
        codes: everything that the LEDs show.
    """

    name: str
    leds: dict[str, Line]
    grades: tuple[str, ...] = ()
    codes: tuple[ModemCode, ...] = ()


class Leds(Part):
    """The LEDs of a product.

    Attributes:
        lines: name -> LED, the four status LEDs first; the LEDs of a socket are called ``HAN.link``, ``HAN.traffic``.
        signals: what they show.
    """

    lines: dict[str, Line]
    signals: tuple[Signal, ...]
