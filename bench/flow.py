"""The energy that flows by a load as scenarios give it, worked out anew.

Emulated meters have their own integral of the same loads (``devices.meters.load_profile``). This one shares no code
with it, so that an error in either shows up where stored values are judged. All figures are exact fractions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from bench.quantity import POWER, TIME, Kind, parse
from devices.errors import UsageError

_DAY = Fraction(86_400)
_HOUR = 3600
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Load:
    """Power over time.

    Attributes:
        pieces: (from this second on, watts), in order; negative watts are fed into the grid. Seconds count from the
            bench's start, for a daily load from midnight UTC.
        daily: whether it begins anew every day.
    """

    pieces: tuple[tuple[Fraction, Fraction], ...]
    daily: bool = False


def read_load(given: Any, kind: Kind = POWER) -> Load:
    """A load as it stands under ``given.meters``: a power, pairs of time and power, or ``{day: [powers]}``.

    `kind` says what stands in the place of the power, such as a flow.

    Raises UsageError for what cannot be worked out here: a table in a file, or what is no load.
    """
    if given is None:
        return Load(())
    if isinstance(given, str) and given.lower().endswith(".csv"):
        raise UsageError(
            f"the energy of the load {given!r} is not worked out by the bench",
            hint="'agree_with: load' takes a power, pairs of time and power, or {day: [powers]}",
        )
    try:
        if isinstance(given, str):
            return Load(((Fraction(0), _rate(given, kind)),))
        if isinstance(given, Mapping):
            powers = given["day"]
            part = _DAY / len(powers)
            return Load(tuple((part * number, _rate(power, kind)) for number, power in enumerate(powers)), daily=True)
        return Load(tuple((_seconds(when), _rate(power, kind)) for when, power in given))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{given!r} is no load: {error}") from error


def _rate(value: Any, kind: Kind) -> Fraction:
    return Fraction(parse(value, kind)) if isinstance(value, str) else Fraction(Decimal(str(value)))


def _seconds(value: Any) -> Fraction:
    return Fraction(parse(value, TIME)) if isinstance(value, str) else Fraction(Decimal(str(value)))


def energy(load: Load, start: datetime, end: datetime) -> tuple[Fraction, Fraction]:
    """Watt-hours drawn from the grid and fed into it from `start`, the bench's, to `end`."""
    if not load.daily:
        return _between(load.pieces, Fraction(0), _since(start, end))
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days, rest = divmod(_since(midnight, end), _DAY)
    sums = [Fraction(0), Fraction(0)]
    spans = ((days, Fraction(0), _DAY), (1, Fraction(0), rest), (-1, Fraction(0), _since(midnight, start)))
    for times, begin, until in spans:
        for direction, amount in enumerate(_between(load.pieces, begin, until)):
            sums[direction] += times * amount
    return sums[0], sums[1]


def _since(begin: datetime, end: datetime) -> Fraction:
    return Fraction((end - begin) // _MICROSECOND, 10**6)


def _between(pieces: Sequence[tuple[Fraction, Fraction]], begin: Fraction, end: Fraction) -> tuple[Fraction, Fraction]:
    """Watt-hours drawn and fed from `begin` to `end`, both on the scale of the pieces."""
    drawn = fed = Fraction(0)
    for number, (since, watts) in enumerate(pieces):
        until = pieces[number + 1][0] if number + 1 < len(pieces) else end
        span = min(until, end) - max(since, begin)
        if span > 0 and watts >= 0:
            drawn += watts * span / _HOUR
        elif span > 0:
            fed -= watts * span / _HOUR
    return drawn, fed
