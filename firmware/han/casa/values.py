"""Value lists as JSON: the current registers and the lists of months and billing periods (han 4.2).

Both come in two forms. The old one has plain values and times in Unix seconds, the one called ``extended`` times in
local time with offset, and with each value scaler, unit and signature. How lists look in the extended form, and that
the old one has no scaler, is assumed from the names that the sheet gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from firmware.han.casa.formats import NO_UNIT, hex_code, stamp, stamp_us, word
from firmware.metering.derived import DerivedEntry
from firmware.metering.signed_octets import logical_name
from firmware.metering.values import Entry, Reading

UNSIGNED: Final = "-"
"""Stands for a signature that there is not, as in what users have published."""
_US: Final = 1_000_000


def is_number(entry: Entry) -> bool:
    """Whether a register has a number; only such are in lists."""
    return isinstance(entry.value, int) and not isinstance(entry.value, bool)


def value(number: int | str, scaler: int | None, unit: int | None, signature: bytes | None) -> dict[str, Any]:
    """A value: scaler and unit are numbers, the value is a string (han 4.2)."""
    return {
        "scaler": scaler or 0,
        "signature": signature.hex() if signature else UNSIGNED,
        "unit": NO_UNIT if unit is None else unit,
        "value": str(number),
    }


def current(reading: Reading | None) -> dict[str, Any]:
    """The current registers of a meter in the old form."""
    if reading is None:
        return {"timestamp_act": None, "timestamp_nom": None, "status": None}
    return old_reading(reading)


def current_extended(readings: Iterable[Reading]) -> dict[str, Any]:
    """The current registers of one meter, or of those of a contract."""
    found = list(readings)
    newest = max(found, key=lambda one: one.capture_us or 0, default=None)
    return {
        "capture_time": None if newest is None else stamp_us(newest.capture_us),
        "status": None if newest is None else word(newest.status),
        "timestamp": None if newest is None else stamp(newest.grid_s),
        "values": [
            {"logical_name": logical_name(entry.obis, one.meter)}
            | value(entry.value, entry.scaler, entry.unit, entry.signature)  # type: ignore[arg-type]
            for one in found
            for entry in one.entries
            if is_number(entry)
        ],
    }


def old_reading(one: Reading) -> dict[str, Any]:
    """A line of an original list in the old form."""
    captured_s = one.grid_s if one.capture_us is None else one.capture_us // _US
    head = {"timestamp_act": captured_s, "timestamp_nom": one.grid_s, "status": word(one.status)}
    return head | {hex_code(entry.obis): str(entry.value) for entry in one.entries if is_number(entry)}


def extended_reading(one: Reading) -> dict[str, Any]:
    """A line of an original list."""
    head = {"timestamp_act": stamp_us(one.capture_us), "timestamp_nom": stamp(one.grid_s), "status": word(one.status)}
    return head | {
        logical_name(entry.obis, one.meter): value(entry.value, entry.scaler, entry.unit, entry.signature)  # type: ignore[arg-type]
        for entry in one.entries
        if is_number(entry)
    }


def derived_lines(entries: Iterable[DerivedEntry], *, extended: bool) -> Iterator[dict[str, Any]]:
    """The lines of a derived list: one for each instant and status, a key for each register; none without a value."""
    line: dict[str, Any] | None = None
    last: tuple[int, str] | None = None
    for one in entries:
        what = one.derived
        if what.amount is None:
            continue
        name = one.name if extended else hex_code(what.register)
        if line is None or last != (what.at_s, str(what.status)) or name in line:
            if line is not None:
                yield line
            last = (what.at_s, str(what.status))
            line = _head(one, extended=extended)
        number, scaler = what.amount.value, what.amount.scaler
        line[name] = value(number, scaler, what.unit, one.signature) if extended else str(number)
    if line is not None:
        yield line


def _head(one: DerivedEntry, *, extended: bool) -> dict[str, Any]:
    at_s = one.derived.at_s
    captured_us = at_s * _US if one.capture_us is None else one.capture_us
    times: tuple[Any, Any] = (stamp_us(captured_us), stamp(at_s)) if extended else (captured_us // _US, at_s)
    return {"timestamp_act": times[0], "timestamp_nom": times[1], "status": word(str(one.derived.status))}
