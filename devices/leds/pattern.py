"""What one LED can show, as values, and whether what was seen is what was wanted.

The same classes serve for what the analyser saw (every number given) and for what a product's manual wants, where
``None`` stands for "the manual does not say, any value will do".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "any time"
    return f"{seconds * 1e3:.0f} ms" if seconds < 1.0 else f"{seconds:.3g} s"


@dataclass(frozen=True, slots=True)
class Off:
    """Dark all the time."""

    def __str__(self) -> str:
        return "off"


@dataclass(frozen=True, slots=True)
class On:
    """Lit all the time."""

    def __str__(self) -> str:
        return "on"


@dataclass(frozen=True, slots=True)
class Blink:
    """On and off for ever in equal periods.

    Attributes:
        period_s: from one lighting up to the next, seconds; None: any. "Pulse width 250 ms" is a period of 0.5 s.
        duty: share of the period that it is lit, 0..1; None: any.
    """

    period_s: float | None = None
    duty: float | None = 0.5

    def __str__(self) -> str:
        if self.period_s is None and self.duty is None:
            return "blinking"
        duty = "any duty" if self.duty is None else f"{self.duty * 100:.0f} %"
        return f"blinking {_span(self.period_s)}, {duty}" if self.period_s is not None else f"blinking, {duty}"


@dataclass(frozen=True, slots=True)
class Burst:
    """A number of short flashes, a longer pause, and again; the heartbeat is the burst of two.

    Attributes:
        count: flashes in a burst; None: any. A burst of one is the same as a blink of that period.
        on_s: how long each flash lasts, seconds.
        gap_s: dark time between flashes of a burst, seconds.
        period_s: from the first flash of a burst to the first of the next, seconds.
    """

    count: int | None
    on_s: float | None = None
    gap_s: float | None = None
    period_s: float | None = None

    def __str__(self) -> str:
        count = "flashes" if self.count is None else "1 flash" if self.count == 1 else f"{self.count} flashes"
        detail = ""
        if self.on_s is not None and self.gap_s is not None and self.count != 1:
            detail = f" ({_span(self.on_s)} on, {_span(self.gap_s)} off)"
        elif self.on_s is not None:
            detail = f" of {_span(self.on_s)}"
        return f"{count}{detail}" + (f" every {_span(self.period_s)}" if self.period_s is not None else ", pause")


@dataclass(frozen=True, slots=True)
class Pulsed:
    """A blink that lasts a limited time, with a steady LED before and after.

    Attributes:
        blink: what it does in that time.
        duration_s: from the first edge to the last, seconds; None: any. A dark end of the last period is not in it.
    """

    blink: Blink | Burst
    duration_s: float | None = None

    def __str__(self) -> str:
        return f"{self.blink} for {_span(self.duration_s)}" if self.duration_s is not None else f"{self.blink}, limited"


@dataclass(frozen=True, slots=True)
class Flash:
    """A single lighting up out of the dark.

    Attributes:
        on_s: how long, seconds; None: any, or what the two limits allow.
        shortest_s: as a wish: it must last at least this long.
        longest_s: as a wish: it must not last longer ("at most 250 ms").
    """

    on_s: float | None = None
    shortest_s: float | None = None
    longest_s: float | None = None

    def __str__(self) -> str:
        text = "one flash" if self.on_s is None else f"one flash of {_span(self.on_s)}"
        if self.shortest_s is not None:
            text += f", at least {_span(self.shortest_s)}"
        if self.longest_s is not None:
            text += f", at most {_span(self.longest_s)}"
        return text


@dataclass(frozen=True, slots=True)
class Undecided:
    """Not enough is known to name a pattern.

    Attributes:
        why: what is missing or in the way, for people.
        moving: the LED certainly changes all the time, so it is neither off nor on.
    """

    why: str
    moving: bool = False

    def __str__(self) -> str:
        return f"undecided: {self.why}"


Pattern = Off | On | Blink | Burst | Pulsed | Flash | Undecided


class Match(Enum):
    """Whether what was seen is what was wanted."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"

    def __and__(self, other: Match) -> Match:
        if Match.NO in (self, other):
            return Match.NO
        return Match.UNDECIDED if Match.UNDECIDED in (self, other) else Match.YES


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a seen figure may be from the wanted one. The manuals state none: assumed.

    A time may differ by ``relative * wanted + absolute_s``.

    Attributes:
        relative: share of the wanted time.
        absolute_s: seconds on top, for the edges' jitter.
        duty: absolute difference of the duty.
        duration_periods: a limited blink may end this many of its periods early or late, since its last dark part
            cannot be seen.
    """

    relative: float = 0.15
    absolute_s: float = 0.012
    duty: float = 0.08
    duration_periods: float = 1.0


DEFAULT_TOLERANCE = Tolerance()


@dataclass(frozen=True, slots=True)
class Doubt:
    """How uncertain seen figures are, one standard deviation each; zero: taken as exact."""

    period_s: float = 0.0
    on_s: float = 0.0
    gap_s: float = 0.0
    duty: float = 0.0
    duration_s: float = 0.0


_EXACT = Doubt()


def _near(seen: float | None, wanted: float | None, allowed: float, doubt: float) -> Match:
    """YES within `allowed`, NO when even two standard deviations of doubt do not reach it."""
    if wanted is None:
        return Match.YES
    if seen is None:
        return Match.UNDECIDED
    distance = abs(seen - wanted)
    if distance <= allowed:
        return Match.YES
    return Match.UNDECIDED if distance - 2 * doubt <= allowed else Match.NO


def _time(seen: float | None, wanted: float | None, tolerance: Tolerance, doubt: float) -> Match:
    allowed = 0.0 if wanted is None else tolerance.relative * wanted + tolerance.absolute_s
    return _near(seen, wanted, allowed, doubt)


def _as_burst(pattern: Blink | Burst) -> Burst:
    """A blink is a burst of one."""
    if isinstance(pattern, Burst):
        return pattern
    on = None if pattern.period_s is None or pattern.duty is None else pattern.period_s * pattern.duty
    return Burst(1, on, None, pattern.period_s)


def _repeating(seen: Blink | Burst, wanted: Blink | Burst, tolerance: Tolerance, doubt: Doubt) -> Match:
    if isinstance(wanted, Blink):
        if isinstance(seen, Burst):
            if seen.count != 1:
                return Match.NO
            duty = None if seen.on_s is None or seen.period_s is None else seen.on_s / seen.period_s
            seen = Blink(seen.period_s, duty)
        return _time(seen.period_s, wanted.period_s, tolerance, doubt.period_s) & _near(
            seen.duty, wanted.duty, tolerance.duty, doubt.duty
        )
    burst = _as_burst(seen)
    if wanted.count is not None and burst.count != wanted.count:
        return Match.NO
    match = _time(burst.period_s, wanted.period_s, tolerance, doubt.period_s)
    match &= _time(burst.on_s, wanted.on_s, tolerance, doubt.on_s)
    return match if burst.count == 1 else match & _time(burst.gap_s, wanted.gap_s, tolerance, doubt.gap_s)


def _pulsed(seen: Pulsed, wanted: Pulsed, tolerance: Tolerance, doubt: Doubt) -> Match:
    match = _repeating(seen.blink, wanted.blink, tolerance, doubt)
    if wanted.duration_s is None:
        return match
    allowed = tolerance.duration_periods * (seen.blink.period_s or 0.0) + tolerance.relative * wanted.duration_s
    return match & _near(seen.duration_s, wanted.duration_s, allowed, doubt.duration_s)


def _flash(seen: Flash, wanted: Flash, tolerance: Tolerance, doubt: Doubt) -> Match:
    match = _time(seen.on_s, wanted.on_s, tolerance, doubt.on_s)
    for limit, sign in ((wanted.shortest_s, 1), (wanted.longest_s, -1)):
        if limit is not None:
            short = None if seen.on_s is None else max(0.0, sign * (limit - seen.on_s))
            match &= _near(short, 0.0, tolerance.absolute_s, doubt.on_s)
    return match


def matches(seen: Pattern, wanted: Pattern, tolerance: Tolerance = DEFAULT_TOLERANCE, doubt: Doubt = _EXACT) -> Match:
    """Whether `seen` is `wanted`.

    A blink that still goes on may yet turn out to be limited: against a wanted `Pulsed` it is undecided. What is
    wanted is never `Undecided` (ValueError).

    Args:
        seen: what the analyser says.
        wanted: what the manual says; None in it matches everything.
        tolerance: how far figures may be apart.
        doubt: how uncertain the seen figures are; within two standard deviations of a limit it is undecided.
    """
    if isinstance(wanted, Undecided):
        raise ValueError("'undecided' cannot be wanted")
    if isinstance(seen, Undecided):
        return Match.NO if seen.moving and isinstance(wanted, Off | On) else Match.UNDECIDED
    if isinstance(seen, Blink | Burst):
        if isinstance(wanted, Blink | Burst):
            return _repeating(seen, wanted, tolerance, doubt)
        if isinstance(wanted, Pulsed):
            return Match.UNDECIDED & _repeating(seen, wanted.blink, tolerance, doubt)
        return Match.NO
    if isinstance(seen, Pulsed) and isinstance(wanted, Pulsed):
        return _pulsed(seen, wanted, tolerance, doubt)
    if isinstance(seen, Flash) and isinstance(wanted, Flash):
        return _flash(seen, wanted, tolerance, doubt)
    return Match.YES if seen == wanted else Match.NO
