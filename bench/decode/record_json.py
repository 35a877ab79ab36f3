"""Records as JSON, quickly: what all records of one layout say alike is written once."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from devices.protocols.mbus.compact_profile import ProfileValue, read_profile
from devices.protocols.mbus.errors import RecordError
from devices.protocols.mbus.layouts import Layout
from devices.protocols.mbus.records import Contents, CutRecord, Record

FUNCTIONS: Final = {"instantaneous": "inst", "maximum": "max", "minimum": "min", "error": "error"}

_UNIT_KEYS: Final = {"°C": "c", "m3/h": "m3h", "MJ/h": "mjh", "kg/h": "kgh", "°": "deg"}
_MAX_KEPT: Final = 4096

to_json: Final = json.JSONEncoder(ensure_ascii=False).encode
"""A value as one line of JSON."""


def unit_key(unit: str) -> str:
    """A unit as programs write it: kwh, m3h, c."""
    return _UNIT_KEYS.get(unit) or unit.lower()


def time_text(value: date | time, octets: int) -> str:
    """A point in time in ISO 8601, as precise as it was sent: without seconds in four octets."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds" if octets == 6 else "minutes")
    return value.isoformat()


def records_json(contents: Contents) -> str:
    """All records of an application layer as a list; a record that is cut ends it."""
    rows = [_row(record, contents.records) for record in contents.records]
    if contents.cut is not None:
        rows.append(_cut_row(contents.cut))
    return f"[{', '.join(rows)}]"


def _row(record: Record, records: tuple[Record, ...]) -> str:
    layout = record.layout
    head, unit = _kept.get((layout.dib, layout.vib)) or _keep(layout)
    raw, value = record.raw.hex().upper(), record.value
    if value.__class__ is Decimal and layout.value.multiplier is None:
        return f'{head}{raw}", "value": {value:f}, "unit": {unit}}}'
    return f'{head}{raw}"{_lvar(record)}, {_rest(record, unit, records)}}}'


_kept: dict[tuple[bytes, bytes], tuple[str, str]] = {}


def _keep(layout: Layout) -> tuple[str, str]:
    """What all records of a layout say in front of the octets of their data, and their unit."""
    if len(_kept) >= _MAX_KEPT:
        _kept.clear()
    data, vib = layout.data, layout.value
    told: dict[str, Any] = {
        "dib": layout.dib.hex().upper(),
        "vib": layout.vib.hex().upper(),
        "func": FUNCTIONS[data.function],
        "storage": data.storage,
        "tariff": data.tariff,
        "subunit": data.subunit,
        "quantity": vib.meaning.quantity or None,
    }
    if vib.vifes:
        told["vife"] = [f"{vife:02X}" for vife in vib.vifes]
    if vib.modifiers:
        told["modifiers"] = list(vib.modifiers)
    head = f'{to_json(told)[:-1]}, "raw": "'
    unit = vib.text or unit_key(vib.unit)
    found = _kept[layout.dib, layout.vib] = (head, to_json(unit) if unit else "null")
    return found


def _lvar(record: Record) -> str:
    return "" if record.lvar is None else f', "lvar": "{record.lvar:02X}"'


def _rest(record: Record, unit: str, records: tuple[Record, ...]) -> str:
    """Value and unit, and what only some records have."""
    # An integer that stands for "no value" is a number nonetheless, and other decoders tell it: so do we, and mark it.
    value = record.stored if record.invalid else record.value
    if isinstance(value, str):
        return f'"value": null, "unit": null, "text": {to_json(value)}'
    if isinstance(value, date | time):
        return f'"value": "{time_text(value, len(record.raw))}", "unit": null'
    text = f'"value": {number_text(value)}, "unit": {unit}'
    if record.invalid:
        text += ', "invalid": true'
    multiplier = record.multiplier
    if multiplier is not None:
        text += f', "vife_multiplier": {multiplier:f}'
        if value is not None:
            text += f', "corrected_value": {value * multiplier:f}'
    if record.layout.value.profile is not None:
        text += _profile(record, records)
    return text


def number_text(value: Decimal | int | None) -> str:
    """A number digit for digit."""
    return "null" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _profile(record: Record, records: tuple[Record, ...]) -> str:
    try:
        values = read_profile(record, records)
    except RecordError as error:
        return f', "profile": null, "trouble": {to_json(str(error))}'
    return f', "profile": [{", ".join(map(_profile_value, values))}]'


def _profile_value(value: ProfileValue) -> str:
    moment = "null" if value.time is None else f'"{value.time.isoformat(" ", "seconds")}"'
    number = value.value if isinstance(value.value, Decimal | int) else None
    return f'{{"time": {moment}, "value": {number_text(number)}, "storage": {value.storage}}}'


def _cut_row(cut: CutRecord) -> str:
    told = {"dib": cut.dib.hex().upper(), "vib": cut.vib.hex().upper(), "raw": cut.raw.hex().upper()}
    unknown = dict.fromkeys(("func", "storage", "tariff", "subunit", "value", "unit"))
    return to_json(told | unknown | {"truncated": True})
