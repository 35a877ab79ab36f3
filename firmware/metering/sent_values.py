"""The values of a delivery that names a span of a list instead of holding them (wan-core 7.6, TAF-1, 2 and 7)."""

from __future__ import annotations

from firmware.metering import derived, values
from firmware.metering.contracts import Contract, contracts
from firmware.metering.tariffs.entries import Delivery, Derived, Kind
from firmware.metering.tariffs.readings import Amount, word_of
from firmware.metering.values import Reading
from firmware.storage.memory import NonVolatileMemory

LOAD_PROFILE = 7
"""TAF-7, whose list is the list of original readings (han 5.2)."""


def values_of(memory: NonVolatileMemory, profile: str, use_case: int, delivery: Delivery) -> tuple[Derived, ...]:
    """What a delivery brings, in the order of time: what it holds, or what the list of its profile has in its span."""
    if delivery.span is None:
        return delivery.values
    begin_s, end_s = delivery.span
    if use_case != LOAD_PROFILE:
        return tuple(one.derived for one in derived.read(memory, profile, begin_s, end_s))
    contract = contracts(memory).get(profile)
    if contract is None:
        return ()
    meters = dict.fromkeys(meter for meter, _ in contract.registers)
    found = [
        value
        for meter in meters
        for reading in values.read(memory, meter, begin_s, end_s + 1)
        for value in _listed(reading, contract)
    ]
    return tuple(sorted(found, key=lambda one: one.at_s))


def _listed(reading: Reading, contract: Contract) -> list[Derived]:
    entries = {one.obis: one for one in reading.entries}
    found = []
    for meter, obis in contract.registers:
        if meter != reading.meter:
            continue
        entry, amount = entries.get(obis), None
        if entry is not None and isinstance(entry.value, int) and not isinstance(entry.value, bool):
            amount = Amount(entry.value, entry.scaler or 0)
        unit = None if entry is None else entry.unit
        found.append(Derived(Kind.PERIOD, reading.grid_s, obis, amount, word_of(reading.status), unit, meter))
    return found
