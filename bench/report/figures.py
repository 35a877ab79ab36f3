"""How instants, spans, sizes and dates are written in a report."""

from __future__ import annotations

from datetime import UTC, datetime

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
TICKS_S = (
    *(step * 1e-6 for step in _STEPS),
    *(step * 1e-3 for step in _STEPS),
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0),
    *(3600.0, 7200.0, 10800.0, 21600.0, 43200.0, 86400.0, 172800.0, 604800.0, 2592000.0),
)
"""Distances between ticks of a time axis that a reader can count with."""

_UNITS = (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))


def instant(t: float | None) -> str:
    """Bench seconds as ``h:mm:ss.mmm``, so that columns align: 1865.25 -> ``0:31:05.250``."""
    if t is None:
        return "–"
    milliseconds = round(abs(t) * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if t < 0 else ""
    return f"{sign}{hours}:{minutes:02d}:{seconds:02d}.{rest:03d}"


def axis_label(t: float, distance: float) -> str:
    """Bench seconds at a tick, as short as ticks `distance` apart allow."""
    if abs(t) < 1e-9:
        return "0 s"
    if distance < 1 and abs(t) < 60:
        return f"{t:.{3 if distance < 0.001 else 2 if distance < 0.1 else 1}f} s"
    if distance < 1:
        return instant(t)[:-2].removeprefix("0:")
    seconds = round(abs(t))
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        text = f"{hours}:{minutes:02d}" + (f":{rest:02d}" if rest or distance < 60 else " h")
    elif minutes:
        text = f"{minutes} min" if not rest and distance >= 60 else f"{minutes}:{rest:02d}"
    else:
        text = f"{rest} s"
    return f"-{text}" if t < 0 else text


def span(seconds: float | None) -> str:
    """A duration to three figures in the unit that fits it: ``250 ms``, ``36 h``, ``1 h 5 min``."""
    if seconds is None:
        return "–"
    size = abs(seconds)
    if size < 0.9995e-3:
        return f"{seconds * 1e6:.3g} µs" if size > 1e-9 else "0 s"
    if size < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    if size < 120:
        return f"{seconds:.3g} s"
    unit, length, small, scale = next(entry for entry in _UNITS if size >= 2 * entry[1] or entry[0] == "min")
    whole, rest = divmod(round(size / scale), length // scale)
    text = f"{whole} {unit}" + (f" {rest} {small}" if rest else "")
    return f"-{text}" if seconds < 0 else text


def octets(size: int) -> str:
    """The size of a file: ``912 B``, ``4.1 kB``, ``2.3 MB``."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"


def date(when: datetime | None) -> str:
    """A date and time in UTC, to the second."""
    if when is None:
        return "–"
    if when.tzinfo is None:
        return f"{when:%Y-%m-%d %H:%M:%S}"
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
