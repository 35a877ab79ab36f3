"""Everything that is assumed of the emulated gateway says what it is and belongs to a part of it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from firmware.config import Options, options_from
from firmware.option_docs import NOT_PRINTED, PARTS, assumed_options, part_of, reasons

NAMES = [one.name for one in fields(Options)]


@pytest.mark.parametrize("name", NAMES)
def test_every_option_says_what_it_is_and_has_a_part(name: str) -> None:
    assert reasons()[name].endswith(".")
    assert part_of(name) in PARTS


def test_every_part_has_options() -> None:
    assert {part_of(name) for name in NAMES} == set(PARTS)


def test_only_the_parts_that_were_asked_for_are_listed() -> None:
    listed = assumed_options(Options(), ["time"])
    assert {one.part for one in listed.values()} == {"time"}
    assert listed["ntp_answer_wait_s"].source == "wan-core 7.5"
    assert listed["clock_drift_ppm"].source == NOT_PRINTED


def test_what_was_overridden_is_listed_whatever_its_part() -> None:
    listed = assumed_options(options_from({"boot_scale": 2}), [])
    assert [(name, one.value, one.default) for name, one in listed.items()] == [("boot_scale", 2.0, 1.0)]
