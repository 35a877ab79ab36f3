"""The transformer factor: applied once, in the gateway, to what is derived; exactly (wan-core 7.4)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

import pytest
from core_parts import BEGIN, BEGIN_S, ENERGY, METER, profile

from devices.clock import Clock
from devices.gateway_types import load
from firmware.metering import derived, values
from firmware.metering.registration import ActiveProfile
from firmware.metering.status_word import StatusWord
from firmware.metering.tariffs.profile import EvaluationProfile
from firmware.metering.tariffs.readings import Amount, Source, factor_of, points
from firmware.metering.values import Entry, Reading
from firmware.simulation import Simulation
from firmware.storage.memory import NonVolatileMemory

ClockAt = Callable[[datetime], Clock]


def _meter(at_us: int) -> Sequence[tuple[str, int, int, int]]:
    """12345.7 Wh at the begin and 0.1 Wh more each minute."""
    return ((ENERGY, 123_457 + (at_us // 1_000_000 - BEGIN_S) // 60, -1, 30),)


async def _derived(clock_at: ClockAt, factor: str, evaluated: EvaluationProfile) -> dict[tuple[int, str], Decimal]:
    """Hours since the begin and register -> watt-hours."""
    memory = NonVolatileMemory()
    options = {"signature_curve": "secp256r1"}
    core = Simulation(
        load("casa"), clock_at(BEGIN), memory, random.Random(7), {METER: _meter}, [evaluated], options=options
    )
    core._core.registration.add(ActiveProfile(METER, METER.encode(), frozenset(), "consumer-1", factor=Decimal(factor)))
    await core.run(86_400 + 60.0)
    originals = values.read(memory, METER)
    assert originals[0].entries[0].value == 123_457  # the meter's own
    assert originals[0].entries[0].scaler == -1
    return {
        ((one.derived.at_s - BEGIN_S) // 3600, one.derived.register): Decimal(str(one.derived.amount))
        for one in derived.read(memory)
    }


@pytest.mark.parametrize(("factor", "first", "last"), [
    ("40", "493828.0", "499588.0"),
    ("0.5", "6172.85", "6244.85"),
    ("1", "12345.7", "12489.7"),
])  # fmt: skip
async def test_taf1_reads_the_multiplied_register(clock_at: ClockAt, factor: str, first: str, last: str) -> None:
    found = await _derived(clock_at, factor, profile(1, days=1))
    assert found == {(0, ENERGY): Decimal(first), (24, ENERGY): Decimal(last)}


@pytest.mark.parametrize("factor", ["40", "0.5", "2.25"])
async def test_taf2_credits_multiplied_energy_and_its_stages_add_up(clock_at: ClockAt, factor: str) -> None:
    """Six hours of 6 Wh in stage 2, sixteen in stage 1, two in stage 2."""
    found = await _derived(clock_at, factor, profile(2, days=1))
    times = Decimal(factor)
    assert found[24, "1-0:1.8.1*255"] == 96 * times
    assert found[24, "1-0:1.8.2*255"] == 48 * times
    assert found[24, "1-0:1.8.63*255"] == 0
    assert found[24, ENERGY] - found[0, ENERGY] == 144 * times


def test_the_scaler_stays_unless_the_factor_has_decimals_and_only_energy_and_power_are_multiplied() -> None:
    registers = (
        Entry("1-0:1.8.0*255", 123, -1, 30), Entry("1-0:16.7.0*255", 7, 0, 27), Entry("1-0:32.7.0*255", 2301, -1, 35),
    )  # fmt: skip
    reading = Reading(METER, 0, 0, str(StatusWord()), registers)
    sources = [Source(METER, one.obis) for one in registers]
    for factor, energy in (("40", Amount(4920, -1)), ("4E+1", Amount(4920, -1)), ("0.50", Amount(615, -2))):
        found = [one.amount for one in points(reading, sources, factor_of(Decimal(factor)))]
        assert found[0] == energy
        assert found[2] == Amount(2301, -1)
    assert [one.amount for one in points(reading, sources)][:2] == [Amount(123, -1), Amount(7, 0)]


@pytest.mark.parametrize(
    "factor", ["0.00001", "100001", "1E+30", "0", "-1", "NaN", "0.33333333333333333333333333333333"]
)
def test_a_factor_that_values_do_not_stay_exact_with_is_none(factor: str) -> None:
    assert factor_of(Decimal(factor)) is None
