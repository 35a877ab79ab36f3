"""Radio meters as files describe them: the plan of the meter, and its load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.quantity import ENERGY, parse
from bench.scenario.radio_models import GivenRadioMeter
from devices.clock import Clock
from devices.meters.catalogue import make_profile
from devices.meters.load_profile import LoadProfile
from devices.meters.radio.plan import Access, Protection, RadioMeterPlan, plan_for
from devices.ports.radio import RadioMode


def plan_of(given: GivenRadioMeter) -> RadioMeterPlan:
    """The meter that a scenario describes. Raises UsageError for one that cannot be."""
    options: dict[str, Any] = {
        "protection": Protection(given.protection),
        "mode": RadioMode(given.mode),
        "registers": {code: _in_kilo(begin, given) for code, begin in given.registers.items()},
        "counter": given.counter,
    }
    if given.key is not None:
        options["key"] = bytes.fromhex(given.key)
    if given.interval is not None:
        options["interval_s"] = given.interval.total_seconds()
    if given.bidirectional:
        options["access"] = Access()
    return plan_for(given.kind, given.id, compact=given.compact, **options)


def _in_kilo(begin: str, given: GivenRadioMeter) -> Decimal:
    """The begin of a register in kWh or m3."""
    amount = parse(begin, given.amount)
    return amount / 1000 if given.amount is ENERGY else amount


def load_of(given: GivenRadioMeter, clock: Clock, folder: Path) -> LoadProfile:
    """Its load; for gas and water a watt stands for a litre per hour, as radio meters count."""
    if not given.of_volume or given.load is None:
        return make_profile(given.load, clock, folder)
    if isinstance(given.load, str):
        return make_profile(_litres(given.load, given), clock)
    if isinstance(given.load, Mapping):
        return make_profile({"day": [_litres(one, given) for one in given.load.get("day", [])]}, clock)
    steps = [pair for pair in given.load if isinstance(pair, Sequence) and len(pair) == 2]
    return make_profile([[when, _litres(rate, given)] for when, rate in steps], clock)


def _litres(rate: Any, given: GivenRadioMeter) -> str:
    return f"{parse(rate, given.rate) * 1000:f} W"
