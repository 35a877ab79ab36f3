"""What flows through a meter: power over time, with its exact integral.

Time is in whole microseconds since the bench clock's zero, power in whole milliwatts (positive: drawn from the
grid, negative: fed into it), energy in whole nanojoules (1 mW for 1 µs). So every integral is an exact integer,
however long the run and however often it is asked for.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from devices.errors import Place, UsageError

US_PER_S = 1_000_000
DAY_US = 86_400 * US_PER_S
_CLOCK_TIME = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?")
_NUMBERS_BEGIN = frozenset("0123456789+-.")
MAX_MILLIWATT = 1_000_000_000
"""1 MW: far beyond a base meter (3 x 100 A), small enough that a slip of units is noticed."""


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy in nanojoules, by direction; both only grow.

    Attributes:
        drawn: from the grid (+A, 1.8.0).
        fed: into the grid (-A, 2.8.0).
    """

    drawn: int = 0
    fed: int = 0

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.drawn + other.drawn, self.fed + other.fed)

    def __sub__(self, other: Energy) -> Energy:
        return Energy(self.drawn - other.drawn, self.fed - other.fed)

    def __mul__(self, times: int) -> Energy:
        return Energy(self.drawn * times, self.fed * times)


class LoadProfile(Protocol):
    """Power over time."""

    def power(self, at_us: int) -> int:
        """Milliwatts at `at_us`."""

    def energy(self, at_us: int) -> Energy:
        """Integral from time 0 to `at_us`, never falling with time."""


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_us` on, `milliwatt` flow.

    Attributes:
        at_us: microseconds since the bench clock's zero, or since the begin of the period.
        milliwatt: power, negative when it is fed into the grid.
    """

    at_us: int
    milliwatt: int


class StepProfile:
    """Power that is constant between steps, once or again and again.

    Before its first step a profile that does not repeat carries nothing; a repeating one carries the last value.
    """

    def __init__(self, steps: Iterable[Step], *, period_us: int | None = None, phase_us: int = 0) -> None:
        """Raises UsageError when steps are missing, out of order, outside of the period or beyond MAX_MILLIWATT.

        Args:
            steps: in ascending order of time.
            period_us: after this the steps begin anew; None: the last one lasts.
            phase_us: how far into the period the bench clock's zero lies.
        """
        self.steps = _checked(tuple(steps), period_us)
        self._period = period_us
        self._phase = phase_us % period_us if period_us else 0
        if period_us and self.steps[0].at_us > 0:
            self.steps = (Step(0, self.steps[-1].milliwatt), *self.steps)
        self._times = [step.at_us for step in self.steps]
        self._totals = [Energy()]
        for before, after in pairwise(self.steps):
            self._totals.append(self._totals[-1] + _flow(before.milliwatt, after.at_us - before.at_us))
        self._zero = self._since_begin(self._phase)

    def power(self, at_us: int) -> int:
        """Milliwatts at `at_us`; a step holds from its own instant on."""
        at = at_us + self._phase
        if self._period:
            at %= self._period
        index = bisect_right(self._times, at) - 1
        return self.steps[index].milliwatt if index >= 0 else 0

    def energy(self, at_us: int) -> Energy:
        """Nanojoules from time 0 to `at_us`, exact."""
        return self._since_begin(at_us + self._phase) - self._zero

    def _since_begin(self, at: int) -> Energy:
        if not self._period:
            return self._within(at)
        periods, rest = divmod(at, self._period)
        return self._within(self._period) * periods + self._within(rest)

    def _within(self, at: int) -> Energy:
        index = bisect_right(self._times, at) - 1
        if index < 0:
            return Energy()
        return self._totals[index] + _flow(self.steps[index].milliwatt, at - self._times[index])


def constant(milliwatt: int) -> StepProfile:
    """The same power for ever."""
    return StepProfile([Step(0, milliwatt)])


def stepped(steps: Iterable[tuple[Decimal | int | str, Decimal | int | str]]) -> StepProfile:
    """Pairs of (seconds since the bench clock's zero, watts), each valid until the next."""
    return StepProfile(
        Step(_scaled(seconds, US_PER_S, "a time in seconds"), _scaled(watts, 1000, "a power in watts"))
        for seconds, watts in steps
    )


def day_curve(watts: Sequence[Decimal | int | str], start: datetime) -> StepProfile:
    """A day in equal parts (24 hours, 96 quarters of an hour ...), again every day.

    Args:
        watts: one mean power per part; the parts must divide a day into whole microseconds.
        start: the bench clock's ``start``; the day begins at midnight of its time zone (UTC for a bench clock).
    """
    if not watts or DAY_US % len(watts):
        raise UsageError(f"a day curve of {len(watts)} values does not divide a day evenly", hint="24 or 96 values")
    part = DAY_US // len(watts)
    steps = [Step(index * part, _scaled(value, 1000, "a power in watts")) for index, value in enumerate(watts)]
    return StepProfile(steps, period_us=DAY_US, phase_us=_since_midnight(start))


def read_csv(path: Path, start: datetime) -> StepProfile:
    """A profile from a table of time and watts, one step per row.

    Times are either seconds since the bench clock's zero, or times of day (``HH:MM`` or ``HH:MM:SS``), which make a
    curve that repeats every day. Columns are split by comma or, with decimal commas, by semicolon; one heading is
    let pass, as are empty rows and rows that begin with ``#``. Raises UsageError with file and line.

    Args:
        path: the file, UTF-8.
        start: as for :func:`day_curve`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"load profile cannot be read: {problem}", place=Place(path)) from problem
    semicolons = ";" in text
    rows: list[tuple[Place, list[str]]] = []
    for number, row in enumerate(csv.reader(text.splitlines(), delimiter=";" if semicolons else ","), start=1):
        cells = [cell.strip().replace(",", ".") if semicolons else cell.strip() for cell in row]
        if any(cells) and not cells[0].startswith("#"):
            rows.append((Place(path, number), cells))
    if rows and rows[0][1][0][:1] not in _NUMBERS_BEGIN:
        rows = rows[1:]
    if not rows:
        raise UsageError("load profile without a row", place=Place(path), hint="rows of time and watts")
    daily = ":" in rows[0][1][0]
    steps = [_row(place, cells, daily=daily) for place, cells in rows]
    try:
        if daily:
            return StepProfile(steps, period_us=DAY_US, phase_us=_since_midnight(start))
        return StepProfile(steps)
    except UsageError as problem:
        raise UsageError(problem.message, place=Place(path), hint=problem.hint) from problem


def _row(place: Place, cells: list[str], *, daily: bool) -> Step:
    try:
        when, watts = cells
        at_us = _time_of_day(when) if daily else _scaled(when, US_PER_S, "a time in seconds")
        return Step(at_us, _scaled(watts, 1000, "a power in watts"))
    except UsageError as problem:
        raise UsageError(problem.message, place=place, hint=problem.hint) from problem
    except ValueError as problem:
        raise UsageError(
            f"{', '.join(cells)!r} is no step of a load profile",
            place=place,
            hint="a time (seconds, or HH:MM in all rows) and watts",
        ) from problem


def _time_of_day(text: str) -> int:
    match = _CLOCK_TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no time of day", hint="HH:MM or HH:MM:SS in all rows")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds) // timedelta(microseconds=1)


def _checked(steps: tuple[Step, ...], period_us: int | None) -> tuple[Step, ...]:
    if not steps:
        raise UsageError("a load profile needs at least one step")
    for before, after in pairwise(steps):
        if after.at_us <= before.at_us:
            second, first = after.at_us / US_PER_S, before.at_us / US_PER_S
            raise UsageError(
                f"the step at {second:g} s does not follow the one at {first:g} s",
                hint="each step needs a later time than the one before",
            )
    if steps[0].at_us < 0:
        raise UsageError("a load profile cannot begin before 0 s")
    if period_us and steps[-1].at_us >= period_us:
        raise UsageError(f"the step at {steps[-1].at_us / US_PER_S:g} s lies outside of its day")
    for step in steps:
        if abs(step.milliwatt) > MAX_MILLIWATT:
            raise UsageError(
                f"{Decimal(step.milliwatt) / 1000} W is more than a meter carries",
                hint=f"at most {MAX_MILLIWATT // 1000} W either way",
            )
    return steps


def _flow(milliwatt: int, span_us: int) -> Energy:
    return Energy(milliwatt * span_us, 0) if milliwatt >= 0 else Energy(0, -milliwatt * span_us)


def _scaled(value: Decimal | int | str, factor: int, what: str) -> int:
    try:
        number = Decimal(value) * factor
        whole = number.to_integral_value()
    except (InvalidOperation, ValueError) as problem:
        raise UsageError(f"{value!r} is not {what}") from problem
    if not number.is_finite() or number != whole:
        raise UsageError(f"{value!r} is not {what}", hint=f"a number with at most {len(str(factor)) - 1} decimals")
    return int(whole)


def _since_midnight(start: datetime) -> int:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    return (start - midnight) // timedelta(microseconds=1)
