"""The table of a wired meter's states (lmn-wired 6)."""

from __future__ import annotations

import pytest

from firmware.lmn.states import TRANSITIONS, MeterState, Sign, after


def walk(*signs: Sign) -> MeterState:
    state = MeterState.UNKNOWN
    for sign in signs:
        state = after(state, sign)
    return state


def test_the_way_from_nothing_to_values_is_that_of_the_fact_sheet() -> None:
    """lmn-wired 6: UNKNOWN, ADDRESSED, LINKED, PAIRED, SECURED, reading."""
    way = [Sign.FOUND, Sign.LINKED, Sign.CERTIFIED, Sign.SECURED, Sign.READ]
    seen = [walk(*way[:steps]).value for steps in range(len(way) + 1)]
    assert seen == ["unknown", "addressed", "linked", "paired", "secured", "reading"]


def test_a_meter_in_the_clear_is_read_without_certificates() -> None:
    assert walk(Sign.FOUND, Sign.LINKED, Sign.READ) is MeterState.READING


def test_no_session_stands_without_certificates() -> None:
    assert walk(Sign.FOUND, Sign.LINKED, Sign.SECURED) is MeterState.LINKED
    assert walk(Sign.FOUND, Sign.READ) is MeterState.ADDRESSED


@pytest.mark.parametrize("state", MeterState)
def test_a_lost_meter_is_unknown_wherever_it_was(state: MeterState) -> None:
    assert after(state, Sign.LOST) is MeterState.UNKNOWN


@pytest.mark.parametrize("state", [MeterState.LINKED, MeterState.PAIRED, MeterState.SECURED, MeterState.READING])
def test_a_meter_keeps_its_address_when_its_link_breaks(state: MeterState) -> None:
    assert after(state, Sign.LINK_DOWN) is MeterState.ADDRESSED


def test_every_state_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS.values()) == set(MeterState)
    assert {state for state, _ in TRANSITIONS} == set(MeterState)
    assert {sign for _, sign in TRANSITIONS} == set(Sign)
