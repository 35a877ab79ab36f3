"""What is assumed of the SMARTY BZ-PLUS v2 is named with its value, its gap and a reason."""

from __future__ import annotations

from dataclasses import fields

from devices.clock import Clock
from devices.meters.smarty_assumed import assumed
from devices.meters.smarty_bz import SmartyBz, UpdateTiming
from devices.protocols.smarty_service import CrcOrder


def test_every_assumption_has_a_value_a_source_and_a_reason(clock: Clock) -> None:
    listed = assumed(SmartyBz(clock))
    assert all(name.startswith("SMARTY BZ-PLUS v2: ") and all(what) for name, what in listed.items())
    assert {field.name for field in fields(UpdateTiming)} < {name.partition(": ")[2] for name in listed}
    numbers = listed["SMARTY BZ-PLUS v2: command numbers"][0].split(", ")
    assert "21" in numbers
    assert not {"11", "12"} & set(numbers)


def test_the_values_are_those_of_the_meter(clock: Clock) -> None:
    meter = SmartyBz(
        clock,
        log_capacity=3,
        allow_downgrade=True,
        crc_order=CrcOrder.LOW_FIRST,
        timing=UpdateTiming(installing_s=7.5),
    )
    listed = {name.partition(": ")[2]: what[0] for name, what in assumed(meter).items()}
    assert (listed["log capacity"], listed["downgrade"], listed["inner check"], listed["installing_s"]) == (
        "3",
        "allowed",
        "low_first",
        "7.5",
    )
