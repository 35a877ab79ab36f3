"""The method ``readings``: values of a usage point, current ones or those of at most 31 days (han 3.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from firmware.han.conexa.body import Parameters, bad
from firmware.han.conexa.information import named_point, shown_obis
from firmware.han.conexa.points import DATABASES, FOR_EVER, ORIGIN, Channel, Point, derived_values, last_derived
from firmware.han.conexa.scaling import Scaling, Shown
from firmware.han.conexa.times import written
from firmware.han.desk import HanDesk
from firmware.han.view import ConsumerView
from firmware.metering.derived import DerivedEntry
from firmware.metering.signed_octets import logical_name
from firmware.metering.tariffs.entries import Derived
from firmware.metering.values import Entry, Reading

MOST_S: Final = 31 * 86_400
_BACK: Final = 96
"""Periods before the end of a contract among which its last value is looked for."""
_PIECE_S: Final = 2 * 86_400
"""Span of readings that is worked on at a time."""
Values = dict[Channel, list[dict[str, Any]]]


async def readings(desk: HanDesk, scaling: Scaling, view: ConsumerView, parameters: Parameters) -> dict[str, Any]:
    """The values after ``fromtime`` up to and with ``totime``, or the last one of each channel."""
    point = named_point(desk, view, parameters)
    database = parameters.choice("database", *DATABASES) or ORIGIN
    if database not in point.databases:
        raise bad(f"this usage point has no database {database}")
    wanted = _channels(point.channels(database), parameters.channels())
    if parameters.flag("last-reading"):
        found = _last(desk, scaling, view, point, wanted)
    else:
        begin_s, end_s = _span(desk, parameters)
        begin_s, end_s = point.within(begin_s + 1, end_s)
        found = {one: [] for one in wanted}
        if point.stored and begin_s <= end_s:
            await _between(scaling, view, wanted, begin_s, end_s, found)
    channels = [{"obis": shown_obis(desk, one), "readings": found[one]} for one in wanted]
    return {"readings": {"channels": channels, "records": str(sum(len(one) for one in found.values()))}}


def _channels(there: tuple[Channel, ...], named: tuple[str, ...] | None) -> tuple[Channel, ...]:
    """Those that are named; a channel that the usage point does not have gives nothing."""
    if named is None:
        return there
    return tuple(one for one in there if any(one.is_named(text) for text in named))


def _span(desk: HanDesk, parameters: Parameters) -> tuple[int, int]:
    """Both bounds; a missing end is now, a missing begin 31 days before the end (assumed)."""
    begin_s, end_s = parameters.instant("fromtime"), parameters.instant("totime")
    if begin_s is None and end_s is None:
        raise bad("there is neither last-reading nor fromtime nor totime")
    if end_s is None:
        end_s = max(int(desk.now_s()), begin_s or 0)
    if begin_s is None:
        begin_s = end_s - MOST_S
    if end_s < begin_s:
        raise bad("totime is before fromtime")
    if end_s - begin_s > MOST_S:
        raise bad("more than 31 days")
    return begin_s, end_s


# --- original and derived values


async def _between(
    scaling: Scaling, view: ConsumerView, wanted: tuple[Channel, ...], begin_s: int, end_s: int, found: Values
) -> None:
    """Add what there is, both bounds included; others are served between two pieces."""
    for meter in dict.fromkeys(one.meter for one in wanted if not one.contract):
        of_meter = {one.obis: one for one in wanted if one.meter == meter}
        for since_s in range(begin_s, end_s + 1, _PIECE_S):
            for reading in view.originals(meter, since_s, min(end_s, since_s + _PIECE_S - 1)):
                _sort(scaling, reading, of_meter, found)
            await asyncio.sleep(0)
    for channel in (one for one in wanted if one.contract):
        found[channel] = [_worked_out(scaling, channel, one) for one in derived_values(view, channel, begin_s, end_s)]
        await asyncio.sleep(0)


def _sort(scaling: Scaling, reading: Reading, channels: dict[str, Channel], found: Values) -> None:
    """Gaps have no values, and registers that hold no number are nothing that the interface has a form for."""
    for entry in reading.entries:
        channel, value = channels.get(entry.obis), entry.value
        if channel is not None and isinstance(value, int) and not isinstance(value, bool):
            found[channel].append(_original(scaling, channel, reading, entry, value))


def _original(scaling: Scaling, channel: Channel, reading: Reading, entry: Entry, value: int) -> dict[str, Any]:
    captured_us = reading.capture_us
    shown = scaling.shown(
        logical_name(channel.obis, channel.meter),
        reading.status,
        captured_us,
        value,
        entry.scaler or 0,
        entry.unit,
        entry.signature,
    )
    captured = written(reading.grid_s if captured_us is None else captured_us // 1_000_000)
    return _reading(captured, reading.status, channel.owner, shown, reading.grid_s)


def _worked_out(scaling: Scaling, channel: Channel, one: DerivedEntry) -> dict[str, Any]:
    what, amount = one.derived, one.derived.amount
    assert amount is not None
    captured_s = what.at_s if one.capture_us is None else one.capture_us // 1_000_000
    shown = scaling.shown(
        one.name, str(what.status), one.capture_us, amount.value, amount.scaler, what.unit, one.signature
    )
    return _reading(written(captured_s), str(what.status), channel.owner, shown, what.at_s)


def _reading(captured: str, status: str, owner: str, shown: Shown, target_s: int) -> dict[str, Any]:
    """The status words stay as they are stored, least significant bit first."""
    word = status.lower()
    return {
        "capture-time": captured,
        "cosem-status": word,
        "meter-status": word[8:],
        "owner-number": f"{owner}.sm",
        "signature": shown.signature.hex() if shown.signature else None,
        "smgw-status": word[:8],
        "target-time": written(target_s),
        "value": str(shown.value),
    }


# --- current values


def _last(desk: HanDesk, scaling: Scaling, view: ConsumerView, point: Point, wanted: tuple[Channel, ...]) -> Values:
    found: Values = {one: [] for one in wanted}
    present = {} if point.stored else desk.present(point.contract.id)
    for channel in wanted:
        if channel.contract:
            value = last_derived(view, channel, point, int(desk.now_s()))
            found[channel] = [] if value is None else [_worked_out(scaling, channel, value)]
        elif (sample := _sample(scaling, present, channel)) is not None:
            found[channel] = [sample]
    for meter in dict.fromkeys(one.meter for one in wanted if not one.contract and not found[one]):
        of_meter = {one.obis: one for one in wanted if one.meter == meter and not found[one]}
        for reading in _newest(view, point, meter):
            _sort(scaling, reading, of_meter, found)
            of_meter = {obis: one for obis, one in of_meter.items() if not found[one]}
            if not of_meter:
                break
    return found


def _newest(view: ConsumerView, point: Point, meter: str) -> Iterator[Reading]:
    """Readings of the contract's time, the newest first: mostly the very first has all registers."""
    newest = view.latest(meter)
    if newest is None:
        return
    begin_s, end_s = point.within(-FOR_EVER, FOR_EVER)
    if begin_s <= newest.grid_s <= end_s:
        yield newest
    last_s, period_s = min(newest.grid_s, end_s), point.contract.contract.period_s
    bounds = [last_s + 1, last_s - 4 * period_s, last_s - _BACK * period_s]
    for until_s, since_s in pairwise(bounds):
        yield from reversed(list(view.originals(meter, max(begin_s, since_s), until_s - 1)))


def _sample(scaling: Scaling, present: Mapping[tuple[str, str], Derived], channel: Channel) -> dict[str, Any] | None:
    """A measured value that is present."""
    what = present.get((channel.meter, channel.obis))
    if what is None or what.amount is None:
        return None
    status, amount = str(what.status), what.amount
    shown = scaling.shown(channel.logical_name, status, None, amount.value, amount.scaler, what.unit, None)
    return _reading(written(what.at_s), status, channel.owner, shown, what.at_s)
